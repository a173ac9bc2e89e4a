"""An exported model as a classifier of scikit-learn's."""

from __future__ import annotations

from sklearn.base import BaseEstimator, ClassifierMixin

from skposter.thresholds import LabelPredictionsMixin

__all__ = ["OnnxClassifier"]


class OnnxClassifier(LabelPredictionsMixin, ClassifierMixin, BaseEstimator):
    """An :class:`OnnxPredictor` where scikit-learn wants a fitted classifier.

    Parameters
    ----------
    predictor : OnnxPredictor
        What predicts.
    """

    def __init__(self, predictor):
        self.predictor = predictor

    def __getattr__(self, name):
        # What was learned is in the predictor. Asked before it is set, as by copy, there is none.
        if name.endswith("_") and not name.startswith("_") and "predictor" in vars(self):
            return getattr(self.predictor, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def min_labels(self):
        """How many labels an image gets at least."""
        return self.predictor.min_labels

    def fit(self, X, y=None):
        """Leave everything as it is.

        Parameters
        ----------
        X, y : object
            Ignored.

        Returns
        -------
        self : OnnxClassifier
        """
        return self

    def predict_proba(self, X):
        """Return the probability of each label, float32 `(n_samples, n_labels)`."""
        return self.predictor.predict_proba(X)

    def __sklearn_clone__(self):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.target_tags.single_output = False
        tags.target_tags.multi_output = True
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.multi_label = True
        return tags
