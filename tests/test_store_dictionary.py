"""docs/data-dictionary.md against the schema, the audit and the extract: whatever they have must stand there."""

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from survey_app.extract import write_extract
from survey_app.questionnaire import MISSING_LABELS
from survey_app.store import Store
from tests.ground import enrolled, interview, make_store, record, response, sample_wave

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "data-dictionary.md").read_text(encoding="utf-8")
SECTIONS = {
    heading.split(" — ")[0]: set(re.findall(r"`([^`]+)`", body))
    for heading, body in re.findall(r"^### (.+)\n((?:(?!#).*\n)*)", PAGE + "\n", re.MULTILINE)
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return make_store(tmp_path_factory.mktemp("dictionary"))[1]


def test_every_table_has_its_section_and_every_column_stands_in_it(store: Store) -> None:
    rows = store._rows(
        "SELECT t.name, c.name FROM pragma_table_list AS t JOIN pragma_table_info(t.name) AS c"
        " WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite%' AND t.name NOT LIKE '\\_sqlite%' ESCAPE '\\'"
    )
    missing = [f"{table}.{column}" for table, column in rows if column not in SECTIONS.get(table, set())]
    assert missing == []


def test_no_section_names_a_table_that_is_not_there(store: Store) -> None:
    tables = {name for (name,) in store._rows("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert {name for name in SECTIONS if "." not in name} <= tables


def test_every_column_of_an_extract_stands_there(store: Store, tmp_path: Path) -> None:
    record(store, enrolled(store), response())
    path = write_extract(store, store.settings, "q4", devices=True)
    for name in ("responses", "register", "fieldwork"):
        table = pq.read_table(path / f"{name}.parquet")
        assert [column for column in table.column_names if f"`{column}`" not in PAGE] == []
    with make_store(tmp_path)[1] as other:
        record(other, sample_wave(other), interview())
        sampled = write_extract(other, other.settings, "household")
    for name in ("responses", "frame"):
        assert [
            column for column in pq.read_table(sampled / f"{name}.parquet").column_names if f"`{column}`" not in PAGE
        ] == []
    for key in ("format", "counts", "options", "ledger", "files"):
        assert f"`{key}`" in PAGE


def test_every_missing_code_and_kind_of_event_stands_there() -> None:
    for code in MISSING_LABELS:
        assert f"| −{-code} |" in PAGE
    logged = set()
    for source in (ROOT / "survey_app").rglob("*.py"):
        text = source.read_text(encoding="utf-8")
        logged |= set(re.findall(r"\b(?:_log|log_event)\(\s*\"(\w+)\"", text))
    assert len(logged) > 10
    assert [kind for kind in sorted(logged) if f"`{kind}`" not in PAGE] == []
