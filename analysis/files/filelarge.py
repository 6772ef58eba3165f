"""Estimates from a Parquet file that need not fit in memory: the sums over rows are DuckDB's. Public: large_estimates.

Weights that are calibrated or replicated need the rows in memory, so they are left to the other engine.
"""

from typing import Any

from analysis.design import SurveyDesign
from analysis.errors import AnalysisError, Problem
from analysis.estimates import Estimates
from analysis.estimators import mean, proportion, ratio, total
from analysis.files.datafile import Source
from analysis.files.filedesign import DesignRequest, in_the_file
from analysis.files.filestatistic import FileEstimates, Request, checked_columns

STATISTICS = ("mean", "total", "ratio", "proportion")


def large_estimates(source: Source, request: Request) -> FileEstimates:
    """Check the columns, open the file as a table, estimate.

    Raises
    ------
    AnalysisError
        for another kind of file, and for what needs the rows in memory
    """
    _require(source, request)
    columns = checked_columns(source, request)
    given = request.design
    with in_the_file(source.path, {"weight": given.weight or ""}):
        design = SurveyDesign(
            given.weight,  # type: ignore[arg-type]
            stratum=list(given.stratum) or None,
            psu=list(given.psu) or None,
            fpc=list(given.fpc) or None,
            lone_psu=given.lone_psu,  # type: ignore[arg-type]
            lone_domain=given.lone_domain,  # type: ignore[arg-type]
            nest=given.nest,
            data=str(source.path),
        )
        found = _estimates(design, request, columns.variables, columns.by)
    parts = [f"{design.n} rows on DuckDB", f"weight {given.weight}"]
    parts += [
        f"{name} {' / '.join(names)}" for name, names in (("strata", given.stratum), ("units", given.psu)) if names
    ]
    return FileEstimates(found, columns.by, {}, None, ("design: " + "; ".join(parts),))


def _estimates(design: SurveyDesign, request: Request, variables: tuple[str, ...], by: tuple[str, ...]) -> Estimates:
    y: Any = list(variables)
    common: dict[str, Any] = {"by": list(by) if len(by) > 1 else by[0] if by else None, "level": request.level}
    common |= {"df": request.df, "missing": request.missing}
    if request.statistic == "ratio":
        return ratio(design, y, request.denominator, **common)
    if request.statistic == "proportion":
        chosen: dict[str, Any] = {"interval": request.interval} if request.interval else {}
        return proportion(design, y, **common, **chosen, of=request.of or None)
    return (mean if request.statistic == "mean" else total)(design, y, **common)


def _require(source: Source, request: Request) -> None:
    given = request.design
    memory = "leave out --engine duckdb: the columns are then read into memory"
    problems = []
    if source.path.suffix.lower() != ".parquet":
        problems.append(
            Problem("the engine DuckDB reads Parquet", str(source.path), "write it as Parquet, or " + memory)
        )
    if request.statistic not in STATISTICS:
        problems.append(Problem(f"a {request.statistic} needs the rows in memory", "--engine", memory))
    if not given.weight:
        problems.append(Problem("the engine DuckDB needs a column of weights", "--weight", "name it"))
    if needs := [name for name, value in _in_memory(given).items() if value]:
        problems.append(Problem(f"{', '.join(needs)} needs the rows in memory", needs[0], memory))
    if problems:
        raise AnalysisError(problems)


def _in_memory(given: DesignRequest) -> dict[str, Any]:
    return {
        "--replicate": given.replicate,
        "--replicate-weights": given.replicate_weights,
        f"--{(given.calibration or '').replace('_', '-')}": given.calibration,
        "--trim": given.trim,
    }
