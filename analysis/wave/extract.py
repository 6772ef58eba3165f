"""Reading an extract: every file verified against the manifest, then handed on as columns.

Public: Extract, read_extract, newest_extract, Manifest, MISSING (names of the negative codes).
A sample wave brings its frame along, a counter wave its field work by centre and day: `Extract.frame` and
`Extract.fieldwork` are empty otherwise, the latter in extracts of older versions too.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.errors import AnalysisError, Problem
from analysis.files.parquet import read_parquet
from analysis.wave.codebook import Codebook, parse_codebook
from analysis.wave.fieldwork import Fieldwork, parse_fieldwork
from analysis.wave.frame import PrimaryUnit, parse_frame

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMAT = 1
MANIFEST = "manifest.json"
RESPONSES, REGISTER, CODEBOOK, FRAME = "responses.parquet", "register.parquet", "codebook.json", "frame.parquet"
FIELDWORK = "fieldwork.parquet"
FILES = frozenset({RESPONSES, REGISTER, CODEBOOK})
KNOWN = FILES | {FRAME, FIELDWORK}
NUMBERS = "iu"
FLAGS = ("late", "after_close", "clock")
ODD = ("burst", "night", "straight_line", "surge", "fast")
"""Flags, 0 or 1, of how a response came in; absent from extracts of older versions and of sample waves."""
DIGITS = 12
"""Of the manifest's sha256, in the directory's name."""
MISSING = {"not_asked": -1, "not_applicable": -2, "declined": -3, "broken_off": -4, "not_drawn": -5}
REGISTER_COLUMNS = ("centre", "field", "month", "channel", "received", "resolved", "on_time")
RESPONSE_COLUMNS = (
    *("centre", "field", "local_day", "disposition", "mode", "recruitment", "language"),
    *("late", "after_close", "clock", "psu"),
)

Columns = Mapping[str, "NDArray[Any]"]


@dataclass(frozen=True)
class Manifest:
    wave: str
    questionnaire: Mapping[str, str]
    simulated: bool
    counts: Mapping[str, int]
    options: Mapping[str, Any]
    ledger: Mapping[str, Any]
    files: Mapping[str, str]
    sha256: str


@dataclass(frozen=True)
class Extract:
    """One wave, verified. Columns are numpy arrays: text as str or None, days as datetime64[D], codes as integers."""

    path: Path
    manifest: Manifest
    codebook: Codebook
    responses: Columns = field(repr=False)
    register: Columns = field(repr=False)
    frame: tuple[PrimaryUnit, ...] = field(default=(), repr=False)
    fieldwork: tuple[Fieldwork, ...] = field(default=(), repr=False)

    @property
    def n(self) -> int:
        """Responses of every kind, in the order of the file."""
        return len(self.responses["centre"])

    @property
    def wave(self) -> str:
        return self.manifest.wave

    def column(self, name: str) -> "NDArray[Any]":
        return self.responses[name]

    def role(self, role: str) -> "NDArray[np.int64] | None":
        """The column of the item that plays a role (visit, overall, timing, times_back), where the form has one."""
        return self.responses.get(self.codebook.roles.get(role, ""))


def read_extract(path: Path | str) -> Extract:
    """Read and verify the extract at `path`.

    Raises
    ------
    AnalysisError
        Naming every file that differs from the manifest, is missing or does not belong, a directory whose name
        is not the manifest's, or a format this version does not read.
    """
    path = Path(path)
    manifest = _manifest(path)
    content = _verified(path, manifest)
    codebook = _codebook(content[CODEBOOK], path / CODEBOOK)
    responses = _columns(content[RESPONSES], path / RESPONSES)
    register = _columns(content[REGISTER], path / REGISTER)
    needed = RESPONSE_COLUMNS + codebook.index.items + (("part",) if codebook.parts else ())
    _complete(path / RESPONSES, responses, needed)
    _complete(path / REGISTER, register, REGISTER_COLUMNS)
    _typed(path / RESPONSES, responses, (*codebook.index.items, *codebook.roles.values(), *ODD), NUMBERS)
    _typed(path / RESPONSES, responses, FLAGS, "b")
    _typed(path / RESPONSES, responses, ("local_day",), "M")
    _typed(path / REGISTER, register, REGISTER_COLUMNS[4:], NUMBERS)
    if (codebook.wave.id, codebook.wave.simulated) != (manifest.wave, manifest.simulated):
        raise _refusal("codebook and manifest speak of different waves", path / CODEBOOK)
    for name, columns in (("responses", responses), ("register", register)):
        rows = len(next(iter(columns.values())))
        if rows != manifest.counts.get(name, rows):
            raise _refusal(f"{rows} rows, the manifest counts {manifest.counts[name]}", path / f"{name}.parquet")
    frame = _frame(path, codebook, content, responses)
    fieldwork: tuple[Fieldwork, ...] = ()
    if FIELDWORK in content:
        fieldwork = parse_fieldwork(_columns(content[FIELDWORK], path / FIELDWORK), responses, path / FIELDWORK)
    return Extract(path, manifest, codebook, responses, register, frame, fieldwork)


def _codebook(content: bytes, where: Path) -> Codebook:
    try:
        return parse_codebook(plain_json(content))
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        fault = str(error)[:200] or type(error).__name__
        raise _refusal(f"the codebook cannot be read: {fault}", where) from error


def plain_json(content: bytes) -> Any:
    """JSON as it is defined: no NaN, no Infinity, and no number so large that it becomes one."""
    import math

    def finite(text: str) -> float:
        if not math.isfinite(number := float(text)):
            raise ValueError(f"{text[:40]} is no number to compute with")
        return number

    return json.loads(content, parse_float=finite, parse_constant=finite)


def _frame(path: Path, codebook: Codebook, content: Mapping[str, bytes], responses: Columns) -> tuple[PrimaryUnit, ...]:
    """The frame of a sample wave, held against the responses; a counter wave has none."""
    sample = codebook.wave.kind == "sample"
    if sample != (FRAME in content):
        what = f"the wave is a {codebook.wave.kind} wave, and {FRAME} is {'missing' if sample else 'there'}"
        raise _refusal(what, path / FRAME)
    if not sample:
        return ()
    return parse_frame(_columns(content[FRAME], path / FRAME), responses, path / FRAME, path / RESPONSES)


def newest_extract(instance: Path, wave: str) -> Path:
    """The extract of `wave` written last, going by the time of its manifest (then by name)."""
    whole = [file for file in (instance / "extracts" / wave).glob(f"*/{MANIFEST}") if file.parent.name[0] != "."]
    found = sorted(whole, key=lambda file: (file.stat().st_mtime, file))
    if not found:
        where = str(instance / "extracts" / wave)
        raise AnalysisError(Problem(f"wave {wave} has no extract", where, f"write one with: sipas extract {wave}"))
    return found[-1].parent


def _manifest(path: Path) -> Manifest:
    if not (path / MANIFEST).is_file():
        remedy = "name the folder that holds manifest.json, or write an extract with: sipas extract WAVE"
        raise AnalysisError(Problem("not an extract: it has no manifest.json", str(path), remedy))
    content = (path / MANIFEST).read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    if path.resolve().name != sha256[:DIGITS]:
        raise _refusal(f"the manifest was changed, or the folder renamed (it should be {sha256[:DIGITS]})", path)
    try:
        raw = dict(plain_json(content))
    except (TypeError, ValueError, RecursionError) as error:
        raise _refusal(f"the manifest cannot be read: {str(error)[:200]}", path / MANIFEST) from error
    if raw.get("format") != FORMAT:
        what = f"extract format {raw.get('format')!r}; this version reads format {FORMAT}"
        raise AnalysisError(Problem(what, str(path / MANIFEST), "analyse it with the version that wrote it"))
    keys = ("wave", "questionnaire", "simulated", "counts", "options", "ledger", "files")
    if missing := [key for key in keys if key not in raw]:
        raise _refusal(f"the manifest lacks {', '.join(missing)}", path / MANIFEST)
    if odd := [key for key in keys[3:] + ("questionnaire",) if not isinstance(raw[key], dict)]:
        raise _refusal(f"the manifest's {', '.join(odd)} is no table", path / MANIFEST)
    return Manifest(**{key: raw[key] for key in keys}, sha256=sha256)


def _verified(path: Path, manifest: Manifest) -> dict[str, bytes]:
    """Contents of the files, each with the sha256 the manifest gives it; all differences at once."""
    problems: list[Problem] = []
    content: dict[str, bytes] = {}
    remedy = f"do not use it; write it again with: sipas extract {manifest.wave}"
    present = {file.name for file in path.iterdir()} - {MANIFEST}
    for name in sorted(map(str, FILES | set(manifest.files) | present)):
        if name not in manifest.files:
            problems.append(Problem(f"{name} does not belong to the extract", str(path / name), "take it away"))
        elif name not in present:
            problems.append(Problem(f"{name} is missing", str(path / name), remedy))
        elif name not in KNOWN:
            problems.append(Problem(f"{name} is unknown to this version", str(path / name), remedy))
        elif not (path / name).is_file():
            problems.append(Problem(f"{name} is a folder, not a file", str(path / name), remedy))
        else:
            content[name] = (path / name).read_bytes()
            if hashlib.sha256(content[name]).hexdigest() != manifest.files[name]:
                what = f"{name} was changed: its sha256 is not the one in the manifest"
                problems.append(Problem(what, str(path / name), remedy))
    if problems:
        raise AnalysisError(problems)
    return content


def _columns(content: bytes, where: Path) -> Columns:
    import pyarrow as pa

    try:
        table = read_parquet(content)
    except (ValueError, OSError) as error:
        raise _refusal(f"cannot be read as Parquet: {str(error)[:200]}", where) from error
    columns: dict[str, Any] = {}
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        columns[name] = column.to_numpy(zero_copy_only=False)
    return columns


def _complete(path: Path, columns: Columns, needed: tuple[str, ...]) -> None:
    if missing := [name for name in needed if name not in columns]:
        raise _refusal(f"columns are missing: {', '.join(missing)}", path)


def _typed(path: Path, columns: Columns, names: Iterable[str], kinds: str) -> None:
    """Columns to compute with hold numbers (flags, days) and no blanks; a column without rows has no type to speak of."""
    odd = [name for name in names if name in columns and len(columns[name]) and columns[name].dtype.kind not in kinds]
    if odd:
        raise _refusal(f"columns hold something other than they should, or blanks: {', '.join(odd)}", path)


def _refusal(what: str, where: Path) -> AnalysisError:
    return AnalysisError(Problem(what, str(where), "do not use it; write it again with: sipas extract WAVE"))
