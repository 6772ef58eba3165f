"""The data of the speed comparison: made once, in memory and as plain binary files that every rival can read.

Public: Data, MARGINS, make_data, save.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ITEMS, STRATA, PSUS, FIELDS, AGENCIES = 40, 25, 600, 12, 150
MARGINS = {"sex": 2, "age": 6, "district": 10, "education": 5}
MISSING = -1


@dataclass(frozen=True)
class Data:
    """A rating-scale survey of n responses.

    Attributes
    ----------
    codes : ndarray of int8, shape (n, items), C order: answers 1 to 5, −1 = no answer
    weight : ndarray of float64, shape (n,)
    stratum, psu : ndarray of int32, shape (n,); 25 strata of 24 PSUs, the rows in random order
    field : ndarray of int32, shape (n,), 12 service fields, all of them in every PSU
    agency : ndarray of int32, shape (n,), 150 agencies of 4 PSUs, six in a stratum
    margins : ndarray of int32, shape (n, 4), classes of sex, age, district, education
    totals : name of the margin → population totals of its classes
    """

    codes: NDArray[np.int8]
    weight: NDArray[np.float64]
    stratum: NDArray[np.int32]
    psu: NDArray[np.int32]
    field: NDArray[np.int32]
    agency: NDArray[np.int32]
    margins: NDArray[np.int32]
    totals: dict[str, list[float]]

    @property
    def n(self) -> int:
        return len(self.weight)

    @property
    def names(self) -> list[str]:
        return [f"q{item:02d}" for item in range(1, self.codes.shape[1] + 1)]

    @property
    def estimation_bytes(self) -> int:
        """Size of what an estimate by field reads."""
        return sum(part.nbytes for part in (self.codes, self.weight, self.stratum, self.psu, self.field))


def make_data(n: int, seed: int = 1) -> Data:
    """Answers that cluster in PSUs and items, unequal weights, margins that the weights miss by up to a fifth."""
    rng = np.random.default_rng([seed, n])
    psu = rng.permutation(np.arange(n, dtype=np.int32) % PSUS)
    stratum, agency = psu // (PSUS // STRATA), psu // (PSUS // AGENCIES)
    field = rng.choice(FIELDS, size=n, p=_zipf(FIELDS, 0.7)).astype(np.int32)
    margins = np.column_stack([rng.choice(size, size=n, p=_zipf(size, 0.3)) for size in MARGINS.values()])
    margins[:, 3] = np.where(rng.random(n) < 0.3, np.minimum(margins[:, 1], 4), margins[:, 3])
    weight = 45.0 * rng.lognormal(0.0, 0.4, n)
    codes = np.empty((n, ITEMS), dtype=np.int8)
    taste = rng.normal(0, 0.3, PSUS)[psu] + rng.normal(0, 0.8, n) + 0.1 * margins[:, 1]
    for item in range(ITEMS):
        answer = taste + rng.normal(0, 0.6, n) - 0.02 * item
        codes[:, item] = 1 + np.digitize(answer, (-1.9, -1.4, -0.8, 0.6))
        codes[rng.random(n) < 0.02 + 0.002 * item, item] = MISSING
    totals = {}
    population = float(weight.sum())
    for column, (name, size) in enumerate(MARGINS.items()):
        share = np.bincount(margins[:, column], weights=weight, minlength=size) / population
        target = share * rng.uniform(0.8, 1.2, size)
        totals[name] = (population * target / target.sum()).tolist()
    return Data(codes, weight, stratum, psu, field, agency, margins.astype(np.int32), totals)


def _zipf(size: int, power: float) -> NDArray[np.float64]:
    share = 1.0 / np.arange(1, size + 1) ** power
    return np.asarray(share / share.sum())


def save(data: Data, folder: Path) -> None:
    """Columns as raw little-endian binary, one file each; codes and margins item by item; numbers in about.json."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("weight", "stratum", "psu", "field", "agency"):
        getattr(data, name).tofile(folder / f"{name}.bin")
    data.codes.T.copy().tofile(folder / "codes.bin")
    data.margins.T.copy().tofile(folder / "margins.bin")
    about: dict[str, Any] = {"n": data.n, "items": data.codes.shape[1], "margins": list(MARGINS), "totals": data.totals}
    (folder / "about.json").write_text(json.dumps(about))
    np.concatenate([data.totals[name] for name in MARGINS]).tofile(folder / "totals.bin")
