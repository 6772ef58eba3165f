"""What the analysis of a wave yields, as frozen values that know no printing.

Public: Score (one row of scores.csv), COLUMNS, counted, VerdictDetail, LeftOut, Exclusion, OddAnswers; UsedRules; Result and its
two kinds, WaveResult (a counter wave) and SampleResult; AnyResult.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property

from analysis.wave.extract import Extract
from analysis.wave.rules import UsedRules
from analysis.wave.sample import SampleWeighting
from analysis.wave.weights import Weighting

__all__ = [
    "COLUMNS",
    "AnyResult",
    "Exclusion",
    "LeftOut",
    "OddAnswers",
    "Result",
    "SampleResult",
    "Score",
    "UsedRules",
    "VerdictDetail",
    "WaveResult",
    "counted",
]


@dataclass(frozen=True)
class Score:
    """One row of scores.csv. None where publication leaves a cell blank or a number does not exist."""

    wave: str
    domain_kind: str
    domain: str
    label: str
    measure: str
    item_method: str
    roll_up: str
    value: float | None
    se: float | None
    ci_low: float | None
    ci_high: float | None
    level: float
    df: float | None
    deff: float | None
    n: int | None
    n_eff: float | None
    responses: int | None
    dossiers: int | None
    verdict: str = ""
    suppressed: str = "no"
    note: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.domain_kind, self.domain, self.measure


COLUMNS = tuple(field.name for field in fields(Score))


def counted(rows: Iterable[Score]) -> bool:
    """Whether any row of a table for all shows how many responses the table has."""
    return any(row.responses is not None for row in rows if row.domain_kind == "all")


@dataclass(frozen=True)
class Exclusion:
    """Responses left out of the estimates for one reason; each response is counted once, under the first that holds.

    count : None where it would give away the count of a table that is hidden
    """

    reason: str
    count: int | None
    text: Mapping[str, str]


@dataclass(frozen=True)
class LeftOut:
    responses: int
    kept: Mapping[str, int | None]
    """Responses of each table: received, filed, asked; None where publication hides the table's total."""
    reasons: tuple[Exclusion, ...]
    together: int | None = None
    """Sum of the counts that are None, where it gives none of them away."""


@dataclass(frozen=True)
class VerdictDetail:
    """Behind a verdict: p (two-sided, from the interval shown), Holm-adjusted p, share answered, tipping point.

    `answered` is responses over dossiers; `tipping` the score of those who did not answer at which the verdict turns.
    `reason` says in a token why there is no verdict (n<100, df<8, value>97, suppressed), else it is empty.
    """

    domain_kind: str
    domain: str
    measure: str
    verdict: str
    reason: str
    p: float | None
    p_holm: float | None
    answered: float | None
    tipping: float | None


@dataclass(frozen=True)
class OddAnswers:
    """Completed responses that came in oddly, given before the closing, and the headline without them.

    flagged : flag -> responses; left_out : with any flag that leaves a response out of `without`
    without : index and overall of all by the other responses, weighted anew; empty where too few would be left out or left
    """

    flagged: Mapping[str, int]
    completed: int
    left_out: int
    without: tuple[Score, ...]


@dataclass(frozen=True)
class Result:
    """What every report shows. All rows went through publication: what is None here must not be shown anywhere.

    scores : rows of scores.csv
    unweighted : index and overall with weight 1, same design
    factor_mean : the index rolled up as factor_mean, beside the headline
    factor_shares : domain -> factor -> its share of all valid answers, weighted (0-1)
    first_rule : the headline by the rules fixed before the wave opened, when others were asked for; else empty
    verdicts : (domain_kind, domain, measure) -> VerdictDetail
    """

    extract: Extract
    rules: UsedRules
    left_out: LeftOut
    scores: tuple[Score, ...]
    unweighted: tuple[Score, ...]
    factor_mean: tuple[Score, ...]
    factor_shares: Mapping[str, Mapping[str, float]]
    first_rule: tuple[Score, ...]
    verdicts: Mapping[tuple[str, str, str], VerdictDetail]

    def score(self, domain: str = "all", measure: str = "index", rows: tuple[Score, ...] | None = None) -> Score | None:
        """The row of all or of a field and `measure` among the scores, or among `rows`."""
        kind = "all" if domain == "all" else "field"
        if rows is None:
            return self.find(kind, domain, measure)
        return next((row for row in rows if row.key == (kind, domain, measure)), None)

    def find(self, domain_kind: str, domain: str, measure: str) -> Score | None:
        """The row of scores.csv with this key."""
        return self._by_key.get((domain_kind, domain, measure))

    @cached_property
    def _by_key(self) -> dict[tuple[str, str, str], Score]:
        return {row.key: row for row in self.scores}


@dataclass(frozen=True)
class WaveResult(Result):
    """The result of a counter wave.

    filed, asked : rows of scores_filed.csv, scores_asked.csv
    sensitivity : index and overall with weights from 1/(1 + times had to come back)
    week_se : (domain_kind, domain, measure) -> SE with PSU = centre x ISO week
    odd : None where the extract has no flags of odd answers
    """

    weighting: Weighting
    filed: tuple[Score, ...]
    asked: tuple[Score, ...]
    sensitivity: tuple[Score, ...]
    week_se: Mapping[tuple[str, str, str], float]
    odd: OddAnswers | None = None


@dataclass(frozen=True)
class SampleResult(Result):
    """The result of a sample wave.

    not_raked : index, overall, areas and factors by the weights before raking; empty where nothing was raked
    """

    weighting: SampleWeighting
    not_raked: tuple[Score, ...]


AnyResult = WaveResult | SampleResult
