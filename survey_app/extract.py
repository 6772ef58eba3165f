"""Writing one wave as an extract: the confidential microdata that analysis reads, and nothing else does.

`write_extract`. The files hold no uuid, no hour, no order of receipt, no comment, and no device unless asked for. The
same data, options and pyarrow give the same bytes.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from survey_app.codebook import codebook
from survey_app.extract_fieldwork import fieldwork_book, fieldwork_table, odd_columns
from survey_app.extract_frame import design_columns, frame_table
from survey_app.interruptions import later
from survey_app.locks import folder_lock
from survey_app.model import PrimaryUnit, RegisterRow, ServiceField
from survey_app.problems import Problem, SipasError
from survey_app.questionnaire import Item, Questionnaire
from survey_app.settings import Settings
from survey_app.store import Columns, Store

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1
_BESIDE = ".writing-"
FLAGS = ("late", "after_close", "clock")
STEPS = 5
Step = Callable[[int, int], None]


class ExtractError(SipasError):
    """The extract cannot be written, or one that lies there was altered."""


def _silent(done: int, total: int) -> None:
    """No progress wanted."""


def write_extract(
    store: Store, settings: Settings, wave_id: str, *, devices: bool = False, step: Step = _silent
) -> Path:
    """Write the wave as it is now to `extracts/<wave>/<12 hex>/` and note it in the audit; returns the folder.

    The folder appears whole or not at all. If the same extract lies there already, it is verified and kept.
    """
    with store.snapshot():
        wave = store.wave(wave_id)
        form = store.questionnaire(wave.questionnaire, wave.version)
        head = store.head(wave_id)
        columns = store.columns(wave_id, *_items(form))
        timings = store.timings(wave_id) if wave.kind == "counter" else ()
        step(1, STEPS)
        months = wave.months if wave.kind == "counter" else ()  # households have no dossiers
        register = [row for row in store.register(months) if row.centre in set(wave.centres)]
        fields = _fields(store, columns, register)
        frame = store.frame(wave_id)
        references = store.references() if wave.kind == "sample" else ()
        centres = [centre for centre in store.centres() if centre.code in set(wave.centres)]
    index = form.index.items if form.index else ()
    odd = odd_columns(timings, columns, index) if wave.kind == "counter" else {}
    responses = _responses(form, columns, frame, odd, devices=devices)
    step(2, STEPS)
    types = {name: _type_word(kind) for name, kind in zip(responses.column_names, responses.schema.types, strict=True)}
    names = {item.code: _names(item) for item in form.items}
    book = codebook(wave, form, centres, fields, names, types, references)
    if wave.kind == "counter":
        book["fieldwork"] = fieldwork_book()
    files = {
        "responses.parquet": _parquet(responses),
        "register.parquet": _parquet(_register(register)),
        "codebook.json": _json(book),
    }
    if wave.kind == "counter":
        files["fieldwork.parquet"] = _parquet(fieldwork_table(timings))
    if wave.kind == "sample":
        files["frame.parquet"] = _parquet(frame_table(frame, columns))
    step(3, STEPS)
    facts = {
        "wave": wave.id,
        "counts": {"responses": columns.count, "register": len(register)},
        "options": {"devices": devices},
        "ledger": {"count": head.count, "head": head.head},
    }
    files["manifest.json"] = _manifest(form, files, {**facts, "simulated": wave.simulated})
    noted = {**facts, "manifest_sha256": hashlib.sha256(files["manifest.json"]).hexdigest()}
    with _placed(settings.extracts / wave.id, files) as path:
        store.log_event("extract", noted)
    step(STEPS, STEPS)
    return path


def _manifest(form: Questionnaire, files: Mapping[str, bytes], facts: Mapping[str, Any]) -> bytes:
    """No time in it: when an extract was made stands in the audit, and the same data give the same manifest."""
    return _json(
        {
            "format": FORMAT,
            "questionnaire": {"id": form.id, "version": form.version, "sha256": form.sha256},
            "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
            **facts,
        }
    )


def _items(form: Questionnaire) -> tuple[list[str], list[str]]:
    """Items with one code a response, and choices items. The field travels in the envelope, texts stay behind."""
    single = [item.code for item in form.items if item.kind in ("likert", "choice", "number") and not item.options_from]
    return single, [item.code for item in form.items if item.kind == "choices"]


def _fields(store: Store, columns: Columns, register: Iterable[RegisterRow]) -> list[ServiceField]:
    """The fields on offer, and whatever others the responses or the register name."""
    named = {row.field for row in register} | set(columns.envelope["field"])
    named |= {field.code for field in store.fields()}
    return [field for field in store.fields("known") if field.code in named]


def _names(item: Item) -> list[str]:
    if item.kind == "text" or item.options_from:
        return []
    return [f"{item.code}_{option.code}" for option in item.options] if item.kind == "choices" else [item.code]


# ---- tables


def _responses(
    form: Questionnaire,
    columns: Columns,
    frame: Sequence[PrimaryUnit],
    odd: "Mapping[str, pa.Array]",
    *,
    devices: bool,
) -> "pa.Table":
    import numpy as np
    import pyarrow as pa

    data: dict[str, Any] = {}
    for name, values in columns.envelope.items():
        if name == "local_day":
            data[name] = pa.array(np.array(values, dtype="datetime64[D]"), pa.date32())
        elif name in FLAGS:
            data[name] = pa.array(np.array(values, dtype=bool), pa.bool_())
        elif name == "part":
            data |= _parts(form, values)
        elif name != "device" or devices:
            data[name] = pa.array(values, pa.string())
        if name == "psu" and frame:
            data |= design_columns(values, frame)
    data |= odd
    for item in form.items:
        if item.code in columns.single:
            data[item.code] = pa.array(columns.single[item.code], _integer(item))
        elif item.code in columns.chosen:
            data |= _choices(item, columns)
    table = pa.table(data)
    return table.sort_by([(name, "ascending") for name in table.column_names]).combine_chunks()


def _parts(form: Questionnaire, values: Sequence[str | None]) -> "dict[str, pa.Array]":
    """Which part of the form was asked, as `2/10`; no column where everybody is asked everything."""
    import pyarrow as pa

    if form.parts is None:
        return {}
    drawn = [next(iter(json.loads(value).values()), None) if value else None for value in values]
    return {"part": pa.array([None if part is None else f"{part[0]}/{part[1]}" for part in drawn], pa.string())}


def _integer(item: Item) -> "pa.DataType":
    import pyarrow as pa

    largest = max((item.maximum or 0, -(item.minimum or 0), *(option.code for option in item.options)))
    return pa.int8() if largest <= 127 else pa.int16() if largest <= 32767 else pa.int32()


def _choices(item: Item, columns: Columns) -> "dict[str, pa.Array]":
    """A 0/1 column for each option; a missing code stands in every one of them."""
    import numpy as np
    import pyarrow as pa

    table = {option.code: np.zeros(columns.count, dtype=np.int8) for option in item.options}
    for row, code in columns.chosen[item.code]:
        if code >= 0:
            table[code][row] = 1
        else:
            for values in table.values():
                values[row] = code
    return {f"{item.code}_{code}": pa.array(values, pa.int8()) for code, values in table.items()}


def _register(rows: Iterable[RegisterRow]) -> "pa.Table":
    import pyarrow as pa

    names = ("centre", "field", "month", "channel", "received", "resolved", "on_time")
    cells = sorted(tuple(getattr(row, name) for name in names) for row in rows)
    kinds = {name: pa.int64() if name in names[4:] else pa.string() for name in names}
    return pa.table({name: pa.array([row[place] for row in cells], kinds[name]) for place, name in enumerate(names)})


def _type_word(kind: "pa.DataType") -> str:
    return {"string": "text", "date32[day]": "date", "bool": "boolean", "double": "float64"}.get(str(kind), str(kind))


def _parquet(table: "pa.Table") -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", version="2.6", row_group_size=1 << 20)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _json(data: Mapping[str, Any]) -> bytes:
    return (json.dumps(data, ensure_ascii=False, sort_keys=True, indent=1) + "\n").encode("utf-8")


# ---- files


@contextlib.contextmanager
def _placed(folder: Path, files: Mapping[str, bytes]) -> Iterator[Path]:
    """Write all files beside, then rename: whoever looks sees a whole extract or none.

    A new one is taken away again if what follows fails: there is no extract that the audit does not know.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with folder_lock(folder):
        for abandoned in folder.glob(f"{_BESIDE}*"):  # nobody else writes here now: its process was killed
            shutil.rmtree(abandoned)
        target = folder / hashlib.sha256(files["manifest.json"]).hexdigest()[:12]
        new = not target.exists()
        with later():
            _place_alone(target, files)
            try:
                yield target
            except BaseException:
                if new:
                    shutil.rmtree(target, ignore_errors=True)
                raise


def _place_alone(target: Path, files: Mapping[str, bytes]) -> None:
    if target.exists():
        _refuse_altered(target, files)
        os.utime(target / "manifest.json")  # it is the newest again
        return
    beside = Path(tempfile.mkdtemp(prefix=_BESIDE, dir=target.parent))
    try:
        for name, content in files.items():
            with open(beside / name, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        beside.chmod(0o700)
        beside.rename(target)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def _refuse_altered(target: Path, files: Mapping[str, bytes]) -> None:
    altered = [
        name
        for name, content in files.items()
        if not (target / name).is_file() or (target / name).read_bytes() != content
    ]
    if altered:
        raise ExtractError(
            Problem(
                f"an extract of the same data lies here, but was altered: {', '.join(sorted(altered))}",
                str(target),
                "find out who changed it, remove the folder, then extract again",
            )
        )
