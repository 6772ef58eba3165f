"""Regressions on survey data: the library's fit, the design's covariance.

Public: regress, Regression, WaldTest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from analysis import intervals
from analysis.design import SurveyDesign
from analysis.errors import AnalysisError, Problem
from analysis.estimates import Estimates
from analysis.flags import flag
from analysis.influence import from_scores
from analysis.labels import IntArray
from analysis.linear import DegreesOfFreedom, check_options
from analysis.regression.formula import Model, read_model
from analysis.regression.glm import Fit, fit_glm, fit_linear
from analysis.regression.ordinal import fit_ordinal
from analysis.variance import ReplicateScores

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
Family = Literal["gaussian", "binomial", "poisson", "ordinal"]

_BLOCK = 1 << 21  # replicate weights of rows held at once


@dataclass(frozen=True)
class WaldTest:
    """Test that several coefficients are 0: F = b'V⁻¹b / ndf with (ndf, ddf) degrees of freedom."""

    terms: tuple[str, ...]
    statistic: float
    ndf: int
    ddf: float
    p_value: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Regression(Estimates):
    """The coefficients of a regression: Estimates of shape (1, coefficients), the one domain being "all".

    `df` is the residual one: that of the rows fitted − (coefficients − 1), thresholds not counted. `deff` compares with
    a simple random sample of as many rows with the same weights, R's `svyglm(deff = TRUE)`; n_eff = n / deff.

    Attributes
    ----------
    family, formula : as given; `response`, the left side of the formula
    terms : mapping term of the formula → positions of its coefficients; the intercept is "1"
    levels : of an ordinal response, lowest first; else empty
    dispersion : weighted variance of the Pearson residuals, as R's summary(svyglm(…)) has it; 1 for ordinal
    deviance, null_deviance : with the weights scaled to sum to n
    """

    family: Family
    formula: str
    response: str
    terms: Mapping[str, tuple[int, ...]]
    levels: tuple[str, ...]
    dispersion: float
    deviance: float
    null_deviance: float

    @property
    def p_value(self) -> FloatArray:
        """Two-sided, of the hypothesis that the coefficient is 0, shape (1, coefficients)."""
        from scipy.special import stdtr

        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(2 * stdtr(np.where(self.df >= 1, self.df, np.nan), -np.abs(self.value / self.se)))

    def wald(self, terms: str | Sequence[str]) -> WaldTest:
        """Test that all coefficients of one or several terms are 0, as R's `regTermTest`.

        Parameters
        ----------
        terms : terms of the formula ("age", "C(group)", "x:z") or single coefficients ("age[T.60+]")
        """
        from scipy.stats import f

        names = (terms,) if isinstance(terms, str) else tuple(terms)
        places: list[int] = []
        for name in names:
            found = self.terms.get(name) or tuple(i for i, label in enumerate(self.variables) if label == name)
            if not found:
                known = ", ".join(self.terms)
                raise AnalysisError(
                    Problem(f"there is no term {name!r}", "Regression.wald", f"terms are {known}; or name coefficients")
                )
            places += [place for place in found if place not in places]
        value = self.value[0, places]
        covariance = self.covariance[np.ix_(places, places)]
        scale = np.sqrt(np.diag(covariance))
        if not (scale > 0).all() or np.linalg.matrix_rank(covariance / scale / scale[:, None]) < len(places):
            raise AnalysisError(
                Problem(
                    f"the covariance of the {len(places)} coefficients is singular",
                    f"Regression.wald, {', '.join(names)}",
                    "test fewer coefficients: the design has too few PSUs for all together",
                )
            )
        statistic = float(value @ np.linalg.solve(covariance, value)) / len(places)
        ddf = float(self.df[0, 0])
        p_value = float(f.sf(statistic, len(places), ddf)) if ddf >= 1 else np.nan
        return WaldTest(names, statistic, len(places), ddf, p_value)

    def frame(self) -> "pd.DataFrame":
        """One row a coefficient, as of Estimates, and p_value."""
        table = super().frame()
        table.insert(len(table.columns) - 1, "p_value", self.p_value.ravel())
        return table


