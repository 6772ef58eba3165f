"""Simulated populations: every dossier of a counter wave and who would answer about it; every resident of a sample wave.

Door: `load_model` reads the model file, `build_world` fixes what a wave keeps (centres, fields, register counts),
`draw_visits` and `draw_answers` draw the persons of one wave, `finite_truth` and `process_mean` say what an estimate
of that wave should have found. Of residents: `load_residents`, `draw_frame`, `build_population`, `draw_contacts`,
`resident_truth`, `margins`.
"""

from survey_app.population.files import ModelError
from survey_app.population.model import Model, load_model, shipped_models
from survey_app.population.resident_model import ResidentModel, load_residents
from survey_app.population.residents import (
    BROKEN_OFF,
    COMPLETE,
    MARGINS,
    NOT_AT_HOME,
    REFUSED,
    Population,
    build_population,
    draw_contacts,
    draw_frame,
    margins,
    resident_truth,
    shares_of,
)
from survey_app.population.truth import Truth, finite_truth, process_mean, truth_document
from survey_app.population.visits import ASKED, FILED, RECEIVED, Answers, Visits, draw_answers, draw_visits
from survey_app.population.world import World, build_world, register_rows

__all__ = [
    "ASKED",
    "BROKEN_OFF",
    "COMPLETE",
    "FILED",
    "MARGINS",
    "NOT_AT_HOME",
    "RECEIVED",
    "REFUSED",
    "Answers",
    "Model",
    "ModelError",
    "Population",
    "ResidentModel",
    "Truth",
    "Visits",
    "World",
    "build_population",
    "build_world",
    "draw_answers",
    "draw_contacts",
    "draw_frame",
    "draw_visits",
    "finite_truth",
    "load_model",
    "load_residents",
    "margins",
    "process_mean",
    "register_rows",
    "resident_truth",
    "shares_of",
    "shipped_models",
    "truth_document",
]
