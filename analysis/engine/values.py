"""Distributions of a table's variables, and which rows lie at or below a value. Public: sums_by_value, at_or_below."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.engine.columns import TableColumns, TableDomains, with_labels
from analysis.engine.lookup import columns_of
from analysis.engine.source import WEIGHT, Source
from analysis.errors import AnalysisError, Problem

FloatArray = NDArray[np.float64]

_LARGEST = 5_000_000  # distinct values of a variable in all domains: they are held in memory


def sums_by_value(
    source: Source, columns: TableColumns, domains: TableDomains
) -> list[tuple[NDArray[np.int64], FloatArray, FloatArray]]:
    """Of each variable the domains, values and sums of weights of every distinct value in a domain."""
    result = []
    for name, value in zip(columns.names, columns.values, strict=True):
        by = dict(zip(domains.names, domains.by, strict=True))
        table = source.table.select(**by, value=value.cast("float64"), weight=source.table[WEIGHT])
        table = with_labels(table.filter(table["value"].notnull()), domains.names)
        sums = table.group_by([*domains.names, "value"]).agg(weight=table["weight"].sum())
        found = sums.limit(_LARGEST + 1).to_pyarrow()
        if len(found) > _LARGEST:
            raise AnalysisError(
                Problem(
                    f"{name} has more than {_LARGEST} distinct values",
                    "y",
                    "round it, or read the column into memory",
                )
            )
        place = domains.places(columns_of(found, domains.names), len(found))
        result.append((place, *(found.column(key).to_numpy().astype(np.float64) for key in ("value", "weight"))))
    return result


def at_or_below(
    source: Source, columns: TableColumns, domains: TableDomains, cut: FloatArray
) -> tuple[Source, dict[str, Any], list[str] | None]:
    """Variables that are 1 where a value is at most the cut of its domain, cut of shape (domains, k, m).

    Returns the source that has them, the variables, and the classification of the domains in it.
    """
    import ibis
    import pyarrow as pa

    own = {f"domain_{name}": value for name, value in zip(domains.names, domains.by, strict=True)}
    own |= {f"value_{j}": value.cast("float64") for j, value in enumerate(columns.values)}
    table = source.table.mutate(**own)
    names = [f"domain_{name}" for name in domains.names]
    cuts = {f"cut_{j}_{m}": cut[:, j, m] for j in range(cut.shape[1]) for m in range(cut.shape[2])}
    if names:
        types = [(name, table[name].type().to_pyarrow()) for name in names] + [(name, pa.float64()) for name in cuts]
        known = pa.table({**dict(zip(names, domains.values.values(), strict=True)), **cuts}, schema=pa.schema(types))
        table = table.inner_join(ibis.memtable(known), names)
    else:
        table = table.mutate(**{name: ibis.literal(float(values[0])) for name, values in cuts.items()})
    below = {f"{j} {m}": (f"value_{j}", f"cut_{j}_{m}") for j in range(cut.shape[1]) for m in range(cut.shape[2])}
    variables = {name: table[value] <= table[high] for name, (value, high) in below.items()}
    return replace(source, table=table), variables, names or None
