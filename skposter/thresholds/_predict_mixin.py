"""From probabilities to labels: what every classifier with thresholds offers."""

from __future__ import annotations

from numbers import Integral

import numpy as np

from skposter.thresholds._rules import apply_thresholds

__all__ = ["LabelPredictionsMixin"]


class LabelPredictionsMixin:
    """Decisions and names of labels.

    Needs ``predict_proba``, ``thresholds_``, ``min_labels`` and ``label_names_``.
    """

    def predict(self, X):
        """Return 0/1 for each label: one where the probability reaches `threshold`.

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

    def predict_labels(self, X):
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
        order = np.argsort(-probabilities, axis=1, kind="stable")
        names = self.label_names_.tolist()
        return [
            tuple(names[j] for j in best if row[j])
            for row, best in zip(chosen, order.tolist(), strict=True)
        ]

    def top_labels(self, X, k=3):
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
        if not isinstance(k, Integral) or k < 1:
            raise ValueError(f"k must be a positive int, got {k!r}.")
        probabilities = self.predict_proba(X)
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k].tolist()
        names = self.label_names_.tolist()
        return [
            [(names[j], float(row[j])) for j in order]
            for row, order in zip(probabilities, best, strict=True)
        ]
