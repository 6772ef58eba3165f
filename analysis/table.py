"""The rows of one table of a wave before publication: every measure, for all and by field.

Public: Table, Answers, table_cells, factor_shares, number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.codebook import Codebook
from analysis.design import SurveyDesign
from analysis.errors import AnalysisError, Problem
from analysis.estimates import Estimates
from analysis.extract import Extract
from analysis.index import IndexSpec, index
from analysis.publication import Cell
from analysis.rules import SIMULATED, RollUp, UsedRules
from analysis.wave_result import Score

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALL = "all"
ALL_LABEL = {"counter": "Tất cả lĩnh vực", "sample": "Người dân từ 18 tuổi trở lên"}
OVERALL = "overall"
SURVEY_TOKENS: Mapping[str, tuple[str, ...]] = {"counter": (), "sample": ("own_estimate",)}
"""What a row of a sample wave must not be mistaken for: the province's own estimate is no published figure."""


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of the extract that make one table, and their design (None: too few PSUs for any variance).

    A sample wave has no service fields: its only domain is all.

    dossiers : field -> dossiers represented; None where the table is not weighted
    unrepresented : field -> dossiers of fields where nobody answered
    """

    extract: Extract
    rows: "NDArray[np.bool_]" = field(repr=False)
    design: SurveyDesign | None = field(repr=False)
    weighting: str
    dossiers: Mapping[str, int] | None = None
    unrepresented: Mapping[str, int] = field(default_factory=dict)
    online_included: bool = False

    @property
    def kind(self) -> str:
        return self.extract.codebook.wave.kind

    @cached_property
    def n(self) -> int:
        return int(self.rows.sum())

    @property
    def domains(self) -> list[str]:
        """Service fields that have responses or dossiers, by code."""
        if self.kind == "sample":
            return []
        return sorted({*np.unique(self.fields).tolist(), *(self.dossiers or {}), *self.unrepresented})

    @cached_property
    def fields(self) -> "NDArray[Any]":
        return self.extract.column("field")[self.rows].astype(str)

    @cached_property
    def answers(self) -> "Answers":
        return Answers.of(self.extract, self.rows)


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers to the index's items and the overall question, by measure.

    codes : ndarray of int, shape (rows, items), 0 where there is no valid answer
    measures : measure -> its columns, in the order of the table
    """

    items: tuple[str, ...]
    codes: "NDArray[np.int8]" = field(repr=False)
    measures: Mapping[str, tuple[int, ...]]
    spec: IndexSpec

    @classmethod
    def of(cls, extract: Extract, rows: "NDArray[np.bool_]") -> "Answers":
        book = extract.codebook
        if not book.index.items:
            what, remedy = "the wave's form has no index", "only waves of a form with an index have scores"
            raise AnalysisError(Problem(what, str(extract.path), remedy))
        overall = book.roles.get("overall")
        items = book.index.items + ((overall,) if overall else ())
        codes = np.column_stack([extract.column(item)[rows] for item in items]).astype(np.int8)
        place = {item: number for number, item in enumerate(items)}
        measures: dict[str, tuple[int, ...]] = {"index": tuple(range(len(book.index.items)))}
        if overall:
            measures[OVERALL] = (place[overall],)
        spec = index_spec(book)
        if len(spec.areas) > 1:
            measures |= {f"area:{code}": tuple(place[item] for item in part) for code, part in spec.areas.items()}
        measures |= {f"factor:{f.code}": tuple(place[item] for item in f.items) for f in book.index.factors}
        measures |= {f"item:{item}": (place[item],) for item in book.index.items}
        return cls(items, np.maximum(codes, 0), measures, spec)

    def column(self, item: str) -> "NDArray[Any]":
        """Codes of one item as estimators take them: −1 where there is no valid answer."""
        codes = self.codes[:, self.items.index(item)]
        return np.where(codes > 0, codes, np.int8(-1))

    def valid(self, measure: str) -> "NDArray[np.bool_]":
        """Rows with a valid answer to the measure."""
        valid: NDArray[np.bool_] = np.any(self.codes[:, list(self.measures[measure])] > 0, axis=1)
        return valid

    def alike(self, measure: str, rows: "NDArray[np.bool_]") -> bool:
        """Whether all valid answers of these rows are the same code."""
        codes = self.codes[rows][:, list(self.measures[measure])]
        return len(np.unique(codes[codes > 0])) == 1


