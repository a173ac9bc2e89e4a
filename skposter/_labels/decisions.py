"""Decisions: by thresholds, named, and right and wrong ones counted where the label is known.

All of it needs NumPy only.
"""

from __future__ import annotations

from numbers import Integral

import numpy as np

__all__ = [
    "count_decisions",
    "decide",
    "exact_match_ratio",
    "f1",
    "hamming_loss",
    "highest",
    "predicted_names",
    "top_names",
]


def decide(y_score, thresholds, min_labels=0):
    """Return which scores are at least their threshold, or among the `min_labels` best of a row.

    Parameters
    ----------
    y_score : ndarray of shape (n_samples, n_labels)
    thresholds : ndarray of shape (n_labels,) or ()
    min_labels : int, default=0

    Returns
    -------
    y_pred : ndarray of shape (n_samples, n_labels), bool
    """
    y_pred = y_score >= np.broadcast_to(thresholds, y_score.shape[1:])
    if min_labels:
        short = np.flatnonzero(y_pred.sum(axis=1) < min_labels)
        first_the_predicted = np.where(y_pred[short], np.inf, y_score[short])
        y_pred[short] = highest(first_the_predicted, np.full(len(short), min_labels))
    return y_pred


def highest(y_score, sizes):
    """Mark the ``sizes[i]`` highest scores of row i; of equals the first columns."""
    order = np.argsort(-y_score, axis=1, kind="stable")
    y_pred = np.empty(y_score.shape, dtype=bool)
    taken = np.arange(y_score.shape[1]) < np.asarray(sizes)[:, np.newaxis]
    np.put_along_axis(y_pred, order, taken, axis=1)
    return y_pred


def predicted_names(y_score, y_pred, names):
    """Return the names of the labels predicted for each image, most probable first."""
    order = np.argsort(-y_score, axis=1, kind="stable")
    return [
        tuple(names[j] for j in best if row[j])
        for row, best in zip(y_pred, order.tolist(), strict=True)
    ]


def top_names(y_score, names, k):
    """Return the `k` most probable labels of each image as (name, score), best first."""
    if not isinstance(k, Integral) or k < 1:
        raise ValueError(f"k must be a positive int, got {k!r}.")
    best = np.argsort(-y_score, axis=1, kind="stable")[:, :k].tolist()
    return [
        [(names[j], float(row[j])) for j in order] for row, order in zip(y_score, best, strict=True)
    ]


def count_decisions(labels, y_pred, axis=None):
    """Return the numbers of true positives, of predictions and of positives along an axis.

    Parameters
    ----------
    labels : Labels
    y_pred : ndarray of shape (n_samples, n_labels), bool
    axis : {None, 0, 1}, default=None
        Of all decisions, of each label, of each image.

    Returns
    -------
    tp, predicted, positives : ndarray or int
    """
    predicted = labels.masked(y_pred, False)
    return (
        np.sum(labels.positive & predicted, axis=axis),
        np.sum(predicted, axis=axis),
        np.sum(labels.positive, axis=axis),
    )


def f1(labels, y_pred, axis=None, *, empty=0.0):
    """Return F1 along an axis, `empty` where there is no label, true or predicted."""
    tp, predicted, positives = count_decisions(labels, y_pred, axis)
    size = predicted + positives
    return np.where(size > 0, 2 * tp / np.maximum(size, 1), empty)


def hamming_loss(labels, y_pred):
    """Return the share of wrong decisions; NaN if no label is known."""
    wrong = labels.positive != labels.masked(y_pred, False)
    n_known = labels.n_known.sum()
    return float(wrong.sum() / n_known) if n_known else np.nan


def exact_match_ratio(labels, y_pred, sample_weight=None):
    """Return the share of the images of which every known label is right.

    Images of which nothing is known do not count.

    Parameters
    ----------
    labels : Labels
    y_pred : ndarray of shape (n_samples, n_labels), bool
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the images.

    Returns
    -------
    ratio : float
        NaN if nothing is known of any image.
    """
    right = (labels.positive == labels.masked(y_pred, False)).all(axis=1)
    weight = np.ones(len(labels)) if sample_weight is None else np.asarray(sample_weight, float)
    if weight.shape != (len(labels),):
        raise ValueError(f"sample_weight has shape {weight.shape}, expected ({len(labels)},).")
    if labels.known is not None:
        weight = weight * labels.known.any(axis=1)
    return float(np.average(right, weights=weight)) if weight.any() else np.nan
