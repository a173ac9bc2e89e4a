"""Splits that keep label frequencies, and related images together.

The splitters index rows only: give them paths and no pixel moves. They work wherever scikit-learn
takes ``cv=``. With ``random_state=None`` they draw from a generator of their own, so NumPy's global
state stays as it was.
"""

from __future__ import annotations

from skposter.model_selection._assignment import assign_labels  # noqa: F401, for thresholds
from skposter.model_selection._near_duplicates import near_duplicate_groups
from skposter.model_selection._splitters import (
    MultiLabelStratifiedKFold,
    MultiLabelStratifiedShuffleSplit,
    RepeatedMultiLabelStratifiedKFold,
)
from skposter.model_selection._train_test import (
    label_deviation,
    multilabel_train_test_split,
    stratified_holdout,
)

__all__ = [
    "MultiLabelStratifiedKFold",
    "MultiLabelStratifiedShuffleSplit",
    "RepeatedMultiLabelStratifiedKFold",
    "label_deviation",
    "multilabel_train_test_split",
    "near_duplicate_groups",
    "stratified_holdout",
]
