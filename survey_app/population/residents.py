"""A simulated population of residents in villages, a frame drawn from it, and what everyone would answer.

`build_population` fixes villages and residents, `draw_frame` the villages and households to visit, `draw_contacts` who
of them is met and answers, `resident_truth` and `margins` what is known of all residents. One adult stands for a
household: household size is not modelled, as the interviews do not weight for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from survey_app.model import PrimaryUnit
from survey_app.population.resident_model import ResidentModel
from survey_app.population.world import Bools, Floats, Ints
from survey_app.questionnaire import Index, Item, Questionnaire

Codes = npt.NDArray[np.int8]
SEX, AGE, PLACE = "SEX", "AGE", "PLACE"
MARGINS = (SEX, AGE, PLACE)
NOT_ASKED = -1
COMPLETE, REFUSED, NOT_AT_HOME, BROKEN_OFF = 0, 1, 2, 3
POPULATION = "residents aged 18 or over (simulated)"


@dataclass(frozen=True)
class Village:
    psu: str
    stratum: str
    name: str
    population: int


@dataclass(frozen=True)
class Population:
    """One row a resident; `codes` are the would-be answers by item, -1 where routing does not ask."""

    model: ResidentModel
    seed: int
    villages: tuple[Village, ...]
    village: Ints  # index into villages
    sex: Codes  # 1, 2
    age: Codes  # 1..5
    codes: Mapping[str, Codes]

    @property
    def n(self) -> int:
        return len(self.village)

    def of(self, psu: str) -> Ints:
        """The rows of one village's residents."""
        place = [village.psu for village in self.villages].index(psu)
        return np.flatnonzero(self.village == place)


def build_villages(model: ResidentModel, seed: int) -> tuple[Village, ...]:
    """All villages of all strata; their names say that they are simulated."""
    rng = np.random.default_rng([seed, 11])
    found: list[Village] = []
    for code, stratum in model.strata.items():
        sizes = stratum.population * np.exp(model.villages.population_sd * rng.standard_normal(stratum.villages))
        for size in sizes:
            number = len(found) + 1
            found.append(Village(f"MP{number:03}", code, f"Thôn mô phỏng {number}", max(80, round(float(size)))))
    return tuple(found)


def draw_frame(model: ResidentModel, seed: int) -> tuple[PrimaryUnit, ...]:
    """Villages drawn in each stratum, systematically with probability proportional to size, and so many households.

    With the same number of households in each village of a stratum, all its residents have the same probability.
    """
    rng = np.random.default_rng([seed, 12])
    villages = build_villages(model, seed)
    wanted = model.villages.interviews / (len(model.strata) * model.villages.drawn)
    found = []
    for code, stratum in model.strata.items():
        here = [village for village in villages if village.stratum == code]
        order = rng.permutation(len(here))
        sizes = np.array([here[place].population for place in order])
        households = round(wanted / (1 - stratum.refused - stratum.not_at_home))
        step = sizes.sum() / model.villages.drawn
        points = (rng.random() + np.arange(model.villages.drawn)) * step
        chosen = np.searchsorted(np.cumsum(sizes), points, side="right")
        probability = model.villages.drawn * households / int(sizes.sum())
        for place in sorted(int(order[number]) for number in chosen):
            village = here[place]
            found.append(
                PrimaryUnit(village.psu, code, village.name, village.population, round(probability, 8), households)
            )
    return tuple(found)


def build_population(model: ResidentModel, seed: int, form: Questionnaire) -> Population:
    """Every resident and what each would answer to the items of the index and to those that decide over them."""
    rng = np.random.default_rng([seed, 13])
    villages = build_villages(model, seed)
    village = np.repeat(np.arange(len(villages)), [one.population for one in villages])
    strata = [model.strata[one.stratum] for one in villages]
    n = len(village)
    sex = 1 + _choose(rng, model.person.sex, n)
    age = 1 + _choose(rng, model.person.age, n)
    satisfaction = model.satisfaction
    of_village = satisfaction.village_sd * rng.standard_normal(len(villages))
    level = (
        satisfaction.base
        + np.array([stratum.satisfaction for stratum in strata])[village]
        + of_village[village]
        + np.array(satisfaction.sex)[sex - 1]
        + np.array(satisfaction.age)[age - 1]
        + satisfaction.person_sd * rng.standard_normal(n)
    )
    place = np.array([stratum.place for stratum in strata], dtype=np.int8)[village]
    codes: dict[str, Codes] = {SEX: sex.astype(np.int8), AGE: age.astype(np.int8), PLACE: place}
    index = _index(form)
    for item in _deciding(form, index.items):
        codes.setdefault(item.code, _codes(item, model, rng, n))
    straight = rng.random(n) < model.answering.straight_line
    line = level + rng.logistic(size=n)
    cuts = np.array(satisfaction.cuts)
    for code in index.items:
        score = level + model.items.get(code, 0.0) + rng.logistic(size=n)
        given = (1 + np.searchsorted(cuts, np.where(straight, line, score), side="right")).astype(np.int8)
        codes[code] = np.where(_asked(form, form.item(code), codes), given, NOT_ASKED).astype(np.int8)
    return Population(model, seed, villages, village, codes[SEX], codes[AGE], codes)


