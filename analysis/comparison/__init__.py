"""Estimates held against each other: contrasts, differences, tests of independence, many comparisons at once."""
