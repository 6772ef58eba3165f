"""Memory of the estimates by field: printed as JSON by a process that does nothing else.

    python -m benchmarks.speed_memory ROWS

input: bytes of the arrays the estimates read. extra: how far the process's peak rose above what it held with the data
made, everything imported and compiled, the design built (design: what that took), while it computed both measures.
"""

import json
import sys
from pathlib import Path

from benchmarks.speed_data import make_data
from benchmarks.speed_tasks import both, design_of


def status(name: str) -> int:
    """A figure of /proc/self/status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"/proc/self/status has no {name}")


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def main() -> None:
    warm = make_data(2_000)
    both(design_of(warm), warm, warm.field)
    data = make_data(int(sys.argv[1]))
    forget_peak()
    before = status("VmRSS")
    design = design_of(data)
    built = status("VmHWM")
    held = status("VmRSS")
    forget_peak()
    estimates = both(design, data, data.field)
    peak = max(status("VmHWM"), built)
    assert estimates[0].value.size
    print(json.dumps({"input": data.estimation_bytes, "extra": peak - before, "design": held - before}))


if __name__ == "__main__":
    main()
