"""Joining neighbours: what is too thin to stand alone joins the next one by code, in its group first.

Public: join_neighbours. One rule for weighting cells, classes of a margin, and strata with a single PSU.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

Class = tuple[int, ...]


def join_neighbours(groups: Sequence[str], enough: Callable[[Sequence[int]], bool]) -> tuple[Class, ...]:
    """Classes of units, each `enough` where that can be had at all.

    Units 0 … k−1 come sorted by group, then by code. A unit that is not enough joins the next of its group (the last
    joins the previous); a group that is not enough as a whole joins the next group (the last joins the previous).

    groups : the group of each unit, sorted
    enough : whether these units together may stand as a class
    """
    classes: list[Class] = []
    for _, members in groupby(range(len(groups)), key=groups.__getitem__):
        classes.extend(_merged(((unit,) for unit in members), enough))
    return tuple(_merged(classes, enough))


def _merged(parts: Iterable[Class], enough: Callable[[Sequence[int]], bool]) -> list[Class]:
    done: list[Class] = []
    waiting: Class = ()
    for part in parts:
        waiting += part
        if enough(waiting):
            done.append(waiting)
            waiting = ()
    if waiting:
        done[-1:] = [done[-1] + waiting if done else waiting]
    return done
