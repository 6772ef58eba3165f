"""A wave of SIPAS from its extract to published rows."""
