"""The label set of an image with the highest expected F1, when labels are independent."""

from __future__ import annotations

import numpy as np

_CHUNK_BYTES = 32 << 20


def best_set_sizes(probability, empty_f1):
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
