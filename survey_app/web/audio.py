"""The recordings that tablets play: `recordings`, the route `/audio/<pack>/<file>`.

No path comes from a user: only what the index of a pack names is handed out. A version that is not the file's any more
is not found, so that a browser never keeps a recording under another's name.
"""

from http import HTTPStatus

from flask import Blueprint, Response, abort, request, send_file

from survey_app.audio import recording_file
from survey_app.audio.offering import file_version
from survey_app.web.context import services

recordings = Blueprint("audio", __name__)


@recordings.get("/audio/<pack>/<file>")
def recording(pack: str, file: str) -> Response:
    """One recording; whole or in part, as browsers ask for sound."""
    path = recording_file(services().settings, pack, file)
    version = request.args.get("v")
    if path is None or (version is not None and version != file_version(path)):
        abort(HTTPStatus.NOT_FOUND)
    return send_file(path, mimetype="audio/mpeg", conditional=True)
