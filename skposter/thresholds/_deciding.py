"""From scores to decisions, by thresholds or without labels and thresholds."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np

from skposter._labels.checks import check_finite_scores, check_probabilities
from skposter._labels.decisions import decide, highest
from skposter._labels.names import values_in_order
from skposter.thresholds._shrinkage import expected_f1_threshold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skposter._typing import Array

__all__ = ["apply_thresholds", "expected_f1_decision", "expected_f1_thresholds", "top_k"]

_CHUNK_BYTES = 32 << 20


def apply_thresholds(
    y_score: Array, thresholds: Array, *, min_labels: int = 0
) -> NDArray[np.int64]:
    """Predict each label whose score is at least its threshold.

    Parameters
    ----------
    y_score : array-like or DataFrame of shape (n_samples, n_labels)
        Scores.
    thresholds : float, array-like or Series of shape (n_labels,)
        The thresholds; a Series is taken by the columns of a DataFrame of scores.
    min_labels : int, default=0
        An image with fewer labels than this also gets those with the highest scores.

    Returns
    -------
    y_pred : ndarray of shape (n_samples, n_labels), int64
        Zeros and ones.

    Raises
    ------
    ValueError
        If an input is malformed.

    Examples
    --------
    >>> apply_thresholds([[0.5, 0.3], [0.1, 0.2]], [0.5, 0.4])
    array([[1, 0],
           [0, 0]])
    >>> apply_thresholds([[0.5, 0.3], [0.1, 0.2]], [0.5, 0.4], min_labels=1)
    array([[1, 0],
           [0, 1]])
    """
    names = getattr(y_score, "columns", None)
    y_score = check_finite_scores(y_score)
    n_labels = y_score.shape[1]
    if names is not None:
        thresholds = values_in_order(thresholds, list(names), "thresholds")
    thresholds = np.asarray(thresholds, dtype=np.float64)
    if thresholds.shape not in ((), (n_labels,)) or np.isnan(thresholds).any():
        raise ValueError(
            f"thresholds must be one number or one a label, shape ({n_labels},), none of them NaN; "
            f"got {thresholds!r}."
        )
    _check_count(min_labels, n_labels, "min_labels")
    return decide(y_score, thresholds, min_labels).astype(np.int64)


def expected_f1_thresholds(y_score: Array) -> NDArray[np.float64]:
    """Choose the thresholds that suit macro F1 from probabilities alone, without labels.

    The threshold of a label that maximises F1 is half of the F1 that it reaches, F*/2, if scores
    are calibrated probabilities [1]_. F* is estimated here by the best ratio of expected counts,
    ``2 E[tp] / (E[positives] + predicted)``.

    Parameters
    ----------
    y_score : array-like of shape (n_samples, n_labels)
        Calibrated probabilities of many images, in [0, 1].

    Returns
    -------
    thresholds : ndarray of shape (n_labels,), float64
        At most 0.5. A label with the same probability for every image is predicted for all of
        them; one with probability 0 everywhere for none.

    Raises
    ------
    ValueError
        If a score is not a probability.

    See Also
    --------
    choose_thresholds : Uses labels; ``shrinkage=inf`` is this rule after calibration.

    References
    ----------
    .. [1] Z. C. Lipton, C. Elkan and B. Narayanaswamy, "Optimal thresholding of classifiers to
       maximize F1 measure", ECML PKDD 2014, https://arxiv.org/abs/1402.1892.

    Examples
    --------
    >>> expected_f1_thresholds([[0.9, 0.3], [0.1, 0.3], [0.2, 0.3], [0.0, 0.3]]).round(3)
    array([0.409, 0.231])
    """
    y_score = check_probabilities(y_score)
    thresholds = [expected_f1_threshold(np.sort(score)) for score in y_score.T]
    return np.maximum(thresholds, np.finfo(np.float32).tiny)


def top_k(y_score: Array, k: int) -> NDArray[np.int64]:
    """Predict the `k` labels with the highest scores (RCut [1]_).

    Parameters
    ----------
    y_score : array-like of shape (n_samples, n_labels)
        Scores. Of equal scores in a row the first column wins.
    k : int
        Labels per image, from 0 to `n_labels`.

    Returns
    -------
    y_pred : ndarray of shape (n_samples, n_labels), int64
        Zeros and ones.

    Raises
    ------
    ValueError
        If an input is malformed.

    References
    ----------
    .. [1] Y. Yang, "A study of thresholding strategies for text categorization", SIGIR 2001.

    Examples
    --------
    >>> top_k([[0.5, 0.3, 0.4], [0.1, 0.2, 0.2]], 1)
    array([[1, 0, 0],
           [0, 1, 0]])
    """
    y_score = check_finite_scores(y_score)
    _check_count(k, y_score.shape[1], "k")
    return highest(y_score, np.full(len(y_score), k)).astype(np.int64)


def expected_f1_decision(y_score: Array, *, zero_division: float = 0.0) -> NDArray[np.int64]:
    """Predict for each image the label set with the highest expected F1.

    Labels are taken as independent given the image, and scores as probabilities. The best set
    then is the k likeliest labels for some k [1]_, and the expected F1 of every k is found in
    O(n_labels^2) steps without approximation [2]_. It needs no labels and no tuning, and each
    image gets its own number of labels. Suits samples F1, and on posters micro F1 as well.

    Parameters
    ----------
    y_score : array-like of shape (n_samples, n_labels)
        Calibrated probabilities, in [0, 1].
    zero_division : float, default=0.0
        F1 of an image without labels for which none is predicted, as in
        :func:`sklearn.metrics.f1_score`. With 0, at least one label is predicted for every image
        that has any probability above 0; 1 suits data in which images may carry no label.

    Returns
    -------
    y_pred : ndarray of shape (n_samples, n_labels), int64
        Zeros and ones.

    Raises
    ------
    ValueError
        If a score is not a probability.

    References
    ----------
    .. [1] D. D. Lewis, "Evaluating and optimizing autonomous text classification systems",
       SIGIR 1995.
    .. [2] N. Ye, K. M. A. Chai, W. S. Lee and H. L. Chieu, "Optimizing F-measures: a tale of two
       approaches", ICML 2012.

    Examples
    --------
    >>> expected_f1_decision([[0.9, 0.2, 0.1], [0.3, 0.3, 0.3]])
    array([[1, 0, 0],
           [1, 1, 1]])
    """
    y_score = check_probabilities(y_score)
    if not isinstance(zero_division, Real) or not 0 <= float(zero_division) <= 1:
        raise ValueError(f"zero_division must be a number in [0, 1], got {zero_division!r}.")
    sizes = _best_set_sizes(np.sort(y_score, axis=1)[:, ::-1], float(zero_division))
    return highest(y_score, sizes).astype(np.int64)


def _best_set_sizes(probability, empty_f1):
    """Return how many of each image's likeliest labels to predict.

    Parameters
    ----------
    probability : ndarray of shape (n_samples, n_labels)
        Each row sorted from the highest.
    empty_f1 : float
        F1 of an image without labels for which none is predicted.

    Returns
    -------
    sizes : ndarray of shape (n_samples,), int
        Of equally good sizes the smallest.
    """
    n_samples, n_labels = probability.shape
    chunk = max(1, _CHUNK_BYTES // (8 * (n_labels + 1) ** 2))
    return np.concatenate(
        [
            np.argmax(_expected_f1(probability[start : start + chunk], empty_f1), axis=1)
            for start in range(0, n_samples, chunk)
        ]
    )


def _expected_f1(probability, empty_f1):
    """Expected F1 of the k likeliest labels for k = 0 .. n_labels, (n_samples, n_labels + 1).

    The dynamic programme of Ye et al. (2012) for beta = 1. With ``i`` true labels among the first
    ``k`` and ``r`` among the rest, F1 is ``2 i / (k + i + r)``; `first` holds the distribution of
    ``i`` for each ``k``, and ``rest[a]`` the expectation of ``1 / (a + r)``.
    """
    n_samples, n_labels = probability.shape
    p = np.asarray(probability, dtype=np.float64).T[:, :, np.newaxis]
    first = np.zeros((n_labels + 1, n_samples, n_labels + 1))
    first[0, :, 0] = 1
    for k in range(n_labels):
        first[k + 1] = first[k] * (1 - p[k])
        first[k + 1, :, 1:] += first[k, :, :-1] * p[k]
    expected = np.zeros((n_samples, n_labels + 1))
    expected[:, 0] = empty_f1 * first[n_labels, :, 0]
    hits = np.arange(n_labels + 1)
    with np.errstate(divide="ignore"):  # a = 0 is never used: k is at least one
        rest = np.tile(1 / np.arange(2 * n_labels + 1), (n_samples, 1))
    for k in range(n_labels, 0, -1):
        weights = 2 * hits[1 : k + 1] * first[k, :, 1 : k + 1]
        expected[:, k] = np.einsum("ni,ni->n", weights, rest[:, k + 1 : 2 * k + 1])
        rest[:, 1:-1] = p[k - 1] * rest[:, 2:] + (1 - p[k - 1]) * rest[:, 1:-1]
    return expected


def _check_count(count, n_labels, name):
    if not isinstance(count, Integral) or not 0 <= int(count) <= n_labels:
        raise ValueError(f"{name} must be an int from 0 to {n_labels} (labels), got {count!r}.")
