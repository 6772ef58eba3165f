"""Weights and estimates: knows neither Flask nor SQLite nor anything of survey_app.

The door, by what one wants: a design (SurveyDesign), estimates (mean, total, ratio, proportion, quantile, composite, index,
answer_shares → Estimates, Estimate), weights (post_stratify, rake, calibrate, trim, collapse, kish), replicate weights
(replicate, replicate_design), comparisons (contrast, compare, pairwise, test_independence), regressions (regress). Every
error is an AnalysisError. A name is loaded when it is first used, so importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.calibration.adjusting import calibrate, post_stratify, rake
    from analysis.calibration.collapsing import Collapsed, collapse
    from analysis.calibration.trimmed import Trimmed
    from analysis.calibration.trimming import trim
    from analysis.comparison.comparing import Differences, compare, pairwise
    from analysis.comparison.contrasts import contrast
    from analysis.comparison.independence import IndependenceTest, test_independence
    from analysis.design import SurveyDesign
    from analysis.diagnostics import Kish, kish
    from analysis.errors import AnalysisError
    from analysis.estimates import Estimate, Estimates
    from analysis.estimators import composite, mean, proportion, ratio, total
    from analysis.quantiles import quantile
    from analysis.regression.regressing import Regression, regress
    from analysis.replication.replicates import replicate, replicate_design
    from analysis.sipas_index import IndexSpec, answer_shares, index

__all__ = [
    "AnalysisError",
    "Collapsed",
    "Differences",
    "Estimate",
    "Estimates",
    "IndependenceTest",
    "IndexSpec",
    "Kish",
    "Regression",
    "SurveyDesign",
    "Trimmed",
    "answer_shares",
    "calibrate",
    "collapse",
    "compare",
    "composite",
    "contrast",
    "index",
    "kish",
    "mean",
    "pairwise",
    "post_stratify",
    "proportion",
    "quantile",
    "rake",
    "ratio",
    "regress",
    "replicate",
    "replicate_design",
    "test_independence",
    "total",
    "trim",
]

_HOME = {  # the module of each name
    "AnalysisError": "analysis.errors",
    "Collapsed": "analysis.calibration.collapsing",
    "Differences": "analysis.comparison.comparing",
    "Estimate": "analysis.estimates",
    "Estimates": "analysis.estimates",
    "IndependenceTest": "analysis.comparison.independence",
    "IndexSpec": "analysis.sipas_index",
    "Kish": "analysis.diagnostics",
    "Regression": "analysis.regression.regressing",
    "SurveyDesign": "analysis.design",
    "Trimmed": "analysis.calibration.trimmed",
    "answer_shares": "analysis.sipas_index",
    "calibrate": "analysis.calibration.adjusting",
    "collapse": "analysis.calibration.collapsing",
    "compare": "analysis.comparison.comparing",
    "composite": "analysis.estimators",
    "contrast": "analysis.comparison.contrasts",
    "index": "analysis.sipas_index",
    "kish": "analysis.diagnostics",
    "mean": "analysis.estimators",
    "pairwise": "analysis.comparison.comparing",
    "post_stratify": "analysis.calibration.adjusting",
    "proportion": "analysis.estimators",
    "quantile": "analysis.quantiles",
    "rake": "analysis.calibration.adjusting",
    "ratio": "analysis.estimators",
    "regress": "analysis.regression.regressing",
    "replicate": "analysis.replication.replicates",
    "replicate_design": "analysis.replication.replicates",
    "test_independence": "analysis.comparison.independence",
    "total": "analysis.estimators",
    "trim": "analysis.calibration.trimming",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOME[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
