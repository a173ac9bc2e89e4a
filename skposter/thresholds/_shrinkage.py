"""Thresholds of rare labels, steadied by what all labels together say about the scores.

The best threshold of a label with a handful of positives is mostly chance. What all labels share is
how scores turn into probabilities: one logistic curve, fitted to every score of every label at
once, is steady even where a label has no positive at all. From it follows the threshold that each
label would get if only its scores were known, and the label's own best one is drawn towards that.

One threshold for all labels, the more obvious anchor, makes macro F1 of calibrated scores worse:
labels differ in frequency, and so do their best thresholds (``benchmarks/threshold_rules.py``).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

_BINS = 1000
_SAMPLE = 1 << 17  # scores that decide where the bins are
_TINY = 1e-6  # thresholds of probabilities move in log-odds, which 0 and 1 have not
_FLOATS = np.finfo(np.float64).min, np.finfo(np.float64).max


class Calibration(NamedTuple):
    """Probability of a score of any label: ``expit(slope * place + intercept)``.

    The place of a score is 0 where the scores begin and 1 where they end, outliers aside. It is
    even in the log-odds of scores between 0 and 1, clipped to `clip`, or else in the scores
    themselves.
    """

    slope: float
    intercept: float
    begin: float
    half: float  # of the length from begin to end; the whole may be more than a float holds
    clip: float
    log_odds: bool

    def probability(self, score):
        """Return calibrated probabilities of scores, float64."""
        return expit(self.slope * self.place(score, self.clip) + self.intercept)

    def place(self, score, clip):
        """Return where scores lie, at most one length beyond the ends."""
        z = _on_scale(score, clip, self.log_odds)
        with np.errstate(over="ignore"):
            return np.clip((z / 2 - self.begin / 2) / self.half, -1, 2)

    def place_of(self, probability):
        """Return where the curve has a probability, within the same bounds."""
        with np.errstate(over="ignore"):
            return np.clip((logit(probability) - self.intercept) / self.slope, -1, 2)

    def score_at(self, place):
        """Return the score that lies at a place."""
        with np.errstate(over="ignore"):
            z = self.begin + self.half * place + self.half * place
        return float(expit(z) if self.log_odds else np.clip(z, *_FLOATS))


def _on_scale(score, clip, log_odds):
    score = np.asarray(score, dtype=np.float64)
    return logit(np.clip(score, clip, 1 - clip)) if log_odds else score


def fit_calibration(columns, ends):
    """Fit one logistic curve to the scores of all labels (Platt scaling, on binned scores).

    The bins hold equally many scores, and the thousandth part of the scores that is farthest out on
    each side counts as if it lay where the others end (winsorising). Where scores are no
    probabilities, a single one that is far from the others would decide the curve of all otherwise.

    Parameters
    ----------
    columns : list of Column
        The scores of each label.
    ends : (float, float)
        From :func:`skposter.thresholds._sweeps.score_ends`.

    Returns
    -------
    Calibration or None
        None if higher scores do not mean likelier labels, so that nothing can be said.
    """
    log_odds = ends == (0.0, 1.0)
    ordered = _evenly(columns)
    clip = _clip(ordered) if log_odds else 0.0
    edges, centres = _equal_bins(ordered)
    counts = np.zeros((2, len(edges)))  # of negatives and positives: a million rows become 2000
    for column in columns:
        everything, positives = (_count_from(edges, scores) for scores in column)
        counts += everything - positives, positives
    begin, end = _on_scale(_ends_but_for_outliers(ordered), clip, log_odds)
    half = end / 2 - begin / 2
    if not half > 0 or not counts.any(axis=1).all():
        return None
    z = np.clip(_on_scale(centres, clip, log_odds), begin, end)
    place = np.tile((z / 2 - begin / 2) / half, 2)[:, np.newaxis]
    curve = LogisticRegression(C=100, solver="newton-cholesky").fit(
        place, np.repeat([0, 1], len(edges)), counts.ravel()
    )
    slope, intercept = float(curve.coef_[0, 0]), float(curve.intercept_[0])
    if slope <= 0:
        return None
    return Calibration(slope, intercept, float(begin), float(half), clip, log_odds)


def _evenly(columns):
    """Return the scores of all labels, ascending; of many, those at even ranks of each label."""
    share = min(1.0, _SAMPLE / sum(len(column.ordered) for column in columns))
    some = []
    for ordered, _ in columns:
        ranks = np.linspace(0, len(ordered) - 1, max(2, round(share * len(ordered))))
        some.append(ordered[ranks.round().astype(int)] if share < 1 else ordered)
    return np.sort(np.concatenate(some))


def _count_from(edges, ordered):
    """Return how many scores there are from each edge to the next."""
    return -np.diff(len(ordered) - np.searchsorted(ordered, edges), append=0)


def _equal_bins(ordered):
    """Return where bins of equally many scores begin, and the median of each.

    Equal scores are in one bin. Few scores have a bin each.
    """
    n_bins = min(_BINS, len(ordered))
    edges = np.unique(ordered[np.arange(n_bins) * len(ordered) // n_bins])
    begin = np.searchsorted(ordered, edges)
    end = np.append(begin[1:], len(ordered))
    return edges, ordered[(begin + end - 1) // 2]


def _ends_but_for_outliers(ordered):
    """Return the lowest and the highest score that are not among the few farthest out."""
    beyond = max(min(2, len(ordered) // 20), len(ordered) // 1000)
    ends = ordered[[beyond, -1 - beyond]]
    return ends if ends[0] < ends[1] else ordered[[0, -1]]


def _clip(ordered):
    """Return where 0 and 1 go: half-way to the nearest probabilities in use, but for two outliers.

    Trees and neighbours say 0 and 1 often and mean little by it; as log-odds of an arbitrary tiny
    number these would dominate the fit.
    """
    near_0, near_1 = ordered[ordered > 0][:3], 1 - ordered[ordered < 1][-3:]
    nearest = min(near_0.max(initial=0.0) or 0.5, near_1.max(initial=0.0) or 0.5, 0.5)
    return max(_TINY, float(nearest) / 2)


def expected_f1_threshold(ordered):
    """Return half of the best ratio of expected counts, ``2 E[tp] / (k + E[positives])``.

    Parameters
    ----------
    ordered : ndarray of shape (n,)
        Probabilities, ascending.

    Returns
    -------
    threshold : float
    """
    tp = np.cumsum(ordered[::-1], dtype=np.float64)
    return float(np.max(tp / (np.arange(1, len(tp) + 1) + tp[-1])))


def shrunk_threshold(threshold, anchor, n_positive, shrinkage, calibration):
    """Draw a label's best threshold towards a calibrated probability.

    Parameters
    ----------
    threshold : float
        The label's best.
    anchor : float
        The probability: what the label's calibrated scores suggest for F1, one half for fewest
        wrong decisions.
    n_positive, shrinkage : number
        Weights of the two.
    calibration : Calibration
        On its scale they are averaged.

    Returns
    -------
    threshold : float
    """
    own_weight = 1 / (1 + shrinkage / n_positive) if n_positive else 0.0
    own, suggested = calibration.place(threshold, _TINY), calibration.place_of(anchor)
    return calibration.score_at(own_weight * own + (1 - own_weight) * suggested)
