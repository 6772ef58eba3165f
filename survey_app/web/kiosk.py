"""The citizen's pages: start, one screen after another, thank you. They work without any JavaScript.

`kiosk`: routes `/`, `/survey`, `/thanks`. What a citizen has answered so far travels in hidden fields and is stored
nowhere until it is sent; every page but the first and the last answers a POST, so that history holds no address of
theirs.
"""

from dataclasses import replace
from datetime import timedelta

from flask import Blueprint, current_app, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from survey_app.model import Device
from survey_app.questionnaire import Questionnaire
from survey_app.store import DeviceRevoked, StoreError
from survey_app.web.context import services
from survey_app.web.device import current_device, renew_device_cookie
from survey_app.web.enrolment import enrolment
from survey_app.web.errors import WebProblem, storage_trouble
from survey_app.web.forms import answer_form, read_answers
from survey_app.web.intake import wave_of
from survey_app.web.messages import LANGUAGES
from survey_app.web.screens import Answers, Screen, neighbour, screen_with, screens
from survey_app.web.sending import asked_only, complaints, record_absent, send
from survey_app.web.sheet import GRACE, Sheet, SheetError, new_sheet, read_sheet
from survey_app.web.showing import Desk, install_visits, notice, page, show, text_size, visits

THANKS_SECONDS = 20
RETRY_SECONDS = 60

kiosk = Blueprint("kiosk", __name__)
kiosk.register_blueprint(enrolment)


kiosk.record_once(install_visits)


# ---- pages that GET shows


@kiosk.get("/")
def start() -> AnyResponse:
    """The first page, with a fresh uuid; or why there is none."""
    try:
        device = current_device()
    except DeviceRevoked:
        return notice("revoked", status=403)
    if device is None:
        return notice("no_device", status=403)
    provided = services()
    wave = wave_of(provided.reader(), device)
    centre = provided.reader().centre(device.centre)
    if wave is None:
        return notice("no_wave", refresh=RETRY_SECONDS, centre=centre.full_name)
    size = text_size(request.args.get("size"))
    sheet = new_sheet(wave.id, provided.now(), size=size, slow=request.args.get("slow") == "1")
    made = page(
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
    renew_device_cookie(made)
    return made


@kiosk.get("/survey")
def survey_without_form() -> AnyResponse:
    """An address typed or restored: nothing of an earlier citizen, the start page."""
    return redirect(url_for("kiosk.start"), 303)


@kiosk.get("/thanks")
def thanks() -> AnyResponse:
    language = request.args.get("language", "vi")
    made = page(
        "thanks.html",
        language if language in LANGUAGES else "vi",
        text_size(request.args.get("size")),
        simulated=request.args.get("simulated") == "1",
    )
    made.headers["Refresh"] = f"{THANKS_SECONDS}; url={url_for('kiosk.start')}"
    return made


# ---- the survey


@kiosk.post("/survey")
def survey() -> AnyResponse:
    """One step: read the sheet and the answers, do what was tapped, show the next screen."""
    try:
        device = current_device()
        if device is None:
            return notice("no_device", status=403)
        if wait := services().limit.spend(f"pages of {device.id}", 1):
            raise WebProblem("too-many-requests", retry_after=wait)
        sheet = read_sheet(request.form)
        desk = _desk(device, sheet)
    except DeviceRevoked:
        return notice("revoked", status=403)
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
    return show(desk, sheet, {}, screens(desk.questionnaire)[0])


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
        return show(desk, sheet.counted("backs"), answers, before) if before else _leave(sheet)
    if action == "leave":
        return _stop(sheet)
    if action == "stop":
        return show(desk, sheet, answers, screen, template="stop.html")
    return show(desk, _adjusted(sheet, action, value), answers, screen)


def _adjusted(sheet: Sheet, action: str, value: str) -> Sheet:
    """Another language, text size or patience; anything else leaves the sheet as it is."""
    if action == "language" and value in LANGUAGES:
        return replace(sheet, language=value).counted("language_changes")
    if action == "size":
        return replace(sheet, size=text_size(value))
    if action == "slow":
        return replace(sheet, slow=value == "1")
    return sheet


def _next(desk: Desk, sheet: Sheet, answers: Answers, screen: Screen) -> AnyResponse:
    form = desk.questionnaire
    found = complaints(form, sheet, answers, desk.fields)
    here = {item.code: found[item.code] for item in screen.asked(form, answers) if item.code in found}
    if here:
        return show(desk, sheet.counted("unanswered"), answers, screen, errors=here)
    after = neighbour(form, answers, screen.id, 1)
    return show(desk, sheet, answers, after or screen)


def _send(desk: Desk, sheet: Sheet, answers: Answers) -> AnyResponse:
    """Record the form. What is missing is asked for; what fails keeps the answers on the page."""
    form = desk.questionnaire
    answers = asked_only(form, answers)
    found = complaints(form, sheet, answers, desk.fields)
    lacking = screen_with(form, found)
    if lacking and not services().reader().is_stored(sheet.uuid):
        return show(desk, sheet, answers, lacking, errors=found)
    if not lacking:
        try:
            receipt = send(services(), desk.device, form, sheet.timed(services().now()), answers)
        except Exception as error:
            if storage_trouble(error) is None:
                current_app.logger.error("a form could not be recorded", exc_info=error)
            return _not_sent(desk, sheet, answers)
        if receipt.fate == "rejected":
            current_app.logger.error("a form was rejected: %s", ", ".join(receipt.errors))
            return _not_sent(desk, sheet, answers)
    visits().finish(sheet.uuid)
    return _thank(desk, sheet)


def _not_sent(desk: Desk, sheet: Sheet, answers: Answers) -> AnyResponse:
    """The answers stay on a page that waits long for another tap, be it the next citizen's."""
    last = _last(desk.questionnaire, answers)
    return show(desk, replace(sheet, slow=True), answers, last, template="not_sent.html", status=503)


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
