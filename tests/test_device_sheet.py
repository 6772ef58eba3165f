"""`sipas device sheet`: cards for new tablets, whole or not at all, standing alone, and secret."""

import html
import json
import os
import re
import stat
import subprocess
import sys
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import segno

from survey_app import device_sheet
from survey_app.access import CODE_LIFE
from survey_app.device_sheet import (
    CARDS_A_PAGE,
    MAX_DEVICES,
    Order,
    Sheet,
    SheetError,
    address_with_code,
    make_sheet,
    page_address,
)
from survey_app.model import VIETNAM, Centre
from survey_app.settings import Settings
from survey_app.store import EnrolmentError, Store, StoreError
from survey_app.verification import verify
from tests.served import CENTRES, make_field

ADDRESS = "https://sipas.example.vn/enrol"
CODE = re.compile(r'alt="QR: ([A-Z2-7]{4}(?:-[A-Z2-7]{4}){3})"')


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_field(tmp_path / "instance")


def made(settings: Settings, file: Path, address: str | None = ADDRESS, **order: Any) -> tuple[Sheet, str]:
    with Store.open(settings) as store:
        sheet = make_sheet(store, Order(**({"centres": CENTRES} | order)), file, address)
    return sheet, file.read_text(encoding="utf-8")


def sipas(settings: Settings, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "survey_app", "--instance", str(settings.instance), "device", "sheet", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def devices(settings: Settings) -> list[str]:
    with Store.open(settings, write=False) as store:
        return [device.id for device in store.devices()]


def test_every_code_on_the_sheet_enrols_the_device_beside_it(settings: Settings, tmp_path: Path) -> None:
    sheet, text = made(settings, tmp_path / "sheet.html", count=2)
    codes = CODE.findall(text)
    assert [device.id for device in sheet.devices] == [f"{centre}-{n}" for centre in CENTRES for n in (1, 2)]
    assert re.findall(r"<b>([\w-]+-\d+)</b>", text) == [device.id for device in sheet.devices]
    with Store.open(settings) as store:
        assert [store.enrol(code).device for code in codes] == [device.id for device in sheet.devices]
    assert verify(settings) == ()


def test_a_card_says_where_whose_and_until_when_in_both_languages(settings: Settings, tmp_path: Path) -> None:
    sheet, text = made(settings, tmp_path / "sheet.html")
    until = sheet.devices[0].created + CODE_LIFE
    assert sheet.until == until and CODE_LIFE == timedelta(hours=24)
    for said in ("Tỉnh Tuyên Quang", "Trung tâm C01", until.astimezone(VIETNAM).strftime("%H:%M ngày %d/%m/%Y")):
        assert said in text
    assert "Holds secret codes" in text and "Chứa mã bí mật" in text
    assert ("SIMULATED" in text, "Interviewer" in text) == (False, False)


def test_a_sheet_of_simulated_devices_says_so_on_every_card(settings: Settings, tmp_path: Path) -> None:
    sheet, text = made(settings, tmp_path / "sheet.html", simulated=True)
    assert text.count("SIMULATED") == len(sheet.devices) and all(device.simulated for device in sheet.devices)


def test_an_interviewers_device_is_for_sample_waves(settings: Settings, tmp_path: Path) -> None:
    sheet, text = made(settings, tmp_path / "sheet.html", interviewer=True)
    assert {device.purpose for device in sheet.devices} == {"sample"}
    assert text.count("Interviewer’s tablet") == len(sheet.devices)


def test_the_file_is_its_owners_alone(settings: Settings, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made(settings, tmp_path / "sheet.html")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "sheet.html").stat().st_mode) == 0o600


# ---- it stands alone


class Fetching(HTMLParser):
    """What a browser would ask for, and what it would run."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.asked += [value or "" for name, value in attributes if name in ("src", "href", "srcset", "action", "data")]
        assert not any(name.startswith("on") for name, _ in attributes)


def test_it_fetches_nothing_and_runs_nothing(settings: Settings, tmp_path: Path) -> None:
    _, text = made(settings, tmp_path / "sheet.html")
    page = Fetching()
    page.feed(text)
    assert page.asked and all(address.startswith("data:image/svg+xml") for address in page.asked)
    assert not page.tags & {"script", "link", "iframe", "object", "a"}
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style and "@import" not in style and "&" not in style
    assert "default-src 'none'" in text


def test_a_centres_name_is_text(settings: Settings, tmp_path: Path) -> None:
    name = '<script>alert(1)</script>"><img src=x onerror=alert(1)> {{ 7 * 7 }}'
    with Store.open(settings) as store:
        store.add_centres([Centre("X1", "X1", name, "commune", "G1")])
    _, text = made(settings, tmp_path / "sheet.html", centres=("X1",))
    page = Fetching()
    page.feed(text)
    assert "script" not in page.tags and "{{ 7 * 7 }}" in text and html.escape("<script>alert(1)</script>") in text


def modules(image: str) -> list[list[int]]:
    """The dark and light squares of segno's drawing, read back from its path; its border is two modules wide."""
    drawing = unquote(image.partition(",")[2])
    size = int(re.search(r"viewBox='0 0 (\d+) \1'", drawing)[1])  # type: ignore[index]
    field = [[0] * size for _ in range(size)]
    x = y = 0.0
    for command, words in re.findall(r"([Mmh])([^Mmhz]*)", re.search(r" d='([^']*)'", drawing)[1]):  # type: ignore[index]
        numbers = [float(word) for word in re.findall(r"-?[\d.]+", words)]
        if command == "h":
            for column in range(int(x), int(x + numbers[0])):
                field[int(y)][column] = 1
            x += numbers[0]
        else:
            x, y = (numbers[0], numbers[1]) if command == "M" else (x + numbers[0], y + numbers[1])
    return [row[2:-2] for row in field[2:-2]]


