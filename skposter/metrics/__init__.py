"""How good multi-label predictions are, always beside what the label frequencies alone reach.

Labels and images that a score cannot judge are left out instead of counted as 0: a label that no
image in a fold has says nothing about the model, and never turns the score of a fold into NaN.
"""

from __future__ import annotations

from skposter.metrics._bootstrap import PairedBootstrap, paired_bootstrap
from skposter.metrics._scorers import SCORERS, LabelScorer, get_scorer
from skposter.metrics._scores import (
    binary_crossentropy,
    macro_f1_score,
    mean_average_precision,
    mean_ranking_precision,
    mean_roc_auc,
    skill_score,
    top_1_hit_rate,
)
from skposter.metrics._tables import label_report, score_summary

__all__ = [
    "LabelScorer",
    "PairedBootstrap",
    "SCORERS",
    "binary_crossentropy",
    "get_scorer",
    "label_report",
    "macro_f1_score",
    "mean_average_precision",
    "mean_ranking_precision",
    "mean_roc_auc",
    "paired_bootstrap",
    "score_summary",
    "skill_score",
    "top_1_hit_rate",
]
