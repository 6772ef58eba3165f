"""Least squares on auxiliary variables known by cell, without forming the inverse of the whole X'WX.

Public: NormalEquations.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis.labels import IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FloatArray = NDArray[np.float64]

_BLOCK = 1 << 20  # numbers of X held at once as a full table
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
    def _blocks(self) -> tuple["csr_array[Any, tuple[int, int]]", FloatArray]:
        """Other columns against the first classification, and the generalised inverse of what it leaves of them."""
        from scipy.sparse import csr_array

        product = csr_array(_gram(self.x, self.weight))
        rows = csr_array(product[self.other])
        cross = csr_array(rows[:, np.arange(self.first.start, self.first.stop, dtype=np.int64)])
        square = np.asarray(rows[:, self.other].toarray(), dtype=np.float64)
        length = np.diag(square).copy()
        if len(self.first):
            square -= np.asarray(((cross * _inverted(self.diagonal)) @ cross.T).toarray())
        scale = np.sqrt(np.where(length > 0, 1 / np.where(length > 0, length, 1.0), 0.0))
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


def _gram(x: "csr_array[Any, tuple[int, int]]", weight: FloatArray) -> Any:
    """X'WX; by blocks of full rows where X has few zeros."""
    cells, columns = x.shape
    if x.nnz <= 0.2 * cells * columns:
        return x.T @ x.multiply(weight[:, None]).tocsr()
    result = np.zeros((columns, columns))
    step = max(_BLOCK // max(columns, 1), 1)
    for a in range(0, cells, step):
        block = x[a : a + step].toarray()
        result += block.T @ (block * weight[a : a + step, None])
    return result


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
