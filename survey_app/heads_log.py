"""Appending to heads.log: whole lines or none, also after a line that a power cut tore off.

`append`, `TORN`. What a line means stands with those who write it (`store`) and those who read it (`verification`).
"""

import errno
import os
from pathlib import Path

TORN = "\ttorn"
"""Put behind what a power cut left of a line by whoever writes next: nothing is taken away, nothing is spoilt."""


def append(path: Path, lines: str, *, sync: bool = False) -> None:
    """Add lines, each with its newline; with `sync` they are on disk when this returns."""
    new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            lines = f"{TORN}\n{lines}"
        content = lines.encode("ascii")
        try:
            if os.write(descriptor, content) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            if sync:
                os.fdatasync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)
    if new and sync:
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Have on disk which files the folder holds, where the file system can be asked for that."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)
