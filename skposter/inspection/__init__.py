"""Why a model says what it says, and which given labels look wrong.

:func:`explain` draws heat maps of the image regions that speak for a label, and
:func:`label_issues` ranks labels that a model finds implausible. Each has a Display in
scikit-learn's manner. Only the gradients of :func:`explain` need TensorFlow.
"""

from __future__ import annotations

from skposter.inspection._displays import ExplanationDisplay, LabelIssuesDisplay
from skposter.inspection._explain import explain, explain_each  # noqa: F401, for the report
from skposter.inspection._explanation import Explanation, heat_colours  # noqa: F401, same
from skposter.inspection._label_issues import label_issues

__all__ = [
    "Explanation",
    "ExplanationDisplay",
    "LabelIssuesDisplay",
    "explain",
    "label_issues",
]
