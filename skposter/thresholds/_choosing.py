"""Thresholds chosen on scores whose labels are known."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from skposter._labels.checks import check_finite_scores, check_labels
from skposter._labels.unknown import warn_about_unknown_labels
from skposter.thresholds._objectives import parse_objective
from skposter.thresholds._shrinkage import (
    expected_f1_threshold,
    fit_calibration,
    shrunk_threshold,
)
from skposter.thresholds._sweeps import (
    Column,
    callable_threshold,
    cardinality_threshold,
    f1_threshold,
    hamming_threshold,
    precision_threshold,
    recall_threshold,
    samples_f1_threshold,
    score_ends,
    settled,
    sweep,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skposter._typing import Array, Objective

__all__ = ["choose_thresholds", "thresholds_for"]


def choose_thresholds(
    y_true: Array, y_score: Array, *, objective: Objective = "f1_macro", shrinkage: float = 20.0
) -> NDArray[np.float64]:
    """Choose the threshold of each label that is best for an objective.

    Parameters
    ----------
    y_true : array-like or DataFrame of shape (n_samples, n_labels)
        The labels, 0/1; NaN where unknown, which is left out.
    y_score : array-like or DataFrame of shape (n_samples, n_labels)
        Probabilities, or any scores that are higher for likelier labels. They should come from
        images that the model was not trained on. The columns of a DataFrame are put into the order
        of those of `y_true`.
    objective : str or callable, default="f1_macro"
        What the decisions ``y_score >= thresholds`` should be best at:

        - ``"f1_micro"``: F1 of all decisions together; one threshold for all labels;
        - ``"f1_macro"``: mean of the F1 of the labels; one threshold a label [1]_ [2]_;
        - ``"f1_samples"``: mean of the F1 of the images; one threshold for all labels;
        - ``"hamming"``: fewest wrong decisions; one threshold a label;
        - ``"cardinality"``: as many labels per image as there are in `y_true`; one threshold for
          all labels [3]_;
        - ``"precision>=0.8"``: highest recall with at least this precision, a label;
        - ``"recall>=0.8"``: highest precision with at least this recall, a label;
        - a callable ``objective(y_true, y_pred) -> float`` on 0/1 arrays, higher for better; one
          threshold for all labels, the best of about 200. It must leave out the NaN in `y_true`, if
          there are any. A scorer, which is called with an estimator, is refused.
    shrinkage : float, default=20.0
        For ``"f1_macro"`` and ``"hamming"``: how many positives a label needs before its own data
        count for half of its threshold; see Notes. 0 takes the best threshold on the data as it is,
        ``inf`` only the calibrated scores.

    Returns
    -------
    thresholds : ndarray of shape (n_labels,), float64
        A label is predicted where its score is at least this.

    Raises
    ------
    ValueError
        If an input is malformed, the columns are not the same labels, no label is known at all, or
        the objective is unknown.

    See Also
    --------
    apply_thresholds : Turn scores and thresholds into 0/1.
    objective_score : Value of an objective for given decisions.
    skposter.TunedThresholdsClassifierCV : Does this with out-of-fold scores of any classifier.

    Notes
    -----
    Every rule but the callable is exact on the sorted scores, there is no grid: with
    ``shrinkage=0`` no other threshold (one, or one a label, as above) reaches a higher
    :func:`objective_score` on the data given. Equal scores are never separated. Between two
    neighbouring scores all thresholds do the same, and the middle is taken; beyond all scores it is
    half-way to 0 or 1 if the scores are probabilities. Of equally good thresholds at different
    scores the highest is taken, which predicts least. Scores that are rounded to float32 are
    decided the same, by these thresholds and by the rounded ones, as far as float32 can tell them
    apart.

    The best threshold of a label with few positives is mostly chance. It is replaced by the
    average, in log-odds, of itself (weight: the label's positives) and an anchor (weight:
    `shrinkage`). The anchor comes from one logistic curve that turns the scores of all labels
    together into probabilities (Platt scaling [4]_, on bins of equally many scores): for
    ``"f1_macro"`` the F*/2 threshold of the label's calibrated scores, for ``"hamming"`` a
    calibrated 1/2. For ``"f1_macro"`` a label without positives gets the anchor also if `shrinkage`
    is 0: its F1 is 0 whatever is predicted. If the scores do not rise with the labels there is no
    anchor, and a label without positives is not predicted. Scores that are no probabilities are
    averaged as they are, and a few that are far from all others do not matter. With a floor, a
    label that has no positives or cannot reach its precision is not predicted.

    References
    ----------
    .. [1] Y. Yang, "A study of thresholding strategies for text categorization", SIGIR 2001
       (SCut).
    .. [2] R.-E. Fan and C.-J. Lin, "A study on threshold selection for multi-label
       classification", National Taiwan University, 2007 (why rare labels need care).
    .. [3] J. Read, B. Pfahringer, G. Holmes and E. Frank, "Classifier chains for multi-label
       classification", Machine Learning 85, 2011.
    .. [4] J. C. Platt, "Probabilistic outputs for support vector machines and comparisons to
       regularized likelihood methods", 1999.

    Examples
    --------
    >>> import numpy as np
    >>> y_true = np.array([[1, 0], [1, 0], [0, 1], [0, 0]])
    >>> y_score = np.array([[0.9, 0.1], [0.4, 0.2], [0.3, 0.3], [0.2, 0.05]])
    >>> choose_thresholds(y_true, y_score, objective="f1_macro", shrinkage=0).round(3)
    array([0.35, 0.25])
    >>> choose_thresholds(y_true, y_score, objective="f1_micro").round(3)
    array([0.25, 0.25])
    >>> choose_thresholds(y_true, y_score, objective="f1_marco")
    Traceback (most recent call last):
        ...
    ValueError: Unknown objective 'f1_marco'. Did you mean 'f1_macro'? ...
    """
    parse_objective(objective)
    if not isinstance(shrinkage, Real) or not float(shrinkage) >= 0:
        raise ValueError(f"shrinkage must be a number from 0 up, got {shrinkage!r}.")
    labels = check_labels(y_true, "y_true", unknown=True)
    y_score = check_finite_scores(y_score, labels.shape, label_names=labels.names)
    warn_about_unknown_labels(labels, "y_true")
    return thresholds_for(labels, y_score, objective, shrinkage)


def thresholds_for(labels, y_score, objective, shrinkage):
    """Return the thresholds for arguments that have been checked; see :func:`choose_thresholds`.

    Parameters
    ----------
    labels : Labels
    y_score : ndarray of shape (n_samples, n_labels), float
    objective : str or callable
    shrinkage : float

    Returns
    -------
    thresholds : ndarray of shape (n_labels,), float64
    """
    name, floor = parse_objective(objective)
    if not labels.n_known.any():
        raise ValueError("All labels are unknown (NaN): there is nothing to choose thresholds on.")
    ends = score_ends(y_score)
    if name in ("f1_macro", "hamming"):
        return _shrunk_thresholds(name, y_score, labels, shrinkage, ends)
    if name in ("precision", "recall"):
        rule = precision_threshold if name == "precision" else recall_threshold
        columns = _columns(y_score, labels)
        return np.array([rule(sweep(column, ends), floor) for column in columns])
    if name == "f1_samples":
        threshold = samples_f1_threshold(y_score, labels, ends)
    elif name == "callable":
        threshold = callable_threshold(y_score, labels, objective, ends)
    else:
        is_known = slice(None) if labels.known is None else labels.known.ravel()
        scores, positive = y_score.ravel()[is_known], labels.positive.ravel()[is_known]
        if name == "f1_micro":
            threshold = f1_threshold(sweep(Column.of(scores, positive), ends))
        else:
            threshold = cardinality_threshold(scores, np.count_nonzero(positive), ends)
    return np.full(labels.shape[1], threshold)


def _shrunk_thresholds(name, y_score, labels, shrinkage, ends):
    rule = f1_threshold if name == "f1_macro" else hamming_threshold
    columns = list(_columns(y_score, labels))
    # Whatever is predicted of a label without positives has an F1 of 0.
    anchored = [
        shrinkage > 0 or (name == "f1_macro" and not len(column.of_positives)) for column in columns
    ]
    calibration = None
    if any(anchored):
        known = [column for column, n in zip(columns, labels.n_known, strict=True) if n]
        calibration = fit_calibration(known, ends)
    thresholds = np.empty(len(columns))
    for label, column in enumerate(columns):
        threshold, n_positive = rule(sweep(column, ends)), len(column.of_positives)
        if anchored[label] and calibration is not None:
            if name == "f1_macro":
                anchor = expected_f1_threshold(calibration.probability(column.ordered))
            else:
                anchor = 0.5
            threshold = shrunk_threshold(threshold, anchor, n_positive, shrinkage, calibration)
            threshold = settled(threshold, column.ordered)
        thresholds[label] = threshold
    return thresholds


def _columns(y_score, labels):
    """Yield the scores of each label where it is known.

    Of a label that is known of no image all scores are taken, as of one without positives.
    """
    for label, (score, truth) in enumerate(zip(y_score.T, labels.positive.T, strict=True)):
        is_known = None if labels.known is None else labels.known[:, label]
        if is_known is not None and is_known.any():
            score, truth = score[is_known], truth[is_known]
        yield Column.of(score, truth)
