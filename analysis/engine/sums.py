"""The sums over respondents, asked of the engine that has the table. Public: Terms, Sums, Questions.

Each question is one Ibis expression, the same for DuckDB and Spark: sums by domain and sampling unit; counts and squares
by domain, about a value near the mean, so that little cancels; and for every calibration sums by domain and cell.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add, or_
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.engine.columns import TableDomains, with_labels
from analysis.engine.lookup import columns_of
from analysis.engine.source import WEIGHT, Source
from analysis.errors import AnalysisError, Problem

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_FIRST_ROWS = 4096  # the squares are taken about their means


@dataclass(frozen=True, eq=False)
class Terms:
    """What is summed, as Ibis expressions.

    Attributes
    ----------
    top : k numerators, null where missing
    bottom : k denominators, null where missing; None: 1 where the numerator is valid, as for a mean
    pool : ndarray (k, r), adds columns up into r ratios, or None
    combine : ndarray (r, v), mixes ratios into v variables, or None
    """

    top: tuple[Any, ...]
    bottom: tuple[Any, ...] | None = None
    pool: FloatArray | None = None
    combine: FloatArray | None = None

    @property
    def plain(self) -> bool:
        """Each variable is the mean of one column."""
        return self.bottom is None and self.pool is None and self.combine is None

    @cached_property
    def members(self) -> tuple[list[int], ...]:
        """The columns any of which a row must have answered to count for a variable."""
        member = np.eye(len(self.top)) if self.pool is None else self.pool
        if self.combine is not None:
            member = member @ (self.combine != 0)
        return tuple(np.flatnonzero(column).tolist() for column in member.T)


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums of groups sorted by domain and place.

    Attributes
    ----------
    domain, place : ndarray, shape (groups,); place is a sampling unit or a calibration cell
    top, bottom : ndarray, shape (groups, r)
    population, answered : ndarray, shape (groups, v): Σ w over the rows that answered the variable, and how many
    """

    domain: IntArray
    place: IntArray
    top: FloatArray
    bottom: FloatArray
    population: FloatArray
    answered: FloatArray


