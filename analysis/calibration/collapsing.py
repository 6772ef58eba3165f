"""Joining classes of a margin that are too thin to be weighted on their own. Public: collapse, Collapsed, Joined."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.calibration.joining import join_neighbours
from analysis.errors import AnalysisError, Problem
from analysis.labels import encode


@dataclass(frozen=True)
class Joined:
    """Classes that became one.

    Attributes
    ----------
    label : what it is called: the labels of its members with "+" between
    members : labels, in order; `rows` and `totals` of each
    moved : the population total of the members that were too thin, now represented by the rows of all
    """

    label: str
    members: tuple[Hashable, ...]
    rows: tuple[int, ...]
    totals: tuple[float, ...]
    moved: float


class Collapsed(NamedTuple):
    """`labels` : ndarray of object, shape (n,), and `totals` : label → total, for rake or post_stratify; `joined`."""

    labels: NDArray[np.object_]
    totals: dict[Hashable, float]
    joined: tuple[Joined, ...]


def collapse(
    labels: Any,
    totals: Mapping[Any, float],
    minimum: int = 20,
    order: Sequence[Hashable] | None = None,
    groups: Mapping[Any, Hashable] | None = None,
) -> Collapsed:
    """Join each class of fewer than `minimum` rows, or without a total, with its neighbour.

    A thin class joins the next of its group (the last joins the previous); a group that is too thin as a whole joins
    the next group. Weighting many thin classes makes weights extreme and intervals too short; joining them trades a
    little bias, where neighbours differ, for that.

    Parameters
    ----------
    labels : array_like of labels, shape (n,)
    totals : mapping label → population total, ≥ 0, for all classes that have rows; classes without rows may be there
    minimum : rows a class needs, at least 1
    order : all labels, neighbours beside each other; None: sorted
    groups : label → group, inside of which classes are joined first; None: all are one group

    Returns
    -------
    Collapsed: new labels, new totals with the same sum, and what was joined with what. A class that stays keeps its
    label; a joined one is called "a+b".

    Raises
    ------
    AnalysisError
        for labels without a total, group or place in the order, totals that are negative or no number, and a minimum
        below 1.

    Examples
    --------
    >>> labels, known, joined = collapse(["a", "a", "b"], {"a": 60.0, "b": 30.0, "c": 10.0}, minimum=2)
    >>> known, joined[0].members
    ({'a+b+c': 100.0}, ('a', 'b', 'c'))
    """
    if not isinstance(minimum, (int, np.integer)) or minimum < 1:
        raise AnalysisError(Problem(f"a minimum of {minimum!r} rows", "minimum", "give a whole number, at least 1"))
    found = encode(labels, "labels", np.shape(labels)[0] if np.ndim(labels) else 0)
    rows = dict(zip(found.labels, np.bincount(found.code, minlength=len(found.labels)).tolist(), strict=True))
    ordered = _ordered(rows, totals, order, groups)

    def enough(units: Sequence[int]) -> bool:
        members = [ordered[i][1] for i in units]
        return sum(rows.get(one, 0) for one in members) >= minimum and sum(float(totals[one]) for one in members) > 0

    named: dict[Hashable, Hashable] = {}
    known: dict[Hashable, float] = {}
    joined = []
    for units in join_neighbours([group for group, _ in ordered], enough):
        members = tuple(ordered[i][1] for i in units)
        label = members[0] if len(members) == 1 else "+".join(map(str, members))
        counts, sums = tuple(rows.get(one, 0) for one in members), tuple(float(totals[one]) for one in members)
        known[label] = sum(sums)
        named |= dict.fromkeys(members, label)
        if len(members) > 1:
            moved = sum(total for count, total in zip(counts, sums, strict=True) if count < minimum)
            joined.append(Joined(str(label), members, counts, sums, moved))
    of_class = np.empty(len(found.labels), dtype=object)
    of_class[:] = [named[label] for label in found.labels]
    return Collapsed(of_class[found.code], known, tuple(joined))


def _ordered(
    rows: Mapping[Hashable, int],
    totals: Mapping[Any, float],
    order: Sequence[Hashable] | None,
    groups: Mapping[Any, Hashable] | None,
) -> list[tuple[str, Hashable]]:
    """All classes with their group, group by group, in order."""
    classes = dict.fromkeys([*rows, *totals])
    problems = []
    for label in classes:
        value = totals.get(label)
        if value is None:
            problems.append(Problem(f"there is no total for {label!r}", "totals", "add it; 0 joins the class"))
        elif not (isinstance(value, (int, float, np.number)) and 0 <= float(value) < np.inf):
            problems.append(Problem(f"the total of {label!r} is {value!r}", "totals", "give a number, 0 or more"))
        if order is not None and label not in order:
            problems.append(Problem(f"{label!r} has no place in the order", "order", "name every class"))
        if groups is not None and label not in groups:
            problems.append(Problem(f"{label!r} has no group", "groups", "give every class a group"))
    if not problems and not sum(float(totals[label]) for label in classes) > 0:
        problems.append(Problem("the totals sum to 0", "totals", "give population totals"))
    if problems:
        raise AnalysisError(problems)
    place = {label: i for i, label in enumerate(order)} if order is not None else _sorted(classes)
    inside = sorted(classes, key=lambda label: place[label])
    if groups is None:
        return [("", label) for label in inside]
    first = {group: i for i, group in reversed(list(enumerate(groups[label] for label in inside)))}
    inside.sort(key=lambda label: first[groups[label]])
    return [(f"{first[groups[label]]:09d}", label) for label in inside]


def _sorted(classes: Mapping[Hashable, None]) -> dict[Hashable, int]:
    codes = encode(np.fromiter(classes, dtype=object, count=len(classes)), "totals", len(classes))
    return {label: i for i, label in enumerate(codes.labels)}
