"""The survey design of a data file by the names of its columns: weights, stages, replicates, calibration.

Public: DesignRequest, FileDesign, columns_of, build_design.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from analysis.calibration.adjusting import calibrate, post_stratify, rake
from analysis.calibration.trimming import trim
from analysis.design import SurveyDesign
from analysis.errors import AnalysisError, Problem
from analysis.files.datafile import DataFile, Source, matching
from analysis.files.totals import TotalsFile, read_totals
from analysis.replication.replicates import replicate, replicate_design

Calibration = Literal["rake", "post_stratify", "calibrate"]


@dataclass(frozen=True)
class DesignRequest:
    """Names of columns and choices, as the command line has them. One name a stage for stratum, psu, fpc."""

    weight: str | None = None
    stratum: tuple[str, ...] = ()
    psu: tuple[str, ...] = ()
    fpc: tuple[str, ...] = ()
    nest: bool = False
    lone_psu: str = "fail"
    lone_domain: str = "ignore"
    replicate: Literal["jackknife", "brr", "fay", "bootstrap"] | None = None
    replicates: int = 500
    rho: float = 0.0
    seed: int | None = None
    kind: Literal["rao_wu", "canty_davison", "preston"] = "rao_wu"
    replicate_weights: tuple[str, ...] = ()
    scale: float | None = None
    rscales: tuple[float, ...] = ()
    centre: Literal["mean", "estimate"] = "mean"
    calibration: Calibration | None = None
    totals: Path | None = None
    method: Literal["linear", "raking", "logit"] = "linear"
    bounds: tuple[float, float] | None = None
    aggregate: Literal["none", "psu"] = "none"
    trim: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class FileDesign:
    """A design with what was done to its weights, in words."""

    design: SurveyDesign
    base: SurveyDesign
    said: tuple[str, ...]
    totals: TotalsFile | None = field(default=None, repr=False)


@dataclass(frozen=True)
class DesignColumns:
    """The columns of a source that a design needs, patterns resolved."""

    numbers: tuple[str, ...]
    labels: tuple[str, ...]
    replicate_weights: tuple[str, ...] = ()
    totals: TotalsFile | None = field(default=None, repr=False)


def columns_of(request: DesignRequest, source: Source) -> DesignColumns:
    """Find every column of the design in the file; all that are not there are named at once."""
    problems: list[Problem] = []

    def found(names: tuple[str, ...], option: str) -> tuple[str, ...]:
        try:
            return matching(source, names, option)
        except AnalysisError as error:
            problems.extend(error.problems)
            return ()

    numbers = found((request.weight,) if request.weight else (), "--weight") + found(request.fpc, "--fpc")
    labels = found(request.stratum, "--stratum") + found(request.psu, "--psu")
    replicates = found(request.replicate_weights, "--replicate-weights")
    totals = None
    if request.totals:
        try:
            totals = read_totals(request.totals, source)
        except AnalysisError as error:
            problems.extend(error.problems)
    if problems:
        raise AnalysisError(problems)
    if totals:
        numbers, labels = numbers + totals.number_columns, labels + totals.label_columns
    return DesignColumns(numbers + replicates, labels, replicates, totals)


def build_design(data: DataFile, request: DesignRequest, columns: DesignColumns) -> FileDesign:
    """The design in the order of the field: base weights, replicates, calibration, trimming.

    Raises
    ------
    AnalysisError
        by the names of the file's columns
    """
    with in_the_file(data.path, _names(request)):
        design = _replicated(data, request, columns)
        base, totals = design, columns.totals
        said: list[str] = []
        if request.calibration and totals:
            totals, scaled = totals.agreed() if request.calibration == "rake" else (totals, ())
            said += scaled
            design = _of_totals(totals, partial(_calibrated, design, data, request, totals))
        if request.trim:
            design = trim(design, *request.trim)
            said.append(_trimmed(design))
    return FileDesign(design, base, tuple(said), totals)


def _trimmed(design: SurveyDesign) -> str:
    done = design.trimmed
    assert done is not None
    return (
        f"trimmed to {done.lower:g} to {done.upper:g}: {done.raised} weights raised, {done.lowered} lowered, "
        f"{done.share:.2%} of their sum moved"
    )


def _replicated(data: DataFile, request: DesignRequest, columns: DesignColumns) -> SurveyDesign:
    weight = data.numbers[request.weight] if request.weight else np.ones(data.rows)
    if columns.replicate_weights:
        matrix = np.column_stack([data.numbers[name] for name in columns.replicate_weights])
        if request.scale is None:
            what, remedy = (
                "replicate weights come without their scale",
                "say it: --scale NUMBER, as their maker gives it",
            )
            raise AnalysisError(Problem(what, "--scale", remedy))
        rscales = np.array(request.rscales) if request.rscales else None
        return replicate_design(weight, matrix, request.scale, rscales, centre=request.centre)
    more: dict[str, Any] = {} if request.lone_domain == "ignore" else {"lone_domain": request.lone_domain}
    design = SurveyDesign(
        weight,
        stratum=[data.labels[name] for name in request.stratum] or None,
        psu=[data.labels[name] for name in request.psu] or None,
        fpc=[data.numbers[name] for name in request.fpc] or None,
        nest=request.nest,
        lone_psu=request.lone_psu,  # type: ignore[arg-type]
        **more,
    )
    if not request.replicate:
        return design
    return replicate(
        design, request.replicate, request.replicates, request.rho, request.seed, request.centre, request.kind
    )


def _of_totals(totals: TotalsFile, calibrated: Callable[[], SurveyDesign]) -> SurveyDesign:
    """What is wrong with margins lies in their file."""
    try:
        return calibrated()
    except AnalysisError as error:
        raise AnalysisError(
            one if str(totals.path) in one.where else Problem(one.what, f"{totals.path}, {one.where}", one.remedy)
            for one in error.problems
        ) from error


def _calibrated(design: SurveyDesign, data: DataFile, request: DesignRequest, totals: TotalsFile) -> SurveyDesign:
    if request.calibration == "rake":
        return rake(design, totals.classes(data))
    if request.calibration == "post_stratify":
        margins = totals.classes(data)
        if len(margins) > 1:
            what = f"post-stratification is to one margin, and there are {len(margins)}"
            remedy = f"cross them in the file ({'*'.join(margins)}), or use --rake"
            raise AnalysisError(Problem(what, str(totals.path), remedy))
        ((cells, known),) = margins.values()
        return post_stratify(design, cells, known)
    x, known = totals.matrix(data)
    return calibrate(design, x, known, method=request.method, bounds=request.bounds, aggregate=request.aggregate)


def _names(request: DesignRequest) -> dict[str, str]:
    return {
        "weight": request.weight or "(every row counts 1)",
        "psu": ", ".join(request.psu),
        "stratum": ", ".join(request.stratum),
        "fpc": ", ".join(request.fpc),
        "replicate_weights": ", ".join(request.replicate_weights),
    }


@contextmanager
def in_the_file(path: Path, names: dict[str, str]) -> Iterator[Callable[[Problem], Problem]]:
    """Problems by the names of the file's columns; rows count from 0, as in the estimators."""

    def placed(problem: Problem) -> Problem:
        part, separator, rest = problem.where.partition(",")
        if str(path) in problem.where or part.startswith("--") or "/" in part or part.endswith(".csv"):
            return problem  # it has its place already
        row = " (the first under the header is 0)" if " row " in f"{separator}{rest}" else ""
        column = names.get(part.split()[0] if part else "", "") if part in names else part
        kind = "column " if part in names or separator else ""
        return Problem(problem.what, f"{path}, {kind}{column}{separator}{rest}{row}", problem.remedy)

    try:
        yield placed
    except AnalysisError as error:
        raise AnalysisError(placed(problem) for problem in error.problems) from error
