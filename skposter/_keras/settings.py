"""Keras' global settings, which must not change what is built here.

Layers read the image data format, the float type and the dtype policy when they are made, unseeded
ones a seed from Python's global generator too. While a network is built or compiled they find the
same values whatever a program has set; afterwards everything is as it was.
"""

from __future__ import annotations

import random
import threading
from contextlib import contextmanager, nullcontext

from skposter._keras.tensorflow import keras

__all__ = [
    "checked_dtype_policy",
    "current_dtype_policy",
    "fixed_settings",
    "settings_for_training",
]

# The data format and the float type are of the process, so only one thread may change them.
_changing = threading.RLock()
_EPSILON = 1e-7  # Keras' own


def current_dtype_policy():
    """Return the name of the policy that Keras gives to new layers in this thread."""
    return keras.config.dtype_policy().name


def checked_dtype_policy(name):
    """Return the name of a policy if Keras knows it.

    Raises
    ------
    ValueError
        If it does not.
    """
    try:
        return keras.dtype_policies.get(name).name
    except ValueError as error:
        raise ValueError(
            f"dtype_policy={name!r} is not known. Expected a name of Keras such as 'float32', "
            "'mixed_bfloat16' or 'mixed_float16'."
        ) from error


def settings_for_training(dtype_policy):
    """Return a context for a whole training: `fixed_settings` where a program has changed some.

    Losses and metrics read them at the first batch. Other threads that build wait meanwhile, so
    where nothing was changed there is nothing to hold.
    """
    usual = (
        keras.config.image_data_format() == "channels_last"
        and keras.config.floatx() == "float32"
        and keras.config.epsilon() == _EPSILON
    )
    return nullcontext() if usual else fixed_settings(dtype_policy)


@contextmanager
def fixed_settings(dtype_policy, seed=None):
    """Build with channels last, float32 and a dtype policy, whatever Keras is set to.

    Parameters
    ----------
    dtype_policy : str
        A name that Keras knows, such as ``"float32"`` or ``"mixed_bfloat16"``.
    seed : int, default=None
        If given, what Keras takes from Python's global generator follows from it. Should other
        threads draw from that generator meanwhile, layers that are given seeds are not affected.
    """
    with _changing:
        data_format, floatx = keras.config.image_data_format(), keras.config.floatx()
        epsilon = keras.config.epsilon()
        policy = keras.config.dtype_policy()
        state = random.getstate()
        keras.config.set_image_data_format("channels_last")
        keras.config.set_floatx("float32")
        keras.config.set_epsilon(_EPSILON)
        keras.config.set_dtype_policy(dtype_policy)
        if seed is not None:
            random.seed(seed)
        try:
            yield
        finally:
            if seed is not None:
                random.setstate(state)
            keras.config.set_dtype_policy(policy)
            keras.config.set_epsilon(epsilon)
            keras.config.set_floatx(floatx)
            keras.config.set_image_data_format(data_format)
