"""The numbers of a report: those of :mod:`skposter.metrics`, and how sure they are."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_random_state
from tqdm.auto import tqdm

from skposter._labels.checks import check_labels
from skposter.exceptions import UnknownLabelWarning
from skposter.metrics import label_report, score_summary

__all__ = ["Scores", "scores_with_intervals"]


class Scores(NamedTuple):
    """Scores of a model and of its labels.

    Parameters
    ----------
    summary : DataFrame
        As from :func:`skposter.metrics.score_summary`, with ``low`` and ``high`` beside ``model``.
    per_label : DataFrame
        As from :func:`skposter.metrics.label_report`, with ``average_precision_low``, ``_high``,
        ``f1_low`` and ``_high``.
    """

    summary: Any
    per_label: Any


def scores_with_intervals(
    y, y_score, y_pred, thresholds, names, frequencies, *, n_bootstrap, random_state, verbose
):
    """Score a model, and again for each draw of the images.

    Parameters
    ----------
    y : DataFrame or ndarray of shape (n_samples, n_labels)
        The labels.
    y_score, y_pred : ndarray of shape (n_samples, n_labels)
        Probabilities, and 0/1 decisions.
    thresholds : ndarray of shape (n_labels,)
        What decided.
    names : list
        Names of the labels.
    frequencies : ndarray of shape (n_labels,) or None
        Those of the training.
    n_bootstrap : int
        Draws; 0 gives no intervals.
    random_state : int, RandomState instance or None
        The seed of the draws.
    verbose : int
        Above 0, a progress bar.

    Returns
    -------
    scores : Scores
        The intervals hold 95 % of the draws (percentiles, as in [1]_).

    References
    ----------
    .. [1] B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
    """
    y = check_labels(y, unknown=True).to_numpy()
    summary = score_summary(y, y_score, y_pred, label_frequencies=frequencies)
    per_label = label_report(y, y_score, thresholds, label_names=names)
    rng = check_random_state(random_state)
    drawn, drawn_labels = [], []
    with warnings.catch_warnings():
        # It was said of all images, and is no news of each draw.
        warnings.simplefilter("ignore", UnknownLabelWarning)
        for _ in tqdm(range(n_bootstrap), "Drawing images anew", disable=not verbose):
            rows = rng.randint(len(y), size=len(y))
            sample = y[rows], y_score[rows]
            summed = score_summary(*sample, y_pred[rows], label_frequencies=frequencies)
            drawn.append(summed["model"])
            of_labels = label_report(*sample, thresholds, label_names=names)
            drawn_labels.append(of_labels[["average_precision", "f1"]])
    low, high = _percentiles([each.to_numpy(dtype=float) for each in drawn], len(summary))
    summary.insert(1, "low", low)
    summary.insert(2, "high", high)
    low, high = _percentiles([each.to_numpy(dtype=float) for each in drawn_labels], (len(names), 2))
    for j, name in enumerate(("average_precision", "f1")):
        per_label[f"{name}_low"], per_label[f"{name}_high"] = low[:, j], high[:, j]
    return Scores(summary, per_label)


def _percentiles(drawn, shape):
    """Return the ends of the 95 % intervals; draws in which a score is undefined do not count."""
    if not drawn:
        return np.full(shape, np.nan), np.full(shape, np.nan)
    stacked = np.stack(drawn)
    defined = ~np.isnan(stacked).all(axis=0)
    ends = np.full((2, *stacked.shape[1:]), np.nan)
    ends[:, defined] = np.nanquantile(stacked[:, defined], [0.025, 0.975], axis=0)
    return ends[0], ends[1]
