"""Files of SPSS and Stata: codes with words beside them, and codes that their makers declared missing.

Public: LabelledData. Values that SPSS calls user-missing, and Stata's . and .a to .z, are missing answers here.
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.errors import AnalysisError, Problem
from analysis.files.datafile import DataFile, as_labels, refuse_twice

if TYPE_CHECKING:
    from numpy.typing import NDArray

STATA = b"<stata_dta>", b"</stata_dta>"
READERS = {".sav": "read_sav", ".zsav": "read_sav", ".por": "read_por", ".dta": "read_dta"}


class LabelledData:
    """An SPSS or Stata file. Only the columns asked for are read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._require_its_end()
        _, about = self._read(metadataonly=True)
        self.names = tuple(about.column_names)
        refuse_twice(self.names, str(path))

    def read(self, numbers: Collection[str], labels: Collection[str]) -> DataFile:
        wanted = list(dict.fromkeys((*numbers, *labels))) or list(self.names[:1])
        frame, about = self._read(usecols=wanted)
        rows = len(next(iter(frame.values()))) if frame else 0
        if not rows:
            what, remedy = "the file has columns and no rows", "give one row for each response"
            raise AnalysisError(Problem(what, str(self.path), remedy))
        columns = {name: _plain(np.asarray(values)) for name, values in frame.items()}
        return DataFile(
            self.path,
            rows,
            {name: columns[name] for name in numbers},
            {name: as_labels(columns[name]) for name in labels},
            {name: _words(about.variable_value_labels.get(name, {})) for name in labels},
        )

    def whole(self) -> Any:
        import pyarrow as pa

        frame, _ = self._read()
        columns = {name: as_labels(_plain(np.asarray(values))) for name, values in frame.items()}
        return pa.table({name: pa.array(values, from_pandas=True) for name, values in columns.items()})

    def _require_its_end(self) -> None:
        """A Stata file that was cut off behind its rows would be read without the words of its codes."""
        with self.path.open("rb") as file:
            if file.read(len(STATA[0])) != STATA[0]:
                return
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 64))
            if not file.read().rstrip(b"\0\r\n ").endswith(STATA[1]):
                what = "the file cannot be read: its end is missing"
                raise AnalysisError(Problem(what, str(self.path), "copy it again, whole"))

    def _read(self, **how: Any) -> tuple[dict[str, Any], Any]:
        import pyreadstat

        read = getattr(pyreadstat, READERS[self.path.suffix.lower()])
        try:
            frame, about = read(str(self.path), output_format="dict", **how)
        except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, ValueError, OSError, OverflowError) as error:
            what = f"the file cannot be read: {str(error).strip()[:200]}"
            remedy = "give a whole file as SPSS or Stata saved it, or save it as CSV or Parquet there"
            raise AnalysisError(Problem(what, str(self.path), remedy)) from error
        return dict(frame), about


def _plain(values: "NDArray[Any]") -> "NDArray[Any]":
    """Days and moments as ISO text, empty text as missing."""
    if values.dtype.kind in "iuf":
        return values
    if values.dtype.kind == "M":
        return np.array([None if one is None else str(one) for one in values.astype(object)], dtype=object)
    found = np.full(len(values), None, dtype=object)
    for row, value in enumerate(values.tolist()):
        if isinstance(value, (date, datetime, time)):
            found[row] = value.isoformat()
        elif value is not None and value != "" and value == value:  # noqa: PLR0124
            found[row] = value
    return _numeric(found)


def _numeric(values: "NDArray[Any]") -> "NDArray[Any]":
    """A column of objects that are numbers or missing, as floats."""
    if all(value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)) for value in values):
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return values


def _words(labels: Mapping[Any, str]) -> dict[Any, str]:
    """Words by the label as domains have it: 1.0 is 1."""
    return {int(code) if isinstance(code, float) and code.is_integer() else code: word for code, word in labels.items()}
