"""Backups of an instance, and the way back from one.

Door: `make_backup`, `restore`, `backups_of`, `remove_old`, `read_manifest`, `BackupError`. A backup is a folder laid out
like an instance, with a manifest; it is made and restored whole or not at all, and verified both times.
"""

from survey_app.backup.keeping import Kept, backups_of, nightly_of, remove_old
from survey_app.backup.making import Made, make_backup
from survey_app.backup.manifest import BackupError, Manifest, read_manifest
from survey_app.backup.restoring import Restored, restore

__all__ = [
    "BackupError",
    "Kept",
    "Made",
    "Manifest",
    "Restored",
    "backups_of",
    "make_backup",
    "nightly_of",
    "read_manifest",
    "remove_old",
    "restore",
]
