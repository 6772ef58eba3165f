"""What every estimator returns. Public: Estimates, Estimate."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import AnalysisError, Problem
from analysis.variance import Scores

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

COLUMNS = ("value", "se", "ci_low", "ci_high", "df", "deff", "n", "n_eff")


@dataclass(frozen=True)
class Estimate:
    """One estimate of one domain."""

    domain: Hashable
    variable: Hashable
    value: float
    se: float
    ci_low: float
    ci_high: float
    df: float
    deff: float
    n: int
    n_eff: float
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Estimates:
    """Estimates of several variables in several domains.

    Attributes
    ----------
    domains, variables : tuple of labels; a domain is a tuple where several classifications were crossed
    value, se, ci_low, ci_high : ndarray, shape (domains, variables); NaN where there is nothing to estimate
    df : ndarray, degrees of freedom behind the interval; below 1 there is no interval
    deff : ndarray, SE² / (s²/n), R's deff="replace"; NaN where s² = 0
    n : ndarray, rows with a valid answer to the variable
    n_eff : ndarray, n / deff, not capped
    population : ndarray, sum of the weights of these rows
    level : confidence level
    interval : tuple of str, the method of each variable's interval
    flags : ndarray of tuples: "se_zero" (all answers alike: a share's interval rests on n_eff_kish), "low_df" (df < 8),
        "no_df" (df < 1)
    """

    domains: tuple[Hashable, ...]
    variables: tuple[Hashable, ...]
    value: FloatArray
    se: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    df: FloatArray
    deff: FloatArray
    n: NDArray[np.int64]
    n_eff: FloatArray
    population: FloatArray
    level: float
    interval: tuple[str, ...]
    flags: NDArray[np.object_]
    scores: Scores = field(repr=False)

    @property
    def covariance(self) -> FloatArray:
        """ndarray, shape (domains · variables, same), domain by domain; NaN for what could not be estimated.

        Computed when first asked for. Raises AnalysisError where the matrix would be absurdly large.
        """
        return self._covariance

    @cached_property
    def _covariance(self) -> FloatArray:
        matrix = self.scores.covariance.copy()
        exact = (self.se == 0).ravel()
        unknown = np.isnan(self.se).ravel()
        matrix[exact] = 0.0
        matrix[:, exact] = 0.0
        matrix[unknown] = np.nan
        matrix[:, unknown] = np.nan
        return matrix

    @property
    def deff_srswor(self) -> FloatArray:
        """SE² / (s²/n · (1 − n/N̂)), the design effect against sampling without replacement; R's deff=TRUE."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.deff * self.population / (self.population - self.n))

    def __getitem__(self, key: tuple[Hashable, Hashable]) -> Estimate:
        domain, variable = key
        try:
            i, j = self._position[0][domain], self._position[1][variable]
        except KeyError as error:
            raise AnalysisError(
                Problem(
                    f"there is no estimate for {error.args[0]!r}",
                    "Estimates",
                    f"domains are {_some(self.domains)}; variables are {_some(self.variables)}",
                )
            ) from error
        numbers = {name: float(getattr(self, name)[i, j]) for name in COLUMNS if name != "n"}
        return Estimate(domain, variable, n=int(self.n[i, j]), flags=self.flags[i, j], **numbers)

    @property
    def single(self) -> Estimate:
        """The only estimate there is."""
        if self.value.size != 1:
            raise AnalysisError(
                Problem(
                    f"there are {len(self.domains)} domains and {len(self.variables)} variables, not one estimate",
                    "Estimates.single",
                    "take one with estimates[domain, variable]",
                )
            )
        return self[self.domains[0], self.variables[0]]

    def frame(self) -> "pd.DataFrame":
        """One row an estimate: domain, variable, the eight numbers, and flags joined by blanks."""
        import pandas as pd

        shape = self.value.shape
        columns: dict[str, Any] = {
            "domain": [domain for domain in self.domains for _ in self.variables],
            "variable": [variable for _ in self.domains for variable in self.variables],
        }
        columns |= {name: np.broadcast_to(getattr(self, name), shape).ravel() for name in COLUMNS}
        columns["flags"] = [" ".join(flags) for flags in self.flags.ravel()]
        return pd.DataFrame(columns)

    @cached_property
    def _position(self) -> tuple[dict[Hashable, int], dict[Hashable, int]]:
        return (
            {label: i for i, label in enumerate(self.domains)},
            {label: i for i, label in enumerate(self.variables)},
        )


def _some(labels: tuple[Hashable, ...]) -> str:
    return ", ".join(repr(label) for label in labels[:8]) + (" …" if len(labels) > 8 else "")
