"""One wave as one file for archiving, and back into an empty instance: docs/archive.md.

`export_wave`, `import_wave`, `ArchiveError`.
"""

from survey_app.archive.importing import import_wave
from survey_app.archive.layout import ArchiveError
from survey_app.archive.writing import export_wave

__all__ = ["ArchiveError", "export_wave", "import_wave"]
