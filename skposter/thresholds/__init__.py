"""From scores to label sets: rules on arrays, and the classifiers that use them.

:func:`choose_thresholds` finds the threshold of each label, :func:`apply_thresholds` uses it.
:func:`expected_f1_thresholds`, :func:`top_k` and :func:`expected_f1_decision` need no labels.
:func:`objective_score` measures what an objective stands for. :class:`TunedThresholdsClassifierCV`
and :class:`FixedThresholdsClassifier` put thresholds on any multi-label classifier. Nothing here
needs TensorFlow.
"""

from __future__ import annotations

from skposter.thresholds._base import (  # noqa: F401, for other classifiers
    LabelPredictionsMixin,
    ThresholdsClassifier,
)
from skposter.thresholds._choosing import choose_thresholds
from skposter.thresholds._classifiers import (
    FixedThresholdsClassifier,
    TunedThresholdsClassifierCV,
)
from skposter.thresholds._deciding import (
    apply_thresholds,
    expected_f1_decision,
    expected_f1_thresholds,
    top_k,
)
from skposter.thresholds._objectives import objective_score, parse_objective  # noqa: F401

__all__ = [
    "FixedThresholdsClassifier",
    "TunedThresholdsClassifierCV",
    "apply_thresholds",
    "choose_thresholds",
    "expected_f1_decision",
    "expected_f1_thresholds",
    "objective_score",
    "top_k",
]
