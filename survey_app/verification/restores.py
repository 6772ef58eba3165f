"""Heads that a restore gave up: known to extracts, backups and the old heads.log, and to no chain of the store any more.

`given_up_heads`, `given_up_of`, `unexplained`. The first reads them from the audit, whose chain covers them; a head that stands nowhere there stays a finding.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from survey_app import swapping
from survey_app.model import Event
from survey_app.store import Store
from survey_app.verification.chain import Witness
from survey_app.verification.witnesses import read_heads_log

Heads = frozenset[tuple[str, int, str]]


def given_up_heads(store: Store) -> Heads:
    """Chain, count and head of everything that a restore of this store says it gave up."""
    found: set[tuple[str, int, str]] = set()
    for event in store.events(["restored"]):
        given_up = event.detail["given_up"]
        if isinstance(given_up, dict):
            found |= {(chain, head["count"], head["head"]) for chain, heads in given_up.items() for head in heads}
        found |= _logged(store, event)
    return frozenset(found)


def _logged(store: Store, event: Event) -> set[tuple[str, int, str]]:
    """Those of the heads.log that was moved aside, as long as it is the one the audit has the hash of."""
    path = store.settings.instance / swapping.GIVEN_UP / str(event.detail["folder"]) / store.settings.heads_log.name
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != event.detail["heads_log_sha256"]:
        return set()
    log, _ = read_heads_log(path)
    return {(chain, one.count, one.head) for chain, seen in log.confirmed.items() for one in seen}


def unexplained(witnesses: Iterable[Witness], chain: str, given_up: Heads) -> list[Witness]:
    return [one for one in witnesses if (chain, one.count, one.head) not in given_up]


def given_up_of(store: Store, held: Mapping[str, Sequence[Witness]]) -> list[tuple[str, Witness]]:
    """The heads that somebody kept elsewhere and that a restore gave up.

    They must be said even of a clean store: whoever can rewrite everything can also write that there was a restore.
    """
    given_up = given_up_heads(store)
    return [
        (chain, one)
        for chain, witnesses in sorted(held.items())
        for one in witnesses
        if (chain, one.count, one.head) in given_up
    ]
