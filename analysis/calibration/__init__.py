"""Weights adjusted to known totals: post-stratification, raking, calibration, trimming, collapsing."""
