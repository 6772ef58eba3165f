"""Answers in a file that staff took from a tablet: genuine or refused, whole or not at all, attributed, never doubled."""

import dataclasses
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from survey_app.cli import run as run_cli
from survey_app.cli import sipas
from survey_app.device_import import MOST_BYTES, Export, ExportError, read_export, take_over
from survey_app.device_status import look
from survey_app.model import Device, stamp
from survey_app.response import Response, as_json
from survey_app.store import Store
from survey_app.verification import verify
from tests.ground import NOON, enrolled, make_store, record, response, tamper

BACK = NOON + timedelta(days=9)
"""When the file arrives at the province."""


@dataclasses.dataclass
class Tablet:
    """What a tablet knows, and writes."""

    store: Store
    folder: Path
    device: Device
    token: str

    def payload(self, *responses: Response, **changes: Any) -> dict[str, Any]:
        said = {
            "format": "sipas-device-export-1",
            "device": self.device.id,
            "centre": self.device.centre,
            "app": "kiosk 1",
            "exported": stamp(NOON),
            "offset_ms": 0,
            "last_seq": max((one.seq or 0 for one in responses), default=0),
            "responses": [as_json(one) for one in responses],
        }
        return {**said, **changes}

    def signed(self, line: bytes) -> bytes:
        """As the issue defines it, with what the tablet has: its token."""
        root = hashlib.sha256(self.token.encode()).hexdigest().encode("ascii")
        key = hmac.new(root, b"sipas device export 1", "sha256").digest()
        return line + b"\n" + hmac.new(key, line, "sha256").hexdigest().encode() + b"\n"

    def write(self, *responses: Response, name: str = "export.txt", **changes: Any) -> Path:
        line = json.dumps(self.payload(*responses, **changes), ensure_ascii=False).encode()
        file = self.folder / name
        file.write_bytes(self.signed(line))
        return file

    def take(self, *files: Path, received: datetime = BACK) -> list[dict[str, int]]:
        exports = [read_export(self.store, file) for file in files]
        return [dict(one.fates) for one in take_over(self.store, exports, received)]


def tablet_of(store: Store, folder: Path, centre: str = "00691") -> Tablet:
    _, code = store.add_device(centre, simulated=True)
    token = store.enrol(code).token
    device = store.device_by_token(token)
    assert device is not None
    return Tablet(store, folder, device, token)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with make_store(tmp_path)[1] as made:
        yield made


@pytest.fixture
def tablet(store: Store, tmp_path: Path) -> Tablet:
    return tablet_of(store, tmp_path)


# ---- what is taken


@pytest.mark.parametrize("revoked", [False, True])
def test_it_belongs_to_the_device_and_its_centre_also_when_that_is_revoked(tablet: Tablet, revoked: bool) -> None:
    if revoked:
        tablet.store.revoke_device(tablet.device.id)
    assert tablet.take(tablet.write(response(1), response(2))) == [{"stored": 2}]
    stored = list(tablet.store.responses("q4"))
    assert {(one.device, one.centre, one.mode, one.received) for one in stored} == {
        (tablet.device.id, "00691", "kiosk", BACK)
    }
    assert tablet.store.device(tablet.device.id).revoked is not None or not revoked
    assert verify(tablet.store.settings) == ()


def test_days_on_the_road_are_no_error_of_the_clock(tablet: Tablet) -> None:
    tablet.take(tablet.write(response(1), offset_ms=90_000))
    (one,) = tablet.store.responses("q4")
    assert (one.offset_ms, one.clock, one.local_day.isoformat()) == (90_000, False, "2026-10-05")


