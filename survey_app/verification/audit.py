"""Holding tables that have no chain of their own against the audit, which has: waves with
their frames, forms, conflicts, register, published figures.

`check_waves`, `check_lists`, `check_register`.
"""

from collections.abc import Iterator
from typing import Any

from survey_app.ledger import content_hash
from survey_app.model import Reference, RegisterRow, stamp
from survey_app.problems import Problem
from survey_app.store import Store, rows_hash
from survey_app.store.fieldwork import definition, frame_hash
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
        frame = store.frame(wave.id)
        if said.pop("frame_sha256", None) != (frame_hash(frame) if frame else None):
            yield Problem("the frame of a wave was changed after its creation", where, RESTORE)
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


def check_lists(store: Store) -> Iterator[Problem]:
    """Centres and service fields are as the last import left them; imports of earlier versions have no hash."""
    for kind, what, now in (
        ("centres_imported", "centres", store.centres_hash()),
        ("fields_imported", "service fields", store.fields_hash()),
    ):
        said = [event.detail.get("list_sha256") for event in store.events([kind])]
        if said and said[-1] not in (None, now):
            yield Problem(f"the list of {what} was changed since its last import", what, RESTORE)


def check_register(store: Store) -> Iterator[Problem]:
    """The rows of each import, of the register and of published figures, are those the audit has the hash of."""
    yield from _check_imports(store, "register", store.register_imports())
    yield from _check_imports(store, "reference", store.reference_imports())


def _check_imports(
    store: Store, table: str, imports: dict[int, list[RegisterRow]] | dict[int, list[Reference]]
) -> Iterator[Problem]:
    for event in store.events([f"{'references' if table == 'reference' else table}_imported"]):
        rows = imports.pop(event.number, [])
        if rows_hash(rows) != event.detail["rows_sha256"]:
            yield Problem(
                f"{table} rows of {event.detail['source']} were changed, removed or inserted",
                f"{table} import {event.number}",
                RESTORE,
            )
    for number in sorted(imports):
        yield Problem(f"{table} rows were inserted: the audit knows no such import", f"{table} {number}", RESTORE)
