"""ipfn: iterative proportional fitting of the ready table of cells, no rows in and no weights out."""

from typing import Any

import numpy as np
from ipfn.ipfn import ipfn
from worker import Columns, serve


def raking(data: Columns, tolerance: str) -> Any:
    sizes = [len(data.totals[name]) for name in data.margins]
    cell = np.ravel_multi_index([data.margin(name) for name in data.margins], sizes)
    weight = data.column("weight")
    before = np.bincount(cell, weights=weight, minlength=int(np.prod(sizes))).reshape(sizes)
    totals = [np.array(data.totals[name]) for name in data.margins]
    axes = [[axis] for axis in range(len(sizes))]

    def run() -> Any:
        # rate_tolerance: stops it before the margins are met
        return ipfn(before.copy(), totals, axes, convergence_rate=float(tolerance), rate_tolerance=0.0).iteration()

    return run, lambda table: weight * (table / np.where(before > 0, before, 1)).ravel()[cell]


if __name__ == "__main__":
    serve("ipfn", {"raking": raking})
