"""Data files of the analyst's own, read by column names and written whole."""
