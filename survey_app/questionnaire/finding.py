"""Which questionnaire a person means: `find_form`, among the shipped forms and an instance's own."""

from pathlib import Path

from survey_app.problems import Problem
from survey_app.questionnaire.file import load, shipped
from survey_app.questionnaire.model import Questionnaire, QuestionnaireError


def find_form(name: str, own: Path) -> Questionnaire:
    """The form called `ID` (its newest version), `ID.VERSION`, or lying at a path that ends in .toml.

    Forms in the folder `own` come before shipped ones of the same id and version.
    """
    if name.endswith(".toml"):
        return load(Path(name))
    forms = dict(shipped())
    for path in sorted(own.glob("*.toml")):
        id, _, version = path.stem.partition(".")
        forms[id, version] = path
    id, _, version = name.partition(".")
    versions = sorted((known for known_id, known in forms if known_id == id), key=_as_numbers)
    if not versions or (version and version not in versions):
        known = ", ".join(sorted(f"{known_id}.{known}" for known_id, known in forms)) or "none"
        raise QuestionnaireError(Problem(f"there is no form {name!r}", str(own), f"name one of: {known}"))
    return load(forms[id, version or versions[-1]])


def _as_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))
