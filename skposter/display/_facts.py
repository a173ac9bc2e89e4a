"""What the displays need to know of an estimator and of labels, and which labels are shown."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skposter._estimators.spelling import did_you_mean
from skposter._estimators.steps import steps_inwards
from skposter._labels.checks import check_labels
from skposter._labels.names import find_label_names
from skposter._labels.names import label_names_of as learned_names
from skposter._labels.per_label import per_label
from skposter._labels.probabilities import label_scores

__all__ = [
    "KnownLabels",
    "chosen_labels",
    "find_attribute",
    "known_labels",
    "label_names_of",
    "noted",
    "scores_of",
    "thresholds_of",
]


class KnownLabels(NamedTuple):
    """Labels of which some may be unknown.

    Parameters
    ----------
    labels : ndarray of shape (n_samples, n_labels), bool
        False where unknown.
    known : ndarray of shape (n_samples, n_labels), bool
        Where somebody knows.
    """

    labels: np.ndarray
    known: np.ndarray

    @property
    def n_unknown(self):
        """How many images have each label unknown, `(n_labels,)`."""
        return (~self.known).sum(axis=0)


def known_labels(y, argument="y_true", label_names=None):
    """Return labels as booleans, and where they are known.

    Parameters
    ----------
    y : array-like or DataFrame of shape (n_samples, n_labels)
        0/1, and NaN where nobody knows.
    argument : str, default="y_true"
        What the caller calls it.
    label_names : sequence of str, default=None
        The order into which the columns of a DataFrame are put.

    Returns
    -------
    labels : KnownLabels

    Raises
    ------
    ValueError
        If `y` is not such a table, or has other labels.
    """
    found = check_labels(y, argument, unknown=True, label_names=label_names)
    known = np.ones(found.shape, dtype=bool) if found.known is None else found.known
    return KnownLabels(found.positive, known)


def noted(*notes, n_unknown=0):
    """Return notes of a panel, and how many images it leaves out, in one line."""
    return ", ".join([*notes, *([f"{n_unknown} unknown"] if n_unknown else [])])


def find_attribute(estimator, name):
    """Return an attribute of the estimator or of what it wraps, or None."""
    for step in steps_inwards(estimator):
        if hasattr(step, name):
            return getattr(step, name)
    return None


def label_names_of(estimator, y, label_names):
    """Return the names given, else those that the estimator learned, else the columns of `y`."""
    if label_names is not None:
        return list(label_names)
    names = learned_names(estimator)
    if names is not None:
        return names
    if y is None:
        raise ValueError("The labels have no names: pass label_names, or y.")
    return find_label_names(y, np.shape(y)[1])


def scores_of(estimator, X, y, label_names):
    """Return the probabilities, the names of the labels and what decides about them.

    Parameters
    ----------
    estimator : classifier or Pipeline
        Fitted, with ``predict_proba``.
    X : array-like of length n_samples
        What it predicts for.
    y : array-like, DataFrame or None
        The labels.
    label_names : sequence of str or None
        Names that go before those of the estimator and of `y`.

    Returns
    -------
    y_score : ndarray of shape (n_samples, n_labels)
    names : list
    thresholds : ndarray of shape (n_labels,)
    min_labels : int
    """
    names = label_names_of(estimator, y, label_names)
    y_score = label_scores(estimator, X, len(names))
    thresholds = find_attribute(estimator, "thresholds_")
    if thresholds is None:
        thresholds = np.full(len(names), 0.5)
    return y_score, names, thresholds, find_attribute(estimator, "min_labels") or 0


def thresholds_of(thresholds, names):
    """Return a number, an array or a mapping of names as one threshold a label."""
    return per_label(thresholds, names, default=0.5, what="thresholds")


def chosen_labels(labels, names):
    """Return the positions of the labels that were asked for; None stands for all.

    Raises
    ------
    ValueError
        If there is no such label.
    """
    if labels is None:
        return list(range(len(names)))
    if isinstance(labels, str) or not hasattr(labels, "__iter__"):
        labels = [labels]
    for label in labels:
        if label not in names:
            raise ValueError(
                f"There is no label {label!r}.{did_you_mean(label, names)} "
                f"Labels: {', '.join(map(str, names))}."
            )
    return [names.index(label) for label in labels]
