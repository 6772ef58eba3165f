"""A CSV file of the analyst's own as columns. Public: CsvData.

Strict where a mistake would change a result: lines longer than the header, columns that come twice, another encoding,
a separator or a decimal comma that was not announced.
"""

import csv
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.errors import DECIMAL_COMMA, AnalysisError, Problem
from analysis.files.datafile import DataFile, FileFormat, refuse_twice, text_labels

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

SIGNS = {"comma": ",", "semicolon": ";", "tab": "\t"}
MOST_HEADER = 1 << 20
BLANK = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "#N/A", "<NA>", "."]
"""What programs write where there is no number; R writes NA, SAS and Stata a point."""
NO_LABEL = ["", "NA"]


class CsvData:
    """UTF-8 with or without a byte order mark, a header, one line a row."""

    def __init__(self, path: Path, form: FileFormat) -> None:
        self.path, self.form = path, form
        self.names = self._header()

    def read(self, numbers: Collection[str], labels: Collection[str]) -> DataFile:
        frame = self._frame(set(labels))
        numeric = {name: self._number(frame[name], name) for name in numbers}
        return DataFile(self.path, len(frame), numeric, {name: self._label(frame[name]) for name in labels})

    def whole(self) -> "pa.Table":
        """Columns of whole numbers, of numbers, and of text, as far as every cell of a column allows."""
        import pyarrow as pa

        frame = self._frame(set(self.names))
        return pa.table({name: pa.array(self._typed(frame[name]), from_pandas=True) for name in self.names})

    def _typed(self, column: "pd.Series[Any]") -> "NDArray[Any]":
        labels = self._label(column)
        if labels.dtype.kind == "i" or any(isinstance(value, int) for value in labels[:1]):
            return labels
        kept = [value for value in dict.fromkeys(labels.tolist()) if value is not None]
        padded = any(
            isinstance(value, str) and len(value) > 1 and value[0] == "0" and value[1] != "." for value in kept
        )
        return labels if padded or not kept or not all(map(_is_number, kept)) else self._number(column, "")

    def _label(self, column: "pd.Series[Any]") -> "NDArray[Any]":
        values = column.astype(object).where(column.notna(), None).to_numpy(dtype=object)
        return text_labels(values)

    def _number(self, column: "pd.Series[Any]", name: str) -> "NDArray[Any]":
        """Numbers; text that is none stays, for the estimator to name its row."""
        import pandas as pd

        if column.dtype.kind in "iufb":
            return np.asarray(column.to_numpy())
        text = column.where(~column.isin(BLANK))
        if self.form.decimal == "comma":
            if text.str.contains(".", regex=False).any():  # 1.500 may be a thousand and a half
                return column.astype(object).where(column.notna(), None).to_numpy(dtype=object)
            text = text.str.replace(",", ".", regex=False)
        try:
            return np.asarray(pd.to_numeric(text).to_numpy(dtype=np.float64, na_value=np.nan))
        except (TypeError, ValueError):
            if name and self.form.decimal == "point":
                self._refuse_decimal_comma(column, name)
            return column.astype(object).where(column.notna(), None).to_numpy(dtype=object)

    def _refuse_decimal_comma(self, column: "pd.Series[Any]", name: str) -> None:
        for row, value in enumerate(column):
            if isinstance(value, str) and value not in BLANK and (not _is_number(value) or "," in value):
                if DECIMAL_COMMA.fullmatch(value):
                    remedy = "write a point and no separator of thousands: 1234.5"
                    where = f"{self.path}, column {name}, row {row} (the first under the header is 0)"
                    remedy = "if all numbers of the file are written so, say --decimal comma; else " + remedy
                    raise AnalysisError(Problem(f"{value[:60]!r} has a decimal comma", where, remedy))
                return

    def _header(self) -> tuple[str, ...]:
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                line = file.readline(MOST_HEADER)
                while line and not line.strip():
                    line = file.readline(MOST_HEADER)
        except UnicodeDecodeError as error:
            raise self._not_utf8() from error
        if not line:
            raise self._empty()
        if "\0" in line or (len(line) == MOST_HEADER and "\n" not in line):
            raise AnalysisError(Problem("the file is no table of text", f"{self.path}, line 1", "give a CSV file"))
        sign = SIGNS[self.form.separator]
        other = next((name for name, one in SIGNS.items() if one in line and sign not in line and one != sign), "")
        if other:
            what, remedy = f"{other}s between the columns", f"say --separator {other}"
            if other == "semicolon":
                remedy += ", and --decimal comma if decimals have one"
            raise AnalysisError(Problem(what, f"{self.path}, line 1", remedy))
        try:
            names = [name.strip() for name in next(csv.reader([line], delimiter=sign), [])]
        except csv.Error as error:
            raise AnalysisError(Problem(f"not CSV: {error}", f"{self.path}, line 1", "give a CSV file")) from error
        refuse_twice(names, f"{self.path}, line 1")
        if any(not name for name in names):
            what = f"column {names.index('') + 1} has no name"
            raise AnalysisError(Problem(what, f"{self.path}, line 1", "give each column a name"))
        return tuple(names)

    def _frame(self, words: set[str]) -> "pd.DataFrame":
        """Pandas would take lines longer than the header for a labelled index: a decimal comma must not pass like that.

        All columns are read: when told to leave some out, it no longer counts the cells of a line.
        """
        import warnings

        import pandas as pd

        blank = {name: NO_LABEL if name in words else BLANK for name in self.names}
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            try:
                frame = pd.read_csv(
                    self.path, sep=SIGNS[self.form.separator], decimal="," if self.form.decimal == "comma" else ".",
                    index_col=False, low_memory=False, encoding="utf-8-sig", header=0, names=list(self.names),
                    dtype=dict.fromkeys(words, str), keep_default_na=False, na_values=blank,
                )  # fmt: skip
            except pd.errors.EmptyDataError as error:
                raise self._empty() from error
            except pd.errors.ParserWarning as error:
                what = "lines have more columns than the header"
                remedy = "no comma inside a number: write 1.5, not 1,5, or put a semicolon between the columns"
                raise AnalysisError(Problem(what, str(self.path), remedy)) from error
            except UnicodeDecodeError as error:
                raise self._not_utf8() from error
            except (ValueError, OSError, csv.Error) as error:
                what = f"the file cannot be read: {str(error).strip()[:200]}"
                raise AnalysisError(Problem(what, str(self.path), "CSV in UTF-8 with a header")) from error
        if frame.empty:
            what, remedy = "the file has a header and no rows", "give one row for each response"
            raise AnalysisError(Problem(what, str(self.path), remedy))
        return frame

    def _empty(self) -> AnalysisError:
        remedy = "give a header and one line for each response"
        return AnalysisError(Problem("the file is empty", str(self.path), remedy))

    def _not_utf8(self) -> AnalysisError:
        remedy = "save it as CSV UTF-8 in the spreadsheet"
        return AnalysisError(Problem("the file is not in UTF-8", str(self.path), remedy))


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True
