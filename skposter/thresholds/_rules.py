"""The rules on arrays: choose thresholds, apply them, decide without labels."""

from __future__ import annotations

from numbers import Real

import numpy as np

from skposter._labels.checks import check_indicator
from skposter._labels.score_checks import (
    check_count,
    check_finite_scores,
    check_probabilities,
    check_shrinkage,
)
from skposter.thresholds._expected_f1 import best_set_sizes
from skposter.thresholds._objectives import objective_score, parse_objective
from skposter.thresholds._shrinkage import (
    expected_f1_cut,
    fit_calibration,
    shrink_f1_cut,
    shrink_hamming_cut,
)
from skposter.thresholds._sweeps import (
    callable_cut,
    cardinality_cut,
    f1_cut,
    hamming_cut,
    precision_cut,
    recall_cut,
    samples_f1_cut,
    score_ends,
    sweep,
)

__all__ = [
    "choose_thresholds",
    "apply_thresholds",
    "expected_f1_thresholds",
    "top_k",
    "expected_f1_decision",
    "objective_score",
]


def choose_thresholds(y_true, y_score, *, objective="f1_macro", shrinkage=20.0):
    """Choose the cut of each label that is best for an objective.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        The labels, 0/1.
    y_score : array-like of shape (n_samples, n_labels)
        Probabilities, or any scores that are higher for likelier labels. They should come from
        images that the model was not trained on.
    objective : str or callable, default="f1_macro"
        What the decisions ``y_score >= thresholds`` should be best at:

        - ``"f1_micro"``: F1 of all decisions together; one cut for all labels;
        - ``"f1_macro"``: mean of the F1 of the labels; one cut a label [1]_ [2]_;
        - ``"f1_samples"``: mean of the F1 of the images; one cut for all labels;
        - ``"hamming"``: fewest wrong decisions; one cut a label;
        - ``"cardinality"``: as many labels per image as there are in `y_true`; one cut for all
          labels [3]_;
        - ``"precision>=0.8"``: highest recall with at least this precision, a label;
        - ``"recall>=0.8"``: highest precision with at least this recall, a label;
        - a callable ``objective(y_true, y_pred) -> float`` on 0/1 arrays, higher for better; one
          cut for all labels, the best of 200.
    shrinkage : float, default=20.0
        For ``"f1_macro"`` and ``"hamming"``: how many positives a label needs before its own data
        count for half of its cut; see Notes. 0 takes the best cut on the data as it is, ``inf``
        only the calibrated scores.

    Returns
    -------
    thresholds : ndarray of shape (n_labels,), float64
        A label is predicted where its score is at least this.

    Raises
    ------
    ValueError
        If an input is malformed or the objective is unknown.

    See Also
    --------
    apply_thresholds : Turn scores and cuts into 0/1.
    objective_score : Value of an objective for given decisions.
    skposter.TunedThresholdsClassifierCV : Does this with out-of-fold scores of any classifier.

    Notes
    -----
    Every rule but the callable is exact on the sorted scores, there is no grid: with
    ``shrinkage=0`` no other cut (one, or one a label, as above) does better on the data given.
    Equal scores are never separated. Between two neighbouring scores all cuts do the same, and the
    middle is taken; a cut beyond all scores is half-way to 0 or 1 if the scores are
    probabilities. Of equally good cuts at different scores the highest is taken, which predicts
    least. These cuts decide the same in float32, as far as it can tell the scores apart.

    The best cut of a label with few positives is mostly chance. It is replaced by the average,
    in log-odds, of itself (weight: the label's positives) and an anchor (weight: `shrinkage`).
    The anchor comes from one logistic curve that turns the scores of all labels together into
    probabilities (Platt scaling): for ``"f1_macro"`` the F*/2 cut of the label's calibrated
    scores, for ``"hamming"`` a calibrated 1/2. A label without positives gets the anchor, also if
    `shrinkage` is 0. If the scores do not rise with the labels there is no anchor, and a label
    without positives is not predicted. Scores that are no probabilities are averaged as they are.
    With a floor, a label that has no positives or cannot reach its precision is not predicted.

    References
    ----------
    .. [1] Y. Yang, "A study of thresholding strategies for text categorization", SIGIR 2001
       (SCut).
    .. [2] R.-E. Fan and C.-J. Lin, "A study on threshold selection for multi-label
       classification", National Taiwan University, 2007 (why rare labels need care).
    .. [3] J. Read, B. Pfahringer, G. Holmes and E. Frank, "Classifier chains for multi-label
       classification", Machine Learning 85, 2011.

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
    name, floor = parse_objective(objective)
    check_shrinkage(shrinkage)
    positive = check_indicator(y_true, "y_true")
    y_score = check_finite_scores(y_score, positive.shape)
    ends = score_ends(y_score)
    n_labels = positive.shape[1]
    if name in ("f1_macro", "hamming"):
        return _shrunk_cuts(name, y_score, positive, shrinkage, ends)
    if name in ("precision", "recall"):
        rule = precision_cut if name == "precision" else recall_cut
        columns = _columns(y_score, positive)
        return np.array([rule(sweep(score, truth, ends), floor) for score, truth in columns])
    if name == "f1_micro":
        cut = f1_cut(sweep(y_score.ravel(), positive.ravel(), ends))
    elif name == "f1_samples":
        cut = samples_f1_cut(y_score, positive, ends)
    elif name == "cardinality":
        cut = cardinality_cut(y_score, int(positive.sum()), ends)
    else:
        cut = callable_cut(y_score, positive, objective, ends)
    return np.full(n_labels, cut)


def apply_thresholds(y_score, thresholds, *, min_labels=0):
    """Predict each label whose score is at least its cut.

    Parameters
    ----------
    y_score : array-like of shape (n_samples, n_labels)
        Scores.
    thresholds : float or array-like of shape (n_labels,)
        The cuts.
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
    y_score = check_finite_scores(y_score)
    n_labels = y_score.shape[1]
    thresholds = np.asarray(thresholds, dtype=np.float64)
    if thresholds.shape not in ((), (n_labels,)) or np.isnan(thresholds).any():
        raise ValueError(
            f"thresholds must be one number or one a label, shape ({n_labels},), none of them NaN; "
            f"got {thresholds!r}."
        )
    check_count(min_labels, n_labels, "min_labels")
    y_pred = y_score >= np.broadcast_to(thresholds, (n_labels,))
    if min_labels:
        short = np.flatnonzero(y_pred.sum(axis=1) < min_labels)
        first_the_predicted = np.where(y_pred[short], np.inf, y_score[short])
        y_pred[short] = _highest(first_the_predicted, np.full(len(short), min_labels))
    return y_pred.astype(np.int64)


