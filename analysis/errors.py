"""What went wrong in an analysis, where, and what to do."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

DECIMAL_COMMA = re.compile(r"\s*[+-]?[\d.\s]*\d,\d+\s*")
BLANK = ("None", "<NA>")


@dataclass(frozen=True)
class Problem:
    what: str
    where: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}\n  where: {self.where}\n  remedy: {self.remedy}"


class AnalysisError(Exception):
    """Carries every problem found, not only the first."""

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def not_a_number(rows: Iterable[Iterable[object]], name: str) -> AnalysisError:
    """The first value that is no number, with its row; a decimal comma is called one."""
    for row, value in ((row, value) for row, cells in enumerate(rows) for value in cells):
        if repr(value) in BLANK:
            continue
        try:
            float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            what, remedy = (
                "is not a number",
                "give a column of numbers; leave the cell blank where the answer is missing",
            )
            if DECIMAL_COMMA.fullmatch(str(value)):
                what, remedy = "has a decimal comma", "a decimal point, and no separator of thousands: 1234.5"
            return AnalysisError(Problem(f"{repr(value)[:60]} {what}", f"{name}, row {row}", remedy))
    return AnalysisError(Problem("not all values are numbers", name, "give a column of numbers"))
