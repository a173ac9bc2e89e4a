"""scikit-learn's own checks on the classifiers with thresholds.

They bring 1-D targets, so a class becomes a label here and the most probable label the predicted
class; 2-D targets pass untouched.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import accuracy_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from sklearn.utils.multiclass import check_classification_targets

from skposter import (
    AveragingClassifier,
    FixedThresholdsClassifier,
    TunedThresholdsClassifierCV,
)
from skposter.averaging import BlendingClassifier


class ClassesAsLabels:
    def fit(self, X, y, **params):
        self._one_class_a_row = False
        if y is not None and not sparse.issparse(y) and np.asarray(y).ndim == 1:
            check_classification_targets(np.asarray(y))
            classes, codes = np.unique(np.asarray(y), return_inverse=True)
            self._one_class_a_row = True
            y = np.eye(len(classes), dtype=int)[codes]
        super().fit(X, y, **params)
        if self._one_class_a_row:
            self.classes_ = classes
        return self

    def predict_proba(self, X):
        probabilities = super().predict_proba(X)
        if self._one_class_a_row:
            return probabilities / probabilities.sum(axis=1, keepdims=True)
        return probabilities

    def predict(self, X):
        if getattr(self, "_one_class_a_row", False):
            return self.classes_[np.argmax(self.predict_proba(X), axis=1)]
        return super().predict(X)

    def score(self, X, y, sample_weight=None):
        if getattr(self, "_one_class_a_row", False):
            return accuracy_score(y, self.predict(X), sample_weight=sample_weight)
        return super().score(X, y, sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = True
        tags.classifier_tags.multi_class = True
        return tags


class FixedOnClasses(ClassesAsLabels, FixedThresholdsClassifier):
    pass


class TunedOnClasses(ClassesAsLabels, TunedThresholdsClassifierCV):
    pass


class AveragedOnClasses(ClassesAsLabels, AveragingClassifier):
    pass


class BlendedOnClasses(ClassesAsLabels, BlendingClassifier):
    pass


CHECKED = [
    BlendedOnClasses(
        [("near", KNeighborsClassifier(3)), ("far", KNeighborsClassifier(9, weights="distance"))],
        weights=None,
    ),
    FixedOnClasses(KNeighborsClassifier(3)),
    AveragedOnClasses(KNeighborsClassifier(3), 2),
    TunedOnClasses(KNeighborsClassifier(3), cv=2),
]


def expected_failures(estimator):
    failures = {
        "check_supervised_y_2d": "three classes in one column are no 0/1 labels",
        "check_classifiers_multilabel_output_format_predict_proba": (
            "it wants probabilities below 1, and three neighbours may agree"
        ),
    }
    if isinstance(estimator, AveragingClassifier | BlendingClassifier):  # whose log-odds are finite
        del failures["check_classifiers_multilabel_output_format_predict_proba"]
    if isinstance(estimator, TunedThresholdsClassifierCV):
        failures["check_classifier_multioutput"] = "it wants thresholds of 0.5, these are tuned"
        failures["check_fit2d_1sample"] = "the splitter says that one row makes no two subsets"
    return failures


@parametrize_with_checks(CHECKED, expected_failed_checks=expected_failures)
@pytest.mark.filterwarnings(
    "ignore::skposter.exceptions.LabelWarning",  # tiny tables have rare labels
    "ignore:invalid value encountered in cast:RuntimeWarning",  # scikit-learn's check of inf in y
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_scikit_learn_contract_is_not_empty():
    for estimator in CHECKED:
        assert len(list(estimator_checks_generator(estimator))) >= 50
