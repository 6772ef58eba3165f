"""What went wrong in an analysis, where, and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass


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
