"""weightipy: raking rows that all start from the weight 1, for it takes no design weights."""

import warnings
from typing import Any

import pandas as pd
import weightipy
from worker import Columns, serve

warnings.simplefilter("ignore")


def raking(data: Columns, tolerance: str) -> Any:
    frame = pd.DataFrame({name: data.margin(name) for name in data.margins})
    shares = {
        name: {label: 100 * total / sum(data.totals[name]) for label, total in enumerate(data.totals[name])}
        for name in data.margins
    }
    scheme = weightipy.scheme_from_dict(shares, name="raking", rim_params={"convcrit": float(tolerance)})
    return lambda: weightipy.weight(
        frame, scheme
    ), lambda made: made.to_numpy() * (sum(data.totals[data.margins[0]]) / data.n)


if __name__ == "__main__":
    serve("weightipy", {"raking": raking})
