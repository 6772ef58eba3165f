"""R12 on the server: whatever a tablet's clock says, the answer is stored, flagged where it must be, on the right day."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from survey_app.model import VIETNAM, StoredResponse, stamp
from survey_app.settings import Settings
from survey_app.store import Store
from survey_app.verification import verify
from survey_app.web import create_app
from survey_app.writer import Writer
from tests.served import WAVE, counter, enrol, make_field, response, sending

FORM = counter()
YEAR = timedelta(days=365.25)
AGO = timedelta(minutes=20)
"""So long before its sending the citizen answered, by any clock that runs evenly."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_field(tmp_path / "instance")


@pytest.fixture
def now() -> datetime:
    """The server's time: later than the opening of the wave, in whole milliseconds as it is stored."""
    real = datetime.now(UTC) + timedelta(hours=1)
    return real.replace(microsecond=real.microsecond // 1000 * 1000)


@pytest.fixture
def client(settings: Settings, now: datetime) -> Iterator[FlaskClient]:
    with Writer(settings) as writer:
        yield create_app(settings, writer=writer, clock=lambda: now).test_client()


def send(client: FlaskClient, settings: Settings, sent_at: str, started: str, submitted: str) -> Any:
    headers = {"Authorization": f"Bearer {enrol(settings)[1]}"}
    one = response(FORM, 1, started=started, submitted=submitted)
    return client.post("/api/v1/responses", json=sending(one, sent_at=sent_at), headers=headers)


def stored(settings: Settings) -> StoredResponse:
    with Store.open(settings, write=False) as store:
        (one,) = store.responses(WAVE)
        return one


@pytest.mark.parametrize(
    "error",
    [10 * YEAR, -10 * YEAR, timedelta(minutes=6), -timedelta(minutes=6), timedelta(hours=7), -timedelta(days=1)],
    ids=str,
)
def test_a_wrong_clock_is_flagged_and_the_day_is_right(
    client: FlaskClient, settings: Settings, now: datetime, error: timedelta
) -> None:
    there = now + error
    answer = send(client, settings, stamp(there), stamp(there - AGO - timedelta(minutes=2)), stamp(there - AGO))
    assert answer.json["results"][0]["fate"] == "stored"
    one = stored(settings)
    assert one.clock is True
    assert one.offset_ms == round(-error / timedelta(milliseconds=1))
    assert one.local_day == (now - AGO).astimezone(VIETNAM).date()
    assert verify(settings) == ()


def test_a_clock_set_back_to_its_birth_counts(client: FlaskClient, settings: Settings, now: datetime) -> None:
    """A tablet whose battery ran empty begins in 1970, with the hours of its zone."""
    birth = datetime(1970, 1, 1, 0, 30, tzinfo=UTC)
    answer = send(client, settings, stamp(birth), stamp(birth - AGO - timedelta(minutes=2)), stamp(birth - AGO))
    assert answer.json["results"][0]["fate"] == "stored"
    one = stored(settings)
    assert (one.clock, one.local_day) == (True, (now - AGO).astimezone(VIETNAM).date())


@pytest.mark.parametrize("year", [1969, 3000])
def test_what_is_beyond_every_tablet_is_refused_whole(client: FlaskClient, settings: Settings, year: int) -> None:
    far = f"{year}-07-01T00:00:00Z"
    assert send(client, settings, far, far, far).status_code == 400


@pytest.mark.parametrize("hours", [-11, 0, 7, 14])
def test_the_zone_a_tablet_thinks_it_is_in_changes_nothing(
    client: FlaskClient, settings: Settings, now: datetime, hours: int
) -> None:
    def there(moment: datetime) -> str:
        return moment.astimezone(timezone(timedelta(hours=hours))).isoformat(timespec="milliseconds")

    answer = send(client, settings, there(now), there(now - AGO), there(now - AGO + timedelta(minutes=2)))
    assert answer.json["results"][0]["fate"] == "stored"
    one = stored(settings)
    assert (one.offset_ms, one.clock) == (0, False)
    assert one.local_day == (now - AGO + timedelta(minutes=2)).astimezone(VIETNAM).date()


def test_a_clock_that_leapt_ten_years_ahead_during_the_interview(
    client: FlaskClient, settings: Settings, now: datetime
) -> None:
    """Started by the wrong clock, handed in and sent by the right one: the day is that of the handing in."""
    answer = send(client, settings, stamp(now), stamp(now - 10 * YEAR), stamp(now - AGO))
    assert answer.json["results"][0]["fate"] == "stored"
    assert stored(settings).local_day == (now - AGO).astimezone(VIETNAM).date()


def test_a_clock_put_right_between_answer_and_sending_is_flagged_by_the_opening(
    client: FlaskClient, settings: Settings, now: datetime
) -> None:
    """Nobody can know the error then; but an answer from before its wave opened is no answer of that day."""
    old = now - 10 * YEAR
    assert send(client, settings, stamp(now), stamp(old), stamp(old)).json["results"][0]["fate"] == "stored"
    assert (stored(settings).clock, stored(settings).offset_ms) == (True, 0)
