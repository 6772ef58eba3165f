"""Questionnaires and the one validation of answers, used by pages, API, paper entry and import alike.

`load`, `parse`, `shipped` give a `Questionnaire`; `asked` is its routing; `check` holds a response against it and
fills in the missing codes. Format of the files: docs/questionnaire-format.md.
"""

from survey_app.questionnaire.checking import (
    AnswerProblem,
    Checked,
    asked,
    check,
)
from survey_app.questionnaire.file import load, parse, shipped
from survey_app.questionnaire.finding import find_form
from survey_app.questionnaire.model import (
    BROKEN_OFF,
    DECLINED,
    NOT_APPLICABLE,
    NOT_ASKED,
    NOT_DRAWN,
    Area,
    Condition,
    Factor,
    Index,
    Item,
    Option,
    Part,
    Parts,
    Questionnaire,
    QuestionnaireError,
    Scale,
    Section,
)
from survey_app.questionnaire.words import MISSING_LABELS

__all__ = [
    "BROKEN_OFF",
    "DECLINED",
    "MISSING_LABELS",
    "NOT_APPLICABLE",
    "NOT_ASKED",
    "NOT_DRAWN",
    "AnswerProblem",
    "Area",
    "Checked",
    "Condition",
    "Factor",
    "Index",
    "Item",
    "Option",
    "Part",
    "Parts",
    "Questionnaire",
    "QuestionnaireError",
    "Scale",
    "Section",
    "asked",
    "check",
    "find_form",
    "load",
    "parse",
    "shipped",
]
