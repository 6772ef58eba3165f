"""Least squares on auxiliary variables known by cell, without forming the inverse of the whole X'WX.

Public: NormalEquations.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis.compiled import compiled
from analysis.labels import IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FloatArray = NDArray[np.float64]

_MANY = 1500  # columns of which X'WX is kept as a sparse matrix
_COLLINEAR = 1e-11  # of a squared length: what remains of a column less than this is implied by the others


class NormalEquations:
    """X'WX B = right, formed when first solved.

    The block of the largest classification is diagonal and is eliminated first; what remains (the Schur complement) has
    the size of the other columns. Columns that others imply are told apart by a generalised inverse, so that the fitted
    values are those of any choice among them.

    Parameters
    ----------
    x : csr_array, shape (cells, columns)
    weight : ndarray, shape (cells,)
    first : columns of a classification: 0/1, one of them in each cell; may be empty
    implied : columns known to be implied by others, which get the coefficient 0
    """

    def __init__(
        self,
        x: "csr_array[Any, tuple[int, int]]",
        weight: FloatArray,
        first: range = range(0),
        implied: tuple[int, ...] = (),
    ) -> None:
        self.x, self.weight, self.first, self.implied = x, weight, first, implied

    @property
    def columns(self) -> int:
        return int(self.x.shape[1])

    @cached_property
    def other(self) -> IntArray:
        """Columns outside the first classification that are not known to be implied."""
        left = np.ones(self.columns, dtype=bool)
        left[np.array([*self.first, *self.implied], dtype=np.int64)] = False
        return np.flatnonzero(left)

    @cached_property
    def diagonal(self) -> FloatArray:
        """Weights of the classes of the first classification."""
        return np.asarray((self.x.T @ self.weight)[self.first.start : self.first.stop], dtype=np.float64)

    @cached_property
    def _blocks(self) -> tuple[Any, FloatArray]:
        """Other columns against the first classification, and the generalised inverse of what it leaves of them."""
        product = _products(self.x, self.weight)
        rows = product[self.other]
        cross = rows[:, np.arange(self.first.start, self.first.stop, dtype=np.int64)]
        square = _full(rows[:, self.other])
        length = np.diag(square).copy()
        if len(self.first):
            square -= _full((cross * _inverted(self.diagonal)) @ cross.T)
        scale = np.sqrt(_inverted(np.maximum(length, 0.0)))
        return cross, _generalised_inverse(square * scale * scale[:, None]) * scale * scale[:, None]

    def solve(self, right: FloatArray) -> FloatArray:
        """Coefficients, shape (columns, m), from X'Wy, shape (columns, m)."""
        result = np.zeros_like(right)
        inverse = _inverted(self.diagonal)[:, None]
        own = right[self.first.start : self.first.stop] * inverse
        if len(self.other):
            cross, complement = self._blocks
            small = complement @ (right[self.other] - cross @ own)
            result[self.other] = small
            own -= (cross.T @ small) * inverse
        result[self.first.start : self.first.stop] = own
        return result


def _products(x: "csr_array[Any, tuple[int, int]]", weight: FloatArray) -> Any:
    """X'WX: a full matrix, or a sparse one where there are many columns."""
    columns = int(x.shape[1])
    if columns > _MANY:
        from scipy.sparse import csr_array

        return csr_array(x.T @ x.multiply(weight[:, None]).tocsr())
    result = np.zeros((columns, columns))
    _add_products(x.indptr, x.indices, x.data, weight, result)
    return result


@compiled
def _add_products(
    start: NDArray[Any], column: NDArray[Any], value: FloatArray, weight: FloatArray, result: FloatArray
) -> None:
    for row in range(len(weight)):
        for a in range(start[row], start[row + 1]):
            share = weight[row] * value[a]
            for b in range(start[row], start[row + 1]):
                result[column[a], column[b]] += share * value[b]


def _full(matrix: Any) -> FloatArray:
    return np.array(matrix.toarray() if hasattr(matrix, "toarray") else matrix, dtype=np.float64)


def _inverted(values: FloatArray) -> FloatArray:
    return np.where(values != 0, 1 / np.where(values != 0, values, 1.0), 0.0)


def _generalised_inverse(scaled: FloatArray) -> FloatArray:
    """Of a positive semidefinite matrix with a diagonal of at most 1; singular where columns imply each other."""
    if len(scaled) == 0:
        return scaled
    try:
        smallest = float(np.diag(np.linalg.cholesky(scaled)).min()) ** 2
    except np.linalg.LinAlgError:
        smallest = 0.0
    if smallest > 1e-9:
        return np.asarray(np.linalg.inv(scaled), dtype=np.float64)
    values, vectors = np.linalg.eigh(scaled)
    large = np.abs(values) > _COLLINEAR * max(1.0, float(np.abs(values).max()))
    return np.asarray((vectors[:, large] / values[large]) @ vectors[:, large].T, dtype=np.float64)
