"""The citizen's pages: start, one screen after another, thank you. They work without any JavaScript.

`kiosk`: routes `/`, `/survey`, `/thanks`; an interviewer's tablet begins on a page of its own. What a citizen has
answered so far travels in hidden fields and is stored nowhere until it is sent; every page but the first and the last
answers a POST, so that history holds no address of theirs.
"""

from dataclasses import replace
from datetime import timedelta

from flask import Blueprint, Response, current_app, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from survey_app.model import Device, Wave
from survey_app.questionnaire import Questionnaire
from survey_app.store import DeviceRevoked
from survey_app.web.context import services
from survey_app.web.desk import Desk, at_desk, draw, restart, start_of
from survey_app.web.device import current_device, renew_device_cookie
from survey_app.web.enrolment import enrolment
from survey_app.web.errors import storage_trouble
from survey_app.web.forms import answer_form, read_answers
from survey_app.web.intake import wave_of
from survey_app.web.interviewer import interviewer, village_page
from survey_app.web.messages import LANGUAGES
from survey_app.web.offline import offline
from survey_app.web.pages import language_of, notice, page, text_size
from survey_app.web.privacy import privacy
from survey_app.web.screens import Answers, Screen, neighbour, screen_with, screens
from survey_app.web.sending import asked_only, complaints, record_absent, send
from survey_app.web.sheet import GRACE, Sheet, is_psu, new_sheet
from survey_app.web.showing import install_visits, show, visits

THANKS_SECONDS = 20
RETRY_SECONDS = 60

kiosk = Blueprint("kiosk", __name__)
kiosk.register_blueprint(enrolment)
kiosk.register_blueprint(interviewer)
kiosk.register_blueprint(offline)
kiosk.register_blueprint(privacy)

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
    wave = wave_of(services().reader(), device)
    if wave is None:
        return notice("no_wave", refresh=RETRY_SECONDS, centre=services().reader().centre(device.centre).full_name)
    made = village_page(device, wave) if device.purpose == "sample" else _invitation(device, wave)
    renew_device_cookie(made)
    return made


def _invitation(device: Device, wave: Wave) -> Response:
    provided = services()
    size = text_size(request.args.get("size"))
    return page(
        "start.html",
        "vi",
        size,
        sheet=new_sheet(wave.id, provided.now(), size=size, slow=request.args.get("slow") == "1"),
        centre=provided.reader().centre(device.centre),
        form=provided.reader().questionnaire(wave.questionnaire, wave.version),
        minutes=max(1, round(provided.settings.idle_seconds / 60)),
        simulated=wave.simulated,
        again="again" in request.args,
        keep={name: request.args[name] for name in ("online", "trouble") if name in request.args},
    )


@kiosk.get("/survey")
def survey_without_form() -> AnyResponse:
    """An address typed or restored: nothing of an earlier citizen, the start page."""
    return redirect(url_for("kiosk.start"), 303)


@kiosk.get("/thanks")
def thanks() -> AnyResponse:
    psu = request.args.get("psu", "")
    home = url_for("kiosk.start", psu=psu if is_psu(psu) else None)
    made = page(
        "thanks.html",
        language_of(request.args.get("language")),
        text_size(request.args.get("size")),
        home=home,
        village="psu=" in home,
        simulated=request.args.get("simulated") == "1",
    )
    made.headers["Refresh"] = f"{THANKS_SECONDS}; url={home}"
    return made


# ---- the survey


@kiosk.post("/survey")
def survey() -> AnyResponse:
    """One step: read the sheet and the answers, do what was tapped, show the next screen."""
    return at_desk(_survey)


def _survey(desk: Desk, sheet: Sheet) -> AnyResponse:
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
        return restart(sheet)
    return _step(desk, sheet, answers, action, value)


def _begin(desk: Desk, sheet: Sheet, language: str) -> AnyResponse:
    """The first screen; a start page kept from before a citizen sent gets a new uuid."""
    if sheet.psu:
        visits().forget_unbegun(desk.device.id)
    record_absent(services(), visits())
    current = wave_of(services().reader(), desk.device)
    if current is None or current.id != sheet.wave:
        return redirect(start_of(sheet), 303)
    if visits().has_ended(sheet.uuid) or services().reader().is_stored(sheet.uuid):
        sheet = new_sheet(sheet.wave, services().now(), size=sheet.size, slow=sheet.slow, psu=sheet.psu)
    sheet = replace(sheet, started=services().now(), language=language_of(language), part=draw(desk.form))
    desk = replace(desk, part=desk.form.part(sheet.part))
    return show(desk, sheet, {}, screens(desk.questionnaire)[0])


def _step(desk: Desk, sheet: Sheet, answers: Answers, action: str, value: str) -> AnyResponse:
    form = desk.questionnaire
    screen = screen_with(form, [sheet.screen])
    if screen is None or not screen.asked(form, answers):
        return restart(sheet)
    sheet = sheet.timed(services().now())
    if action in ("next", "enter"):
        return _next(desk, sheet, answers, screen)
    if action == "back":
        before = neighbour(form, answers, screen.id, -1)
        if before:
            return show(desk, sheet.counted("backs"), answers, before)
        # Asked first where something would be lost.
        return show(desk, sheet, answers, screen, template="stop.html") if answers else _leave(sheet)
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
    address = url_for(
        "kiosk.thanks", language=sheet.language, size=sheet.size, psu=sheet.psu or None, simulated=simulated
    )
    return redirect(address, 303)


def _leave(sheet: Sheet) -> AnyResponse:
    """Back from the first screen: the start page again, and no record, for nothing was begun."""
    visits().finish(sheet.uuid)
    return redirect(start_of(sheet, size=sheet.size), 303)


def _stop(sheet: Sheet) -> AnyResponse:
    """The citizen stops: noted as broken off with the next citizen, as those are who walk away.

    In a village at once, since the interviewer's page counts the households.
    """
    visits().stop(sheet.uuid, services().now())
    if sheet.psu:
        record_absent(services(), visits())
    return redirect(start_of(sheet), 303)


def _is_stale(sheet: Sheet) -> bool:
    """Whether the page came back after it had gone to the start by itself: by the history, then, from a stranger."""
    patience = sheet.patience(services().settings.idle_seconds, writing=True)
    return services().now() - sheet.shown > timedelta(seconds=patience) + GRACE
