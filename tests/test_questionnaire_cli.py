"""`sipas questionnaire check` and `show`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from survey_app.cli import sipas
from survey_app.questionnaire import load, shipped
from tests.ground import make_store
from tests.test_questionnaire_file import FORM

Run = Callable[..., Result]
COUNTER = load(shipped()["counter", "1"])


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def command(*words: str) -> Result:
        return CliRunner().invoke(sipas, ["--instance", str(tmp_path / "instance"), "questionnaire", *words])

    return command


def test_a_good_file_takes_one_line(run: Run) -> None:
    result = run("check", str(shipped()["counter", "1"]))
    assert result.exit_code == 0
    assert result.output.endswith("counter.1.toml: counter 1, 29 items in vi, en, no problem\n")


def test_all_problems_of_all_files_are_told_with_exit_code_2(run: Run, tmp_path: Path) -> None:
    bad = tmp_path / "form.1.toml"
    bad.write_text(FORM.replace("minimum = 0", "minimum = -1").replace('en = "Seats"', 'en = ""'), encoding="utf-8")
    result = run("check", str(bad), str(tmp_path / "none.toml"), str(shipped()["counter", "1"]))
    assert result.exit_code == 2
    assert result.stdout.count("no problem") == 1
    assert result.stderr.count("error: ") == result.stderr.count("  remedy: ") == 3
    assert "  where: form.1.toml: items[3] S.A1.text.en (line 43)\n" in result.stderr

    machine = run("check", "--json", str(bad))
    assert machine.exit_code == 2
    assert [problem["where"] for problem in json.loads(machine.stdout)["problems"]] == [
        "form.1.toml: items[3] S.A1.text.en (line 43)",
        "form.1.toml: items[7] YEARS.minimum (line 71)",
    ]


def test_show_prints_every_text_code_route_and_source(run: Run) -> None:
    result = run("show", "counter")
    assert result.exit_code == 0
    words = " ".join(result.output.split())
    for item in COUNTER.items:
        for part in (f"{item.code} · {item.kind}", *item.text.values(), *(item.hint or {}).values(), item.source):
            assert part in words, (item.code, part)
        for option in item.options:
            assert f"{option.code} {option.text['vi']} / {option.text['en']}" in words
    assert "asked if VISIT = 2 (Nhận kết quả / Receive a result)" in words
    assert COUNTER.sha256 in words and "item method top2 · roll-up pooled" in words
    assert max(len(line) for line in result.output.splitlines()) <= 80


def test_show_in_one_language_leaves_out_the_other(run: Run) -> None:
    result = run("show", "counter", "--lang", "en")
    assert "Very satisfied" in result.output and "Rất hài lòng" not in result.output
    assert run("show", "counter", "--lang", "fr").exit_code == 2


def test_show_lists_the_parts_of_a_form(run: Run) -> None:
    words = " ".join(run("show", "counter-short").output.split())
    assert "2 of 5 factors a citizen · each factor is asked with probability 2/5" in words
    assert "1 of 10 A, B 2 of 10 A, C" in words and "10 of 10 D, E" in words
    shown = json.loads(run("show", "counter-short", "--json").output)
    assert shown["parts"] == {"name": "factors", "factors": list("ABCDE"), "draw": 2, "of": 10}


def test_show_for_machines_is_the_whole_form(run: Run) -> None:
    shown = json.loads(run("show", "counter", "--version", "1", "--json").output)
    assert shown["sha256"] == COUNTER.sha256 and "content" not in shown
    assert [item["code"] for item in shown["items"]] == [item.code for item in COUNTER.items]


def test_a_version_that_a_wave_uses_may_not_change(tmp_path: Path) -> None:
    """The record of publication is a file that anybody can edit; the store's copy is not."""
    settings, store = make_store(tmp_path)
    store.close()
    path = tmp_path / "counter.1.toml"
    path.write_bytes(COUNTER.content)
    command = ["--instance", str(settings.instance), "questionnaire", "check", str(path)]
    assert CliRunner().invoke(sipas, command).exit_code == 0
    path.write_bytes(COUNTER.content + b"# changed\n")
    result = CliRunner().invoke(sipas, command)
    assert result.exit_code == 2 and "no problem" not in result.stdout
    assert f"wave q4 uses another form as counter version 1\n  where: {path}\n" in result.stderr


def test_a_local_form_is_found_by_its_id(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "instance" / "questionnaires"
    folder.mkdir(parents=True)
    for version in ("2", "10"):
        (folder / f"form.{version}.toml").write_text(
            FORM.replace('version = "1"', f'version = "{version}"'), encoding="utf-8"
        )
    assert run("show", "form").output.startswith("form 10 · 8 items")
    assert run("show", "form", "--version", "2").output.startswith("form 2 · 8 items")
    words = " ".join(run("show", "form").output.split())
    assert "YEARS · number · 0 to 120 · required" in words and "options: the province's service fields" in words


def test_an_unknown_form_is_refused(run: Run) -> None:
    result = run("show", "nothing")
    assert "there is no form 'nothing'" in str(result.exception)
