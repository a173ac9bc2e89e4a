"""Is one model better than another, or were the images kind to it? The paired bootstrap."""

from __future__ import annotations

import numbers
import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from skposter._labels.checks import check_finite_scores, check_probabilities
from skposter.exceptions import UnknownLabelWarning
from skposter.metrics._scores import (
    check_both,
    row_crossentropy,
    row_ranking_precision,
    row_top_1_hit,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from skposter._typing import Array, RandomState

__all__ = ["PairedBootstrap", "paired_bootstrap"]

_ROW_SCORES = {
    "binary_crossentropy": row_crossentropy,
    "lrap": row_ranking_precision,
    "top_1_hit": row_top_1_hit,
}
_BLOCK = 4_000_000


class PairedBootstrap(NamedTuple):
    """What :func:`paired_bootstrap` found."""

    score_a: float
    score_b: float
    difference: float
    low: float
    high: float
    probability: float


def paired_bootstrap(
    metric: str | Callable[[Any, Any], float],
    y_true: Array,
    scores_a: Array,
    scores_b: Array,
    *,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: RandomState = None,
) -> PairedBootstrap:
    """Compare two models' predictions for the same images by resampling the images.

    Both are scored on the same draws, so that images which are hard for both do not blur the
    difference.

    Parameters
    ----------
    metric : str or callable
        ``"binary_crossentropy"``, ``"lrap"`` or ``"top_1_hit"``, which are means over images and
        resampled at once; or a function of ``(y_true, scores)`` that returns a number, called for
        each draw and model.
    y_true : array-like or DataFrame of shape (n_samples, n_labels)
        The labels, 0/1; NaN where unknown. The metrics of this module leave those out; a function
        of yours gets the NaN, where there are any, and booleans otherwise.
    scores_a, scores_b : array-like or DataFrame of shape (n_samples, n_labels)
        What the metric takes: probabilities, or 0/1 decisions for a function such as
        :func:`macro_f1_score`.
    n_bootstrap : int, default=1000
        Number of draws.
    confidence : float, default=0.95
        Share of the draws whose difference lies between ``low`` and ``high``.
    random_state : int, RandomState instance or None, default=None
        The seed.

    Returns
    -------
    result : PairedBootstrap
        A named tuple: ``score_a`` and ``score_b`` on all images, ``difference`` (a - b), its
        percentile interval ``low`` to ``high``, and ``probability``, the share of the draws in
        which a's score is the higher one (a tie counts half). For a loss, where lower is better,
        a low probability speaks for a.

    Raises
    ------
    ValueError
        If shapes differ, the metric is unknown, or it is not finite on a draw: a mean over labels
        may be, when no drawn image has a rare label. The means of :mod:`skposter.metrics` leave
        such labels out.

    References
    ----------
    .. [1] B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.

    Examples
    --------
    >>> import numpy as np
    >>> from skposter.metrics import paired_bootstrap
    >>> rng = np.random.default_rng(0)
    >>> y_true = rng.random((200, 3)) < 0.3
    >>> good, poor = np.where(y_true, 0.6, 0.2), np.full((200, 3), 0.3)
    >>> result = paired_bootstrap("binary_crossentropy", y_true, good, poor, random_state=0)
    >>> result.high < 0, result.probability
    (True, 0.0)
    """
    labels, scores_a = check_both(y_true, scores_a)
    scores_b = check_finite_scores(scores_b, labels.shape, label_names=labels.names)
    if not isinstance(n_bootstrap, numbers.Integral) or n_bootstrap < 1:
        raise ValueError(f"n_bootstrap is a whole number from 1 up, got {n_bootstrap!r}.")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is between 0 and 1, got {confidence!r}.")
    rng = np.random.RandomState() if random_state is None else check_random_state(random_state)
    if callable(metric):
        y_true = labels.positive if labels.known is None else labels.to_numpy()
        with warnings.catch_warnings():
            # Said once above; in each draw there are others.
            warnings.simplefilter("ignore", UnknownLabelWarning)
            score_a, score_b = float(metric(y_true, scores_a)), float(metric(y_true, scores_b))
            differences = _differences_of_metric(
                metric, y_true, scores_a, scores_b, n_bootstrap, rng
            )
    elif metric in _ROW_SCORES:
        rows_a, rows_b, weight = _score_rows(metric, labels, scores_a, scores_b)
        score_a, score_b = (float(rows.sum() / weight.sum()) for rows in (rows_a, rows_b))
        differences = _mean_differences(rows_a - rows_b, weight, n_bootstrap, rng)
    else:
        raise ValueError(
            f"metric is a function or one of {', '.join(_ROW_SCORES)}; got {metric!r}."
        )
    if not np.isfinite(differences).all():
        raise ValueError(
            f"The metric is not finite on {(~np.isfinite(differences)).sum()} of {n_bootstrap} "
            "draws; use one that leaves out what it cannot judge, such as "
            "skposter.metrics.mean_roc_auc."
        )
    low, high = np.quantile(differences, [(1 - confidence) / 2, (1 + confidence) / 2])
    probability = (differences > 0).mean() + (differences == 0).mean() / 2
    return PairedBootstrap(
        score_a, score_b, score_a - score_b, float(low), float(high), float(probability)
    )


def _score_rows(metric, labels, scores_a, scores_b):
    """Return the sums of the scores of each image for both models, and of how many each is."""
    if metric == "binary_crossentropy":
        rows_a, weight = row_crossentropy(labels, check_probabilities(scores_a))
        rows_b = row_crossentropy(labels, check_probabilities(scores_b))[0]
        why = "no label is known"
    else:
        rows_a, rows_b = (_ROW_SCORES[metric](labels, scores) for scores in (scores_a, scores_b))
        # Images without labels, which have no ranking to judge, have none for either model.
        weight, why = (~np.isnan(rows_a)).astype(int), "no image has a label"
    judged = weight > 0
    if not judged.any():
        raise ValueError(f"{metric} is undefined: {why}.")
    return rows_a[judged], rows_b[judged], weight[judged]


def _mean_differences(difference, weight, n_bootstrap, rng):
    n = len(difference)
    draws_at_once = max(1, _BLOCK // n)
    found = []
    for start in range(0, n_bootstrap, draws_at_once):
        size = min(draws_at_once, n_bootstrap - start)
        rows = rng.randint(n, size=(size, n))
        found.append(difference[rows].sum(axis=1) / weight[rows].sum(axis=1))
    return np.concatenate(found)


def _differences_of_metric(metric, y_true, scores_a, scores_b, n_bootstrap, rng):
    differences = np.empty(n_bootstrap)
    for draw in range(n_bootstrap):
        rows = rng.randint(len(y_true), size=len(y_true))
        drawn = y_true[rows]
        differences[draw] = metric(drawn, scores_a[rows]) - metric(drawn, scores_b[rows])
    return differences
