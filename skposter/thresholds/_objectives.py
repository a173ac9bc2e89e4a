"""What a threshold can be chosen for: how an objective is named, and how it is measured."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

import numpy as np

from skposter._estimators.spelling import did_you_mean
from skposter._labels.checks import check_indicator, check_labels
from skposter._labels.decisions import count_decisions, f1, hamming_loss
from skposter._labels.unknown import warn_about_unknown_labels

if TYPE_CHECKING:
    from skposter._typing import Array, Objective

_NAMES = ("f1_micro", "f1_macro", "f1_samples", "hamming", "cardinality")
_FLOORS = ("precision>=0.8", "recall>=0.8")
_FLOOR_PATTERN = re.compile(r"(precision|recall)\s*>=\s*(\d*\.?\d+(?:e-\d+)?)")


def objective_score(y_true: Array, y_pred: Array, objective: Objective) -> float:
    """Value of an objective for given decisions; higher is better.

    Parameters
    ----------
    y_true : array-like or DataFrame of shape (n_samples, n_labels)
        Labels, 0/1; NaN where unknown, which is left out.
    y_pred : array-like or DataFrame of shape (n_samples, n_labels)
        Decisions, 0/1. The columns of a DataFrame are put into the order of those of `y_true`.
    objective : str or callable
        As for :func:`choose_thresholds`, which maximises this.

    Returns
    -------
    score : float
        F1 as scikit-learn computes it with ``zero_division=0``; for ``"hamming"`` minus the
        Hamming loss; for ``"cardinality"`` minus the difference in labels per image; for a floor
        the mean over labels of recall where precision holds the floor, or of precision where
        recall does, and 0 where it does not.

    Raises
    ------
    ValueError
        If an input is malformed or the objective is unknown.

    Examples
    --------
    >>> objective_score([[1, 0], [1, 1]], [[1, 0], [0, 1]], "f1_micro")
    0.8
    >>> objective_score([[1, 0], [1, 1]], [[1, 0], [0, 1]], "hamming")
    -0.25
    >>> objective_score([[1, 0], [1, 1]], [[1, 0], [0, 1]], "precision>=0.8")
    0.75
    """
    parse_objective(objective)
    labels = check_labels(y_true, "y_true", unknown=True)
    y_pred = check_indicator(y_pred, "y_pred", label_names=labels.names)
    if labels.shape != y_pred.shape:
        raise ValueError(f"y_true has shape {labels.shape} and y_pred {y_pred.shape}.")
    warn_about_unknown_labels(labels, "y_true")
    return score_decisions(labels, y_pred, objective)


def score_decisions(labels, y_pred, objective):
    """Value of an objective for labels and decisions, bool, that have been checked."""
    name, floor = parse_objective(objective)
    if name == "callable":
        return float(objective(labels.to_numpy(), y_pred.astype(np.int64)))
    if name == "hamming":
        return -hamming_loss(labels, y_pred)
    if name == "cardinality":
        _, predicted, positives = count_decisions(labels, y_pred)
        return -abs(int(positives) - int(predicted)) / len(labels)
    if name.startswith("f1"):
        axis = {"f1_micro": None, "f1_macro": 0, "f1_samples": 1}[name]
        return float(np.mean(f1(labels, y_pred, axis)))
    tp, predicted, positives = count_decisions(labels, y_pred, axis=0)
    precision, recall = tp / np.maximum(predicted, 1), tp / np.maximum(positives, 1)
    held, gained = (precision, recall) if name == "precision" else (recall, precision)
    return float(np.mean(np.where(held >= floor, gained, 0)))


def parse_objective(objective):
    """Return the kind of an objective and its floor, or say how it is spelt.

    Returns
    -------
    name : str
        A name from :func:`choose_thresholds`, ``"precision"``, ``"recall"`` or ``"callable"``.
    floor : float or None

    Raises
    ------
    ValueError
        If there is no such objective, or it is a scorer.
    """
    if callable(objective):
        if not _takes_two(objective):
            raise ValueError(
                f"The objective {objective!r} cannot be called with (y_true, y_pred), two arrays "
                "of 0/1; a scorer, which takes an estimator, is none. Pass the metric in it, such "
                "as functools.partial(sklearn.metrics.fbeta_score, beta=2, average='micro')."
            )
        return "callable", None
    name = objective if isinstance(objective, str) else ""
    if name in _NAMES:
        return name, None
    match = _FLOOR_PATTERN.fullmatch(name)
    if match:
        floor = float(match[2])
        if not 0 < floor <= 1:
            raise ValueError(f"The floor in objective {objective!r} must be in (0, 1].")
        return match[1], floor
    choices = _NAMES + _FLOORS
    raise ValueError(
        f"Unknown objective {objective!r}.{did_you_mean(objective, choices)} Expected one of "
        f"{', '.join(choices)} (with any number), or a callable(y_true, y_pred) -> float."
    )


def _takes_two(function):
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of some builtins
        return True
    try:
        signature.bind(None, None)
    except TypeError:
        return False
    return True
