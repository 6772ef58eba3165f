"""The web application: kiosk pages for citizens, the API for their devices.

`create_app`. Everything else a route needs comes from `survey_app.web.context`.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask
from flask_compress import Compress
from werkzeug.middleware.proxy_fix import ProxyFix

from survey_app.settings import Settings
from survey_app.web.api import api
from survey_app.web.audio import recordings
from survey_app.web.body import MAX_BODY_BYTES
from survey_app.web.context import Services, install, utc_now
from survey_app.web.demo_reports import demo_reports
from survey_app.web.errors import handle_errors
from survey_app.web.kiosk import kiosk
from survey_app.web.pin import pins
from survey_app.web.security import protect
from survey_app.writer import Writer

MAX_FORM_PARTS = 400
COMPRESSED = (
    "text/html", "text/css", "text/javascript", "image/svg+xml", "application/json", "application/manifest+json",
)  # fmt: skip
COMPRESSED_FROM = 500
"""Bytes."""


def create_app(
    settings: Settings,
    *,
    writer: Writer,
    clock: Callable[[], datetime] = utc_now,
    behind_proxy: bool = False,
    development_http: bool = False,
) -> Flask:
    """The WSGI application of one instance; the writer is the caller's to close, after the last request."""
    app = Flask(__name__)  # without a secret key: nobody has a session here
    app.config.update(
        DEBUG=False,  # whatever FLASK_DEBUG says
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        MAX_FORM_PARTS=MAX_FORM_PARTS,
        BEHIND_PROXY=behind_proxy,
    )
    app.url_map.merge_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.config.update(
        COMPRESS_MIMETYPES=COMPRESSED, COMPRESS_MIN_SIZE=COMPRESSED_FROM, COMPRESS_ALGORITHM=["br", "gzip"]
    )
    Compress(app)
    install(app, Services(settings, writer, clock=clock, development_http=development_http))
    protect(app)
    handle_errors(app)
    app.register_blueprint(api)
    app.register_blueprint(pins)
    app.register_blueprint(kiosk)
    app.register_blueprint(recordings)
    if settings.demo:
        app.register_blueprint(demo_reports)
    app.url_defaults(_version_of_static)
    if behind_proxy:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]
    return app


STATIC = Path(__file__).parent / "static"


def _version_of_static(endpoint: str, values: dict[str, Any]) -> None:
    """Put a file's hash into its address, so that browsers may keep it for good and never show an old one."""
    if endpoint == "static" and "v" not in values and (version := _hash(values["filename"])):
        values["v"] = version


@cache
def _hash(filename: str) -> str:
    path = STATIC / filename
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.is_file() else ""
