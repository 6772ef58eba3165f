"""Hadamard matrices for balanced repeated replication, the same as R `survey` uses. Public: hadamard.

Estimates that are not linear depend, a little, on which matrix balances the halves; so the choice follows R's.
"""

import numpy as np
from numpy.typing import NDArray

from analysis.errors import AnalysisError, Problem

BoolArray = NDArray[np.bool_]

_LARGEST_PRIME = 7919
_READY = (4, 16, 28, 36)
_ORDER_28 = """
fffffff 9c71c78 83cd378 83b2e66 9a0f8d6 952c5ae 8cd239e 58aa7f0 45b59d4 46cbcac
561774a 4b64e9a 5959b26 2d1eae8 3666b34 2b3b51c 31d74b2 32f89ca 2ced646 ea545e4
f1632cc f09ce1c e54ad52 e6392b2 e8a792a dffe000 bf81f80 7f8007e
"""
_DIFFERENCES_35 = (1, 3, 4, 5, 9, 10, 11, 12, 13, 15, 16, 17, 20, 25, 27, 29, 30, 33)  # of the twin primes 5 and 7


def hadamard(pairs: int) -> BoolArray:
    """Find a Hadamard matrix of small order > `pairs`: True stands for one sign; the first row is all True.

    Rows are orthogonal when True is read as +1 and False as −1, so every row but the first is half True.

    Raises
    ------
    AnalysisError
        when not even one pair is given.

    References
    ----------
    Paley, R. E. A. C. (1933). On orthogonal matrices. Journal of Mathematics and Physics 12, 311–320.
    https://doi.org/10.1002/sapm1933121311
    """
    if pairs < 1:
        raise AnalysisError(Problem("there is no pair of PSUs to balance", "stratum", "give strata of two PSUs"))
    least = pairs - pairs % 4 + 4
    if least in _READY:
        return _ready(least)
    sizes = [ready * 2 ** _doublings(ready, pairs) for ready in _READY]
    size = min(sizes)
    if size - pairs > 4:
        found = _paley(pairs, size)
        if found is not None:
            return found
    ready = _READY[sizes.index(size)]
    return _doubled(_ready(ready), _doublings(ready, pairs))


def _doublings(order: int, pairs: int) -> int:
    times = 0
    while order << times < pairs + 1:
        times += 1
    return times


def _doubled(matrix: BoolArray, times: int) -> BoolArray:
    for _ in range(times):
        matrix = np.block([[matrix, matrix], [matrix, ~matrix]])
    return matrix


def _ready(order: int) -> BoolArray:
    if order == 28:
        bits = [f"{int(row, 16):028b}" for row in _ORDER_28.split()]
        return np.array([[bit == "1" for bit in row] for row in bits])
    if order == 36:
        inside = np.isin((np.arange(35)[:, None] + np.arange(35)) % 35, _DIFFERENCES_35)
        matrix = np.zeros((36, 36), dtype=bool)
        matrix[0], matrix[1:, :35] = True, inside
        return matrix
    return _doubled(np.ones((1, 1), dtype=bool), order.bit_length() - 1)


def _paley(pairs: int, largest: int) -> BoolArray | None:
    """Paley's matrix of the least order it has, or the double of a smaller one; None where `largest` is no larger."""
    least = pairs - pairs % 4 + 4
    if least % 8 == 0:
        odd = least
        while odd % 8 == 0:
            odd //= 2
        if _is_prime_3_mod_4(odd - 1):
            return _doubled(_of_prime(odd - 1), (least // odd).bit_length() - 1)
    prime = next((p for p in range(max(pairs, 3), _LARGEST_PRIME + 1) if _is_prime_3_mod_4(p)), None)
    if prime is None:
        return None
    if prime > least + 3 and least + 4 < largest:
        return _paley(least + 3, 2 * (least + 3))
    return _of_prime(prime) if prime <= largest else None


def _is_prime_3_mod_4(number: int) -> bool:
    return (
        3 <= number <= _LARGEST_PRIME and number % 4 == 3 and all(number % d for d in range(3, int(number**0.5) + 1, 2))
    )


def _of_prime(prime: int) -> BoolArray:
    """True where i + j is no square modulo the prime; a first row and a first column of True."""
    matrix = np.ones((prime + 1, prime + 1), dtype=bool)
    squares = np.unique(np.arange(prime) ** 2 % prime)
    matrix[1:, 1:] = ~np.isin((np.arange(prime)[:, None] + np.arange(prime)) % prime, squares)
    return matrix