def test_the_qr_codes_hold_the_address_and_the_code(settings: Settings, tmp_path: Path) -> None:
    _, text = made(settings, tmp_path / "sheet.html", centres=("C01",))
    shown = {what: html.unescape(image) for image, what in re.findall(r'<img src="([^"]+)" alt="QR: ([^"]+)"', text)}
    (secret,) = CODE.findall(text)
    contents = {secret: secret, f"{ADDRESS}, {secret}": f"{ADDRESS}#{secret}"}
    assert set(shown) == set(contents)
    for what, image in shown.items():
        content = contents[what]
        code = segno.make(content, error="m", micro=False)
        assert modules(image) == [list(row) for row in code.matrix]


def test_row_20_the_code_stands_where_no_server_and_no_log_sees_it() -> None:
    """A browser keeps what follows `#` to itself."""
    parts = urlsplit(address_with_code(ADDRESS, "AAAA-BBBB-CCCC-DDDD"))
    assert parts.fragment == "AAAA-BBBB-CCCC-DDDD"
    assert "AAAA" not in parts.path + parts.query + parts.netloc


def test_the_longest_address_and_code_still_make_a_code_that_a_camera_reads(settings: Settings) -> None:
    """Version 8 has 49 modules: on a card of 28 mm more than half a millimetre each."""
    longest = page_address("https://" + "x" * 70 + ".vn")
    assert len(longest) <= 90
    assert segno.make(address_with_code(longest, "AAAA-BBBB-CCCC-DDDD"), error="m").version <= 8


def test_the_command_for_one_device_gives_the_address_with_its_code(settings: Settings) -> None:
    def add(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "survey_app", "--instance", str(settings.instance), "device", "add", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    told = json.loads(add("C01", "--address", "https://sipas.example.vn/", "--json").stdout)
    assert told["opens"] == f"{ADDRESS}#{told['code']}"
    assert "opens" not in json.loads(add("C01", "--json").stdout)
    shown = add("C01", "--address", "https://sipas.example.vn").stdout
    assert f"or open {ADDRESS} with the code in it" in shown
    before = devices(settings)
    refused = add("C01", "--address", "http://sipas.example.vn")
    assert (refused.returncode, devices(settings)) == (2, before)
    assert "over https only" in refused.stderr


def test_without_an_address_there_is_a_line_to_write_on(settings: Settings, tmp_path: Path) -> None:
    _, text = made(settings, tmp_path / "sheet.html", address=None, centres=("C01",))
    assert "by-hand" in text and len(re.findall("<img ", text)) == 1 and "/enrol" not in text


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("https://sipas.example.vn", ADDRESS),
        ("https://sipas.example.vn/", ADDRESS),
        ("https://sipas.example.vn:8443", "https://sipas.example.vn:8443/enrol"),
        ("http://localhost:8000/", "http://localhost:8000/enrol"),
    ],
)
def test_the_address_is_that_of_the_set_up_page(typed: str, shown: str) -> None:
    assert page_address(typed) == shown


@pytest.mark.parametrize(
    "typed",
    ["", "sipas.example.vn", "ftp://sipas.example.vn", "javascript:alert(1)", "http://sipas.example.vn", "https://",
     "https://sipas.example.vn/x", "https://sipas.example.vn/?a=1", "https://u:p@sipas.example.vn", "https://a b.vn",
     "https://sipas.example.vn:port", "https://[", "https://tỉnh.vn", "https://a.vn\n", "https://" + "a" * 200],
)  # fmt: skip
def test_an_address_that_tablets_cannot_use_is_refused(typed: str) -> None:
    with pytest.raises(SheetError) as caught:
        page_address(typed)
    assert caught.value.problems[0].remedy


# ---- whole or not at all


def test_a_file_that_is_there_is_never_overwritten(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "sheet.html").write_text("mine", encoding="utf-8")
    with pytest.raises(SheetError, match="a file here already"):
        made(settings, tmp_path / "sheet.html")
    assert (tmp_path / "sheet.html").read_text(encoding="utf-8") == "mine"
    assert devices(settings) == [] and sorted(tmp_path.iterdir()) == [tmp_path / "instance", tmp_path / "sheet.html"]