class Questions:
    """What is asked about one measure in one classification."""

    def __init__(self, source: Source, terms: Terms, domains: TableDomains) -> None:
        self._source, self._terms, self._domains = source, terms, domains
        columns = dict(zip(domains.names, domains.by, strict=True))
        columns |= {_label(name): source.table[name] for name in source.labels}
        for kind, values in (("top", terms.top), ("bottom", terms.bottom or ())):
            # DuckDB takes 0.5 for a decimal: without the cast, products of decimals run out of digits
            columns |= {f"{kind}{j}": value.cast("float64") for j, value in enumerate(values)}
        table = source.table.select(**columns, weight=source.table[WEIGHT])
        if terms.bottom is not None:
            both = [table[f"top{j}"].notnull() & table[f"bottom{j}"].notnull() for j in range(len(terms.top))]
            kept = {
                f"{kind}{j}": here.ifelse(table[f"{kind}{j}"], None) for j, here in enumerate(both) for kind in _PAIR
            }
            table = table.mutate(**kept)
        self._table = with_labels(table, domains.names)

    def by_place(self, labels: Sequence[str], of_atom: IntArray) -> Sums:
        """Sums by domain and place: the sampling unit, or the calibration cell, of each atom, told apart by `labels`."""
        table, terms = self._table, self._terms
        weight, k, answered = table["weight"], len(terms.top), self._answered(table)
        sums = {f"top{j}": (weight * table[f"top{j}"]).sum() for j in range(k)} | {"everyone": weight.sum()}
        if not terms.plain:
            sums |= {f"bottom{j}": (weight * part).sum() for j, part in enumerate(self._denominators(table))}
        for v in np.flatnonzero(~self._complete).tolist():
            sums |= {f"population{v}": answered[v].ifelse(weight, None).sum(), f"n{v}": answered[v].ifelse(1, 0).sum()}
        keys = tuple(map(_label, labels))
        found = self._ask(table, (*self._domains.names, *keys), sums | {"rows": table.count()})
        if len(found) == 0:
            raise AnalysisError(Problem("the table has no rows", "data", "give a table with at least one row"))
        return self._read(found, labels, of_atom)

    def squares(self, value: FloatArray, size: FloatArray) -> FloatArray:
        """Σ w u², shape (domains, v), u = Σ_r combine_r (top_r − value_r · bottom_r) / size_r, formed row by row.

        `value` and `size` have shape (domains, r); a ratio of size 0 counts for nothing.
        """
        ratios = value.shape[1]
        factor = np.divide(1.0, size, out=np.zeros_like(size), where=size != 0)
        known = {f"value{r}": np.nan_to_num(value[:, r]) for r in range(ratios)}
        known |= {f"factor{r}": factor[:, r] for r in range(ratios)}
        table = self._with_known(known)
        top = [table[f"top{j}"].fill_null(0) for j in range(len(self._terms.top))]
        bottom = self._denominators(table)
        pool = np.eye(ratios) if self._terms.pool is None else self._terms.pool
        combine = np.eye(ratios) if self._terms.combine is None else self._terms.combine
        scores = {}
        for r in range(ratios):
            shares = [(float(pool[j, r]), j) for j in np.flatnonzero(pool[:, r]).tolist()]
            high, low = (_added((share, part[j]) for share, j in shares) for part in (top, bottom))
            scores[f"score{r}"] = (high - table[f"value{r}"] * low) * table[f"factor{r}"]
        table = table.mutate(**scores)
        mixed = {
            f"mixed{v}": _added((float(part[r]), table[f"score{r}"]) for r in np.flatnonzero(part).tolist())
            for v, part in enumerate(combine.T)
        }
        table = table.mutate(**mixed)
        sums = {f"square{v}": (table["weight"] * table[name] * table[name]).sum() for v, name in enumerate(mixed)}
        return self._by_domain(table, sums, "square")

    def squared_weights(self) -> FloatArray:
        """Σ w² over the rows that answered the variable, shape (domains, v)."""
        weight = self._table["weight"] * self._table["weight"]
        answered = self._answered(self._table)
        sums = {f"square{v}": here.ifelse(weight, None).sum() for v, here in enumerate(answered)}
        return self._by_domain(self._table, sums, "square")

    # ---- reading answers

    def _read(self, found: Any, labels: Sequence[str], of_atom: IntArray) -> Sums:
        terms, k = self._terms, len(self._terms.top)
        keys = columns_of(found, (*self._domains.names, *map(_label, labels)))
        place = of_atom[self._source.places({name: keys[_label(name)] for name in labels})]
        top = _matrix(found, "top", k)
        population, answered = (
            np.column_stack([_column(found, all_ if done else f"{name}{v}") for v, done in enumerate(self._complete)])
            for name, all_ in (("population", "everyone"), ("n", "rows"))
        )
        bottom = population if terms.plain else _matrix(found, "bottom", k)
        if not (np.isfinite(top).all() and np.isfinite(bottom).all()):
            raise AnalysisError(Problem("a variable holds an infinite value", "data", "give numbers, or nulls"))
        if terms.pool is not None:
            top, bottom = top @ terms.pool, bottom @ terms.pool
        return _merged(self._domains.places(keys, len(found)), place, (top, bottom, population, answered))

    def _by_domain(self, table: Any, sums: dict[str, Any], name: str) -> FloatArray:
        found = self._ask(table, self._domains.names, sums)
        result = np.zeros((len(self._domains.labels), len(sums)))
        place = self._domains.places(columns_of(found, self._domains.names), len(found))
        result[place] = _matrix(found, name, len(sums))
        return result

    @staticmethod
    def _ask(table: Any, groups: Sequence[str], sums: dict[str, Any]) -> Any:
        """The answer, an Arrow table."""
        return (table.group_by(list(groups)) if groups else table).agg(**sums).to_pyarrow()

    @cached_property
    def _complete(self) -> NDArray[np.bool_]:
        """Of each variable, whether every row in a domain answered it."""
        sums = {f"n{v}": here.ifelse(1, 0).sum() for v, here in enumerate(self._answered(self._table))}
        found = self._table.agg(**sums, rows=self._table.count()).to_pyarrow()
        return np.asarray(_matrix(found, "n", len(sums))[0] == _column(found, "rows"))

    # ---- expressions

    def _answered(self, table: Any) -> list[Any]:
        """Of each variable, whether a row answered it."""
        return [reduce(or_, (table[f"top{j}"].notnull() for j in columns)) for columns in self._terms.members]

    def _denominators(self, table: Any) -> list[Any]:
        if self._terms.bottom is None:
            return [table[f"top{j}"].notnull().cast("float64") for j in range(len(self._terms.top))]
        return [table[f"bottom{j}"].fill_null(0) for j in range(len(self._terms.bottom))]

    def _with_known(self, known: dict[str, FloatArray]) -> Any:
        """The rows with what is known of their domain."""
        import ibis
        import pyarrow as pa

        names = self._domains.names
        if not names:
            return self._table.mutate(**{name: ibis.literal(float(values[0])) for name, values in known.items()})
        types = [(name, self._table[name].type().to_pyarrow()) for name in names]
        schema = pa.schema(types + [(name, pa.float64()) for name in known])
        labels = pa.table({**self._domains.values, **known}, schema=schema)
        return self._table.inner_join(ibis.memtable(labels), list(names))


_PAIR = ("top", "bottom")


def _label(name: str) -> str:
    """What a column of the design is called among the rows, where domains and variables have names too."""
    return f"label_{name}"


def _added(parts: Iterable[tuple[float, Any]]) -> Any:
    """Σ of expressions times their coefficients."""
    return reduce(add, (part if share == 1 else part * share for share, part in parts))


def _column(found: Any, name: str) -> FloatArray:
    """Sums of an answer; of groups where all is missing they are 0."""
    return np.asarray(found.column(name).fill_null(0).to_numpy(), dtype=np.float64)


def _matrix(found: Any, name: str, count: int) -> FloatArray:
    return np.column_stack([_column(found, f"{name}{i}") for i in range(count)])


def _merged(domain: IntArray, place: IntArray, values: tuple[FloatArray, ...]) -> Sums:
    """Sort by domain and place and add up groups that share both."""
    order = np.lexsort((place, domain))
    domain, place = domain[order], place[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (domain[1:] != domain[:-1]) | (place[1:] != place[:-1])
    start = np.flatnonzero(new)
    return Sums(domain[start], place[start], *(np.add.reduceat(part[order], start, axis=0) for part in values))
