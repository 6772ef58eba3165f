"""Sums over respondents, the only code that touches them: from arrays in memory, or asked of the engine of a table."""
