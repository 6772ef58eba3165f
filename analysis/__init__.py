"""Weights and estimates: knows neither Flask nor SQLite nor anything of survey_app.

The door: SurveyDesign, mean, total, ratio, proportion, composite, quantile, regress, post_stratify, rake, index, answer_shares, IndexSpec, kish,
Estimates, Estimate, AnalysisError. Importing it loads numpy and nothing heavier.
"""

from analysis.calibration.adjusting import calibrate, post_stratify, rake
from analysis.calibration.collapsing import Collapsed, collapse
from analysis.calibration.trimming import Trimmed, trim
from analysis.comparison.comparing import Differences, compare, pairwise
from analysis.comparison.contrasts import contrast
from analysis.comparison.independence import IndependenceTest, test_independence
from analysis.design import SurveyDesign
from analysis.diagnostics import Kish, kish
from analysis.errors import AnalysisError
from analysis.estimates import Estimate, Estimates
from analysis.estimators import composite, mean, proportion, ratio, total
from analysis.index import IndexSpec, answer_shares, index
from analysis.quantiles import quantile
from analysis.regression.regressing import Regression, regress
from analysis.replication.replicates import replicate, replicate_design

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
