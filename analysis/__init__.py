"""Weights and estimates: knows neither Flask nor SQLite nor anything of survey_app.

The door: SurveyDesign, mean, total, ratio, proportion, composite, quantile, regress, post_stratify, rake, index, answer_shares, IndexSpec, kish,
Estimates, Estimate, AnalysisError. Importing it loads numpy and nothing heavier.
"""

from analysis.calibration import calibrate, post_stratify, rake
from analysis.collapsing import Collapsed, collapse
from analysis.comparing import Differences, compare, pairwise
from analysis.contrasts import contrast
from analysis.design import SurveyDesign
from analysis.diagnostics import Kish, kish
from analysis.errors import AnalysisError
from analysis.estimates import Estimate, Estimates
from analysis.estimators import composite, mean, proportion, ratio, total
from analysis.independence import IndependenceTest, test_independence
from analysis.index import IndexSpec, answer_shares, index
from analysis.quantiles import quantile
from analysis.regression import Regression, regress
from analysis.replicates import replicate, replicate_design
from analysis.trimming import Trimmed, trim

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
