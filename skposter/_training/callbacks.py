"""What happens between batches and epochs: the learning rate, progress, divergence, and callbacks.

The user's callbacks are the user's: they are passed on as they are, so that what they collect stays
theirs. They run before ours, so that ours see what they log and what they set.
"""

from __future__ import annotations

import math
import sys
from contextlib import contextmanager
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from skposter._estimators.user_warnings import warn_user
from skposter._keras.tensorflow import keras
from skposter.exceptions import TrainingDivergedError

__all__ = [
    "CosineRate",
    "LogToHistory",
    "Progress",
    "ReportEpochs",
    "StopWhenNotFinite",
    "appended",
    "cosine_share",
    "epochs_of",
    "leave_the_network_alone",
    "lent_to",
    "logged",
    "sets_the_rate",
    "the_users_callbacks",
]

WARM_UP = 0.05


def cosine_share(step, steps):
    """Return the share of the peak rate at a step: up over the first 5 %, then down to zero.

    Parameters
    ----------
    step : int
        From 0.
    steps : int
        Steps of the whole training.

    Returns
    -------
    share : float
        Above 0, at most 1.

    Examples
    --------
    >>> from skposter._training.callbacks import cosine_share
    >>> [round(cosine_share(step, 100), 2) for step in (0, 4, 5, 52, 99)]
    [0.2, 1.0, 1.0, 0.51, 0.0]
    """
    rising = max(1, round(WARM_UP * steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


class CosineRate(keras.callbacks.Callback):
    """Set the learning rate before each batch, until somebody else sets it.

    A schedule of Keras' own is a part of the traced training step, so each size of data set and
    each number of epochs would trace the network anew.

    Parameters
    ----------
    peak : float
        The highest rate.
    first_epoch : int
        Where in the training this one starts; above 0 when it goes on from a checkpoint.
    epochs : int
        Epochs of the whole training.
    batches : int
        In an epoch.
    """

    def __init__(self, peak, *, epochs, batches, first_epoch=0):
        super().__init__()
        self._peak = peak
        self._steps = epochs * batches
        self._step = first_epoch * batches
        # What the optimizer, which keeps single precision, has been set to before the training.
        self._last = float(np.float32(peak))
        self._obeys = False

    def on_train_batch_begin(self, batch, logs=None):
        if self._obeys:
            return
        if self._rate() != self._last:
            self._obeys = True
            warn_that_the_schedule_steps_aside()
            return
        optimizer = self.model.optimizer
        optimizer.learning_rate = self._peak * cosine_share(self._step, self._steps)
        self._last = self._rate()
        self._step += 1

    def _rate(self):
        return float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))


def sets_the_rate(callback):
    """Tell whether a callback is there to set the learning rate."""
    return isinstance(
        callback,
        keras.callbacks.LearningRateScheduler | keras.callbacks.ReduceLROnPlateau,
    )


def warn_that_the_schedule_steps_aside():
    """Say once that a callback has the learning rate from now on."""
    warn_user(
        "A callback sets the learning rate, so learning_rate_schedule='cosine' steps aside. Pass "
        "learning_rate_schedule='constant' to say so yourself."
    )