def expected_f1_thresholds(y_score):
    """Choose the cuts that suit macro F1 from probabilities alone, without labels.

    The cut of a label that maximises F1 is half of the F1 that it reaches, F*/2, if scores are
    calibrated probabilities [1]_. F* is estimated here by the best ratio of expected counts,
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
    cuts = [expected_f1_cut(score) for score in y_score.T]
    return np.maximum(cuts, np.finfo(np.float32).tiny)


def top_k(y_score, k):
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
    check_count(k, y_score.shape[1], "k")
    return _highest(y_score, np.full(len(y_score), k)).astype(np.int64)


def expected_f1_decision(y_score, *, zero_division=0.0):
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
    sizes = best_set_sizes(np.sort(y_score, axis=1)[:, ::-1], float(zero_division))
    return _highest(y_score, sizes).astype(np.int64)


def _shrunk_cuts(name, y_score, positive, shrinkage, ends):
    rule = f1_cut if name == "f1_macro" else hamming_cut
    n_positives = positive.sum(axis=0)
    anchored = shrinkage > 0 or not n_positives.all()
    calibration = fit_calibration(y_score, positive, ends) if anchored else None
    cuts = np.empty(positive.shape[1])
    for label, (score, truth) in enumerate(_columns(y_score, positive)):
        cut, n_positive = rule(sweep(score, truth, ends)), int(n_positives[label])
        if calibration is not None and (shrinkage > 0 or n_positive == 0):
            if name == "f1_macro":
                cut = shrink_f1_cut(cut, score, n_positive, shrinkage, calibration)
            else:
                cut = shrink_hamming_cut(cut, n_positive, shrinkage, calibration)
        cuts[label] = cut
    return cuts


def _columns(y_score, positive):
    return zip(y_score.T, positive.T, strict=True)


def _highest(y_score, sizes):
    """Mark the ``sizes[i]`` highest scores of row i; of equals the first columns."""
    order = np.argsort(-y_score, axis=1, kind="stable")
    y_pred = np.empty(y_score.shape, dtype=bool)
    taken = np.arange(y_score.shape[1]) < np.asarray(sizes)[:, np.newaxis]
    np.put_along_axis(y_pred, order, taken, axis=1)
    return y_pred
