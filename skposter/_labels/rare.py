"""What counts as a rare label, and how rare labels are listed."""

from __future__ import annotations

import numpy as np

from skposter._estimators.user_warnings import warn_user
from skposter.exceptions import LabelWarning

__all__ = [
    "FEW_POSITIVES",
    "SOME_POSITIVES",
    "rare_labels",
    "warn_about_labels_missing_from_subsets",
    "warn_about_rare_labels",
]

# A label with fewer positives cannot be learned ...
FEW_POSITIVES = 10
# ... and one with fewer than these not well, nor can its scores be trusted.
SOME_POSITIVES = 50


def rare_labels(positives, names, fewer_than=FEW_POSITIVES):
    """Return the labels with fewer positives, as ``(name, positives)``, in their order."""
    counts = np.asarray(positives)
    return [(names[label], int(counts[label])) for label in np.flatnonzero(counts < fewer_than)]


def warn_about_labels_missing_from_subsets(labels, n_subsets, what):
    """Warn, naming them, of labels with fewer positives than there are subsets."""
    rare = rare_labels(labels.positive.sum(axis=0), labels.names, n_subsets)
    if rare:
        warn_user(
            f"Labels with fewer positives than the {n_subsets} {what}, so that some have none: "
            f"{_listed(rare)}.",
            LabelWarning,
        )


def warn_about_rare_labels(y, names):
    """Warn once, naming them, of labels that are constant or have too few positives to learn.

    Parameters
    ----------
    y : ndarray of shape (n_samples, n_labels)
        Labels, 0/1; NaN where they are unknown.
    names : sequence of length n_labels
    """
    positives, negatives = (y == 1).sum(axis=0), (y == 0).sum(axis=0)
    constant = (positives == 0) | (negatives == 0)
    few = rare_labels(np.where(constant, FEW_POSITIVES, positives), names)
    found = []
    if constant.any():
        found.append(
            "one value for every image, so that nothing can be learned: "
            + ", ".join(str(names[label]) for label in np.flatnonzero(constant))
        )
    if few:
        found.append(f"fewer than {FEW_POSITIVES} positives: {_listed(few)}")
    if found:
        warn_user("Labels with " + "; with ".join(found) + ".", LabelWarning)


def _listed(rare):
    return ", ".join(f"{name} ({count})" for name, count in rare)
