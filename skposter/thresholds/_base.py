"""What classifiers with thresholds have in common.

The mixin is for all of them, the base class for those that wrap another classifier: the two of
:mod:`skposter.thresholds` and :class:`~skposter.AveragingClassifier`.
"""

from __future__ import annotations

import copy
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import get_tags, indexable
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import check_is_fitted

from skposter._estimators.fit_tasks import CallbacksMixin
from skposter._estimators.pickling import VersionedPickleMixin
from skposter._estimators.spelling import SpelledParametersMixin
from skposter._estimators.steps import steps_inwards
from skposter._labels.checks import check_labels
from skposter._labels.decisions import exact_match_ratio, predicted_names, top_names
from skposter._labels.names import place_of
from skposter._labels.probabilities import label_scores
from skposter._labels.unknown import takes_unknown_labels, warn_about_unknown_labels
from skposter.thresholds._deciding import apply_thresholds

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from skposter._typing import Array, Samples

__all__ = ["LabelPredictionsMixin", "ThresholdsClassifier"]


class LabelPredictionsMixin:
    """Decisions, names of labels and the score of any classifier with thresholds.

    Needs ``predict_proba``, ``thresholds_``, ``min_labels`` and ``label_names_``.
    """

    label_names_: NDArray[Any]

    def predict(self, X: Samples) -> NDArray[np.int64]:
        """Return 0/1 for each label: one where the probability reaches the threshold.

        Parameters
        ----------
        X : array-like of uint8, shape (n_samples, height, width, channels)
            Images of the fitted shape.

        Returns
        -------
        y : ndarray of shape (n_samples, n_labels), int64
            Also for one image.
        """
        probabilities = self.predict_proba(X)
        return apply_thresholds(probabilities, self.thresholds_, min_labels=self.min_labels)

    def predict_labels(self, X: Samples) -> list[tuple[Any, ...]]:
        """Return the names of the predicted labels of each image, most probable first.

        Parameters
        ----------
        X : array-like of uint8, shape (n_samples, height, width, channels)
            Images of the fitted shape.

        Returns
        -------
        names : list of tuple
            Possibly empty tuples.
        """
        probabilities = self.predict_proba(X)
        chosen = apply_thresholds(probabilities, self.thresholds_, min_labels=self.min_labels)
        return predicted_names(probabilities, chosen, self.label_names_.tolist())

    def top_labels(self, X: Samples, k: int = 3) -> list[list[tuple[Any, float]]]:
        """Return the `k` most probable labels of each image with their probabilities.

        Parameters
        ----------
        X : array-like of uint8, shape (n_samples, height, width, channels)
            Images of the fitted shape.
        k : int, default=3
            How many.

        Returns
        -------
        labels : list of list of (name, float)
            Best first.
        """
        return top_names(self.predict_proba(X), self.label_names_.tolist(), k)

    def score(self, X: Samples, y: Array, sample_weight: Array | None = None) -> float:
        """Return the share of the images of which every label is predicted right.

        This is the accuracy of scikit-learn's classifiers, and strict. :mod:`skposter.metrics` has
        scores that say more.

        Parameters
        ----------
        X : array-like of length n_samples
            What it predicts for.
        y : array-like or DataFrame of shape (n_samples, n_labels)
            The labels, 0/1. The columns of a DataFrame are put into the order of `label_names_`.
            Unknown labels (NaN) are left out, with a warning that says how many, and images without
            any known label too.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the images.

        Returns
        -------
        score : float
            NaN if no label is known.

        Raises
        ------
        ValueError
            If `y` has other labels than the classifier.
        """
        check_is_fitted(self)
        labels = check_labels(y, unknown=True, label_names=self.label_names_)
        y_pred = self.predict(X)
        if labels.shape != y_pred.shape:
            raise ValueError(f"y has shape {labels.shape}, expected {y_pred.shape}.")
        warn_about_unknown_labels(labels)
        return exact_match_ratio(labels, y_pred == 1, sample_weight)


class ThresholdsClassifier(
    CallbacksMixin,
    VersionedPickleMixin,
    SpelledParametersMixin,
    LabelPredictionsMixin,
    ClassifierMixin,
    MetaEstimatorMixin,
    BaseEstimator,
):
    """A wrapped classifier, the names of its labels and probabilities of one shape."""

    label_names_: NDArray[Any]
    classes_: NDArray[np.int64]
    n_features_in_: int
    feature_names_in_: NDArray[Any]

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "min_labels": [Interval(Integral, 0, None, closed="left")],
    }

    def predict_proba(self, X: Samples) -> NDArray[Any]:
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

    def check_data(self, X, y, *, will_train=True):
        """Return X, y as `estimator` takes it, and y as :class:`Labels`; learn the names.

        With unknown labels y becomes floats, with NaN for those, and an estimator that cannot be
        trained on them is refused.
        """
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        labels = check_labels(y, unknown=True)
        if labels.known is not None and will_train and not takes_unknown_labels(self.estimator):
            self._refuse_unknown(y, labels)
        names, numbers = getattr(y, "columns", None), labels.to_numpy()
        if hasattr(y, "iloc"):
            numbers = type(y)(numbers, index=y.index, columns=y.columns)
        X, y = indexable(X, numbers)
        self.label_names_ = np.arange(labels.shape[1]) if names is None else np.asarray(names)
        self.classes_ = np.tile([0, 1], (labels.shape[1], 1))
        return X, y, labels

    def _refuse_unknown(self, y, labels):
        *_, inmost = steps_inwards(self.estimator)
        row, column = np.argwhere(~labels.known)[0]
        first = place_of(y, row, column, labels.names)
        raise ValueError(
            f"y holds {labels.n_unknown} unknown labels (NaN), the first in {first}, and "
            f"{type(inmost).__name__} cannot be trained on any. Fill them in, leave those images "
            "out, or use a classifier that says takes_unknown_labels = True, as "
            "MultiLabelImageClassifier does; scores and thresholds leave unknown labels out, so a "
            "classifier that is fitted already may be given with cv='prefit' or as FrozenEstimator."
        )

    def target(self, y):
        """Return y as `estimator` wants it: scikit-learn's classifiers take one label flat."""
        one_label = len(self.label_names_) == 1
        if one_label and get_tags(self.estimator).target_tags.single_output:
            return np.asarray(y).ravel()
        return y

    def fit_on_all(self, X, y, fit_params, task):
        """Fit a clone of `estimator`, which is the task, and keep it."""
        self.keep_fitted(task.fit(clone(self.estimator), X, self.target(y), fit_params))

    def keep_fitted(self, estimator):
        """Keep a fitted classifier, and what it knows of the columns of X."""
        self.estimator_ = estimator
        self.learn_features_from(estimator)

    def learn_features_from(self, estimator):
        """Take over the number and names of the columns of X, if the classifier has them."""
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
