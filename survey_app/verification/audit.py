"""Holding tables that have no chain of their own against the audit, which has: waves, forms, conflicts, register.

`check_waves`, `check_conflicts`, `check_register`.
"""

from collections.abc import Iterator
from typing import Any

from survey_app.ledger import content_hash
from survey_app.model import stamp
from survey_app.problems import Problem
from survey_app.store import Store, rows_hash
from survey_app.store.fieldwork import definition
from survey_app.verification.chain import RESTORE


def check_waves(store: Store) -> Iterator[Problem]:
    """Each wave is what the audit says was created, opened and closed; each form's copy has the hash noted then."""
    copies: dict[tuple[str, str], str] = {}
    for id, version, content, sha256 in store.questionnaire_copies():
        copies[id, version] = content_hash(content)
        if copies[id, version] != sha256:
            yield Problem("the copy of a questionnaire was changed", f"questionnaire {id} {version}", RESTORE)
    created = {event.detail["id"]: dict(event.detail) for event in store.events(["wave_created"])}
    moments: dict[tuple[str, str], object] = {}
    for event in store.events(["wave_opened", "wave_closed"]):
        moments[str(event.detail["wave"]), event.kind] = event.detail.get("opened", event.detail.get("closed"))
    for wave in store.waves():
        where = f"wave {wave.id}"
        said: dict[str, Any] | None = created.pop(wave.id, None)
        if said is None:
            yield Problem("a wave was inserted: the audit does not know it", where, RESTORE)
            continue
        if said.pop("questionnaire_sha256") != copies.get((wave.questionnaire, wave.version)):
            yield Problem("the wave's form is not the one it was created with", where, RESTORE)
        now = {**definition(wave), "centres": sorted(wave.centres)}
        for name in (name for name in now if now[name] != said[name]):
            yield Problem(f"{name} of a wave was changed after its creation", where, RESTORE)
        for kind, moment in (("wave_opened", wave.opened), ("wave_closed", wave.closed)):
            if moments.get((wave.id, kind)) != (stamp(moment) if moment else None):
                yield Problem(f"the audit knows another time for {kind}", where, RESTORE)
    for removed in created:
        yield Problem("a wave was removed: the audit knows it", f"wave {removed}", RESTORE)


def check_conflicts(store: Store) -> Iterator[Problem]:
    """Every second content the audit knows is still there, unchanged, and no other."""
    kept = set()
    for uuid, content, sha256 in store.conflict_rows():
        kept.add((uuid, sha256))
        if content_hash(content.encode("utf-8")) != sha256:
            yield Problem("a conflicting content was changed", f"conflict of response {uuid}", RESTORE)
    known = {(str(event.detail["uuid"]), str(event.detail["content_sha256"])) for event in store.events(["conflict"])}
    for uuid, _ in sorted(known - kept):
        yield Problem("a conflicting content was removed", f"conflict of response {uuid}", RESTORE)
    for uuid, _ in sorted(kept - known):
        yield Problem("a conflicting content was inserted", f"conflict of response {uuid}", RESTORE)


def check_register(store: Store) -> Iterator[Problem]:
    """The rows of each import are those the audit has the hash of."""
    imports = store.register_imports()
    for event in store.events(["register_imported"]):
        rows = imports.pop(event.number, [])
        if rows_hash(rows) != event.detail["rows_sha256"]:
            yield Problem(
                f"register rows of {event.detail['source']} were changed, removed or inserted",
                f"register import {event.number}",
                RESTORE,
            )
    for number in sorted(imports):
        yield Problem("register rows were inserted: the audit knows no such import", f"register {number}", RESTORE)
