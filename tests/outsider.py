"""An outsider with the published files of a wave: every sum they make known, and what can be computed from them.

Nothing here looks into the program: rows come from the files, hidden cells are blanks, and equations are those anybody
can write down who knows that the fields make up the whole, the centres too, and the fields of a centre the centre.
"""

import csv
import json
import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array

Row = dict[str, str]
Place = tuple[str, str]
HIDDEN = ("confidential", "complementary")
#: What each mark says of a count: 1 to 9 (1 to 4, or under 10 all alike), or else 5 at the least.
BOUNDS: Mapping[str, tuple[int, int | None]] = {"confidential": (1, 9), "complementary": (5, None)}


def read_rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def place(row: Row) -> Place:
    """Centre and field, "" for all of them."""
    kind, domain = row["domain_kind"], row["domain"]
    if kind == "centre_field":
        centre, _, service = domain.partition("/")
        return centre, service
    return {"all": ("", ""), "field": ("", domain), "centre": (domain, "")}[kind]


@dataclass
class System:
    """Σ coefficient · cell = number. Known cells go to the right, blank ones stay unknown."""

    known: dict[Hashable, float] = field(default_factory=dict)
    unknown: dict[Hashable, int] = field(default_factory=dict)
    rows: list[dict[int, float]] = field(default_factory=list)
    right: list[float] = field(default_factory=list)

    def cell(self, name: Hashable, text: str | float | None) -> None:
        if text in ("", None, "–"):
            self.unknown.setdefault(name, len(self.unknown))
        else:
            self.known[name] = float(text)

    def equation(self, terms: Iterable[tuple[float, Hashable]], number: float = 0.0) -> None:
        """Nothing is learned where a term is in no file at all."""
        row: dict[int, float] = defaultdict(float)
        for coefficient, name in terms:
            if name in self.known:
                number -= coefficient * self.known[name]
            elif name in self.unknown:
                row[self.unknown[name]] += coefficient
            else:
                return
        if row:
            self.rows.append(dict(row))
            self.right.append(number)

    @property
    def matrix(self) -> "np.ndarray[Any, Any]":
        matrix = np.zeros((len(self.rows), len(self.unknown)))
        for number, row in enumerate(self.rows):
            for column, coefficient in row.items():
                matrix[number, column] = coefficient
        return matrix

    def solved(self) -> set[Hashable]:
        """Cells with one solution only: their unit vector is orthogonal to the null space of the equations."""
        if not self.rows or not self.unknown:
            return set()
        scale = np.abs(self.matrix).max(axis=1, keepdims=True)
        _, values, basis = np.linalg.svd(self.matrix / scale)
        rank = int((values > 1e-9).sum())
        free = np.abs(basis[rank:]).max(axis=0, initial=0.0)
        return {name for name, column in self.unknown.items() if free[column] < 1e-7}

    def forced(self, bounds: Mapping[Hashable, tuple[int, int | None]], names: Iterable[Hashable]) -> set[Hashable]:
        """Cells whose least and greatest possible count are the same whole number.

        First a few ways at random to fill the blanks; only what was the same in all of them is looked at by itself.
        """
        if not self.rows:
            return set()
        matrix: Any = csr_array(self.matrix)
        limits = [bounds[name] for name in self.unknown]

        def best(goal: Any) -> Any:
            end = linprog(goal, A_eq=matrix, b_eq=self.right, bounds=limits, method="highs")
            assert end.status in (0, 3), "the published numbers contradict each other"
            return end.x if end.status == 0 else None

        rng = np.random.default_rng(0)
        ways = [best(goal) for goal in rng.random((8, len(self.unknown)))]  # all bounded below: none is endless
        spread = np.ptp(ways, axis=0)
        found: set[Hashable] = set()
        for name in names:
            column = self.unknown[name]
            if spread[column] < 1 - 1e-6:
                goal = np.zeros(len(self.unknown))
                goal[column] = 1
                ends = [best(sign * goal) for sign in (1, -1)]
                if all(end is not None for end in ends) and round(ends[1][column] - ends[0][column], 6) < 1:
                    found.add(name)
        return found


def additive_sets(places: Iterable[Place]) -> list[tuple[Place, list[Place]]]:
    """Totals and their parts: fields of all, centres of all, fields of a centre, centres of a field."""
    places = set(places)
    found = []
    for total in places:
        if total[1] == "":
            found.append((total, [one for one in places if one[0] == total[0] and one[1]]))
        if total[0] == "":
            found.append((total, [one for one in places if one[1] == total[1] and one[0]]))
    return [(total, parts) for total, parts in found if parts]


def add_up(
    system: System, name: Hashable, places: Iterable[Place], weight: Mapping[Place, float] | None = None
) -> None:
    """The equations of every additive set: of counts, or of values that the dossiers weigh."""
    for total, parts in additive_sets(places):
        terms = [(weight[one] if weight else 1.0, (name, one)) for one in parts]
        system.equation([*terms, (-(weight[total] if weight else 1.0), (name, total))])


