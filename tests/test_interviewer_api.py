"""What the API tells an interviewer's device: its sample wave, its villages, and who may send what where."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from survey_app.store import Store
from tests import served
from tests.kiosk_pages import Kiosk
from tests.test_openapi import told
from tests.villages import FRAME, WAVE, household_form, village_kiosk


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    with village_kiosk(tmp_path) as made:
        yield made


def enrolled(kiosk: Kiosk, purpose: Any = "sample") -> dict[str, str]:
    with Store.open(kiosk.settings) as store:
        token = store.enrol(store.add_device("C01", purpose=purpose)[1]).token
    return {"Authorization": f"Bearer {token}"}


def interview(seq: int, **changes: Any) -> dict[str, Any]:
    form = household_form()
    of_a_village = {"wave": WAVE, "psu": "V1", "mode": "assisted", "recruitment": "invited", "field": None}
    quiet = {"durations": {}, "answers": {}, "disposition": "refused"}
    return served.response(served.counter(), seq, **of_a_village, **quiet, questionnaire=form.id) | changes


def test_an_interviewer_s_device_is_told_its_wave_and_villages(kiosk: Kiosk) -> None:
    client, headers = kiosk.app.test_client(), enrolled(kiosk)
    answer = told(client.get("/api/v1/device", headers=headers), "get", "/api/v1/device")
    assert (answer["wave"], answer["questionnaire"]) == (WAVE, "qd1001-2026")
    assert [unit["psu"] for unit in answer["psus"]] == [unit.psu for unit in FRAME]
    assert answer["psus"][0] == {"psu": "V1", "stratum": "Vùng cao", "name": "Thôn Một", "households": 4}
    body = served.sending(interview(1))
    acknowledged = told(client.post("/api/v1/responses", json=body, headers=headers), "post", "/api/v1/responses")
    assert acknowledged["results"][0]["fate"] == "stored"
    assert (acknowledged["wave"], acknowledged["ledger"]["count"]) == (WAVE, 1)
    kiosk.asked_of_store(lambda store: store.close_wave(WAVE))
    closed = told(client.get("/api/v1/device", headers=headers), "get", "/api/v1/device")
    assert (closed["wave"], closed["psus"]) == (None, [])


def test_a_counter_s_device_is_told_as_before(kiosk: Kiosk) -> None:
    answer = kiosk.app.test_client().get("/api/v1/device", headers=enrolled(kiosk, "counter")).json
    assert answer["wave"] == served.WAVE and "psus" not in answer


@pytest.mark.parametrize(
    ("purpose", "changes", "error"),
    [
        ("sample", {"psu": None}, "psu_missing"),
        ("sample", {"psu": "V9"}, "unknown_psu"),
        ("counter", {}, "counter_device"),
        ("sample", {"wave": served.WAVE, "psu": None, "questionnaire": "counter"}, "interviewer_device"),
    ],
)
def test_what_does_not_belong_is_rejected(kiosk: Kiosk, purpose: str, changes: dict[str, Any], error: str) -> None:
    body = served.sending(interview(1, **changes))
    answer = kiosk.app.test_client().post("/api/v1/responses", json=body, headers=enrolled(kiosk, purpose))
    (result,) = told(answer, "post", "/api/v1/responses")["results"]
    assert result["fate"] == "rejected" and error in result["errors"]
