"""The population model as its file states it: TOML into frozen dataclasses, every problem named at once."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from survey_app.population.files import ModelError, mapping_of, model_file, shipped, table_of, toml_of, value_of
from survey_app.problems import Problem

RESPONSE_CAUSES = ("centre", "field", "age", "satisfaction")
AGES = 5
RESIDENTS = "residents"
"""The shipped model that is of another kind: of residents, for sample waves (`residents.py`)."""


@dataclass(frozen=True)
class VisitModel:
    dossiers: int
    open_days: int
    filed_per_resolved: float
    asked_per_resolved: float
    centre_size_sd: float
    province_factor: float
    field_mix_sd: float
    day_load_sd: float


@dataclass(frozen=True)
class SatisfactionModel:
    base: float
    centre_sd: float
    field_centre_sd: float
    day_sd: float
    person_sd: float
    age: tuple[float, ...]
    overall: float
    cuts: tuple[float, ...]


@dataclass(frozen=True)
class TimingModel:
    late: float
    late_centre_sd: float
    early: float
    unsure: float
    effect: float
    effect_items: Mapping[str, float]


@dataclass(frozen=True)
class FeedbackModel:
    share: float
    slope: float


@dataclass(frozen=True)
class ComeBackModel:
    once: float
    more: float


@dataclass(frozen=True)
class AgeModel:
    item: str
    shares: tuple[float, ...]


@dataclass(frozen=True)
class ResponseModel:
    kinds: Mapping[str, float]
    depends_on: tuple[str, ...]
    centre_sd: float
    centre_correlation: float
    age: tuple[float, ...]
    satisfaction_slope: float
    day_sd: float


@dataclass(frozen=True)
class AnsweringModel:
    decline: float
    decline_demographics: float
    straight_line: float
    speeder: float
    broken_off: float
    comment: float


@dataclass(frozen=True)
class FieldModel:
    share: float
    satisfaction: float
    late: float
    response: float
    elsewhere: float


@dataclass(frozen=True)
class Model:
    """One model file; `content` is its bytes, kept beside whatever is simulated from it."""

    name: str
    label: str
    content: bytes
    visits: VisitModel
    satisfaction: SatisfactionModel
    items: Mapping[str, float]
    timing: TimingModel
    feedback: FeedbackModel
    come_back: ComeBackModel
    age: AgeModel
    response: ResponseModel
    answering: AnsweringModel
    demographics: Mapping[str, tuple[float, ...]]
    fields: Mapping[str, FieldModel]
    other_fields: FieldModel

    def field(self, code: str) -> FieldModel:
        return self.fields.get(code, self.other_fields)


_TABLES: Mapping[str, type] = {
    "visits": VisitModel,
    "satisfaction": SatisfactionModel,
    "timing": TimingModel,
    "feedback": FeedbackModel,
    "come_back": ComeBackModel,
    "age": AgeModel,
    "response": ResponseModel,
    "answering": AnsweringModel,
    "other_fields": FieldModel,
}
_SHARES = {
    "share",
    "shares",
    "late",
    "early",
    "unsure",
    "once",
    "more",
    "decline",
    "decline_demographics",
    "straight_line",
    "speeder",
    "broken_off",
    "comment",
    "kinds",
}


def shipped_models() -> tuple[str, ...]:
    return tuple(name for name in shipped() if name != RESIDENTS)


def load_model(source: str | Path = "counter") -> Model:
    """A shipped model by its name, or a model file by its path."""
    return parse_model(*model_file(source, shipped_models()))


def parse_model(content: bytes, name: str) -> Model:
    raw = toml_of(content, name)
    problems: list[Problem] = []
    known = {field.name for field in fields(Model)} - {"content"}
    for key in sorted(raw.keys() ^ known):
        what = "unknown" if key in raw else "missing"
        problems.append(
            Problem(f"{what} table or setting {key!r}", name, "see survey_app/data/populations/counter.toml")
        )
    if problems:
        raise ModelError(problems)
    tables: dict[str, Any] = {
        key: table_of(kind, raw[key], f"{name}: {key}", problems) for key, kind in _TABLES.items()
    }
    service_fields = {
        code: table_of(FieldModel, value, f"{name}: fields.{code}", problems)
        for code, value in mapping_of(raw["fields"], f"{name}: fields", problems).items()
    }
    items = value_of(Mapping[str, float], raw["items"], f"{name}: items", problems)
    demographics = {
        code: value_of(tuple[float, ...], value, f"{name}: demographics.{code}", problems)
        for code, value in mapping_of(raw["demographics"], f"{name}: demographics", problems).items()
    }
    if problems:
        raise ModelError(problems)
    model = Model(
        name=str(raw["name"]),
        label=str(raw["label"]),
        content=content,
        items=items,
        demographics=demographics,
        fields=service_fields,
        **tables,
    )
    _sensible(model, name)
    return model


def _sensible(model: Model, name: str) -> None:
    """Shares lie in 0..1, lists have the length of what they describe."""
    problems = []

    def expect(holds: bool, what: str, where: str, remedy: str) -> None:
        if not holds:
            problems.append(Problem(what, f"{name}: {where}", remedy))

    for table in ("timing", "feedback", "come_back", "age", "response", "answering"):
        part = getattr(model, table)
        for field in fields(part):
            if field.name in _SHARES:
                value = getattr(part, field.name)
                values = (
                    value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple) else (value,)
                )
                expect(
                    all(0 <= v < 1 or v == 1 for v in values), f"{value} is no share", f"{table}.{field.name}", "0..1"
                )
    for where, values in (
        ("satisfaction.age", model.satisfaction.age),
        ("age.shares", model.age.shares),
        ("response.age", model.response.age),
    ):
        expect(len(values) == AGES, f"{len(values)} values", where, f"write {AGES}, one an age group")
    cuts = model.satisfaction.cuts
    expect(
        len(cuts) == 4 and list(cuts) == sorted(set(cuts)) and cuts[2] == 0,
        f"cuts are {cuts}",
        "satisfaction.cuts",
        "write four rising numbers, the third 0",
    )
    causes = set(model.response.depends_on) - set(RESPONSE_CAUSES)
    expect(not causes, f"unknown causes {sorted(causes)}", "response.depends_on", f"choose of {RESPONSE_CAUSES}")
    kinds = set(model.response.kinds)
    expect(kinds == {"received", "filed", "asked"}, f"kinds are {sorted(kinds)}", "response.kinds", "name all three")
    total = sum(model.response.kinds.values())
    expect(abs(total - 1) < 1e-9, f"the shares sum to {total}", "response.kinds", "let them sum to 1")
    expect(
        abs(model.response.centre_correlation) <= 1,
        f"{model.response.centre_correlation} is no correlation",
        "response.centre_correlation",
        "write a number in -1..1",
    )
    for code, field_model in {**model.fields, "other": model.other_fields}.items():
        expect(field_model.share > 0, f"share is {field_model.share}", f"fields.{code}.share", "write a share above 0")
    if problems:
        raise ModelError(problems)
