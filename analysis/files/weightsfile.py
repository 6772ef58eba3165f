"""Weights for a data file of the analyst's own: the file again with its final weights, and what became of them.

Public: weigh_file, FileWeights.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.diagnostics import kish
from analysis.errors import AnalysisError, Problem
from analysis.files.datafile import DataFile, Source
from analysis.files.filedesign import DesignRequest, FileDesign, build_design, columns_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class MarginReached:
    """One total: what the weights summed to before and after, and what was asked for."""

    margin: str
    label: str
    rows: int
    before: float
    after: float
    total: float


@dataclass(frozen=True, eq=False)
class FileWeights:
    """Final weights of a file's rows."""

    source: Source
    file: FileDesign
    reached: tuple[MarginReached, ...]
    weight: "NDArray[np.float64]" = field(repr=False)

    def diagnostics(self) -> dict[str, Any]:
        """Numbers of the weights: before, after and the factors between them."""
        before, after = self.file.base.weight, self.weight
        factor = after / before
        positive = bool((after > 0).all())
        return {
            "rows": len(after),
            "sum_before": float(before.sum()),
            "sum": float(after.sum()),
            "deff_kish_before": kish(before).deff_kish,
            "deff_kish": kish(after).deff_kish if positive else None,
            "n_eff_kish": kish(after).n_eff_kish if positive else None,
            "smallest": float(after.min()),
            "mean": float(after.mean()),
            "largest": float(after.max()),
            "lowest_factor": float(factor.min()),
            "highest_factor": float(factor.max()),
            "not_positive": int((after <= 0).sum()),
            "tolerance": max((abs(one.after / one.total - 1) for one in self.reached if one.total), default=0.0),
        }

    def as_json(self) -> dict[str, Any]:
        totals = self.file.totals
        return {
            "data": self.source.path.name,
            "totals": {"file": totals.path.name, "sha256": totals.sha256} if totals else None,
            "diagnostics": self.diagnostics(),
            "said": list(self.file.said),
            "margins": [vars(one) for one in self.reached],
        }

    def lines(self) -> list[str]:
        """For a terminal: Kish, range, factors, then each total that was met."""
        found = self.diagnostics()
        sums = f"sum of weights {found['sum_before']:.10g} before, {found['sum']:.10g} after"
        spread = f"weights {found['smallest']:.6g} to {found['largest']:.6g}"
        factors = f"factors {found['lowest_factor']:.4g} to {found['highest_factor']:.4g}"
        lines = [f"{found['rows']} rows; {sums}", f"{spread}; {factors}"]
        if found["not_positive"]:
            lines.append(f"{found['not_positive']} weights are not positive: give --bounds, such as --bounds 0.3 3")
        else:
            effect = f"deff_kish {found['deff_kish_before']:.3f} before, {found['deff_kish']:.3f} after"
            lines.append(f"{effect}; n_eff_kish {found['n_eff_kish']:.0f}")
        lines += self.file.said
        if self.reached:
            lines.append(f"totals met to {found['tolerance']:.1e}:")
        return lines


def weigh_file(
    source: Source, request: DesignRequest, column: str, done: Callable[[str], None] = lambda step: None
) -> FileWeights:
    """Read, calibrate, trim.

    Raises
    ------
    AnalysisError
        when there is nothing to do, the column is already there, or as the calibration says
    """
    problems = []
    if not request.calibration and not request.trim:
        what, remedy = "nothing is to be done to the weights", "give --rake, --post-stratify, --calibrate or --trim"
        problems.append(Problem(what, "sipas weights", remedy))
    if column in source.names:
        what = f"the file has a column {column} already"
        problems.append(Problem(what, f"{source.path}, --column", "give the new column another name: --column NAME"))
    if problems:
        raise AnalysisError(problems)
    columns = columns_of(request, source)
    done(f"reading {source.path.name}")
    data = source.read(set(columns.numbers), set(columns.labels))
    done("weighting")
    file = build_design(data, request, columns)
    return FileWeights(source, file, _reached(file, data, request), file.design.weight)


def write_weights_file(weights: FileWeights, path: Path, column: str) -> None:
    """The whole file and the final weight as its last column, in place only when complete."""
    import pyarrow as pa

    from analysis.files.tablefile import write_columns

    table = weights.source.whole()
    write_columns(path, table.append_column(column, pa.array(weights.weight)))


def _reached(file: FileDesign, data: DataFile, request: DesignRequest) -> tuple[MarginReached, ...]:
    if file.totals is None:
        return ()
    x, totals = file.totals.matrix(data)
    names = [(one.name, label) for one in file.totals.margins for label in one.totals]
    before, after = file.base.weight, file.design.weight
    return tuple(
        MarginReached(margin, label, int((values != 0).sum()), float(before @ values), float(after @ values), total)
        for (margin, label), values, total in zip(names, x.values(), totals.values(), strict=True)
    )