def counts(rows: Sequence[Row], file: str = "scores") -> System:
    """Responses and valid answers of one file. A count is known where any row of the domain shows it."""
    system = System()
    responses: dict[Place, str] = {}
    n: dict[str, dict[Place, str]] = defaultdict(dict)
    for row in rows:
        responses[place(row)] = responses.get(place(row)) or row["responses"]
        n[row["measure"]][place(row)] = row["n"]
    for name, found in {"responses": responses, **n}.items():
        for one, text in found.items():
            system.cell(((file, name), one), text)
    for name, found in {"responses": responses, **n}.items():
        add_up(system, (file, name), found)
    return system


def values(rows: Sequence[Row], page: Mapping[str, list[list[str]]] | None = None) -> System:
    """Scores: means of their parts by dossiers; what a factor is of its items, and the index of its factors.

    As if everybody had answered everything: then these hold exactly, and an outsider may try them on any wave.
    """
    system = System()
    dossiers = {place(row): float(row["dossiers"] or 0) for row in rows}
    measures: dict[str, list[Place]] = defaultdict(list)
    for row in rows:
        system.cell((row["measure"], place(row)), row["value"])
        measures[row["measure"]].append(place(row))
    for measure, places in measures.items():
        add_up(system, measure, places, dossiers)
    factors = [name for name in measures if name.startswith("factor:")]
    labels = {row["label"]: place(row) for row in rows if row["domain_kind"] == "field"}
    labels |= {"Toàn tỉnh": ("", "")}
    for factor in factors:
        items = [name for name in measures if name.startswith(f"item:II.{factor.removeprefix('factor:')}")]
        for one in measures[factor]:
            system.equation([*((1 / len(items), (item, one)) for item in items), (-1, (factor, one))])
    for line in (page or {}).get("table-mix", []):
        if line and line[0] in labels:
            shares = [share.replace(",", ".") for share in line[1 : 1 + len(factors)]]
            if "–" not in shares:
                terms = [
                    (float(share) / 100, (name, labels[line[0]])) for share, name in zip(shares, factors, strict=True)
                ]
                system.equation([*terms, (-1, ("index", labels[line[0]]))])
            whole = re.fullmatch(r"\d+,\d+", line[1 + len(factors)])
            if whole:
                terms = [(1 / len(factors), (name, labels[line[0]])) for name in factors]
                system.equation(terms, float(whole[0].replace(",", ".")))
    return system


def wave_counts(folder: Path) -> System:
    """Every count of a wave's files in one system: three tables, who was left out, and the classes that were joined."""
    system = System()
    for file in ("scores", "scores_filed", "scores_asked"):
        one = counts(read_rows(folder / f"{file}.csv"), file)
        system.known |= one.known
        for name in one.unknown:
            system.cell(name, None)
        for file_measure in {name[0] for name in (*one.known, *one.unknown)}:  # type: ignore[index]
            add_up(system, file_measure, [name[1] for name in (*one.known, *one.unknown) if name[0] == file_measure])  # type: ignore[index]
    quality = json.loads((folder / "quality.json").read_text(encoding="utf-8"))
    tables = {one["table"]: one["responses"] for one in quality["tables"]}
    reasons = {one["reason"]: one["responses"] for one in quality["left_out"]}
    for name, count in (*tables.items(), *reasons.items()):
        system.cell(("left out", name), count)
    every = [(1.0, ("left out", name)) for name in (*tables, *reasons)]
    system.equation(every, quality["responses"])
    blank = [(1.0, ("left out", name)) for name, count in (*tables.items(), *reasons.items()) if count is None]
    if quality["blank_together"] is not None:
        system.equation(blank, quality["blank_together"])
    for name, file in (("received", "scores"), ("filed", "scores_filed"), ("asked", "scores_asked")):
        system.equation([(1.0, ("left out", name)), (-1.0, ((file, "responses"), ("", "")))])
    return system


def joined(
    system: System, page: Mapping[str, list[list[str]]], centres: Mapping[str, str], fields: Mapping[str, str]
) -> None:
    """The responses of each weighting class, as the page lists them. centres, fields : words -> code"""
    for line in page.get("table-joinings", []):
        if len(line) > 2 and line[2].replace(".", "").isdigit():
            service = fields.get(line[1], "")
            names = [centres[name] for name in line[0].split(" + ")]
            terms = [(1.0, (("scores", "responses"), (centre, service))) for centre in names]
            system.equation([term for term in terms if term[1] in {**system.known, **system.unknown}],
                            float(line[2].replace(".", "")))  # fmt: skip


def page_tables(path: Path) -> dict[str, list[list[str]]]:
    """Tables of a page by id, as lists of the words in their cells."""
    found: dict[str, list[list[str]]] = {}
    for name, body in re.findall(r'<table id="([^"]+)".*?<tbody>(.*?)</tbody>', path.read_text("utf-8"), re.DOTALL):
        rows = re.findall(r"<tr.*?>(.*?)</tr>", body, re.DOTALL)
        cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
        found[name] = [[re.sub(r"<sup>.*?</sup>|<[^>]*>", "", cell).strip() for cell in row] for row in cells]
    return found
