"""An archive that was altered, forged or never was one: refused by name, and nothing of it stays."""

import hashlib
import json
import os
import random
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from survey_app.archive import ArchiveError, export_wave, import_wave
from survey_app.archive.layout import ANSWERS, CONFLICTS, EVENTS_MEMBER, MANIFEST, MEMBERS, README, RESPONSES, WAVE
from survey_app.archive.reading import open_archive
from survey_app.archive.writing import _write_member
from survey_app.ledger import GENESIS, compact, content_hash, link
from survey_app.problems import SipasError
from survey_app.settings import create_instance
from survey_app.store import Store
from survey_app.store.recording import RESPONSE_COLUMNS
from survey_app.verification import held_heads, verify
from tests.ground import enrolled, make_store
from tests.test_archive import fill

Contents = dict[str, bytes]


@dataclass
class Ground:
    path: Path
    origin: Store
    copy: Store

    def contents(self) -> Contents:
        with zipfile.ZipFile(self.path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def refused(self) -> str:
        """What the import says; nothing of the archive is here afterwards."""
        before = self.tables()
        with pytest.raises(SipasError) as refused:
            import_wave(self.copy, self.path)
        assert self.tables() == before
        return "\n".join(str(problem) for problem in refused.value.problems)

    def tables(self) -> list[list[Any]]:
        names = [
            name for (name,) in self.copy._rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        ]
        return [list(self.copy._rows(f'SELECT * FROM "{name}"')) for name in names]


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    _, origin = make_store(tmp_path / "a")
    with origin, Store.create(create_instance(tmp_path / "b", key=origin.settings.key)) as copy:
        fill(origin, enrolled(origin))
        yield Ground(export_wave(origin, "q4", tmp_path / "q4.zip").path, origin, copy)


def pack(path: Path, contents: Mapping[str, bytes], order: tuple[str, ...] = (*MEMBERS, MANIFEST)) -> None:
    """As `sipas export` does, the manifest made to fit: what a forger does who has read the layout."""
    manifest = json.loads(contents[MANIFEST])
    manifest["members"] = {
        name: {"sha256": hashlib.sha256(contents[name]).hexdigest(), "bytes": len(contents[name])} for name in MEMBERS
    }
    everything = {**contents, MANIFEST: json.dumps(manifest).encode()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in order:
            _write_member(archive, name, [everything[name]])


def lines(contents: Contents, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in contents[name].splitlines()]


def unlines(data: list[Any]) -> bytes:
    return b"".join(compact(one) + b"\n" for one in data)


# ---- altered without a forger's care


def test_what_the_forger_packs_is_what_export_packs(ground: Ground) -> None:
    pack(ground.path, ground.contents())
    import_wave(ground.copy, ground.path)
    assert verify(ground.copy.settings) == ()


def test_a_flipped_byte_is_refused_unless_the_same_bytes_unpack(ground: Ground) -> None:
    """The last bits of a packed member mean nothing, and now and then two packings mean the same."""
    content, unpacked, seed = ground.path.read_bytes(), ground.contents(), random.Random(5)
    inside = [seed.randrange(len(content)) for _ in range(300)]
    taken = 0
    for place in [*range(100), *inside, *range(len(content) - 1200, len(content))]:
        altered = bytearray(content)
        altered[place] ^= 1 << seed.randrange(8)
        ground.path.write_bytes(altered)
        try:
            with open_archive(ground.path, lambda done, total: None):
                taken += 1
        except ArchiveError:
            continue
        assert ground.contents() == unpacked
    assert taken < 10


def rezip(path: Path, change: Callable[[list[tuple[zipfile.ZipInfo, bytes]]], None]) -> None:
    with zipfile.ZipFile(path) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist()]
    change(members)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, content in members:
            archive.writestr(info, content)


def named(name: str) -> Callable[[list[tuple[zipfile.ZipInfo, bytes]]], None]:
    return lambda members: members.append((zipfile.ZipInfo(name), b"x"))


def encrypted(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.find(signature)
        content[place + offset] |= 1
    path.write_bytes(content)


ALTERED: list[tuple[str, Callable[[Path], object], str]] = [
    ("empty", lambda path: path.write_bytes(b""), "this is not a zip file"),
    ("text", lambda path: path.write_text("STT,Họ tên\n" * 50), "this is not a zip file"),
    ("another zip", lambda path: rezip(path, lambda members: members.clear()), "lacks manifest.json"),
    ("cut off", lambda path: path.write_bytes(path.read_bytes()[:-100]), "cut off at its end"),
    ("half", lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]), "cut off at its end"),
    ("bytes after", lambda path: path.write_bytes(path.read_bytes() + b"\0"), "bytes were added or cut off at its end"),
    ("bytes before", lambda path: path.write_bytes(b"\0\0" + path.read_bytes()), "README.txt"),
    ("member missing", lambda path: rezip(path, lambda members: members.pop(3)), "lacks comments.jsonl"),
    ("member too many", lambda path: rezip(path, named("virus.exe")), "has 'virus.exe', which does not belong there"),
    ("dots", lambda path: rezip(path, named("../../etc/cron.d/x")), "has '../../etc/cron.d/x', which does not belong"),
    ("absolute", lambda path: rezip(path, named("/etc/passwd")), "has '/etc/passwd', which does not belong there"),
    ("folder", lambda path: rezip(path, named("folder/")), "has 'folder/', which does not belong there"),
    ("NUL and escape", lambda path: rezip(path, named("a\x1b[2J")), "has 'a\\x1b[2J', which does not belong there"),
    ("member twice", lambda path: rezip(path, lambda members: members.append(members[4])), "has conflicts.jsonl twice"),
    ("other order", lambda path: rezip(path, lambda members: members.reverse()), "the members are not in their order"),
    ("encrypted", encrypted, "has 'README.txt' encrypted"),
]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("deed", "said"), [row[1:] for row in ALTERED], ids=[row[0] for row in ALTERED])
def test_what_is_no_archive_is_refused_by_name(ground: Ground, deed: Callable[[Path], object], said: str) -> None:
    deed(ground.path)
    assert said in ground.refused()


