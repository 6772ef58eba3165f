"""Estimates from a data file of the analyst's own: named columns in, `Estimates` out.

Public: Request, estimate_file, read_data.
"""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from analysis.design import SurveyDesign
from analysis.errors import AnalysisError, Problem
from analysis.estimates import Estimates
from analysis.estimators import mean, proportion, ratio, total
from analysis.parquet import read_parquet

Statistic = Literal["mean", "proportion", "total", "ratio"]
SUFFIXES = (".csv", ".parquet")
MOST_HEADER = 1 << 20
SIMPLE: Mapping[str, Callable[..., Estimates]] = {"mean": mean, "proportion": proportion, "total": total}


@dataclass(frozen=True)
class Request:
    """Names of columns. `stratum`, `psu`, `fpc` have one name a stage; `by` several names to cross."""

    statistic: Statistic
    variables: tuple[str, ...]
    denominator: str | None = None
    weight: str | None = None
    stratum: tuple[str, ...] = ()
    psu: tuple[str, ...] = ()
    fpc: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    level: float = 0.95
    missing: tuple[int, ...] = ()
    nest: bool = False


def read_data(path: Path) -> Any:
    """A CSV (UTF-8, header) or Parquet file as a pandas DataFrame."""

    if not path.is_file():
        raise AnalysisError(Problem("there is no such file", str(path), "give the path of a CSV or Parquet file"))
    if path.stat().st_size == 0:
        raise _empty(path)
    try:
        if path.suffix.lower() == ".parquet":
            data = read_parquet(path.read_bytes()).to_pandas(use_threads=False)
        else:
            data = _read_csv(path)
    except UnicodeDecodeError as error:
        what = "the file is not in UTF-8"
        raise AnalysisError(Problem(what, str(path), "save it as CSV UTF-8 in the spreadsheet")) from error
    except (ValueError, OSError, csv.Error) as error:
        what = f"the file cannot be read: {str(error).strip()}"
        raise AnalysisError(Problem(what, str(path), "CSV in UTF-8 with a header, or Parquet")) from error
    if data.empty:
        raise AnalysisError(Problem("the file has a header and no rows", str(path), "give one row for each response"))
    return data


def _empty(path: Path) -> AnalysisError:
    return AnalysisError(Problem("the file is empty", str(path), "give a header and one line for each response"))


def _read_csv(path: Path) -> Any:
    """Pandas would take lines longer than the header for a labelled index: a decimal comma must not pass like that."""
    import warnings

    import pandas as pd

    with path.open(encoding="utf-8-sig", newline="") as file:
        line = file.readline(MOST_HEADER)
    if sign := next((sign for sign in ";\t" if sign in line and "," not in line), ""):
        name = "semicolons" if sign == ";" else "tabs"
        raise AnalysisError(Problem(f"{name} between the columns", f"{path}, line 1", "CSV has commas between columns"))
    header = next(csv.reader([line]), [])
    if twice := sorted({name for name in header if header.count(name) > 1}):
        what = f"columns come twice: {', '.join(twice)}"
        raise AnalysisError(Problem(what, f"{path}, line 1", "give each column a name of its own"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            return pd.read_csv(path, index_col=False, low_memory=False, encoding="utf-8-sig")
        except pd.errors.EmptyDataError as error:
            raise _empty(path) from error
        except pd.errors.ParserWarning as error:
            what, remedy = "lines have more columns than the header", "no comma inside a number: write 1.5, not 1,5"
            raise AnalysisError(Problem(what, str(path), remedy)) from error


def estimate_file(path: Path, request: Request) -> Estimates:
    """Read, build the design, estimate; every column that is not there is named."""
    data = read_data(path)
    names = (*request.variables, request.denominator, request.weight, *request.stratum, *request.psu, *request.fpc)
    _require(path, request, data, [name for name in (*names, *request.by) if name])
    try:
        return _estimates(data, request)
    except AnalysisError as error:
        raise AnalysisError(_in_the_file(problem, path, request) for problem in error.problems) from error


def _estimates(data: Any, request: Request) -> Estimates:
    design = SurveyDesign(
        data[request.weight].to_numpy() if request.weight else np.ones(len(data)),
        stratum=[data[name].to_numpy() for name in request.stratum] or None,
        psu=[data[name].to_numpy() for name in request.psu] or None,
        fpc=[data[name].to_numpy() for name in request.fpc] or None,
        nest=request.nest,
    )
    y = data[list(request.variables)]
    by = [data[name].to_numpy() for name in request.by] or None
    if request.statistic == "ratio":
        return ratio(design, y, data[request.denominator], by=by, level=request.level, missing=request.missing)
    return SIMPLE[request.statistic](design, y, by=by, level=request.level, missing=request.missing)


def _in_the_file(problem: Problem, path: Path, request: Request) -> Problem:
    """The problem by the names of the file's columns; rows count from 0, as in the estimators."""
    part, separator, rest = problem.where.partition(",")
    columns = {"weight": request.weight, "y": ", ".join(request.variables), "x": request.denominator}
    columns |= {"psu": ", ".join(request.psu), "stratum": ", ".join(request.stratum), "by": ", ".join(request.by)}
    row = " (the first under the header is 0)" if " row " in rest else ""
    where = f"{path}, column {columns.get(part) or part}{separator}{rest}{row}"
    return Problem(problem.what, where, problem.remedy)


def _require(path: Path, request: Request, data: Any, names: list[str]) -> None:
    remedy = f"columns there are: {', '.join(map(str, list(data.columns)[:30]))}"
    problems = [Problem(f"there is no column {name!r}", str(path), remedy) for name in names if name not in data]
    if request.statistic not in get_args(Statistic):
        choices = ", ".join(get_args(Statistic))
        problems.append(Problem(f"there is no statistic {request.statistic!r}", "--statistic", f"one of {choices}"))
    if not request.variables:
        problems.append(Problem("no variable is named", "--variable", "give --variable COLUMN, once or more"))
    if (request.statistic == "ratio") != bool(request.denominator):
        problems.append(Problem("a ratio, and only a ratio, has a denominator", "--denominator", "name its column"))
    if problems:
        raise AnalysisError(problems)
