"""svy: its own fastest way through each task. Data as polars frames, nulls for missing answers, made before the clock."""

import warnings
from typing import Any

import numpy as np
import polars as pl
import svy
from worker import Columns, serve

warnings.simplefilter("ignore")
_frames: dict[int, Any] = {}


def frame(data: Columns) -> Any:
    if data.n not in _frames:
        codes = data.codes()
        columns = {name: data.column(name) for name in ("weight", "stratum", "psu", "field", "agency")}
        for name, column in zip(data.names, codes, strict=True):
            columns[name] = pl.Series(column).fill_nan(None)
            columns[f"t{name}"] = pl.Series(np.where(np.isnan(column), np.nan, column >= 4)).fill_nan(None)
        columns |= {name: data.margin(name) for name in data.margins}
        _frames.clear()
        _frames[data.n] = pl.DataFrame(columns)
    return _frames[data.n]


def sample(data: Columns) -> Any:
    return svy.Sample(frame(data), svy.Design(stratum="stratum", psu="psu", wgt="weight"))


def table(estimates: Any) -> Any:
    """(value or SE, domains, items) of one estimate an item."""
    found = []
    for estimate in estimates:
        rows = {
            row.by_level[0] if isinstance(row.by_level, tuple | list) else row.by_level: row
            for row in estimate.estimates
        }
        found.append([[rows[level].est, rows[level].se] for level in sorted(rows, key=int)])
    return np.array(found).transpose(2, 1, 0)


def measures(made: Any, data: Columns, by: str, **options: Any) -> Any:
    means = made.estimation.mean(data.names, by=by, drop_nulls=True, **options)
    shares = made.estimation.mean([f"t{name}" for name in data.names], by=by, drop_nulls=True, **options)
    return means, shares


def estimate(data: Columns, by: str) -> Any:
    made = sample(data)
    return lambda: measures(made, data, by), lambda both: [table(part) for part in both]


def bootstrap(data: Columns, option: str) -> Any:
    made = sample(data)

    def run() -> Any:
        drawn = made.weighting.create_bs_wgts(n_reps=int(option), rstate=1)
        return measures(drawn, data, "field", method="replication")

    return run, lambda both: [table(part) for part in both]


def raking(data: Columns, tolerance: str) -> Any:
    made = sample(data)
    controls = {name: dict(enumerate(data.totals[name])) for name in data.margins}

    def run() -> Any:
        return made.weighting.rake(controls=controls, wgt_name="raked", tol=float(tolerance), max_iter=1000)

    return run, lambda raked: raked.data["raked"].to_numpy()


if __name__ == "__main__":
    serve("svy", {"estimate": estimate, "bootstrap": bootstrap, "raking": raking})
