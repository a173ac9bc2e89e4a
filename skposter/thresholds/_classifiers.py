"""Any multi-label classifier with other thresholds: given, or chosen on out-of-fold scores."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import partial
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import Interval, RealNotInt, StrOptions
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _raise_for_params,
    process_routing,
)
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples, check_is_fitted

from skposter._labels.checks import check_finite_scores
from skposter._labels.per_label import per_label
from skposter._labels.probabilities import label_scores
from skposter._labels.unknown import warn_about_unknown_labels
from skposter._typing import fit_context
from skposter.exceptions import UnknownLabelWarning
from skposter.model_selection import MultiLabelStratifiedKFold, MultiLabelStratifiedShuffleSplit
from skposter.thresholds._base import ThresholdsClassifier
from skposter.thresholds._choosing import thresholds_for
from skposter.thresholds._cross_fitting import (
    cross_validate_thresholds,
    score_fold,
    subsets_to_hold_out,
)
from skposter.thresholds._deciding import apply_thresholds
from skposter.thresholds._objectives import parse_objective, score_decisions

if TYPE_CHECKING:
    from typing import Any, Self

    from numpy.typing import NDArray

    from skposter._typing import Array, Objective, RandomState, Samples, Threshold

__all__ = ["FixedThresholdsClassifier", "TunedThresholdsClassifierCV"]


class FixedThresholdsClassifier(ThresholdsClassifier):
    """A multi-label classifier with other thresholds than its own.

    scikit-learn's ``FixedThresholdClassifier`` for several labels. The thresholds act at
    prediction only: changing `threshold` after ``fit`` needs no refit.

    Parameters
    ----------
    estimator : classifier
        With ``predict_proba`` for 0/1 targets of shape `(n_samples, n_labels)`; may be a pipeline.
        :class:`sklearn.frozen.FrozenEstimator` around a fitted one avoids training it again.
    threshold : float, array-like of shape (n_labels,) or mapping, default=0.5
        A label is predicted where its probability is at least this. A mapping, or a Series, goes
        from label names, the columns of the DataFrame that ``fit`` gets, to thresholds; labels that
        it does not name keep 0.5.
    min_labels : int, default=0
        An image with fewer predicted labels also gets those with the highest probabilities.

    Attributes
    ----------
    estimator_ : classifier
        The fitted classifier.
    thresholds_ : ndarray of shape (n_labels,), float64
        The thresholds that `threshold` comes to.
    label_names_ : ndarray of shape (n_labels,)
        The columns of a DataFrame `y`, otherwise ``0 .. n_labels - 1``.
    classes_ : ndarray of shape (n_labels, 2)
        ``[0, 1]`` for each label.
    n_features_in_ : int
        If the classifier has it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        If the classifier has it.

    See Also
    --------
    TunedThresholdsClassifierCV : Chooses the thresholds.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skposter import FixedThresholdsClassifier
    >>> X, y = [[0], [1], [2], [3]], pd.DataFrame({"low": [1, 1, 0, 0], "odd": [0, 1, 0, 1]})
    >>> model = FixedThresholdsClassifier(KNeighborsClassifier(3), threshold={"odd": 0.3})
    >>> model.fit(X, y).predict([[0], [3]])
    array([[1, 1],
           [0, 1]])
    >>> model.set_params(threshold=0.7).predict([[0], [3]])
    array([[0, 0],
           [0, 0]])
    """

    estimator_: Any

    _parameter_constraints: dict = {
        **ThresholdsClassifier._parameter_constraints,
        "threshold": [Real, "array-like", Mapping],
    }

    def __init__(self, estimator: Any, *, threshold: Threshold = 0.5, min_labels: int = 0) -> None:
        self.estimator = estimator
        self.threshold = threshold
        self.min_labels = min_labels

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Samples, y: Array, **params: Any) -> Self:
        """Fit the classifier.

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
        fit_params = process_routing(self, "fit", **params).estimator.fit
        whole = self.begin_fit(X, y, max_subtasks=1)
        self.fit_on_all(X, y, fit_params, whole.subtask("fit-classifier"))
        whole.end()
        return self

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
            All of ``fit`` goes to the classifier.
        """
        to_fit = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add(estimator=self.estimator, method_mapping=to_fit)


class TunedThresholdsClassifierCV(ThresholdsClassifier):
    """A multi-label classifier with thresholds chosen on images that it was not trained on.

    scikit-learn's ``TunedThresholdClassifierCV`` for several labels, with its words. The classifier
    is trained once a fold and once on everything, however many thresholds are compared.

    Parameters
    ----------
    estimator : classifier
        With ``predict_proba`` for 0/1 targets of shape `(n_samples, n_labels)`; may be a pipeline.
    objective : str or callable, default="f1_macro"
        What the thresholds should be best at: ``"f1_micro"``, ``"f1_macro"``, ``"f1_samples"``,
        ``"hamming"``, ``"cardinality"``, ``"precision>=0.8"``, ``"recall>=0.8"`` (any number) or a
        callable of ``(y_true, y_pred)``; see :func:`skposter.thresholds.choose_thresholds`.
    shrinkage : float, default=20.0
        How many positives a label needs before its own data count for half of its threshold,
        for ``"f1_macro"`` and ``"hamming"``; see there too.
    min_labels : int, default=0
        An image with fewer predicted labels also gets those with the highest probabilities. The
        thresholds are chosen without regard to it, the scores below are with it.
    cv : int, float, splitter, iterable, "prefit" or None, default=5
        How images are held out:

        - an int for that many folds of
          :class:`~skposter.model_selection.MultiLabelStratifiedKFold`, None for 5;
        - a float in (0, 1) for one subset of that share, stratified too;
        - a splitter, or an iterable of pairs of row numbers;
        - ``"prefit"`` if `estimator` is fitted already, on other images than those that ``fit``
          gets, which are then used for the thresholds alone.
    refit : bool, default=True
        Whether to train on all images in the end. False keeps the classifier of a single split,
        and must be chosen with ``cv="prefit"``.
    n_jobs : int, default=None
        Folds trained at the same time; None is 1 unless in a ``joblib`` context.
    random_state : int, RandomState instance or None, default=None
        Seed of the split if `cv` is a float.
    store_cv_results : bool, default=False
        Whether to keep `cv_results_`.

    Attributes
    ----------
    estimator_ : classifier
        The fitted classifier.
    thresholds_ : ndarray of shape (n_labels,), float64
        Chosen on the scores of all folds together.
    best_score_ : float
        Value of the objective that `thresholds_` reach on those same scores, as
        :func:`skposter.thresholds.objective_score` has it. Too good, as they were chosen there.
    cv_score_ : float
        Value of the objective when the thresholds for each fold are chosen on the other folds'
        scores: what to expect on new images. For a single split, or ``cv="prefit"``, the held-out
        images are assigned to five subsets for this. nan if there is only one.
    fold_thresholds_ : ndarray of shape (n_folds, n_labels), float64
        The thresholds behind `cv_score_`: row k was chosen on the scores of all folds (or subsets)
        but the k-th. How far they lie apart tells how sure `thresholds_` are. As any two of them
        share most of their images it is less than chance makes of a threshold: the jackknife's
        standard error is ``sqrt(n_folds - 1)`` times their standard deviation. No rows if nothing
        could be held out.
    cv_results_ : dict of ndarray
        With ``store_cv_results=True``. ``"y_score"`` (n_scored, n_labels): the held-out scores;
        ``"row"`` (n_scored,): the row of `X` of each; ``"fold"`` (n_scored,): what it was held out
        with for `cv_score_`; and for each fold ``"thresholds"``, as in `fold_thresholds_`, with
        ``"train_score"`` and ``"test_score"`` (n_folds,).
    label_names_ : ndarray of shape (n_labels,)
        The columns of a DataFrame `y`, otherwise ``0 .. n_labels - 1``.
    classes_ : ndarray of shape (n_labels, 2)
        ``[0, 1]`` for each label.
    n_features_in_ : int
        If the classifier has it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        If the classifier has it.

    See Also
    --------
    FixedThresholdsClassifier : Takes thresholds that are known.
    skposter.thresholds.choose_thresholds : The rules.

    Notes
    -----
    Scores come from classifiers trained on some of the images, the thresholds serve one trained on
    all of them: this assumes that the two are calibrated alike.

    With metadata routing enabled, ``fit`` takes ``groups`` for the stratified folds and whatever
    `estimator` requests. Sample weights act on training; every image counts alike for the
    thresholds.

    Unknown labels (NaN in `y`) are left out where thresholds are chosen and scored, with an
    :class:`~skposter.exceptions.UnknownLabelWarning`. `estimator` must be one that can be trained
    on them, which it says by ``takes_unknown_labels = True``, or fitted already (``cv="prefit"``).

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from skposter import TunedThresholdsClassifierCV
    >>> X, y = make_multilabel_classification(n_labels=1, random_state=0)
    >>> classifier = OneVsRestClassifier(LogisticRegression())
    >>> model = TunedThresholdsClassifierCV(classifier, objective="f1_micro").fit(X, y)
    >>> model.predict(X[:2])
    array([[0, 0, 1, 0, 0],
           [0, 0, 0, 0, 1]])
    >>> model.thresholds_.shape
    (5,)
    >>> model.cv_score_ < model.best_score_
    True
    """

    estimator_: Any
    thresholds_: NDArray[np.float64]
    best_score_: float
    cv_score_: float
    fold_thresholds_: NDArray[np.float64]
    cv_results_: dict[str, Any]

    _parameter_constraints: dict = {
        **ThresholdsClassifier._parameter_constraints,
        "objective": [str, callable],
        "shrinkage": [Interval(Real, 0, None, closed="both")],
        "cv": [
            "cv_object",
            StrOptions({"prefit"}),
            Interval(RealNotInt, 0.0, 1.0, closed="neither"),
        ],
        "refit": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "store_cv_results": ["boolean"],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        objective: Objective = "f1_macro",
        shrinkage: float = 20.0,
        min_labels: int = 0,
        cv: Any = 5,
        refit: bool = True,
        n_jobs: int | None = None,
        random_state: RandomState = None,
        store_cv_results: bool = False,
    ) -> None:
        self.estimator = estimator
        self.objective = objective
        self.shrinkage = shrinkage
        self.min_labels = min_labels
        self.cv = cv
        self.refit = refit
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.store_cv_results = store_cv_results

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Samples, y: Array, **params: Any) -> Self:
        """Choose the thresholds, and fit the classifier.

        Parameters
        ----------
        X : array-like of length n_samples
            What `estimator` takes: a table, paths or images. Only rows are selected here.
        y : array-like or DataFrame of shape (n_samples, n_labels)
            The labels, 0/1; NaN where unknown, if `estimator` takes that.
        **params : dict
            For ``estimator.fit`` and the splitter, with metadata routing enabled.

        Returns
        -------
        self : object
            This classifier.
        """
        _raise_for_params(params, self, None)
        parse_objective(self.objective)
        X, y, labels = self.check_data(X, y, will_train=not isinstance(self.cv, str))
        warn_about_unknown_labels(labels)
        routed = process_routing(self, "fit", **params)
        prefit = isinstance(self.cv, str)
        splits = [] if prefit else self._splits(X, y, routed)
        whole = self.begin_fit(X, y, max_subtasks=len(splits) + bool(self.refit))
        if prefit:
            y_score, rows, folds = self._score_prefit(X, labels.shape[1])
        else:
            y_score, rows, folds = self._score_held_out(
                X, y, labels.shape[1], routed, splits, whole
            )
        self._choose(labels[rows], y_score, rows, folds)
        if self.refit:
            self.fit_on_all(X, y, routed.estimator.fit, whole.subtask("fit-on-all"))
        whole.end()
        return self

    def _score_prefit(self, X, n_labels):
        if self.refit:
            raise ValueError("When cv='prefit', refit cannot be True.")
        try:
            check_is_fitted(self.estimator)
        except NotFittedError as error:
            raise NotFittedError("When cv='prefit', `estimator` must be fitted.") from error
        self.keep_fitted(self.estimator)
        n_samples = _num_samples(X)
        y_score = label_scores(self.estimator, X, n_labels)
        return y_score, np.arange(n_samples), np.zeros(n_samples, dtype=int)

    def _splits(self, X, y, routed):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnknownLabelWarning)  # fit has said it
            splits = list(check_cv(self._splitter()).split(X, y, **routed.splitter.split))
        if len(splits) > 1 and not self.refit:
            raise ValueError("When cv has several folds, refit cannot be False.")
        return splits

    def _score_held_out(self, X, y, n_labels, routed, splits, whole):
        tasks = [whole.subtask("fit-fold") for _ in splits]
        fold = partial(
            score_fold,
            X=X,
            y=self.target(y),
            fit_params=routed.estimator.fit,
            n_labels=n_labels,
            keep=not self.refit,
        )
        outcomes = Parallel(n_jobs=self.n_jobs)(
            delayed(fold)(task, clone(self.estimator), train=train, test=test)
            for task, (train, test) in zip(tasks, splits, strict=True)
        )
        scores, fitted = zip(*outcomes, strict=True)
        if not self.refit:
            self.keep_fitted(fitted[0])
        tests = [_safe_indexing(np.arange(len(y)), test) for _, test in splits]
        folds = np.repeat(np.arange(len(tests)), [len(test) for test in tests])
        return np.vstack(scores), np.concatenate(tests), folds

    def _choose(self, labels, y_score, rows, folds):
        y_score = check_finite_scores(y_score, labels.shape, label_names=labels.names)
        choose = partial(thresholds_for, objective=self.objective, shrinkage=self.shrinkage)
        score = partial(score_decisions, objective=self.objective)

        def decide(y_score, thresholds):
            return apply_thresholds(y_score, thresholds, min_labels=self.min_labels) == 1

        self.thresholds_ = choose(labels, y_score)
        self.best_score_ = score(labels, decide(y_score, self.thresholds_))
        subsets = subsets_to_hold_out(labels, rows, folds)
        self.cv_score_, results = cross_validate_thresholds(
            labels, y_score, rows, subsets, choose, decide, score
        )
        self.fold_thresholds_ = results.get("thresholds", np.empty((0, labels.shape[1])))
        if self.store_cv_results:
            self.cv_results_ = {"y_score": y_score, "row": rows, "fold": subsets, **results}

    def _splitter(self):
        if self.cv is None or isinstance(self.cv, Integral):
            return MultiLabelStratifiedKFold(int(self.cv or 5))
        if isinstance(self.cv, Real):
            return MultiLabelStratifiedShuffleSplit(
                n_splits=1, test_size=self.cv, random_state=self.random_state
            )
        return self.cv

    def get_metadata_routing(self) -> Any:
        """Get metadata routing of this object.

        Returns
        -------
        routing : MetadataRouter
            ``fit`` hands metadata to ``estimator.fit`` and to the splitter.
        """
        return (
            MetadataRouter(owner=self)
            .add(
                estimator=self.estimator,
                method_mapping=MethodMapping().add(caller="fit", callee="fit"),
            )
            .add(
                splitter=self._splitter(),
                method_mapping=MethodMapping().add(caller="fit", callee="split"),
            )
        )
