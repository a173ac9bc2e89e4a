"""Displays of heat maps, and of images whose labels look wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from sklearn.utils import _safe_indexing

from skposter._labels.names import find_label_names
from skposter.display import (
    PredictedLabel,
    divided,
    draw_label_grid,
    import_pyplot,
    known_labels,
    load_shown,
    scores_of,
)
from skposter.inspection._explain import explain
from skposter.inspection._label_issues import label_issues

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal, Self

    import pandas as pd
    from matplotlib.axes import Axes

    from skposter._typing import Array, Names, Samples
    from skposter.inspection._explanation import Explanation

__all__ = ["ExplanationDisplay", "LabelIssuesDisplay"]

_PANEL = 1.9


class ExplanationDisplay:
    """Images, each beside its heat maps: where the model looks for a label.

    Parameters
    ----------
    explanations : list of Explanation
        As from :func:`explain`.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_images, 1 + most labels of an image)
        The image, then a heat map a label, after :meth:`plot`.
    ax_ : matplotlib Axes or None
        The axes that were divided, if any were given.
    figure_ : matplotlib Figure
        Where it is shown.
    """

    def __init__(self, explanations: Sequence[Explanation]) -> None:
        self.explanations = explanations

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw a row an image.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The place to divide into panels; None makes a figure.

        Returns
        -------
        display : ExplanationDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        ValueError
            If there is nothing to show.
        """
        if not self.explanations:
            raise ValueError("There is no explanation to draw.")
        plt = import_pyplot()
        rows = len(self.explanations)
        columns = 1 + max(len(each.label_names) for each in self.explanations)
        shapes = [each.image_size[0] / each.image_size[1] for each in self.explanations]
        if ax is None:
            size = columns * _PANEL, _PANEL * sum(min(shape, 2) + 0.25 for shape in shapes)
            _, self.axes_ = plt.subplots(
                rows, columns, figsize=size, layout="constrained", squeeze=False
            )
        else:
            self.axes_ = divided(ax, rows, columns)
        for panels, explanation in zip(self.axes_, self.explanations, strict=True):
            for panel in panels:
                panel.set_axis_off()
            panels[0].imshow(load_shown([explanation.source])[0])
            told = zip(explanation.label_names, explanation.probabilities, strict=True)
            for panel, (name, probability) in zip(panels[1:], told, strict=False):
                panel.imshow(np.asarray(explanation.overlay(name)))
                panel.set_title(
                    f"{name} {100 * probability:.0f} %", fontsize="small", parse_math=False
                )
        self.ax_, self.figure_ = ax, self.axes_[0, 0].figure
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Samples,
        labels: Any = None,
        *,
        n_images: int = 4,
        method: Literal["hirescam", "gradcam", "layercam", "occlusion"] = "hirescam",
        label_names: Names | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Explain the first images and show them.

        Parameters
        ----------
        estimator : classifier or Pipeline
            Fitted.
        X : sequence of n_samples image sources
            What it takes: paths, or uint8 images.
        labels, method, label_names
            As in :func:`explain`.
        n_images : int, default=4
            How many images to show, from the first.
        ax : matplotlib Axes, default=None
            As in :meth:`plot`.

        Returns
        -------
        display : ExplanationDisplay
        """
        first = _safe_indexing(X, np.arange(min(n_images, len(X))))
        found = explain(estimator, first, labels, method=method, label_names=label_names)
        return cls(found).plot(ax)


class LabelIssuesDisplay:
    """Images with given labels that look wrong, most implausible first.

    Below each image stand all its given labels, then those that are in doubt: an empty circle is a
    label that is given and that the model does not see, a cross one that the model sees and that is
    not given.

    Parameters
    ----------
    images : sequence of ndarray or PIL.Image.Image
        The images to show.
    issues : DataFrame
        As from :func:`label_issues`; the rows of the images that are shown.
    truths : list of tuple of str
        The given labels of each.
    captions : list of str
        A line above them.

    Attributes
    ----------
    picture_ : PIL.Image.Image
        The grid, after :meth:`plot`.
    ax_, figure_ : matplotlib Axes and Figure
        Where it is shown, after :meth:`plot`.
    """

    def __init__(
        self, images: Samples, issues: pd.DataFrame, *, truths: Any, captions: Sequence[str]
    ) -> None:
        self.images = images
        self.issues = issues
        self.truths = truths
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
        display : LabelIssuesDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        plt = import_pyplot()
        doubts: list[list[Any]] = [
            [
                PredictedLabel(doubt.label, doubt.probability, 0.5, not doubt.given)
                for doubt in cast(Any, group.itertuples())
            ]
            for _, group in self.issues.groupby("row", sort=False)
        ]
        self.picture_ = draw_label_grid(
            self.images,
            self.truths,
            doubts,
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

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Samples,
        y: Array,
        *,
        n_images: int = 12,
        label_names: Names | None = None,
        ax: Axes | None = None,
        columns: int | None = None,
        title: str | None = None,
    ) -> Self:
        """Predict for images that the estimator was not trained on, and show what looks wrong.

        Parameters
        ----------
        estimator : classifier or Pipeline
            Fitted, with ``predict_proba``, on other images than these.
        X : array-like of length n_samples
            What it predicts for: paths, or uint8 images.
        y : array-like or DataFrame of shape (n_samples, n_labels)
            The given labels, 0/1, or NaN where nobody knows.
        n_images : int, default=12
            How many images to show at most.
        label_names : sequence of str, default=None
            By default the columns of `y`, or the ``label_names_`` of the estimator.
        ax, columns, title
            As in :meth:`plot`.

        Returns
        -------
        display : LabelIssuesDisplay
        """
        y_score, names, _, _ = scores_of(estimator, X, y, label_names)
        return cls.from_predictions(
            X,
            y,
            y_score,
            n_images=n_images,
            label_names=names,
            ax=ax,
            columns=columns,
            title=title,
        )

    @classmethod
    def from_predictions(
        cls,
        images: Samples,
        y: Array,
        y_score: Array,
        *,
        n_images: int = 12,
        label_names: Names | None = None,
        ax: Axes | None = None,
        columns: int | None = None,
        title: str | None = None,
    ) -> Self:
        """Show the images with the least plausible labels.

        Parameters
        ----------
        images : array-like of length n_samples
            Images or paths; only those that are shown are read.
        y, y_score, label_names
            As in :func:`label_issues`.
        n_images : int, default=12
            How many images to show at most.
        ax, columns, title
            As in :meth:`plot`.

        Returns
        -------
        display : LabelIssuesDisplay

        Raises
        ------
        ValueError
            If no label looks wrong.
        """
        issues = label_issues(y, y_score, label_names=label_names)
        if issues.empty:
            raise ValueError("No label looks wrong; there is nothing to show.")
        rows = issues["row"].drop_duplicates().to_numpy()[:n_images]
        shown = issues[issues["row"].isin(rows)]
        labels, _ = known_labels(y, "y")
        names = find_label_names(y, labels.shape[1], label_names)
        display = cls(
            load_shown(_safe_indexing(images, rows)),
            shown,
            truths=[tuple(names[j] for j in np.flatnonzero(labels[row])) for row in rows],
            captions=[f"row {row}" for row in rows],
        )
        return display.plot(ax, columns=columns, title=title)
