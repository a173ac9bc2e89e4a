"""Scores of images that the model did not see, and cuts judged on images they did not see."""

from __future__ import annotations

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_method_params

from skposter._labels.probabilities import label_scores
from skposter.model_selection import deal

_PARTS = 5


def score_fold(estimator, X, y, train, test, fit_params, n_labels, keep):
    """Fit on the training rows; return the test rows' scores, and the estimator if to `keep`."""
    params = _check_method_params(X, fit_params, indices=train)
    estimator.fit(_safe_indexing(X, train), _safe_indexing(y, train), **params)
    y_score = label_scores(estimator, _safe_indexing(X, test), n_labels)
    return y_score, estimator if keep else None  # which may be large, and come from a worker


def parts_to_hold_out(labels, rows, folds):
    """Return which part each scored row belongs to when cuts are cross-validated.

    The folds serve as they are. Where there is only one, or one has every row, the rows are dealt
    to five parts instead: the model stays, only the choice of cuts is repeated.

    Parameters
    ----------
    labels : ndarray of shape (n_scored, n_labels), bool
    rows : ndarray of shape (n_scored,), int
        Row of the data; it may occur in several folds.
    folds : ndarray of shape (n_scored,), int

    Returns
    -------
    parts : ndarray of shape (n_scored,), int
        All 0 if there is only one row.
    """
    distinct, first, occurrence = np.unique(rows, return_index=True, return_inverse=True)
    sizes = [len(np.unique(rows[folds == fold])) for fold in np.unique(folds)]
    if max(sizes) < len(distinct):
        return folds
    n_parts = min(_PARTS, len(distinct))
    if n_parts < 2:
        return np.zeros_like(folds)
    parts = deal(labels[first], np.full(n_parts, 1 / n_parts), np.random.RandomState(0))
    return parts[occurrence]


def cross_validate_cuts(labels, y_score, rows, parts, choose, decide, score):
    """Choose cuts without each part in turn and score them on it.

    Parameters
    ----------
    labels, y_score : ndarray of shape (n_scored, n_labels)
    rows, parts : ndarray of shape (n_scored,), int
    choose : callable
        ``choose(labels, y_score) -> thresholds``.
    decide : callable
        ``decide(y_score, thresholds) -> y_pred``.
    score : callable
        ``score(labels, y_pred) -> float``.

    Returns
    -------
    cv_score : float
        Score of all the held-out decisions together; nan if nothing can be held out.
    results : dict of ndarray
        ``thresholds`` (n_parts, n_labels), ``train_score`` and ``test_score`` (n_parts,).
    """
    y_pred = np.zeros(labels.shape, dtype=int)
    thresholds, train_score, test_score = [], [], []
    for part in np.unique(parts):
        test = parts == part
        # The same row may be in other folds too, where its label would give the cuts away.
        train = ~np.isin(rows, rows[test])
        if not train.any():
            return np.nan, {}
        cuts = choose(labels[train], y_score[train])
        y_pred[test] = decide(y_score[test], cuts)
        thresholds.append(cuts)
        train_score.append(score(labels[train], decide(y_score[train], cuts)))
        test_score.append(score(labels[test], y_pred[test]))
    results = {
        "thresholds": np.array(thresholds),
        "train_score": np.array(train_score),
        "test_score": np.array(test_score),
    }
    return score(labels, y_pred), results
