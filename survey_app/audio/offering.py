"""What a tablet is offered to play, and which file answers an address: `audio_of`, `recording_file`.

Of each language one pack: the instance's own before a shipped one, a person's voice before a placeholder.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from survey_app.audio.packs import INDEX, MOST_FILE_BYTES, NAME, SHIPPED, AudioError, Pack, known_packs, load_pack
from survey_app.audio.sentences import sentences, shown_language
from survey_app.model import ServiceField
from survey_app.questionnaire import Questionnaire
from survey_app.settings import Settings

VERSION_DIGITS = 12
_log = logging.getLogger(__name__)


def audio_of(settings: Settings, form: Questionnaire | None, fields: Sequence[ServiceField]) -> dict[str, Any]:
    """By language, for the bundle of a tablet: the pack, and the address of the recording of each prompt.

    `{language: {"pack", "called", "shows", "placeholder", "files": {prompt: url}}}`; `shows` is the language of the
    texts on the screen. A sentence whose text is not the one that was spoken has no recording, and a language without
    one is not offered.
    """
    if form is None:
        return {}
    offered = {}
    for language, pack in sorted(_chosen(settings).items()):
        files = _files(pack, form, fields)
        if files:
            shows = shown_language(form, language)
            offered[language] = {
                "pack": pack.name,
                "called": pack.called,
                "shows": shows,
                "placeholder": pack.placeholder,
                "files": files,
            }
    return offered


def _chosen(settings: Settings) -> Mapping[str, Pack]:
    chosen: dict[str, Pack] = {}
    for folder in known_packs(settings):
        pack = _pack(folder)
        if pack is None:
            continue
        before = chosen.get(pack.language)
        if before is None or _rank(pack) < _rank(before):
            chosen[pack.language] = pack
    return chosen


def _rank(pack: Pack) -> tuple[bool, bool]:
    return pack.folder.parent == SHIPPED, pack.placeholder


def _pack(folder: Path) -> Pack | None:
    """A pack that can be used; one that cannot is logged once, for citizens must not be stopped by it."""
    try:
        state = (folder / INDEX).stat()
    except OSError:
        return None
    return _loaded(folder, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=64)
def _loaded(folder: Path, _changed: int, _size: int) -> Pack | None:
    try:
        return load_pack(folder)
    except AudioError as error:
        _log.warning("the audio pack %s is left out: sipas audio check says why (%d)", folder, len(error.problems))
        return None


def _files(pack: Pack, form: Questionnaire, fields: Sequence[ServiceField]) -> dict[str, str]:
    by_text = {one.text_hash: one for one in reversed(pack.recordings)}
    own = {(one.prompt, one.text_hash): one for one in pack.recordings}
    files = {}
    for sentence in sentences(form, fields, pack.language):
        wanted = sentence.text_hash
        recording = own.get((sentence.prompt, wanted)) or by_text.get(wanted)
        version = file_version(pack.path(recording)) if recording else None
        if recording and version:
            files[sentence.prompt] = f"/audio/{pack.name}/{recording.file}?v={version}"
    return files


def recording_file(settings: Settings, pack: str, file: str) -> Path | None:
    """The file behind an address; None unless the index of a known pack names it."""
    if not NAME.fullmatch(pack):
        return None
    folder = next((folder for folder in known_packs(settings) if folder.name == pack), None)
    found = _pack(folder) if folder else None
    if found is None or file not in {one.file for one in found.recordings}:
        return None
    path = found.folder / file
    return path if file_version(path) else None


def file_version(path: Path) -> str | None:
    """The first digits of a recording's hash; None when it is not there, too large, or lies elsewhere."""
    try:
        state = path.stat()
        if path.is_symlink() or not path.is_file() or not 0 < state.st_size <= MOST_FILE_BYTES:
            return None
        return _hash(path, state.st_mtime_ns, state.st_size)
    except OSError:
        return None


@lru_cache(maxsize=8192)
def _hash(path: Path, _changed: int, _size: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:VERSION_DIGITS]
