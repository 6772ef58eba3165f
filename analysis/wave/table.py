"""The rows of one table of a wave before publication: every measure for all and by field, some by centre as well.

Public: Table, table_cells, Breakdown, BY_FIELD, BY_CENTRE, factor_shares, number.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from analysis.design import SurveyDesign
from analysis.estimates import Estimates
from analysis.sipas_index import IndexSpec, index
from analysis.wave.additive import Place
from analysis.wave.answers import OVERALL, Answers, block, part_of
from analysis.wave.codebook import Codebook
from analysis.wave.extract import Extract
from analysis.wave.publication import MINIMUM_N, Cell
from analysis.wave.rules import SIMULATED, UsedRules
from analysis.wave.wave_result import Score

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALL = "all"
ALL_LABEL = {"counter": "Tất cả lĩnh vực", "sample": "Người dân từ 18 tuổi trở lên"}
BETWEEN = "/"
"""Between centre and field in the domain of centre × field; the codes themselves have none."""
DomainKind = Literal["all", "field", "centre", "centre_field"]
Breakdown = Mapping[DomainKind, tuple[str, ...]]
"""Domain kind -> the measures it has: their names, or "factor:" for every factor; none named: all of them."""
BY_FIELD: Breakdown = {"all": (), "field": ()}
BY_CENTRE: Breakdown = {**BY_FIELD, "centre": ("index", OVERALL, "factor:"), "centre_field": ("index", OVERALL)}
"""No items by centre, no factors by centre × field: even of a large wave hardly a cell has answers enough."""
SURVEY_TOKENS: Mapping[str, tuple[str, ...]] = {"counter": (), "sample": ("own_estimate",)}
"""What a row of a sample wave must not be mistaken for: the province's own estimate is no published figure."""


@dataclass(frozen=True, eq=False)
class Domains:
    """The domains of one kind, by code, and the domain of each row (−1: none).

    places : centre and field of each, "" for all of them
    """

    kind: DomainKind
    codes: tuple[str, ...]
    places: tuple[Place, ...]
    of_row: "NDArray[np.int64]" = field(repr=False)

    @classmethod
    def of(cls, kind: DomainKind, labels: "NDArray[Any]", others: Iterable[str] = ()) -> "Domains":
        """labels : the domain of each row; others : domains that may have no rows"""
        found, place = np.unique(labels, return_inverse=True)
        codes = sorted({*map(str, found), *others})
        position = {code: number for number, code in enumerate(codes)}
        of_row = np.array([position[str(code)] for code in found], dtype=np.int64)[place.reshape(-1)]
        return cls(kind, tuple(codes), tuple(_place(kind, code) for code in codes), of_row)


