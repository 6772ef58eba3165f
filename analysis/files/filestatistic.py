"""Estimates from a data file: what is asked for by the names of columns, and the answer with its design in words.

Public: Request, FileEstimates, estimate_file, STATISTICS.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from analysis.errors import AnalysisError, Problem
from analysis.estimates import Estimates
from analysis.estimators import mean, proportion, ratio, total
from analysis.files.datafile import DataFile, Source, matching
from analysis.files.filedesign import DesignColumns, DesignRequest, FileDesign, build_design, columns_of, in_the_file
from analysis.sipas_index import IndexSpec, index

if TYPE_CHECKING:
    from numpy.typing import NDArray

Statistic = Literal["mean", "proportion", "total", "ratio", "quantile", "index"]
UNITS: Mapping[str, str] = {
    "mean": "in the unit of the column",
    "proportion": "from 0 to 1",
    "total": "in the unit of the column, for all that the weights stand for",
    "ratio": "of the two totals",
    "quantile": "in the unit of the column",
    "index": "from 0 to 100",
}
ONLY_FOR: Mapping[str, tuple[str, ...]] = {
    "of": ("proportion",),
    "q": ("quantile",),
    "rule": ("quantile",),
    "interval": ("proportion", "quantile"),
    "denominator": ("ratio",),
    "factors": ("index",),
    "item_method": ("index",),
    "roll_up": ("index",),
}
OPTION = {"factors": "--factor", "item_method": "--item-method", "roll_up": "--roll-up"}
Done = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What to estimate. `variables` and `by` name columns; None leaves a choice to the estimator."""

    statistic: Statistic
    variables: tuple[str, ...]
    design: DesignRequest = field(default_factory=DesignRequest)
    denominator: str | None = None
    by: tuple[str, ...] = ()
    level: float = 0.95
    df: Literal["domain", "design"] = "domain"
    missing: tuple[int, ...] = ()
    interval: str | None = None
    of: tuple[int, ...] = ()
    q: tuple[float, ...] = ()
    rule: str | None = None
    factors: tuple[str, ...] = ()
    item_method: str | None = None
    roll_up: str | None = None


@dataclass(frozen=True, eq=False)
class FileEstimates:
    """Estimates, the columns their domains come from, the words of their labels, and what is to be said of them."""

    estimates: Estimates
    by: tuple[str, ...]
    value_words: Mapping[str, Mapping[Any, str]]
    design: FileDesign | None
    said: tuple[str, ...]


@dataclass(frozen=True)
class _Asked:
    """Columns of a source that a request names, patterns resolved."""

    variables: tuple[str, ...]
    by: tuple[str, ...]
    design: DesignColumns


def checked_columns(source: Source, request: Request) -> _Asked:
    """Find every column; all that are not there, and all choices that do not go together, are named at once."""
    problems = _choices(request)
    wanted: dict[str, tuple[str, ...]] = {}
    denominators = (request.denominator,) if request.denominator else ()
    for option, names in (("--variable", request.variables), ("--denominator", denominators), ("--by", request.by)):
        try:
            wanted[option] = matching(source, names, option)
        except AnalysisError as error:
            problems.extend(error.problems)
    try:
        columns = columns_of(request.design, source)
    except AnalysisError as error:
        problems.extend(error.problems)
    if problems:
        raise AnalysisError(problems)
    return _Asked(wanted["--variable"], wanted["--by"], columns)


def estimate_file(source: Source, request: Request, done: Done = lambda step: None) -> FileEstimates:
    """Read the columns, build the design, estimate; `done` hears what comes next.

    Raises
    ------
    AnalysisError
        naming every column that is not there and every choice that does not fit the statistic, at once
    """
    asked = checked_columns(source, request)
    variables, by, columns = asked.variables, asked.by, asked.design
    denominators = {request.denominator} if request.denominator else set()
    done(f"reading {source.path.name}")
    data = source.read({*variables, *denominators, *columns.numbers}, {*by, *columns.labels})
    done("weighting" if request.design.calibration else "preparing the design")
    design = build_design(data, request.design, columns)
    done(f"estimating {len(variables)} columns")
    places = {"y": ", ".join(variables), "x": request.denominator or "", "by": ", ".join(by)}
    with in_the_file(source.path, places):
        found = _estimates(data, request, variables, by, design)
    return FileEstimates(found, by, data.value_words, design, _said(data, request, by, design, columns))