def regress(
    design: SurveyDesign,
    formula: str,
    data: Any,
    family: Family = "gaussian",
    level: float = 0.95,
    df: DegreesOfFreedom = "domain",
    domain: Any = None,
) -> Regression:
    """Linear, logistic, Poisson or proportional-odds regression with the design's covariance.

    Parameters
    ----------
    design : SurveyDesign
    formula : "response ~ terms" as formulaic has it, close to R: `time ~ sex + C(age) + x:z`, `I(q05 >= 4) ~ field`,
        `log(y) ~ poly(x, 2)`, `- 1` for no intercept; treatment contrasts against the first category. Coefficients keep
        the library's names: "Intercept", "x", "sex[T.male]".
    data : DataFrame or mapping name → array, shape (n,), the rows of the design in their order. A row that lacks any
        variable of the formula lies outside the domain; it stays in the design.
    family : "gaussian" (identity), "binomial" (logit; response 0/1, True/False or shares), "poisson" (log), "ordinal"
        (logit P(Y ≤ k) = ζ_k − xβ; response numbers or a Categorical in its order)
    level : confidence level of the t intervals
    df : "domain" (PSUs − strata that have a row in the fit) or "design" (of the whole design), − (coefficients − 1)
    domain : array_like of bool, shape (n,), rows to fit; None: all

    Returns
    -------
    Regression of shape (1, coefficients)

    Raises
    ------
    AnalysisError
        for a formula that cannot be read, names that are no column, a response that does not suit the family or is
        constant, columns that determine each other, answers that a term separates completely (no finite coefficients).

    Notes
    -----
    The coefficients maximise the pseudo-likelihood Σ w log f(y | x). Their linearised variables are
    u = (X'WX)⁻¹ x (y − μ) (ordinal: −H⁻¹ ∂ log P(y)), and the covariance is the design's of Σ w u: strata, PSUs, stages,
    fpc, and calibration, whose residuals are taken. With replicate weights the model is fitted anew for each replicate.

    References
    ----------
    Binder, D. A. (1983). On the variances of asymptotically normal estimators from complex surveys. International
    Statistical Review 51, 279–292. https://doi.org/10.2307/1402588
    """
    check_options(level, df)
    design.require_rows("regress")
    if family not in get_args(Family):
        raise AnalysisError(
            Problem(f"there is no family {family!r}", "family", f"choose one of {', '.join(get_args(Family))}")
        )
    model = read_model(formula, data, design.n, domain)
    weight = design.weight[model.rows]
    if not ((weight >= 0).all() and weight.any()):
        raise AnalysisError(
            Problem(
                "a regression needs weights ≥ 0", "design.weight", "calibrate with bounds that keep weights positive"
            )
        )
    fit, levels = _fit(model, weight, family, formula)
    u = np.full((design.n, len(fit.value)), np.nan)
    u[model.rows] = fit.influence
    of = from_scores(design, fit.value, u, fit.names, level, df)
    if isinstance(of.scores, ReplicateScores):
        refitted = _refitted(design, model.rows, fit)[:, None, :]
        of = replace(of, scores=replace(of.scores, values=refitted, estimate=fit.value[None, :]))
    return _regression(of, fit, model, formula, family, levels)


def _fit(model: Model, weight: FloatArray, family: Family, formula: str) -> tuple[Fit, tuple[str, ...]]:
    where = f"formula {formula!r}"
    if family == "ordinal":
        code, levels = _levels(model, where)
        if model.intercept is None:
            raise AnalysisError(
                Problem("an ordinal regression has thresholds in place of an intercept", where, 'leave "- 1" out')
            )
        kept = [i for i in range(len(model.names)) if i != model.intercept]
        names = [model.names[i] for i in kept]
        return fit_ordinal(model.x[:, kept], code, levels, weight, names, where), levels
    y = _numbers(model, family, where)
    if family == "gaussian":
        return fit_linear(model.x, y, weight, model.names, where), ()
    return fit_glm(model.x, y, weight, model.names, family, where), ()


def _numbers(model: Model, family: Family, where: str) -> FloatArray:
    """The response as numbers that suit the family and vary."""
    if model.response.dtype.kind not in "biuf":
        raise AnalysisError(
            Problem(
                f"the response {model.response_name} is text or categories, such as {model.response.iloc[0]!r}",
                where,
                'compare it, as in I(answer == "yes"), or take family="ordinal" for ordered categories',
            )
        )
    y = model.response.to_numpy(dtype=np.float64)
    low, high = float(y.min()), float(y.max())
    if family == "binomial" and (low < 0 or high > 1):
        raise AnalysisError(
            Problem(
                f"a binomial response lies between 0 and 1, and {model.response_name} holds {low if low < 0 else high:g}",
                where,
                "compare it, as in I(q05 >= 4)",
            )
        )
    if family == "poisson" and low < 0:
        raise AnalysisError(
            Problem(
                f"a Poisson response is not negative, and {model.response_name} holds {low:g}", where, "give counts"
            )
        )
    if low == high:
        raise AnalysisError(_constant(model, f"{low:g}", where))
    return y


