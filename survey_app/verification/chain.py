"""Following a chain link by link, and holding it against heads that others have kept: pure functions.

`Link`, `Witness`, `follow`, `hold_against`, `unannounced`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from survey_app.ledger import GENESIS, Plain, link
from survey_app.problems import Problem

RESTORE = "restore the newest backup that verifies, and find out who had access to the file"


@dataclass(frozen=True)
class Link:
    """One row of a chain: its place, what people call it, the columns its hash covers, and the hash it carries."""

    position: int
    name: str
    row: Mapping[str, Plain]
    chain: str


@dataclass(frozen=True, slots=True)
class Witness:
    """A head that was written down outside the chain: in heads.log, in an extract, in the audit."""

    count: int
    head: str
    source: str


def follow(links: Iterable[Link], chain: str, things: str) -> tuple[dict[int, str], list[Problem]]:
    """Recompute each link from the one before; returns the hash at each position, and what does not follow.

    Each row is held against the hash its predecessor carries, or should carry, so that one altered row is named alone.
    """
    hashes: dict[int, str] = {}
    problems: list[Problem] = []
    broken: list[Link] = []
    expected, previous = 1, {GENESIS}
    for one in links:
        gap = one.position != expected
        due = {link(head, one.row) for head in previous}
        if gap:
            problems.append(_removed(expected, one.position - 1, chain, things))
        elif one.chain not in due:
            broken.append(one)
        hashes[one.position] = one.chain
        previous = {one.chain} if gap or one.chain in due else {one.chain, *due}
        expected = one.position + 1
    for run in _runs(broken):
        problems.append(_broken(run, chain))
    return hashes, problems


def _removed(first: int, last: int, chain: str, things: str) -> Problem:
    places = f"position {first}" if first == last else f"positions {first} to {last}"
    return Problem(f"{last - first + 1} {things} were removed", f"{chain}, {places}", RESTORE)


def _runs(broken: Sequence[Link]) -> list[list[Link]]:
    runs: list[list[Link]] = []
    for one in broken:
        if runs and runs[-1][-1].position == one.position - 1:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs


def _broken(run: Sequence[Link], chain: str) -> Problem:
    first, last = run[0], run[-1]
    if len(run) == 1:
        what = f"{first.name} was changed, or inserted: its link does not follow from the row before"
        return Problem(what, f"{chain}, position {first.position}", RESTORE)
    what = f"{len(run)} rows from {first.name} to {last.name} were changed, inserted or renumbered"
    return Problem(what, f"{chain}, positions {first.position} to {last.position}", RESTORE)


def hold_against(hashes: Mapping[int, str], witnesses: Sequence[Witness], chain: str, things: str) -> list[Problem]:
    """Compare a chain with what witnesses saw of it."""
    problems: list[Problem] = []
    length = max(hashes, default=0)
    beyond = [witness for witness in witnesses if witness.count > length]
    if beyond:
        most = max(beyond, key=lambda witness: witness.count)
        problems.append(
            Problem(
                f"the last {most.count - length} {things} were cut off",
                f"{chain}, positions {length + 1} to {most.count}; known to {most.source}",
                RESTORE,
            )
        )
    within = sorted((w for w in witnesses if 0 < w.count <= length), key=lambda witness: witness.count)
    wrong = [witness for witness in within if hashes.get(witness.count, witness.head) != witness.head]
    if wrong:
        sound = max((w.count for w in within if w.count < wrong[0].count and w not in wrong), default=0)
        problems.append(
            Problem(
                f"the chain was rewritten: rows were changed or inserted and the hashes computed anew"
                f" ({len(wrong)} witnesses knew other heads)",
                f"{chain}, positions {sound + 1} to {wrong[0].count}; {wrong[0].source} knew another head",
                RESTORE,
            )
        )
    return problems


def unannounced(
    hashes: Mapping[int, str], confirmed: Sequence[Witness], announced: Sequence[Witness], chain: str, things: str
) -> list[Problem]:
    """Rows at the end that heads.log neither confirmed nor announced: no commit of ours wrote them.

    An announcement counts only where the chain has the very head announced: its commit may have failed.
    """
    length = max(hashes, default=0)
    kept = [witness for witness in announced if hashes.get(witness.count) == witness.head]
    seen = max((witness.count for witness in (*confirmed, *kept)), default=0)
    if seen >= length:
        return []
    return [
        Problem(
            f"{length - seen} {things} at the end are unknown to heads.log: inserted, or stored as the power failed",
            f"{chain}, positions {seen + 1} to {length}",
            "if the power failed just then, start the server once: it notes them in the audit; else: " + RESTORE,
        )
    ]
