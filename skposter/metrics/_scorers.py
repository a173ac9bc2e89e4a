"""Scorers for ``scoring=``: one prediction serves as many scores as are asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import get_scorer as _get_sklearn_scorer

from skposter._estimators.spelling import did_you_mean
from skposter._labels.checks import check_labels, check_probabilities
from skposter._labels.decisions import f1, hamming_loss
from skposter._labels.names import aligned_labels, label_names_of
from skposter._labels.probabilities import label_scores
from skposter._labels.unknown import warn_about_unknown_labels
from skposter.metrics._scores import (
    crossentropy,
    label_average_precision,
    label_roc_auc,
    macro_f1,
    mean_over_images,
    mean_over_labels,
    row_ranking_precision,
    row_top_1_hit,
    skill,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from skposter._typing import Array, Samples

__all__ = ["SCORERS", "LabelScorer", "get_scorer"]

# A function of labels and scores, and its sign.
_OF_PROBABILITIES: dict[str, tuple[Callable, int]] = {
    "neg_binary_crossentropy": (crossentropy, -1),
    "skill": (skill, 1),
    "lrap": (partial(mean_over_images, row_ranking_precision), 1),
    "top_1_hit": (partial(mean_over_images, row_top_1_hit), 1),
    "mean_average_precision": (partial(mean_over_labels, label_average_precision), 1),
    "roc_auc_defined": (partial(mean_over_labels, label_roc_auc), 1),
}
# A function of labels and decisions, and its sign.
_OF_DECISIONS: dict[str, tuple[Callable, int]] = {
    "f1_macro_defined": (macro_f1, 1),
    "neg_hamming_loss": (hamming_loss, -1),
}
# scikit-learn's own, which know no unknown labels: what they come to among the known.
_OF_KNOWN_DECISIONS: dict[str, tuple[Callable, int]] = {
    "f1_micro": (lambda labels, y_pred: float(f1(labels, y_pred)), 1),
    "f1_macro": (lambda labels, y_pred: float(f1(labels, y_pred, axis=0).mean()), 1),
    "f1_samples": (lambda labels, y_pred: float(f1(labels, y_pred, axis=1).mean()), 1),
}
# scikit-learn scales the probabilities of a row to sum to one first.
_MEANINGLESS = {"neg_log_loss": "neg_binary_crossentropy", "d2_log_loss_score": "skill"}


class LabelScorer:
    """Score a multi-label classifier by one or several names; made by :func:`get_scorer`.

    It takes every shape of ``predict_proba`` that scikit-learn's classifiers have, also that of a
    label of which the training fold had one class only. Where the classifier knows the names of its
    labels, a DataFrame of labels is put into their order, or refused if it has others.

    Parameters
    ----------
    names : str or list of str
        What to score.
    """

    def __init__(self, names: str | Sequence[str]) -> None:
        self.names = names

    def __call__(self, estimator: Any, X: Samples, y: Array) -> Any:
        """Return the score, or a dict of scores by name; higher is better.

        Parameters
        ----------
        estimator : classifier
            Fitted on 0/1 labels.
        X : array-like of length n_samples
            What it predicts for.
        y : array-like or DataFrame of shape (n_samples, n_labels)
            The labels, 0/1; NaN where unknown.

        Returns
        -------
        score : float, or dict of float if `names` is a list

        Raises
        ------
        ValueError
            If `y` has other labels than the classifier, or unknown ones that a score of
            scikit-learn cannot leave out.
        """
        y = aligned_labels(y, label_names_of(estimator))
        labels = check_labels(y, unknown=True)
        names = [self.names] if isinstance(self.names, str) else self.names
        rules = dict(_OF_DECISIONS if labels.known is None else _OF_DECISIONS | _OF_KNOWN_DECISIONS)
        for name in names:
            if labels.known is not None and name not in _OF_PROBABILITIES | rules:
                raise ValueError(
                    f"scikit-learn's {name!r} cannot leave out the {labels.n_unknown} unknown "
                    f"labels (NaN) in y; {', '.join(_OF_PROBABILITIES | rules)} can."
                )
        warn_about_unknown_labels(labels)
        predicted = {}
        if not _OF_PROBABILITIES.keys().isdisjoint(names):
            y_score = label_scores(estimator, X, labels.shape[1])
            if not {"neg_binary_crossentropy", "skill"}.isdisjoint(names):
                y_score = check_probabilities(y_score, label_names=labels.names)
            predicted.update(dict.fromkeys(_OF_PROBABILITIES, y_score))
        if not rules.keys().isdisjoint(names):
            # A classifier of one label may give (n_samples,).
            decisions = np.reshape(estimator.predict(X), labels.shape) == 1
            predicted.update(dict.fromkeys(rules, decisions))
        scores = {}
        for name in names:
            if name in predicted:
                score, sign = (_OF_PROBABILITIES | rules)[name]
                scores[name] = sign * score(labels, predicted[name])
            else:
                scores[name] = _get_sklearn_scorer(name)(estimator, X, labels.to_numpy())
        return scores[self.names] if isinstance(self.names, str) else scores

    def __repr__(self):
        return f"get_scorer({self.names!r})"


SCORERS = {name: LabelScorer(name) for name in _OF_PROBABILITIES | _OF_DECISIONS}
"""Scorers by name, for ``scoring=`` in scikit-learn; see :func:`get_scorer`."""


def get_scorer(names: str | Sequence[str]) -> LabelScorer:
    """Return a scorer by name, or one that gives several scores for one prediction.

    scikit-learn has no public way to add names to those that ``scoring="..."`` understands, so ours
    are handed over as objects: ``scoring=get_scorer("skill")``. For several scores,
    ``scoring=get_scorer(["skill", "f1_macro_defined"]), refit="skill"`` predicts each fold once,
    where ``scoring={"skill": get_scorer("skill"), "f1": "f1_micro"}`` predicts for each.

    Parameters
    ----------
    names : str or list of str
        - ``"neg_binary_crossentropy"``, ``"skill"``, ``"lrap"``, ``"top_1_hit"``: of
          probabilities. Skill is D2, measured against the label frequencies of the scored images.
        - ``"mean_average_precision"``, ``"roc_auc_defined"``, ``"f1_macro_defined"``: means over
          those labels that some scored image has; scikit-learn's ``"roc_auc"`` is NaN and its
          ``"f1_macro"`` counts 0 for the others.
        - ``"neg_hamming_loss"``: share of wrong decisions, negative.
        - names that ``sklearn.metrics.get_scorer`` knows, but for ``"neg_log_loss"`` and
          ``"d2_log_loss_score"``. Those take the labels of an image for classes that exclude one
          another, scale its probabilities to sum to one, and are best for a model that is certain
          of every label: ``"neg_binary_crossentropy"`` and ``"skill"`` are what they mean.

    Returns
    -------
    scorer : LabelScorer
        Called with ``(estimator, X, y)``; higher is better. For a list of names it returns a dict,
        which ``GridSearchCV`` and ``cross_validate`` understand. The columns of `y` are compared
        with the labels of the estimator, also for scikit-learn's scores; unknown labels (NaN) are
        left out, with a warning that says how many, of ours and of ``"f1_micro"``, ``"f1_macro"``
        and ``"f1_samples"``.

    Raises
    ------
    ValueError
        If a name is unknown, or meaningless for several labels.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.model_selection import cross_val_score
    >>> from skposter.metrics import get_scorer
    >>> y = np.array([[1, 0], [0, 1], [1, 1], [0, 0]] * 5)
    >>> cross_val_score(DummyClassifier(), y, y, cv=2, scoring=get_scorer("neg_hamming_loss"))
    array([-0.5, -0.5])
    >>> get_scorer(["skill", "roc_auc_defined"])(DummyClassifier().fit(y, y), y, y)
    {'skill': 0.0, 'roc_auc_defined': 0.5}
    """
    if not isinstance(names, str):
        for name in names:
            get_scorer(name)
        return LabelScorer(list(names))
    if names in SCORERS:
        return SCORERS[names]
    if names in _MEANINGLESS:
        raise ValueError(
            f"{names!r} scales the probabilities of an image to sum to one, as if its labels "
            "excluded one another, and is best where all are 1. "
            f"For several labels use {_MEANINGLESS[names]!r}."
        )
    try:
        _get_sklearn_scorer(names)
    except ValueError as error:
        raise ValueError(
            f"{names!r} is no scorer.{did_you_mean(names, SCORERS)} skposter has "
            f"{', '.join(SCORERS)}; sklearn.metrics.get_scorer_names() lists scikit-learn's."
        ) from error
    return LabelScorer(names)
