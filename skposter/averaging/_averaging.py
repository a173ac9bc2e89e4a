"""AveragingClassifier: the mean of several trainings of one classifier, seed after seed."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _raise_for_params,
    process_routing,
)
from sklearn.utils.validation import check_is_fitted

from skposter._labels.log_odds import mean_of_log_odds
from skposter._labels.per_label import per_label
from skposter._labels.probabilities import label_scores
from skposter._typing import fit_context
from skposter.thresholds import ThresholdsClassifier

if TYPE_CHECKING:
    from typing import Any, Literal, Self

    from numpy.typing import NDArray

    from skposter._typing import Array, RandomState, Samples, Threshold

__all__ = ["AveragingClassifier"]


class AveragingClassifier(ThresholdsClassifier):
    """Train a classifier several times with different seeds and average the probabilities.

    Networks that differ by their seed only are wrong in different places, so their mean is better
    than any of them; training and prediction take as many times as long. scikit-learn's
    ``VotingClassifier`` does not take several labels.

    Parameters
    ----------
    estimator : classifier
        With ``predict_proba`` for 0/1 targets of shape `(n_samples, n_labels)`; may be a pipeline.
        Each ``random_state`` in it is set anew for each training.
    n_estimators : int, default=3
        How many are trained.
    average : {"log_odds", "probability"}, default="log_odds"
        What is averaged. ``"log_odds"`` keeps confident predictions confident.
    threshold : float, array-like of shape (n_labels,) or mapping, default=0.5
        A label is predicted where its probability is at least this. A mapping, or a Series, goes
        from label names to thresholds; labels that it does not name keep 0.5.
        :class:`~skposter.TunedThresholdsClassifierCV` around this classifier chooses them.
    min_labels : int, default=0
        An image with fewer predicted labels also gets those with the highest probabilities.
    n_jobs : int, default=None
        Trained at the same time, in processes of their own; None is 1 unless in a ``joblib``
        context. A network uses all processors by itself.
    random_state : int, RandomState instance or None, default=None
        The seeds of the estimators are drawn from it.

    Attributes
    ----------
    estimators_ : list of classifiers
        The fitted classifiers.
    label_names_ : ndarray of shape (n_labels,)
        The columns of a DataFrame `y`, otherwise ``0 .. n_labels - 1``.
    classes_ : ndarray of shape (n_labels, 2)
        ``[0, 1]`` for each label.
    n_features_in_ : int
        If the classifiers have it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        If the classifiers have it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neural_network import MLPClassifier
    >>> from skposter.averaging import AveragingClassifier
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]] * 5)
    >>> y = np.hstack([X > 0, X > 2]).astype(int)
    >>> model = AveragingClassifier(MLPClassifier(4, solver="lbfgs"), random_state=0).fit(X, y)
    >>> [member.random_state == model.estimators_[0].random_state for member in model.estimators_]
    [True, False, False]
    >>> model.predict_proba(X[:2]).shape
    (2, 2)
    """

    estimators_: list[Any]

    _parameter_constraints: dict = {
        **ThresholdsClassifier._parameter_constraints,
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "average": [StrOptions({"log_odds", "probability"})],
        "threshold": [Real, "array-like", Mapping],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        n_estimators: int = 3,
        *,
        average: Literal["log_odds", "probability"] = "log_odds",
        threshold: Threshold = 0.5,
        min_labels: int = 0,
        n_jobs: int | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.average = average
        self.threshold = threshold
        self.min_labels = min_labels
        self.n_jobs = n_jobs
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Samples, y: Array, **params: Any) -> Self:
        """Train the classifiers.

        Parameters
        ----------
        X : array-like of length n_samples
            What `estimator` takes: a table, paths or images.
        y : array-like or DataFrame of shape (n_samples, n_labels)
            The labels, 0/1; NaN where unknown, if `estimator` takes that.
        **params : dict
            For ``estimator.fit``, with metadata routing enabled.

        Returns
        -------
        self : object
            This classifier.
        """
        _raise_for_params(params, self, None)
        X, y, _ = self.check_data(X, y)
        _ = self.thresholds_  # one that cannot be used should fail before the training does
        routed = process_routing(self, "fit", **params).estimator.fit
        # NumPy's global generator, which None would stand for, is left alone.
        own = np.random.RandomState() if self.random_state is None else self.random_state
        seeds = check_random_state(own).randint(2**31 - 1, size=self.n_estimators)
        whole = self.begin_fit(X, y, max_subtasks=len(seeds))
        tasks = [whole.subtask("fit-classifier") for _ in seeds]
        self.estimators_ = Parallel(n_jobs=self.n_jobs)(
            delayed(task.fit)(_seeded(self.estimator, int(seed)), X, self.target(y), routed)
            for task, seed in zip(tasks, seeds, strict=True)
        )
        whole.end()
        self.learn_features_from(self.estimators_[0])
        return self

    def predict_proba(self, X: Samples) -> NDArray[Any]:
        """Return the mean probability of each label.

        Parameters
        ----------
        X : array-like of length n_samples
            What `estimator` takes.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_labels)
        """
        check_is_fitted(self, "estimators_")
        scores = [label_scores(each, X, len(self.label_names_)) for each in self.estimators_]
        if self.average == "log_odds":
            return mean_of_log_odds(scores)
        return np.mean(scores, axis=0)

    @property
    def thresholds_(self) -> NDArray[np.float64]:
        """The threshold of each label that `threshold` comes to, float64 `(n_labels,)`."""
        check_is_fitted(self, "label_names_")
        return per_label(self.threshold, self.label_names_, default=0.5, what="threshold")

    def get_metadata_routing(self) -> Any:
        """Get metadata routing of this object.

        Returns
        -------
        routing : MetadataRouter
            All of ``fit`` goes to the classifiers.
        """
        to_fit = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add(estimator=self.estimator, method_mapping=to_fit)


def _seeded(estimator, seed):
    """Return a clone whose seeds, wherever in it they are, are drawn from `seed`."""
    estimator = clone(estimator)
    rng = np.random.RandomState(seed)
    names = sorted(estimator.get_params())
    seeded = {
        name: int(rng.randint(2**31 - 1))
        for name in names
        if name == "random_state" or name.endswith("__random_state")
    }
    return estimator.set_params(**seeded)
