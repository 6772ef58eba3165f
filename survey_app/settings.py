"""One instance's settings: `config.toml`, the secret key beside it, and where everything lies."""

import errno
import os
import re
import secrets
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from survey_app import swapping
from survey_app.problems import Problem, SipasError

CONFIG, KEY = "config.toml", "secret.key"
FOLDERS = ("extracts", "registers", "questionnaires", "backups", "reports", "simulations", "audio")
HOUR = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]|")
DEFAULT_PROVINCE = {"vi": "Tỉnh Tuyên Quang", "en": "Tuyên Quang province"}


MOST_BYTES = 64 * 1024
"""Of config.toml and of the key: more is something else."""


class SettingsError(SipasError):
    """The instance is missing, or its `config.toml` or key cannot be used."""


@dataclass(frozen=True)
class Settings:
    """Everything an instance is configured with; paths are absolute."""

    instance: Path
    key: bytes = field(repr=False)
    demo: bool = False
    simulated: bool = False
    province: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_PROVINCE))
    idle_seconds: int = 120
    invite_every: int = 0
    """Staff invite one customer in so many; 0: nobody is invited, the tablet stands there for whoever comes."""
    comment_days: int = 365
    backup_at: str = "02:00"
    """Local time of the nightly backup; empty: none."""
    backups_kept: int = 30

    @property
    def store_path(self) -> Path:
        return self.instance / "sipas.sqlite3"

    @property
    def heads_log(self) -> Path:
        return self.instance / "heads.log"

    @property
    def write_lock(self) -> Path:
        return self.instance / "write.lock"

    @property
    def server_lock(self) -> Path:
        return self.instance / "server.lock"

    @property
    def extracts(self) -> Path:
        return self.instance / "extracts"

    @property
    def reports(self) -> Path:
        return self.instance / "reports"

    @property
    def registers(self) -> Path:
        return self.instance / "registers"

    @property
    def questionnaires(self) -> Path:
        return self.instance / "questionnaires"

    @property
    def backups(self) -> Path:
        return self.instance / "backups"

    @property
    def archives(self) -> Path:
        return self.instance / "archives"

    @property
    def audio(self) -> Path:
        """Recordings made for this instance, a folder for each voice."""
        return self.instance / "audio"

    @property
    def simulations(self) -> Path:
        return self.instance / "simulations"

    @classmethod
    def load(cls, instance: Path) -> "Settings":
        """Read `INSTANCE/config.toml` and `INSTANCE/secret.key`; `SettingsError` names every problem.

        A restore that was cut short after its decision is finished first.
        """
        if swapping.is_pending(instance):
            swapping.finish(instance)
        path = instance / CONFIG
        try:
            raw = tomllib.loads(_small_file(path).decode("utf-8-sig").replace("\r\n", "\n"))
        except (FileNotFoundError, NotADirectoryError):
            raise SettingsError(
                Problem("no instance here", str(instance), f"make one: sipas --instance {instance} init")
            ) from None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
            raise SettingsError(Problem(f"config.toml cannot be read: {error}", str(path), "mend the file")) from None
        problems = _problems(raw, path)
        key = _read_key(instance / KEY, problems)
        if problems:
            raise SettingsError(problems)
        return cls(instance=instance.resolve(), key=key, **raw)


_TYPES: Mapping[str, type] = {
    "demo": bool,
    "simulated": bool,
    "province": dict,
    "idle_seconds": int,
    "invite_every": int,
    "comment_days": int,
    "backup_at": str,
    "backups_kept": int,
}


_MAY_BE_0 = {"invite_every"}


def _problems(raw: Mapping[str, Any], path: Path) -> list[Problem]:
    found = []
    for name, value in raw.items():
        if name not in _TYPES:
            known = ", ".join(sorted(_TYPES))
            found.append(Problem(f"unknown setting {name!r}", str(path), f"remove it; the settings are: {known}"))
        elif type(value) is not _TYPES[name]:
            found.append(
                Problem(f"{name} is not a {_TYPES[name].__name__}: {value!r}", str(path), "write a value of that type")
            )
        elif isinstance(value, int) and not isinstance(value, bool) and value < (least := int(name not in _MAY_BE_0)):
            found.append(Problem(f"{name} is {value}", str(path), f"write a number of at least {least}"))
        elif name == "backup_at" and isinstance(value, str) and not HOUR.fullmatch(value):
            found.append(
                Problem(f"backup_at is {value!r}", str(path), 'write a time of day as "02:00", or "" for no backups')
            )
        elif isinstance(value, dict) and not all(isinstance(value.get(code), str) for code in ("vi", "en")):
            found.append(
                Problem("province lacks a name in vi or en", str(path), 'write province = {vi = "…", en = "…"}')
            )
    return found


def _small_file(path: Path) -> bytes:
    """The content of a plain file; never one that has no end, or that waits for a writer."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no plain file", str(path))
    with path.open("rb") as stream:
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise OSError(errno.EFBIG, f"it is larger than {MOST_BYTES // 1024} KiB", str(path))
    return content


def _read_key(path: Path, problems: list[Problem]) -> bytes:
    try:
        key = bytes.fromhex(_small_file(path).decode("ascii").strip())
    except (OSError, ValueError) as error:
        problems.append(Problem(f"the instance's key cannot be read: {error}", str(path), "restore it from the backup"))
        return b""
    if len(key) != 32:
        problems.append(Problem("the instance's key is not 32 bytes", str(path), "restore it from the backup"))
    return key


def read_key(path: Path) -> bytes:
    """The key of another instance, to make one that knows its free texts; `SettingsError` when it is none."""
    try:
        with path.open("rb") as stream:
            key = bytes.fromhex(stream.read(200).decode("ascii").strip())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it does not hold 64 hexadecimal digits"
        problem = Problem(f"the key cannot be read: {reason}", str(path), "name the secret.key of an instance")
        raise SettingsError(problem) from None
    if len(key) != 32:
        raise SettingsError(Problem("the key is not 32 bytes", str(path), "name the secret.key of an instance"))
    return key


@contextmanager
def made_whole(instance: Path) -> Iterator[None]:
    """What is made there inside is there afterwards, or none of it, whatever interrupts the making."""
    new = not os.path.lexists(instance)
    before = set(instance.iterdir()) if instance.is_dir() else set()
    try:
        yield
    except BaseException:
        after = set(instance.iterdir()) if instance.is_dir() else set()
        for path in [instance] if new and instance.is_dir() else after - before:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        raise


def create_instance(instance: Path, *, demo: bool = False, key: bytes | None = None) -> Settings:
    """Make the folders, `config.toml` and a key, new unless given. An existing instance is refused, never overwritten."""
    if (instance / CONFIG).exists() or swapping.is_pending(instance) or (instance / "sipas.sqlite3").exists():
        raise SettingsError(
            Problem("there is an instance here already", str(instance), "use it, or name another place")
        )
    for name in FOLDERS:
        (instance / name).mkdir(parents=True, exist_ok=True)
    descriptor = os.open(instance / KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write((key or secrets.token_bytes(32)).hex() + "\n")
    flag = str(demo).lower()
    (instance / CONFIG).write_text(
        "# Settings of this instance. Every setting is described in docs/host.md.\n"
        f"demo = {flag}\nsimulated = {flag}\nidle_seconds = 120\ncomment_days = 365\n"
        f'backup_at = "{"" if demo else "02:00"}"\nbackups_kept = 30\n\n'
        f'[province]\nvi = "{DEFAULT_PROVINCE["vi"]}"\nen = "{DEFAULT_PROVINCE["en"]}"\n',
        encoding="utf-8",
    )
    return Settings.load(instance)
