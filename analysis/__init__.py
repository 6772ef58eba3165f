"""Weights and estimates: knows neither Flask nor SQLite nor anything of survey_app."""
