"""The citizen's pages: start, one screen after another, thank you. They work without any JavaScript.

`kiosk` (routes `/`, `/survey`, `/thanks`), `visits`. What a citizen has answered so far travels in hidden fields and is stored nowhere
until it is sent; every page but the first and the last answers a POST, so that history holds no address of theirs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import cast

from flask import Blueprint, Response, current_app, make_response, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from werkzeug.wrappers import Response as AnyResponse

from survey_app.model import Device, ServiceField, Wave
from survey_app.questionnaire import Questionnaire
from survey_app.store import DeviceRevoked, StoreError
from survey_app.web.cards import cards_of, heading_of, hidden_answers
from survey_app.web.context import services
from survey_app.web.device import current_device
from survey_app.web.enrolment import enrolment
from survey_app.web.errors import storage_trouble
from survey_app.web.forms import answer_form, read_answers
from survey_app.web.intake import wave_of
from survey_app.web.messages import LANGUAGES, say
from survey_app.web.screens import Screen, neighbour, place_of, screen_with, screens
from survey_app.web.sending import Answers, asked_only, complaints, record_absent, send
from survey_app.web.sheet import GRACE, SIZES, Sheet, SheetError, new_sheet, read_sheet
from survey_app.web.visits import Visit, Visits

THANKS_SECONDS = 20
RETRY_SECONDS = 60
EXTENSION = "sipas.visits"

kiosk = Blueprint("kiosk", __name__)
kiosk.register_blueprint(enrolment)


@kiosk.record_once
def _install(state: BlueprintSetupState) -> None:
    state.app.extensions[EXTENSION] = Visits()


def visits() -> Visits:
    """The citizens who are answering on this server's pages just now."""
    return cast(Visits, current_app.extensions[EXTENSION])


@dataclass(frozen=True)
class Desk:
    """What a page of the survey works with: the device, the wave, its form, the fields on offer."""

    device: Device
    wave: Wave
    questionnaire: Questionnaire
    fields: Sequence[ServiceField]


# ---- pages that GET shows


@kiosk.get("/")
def start() -> AnyResponse:
    """The first page, with a fresh uuid; or why there is none."""
    try:
        device = current_device()
    except DeviceRevoked:
        return _notice("revoked", status=403)
    if device is None:
        return _notice("no_device", status=403)
    provided = services()
    wave = wave_of(provided.reader(), device)
    centre = provided.reader().centre(device.centre)
    if wave is None:
        return _notice("no_wave", refresh=RETRY_SECONDS, centre=centre.full_name)
    size = _size(request.args.get("size"))
    sheet = new_sheet(wave.id, provided.now(), size=size, slow=request.args.get("slow") == "1")
    return _page(
        "start.html",
        "vi",
        size,
        sheet=sheet,
        centre=centre,
        form=provided.reader().questionnaire(wave.questionnaire, wave.version),
        minutes=max(1, round(provided.settings.idle_seconds / 60)),
        simulated=wave.simulated,
        again="again" in request.args,
    )


@kiosk.get("/survey")
def survey_without_form() -> AnyResponse:
    """An address typed or restored: nothing of an earlier citizen, the start page."""
    return redirect(url_for("kiosk.start"), 303)


@kiosk.get("/thanks")
def thanks() -> AnyResponse:
    language = request.args.get("language", "vi")
    page = _page(
        "thanks.html",
        language if language in LANGUAGES else "vi",
        _size(request.args.get("size")),
        simulated=request.args.get("simulated") == "1",
    )
    page.headers["Refresh"] = f"{THANKS_SECONDS}; url={url_for('kiosk.start')}"
    return page


# ---- the survey


@kiosk.post("/survey")
def survey() -> AnyResponse:
    """One step: read the sheet and the answers, do what was tapped, show the next screen."""
    try:
        device = current_device()
        if device is None:
            return _notice("no_device", status=403)
        sheet = read_sheet(request.form)
        desk = _desk(device, sheet)
    except DeviceRevoked:
        return _notice("revoked", status=403)
    except (SheetError, StoreError):
        return _restart()
    action, _, value = request.form.get("go", "next").partition(".")
    if action == "start":
        return _begin(desk, sheet, value)
    form = answer_form(desk.questionnaire.items, desk.fields, sheet.language, request.form)
    answers = read_answers(desk.questionnaire, form)
    if action == "send" or (action == "enter" and sheet.screen == _last(desk.questionnaire, answers).id):
        return _send(desk, sheet, answers)
    if services().reader().is_stored(sheet.uuid):
        return _thank(desk, sheet)
    if visits().has_ended(sheet.uuid) or _is_stale(sheet):
        return _restart()
    return _step(desk, sheet, answers, action, value)


def _desk(device: Device, sheet: Sheet) -> Desk:
    """By the wave the citizen began with, though it may have closed since; `SheetError` when it is not theirs."""
    store = services().reader()
    wave = store.wave(sheet.wave)
    if device.centre not in wave.centres or device.simulated != wave.simulated or wave.opened is None:
        raise SheetError("a wave of another centre")
    return Desk(device, wave, store.questionnaire(wave.questionnaire, wave.version), store.fields())


