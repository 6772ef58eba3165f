"""The page on which staff set a tablet up for their centre, with the one-time code of the province."""

from flask import Blueprint, Response, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from survey_app.store import EnrolmentError
from survey_app.web.context import services
from survey_app.web.device import require_safe_transport, set_device_cookie
from survey_app.web.errors import WebProblem
from survey_app.web.pages import language_of, page

MAX_CODE = 100

enrolment = Blueprint("enrolment", __name__)


@enrolment.get("/enrol")
def form() -> AnyResponse:
    try:
        require_safe_transport()
    except WebProblem:
        return _insecure()
    return _page("enrol.html", error="")


@enrolment.post("/enrol")
def enrol() -> AnyResponse:
    try:
        require_safe_transport()
    except WebProblem:
        return _insecure()
    code = request.form.get("code", "").strip()
    if not 1 <= len(code) <= MAX_CODE:
        return _page("enrol.html", error="enrol_empty" if not code else "enrol_refused", status=422)
    try:
        enrolled = services().write(lambda store: store.enrol(code))
    except EnrolmentError:
        return _page("enrol.html", error="enrol_refused", status=422)
    response = Response(status=303, headers={"Location": url_for("kiosk.start")})
    set_device_cookie(response, enrolled.token)
    return response


def _insecure() -> AnyResponse:
    """The reason, in words that help: nothing is handed out over plain http."""
    return _page("insecure.html", status=400)


def _page(template: str, *, status: int = 200, **values: object) -> AnyResponse:
    return page(template, language_of(request.args.get("language")), 1, status=status, **values)
