"""The learning rate over a training, set from outside the network's graph.

A schedule of Keras' own is a part of the traced training step, so each size of data set and each
number of epochs would trace the network anew.
"""

from __future__ import annotations

import math

from skposter._keras.tensorflow import keras

__all__ = ["CosineRate", "cosine_share"]

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
    >>> from skposter._training.schedules import cosine_share
    >>> [round(cosine_share(step, 100), 2) for step in (0, 4, 5, 52, 99)]
    [0.2, 1.0, 1.0, 0.51, 0.0]
    """
    rising = max(1, round(WARM_UP * steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


class CosineRate(keras.callbacks.Callback):
    """Set the learning rate before each batch.

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

    def on_train_batch_begin(self, batch, logs=None):
        share = cosine_share(self._step, self._steps)
        self.model.optimizer.learning_rate = self._peak * share
        self._step += 1
