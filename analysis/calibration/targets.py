"""Classes with a known population total, matched with the classes that have rows.

Public: Margin, match, disagreements, indicators.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import Problem
from analysis.labels import IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Margin:
    """`code` : ndarray, shape (cells,), position in `labels`; `target` : ndarray, shape (labels,)."""

    name: str
    labels: tuple[Hashable, ...]
    code: IntArray
    target: FloatArray


def match(name: str, labels: Sequence[Hashable], code: IntArray, totals: Any) -> tuple[Margin, list[Problem]]:
    """A margin, and every class that lacks rows or a usable total."""
    given = _as_mapping(totals)
    if given is None:
        problem = Problem(f"totals are {type(totals).__name__}", name, "give {label: population total}")
        return Margin(name, tuple(labels), code, np.full(len(labels), np.nan)), [problem]
    problems = []
    target = np.full(len(labels), np.nan)
    for i, label in enumerate(labels):
        if label not in given:
            problems.append(
                Problem(f"there is no total for {label!r}", name, "add its total or join it with another class")
            )
            continue
        target[i] = _number(given[label])
        if not (np.isfinite(target[i]) and target[i] > 0):
            problems.append(
                Problem(
                    f"the total of {label!r} is {_shown(given[label])}, but the sample has rows there",
                    name,
                    "a class with rows needs a positive total",
                )
            )
    if len(given) > len(labels) or problems:
        sampled = set(labels)
        problems += [
            Problem(
                f"{label!r} has a total of {_shown(value)} and no row in the sample", name, "join it with another class"
            )
            for label, value in given.items()
            if label not in sampled and _number(value) != 0
        ]
    return Margin(name, tuple(labels), code, target), problems


def disagreements(margins: Sequence[Margin], tolerance: float) -> list[Problem]:
    """Margins of one population have one sum."""
    first = margins[0]
    expected = float(first.target.sum())
    return [
        Problem(
            f"margins disagree: {first.name} sums to {expected:.12g}, {margin.name} to {margin.target.sum():.12g}",
            f"margins {first.name} and {margin.name}",
            "take the totals from the same population",
        )
        for margin in margins[1:]
        if abs(float(margin.target.sum()) - expected) > tolerance * expected
    ]


def indicators(margins: Sequence[Margin]) -> "csr_array[Any, tuple[int, int]]":
    """0/1 columns of all classes of all margins side by side, shape (cells, columns)."""
    from scipy.sparse import csr_array

    cells, count = len(margins[0].code), len(margins)
    columns = np.empty((cells, count), dtype=np.int32)
    offset = 0
    for i, margin in enumerate(margins):
        columns[:, i] = margin.code
        columns[:, i] += offset
        offset += len(margin.labels)
    start = np.arange(0, cells * count + 1, count)
    return csr_array((np.ones(columns.size), columns.ravel(), start), shape=(cells, offset))


def _as_mapping(totals: Any) -> Mapping[Any, Any] | None:
    """A mapping, or a pandas Series by its index."""
    if isinstance(totals, Mapping):
        return totals
    return dict(totals.items()) if hasattr(totals, "items") else None


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, (int, float, np.number)) else repr(value)[:40]
