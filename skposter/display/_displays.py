"""Displays in the manner of scikit-learn: a label grid and the course of a training."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.utils import _safe_indexing

from skposter._estimators.steps import steps_inwards
from skposter._labels.checks import check_finite_scores, check_indicator
from skposter._labels.names import find_label_names
from skposter._labels.probabilities import label_scores
from skposter.display._label_grid import draw_label_grid
from skposter.images import (
    PixelOptions,
    UnreadableImage,
    as_sources,
    describe,
    failure_report,
    load_pixels,
    natural_size,
)

__all__ = ["HistoryDisplay", "LabelGridDisplay", "draw_label_grid"]

_SHOWN_WIDTH = 330


class LabelGridDisplay:
    """Images in a grid with their true labels above the most probable predicted ones.

    Make it with :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    images : sequence of ndarray or PIL.Image.Image
        What to show; see :func:`draw_label_grid`.
    truths : list of tuple of str, default=None
        The labels of each image.
    predictions : list of list of (str, float), default=None
        Predicted labels of each image with their probabilities, best first.

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
    >>> display.predictions
    [[('Drama', 0.9)], [('War', 0.6)]]
    >>> display.picture_.save("grid.png")  # doctest: +SKIP
    """

    def __init__(self, images, *, truths=None, predictions=None):
        self.images = images
        self.truths = truths
        self.predictions = predictions

    def plot(self, ax=None, *, columns=None, title=None):
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
        display : LabelGridDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        plt = _import_pyplot()
        self.picture_ = draw_label_grid(
            self.images, self.truths, self.predictions, columns=columns, title=title
        )
        if ax is None:
            size = self.picture_.width / 110, self.picture_.height / 110
            ax = plt.figure(figsize=size).add_axes((0, 0, 1, 1))
        ax.imshow(np.asarray(self.picture_))
        ax.set_axis_off()
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        k=3,
        n_images=12,
        label_names=None,
        ax=None,
        columns=None,
        title=None,
    ):
        """Predict labels of the first images and show them.

        Parameters
        ----------
        estimator : classifier or Pipeline
            Fitted, with ``predict_proba``.
        X : array-like of length n_samples
            What it predicts for: paths, or uint8 images.
        y : array-like or DataFrame of shape (n_samples, n_labels), default=None
            The labels, 0/1.
        k : int, default=3
            How many labels to show of each image.
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
        rows = np.arange(min(n_images, len(X)))
        X = _safe_indexing(X, rows)
        label_names = _names(estimator, y, label_names)
        y = None if y is None else _safe_indexing(y, rows)
        y_score = label_scores(estimator, X, len(label_names))
        return cls.from_predictions(
            _load(X),
            y,
            y_score,
            label_names=label_names,
            k=k,
            ax=ax,
            columns=columns,
            title=title,
        )

    @classmethod
    def from_predictions(
        cls, images, y_true, y_score, *, label_names=None, k=3, ax=None, columns=None, title=None
    ):
        """Show images with labels that were predicted before.

        Parameters
        ----------
        images : sequence of ndarray or PIL.Image.Image
            What to show; see :func:`draw_label_grid`.
        y_true : array-like or DataFrame of shape (n_samples, n_labels), or None
            The labels, 0/1.
        y_score : array-like of shape (n_samples, n_labels), or None
            Probabilities; None shows the true labels alone.
        label_names : sequence of str, default=None
            By default the columns of `y_true`, or numbers.
        k : int, default=3
            How many labels to show of each image.
        ax, columns, title
            As in :meth:`plot`.

        Returns
        -------
        display : LabelGridDisplay
        """
        truths = predictions = None
        if y_true is not None:
            labels = check_indicator(y_true, "y_true")
            names = find_label_names(y_true, labels.shape[1], label_names)
            truths = [tuple(names[j] for j in np.flatnonzero(row)) for row in labels]
        if y_score is not None:
            y_score = check_finite_scores(y_score, None if y_true is None else labels.shape)
            names = find_label_names(y_true, y_score.shape[1], label_names)
            order = np.argsort(-y_score, axis=1, kind="stable")[:, :k]
            predictions = [
                [(names[j], float(row[j])) for j in best]
                for row, best in zip(y_score, order, strict=True)
            ]
        display = cls(images, truths=truths, predictions=predictions)
        return display.plot(ax, columns=columns, title=title)


class HistoryDisplay:
    """Training and validation loss, epoch by epoch.

    Parameters
    ----------
    history : mapping of str to sequence of float
        Values by name, one an epoch, as in ``history_``.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it is shown, after :meth:`plot`.

    Examples
    --------
    >>> from skposter.display import HistoryDisplay
    >>> display = HistoryDisplay({"loss": [0.5, 0.3], "val_loss": [0.6, 0.5]}).plot()
    >>> [line.get_label() for line in display.ax_.get_lines()]
    ['training', 'validation']
    """

    def __init__(self, history):
        self.history = history

    def plot(self, ax=None, *, metric="loss"):
        """Plot a value of the history and its counterpart on the validation part.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        metric : str, default="loss"
            Which value.

        Returns
        -------
        display : HistoryDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        ValueError
            If the history has no such value.
        """
        if metric not in self.history:
            raise ValueError(
                f"The history has no {metric!r}; it has {', '.join(map(str, self.history))}."
            )
        plt = _import_pyplot()
        if ax is None:
            _, ax = plt.subplots()
        for name, label in ((metric, "training"), (f"val_{metric}", "validation")):
            if name in self.history:
                values = np.asarray(self.history[name], dtype=float)
                ax.plot(np.arange(1, len(values) + 1), values, marker=".", label=label)
        ax.set(xlabel="epoch", ylabel=metric)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, metric="loss"):
        """Plot the history of a fitted classifier.

        Parameters
        ----------
        estimator : MultiLabelImageClassifier, or a Pipeline, search or wrapper that has one
            Fitted, with ``history_``. Of several, as in an average, the first is plotted.
        ax, metric
            As in :meth:`plot`.

        Returns
        -------
        display : HistoryDisplay

        Raises
        ------
        ValueError
            If the estimator has no history.
        """
        history = _find(estimator, "history_")
        if not isinstance(history, Mapping):
            raise ValueError(
                f"{type(estimator).__name__} has no history_: is it fitted, and does it end in a "
                "MultiLabelImageClassifier?"
            )
        return cls(history).plot(ax, metric=metric)


def _find(estimator, attribute):
    """Return an attribute of the estimator or of what it wraps, or None."""
    found = (step for step in steps_inwards(estimator) if hasattr(step, attribute))
    return getattr(next(found, None), attribute, None)


def _names(estimator, y, label_names):
    for names in (label_names, getattr(y, "columns", None), _find(estimator, "label_names_")):
        if names is not None:
            return list(names)
    if y is None:
        raise ValueError("The labels have no names: pass label_names, or y.")
    return find_label_names(y, np.shape(y)[1])


def _load(X):
    images, failures = [], []
    for row, source in enumerate(as_sources(X)):
        try:
            width, height = natural_size(source)
            size = max(1, round(_SHOWN_WIDTH * height / width)), _SHOWN_WIDTH
            images.append(load_pixels(source, PixelOptions(size=size)))
        except UnreadableImage as error:
            failures.append((row, describe(source), str(error)))
    if failures:
        raise failure_report(failures, "Images that could not be read")
    return images


def _import_pyplot():
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Displays are shown through matplotlib: pip install skposter[plot]. "
            "skposter.display.draw_label_grid makes its picture without."
        ) from error
    return plt