def _place(kind: DomainKind, code: str) -> Place:
    if kind == "centre_field":
        centre, _, service = code.partition(BETWEEN)
        return centre, service
    return {"all": ("", ""), "field": ("", code), "centre": (code, "")}[kind]


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of the extract that make one table, and their design (None: too few PSUs for any variance).

    A sample wave has no service fields: its only domain is all.

    dossiers : (centre, field) -> dossiers of the fields represented; None where the table is not weighted
    unrepresented : field -> dossiers of fields where nobody answered
    """

    extract: Extract
    rows: "NDArray[np.bool_]" = field(repr=False)
    design: SurveyDesign | None = field(repr=False)
    weighting: str
    dossiers: Mapping[Place, int] | None = None
    unrepresented: Mapping[str, int] = field(default_factory=dict)
    online_included: bool = False

    @property
    def kind(self) -> str:
        return self.extract.codebook.wave.kind

    @cached_property
    def n(self) -> int:
        return int(self.rows.sum())

    @cached_property
    def fields(self) -> "NDArray[Any]":
        return self.extract.column("field")[self.rows].astype(str)

    @cached_property
    def centres(self) -> "NDArray[Any]":
        return self.extract.column("centre")[self.rows].astype(str)

    @cached_property
    def answers(self) -> "Answers":
        return Answers.of(self.extract, self.rows)

    def domains(self, kind: DomainKind) -> Domains:
        """All, or the fields, centres or both crossed that have responses or dossiers."""
        counted = self.dossiers or {}
        if kind == ALL:
            return Domains.of(kind, np.full(self.n, ALL), [ALL])
        if kind == "field":
            return Domains.of(kind, self.fields, {*(code for _, code in counted), *self.unrepresented})
        if kind == "centre":
            return Domains.of(kind, self.centres, {centre for centre, _ in counted})
        return Domains.of(kind, self.crossed, map(BETWEEN.join, counted))

    @cached_property
    def crossed(self) -> "NDArray[Any]":
        return np.char.add(np.char.add(self.centres, BETWEEN), self.fields)

    @cached_property
    def represented(self) -> Mapping[Place, int] | None:
        """Dossiers by place, totals as well; of fields where nobody answered their own total."""
        if self.dossiers is None:
            return None
        sums = {("", code): count for code, count in self.unrepresented.items()}
        for (centre, code), count in self.dossiers.items():
            for place in ((centre, code), (centre, ""), ("", code), ("", "")):
                sums[place] = sums.get(place, 0) + count
        return sums


def table_cells(
    table: Table, rules: UsedRules, measures: Sequence[str] = (), breakdown: Breakdown = BY_FIELD
) -> tuple[Cell, ...]:
    """Unpublished rows, domain by domain: `all` first, then each kind of `breakdown`, by code.

    measures : only these; without any, those the breakdown names
    """
    cells: list[Cell] = []
    for kind, named in breakdown.items():
        if kind == ALL or table.kind == "counter":
            wanted = [one for one in measures or table.answers.measures if _is_named(one, named)]
            cells += _of_kind(table, rules, table.domains(kind), wanted)
    return tuple(cells)


def _is_named(measure: str, named: Collection[str]) -> bool:
    return not named or measure in named or measure.partition(":")[0] + ":" in named


def _of_kind(table: Table, rules: UsedRules, domains: Domains, measures: Sequence[str]) -> Iterator[Cell]:
    """The rows of one kind of domain, in the order of domain and measure."""
    found = _estimates(table, rules, domains) if table.design and table.rows.any() else _Found()
    weight = table.design.weight if table.design else np.ones(table.n)
    responses = np.bincount(domains.of_row, minlength=len(domains.codes)).tolist()
    counts = {measure: _Counts.of(table.answers, domains, measure, weight) for measure in measures}
    book = table.extract.codebook
    labels = _labels(book)
    blocks = {measure: block(book, measure, rules.roll_up) for measure in measures}
    parts = {measure: part_of(book, measure, rules.roll_up, domains.kind in BY_FIELD) for measure in measures}
    for number, (code, place) in enumerate(zip(domains.codes, domains.places, strict=True)):
        label = ALL_LABEL[table.kind] if domains.kind == ALL else _label(labels, place)
        for measure in measures:
            numbers: dict[str, Any] = found.numbers(code, measure)
            share = rules.item_method == "top2" and (measure == OVERALL or measure.startswith("item:"))
            here = counts[measure]
            score = Score(
                wave=table.extract.wave,
                domain_kind=domains.kind,
                domain=code,
                label=label,
                measure=measure,
                item_method=rules.item_method,
                roll_up=rules.roll_up,
                level=rules.level,
                n=here.n[number],
                responses=responses[number],
                dossiers=None if table.represented is None else table.represented.get(place, 0),
                note=_note(table, share, place, measure),
                **numbers,
            )
            kish = here.kish[number] if score.se == 0 and table.design else float(here.n[number])
            yield Cell(
                score,
                "share" if share else "mean",
                here.alike[number],
                min(kish, float(here.n[number])),
                place,
                blocks[measure],
                parts[measure],
            )


@dataclass(frozen=True)
class _Counts:
    """Of one measure by domain: valid answers, Kish's effective number of them, whether all are alike."""

    n: list[int]
    kish: list[float]
    alike: list[bool]

    @classmethod
    def of(cls, answers: Answers, domains: Domains, measure: str, weight: "NDArray[np.float64]") -> "_Counts":
        size = len(domains.codes)
        valid, n, alike = answers.counted(measure, domains.of_row, size)
        at = domains.of_row[valid]
        own = (weight * answers.expansion(measure))[valid]
        one, two = (np.bincount(at, weights=own**power, minlength=size) for power in (1, 2))
        kish = np.divide(one**2, two, out=np.zeros(size), where=two > 0)
        return cls(n.tolist(), kish.tolist(), alike.tolist())


NUMBERS = ("value", "se", "ci_low", "ci_high", "df", "deff", "n_eff")


