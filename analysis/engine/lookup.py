"""Rows of small tables found by their labels. Public: Columns, Lookup, columns_of."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
Columns = Mapping[str, NDArray[Any]]


class Lookup:
    """Finds rows by the combination of their labels. None of the labels is missing."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns

    def places(self, asked: Columns) -> IntArray:
        """The first row with each asked combination; each must exist."""
        keys, first = self._sorted
        return np.asarray(first[np.searchsorted(keys, self._key(asked))], dtype=np.int64)

    @property
    def first(self) -> IntArray:
        """The first row of every distinct combination."""
        return self._sorted[1]

    @cached_property
    def _indexes(self) -> dict[str, Any]:
        import pandas as pd

        return {name: pd.Index(pd.unique(pd.Series(values))) for name, values in self.columns.items()}

    @cached_property
    def _levels(self) -> list[IntArray]:
        """Distinct combinations of the first column, of the first two, and so on, as numbers that stay small."""
        levels: list[IntArray] = []
        key = np.zeros(len(next(iter(self.columns.values()))), dtype=np.int64)
        for name, index in self._indexes.items():
            kept, key = np.unique(key * len(index) + index.get_indexer(self.columns[name]), return_inverse=True)
            levels.append(kept)
        return levels

    @cached_property
    def _sorted(self) -> tuple[IntArray, IntArray]:
        keys, first = np.unique(self._key(self.columns), return_index=True)
        return keys, first.astype(np.int64)

    def _key(self, asked: Columns) -> IntArray:
        key = np.zeros(len(next(iter(asked.values()))), dtype=np.int64)
        for (name, index), level in zip(self._indexes.items(), self._levels, strict=True):
            key = np.searchsorted(level, key * len(index) + index.get_indexer(asked[name]))
        return key


def columns_of(table: Any, names: Sequence[str]) -> Columns:
    """Columns of an Arrow table as arrays; those with nulls as objects, so that integers stay integers."""
    result: dict[str, NDArray[Any]] = {}
    for name in names:
        column = table.column(name)
        if column.null_count:
            values = np.empty(len(column), dtype=object)
            values[:] = column.to_pylist()
            result[name] = values
        else:
            result[name] = column.to_numpy()
    return result
