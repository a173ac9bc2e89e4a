"""Exact sweeps of a cut over sorted scores.

Lowering a cut past a score that no positive has only adds false positives. So the best cut of every
rule here lies just below the score of some positive (or above all scores), and it is enough to
count, at each distinct score of the positives, how many positives and how many scores reach it.
Both counts are searches in sorted arrays: no grid, and no argsort of all scores.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_CHUNK = 1 << 20  # scores handled at once where a temporary is several times their size
_CALLABLE_CUTS = 200


class Sweep(NamedTuple):
    """What happens to a column of scores at each cut worth trying, from the highest down.

    A cut in ``(lower[i], upper[i]]`` predicts ``predicted[i]`` entries, of which ``tp[i]`` are
    among the ``n_positive`` positives. The cut ``nothing`` predicts no entry.
    """

    lower: np.ndarray
    upper: np.ndarray
    tp: np.ndarray
    predicted: np.ndarray
    n_positive: int
    nothing: float


def score_ends(y_score):
    """Ends of the scale: ``(0, 1)`` for probabilities, else the extremes of the scores."""
    low, high = float(y_score.min()), float(y_score.max())
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def cut_between(lower, upper):
    """Middle of ``(lower, upper]``, such that rounding it to float32 changes no decision.

    Probabilities are often float32, and NumPy compares a float32 array with a Python float in
    float32, where a float64 midpoint could round down onto `lower`. If float32 has no number above
    `lower` and up to `upper`, `upper` itself is the cut, which ``>=`` includes.
    """
    lower, upper = float(lower), float(upper)
    with np.errstate(over="ignore"):
        middle = float(np.float32(lower + (upper - lower) / 2))
        rounded = float(np.float32(lower))
    return middle if max(lower, rounded) < middle <= upper else upper


def cut_above(score, high):
    """Cut that `score` does not reach: half-way to the end of the scale where there is room."""
    if score < high:
        return cut_between(score, high)
    with np.errstate(over="ignore"):
        return float(np.nextafter(np.float32(score), np.float32(np.inf)))


def sweep(score, positive, ends):
    """Count true positives and predictions at each distinct score of the positives.

    Parameters
    ----------
    score : ndarray of shape (n,)
    positive : ndarray of shape (n,), bool
    ends : (float, float)
        From :func:`score_ends`.

    Returns
    -------
    Sweep
        Arrays of shape (number of distinct scores of positives,), possibly empty.
    """
    ordered = np.sort(score)
    of_positives = np.sort(score[positive])
    upper = _distinct(of_positives)[::-1]
    rank = np.searchsorted(ordered, upper, side="left")
    return Sweep(
        lower=np.where(rank > 0, ordered[rank - 1], ends[0]),
        upper=upper,
        tp=len(of_positives) - np.searchsorted(of_positives, upper, side="left"),
        predicted=len(ordered) - rank,
        n_positive=len(of_positives),
        nothing=cut_above(ordered[-1], ends[1]),
    )


def _distinct(ordered):
    return ordered[np.r_[True, ordered[1:] != ordered[:-1]]] if len(ordered) else ordered


def _best(swept, value):
    """Cut of the highest `value` above zero; of equals, the one that predicts least."""
    if not value.size or value.max() <= 0:
        return swept.nothing
    best = np.argmax(value)
    return cut_between(swept.lower[best], swept.upper[best])


def f1_cut(swept):
    """Cut with the highest F1."""
    return _best(swept, 2 * swept.tp / (swept.predicted + swept.n_positive))


def hamming_cut(swept):
    """Cut with the fewest wrong decisions."""
    return _best(swept, 2 * swept.tp - swept.predicted)  # right minus wrong among the predicted


def precision_cut(swept, floor):
    """Cut with the highest recall whose precision is at least `floor`."""
    return _best(swept, np.where(swept.tp / swept.predicted >= floor, swept.tp, 0))


def recall_cut(swept, floor):
    """Cut with the highest precision whose recall is at least `floor`."""
    reached = swept.tp / max(swept.n_positive, 1) >= floor
    return _best(swept, np.where(reached, swept.tp / swept.predicted, 0))


def cardinality_cut(y_score, n_positive, ends):
    """Cut of all labels that predicts as many labels as there are positives, or nearly.

    Scores that are equal are predicted together, so the number may not be reachable; of two
    equally near numbers the smaller is taken.
    """
    scores = y_score.ravel()
    if n_positive == 0:
        return cut_above(scores.max(), ends[1])
    position = len(scores) - n_positive
    pivot = np.partition(scores, position)[position]
    above = scores > pivot
    n_above, n_reaching = np.count_nonzero(above), np.count_nonzero(scores >= pivot)
    if n_reaching - n_positive < n_positive - n_above:
        below = scores[scores < pivot]
        return cut_between(below.max() if below.size else ends[0], pivot)
    return cut_between(pivot, scores[above].min()) if n_above else cut_above(pivot, ends[1])


def samples_f1_cut(y_score, positive, ends):
    """Cut of all labels with the highest mean F1 of the rows, to rounding.

    Each score changes the F1 of its row by an amount that depends only on the higher scores of
    that row. Those amounts, added up from the highest score down, are the sum of F1 over rows.
    """
    candidates = _distinct(np.sort(y_score[positive]))
    if not candidates.size:
        return cut_above(y_score.max(), ends[1])
    n_labels = y_score.shape[1]
    change = np.zeros(len(candidates) + 1)
    for start in range(0, len(y_score), max(1, _CHUNK // n_labels)):
        rows = slice(start, start + max(1, _CHUNK // n_labels))
        order = np.argsort(-y_score[rows], axis=1)
        score = np.take_along_axis(y_score[rows], order, axis=1)
        tp = np.cumsum(np.take_along_axis(positive[rows], order, axis=1), axis=1)
        f1 = 2 * tp / (np.arange(1, n_labels + 1) + tp[:, -1:])
        at = np.searchsorted(candidates, score.ravel(), side="right")
        step = np.diff(f1, axis=1, prepend=0).ravel()
        change += np.bincount(at, weights=step, minlength=len(change))
    total = np.cumsum(change[:0:-1])
    return _cut_at(y_score, candidates[len(candidates) - 1 - np.argmax(total)], ends)


def callable_cut(y_score, positive, metric, ends):
    """Cut of all labels with the highest ``metric(y_true, y_pred)``.

    Tried are the distinct scores of positives, at most 200 at even ranks, and predicting nothing.
    """
    candidates = _distinct(np.sort(y_score[positive]))[::-1]
    if len(candidates) > _CALLABLE_CUTS:
        even = np.linspace(0, len(candidates) - 1, _CALLABLE_CUTS).round().astype(int)
        candidates = candidates[even]
    y_true = positive.astype(np.int64)
    values = [float(metric(y_true, np.zeros_like(y_true)))]
    values += [float(metric(y_true, (y_score >= cut).astype(np.int64))) for cut in candidates]
    if not np.isfinite(values).all():
        raise ValueError(
            f"The objective {metric!r} returned a number that is not finite; it must return a "
            "finite float, higher for better."
        )
    best = int(np.argmax(values))
    if best == 0:
        return cut_above(y_score.max(), ends[1])
    return _cut_at(y_score, candidates[best - 1], ends)


def _cut_at(y_score, upper, ends):
    below = y_score[y_score < upper]
    return cut_between(below.max() if below.size else ends[0], upper)
