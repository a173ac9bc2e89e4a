"""Scorers for ``scoring=``: one prediction serves as many scores as are asked for."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import get_scorer as _get_sklearn_scorer
from sklearn.metrics import hamming_loss

from skposter._estimators.spelling import did_you_mean
from skposter._labels.checks import check_indicator
from skposter._labels.probabilities import label_scores
from skposter.metrics._scores import (
    binary_crossentropy,
    macro_f1_score,
    mean_average_precision,
    mean_ranking_precision,
    mean_roc_auc,
    skill_score,
    top_1_hit_rate,
)

__all__ = ["SCORERS", "LabelScorer", "get_scorer"]

_OF_PROBABILITIES = {
    "neg_binary_crossentropy": (binary_crossentropy, -1),
    "skill": (skill_score, 1),
    "lrap": (mean_ranking_precision, 1),
    "top_1_hit": (top_1_hit_rate, 1),
    "mean_average_precision": (mean_average_precision, 1),
    "roc_auc_defined": (mean_roc_auc, 1),
}
_OF_DECISIONS = {
    "f1_macro_defined": (macro_f1_score, 1),
    "neg_hamming_loss": (hamming_loss, -1),
}


class LabelScorer:
    """Score a multi-label classifier by one or several names; made by :func:`get_scorer`.

    It takes every shape of ``predict_proba`` that scikit-learn's classifiers have, also that of a
    label of which the training fold had one class only.

    Parameters
    ----------
    names : str or list of str
        What to score.
    """

    def __init__(self, names):
        self.names = names

    def __call__(self, estimator, X, y):
        """Return the score, or a dict of scores by name; higher is better.

        Parameters
        ----------
        estimator : classifier
            Fitted on 0/1 labels.
        X : array-like of length n_samples
            What it predicts for.
        y : array-like of shape (n_samples, n_labels)
            The labels, 0/1.

        Returns
        -------
        score : float, or dict of float if `names` is a list
        """
        y_true = check_indicator(y)
        names = [self.names] if isinstance(self.names, str) else self.names
        predicted = {}
        if not _OF_PROBABILITIES.keys().isdisjoint(names):
            predicted.update(
                dict.fromkeys(_OF_PROBABILITIES, label_scores(estimator, X, y_true.shape[1]))
            )
        if not _OF_DECISIONS.keys().isdisjoint(names):
            # A classifier of one label may give (n_samples,).
            decisions = np.reshape(estimator.predict(X), y_true.shape)
            predicted.update(dict.fromkeys(_OF_DECISIONS, decisions))
        scores = {}
        for name in names:
            if name in predicted:
                metric, sign = (_OF_PROBABILITIES | _OF_DECISIONS)[name]
                scores[name] = sign * metric(y_true, predicted[name])
            else:
                scores[name] = _get_sklearn_scorer(name)(estimator, X, y)
        return scores[self.names] if isinstance(self.names, str) else scores

    def __repr__(self):
        return f"get_scorer({self.names!r})"


SCORERS = {name: LabelScorer(name) for name in _OF_PROBABILITIES | _OF_DECISIONS}
"""Scorers by name, for ``scoring=`` in scikit-learn; see :func:`get_scorer`."""


def get_scorer(names):
    """Return a scorer by name, or one that gives several scores for one prediction.

    scikit-learn has no public way to add names to those that ``scoring="..."`` understands, so ours
    are handed over as objects: ``scoring=get_scorer("skill")``. For several scores,
    ``scoring=get_scorer(["skill", "f1_macro_defined"]), refit="skill"`` predicts each fold once,
    where ``scoring={"skill": get_scorer("skill"), "f1": "f1_micro"}`` predicts for each.

    Parameters
    ----------
    names : str or list of str
        - ``"neg_binary_crossentropy"``, ``"skill"``, ``"lrap"``, ``"top_1_hit"``: of
          probabilities. Skill is measured against the label frequencies of the scored images.
        - ``"mean_average_precision"``, ``"roc_auc_defined"``, ``"f1_macro_defined"``: means over
          those labels that some scored image has; scikit-learn's ``"roc_auc"`` is NaN and its
          ``"f1_macro"`` counts 0 for the others.
        - ``"neg_hamming_loss"``: share of wrong decisions, negative.
        - any name that ``sklearn.metrics.get_scorer`` knows.

    Returns
    -------
    scorer : callable
        Called with ``(estimator, X, y)``; higher is better. For a list of names it returns a dict,
        which ``GridSearchCV`` and ``cross_validate`` understand.

    Raises
    ------
    ValueError
        If a name is unknown.

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
    try:
        return _get_sklearn_scorer(names)
    except ValueError as error:
        raise ValueError(
            f"{names!r} is no scorer.{did_you_mean(names, SCORERS)} skposter has "
            f"{', '.join(SCORERS)}; sklearn.metrics.get_scorer_names() lists scikit-learn's."
        ) from error
