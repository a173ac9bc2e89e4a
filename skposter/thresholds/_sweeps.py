"""Exact sweeps of a threshold over sorted scores.

Lowering a threshold past a score that no positive has only adds false positives. So the best
threshold of every rule here lies just below the score of some positive (or above all scores), and
it is enough to count, at each distinct score of the positives, how many positives and how many
scores reach it. Both counts are searches in sorted arrays: no grid, and no argsort of all scores.
A metric of the caller's may prefer any threshold; for it others are tried as well.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_CHUNK = 1 << 20  # scores handled at once where a temporary is several times their size
_CALLABLE_THRESHOLDS = 200


class Column(NamedTuple):
    """The scores of a label, or of all, where the label is known."""

    ordered: np.ndarray
    of_positives: np.ndarray

    @classmethod
    def of(cls, score, positive):
        """Sort scores, `(n,)`, and those of the positives."""
        return cls(np.sort(score), np.sort(score[positive]))


class Sweep(NamedTuple):
    """What happens to a column of scores at each threshold worth trying, from the highest down.

    A threshold in ``(lower[i], upper[i]]`` predicts ``predicted[i]`` entries, of which ``tp[i]``
    are among the ``n_positive`` positives. The threshold ``nothing`` predicts no entry.
    """

    lower: np.ndarray
    upper: np.ndarray
    tp: np.ndarray
    predicted: np.ndarray
    n_positive: int
    nothing: float


def score_ends(y_score):
    """Return the ends of the scale: ``(0, 1)`` for probabilities, else infinite ones."""
    return (0.0, 1.0) if y_score.min() >= 0 and y_score.max() <= 1 else (-np.inf, np.inf)


def threshold_between(lower, upper):
    """Return the middle of ``(lower, upper]`` such that float32 decides the same as float64.

    Both the scores and the threshold may be rounded later. Thresholds are float64, and networks
    give float32; NumPy compares a float32 array with a Python float in float32, and with a float64
    array in float64. So a number that float32 has is taken: `upper` or what lies below it, above
    `lower` and what float32 makes of it. If there is none, float32 cannot tell `lower` from
    `upper`, and `upper` itself is the threshold, which ``>=`` includes.
    """
    lower, upper = float(lower), float(upper)
    beyond = max(lower, _single(lower))
    for threshold in (_single(lower / 2 + upper / 2), _single_at_most(upper)):
        if beyond < threshold <= upper:
            return threshold
    return upper


def threshold_above(score, end=np.inf):
    """Return a threshold that `score` does not reach: half-way to the end of the scale if any."""
    score = float(score)
    if score < end < np.inf:
        return threshold_between(score, end)
    with np.errstate(over="ignore"):
        above = float(np.nextafter(np.float32(score), np.float32(np.inf)))
        return above if np.isfinite(above) else float(np.nextafter(score, np.inf))


def settled(threshold, ordered):
    """Return a threshold that decides about scores as this one does, in float32 too.

    Parameters
    ----------
    threshold : float
    ordered : ndarray of shape (n,)
        The scores, ascending.

    Returns
    -------
    threshold : float
    """
    # Of the scores' own type, searchsorted would round the threshold.
    rank = np.searchsorted(ordered.astype(np.float64, copy=False), threshold)
    lower = float(ordered[rank - 1]) if rank else -np.inf
    upper = float(ordered[rank]) if rank < len(ordered) else np.inf
    single = _single(threshold)
    if max(lower, _single(lower)) < single <= upper:
        return single
    return threshold_above(lower) if upper == np.inf else threshold_between(lower, upper)


def _single(number):
    with np.errstate(over="ignore"):
        return float(np.float32(number))


def _single_at_most(number):
    """Return the largest number of float32 that is not above `number`."""
    single = _single(number)
    if single > number:
        return float(np.nextafter(np.float32(single), np.float32(-np.inf)))
    return single


def sweep(column, ends):
    """Count true positives and predictions at each distinct score of the positives.

    Parameters
    ----------
    column : Column
    ends : (float, float)
        From :func:`score_ends`.

    Returns
    -------
    Sweep
        Arrays of shape (number of distinct scores of positives,), possibly empty.
    """
    ordered, of_positives = column
    upper = _distinct(of_positives)[::-1]
    rank = np.searchsorted(ordered, upper, side="left")
    return Sweep(
        lower=np.where(rank > 0, ordered[rank - 1], ends[0]),
        upper=upper,
        tp=len(of_positives) - np.searchsorted(of_positives, upper, side="left"),
        predicted=len(ordered) - rank,
        n_positive=len(of_positives),
        nothing=threshold_above(ordered[-1], ends[1]),
    )


def _distinct(ordered):
    return ordered[np.r_[True, ordered[1:] != ordered[:-1]]] if len(ordered) else ordered


def _best(swept, value):
    """Return the threshold of the highest `value` above zero; of equals, what predicts least."""
    if not value.size or value.max() <= 0:
        return swept.nothing
    best = np.argmax(value)
    return threshold_between(swept.lower[best], swept.upper[best])


def f1_threshold(swept):
    """Return the threshold with the highest F1."""
    return _best(swept, 2 * swept.tp / (swept.predicted + swept.n_positive))


def hamming_threshold(swept):
    """Return the threshold with the fewest wrong decisions."""
    return _best(swept, 2 * swept.tp - swept.predicted)  # right minus wrong among the predicted


def precision_threshold(swept, floor):
    """Return the threshold with the highest recall whose precision is at least `floor`."""
    return _best(swept, np.where(swept.tp / swept.predicted >= floor, swept.tp, 0))


def recall_threshold(swept, floor):
    """Return the threshold with the highest precision whose recall is at least `floor`."""
    reached = swept.tp / max(swept.n_positive, 1) >= floor
    return _best(swept, np.where(reached, swept.tp / swept.predicted, 0))


def cardinality_threshold(scores, n_positive, ends):
    """Return the threshold that as many scores reach as there are positives, or nearly as many.

    Scores that are equal are predicted together, so the number may not be reachable; of two
    equally near numbers the smaller is taken.
    """
    if n_positive == 0:
        return threshold_above(scores.max(), ends[1])
    position = len(scores) - n_positive
    pivot = np.partition(scores, position)[position]
    above = scores > pivot
    n_above, n_reaching = np.count_nonzero(above), np.count_nonzero(scores >= pivot)
    if n_reaching - n_positive < n_positive - n_above:
        below = scores[scores < pivot]
        return threshold_between(below.max() if below.size else ends[0], pivot)
    if n_above:
        return threshold_between(pivot, scores[above].min())
    return threshold_above(pivot, ends[1])


def samples_f1_threshold(y_score, labels, ends):
    """Return the threshold of all labels with the highest mean F1 of the rows, to rounding.

    Each score changes the F1 of its row by an amount that depends only on the higher scores of
    that row. Those amounts, added up from the highest score down, are the sum of F1 over rows.
    """
    candidates = _distinct(np.sort(y_score[labels.positive]))
    scores = y_score.ravel() if labels.known is None else y_score[labels.known]
    if not candidates.size:
        return threshold_above(scores.max(), ends[1])
    y_score = labels.masked(y_score, -np.inf)  # below all candidates, so never among the predicted
    n_labels = y_score.shape[1]
    change = np.zeros(len(candidates) + 1)
    for start in range(0, len(y_score), max(1, _CHUNK // n_labels)):
        rows = slice(start, start + max(1, _CHUNK // n_labels))
        order = np.argsort(-y_score[rows], axis=1)
        score = np.take_along_axis(y_score[rows], order, axis=1)
        tp = np.cumsum(np.take_along_axis(labels.positive[rows], order, axis=1), axis=1)
        f1 = 2 * tp / (np.arange(1, n_labels + 1) + tp[:, -1:])
        at = np.searchsorted(candidates, score.ravel(), side="right")
        step = np.diff(f1, axis=1, prepend=0).ravel()
        change += np.bincount(at, weights=step, minlength=len(change))
    total = np.cumsum(change[:0:-1])
    return _threshold_at(scores, candidates[len(candidates) - 1 - np.argmax(total)], ends)


def callable_threshold(y_score, labels, metric, ends):
    """Return the threshold of all labels with the highest ``metric(y_true, y_pred)``.

    Tried are predicting nothing and the distinct scores, or where there are more than 200, every so
    many of them, half among all scores and half among those of positives.
    """
    scores = y_score.ravel() if labels.known is None else y_score[labels.known]
    candidates = np.unique(scores)
    if len(candidates) > _CALLABLE_THRESHOLDS:
        candidates = np.union1d(_evenly(candidates), _evenly(np.unique(y_score[labels.positive])))
    candidates = candidates[::-1]
    y_true = labels.to_numpy()
    values = [float(metric(y_true, np.zeros(labels.shape, dtype=np.int64)))]
    values += [float(metric(y_true, (y_score >= score).astype(np.int64))) for score in candidates]
    if not np.isfinite(values).all():
        raise ValueError(
            f"The objective {metric!r} returned a number that is not finite; it must return a "
            "finite float, higher for better."
        )
    best = int(np.argmax(values))
    if best == 0:
        return threshold_above(scores.max(), ends[1])
    return _threshold_at(scores, candidates[best - 1], ends)


def _evenly(distinct):
    if len(distinct) <= _CALLABLE_THRESHOLDS // 2:
        return distinct
    places = np.linspace(0, len(distinct) - 1, _CALLABLE_THRESHOLDS // 2)
    return distinct[places.round().astype(int)]


def _threshold_at(scores, upper, ends):
    below = scores[scores < upper]
    return threshold_between(below.max() if below.size else ends[0], upper)
