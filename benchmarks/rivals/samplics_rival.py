"""samplics: one call an item and measure; rows sorted by stratum and PSU beforehand."""

import warnings
from typing import Any

import numpy as np
from samplics.estimation import TaylorEstimator
from samplics.utils.types import PopParam
from worker import Columns, serve

warnings.simplefilter("ignore")


def ordered(data: Columns) -> tuple[dict[str, Any], list[Any]]:
    columns = {name: data.column(name) for name in ("weight", "stratum", "psu", "field", "agency")}
    order = np.lexsort((columns["psu"], columns["stratum"]))
    codes = data.codes()[:, order]
    high = np.where(np.isnan(codes), np.nan, codes >= 4)
    return {name: column[order] for name, column in columns.items()}, [codes, high]


def table(estimators: list[Any]) -> Any:
    """(value or SE, domains, items)."""
    return np.array(
        [
            [[each[level] for each in (made.point_est, made.stderror)] for level in sorted(made.point_est)]
            for made in estimators
        ]
    ).transpose(2, 1, 0)


def estimate(data: Columns, by: str) -> Any:
    columns, both = ordered(data)

    def one(y: Any) -> Any:
        made = TaylorEstimator(PopParam.mean)
        made.estimate(
            y=y,
            samp_weight=columns["weight"],
            stratum=columns["stratum"],
            psu=columns["psu"],
            domain=columns[by],
            remove_nan=True,
        )
        return made

    return lambda: [[one(y) for y in codes] for codes in both], lambda made: [table(part) for part in made]


if __name__ == "__main__":
    serve("samplics", {"estimate": estimate})