def test_a_member_with_one_other_letter_is_named(ground: Ground) -> None:
    contents = ground.contents()
    contents["register.csv"] = contents["register.csv"].replace(b"80,70", b"80,79")
    with zipfile.ZipFile(ground.path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (*MEMBERS, MANIFEST):
            _write_member(archive, name, [contents[name]])
    told = ground.refused()
    assert "the member is not the one the manifest names" in told and "q4.zip: register.csv" in told


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/tmp", "/nowhere/x.zip"])
def test_what_is_no_file_is_refused_at_once(ground: Ground, path: str) -> None:
    ground.path = Path(path)
    assert path in ground.refused()


def test_a_pipe_is_refused_at_once(ground: Ground, tmp_path: Path) -> None:
    ground.path = tmp_path / "pipe"
    os.mkfifo(ground.path)
    assert "this is no file" in ground.refused()


# ---- bombs


def test_a_member_larger_than_any_of_its_kind_is_not_unpacked(ground: Ground) -> None:
    pack(ground.path, {**ground.contents(), README: bytes(30_000_000)})
    assert ground.path.stat().st_size < 200_000
    assert "the member is larger than any of its kind" in ground.refused()


def test_a_member_that_unpacks_to_more_than_the_manifest_says_is_left(ground: Ground) -> None:
    contents = {**ground.contents(), RESPONSES: bytes(30_000_000)}
    with zipfile.ZipFile(ground.path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (*MEMBERS, MANIFEST):
            _write_member(archive, name, [contents[name]])
    assert "the member unpacks to more than it may" in ground.refused()


def test_a_line_without_end_is_refused(ground: Ground) -> None:
    pack(ground.path, {**ground.contents(), RESPONSES: bytes(30_000_000)})
    assert "the line is too long, or has no end" in ground.refused()


def test_a_manifest_without_end_is_refused(ground: Ground) -> None:
    contents = ground.contents()
    with zipfile.ZipFile(ground.path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in MEMBERS:
            _write_member(archive, name, [contents[name]])
        _write_member(archive, MANIFEST, [bytes(30_000_000)])
    assert "manifest.json" in ground.refused()


def test_a_list_of_a_million_members_is_not_read(ground: Ground) -> None:
    content = bytearray(ground.path.read_bytes())
    content[-22:] = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, 0x7FFFFFF0, 0, 0)
    ground.path.write_bytes(content)
    assert "the list of members is not one of an archive" in ground.refused()


@pytest.mark.parametrize("content", [b"[" * 200_000, b"1" * 6_000, b'{"a":NaN', b"\xff\xfe", b"null"])
def test_json_that_would_break_a_parser_is_refused(ground: Ground, content: bytes) -> None:
    contents = ground.contents()
    for name in (RESPONSES, EVENTS_MEMBER):
        pack(ground.path, {**contents, name: content + b"\n"})
        assert f"{name}, line 1" in ground.refused()


# ---- forged, every hash computed anew


def rechained(responses: list[dict[str, Any]]) -> list[dict[str, Any]]:
    head = GENESIS
    for position, one in enumerate(responses, start=1):
        one["position"] = position
        one["content_sha256"] = content_hash(compact(one["content"]))
        values = {**one["content"], **one}
        if values["part"] is not None:
            values["part"] = compact(values["part"]).decode()
        head = one["chain"] = link(head, {name: values[name] for name in RESPONSE_COLUMNS})
    return responses


def forge(ground: Ground, change: Callable[[list[dict[str, Any]]], object]) -> None:
    contents = ground.contents()
    responses = lines(contents, RESPONSES)
    change(responses)
    rechained(responses)
    manifest = json.loads(contents[MANIFEST])
    manifest["heads"]["q4"] = {"count": len(responses), "head": responses[-1]["chain"]}
    pack(ground.path, {**contents, RESPONSES: unlines(responses), MANIFEST: json.dumps(manifest).encode()})


UNSOUND: list[tuple[str, Callable[[Contents], Mapping[str, bytes]], str]] = [
    ("response changed", lambda c: {RESPONSES: c[RESPONSES].replace(b'"II.A1":4', b'"II.A1":5', 1)}, "responses.jsonl, line 1"),
    ("response moved", lambda c: {RESPONSES: c[RESPONSES].replace(b'"centre":"00691"', b'"centre":"TINH"', 1)}, "line 1"),
    ("response removed", lambda c: {RESPONSES: unlines(lines(c, RESPONSES)[1:])}, "does not follow from the one before"),
    ("tail cut off", lambda c: {RESPONSES: unlines(lines(c, RESPONSES)[:-1])}, "do not end at the head the manifest names"),
    ("responses gone", lambda c: {RESPONSES: b""}, "do not end at the head the manifest names"),
    ("reordered", lambda c: {RESPONSES: unlines(lines(c, RESPONSES)[::-1])}, "does not follow from the one before"),
    ("key too many", lambda c: {RESPONSES: unlines([{**lines(c, RESPONSES)[0], "x": 1}])}, "has not the keys agreed"),
    ("comment changed", lambda c: {"comments.jsonl": c["comments.jsonl"].replace("còn".encode(), "hết".encode())}, "the text of COMMENT is not the one"),
    ("comment added", lambda c: {"comments.jsonl": unlines([{**lines(c, "comments.jsonl")[0], "response": 2}])}, "was never given"),
    ("conflict changed", lambda c: {CONFLICTS: c[CONFLICTS].replace(b'"II.A1":4', b'"II.A1":5')}, "conflicts.jsonl, line 1"),
    ("comment removed", lambda c: {"comments.jsonl": b""}, "the text of COMMENT of response 7 is missing, and was never purged"),
    ("device of another day", lambda c: {"devices.csv": c["devices.csv"].replace(b",counter,2", b",counter,1")}, "created of a device is not what the audit says"),
    ("register changed", lambda c: {"register.csv": c["register.csv"].replace(b"80,70", b"80,79")}, "the rows of this import in register.csv are others"),
    ("reference changed", lambda c: {"references.csv": c["references.csv"].replace(b"83.94", b"93.94")}, "the rows of this import in references.csv"),
    ("register of words", lambda c: {"register.csv": c["register.csv"].replace(b"80,70", b"viel,70")}, "register.csv, row 2"),
    ("register short", lambda c: {"register.csv": c["register.csv"].replace(b",80,70", b"")}, "6 columns where the header has 8"),
    ("header", lambda c: {"centres.csv": b"a,b\n"}, "centres.csv"),
    ("no centres", lambda c: {"centres.csv": c["centres.csv"].splitlines(True)[0]}, "00691"),
    ("no devices", lambda c: {"devices.csv": c["devices.csv"].splitlines(True)[0]}, "the centre is not that of the device"),
    ("form changed", lambda c: {"questionnaire.toml": c["questionnaire.toml"] + b"\n"}, "the form is not the one the manifest names"),
    ("form broken", lambda c: {"questionnaire.toml": b"[["}, "questionnaire.toml"),
    ("wave of another name", lambda c: {WAVE: c[WAVE].replace(b'"id": "q4"', b'"id": "q9"')}, "another wave than the manifest names"),
    ("wave nonsense", lambda c: {WAVE: b"[]"}, "does not describe a wave"),
    ("rules nonsense", lambda c: {WAVE: c[WAVE].replace(b'"top2"', b'"top9"')}, "item_method is 'top9'"),
    ("event of another wave", lambda c: {EVENTS_MEMBER: c[EVENTS_MEMBER].replace(b'"wave":"q4"', b'"wave":"q5"')}, "the event is not of this wave"),
    ("event of an account", lambda c: {EVENTS_MEMBER: c[EVENTS_MEMBER] + unlines([{"number": 99, "at": "x", "kind": "official_added", "detail": {"account": "x"}, "chain": "x"}])}, "the event is not of this wave"),
    ("another program's", lambda c: {MANIFEST: b'{"format": "epub", "members": {}}'}, "not an archive of SIPAS"),
    ("newer", lambda c: {MANIFEST: c[MANIFEST].replace(b'"version": 1,\n "wave"', b'"version": 2,\n "wave"')}, "of version 2"),
    ("head of another kind", lambda c: {MANIFEST: c[MANIFEST].replace(b'"count": 9', b'"count": "9"')}, "does not say what it must"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), [row[1:] for row in UNSOUND], ids=[row[0] for row in UNSOUND])
def test_an_archive_whose_parts_do_not_fit_is_refused_by_place(
    ground: Ground, change: Callable[[Contents], Mapping[str, bytes]], said: str
) -> None:
    contents = ground.contents()
    altered = change(contents)
    assert {name: contents[name] for name in altered} != altered
    pack(ground.path, {**contents, **altered})
    assert said in ground.refused()


def test_a_forgery_with_every_hash_computed_anew_is_known_to_heads_kept_elsewhere(ground: Ground) -> None:
    """Nothing inside an archive can prove that it was not rewritten whole; paper can."""
    paper = ground.origin.head("q4")

    def better(responses: list[dict[str, Any]]) -> None:
        responses[0]["content"]["answers"]["II.A1"] = 5

    forge(ground, better)
    import_wave(ground.copy, ground.path)
    assert verify(ground.copy.settings) == ()
    held = held_heads([f"q4:{paper.count}:{paper.head}"], None)
    (problem,) = verify(ground.copy.settings, held=held)
    assert "the chain was rewritten" in problem.what and "--head" in problem.where


FORGED: list[tuple[str, Callable[[list[dict[str, Any]]], object], str]] = [
    ("answer out of range", lambda r: r[0]["content"]["answers"].update({"II.A1": 9}), "does not pass its form: II.A1"),
    ("of another wave", lambda r: r[0]["content"].update(wave="q5"), "wave:q5"),
    ("no response", lambda r: r[0].update(content=r[0]["content"] | {"mode": "dream"}), "this is not a response"),
    ("number taken twice", lambda r: r[1].update(number=1), "the store refuses"),
    ("number as text", lambda r: r[1].update(number="2"), "a column is not of its type"),
    ("number too large", lambda r: r[1].update(number=10**30), "q4.zip"),
    ("unknown device", lambda r: r[1].update(device="00691-9"), "the centre is not that of the device"),
    ("unknown field", lambda r: r[0]["content"].update(field="bay"), "unknown_field"),
    ("day of words", lambda r: r[1].update(local_day="hôm qua"), "the store refuses"),
    ("flag as a list", lambda r: r[1].update(late=[0]), "a column is not of its type"),
]


@pytest.mark.parametrize(("change", "said"), [row[1:] for row in FORGED], ids=[row[0] for row in FORGED])
def test_a_forged_response_that_no_server_would_have_stored_is_refused(
    ground: Ground, change: Callable[[list[dict[str, Any]]], object], said: str
) -> None:
    forge(ground, change)
    assert said in ground.refused()


VALUES: list[Any] = [None, True, -1, 0, 1.5, 2**70, "", "x", "ế", [], {}, [1], {"a": 1}, "9999-12-31T23:59:59.999Z"]


def mutate(data: Any, seed: random.Random) -> Any:
    """One value somewhere inside becomes another, or goes."""
    if isinstance(data, dict) and data and seed.random() < 0.8:
        key = seed.choice(sorted(data))
        if seed.random() < 0.15:
            return {name: value for name, value in data.items() if name != key}
        return {**data, key: mutate(data[key], seed)}
    if isinstance(data, list) and data and seed.random() < 0.8:
        place = seed.randrange(len(data))
        return [*data[:place], mutate(data[place], seed), *data[place + 1 :]]
    return seed.choice(VALUES)


def test_mutated_archives_are_refused_or_come_back_sound(ground: Ground, tmp_path: Path) -> None:
    contents, seed = ground.contents(), random.Random(7)
    refused = sound = 0
    copy = ground.copy
    for number in range(200):
        name = seed.choice([RESPONSES, CONFLICTS, EVENTS_MEMBER, "comments.jsonl", WAVE, MANIFEST, "devices.csv"])
        try:
            pack(ground.path, {**contents, name: mutated(contents, name, seed)})
        except (TypeError, AttributeError):
            continue  # no manifest any more that the forger could make fit
        try:
            import_wave(copy, ground.path)
        except SipasError:
            refused += 1
            assert copy.waves() == () and copy.events() == ()
        else:
            sound += 1
            assert verify(copy.settings) == ()
            copy.close()
            copy = Store.create(create_instance(tmp_path / str(number), key=ground.origin.settings.key))
    copy.close()
    assert refused > 100 and sound > 0


def mutated(contents: Contents, name: str, seed: random.Random) -> bytes:
    if name.endswith(".jsonl"):
        return unlines(mutate(lines(contents, name), seed)) if seed.random() < 0.9 else b"{}\n"
    if name.endswith(".json"):
        return compact(mutate(json.loads(contents[name]), seed))
    return contents[name].replace(seed.choice([b"00691-1", b"2026", b"counter", b",1,"]), b"7", 1)


def test_the_answers_of_the_flat_table_are_not_what_comes_back(ground: Ground) -> None:
    """answers.csv is for reading; what is stored is derived from the contents."""
    contents = ground.contents()
    pack(ground.path, {**contents, ANSWERS: b"x"})
    import_wave(ground.copy, ground.path)
    assert verify(ground.copy.settings) == ()
    assert ground.copy.head("q4") == ground.origin.head("q4")
    with pytest.raises(ArchiveError):
        import_wave(ground.copy, ground.path)
