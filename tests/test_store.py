"""Centres, fields, waves and devices: what the store holds and what it refuses."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from survey_app.access import read_code, secret_hash
from survey_app.model import Centre, Rules, ServiceField
from survey_app.questionnaire import parse
from survey_app.store import DeviceRevoked, EnrolmentError, Store, StoreError
from tests.ground import CENTRES, FORM, FRAME, NOON, OPENING, enrolled, make_store, wave


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    _, made = make_store(tmp_path, opened=False)
    with made:
        yield made


# ---- centres and fields


def test_centres_come_back_by_code(store: Store) -> None:
    assert [centre.code for centre in store.centres()] == sorted(CENTRES)
    assert store.centre("TINH").kind == "province"


def test_importing_centres_again_brings_them_up_to_date(store: Store) -> None:
    store.add_centres([Centre("00691", "Mới", "Phường Mới", "commune", "g2")])
    assert store.centre("00691") == Centre("00691", "Mới", "Phường Mới", "commune", "g2")
    assert len(store.centres()) == len(CENTRES)


def test_an_unknown_centre_is_refused_with_a_remedy(store: Store) -> None:
    with pytest.raises(StoreError, match="sipas centre list"):
        store.centre("99999")


def test_a_retired_field_stays_known(store: Store) -> None:
    store.add_fields([ServiceField("y-te", {"vi": "Y tế", "en": "Health"}, "ours")], others="retire")
    assert [field.code for field in store.fields()] == ["y-te"]
    assert {field.code for field in store.fields("known")} == {"y-te", "dat-dai", "ho-tich"}


def test_fields_keep_the_order_of_their_list(store: Store) -> None:
    store.add_fields([ServiceField(code, {"vi": code, "en": code}, "ours") for code in ("ho-tich", "y-te", "dat-dai")])
    assert [field.code for field in store.fields()] == ["ho-tich", "y-te", "dat-dai"]


# ---- waves


def test_a_wave_comes_back_as_it_was_created(store: Store) -> None:
    rules = Rules(item_method="mean5", weighting="cells", minimum_cell=30)
    made = store.create_wave(wave("w2", rules=rules, months=("2026-11", "2026-10"), kind="sample"), FORM, FRAME)
    assert store.frame("w2") == FRAME
    assert made == store.wave("w2") == wave("w2", rules=rules, months=("2026-11", "2026-10"), kind="sample")


def test_the_form_is_copied_byte_for_byte(store: Store) -> None:
    assert store.questionnaire("counter", "1").content == FORM.content
    assert store.questionnaire_copies() == (("counter", "1", FORM.content, FORM.sha256),)


def test_another_form_under_a_version_in_use_is_refused(store: Store) -> None:
    changed = parse(FORM.content + b"\n# changed\n", "counter.1.toml")
    with pytest.raises(StoreError, match="next version"):
        store.create_wave(wave("w2"), changed)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": "Q4 2026"}, "small letters"),
        ({"id": "#events"}, "small letters"),
        ({"id": "q4"}, "already"),
        ({"months": ("2026-13",)}, "not a month"),
        ({"months": ()}, "months are missing"),
        ({"months": ("2026-10", "2026-10")}, "named twice"),
        ({"centres": ()}, "centres are missing"),
        ({"centres": ("99999",)}, "no centre has the code"),
        ({"title": {"vi": "Một"}}, "title"),
        ({"title": {"vi": " ", "en": "One"}}, "the title: the text is empty"),
        ({"title": {"vi": "=1+2", "en": "One"}}, "takes for a formula"),
        ({"title": {"vi": "Một", "en": "One\u202e"}}, r"U\+202E"),
        ({"title": {"vi": "Một\n", "en": "One"}}, r"U\+000A"),
        ({"title": {"vi": "M" * 401, "en": "One"}}, "401 characters"),
        ({"version": "2"}, "name the same form"),
        ({"rules": Rules(level=40)}, "level is 40"),
        ({"rules": Rules(reference_line=0)}, "reference_line is 0"),
        ({"rules": Rules(weighting="none")}, "weighting"),  # type: ignore[arg-type]
        ({"status": "open"}, "created planned"),
    ],
)
def test_a_wave_that_cannot_be_is_refused(store: Store, change: dict[str, Any], said: str) -> None:
    before = store.waves()
    with pytest.raises(StoreError, match=said):
        store.create_wave(wave(**{"id": "w2", **change}), FORM)
    assert store.waves() == before


def test_opening_and_closing_note_their_moments(store: Store) -> None:
    assert store.open_wave("q4", at=OPENING).opened == OPENING
    closed = store.close_wave("q4", at=NOON)
    assert (closed.status, closed.opened, closed.closed) == ("closed", OPENING, NOON)
    assert [event.kind for event in store.events(["wave_opened", "wave_closed"])] == ["wave_opened", "wave_closed"]


@pytest.mark.parametrize(
    ("states", "verb"),
    [(0, "close"), (1, "open"), (2, "open"), (2, "close")],
    ids=["planned", "open", "reopen", "again"],
)
def test_a_wave_opens_once_and_closes_once(store: Store, states: int, verb: str) -> None:
    for step in ("open_wave", "close_wave")[:states]:
        getattr(store, step)("q4")
    with pytest.raises(StoreError, match="wave 'q4' is"):
        getattr(store, f"{verb}_wave")("q4")


def test_a_wave_cannot_close_before_it_opened(store: Store) -> None:
    store.open_wave("q4", at=NOON)
    with pytest.raises(StoreError, match="before the opening"):
        store.close_wave("q4", at=OPENING)


def test_only_simulated_waves_choose_their_moment(store: Store) -> None:
    store.create_wave(wave("real", simulated=False), FORM)
    with pytest.raises(StoreError, match="simulated"):
        store.open_wave("real", at=NOON)


def test_a_centre_has_one_open_counter_wave_and_the_other_is_named(store: Store) -> None:
    store.create_wave(wave("w2", centres=("00694",)), FORM)
    store.open_wave("q4")
    with pytest.raises(StoreError, match=r"00694 .* wave 'q4'") as refused:
        store.open_wave("w2")
    assert "sipas wave close q4" in str(refused.value)
    store.close_wave("q4")
    assert store.open_wave("w2").status == "open"


def test_a_sample_wave_may_run_beside_a_counter_wave(store: Store) -> None:
    store.create_wave(wave("household", kind="sample"), FORM, FRAME)
    store.open_wave("q4")
    assert store.open_wave("household").status == "open"


def test_the_current_wave_is_the_open_counter_wave_of_the_centre(store: Store) -> None:
    store.create_wave(wave("w2", centres=("00694",)), FORM)
    assert store.current_wave("00694") is None
    store.open_wave("w2")
    current = store.current_wave("00694")
    assert current is not None and current.id == "w2"
    assert store.current_wave("00691") is None


# ---- devices


def test_a_code_enrols_one_device_of_its_centre_once(store: Store) -> None:
    device, code = store.add_device("00694")
    enrolment = store.enrol(code)
    assert (enrolment.device, enrolment.centre) == (device.id, "00694")
    with pytest.raises(EnrolmentError):
        store.enrol(code)


def test_a_code_may_be_typed_carelessly(store: Store) -> None:
    _, code = store.add_device("00691")
    typed = f" {code.replace('-', ' ').lower()} ".replace("o", "0").replace("i", "1").replace("b", "8")
    assert read_code(typed) == read_code(code)
    assert store.enrol(typed).centre == "00691"


def test_code_and_token_have_their_bits_and_are_kept_only_as_hashes(store: Store) -> None:
    _, code = store.add_device("00691")
    enrolment = store.enrol(code)
    assert len(read_code(code)) * 5 == 80
    assert len(enrolment.token) * 6 >= 128
    store.close()
    kept = b"".join(path.read_bytes() for path in store.settings.instance.glob("sipas.sqlite3*"))
    for secret in (code, read_code(code), enrolment.token):
        assert secret.encode() not in kept
    assert secret_hash(enrolment.token).encode() in kept
    assert enrolment.token not in repr(enrolment)


def test_a_code_is_good_for_24_hours(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    _, early = store.add_device("00691")
    _, late = store.add_device("00691")

    class Clock(datetime):
        ahead = timedelta(hours=23, minutes=59)

        @classmethod
        def now(cls, tz: Any = None) -> "datetime":  # type: ignore[override]
            return datetime.now(tz) + cls.ahead

    monkeypatch.setattr("survey_app.store.devices.datetime", Clock)
    assert store.enrol(early).centre == "00691"
    Clock.ahead = timedelta(hours=24, minutes=1)
    with pytest.raises(EnrolmentError, match="24 hours"):
        store.enrol(late)


def test_a_revoked_device_is_not_an_unknown_one(store: Store) -> None:
    _, code = store.add_device("00691")
    enrolment = store.enrol(code)
    assert store.device_by_token("unknown") is None
    store.revoke_device(enrolment.device)
    with pytest.raises(DeviceRevoked) as revoked:
        store.device_by_token(enrolment.token)
    assert revoked.value.device == enrolment.device
    assert store.device_by_token("unknown") is None


def test_a_token_is_looked_up_by_one_search_of_an_index(store: Store) -> None:
    """It is the first thing done for every request."""
    _, code = store.add_device("00691")
    enrolment = store.enrol(code)
    said: list[str] = []
    store._database.conn.set_trace_callback(said.append)
    device = store.device_by_token(enrolment.token)
    store._database.conn.set_trace_callback(None)
    assert device is not None and device.id == enrolment.device
    (statement,) = said
    ((*_, plan),) = store._rows(f"EXPLAIN QUERY PLAN {statement}")
    assert plan.startswith("SEARCH device USING INDEX")


def test_a_code_withdrawn_before_its_use_enrols_nothing(store: Store) -> None:
    device, code = store.add_device("00691")
    store.revoke_device(device.id)
    with pytest.raises(EnrolmentError):
        store.enrol(code)


def test_enrolling_anew_is_a_new_device(store: Store) -> None:
    first, second = enrolled(store), enrolled(store)
    assert first.id != second.id
    assert store.missing(second.id, 2) == ((1, 2),)


def test_a_sign_of_life_never_goes_back(store: Store) -> None:
    device = enrolled(store)
    later = datetime(2026, 11, 1, tzinfo=UTC)
    store.note_contact(device.id, later, last_seq=7)
    store.note_contact(device.id, NOON, last_seq=3)
    assert store.device(device.id).last_seen == later


# ---- the audit


def test_every_deed_is_in_the_audit_in_order(store: Store) -> None:
    device = enrolled(store)
    store.revoke_device(device.id)
    store.log_event("export", {"who": "p1"})
    assert [event.kind for event in store.events()] == [
        "centres_imported", "fields_imported", "wave_created", "device_added", "device_enrolled", "device_revoked",
        "export",
    ]  # fmt: skip
    assert [event.number for event in store.events()] == list(range(1, 8))
