"""What the host of a kiosk meets: a tablet not set up, set up, withdrawn, and a centre without a survey."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from survey_app.model import Centre, ServiceField
from survey_app.web import create_app
from tests.kiosk_pages import RECEIVED, Kiosk, Tablet, kiosk_at
from tests.served import WAVE, enrol

PAYLOAD = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    with kiosk_at(tmp_path) as made:
        yield made


@pytest.fixture
def client(kiosk: Kiosk) -> FlaskClient:
    return kiosk.app.test_client()


def _code(kiosk: Kiosk) -> str:
    return str(kiosk.asked_of_store(lambda store: store.add_device("C02"))[1])


def test_an_unknown_tablet_says_so_and_shows_the_way(client: FlaskClient) -> None:
    answer = client.get("/")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 403
    assert "Máy này chưa được cài đặt" in page and "This tablet is not set up yet" in page and 'href="/enrol"' in page
    assert client.post("/survey", data={}).status_code == 403


@pytest.mark.parametrize("token", ["x", "é", "a" * 4000, "' OR 1=1 --"])
def test_a_made_up_token_is_an_unknown_tablet(client: FlaskClient, token: str) -> None:
    client.set_cookie("device", token)
    assert client.get("/").status_code == 403


def test_a_code_sets_the_tablet_up_once(kiosk: Kiosk, client: FlaskClient) -> None:
    code = _code(kiosk)
    answer = client.post("/enrol", data={"code": f"  {code.lower()} "})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and code not in cookie
    assert "Trung tâm C02" in client.get("/").get_data(as_text=True)
    again = kiosk.app.test_client().post("/enrol", data={"code": code})
    assert again.status_code == 422 and "Set-Cookie" not in again.headers
    assert "Mã không đúng, đã dùng hoặc đã hết hạn" in again.get_data(as_text=True)


def test_a_tablet_in_use_never_runs_out(kiosk: Kiosk) -> None:
    tablet = kiosk.tablet()
    cookie = tablet.open().headers["Set-Cookie"]
    assert "Max-Age=34560000" in cookie and "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert "Set-Cookie" not in tablet.tap("start.vi").headers


@pytest.mark.parametrize("code", ["", " ", "AAAA-BBBB-CCCC-DDDD", "\x00", "é" * 16, "x" * 500, PAYLOAD])
def test_a_bad_code_is_told_on_the_page(client: FlaskClient, code: str) -> None:
    answer = client.post("/enrol", data={"code": code})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422 and 'id="code-error"' in page and "Set-Cookie" not in answer.headers
    assert PAYLOAD not in page


def test_asking_for_the_page_enrols_nobody(kiosk: Kiosk, client: FlaskClient) -> None:
    code = _code(kiosk)
    client.get("/enrol", query_string={"code": code})
    assert client.post("/enrol", data={"code": code}).status_code == 303


@pytest.mark.parametrize(
    ("host", "address"),
    [("tablet.tuyenquang.gov.vn", "10.0.0.7"), ("localhost", "10.0.0.7"), ("192.168.1.5", "127.0.0.1")],
)
def test_over_plain_http_nothing_is_set_up_and_the_page_says_why(kiosk: Kiosk, host: str, address: str) -> None:
    client = kiosk.app.test_client()
    for answer in (
        client.get("/enrol", base_url=f"http://{host}", environ_base={"REMOTE_ADDR": address}),
        client.post(
            "/enrol", base_url=f"http://{host}", environ_base={"REMOTE_ADDR": address}, data={"code": _code(kiosk)}
        ),
    ):
        assert answer.status_code == 400 and "Set-Cookie" not in answer.headers
        page = answer.get_data(as_text=True)
        assert "kết nối chưa mã hóa" in page and "unencrypted connection" in page and "--certificate" in page


def test_over_https_the_cookie_is_bound_to_the_host(kiosk: Kiosk) -> None:
    app = create_app(kiosk.settings, writer=kiosk.writer)
    client = app.test_client()
    answer = client.post("/enrol", base_url="https://tablet.example", data={"code": _code(kiosk)})
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-device=") and "Secure" in cookie and "Path=/" in cookie and "Domain" not in cookie
    assert client.get("/", base_url="https://tablet.example").status_code == 200


def test_a_withdrawn_tablet_stops_asking(kiosk: Kiosk, client: FlaskClient) -> None:
    device, token = enrol(kiosk.settings)
    client.set_cookie("device", token)
    tablet = Tablet(client)
    tablet.begin()
    kiosk.asked_of_store(lambda store: store.revoke_device(device))
    assert tablet.tap("next", {"FIELD": "dat-dai"}).status == 403
    assert tablet.open().status == 403 and "Máy này đã ngừng dùng để khảo sát" in tablet.page.headings


def test_without_an_open_wave_the_page_waits(kiosk: Kiosk) -> None:
    tablet = kiosk.tablet()
    kiosk.asked_of_store(lambda store: store.close_wave(WAVE))
    page = tablet.open()
    assert page.status == 200 and "Hiện chưa có đợt khảo sát" in page.headings and "Trung tâm C01" in page.words
    assert page.headers["Refresh"] == "60; url=/"


def test_the_cookie_is_good_for_pages_only(kiosk: Kiosk, client: FlaskClient) -> None:
    client.set_cookie("device", enrol(kiosk.settings)[1])
    assert client.get("/").status_code == 200
    assert client.get("/api/v1/device").status_code == 401


def test_names_are_shown_as_text(kiosk: Kiosk) -> None:
    def rename(store: object) -> None:
        store.add_centres([Centre("C01", PAYLOAD, PAYLOAD, "commune", "G1")])  # type: ignore[attr-defined]
        store.add_fields([ServiceField("dat-dai", {"vi": PAYLOAD, "en": PAYLOAD}, "test")])  # type: ignore[attr-defined]

    kiosk.asked_of_store(rename)
    tablet = kiosk.tablet()
    for page in (tablet.open(), tablet.begin("en")):
        assert "<script>" not in page.html and "<img" not in page.html and PAYLOAD in page.words
    kiosk.asked_of_store(lambda store: store.close_wave(WAVE))
    assert "<script>" not in tablet.open().html


def test_a_comment_is_shown_as_text(kiosk: Kiosk) -> None:
    tablet = kiosk.tablet()
    tablet.begin()
    tablet.walk(RECEIVED)
    for go in ("language.en", "size.2", "stop"):
        page = tablet.tap(go, {"COMMENT": f"</textarea>{PAYLOAD}"} if go == "language.en" else {})
        assert "<script>" not in page.html and "<img" not in page.html
    assert page.carried["a-COMMENT"] == f"</textarea>{PAYLOAD}"


@pytest.mark.parametrize("address", ["/", "/enrol"])
def test_pages_of_no_wave_say_that_their_instance_is_simulated(kiosk: Kiosk, address: str) -> None:
    note = "Mô phỏng: chỉ để thử"
    assert note not in kiosk.app.test_client().get(address).get_data(as_text=True)
    settings = replace(kiosk.settings, simulated=True)
    pretended = create_app(settings, writer=kiosk.writer, development_http=True)
    assert note in pretended.test_client().get(address).get_data(as_text=True)
