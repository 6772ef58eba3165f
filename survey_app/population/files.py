"""How model files are found and read: TOML into frozen dataclasses, every problem named at once.

`shipped`, `model_file`, `toml_of`, `table_of`, `mapping_of`, `value_of`, `ModelError`.
"""

import importlib.resources
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from survey_app.problems import Problem, SipasError

T = TypeVar("T")
MOST_BYTES = 1024 * 1024
_FOLDER = importlib.resources.files("survey_app") / "data" / "populations"


class ModelError(SipasError):
    """The model file is missing or says something that cannot be simulated."""


def shipped() -> tuple[str, ...]:
    """The names of all model files that come with the program."""
    return tuple(sorted(path.name.removesuffix(".toml") for path in _FOLDER.iterdir() if path.name.endswith(".toml")))


def model_file(source: str | Path, names: Sequence[str]) -> tuple[bytes, str]:
    """The bytes and the name of a shipped model, one of `names`, or of a model file by its path."""
    if str(source) in names:
        return (_FOLDER / f"{source}.toml").read_bytes(), f"{source}.toml"
    try:
        with Path(source).open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise ModelError(
            Problem(f"no such population model: {error}", str(source), f"name a file, or one of: {', '.join(names)}")
        ) from None
    if len(content) > MOST_BYTES:
        what = f"the model file is larger than {MOST_BYTES // 1024} KiB"
        raise ModelError(Problem(what, str(source), "check that it is the right file"))
    return content, Path(source).name


def toml_of(content: bytes, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ModelError(Problem(f"not a TOML file: {error}", name, "mend the file")) from None


def mapping_of(raw: object, where: str, problems: list[Problem]) -> Mapping[str, Any]:
    if isinstance(raw, dict):
        return raw
    problems.append(Problem(f"not a table: {raw!r}", where, "write a table of settings"))
    return {}


def table_of(kind: type[T], raw: object, where: str, problems: list[Problem]) -> T:
    """A dataclass from a table of exactly its names; after a problem the object is never used."""
    table = mapping_of(raw, where, problems)
    hints = get_type_hints(kind)
    for key in sorted(table.keys() ^ hints.keys()):
        what = "unknown" if key in table else "missing"
        problems.append(Problem(f"{what} setting {key!r}", where, f"the settings are: {', '.join(hints)}"))
    return kind(**{key: value_of(hint, table.get(key), f"{where}.{key}", problems) for key, hint in hints.items()})


def value_of(hint: Any, raw: object, where: str, problems: list[Problem]) -> Any:
    def number(value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6

    if hint is int and isinstance(raw, int) and not isinstance(raw, bool) and raw > 0:
        return raw
    if hint is float and number(raw):
        return float(raw)  # type: ignore[arg-type]
    if hint is str and isinstance(raw, str) and raw:
        return raw
    if hint == tuple[float, ...] and isinstance(raw, list) and raw and all(map(number, raw)):
        return tuple(float(value) for value in raw)
    if hint == tuple[str, ...] and isinstance(raw, list) and all(isinstance(value, str) for value in raw):
        return tuple(raw)
    if hint == Mapping[str, float] and isinstance(raw, dict) and all(map(number, raw.values())):
        return {str(key): float(value) for key, value in raw.items()}
    if raw is not None:
        problems.append(Problem(f"not a value of the kind wanted: {raw!r}", where, f"write {hint}"))
    return None
