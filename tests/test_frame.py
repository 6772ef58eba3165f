"""The frame of a sample wave: every bad line named; in the store fixed, covered by the audit; progress by village."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from survey_app.frame import lone_units, read_frame
from survey_app.model import PrimaryUnit
from survey_app.store import Store, StoreError
from survey_app.table_file import TableError
from survey_app.verification import verify
from tests.ground import FORM, FRAME, interview, make_store, record, sample_wave, tamper, unmet, wave

HEADER = "stratum,psu,name,population,probability,households"
GOOD = "nui,TAN-A,Thôn Tân A,900,0.02,20"


def written(folder: Path, *lines: str) -> Path:
    path = folder / "frame.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_villages_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    units = read_frame(written(tmp_path, HEADER, GOOD, "đồng bằng,B.2,Tổ 2,10,1,10", "nui,a_1,Bản 1,5,2.5e-3,1"))
    assert units == (
        PrimaryUnit("TAN-A", "nui", "Thôn Tân A", 900, 0.02, 20),
        PrimaryUnit("B.2", "đồng bằng", "Tổ 2", 10, 1.0, 10),
        PrimaryUnit("a_1", "nui", "Bản 1", 5, 0.0025, 1),
    )


def test_without_names_the_code_is_the_name(tmp_path: Path) -> None:
    (unit,) = read_frame(written(tmp_path, "psu,stratum,probability,households,population", "A,s,0.5,1,2"))
    assert (unit.psu, unit.name) == ("A", "A")


BAD = [
    (",A,x,900,0.02,20", "the text is empty", "stratum"),
    ("nui,,x,900,0.02,20", "psu is empty", "psu"),
    ("nui,Thôn A,x,900,0.02,20", "the psu 'Thôn A' is not of the form agreed", "psu"),
    ("nui,-A,x,900,0.02,20", "the psu '-A' is not of the form agreed", "psu"),
    (f"nui,{'A' * 41},x,900,0.02,20", f"the psu '{'A' * 41}' is not of the form agreed", "psu"),
    ("nui,A,,900,0.02,20", "the text is empty", "name"),
    ("nui,A,x,0,0.02,20", "population is '0'", "population"),
    ("nui,A,x,1.200,0.02,20", "population is '1.200'", "population"),
    ("nui,A,x,-5,0.02,20", "population is '-5'", "population"),
    ("nui,A,x,,0.02,20", "population is ''", "population"),
    ("nui,A,x,900,0.02,0", "households is '0'", "households"),
    ("nui,A,x,900,0.02,2.5", "households is '2.5'", "households"),
    ("nui,A,x,900,0.02,901", "households 901 is more than population 900", "households"),
    ("nui,A,x,900,0,20", "probability is 0, not above 0 and at most 1", "probability"),
    ("nui,A,x,900,0.0,20", "probability is 0.0, not above 0 and at most 1", "probability"),
    ("nui,A,x,900,1.01,20", "probability is 1.01, not above 0 and at most 1", "probability"),
    ("nui,A,x,900,-0.1,20", "probability is '-0.1'", "probability"),
    ("nui,A,x,900,,20", "probability is ''", "probability"),
    ("nui,A,x,900,nan,20", "probability is 'nan'", "probability"),
    ("nui,A,x,900,inf,20", "probability is 'inf'", "probability"),
    (
        "nui,A,x,900,1e-99,20",
        "probability is 1e-99, so small that one answer would stand for over 10 million people",
        "probability",
    ),
    ("nui,A,x,900,2%,20", "probability is '2%'", "probability"),
    ('nui,A,x,900,"0,02",20', "probability is '0,02', with a decimal comma", "probability"),
    (GOOD, "the psu 'TAN-A' comes twice", "psu"),
]


@pytest.mark.parametrize(("line", "what", "column"), BAD, ids=[case[1] for case in BAD])
def test_a_bad_line_is_named(tmp_path: Path, line: str, what: str, column: str) -> None:
    with pytest.raises(TableError) as refused:
        read_frame(written(tmp_path, HEADER, GOOD, line))
    assert [(problem.what, problem.where) for problem in refused.value.problems] == [
        (what, f"frame.csv: line 3, {column}")
    ]


def test_a_decimal_comma_is_answered_with_the_number_as_it_should_be(tmp_path: Path) -> None:
    with pytest.raises(TableError) as refused:
        read_frame(written(tmp_path, HEADER, 'nui,A,x,900,"0,02",20'))
    assert refused.value.problems[0].remedy == "write a decimal point: 0.02"


def test_every_bad_line_and_every_fault_of_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError) as refused:
        read_frame(written(tmp_path, HEADER, "nui,Â,x,0,2,20", GOOD, "nui,B,x,9,0.1,10", GOOD))
    assert [problem.where.removeprefix("frame.csv: ") for problem in refused.value.problems] == [
        "line 2, psu",
        "line 2, population",
        "line 4, households",
        "line 5, psu",
    ]


def test_strata_with_one_village_are_told() -> None:
    assert lone_units(FRAME) == ("dong-bang",)
    assert lone_units(FRAME[:2]) == lone_units(()) == ()


# ---- in the store


@pytest.mark.parametrize(
    ("kind", "frame", "said"),
    [
        ("sample", (), "needs its frame"),
        ("counter", FRAME, "has no frame"),
        ("sample", (FRAME[0], FRAME[0]), "comes twice"),
        ("sample", (PrimaryUnit("A", "s", "A", 9, 0.0, 1),), "numbers of village A"),
        ("sample", (PrimaryUnit("A", "s", "A", 9, float("nan"), 1),), "numbers of village A"),
        ("sample", (PrimaryUnit("A", "s", "A", 9, 0.5, 10),), "numbers of village A"),
    ],
)
def test_a_frame_that_cannot_be_is_refused(
    tmp_path: Path, kind: str, frame: tuple[PrimaryUnit, ...], said: str
) -> None:
    _, store = make_store(tmp_path)
    with store, pytest.raises(StoreError, match=said):
        store.create_wave(wave("w2", kind=kind), FORM, frame)
    assert [one.id for one in Store.open(store.settings).waves()] == ["q4"]


def test_the_frame_comes_back_as_it_was_given(tmp_path: Path) -> None:
    _, store = make_store(tmp_path)
    with store:
        sample_wave(store)
        assert store.frame("household") == FRAME
        assert store.frame("q4") == ()


TAMPERED = [
    "UPDATE frame SET probability = 0.5 WHERE psu = 'TAN-A'",
    "UPDATE frame SET stratum = 'khác' WHERE psu = 'TAN-A'",
    "UPDATE frame SET position = 9 WHERE psu = 'TAN-A'",
    "DELETE FROM frame WHERE psu = 'MINH-1'",
    "DELETE FROM frame",
    "INSERT INTO frame VALUES ('household', 'X', 's', 'X', 9, 0.5, 1, 4)",
]


@pytest.mark.parametrize("statement", TAMPERED)
def test_a_frame_changed_behind_our_back_is_named(tmp_path: Path, statement: str) -> None:
    settings, store = make_store(tmp_path)
    with store:
        sample_wave(store)
    assert verify(settings) == ()
    tamper(settings, statement)
    assert ("the frame of a wave was changed after its creation", "wave household") in [
        (problem.what, problem.where) for problem in verify(settings)
    ]


# ---- on the command line


def run(instance: Path, *arguments: str, code: int = 0) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "SIPAS_INSTANCE"}
    command = [sys.executable, "-m", "survey_app", "--instance", str(instance), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


CREATE = (
    "wave",
    "create",
    "w2",
    "--form",
    "counter",
    "--months",
    "2026-11",
    "--title-vi",
    "Mẫu",
    "--title-en",
    "Sample",
)


def test_a_sample_wave_is_planned_and_followed(tmp_path: Path) -> None:
    settings, store = make_store(tmp_path)
    path = written(tmp_path, HEADER, GOOD, "nui,TAN-B,Thôn Tân B,640,0.015,15", "dong-bang,MINH-1,Tổ 1,2400,0.01,1")
    said = run(settings.instance, *CREATE, "--kind", "sample", "--frame", str(path), "--simulated")
    assert "3 centres, 3 villages" in said
    assert "strata of one village only, which weighting will join to another: dong-bang" in said
    with store:
        device, _ = store.add_device("00691", simulated=True, purpose="sample")
        store.open_wave("w2", at=store.wave("q4").opened)
        asked = {"wave": "w2"}
        record(
            store,
            device,
            interview(1, **asked),
            interview(2, **asked),
            unmet("refused", 3, **asked),
            unmet("not_at_home", 4, psu="MINH-1", **asked),
            unmet("broken_off", 5, psu="MINH-1", **asked),
        )
    shown = json.loads(run(settings.instance, "wave", "show", "w2", "--json"))["frame"]
    names = ("psu", "households", "visited", "completed", "refused", "not_at_home", "broken_off", "left")
    assert [tuple(village[name] for name in names) for village in shown] == [
        ("TAN-A", 20, 3, 2, 1, 0, 0, 17),
        ("TAN-B", 15, 0, 0, 0, 0, 0, 15),
        ("MINH-1", 1, 2, 0, 0, 1, 1, 0),
    ]
    table = run(settings.instance, "wave", "show", "w2").splitlines()
    assert table[-3].split()[:2] == ["nui", "TAN-A"] and table[-3].split()[-7:] == ["20", "3", "2", "1", "0", "0", "17"]
    assert "frame" not in json.loads(run(settings.instance, "wave", "show", "q4", "--json"))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--kind", "sample"), "a sample wave needs its frame"),
        (("--frame", "FILE"), "a counter wave has no frame"),
    ],
)
def test_kind_and_frame_belong_together(tmp_path: Path, more: tuple[str, ...], said: str) -> None:
    settings, store = make_store(tmp_path)
    store.close()
    file = str(written(tmp_path, HEADER, GOOD))
    arguments = [file if one == "FILE" else one for one in more]
    assert said in run(settings.instance, *CREATE, *arguments, code=2)
    with Store.open(settings) as again:
        assert [one.id for one in again.waves()] == ["q4"]


def test_a_tablet_is_added_for_an_interviewer(tmp_path: Path) -> None:
    settings, store = make_store(tmp_path)
    store.close()
    added = json.loads(run(settings.instance, "device", "add", "00691", "--interviewer", "--json"))
    assert added["purpose"] == "sample"
    assert "for an interviewer" in run(settings.instance, "device", "add", "00691", "--interviewer")
    assert json.loads(run(settings.instance, "device", "add", "00691", "--json"))["purpose"] == "counter"
    listed = run(settings.instance, "device", "list").splitlines()
    assert [line.split()[:3] for line in listed[1:]] == [
        ["00691-1", "00691", "sample"],
        ["00691-2", "00691", "sample"],
        ["00691-3", "00691", "counter"],
    ]
