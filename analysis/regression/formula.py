"""A regression formula read on the analyst's data: the model matrix and the response of the complete rows.

Public: Model, read_model. Formulas are those of the library formulaic, close to R's: `y ~ x + C(group) + x:z`, `I(y >= 4)`,
`log(x)`, `- 1` for no intercept; treatment contrasts against the first category.
"""

import ast
import builtins
import re
import warnings
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import AnalysisError, Problem
from analysis.labels import IntArray

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

_INTERCEPT = "1"


@dataclass(frozen=True, eq=False)
class Model:
    """What is fitted.

    Attributes
    ----------
    rows : ndarray, the rows of the design that are complete and in the domain; all else is of these
    x : ndarray, shape (m, columns)
    names : of the columns, as the library has them: "Intercept", "x", "group[T.b]"
    terms : mapping term of the formula → its columns
    response : pandas Series, shape (m,); `response_name` as written in the formula
    """

    rows: IntArray
    x: FloatArray
    names: tuple[str, ...]
    terms: Mapping[str, tuple[int, ...]]
    response: "pd.Series[Any]"
    response_name: str

    @property
    def intercept(self) -> int | None:
        """Column of the intercept."""
        return self.terms[_INTERCEPT][0] if _INTERCEPT in self.terms else None


def read_model(formula: str, data: Any, rows: int, domain: Any = None) -> Model:
    """Read formula and data.

    Raises
    ------
    AnalysisError
        for a formula that cannot be parsed or evaluated, names it uses that are no column, data of another length,
        infinite values, no complete row.
    """
    parsed = _parse(formula)
    frame = _frame(data, rows)
    used = _columns_used(parsed, frame)
    complete = _complete(frame[used], domain, rows)
    frame = _tidy(frame.loc[complete, used])
    plain = str(parsed.lhs) in frame.columns  # a column taken as it is keeps its type
    response = frame[[str(parsed.lhs)]] if plain else _evaluate(parsed.lhs, frame, formula)
    if response.shape[1] != 1:
        raise AnalysisError(
            Problem(
                f"the response {parsed.lhs} has {response.shape[1]} columns",
                f"formula {formula!r}",
                "put one number on the left of ~; of a text compare first, I(answer == 'yes')",
            )
        )
    matrix = _evaluate(parsed.rhs, frame, formula)
    names = tuple(str(name) for name in matrix.columns)
    terms = {str(term): tuple(range(len(names))[part]) for term, part in matrix.model_spec.term_slices.items()}
    x = np.asarray(matrix, dtype=np.float64)
    if x.shape[1] == 0:
        raise AnalysisError(Problem("the formula has no term", f"formula {formula!r}", "give ~ 1 for the mean alone"))
    numbers = response.select_dtypes("number").to_numpy(dtype=np.float64)
    _require_finite(np.column_stack([x, numbers]), (*names, str(parsed.lhs)), np.flatnonzero(complete))
    return Model(np.flatnonzero(complete), x, names, terms, response.iloc[:, 0], str(parsed.lhs))


def _parse(formula: str) -> Any:
    from formulaic import Formula, SimpleFormula

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = Formula(formula)
            sides = all(isinstance(getattr(parsed, side, None), SimpleFormula) for side in ("lhs", "rhs"))
    except Exception as error:
        raise _formula_problem(formula, error) from error
    if not sides or len(parsed.lhs) != 1:
        raise AnalysisError(
            Problem(
                "the formula is not one response on the left of ~ and terms on the right",
                f"formula {formula!r}",
                'write "response ~ term + term"',
            )
        )
    return parsed


def _formula_problem(formula: str, error: Exception) -> AnalysisError:
    message = re.sub(r"\x1b\[[0-9;]*m|[⧛⧚]", "", str(error)).split("\n")[0].strip()
    return AnalysisError(
        Problem(
            f"the formula cannot be read: {message or type(error).__name__}",
            f"formula {formula!r}",
            'write "response ~ term + term", such as "I(q05 >= 4) ~ field + C(age)"',
        )
    )


