"""What schemathesis finds when it explores the API by its own OpenAPI description: `explore`, `Explored`."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from survey_app.verification import verify
from tests.served import enrol, make_field, serving

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
DESCRIPTION = "/api/v1/openapi.json"


@dataclass(frozen=True)
class Explored:
    requests: int
    statuses: Counter[int]
    wrong: list[str]


def explore(folder: Path, examples: int, short: bool) -> Explored:
    """So many examples for each operation, as an enrolled device; not `short`: every bound too, and again as nobody."""
    settings = make_field(folder)
    wrong: list[str] = []
    statuses: Counter[int] = Counter()
    phases = "examples,fuzzing" if short else "examples,coverage,fuzzing"
    with serving(settings) as server:
        for who, token in (("device", enrol(settings)[1]), ("nobody", ""))[: 1 if short else 2]:
            report = folder.parent / f"{folder.name}-{who}.har"
            command = [sys.executable, "-m", "schemathesis.cli", "run", server.url + DESCRIPTION, "--checks", CHECKS]
            command += ["--max-examples", str(examples), "--seed", "15", "--no-color", "--continue-on-failure"]
            command += ["--report", "har", "--report-har-path", str(report), "--generation-database", "none"]
            command += ["--suppress-health-check", "all", "--warnings", "off", "--phases", phases]
            command += ["-H", f"Authorization: Bearer {token}"] if token else []
            ended = subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, check=False)
            if ended.returncode:
                wrong.append(f"schemathesis as {who}: {ended.stdout[-3000:]}{ended.stderr[-500:]}")
            entries = json.loads(report.read_text(encoding="utf-8"))["log"]["entries"] if report.exists() else []
            statuses.update(int(entry["response"]["status"]) for entry in entries)
    wrong += [f"status {status}, {count} times" for status, count in statuses.items() if status >= 500]
    log = server.log.read_text(encoding="utf-8")
    wrong += [f"in the log: {word}" for word in ("Traceback", "failed on") if word in log]
    wrong += [f"verify: {problem}" for problem in verify(settings)]
    return Explored(statuses.total(), statuses, wrong)
