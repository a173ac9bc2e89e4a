"""Numbers that belong to labels: given once, one each, or by name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from skposter._labels.names import check_are_labels, value_by_name

__all__ = ["combined_weights", "known_frequencies", "per_label", "positive_weights"]


def per_label(value, label_names, *, default, what):
    """Return a number, an array or a mapping of names as float64 `(n_labels,)`.

    A pandas Series is such a mapping, unless its index only counts.
    """
    names = list(label_names)
    value = value_by_name(value, names)
    if isinstance(value, Mapping):
        check_are_labels(value, names, what)
        value = [value.get(name, default) for name in names]
    array = np.asarray(value, dtype=np.float64)
    if array.shape not in ((), (len(names),)):
        raise ValueError(
            f"{what} has shape {array.shape}, expected a number or one for each of the "
            f"{len(names)} labels."
        )
    if np.isnan(array).any():
        raise ValueError(f"{what} contains NaN.")
    return np.broadcast_to(array, len(names)).copy()


def positive_weights(pos_weight, y, label_names):
    """Return the weight of the positives of each label, or None."""
    if pos_weight is None:
        return None
    if isinstance(pos_weight, str):  # "balanced"
        positives = np.nansum(y, axis=0, dtype=np.float64)
        negatives = (~np.isnan(y)).sum(axis=0) - positives
        return np.clip(negatives / np.maximum(positives, 1), 1 / len(y), len(y))
    weights = per_label(pos_weight, label_names, default=1.0, what="pos_weight")
    if (weights < 0).any() or np.isinf(weights).any():
        raise ValueError(f"pos_weight must be finite and not negative, got {weights.tolist()}.")
    return weights


def known_frequencies(y):
    """Return the share of images with each label among those of which it is known, else 0."""
    known = (~np.isnan(y)).sum(axis=0)
    return np.nansum(y, axis=0, dtype=np.float64) / np.maximum(known, 1)


def combined_weights(sample_weight, weight_of_positives, y):
    """Return one weight per image, or per image and label, or None if all are one."""
    if weight_of_positives is not None:
        weight = np.where(y == 1, weight_of_positives, 1).astype(np.float32)
        if sample_weight is not None:
            weight *= sample_weight if sample_weight.ndim == 2 else sample_weight[:, None]
        return weight
    if sample_weight is not None and (sample_weight == 1).all():
        return None  # the same training to the bit, and the same traced network
    return sample_weight