def _frame(data: Any, rows: int) -> "pd.DataFrame":
    import pandas as pd

    data = data.to_pandas() if hasattr(data, "to_pandas") else data  # tables of pyarrow or polars
    try:
        frame = data if isinstance(data, pd.DataFrame) else pd.DataFrame(dict(data))
    except (TypeError, ValueError) as error:
        raise AnalysisError(
            Problem(f"data is no table: {error}", "data", "give a DataFrame or a mapping name → array, shape (n,)")
        ) from error
    if len(frame) != rows:
        raise AnalysisError(
            Problem(
                f"data has {len(frame)} rows, but the design has {rows}",
                "data",
                "give the rows the design was made from, in the same order; leave rows out with domain=",
            )
        )
    return frame.reset_index(drop=True)


def _columns_used(parsed: Any, frame: "pd.DataFrame") -> list[Hashable]:
    """Columns named anywhere in the formula; an unknown name is an error."""
    from formulaic.transforms import TRANSFORMS

    present = set(frame.columns)
    named: dict[str, None] = {}
    for term in (*parsed.lhs, *parsed.rhs):
        for factor in term.factors:
            named |= dict.fromkeys([factor.expr] if factor.expr in present else _names(factor.expr))
    unknown = [name for name in named if name not in present and name not in TRANSFORMS and not hasattr(builtins, name)]
    if unknown:
        problems = []
        for name in unknown:
            close = get_close_matches(name, [str(column) for column in present], 3)
            hint = f"did you mean {' or '.join(close)}?" if close else f"columns are {_some(frame.columns)}"
            problems.append(Problem(f"there is no column {name!r}", "formula", hint))
        raise AnalysisError(problems)
    return [name for name in named if name in present]


def _names(expression: str) -> list[str]:
    """Names in a Python expression, those in backticks included."""
    quoted = re.findall(r"`([^`]+)`", expression)
    try:
        tree = ast.parse(re.sub(r"`[^`]+`", "0", expression), mode="eval")
    except SyntaxError:
        return [*quoted, expression.strip()]
    return quoted + [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]


def _complete(frame: "pd.DataFrame", domain: Any, rows: int) -> NDArray[np.bool_]:
    """Rows in the domain that have every variable: the rest is outside the domain, not outside the design."""
    complete = np.ones(rows, dtype=bool)
    if frame.shape[1]:
        complete = ~np.asarray(frame.isna().to_numpy().any(axis=1), dtype=bool)
    if domain is not None:
        inside = np.asarray(domain)
        if inside.shape != (rows,) or inside.dtype.kind != "b":
            raise AnalysisError(
                Problem(
                    f"domain is not {rows} truth values, but {inside.dtype} of shape {inside.shape}",
                    "domain",
                    "give True for the rows of the domain, such as (field == 'f01')",
                )
            )
        complete = complete & inside
    if not complete.any():
        raise AnalysisError(
            Problem("no row has all variables of the formula", "data", "leave out the variable nobody answered")
        )
    return complete


def _tidy(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Nullable numbers as plain ones (nothing is missing any more); only the categories that occur."""
    import pandas as pd

    plain = {}
    for name in frame.columns:
        column = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            plain[name] = column.cat.remove_unused_categories()
        elif pd.api.types.is_numeric_dtype(column.dtype):  # truth values count as numbers
            plain[name] = column.astype(getattr(column.dtype, "numpy_dtype", column.dtype))
        else:
            plain[name] = column
    return pd.DataFrame(plain, index=frame.index).reset_index(drop=True)


def _evaluate(side: Any, frame: "pd.DataFrame", formula: str) -> Any:
    """One side of the formula as a DataFrame of columns."""
    import pandas as pd
    from formulaic import model_matrix

    if len(frame.columns) == 0:  # "y ~ 1" needs the number of rows
        frame = pd.DataFrame({"": np.zeros(len(frame))})
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return model_matrix(side, frame, context={}, na_action="ignore", output="pandas")
    except Exception as error:
        raise _formula_problem(formula, error) from error


def _require_finite(values: FloatArray, names: tuple[str, ...], rows: IntArray) -> None:
    if np.isfinite(values).all():
        return
    row, column = np.argwhere(~np.isfinite(values))[0]
    raise AnalysisError(
        Problem(
            f"{names[column]} is {values[row, column]}",
            f"data, row {rows[row]}",
            "make it missing (NaN), which takes the row out of the domain, or leave it out with domain=",
        )
    )


def _some(labels: Iterable[Hashable]) -> str:
    names = [str(label) for label in labels]
    return ", ".join(names[:12]) + (" …" if len(names) > 12 else "")
