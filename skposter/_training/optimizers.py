"""Optimizers: made anew for each training, and described so that equal ones are recognised."""

from __future__ import annotations

import inspect
import json

from skposter._estimators.spelling import did_you_mean
from skposter._keras.tensorflow import keras

__all__ = ["described_optimizer", "new_optimizer", "without_rate"]


def new_optimizer(optimizer, learning_rate):
    """Return a new optimizer, and its learning rate unless that is a schedule.

    Parameters
    ----------
    optimizer : str or keras.optimizers.Optimizer
        As Keras takes it; an instance is copied.
    learning_rate : float
        For an optimizer given by name.

    Returns
    -------
    optimizer : keras.optimizers.Optimizer
    learning_rate : float or None

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if isinstance(optimizer, keras.optimizers.Optimizer):
        config = keras.optimizers.serialize(optimizer)
        learning_rate = config["config"]["learning_rate"]
        if isinstance(learning_rate, dict):
            return keras.optimizers.deserialize(config), None
    else:
        known = _names()
        if optimizer not in known:
            raise ValueError(
                f"optimizer={optimizer!r} is not known.{did_you_mean(optimizer, known)} Expected "
                f"one of {known} or a keras.optimizers.Optimizer."
            )
        config = {"class_name": optimizer, "config": {"learning_rate": float(learning_rate)}}
    return keras.optimizers.deserialize(config), float(learning_rate)


def _names():
    return sorted(
        name.lower()
        for name, value in vars(keras.optimizers).items()
        if isinstance(value, type)
        and issubclass(value, keras.optimizers.Optimizer)
        and value is not keras.optimizers.Optimizer
        and "learning_rate" in inspect.signature(value).parameters  # not if it wraps others
    )


def described_optimizer(optimizer):
    """Return Keras' description of an optimizer without its name, which is counted up."""
    description = keras.optimizers.serialize(optimizer)
    del description["config"]["name"]
    return description


def without_rate(description):
    """Return an optimizer's description as a text without its learning rate.

    That is a variable, set before each training, unless it is a schedule.
    """
    config = dict(description["config"])
    if not isinstance(config["learning_rate"], dict):
        del config["learning_rate"]
    return json.dumps([description["class_name"], config], sort_keys=True, default=str)
