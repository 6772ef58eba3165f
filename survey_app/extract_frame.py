"""What the extract of a sample wave has beside that of a counter wave: the design's columns, and the frame.

`design_columns`, `frame_table`.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from survey_app.model import PrimaryUnit
from survey_app.problems import Problem
from survey_app.store import Columns, StoreError

if TYPE_CHECKING:
    import pyarrow as pa

OUTCOMES = {"complete": "completed", "refused": "refused", "not_at_home": "not_at_home", "broken_off": "broken_off"}


def design_columns(psus: Sequence[str], frame: Sequence[PrimaryUnit]) -> "dict[str, pa.Array]":
    """Stratum and base weight of each response, from its village."""
    import pyarrow as pa

    units = {unit.psu: unit for unit in frame}
    if lost := sorted({str(psu) for psu in psus if psu not in units}):
        what = f"responses name villages that the wave's frame lacks: {', '.join(lost[:5])}"
        raise StoreError(Problem(what, "frame", "find out what was changed: sipas verify"))
    return {
        "stratum": pa.array([units[psu].stratum for psu in psus], pa.string()),
        "base_weight": pa.array([1 / units[psu].probability for psu in psus], pa.float64()),
    }


def frame_table(frame: Sequence[PrimaryUnit], columns: Columns) -> "pa.Table":
    """One row a village with what became of its households, responses given after the closing left out."""
    import pyarrow as pa

    envelope = columns.envelope
    given = zip(envelope["psu"], envelope["disposition"], envelope["after_close"], strict=True)
    met = Counter((psu, disposition) for psu, disposition, after_close in given if not after_close)
    units = sorted(frame, key=lambda unit: (unit.stratum, unit.psu))
    data = {name: pa.array([getattr(unit, name) for unit in units], pa.string()) for name in ("stratum", "psu", "name")}
    for name in ("population", "households"):
        data[name] = pa.array([getattr(unit, name) for unit in units], pa.int64())
    for disposition, name in OUTCOMES.items():
        data[name] = pa.array([met[unit.psu, disposition] for unit in units], pa.int64())
    data["probability"] = pa.array([unit.probability for unit in units], pa.float64())
    return pa.table(data)
