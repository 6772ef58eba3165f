"""Regressions on survey data."""
