"""The dossier register as the yardstick of weighting: dossiers by centre and field, in the wave's months.

Public: Register, register_of (the extract's own), read_register_file (a file given instead of it), Dossiers.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from analysis.errors import AnalysisError, Problem
from analysis.files.csvfile import parse_csv, read_bounded
from analysis.files.parquet import read_parquet
from analysis.wave.codebook import Codebook
from analysis.wave.extract import REGISTER, REGISTER_COLUMNS, Columns, Extract

if TYPE_CHECKING:
    from numpy.typing import NDArray

Population = Literal["received", "filed"]
COUNTS: dict[Population, str] = {"received": "resolved", "filed": "received"}
"""Those who received a result stand for dossiers resolved, those who filed for dossiers received."""
POPULATION_TEXT: dict[Population, Mapping[str, str]] = {
    "received": {
        "vi": "hồ sơ đã giải quyết, trả kết quả tại quầy",
        "en": "dossiers resolved, result handed over at the counter",
    },
    "filed": {"vi": "hồ sơ tiếp nhận tại quầy", "en": "dossiers received at the counter"},
}


@dataclass(frozen=True, eq=False)
class Dossiers:
    """Dossiers of one population by (centre, field), summed over months; cells without dossiers are not in it.

    online_included : the register does not tell channels apart, so what was handed over online is counted too
    """

    cells: Mapping[tuple[str, str], int]
    online_included: bool

    def by_field(self) -> dict[str, int]:
        totals: dict[str, int] = {}
        for (_, field_code), count in self.cells.items():
            totals[field_code] = totals.get(field_code, 0) + count
        return totals


@dataclass(frozen=True, eq=False)
class Register:
    columns: Columns = field(repr=False)
    source: str
    sha256: str

    def dossiers(self, population: Population) -> Dossiers:
        """Sums over months of the counter channel; of `all` too, where that is what the register has.

        Raises
        ------
        AnalysisError
            where `all` stands beside single channels of the same cell and month: dossiers would count twice
        """
        if problems := self._mixed():
            raise AnalysisError(problems)
        channel = self.columns["channel"]
        use = np.isin(channel.astype(str), ["counter", "all"])
        count = self.columns[COUNTS[population]]
        cells: dict[tuple[str, str], int] = {}
        for row in np.flatnonzero(use & (count > 0)):
            key = (str(self.columns["centre"][row]), str(self.columns["field"][row]))
            cells[key] = cells.get(key, 0) + int(count[row])
        return Dossiers(dict(sorted(cells.items())), bool((channel == "all").any()))

    def _mixed(self) -> list[Problem]:
        found: dict[tuple[str, str, str], set[str]] = {}
        names = ("centre", "field", "month", "channel")
        for *cell, channel in zip(*(self.columns[name].astype(str) for name in names), strict=True):
            found.setdefault((cell[0], cell[1], cell[2]), set()).add(channel)
        remedy = "give the channels, or all together, not both"
        return [
            Problem(
                f"{', '.join(cell)} has channel all beside {', '.join(sorted(channels - {'all'}))}", self.source, remedy
            )
            for cell, channels in found.items()
            if "all" in channels and len(channels) > 1
        ]


def register_of(extract: Extract) -> Register:
    return Register(extract.register, REGISTER, extract.manifest.files[REGISTER])


def read_register_file(path: Path, codebook: Codebook) -> Register:
    """A CSV or Parquet file with the columns of the register; rows of other months or centres are left aside.

    Raises
    ------
    AnalysisError
        Listing every line that is wrong: unknown field, negative or fractional counts, more on time than resolved,
        a cell that comes twice.
    """
    content = read_bounded(path, "the register", "give --register the path of a CSV or Parquet file")
    rows: list[tuple[int, dict[str, Any]]]
    if path.suffix.lower() == ".parquet":
        rows = _parquet_rows(content, path)
    else:
        needed = [name for name in REGISTER_COLUMNS if name != "channel"]
        rows = [(line, dict(row)) for line, row in parse_csv(content, str(path), needed)]
    problems: list[Problem] = []
    parsed: dict[tuple[str, str, str, str], tuple[int, int, int]] = {}
    known = {f.code for f in codebook.fields}
    centres = {c.code for c in codebook.centres}
    for line, row in rows:
        where = f"{path}, line {line}"
        key = (row["centre"], row["field"], row["month"], row.get("channel") or "all")
        try:
            counts = tuple(int(row[name]) for name in REGISTER_COLUMNS[4:])
        except (TypeError, ValueError):
            problems.append(Problem("a count is not a whole number", where, "give received, resolved, on_time"))
            continue
        if key[2] not in codebook.wave.months or key[0] not in centres:
            continue
        if fault := _fault(key, counts, known, key in parsed):
            problems.append(Problem(fault, where, "correct the line; nothing was used"))
        parsed[key] = (counts[0], counts[1], counts[2])
    if not problems and not parsed:
        months = ", ".join(codebook.wave.months)
        problems.append(Problem(f"no line is of the wave's centres and months ({months})", str(path), "check the file"))
    if problems:
        raise AnalysisError(problems)
    names = zip(*(key for key in parsed), strict=True)
    columns: dict[str, NDArray[Any]] = {
        name: np.array(values, dtype=object) for name, values in zip(REGISTER_COLUMNS, names, strict=False)
    }
    numbers = np.array(list(parsed.values()), dtype=np.int64)
    columns |= {name: numbers[:, place] for place, name in enumerate(REGISTER_COLUMNS[4:])}
    return Register(columns, path.name, hashlib.sha256(content).hexdigest())


def _fault(key: tuple[str, str, str, str], counts: Sequence[int], fields: set[str], twice: bool) -> str:
    received, resolved, on_time = counts
    if key[1] not in fields:
        return f"field {key[1]!r} is not in the codebook"
    if key[3] not in ("counter", "online", "post", "all"):
        return f"channel {key[3]!r} is none of counter, online, post, all"
    if min(received, resolved, on_time) < 0:
        return "a count is negative"
    if on_time > resolved:
        return f"{on_time} on time, but only {resolved} resolved"
    return "the same centre, field, month and channel a second time" if twice else ""


def _parquet_rows(content: bytes, path: Path) -> list[tuple[int, dict[str, Any]]]:
    try:
        table = read_parquet(content)
    except (ValueError, OSError) as error:
        raise AnalysisError(Problem(f"cannot be read as Parquet: {error}", str(path), "export it again")) from error
    _require_columns(table.column_names, str(path))
    return list(enumerate(table.to_pylist(), start=1))


def _require_columns(there: Collection[str], where: str) -> None:
    if missing := [name for name in REGISTER_COLUMNS if name != "channel" and name not in there]:
        remedy = f"use {','.join(REGISTER_COLUMNS)}"
        raise AnalysisError(Problem(f"columns are missing: {', '.join(missing)}", where, remedy))
