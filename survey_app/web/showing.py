"""How a screen of the survey is shown, and who is answering just now.

`show`, `visits`.
"""

from dataclasses import replace
from datetime import timedelta
from typing import cast

from flask import Response, current_app
from flask.blueprints import BlueprintSetupState

from survey_app.web.cards import cards_of, heading_of, hidden_answers
from survey_app.web.context import services
from survey_app.web.desk import Desk, start_of
from survey_app.web.pages import page
from survey_app.web.screens import Answers, Screen, place_of
from survey_app.web.sheet import GRACE, Sheet
from survey_app.web.visits import Visit, Visits

EXTENSION = "sipas.visits"


def install_visits(state: BlueprintSetupState) -> None:
    state.app.extensions[EXTENSION] = Visits()


def visits() -> Visits:
    """The citizens who are answering on this server's pages just now."""
    return cast(Visits, current_app.extensions[EXTENSION])


def show(
    desk: Desk,
    sheet: Sheet,
    answers: Answers,
    screen: Screen,
    *,
    errors: dict[str, str] | None = None,
    template: str = "survey.html",
    status: int = 200,
) -> Response:
    """A screen of the survey; it goes back to the start by itself when nobody touches it."""
    form, now = desk.questionnaire, services().now()
    sheet = replace(sheet, screen=screen.id, shown=now)
    place = place_of(form, answers, screen.id)
    cards = cards_of(form, desk.fields, screen, sheet.language, answers, errors or {}, place.number)
    patience = sheet.patience(services().settings.idle_seconds, writing=any(card.kind == "text" for card in cards))
    until = now + timedelta(seconds=patience) + GRACE
    visits().note(
        Visit(
            desk.device, sheet.uuid, sheet.wave, form.id, form.version, sheet.language, sheet.started, now, until,
            place.number - 1, place.total, sheet.psu, desk.part,
        )
    )  # fmt: skip
    made = page(
        template,
        sheet.language,
        sheet.size,
        status=status,
        sheet=sheet,
        place=place,
        heading=heading_of(form, screen, cards, sheet.language),
        heading_prompt=f"heading.{screen.items[0].section}",
        cards=cards,
        hidden=hidden_answers(form, cards if template == "survey.html" else (), answers),
        simulated=desk.wave.simulated,
    )
    made.headers["Refresh"] = f"{patience}; url={start_of(sheet)}"
    return made