def _index(form: Questionnaire) -> Index:
    assert form.index is not None
    return form.index


def _deciding(form: Questionnaire, codes: Sequence[str]) -> list[Item]:
    """The items whose answers decide whether one of these is asked, in the order of the form."""
    wanted: set[str] = set()
    open_ones = list(codes)
    while open_ones:
        more = {condition.item for condition in form.item(open_ones.pop()).conditions} - wanted
        wanted |= more
        open_ones += more
    return [item for item in form.items if item.code in wanted]


def _asked(form: Questionnaire, item: Item, codes: Mapping[str, Codes]) -> Bools:
    """Which residents routing leads to an item; those it depends on are drawn already."""
    n = len(next(iter(codes.values())))

    def holds(condition: Any) -> Bools:
        given = np.isin(codes[condition.item], condition.codes)
        return given & _asked(form, form.item(condition.item), codes)

    every = [holds(condition) for condition in item.ask_if]
    some = [holds(condition) for condition in item.ask_if_any]
    asked = np.ones(n, dtype=np.bool_)
    for one in every:
        asked &= one
    return asked & np.logical_or.reduce(some) if some else asked


def shares_of(item: Item, model: ResidentModel) -> tuple[float, ...]:
    """The shares of an item's options: its own, its scale's, or all alike."""
    own = model.answers.get(item.code) or model.scales.get(item.scale or "", ())
    return own if len(own) == len(item.options) else (1.0,) * len(item.options)


def _codes(item: Item, model: ResidentModel, rng: np.random.Generator, n: int) -> Codes:
    options = np.array([option.code for option in item.options], dtype=np.int8)
    return options[_choose(rng, shares_of(item, model), n)]


def _choose(rng: np.random.Generator, shares: Sequence[float], n: int) -> Ints:
    cumulative = np.cumsum(np.array(shares) / sum(shares))
    return np.searchsorted(cumulative[:-1], rng.random(n), side="right")


# ---- who is met


def draw_contacts(population: Population, frame: Sequence[PrimaryUnit]) -> list[tuple[PrimaryUnit, Ints, Ints]]:
    """For each village of the frame the residents visited, in a random order, and what came of each."""
    rng = np.random.default_rng([population.seed, 14])
    contact = population.model.contact
    found = []
    for unit in frame:
        rows = rng.permutation(population.of(unit.psu))[: unit.households]
        stratum = population.model.strata[unit.stratum]
        age, sex = population.age[rows] - 1, population.sex[rows] - 1
        away = rng.random(len(rows)) < _expit(_logit(stratum.not_at_home) + np.array(contact.not_at_home_age)[age])
        refuses = rng.random(len(rows)) < _expit(
            _logit(stratum.refused) + np.array(contact.refused_age)[age] + np.array(contact.refused_sex)[sex]
        )
        leaves = rng.random(len(rows)) < contact.broken_off
        came = np.where(away, NOT_AT_HOME, np.where(refuses, REFUSED, np.where(leaves, BROKEN_OFF, COMPLETE)))
        found.append((unit, rows, came))
    return found


# ---- what is known of all residents


def margins(population: Population) -> list[tuple[str, int, int]]:
    """`(margin, class, total)`: how many residents there are by sex, by age and by urban or rural place."""
    return [
        (item, int(code), int((population.codes[item] == code).sum()))
        for item in MARGINS
        for code in np.unique(population.codes[item])
    ]


def resident_truth(population: Population, form: Questionnaire, wave: str) -> dict[str, Any]:
    """truth.json of a sample wave: the index, its areas, factors and items for all residents (top2, pooled).

    An answer counts as it would have been given; declining hits every item alike, so leaving declined answers out of
    the estimates moves nothing.
    """
    index = _index(form)
    measures = {
        "index": index.items,
        **{
            f"area:{area.code}": [item for factor in index.factors if factor.area == area.code for item in factor.items]
            for area in index.areas
        },
        **{f"factor:{factor.code}": factor.items for factor in index.factors},
        **{f"item:{code}": (code,) for code in index.items},
    }
    return {
        "simulated": True,
        "wave": wave,
        "model": population.model.name,
        "seed": population.seed,
        "item_method": "top2",
        "roll_up": "pooled",
        "population": POPULATION,
        "residents": population.n,
        **{measure: {"all": _top2(population, items)} for measure, items in measures.items()},
    }


def _top2(population: Population, items: Sequence[str]) -> float:
    satisfied = sum(int((population.codes[code] >= 4).sum()) for code in items)
    return 100 * satisfied / sum(int((population.codes[code] > 0).sum()) for code in items)


def _expit(value: Floats) -> Floats:
    return 1 / (1 + np.exp(-value))


def _logit(share: float) -> float:
    return float(np.log(share / (1 - share)))
