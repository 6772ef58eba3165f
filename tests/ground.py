"""Builders for the tests of the store: an instance with a small field, responses, a tampering hand."""

import sqlite3
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from survey_app.model import Centre, Device, PrimaryUnit, Purpose, Receipt, Rules, ServiceField, Wave
from survey_app.questionnaire import Questionnaire, load, parse, shipped
from survey_app.response import Response
from survey_app.settings import Settings, create_instance
from survey_app.store import Store

FORM: Questionnaire = load(shipped()["counter", "1"])
SHORT: Questionnaire = load(shipped()["counter-short", "1"])
"""As FORM, but each citizen is asked two of its five factors."""
CENTRES = ("00691", "00694", "TINH")
FIELDS = ("dat-dai", "ho-tich")
FRAME = (
    PrimaryUnit("TAN-A", "nui", "Thôn Tân A", 900, 0.02, 20),
    PrimaryUnit("TAN-B", "nui", "Thôn Tân B", 640, 0.015, 15),
    PrimaryUnit("MINH-1", "dong-bang", "Tổ dân phố 1", 2400, 0.01, 25),
)
NOON = datetime(2026, 10, 5, 5, 0, tzinfo=UTC)  # 12:00 in Vietnam
OPENING = datetime(2026, 9, 30, 17, 0, tzinfo=UTC)  # midnight, 1 October, in Vietnam

SATISFIED: dict[str, Any] = {
    **{f"II.{factor}{number}": 4 for factor, last in (("A", 3), ("B", 4), ("C", 3), ("D", 3)) for number in range(1, last + 1)},
    "VISIT": 2, "OVERALL": 4, "FEEDBACK": 2, "TIMING": 2, "BACK": 0,
    **dict.fromkeys(("SEX", "AGE", "ETHNICITY", "EDUCATION", "OCCUPATION", "PLACE"), -3),
}  # fmt: skip


def make_store(path: Path, *, simulated: bool = True, opened: bool = True) -> tuple[Settings, Store]:
    """An instance with three centres, two fields and the wave `q4`, open since OPENING when simulated."""
    settings = create_instance(path / "instance")
    store = Store.create(settings)
    store.add_centres(
        Centre(code, code, f"Phường {code}", "province" if code == "TINH" else "commune", "g1") for code in CENTRES
    )
    store.add_fields(ServiceField(code, {"vi": code.upper(), "en": code}, "test") for code in FIELDS)
    store.create_wave(wave(simulated=simulated), FORM)
    if opened:
        store.open_wave("q4", at=OPENING if simulated else None)
    return settings, store


def wave(id: str = "q4", **changes: Any) -> Wave:
    values: dict[str, Any] = {
        "kind": "counter",
        "title": {"vi": "Quý IV", "en": "Q4"},
        "questionnaire": FORM.id,
        "version": FORM.version,
        "months": ("2026-10",),
        "centres": CENTRES,
        "rules": Rules(),
        "simulated": True,
    }
    return Wave(id=id, **{**values, **changes})


def enrolled(store: Store, centre: str = "00691", *, simulated: bool = True, purpose: Purpose = "counter") -> Device:
    _, code = store.add_device(centre, simulated=simulated, purpose=purpose)
    device = store.device_by_token(store.enrol(code).token)
    assert device is not None
    return device


def response(seq: int | None = 1, answers: dict[str, Any] | None = None, **changes: Any) -> Response:
    """A satisfied citizen's response at NOON; `answers` replace single ones, None takes one out."""
    given = {item: value for item, value in {**SATISFIED, **(answers or {})}.items() if value is not None}
    values: dict[str, Any] = {
        "uuid": str(uuid.uuid4()),
        "seq": seq,
        "wave": "q4",
        "questionnaire": FORM.id,
        "version": FORM.version,
        "language": "vi",
        "field": "ho-tich",
        "psu": None,
        "mode": "kiosk",
        "recruitment": "walk_up",
        "disposition": "complete",
        "part": None,
        "answers": given,
        "started": NOON - timedelta(seconds=90),
        "submitted": NOON,
        "durations": {"II.A1": 4200},
        "paradata": {"back": 0},
    }
    return Response(**{**values, **changes})


def short_wave(store: Store, id: str = "short") -> Device:
    """An open wave of the form in parts, where no other is open, and a device."""
    store.create_wave(wave(id, questionnaire=SHORT.id, version=SHORT.version), SHORT)
    store.open_wave(id, at=OPENING)
    return enrolled(store)


def parted(seq: int | None, number: int, answers: dict[str, Any] | None = None, **changes: Any) -> Response:
    """A satisfied citizen's response who was asked this part of the ten."""
    part = {"factors": (number, 10)}
    left_out = dict.fromkeys(SHORT.left_out(part))
    asked = {"wave": "short", "questionnaire": SHORT.id, "version": SHORT.version, "part": part, "durations": {}}
    return response(seq, {**left_out, **(answers or {})}, **{**asked, **changes})


def sample_wave(store: Store, id: str = "household", **changes: Any) -> Device:
    """An open sample wave over FRAME, and an interviewer's device."""
    store.create_wave(wave(id, kind="sample", **changes), FORM, FRAME)
    store.open_wave(id, at=OPENING)
    return enrolled(store, purpose="sample")


def interview(seq: int | None = 1, answers: dict[str, Any] | None = None, **changes: Any) -> Response:
    """A response of a household; `psu` is the first village unless said otherwise."""
    asked = {"wave": "household", "psu": "TAN-A", "mode": "assisted", "recruitment": "invited", "field": None}
    return response(seq, answers, **{**asked, **changes})


def unmet(disposition: str, seq: int | None = 1, **changes: Any) -> Response:
    """A household that was not interviewed: `refused`, `not_at_home` or `broken_off`."""
    return interview(seq, dict.fromkeys(SATISFIED), disposition=disposition, durations={}, **changes)


def record(store: Store, device: Device, *responses: Response, received: datetime = NOON) -> tuple[Receipt, ...]:
    return store.record(responses, device=device, received=received, sent_at=received)


def fates(receipts: tuple[Receipt, ...]) -> list[str]:
    return [receipt.fate for receipt in receipts]


def tamper(settings: Settings, *statements: str) -> None:
    """What somebody does who has the file: drops every guard, changes rows, puts the guards back."""
    with closing(sqlite3.connect(settings.store_path, isolation_level=None)) as connection:
        guards = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in guards:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        for _, sql in guards:
            connection.execute(sql)


def widened() -> Questionnaire:
    """The counter form with a choices item, and a number too large for a byte."""
    extra = """
[[items]]
code = "HELP"
section = "person"
kind = "choices"
text = {vi = "Ai giúp?", en = "Who helped?"}
source = "ours, for a test"
options = [
  {code = 1, vi = "Người nhà", en = "Family"},
  {code = 2, vi = "Cán bộ", en = "Staff"},
  {code = 99, vi = "Khác", en = "Others"},
]

[[items]]
code = "MINUTES"
section = "person"
kind = "number"
minimum = 0
maximum = 600
text = {vi = "Mấy phút?", en = "How many minutes?"}
source = "ours, for a test"
"""
    content = FORM.content.decode().replace('id = "counter"', 'id = "wide"', 1)
    place = content.index('[[items]]\ncode = "COMMENT"')
    return parse((content[:place] + extra.lstrip() + "\n" + content[place:]).encode(), "wide.1.toml")