def index_spec(book: Codebook) -> IndexSpec:
    return IndexSpec(book.index.items, {factor.code: (factor.area, factor.items) for factor in book.index.factors})


def table_cells(table: Table, rules: UsedRules, measures: Sequence[str] | None = None) -> tuple[Cell, ...]:
    """Unpublished rows: `all` first, then every field that has responses or dossiers, by code."""
    chosen = tuple(measures or table.answers.measures)
    found = _estimates(table, rules) if table.design and table.rows.any() else None
    cells = [cell for measure in chosen if (cell := _cell(table, rules, found, ALL, measure))]
    for code in table.domains:
        cells += [_cell(table, rules, found, code, measure) for measure in chosen]
    return tuple(cells)


@dataclass(frozen=True, eq=False)
class _Found:
    """Estimates for all and by field: of the index, its factors and items, and of the overall question."""

    index: Mapping[str, Estimates]
    overall: Mapping[str, Estimates]

    def one(self, domain: str, measure: str) -> Any:
        kind = ALL if domain == ALL else "field"
        if measure == OVERALL:
            estimates = self.overall[kind]
            return estimates[domain, estimates.variables[-1]] if domain in estimates.domains else None
        return self.index[kind][domain, measure] if domain in self.index[kind].domains else None


def _estimates(table: Table, rules: UsedRules) -> _Found:
    answers, design = table.answers, table.design
    assert design is not None
    level = rules.level / 100
    codes = {item: answers.column(item) for item in answers.items}
    found: list[dict[str, Estimates]] = []
    overall = table.extract.codebook.roles.get("overall")
    pooled: RollUp = "pooled"
    for spec, roll_up in ((answers.spec, rules.roll_up), (IndexSpec((overall,)) if overall else None, pooled)):
        found.append({})
        for kind in (ALL, "field")[: 2 if table.domains else 1]:
            if spec:
                by, areas = (None if kind == ALL else table.fields), len(spec.areas) > 1
                found[-1][kind] = index(
                    design, codes, spec, rules.item_method, roll_up, by=by, level=level, areas=areas
                )
    return _Found(*found)


def _cell(table: Table, rules: UsedRules, found: _Found | None, domain: str, measure: str) -> Cell:
    inside = np.ones(table.n, dtype=bool) if domain == ALL else table.fields == domain
    estimate = found.one(domain, measure) if found else None
    valid = inside & table.answers.valid(measure)
    n = int(valid.sum())
    share = rules.item_method == "top2" and (measure == OVERALL or measure.startswith("item:"))
    kish = float(n)
    if estimate is not None and estimate.se == 0 and table.design:
        weight = table.design.weight[valid]
        kish = min(float(n), float(weight.sum() ** 2 / np.square(weight).sum()))
    score = Score(
        wave=table.extract.wave,
        domain_kind=ALL if domain == ALL else "field",
        domain=domain,
        label=ALL_LABEL[table.kind] if domain == ALL else _label(table.extract, domain),
        measure=measure,
        item_method=rules.item_method,
        roll_up=rules.roll_up,
        value=number(estimate and estimate.value),
        se=number(estimate and estimate.se),
        ci_low=number(estimate and estimate.ci_low),
        ci_high=number(estimate and estimate.ci_high),
        level=rules.level,
        df=number(estimate and estimate.df),
        deff=number(estimate and estimate.deff),
        n=n,
        n_eff=number(estimate and estimate.n_eff),
        responses=int(inside.sum()),
        dossiers=_dossiers(table, domain),
        note=_note(table, share, domain),
    )
    alike = n < 10 and table.answers.alike(measure, valid)
    block = _block(table.extract.codebook, measure, rules.roll_up)
    part_of = _part_of(table.extract.codebook, measure, rules.roll_up)
    return Cell(score, "share" if share else "mean", alike, kish, None if domain == ALL else "field", block, part_of)


