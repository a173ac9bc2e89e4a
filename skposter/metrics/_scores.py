"""Scores of multi-label predictions; what cannot be judged is left out, not counted as 0."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.stats import rankdata
from sklearn.exceptions import UndefinedMetricWarning

from skposter._labels.checks import check_indicator
from skposter._labels.score_checks import check_finite_scores, check_probabilities

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


def binary_crossentropy(y_true, y_score):
    """Return the mean of -log(probability given to what was the case), over images and labels.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        The labels, 0/1.
    y_score : array-like of shape (n_samples, n_labels)
        Probabilities. They are clipped to [1e-7, 1 - 1e-7] as Keras does, so certainty about the
        wrong answer costs 16.1.

    Returns
    -------
    loss : float
        In nats; lower is better.

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
    return float(row_crossentropy(*_check_probabilities(y_true, y_score)).mean())


def skill_score(y_true, y_score, *, label_frequencies=None):
    """Return which share of the label frequencies' cross-entropy the predictions remove.

    1 - BCE / BCE of predicting each label's frequency for every image: 1 is perfect, 0 is no better
    than knowing the frequencies alone, below 0 is worse.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        The labels, 0/1.
    y_score : array-like of shape (n_samples, n_labels)
        Probabilities.
    label_frequencies : array-like of shape (n_labels,), default=None
        Frequencies in the training data, ``y_train.mean(axis=0)``. None takes those of `y_true`,
        which no constant prediction beats, so the skill comes out a little lower.

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
    y_true, y_score = _check_probabilities(y_true, y_score)
    baseline = row_crossentropy(y_true, constant_scores(y_true, label_frequencies)).mean()
    if baseline <= 2 * EPSILON:
        return _undefined("Skill", "every label is the same for all images")
    return float(1 - row_crossentropy(y_true, y_score).mean() / baseline)


def mean_average_precision(y_true, y_score, *, min_positives=1):
    """Return the mean over labels of the average precision.

    Only labels count that have `min_positives` images with and one without them.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        The labels, 0/1.
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
    return _mean_over_labels(label_average_precision, y_true, y_score, min_positives)


def mean_roc_auc(y_true, y_score, *, min_positives=1):
    """Return the mean over labels of the area under the ROC curve.

    Only labels count that have `min_positives` images with and one without them.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        The labels, 0/1.
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
    return _mean_over_labels(label_roc_auc, y_true, y_score, min_positives)


def macro_f1_score(y_true, y_pred, *, min_positives=1):
    """Return the mean of F1 over the labels that have `min_positives` positives.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        The labels, 0/1.
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
    y_true, y_pred = check_decisions(y_true, y_pred)
    positives = y_true.sum(axis=0)
    defined = positives >= max(1, min_positives)
    if not defined.any():
        return _undefined("F1", f"no label has {min_positives} positives")
    hits = (y_true & y_pred).sum(axis=0)
    return float((2 * hits[defined] / (positives + y_pred.sum(axis=0))[defined]).mean())


def mean_ranking_precision(y_true, y_score):
    """Return the label ranking average precision (LRAP).

    For each label of an image: of the labels scored at least as high, the share that the image has;
    averaged over its labels, then over images. Images without labels do not count, where
    scikit-learn's ``label_ranking_average_precision_score`` counts them as 1.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        The labels, 0/1.
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
    return _mean_over_images("The ranking precision", row_ranking_precision, y_true, y_score)


def top_1_hit_rate(y_true, y_score):
    """Return for which share of the images the likeliest label is right.

    Images without labels do not count. Of equal scores the first label is taken.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        The labels, 0/1.
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
    return _mean_over_images("The hit rate", row_top_1_hit, y_true, y_score)


def constant_scores(y_true, label_frequencies):
    """Return the frequencies as scores of every image, `(n_samples, n_labels)`."""
    if label_frequencies is None:
        label_frequencies = y_true.mean(axis=0)
    frequencies = check_probabilities(np.atleast_2d(np.asarray(label_frequencies, dtype=float)))
    if frequencies.shape != (1, y_true.shape[1]):
        raise ValueError(
            f"label_frequencies has shape {np.shape(label_frequencies)}, expected one number for "
            f"each of the {y_true.shape[1]} labels: y_train.mean(axis=0)."
        )
    return np.broadcast_to(frequencies, y_true.shape)


