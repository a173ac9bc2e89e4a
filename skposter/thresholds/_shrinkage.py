"""Cuts of rare labels, steadied by what all labels together say about the scores.

The best cut of a label with a handful of positives is mostly chance. What all labels share is how
scores turn into probabilities: one logistic curve, fitted to every score of every label at once, is
steady even where a label has no positive at all. From it follows the cut that each label would get
if only its scores were known, and the label's own best cut is drawn towards that one.

One cut for all labels, the more obvious anchor, makes macro F1 of calibrated scores worse: labels
differ in frequency, and so do their best cuts (``benchmarks/threshold_rules.py``).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

_BINS = 1000
_TINY = 1e-6  # cuts of probabilities move in log-odds, which 0 and 1 have not


class Calibration(NamedTuple):
    """Probability of a score of any label: ``expit(slope * z + intercept)``.

    ``z`` is the log-odds of a score between 0 and 1, clipped to `clip`, or else the score itself.
    """

    slope: float
    intercept: float
    clip: float
    log_odds: bool

    def probability(self, score):
        """Calibrated probabilities of `score`, float64."""
        return expit(self.slope * self.to_z(score, self.clip) + self.intercept)

    def to_z(self, score, clip):
        """Scale on which the curve is logistic and on which cuts are averaged."""
        score = np.asarray(score, dtype=np.float64)
        return logit(np.clip(score, clip, 1 - clip)) if self.log_odds else score

    def from_z(self, z):
        """Score that has this `z`."""
        return float(expit(z) if self.log_odds else z)


def fit_calibration(y_score, positive, ends):
    """Fit one logistic curve to the scores of all labels.

    Parameters
    ----------
    y_score : ndarray of shape (n_samples, n_labels)
    positive : ndarray of shape (n_samples, n_labels), bool
    ends : (float, float)
        From :func:`skposter.thresholds._sweeps.score_ends`.

    Returns
    -------
    Calibration or None
        None if higher scores do not mean likelier labels, so that nothing can be said.
    """
    log_odds = ends == (0.0, 1.0)
    clip = _clip(y_score) if log_odds else 0.0
    unfitted = Calibration(1.0, 0.0, clip, log_odds)
    low, high = (unfitted.to_z(end, clip) for end in (y_score.min(), y_score.max()))
    if not low < high or positive.all() or not positive.any():
        return None
    counts = np.zeros((2, _BINS))  # of negatives and positives: a million rows become 2000
    for score, is_positive in zip(y_score.T, positive.T, strict=True):
        bins = ((unfitted.to_z(score, clip) - low) * ((_BINS - 1) / (high - low))).astype(int)
        counts[0] += np.bincount(bins[~is_positive], minlength=_BINS)
        counts[1] += np.bincount(bins[is_positive], minlength=_BINS)
    place = np.tile(np.arange(_BINS) / (_BINS - 1), 2)[:, np.newaxis]
    curve = LogisticRegression(C=100, solver="newton-cholesky").fit(
        place, np.repeat([0, 1], _BINS), counts.ravel()
    )
    slope = float(curve.coef_[0, 0]) / (high - low)
    if slope <= 0:
        return None
    return Calibration(slope, float(curve.intercept_[0]) - slope * low, clip, log_odds)


def _clip(probability):
    """Where 0 and 1 go: half-way to the nearest probability in use.

    Trees and neighbours say 0 and 1 often and mean little by it; as log-odds of an arbitrary tiny
    number these would dominate the fit.
    """
    inside = (side.min(where=side > 0, initial=0.5) for side in (probability, 1 - probability))
    return max(_TINY, float(min(inside)) / 2)


def expected_f1_cut(probability):
    """Half of the best ratio of expected counts, ``2 E[tp] / (k + E[positives])``, over all k."""
    ordered = np.sort(probability)[::-1].astype(np.float64)
    tp = np.cumsum(ordered)
    return float(np.max(tp / (np.arange(1, len(tp) + 1) + tp[-1])))


def shrink_f1_cut(cut, score, n_positive, shrinkage, calibration):
    """Draw a label's best F1 cut towards the one that its calibrated scores alone suggest."""
    anchor = expected_f1_cut(calibration.probability(score))
    return _shrink(cut, anchor, n_positive, shrinkage, calibration)


def shrink_hamming_cut(cut, n_positive, shrinkage, calibration):
    """Draw a label's best Hamming cut towards a calibrated probability of one half."""
    return _shrink(cut, 0.5, n_positive, shrinkage, calibration)


def _shrink(cut, anchor, n_positive, shrinkage, calibration):
    """Average on the scale of `calibration`, weights `n_positive` and `shrinkage`."""
    own_weight = 1 / (1 + shrinkage / n_positive) if n_positive else 0.0
    z_anchor = (logit(anchor) - calibration.intercept) / calibration.slope
    z_own = calibration.to_z(cut, _TINY)
    return calibration.from_z(own_weight * z_own + (1 - own_weight) * z_anchor)
