"""Displays of images with their labels: some of them, or those with the worst mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import _safe_indexing

from skposter._labels.checks import check_finite_scores, check_probabilities
from skposter._labels.names import find_label_names
from skposter.display._facts import (
    chosen_labels,
    known_labels,
    label_names_of,
    scores_of,
    thresholds_of,
)
from skposter.display._label_grid import draw_label_grid
from skposter.display._outcomes import PredictedLabel
from skposter.display._pyplot import import_pyplot
from skposter.display._shown_images import load_shown
from skposter.thresholds import apply_thresholds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Self

    from matplotlib.axes import Axes

    from skposter._typing import Array, Names, Samples, Threshold

__all__ = ["LabelGridDisplay", "WorstImagesDisplay", "label_losses"]

# As Keras clips, so that losses agree with those of a training.
_EPSILON = 1e-7


class _ImagesDisplay:
    """Images above their labels, drawn by :func:`draw_label_grid`."""

    def __init__(
        self,
        images: Samples,
        *,
        truths: Any = None,
        predictions: Any = None,
        unknowns: Any = None,
        captions: Sequence[str] | None = None,
    ) -> None:
        self.images = images
        self.truths = truths
        self.predictions = predictions
        self.unknowns = unknowns
        self.captions = captions

    def plot(
        self, ax: Axes | None = None, *, columns: int | None = None, title: str | None = None
    ) -> Self:
        """Draw the grid and show it through matplotlib.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure of the right size.
        columns : int, default=None
            Images in a row; None takes up to six.
        title : str, default=None
            A line above the grid.

        Returns
        -------
        display : object
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        plt = import_pyplot()
        self.picture_ = draw_label_grid(
            self.images,
            self.truths,
            self.predictions,
            unknowns=self.unknowns,
            captions=self.captions,
            columns=columns,
            title=title,
        )
        if ax is None:
            size = self.picture_.width / 110, self.picture_.height / 110
            ax = plt.figure(figsize=size).add_axes((0, 0, 1, 1))
        ax.imshow(np.asarray(self.picture_))
        ax.set_axis_off()
        self.ax_, self.figure_ = ax, ax.figure
        return self


class LabelGridDisplay(_ImagesDisplay):
    """Images in a grid with their true labels above the predicted ones.

    A hit, a miss, a false alarm and a label that is rightly left out have signs of their own, and a
    line across each bar shows the threshold; see :func:`draw_label_grid`. Shown of each image are
    the likeliest labels and whatever else it has or gets. Make it with :meth:`from_estimator` or
    :meth:`from_predictions`.

    Parameters
    ----------
    images : sequence of ndarray or PIL.Image.Image
        What to show; see :func:`draw_label_grid`.
    truths : list of tuple of str, default=None
        The labels of each image.
    predictions : list of list of PredictedLabel, default=None
        Labels of each image with probability and threshold, likeliest first.
    unknowns : list of tuple of str, default=None
        Labels of each image of which nobody knows whether it has them.
    captions : list of str, default=None
        A line above the labels of each image.

    Attributes
    ----------
    picture_ : PIL.Image.Image
        The grid, after :meth:`plot`.
    ax_, figure_ : matplotlib Axes and Figure
        Where it is shown, after :meth:`plot`.

    Examples
    --------
    >>> import numpy as np
    >>> from skposter.display import LabelGridDisplay
    >>> images = np.zeros((2, 30, 20, 3), dtype=np.uint8)
    >>> display = LabelGridDisplay.from_predictions(
    ...     images, [[1, 0], [1, 1]], [[0.9, 0.2], [0.3, 0.6]], label_names=["Drama", "War"], k=1
    ... )
    >>> [[(label.name, label.decision) for label in row] for row in display.predictions]
    [[('Drama', True)], [('War', True), ('Drama', False)]]
    >>> display.picture_.save("grid.png")  # doctest: +SKIP
    """

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Samples,
        y: Array | None = None,
        *,
        k: int = 3,
        n_images: int = 12,
        label_names: Names | None = None,
        ax: Axes | None = None,
        columns: int | None = None,
        title: str | None = None,
    ) -> Self:
        """Predict labels of the first images and show them, with the estimator's thresholds.

        Parameters
        ----------
        estimator : classifier or Pipeline
            Fitted, with ``predict_proba``. Its ``thresholds_``, if it has any, decide; else 0.5.
        X : array-like of length n_samples
            What it predicts for: paths, or uint8 images.
        y : array-like or DataFrame of shape (n_samples, n_labels), default=None
            The labels, 0/1, or NaN where nobody knows.
        k : int, default=3
            How many labels to show of each image at least.
        n_images : int, default=12
            How many images to show, from the first.
        label_names : sequence of str, default=None
            By default the columns of `y`, or the ``label_names_`` of the estimator.
        ax, columns, title
            As in :meth:`plot`.

        Returns
        -------
        display : LabelGridDisplay

        Raises
        ------
        ImageLoadError
            If a path cannot be read as an image.
        ValueError
            If the number of labels is not known.
        """
        label_names = label_names_of(estimator, y, label_names)
        rows = np.arange(min(n_images, len(X)))
        X = _safe_indexing(X, rows)
        y = None if y is None else _safe_indexing(y, rows)
        y_score, names, thresholds, min_labels = scores_of(estimator, X, y, label_names)
        return cls.from_predictions(
            load_shown(X),
            y,
            y_score,
            thresholds=thresholds,
            min_labels=min_labels,
            label_names=names,
            k=k,
            ax=ax,
            columns=columns,
            title=title,
        )

    @classmethod
    def from_predictions(
        cls,
        images: Samples,
        y_true: Array | None,
        y_score: Array | None,
        *,
        thresholds: Threshold = 0.5,
        min_labels: int = 0,
        label_names: Names | None = None,
        k: int = 3,
        ax: Axes | None = None,
        columns: int | None = None,
        title: str | None = None,
    ) -> Self:
        """Show images with labels that were predicted before.

        Parameters
        ----------
        images : sequence of ndarray or PIL.Image.Image
            What to show; see :func:`draw_label_grid`.
        y_true : array-like or DataFrame of shape (n_samples, n_labels), or None
            The labels, 0/1, or NaN where nobody knows.
        y_score : array-like of shape (n_samples, n_labels), or None
            Probabilities; None shows the true labels alone.
        thresholds : float, array-like of shape (n_labels,) or mapping, default=0.5
            A label is predicted where its probability is at least this.
        min_labels : int, default=0
            An image with fewer predicted labels also gets those with the highest probabilities.
        label_names : sequence of str, default=None
            By default the columns of `y_true`, or numbers.
        k : int, default=3
            How many labels to show of each image at least.
        ax, columns, title
            As in :meth:`plot`.

        Returns
        -------
        display : LabelGridDisplay
        """
        parts = _described(y_true, y_score, thresholds, min_labels, label_names, k)
        return cls(images, **parts).plot(ax, columns=columns, title=title)