def check_both(y_true, y_score):
    """Return labels as booleans and scores of the same shape, or raise ValueError."""
    y_true = check_indicator(y_true, "y_true")
    return y_true, check_finite_scores(y_score, y_true.shape)


def check_decisions(y_true, y_pred):
    """Return labels and predicted labels as booleans of the same shape, or raise ValueError."""
    y_true, y_pred = check_indicator(y_true, "y_true"), check_indicator(y_pred, "y_pred")
    if y_true.shape != y_pred.shape:
        raise ValueError(f"y_pred has shape {y_pred.shape}, expected {y_true.shape}, as y_true.")
    return y_true, y_pred


def row_crossentropy(y_true, y_score):
    """Return the mean cross-entropy of each image, `(n_samples,)`."""
    given = np.where(y_true, y_score, 1 - np.asarray(y_score, dtype=float))
    return -np.log(np.clip(given, EPSILON, 1 - EPSILON)).mean(axis=1)


def row_ranking_precision(y_true, y_score):
    """Return the label ranking average precision of each image; NaN for images without labels."""
    rank = rankdata(-y_score, method="max", axis=1)
    rank_among_true = rankdata(np.where(y_true, -y_score, np.inf), method="max", axis=1)
    total = np.where(y_true, rank_among_true / rank, 0).sum(axis=1)
    return _divide(total, y_true.sum(axis=1))


def row_top_1_hit(y_true, y_score):
    """Return 1 where the label with the highest score is right; NaN for images without labels."""
    hit = y_true[np.arange(len(y_true)), y_score.argmax(axis=1)]
    return np.where(y_true.any(axis=1), hit, np.nan)


def row_f1(y_true, y_pred):
    """Return F1 of each image's labels; NaN where there is no label, true or predicted."""
    return _divide(2.0 * (y_true & y_pred).sum(axis=1), y_true.sum(axis=1) + y_pred.sum(axis=1))


def label_average_precision(y_true, y_score):
    """Return the average precision of each label; NaN without positives or without negatives."""
    n = len(y_true)
    order = np.argsort(-y_score, axis=0, kind="stable")
    scores = np.take_along_axis(y_score, order, axis=0)
    relevant = np.take_along_axis(y_true, order, axis=0)
    # Equal scores share one cut, hence the precision at the last of them.
    position = np.arange(n)[:, None]
    last_of_equals = np.vstack([scores[1:] != scores[:-1], np.ones((1, y_true.shape[1]), bool)])
    end = np.minimum.accumulate(np.where(last_of_equals, position, n)[::-1], axis=0)[::-1]
    precision = np.take_along_axis(np.cumsum(relevant, axis=0) / (position + 1), end, axis=0)
    positives = y_true.sum(axis=0)
    return _divide(np.where(relevant, precision, 0).sum(axis=0), positives * (positives < n))


def label_roc_auc(y_true, y_score):
    """Return the area under the ROC curve of each label; NaN without positives or negatives."""
    positives = y_true.sum(axis=0)
    ranks = np.where(y_true, rankdata(y_score, axis=0), 0).sum(axis=0)
    pairs = positives * (len(y_true) - positives)
    return _divide(ranks - positives * (positives + 1) / 2, pairs)


def _mean_over_labels(score_labels, y_true, y_score, min_positives):
    y_true, y_score = check_both(y_true, y_score)
    positives = y_true.sum(axis=0)
    defined = (positives >= max(1, min_positives)) & (positives < len(y_true))
    if not defined.any():
        return _undefined(
            "The mean over labels", f"no label has {min_positives} positives and a negative"
        )
    return float(score_labels(y_true[:, defined], y_score[:, defined]).mean())


def _mean_over_images(what, score_rows, y_true, y_score):
    found = score_rows(*check_both(y_true, y_score))
    if np.isnan(found).all():
        return _undefined(what, "no image has a label")
    return float(np.nanmean(found))


def _check_probabilities(y_true, y_score):
    y_true, y_score = check_both(y_true, y_score)
    return y_true, check_probabilities(y_score)


def _divide(numerator, denominator):
    found = np.full(np.shape(numerator), np.nan)
    return np.divide(numerator, denominator, out=found, where=denominator > 0)


def _undefined(what, why):
    warnings.warn(f"{what} is undefined: {why}.", UndefinedMetricWarning, stacklevel=2)
    return float("nan")
