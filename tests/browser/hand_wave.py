"""A small wave nobody simulated: who comes to which centre on which day, and every answer they tap.

71 people at 3 centres on 2 days: 60 received a result, 6 filed, 4 asked, one would not name the service field. The
answers follow from small sums of the person's number, so that anybody can work them out again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

CENTRES = ("A01", "A02", "A03")
DAYS = {"2026-11-10": datetime(2026, 11, 10, 2, 0, tzinfo=UTC), "2026-11-11": datetime(2026, 11, 11, 7, 30, tzinfo=UTC)}
FIELDS = ("dat-dai", "ho-tich")
FACTORS = {
    "A": ("II.A1", "II.A2", "II.A3"),
    "B": ("II.B1", "II.B2", "II.B3", "II.B4"),
    "C": ("II.C1", "II.C2", "II.C3"),
    "D": ("II.D1", "II.D2", "II.D3"),
    "E": ("II.E1", "II.E2", "II.E3"),
}
ITEMS = tuple(item for items in FACTORS.values() for item in items)
FILED, RECEIVED, ASKED = 1, 2, 3
DECLINED = -3

REGISTER = """\
centre,field,month,channel,received,resolved,on_time
A01,dat-dai,2026-11,counter,210,200,180
A01,ho-tich,2026-11,counter,110,100,95
A01,ho-tich,2026-11,online,400,390,380
A02,dat-dai,2026-11,counter,160,150,120
A02,ho-tich,2026-11,counter,155,150,140
A03,dat-dai,2026-11,counter,420,400,333
A03,ho-tich,2026-11,counter,60,50,50
"""
RESOLVED = {"centre": {"A01": 300.0, "A02": 300.0, "A03": 450.0}, "field": {"dat-dai": 750.0, "ho-tich": 300.0}}


@dataclass(frozen=True)
class Person:
    number: int
    centre: str
    day: str
    visit: int
    field: str | None

    @cached_property
    def answers(self) -> Mapping[str, int]:
        """Item code → answer; an item on a screen that is not named here is declined."""
        n = self.number
        found: dict[str, int] = {"VISIT": self.visit, "OVERALL": 3 if n % 9 == 0 else 4 + n % 2}
        feedback = n % 5 == 0
        found["FEEDBACK"] = 1 if feedback else 2
        for place, item in enumerate(ITEMS):
            if (item.startswith("II.D") and self.visit != RECEIVED) or (item.startswith("II.E") and not feedback):
                continue
            turn = (7 * n + 3 * place) % 11
            found[item] = DECLINED if turn == 10 else 2 if turn == 0 else 3 if turn == 5 and n % 2 else 4 + turn % 2
        if self.visit == RECEIVED:
            found["TIMING"] = 1 + n % 4
        found["BACK"] = n % 3
        return found

    @property
    def row(self) -> dict[str, Any]:
        """What the independent computation works with."""
        return {"centre": self.centre, "day": self.day, "field": self.field, **self.answers}


def people() -> tuple[Person, ...]:
    """In the order in which they come: by day, then by centre."""
    found: list[Person] = []
    for day in DAYS:
        for centre in CENTRES:
            for place in range(10):
                field = FIELDS[0] if place < 6 else FIELDS[1]
                found.append(Person(len(found) + 1, centre, day, RECEIVED, field))
            found.append(Person(len(found) + 1, centre, day, FILED, FIELDS[len(found) % 2]))
    for centre in ("A01", "A02", "A03", "A01"):
        found.append(Person(len(found) + 1, centre, "2026-11-11", ASKED, FIELDS[0]))
    found.append(Person(len(found) + 1, "A02", "2026-11-11", RECEIVED, None))
    return tuple(found)