def test_a_clock_of_ten_years_ago_is_put_right_and_flagged(tablet: Tablet) -> None:
    ten_years = timedelta(days=3653)
    old = response(1, started=NOON - ten_years - timedelta(minutes=2), submitted=NOON - ten_years)
    tablet.take(tablet.write(old, offset_ms=ten_years // timedelta(milliseconds=1)))
    (one,) = tablet.store.responses("q4")
    assert (one.clock, one.local_day.isoformat()) == (True, "2026-10-05")


def test_a_clock_nobody_knows_is_taken_as_it_is(tablet: Tablet) -> None:
    tablet.take(tablet.write(response(1), offset_ms=None))
    (one,) = tablet.store.responses("q4")
    assert (one.offset_ms, one.clock) == (0, False)


def test_a_file_is_no_sign_of_life_but_tells_what_was_given(tablet: Tablet) -> None:
    record(tablet.store, tablet.device, response(1))
    tablet.take(tablet.write(response(2), last_seq=5))
    (one,) = look(tablet.store, BACK, tablet.device.id)
    assert (one.device.last_seen, one.device.app, len(tablet.store.contacts(tablet.device.id))) == (NOON, None, 1)
    assert (one.tail, one.responses) == ((3, 5), 2)


def test_the_same_file_again_changes_nothing(tablet: Tablet) -> None:
    file = tablet.write(response(1), response(2, {"COMMENT": "Cảm ơn"}))
    assert tablet.take(file) == [{"stored": 2}]
    head = tablet.store.head("q4")
    assert tablet.take(file, received=BACK + timedelta(days=1)) == [{"already_stored": 2}]
    assert tablet.store.head("q4") == head
    assert verify(tablet.store.settings) == ()


def test_what_came_over_the_line_meanwhile_is_known_already(tablet: Tablet) -> None:
    one, two = response(1), response(2)
    record(tablet.store, tablet.device, one)
    other = dataclasses.replace(two, answers={**two.answers, "OVERALL": 1})
    record(tablet.store, tablet.device, other)
    assert tablet.take(tablet.write(one, two, response(3))) == [{"already_stored": 1, "conflict": 1, "stored": 1}]
    assert verify(tablet.store.settings) == ()


def test_what_no_form_allows_is_refused_and_noted_and_the_rest_is_taken(tablet: Tablet) -> None:
    payload = tablet.payload(response(1, {"OVERALL": 9}), response(3))
    payload["responses"].insert(1, {"uuid": "nonsense", "seq": 2})
    file = tablet.folder / "mixed.txt"
    file.write_bytes(tablet.signed(json.dumps(payload).encode()))
    assert tablet.take(file) == [{"rejected": 2, "stored": 1}]
    assert [event.detail["seq"] for event in tablet.store.events(["rejected"])] == [1, 2]
    assert look(tablet.store, BACK)[0].gaps == ()


def test_the_audit_knows_the_file_and_where_it_went(tablet: Tablet) -> None:
    record(tablet.store, tablet.device, response(1))
    file = tablet.write(response(2), response(3), offset_ms=-1500)
    tablet.take(file)
    (event,) = tablet.store.events(["device_imported"])
    assert event.detail == {
        "device": tablet.device.id,
        "centre": "00691",
        "source": "export.txt",
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "app": "kiosk 1",
        "exported": stamp(NOON),
        "offset_ms": -1500,
        "last_seq": 3,
        "received": stamp(BACK),
        "fates": {"stored": 2},
        "positions": {"q4": [2, 3]},
    }


def test_verify_names_what_was_taken_over_and_is_not_there(tablet: Tablet) -> None:
    tablet.take(tablet.write(response(1), response(2)))
    other = enrolled(tablet.store)
    tamper(tablet.store.settings, f"UPDATE response SET device = '{other.id}' WHERE position = 2")
    problems = [problem.what for problem in verify(tablet.store.settings)]
    assert "responses taken over from a file are not those of its device" in problems


def test_several_files_of_one_tablet_and_of_several(tablet: Tablet, tmp_path: Path) -> None:
    """One for each stretch between two jumps of its clock."""
    second = tablet_of(tablet.store, tmp_path, "00694")
    files = (
        tablet.write(response(1), name="1.txt", offset_ms=None),
        tablet.write(response(2), name="2.txt"),
        second.write(response(1), name="3.txt"),
    )
    assert tablet.take(*files) == [{"stored": 1}] * 3
    assert [one.centre for one in tablet.store.responses("q4")] == ["00691", "00691", "00694"]


def test_a_mark_and_other_line_ends_of_the_way_do_no_harm(tablet: Tablet) -> None:
    file = tablet.write(response(1))
    line, mac = file.read_bytes().splitlines()
    file.write_bytes(b"\xef\xbb\xbf" + line + b"\r\n" + mac + b"\r\n\r\n")
    assert tablet.take(file) == [{"stored": 1}]


def test_a_file_of_a_second_before_the_closing_is_late(tablet: Tablet) -> None:
    tablet.store.close_wave("q4", at=NOON + timedelta(seconds=1))
    tablet.take(tablet.write(response(1)))
    (one,) = tablet.store.responses("q4")
    assert (one.late, one.after_close) == (True, False)


# ---- what is refused, whole


def changed(**changes: Any) -> Callable[[Tablet], bytes]:
    """A file that is signed, but says other things."""
    return lambda tablet: tablet.signed(json.dumps({**tablet.payload(response(1)), **changes}).encode())


def without(key: str) -> Callable[[Tablet], bytes]:
    return lambda tablet: tablet.signed(
        json.dumps({name: value for name, value in tablet.payload(response(1)).items() if name != key}).encode()
    )


def good(tablet: Tablet) -> bytes:
    return tablet.signed(json.dumps(tablet.payload(response(1), response(2))).encode())


def one_less(content: bytes) -> bytes:
    line, mac = content.splitlines()
    said = json.loads(line)
    return json.dumps({**said, "responses": said["responses"][:1]}).encode() + b"\n" + mac


BAD: dict[str, tuple[Callable[[Tablet], bytes], str]] = {
    "empty": (lambda _: b"", "no file that a tablet exported"),
    "other": (lambda _: b"code,name\n00691,x\n", "no file that a tablet exported"),
    "binary": (lambda _: bytes(range(256)) * 9, "no file that a tablet exported"),
    "cut in the first line": (lambda tablet: good(tablet)[:900], "cut off"),
    "cut in the second line": (lambda tablet: good(tablet)[:-10], "cut off"),
    "one answer better": (lambda tablet: good(tablet).replace(b'"OVERALL": 4', b'"OVERALL": 5'), "it was changed"),
    "one response less": (lambda tablet: one_less(good(tablet)), "it was changed"),
    "written anew by an editor": (lambda tablet: good(tablet).replace(b'", "', b'","'), "it was changed"),
    "another MAC": (lambda tablet: good(tablet)[:-65] + b"0" * 64, "it was changed"),
    "a MAC with a tail": (lambda tablet: good(tablet).strip() + b"00", "it was changed"),
    "a MAC that is none": (lambda tablet: good(tablet)[:-65] + "ế".encode() * 64, "it was changed"),
    "not UTF-8": (lambda tablet: tablet.signed(b'{"format": "\xff"}'), "is not UTF-8"),
    "not JSON": (lambda tablet: tablet.signed(b"{]"), "is not JSON"),
    "a key twice": (lambda tablet: tablet.signed(b'{"format": "a", "format": "b"}'), "a key stands twice"),
    "deep": (lambda tablet: tablet.signed(b'{"format":' + b"[" * 100_000), "the first line"),
    "no format": (without("format"), "does not name its format"),
    "a later format": (changed(format="sipas-device-export-2"), "of format 'sipas-device-export-2'"),
    "a key less": (without("exported"), "exported"),
    "a key more": (changed(extra=1), "extra"),
    "a negative number": (changed(last_seq=-1), "last_seq"),
    "a number that is none": (changed(last_seq=True), "last_seq"),
    "a clock that is none": (changed(offset_ms="90"), "offset_ms"),
    "a clock beyond the calendar": (changed(offset_ms=10**16), "offset_ms"),
    "no list": (changed(responses={}), "responses"),
    "an app that commands": (changed(app="\x1b[2J"), "app"),
    "an unknown device": (changed(device="00691-9"), "device '00691-9' is not known here"),
    "a path for a device": (changed(device="../x"), "is not known here"),
    "another centre": (changed(centre="TINH"), "names centre 'TINH'"),
}


@pytest.mark.parametrize(("content", "said"), BAD.values(), ids=BAD.keys())
def test_what_no_tablet_of_ours_wrote_so_is_refused_with_a_remedy(
    tablet: Tablet, content: Callable[[Tablet], bytes], said: str
) -> None:
    file = tablet.folder / "bad.txt"
    file.write_bytes(content(tablet))
    before = tablet.store.heads()
    with pytest.raises(ExportError) as refused:
        tablet.take(file)
    (problem,) = refused.value.problems
    assert said in problem.what and problem.where == str(file) and len(problem.remedy) > 20
    assert tablet.store.heads() == before


def test_a_device_of_the_same_name_of_another_instance_is_a_stranger(tablet: Tablet, tmp_path: Path) -> None:
    with make_store(tmp_path / "elsewhere")[1] as elsewhere:
        stranger = tablet_of(elsewhere, tmp_path)
        file = stranger.write(response(1))
        assert stranger.device.id == tablet.device.id
        with pytest.raises(ExportError, match="another instance's"):
            tablet.take(file)
        assert stranger.take(file) == [{"stored": 1}]


def test_no_tablet_speaks_for_another(tablet: Tablet, tmp_path: Path) -> None:
    other = tablet_of(tablet.store, tmp_path, "00694")
    forged = dataclasses.replace(tablet, token=other.token)
    with pytest.raises(ExportError, match="it was changed"):
        forged.take(forged.write(response(1)))


def test_a_device_never_enrolled_wrote_nothing(tablet: Tablet) -> None:
    device, _ = tablet.store.add_device("00691", simulated=True)
    forged = dataclasses.replace(tablet, device=device, token="")
    for token_hash in ("", hashlib.sha256(b"").hexdigest()):
        line = json.dumps(forged.payload(response(1))).encode()
        key = hmac.new(token_hash.encode(), b"sipas device export 1", "sha256").digest()
        file = tablet.folder / "forged.txt"
        file.write_bytes(line + b"\n" + hmac.new(key, line, "sha256").hexdigest().encode())
        with pytest.raises(ExportError, match="it was changed"):
            forged.take(file)


def test_row_25_a_file_too_large_is_not_even_read(tablet: Tablet) -> None:
    file = tablet.folder / "large.txt"
    with file.open("wb") as stream:
        stream.truncate(MOST_BYTES + 1)
    with pytest.raises(ExportError, match="larger than 64 MiB"):
        tablet.take(file)


def test_row_25_more_responses_than_a_tablet_holds_are_refused(tablet: Tablet) -> None:
    with pytest.raises(ExportError, match="responses"):
        tablet.take(tablet.write(responses=[0] * 20_001))


def test_rows_21_22_and_24_the_server_decides_here_too(tablet: Tablet) -> None:
    """A file is checked as a sending is: no field of the server's own, no identity left out, no answer off the form."""
    good = as_json(response(1))
    bad = [
        good | {"centre": "TINH"},
        good | {"received": stamp(NOON)},
        good | {"weight": 9},
        good | {"uuid": None},
        {key: value for key, value in good.items() if key != "uuid"},
        good | {"wave": "q9"},
        good | {"answers": good["answers"] | {"OVERALL": 6}},
    ]
    assert tablet.take(tablet.write(responses=bad)) == [{"rejected": len(bad)}]
    assert tablet.store.head("q4").count == 0
    assert verify(tablet.store.settings) == ()


def test_row_26_a_name_in_the_file_is_never_a_path(tablet: Tablet) -> None:
    before = sorted(tablet.store.settings.instance.rglob("*"))
    for name in ("../../etc/passwd", "/etc/passwd", "00691-1\u0000"):
        with pytest.raises(ExportError):
            tablet.take(tablet.write(response(1), device=name))
    assert sorted(tablet.store.settings.instance.rglob("*")) == before


# ---- nothing half done


def test_a_failure_in_the_last_file_leaves_nothing_of_the_first(
    tablet: Tablet, monkeypatch: pytest.MonkeyPatch
) -> None:
    exports: list[Export] = [
        read_export(tablet.store, tablet.write(response(seq), name=f"{seq}.txt")) for seq in (1, 2)
    ]
    before = tablet.store.heads()
    log = tablet.store.log_event

    def fails(kind: str, detail: Any) -> None:
        if detail.get("source") == "2.txt":
            raise OSError("the disk is gone")
        log(kind, detail)

    monkeypatch.setattr(tablet.store, "log_event", fails)
    with pytest.raises(OSError, match="the disk is gone"):
        take_over(tablet.store, exports, BACK)
    assert tablet.store.heads() == before
    assert verify(tablet.store.settings) == ()


def test_the_command_takes_all_files_or_none(
    tablet: Tablet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    instance = str(tablet.store.settings.instance)
    one, two = tablet.write(response(1), name="1.txt"), tablet.write(response(2), name="2.txt", offset_ms=None)
    (tmp_path / "bad.txt").write_text("x", encoding="utf-8")
    assert run_cli(["--instance", instance, "device", "import", str(one), str(tmp_path / "bad.txt")]) == 2
    assert "bad.txt" in capsys.readouterr().err
    assert tablet.store.head("q4").count == 0
    done = CliRunner().invoke(sipas, ["--instance", instance, "device", "import", str(one), str(two)])
    assert done.exit_code == 0
    assert done.output == (
        "1.txt: 1 response of device 00691-1, centre 00691: 1 stored\n"
        "2.txt: 1 response of device 00691-1, centre 00691: 1 stored\n"
        "  its clock was not known: times are as it gave them\n"
    )
    again = CliRunner().invoke(sipas, ["--instance", instance, "device", "import", str(one), "--json"])
    assert json.loads(again.output) == [
        {"file": "1.txt", "device": "00691-1", "centre": "00691", "offset_ms": 0, "fates": {"already_stored": 1}}
    ]


def test_row_20_a_files_key_is_no_token(tablet: Tablet) -> None:
    """What lies in the file opens nothing: neither the token nor its hash can be read from it."""
    content = tablet.write(response(1)).read_text(encoding="utf-8")
    assert tablet.token not in content
    assert hashlib.sha256(tablet.token.encode()).hexdigest() not in content
