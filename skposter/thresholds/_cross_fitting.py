"""Scores of images that the model did not see, and thresholds judged on images they did not see."""

from __future__ import annotations

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_method_params

from skposter._labels.probabilities import label_scores
from skposter.model_selection import assign_labels

_SUBSETS = 5


def score_fold(task, estimator, X, y, train, test, fit_params, n_labels, keep):
    """Fit on the training rows; return the test rows' scores, and the estimator if to `keep`."""
    params = _check_method_params(X, fit_params, indices=train)
    task.fit(estimator, _safe_indexing(X, train), _safe_indexing(y, train), params)
    y_score = label_scores(estimator, _safe_indexing(X, test), n_labels)
    return y_score, estimator if keep else None  # which may be large, and come from a worker


def subsets_to_hold_out(labels, rows, folds):
    """Return which subset each scored row belongs to when thresholds are cross-validated.

    The folds serve as they are. Where there is only one, or one has every row, the rows are
    assigned to five subsets instead: the model stays, only the choice of thresholds is repeated.

    Parameters
    ----------
    labels : Labels of shape (n_scored, n_labels)
    rows : ndarray of shape (n_scored,), int
        Row of the data; it may occur in several folds.
    folds : ndarray of shape (n_scored,), int

    Returns
    -------
    subsets : ndarray of shape (n_scored,), int
        All 0 if there is only one row.
    """
    distinct, first, occurrence = np.unique(rows, return_index=True, return_inverse=True)
    sizes = [len(np.unique(rows[folds == fold])) for fold in np.unique(folds)]
    if max(sizes) < len(distinct):
        return folds
    n_subsets = min(_SUBSETS, len(distinct))
    if n_subsets < 2:
        return np.zeros_like(folds)
    proportions = np.full(n_subsets, 1 / n_subsets)
    return assign_labels(labels[first], proportions, np.random.RandomState(0))[occurrence]


def cross_validate_thresholds(labels, y_score, rows, subsets, choose, decide, score):
    """Choose thresholds without each subset in turn and score them on it.

    Parameters
    ----------
    labels : Labels of shape (n_scored, n_labels)
    y_score : ndarray of shape (n_scored, n_labels)
    rows, subsets : ndarray of shape (n_scored,), int
    choose : callable
        ``choose(labels, y_score) -> thresholds``.
    decide : callable
        ``decide(y_score, thresholds) -> y_pred``, bool.
    score : callable
        ``score(labels, y_pred) -> float``.

    Returns
    -------
    cv_score : float
        Score of all the held-out decisions together; nan if nothing can be held out.
    results : dict of ndarray
        ``thresholds`` (n_subsets, n_labels), ``train_score`` and ``test_score`` (n_subsets,); empty
        if nothing can be held out.
    """
    y_pred = np.zeros(labels.shape, dtype=bool)
    thresholds, train_score, test_score = [], [], []
    for subset in np.unique(subsets):
        test = subsets == subset
        # The same row may be in other folds too, where its label would give the thresholds away.
        train = ~np.isin(rows, rows[test])
        if not labels[train].n_known.any():
            return np.nan, {}
        chosen = choose(labels[train], y_score[train])
        y_pred[test] = decide(y_score[test], chosen)
        thresholds.append(chosen)
        train_score.append(score(labels[train], decide(y_score[train], chosen)))
        test_score.append(score(labels[test], y_pred[test]))
    results = {
        "thresholds": np.array(thresholds),
        "train_score": np.array(train_score),
        "test_score": np.array(test_score),
    }
    return score(labels, y_pred), results
