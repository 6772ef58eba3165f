"""A store of a million responses in the first released schema, and how long migrating, verifying, saving it takes.

    python -m benchmarks.million FOLDER [--responses 1000000] [--build-only]

The rows are SIMULATED and written straight into the tables, each with its content, hash and link, so that the store
verifies; then the commands run one after another as a person would run them, each a process of its own.
"""

import argparse
import contextlib
import dataclasses
import os
import random
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from survey_app import migrations
from survey_app.ledger import GENESIS, Plain, canonical, compact, content_hash, link
from survey_app.model import VIETNAM, Rules, stamp
from survey_app.province import read_centres, read_fields
from survey_app.questionnaire import Questionnaire, asked, check, load, shipped
from survey_app.response import Response
from survey_app.settings import Settings, create_instance
from survey_app.store import answer_rows
from survey_app.store.recording import RESPONSE_COLUMNS

FIRST_STEPS = 4
"""Those of the first released schema."""
WAVE = "million"
OPENED = datetime(2026, 9, 30, 17, 0, tzinfo=UTC)
CHUNK = 20_000
UUID, SEQ = "00000000-0000-4000-8000-000000000000", 987_654_321
STARTED, SUBMITTED = OPENED + timedelta(seconds=1), OPENED + timedelta(seconds=2)
KINDS = 300


@dataclasses.dataclass(frozen=True)
class Kind:
    """A pattern of answers that many citizens give: the content with holes for what differs, and its answer rows."""

    content: str
    field: str
    rows: list[tuple[str, int]]
    text: str | None


def kinds(form: Questionnaire, key: bytes, seed: random.Random) -> list[Kind]:
    fields = [field.code for field in read_fields()]
    found = []
    for number in range(KINDS):
        answers: dict[str, Any] = {}
        for item in form.items:
            if item.code == form.roles["field"] or item.kind == "text" or not asked(form, item, answers):
                continue
            codes = [option.code for option in item.options] or [0, 1, 2]
            code = seed.choice(codes[-2:]) if item.kind == "likert" else seed.choice(codes)
            answers[item.code] = (code,) if item.kind == "choices" else code
        text = f"(mô phỏng) lời thứ {number}" if number % 50 == 0 else None
        if text:
            answers["COMMENT"] = text
        response = Response(
            UUID, SEQ, WAVE, form.id, form.version, "vi", fields[number % len(fields)], None, "kiosk", "walk_up",
            "complete", None, answers, STARTED, SUBMITTED, dict.fromkeys(answers, 2500), {"simulated": 1},
        )  # fmt: skip
        checked = check(form, response, frozenset(fields))
        if checked.problems:
            raise SystemExit(f"a pattern does not pass its form: {checked.problems[0]}")
        rows = [(item, code) for _, item, code in answer_rows(0, checked.codes)]
        found.append(Kind(canonical(response, key).decode(), str(response.field), rows, text))
    return found


def events(form: Questionnaire, centres: list[str]) -> Iterator[tuple[str, dict[str, object]]]:
    rules = dataclasses.asdict(Rules())
    yield (
        "wave_created",
        {
            "id": WAVE, "kind": "counter", "title": {"vi": "Một triệu (mô phỏng)", "en": "A million (simulated)"},
            "questionnaire": form.id, "version": form.version, "months": ["2026-10"],
            "rules": {**rules, "margins": list(rules["margins"])}, "simulated": 1,
            "centres": centres, "questionnaire_sha256": form.sha256,
        },
    )  # fmt: skip
    yield "wave_opened", {"wave": WAVE, "opened": stamp(OPENED)}
    for centre in centres:
        yield "device_added", {"device": f"{centre}-1", "centre": centre, "simulated": 1}
        yield "device_enrolled", {"device": f"{centre}-1"}
    for centre in centres:
        yield "device_added", {"device": f"{centre}-1", "centre": centre, "simulated": 1}
        yield "device_enrolled", {"device": f"{centre}-1"}


def ground(connection: sqlite3.Connection, form: Questionnaire, settings: Settings) -> list[str]:
    """Centres, fields, the open wave, a device for each centre; the heads of the audit go to heads.log."""
    centres = read_centres()
    codes = sorted(centre.code for centre in centres)
    connection.executemany("INSERT INTO centre VALUES (?, ?, ?, ?, ?)", [dataclasses.astuple(c) for c in centres])
    connection.executemany(
        "INSERT INTO service_field VALUES (?, ?, ?, ?, 1)",
        [(f.code, compact(dict(f.label)).decode(), f.source, place) for place, f in enumerate(read_fields(), 1)],
    )
    connection.execute(
        "INSERT INTO questionnaire VALUES (?, ?, ?, ?)", (form.id, form.version, form.content, form.sha256)
    )
    logged = list(events(form, codes))
    names = ("id", "kind", "title", "questionnaire", "version", "months", "rules", "simulated")
    wave = [compact(value).decode() if isinstance(value, dict | list) else value for value in logged[0][1].values()]
    connection.execute(
        f"INSERT INTO wave ({', '.join(names)}, status) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'planned')", wave[: len(names)]
    )
    connection.executemany("INSERT INTO wave_centre VALUES (?, ?)", [(WAVE, code) for code in codes])
    connection.execute("UPDATE wave SET status = 'open', opened = ?", (stamp(OPENED),))
    connection.executemany(
        "INSERT INTO device (id, centre, simulated, created, code_sha256, code_expires, token_sha256, enrolled)"
        " VALUES (?, ?, 1, ?, ?, ?, ?, ?)",
        [
            (f"{c}-1", c, stamp(OPENED), content_hash(f"code {c}".encode()), stamp(OPENED),
             content_hash(f"token {c}".encode()), stamp(OPENED))
            for c in codes
        ],
    )  # fmt: skip
    head = GENESIS
    for number, (kind, detail) in enumerate(logged, 1):
        row: dict[str, Plain] = {
            "number": number, "at": stamp(OPENED), "kind": kind, "detail": compact(detail).decode()
        }  # fmt: skip
        head = link(head, row)
        connection.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?)", (*row.values(), head))
    settings.heads_log.write_text(f"{stamp(OPENED)}\t#events\t{len(logged)}\t{head}\n", encoding="ascii")
    return codes


