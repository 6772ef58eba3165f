"""How the kiosk's pages are shown: a screen of the survey, a page around it, a notice to citizens and staff.

`show`, `page`, `notice`, `text_size`, `Desk`, `visits`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import cast

from flask import Response, current_app, make_response, render_template, url_for
from flask.blueprints import BlueprintSetupState

from survey_app.model import Device, ServiceField, Wave
from survey_app.questionnaire import Questionnaire
from survey_app.web.cards import cards_of, heading_of, hidden_answers
from survey_app.web.context import services
from survey_app.web.messages import say
from survey_app.web.screens import Answers, Screen, place_of
from survey_app.web.sheet import GRACE, SIZES, Sheet
from survey_app.web.visits import Visit, Visits

EXTENSION = "sipas.visits"


@dataclass(frozen=True)
class Desk:
    """What a page of the survey works with: the device, the wave, its form, the fields on offer."""

    device: Device
    wave: Wave
    questionnaire: Questionnaire
    fields: Sequence[ServiceField]


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
            place.number - 1, place.total,
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
        cards=cards,
        hidden=hidden_answers(form, cards if template == "survey.html" else (), answers),
        simulated=desk.wave.simulated,
    )
    made.headers["Refresh"] = f"{patience}; url={url_for('kiosk.start')}"
    return made


def page(template: str, language: str, size: int, *, status: int = 200, **values: object) -> Response:
    """Any page. One that belongs to no wave is simulated when its instance is."""
    say_here = partial(say, language)
    values.setdefault("simulated", services().settings.simulated)
    return make_response(
        render_template(template, say=say_here, say_in=say, language=language, size=size, **values), status
    )


def notice(kind: str, *, status: int = 200, refresh: int | None = None, **values: object) -> Response:
    """A plain page for citizens and staff, in both languages."""
    made = page("notice.html", "vi", 1, status=status, kind=kind, values=values)
    if refresh:
        made.headers["Refresh"] = f"{refresh}; url={url_for('kiosk.start')}"
    return made


def text_size(text: str | None) -> int:
    return int(text) if text in {str(size) for size in SIZES} else 1