class StopWhenNotFinite(keras.callbacks.Callback):
    """Raise at the end of the first epoch whose loss is not finite."""

    def on_epoch_end(self, epoch, logs=None):
        for name, value in (logs or {}).items():
            if name.endswith("loss") and not np.isfinite(value):
                raise TrainingDivergedError(
                    f"{name} is {value} after epoch {epoch + 1}: training diverged. Try a smaller "
                    "learning_rate, check sample_weight and pos_weight for huge values, or "
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


class ReportEpochs(keras.callbacks.Callback):
    """Make each epoch a subtask of a fit, and stop if one who is told of it wants that.

    After what writes checkpoints: that somebody stopped this training is nothing for the next.

    Parameters
    ----------
    fit_task : FitTask
        What the epochs are a part of.
    """

    def __init__(self, fit_task):
        super().__init__()
        self._fit_task = fit_task
        self._epoch: Any = None

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = self._fit_task.subtask("epoch").begin()

    def on_epoch_end(self, epoch, logs=None):
        if self._epoch.end():
            self._fit_task.stopped = self.model.stop_training = True


class LogToHistory(keras.callbacks.Callback):
    """Keep what is logged at the end of each epoch; last, so that it has what callbacks log."""

    def __init__(self):
        super().__init__()
        self.epochs: list[dict] = []

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(logged(logs))


def logged(logs):
    """Return what Keras logs at the end of an epoch, numbers as floats."""
    return {name: _number(value) for name, value in (logs or {}).items()}


def _number(value):
    try:
        return float(value)
    except (TypeError, ValueError):
        return value  # a callback may log what it likes


def appended(history, n_epochs, epochs):
    """Return a history with more epochs: for each name one entry an epoch, nan where it has none.

    Parameters
    ----------
    history : dict of str to list
        What was logged in `n_epochs` epochs.
    n_epochs : int
        How many there were before.
    epochs : list of dict
        What was logged at the end of each further one.

    Examples
    --------
    >>> from skposter._training.callbacks import appended
    >>> appended({"loss": [0.5]}, 1, [{"loss": 0.4, "val_loss": 0.6}])
    {'loss': [0.5, 0.4], 'val_loss': [nan, 0.6]}
    """
    names = dict.fromkeys([*history, *(name for epoch in epochs for name in epoch)])
    return {
        name: [
            *history.get(name, [float("nan")] * n_epochs),
            *(epoch.get(name, float("nan")) for epoch in epochs),
        ]
        for name in names
    }


def the_users_callbacks(callbacks):
    """Return the callbacks that a fit runs: the objects themselves, and one of each class.

    Raises
    ------
    TypeError
        If something else than a callback, or a class of them, is in the list.
    """
    if callbacks is None:
        return []
    if isinstance(callbacks, keras.callbacks.Callback | type):
        callbacks = [callbacks]
    found = []
    for callback in callbacks:
        if isinstance(callback, type) and issubclass(callback, keras.callbacks.Callback):
            found.append(callback())
        elif isinstance(callback, keras.callbacks.Callback):
            found.append(callback)
        else:
            raise TypeError(
                f"callbacks must be keras.callbacks.Callback objects or classes, got {callback!r}."
                + (
                    " Callbacks of scikit-learn's go to set_callbacks."
                    if hasattr(callback, "on_fit_task_end")
                    else ""
                )
            )
    return found


# Of Keras' own callbacks, those that change nothing on the network but what each fit sets anew.
_HARMLESS = (
    keras.callbacks.CSVLogger,
    keras.callbacks.EarlyStopping,
    keras.callbacks.LearningRateScheduler,
    keras.callbacks.ModelCheckpoint,
    keras.callbacks.ReduceLROnPlateau,
    keras.callbacks.TerminateOnNaN,
)


def leave_the_network_alone(callbacks):
    """Tell whether each callback is of a class in `_HARMLESS`, so that only weights have changed.

    With any other, the network does not go back to the pool.
    """
    return all(type(callback) in _HARMLESS for callback in callbacks)


@contextmanager
def lent_to(callbacks):
    """Take the network from the callbacks again that a fit gave it to.

    It would be kept alive, copied with each clone and written into each pickle otherwise.
    """
    try:
        yield
    finally:
        for callback in callbacks:
            callback._model = None  # `set_model(None)` fails in callbacks that look at the model


def epochs_of(history):
    """Return a history, which has a list a name, as one dict an epoch.

    Examples
    --------
    >>> from skposter._training.callbacks import epochs_of
    >>> epochs_of({"loss": [0.5, 0.4]})
    [{'loss': 0.5}, {'loss': 0.4}]
    """
    n_epochs = max(map(len, history.values()), default=0)
    return [{name: values[i] for name, values in history.items()} for i in range(n_epochs)]
