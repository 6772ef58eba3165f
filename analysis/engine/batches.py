"""Rows of a table in batches that fit the memory, with the numbers of their atom and domain. Public: Rows, Batch.

DuckDB hands its rows over at the speed it reads them, and the loops that sum arrays then are several times faster than
sums by group in SQL; an engine whose rows are on other machines is asked for sums instead (analysis.engine.sums).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.columns import MISSING, Columns
from analysis.engine.columns import TableColumns, TableDomains, with_labels
from analysis.engine.source import WEIGHT, Source
from analysis.errors import AnalysisError, Problem

_ROWS = 1 << 20  # in a batch
_BLOCK = 1 << 14  # rows copied into a matrix at a time, so that they stay in the cache
_CODES = 254  # how many distinct codes there may be, beside the one of a missing answer


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows that lie in a domain: `atom`, `domain`, `weight`, shape (m,); the variables, shape (m, k)."""

    atom: NDArray[np.int64]
    domain: NDArray[np.int64]
    weight: NDArray[np.float64]
    top: Columns
    bottom: Columns | None


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a DuckDB table that lie in a domain; each walk over them reads the table once."""

    source: Source
    domains: TableDomains
    top: TableColumns
    bottom: TableColumns | None

    @staticmethod
    def of(source: Source) -> bool:
        """Whether the table's engine hands over rows."""
        return bool(source.table.get_backend().name == "duckdb")

    def __iter__(self) -> Iterator[Batch]:
        table = self._numbered()
        backend = table.get_backend()
        # The public to_pyarrow_batches() of Ibis 12.0 calls a method that DuckDB 2.0 no longer has.
        for batch in backend._to_duckdb_relation(table).to_arrow_reader(_ROWS):
            if batch.num_rows:
                yield Batch(
                    batch.column("atom").to_numpy().astype(np.int64),
                    batch.column("domain").to_numpy().astype(np.int64),
                    batch.column("weight").to_numpy(),
                    _columns(batch, "top", self.top),
                    None if self.bottom is None else _columns(batch, "bottom", self.bottom),
                )

    def _numbered(self) -> Any:
        """Weights and variables with the number of the atom and of the domain."""
        import ibis
        import pyarrow as pa

        source, domains = self.source, self.domains
        labels = {f"label{i}": name for i, name in enumerate(source.labels)}
        columns = dict(zip(domains.names, domains.by, strict=True))
        columns |= {key: source.table[name] for key, name in labels.items()}
        columns |= {f"top{j}": value for j, value in enumerate(self.top.values)}
        columns |= {f"bottom{j}": value for j, value in enumerate(self.bottom.values if self.bottom else ())}
        table = with_labels(source.table.select(**columns, weight=source.table[WEIGHT]), domains.names)
        numbered: list[tuple[str, dict[str, Any]]] = [("atom", {key: source.atoms[of] for key, of in labels.items()})]
        if domains.names:
            numbered.append(("domain", dict(domains.values)))
        else:
            table = table.mutate(domain=ibis.literal(0, "int32"))
        for name, keys in numbered:
            schema = pa.schema([(key, table[key].type().to_pyarrow()) for key in keys] + [(name, pa.int32())])
            number = np.arange(len(next(iter(keys.values()))), dtype=np.int32)
            table = table.inner_join(ibis.memtable(pa.table({**keys, name: number}, schema=schema)), list(keys))
        return table.drop(*labels, *domains.names)


def _columns(batch: Any, prefix: str, variables: TableColumns) -> Columns:
    """Integers of a narrow range as codes, all else as numbers with NaN."""
    import pyarrow as pa
    import pyarrow.compute as pc

    parts = [batch.column(f"{prefix}{j}") for j in range(len(variables.values))]
    if all(pa.types.is_integer(part.type) for part in parts):
        ends = [end for part in parts for end in pc.min_max(part).as_py().values() if end is not None]
        low, high = (min(ends), max(ends)) if ends else (0, 0)
        if high - low < _CODES:
            kind = pa.int8() if low >= -128 and high < 127 else pa.int64()
            absent = pa.scalar(high + 1, kind)
            values = _matrix([part.cast(kind).fill_null(absent) for part in parts])
            code = np.append(np.arange(high - low + 1), MISSING).astype(np.uint8)
            offset, scale = variables.offset + variables.scale * low, variables.scale
            return Columns(variables.names, values, code, low, offset, scale)
    numbers = _matrix([part.cast(pa.float64(), safe=False).fill_null(np.nan) for part in parts])
    if np.isinf(numbers).any():
        name = variables.names[int(np.argwhere(np.isinf(numbers))[0, 1])]
        raise AnalysisError(Problem("a variable holds an infinite value", str(name), "give numbers, or nulls"))
    return Columns(variables.names, numbers * variables.scale + variables.offset)


def _matrix(parts: list[Any]) -> NDArray[Any]:
    columns = [part.to_numpy(zero_copy_only=False) for part in parts]
    result = np.empty((len(columns[0]), len(columns)), dtype=columns[0].dtype)
    for a in range(0, len(result), _BLOCK):
        for j, column in enumerate(columns):
            result[a : a + _BLOCK, j] = column[a : a + _BLOCK]
    return result
