"""The report of a trimming, which the trimmed design carries. Public: Trimmed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Trimmed:
    """What a trimming did.

    Attributes
    ----------
    lower, upper : the bounds
    raised, lowered : rows whose weight before was below the lower, above the upper bound
    moved : the weight that went from rows whose weight fell to rows whose weight rose; `share`, of all weight
    rounds : how often weight was cut off and given on
    smallest, largest : the weights after
    """

    lower: float
    upper: float
    raised: int
    lowered: int
    moved: float
    share: float
    rounds: int
    smallest: float
    largest: float
