"""What gunicorn would say of a request, and must not: in its log, and to a client whose request it cannot read.

`QuietLogger`, `ACCESS_FORMAT`, `refusal`. A broken request may hold a token, an answer, or a line made to look like another log line;
so of the path only its percent-encoded form is logged, and of a broken request only what kind of break it is.
"""

import ssl
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from gunicorn.glogging import Logger
from gunicorn.http.errors import (
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)

from survey_app.web.security import HEADERS, HSTS

ACCESS_FORMAT = "%(t)s %(m)s %(U)s %(s)s %(M)sms"
"""No address, no header, no query string: nothing in it says who asked."""
_STATUS: tuple[tuple[type[BaseException], HTTPStatus], ...] = (
    (LimitRequestLine, HTTPStatus.REQUEST_URI_TOO_LONG),
    (LimitRequestHeaders, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
    (ExpectationFailed, HTTPStatus.EXPECTATION_FAILED),
    (UnsupportedTransferCoding, HTTPStatus.NOT_IMPLEMENTED),
    (ParseException, HTTPStatus.BAD_REQUEST),
    (ssl.SSLError, HTTPStatus.BAD_REQUEST),
)


class QuietLogger(Logger):  # type: ignore[misc]
    """gunicorn's logger; a path cannot break its line."""

    def taken(self, path: str, milliseconds: int) -> None:
        """The line of a request that went the short way."""
        if self.access_log_enabled:
            atoms = {"t": self.now(), "m": "POST", "U": path, "s": "200", "M": milliseconds}
            self.access_log.info(ACCESS_FORMAT, atoms)

    def atoms(self, resp: Any, req: Any, environ: Any, request_time: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().atoms(resp, req, environ, request_time)
        return found | {"U": quote(environ.get("PATH_INFO", ""), safe="/:@!$&'()*+,;=~", encoding="latin-1")}


def refusal(error: BaseException, *, secure: bool) -> tuple[HTTPStatus, bytes]:
    """The status of a request that gunicorn gave up, and the whole answer, with the headers every answer carries."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
    body = f"{status.value} {status.phrase}\n"
    headers = {
        "Connection": "close",
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        **HEADERS,
        **({"Strict-Transport-Security": HSTS} if secure else {}),
    }
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return status, ("\r\n".join(lines) + "\r\n\r\n" + body).encode("ascii")
