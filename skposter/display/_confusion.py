"""What is predicted in place of what, for images with several labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skposter._labels.checks import check_indicator
from skposter._labels.names import find_label_names
from skposter.display._facts import KnownLabels, known_labels, scores_of
from skposter.display._matrix import plot_matrix, side_of
from skposter.display._pyplot import import_pyplot
from skposter.thresholds import apply_thresholds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal, Self

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from skposter._typing import Array, Names, Samples

__all__ = ["NOTHING", "LabelConfusionDisplay", "label_confusion"]

NOTHING = "(nothing)"


def label_confusion(y_true: Array, y_pred: Array) -> NDArray[np.float64]:
    """Return how often each label is predicted in place of each other.

    Of an image with the labels T and the predictions P, each label in both is a hit. The missed
    labels, T without P, and the false alarms, P without T, are matched with each other as evenly as
    their numbers allow: with m missed and f false, each pair of them counts 1 / max(m, f), and what
    remains is missed with nothing in its place, or predicted in place of nothing.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        The labels, 0/1, or NaN where nobody knows: such labels of an image do not count for it,
        true or predicted.
    y_pred : array-like of shape (n_samples, n_labels)
        The predicted labels, 0/1.

    Returns
    -------
    confusion : ndarray of shape (n_labels + 1, n_labels + 1), float64
        Rows are true labels, columns predicted ones; the last of each is "nothing". Rows add up to
        the number of images with the label, columns to the number for which it is predicted, so the
        diagonal over their sums is recall and precision. The last number of all is 0.

    Notes
    -----
    With one label an image and one prediction, this is scikit-learn's ``confusion_matrix``. Even
    matching is the transport of greatest entropy, as in [1]_; the row and the column for nothing
    are those of [2]_, whose matrix has no such sums.

    References
    ----------
    .. [1] J. Erbani, P.-E. Portier, E. Egyed-Zsigmond, D. Nurbakova, "Confusion Matrices: A Unified
       Theory", IEEE Access 12, 2024.
    .. [2] M. Heydarian, T. E. Doyle, R. Samavi, "MLCM: Multi-Label Confusion Matrix", IEEE Access
       10, 2022.

    Examples
    --------
    An image with Drama (0) and War (1) for which War and Comedy (2) are predicted: one hit, and
    Comedy in place of Drama. Another with Drama, for which nothing is predicted:

    >>> from skposter.display import label_confusion
    >>> label_confusion([[1, 1, 0], [1, 0, 0]], [[0, 1, 1], [0, 0, 0]])
    array([[0., 0., 1., 1.],
           [0., 1., 0., 0.],
           [0., 0., 0., 0.],
           [0., 0., 0., 0.]])
    """
    known = known_labels(y_true)
    y_pred = check_indicator(y_pred, "y_pred")
    if y_pred.shape != known.labels.shape:
        raise ValueError(f"y_pred has shape {y_pred.shape}, expected {known.labels.shape}.")
    y_pred = y_pred & known.known
    missed = (known.labels & ~y_pred).astype(float)
    false = (y_pred & ~known.labels).astype(float)
    n_missed, n_false = missed.sum(axis=1), false.sum(axis=1)
    more = np.maximum(np.maximum(n_missed, n_false), 1)
    n_labels = y_pred.shape[1]
    confusion = np.zeros((n_labels + 1, n_labels + 1))
    confusion[:-1, :-1] = missed.T @ (false / more[:, None])
    confusion[:-1, -1] = missed.T @ (1 - n_false / more)
    confusion[-1, :-1] = false.T @ (1 - n_missed / more)
    hits = (known.labels & y_pred).sum(axis=0)
    confusion[np.arange(n_labels), np.arange(n_labels)] = hits
    return confusion


class LabelConfusionDisplay:
    """What is predicted in place of what; see :func:`label_confusion`.

    Parameters
    ----------
    confusion : ndarray of shape (n_labels + 1, n_labels + 1)
        As from :func:`label_confusion`.
    label_names : list
        Names of the labels.
    n_unknown : ndarray of shape (n_labels,), default=None
        How many images were left out, because nobody knows whether they have the label.

    Attributes
    ----------
    im_ : matplotlib AxesImage
        The matrix, after :meth:`plot`.
    text_ : list of Text
        The numbers in it.
    ax_, figure_ : matplotlib Axes and Figure
        Where it is shown.

    Examples
    --------
    >>> from skposter.display import LabelConfusionDisplay
    >>> display = LabelConfusionDisplay.from_predictions(
    ...     [[1, 1, 0], [1, 0, 0]], [[0, 1, 1], [0, 0, 0]], label_names=["Drama", "War", "Comedy"]
    ... )
    >>> display.confusion[0].tolist()
    [0.0, 0.0, 1.0, 1.0]
    """

    def __init__(
        self,
        confusion: NDArray[Any],
        label_names: Sequence[Any],
        *,
        n_unknown: ArrayLike | None = None,
    ) -> None:
        self.confusion = confusion
        self.label_names = label_names
        self.n_unknown = n_unknown

    def plot(
        self, ax: Axes | None = None, *, normalize: Literal["true", "pred"] | None = "true"
    ) -> Self:
        """Draw the matrix.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        normalize : {"true", "pred", None}, default="true"
            Percent of each row, that is of the images with a label (in the last row, of the
            predictions in place of nothing); percent of each column, that is of the images for
            which a label is predicted; or numbers.

        Returns
        -------
        display : LabelConfusionDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        ValueError
            If `normalize` is something else.
        """
        if normalize not in ("true", "pred", None):
            raise ValueError(f"normalize is 'true', 'pred' or None; got {normalize!r}.")
        plt = import_pyplot()
        names = [*map(str, self.label_names), NOTHING]
        shown = self.confusion
        if normalize is not None:
            total = shown.sum(axis=1 if normalize == "true" else 0, keepdims=True)
            shown = 100 * np.divide(shown, total, out=np.full_like(shown, np.nan), where=total > 0)
        if ax is None:
            side = side_of(names)
            _, ax = plt.subplots(figsize=(side, side), layout="constrained")
        self.im_, self.text_ = plot_matrix(
            ax, shown, names, names, largest=100 if normalize else None
        )
        for draw in (ax.axhline, ax.axvline):
            draw(len(names) - 1.5, color="0.25", lw=1)
        unit = {"true": "% of each row", "pred": "% of each column", None: "images"}[normalize]
        unknown = 0 if self.n_unknown is None else int(np.sum(self.n_unknown))
        note = f"; {unknown} unknown labels left out" if unknown else ""
        ax.set(xlabel=f"predicted ({unit}{note})", ylabel="true label that it is predicted for")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Samples,
        y: Array,
        *,
        label_names: Names | None = None,
        normalize: Literal["true", "pred"] | None = "true",
        ax: Axes | None = None,
    ) -> Self:
        """Predict labels and compare them with the true ones.

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
        display : LabelConfusionDisplay
        """
        y_score, names, thresholds, min_labels = scores_of(estimator, X, y, label_names)
        y_pred = apply_thresholds(y_score, thresholds, min_labels=min_labels)
        return cls.from_predictions(y, y_pred, label_names=names, normalize=normalize, ax=ax)

    @classmethod
    def from_predictions(
        cls,
        y_true: Array,
        y_pred: Array,
        *,
        label_names: Names | None = None,
        normalize: Literal["true", "pred"] | None = "true",
        ax: Axes | None = None,
    ) -> Self:
        """Compare labels that were predicted before with the true ones.

        Parameters
        ----------
        y_true : array-like or DataFrame of shape (n_samples, n_labels)
            The labels, 0/1, or NaN where nobody knows.
        y_pred : array-like of shape (n_samples, n_labels)
            The predicted labels, 0/1.
        label_names : sequence of str, default=None
            By default the columns of `y_true`, or numbers.
        ax, normalize
            As in :meth:`plot`.

        Returns
        -------
        display : LabelConfusionDisplay
        """
        known: KnownLabels = known_labels(y_true)
        names = find_label_names(y_true, known.labels.shape[1], label_names)
        display = cls(label_confusion(y_true, y_pred), names, n_unknown=known.n_unknown)
        return display.plot(ax, normalize=normalize)
