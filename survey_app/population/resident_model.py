"""The model of residents as its file states it, for simulated sample waves.

`ResidentModel`, `load_residents`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from survey_app.population.files import ModelError, mapping_of, model_file, table_of, toml_of, value_of
from survey_app.population.model import AGES, RESIDENTS
from survey_app.problems import Problem

SEXES = 2


@dataclass(frozen=True)
class VillageModel:
    drawn: int
    interviews: int
    population_sd: float


@dataclass(frozen=True)
class ResidentSatisfaction:
    base: float
    village_sd: float
    person_sd: float
    sex: tuple[float, ...]
    age: tuple[float, ...]
    cuts: tuple[float, ...]


@dataclass(frozen=True)
class PersonModel:
    sex: tuple[float, ...]
    age: tuple[float, ...]


@dataclass(frozen=True)
class ContactModel:
    not_at_home_age: tuple[float, ...]
    refused_age: tuple[float, ...]
    refused_sex: tuple[float, ...]
    broken_off: float


@dataclass(frozen=True)
class InterviewModel:
    decline: float
    decline_demographics: float
    straight_line: float
    comment: float


@dataclass(frozen=True)
class StratumModel:
    villages: int
    population: int
    place: int
    satisfaction: float
    refused: float
    not_at_home: float


@dataclass(frozen=True)
class ResidentModel:
    """One model file; `content` is its bytes, kept beside whatever is simulated from it."""

    name: str
    label: str
    content: bytes
    villages: VillageModel
    satisfaction: ResidentSatisfaction
    person: PersonModel
    contact: ContactModel
    answering: InterviewModel
    items: Mapping[str, float]
    answers: Mapping[str, tuple[float, ...]]
    scales: Mapping[str, tuple[float, ...]]
    strata: Mapping[str, StratumModel]


_TABLES: Mapping[str, type] = {
    "villages": VillageModel,
    "satisfaction": ResidentSatisfaction,
    "person": PersonModel,
    "contact": ContactModel,
    "answering": InterviewModel,
}
_LENGTHS = {
    "satisfaction.sex": SEXES,
    "satisfaction.age": AGES,
    "satisfaction.cuts": 4,
    "person.sex": SEXES,
    "person.age": AGES,
    "contact.not_at_home_age": AGES,
    "contact.refused_age": AGES,
    "contact.refused_sex": SEXES,
}


def load_residents(source: str | Path = RESIDENTS) -> ResidentModel:
    """The shipped model of residents, or a model file by its path."""
    return parse_residents(*model_file(source, (RESIDENTS,)))


def parse_residents(content: bytes, name: str) -> ResidentModel:
    raw = toml_of(content, name)
    known = {field.name for field in fields(ResidentModel)} - {"content"}
    problems = [
        Problem(
            f"{'unknown' if key in raw else 'missing'} table or setting {key!r}",
            name,
            "see survey_app/data/populations/residents.toml",
        )
        for key in sorted(raw.keys() ^ known)
    ]
    if problems:
        raise ModelError(problems)
    tables: dict[str, Any] = {
        key: table_of(kind, raw[key], f"{name}: {key}", problems) for key, kind in _TABLES.items()
    }
    strata = {
        code: table_of(StratumModel, table, f"{name}: strata.{code}", problems)
        for code, table in mapping_of(raw["strata"], f"{name}: strata", problems).items()
    }
    shares: dict[str, Any] = {
        part: {
            code: value_of(tuple[float, ...], value, f"{name}: {part}.{code}", problems)
            for code, value in mapping_of(raw[part], f"{name}: {part}", problems).items()
        }
        for part in ("answers", "scales")
    }
    items = value_of(Mapping[str, float], raw["items"], f"{name}: items", problems)
    if problems:
        raise ModelError(problems)
    model = ResidentModel(str(raw["name"]), str(raw["label"]), content, items=items, strata=strata, **tables, **shares)
    if problems := _senseless(model, name):
        raise ModelError(problems)
    return model


def _senseless(model: ResidentModel, name: str) -> list[Problem]:
    """Lists have the length of what they describe, shares lie in 0..1."""
    found = []

    def expect(holds: bool, what: str, where: str, remedy: str) -> None:
        if not holds:
            found.append(Problem(what, f"{name}: {where}", remedy))

    for where, length in _LENGTHS.items():
        table, _, key = where.partition(".")
        values = getattr(getattr(model, table), key)
        expect(len(values) == length, f"{len(values)} values", where, f"write {length}")
    cuts = list(model.satisfaction.cuts)
    expect(
        cuts == sorted(set(cuts)) and cuts[2:3] == [0],
        f"cuts are {cuts}",
        "satisfaction.cuts",
        "four rising, the third 0",
    )
    for where, share in (
        ("contact.broken_off", model.contact.broken_off),
        *((f"answering.{field.name}", getattr(model.answering, field.name)) for field in fields(InterviewModel)),
    ):
        expect(0 <= share < 1, f"{share} is no share", where, "write a share, 0 to 1")
    for part in ("answers", "scales"):
        for code, values in getattr(model, part).items():
            expect(min(values) >= 0 and sum(values) > 0, f"{values} are no shares", f"{part}.{code}", "write shares")
    expect(bool(model.strata), "there is no stratum", "strata", "write a table strata.CODE")
    for code, stratum in model.strata.items():
        where = f"strata.{code}"
        expect(stratum.place in (1, 2), f"place is {stratum.place}", where, "1 urban, 2 rural")
        enough = stratum.villages > model.villages.drawn
        expect(enough, f"{stratum.villages} villages", where, f"write more than the {model.villages.drawn} drawn")
        away = stratum.refused + stratum.not_at_home
        fits = 0 < stratum.refused and 0 < stratum.not_at_home and away < 0.9
        expect(
            fits, f"refused and not_at_home are {away:g} together", where, "write shares above 0, below 0.9 together"
        )
    return found
