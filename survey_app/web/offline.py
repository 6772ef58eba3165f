"""The kiosk as an app that starts without network: its service worker, its manifest and its shell.

`offline`: routes `/sw.js`, `/manifest.webmanifest`, `/kiosk`. The worker carries the hash of every file it keeps; so its
version is the hash of its files, and a tablet notices the change of any of them.
"""

import hashlib
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from flask import Blueprint, Response, current_app, jsonify, render_template, url_for

from survey_app.web.context import services
from survey_app.web.messages import LANGUAGES, say, text
from survey_app.web.privacy import PATH, notice_page

SHELL = "/kiosk"
STATIC = Path(__file__).parent / "static"
KEPT = (
    "kiosk/*.js",
    "vendor/idb/index.js",
    "tokens.css",
    "kiosk.css",
    "staff.css",
    "faces.svg",
    "icon*.svg",
    "fonts/*.woff2",
)
"""What the app needs of the static files; the reader of QR codes is fetched only where a tablet is enrolled."""
APART = ("kiosk/sw.js", "kiosk/enrol.js", "kiosk/camera.js")
EXTENSION = "sipas.offline"

offline = Blueprint("offline", __name__)


@offline.get("/sw.js")
def worker() -> Response:
    """The service worker. Never kept by browsers, so that an update is seen at the next look."""
    files = {url_for("static", filename=name, v=None): (_as_pages_ask(name), _sha256(_file(name))) for name in _names()}
    files[SHELL] = SHELL, _sha256(_shell().encode())
    files[PATH] = PATH, _sha256(notice_page(services().settings).encode())
    declared = f"const VERSION = {json.dumps(version())};\nconst FILES = {json.dumps(files, indent=1)};\n"
    return Response(declared + _file("kiosk/sw.js").decode(), mimetype="text/javascript")


@offline.get("/manifest.webmanifest")
def manifest() -> Response:
    icons = [("icon.svg", "any", "image/svg+xml", "any")]
    icons += [(f"icon-{size}.png", f"{size}x{size}", "image/png", purpose) for size, purpose in _PNG]
    made = jsonify(
        id="/",
        name=say("vi", "app_name"),
        short_name="SIPAS",
        lang="vi",
        start_url="/",
        scope="/",
        display="fullscreen",
        background_color="#ffffff",
        theme_color="#0b3d75",
        icons=[
            {"src": url_for("static", filename=name), "sizes": sizes, "type": kind, "purpose": purpose}
            for name, sizes, kind, purpose in icons
        ],
    )
    made.mimetype = "application/manifest+json"
    return made


_PNG = ((192, "any"), (512, "maskable"))


@offline.get(SHELL)
def shell() -> Response:
    """The page in which the app runs: the same for every tablet, without anything of its centre."""
    return Response(_shell(), mimetype="text/html")


def version() -> str:
    """The hash of all files of the app, and of its shell."""
    known: str | None = current_app.extensions.get(EXTENSION)
    if known is None:
        digest = hashlib.sha256()
        for name in (*_names(), *APART):
            digest.update(f"{name} {_sha256(_file(name))}\n".encode())
        digest.update((_rendered("") + notice_page(services().settings)).encode())
        known = current_app.extensions[EXTENSION] = digest.hexdigest()[:16]
    return known


def _shell() -> str:
    return _rendered(version())


def _rendered(version: str) -> str:
    return render_template(
        "shell.html",
        say=partial(say, "vi"),
        say_in=say,
        text_in=text,
        languages=LANGUAGES,
        language="vi",
        size=1,
        version=version,
        simulated=services().settings.simulated,
    )


def _as_pages_ask(name: str) -> str:
    """The address under which the first page had it, so that it is not fetched twice: modules name each other plainly."""
    plain = name.startswith(("kiosk/", "vendor/", "fonts/")) and name != "kiosk/main.js"
    return url_for("static", filename=name, v=None) if plain else url_for("static", filename=name)


def _names() -> Iterator[str]:
    found = {path.relative_to(STATIC).as_posix() for pattern in KEPT for path in STATIC.glob(pattern)}
    yield from sorted(found - set(APART))


def _file(name: str) -> bytes:
    return (STATIC / name).read_bytes()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
