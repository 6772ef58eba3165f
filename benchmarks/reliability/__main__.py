"""Run the tests named, or all; one line each, and with --write the page."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.reliability import table
from benchmarks.reliability.closed_loop import r1, r2
from benchmarks.reliability.full_disk import r7
from benchmarks.reliability.kills import r4
from benchmarks.reliability.lost_acknowledgement import r8, r9
from benchmarks.reliability.mutations import r15
from benchmarks.reliability.outage import r3
from benchmarks.reliability.outcome import Outcome
from benchmarks.reliability.soak import r16
from benchmarks.reliability.sync_order import r5
from benchmarks.reliability.tablet import a3, r10, r11, tested
from benchmarks.reliability.torn_log import r6


def _tested(name: str, folder: Path, short: bool) -> list[Outcome]:
    return tested(name)


TESTS: dict[str, Callable[[Path, bool], list[Outcome]]] = {
    "R1": r1, "R2": r2, "R3": r3, "R4": r4, "R5": r5, "R6": r6, "R7": r7, "R8": r8, "R9": r9, "R10": r10, "R11": r11,
    **{name: partial(_tested, name) for name in ("R12", "R13", "R14")}, "R15": r15, "R16": r16,
    **{name: partial(_tested, name) for name in ("A1", "A2")}, "A3": a3,
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability", description=__doc__)
    parser.add_argument("tests", nargs="*", metavar="TEST", help=f"of {', '.join(TESTS)}; all without")
    parser.add_argument("--short", action="store_true", help="the forms that run with the tests")
    parser.add_argument("--write", action="store_true", help=f"write {table.PAGE.relative_to(table.ROOT)}")
    parser.add_argument("--json", action="store_true", help="print every figure")
    options = parser.parse_args()
    if unknown := set(options.tests) - TESTS.keys():
        parser.error(f"no such test: {', '.join(sorted(unknown))}")
    missed = 0
    for name in options.tests or TESTS:
        with tempfile.TemporaryDirectory() as folder:
            outcomes = TESTS[name](Path(folder), options.short)
        for one in outcomes:
            missed += not one.holds
            print(
                f"{one.test} {'holds' if one.holds else 'MISSED'}: {one.what}: {one.found} (bar: {one.bar})", flush=True
            )
            if options.json or not one.holds:
                print(json.dumps(one.detail, ensure_ascii=False), flush=True)
        if options.write and not options.short:
            table.keep(outcomes)
            table.write()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
