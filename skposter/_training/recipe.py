"""How to train, besides the network and the data, and what goes on around it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from skposter._training.compiling import described_optimizer, loss_key

__all__ = ["DEFAULTS", "Recipe", "RunOptions", "is_auto", "resolved", "settings_of"]

# What "auto" comes to where the network's own recipe does not say.
DEFAULTS = {
    "augmentation": "light",
    "loss": "binary_crossentropy",
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "weight_decay": None,
    "learning_rate_schedule": "cosine",
    "epochs": 20,
    "batch_size": 32,
    "tta": "none",
}


def resolved(params, network):
    """Return the parameters of the training, with a value for each ``"auto"``.

    Parameters
    ----------
    params : dict
        Of the classifier; those named in `DEFAULTS` are read.
    network : network object
        Its ``recipe``, if it has one, goes before `DEFAULTS`, and its ``phases`` are added.

    Returns
    -------
    recipe : dict
        With ``fine_tune`` and ``head_epochs`` too.

    Raises
    ------
    ValueError
        If the network's recipe names something else.
    """
    own = getattr(network, "recipe", {})
    unknown = sorted(set(own) - set(DEFAULTS))
    if unknown:
        raise ValueError(
            f"The recipe of {type(network).__name__} names {unknown[0]!r}. Expected some of "
            f"{sorted(DEFAULTS)}."
        )
    recipe = {
        name: own.get(name, default) if is_auto(params[name]) else params[name]
        for name, default in DEFAULTS.items()
    }
    return {**recipe, **getattr(network, "phases", {"fine_tune": None, "head_epochs": 0})}


def is_auto(value):
    """Tell whether a parameter is left to the network's recipe."""
    return isinstance(value, str) and value == "auto"


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
    weight_decay : float or None
        Likewise; None is Keras' default of the optimizer.
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
    correct_intercepts : bool, default=False
        See :mod:`skposter._training.intercepts`; with cross-entropy only.
    compile_options : tuple of (str, value), default=()
        Further arguments of ``Model.compile``.
    """

    loss: Any
    optimizer: Any
    learning_rate: float
    weight_decay: float | None
    epochs: int
    batch_size: int
    patience: int | None
    tol: float
    shuffle_seed: int
    first_epoch: int
    schedule: str = "constant"
    correct_intercepts: bool = False
    compile_options: tuple = ()


@dataclass(frozen=True)
class RunOptions:
    """What goes on around a training; nothing but the user's callbacks can change its result.

    Parameters
    ----------
    callbacks : list of keras.callbacks.Callback, default=None
        The user's. With any, `memory` is not used, as they may do anything.
    memory : str, joblib.Memory or None, default=None
        Where to look for the result and for the epochs that the same training has behind it, and to
        keep both.
    verbose : int, default=0
        Above 0, a progress bar.
    fit_task : FitTask, default=None
        Whose subtasks the epochs are. A callback that is told of them may stop the training.
    """

    callbacks: Any = None
    memory: Any = None
    verbose: int = 0
    fit_task: Any = None

    @property
    def stopped(self):
        """Whether a callback that was told of the epochs has asked for no more."""
        return self.fit_task is not None and self.fit_task.stopped


def settings_of(recipe, loss, optimizer):
    """Return all that decides a training besides data and network, as JSON takes it."""
    return {
        **asdict(replace(recipe, loss=None, optimizer=None)),
        "loss": loss_key(loss),
        "optimizer": described_optimizer(optimizer),
    }
