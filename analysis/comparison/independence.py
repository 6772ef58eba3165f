"""Tests of independence of two classifications in a survey. Public: test_independence, IndependenceTest."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from analysis.comparison import quadratic_forms
from analysis.comparison.contrasts import UnionDf, contrast
from analysis.comparison.uniting import column_of
from analysis.design import SurveyDesign
from analysis.engine.columns import one
from analysis.errors import AnalysisError, Problem
from analysis.estimators import total
from analysis.labels import IntArray, encode

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
Statistic = Literal[
    "rao_scott_f", "rao_scott_chisq", "wald", "adjusted_wald", "integrated", "saddlepoint",
    "F", "Chisq", "Wald", "adjWald", "lincom",
]  # fmt: skip
R_NAMES = {
    "F": "rao_scott_f",
    "Chisq": "rao_scott_chisq",
    "Wald": "wald",
    "adjWald": "adjusted_wald",
    "lincom": "integrated",
}
METHODS = {
    "rao_scott_f": "Pearson's X², second-order correction of Rao and Scott",
    "rao_scott_chisq": "Pearson's X², first-order correction of Rao and Scott",
    "integrated": "Pearson's X², its asymptotic distribution integrated",
    "saddlepoint": "Pearson's X², its asymptotic distribution by saddlepoint approximation",
    "wald": "Wald test of association",
    "adjusted_wald": "Wald test of association, adjusted for the degrees of freedom",
}


@dataclass(frozen=True, eq=False)
class IndependenceTest:
    """The table of a survey and the test that its two classifications are independent.

    Attributes
    ----------
    method : what was tested, in words
    statistic : F for "rao_scott_f", "wald" and "adjusted_wald", else Pearson's X² of the weighted table scaled to n
    ndf, ddf : degrees of freedom; ddf is infinite for "rao_scott_chisq", both are NaN for "integrated" and "saddlepoint"
    p_value : of the test
    rows, columns : labels
    proportion : ndarray, shape (rows, columns), weighted shares of all
    se : ndarray, their standard errors
    expected : ndarray, shares under independence
    count : ndarray, rows of data in each cell
    pearson : Pearson's X² of the weighted table scaled to n
    design_effects : ndarray, eigenvalues λ of the generalised design effect matrix; empty for Wald tests
    df : PSUs − strata behind the table
    """

    method: str
    statistic: float
    ndf: float
    ddf: float
    p_value: float
    rows: tuple[Hashable, ...]
    columns: tuple[Hashable, ...]
    proportion: FloatArray
    se: FloatArray
    expected: FloatArray
    count: NDArray[np.int64]
    pearson: float
    design_effects: FloatArray
    df: float

    @property
    def n(self) -> int:
        """Rows of data with both labels."""
        return int(self.count.sum())

    def frame(self) -> "pd.DataFrame":
        """One row a cell: row, column, proportion, se, expected, count."""
        import pandas as pd

        labels = [(row, column) for row in self.rows for column in self.columns]
        table = {"row": [row for row, _ in labels], "column": [column for _, column in labels]}
        numbers = {name: getattr(self, name).ravel() for name in ("proportion", "se", "expected", "count")}
        return pd.DataFrame(table | numbers)


@dataclass(frozen=True, eq=False)
class _Table:
    """Weighted totals of the cells, row by row, 0 where a cell is empty."""

    rows: tuple[Hashable, ...]
    columns: tuple[Hashable, ...]
    total: FloatArray
    covariance: FloatArray
    share: FloatArray
    share_covariance: FloatArray
    count: NDArray[np.int64]
    df: float

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.rows), len(self.columns)


def test_independence(
    design: SurveyDesign,
    row: Any,
    column: Any,
    statistic: Statistic = "rao_scott_f",
    df: UnionDf | float = "domain",
) -> IndependenceTest:
    """Test whether two classifications are independent of each other in the population.

    Parameters
    ----------
    design : SurveyDesign
    row, column : labels, shape (n,), of a table design names of columns; rows of data where one is missing (None, NaN) lie
        outside the domain of the test
    statistic : "rao_scott_f" (R's "F"), "rao_scott_chisq" ("Chisq"), "wald" ("Wald"), "adjusted_wald" ("adjWald"),
        "integrated" ("lincom"), "saddlepoint"; R's names are taken as well
    df : ν below: "domain" (PSUs − strata with a row of data in the table), "design", or a number

    Raises
    ------
    AnalysisError
        where a classification has fewer than two categories in the domain, where so many cells are empty that the
        interaction cannot be estimated, and for a Wald test where PSUs are too few for the table.

    Notes
    -----
    With p the cell shares, V their covariance, n the rows of data, C a basis of the interactions and D = diag(p):
    X² = n Σ (p_rc − p_r p_c)²/(p_r p_c), and Δ = (C'D⁻¹C/n)⁻¹ (C'D⁻¹ V D⁻¹C), from observed cells, with eigenvalues λ. Under
    independence X² is asymptotically Σ λ χ²₁.
    rao_scott_f: F = X²/Σλ on d = (Σλ)²/Σλ² and dν (Satterthwaite).
    rao_scott_chisq: X²/mean(λ) on χ² with (r − 1)(c − 1) degrees of freedom.
    integrated, saddlepoint: the tail of Σ λ χ²₁ / (χ²_{dν}/dν) itself.
    wald: with Y_rc = N_rc − N_r N_c/N without the first row and column and its linearised covariance, W/((r − 1)(c − 1)),
    W = Y'V(Y)⁻¹Y, on F with k = (r − 1)(c − 1) and ν. adjusted_wald: W (ν − k + 1)/(kν) on k and ν − k + 1.
    Empty cells count as 0, as in R: in Δ their inverse is taken as 0.

    References
    ----------
    Rao, J. N. K. and Scott, A. J. (1984). On chi-squared tests for multiway contingency tables with cell proportions
    estimated from survey data. Annals of Statistics 12, 46–60. https://doi.org/10.1214/aos/1176346391
    Thomas, D. R. and Rao, J. N. K. (1987). Small-sample comparisons of level and power for simple goodness-of-fit
    statistics under cluster sampling. Journal of the American Statistical Association 82, 630–636.
    https://doi.org/10.1080/01621459.1987.10478476
    Koch, G. G., Freeman, D. H. and Freeman, J. L. (1975). Strategies in the multivariate analysis of data from complex
    surveys. International Statistical Review 43, 59–78. https://doi.org/10.2307/1402660
    """
    name = R_NAMES.get(statistic, statistic)
    if name not in METHODS:
        words = ", ".join((*METHODS, *R_NAMES))
        raise AnalysisError(Problem(f"there is no statistic {statistic!r}", "statistic", f"choose one of {words}"))
    table = _table(design, row, column, df)
    effects = np.zeros(0) if "wald" in name else _design_effects(table)
    x = _pearson(table)
    value, ndf, ddf, p = _wald(table, name) if "wald" in name else _rao_scott(name, x, effects, table.df)
    shape = table.shape
    share = table.share.reshape(shape)
    return IndependenceTest(
        METHODS[name],
        value,
        ndf,
        ddf,
        p,
        table.rows,
        table.columns,
        share,
        np.sqrt(np.diag(table.share_covariance)).reshape(shape),
        np.outer(share.sum(axis=1), share.sum(axis=0)),
        table.count.reshape(shape),
        x,
        effects,
        table.df,
    )


def _table(design: SurveyDesign, row: Any, column: Any, df: UnionDf | float) -> _Table:
    cells = total(design, _ones(design), by=[row, column])
    pairs = [part for part in cells.domains if isinstance(part, tuple)]
    rows, columns = (tuple(dict.fromkeys(part)) for part in zip(*pairs, strict=True))
    columns = encode(column_of(columns), "column", len(columns)).labels
    problems = [
        Problem(
            f"{name} has only the category {labels[0]!r} where both are known",
            name,
            "a test of independence needs two categories or more in each classification",
        )
        for name, labels in (("row", rows), ("column", columns))
        if len(labels) < 2
    ]
    if problems:
        raise AnalysisError(problems)
    shares = contrast(cells, _shares, df=df, jacobian=_shares_jacobian)
    size = len(rows) * len(columns)
    place = np.array([rows.index(r) * len(columns) + columns.index(c) for r, c in pairs])
    return _Table(
        rows,
        columns,
        _spread(cells.value.ravel(), place, size),
        _spread_square(cells.covariance, place, size),
        _spread(shares.value.ravel(), place, size),
        _spread_square(shares.covariance, place, size),
        _spread(cells.n.ravel(), place, size).astype(np.int64),
        float(shares.df[0, 0]),
    )


def _ones(design: SurveyDesign) -> Any:
    """A variable that is 1 in every row of the arrays, or of the table."""
    if design.source is None:
        return np.ones(design.n, dtype=np.int8)
    return one()


def _shares(totals: FloatArray) -> FloatArray:
    return np.asarray(totals / totals.sum())


def _shares_jacobian(totals: FloatArray) -> FloatArray:
    return np.asarray((np.eye(len(totals)) - _shares(totals)[:, None]) / totals.sum())


def _spread(values: NDArray[Any], place: IntArray, size: int) -> FloatArray:
    result = np.zeros(size)
    result[place] = values
    return result


def _spread_square(values: FloatArray, place: IntArray, size: int) -> FloatArray:
    result = np.zeros((size, size))
    result[np.ix_(place, place)] = values
    return result


def _pearson(table: _Table) -> float:
    share = table.share.reshape(table.shape)
    expected = np.outer(share.sum(axis=1), share.sum(axis=0))
    return float(table.count.sum() * ((share - expected) ** 2 / expected).sum())


def _design_effects(table: _Table) -> FloatArray:
    """Eigenvalues of Δ = (C'D⁻¹C/n)⁻¹ (C'D⁻¹ V D⁻¹C)."""
    from scipy.linalg import eigh

    share, n = table.share, float(table.count.sum())
    inverse = np.divide(1.0, share, out=np.zeros_like(share), where=share > 0)
    contrasts = np.kron(*(_against_the_last(count) for count in table.shape)) * inverse[:, None]
    under_srs = contrasts.T @ (contrasts * (share / n)[:, None])
    actual = contrasts.T @ table.share_covariance @ contrasts
    try:
        effects = eigh((actual + actual.T) / 2, under_srs, eigvals_only=True)
    except np.linalg.LinAlgError as error:
        raise AnalysisError(_too_empty(table)) from error
    return np.asarray(np.maximum(effects, 0.0)[::-1])


def _against_the_last(count: int) -> FloatArray:
    """Columns that sum to 0: a basis of the differences between categories."""
    return np.asarray(np.vstack([np.eye(count - 1), np.full(count - 1, -1.0)]))


def _rao_scott(name: str, x: float, effects: FloatArray, df: float) -> tuple[float, float, float, float]:
    from scipy.special import chdtrc

    ndf = quadratic_forms.effective_number(effects)
    ddf = ndf * df
    if name == "rao_scott_f":
        return x / float(effects.sum()), ndf, ddf, quadratic_forms.satterthwaite(x, effects, ddf)
    if name == "rao_scott_chisq":
        return x, float(len(effects)), np.inf, float(chdtrc(len(effects), x / effects.mean()))
    tail = quadratic_forms.integrated if name == "integrated" else quadratic_forms.saddlepoint
    return x, np.nan, np.nan, tail(x, effects, ddf)


def _wald(table: _Table, name: str) -> tuple[float, float, float, float]:
    """Y = N_rc − N_r N_c / N and its covariance by the delta method, first row and column left out."""
    from scipy.special import fdtrc

    r, c = table.shape
    cells = table.total.reshape(r, c)
    row, column, everything = cells.sum(axis=1), cells.sum(axis=0), cells.sum()
    y = (cells - np.outer(row, column) / everything).ravel()
    in_row, in_column = np.kron(np.eye(r), np.ones((c, c))), np.kron(np.ones((r, r)), np.eye(c))
    jacobian = (
        np.eye(r * c)
        - in_row * np.tile(column / everything, r)[:, None]
        - in_column * np.repeat(row / everything, c)[:, None]
        + (np.outer(row, column) / everything**2).ravel()[:, None]
    )
    kept = np.arange(r * c).reshape(r, c)[1:, 1:].ravel()
    covariance = (jacobian @ table.covariance @ jacobian.T)[np.ix_(kept, kept)]
    k = len(kept)
    if table.df < k or np.linalg.matrix_rank(covariance, hermitian=True) < k:
        raise AnalysisError(
            Problem(
                f"the covariance of {k} interactions has no inverse: {table.df:g} degrees of freedom, "
                f"{int((table.count == 0).sum())} empty cells",
                "statistic",
                'join categories, or take "rao_scott_f", which needs no inverse',
            )
        )
    w = float(y[kept] @ np.linalg.solve(covariance, y[kept]))
    if name == "wald":
        return w / k, float(k), table.df, float(fdtrc(k, table.df, w / k))
    ddf = table.df - k + 1
    statistic = w * ddf / (k * table.df)
    return statistic, float(k), ddf, float(fdtrc(k, ddf, statistic))


def _too_empty(table: _Table) -> Problem:
    shape = table.shape
    empty = [
        f"({table.rows[i]!r}, {table.columns[j]!r})" for i, j in np.argwhere(table.count.reshape(shape) == 0).tolist()
    ]
    return Problem(
        f"{len(empty)} cells of the table are empty, so that its interactions cannot be estimated: "
        + ", ".join(empty[:8])
        + (" …" if len(empty) > 8 else ""),
        "row and column",
        "join categories",
    )
