"""The backups an instance has, and which of the nightly ones go: `Kept`, `backups_of`, `remove_old`."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from survey_app.backup.manifest import BackupError, Manifest, read_manifest
from survey_app.settings import Settings


@dataclass(frozen=True)
class Kept:
    """A backup in the instance's own folder; without a manifest that can be read it is only named."""

    path: Path
    manifest: Manifest | None

    @property
    def sound(self) -> bool:
        return self.manifest is not None and not self.manifest.problems


def backups_of(settings: Settings) -> tuple[Kept, ...]:
    """Oldest first; those of which nothing can be read stand at the beginning."""
    found = []
    for folder in settings.backups.glob("[!.]*/"):
        try:
            found.append(Kept(folder, read_manifest(folder)))
        except BackupError:
            found.append(Kept(folder, None))
    beginning = datetime.min.replace(tzinfo=UTC)
    return tuple(sorted(found, key=lambda one: (one.manifest.made if one.manifest else beginning, one.path.name)))


def nightly_of(settings: Settings, now: datetime) -> tuple[Kept, ...]:
    """The nightly ones, oldest first. One from the future was made by a clock that was wrong: it says nothing."""
    return tuple(
        one
        for one in backups_of(settings)
        if one.manifest and one.manifest.kind == "nightly" and one.manifest.made <= now
    )


def surplus(nightly: Sequence[Kept], kept: int) -> tuple[Kept, ...]:
    """Those older than the newest `kept`, but never the last one that verified."""
    sound = [one for one in nightly if one.sound]
    return tuple(one for one in nightly[: max(len(nightly) - kept, 0)] if one not in sound[-1:])


def remove_old(settings: Settings, now: datetime | None = None) -> tuple[Path, ...]:
    """Remove surplus nightly backups; each is gone for whoever looks before its files are."""
    removed = []
    for one in surplus(nightly_of(settings, now or datetime.now(UTC)), settings.backups_kept):
        hidden = one.path.with_name(f".removed-{one.path.name}")
        one.path.rename(hidden)
        removed.append(one.path)
    for hidden in settings.backups.glob(".removed-*"):
        shutil.rmtree(hidden)
    return tuple(removed)