def fill(connection: sqlite3.Connection, settings: Settings, form: Questionnaire, total: int) -> None:
    centres = ground(connection, form, settings)
    seed = random.Random(1)
    patterns = kinds(form, settings.key, seed)
    marks = ", ".join("?" * (len(RESPONSE_COLUMNS) + 2))
    insert = f"INSERT INTO response ({', '.join(RESPONSE_COLUMNS)}, content, chain) VALUES ({marks})"
    head = GENESIS
    for first in range(1, total + 1, CHUNK):
        responses, answers, comments = [], [], []
        for number in range(first, min(first + CHUNK, total + 1)):
            pattern = patterns[seed.randrange(KINDS)]
            row, content = one_row(number, total, pattern, centres, form, seed)
            head = link(head, row)
            responses.append((*row.values(), content, head))
            answers += [(number, item, code) for item, code in pattern.rows]
            if pattern.text:
                comments.append((number, "COMMENT", pattern.text))
        connection.execute("BEGIN")
        connection.executemany(insert, responses)
        connection.executemany("INSERT INTO answer VALUES (?, ?, ?)", answers)
        connection.executemany("INSERT INTO comment (response, item, text) VALUES (?, ?, ?)", comments)
        connection.execute("COMMIT")
    connection.execute("UPDATE device SET last_seq = (SELECT max(seq) FROM response WHERE device = device.id)")
    with settings.heads_log.open("a", encoding="ascii") as log:
        log.write(f"{stamp(datetime.now(UTC))}\t{WAVE}\t{total}\t{head}\n")


def one_row(
    number: int, total: int, pattern: Kind, centres: list[str], form: Questionnaire, seed: random.Random
) -> tuple[dict[str, Plain], str]:
    centre, seq = centres[(number - 1) % len(centres)], (number - 1) // len(centres) + 1
    started = OPENED + timedelta(milliseconds=int(number * 30 * 86_400_000 / total))
    submitted = started + timedelta(seconds=75)
    name = str(uuid.UUID(int=seed.getrandbits(128), version=4))
    content = (
        pattern.content.replace(UUID, name)
        .replace(f'"seq":{SEQ}', f'"seq":{seq}')
        .replace(stamp(STARTED), stamp(started))
        .replace(stamp(SUBMITTED), stamp(submitted))
    )
    values = (
        name, number, WAVE, number, centre, pattern.field, f"{centre}-1", seq, form.id, form.version, "vi", "kiosk",
        "walk_up", "complete", None, None, stamp(started), stamp(submitted), stamp(submitted), 0,
        submitted.astimezone(VIETNAM).date().isoformat(), 0, 0, 0, content_hash(content.encode()),
    )  # fmt: skip
    return dict(zip(RESPONSE_COLUMNS, values, strict=True)), content


def build(folder: Path, total: int) -> Settings:
    """An instance whose store is of the first released schema, with so many responses."""
    settings = create_instance(folder, demo=True)
    with contextlib.closing(sqlite3.connect(settings.store_path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA application_id = {migrations.APPLICATION_ID}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA foreign_keys = OFF")
        migrations.MIGRATIONS = migrations.MIGRATIONS[:FIRST_STEPS]
        migrations.apply(migrations.database_on(connection))
        fill(connection, settings, load(shipped()["counter", "1"]), total)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    settings.store_path.chmod(0o600)
    return settings


def run(instance: Path, *arguments: str) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and peak memory in MiB of one command."""
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "survey_app", "--instance", str(instance), *arguments])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"sipas {' '.join(arguments)} failed")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description="Build a large store; migrate, verify, back up and restore it.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--responses", type=int, default=1_000_000)
    parser.add_argument("--build-only", action="store_true")
    chosen = parser.parse_args()
    instance = chosen.folder / "instance"
    if not instance.exists():
        began = time.monotonic()
        settings = build(instance, chosen.responses)
        size = settings.store_path.stat().st_size / 2**20
        print(f"built {chosen.responses:,} SIMULATED responses in {time.monotonic() - began:.0f} s: {size:,.0f} MiB")
    if chosen.build_only:
        return
    print("| command | wall s | CPU s | peak MiB |\n|---|---:|---:|---:|", flush=True)
    copy, again = chosen.folder / "copy", chosen.folder / "again"
    for arguments in (
        ("migrate",),
        ("verify",),
        ("backup", "--output", str(copy)),
        ("restore", str(copy), "--into", str(again)),
    ):
        seconds, cpu, memory = run(instance, *arguments)
        print(
            f"| {arguments[0]} | {seconds:.1f} | {cpu:.1f} | {memory:.0f} | load {os.getloadavg()[0]:.1f}", flush=True
        )


if __name__ == "__main__":
    main()
