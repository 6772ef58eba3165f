"""Hidden fields changed by hand: the server's own time counts, and what one tablet does spoils nothing for another."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from survey_app.web.context import services
from tests.kiosk_pages import RECEIVED, Kiosk, Tablet, kiosk_at

THANKS = "Cảm ơn Ông/Bà"
START = "Ông/Bà có hài lòng với dịch vụ hôm nay?"


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    with kiosk_at(tmp_path) as made:
        yield made


@pytest.fixture
def tablet(kiosk: Kiosk) -> Tablet:
    return kiosk.tablet()


def _ready(tablet: Tablet) -> Tablet:
    tablet.begin()
    tablet.walk(RECEIVED)
    return tablet


@pytest.mark.parametrize("started", ["2000-01-01T00:00:00.000Z", "2199-12-31T23:59:59.999Z"])
def test_a_false_beginning_moves_no_response_to_another_day(kiosk: Kiosk, tablet: Tablet, started: str) -> None:
    sent = _ready(tablet).page.sends("send", {})
    sent["started"] = started
    assert THANKS in tablet.send(sent).headings
    (stored,) = kiosk.stored()
    assert stored.submitted == kiosk.clock.now.replace(microsecond=stored.submitted.microsecond)
    assert stored.started <= stored.submitted and not stored.clock


@pytest.mark.parametrize(
    "started", ["0001-01-01T00:00:00.000Z", "2000-01-01T00:00:00.000Z", "2199-12-31T23:59:59.999Z"]
)
def test_a_sheet_tampered_with_spoils_no_other_visit(kiosk: Kiosk, tablet: Tablet, started: str) -> None:
    other = kiosk.tablet("C02")
    other.begin()
    sent = _ready(tablet).page.sends("back", {})
    sent["started"] = started
    tablet.send(sent)
    kiosk.clock.pass_by(5000)
    assert other.begin().status == 200
    assert {response.centre for response in kiosk.stored("broken_off")} == {"C01", "C02"}


def test_more_screens_than_a_form_has_are_not_ours(tablet: Tablet) -> None:
    sent = _ready(tablet).page.sends("next", {})
    for number in range(10_000):
        sent[f"d-X{number}"] = "5"
    assert START in tablet.send(sent).headings


def test_a_tablet_gone_wild_is_slowed_alone(kiosk: Kiosk, tablet: Tablet, monkeypatch: pytest.MonkeyPatch) -> None:
    other = kiosk.tablet()
    tablet.begin()
    sent = tablet.page.sends("size.2", {})
    with kiosk.app.app_context():
        limit = services().limit
    now = time.monotonic()
    monkeypatch.setattr(limit, "_clock", lambda: now)
    while limit.spend("pages of C01-1", 1) is None:
        continue
    answer = tablet.client.post("/survey", data=sent)
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) >= 1
    assert other.begin().status == 200