def _levels(model: Model, where: str) -> tuple[IntArray, tuple[str, ...]]:
    """Codes and names of an ordered response."""
    import pandas as pd

    response = model.response
    if isinstance(response.dtype, pd.CategoricalDtype):
        code, labels = response.cat.codes.to_numpy(), [str(label) for label in response.cat.categories]
    elif response.dtype.kind in "biuf":
        values, code = np.unique(response.to_numpy(), return_inverse=True)
        labels = [f"{value:g}" if response.dtype.kind == "f" else str(value) for value in values]
    else:
        raise AnalysisError(
            Problem(
                f"the response {model.response_name} is text, whose order is not known",
                where,
                "code it in numbers, or give a pandas Categorical with its categories in order",
            )
        )
    if len(labels) == 1:
        raise AnalysisError(_constant(model, labels[0], where))
    if len(labels) == 2:
        raise AnalysisError(
            Problem(
                f"the response {model.response_name} has only the categories {labels[0]} and {labels[1]}",
                where,
                'family="binomial" serves two categories',
            )
        )
    return code.astype(np.int64), tuple(labels)


def _constant(model: Model, value: str, where: str) -> Problem:
    return Problem(
        f"the response {model.response_name} is {value} in all {len(model.rows)} rows fitted",
        where,
        "there is nothing to explain; choose another response or a larger domain",
    )


def _refitted(design: SurveyDesign, rows: IntArray, fit: Fit) -> FloatArray:
    """Coefficients under every replicate's weights, shape (replicates, coefficients)."""
    replicates = design.replicates
    assert replicates is not None
    result = np.full((replicates.count, len(fit.value)), np.nan)
    if fit.refit_together is not None:
        size = max(1, _BLOCK // len(rows))
        for a in range(0, replicates.count, size):
            block = range(a, min(a + size, replicates.count))
            weights = np.column_stack([replicates.weights(number, design.weight)[rows] for number in block])
            result[block.start : block.stop] = fit.refit_together(weights)
    for number in np.flatnonzero(np.isnan(result).any(axis=1)).tolist():
        try:
            result[number] = fit.refit(replicates.weights(number, design.weight)[rows])
        except AnalysisError as error:
            raise AnalysisError(
                Problem(p.what, f"replicate {number + 1}, {p.where}", p.remedy) for p in error.problems
            ) from error
    return result


def _regression(
    of: Estimates,
    fit: Fit,
    model: Model,
    formula: str,
    family: Family,
    levels: tuple[str, ...],
) -> Regression:
    """Coefficients with what their linearised variables tell of their covariance."""
    count = len(fit.value) - max(len(levels) - 2, 0)  # thresholds count as one intercept
    value, df = fit.value[None, :], of.df - (count - 1)
    variance = of.scores.variance
    se = np.sqrt(np.where(variance < 1e-28 * value**2, 0.0, variance))
    low, high = intervals.t(value, se, df, of.level)
    with np.errstate(divide="ignore", invalid="ignore"):
        deff = se**2 / np.diag(fit.naive)
        n_eff = of.n / deff
    terms = dict(model.terms)
    if levels:
        terms.pop("1", None)
        places = {old: new for new, old in enumerate(i for i in range(len(model.names)) if i != model.intercept)}
        terms = {name: tuple(places[i] for i in columns) for name, columns in terms.items()}
    inherited = {field.name: getattr(of, field.name) for field in fields(Estimates) if field.init}
    return Regression(
        **inherited
        | {
            "variables": fit.names,
            "value": value,
            "se": se,
            "ci_low": low,
            "ci_high": high,
            "df": df,
            "deff": deff,
            "n_eff": n_eff,
            "flags": flag(se, df),
        },
        family=family,
        formula=formula,
        response=model.response_name,
        terms=terms,
        levels=levels,
        dispersion=fit.dispersion,
        deviance=fit.deviance,
        null_deviance=fit.null_deviance,
    )
