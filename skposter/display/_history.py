"""The course of a training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from skposter.display._facts import find_attribute
from skposter.display._pyplot import COLOURS, import_pyplot, plain_axes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Self

    from matplotlib.axes import Axes

__all__ = ["HistoryDisplay"]


class HistoryDisplay:
    """Training and validation loss, epoch by epoch, with the best epoch and a baseline.

    Parameters
    ----------
    history : mapping of str to sequence of float
        Values by name, one an epoch, as in ``history_``.
    baseline : float, default=None
        The loss of a model that knows the label frequencies only.

    Attributes
    ----------
    best_epoch_ : int
        The epoch, from 1, with the best value: of the validation part if there is one.
    ax_, figure_ : matplotlib Axes and Figure
        Where it is shown, after :meth:`plot`.

    Examples
    --------
    >>> from skposter.display import HistoryDisplay
    >>> history = {"loss": [0.5, 0.3, 0.2], "val_loss": [0.6, 0.5, 0.55]}
    >>> display = HistoryDisplay(history, baseline=0.58).plot()
    >>> display.best_epoch_
    2
    >>> [text.get_text() for text in display.ax_.get_legend().get_texts()]
    ['training', 'validation', 'label frequencies', 'best epoch: 2']
    """

    def __init__(
        self, history: Mapping[str, Sequence[float]], *, baseline: float | None = None
    ) -> None:
        self.history = history
        self.baseline = baseline

    def plot(
        self, ax: Axes | None = None, *, metric: str = "loss", higher_is_better: bool = False
    ) -> Self:
        """Plot a value of the history and its counterpart on the validation part.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        metric : str, default="loss"
            Which value. The baseline is drawn beside ``"loss"`` only.
        higher_is_better : bool, default=False
            Whether the best epoch is the one with the highest value.

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
        plt = import_pyplot()
        if ax is None:
            _, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
        plain_axes(ax)
        values = np.empty(0)
        for name, label, colour in (
            (metric, "training", COLOURS["model"]),
            (f"val_{metric}", "validation", COLOURS["second"]),
        ):
            if name in self.history:
                values = np.asarray(self.history[name], dtype=float)
                epochs = np.arange(1, len(values) + 1)
                ax.plot(epochs, values, marker=".", label=label, color=colour)
        if self.baseline is not None and metric == "loss":
            ax.axhline(
                self.baseline, color=COLOURS["baseline"], ls="--", lw=1, label="label frequencies"
            )
        self.best_epoch_ = 0
        if np.isfinite(values).any():
            best = int(np.nanargmax(values) if higher_is_better else np.nanargmin(values))
            self.best_epoch_ = best + 1
            ax.plot(
                self.best_epoch_,
                values[best],
                "o",
                ms=9,
                mfc="none",
                mec=COLOURS["chosen"],
                label=f"best epoch: {self.best_epoch_}",
            )
        ax.set(xlabel="epoch", ylabel=metric)
        ax.xaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg]
        ax.legend(frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        ax: Axes | None = None,
        metric: str = "loss",
        higher_is_better: bool = False,
    ) -> Self:
        """Plot the history of a fitted classifier.

        The baseline is the cross-entropy of the label frequencies of its training, if that is what
        it was trained for.

        Parameters
        ----------
        estimator : MultiLabelImageClassifier, or a Pipeline, search or wrapper that has one
            Fitted, with ``history_``. Of several, as in an average, the first is plotted.
        ax, metric, higher_is_better
            As in :meth:`plot`.

        Returns
        -------
        display : HistoryDisplay

        Raises
        ------
        ValueError
            If the estimator has no history.
        """
        history = find_attribute(estimator, "history_")
        if not isinstance(history, Mapping):
            raise ValueError(
                f"{type(estimator).__name__} has no history_: is it fitted, and does it end in a "
                "MultiLabelImageClassifier?"
            )
        frequencies = find_attribute(estimator, "label_frequencies_")
        weighted = find_attribute(estimator, "pos_weight") is not None
        plain = find_attribute(estimator, "loss") == "binary_crossentropy" and not weighted
        baseline = None if frequencies is None or not plain else _entropy(frequencies)
        display = cls(history, baseline=baseline)
        return display.plot(ax, metric=metric, higher_is_better=higher_is_better)

    @classmethod
    def from_predictions(
        cls,
        history: Mapping[str, Sequence[float]],
        *,
        baseline: float | None = None,
        ax: Axes | None = None,
        metric: str = "loss",
    ) -> Self:
        """Plot a history that was kept, such as that of ``keras.Model.fit``.

        Parameters
        ----------
        history : mapping of str to sequence of float
            Values by name, one an epoch.
        baseline : float, default=None
            The loss of a model that knows the label frequencies only.
        ax, metric
            As in :meth:`plot`.

        Returns
        -------
        display : HistoryDisplay
        """
        return cls(history, baseline=baseline).plot(ax, metric=metric)


def _entropy(frequencies):
    """Return the mean cross-entropy of predicting the frequencies where they hold."""
    share = np.clip(np.asarray(frequencies, dtype=float), 1e-7, 1 - 1e-7)
    return float(-(share * np.log(share) + (1 - share) * np.log1p(-share)).mean())
