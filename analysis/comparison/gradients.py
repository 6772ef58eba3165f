"""Derivatives of a function of several numbers, to rounding where it is analytic. Public: values_of, jacobian_of."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import AnalysisError, Problem

FloatArray = NDArray[np.float64]
Function = Callable[[Any], Any]

_STEP = 1e-100  # of the complex step: nothing is subtracted, so it can be as small as numbers go
_DIFFERENCE = 1e-3  # of differences of the fourth order, relative to the size of the number
_AGREE = 1e-6


def values_of(function: Function, at: FloatArray) -> tuple[FloatArray, tuple[Hashable, ...] | None]:
    """What a function gives at some numbers, shape (m,), and the names of its values where it gives names."""
    try:
        given = function(at)
    except AnalysisError:
        raise
    except Exception as error:
        raise AnalysisError(_failed(f"the function fails at the estimates: {type(error).__name__}: {error}")) from error
    names = tuple(given) if isinstance(given, Mapping) else None
    if isinstance(given, Mapping):
        given = list(given.values())
    try:
        values = np.atleast_1d(np.asarray(given, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise AnalysisError(_failed("the function does not give numbers")) from error
    if values.ndim != 1:
        raise AnalysisError(_failed(f"the function gives an array of shape {values.shape}"))
    return values, names


def jacobian_of(function: Function, at: FloatArray, values: FloatArray) -> FloatArray:
    """∂ function / ∂ number, shape (m, numbers).

    By the complex step where it agrees with central differences to 1e-6 of the derivative, else by these: a function that
    goes through |x| or max, or that drops the imaginary part, is not analytic, and its complex step is wrong.
    A number the function does not depend on has derivative 0, also where it is NaN.
    """
    result = np.zeros((len(values), len(at)))
    for i in range(len(at)):
        if np.isnan(at[i]):
            moved = _at(function, at, i, 0.0, values)
            result[:, i] = np.where(np.isnan(moved), np.nan, 0.0)
            continue
        step = _DIFFERENCE * max(abs(at[i]), 1e-6)
        far = _at(function, at, i, 2 * step, values) - _at(function, at, i, -2 * step, values)
        near = _at(function, at, i, step, values) - _at(function, at, i, -step, values)
        difference = (8 * near - far) / (12 * step)
        exact = _complex(function, at, i, len(values))
        if exact is None:
            result[:, i] = difference
            continue
        scale = np.maximum(np.abs(difference), np.abs(values) / max(abs(at[i]), 1e-6) * 1e-3)
        agree = np.isfinite(exact) & ~(np.abs(exact - difference) > _AGREE * scale)
        result[:, i] = np.where(agree, exact, difference)
    return result


def _at(function: Function, at: FloatArray, i: int, step: float, values: FloatArray) -> FloatArray:
    moved = at.copy()
    moved[i] += step
    result, _ = values_of(function, moved)
    if len(result) != len(values):
        raise AnalysisError(_failed(f"the function gives {len(values)} values, then {len(result)}"))
    return result


def _complex(function: Function, at: FloatArray, i: int, count: int) -> FloatArray | None:
    """Im f(at + ih) / h; None where the function takes no complex numbers."""
    moved = at.astype(np.complex128)
    moved[i] += 1j * _STEP
    try:
        with np.errstate(all="ignore"):
            given = function(moved)
        listed = list(given.values()) if isinstance(given, Mapping) else given
        values = np.atleast_1d(np.asarray(listed, dtype=np.complex128))
    except Exception:  # noqa: BLE001 whatever a function of the user's does with a number it does not expect
        return None
    return np.asarray(values.imag / _STEP) if values.shape == (count,) else None


def _failed(what: str) -> Problem:
    return Problem(
        what, "contrast", "give a function of the vector of values that returns a number, an array (m,) or a mapping"
    )
