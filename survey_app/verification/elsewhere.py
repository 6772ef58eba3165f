"""Heads that people kept outside the instance: on paper, in a copy of heads.log, in what a tablet was acknowledged.

`held_heads` reads `WAVE:COUNT:HEAD`, and files of such lines or copies of heads.log.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from survey_app.problems import Problem, SipasError
from survey_app.verification.chain import Witness
from survey_app.verification.witnesses import LINE, Witnesses

MAXIMUM_BYTES = 500_000_000
MAXIMUM_PROBLEMS = 20
_HEAD = re.compile(r"(#events|[a-z0-9][a-z0-9-]{0,39}):([0-9]{1,12}):([0-9a-f]{64})")
_REMEDY = "write WAVE:COUNT:HEAD, the head with all its 64 digits, as sipas wave show prints it; #events is the audit"


class HeadsError(SipasError):
    """What was given is not a head; every bad line is named."""


def held_heads(given: Iterable[str], path: Path | None) -> Witnesses:
    """Heads given one by one and in a file, by chain; `HeadsError` names all that are none."""
    found = read_heads(path) if path else Witnesses()
    problems: list[Problem] = []
    for text in given:
        if not text.strip():
            problems.append(Problem("this is not a head", "--head", _REMEDY))
        _take(text.encode("utf-8", "replace"), "--head", found, problems)
    if problems:
        raise HeadsError(problems)
    return found


def parse_head(text: str, source: str) -> tuple[str, Witness]:
    """The chain and its witness."""
    found = _HEAD.fullmatch(text.strip())
    if found is None:
        raise HeadsError(Problem("this is not a head", source, _REMEDY))
    chain, count, head = found.groups()
    return chain, Witness(int(count), head, source)


def read_heads(path: Path) -> Witnesses:
    """Heads of a file, one a line; empty lines, and lines of heads.log that only announce, are passed over."""
    found: Witnesses = {}
    problems: list[Problem] = []
    read = 0
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(iter(lambda: stream.readline(1000), b""), start=1):
                read += len(line)
                if read > MAXIMUM_BYTES:
                    raise HeadsError(Problem("the file is larger than 500 MB", str(path), "name a file of heads"))
                _take(line, f"{path.name}, line {number}", found, problems)
                if len(problems) >= MAXIMUM_PROBLEMS:
                    break
    except OSError as error:
        raise HeadsError(Problem(f"the file cannot be read: {error.strerror}", str(path), "check the name")) from None
    if not found and not problems:
        problems.append(Problem("the file holds no heads", str(path), _REMEDY))
    if problems:
        raise HeadsError(problems)
    return found


def _take(line: bytes, where: str, found: Witnesses, problems: list[Problem]) -> None:
    text = line.decode("utf-8-sig", "replace").rstrip("\r\n")
    if not text.strip():
        return
    logged = LINE.fullmatch(text)
    try:
        if logged is None:
            chain, witness = parse_head(text, where)
        elif logged[5]:
            return
        else:
            chain, witness = logged[2], Witness(int(logged[3]), logged[4], where)
    except HeadsError as error:
        problems.extend(error.problems)
    else:
        found.setdefault(chain, []).append(witness)
