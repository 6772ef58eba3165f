"""A Parquet file of the analyst's own as columns. Public: ParquetData.

Read by this thread alone, for the reason that analysis.files.parquet gives.
"""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.errors import AnalysisError, Problem
from analysis.files.datafile import DataFile, as_labels, refuse_twice

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ParquetData:
    """A Parquet file of the analyst's own. Only the columns asked for are read."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        self.path = path
        try:
            with pq.ParquetFile(path, pre_buffer=False) as file:
                self.names, self.rows = tuple(file.schema_arrow.names), int(file.metadata.num_rows)
        except (ValueError, OSError) as error:
            raise self._unreadable(error) from error
        refuse_twice(self.names, str(path))
        if not self.rows:
            what, remedy = "the file has columns and no rows", "give one row for each response"
            raise AnalysisError(Problem(what, str(path), remedy))

    def read(self, numbers: Collection[str], labels: Collection[str]) -> DataFile:
        table = self._table(list(dict.fromkeys((*numbers, *labels))))
        columns = {name: self._column(table.column(name), name) for name in table.column_names}
        return DataFile(
            self.path,
            table.num_rows if columns else self.rows,
            {name: columns[name] for name in numbers},
            {name: as_labels(columns[name]) for name in labels},
        )

    def whole(self) -> Any:
        return self._table(None)

    def _table(self, names: list[str] | None) -> Any:
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self.path, pre_buffer=False) as file:
                return file.read(columns=names, use_threads=False)
        except (ValueError, OSError) as error:
            raise self._unreadable(error) from error

    def _column(self, column: Any, name: str) -> "NDArray[Any]":
        """Numbers as numpy has them, decimals as floats, days and moments as text, dictionaries as what they stand for."""
        import pyarrow as pa

        kind = column.type
        if pa.types.is_dictionary(kind):
            column, kind = column.cast(kind.value_type), kind.value_type
        if pa.types.is_decimal(kind):
            column = column.cast(pa.float64())
        elif pa.types.is_temporal(kind):
            return np.array([None if v is None else v.isoformat() for v in _moments(column)], dtype=object)
        elif pa.types.is_null(kind):
            return np.full(len(column), np.nan)
        elif pa.types.is_boolean(kind):
            column = column.cast(pa.int8())
        elif not (
            pa.types.is_integer(kind)
            or pa.types.is_floating(kind)
            or pa.types.is_string(kind)
            or pa.types.is_large_string(kind)
        ):
            what = f"column {name} holds {kind}, which is neither a number nor a label"
            raise AnalysisError(Problem(what, str(self.path), "give a column of numbers, text or days"))
        return np.asarray(column.to_numpy(zero_copy_only=False))

    def _unreadable(self, error: Exception) -> AnalysisError:
        what = f"the file cannot be read: {str(error).strip()[:200]}"
        return AnalysisError(Problem(what, str(self.path), "give a whole Parquet file"))


def _moments(column: Any) -> list[Any]:
    import pyarrow as pa

    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        column = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
    if pa.types.is_duration(column.type):
        return [None if v is None else v for v in column.cast(pa.int64()).to_pylist()]
    return list(column.to_pylist())
