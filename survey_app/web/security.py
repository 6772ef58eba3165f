"""Headers on every answer, the one rule against forms sent from elsewhere, and no answer before the request is read.

`protect`, `CONTENT_SECURITY_POLICY`.
"""

from contextlib import suppress

from flask import Flask, Response, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import HTTPException

from survey_app.web.body import MAX_BODY_BYTES
from survey_app.web.errors import WebProblem

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; style-src 'self'; "
    "img-src 'self'; font-src 'self'; media-src 'self'; form-action 'self'; "
    "base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not `no-referrer`: with it browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
CAMERA_PATH = "/enrol"
"""The one page where a camera may be used: it reads the QR code of a card."""
HSTS = "max-age=31536000"
FONTS_KEPT = "public, max-age=86400"
"""Style sheets ask for fonts without a hash. A tablet on a slow line shall not ask for them with every page."""
READ_BYTES = 65_536
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def protect(app: Flask) -> None:
    app.before_request(_refuse_raw_addresses)
    app.before_request(_refuse_foreign_forms)
    app.before_request(_refuse_endless_forms)
    app.after_request(_add_headers)
    app.after_request(_read_the_rest)


def _refuse_raw_addresses() -> None:
    """What is not ASCII is percent-encoded in an address; browsers do so, and Flask relies on it."""
    if not request.query_string.isascii():
        raise WebProblem("bad-request", "the address is not percent-encoded")


def _refuse_foreign_forms() -> None:
    """A page route acts on a cookie, so a form sent by another site is refused; the API takes no cookie.

    The cookie is SameSite=Strict already; this also stops a sister host of the same site. Browsers too old to say
    `Sec-Fetch-Site` name at least the origin of a form.
    """
    if request.method in _SAFE_METHODS or request.path.startswith("/api/"):
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is None and origin is not None:
        ours = origin.partition("://")[2] == request.host
    else:
        ours = site in {None, "same-origin", "none"}
    if not ours:
        raise WebProblem("foreign-form")


def _refuse_endless_forms() -> None:
    """No browser sends a form in chunks. Of one that comes so no more than the bound is read, and it must not be cut."""
    in_chunks = request.content_length is None and request.method not in _SAFE_METHODS
    if in_chunks and not request.path.startswith("/api/") and len(request.get_data()) >= MAX_BODY_BYTES:
        raise WebProblem("too-large")


def _add_headers(response: Response) -> Response:
    response.headers.extend(HEADERS)
    if request.path == CAMERA_PATH:
        response.headers["Permissions-Policy"] = HEADERS["Permissions-Policy"].replace("camera=()", "camera=(self)")
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = HSTS
    static = (request.endpoint or "").endswith("static")
    lasting = static or request.endpoint == "audio.recording"
    if lasting and response.status_code in {200, 206} and request.args.get("v"):
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    elif not static:
        response.headers["Cache-Control"] = "no-store"
    elif response.status_code in {200, 304} and request.path.endswith(".woff2"):
        response.headers["Cache-Control"] = FONTS_KEPT
    return response


def _read_the_rest(response: Response) -> Response:
    """Whoever is refused early is still sending; a connection closed then may never bring them the reason.

    What is larger than the bound stays unread: its client may hear no more than that the connection is gone.
    """
    with suppress(HTTPException, ParseException, OSError):
        while request.stream.read(READ_BYTES):
            continue
    return response
