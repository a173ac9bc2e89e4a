"""Training on several devices of one machine, as TensorFlow's distribution strategies do it."""

from __future__ import annotations

from skposter._keras.tensorflow import tf

__all__ = ["check_strategy", "strategy_key"]


def check_strategy():
    """Raise RuntimeError inside a strategy whose results would not be right here."""
    if not tf.distribute.has_strategy():
        return
    strategy = tf.distribute.get_strategy()
    if not isinstance(strategy, tf.distribute.MirroredStrategy | tf.distribute.OneDeviceStrategy):
        raise RuntimeError(
            f"{type(strategy).__name__} is not supported: skposter trains on one machine, inside "
            "the scope of tf.distribute.MirroredStrategy or of none. Several machines are best "
            "used for several trainings, through joblib."
        )


def strategy_key():
    """Return a text that is the same inside one strategy only; its variables are of its own."""
    if not tf.distribute.has_strategy():
        return ""
    return f"@{id(tf.distribute.get_strategy())}"
