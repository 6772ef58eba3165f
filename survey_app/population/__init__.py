"""A simulated population: every dossier of a wave, who would answer about it, and what.

Door: `load_model` reads the model file, `build_world` fixes what a wave keeps (centres, fields, register counts),
`draw_visits` and `draw_answers` draw the persons of one wave, `finite_truth` and `process_mean` say what an estimate
of that wave should have found.
"""

from survey_app.population.model import Model, ModelError, load_model, shipped_models
from survey_app.population.truth import Truth, finite_truth, process_mean, truth_document
from survey_app.population.visits import ASKED, FILED, RECEIVED, Answers, Visits, draw_answers, draw_visits
from survey_app.population.world import World, build_world, register_rows

__all__ = [
    "ASKED",
    "FILED",
    "RECEIVED",
    "Answers",
    "Model",
    "ModelError",
    "Truth",
    "Visits",
    "World",
    "build_world",
    "draw_answers",
    "draw_visits",
    "finite_truth",
    "load_model",
    "process_mean",
    "register_rows",
    "shipped_models",
    "truth_document",
]
