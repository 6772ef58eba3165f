"""Several estimates together: what the covariance and the degrees of freedom of their linear functions are made of.

Estimates of one design share its sampling units. Estimates of two designs, such as two waves, are independent unless
PSUs of the same label lie in strata of the same label: then both samples are put one below the other, as if the rows
had been bound together into one design, and the wave is a domain. Public: Combined, Part, combine, apply, shortened.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from analysis.comparison.uniting import United, unite
from analysis.design import SurveyDesign
from analysis.errors import AnalysisError, Problem
from analysis.estimates import Estimates
from analysis.labels import IntArray
from analysis.variance import ReplicateScores, Scores

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FloatArray = NDArray[np.float64]
Overlap = Literal["labels", "none"]

_LARGEST = 1 << 26  # numbers in the largest matrix that is made


@dataclass(frozen=True, eq=False)
class Part:
    """Some estimates of one design and what each adds to the linear functions.

    Attributes
    ----------
    scores : of the estimates, shape (domains · variables) in all
    jacobian : csr_array, shape (functions, domains · variables), ∂ function / ∂ estimate
    present : csr_array, shape (units, domains · variables), which units have a row behind each; None: as the scores say
    """

    scores: Scores
    jacobian: "csr_array[Any, tuple[int, int]]"
    present: "csr_array[Any, tuple[int, int]] | None" = None


@dataclass(frozen=True, eq=False)
class Combined:
    """Linear functions of estimates, as the scores of the `Estimates` that `contrast` and `compare` return.

    Covariance: over the designs (each with those it shares PSUs with), Δ'Δ with Δ = Σ_parts deviations · jacobian'.
    """

    parts: tuple[Part, ...]
    overlap: Overlap = "labels"
    variables: int = 1

    @cached_property
    def grounds(self) -> tuple[United, ...]:
        designs = list({id(part.scores.design): part.scores.design for part in self.parts}.values())
        return unite(designs, self.overlap)

    @property
    def functions(self) -> int:
        return int(self.parts[0].jacobian.shape[0])

    @property
    def design(self) -> SurveyDesign:
        """The design all estimates come from."""
        if len(self.grounds) > 1:
            raise AnalysisError(
                Problem(
                    "these estimates come from several independent designs",
                    "scores.design",
                    "ask each estimate for its own design",
                )
            )
        return self.grounds[0].design

    @property
    def variance(self) -> FloatArray:
        """Variances, shape (functions / variables, variables)."""
        return self.variances(np.arange(self.functions))[0].reshape(-1, self.variables)

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance of all functions, shape (functions, functions)."""
        size = self.functions
        if size * size > _LARGEST:
            raise AnalysisError(
                Problem(
                    f"the covariance of {size} comparisons is too large a matrix",
                    "Estimates.covariance",
                    "compare fewer domains or fewer variables at a time",
                )
            )
        return self.block(np.arange(size))

    def block(self, rows: IntArray) -> FloatArray:
        """Covariance of some of the functions."""
        result = np.zeros((len(rows), len(rows)))
        for deviations, jacobian, _ in self._by_ground(rows):
            moved = jacobian @ deviations.T
            result += moved @ moved.T
        return result

    def variances(self, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        """Variances of some of the functions, and Σ (coefficient · SE)², against which rounding is judged."""
        variance, size = np.zeros(len(rows)), np.zeros(len(rows))
        for deviations, jacobian, _ in self._by_ground(rows):
            own = np.einsum("ij,ij->j", deviations, deviations)
            size += jacobian.multiply(jacobian) @ own
            if jacobian.shape[0] <= jacobian.shape[1]:
                moved = jacobian @ deviations.T
                variance += np.einsum("ij,ij->i", moved, moved)
            else:
                product = jacobian @ (deviations.T @ deviations)
                row = np.repeat(np.arange(len(rows)), np.diff(jacobian.indptr))
                terms = jacobian.data * product[row, jacobian.indices]
                variance += np.bincount(row, weights=terms, minlength=len(rows))
        return np.maximum(variance, 0.0), size

    def replicate_values(self) -> FloatArray | None:
        """The functions in every replicate, shape (replicates, functions); None where the variance is not by replicates."""
        values = np.zeros(0)
        for part in self.parts:
            if not isinstance(part.scores, ReplicateScores) or len(self.grounds) > 1:
                return None
            by_replicate = part.scores.values.reshape(len(part.scores.values), -1)
            values = (
                values + apply(part.jacobian, by_replicate.T).T
                if values.size
                else apply(part.jacobian, by_replicate.T).T
            )
        return values

    def df_union(self, rows: IntArray) -> FloatArray:
        """PSUs − strata with a row behind any of the estimates that each function takes."""
        return np.asarray(np.sum([ground.df(self.touched(ground, rows)) for ground in self.grounds], axis=0))

    def df_design(self) -> float:
        return float(sum(ground.design.df for ground in self.grounds))

    def touched(self, ground: United, rows: IntArray) -> "csr_array[Any, tuple[int, int]]":
        """Which units of one ground have a row behind each function, shape (units, functions)."""
        from scipy.sparse import csr_array, hstack

        used = [(part, *_used(part, rows)) for part in self.parts if ground.holds(part.scores.design)]
        pattern = csr_array(hstack([abs(jacobian).sign() for _, _, jacobian in used], format="csr"))
        present = [
            ground.present(part.scores, columns) if part.present is None else part.present[:, columns]
            for part, columns, _ in used
        ]
        found = csr_array(csr_array(hstack(present, format="csr")) @ pattern.T)
        found.eliminate_zeros()
        return found.sign()

    def _by_ground(self, rows: IntArray) -> Iterator[tuple[FloatArray, "csr_array[Any, tuple[int, int]]", United]]:
        """Deviations of the estimates that some functions take, their jacobian, and the ground, one ground after another."""
        from scipy.sparse import csr_array, hstack

        for ground in self.grounds:
            used = [(part, *_used(part, rows)) for part in self.parts if ground.holds(part.scores.design)]
            deviations = np.hstack([ground.deviations(part.scores, columns) for part, columns, _ in used])
            yield deviations, csr_array(hstack([jacobian for _, _, jacobian in used], format="csr")), ground


def apply(matrix: "csr_array[Any, tuple[int, int]]", value: FloatArray) -> FloatArray:
    """Matrix times values; NaN only where a value that takes part is."""
    unknown = np.isnan(value)
    result = np.asarray(matrix @ np.where(unknown, 0.0, value))
    if unknown.any():
        result[abs(matrix) @ unknown.astype(np.float64) > 0] = np.nan
    return result


def combine(
    estimates: Sequence[Estimates],
    jacobians: Sequence["csr_array[Any, tuple[int, int]]"],
    overlap: Overlap = "labels",
    variables: int = 1,
) -> Combined:
    """Linear functions of several `Estimates`, themselves perhaps such functions: then the jacobians multiply.

    Functions are laid out by variable last, as `Estimates` are.
    """
    from scipy.sparse import csr_array

    parts: list[Part] = []
    for one, jacobian in zip(estimates, jacobians, strict=True):
        scores: object = one.scores
        if isinstance(scores, Combined):
            overlap = "none" if scores.overlap == "none" else overlap
            parts += [replace(p, jacobian=csr_array(jacobian @ p.jacobian)) for p in scores.parts]
        else:
            parts.append(Part(one.scores, csr_array(jacobian)))
    return Combined(tuple(parts), overlap, variables)


def _used(part: Part, rows: IntArray) -> tuple[IntArray, "csr_array[Any, tuple[int, int]]"]:
    """Columns of the estimates that some functions take, and the jacobian in these columns."""
    chosen = part.jacobian[rows]
    columns = np.unique(chosen.indices[chosen.data != 0]).astype(np.int64)
    return columns, chosen[:, columns]


def shortened(labels: Sequence[Hashable]) -> str:
    """The first labels, for a message."""
    return ", ".join(repr(label) for label in labels[:8]) + (" …" if len(labels) > 8 else "")