class WorstImagesDisplay(_ImagesDisplay):
    """The images on which probabilities and labels disagree most, worst first.

    What counts is the binary cross-entropy of an image, the mean of -log(probability given to what
    was the case) over its labels, or that of one label.

    Parameters
    ----------
    images, truths, predictions, unknowns, captions
        As in :class:`LabelGridDisplay`.
    rows : ndarray of shape (n_images,), int
        Which rows of the data they are.
    losses : ndarray of shape (n_images,)
        Their losses, falling.

    Attributes
    ----------
    picture_, ax_, figure_
        As in :class:`LabelGridDisplay`.

    Examples
    --------
    >>> import numpy as np
    >>> from skposter.display import WorstImagesDisplay
    >>> images = np.zeros((3, 30, 20, 3), dtype=np.uint8)
    >>> y_true, y_score = [[1, 0], [1, 0], [0, 1]], [[0.9, 0.1], [0.6, 0.4], [0.2, 0.1]]
    >>> display = WorstImagesDisplay.from_predictions(images, y_true, y_score, n_images=2)
    >>> display.rows, display.losses.round(2)
    (array([2, 1]), array([1.26, 0.51]))
    """

    def __init__(
        self,
        images: Samples,
        *,
        truths: Any = None,
        predictions: Any = None,
        unknowns: Any = None,
        captions: Sequence[str] | None = None,
        rows: Any = None,
        losses: Any = None,
    ) -> None:
        super().__init__(
            images, truths=truths, predictions=predictions, unknowns=unknowns, captions=captions
        )
        self.rows = rows
        self.losses = losses

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Samples,
        y: Array,
        *,
        label: Any = None,
        k: int = 3,
        n_images: int = 12,
        label_names: Names | None = None,
        ax: Axes | None = None,
        columns: int | None = None,
        title: str | None = None,
    ) -> Self:
        """Predict for all images and show those with the highest loss.

        Parameters
        ----------
        estimator : classifier or Pipeline
            Fitted, with ``predict_proba``. Its ``thresholds_``, if it has any, decide; else 0.5.
        X : array-like of length n_samples
            What it predicts for: paths, or uint8 images.
        y : array-like or DataFrame of shape (n_samples, n_labels)
            The labels, 0/1, or NaN where nobody knows.
        label : str, default=None
            The label whose loss counts; None stands for the mean over all.
        k, n_images, label_names
            As in :meth:`LabelGridDisplay.from_estimator`.
        ax, columns, title
            As in :meth:`LabelGridDisplay.plot`.

        Returns
        -------
        display : WorstImagesDisplay

        Raises
        ------
        ValueError
            If there is no such label, or labels and probabilities do not fit.
        """
        y_score, names, thresholds, min_labels = scores_of(estimator, X, y, label_names)
        return cls.from_predictions(
            X,
            y,
            y_score,
            label=label,
            thresholds=thresholds,
            min_labels=min_labels,
            label_names=names,
            k=k,
            n_images=n_images,
            ax=ax,
            columns=columns,
            title=title,
        )

    @classmethod
    def from_predictions(
        cls,
        images: Samples,
        y_true: Array,
        y_score: Array,
        *,
        label: Any = None,
        thresholds: Threshold = 0.5,
        min_labels: int = 0,
        label_names: Names | None = None,
        k: int = 3,
        n_images: int = 12,
        ax: Axes | None = None,
        columns: int | None = None,
        title: str | None = None,
    ) -> Self:
        """Show the images with the highest loss of probabilities that were predicted before.

        Parameters
        ----------
        images : array-like of length n_samples
            Images or paths; only those that are shown are read.
        y_true : array-like or DataFrame of shape (n_samples, n_labels)
            The labels, 0/1, or NaN where nobody knows.
        y_score : array-like of shape (n_samples, n_labels)
            Probabilities.
        label : str, default=None
            The label whose loss counts; None stands for the mean over all.
        thresholds, min_labels, label_names, k
            As in :meth:`LabelGridDisplay.from_predictions`.
        n_images : int, default=12
            How many images to show.
        ax, columns, title
            As in :meth:`LabelGridDisplay.plot`.

        Returns
        -------
        display : WorstImagesDisplay
        """
        known = known_labels(y_true)
        names = find_label_names(y_true, known.labels.shape[1], label_names)
        y_score = check_probabilities(y_score, known.labels.shape)
        loss = label_losses(known, y_score)
        chosen = chosen_labels(label, names)
        with np.errstate(invalid="ignore"):
            judged = known.known[:, chosen]
            total = np.where(judged, loss[:, chosen], 0).sum(axis=1)
            losses = np.where(judged.any(axis=1), total / judged.sum(axis=1), -np.inf)
        rows = np.argsort(-losses, kind="stable")[:n_images]
        rows = rows[np.isfinite(losses[rows])]
        parts = _described(
            _safe_indexing(y_true, rows),
            y_score[rows],
            thresholds,
            min_labels,
            names,
            k,
            always=chosen if label is not None else (),
        )
        what = "loss" if label is None else f"loss of {label}"
        parts["captions"] = [f"row {row} · {what} {losses[row]:.2f}" for row in rows]
        shown = load_shown(_safe_indexing(images, rows))
        display = cls(shown, **parts, rows=rows, losses=losses[rows])
        return display.plot(ax, columns=columns, title=title)