@dataclass(frozen=True, eq=False)
class _Found:
    """Estimates of the index, its areas, factors and items, and of the overall question; None where nothing can be had."""

    index: Estimates | None = None
    overall: Estimates | None = None

    @cached_property
    def domains(self) -> frozenset[Any]:
        return frozenset(self.index.domains if self.index else ())

    def numbers(self, domain: str, measure: str) -> dict[str, float | None]:
        estimates = self.overall if measure == OVERALL else self.index
        if estimates is None or domain not in self.domains:
            return dict.fromkeys(NUMBERS)
        one = estimates[domain, estimates.variables[-1] if measure == OVERALL else measure]
        return {name: number(getattr(one, name)) for name in NUMBERS}


def _estimates(table: Table, rules: UsedRules, domains: Domains) -> _Found:
    """By the domains of one kind. Cells of centre × field too small for any value to be shown are not estimated."""
    answers, design, level = table.answers, table.design, rules.level / 100
    assert design is not None
    by = {ALL: None, "field": table.fields, "centre": table.centres}.get(domains.kind)
    if domains.kind == "centre_field":
        large = np.bincount(domains.of_row) >= MINIMUM_N
        if not large.any():
            return _Found()
        by = table.crossed.astype(object)
        by[~large[domains.of_row]] = None
    codes = {item: answers.column(item) for item in answers.items}
    found = index(
        design,
        codes,
        answers.spec,
        rules.item_method,
        rules.roll_up,
        by=by,
        level=level,
        areas=len(answers.spec.areas) > 1,
        inclusion=answers.chances(answers.spec.items),
    )
    overall = table.extract.codebook.roles.get("overall")
    if not overall:
        return _Found(found)
    return _Found(found, index(design, codes, IndexSpec((overall,)), rules.item_method, by=by, level=level))


def _labels(book: Codebook) -> dict[Place, str]:
    """Fields and centres in the words of the codebook."""
    labels = {("", one.code): one.label.get("vi") or one.code for one in book.fields}
    return labels | {(one.code, ""): one.name for one in book.centres}


def _label(labels: Mapping[Place, str], place: Place) -> str:
    centre, service = place
    parts = [labels.get(one, "".join(one)) for one in ((centre, ""), ("", service)) if any(one)]
    return " – ".join(parts)


def _note(table: Table, share: bool, place: Place, measure: str) -> str:
    """Tokens that keep a row honest outside its file: simulated or not, weighting, interval, parts, whom it leaves out."""
    tokens = [SIMULATED] if table.extract.manifest.simulated else []
    tokens += [f"{table.kind}_survey", *SURVEY_TOKENS[table.kind], f"weights={table.weighting}"]
    tokens.append(f"interval={'korn_graubard' if share else 'logit'}")
    if (parts := table.extract.codebook.parts) and measure != OVERALL:
        tokens.append(f"parts={parts.draw}/{len(parts.factors)}")
    if table.weighting == "nonresponse":
        tokens.append("not_raked")
    if table.online_included:
        tokens.append("online_included")
    if not any(place) and (missed := sum(table.unrepresented.values())):
        tokens.append(f"unrepresented={missed}")
    return "; ".join(tokens)


def factor_shares(table: Table, shown: Sequence[Score]) -> dict[str, dict[str, float]]:
    """Each factor's share of all valid answers, weighted, for all and by field: routing makes domains differ in their mix.

    A share times the answers of the index is a count: where a factor's is hidden, the domain has no shares.
    """
    answers = table.answers
    weight = table.design.weight if table.design else np.ones(table.n)
    valid = (answers.codes > 0).astype(np.float64)
    if answers.inclusion is not None:
        valid /= answers.inclusion
    shares: dict[str, dict[str, float]] = {}
    rows = [row for row in shown if row.domain_kind in BY_FIELD]
    few = {row.domain for row in rows if row.n is None and row.measure.startswith("factor:")}
    for row in rows:
        if row.measure == "index" and row.value is not None and row.domain not in few:
            inside = weight if row.domain_kind == ALL else weight * (table.fields == row.domain)
            by_item = inside @ valid
            sums = {name: float(by_item[list(columns)].sum()) for name, columns in answers.measures.items()}
            factors = {name.removeprefix("factor:"): sums[name] for name in sums if name.startswith("factor:")}
            shares[row.domain] = {name: count / sums["index"] for name, count in factors.items()}
    return shares


def number(value: float | None) -> float | None:
    """A finite number or None."""
    return float(value) if value is not None and isfinite(value) else None
