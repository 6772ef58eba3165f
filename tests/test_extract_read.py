"""An extract is read only as it was written: whatever was changed, lost or added is named."""

import json
import os
import shutil
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from analysis.errors import AnalysisError
from analysis.wave.extract import newest_extract, read_extract
from tests.extracts import ITEMS, many, register_row, response, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    rows = [response(), response(centre="C02", field=None, **{"II.A1": -3}), response(centre="C03")]
    return write(tmp_path, rows, [register_row("C01", "chung-thuc", 10)])


def test_columns_come_back_as_they_were_written(path: Path) -> None:
    extract = read_extract(str(path))
    assert extract.n == 3 and extract.wave == "2026-q4" and not extract.manifest.simulated
    assert list(extract.column("centre")) == ["C01", "C02", "C03"]
    assert extract.column("field")[1] is None
    assert extract.column("local_day").dtype == np.dtype("datetime64[D]")
    assert list(extract.column("II.A1")) == [4, -3, 4]
    assert list(extract.register["resolved"]) == [10]
    assert extract.codebook.index.items == ITEMS
    assert extract.codebook.field("chung-thuc").label["vi"] == "Chứng thực"
    role = extract.role("visit")
    assert role is not None and list(role) == [2, 2, 2]
    assert extract.role("comment") is None


@pytest.mark.parametrize("name", ["responses.parquet", "register.parquet", "codebook.json"])
@pytest.mark.parametrize("place", [0, -1, 0.5])
def test_a_flipped_byte_is_named(path: Path, name: str, place: float) -> None:
    content = bytearray((path / name).read_bytes())
    content[int(place * len(content)) if 0 < place < 1 else int(place)] ^= 1
    (path / name).write_bytes(content)
    with pytest.raises(AnalysisError, match=f"{name} was changed"):
        read_extract(path)


def test_a_changed_manifest_is_refused(path: Path) -> None:
    (path / "manifest.json").write_bytes((path / "manifest.json").read_bytes().replace(b"2026-q4", b"2026-q3"))
    with pytest.raises(AnalysisError, match="manifest was changed, or the folder renamed"):
        read_extract(path)


def test_a_renamed_folder_is_refused(path: Path) -> None:
    with pytest.raises(AnalysisError, match="the folder renamed"):
        read_extract(path.rename(path.with_name("0123456789ab")))


def test_every_difference_is_named_at_once(path: Path) -> None:
    (path / "register.parquet").unlink()
    (path / "notes.txt").write_text("?")
    (path / "codebook.json").write_text("{}")
    with pytest.raises(AnalysisError) as caught:
        read_extract(path)
    assert [problem.what.split(" ")[0] for problem in caught.value.problems] == [
        "codebook.json",
        "notes.txt",
        "register.parquet",
    ]
    assert all(problem.where and problem.remedy for problem in caught.value.problems)


def _rewrite(path: Path, **changes: object) -> Path:
    content = json.dumps(json.loads((path / "manifest.json").read_text()) | changes).encode()
    (path / "manifest.json").write_bytes(content)
    return path.rename(path.with_name(sha256(content).hexdigest()[:12]))


def test_an_unknown_format_is_named(path: Path) -> None:
    with pytest.raises(AnalysisError, match="extract format 2; this version reads format 1"):
        read_extract(_rewrite(path, format=2))


def test_another_waves_codebook_is_refused(path: Path) -> None:
    with pytest.raises(AnalysisError, match="different waves"):
        read_extract(_rewrite(path, wave="2026-q1"))


def test_counts_are_held_to_the_rows(path: Path) -> None:
    with pytest.raises(AnalysisError, match="3 rows, the manifest counts 4"):
        read_extract(_rewrite(path, counts={"responses": 4, "register": 1}))


def test_a_folder_that_is_no_extract_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match="not an extract"):
        read_extract(tmp_path)


def test_the_newest_extract_is_the_one_written_last(tmp_path: Path) -> None:
    folder = tmp_path / "extracts" / "w1"
    paths = [write(folder, many(20, seed=seed)[0], many(20)[1], wave="w1") for seed in (1, 2, 3)]
    for path, age in zip(paths, (20, 0, 10), strict=True):
        os.utime(path / "manifest.json", (1_800_000_000 - age, 1_800_000_000 - age))
    assert newest_extract(tmp_path, "w1") == paths[1]
    shutil.copytree(paths[0], folder / ".writing-1")  # an extract that is still being written
    os.utime(folder / ".writing-1" / "manifest.json")
    assert newest_extract(tmp_path, "w1") == paths[1]
    shutil.rmtree(folder)
    with pytest.raises(AnalysisError, match="sipas extract w1"):
        newest_extract(tmp_path, "w1")


# ---- whole by its hashes, and still no extract


def _exchange(path: Path, name: str, content: bytes) -> Path:
    """Put another file in its place and state its hash, as a broken writer would."""
    (path / name).write_bytes(content)
    manifest = json.loads((path / "manifest.json").read_text())
    return _rewrite(path, files=manifest["files"] | {name: sha256(content).hexdigest()})


@pytest.mark.parametrize("name", ["responses.parquet", "register.parquet"])
@pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
def test_a_file_cut_off_before_it_was_hashed_is_named(path: Path, name: str, part: float) -> None:
    content = (path / name).read_bytes()
    with pytest.raises(AnalysisError, match="cannot be read as Parquet") as caught:
        read_extract(_exchange(path, name, content[: int(part * len(content))]))
    assert caught.value.problems[0].where.endswith(name)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b"\xff", b'{"wave": NaN}', b"1e400", b"9" * 5000, b"[" * 100_000, b'{"wave": 5}']
)
def test_a_codebook_that_is_none_is_refused(path: Path, content: bytes) -> None:
    with pytest.raises(AnalysisError, match="the codebook cannot be read"):
        read_extract(_exchange(path, "codebook.json", content))


@pytest.mark.parametrize(
    "content", [b"", b"[1]", b"{", b"\xff\xfe", b'{"format": NaN}', b"[" * 100_000, b'"text"', b"5"]
)
def test_a_manifest_that_is_no_json_is_refused(path: Path, content: bytes) -> None:
    (path / "manifest.json").write_bytes(content)
    with pytest.raises(AnalysisError, match="the manifest cannot be read"):
        read_extract(path.rename(path.with_name(sha256(content).hexdigest()[:12])))


@pytest.mark.parametrize("key", ["files", "counts", "ledger", "options", "questionnaire"])
def test_a_manifest_whose_parts_are_no_tables_is_refused(path: Path, key: str) -> None:
    with pytest.raises(AnalysisError, match=f"the manifest's {key} is no table"):
        read_extract(_rewrite(path, **{key: ["responses.parquet"]}))


@pytest.mark.parametrize("name", ["responses.parquet", "codebook.json"])
def test_a_folder_in_place_of_a_file_is_named(path: Path, name: str) -> None:
    (path / name).unlink()
    (path / name).mkdir()
    with pytest.raises(AnalysisError, match=f"{name} is a folder, not a file"):
        read_extract(path)
