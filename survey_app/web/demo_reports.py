"""The reports of a demo instance, for whoever tries it from another machine. A real instance has no such route.

The report carries its own style, which the pages' policy forbids, so it is only ever handed out as a file.
"""

import re
from http import HTTPStatus

from flask import Blueprint, Response, abort, send_from_directory

from survey_app.web.context import services

demo_reports = Blueprint("demo_reports", __name__)

PUBLISHED = re.compile(
    r"(report(\.en)?\.html|scores(_filed|_asked)?\.csv|quality\.json|[a-z]+(_\d+)?(\.en)?\.(svg|png))\Z"
)
"""Files a demo hands out: what a report publishes, never weights or extracts."""


@demo_reports.get("/demo/reports/<wave>/<name>")
def report(wave: str, name: str) -> Response:
    """One file of a wave's report, as a download."""
    if not PUBLISHED.match(name):
        abort(HTTPStatus.NOT_FOUND)
    return send_from_directory(services().settings.reports, f"{wave}/{name}", as_attachment=True)