@pytest.mark.parametrize("failing", ["os.fsync", "os.link", "page"])
def test_what_cannot_be_written_adds_no_device(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    target = device_sheet if failing == "page" else device_sheet.os
    monkeypatch.setattr(target, failing.removeprefix("os."), fail)
    if failing == "os.link":
        monkeypatch.setattr(device_sheet.os, "rename", fail)
    with pytest.raises(OSError, match="No space left"):
        made(settings, tmp_path / "sheet.html")
    assert devices(settings) == [] and [path.name for path in tmp_path.iterdir()] == ["instance"]
    assert verify(settings) == ()


def test_a_commit_that_fails_leaves_no_file(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with Store.open(settings) as store, monkeypatch.context() as patched:
        patched.setattr(store, "_append_heads", fail)
        with pytest.raises(OSError, match="No space left"):
            make_sheet(store, Order(CENTRES), tmp_path / "sheet.html", ADDRESS)
    assert devices(settings) == [] and [path.name for path in tmp_path.iterdir()] == ["instance"]


def test_a_file_system_without_links_serves_too(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(device_sheet.os, "link", refuse)
    made(settings, tmp_path / "sheet.html")
    with pytest.raises(SheetError, match="a file here already"):
        made(settings, tmp_path / "sheet.html")
    assert len(devices(settings)) == len(CENTRES)


def test_every_unknown_centre_is_named_and_none_served(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(SheetError) as caught:
        made(settings, tmp_path / "sheet.html", centres=("C01", "C98", "C99"))
    assert [problem.what for problem in caught.value.problems] == [f"there is no centre '{c}'" for c in ("C98", "C99")]
    assert devices(settings) == []


@pytest.mark.parametrize("count", [0, MAX_DEVICES])
def test_a_sheet_has_bounds(settings: Settings, tmp_path: Path, count: int) -> None:
    with pytest.raises(SheetError, match="make several sheets"):
        made(settings, tmp_path / "sheet.html", count=count)


def test_cards_fill_page_after_page(settings: Settings, tmp_path: Path) -> None:
    sheet, text = made(settings, tmp_path / "sheet.html", count=5)
    pages = text.split('<section class="sheet">')[1:]
    assert [page.count('<article class="card">') for page in pages] == [CARDS_A_PAGE, CARDS_A_PAGE, 3]
    assert len(sheet.devices) == 15 and "3 / 3" in pages[-1]


# ---- the command


def test_the_command_for_all_centres(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "cards.html"
    done = sipas(settings, "--all", "--address", "https://sipas.example.vn", "--output", str(file))
    assert done.returncode == 0, done.stderr
    codes = CODE.findall(file.read_text(encoding="utf-8"))
    assert len(codes) == len(CENTRES) and str(file) in done.stdout and "secret" in done.stdout
    assert not any(code in done.stdout + done.stderr for code in codes)
    with Store.open(settings) as store:
        assert store.enrol(codes[0]).centre == CENTRES[0]
        with pytest.raises(EnrolmentError):
            store.enrol(codes[0])
        text = "".join(str(event.detail) for event in store.events())
    assert not any(code in text or code.replace("-", "") in text for code in codes)


def test_the_command_writes_into_the_instance_unless_told_where(settings: Settings) -> None:
    assert sipas(settings, "--centre", "C01", "--centre", "C01", "--json").returncode == 0
    (file,) = settings.instance.glob("device-sheet-*.html")
    assert file.stat().st_mode & 0o077 == 0 and devices(settings) == ["C01-1"]


@pytest.mark.parametrize(
    "words",
    [(), ("--all", "--centre", "C01"), ("--centre", "C99"), ("--all", "--count", "0"), ("--all", "--address", "x"),
     ("--all", "--output", "nowhere/cards.html")],
)  # fmt: skip
def test_a_bad_command_says_so_and_adds_nothing(settings: Settings, words: tuple[str, ...]) -> None:
    done = sipas(settings, *words)
    assert done.returncode == 2 and done.stderr and "Traceback" not in done.stderr
    assert devices(settings) == []


def test_a_store_for_reading_makes_no_sheet(settings: Settings, tmp_path: Path) -> None:
    with Store.open(settings, write=False) as store, pytest.raises(StoreError):
        make_sheet(store, Order(CENTRES), tmp_path / "sheet.html")
    assert not (tmp_path / "sheet.html").exists()


def test_interrupted_after_the_commit_the_sheet_stays(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(settings) as store, monkeypatch.context() as patched:
        told = store._append_heads

        def interrupt(heads: Any, mark: str = "") -> None:
            told(heads, mark)
            if not mark:
                raise KeyboardInterrupt

        patched.setattr(store, "_append_heads", interrupt)
        with pytest.raises(KeyboardInterrupt):
            make_sheet(store, Order(CENTRES), tmp_path / "sheet.html", ADDRESS)
    assert len(devices(settings)) == len(CODE.findall((tmp_path / "sheet.html").read_text(encoding="utf-8"))) == 3


def test_interrupted_before_the_commit_there_is_no_sheet(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(part: Path, file: Path) -> None:
        os.link(part, file)
        raise KeyboardInterrupt

    monkeypatch.setattr(device_sheet, "_move", interrupt)
    with pytest.raises(KeyboardInterrupt):
        made(settings, tmp_path / "sheet.html")
    assert devices(settings) == [] and [path.name for path in tmp_path.iterdir()] == ["instance"]
