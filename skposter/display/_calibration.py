"""Whether probabilities are what they say, a panel a label."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.stats import binomtest

from skposter._labels.checks import check_probabilities
from skposter._labels.names import find_label_names
from skposter.display._facts import chosen_labels, known_labels, noted, scores_of
from skposter.display._pyplot import COLOURS, label_outer, legend_below, panels, plain_axes, title

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Self

    from matplotlib.axes import Axes

    from skposter._typing import Array, Names, Samples

__all__ = ["CalibrationLabelsDisplay"]

ALL_LABELS = "all labels"


class _Bins(NamedTuple):
    """Groups of equally many images, in the order of their probability; one array each."""

    predicted: np.ndarray
    observed: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n_images: np.ndarray


class CalibrationLabelsDisplay:
    """How often images have a label, against the probability that was predicted for it.

    scikit-learn's ``CalibrationDisplay`` for several labels: of images that get 30 %, three in ten
    should have the label. Images are put into bins of equal numbers, so that rare labels, whose
    probabilities are all low, show something too. Bars are 95 % intervals [1]_: where they cross
    the diagonal, chance explains the distance.

    Parameters
    ----------
    bins : list of tuple of ndarray
        Of each panel: mean predicted probability, share of images with the label, the ends of its
        interval, and how many images, a bin each.
    label_names : list
        Titles of the panels.
    n_unknown : list of int, default=None
        How many images were left out, because nobody knows whether they have the label.

    Attributes
    ----------
    axes_ : ndarray of Axes
        A panel a label, after :meth:`plot`.
    ax_ : matplotlib Axes or None
        The axes that were divided, if any were given.
    figure_ : matplotlib Figure
        Where it is shown.

    References
    ----------
    .. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
       Journal of the American Statistical Association 22, 1927.

    Examples
    --------
    >>> import numpy as np
    >>> from skposter.display import CalibrationLabelsDisplay
    >>> rng = np.random.default_rng(0)
    >>> y_score = rng.random((400, 2))
    >>> y_true = rng.random((400, 2)) < y_score
    >>> display = CalibrationLabelsDisplay.from_predictions(y_true, y_score, n_bins=2)
    >>> display.label_names
    ['all labels', 0, 1]
    >>> display.bins[0].predicted.round(2), display.bins[0].observed.round(2)
    (array([0.27, 0.77]), array([0.28, 0.76]))
    """

    def __init__(self, bins: Any, label_names: Sequence[Any], *, n_unknown: Any = None) -> None:
        self.bins = bins
        self.label_names = label_names
        self.n_unknown = n_unknown

    def plot(self, ax: Axes | None = None, *, columns: int | None = None) -> Self:
        """Draw a panel a label; each reaches as far as its probabilities do.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The place to divide into panels; None makes a figure.
        columns : int, default=None
            Panels in a row; None takes up to four.

        Returns
        -------
        display : CalibrationLabelsDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        self.ax_, self.axes_ = panels(ax, len(self.label_names), columns)
        for j, (axes, bins) in enumerate(zip(self.axes_, self.bins, strict=True)):
            plain_axes(axes)
            unknown = 0 if self.n_unknown is None else self.n_unknown[j]
            title(axes, self.label_names[j], noted(n_unknown=unknown))
            if not len(bins.n_images):
                continue
            limit = min(1.02, 1.1 * max(bins.predicted.max(), bins.high.max(), 0.01))
            axes.plot(
                [0, limit],
                [0, limit],
                color=COLOURS["baseline"],
                ls="--",
                lw=1,
                label="perfectly calibrated",
            )
            axes.errorbar(
                bins.predicted,
                bins.observed,
                np.maximum([bins.observed - bins.low, bins.high - bins.observed], 0),
                fmt="o-",
                color=COLOURS["model"],
                ms=4,
                lw=1.4,
                elinewidth=1,
                label="bins of equally many images, 95 % intervals",
            )
            axes.set(xlim=(0, limit), ylim=(0, limit))
        self.figure_ = self.axes_[0].figure
        legend_below(ax, self.axes_)
        label_outer(self.axes_, columns, "predicted", "share with it")
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Samples,
        y: Array,
        *,
        n_bins: int = 6,
        labels: Any = None,
        label_names: Names | None = None,
        ax: Axes | None = None,
        columns: int | None = None,
    ) -> Self:
        """Predict, and compare with the labels.

        Parameters
        ----------
        estimator : classifier or Pipeline
            Fitted, with ``predict_proba``.
        X : array-like of length n_samples
            What it predicts for.
        y : array-like or DataFrame of shape (n_samples, n_labels)
            The labels, 0/1, or NaN where nobody knows.
        n_bins, labels, label_names
            As in :meth:`from_predictions`.
        ax, columns
            As in :meth:`plot`.

        Returns
        -------
        display : CalibrationLabelsDisplay
        """
        y_score, names, _, _ = scores_of(estimator, X, y, label_names)
        return cls.from_predictions(
            y, y_score, n_bins=n_bins, labels=labels, label_names=names, ax=ax, columns=columns
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Array,
        y_score: Array,
        *,
        n_bins: int = 6,
        labels: Any = None,
        label_names: Names | None = None,
        ax: Axes | None = None,
        columns: int | None = None,
    ) -> Self:
        """Compare probabilities that were predicted before with the labels.

        Parameters
        ----------
        y_true : array-like or DataFrame of shape (n_samples, n_labels)
            The labels, 0/1, or NaN where nobody knows.
        y_score : array-like of shape (n_samples, n_labels)
            Probabilities.
        n_bins : int, default=6
            Bins of equally many images.
        labels : str or sequence of str, default=None
            Which to show; None shows one panel for all labels together, then all of them.
        label_names : sequence of str, default=None
            By default the columns of `y_true`, or numbers.
        ax, columns
            As in :meth:`plot`.

        Returns
        -------
        display : CalibrationLabelsDisplay

        Raises
        ------
        ValueError
            If shapes differ, a score is not a probability, or there is no such label.
        """
        if not isinstance(n_bins, Integral) or n_bins < 1:
            raise ValueError(f"n_bins is a whole number from 1 up, got {n_bins!r}.")
        known = known_labels(y_true)
        y_score = check_probabilities(y_score, known.labels.shape)
        names = find_label_names(y_true, y_score.shape[1], label_names)
        shown = chosen_labels(labels, names)
        bins, titles, n_unknown = [], [], []
        if labels is None and len(names) > 1:
            bins.append(_binned(known.labels[known.known], y_score[known.known], n_bins))
            titles.append(ALL_LABELS)
            n_unknown.append(int(known.n_unknown.sum()))
        for j in shown:
            rows = known.known[:, j]
            bins.append(_binned(known.labels[rows, j], y_score[rows, j], n_bins))
            titles.append(names[j])
            n_unknown.append(int(known.n_unknown[j]))
        return cls(bins, titles, n_unknown=n_unknown).plot(ax, columns=columns)


def _binned(truth, probability, n_bins):
    order = np.argsort(probability, kind="stable")
    groups = [group for group in np.array_split(order, n_bins) if len(group)]
    intervals = [
        binomtest(int(truth[group].sum()), len(group)).proportion_ci(0.95, "wilson")
        for group in groups
    ]
    return _Bins(
        np.array([probability[group].mean() for group in groups]),
        np.array([truth[group].mean() for group in groups]),
        np.array([interval.low for interval in intervals]),
        np.array([interval.high for interval in intervals]),
        np.array([len(group) for group in groups]),
    )
