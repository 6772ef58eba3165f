"""Least squares on the indicators of one or several classifications, without forming or inverting the whole X'WX.

Public: NormalEquations.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis.labels import IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """X'WX B = right for X the indicators of several margins side by side.

    The block of the largest margin is diagonal and is eliminated first; what remains (the Schur complement) has the size
    of the other margins. One class of each other margin is implied by the rest and gets the coefficient 0.

    Attributes
    ----------
    columns : all classes of all margins
    first : ndarray, columns of the largest margin; `diagonal`, their weights
    other : ndarray, columns of the other margins, the implied ones left out
    cross : csr_array, shape (other, first); `complement`, its generalised inverse, shape (other, other)
    """

    columns: int
    first: IntArray
    diagonal: FloatArray
    other: IntArray
    cross: "csr_array[Any, tuple[int, int]]"
    complement: FloatArray

    @classmethod
    def of_margins(cls, codes: list[IntArray], weight: FloatArray) -> "NormalEquations":
        """From the class of each cell in every margin and the weight of each cell."""
        from scipy.sparse import csr_array

        sizes = [int(code.max()) + 1 for code in codes]
        offsets = np.cumsum([0, *sizes])
        largest = int(np.argmax(sizes))
        rest = [i for i in range(len(codes)) if i != largest]
        other = np.array([c for i in rest for c in range(offsets[i] + 1, offsets[i + 1])], dtype=np.int64)
        cells = np.arange(len(weight))
        x = [
            csr_array(
                (weight if i == largest else np.ones(len(weight)), (cells, codes[i])), shape=(len(weight), sizes[i])
            )
            for i in range(len(codes))
        ]
        diagonal = np.bincount(codes[largest], weights=weight).astype(np.float64)
        cross = np.zeros((len(other), sizes[largest]))
        square = np.zeros((len(other), len(other)))
        position = np.concatenate([[0], np.cumsum([sizes[i] - 1 for i in rest])])
        for a, i in enumerate(rest):
            rows = slice(position[a], position[a + 1])
            cross[rows] = (x[i].T @ x[largest]).toarray()[1:]
            for b, j in enumerate(rest):
                weighted = csr_array((weight, (cells, codes[j])), shape=x[j].shape)
                square[rows, position[b] : position[b + 1]] = (x[i].T @ weighted).toarray()[1:, 1:]
        sparse = csr_array(cross)
        first = np.arange(offsets[largest], offsets[largest + 1])
        scale = 1 / np.sqrt(np.diag(square))
        schur = square - np.asarray((sparse / diagonal) @ cross.T)
        inverse = _generalised_inverse(schur * scale * scale[:, None]) * scale * scale[:, None]
        return cls(int(offsets[-1]), first, diagonal, other, sparse, inverse)

    def solve(self, right: FloatArray) -> FloatArray:
        """Coefficients, shape (columns, m), from X'Wy, shape (columns, m)."""
        result = np.zeros_like(right)
        own = right[self.first] / self.diagonal[:, None]
        if len(self.other):
            small = self.complement @ (right[self.other] - self.cross @ own)
            result[self.other] = small
            own -= (self.cross.T @ small) / self.diagonal[:, None]
        result[self.first] = own
        return result


def _generalised_inverse(scaled: FloatArray) -> FloatArray:
    """Of a positive semidefinite matrix with a diagonal of at most 1; singular where margins fall apart into groups."""
    if len(scaled) == 0:
        return scaled
    try:
        smallest = float(np.diag(np.linalg.cholesky(scaled)).min()) ** 2
    except np.linalg.LinAlgError:
        smallest = 0.0
    if smallest > 1e-9:
        return np.asarray(np.linalg.inv(scaled), dtype=np.float64)
    return np.asarray(np.linalg.pinv(scaled, rcond=1e-11, hermitian=True), dtype=np.float64)
