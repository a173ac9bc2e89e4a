"""One shape for the probabilities of every multi-label classifier."""

from __future__ import annotations

import numpy as np

__all__ = ["label_scores"]


def label_scores(estimator, X, n_labels):
    """Return the probability of each label, whatever shape the classifier gives it.

    scikit-learn's multi-label classifiers return an array with a column a label (networks,
    one-vs-rest, chains), or a list with an array of class probabilities a label (trees,
    neighbours, one classifier an output); a label of which training saw one class only then has
    one column.

    Parameters
    ----------
    estimator : classifier
        Fitted on 0/1 labels.
    X : array-like of length n_samples
        What its ``predict_proba`` takes.
    n_labels : int
        Number of labels it was fitted on.

    Returns
    -------
    y_score : ndarray of shape (n_samples, n_labels)
        Probability of 1, of the classifier's own float type.

    Raises
    ------
    ValueError
        If the shape fits none of these, or a probability is not finite.
    """
    raw = estimator.predict_proba(X)
    classes = getattr(estimator, "classes_", None)
    if isinstance(raw, list) or np.ndim(raw) == 3:
        per_label = zip(raw, classes if classes is not None else [(0, 1)] * len(raw), strict=True)
        y_score = np.column_stack([_of_positives(p, known) for p, known in per_label])
    elif n_labels == 1:
        y_score = _of_positives(raw, (0, 1) if classes is None else np.ravel(classes))
    else:
        y_score = np.asarray(raw)
    y_score = y_score.reshape(len(y_score), -1)
    name = type(estimator).__name__
    if y_score.shape[1] != n_labels:
        raise ValueError(
            f"{name}.predict_proba gives probabilities of shape {y_score.shape}, expected "
            f"(n_samples, {n_labels}): is it a multi-label classifier?"
        )
    finite = np.isfinite(y_score)
    if not finite.all():
        row, label = np.argwhere(~finite)[0]
        raise ValueError(
            f"{name}.predict_proba gives {y_score[row, label]} in row {row}, label {label}, a "
            "probability that is not finite."
        )
    return y_score


def _of_positives(probability, classes):
    """Probability of class 1, also if training saw only zeros or only ones."""
    probability = np.asarray(probability)
    if probability.ndim == 1 or (probability.shape[1] == 1 and len(classes) == 2):
        return probability.ravel()
    column = np.flatnonzero(np.asarray(classes) == 1)
    return probability[:, column[0]] if column.size else np.zeros(len(probability))
