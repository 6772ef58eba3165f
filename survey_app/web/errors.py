"""What can go wrong with a request, once and in both languages: problem details for devices, a page for people.

`WebProblem`, `PROBLEMS`, `handle_errors`, `storage_trouble`. A problem's `type` is `urn:sipas:problem:KIND`.
"""

import errno
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from flask import Flask, Response, json, render_template, request
from gunicorn.http.errors import NoMoreData, ParseException
from werkzeug.exceptions import ClientDisconnected, HTTPException

from survey_app.locks import LockedError
from survey_app.store import DeviceRevoked, StoreError
from survey_app.web.context import services
from survey_app.writer import StoreUnusable, WriterClosed

TYPE_PREFIX = "urn:sipas:problem:"
RETRY_SECONDS = 5
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kind:
    """A sort of failure: its status, and what a person is told."""

    status: int
    vi: str
    en: str


PROBLEMS: Mapping[str, Kind] = {
    "bad-request": Kind(400, "Yêu cầu không đọc được.", "The request cannot be read."),
    "bad-code": Kind(
        400,
        "Mã đăng ký không đúng, đã dùng hoặc đã quá 24 giờ. Xin lấy mã mới.",
        "The enrolment code is mistyped, used already, or older than 24 hours. Please ask for a new one.",
    ),
    "insecure-transport": Kind(
        400,
        "Chưa đăng ký được máy vì kết nối không an toàn (http). Xin mở trang này bằng https.",
        "The device was not enrolled because the connection is not secure (http). Please open this page with https.",
    ),
    "no-token": Kind(401, "Yêu cầu thiếu mã thiết bị.", "The request carries no device token."),
    "unknown-token": Kind(
        401,
        "Máy chủ không nhận ra thiết bị này. Xin báo cán bộ phụ trách; câu trả lời trên máy vẫn được giữ.",
        "The server does not know this device. Please tell the staff; the answers on the device are kept.",
    ),
    "revoked-token": Kind(
        401,
        "Thiết bị này đã bị thu hồi. Xin báo cán bộ phụ trách.",
        "This device has been withdrawn. Please tell the staff.",
    ),
    "foreign-form": Kind(403, "Biểu mẫu được gửi từ nơi khác.", "The form was sent from another site."),
    "not-found": Kind(404, "Không có trang này.", "There is no such page."),
    "method-not-allowed": Kind(405, "Không dùng được cách gọi này.", "This method cannot be used here."),
    "too-large": Kind(413, "Dữ liệu gửi lên quá lớn.", "What was sent is too large."),
    "unsupported-media": Kind(
        415, "Chỉ nhận JSON mã UTF-8, không nén.", "Only JSON in UTF-8, not compressed, is taken."
    ),
    "too-many-requests": Kind(
        429, "Thiết bị gửi quá nhanh. Xin thử lại sau.", "The device sends too fast. Please try again later."
    ),
    "internal": Kind(
        500,
        "Máy chủ gặp lỗi. Xin thử lại; nếu vẫn lỗi, xin báo cán bộ phụ trách.",
        "The server failed. Please try again; if it fails again, tell the staff.",
    ),
    "unavailable": Kind(
        503, "Máy chủ đang bận. Xin thử lại sau ít giây.", "The server is busy. Please try again in a few seconds."
    ),
    "storage-full": Kind(
        507,
        "Máy chủ hết chỗ lưu. Câu trả lời vẫn được giữ trên máy; xin báo cán bộ phụ trách.",
        "The server's disk is full. The answers are kept on the device; please tell the staff.",
    ),
}
_BY_STATUS = {
    400: "bad-request",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    415: "unsupported-media",
    429: "too-many-requests",
    503: "unavailable",
    507: "storage-full",
}
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SQLITE_FULL = 13
_SQLITE_PASSING = frozenset({5, 6, 7, 8, 10, 11, 14, 15, 26})
"""Primary result codes of a store that cannot be used just now: busy, locked, out of memory, read-only, …"""


class WebProblem(Exception):
    """A request that fails as a whole; `detail` is for the one who mends the client."""

    def __init__(self, kind: str, detail: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(detail or PROBLEMS[kind].en)
        self.kind = kind
        self.detail = detail
        self.retry_after = retry_after


def storage_trouble(error: BaseException) -> str | None:
    """The kind of problem behind a failing store or machine; None when it is something else, such as our own mistake."""
    if isinstance(error, OSError):
        return "storage-full" if error.errno in _FULL else "unavailable"
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(code, int):
        primary = code & 0xFF
        return "storage-full" if primary == _SQLITE_FULL else "unavailable" if primary in _SQLITE_PASSING else None
    return "unavailable" if isinstance(error, (LockedError, StoreError, StoreUnusable, WriterClosed)) else None


def handle_errors(app: Flask) -> None:
    app.register_error_handler(WebProblem, _show)
    app.register_error_handler(DeviceRevoked, lambda _: _show(WebProblem("revoked-token")))
    app.register_error_handler(HTTPException, _http_error)
    # A body sent in chunks is only read, and found broken or cut off, while its request is worked on.
    app.register_error_handler(ParseException, lambda _: _show(WebProblem("bad-request")))
    app.register_error_handler(NoMoreData, lambda _: _show(WebProblem("unavailable", retry_after=RETRY_SECONDS)))
    app.register_error_handler(Exception, _unexpected)


def _http_error(error: HTTPException) -> Response:
    """Routing and parsing errors of Flask; redirects pass as they are."""
    status = error.code or 500
    if status < 400:
        return Response(response=error.get_body(), status=status, headers=error.get_headers())
    if isinstance(error, ClientDisconnected):
        return _show(WebProblem("unavailable", retry_after=RETRY_SECONDS))
    kind = _BY_STATUS.get(status, "bad-request" if status < 500 else "internal")
    response = _show(WebProblem(kind))
    response.status_code = status if PROBLEMS[kind].status != status and status < 500 else PROBLEMS[kind].status
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


def _unexpected(error: Exception) -> Response:
    kind = storage_trouble(error)
    if kind is None:
        # The path without its query: a log holds nothing that identifies a device or a person.
        _log.error("failed on %s %r", request.method, request.path, exc_info=error)
        return _show(WebProblem("internal"))
    _log.error("the store failed on %s %r: %s", request.method, request.path, error)
    services().drop_reader()
    return _show(WebProblem(kind, retry_after=RETRY_SECONDS))


def _show(problem: WebProblem) -> Response:
    kind = PROBLEMS[problem.kind]
    if request.path.startswith("/api/") or request.path == "/healthz":
        response = _problem_details(problem, kind)
    else:
        response = Response(render_template("problem.html", kind=kind), status=kind.status)
    if kind.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="sipas"'
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    return response


def _language() -> str:
    """The reader's first language that is ours; `en-GB` is English."""
    wanted = (tag.split("-")[0].lower() for tag, quality in request.accept_languages if quality > 0)
    return next((language for language in wanted if language in ("vi", "en")), "vi")


def _problem_details(problem: WebProblem, kind: Kind) -> Response:
    language = _language()
    body = {
        "type": TYPE_PREFIX + problem.kind,
        "title": kind.en if language == "en" else kind.vi,
        "status": kind.status,
    }
    if problem.detail is not None:
        body["detail"] = problem.detail
    response = Response(json.dumps(body), status=kind.status, mimetype="application/problem+json")
    response.headers["Content-Language"] = language
    response.vary.add("Accept-Language")
    return response
