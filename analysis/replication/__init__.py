"""Replicate weights: jackknife, balanced halves, bootstraps, and those a user brings."""
