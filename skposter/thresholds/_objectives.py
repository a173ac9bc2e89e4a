"""What a threshold can be chosen for: how an objective is named, and how it is measured."""

from __future__ import annotations

import re

import numpy as np

from skposter._estimators.spelling import did_you_mean
from skposter._labels.checks import check_indicator

_NAMES = ("f1_micro", "f1_macro", "f1_samples", "hamming", "cardinality")
_FLOORS = ("precision>=0.8", "recall>=0.8")
_FLOOR_PATTERN = re.compile(r"(precision|recall)\s*>=\s*(\d*\.?\d+(?:e-\d+)?)")


def objective_score(y_true, y_pred, objective):
    """Value of an objective for given decisions; higher is better.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples, n_labels)
        Labels and decisions, 0/1.
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
    name, floor = parse_objective(objective)
    y_true, y_pred = check_indicator(y_true, "y_true"), check_indicator(y_pred, "y_pred")
    if y_true.shape != y_pred.shape:
        raise ValueError(f"y_true has shape {y_true.shape} and y_pred {y_pred.shape}.")
    if name == "callable":
        return float(objective(y_true.astype(np.int64), y_pred.astype(np.int64)))
    if name == "hamming":
        return -float(np.mean(y_true != y_pred))
    if name == "cardinality":
        return -abs(int(y_true.sum()) - int(y_pred.sum())) / len(y_true)
    axis = {"f1_micro": None, "f1_samples": 1}.get(name, 0)
    tp = np.sum(y_true & y_pred, axis=axis)
    predicted, positives = y_pred.sum(axis=axis), y_true.sum(axis=axis)
    if name.startswith("f1"):
        return float(np.mean(_ratio(2 * tp, predicted + positives)))
    precision, recall = _ratio(tp, predicted), _ratio(tp, positives)
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
        If there is no such objective.
    """
    if callable(objective):
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


def _ratio(numerator, denominator):
    return numerator / np.maximum(denominator, 1)
