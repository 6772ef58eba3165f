"""What went wrong, where, and what to do: the one shape of an error a person is shown."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    what: str
    where: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}\n  where: {self.where}\n  remedy: {self.remedy}"


class SipasError(Exception):
    """Carries every problem found, not only the first."""

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
