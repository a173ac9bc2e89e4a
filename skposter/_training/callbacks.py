"""What happens between batches and epochs: one progress line, and a stop when training diverges."""

from __future__ import annotations

import copy
import sys
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from skposter._keras.tensorflow import keras
from skposter.exceptions import TrainingDivergedError

__all__ = ["Progress", "StopWhenNotFinite", "fresh_callbacks"]


class StopWhenNotFinite(keras.callbacks.Callback):
    """Raise at the end of the first epoch whose loss is not finite."""

    def on_epoch_end(self, epoch, logs=None):
        for name, value in (logs or {}).items():
            if name.endswith("loss") and not np.isfinite(value):
                raise TrainingDivergedError(
                    f"{name} is {value} after epoch {epoch + 1}: training diverged. Try a smaller "
                    "learning_rate, check sample_weight and class_weight for huge values, or "
                    "clip gradients with an optimizer such as keras.optimizers.Adam(clipnorm=1)."
                )


class Progress(keras.callbacks.Callback):
    """One bar over all batches of all epochs, with the losses of the last epoch beside it.

    Where nobody can watch a bar (a log file), one line an epoch.
    """

    def __init__(self, epochs, batches):
        super().__init__()
        self._epochs = epochs
        self._batches = batches
        self._bar: Any = None

    def on_train_begin(self, logs=None):
        self._bar = tqdm(
            total=self._epochs * self._batches,
            unit="batch",
            desc="training",
            disable=not _bars_can_be_seen(),
        )

    def on_epoch_begin(self, epoch, logs=None):
        self._bar.set_description(self._title(epoch), refresh=False)

    def on_train_batch_end(self, batch, logs=None):
        self._bar.update()

    def on_epoch_end(self, epoch, logs=None):
        losses = {name: f"{value:.4f}" for name, value in (logs or {}).items()}
        self._bar.set_postfix(losses)
        if self._bar.disable and sys.stderr is not None:
            shown = ", ".join(f"{name}={value}" for name, value in losses.items())
            sys.stderr.write(f"{self._title(epoch)}: {shown}\n")

    def _title(self, epoch):
        return f"epoch {epoch + 1}/{self._epochs}"

    def close(self):
        """Leave the bar as it stands; also after an interrupt, when Keras calls nothing."""
        if self._bar is not None:
            self._bar.close()


def _bars_can_be_seen():
    in_notebook = any("notebook" in kind.__module__ for kind in tqdm.__mro__)
    return in_notebook or (sys.stderr is not None and sys.stderr.isatty())


def fresh_callbacks(callbacks):
    """Return the user's Keras callbacks as new objects, so that none remembers an earlier fit.

    Raises
    ------
    TypeError
        If something else than a callback, or a class of them, is in the list.
    """
    if callbacks is None:
        return []
    if isinstance(callbacks, (keras.callbacks.Callback, type)):
        callbacks = [callbacks]
    fresh = []
    for callback in callbacks:
        if isinstance(callback, type) and issubclass(callback, keras.callbacks.Callback):
            fresh.append(callback())
        elif isinstance(callback, keras.callbacks.Callback):
            callback = copy.copy(callback)
            callback._model = None  # a model that it met elsewhere is not ours to copy
            fresh.append(copy.deepcopy(callback))
        else:
            raise TypeError(
                f"callbacks must be keras.callbacks.Callback objects or classes, got {callback!r}."
            )
    return fresh