def _block(book: Codebook, measure: str, roll_up: RollUp) -> str:
    """The measures that bound and explain each other: a factor and its items.

    Under a mean of parts an area's score less those of its other factors is the last factor's: they belong together too.
    """
    kind, _, code = measure.partition(":")
    factor = next(
        (one for one in book.index.factors if code == one.code and kind == "factor" or code in one.items), None
    )
    whole = len({one.area for one in book.index.factors}) > 1 and roll_up in ("item_mean", "factor_mean")
    if kind == "area":
        return f"area:{code}" if whole else ""
    return "" if factor is None else f"area:{factor.area}" if whole else f"factor:{factor.code}"


def _part_of(book: Codebook, measure: str, roll_up: RollUp) -> str:
    """What a measure makes up with others: under a mean of parts all factors the index, else areas stand between."""
    kind, _, code = measure.partition(":")
    area = next((one.area for one in book.index.factors if kind == "factor" and code == one.code), "")
    between = len({one.area for one in book.index.factors}) > 1 and roll_up in ("pooled", "area_mean")
    if kind == "area":
        return "index" if between else ""
    return "" if kind != "factor" else f"area:{area}" if between else "index"


def _label(extract: Extract, code: str) -> str:
    known = {f.code: f.label.get("vi") or code for f in extract.codebook.fields}
    return known.get(code, code)


def _dossiers(table: Table, domain: str) -> int | None:
    if table.dossiers is None:
        return None
    if domain == ALL:
        return sum(table.dossiers.values())
    return table.dossiers.get(domain, table.unrepresented.get(domain))


def _note(table: Table, share: bool, domain: str) -> str:
    """Tokens that keep a row honest outside its file: simulated or not, weighting, interval, whom it leaves out."""
    tokens = [SIMULATED] if table.extract.manifest.simulated else []
    tokens += [f"{table.kind}_survey", *SURVEY_TOKENS[table.kind], f"weights={table.weighting}"]
    tokens.append(f"interval={'korn_graubard' if share else 'logit'}")
    if table.weighting == "nonresponse":
        tokens.append("not_raked")
    if table.online_included:
        tokens.append("online_included")
    if domain == ALL and (missed := sum(table.unrepresented.values())):
        tokens.append(f"unrepresented={missed}")
    return "; ".join(tokens)


def factor_shares(table: Table, shown: Sequence[Score]) -> dict[str, dict[str, float]]:
    """Each factor's share of all valid answers, weighted: routing makes domains differ in their mix of items.

    A share times the answers of the index is a count: where a factor's is hidden, the domain has no shares.
    """
    answers = table.answers
    weight = table.design.weight if table.design else np.ones(table.n)
    valid = answers.codes > 0
    shares: dict[str, dict[str, float]] = {}
    few = {row.domain for row in shown if row.n is None and row.measure.startswith("factor:")}
    for row in shown:
        if row.measure == "index" and row.value is not None and row.domain not in few:
            inside = weight if row.domain == ALL else weight * (table.fields == row.domain)
            sums = {name: float((inside @ valid[:, list(columns)]).sum()) for name, columns in answers.measures.items()}
            factors = {name.removeprefix("factor:"): sums[name] for name in sums if name.startswith("factor:")}
            shares[row.domain] = {name: count / sums["index"] for name, count in factors.items()}
    return shares


def number(value: float | None) -> float | None:
    """A finite number or None."""
    return float(value) if value is not None and isfinite(value) else None
