"""Who was asked at a counter and who answered: the field work of a wave counted by centre and day, and its rates.

`Fieldwork`, `Met`, `count`, `total`, `COUNTS`. What the rates mean, and what they leave open: docs/method.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date


@dataclass(frozen=True)
class Met:
    """One record of a counter wave, as far as the field work goes."""

    centre: str
    day: date
    disposition: str
    recruitment: str
    mode: str


@dataclass(frozen=True)
class Fieldwork:
    """Counts of one centre and day, or of several: completed and broken off, and by how the citizen came to it.

    complete + broken_off + refused = invited + walk_up + staff_asked; invited = the three that begin with it, or refused.
    """

    complete: int = 0
    broken_off: int = 0
    invited: int = 0
    invited_complete: int = 0
    invited_broken_off: int = 0
    refused: int = 0
    walk_up: int = 0
    staff_asked: int = 0
    assisted: int = 0

    @property
    def response_rate(self) -> float | None:
        """Of those invited, who completed the form: AAPOR's RR1, since everyone invited is eligible and was met."""
        return self._of_invited(self.invited_complete)

    @property
    def refusal_rate(self) -> float | None:
        """Of those invited, who refused: AAPOR's REF1."""
        return self._of_invited(self.refused)

    @property
    def break_off_rate(self) -> float | None:
        """Of all who began, invited or not, who walked away before the end."""
        begun = self.complete + self.broken_off
        return self.broken_off / begun if begun else None

    def _of_invited(self, some: int) -> float | None:
        return some / self.invited if self.invited else None


COUNTS = tuple(field.name for field in fields(Fieldwork))


def count(records: Iterable[Met]) -> dict[tuple[str, date], Fieldwork]:
    """Field work of each centre and day that has a record, in their order."""
    found: dict[tuple[str, date], list[Met]] = {}
    for one in records:
        found.setdefault((one.centre, one.day), []).append(one)
    return {place: _counted(found[place]) for place in sorted(found)}


def _counted(records: list[Met]) -> Fieldwork:
    def number(**wanted: str) -> int:
        return sum(all(getattr(one, name) == value for name, value in wanted.items()) for one in records)

    return Fieldwork(
        complete=number(disposition="complete"),
        broken_off=number(disposition="broken_off"),
        invited=number(recruitment="invited"),
        invited_complete=number(recruitment="invited", disposition="complete"),
        invited_broken_off=number(recruitment="invited", disposition="broken_off"),
        refused=number(disposition="refused"),
        walk_up=number(recruitment="walk_up"),
        staff_asked=number(recruitment="staff_asked"),
        assisted=number(mode="assisted"),
    )


def total(parts: Iterable[Fieldwork]) -> Fieldwork:
    """The sum of disjoint counts."""
    several = list(parts)
    return Fieldwork(**{name: sum(getattr(part, name) for part in several) for name in COUNTS})