def label_losses(known, y_score):
    """Return the cross-entropy of each label of each image, `(n_samples, n_labels)`.

    Where nobody knows it is NaN.
    """
    y_score = np.asarray(y_score, dtype=float)
    given = np.where(known.labels, y_score, 1 - y_score)
    return np.where(known.known, -np.log(np.clip(given, _EPSILON, 1 - _EPSILON)), np.nan)


def _described(y_true, y_score, thresholds, min_labels, label_names, k, always=()):
    """Return what a grid shows of labels and scores."""
    parts: dict = {"truths": None, "predictions": None, "unknowns": None}
    known = None
    if y_true is not None:
        known = known_labels(y_true)
        names = find_label_names(y_true, known.labels.shape[1], label_names)
        parts["truths"] = [tuple(names[j] for j in np.flatnonzero(row)) for row in known.labels]
        parts["unknowns"] = [tuple(names[j] for j in np.flatnonzero(~row)) for row in known.known]
    if y_score is not None:
        y_score = check_finite_scores(y_score, None if known is None else known.labels.shape)
        names = find_label_names(y_true, y_score.shape[1], label_names)
        thresholds = thresholds_of(thresholds, names)
        decided = apply_thresholds(y_score, thresholds, min_labels=min_labels) == 1
        shown = decided.copy() if known is None else decided | known.labels
        order = np.argsort(-y_score, axis=1, kind="stable")
        np.put_along_axis(shown, order[:, :k], True, axis=1)
        shown[:, list(always)] = True
        parts["predictions"] = [
            [
                PredictedLabel(names[j], float(row[j]), float(thresholds[j]), bool(decided[i, j]))
                for j in order[i]
                if shown[i, j]
            ]
            for i, row in enumerate(y_score)
        ]
    return parts
