"""Scores as the threshold rules take them, or an error that names the row and the label."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np


def check_finite_scores(y_score, shape=None):
    """Return scores as float32 if they come so (or in less), else float64; nothing is copied."""
    array = np.asarray(y_score)
    if array.dtype.kind not in "buif":
        raise ValueError(f"y_score must hold numbers, got dtype {array.dtype}.")
    single = array.dtype.kind == "f" and array.dtype.itemsize <= 4
    array = np.asarray(array, dtype=np.float32 if single else np.float64)
    if array.ndim != 2 or 0 in array.shape or (shape is not None and array.shape != shape):
        expected = "(n_samples, n_labels)" if shape is None else f"{shape}, as y_true"
        raise ValueError(f"y_score has shape {array.shape}, expected {expected}.")
    finite = np.isfinite(array)
    if not finite.all():
        row, label = np.argwhere(~finite)[0]
        raise ValueError(
            f"y_score holds {array[row, label]} in row {row}, label {label}; has the training "
            "diverged?"
        )
    return array


def check_probabilities(y_score):
    y_score = check_finite_scores(y_score)
    outside = (y_score < 0) | (y_score > 1)
    if outside.any():
        row, label = np.argwhere(outside)[0]
        raise ValueError(
            f"y_score must hold probabilities in [0, 1], got {y_score[row, label]} in row {row}, "
            f"label {label}. Scores on another scale need choose_thresholds, with labels."
        )
    return y_score


def check_count(count, n_labels, name):
    if not isinstance(count, Integral) or not 0 <= int(count) <= n_labels:
        raise ValueError(f"{name} must be an int from 0 to {n_labels} (labels), got {count!r}.")


def check_shrinkage(shrinkage):
    if not isinstance(shrinkage, Real) or not float(shrinkage) >= 0:
        raise ValueError(f"shrinkage must be a number from 0 up, got {shrinkage!r}.")