def _begin(desk: Desk, sheet: Sheet, language: str) -> AnyResponse:
    """The first screen; a start page kept from before a citizen sent gets a new uuid."""
    record_absent(services(), visits())
    current = wave_of(services().reader(), desk.device)
    if current is None or current.id != sheet.wave:
        return redirect(url_for("kiosk.start"), 303)
    language = language if language in LANGUAGES else "vi"
    if visits().has_ended(sheet.uuid) or services().reader().is_stored(sheet.uuid):
        sheet = new_sheet(sheet.wave, services().now(), size=sheet.size, slow=sheet.slow)
    sheet = replace(sheet, started=services().now(), language=language)
    return _show(desk, sheet, {}, screens(desk.questionnaire)[0])


def _step(desk: Desk, sheet: Sheet, answers: Answers, action: str, value: str) -> AnyResponse:
    form = desk.questionnaire
    screen = screen_with(form, [sheet.screen])
    if screen is None or not screen.asked(form, answers):
        return _restart()
    sheet = sheet.timed(services().now())
    if action in ("next", "enter"):
        return _next(desk, sheet, answers, screen)
    if action == "back":
        before = neighbour(form, answers, screen.id, -1)
        return _show(desk, sheet.counted("backs"), answers, before) if before else _leave(sheet)
    if action == "leave":
        return _stop(sheet)
    if action == "stop":
        return _show(desk, sheet, answers, screen, template="stop.html")
    return _show(desk, _adjusted(sheet, action, value), answers, screen)


def _adjusted(sheet: Sheet, action: str, value: str) -> Sheet:
    """Another language, text size or patience; anything else leaves the sheet as it is."""
    if action == "language" and value in LANGUAGES:
        return replace(sheet, language=value).counted("language_changes")
    if action == "size":
        return replace(sheet, size=_size(value))
    if action == "slow":
        return replace(sheet, slow=value == "1")
    return sheet


def _next(desk: Desk, sheet: Sheet, answers: Answers, screen: Screen) -> AnyResponse:
    form = desk.questionnaire
    found = complaints(form, sheet, answers, desk.fields)
    here = {item.code: found[item.code] for item in screen.asked(form, answers) if item.code in found}
    if here:
        return _show(desk, sheet.counted("unanswered"), answers, screen, errors=here)
    after = neighbour(form, answers, screen.id, 1)
    return _show(desk, sheet, answers, after or screen)


def _send(desk: Desk, sheet: Sheet, answers: Answers) -> AnyResponse:
    """Record the form. What is missing is asked for; what fails keeps the answers on the page."""
    form = desk.questionnaire
    answers = asked_only(form, answers)
    found = complaints(form, sheet, answers, desk.fields)
    lacking = screen_with(form, found)
    if lacking and not services().reader().is_stored(sheet.uuid):
        return _show(desk, sheet, answers, lacking, errors=found)
    if not lacking:
        try:
            receipt = send(services(), desk.device, form, sheet.timed(services().now()), answers)
        except Exception as error:
            if storage_trouble(error) is None:
                current_app.logger.error("a form could not be recorded", exc_info=error)
            return _show(desk, sheet, answers, _last(form, answers), template="not_sent.html", status=503)
        if receipt.fate == "rejected":
            current_app.logger.error("a form was rejected: %s", ", ".join(receipt.errors))
            return _restart()
    visits().finish(sheet.uuid)
    return _thank(desk, sheet)


def _last(form: Questionnaire, answers: Answers) -> Screen:
    return [screen for screen in screens(form) if screen.asked(form, answers)][-1]


def _thank(desk: Desk, sheet: Sheet) -> AnyResponse:
    simulated = 1 if desk.wave.simulated else None
    return redirect(url_for("kiosk.thanks", language=sheet.language, size=sheet.size, simulated=simulated), 303)


def _leave(sheet: Sheet) -> AnyResponse:
    """Back from the first screen: the start page again, and no record, for nothing was begun."""
    visits().finish(sheet.uuid)
    return redirect(url_for("kiosk.start", size=sheet.size), 303)


def _stop(sheet: Sheet) -> AnyResponse:
    """The citizen stops: noted as broken off with the next citizen, as those are who walk away."""
    visits().stop(sheet.uuid, services().now())
    return redirect(url_for("kiosk.start"), 303)


def _restart() -> AnyResponse:
    return redirect(url_for("kiosk.start", again=1), 303)


def _is_stale(sheet: Sheet) -> bool:
    """Whether the page came back after it had gone to the start by itself: by the history, then, from a stranger."""
    patience = sheet.patience(services().settings.idle_seconds, writing=True)
    return services().now() - sheet.shown > timedelta(seconds=patience) + GRACE


# ---- rendering


def _show(
    desk: Desk,
    sheet: Sheet,
    answers: Answers,
    screen: Screen,
    *,
    errors: dict[str, str] | None = None,
    template: str = "survey.html",
    status: int = 200,
) -> AnyResponse:
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
    page = _page(
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
    page.headers["Refresh"] = f"{patience}; url={url_for('kiosk.start')}"
    return page


def _page(template: str, language: str, size: int, *, status: int = 200, **values: object) -> Response:
    say_here = partial(say, language)
    return make_response(
        render_template(template, say=say_here, say_in=say, language=language, size=size, **values), status
    )


def _notice(kind: str, *, status: int = 200, refresh: int | None = None, **values: object) -> Response:
    """A plain page for citizens and staff, in both languages."""
    page = _page("notice.html", "vi", 1, status=status, kind=kind, values=values)
    if refresh:
        page.headers["Refresh"] = f"{refresh}; url={url_for('kiosk.start')}"
    return page


def _size(text: str | None) -> int:
    return int(text) if text in {str(size) for size in SIZES} else 1
