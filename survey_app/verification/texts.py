"""Free texts and second contents: what may be missing because it was purged, and what may not.

`Purges`, `wrong_texts`, `check_conflicts`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from survey_app.ledger import content_hash, text_hmac
from survey_app.problems import Problem
from survey_app.store import Store
from survey_app.store.auditing import ConflictRow
from survey_app.verification.chain import RESTORE


@dataclass(frozen=True)
class Purges:
    """Up to which receipt comments were purged, by the audit: of one wave, or under None of all."""

    cutoffs: Mapping[str | None, str] = field(default_factory=dict)

    @classmethod
    def of(cls, store: Store) -> "Purges":
        cutoffs: dict[str | None, str] = {}
        for event in store.events(["comments_purged"]):
            wave, cutoff = event.detail["wave"], str(event.detail["cutoff"])
            key = None if wave is None else str(wave)
            cutoffs[key] = max(cutoff, cutoffs.get(key, ""))
        return cls(cutoffs)

    def cover(self, wave: str, received: str) -> bool:
        return received < max(self.cutoffs.get(None, ""), self.cutoffs.get(wave, ""))


def sealed_texts(content: Mapping[str, Any]) -> dict[str, str]:
    """Item and HMAC of each free text in a canonical content."""
    return {item: value["hmac"] for item, value in content["answers"].items() if isinstance(value, dict)}


def with_texts(content: Mapping[str, Any]) -> dict[str, Any]:
    """A canonical content as it could have been sent, some text in place of each that was given: its code is the same."""
    return {**content, "answers": {**content["answers"], **dict.fromkeys(sealed_texts(content), "…")}}


def wrong_texts(sealed: Mapping[str, str], kept: Mapping[str, str], key: bytes, purged: bool) -> str:
    """What is wrong with the texts kept, in words; empty when nothing is."""
    for item, text in kept.items():
        if item not in sealed:
            return f"a text of {item} was added that was never given"
        if sealed[item] != text_hmac(text, key):
            return f"the text of {item} is not the one that was given"
    missing = sorted(sealed.keys() - kept.keys())
    if missing and not purged:
        return f"the text of {', '.join(missing)} was removed: no purge in the audit covers it"
    return ""


def check_conflicts(store: Store) -> Iterator[Problem]:
    """Every second content the audit knows is still there, unchanged, and no other."""
    purges, comments = Purges.of(store), store.conflict_comments()
    said = {
        (str(e.detail["uuid"]), str(e.detail["content_sha256"])): dict(e.detail) for e in store.events(["conflict"])
    }
    kept = {(row.uuid, row.content_sha256): row for row in store.conflict_rows()}
    for key in kept.keys() & said.keys():
        row, where = kept[key], f"conflict of response {key[0]}"
        purged = purges.cover(row.wave or "", row.received)
        try:
            what = _wrong(row, said[key])
            if not what:
                sealed = sealed_texts(json.loads(row.content))
                what = wrong_texts(sealed, comments.get(row.number, {}), store.settings.key, purged)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            what = f"its content cannot be read: {type(error).__name__}"
        if what:
            yield Problem(f"a conflicting content was changed: {what}", where, RESTORE)
    for uuid, _ in sorted(said.keys() - kept.keys()):
        yield Problem("a conflicting content was removed", f"conflict of response {uuid}", RESTORE)
    for uuid, _ in sorted(kept.keys() - said.keys()):
        yield Problem("a conflicting content was inserted", f"conflict of response {uuid}", RESTORE)


def _wrong(row: ConflictRow, said: Mapping[str, object]) -> str:
    """Events of earlier versions do not tell the time of receipt; then it is not held against them."""
    if content_hash(row.content.encode("utf-8")) != row.content_sha256:
        return "its content does not have the hash it was stored with"
    content = json.loads(row.content)
    columns = {"device": row.device, "received": row.received}
    altered = [name for name, value in columns.items() if said.get(name, value) != value]
    altered += [name for name, value in (("uuid", row.uuid), ("seq", row.seq)) if content[name] != value]
    return f"the columns {', '.join(altered)} are not what the audit and its content say" if altered else ""
