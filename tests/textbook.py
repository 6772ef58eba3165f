"""Design-based variances written out row by row, as a textbook has them: slow, dense, and independent of analysis."""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Sample:
    """A small stratified cluster sample with missing answers, drawn from a seed."""

    weight: np.ndarray
    stratum: np.ndarray
    psu: np.ndarray
    domain: np.ndarray
    group: np.ndarray
    answers: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def y(self) -> np.ndarray:
        return self.answers["q1"]

    def take(self, rows: np.ndarray) -> "Sample":
        kept = (self.weight, self.stratum, self.psu, self.domain, self.group)
        return Sample(*(column[rows] for column in kept), {item: q[rows] for item, q in self.answers.items()})


def draw(seed: int, strata: int = 4, psus: int = 5, rows: int = 12, missing: float = 0.15, items: int = 4) -> Sample:
    rng = np.random.default_rng(seed)
    stratum = np.repeat([f"h{h}" for h in range(strata)], psus * rows)
    psu = np.repeat([f"h{h}p{p}" for h in range(strata) for p in range(psus)], rows)
    n = len(psu)
    effect = np.repeat(rng.normal(0, 0.7, strata * psus), rows)
    sample = Sample(rng.uniform(1, 9, n), stratum, psu, rng.choice(["a", "b", "c"], n), rng.choice(["x", "y"], n))
    for i in range(1, items + 1):
        q = np.clip(np.round(3.8 + effect + rng.normal(0, 1, n)), 1, 5)
        q[rng.random(n) < missing] = np.nan
        sample.answers[f"q{i}"] = q
    return sample


def design_variance(score: np.ndarray, stratum: np.ndarray, psu: np.ndarray) -> np.ndarray:
    """Covariance of Σ score over the rows, score of shape (n, m): Σ_h n/(n − 1) Σ (z − z̄)(z − z̄)'."""
    score = score.reshape(len(psu), -1)
    result = np.zeros((score.shape[1], score.shape[1]))
    for h in np.unique(stratum):
        z = np.array([score[(psu == p) & (stratum == h)].sum(axis=0) for p in np.unique(psu[stratum == h])])
        deviation = z - z.mean(axis=0)
        result += len(z) / (len(z) - 1) * deviation.T @ deviation
    return result


def residuals(score: np.ndarray, x: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Weighted scores after one calibration step: s − w_after x B, B the regression of s/w_after·w_before weighted."""
    score = score.reshape(len(before), -1)
    coefficients = np.linalg.lstsq(
        np.sqrt(before)[:, None] * x, np.sqrt(before)[:, None] * (score / after[:, None]), rcond=None
    )[0]
    return score - after[:, None] * (x @ coefficients)


def indicators(*labels: np.ndarray) -> np.ndarray:
    return np.column_stack([column == value for column in labels for value in np.unique(column)]).astype(float)


def raked(weight: np.ndarray, margins: list[tuple[np.ndarray, dict[str, float]]], sweeps: int = 500) -> np.ndarray:
    weight = weight.copy()
    for _ in range(sweeps):
        for labels, totals in margins:
            for label, total in totals.items():
                weight[labels == label] *= total / weight[labels == label].sum()
    return weight
