"""Scores of multi-label predictions; what cannot be judged is left out, not counted as 0.

Labels that are unknown (NaN in `y_true`) are left out too, cell by cell, and each function here
says how many there were with an :class:`~skposter.exceptions.UnknownLabelWarning`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import rankdata
from sklearn.exceptions import UndefinedMetricWarning

from skposter._estimators.user_warnings import warn_user
from skposter._labels.checks import check_finite_scores, check_labels, check_probabilities
from skposter._labels.decisions import f1
from skposter._labels.names import values_in_order
from skposter._labels.unknown import warn_about_unknown_labels

if TYPE_CHECKING:
    from skposter._typing import Array

__all__ = [
    "binary_crossentropy",
    "macro_f1_score",
    "mean_average_precision",
    "mean_ranking_precision",
    "mean_roc_auc",
    "skill_score",
    "top_1_hit_rate",
]

# What Keras clips at, so that losses agree with those in a training history.
EPSILON = 1e-7


def binary_crossentropy(y_true: Array, y_score: Array) -> float:
    """Return the mean of -log(probability given to what was the case), over images and labels.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        The labels, 0/1; NaN where unknown.
    y_score : array-like of shape (n_samples, n_labels)
        Probabilities. They are clipped to [1e-7, 1 - 1e-7] as Keras does, so certainty about the
        wrong answer costs 16.1.

    Returns
    -------
    loss : float
        In nats; lower is better. NaN, with a warning, if no label is known.

    Raises
    ------
    ValueError
        If a score is not a probability, or shapes differ.

    Examples
    --------
    >>> from skposter.metrics import binary_crossentropy
    >>> round(binary_crossentropy([[1, 0]], [[0.5, 0.5]]), 4)
    0.6931
    """
    return crossentropy(*check_both(y_true, y_score, probabilities=True))


def skill_score(y_true: Array, y_score: Array, *, label_frequencies: Array | None = None) -> float:
    """Return which share of the label frequencies' cross-entropy the predictions remove (D2).

    1 - BCE / BCE of predicting each label's frequency for every image: 1 is perfect, 0 is no better
    than knowing the frequencies alone, below 0 is worse. It is what
    :func:`sklearn.metrics.d2_log_loss_score` measures for one label of several classes, the
    fraction of the log loss explained (D2), called skill here as forecasters do.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        The labels, 0/1; NaN where unknown.
    y_score : array-like of shape (n_samples, n_labels)
        Probabilities.
    label_frequencies : array-like or Series of shape (n_labels,), default=None
        Frequencies in the training data, ``y_train.mean(axis=0)``; a Series is taken by the names
        of the labels. None takes those of `y_true`, which no constant prediction beats, so the
        skill comes out a little lower.

    Returns
    -------
    skill : float
        NaN, with a warning, if the frequencies predict `y_true` without any loss.

    Examples
    --------
    >>> import numpy as np
    >>> from skposter.metrics import skill_score
    >>> y_true = np.array([[1, 0], [1, 1], [0, 0], [0, 1]])
    >>> round(skill_score(y_true, [[0.8, 0.2], [0.8, 0.8], [0.2, 0.2], [0.2, 0.8]]), 3)
    0.678
    >>> skill_score(y_true, np.full((4, 2), 0.5))
    0.0
    """
    labels, y_score = check_both(y_true, y_score, probabilities=True)
    return skill(labels, y_score, label_frequencies)


def mean_average_precision(y_true: Array, y_score: Array, *, min_positives: int = 1) -> float:
    """Return the mean over labels of the average precision.

    Only labels count that have `min_positives` images with and one without them.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        The labels, 0/1; NaN where unknown.
    y_score : array-like of shape (n_samples, n_labels)
        Scores, higher for likelier.
    min_positives : int, default=1
        How many positives a label needs to count.

    Returns
    -------
    score : float
        NaN, with a warning, if no label counts. Scores that are the same for every image give the
        mean label frequency.

    Examples
    --------
    >>> from skposter.metrics import mean_average_precision
    >>> mean_average_precision([[1, 0], [0, 0], [1, 0]], [[0.9, 0.1], [0.6, 0.2], [0.7, 0.1]])
    1.0
    """
    labels, y_score = check_both(y_true, y_score)
    return mean_over_labels(label_average_precision, labels, y_score, min_positives)


def mean_roc_auc(y_true: Array, y_score: Array, *, min_positives: int = 1) -> float:
    """Return the mean over labels of the area under the ROC curve.

    Only labels count that have `min_positives` images with and one without them.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        The labels, 0/1; NaN where unknown.
    y_score : array-like of shape (n_samples, n_labels)
        Scores, higher for likelier.
    min_positives : int, default=1
        How many positives a label needs to count.

    Returns
    -------
    score : float
        NaN, with a warning, if no label counts. 0.5 is chance.

    Examples
    --------
    >>> from skposter.metrics import mean_roc_auc
    >>> mean_roc_auc([[1, 0], [0, 0], [1, 0]], [[0.9, 0.1], [0.8, 0.2], [0.7, 0.1]])
    0.5
    """
    labels, y_score = check_both(y_true, y_score)
    return mean_over_labels(label_roc_auc, labels, y_score, min_positives)


def macro_f1_score(y_true: Array, y_pred: Array, *, min_positives: int = 1) -> float:
    """Return the mean of F1 over the labels that have `min_positives` positives.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        The labels, 0/1; NaN where unknown.
    y_pred : array-like of shape (n_samples, n_labels)
        The predicted labels, 0/1.
    min_positives : int, default=1
        How many positives a label needs to count.

    Returns
    -------
    score : float
        NaN, with a warning, if no label counts.

    Examples
    --------
    >>> from skposter.metrics import macro_f1_score
    >>> macro_f1_score([[1, 0], [1, 0]], [[1, 0], [1, 1]])
    1.0
    """
    labels, y_pred = check_decisions(y_true, y_pred)
    return macro_f1(labels, y_pred, min_positives)


def mean_ranking_precision(y_true: Array, y_score: Array) -> float:
    """Return the label ranking average precision (LRAP).

    For each label of an image: of the labels scored at least as high, the share that the image has;
    averaged over its labels, then over images. Images without labels do not count, where
    scikit-learn's ``label_ranking_average_precision_score`` counts them as 1.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        The labels, 0/1; NaN where unknown.
    y_score : array-like of shape (n_samples, n_labels)
        Scores, higher for likelier.

    Returns
    -------
    score : float
        NaN, with a warning, if no image has a label.

    Examples
    --------
    >>> from skposter.metrics import mean_ranking_precision
    >>> mean_ranking_precision([[1, 0, 0], [0, 0, 0]], [[0.5, 0.7, 0.1], [0.1, 0.2, 0.3]])
    0.5
    """
    return mean_over_images(row_ranking_precision, *check_both(y_true, y_score))


def top_1_hit_rate(y_true: Array, y_score: Array) -> float:
    """Return for which share of the images the likeliest label is right.

    Images without labels do not count. Of equal scores the first label is taken.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        The labels, 0/1; NaN where unknown.
    y_score : array-like of shape (n_samples, n_labels)
        Scores, higher for likelier.

    Returns
    -------
    rate : float
        NaN, with a warning, if no image has a label.

    Examples
    --------
    >>> from skposter.metrics import top_1_hit_rate
    >>> top_1_hit_rate([[1, 0], [1, 1]], [[0.2, 0.7], [0.2, 0.7]])
    0.5
    """
    return mean_over_images(row_top_1_hit, *check_both(y_true, y_score))


def constant_scores(labels, label_frequencies):
    """Return the frequencies as scores of every image, `(n_samples, n_labels)`."""
    n_labels = labels.shape[1]
    if label_frequencies is None:
        # Of a label that nobody knows of any image, no cell is ever looked at.
        frequencies = np.nan_to_num(labels.frequencies, nan=0.5)
    else:
        frequencies = values_in_order(label_frequencies, labels.names, "label_frequencies")
    if np.shape(frequencies) != (n_labels,):
        raise ValueError(
            f"label_frequencies has shape {np.shape(frequencies)}, expected one number for "
            f"each of the {n_labels} labels: y_train.mean(axis=0)."
        )
    frequencies = check_probabilities(
        np.asarray(frequencies, dtype=float)[np.newaxis],
        label_names=labels.names,
        argument="label_frequencies",
    )
    return np.broadcast_to(frequencies, labels.shape)


def check_both(y_true, y_score, *, probabilities=False):
    """Return labels, and scores of the same shape and order, or raise ValueError."""
    labels = check_labels(y_true, "y_true", unknown=True)
    check = check_probabilities if probabilities else check_finite_scores
    y_score = check(y_score, labels.shape, label_names=labels.names)
    warn_about_unknown_labels(labels, "y_true")
    return labels, y_score


def check_decisions(y_true, y_pred):
    """Return labels, and decisions of the same shape and order, or raise ValueError."""
    labels = check_labels(y_true, "y_true", unknown=True)
    y_pred = check_labels(y_pred, "y_pred", label_names=labels.names).positive
    if labels.shape != y_pred.shape:
        raise ValueError(f"y_pred has shape {y_pred.shape}, expected {labels.shape}, as y_true.")
    warn_about_unknown_labels(labels, "y_true")
    return labels, y_pred


def crossentropy(labels, y_score):
    """Return the mean cross-entropy of all labels that are known."""
    total, count = row_crossentropy(labels, y_score)
    if not count.any():
        return _undefined("The cross-entropy", "no label is known")
    return float(total.sum() / count.sum())


def skill(labels, y_score, label_frequencies=None):
    """Return 1 - cross-entropy / that of the label frequencies."""
    baseline = crossentropy(labels, constant_scores(labels, label_frequencies))
    if not baseline > 2 * EPSILON:
        return _undefined("Skill", "every label is the same for all images")
    return float(1 - crossentropy(labels, y_score) / baseline)


def macro_f1(labels, y_pred, min_positives=1):
    """Return the mean of F1 over the labels that have enough positives."""
    defined = labels.positive.sum(axis=0) >= max(1, min_positives)
    if not defined.any():
        return _undefined("F1", f"no label has {min_positives} positives")
    return float(f1(labels, y_pred, axis=0)[defined].mean())


def mean_over_labels(score_labels, labels, y_score, min_positives=1):
    """Return the mean score of the labels that have enough positives, and a negative."""
    positives = labels.positive.sum(axis=0)
    defined = (positives >= max(1, min_positives)) & (positives < labels.n_known)
    if not defined.any():
        return _undefined(
            "The mean over labels", f"no label has {min_positives} positives and a negative"
        )
    return float(score_labels(labels, y_score)[defined].mean())


def mean_over_images(score_rows, labels, y_score):
    """Return the mean score of the images that have a label."""
    found = score_rows(labels, y_score)
    if np.isnan(found).all():
        return _undefined("The mean over images", "no image has a label")
    return float(np.nanmean(found))


def row_crossentropy(labels, y_score):
    """Return the sum of the cross-entropies of each image and how many labels it is of."""
    given = np.where(labels.positive, y_score, 1 - np.asarray(y_score, dtype=float))
    losses = labels.masked(-np.log(np.clip(given, EPSILON, 1 - EPSILON)), 0)
    if labels.known is None:
        return losses.sum(axis=1), np.full(len(labels), labels.shape[1])
    return losses.sum(axis=1), labels.known.sum(axis=1)


def row_ranking_precision(labels, y_score):
    """Return the label ranking average precision of each image; NaN for images without labels."""
    worse = labels.masked(-y_score, np.inf)  # what is unknown comes last
    rank = rankdata(worse, method="max", axis=1)
    rank_among_true = rankdata(np.where(labels.positive, -y_score, np.inf), method="max", axis=1)
    total = np.where(labels.positive, rank_among_true / rank, 0).sum(axis=1)
    return _divide(total, labels.positive.sum(axis=1))


def row_top_1_hit(labels, y_score):
    """Return 1 where the label with the highest score is right; NaN for images without labels."""
    best = labels.masked(y_score, -np.inf).argmax(axis=1)
    hit = labels.positive[np.arange(len(labels)), best]
    return np.where(labels.positive.any(axis=1), hit, np.nan)


def label_average_precision(labels, y_score):
    """Return the average precision of each label; NaN without positives or without negatives."""
    n = len(labels)
    y_score = labels.masked(y_score, -np.inf)
    order = np.argsort(-y_score, axis=0, kind="stable")
    scores = np.take_along_axis(y_score, order, axis=0)
    relevant = np.take_along_axis(labels.positive, order, axis=0)
    # Equal scores share one threshold, hence the precision at the last of them.
    position = np.arange(n)[:, None]
    last_of_equals = np.vstack([scores[1:] != scores[:-1], np.ones((1, labels.shape[1]), bool)])
    end = np.minimum.accumulate(np.where(last_of_equals, position, n)[::-1], axis=0)[::-1]
    precision = np.take_along_axis(np.cumsum(relevant, axis=0) / (position + 1), end, axis=0)
    positives = labels.positive.sum(axis=0)
    judged = positives * (positives < labels.n_known)
    return _divide(np.where(relevant, precision, 0).sum(axis=0), judged)


def label_roc_auc(labels, y_score):
    """Return the area under the ROC curve of each label; NaN without positives or negatives."""
    positives, n_known = labels.positive.sum(axis=0), labels.n_known
    # What is unknown has the lowest ranks, which are then taken off.
    ranks = rankdata(labels.masked(y_score, -np.inf), axis=0) - (len(labels) - n_known)
    total = np.where(labels.positive, ranks, 0).sum(axis=0)
    return _divide(total - positives * (positives + 1) / 2, positives * (n_known - positives))


def _divide(numerator, denominator):
    found = np.full(np.shape(numerator), np.nan)
    return np.divide(numerator, denominator, out=found, where=denominator > 0)


def _undefined(what, why):
    warn_user(f"{what} is undefined: {why}.", UndefinedMetricWarning)
    return float("nan")
