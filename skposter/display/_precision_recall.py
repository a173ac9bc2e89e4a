"""Precision against recall, a panel a label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve

from skposter._labels.checks import check_finite_scores
from skposter._labels.names import find_label_names
from skposter.display._facts import (
    chosen_labels,
    known_labels,
    noted,
    scores_of,
    thresholds_of,
)
from skposter.display._pyplot import COLOURS, label_outer, legend_below, panels, plain_axes, title

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Self

    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from skposter._typing import Array, Names, Samples, Threshold

__all__ = ["PrecisionRecallLabelsDisplay"]


class PrecisionRecallLabelsDisplay:
    """Precision against recall of each label, with the point where its threshold lies.

    scikit-learn's ``PrecisionRecallDisplay`` for several labels. The dashed line is the frequency
    of the label, which is the precision of scores that know nothing.

    Parameters
    ----------
    precision, recall : list of ndarray
        Of each label, from recall 1 to 0. Empty for a label without positives.
    average_precision : ndarray of shape (n_labels,)
        NaN without positives.
    frequency : ndarray of shape (n_labels,)
        Share of the images with each label.
    label_names : list
        Names of the labels.
    chosen : ndarray of shape (n_labels, 2), default=None
        Recall and precision at the threshold of each label.
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
    >>> from skposter.display import PrecisionRecallLabelsDisplay
    >>> y_true = [[1, 0], [0, 1], [1, 1], [0, 0]]
    >>> y_score = [[0.9, 0.3], [0.4, 0.2], [0.7, 0.8], [0.2, 0.1]]
    >>> display = PrecisionRecallLabelsDisplay.from_predictions(
    ...     y_true, y_score, label_names=["Drama", "War"], thresholds=0.5
    ... )
    >>> display.average_precision.round(2), display.chosen
    (array([1.  , 0.83]), array([[1. , 1. ],
           [0.5, 1. ]]))
    """

    def __init__(
        self,
        precision: Any,
        recall: Any,
        average_precision: Any,
        frequency: Any,
        label_names: Sequence[Any],
        *,
        chosen: Any = None,
        n_unknown: Any = None,
    ) -> None:
        self.precision = precision
        self.recall = recall
        self.average_precision = average_precision
        self.frequency = frequency
        self.label_names = label_names
        self.chosen = chosen
        self.n_unknown = n_unknown

    def plot(self, ax: Axes | None = None, *, columns: int | None = None) -> Self:
        """Draw a panel a label.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The place to divide into panels; None makes a figure.
        columns : int, default=None
            Panels in a row; None takes up to four.

        Returns
        -------
        display : PrecisionRecallLabelsDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        self.ax_, self.axes_ = panels(ax, len(self.label_names), columns)
        self.lines_: list[Line2D] = []
        for j, (axes, name) in enumerate(zip(self.axes_, self.label_names, strict=True)):
            plain_axes(axes)
            axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.05))
            unknown = 0 if self.n_unknown is None else self.n_unknown[j]
            if not len(self.recall[j]):
                title(axes, name, noted(n_unknown=unknown))
                axes.text(0.5, 0.5, "no positives", ha="center", color=COLOURS["baseline"])
                continue
            title(axes, name, noted(f"AP {self.average_precision[j]:.2f}", n_unknown=unknown))
            axes.axhline(
                self.frequency[j], color=COLOURS["baseline"], ls="--", lw=1, label="frequency"
            )
            self.lines_ += axes.plot(
                self.recall[j],
                self.precision[j],
                color=COLOURS["model"],
                drawstyle="steps-post",
                lw=1.6,
            )
            if self.chosen is not None and np.isfinite(self.chosen[j]).all():
                axes.plot(
                    *self.chosen[j],
                    "o",
                    color=COLOURS["chosen"],
                    ms=5,
                    clip_on=False,
                    label="at the threshold",
                )
        self.figure_ = self.axes_[0].figure
        legend_below(ax, self.axes_)
        label_outer(self.axes_, columns, "recall", "precision")
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Samples,
        y: Array,
        *,
        labels: Any = None,
        label_names: Names | None = None,
        ax: Axes | None = None,
        columns: int | None = None,
    ) -> Self:
        """Predict, and draw the curves with the estimator's thresholds.

        Parameters
        ----------
        estimator : classifier or Pipeline
            Fitted, with ``predict_proba``. Its ``thresholds_``, if it has any, are marked; else
            0.5.
        X : array-like of length n_samples
            What it predicts for.
        y : array-like or DataFrame of shape (n_samples, n_labels)
            The labels, 0/1, or NaN where nobody knows.
        labels : str or sequence of str, default=None
            Which to show; None shows all.
        label_names : sequence of str, default=None
            By default the columns of `y`, or the ``label_names_`` of the estimator.
        ax, columns
            As in :meth:`plot`.

        Returns
        -------
        display : PrecisionRecallLabelsDisplay
        """
        y_score, names, thresholds, _ = scores_of(estimator, X, y, label_names)
        return cls.from_predictions(
            y,
            y_score,
            thresholds=thresholds,
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
        thresholds: Threshold | None = None,
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
        thresholds : float, array-like of shape (n_labels,) or mapping, default=None
            Marked on the curves; None marks nothing.
        labels : str or sequence of str, default=None
            Which to show; None shows all.
        label_names : sequence of str, default=None
            By default the columns of `y_true`, or numbers.
        ax, columns
            As in :meth:`plot`.

        Returns
        -------
        display : PrecisionRecallLabelsDisplay

        Raises
        ------
        ValueError
            If shapes differ, or there is no such label.
        """
        known = known_labels(y_true)
        y_score = check_finite_scores(y_score, known.labels.shape)
        names = find_label_names(y_true, y_score.shape[1], label_names)
        shown = chosen_labels(labels, names)
        precision, recall, average, frequency = [], [], [], []
        for j in shown:
            rows = known.known[:, j]
            truth, score = known.labels[rows, j], y_score[rows, j]
            frequency.append(truth.mean() if len(truth) else np.nan)
            if not truth.any():
                precision.append(np.empty(0))
                recall.append(np.empty(0))
                average.append(np.nan)
                continue
            curve = precision_recall_curve(truth, score)
            precision.append(curve[0])
            recall.append(curve[1])
            average.append(average_precision_score(truth, score))
        chosen = None
        if thresholds is not None:
            cuts = thresholds_of(thresholds, names)
            chosen = np.array([_point(known, y_score, cuts, j) for j in shown])
        display = cls(
            precision,
            recall,
            np.array(average),
            np.array(frequency),
            [names[j] for j in shown],
            chosen=chosen,
            n_unknown=known.n_unknown[shown],
        )
        return display.plot(ax, columns=columns)


def _point(known, y_score, thresholds, j):
    """Return recall and precision at a threshold, NaN where they are not defined."""
    rows = known.known[:, j]
    truth, predicted = known.labels[rows, j], y_score[rows, j] >= thresholds[j]
    hits = (truth & predicted).sum()
    return [
        hits / truth.sum() if truth.any() else np.nan,
        hits / predicted.sum() if predicted.any() else np.nan,
    ]
