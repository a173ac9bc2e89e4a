"""BlendingClassifier: the weighted mean of different classifiers, weights from held-out images."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import check_is_fitted

from skposter._labels.log_odds import log_odds
from skposter._labels.per_label import per_label
from skposter._labels.probabilities import label_scores
from skposter._labels.unknown import takes_unknown_labels
from skposter._typing import fit_context
from skposter.model_selection import stratified_holdout
from skposter.thresholds import ThresholdsClassifier

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal, Self

    from numpy.typing import ArrayLike, NDArray

    from skposter._typing import Array, RandomState, Samples, Threshold

__all__ = ["BlendingClassifier"]


class BlendingClassifier(ThresholdsClassifier, _BaseComposition):
    """Average the log-odds of different classifiers, each with a weight.

    Classifiers that look at images differently (a network trained on them, a linear model on
    features of another one) are wrong on different images, and their mean is better than the best
    of them, more than the mean over seeds of one. scikit-learn's ``VotingClassifier`` and
    ``StackingClassifier`` do not take several labels.

    Parameters
    ----------
    estimators : list of (str, classifier)
        Names and classifiers with ``predict_proba`` for 0/1 targets of shape `(n_samples,
        n_labels)`, each of which takes all of `X`: pipelines from paths, say. One that is trained
        already is given as ``FrozenEstimator(classifier)``.
    weights : "validation", array-like of shape (n_estimators,) or None, default="validation"
        What the log-odds are multiplied with before they are added. ``"validation"`` chooses the
        weights of at least 0 under which the cross-entropy of the held-out images is smallest; they
        need not sum to one, so a mean that is too unsure is made surer. None is the plain mean.
    validation_fraction : float, default=0.1
        Share of the rows that are held out to choose weights on, stratified by label. With nothing
        but frozen classifiers all rows that ``fit`` is given are, which must be other rows than
        those that they were trained on.
    refit : bool, default=False
        Whether the classifiers are trained again on all rows once the weights are chosen.
    threshold : float, array-like of shape (n_labels,) or mapping, default=0.5
        As in :class:`~skposter.AveragingClassifier`.
    min_labels : int, default=0
        An image with fewer predicted labels also gets those with the highest probabilities.
    random_state : int, RandomState instance or None, default=None
        Which rows are held out.

    Attributes
    ----------
    estimators_ : list of classifiers
        The fitted classifiers.
    weights_ : ndarray of shape (n_estimators,), float64
        Their weights.
    validation_indices_ : ndarray of int
        The rows that were held out; empty if none were.
    label_names_ : ndarray of shape (n_labels,)
        The columns of a DataFrame `y`, otherwise ``0 .. n_labels - 1``.
    classes_ : ndarray of shape (n_labels, 2)
        ``[0, 1]`` for each label.

    See Also
    --------
    skposter.AveragingClassifier : Trainings of one classifier with other seeds.

    Notes
    -----
    A weighted mean of log-odds is known as the logarithmic opinion pool [1]_; choosing the weights
    on held-out predictions is stacking with a model of one number a classifier [2]_.

    References
    ----------
    .. [1] C. Genest and J. V. Zidek, "Combining Probability Distributions: A Critique and an
       Annotated Bibliography", Statistical Science 1(1), 1986.
    .. [2] L. Breiman, "Stacked Regressions", Machine Learning 24, 1996.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.neural_network import MLPClassifier
    >>> from skposter import BlendingClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 3))
    >>> y = (X[:, :2] + rng.normal(size=(200, 2)) > 0).astype(int)
    >>> model = BlendingClassifier(
    ...     [
    ...         ("neighbours", KNeighborsClassifier(20)),
    ...         ("network", MLPClassifier(4, solver="lbfgs", alpha=1, random_state=0)),
    ...     ],
    ...     random_state=0,
    ... ).fit(X, y)
    >>> model.weights_.shape, bool((model.weights_ >= 0).all())
    ((2,), True)
    >>> model.predict_proba(X[:3]).shape
    (3, 2)
    """

    estimators_: list[Any]
    weights_: NDArray[np.float64]
    validation_indices_: NDArray[np.intp]

    _parameter_constraints: dict = {
        "estimators": [list],
        "weights": [StrOptions({"validation"}), "array-like", None],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "refit": ["boolean"],
        "threshold": [Real, "array-like", Mapping],
        "min_labels": ThresholdsClassifier._parameter_constraints["min_labels"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimators: Sequence[tuple[str, Any]],
        *,
        weights: Literal["validation"] | ArrayLike | None = "validation",
        validation_fraction: float = 0.1,
        refit: bool = False,
        threshold: Threshold = 0.5,
        min_labels: int = 0,
        random_state: RandomState = None,
    ) -> None:
        self.estimators = estimators
        self.weights = weights
        self.validation_fraction = validation_fraction
        self.refit = refit
        self.threshold = threshold
        self.min_labels = min_labels
        self.random_state = random_state

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, those of the classifiers by their names.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the classifiers and their parameters.

        Returns
        -------
        params : dict
        """
        return self._get_params("estimators", deep=deep)

    def set_params(self, **params: Any) -> Self:
        """Set parameters; a classifier's name sets the classifier.

        Parameters
        ----------
        **params : dict
            As `get_params` returns them.

        Returns
        -------
        self : object
        """
        self._set_params("estimators", **params)
        return self

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Samples, y: Array) -> Self:
        """Train the classifiers and choose their weights.

        Parameters
        ----------
        X : array-like of length n_samples
            What the classifiers take: a table, paths or images.
        y : array-like or DataFrame of shape (n_samples, n_labels)
            The labels, 0/1; NaN where unknown, if all classifiers take that.

        Returns
        -------
        self : object
            This classifier.
        """
        self._check_estimators()
        X, y, labels = self.check_data(X, y)
        _ = self.thresholds_  # one that cannot be used should fail before the training does
        given = self._given_weights()
        members = [estimator for _, estimator in self.estimators]
        rows = held_out = np.arange(0)
        if given is None:
            if all(isinstance(member, FrozenEstimator) for member in members):
                rows = held_out = np.arange(len(labels))
            else:
                rows, held_out = stratified_holdout(
                    labels.to_numpy(), self.validation_fraction, random_state=self.random_state
                )
        X_rows, y_rows = (X, y) if given is not None else _rows_of(rows, X, y)
        refit = given is None and self.refit
        whole = self.begin_fit(X, y, max_subtasks=len(members) * (2 if refit else 1))
        fitted = self._fitted(members, X_rows, y_rows, whole)
        if given is None:
            X_held_out, _ = _rows_of(held_out, X, y)
            scores = [label_scores(each, X_held_out, labels.shape[1]) for each in fitted]
            given = blending_weights(labels.to_numpy()[held_out], scores)
            if refit:
                fitted = self._fitted(members, X, y, whole)
        self.estimators_ = fitted
        self.weights_ = given
        self.validation_indices_ = held_out
        self.learn_features_from(fitted[0])
        whole.end()
        return self

    def _fitted(self, members, X, y, whole):
        return [
            whole.subtask("fit-classifier").fit(clone(member), X, self.target(y), {})
            for member in members
        ]

    def predict_proba(self, X: Samples) -> NDArray[Any]:
        """Return the probabilities of the weighted mean of the log-odds.

        Parameters
        ----------
        X : array-like of length n_samples
            What the classifiers take.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_labels)
        """
        check_is_fitted(self, "estimators_")
        scores = [label_scores(each, X, len(self.label_names_)) for each in self.estimators_]
        return expit(np.tensordot(self.weights_, _stacked_log_odds(scores), axes=1))

    @property
    def thresholds_(self) -> NDArray[np.float64]:
        """The threshold of each label that `threshold` comes to, float64 `(n_labels,)`."""
        check_is_fitted(self, "label_names_")
        return per_label(self.threshold, self.label_names_, default=0.5, what="threshold")

    @property
    def estimator(self) -> Any:
        """The first of the classifiers that cannot be trained on unknown labels, or the first."""
        members = [estimator for _, estimator in self.estimators]
        return next((each for each in members if not takes_unknown_labels(each)), members[0])

    def _check_estimators(self):
        pairs = self.estimators
        good = pairs and all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs)
        if not good or not all(isinstance(name, str) for name, _ in pairs):
            raise ValueError(
                "estimators must be a list of (name, classifier), with at least one of them; got "
                f"{pairs!r}."
            )
        self._validate_names([name for name, _ in pairs])
        for name, member in pairs:
            if isinstance(member, type):
                raise TypeError(
                    f"{name!r} among the estimators is the class {member.__name__}; pass an "
                    f"object: {member.__name__}(...)."
                )
            if not (hasattr(member, "fit") and hasattr(member, "predict_proba")):
                raise TypeError(
                    f"{name!r} among the estimators is of type {type(member).__name__}, expected a "
                    "classifier with fit and predict_proba."
                )

    def _given_weights(self):
        """Return the weights that a parameter gives, or None if they are to be chosen."""
        n_members = len(self.estimators)
        if self.weights is None:
            return np.full(n_members, 1 / n_members)
        if isinstance(self.weights, str):
            return None
        weights = np.asarray(self.weights, dtype=np.float64)
        if weights.shape != (n_members,) or not np.isfinite(weights).all() or (weights < 0).any():
            raise ValueError(
                f"weights={self.weights!r}: expected {n_members} numbers of at least 0, one for "
                "each of the estimators."
            )
        return weights


def blending_weights(y, scores):
    """Return the weights of log-odds, at least 0, with the smallest cross-entropy.

    Parameters
    ----------
    y : ndarray of shape (n_samples, n_labels)
        Labels, 0/1; NaN where unknown.
    scores : list of ndarray of shape (n_samples, n_labels)
        Probabilities of each classifier.

    Returns
    -------
    weights : ndarray of shape (len(scores),), float64
    """
    known = ~np.isnan(y)
    columns = _stacked_log_odds(scores)[:, known]
    labels = y[known]

    def loss_and_gradient(weights):
        mixed = weights @ columns
        loss = np.logaddexp(0, mixed) - labels * mixed
        return loss.mean(), columns @ (expit(mixed) - labels) / len(labels)

    start = np.full(len(scores), 1 / len(scores))
    bounds = [(0, None)] * len(scores)
    return minimize(loss_and_gradient, start, jac=True, method="L-BFGS-B", bounds=bounds).x


def _stacked_log_odds(scores):
    """Return log-odds, float64 `(n_classifiers, n_samples, n_labels)`."""
    return np.stack([log_odds(score) for score in scores])


def _rows_of(rows, X, y):
    return _safe_indexing(X, rows), _safe_indexing(y, rows)
