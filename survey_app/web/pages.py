"""Any page of the web application, and the plain notices to citizens and staff.

`page`, `notice`, `text_size`, `language_of`.
"""

from functools import partial

from flask import Response, make_response, render_template, url_for

from survey_app.web.context import services
from survey_app.web.messages import LANGUAGES, say
from survey_app.web.sheet import SIZES


def page(template: str, language: str, size: int, *, status: int = 200, **values: object) -> Response:
    """Any page. One that belongs to no wave is simulated when its instance is."""
    say_here = partial(say, language)
    values.setdefault("simulated", services().settings.simulated)
    return make_response(
        render_template(template, say=say_here, say_in=say, language=language, size=size, **values), status
    )


def notice(kind: str, *, status: int = 200, refresh: int | None = None, **values: object) -> Response:
    """A plain page for citizens and staff, in both languages."""
    made = page("notice.html", "vi", 1, status=status, kind=kind, values=values)
    if refresh:
        made.headers["Refresh"] = f"{refresh}; url={url_for('kiosk.start')}"
    return made


def text_size(text: str | None) -> int:
    return int(text) if text in {str(size) for size in SIZES} else 1


def language_of(text: str | None) -> str:
    return text if text in LANGUAGES else "vi"
