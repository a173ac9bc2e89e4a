"""Which labels come together, in the data and in what a model predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skposter._labels.checks import check_indicator
from skposter._labels.names import find_label_names
from skposter.display._facts import known_labels, scores_of
from skposter.display._matrix import plot_matrix, side_of
from skposter.display._pyplot import divided, import_pyplot, title
from skposter.thresholds import apply_thresholds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Self

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from skposter._typing import Array, Names, Samples

__all__ = ["LabelCooccurrenceDisplay"]


class LabelCooccurrenceDisplay:
    """Which labels come together: of the images with one label, how many have each other.

    Beside it, the same of the predicted labels: a model that has learned labels one by one may
    combine them as no data do.

    Parameters
    ----------
    true : ndarray of shape (n_labels, n_labels)
        How many images have both labels; the diagonal is how many have one.
    label_names : list
        Names of the labels.
    known : ndarray of shape (n_labels, n_labels), default=None
        How many images with the label of the row have the label of the column known. None stands
        for all of them.
    predicted : ndarray of shape (n_labels, n_labels), default=None
        As `true`, of the predicted labels.

    Attributes
    ----------
    axes_ : list of Axes
        One matrix or two, after :meth:`plot`.
    ax_ : matplotlib Axes
        The first, or the axes that were divided.
    figure_ : matplotlib Figure
        Where it is shown.

    Examples
    --------
    >>> from skposter.display import LabelCooccurrenceDisplay
    >>> display = LabelCooccurrenceDisplay.from_predictions([[1, 1], [1, 0], [1, 1]])
    >>> display.true.tolist()
    [[3, 2], [2, 2]]
    """

    def __init__(
        self,
        true: NDArray[Any],
        label_names: Sequence[Any],
        *,
        known: NDArray[Any] | None = None,
        predicted: NDArray[Any] | None = None,
    ) -> None:
        self.true = true
        self.label_names = label_names
        self.known = known
        self.predicted = predicted

    def plot(self, ax: Axes | None = None, *, normalize: bool = True) -> Self:
        """Draw the matrix, or two.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; two matrices divide it. None makes a figure.
        normalize : bool, default=True
            Whether to show percent of the images with the label of the row, or numbers.

        Returns
        -------
        display : LabelCooccurrenceDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        plt = import_pyplot()
        matrices = [("labels of the images", self.true, self.known)]
        if self.predicted is not None:
            matrices.append(("predicted labels", self.predicted, None))
        n = len(matrices)
        if ax is None:
            side = side_of(self.label_names)
            _, axes = plt.subplots(
                1, n, figsize=(n * side, side), layout="constrained", squeeze=False
            )
            self.axes_ = list(axes[0])
        elif n == 1:
            self.axes_ = [ax]
        else:
            self.axes_ = list(divided(ax, 1, n)[0])
        for axes, (what, counts, known) in zip(self.axes_, matrices, strict=True):
            shown = counts.astype(float)
            if normalize:
                support = np.diag(counts)[:, None] if known is None else known
                share = np.full(shown.shape, np.nan)
                shown = 100 * np.divide(shown, support, out=share, where=support > 0)
            np.fill_diagonal(shown, np.nan)
            plot_matrix(axes, shown, self.label_names, self.label_names, colours="Purples")
            unit = "% of the images with the label of the row" if normalize else "images"
            title(axes, what)
            axes.set_xlabel(f"also has ({unit})")
        self.ax_ = self.axes_[0] if ax is None else ax
        self.figure_ = self.axes_[0].figure
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Samples,
        y: Array,
        *,
        label_names: Names | None = None,
        normalize: bool = True,
        ax: Axes | None = None,
    ) -> Self:
        """Predict labels, and show which come together beside those of `y`.

        Parameters
        ----------
        estimator : classifier or Pipeline
            Fitted, with ``predict_proba``. Its ``thresholds_``, if it has any, decide; else 0.5.
        X : array-like of length n_samples
            What it predicts for.
        y : array-like or DataFrame of shape (n_samples, n_labels)
            The labels, 0/1, or NaN where nobody knows.
        label_names : sequence of str, default=None
            By default the columns of `y`, or the ``label_names_`` of the estimator.
        ax, normalize
            As in :meth:`plot`.

        Returns
        -------
        display : LabelCooccurrenceDisplay
        """
        y_score, names, thresholds, min_labels = scores_of(estimator, X, y, label_names)
        y_pred = apply_thresholds(y_score, thresholds, min_labels=min_labels)
        return cls.from_predictions(y, y_pred, label_names=names, normalize=normalize, ax=ax)

    @classmethod
    def from_predictions(
        cls,
        y_true: Array,
        y_pred: Array | None = None,
        *,
        label_names: Names | None = None,
        normalize: bool = True,
        ax: Axes | None = None,
    ) -> Self:
        """Show which labels come together, and which predicted ones.

        Parameters
        ----------
        y_true : array-like or DataFrame of shape (n_samples, n_labels)
            The labels, 0/1, or NaN where nobody knows. For a pair of labels, only the images count
            of which both are known.
        y_pred : array-like of shape (n_samples, n_labels), default=None
            The predicted labels, 0/1.
        label_names : sequence of str, default=None
            By default the columns of `y_true`, or numbers.
        ax, normalize
            As in :meth:`plot`.

        Returns
        -------
        display : LabelCooccurrenceDisplay
        """
        labels, known = known_labels(y_true)
        names = find_label_names(y_true, labels.shape[1], label_names)
        has = labels.astype(int)
        predicted = None
        if y_pred is not None:
            decided = check_indicator(y_pred, "y_pred").astype(int)
            if decided.shape != has.shape:
                raise ValueError(f"y_pred has shape {decided.shape}, expected {has.shape}.")
            predicted = decided.T @ decided
        display = cls(has.T @ has, names, known=has.T @ known.astype(int), predicted=predicted)
        return display.plot(ax, normalize=normalize)
