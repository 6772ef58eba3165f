"""Opening a data file of the analyst's own: CSV, Parquet, SPSS or Stata, told apart by the end of its name.

Public: open_data, SUFFIXES.
"""

from pathlib import Path

from analysis.errors import AnalysisError, Problem
from analysis.files.datafile import FileFormat, Source

LABELLED = (".sav", ".zsav", ".por", ".dta")
SUFFIXES = (".csv", ".parquet", *LABELLED)
KINDS = "CSV (.csv), Parquet (.parquet), SPSS (.sav, .zsav, .por) or Stata (.dta)"


def open_data(path: Path, form: FileFormat | None = None) -> Source:
    """Open a data file by the end of its name.

    Raises
    ------
    AnalysisError
        when there is no such file, it is empty, of another kind, or cannot be read as what its name says
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        what = f"files that end in {suffix or 'nothing'} are not read"
        raise AnalysisError(Problem(what, str(path), f"give {KINDS}"))
    if not path.is_file():
        what = "that is a folder" if path.is_dir() else "there is no such file"
        raise AnalysisError(Problem(what, str(path), f"give the path of a file: {KINDS}"))
    if path.stat().st_size == 0:
        raise AnalysisError(Problem("the file is empty", str(path), "give a header and one line for each response"))
    given = form or FileFormat()
    if suffix != ".csv" and given != FileFormat():
        what = "only CSV files have a separator and a sign before decimals"
        raise AnalysisError(Problem(what, str(path), "leave out --separator and --decimal"))
    if suffix == ".csv":
        from analysis.files.csvdata import CsvData

        return CsvData(path, given)
    if suffix == ".parquet":
        from analysis.files.parquetdata import ParquetData

        return ParquetData(path)
    from analysis.files.labelled import LabelledData

    return LabelledData(path)
