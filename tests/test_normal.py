"""Least squares on calibration variables: fitted values are those of a plain regression, however columns depend."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from analysis.calibration import normal
from analysis.calibration.normal import NormalEquations


def fitted_by_svd(x: np.ndarray, weight: np.ndarray, y: np.ndarray) -> np.ndarray:
    root = np.sqrt(weight)[:, None]
    return x @ np.linalg.lstsq(root * x, root * y, rcond=1e-10)[0]


@pytest.mark.parametrize("many", [1500, 0], ids=["full", "sparse"])
@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_margins_with_a_number_and_a_doubled_column(many: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells = 40
    a, b = rng.integers(0, 5, cells), rng.integers(0, 3, cells)
    a[:5], b[:3] = range(5), range(3)
    number = rng.normal(3, 1, cells)
    x = np.column_stack([np.eye(5)[a], np.eye(3)[b], number, 2 * number - 1])
    weight, y = rng.uniform(0.1, 5, cells), rng.normal(size=(cells, 2))
    before = normal._MANY
    normal._MANY = many
    try:
        equations = NormalEquations(csr_array(x), weight, range(5), (5,))
        coefficients = equations.solve(x.T @ (weight[:, None] * y))
    finally:
        normal._MANY = before
    assert equations.columns == 10
    np.testing.assert_allclose(x @ coefficients, fitted_by_svd(x, weight, y), atol=1e-8)


@pytest.mark.parametrize(
    "x",
    [
        np.ones((6, 1)),
        np.column_stack([np.ones(6), np.arange(6.0)]),
        np.column_stack([np.ones(6), np.zeros(6)]),
        np.column_stack([np.arange(6.0), np.arange(6.0)]),
        np.eye(6),
    ],
)
def test_columns_without_a_classification(x: Any) -> None:
    weight, y = np.arange(1.0, 7), np.arange(12.0).reshape(6, 2) ** 2
    found = x @ NormalEquations(csr_array(x), weight).solve(x.T @ (weight[:, None] * y))
    np.testing.assert_allclose(found, fitted_by_svd(x, weight, y), atol=1e-9)
