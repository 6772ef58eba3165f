"""Instances to measure on: forms of any length, a device for each kiosk, and their responses as bytes.

`make_ground`, `Ground`, `make_form`, `Sheet`.
"""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from survey_app.model import Centre, ServiceField, Wave, stamp
from survey_app.questionnaire import Questionnaire, asked, load, shipped
from survey_app.settings import Settings, create_instance
from survey_app.store import Store

WAVE = "do-tai"
FIELD = "ho-tich"
_HEAD = """id = "do-tai-{items}"
version = "1"
languages = ["vi", "en"]
source = "ours: a benchmark"
title = {{vi = "Đo tải", en = "Load"}}
authority = {{vi = "Đo", en = "Bench"}}
intro = {{vi = "Đo", en = "Bench"}}
[[scales]]
id = "satisfaction"
source = "ours: a benchmark"
options = [{options}]
[[sections]]
code = "all"
title = {{vi = "Tất cả", en = "All"}}
"""
_ITEM = """[[items]]
code = "X.N{number}"
kind = "likert"
scale = "satisfaction"
section = "all"
text = {{vi = "Câu {number}", en = "Question {number}"}}
source = "ours: a benchmark"
"""


def make_form(items: int, folder: Path) -> Questionnaire:
    """A form of so many likert items, all of them asked."""
    options = ", ".join(f'{{code = {code}, vi = "Mức {code}", en = "Level {code}"}}' for code in range(1, 6))
    path = folder / f"do-tai-{items}.1.toml"
    text = _HEAD.format(items=items, options=options) + "".join(_ITEM.format(number=n) for n in range(1, items + 1))
    path.write_text(text, encoding="utf-8")
    return load(path)


def counter_form() -> Questionnaire:
    return load(shipped()["counter", "1"])


@dataclass(frozen=True)
class Sheet:
    """A form filled in: every item that can be asked is answered, and a time is kept for each."""

    questionnaire: str
    version: str
    field: str | None
    answers: dict[str, Any]

    @classmethod
    def of(cls, form: Questionnaire) -> "Sheet":
        answers: dict[str, Any] = {}
        for item in form.items:
            if item.code == form.roles.get("field") or item.kind == "text" or not asked(form, item, answers):
                continue
            wanted = {form.roles.get("visit"): 2, "FEEDBACK": 1}.get(item.code)
            code = wanted or (item.options[0].code if item.options else item.minimum or 0)
            answers[item.code] = [code] if item.kind == "choices" else code
        return cls(form.id, form.version, FIELD if form.roles.get("field") else None, answers)

    def response(self, seq: int, **changes: Any) -> dict[str, Any]:
        """One response as a device keeps it."""
        now = stamp(datetime.now(UTC))
        return {
            "uuid": str(uuid.uuid4()), "seq": seq, "wave": WAVE, "questionnaire": self.questionnaire,
            "version": self.version, "language": "vi", "field": self.field, "psu": None, "mode": "kiosk",
            "recruitment": "walk_up", "disposition": "complete", "part": None, "answers": self.answers,
            "started": now, "submitted": now, "durations": dict.fromkeys(self.answers, 1500), "paradata": {"back": 0},
        } | changes  # fmt: skip

    def pattern(self) -> str:
        """A sending of one response with %(uuid)s, %(seq)d and %(now)s to be filled in."""
        one = self.response(0) | {"uuid": "%(uuid)s", "started": "%(now)s", "submitted": "%(now)s"}
        text = json.dumps(sending([one], 0) | {"sent_at": "%(now)s"}).replace("%", "%%").replace("%%(", "%(")
        return text.replace('"seq": 0', '"seq": %(seq)d').replace('"last_seq": 0', '"last_seq": %(seq)d')


def sending(responses: list[dict[str, Any]], last_seq: int) -> dict[str, Any]:
    return {"sent_at": stamp(datetime.now(UTC)), "last_seq": last_seq, "app": "benchmark", "responses": responses}


@dataclass(frozen=True)
class Ground:
    """An instance with an open wave and the tokens of its devices, each in a centre of its own."""

    settings: Settings
    tokens: tuple[str, ...]
    sheet: Sheet

    def stored(self) -> list[str]:
        """The uuids of the wave, in the order of receipt."""
        with Store.open(self.settings, write=False) as store:
            return [one.uuid for one in store.responses(WAVE)]


def make_ground(folder: Path, devices: int, form: Questionnaire | None = None) -> Ground:
    form = form or counter_form()
    settings = create_instance(folder)
    codes = tuple(f"C{number:03}" for number in range(devices))
    with Store.create(settings) as store:
        store.add_centres([Centre(code, code, code, "commune", "G") for code in codes])
        store.add_fields([ServiceField(FIELD, {"vi": "Hộ tịch", "en": "Civil status"}, "benchmark")])
        title = {"vi": "Đo tải", "en": "Load"}
        store.create_wave(Wave(WAVE, "counter", title, form.id, form.version, ("2026-11",), codes), form)
        store.open_wave(WAVE)
        tokens = tuple(store.enrol(store.add_device(code)[1]).token for code in codes)
    return Ground(settings, tokens, Sheet.of(form))
