"""leafblower: raking rows. Its limit on weights (5) taken off, shares for totals, weights that average 1."""

import warnings
from typing import Any

import leafblower
import pandas as pd
from worker import Columns, serve

warnings.simplefilter("ignore")
METHOD = "raking"


def raking(data: Columns, tolerance: str) -> Any:
    frame = pd.DataFrame({name: data.margin(name) for name in data.margins})
    weight = data.column("weight")
    targets = {
        name: {str(label): total / sum(data.totals[name]) for label, total in enumerate(data.totals[name])}
        for name in data.margins
    }
    start = weight * (len(weight) / weight.sum())

    def run() -> Any:
        return leafblower.harvest(
            frame,
            targets,
            max_weight=float("inf"),
            method=METHOD,
            start_weights=start,
            attach_weights=False,
            max_iterations=2000,
            convergence={"absolute": float(tolerance)},
        )

    return run, lambda made: made["weights"] * (sum(data.totals[data.margins[0]]) / len(weight))


if __name__ == "__main__":
    serve("leafblower", {"raking": raking})
