"""A wave's scores."""

from analysis.result import COLUMNS, Score, ScoreOptions, WaveResult

__all__ = ["COLUMNS", "Score", "ScoreOptions", "WaveResult"]
