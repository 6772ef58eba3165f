"""A simulated wave as an extract in memory, so that thousands can be analysed by the functions of production.

Only what the estimators read is filled in: visits with a result, their centre, field, day and answers, the register.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from analysis.sipas_index import IndexSpec
from analysis.wave.codebook import Area, Centre, Codebook, Factor, Form, Index, Rules, ServiceField, Wave
from analysis.wave.extract import Extract, Manifest
from survey_app.population import RECEIVED, Answers, Model, Visits, World, build_world
from survey_app.population.world import open_days
from survey_app.province import read_centres
from survey_app.questionnaire import Questionnaire, load, shipped
from survey_app.simulation.citizens import form_of

MONTH = "2026-10"
WAVE = "study"


@dataclass(frozen=True)
class Causes:
    """Why people answer: what response depends on, and how it goes with the centre's satisfaction."""

    depends_on: tuple[str, ...]
    correlation: float = 0.0


def world(model: Model, seed: int, causes: Causes) -> World:
    """The province's 125 centres with 22 open days, and the model's fields."""
    response = replace(model.response, depends_on=causes.depends_on, centre_correlation=causes.correlation)
    centres = read_centres()
    return build_world(
        replace(model, response=response),
        seed,
        form=form_of(_questionnaire()),
        centres=[centre.code for centre in centres],
        fields=list(model.fields),
        days=open_days([MONTH], model.visits.open_days),
        provincial={centre.code for centre in centres if centre.kind == "province"},
    )


def extract_of(world: World, visits: Visits, answers: Answers) -> Extract:
    """The responses among visits with a result; `answers` holds those alone, in their order."""
    chosen = np.flatnonzero(visits.responds)
    assert len(chosen) == len(answers.codes)
    assert (visits.kind == RECEIVED).all()
    n = len(chosen)
    codes = np.where(answers.declined, np.int8(-3), answers.codes)
    responses: dict[str, Any] = {
        "centre": np.array(world.centres, dtype=object)[visits.centre[chosen]],
        "field": np.array(world.fields, dtype=object)[visits.field[chosen]],
        "local_day": np.array(world.days, dtype="datetime64[D]")[visits.day[chosen]],
        "disposition": np.full(n, "complete", dtype=object),
        "after_close": np.zeros(n, dtype=bool),
        "VISIT": np.full(n, RECEIVED, dtype=np.int8),
        "OVERALL": codes[:, -1],
        **{item: codes[:, place] for place, item in enumerate(world.form.items)},
    }
    return Extract(Path(WAVE), _MANIFEST, codebook(world.fields), responses, _register(world))


def _register(world: World) -> dict[str, Any]:
    centre, field = np.nonzero(world.resolved)
    count = world.resolved[centre, field]
    return {
        "centre": np.array(world.centres, dtype=object)[centre],
        "field": np.array(world.fields, dtype=object)[field],
        "month": np.full(len(count), MONTH, dtype=object),
        "channel": np.full(len(count), "counter", dtype=object),
        "received": count,
        "resolved": count,
        "on_time": count,
    }


_MANIFEST = Manifest(
    wave=WAVE,
    questionnaire={},
    simulated=True,
    counts={},
    options={},
    ledger={},
    files={"register.parquet": "in memory"},
    sha256="in memory",
)


@cache
def _questionnaire() -> Questionnaire:
    return load(shipped()["counter", "1"])


@cache
def codebook(fields: Sequence[str]) -> Codebook:
    form = _questionnaire()
    assert form.index is not None
    return Codebook(
        wave=Wave(WAVE, "counter", {"vi": WAVE, "en": WAVE}, (MONTH,), True, f"{MONTH}-01", None, Rules()),
        questionnaire=Form(form.id, form.version, form.title, form.source, form.languages),
        centres=tuple(Centre(c.code, c.name, c.full_name, c.kind, c.group) for c in read_centres()),
        fields=tuple(ServiceField(code, {"vi": code, "en": code}, "simulated") for code in fields),
        roles=form.roles,
        visit_codes=form.visit_codes,
        items=(),
        index=Index(
            items=form.index.items,
            factors=tuple(Factor(f.code, f.text, f.area, f.items) for f in form.index.factors),
            areas=tuple(Area(a.code, a.text) for a in form.index.areas),
            item_method=form.index.item_method,
            roll_up=form.index.roll_up,
        ),
        missing={},
        columns=(),
    )


def index_spec(book: Codebook) -> IndexSpec:
    return IndexSpec(book.index.items, {f.code: (f.area, f.items) for f in book.index.factors})


def seeds(first: int, count: int, size: int) -> list[tuple[int, ...]]:
    """Consecutive seeds in batches, one a task."""
    end = first + count
    return [tuple(range(start, min(start + size, end))) for start in range(first, end, size)]
