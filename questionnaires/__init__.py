"""Questionnaire files, shipped as package data of survey_app."""
