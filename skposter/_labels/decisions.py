"""Right and wrong decisions, counted where the label is known."""

from __future__ import annotations

import numpy as np

__all__ = ["count_decisions", "exact_match_ratio", "f1", "hamming_loss"]


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
