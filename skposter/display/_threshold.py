"""A score against the threshold, a panel a label: where the chosen one lies, and how sure it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import precision_recall_curve

from skposter._labels.checks import check_finite_scores
from skposter._labels.names import find_label_names
from skposter.display._facts import (
    chosen_labels,
    find_attribute,
    known_labels,
    noted,
    scores_of,
    thresholds_of,
)
from skposter.display._pyplot import COLOURS, label_outer, legend_below, panels, plain_axes, title

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal, Self

    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from numpy.typing import ArrayLike

    from skposter._typing import Array, Names, Samples, Threshold

__all__ = ["ThresholdDisplay"]

_METRICS = ("f1", "precision", "recall")


class ThresholdDisplay:
    """F1, precision or recall of each label against its threshold.

    The dark line is the threshold in use, the marks at the bottom are those that the folds of
    :class:`~skposter.TunedThresholdsClassifierCV` would have chosen: if they lie far apart, so
    would another data set's. The dashed line is the F1 (or precision) of predicting the label for
    every image.

    Parameters
    ----------
    thresholds : list of ndarray
        The distinct scores of each label, rising. Empty for a label without positives.
    scores : list of ndarray
        The value of `metric` at each of them.
    chosen : ndarray of shape (n_labels,)
        The thresholds in use.
    label_names : list
        Names of the labels.
    metric : {"f1", "precision", "recall"}, default="f1"
        What `scores` are.
    baseline : ndarray of shape (n_labels,), default=None
        The value of `metric` for predicting each label always.
    fold_thresholds : ndarray of shape (n_folds, n_labels), default=None
        Thresholds that the folds would have chosen.
    n_unknown : ndarray of shape (n_labels,), default=None
        How many images were left out, because nobody knows whether they have the label.

    Attributes
    ----------
    axes_ : ndarray of Axes
        A panel a label, after :meth:`plot`.
    lines_ : list of Line2D
        The curves, after :meth:`plot`.
    ax_ : matplotlib Axes or None
        The axes that were divided, if any were given.
    figure_ : matplotlib Figure
        Where it is shown.

    Examples
    --------
    >>> from skposter.display import ThresholdDisplay
    >>> y_true = [[1, 0], [0, 1], [1, 1], [0, 0]]
    >>> y_score = [[0.9, 0.3], [0.4, 0.2], [0.7, 0.8], [0.2, 0.1]]
    >>> display = ThresholdDisplay.from_predictions(
    ...     y_true, y_score, thresholds=[0.5, 0.2], label_names=["Drama", "War"]
    ... )
    >>> display.thresholds[1].tolist(), display.scores[1].round(2).tolist()
    ([0.1, 0.2, 0.3, 0.8], [0.67, 0.8, 0.5, 0.67])
    """

    def __init__(
        self,
        thresholds: Any,
        scores: Any,
        chosen: Any,
        label_names: Sequence[Any],
        *,
        metric: Literal["f1", "precision", "recall"] = "f1",
        baseline: Any = None,
        fold_thresholds: Any = None,
        n_unknown: Any = None,
    ) -> None:
        self.thresholds = thresholds
        self.scores = scores
        self.chosen = chosen
        self.label_names = label_names
        self.metric = metric
        self.baseline = baseline
        self.fold_thresholds = fold_thresholds
        self.n_unknown = n_unknown

    def plot(self, ax: Axes | None = None, *, columns: int | None = None) -> Self:
        """Draw a panel a label; each reaches as far to the right as its scores do.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The place to divide into panels; None makes a figure.
        columns : int, default=None
            Panels in a row; None takes up to four.

        Returns
        -------
        display : ThresholdDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        self.ax_, self.axes_ = panels(ax, len(self.label_names), columns)
        self.lines_: list[Line2D] = []
        for j, axes in enumerate(self.axes_):
            self._plot_label(j, axes)
        self.figure_ = self.axes_[0].figure
        legend_below(ax, self.axes_)
        label_outer(self.axes_, columns, "threshold", "F1" if self.metric == "f1" else self.metric)
        return self

    def _plot_label(self, j, axes):
        plain_axes(axes)
        unknown = 0 if self.n_unknown is None else self.n_unknown[j]
        title(axes, self.label_names[j], noted(f"at {self.chosen[j]:.2f}", n_unknown=unknown))
        axes.set_ylim(-0.02, 1.05)
        if not len(self.thresholds[j]):
            axes.text(
                0.5,
                0.5,
                "no positives",
                ha="center",
                color=COLOURS["baseline"],
                transform=axes.transAxes,
            )
            return
        # At a threshold between two scores, the images from the upper one on are predicted.
        at = np.concatenate([[0.0], self.thresholds[j]])
        value = np.concatenate([self.scores[j][:1], self.scores[j]])
        self.lines_ += axes.plot(at, value, color=COLOURS["model"], drawstyle="steps-pre", lw=1.6)
        if self.baseline is not None:
            axes.axhline(
                self.baseline[j],
                color=COLOURS["baseline"],
                ls="--",
                lw=1,
                label="label predicted always",
            )
        axes.axvline(self.chosen[j], color=COLOURS["chosen"], lw=1.4, label="threshold in use")
        right = [self.thresholds[j][-1], self.chosen[j]]
        if self.fold_thresholds is not None:
            folds = self.fold_thresholds[:, j]
            axes.axvspan(np.nanmin(folds), np.nanmax(folds), color=COLOURS["fold"], alpha=0.15)
            axes.plot(
                folds,
                np.full(len(folds), 0.03),
                "|",
                color=COLOURS["fold"],
                ms=9,
                mew=1.8,
                label="thresholds of the folds",
                transform=axes.get_xaxis_transform(),
            )
            right.append(np.nanmax(folds))
        finite = [value for value in right if np.isfinite(value)]
        axes.set_xlim(0, 1.05 * max([*finite, 1e-3]))

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Samples,
        y: Array,
        *,
        metric: Literal["f1", "precision", "recall"] = "f1",
        labels: Any = None,
        label_names: Names | None = None,
        ax: Axes | None = None,
        columns: int | None = None,
    ) -> Self:
        """Predict, and draw the curves with the estimator's thresholds.

        Parameters
        ----------
        estimator : classifier or Pipeline
            Fitted, with ``predict_proba``. Its ``thresholds_``, if it has any, are marked, else
            0.5; and its ``fold_thresholds_``, which
            :class:`~skposter.TunedThresholdsClassifierCV` has.
        X : array-like of length n_samples
            What it predicts for.
        y : array-like or DataFrame of shape (n_samples, n_labels)
            The labels, 0/1, or NaN where nobody knows.
        metric : {"f1", "precision", "recall"}, default="f1"
            What to draw.
        labels : str or sequence of str, default=None
            Which to show; None shows all.
        label_names : sequence of str, default=None
            By default the columns of `y`, or the ``label_names_`` of the estimator.
        ax, columns
            As in :meth:`plot`.

        Returns
        -------
        display : ThresholdDisplay
        """
        y_score, names, thresholds, _ = scores_of(estimator, X, y, label_names)
        return cls.from_predictions(
            y,
            y_score,
            thresholds=thresholds,
            fold_thresholds=find_attribute(estimator, "fold_thresholds_"),
            metric=metric,
            labels=labels,
            label_names=names,
            ax=ax,
            columns=columns,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Array,
        y_score: Array,
        *,
        thresholds: Threshold = 0.5,
        fold_thresholds: ArrayLike | None = None,
        metric: Literal["f1", "precision", "recall"] = "f1",
        labels: Any = None,
        label_names: Names | None = None,
        ax: Axes | None = None,
        columns: int | None = None,
    ) -> Self:
        """Draw the curves of scores that were predicted before.

        Parameters
        ----------
        y_true : array-like or DataFrame of shape (n_samples, n_labels)
            The labels, 0/1, or NaN where nobody knows.
        y_score : array-like of shape (n_samples, n_labels)
            Scores, higher for likelier.
        thresholds : float, array-like of shape (n_labels,) or mapping, default=0.5
            The thresholds in use.
        fold_thresholds : array-like of shape (n_folds, n_labels), default=None
            Thresholds that the folds would have chosen.
        metric : {"f1", "precision", "recall"}, default="f1"
            What to draw.
        labels : str or sequence of str, default=None
            Which to show; None shows all.
        label_names : sequence of str, default=None
            By default the columns of `y_true`, or numbers.
        ax, columns
            As in :meth:`plot`.

        Returns
        -------
        display : ThresholdDisplay

        Raises
        ------
        ValueError
            If shapes differ, or there is no such label or metric.
        """
        if metric not in _METRICS:
            raise ValueError(f"metric is one of {', '.join(_METRICS)}; got {metric!r}.")
        known = known_labels(y_true)
        y_score = check_finite_scores(y_score, known.labels.shape)
        names = find_label_names(y_true, y_score.shape[1], label_names)
        shown = chosen_labels(labels, names)
        if fold_thresholds is not None:
            fold_thresholds = np.asarray(fold_thresholds, dtype=float)
            if fold_thresholds.ndim != 2 or fold_thresholds.shape[1] != len(names):
                raise ValueError(
                    f"fold_thresholds has shape {fold_thresholds.shape}, expected "
                    f"(n_folds, {len(names)})."
                )
            fold_thresholds = fold_thresholds[:, shown]
        curves = [
            _curve(known.labels[rows, j], y_score[rows, j], metric)
            for j in shown
            for rows in [known.known[:, j]]
        ]
        display = cls(
            [at for at, _, _ in curves],
            [value for _, value, _ in curves],
            thresholds_of(thresholds, names)[shown],
            [names[j] for j in shown],
            metric=metric,
            baseline=np.array([always for _, _, always in curves]),
            fold_thresholds=fold_thresholds,
            n_unknown=known.n_unknown[shown],
        )
        return display.plot(ax, columns=columns)


def _curve(truth, score, metric):
    """Return the distinct scores, the metric at each as threshold, and that of predicting all."""
    if not truth.any():
        return np.empty(0), np.empty(0), np.nan
    precision, recall, at = precision_recall_curve(truth, score)
    # The last pair belongs to no threshold.
    precision, recall = precision[:-1], recall[:-1]
    f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
    share = truth.mean()
    always = {"precision": share, "recall": 1.0, "f1": 2 * share / (1 + share)}
    return at, {"precision": precision, "recall": recall, "f1": f1}[metric], always[metric]
