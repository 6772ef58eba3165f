"""Answers that staff took from a tablet in a file: a revoked, lost or broken one, or one without network for weeks.

`read_export`, `take_over`, `Export`, `TakenOver`, `ExportError`. A file has two lines: what the tablet says, as JSON, and
the HMAC over that line under a key that both sides derive from the tablet's token. So it comes from that tablet and was
not changed on the way; the server, which keeps the token's hash only, can check it.
"""

import hashlib
import hmac
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from survey_app.incoming import Unreadable, read_response, record_all, strict_json
from survey_app.model import Device, stamp
from survey_app.problems import Problem, SipasError
from survey_app.response import MAX_SEQ, Response
from survey_app.store import Store

FORMAT = "sipas-device-export-1"
MESSAGE = b"sipas device export 1"
MOST_BYTES = 64 * 1024 * 1024
MOST_RESPONSES = 20_000
MOST_OFFSET_MS = 1000 * 366 * 86_400_000
KEYS = ("format", "device", "centre", "app", "exported", "offset_ms", "last_seq", "responses")
AGAIN = "export it again from the staff page of the tablet, and copy the file whole, without opening it in an editor"


class ExportError(SipasError):
    """A file that no tablet of this instance wrote, or not so; nothing of it was taken."""


@dataclass(frozen=True)
class Export:
    """A file that was read and found genuine. `offset_ms`: how far the tablet's clock was behind; None: not known."""

    file: str
    sha256: str
    device: Device
    app: str
    exported: str
    offset_ms: int | None
    last_seq: int
    responses: tuple[Response | Unreadable, ...]


@dataclass(frozen=True)
class TakenOver:
    """What became of it: how many of each fate."""

    file: str
    device: str
    centre: str
    offset_ms: int | None
    fates: Mapping[str, int]


def export_key(token_sha256: str) -> bytes:
    """The key of a device's files, from the hash of its token."""
    return hmac.digest(token_sha256.encode("ascii"), MESSAGE, "sha256")


def read_export(store: Store, file: Path) -> Export:
    """Read a file and hold it against the device it names; `ExportError` says what does not fit, and what to do."""
    content = _content(file)
    line, mac = _lines(content, file)
    said = _said(line, file)
    device = _device(store, said, file)
    key = export_key(store.token_hash(device.id) or "")
    if device.enrolled is None or not hmac.compare_digest(hmac.digest(key, line, "sha256").hex().encode(), mac):
        what = (
            f"the file is not as device {device.id} of this instance wrote it: it was changed, or is another instance's"
        )
        raise ExportError(Problem(what, str(file), f"{AGAIN}; or import it where the tablet was enrolled"))
    if said["centre"] != device.centre:
        what = f"the file names centre {said['centre']!r}, device {device.id} belongs to {device.centre}"
        raise ExportError(Problem(what, str(file), "import it where the tablet was enrolled"))
    return Export(
        file=file.name,
        sha256=hashlib.sha256(content).hexdigest(),
        device=device,
        app=said["app"],
        exported=said["exported"],
        offset_ms=said["offset_ms"],
        last_seq=said["last_seq"],
        responses=tuple(read_response(raw) for raw in said["responses"]),
    )


def take_over(
    store: Store,
    exports: Sequence[Export],
    received: datetime,
    step: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[TakenOver, ...]:
    """Record what the files hold, all of it or nothing: each response for its device, as if it had been sent just now.

    The clock's error is the one the tablet measured itself; so the days on the road are not taken for one.
    """
    total = sum(len(export.responses) for export in exports)
    done: list[TakenOver] = []
    with store.group():
        for export in exports:
            done.append(_take_over(store, export, received))
            step(sum(sum(one.fates.values()) for one in done), total)
    return tuple(done)


def _take_over(store: Store, export: Export, received: datetime) -> TakenOver:
    device = export.device
    waves = sorted({one.wave for one in export.responses if isinstance(one, Response)})
    before = {wave: store.head(wave).count for wave in waves}
    receipts = record_all(
        store,
        export.responses,
        device=device,
        received=received,
        sent_at=received - timedelta(milliseconds=export.offset_ms or 0),
        app=export.app,
        last_seq=export.last_seq,
        way="file",
    )
    fates = dict(Counter("rejected" if isinstance(one, Unreadable) else str(one.fate) for one in receipts))
    after = {wave: store.head(wave).count for wave in waves}
    store.log_event(
        "device_imported",
        {
            "device": device.id,
            "centre": device.centre,
            "source": export.file,
            "sha256": export.sha256,
            "app": export.app,
            "exported": export.exported,
            "offset_ms": export.offset_ms,
            "last_seq": export.last_seq,
            "received": stamp(received),
            "fates": fates,
            "positions": {wave: [before[wave] + 1, after[wave]] for wave in waves if after[wave] > before[wave]},
        },
    )
    return TakenOver(export.file, device.id, device.centre, export.offset_ms, fates)


# ---- the file


def _content(file: Path) -> bytes:
    with file.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > MOST_BYTES:
            what = f"the file is larger than {MOST_BYTES // 2**20} MiB"
            raise ExportError(Problem(what, str(file), "name a file that the staff page of a tablet exported"))
        return stream.read(MOST_BYTES)


def _lines(content: bytes, file: Path) -> tuple[bytes, bytes]:
    """What the tablet says, byte for byte, and the HMAC."""
    line, newline, rest = content.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
    mac = rest.strip()
    if not line.startswith(b"{"):
        what = "this is no file that a tablet exported"
        raise ExportError(Problem(what, str(file), "name a file that the staff page of a tablet exported"))
    if not newline or len(mac) < 64:
        raise ExportError(Problem("the file is cut off: its last line is missing or short", str(file), AGAIN))
    return line.removesuffix(b"\r"), mac


def _said(line: bytes, file: Path) -> dict[str, Any]:
    """The first line, every value of its type."""
    try:
        said = strict_json(line)
    except ValueError as error:
        raise ExportError(Problem(f"the first line {error}", str(file), AGAIN)) from None
    if not isinstance(said, dict) or not isinstance(said.get("format"), str):
        raise ExportError(Problem("the file does not name its format", str(file), AGAIN))
    if said["format"] != FORMAT:
        what = f"the file is of format {said['format'][:40]!r}, not {FORMAT!r}"
        raise ExportError(Problem(what, str(file), "update sipas, if the tablet runs a newer version"))
    wrong = sorted(set(said) ^ set(KEYS)) or [name for name, fits in _FITS.items() if not fits(said[name])]
    if wrong:
        what = f"not as the format wants it: {', '.join(name[:40] for name in wrong[:5])}"
        raise ExportError(Problem(what, str(file), AGAIN))
    return said


def _whole(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and low <= value <= high


def _text(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 100 and value.isprintable()


_FITS: Mapping[str, Callable[[Any], bool]] = {
    "device": _text,
    "centre": _text,
    "app": _text,
    "exported": _text,
    "offset_ms": lambda value: value is None or _whole(-MOST_OFFSET_MS, MOST_OFFSET_MS)(value),
    "last_seq": _whole(0, MAX_SEQ),
    "responses": lambda value: isinstance(value, list) and len(value) <= MOST_RESPONSES,
}


def _device(store: Store, said: Mapping[str, Any], file: Path) -> Device:
    for device in store.devices():
        if device.id == said["device"]:
            return device
    what = f"device {said['device']!r} is not known here"
    remedy = "import the file at the instance where the tablet was enrolled"
    raise ExportError(Problem(what, str(file), remedy))
