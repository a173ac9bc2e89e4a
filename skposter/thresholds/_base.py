"""What the two classifiers of :mod:`skposter.thresholds._classifiers` have in common."""

from __future__ import annotations

import copy
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import get_tags, indexable
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import check_is_fitted

from skposter._estimators.pickling import VersionedPickleMixin
from skposter._estimators.spelling import SpelledParametersMixin
from skposter._labels.checks import check_indicator
from skposter._labels.probabilities import label_scores
from skposter.thresholds._predict_mixin import LabelPredictionsMixin


class ThresholdsClassifier(
    VersionedPickleMixin,
    SpelledParametersMixin,
    LabelPredictionsMixin,
    ClassifierMixin,
    MetaEstimatorMixin,
    BaseEstimator,
):
    """A wrapped classifier, the names of its labels and probabilities of one shape."""

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "min_labels": [Interval(Integral, 0, None, closed="left")],
    }

    def predict_proba(self, X):
        """Return the probability of each label.

        Parameters
        ----------
        X : array-like of length n_samples
            What `estimator` takes.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_labels)
            In this shape whatever `estimator` returns.
        """
        check_is_fitted(self, "estimator_")
        return label_scores(self.estimator_, X, len(self.label_names_))

    def check_data(self, X, y):
        """Return X, y as it came but 0/1 integers, and y as booleans; learn the names."""
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        labels = check_indicator(y)
        names = getattr(y, "columns", None)
        y = y.astype(int) if hasattr(y, "iloc") else labels.astype(int)
        X, y = indexable(X, y)
        self.label_names_ = np.arange(labels.shape[1]) if names is None else np.asarray(names)
        self.classes_ = np.tile([0, 1], (labels.shape[1], 1))
        return X, y, labels

    def target(self, y):
        """Return y as `estimator` wants it: scikit-learn's classifiers take one label flat."""
        one_label = len(self.label_names_) == 1
        if one_label and get_tags(self.estimator).target_tags.single_output:
            return np.asarray(y).ravel()
        return y

    def fit_on_all(self, X, y, fit_params):
        """Fit a clone of `estimator` and keep it."""
        self.keep_fitted(clone(self.estimator).fit(X, self.target(y), **fit_params))

    def keep_fitted(self, estimator):
        self.estimator_ = estimator
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(estimator, name):
                setattr(self, name, getattr(estimator, name))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = copy.deepcopy(get_tags(self.estimator).input_tags)
        tags.target_tags.single_output = False
        tags.target_tags.multi_output = True
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.multi_label = True
        return tags
