"""The report of a wave: one HTML file that fetches nothing and prints on A4, and its plots as SVG and PNG.

`write_report` writes it; `ReportFiles` names what was written.
"""

from analysis.report.page import ReportFiles, write_report

__all__ = ["ReportFiles", "write_report"]