def _estimates(
    data: DataFile, request: Request, variables: tuple[str, ...], by: tuple[str, ...], file: FileDesign
) -> Estimates:
    design = file.design
    y = {name: data.numbers[name] for name in variables}
    common: dict[str, Any] = {"by": [data.labels[name] for name in by] or None, "level": request.level}
    common |= {"df": request.df, "missing": request.missing}
    chosen = {"interval": request.interval} if request.interval else {}
    if request.statistic == "ratio":
        return ratio(design, y, {request.denominator: data.numbers[request.denominator or ""]}, **common)
    if request.statistic == "proportion":
        return proportion(design, y, **common, **chosen, **({"of": request.of} if request.of else {}))  # type: ignore[arg-type]
    if request.statistic == "quantile":
        from analysis.quantiles import quantile

        rule = {"rule": request.rule} if request.rule else {}
        return quantile(design, y, request.q, **common, **chosen, **rule)  # type: ignore[arg-type]
    if request.statistic == "index":
        spec = IndexSpec(variables, _factors(request.factors, variables))
        codes = {name: _codes(values, request.missing) for name, values in y.items()}
        rules = {"item_method": request.item_method, "roll_up": request.roll_up}
        del common["missing"]
        return index(design, codes, spec, **{k: v for k, v in rules.items() if v}, **common)  # type: ignore[arg-type]
    return (mean if request.statistic == "mean" else total)(design, y, **common)


def _codes(values: "NDArray[Any]", missing: tuple[int, ...]) -> "NDArray[Any]":
    """Likert codes as the index takes them: −1 where there is no valid answer."""
    if values.dtype.kind not in "iuf":
        return values
    return np.where(np.isin(values, missing) | np.isnan(values), -1, values)


def _factors(given: tuple[str, ...], variables: tuple[str, ...]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """`A=q1,q2` as factor A; in `I.A=q1,q2` the area is I."""
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for text in given:
        name, sign, items = text.partition("=")
        parts = tuple(item.strip() for item in items.split(",") if item.strip())
        if not (name and sign and parts) or name in found:
            what = f"{text[:60]!r} comes a second time" if name in found else f"{text[:60]!r} is no factor"
            raise AnalysisError(Problem(what, "--factor", "name each once, with its items: --factor A=q1,q2,q3"))
        if unknown := [part for part in parts if part not in variables]:
            what = f"factor {name} has items that are no --variable: {', '.join(unknown)}"
            raise AnalysisError(Problem(what, "--factor", f"items there are: {', '.join(variables[:30])}"))
        found[name] = (name.partition(".")[0] if "." in name else "", parts)
    return found


def _choices(request: Request) -> list[Problem]:
    """What is asked for that does not go together."""
    problems = []
    if not request.variables:
        problems.append(Problem("no variable is named", "--variable", "give --variable COLUMN, once or more"))
    if request.statistic == "ratio" and not request.denominator:
        problems.append(Problem("a ratio has a denominator", "--denominator", "name its column"))
    if request.statistic == "quantile" and not request.q:
        problems.append(Problem("no quantile is named", "--q", "give --q 0.5 for the median, once or more"))
    for name, statistics in ONLY_FOR.items():
        if getattr(request, name) and request.statistic not in statistics:
            option = OPTION.get(name, f"--{name}")
            what = f"{option} is for {' and '.join(statistics)}, not for {request.statistic}"
            problems.append(Problem(what, option, f"leave it out, or say --statistic {statistics[0]}"))
    problems += interval_problems(request.statistic, request.interval)
    return problems


INTERVALS = {
    "proportion": ("korn_graubard", "beta", "logit", "wilson", "t"),
    "quantile": ("mean", "beta", "logit", "asin"),
}


def interval_problems(statistic: str, interval: str | None) -> list[Problem]:
    known = INTERVALS.get(statistic)
    if known is None or interval is None or interval in known:
        return []
    what = f"there is no interval {interval} for a {statistic}"
    return [Problem(what, "--interval", f"choose one of {', '.join(known)}")]


def _said(
    data: DataFile, request: Request, by: tuple[str, ...], file: FileDesign, columns: DesignColumns
) -> tuple[str, ...]:
    """The design in a line, then what a reader must know of rows and margins."""
    given, lines = request.design, []
    parts = [f"{data.rows} rows", f"weight {given.weight}" if given.weight else "every row counts 1"]
    parts += [f"{name} {' / '.join(names)}" for name, names in _stages(given) if names]
    if given.replicate:
        parts.append(f"{given.replicate} replicates")
    if columns.replicate_weights:
        parts.append(f"{len(columns.replicate_weights)} replicate weights")
    if file.totals:
        how = {"rake": "raked", "post_stratify": "post-stratified", "calibrate": f"calibrated ({given.method})"}
        margins = ", ".join(one.name for one in file.totals.margins)
        parts.append(f"{how[given.calibration or 'rake']} to {margins} of {file.totals.path.name}")
    lines.append("design: " + "; ".join(parts))
    lines += file.said
    for name in by:
        labels = data.labels[name]
        absent = sum(value is None or value != value for value in labels.tolist()) if labels.dtype.kind in "Of" else 0  # noqa: PLR0124
        if absent:
            lines.append(f"{absent} rows have no {name} and lie in no domain")
    return tuple(lines)


def _stages(given: DesignRequest) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return ("strata", given.stratum), ("units", given.psu), ("fpc", given.fpc)
