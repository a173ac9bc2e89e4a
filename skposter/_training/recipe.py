"""How to train, besides the network and the data, and what goes on around it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from skposter._training.losses import loss_key
from skposter._training.optimizers import described_optimizer

__all__ = ["Recipe", "RunOptions", "settings_of"]


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Parameters
    ----------
    loss : str, keras.losses.Loss or callable
        As Keras takes it.
    optimizer : str or keras.optimizers.Optimizer
        As Keras takes it.
    learning_rate : float
        For an optimizer given by name.
    epochs : int
        How many (more) epochs.
    batch_size : int
        Images in a batch.
    patience : int or None
        Stop when the validation loss has not improved by `tol` for so many epochs, and go back to
        the best; None trains all epochs.
    tol : float
        See `patience`.
    shuffle_seed : int
        Decides the order of the images in each epoch.
    first_epoch : int
        How many epochs were trained before.
    schedule : {"cosine", "constant"}, default="constant"
        Course of the learning rate.
    mixup : float, default=0.0
        See :class:`~skposter._training.batches.ImageBatches`.
    centre : bool, default=False
        See :func:`skposter._training.centring.centred`; with cross-entropy only.
    """

    loss: Any
    optimizer: Any
    learning_rate: float
    epochs: int
    batch_size: int
    patience: int | None
    tol: float
    shuffle_seed: int
    first_epoch: int
    schedule: str = "constant"
    mixup: float = 0.0
    centre: bool = False


@dataclass(frozen=True)
class RunOptions:
    """What goes on around a training; nothing but the user's callbacks can change its result.

    Parameters
    ----------
    callbacks : list of keras.callbacks.Callback, default=None
        The user's. With any, `memory` and `checkpoint_dir` are not used, as they may do anything.
    memory : str, joblib.Memory or None, default=None
        Where to look for the result, and to keep it.
    checkpoint_dir : str, path-like or None, default=None
        Where to look for the epochs that the same training has behind it, and to keep them.
    verbose : int, default=0
        Above 0, a progress bar.
    """

    callbacks: Any = None
    memory: Any = None
    checkpoint_dir: Any = None
    verbose: int = 0


def settings_of(recipe, loss, optimizer):
    """Return all that decides a training besides data and network, as JSON takes it."""
    return {
        **asdict(replace(recipe, loss=None, optimizer=None)),
        "loss": loss_key(loss),
        "optimizer": described_optimizer(optimizer),
    }
