"""Distance functions: F(0) = F'(0) = 1, slopes and integrals belong to F; sweeps stop where they should."""

import numpy as np
import pytest

from analysis.calibration.fitting import DISTANCES, sweep

BOUNDS = [("linear", (-np.inf, np.inf)), ("linear", (0.5, 2.0)), ("raking", (0.0, np.inf)), ("raking", (0.5, 2.0)),
          ("logit", (0.5, 2.0)), ("logit", (0.0, 7.0))]  # fmt: skip


@pytest.mark.parametrize(("method", "bounds"), BOUNDS)
def test_slope_and_integral_belong_to_the_factor(method: str, bounds: tuple[float, float]) -> None:
    distance, h = DISTANCES[method], 1e-5
    u = np.linspace(-3, 3, 601) + 1e-3  # off the corners of the cut-off functions
    factor = distance.factor(u, bounds)
    slope = (distance.factor(u + h, bounds) - distance.factor(u - h, bounds)) / (2 * h)
    integrand = (distance.integral(u + h, bounds) - distance.integral(u - h, bounds)) / (2 * h)
    np.testing.assert_allclose(distance.slope(u, bounds), slope, atol=1e-6)
    np.testing.assert_allclose(factor, integrand, atol=1e-6)
    assert bounds[0] <= factor.min() and factor.max() <= bounds[1]
    zero = np.zeros(1)
    assert distance.factor(zero, bounds)[0] == pytest.approx(1) and distance.slope(zero, bounds)[0] == pytest.approx(1)


@pytest.mark.parametrize("method", DISTANCES)
def test_no_factor_overflows(method: str) -> None:
    bounds = (0.1, 9.0) if method == "logit" else (-np.inf, np.inf)
    for part in ("factor", "slope", "integral"):
        assert np.isfinite(getattr(DISTANCES[method], part)(np.array([-1e4, 1e4]), bounds)).all()


def test_sweeps_meet_all_margins_as_they_stand_at_the_end() -> None:
    rng = np.random.default_rng(3)
    codes = np.array([rng.integers(0, k, 50) for k in (3, 4, 2)])
    weight = rng.uniform(1, 2, 50)
    start = np.array([0, 3, 7, 9])
    target = np.concatenate([100 * rng.dirichlet(np.full(k, 20.0)) for k in (3, 4, 2)])
    factor = np.ones(50)
    assert sweep(weight, codes, target, start, factor, 1e-12, 500) <= 1e-12
    for m, code in enumerate(codes):
        sums = np.bincount(code, weights=weight * factor)
        np.testing.assert_allclose(sums, target[start[m] : start[m + 1]], rtol=1e-12)


def test_a_class_without_weight_is_no_fit() -> None:
    codes, factor = np.array([[0, 1]]), np.ones(2)
    assert sweep(np.array([1.0, 0.0]), codes, np.array([1.0, 1.0]), np.array([0, 2]), factor, 1e-9, 5) == np.inf
