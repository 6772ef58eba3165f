"""What is kept of an answer, for how long, and what is never asked: the notice to citizens, in every language.

`privacy`: route `/privacy`; `notice_page`. It is the same on every tablet of an instance, so tablets keep it for when
there is no network.
"""

from functools import partial

from flask import Blueprint, Response, render_template, url_for

from survey_app.settings import Settings
from survey_app.web.context import services
from survey_app.web.messages import LANGUAGES, say

PATH = "/privacy"
POINTS = ("kept", "never", "stopped", "comments", "tablet", "sent", "published", "free")
"""The messages `privacy_…`, in the order in which they are read."""

privacy = Blueprint("privacy", __name__)


@privacy.get(PATH)
def show() -> Response:
    """The notice; it goes back to the start by itself, for the next citizen."""
    settings = services().settings
    made = Response(notice_page(settings), mimetype="text/html")
    made.headers["Refresh"] = f"{settings.idle_seconds}; url={url_for('kiosk.start')}"
    return made


def notice_page(settings: Settings) -> str:
    """The page as text."""
    return render_template(
        "privacy.html",
        say=partial(say, "vi"),
        say_in=say,
        languages=LANGUAGES,
        language="vi",
        size=1,
        points=POINTS,
        simulated=settings.simulated,
        province=settings.province,
        days=settings.comment_days,
    )
