"""What the networks share: seeds, inputs with augmentation, and the head."""

from __future__ import annotations

import numpy as np

from skposter._keras.tensorflow import keras
from skposter.networks._augmentation import augmentation_layers

__all__ = ["Seeds", "head", "inputs"]


class Seeds:
    """Seeds for each layer: unseeded layers would draw from Python's global generator."""

    def __init__(self, seed):
        self._rng = np.random.default_rng(seed)

    def next(self):
        return int(self._rng.integers(2**31))

    def he_normal(self):
        return keras.initializers.HeNormal(seed=self.next())

    def glorot_uniform(self):
        return keras.initializers.GlorotUniform(seed=self.next())


def inputs(meta):
    """Return the inputs and what augmentation makes of them, in [0, 255]."""
    images = keras.Input(meta["input_shape"], dtype="uint8", name="images")
    # A stream of its own, so that initial weights stay the same with and without.
    x, seeds = images, Seeds((meta["seed"], 1))
    for layer in augmentation_layers(meta.get("augmentation", "none"), seeds.next):
        # Unless training is asked for: Keras' own default here would be True.
        x = layer(x, training=False)
    return images, x


def head(x, meta, seeds, dropout):
    """Return dropout and a sigmoid layer which starts at the label frequencies.

    Starting at the log-odds spares the first epochs, which otherwise only learn the frequencies.
    """
    if dropout:
        x = keras.layers.Dropout(dropout, seed=seeds.next(), name="dropout")(x)
    dense = keras.layers.Dense(
        meta["n_labels"],
        activation="sigmoid",
        kernel_initializer=seeds.glorot_uniform(),
        # Half precision cannot tell small probabilities apart.
        dtype="float32",
        name="probabilities",
    )
    x = dense(x)
    frequencies = np.clip(meta["label_frequencies"], 1e-3, 1 - 1e-3)
    dense.bias.assign(np.log(frequencies / (1 - frequencies)))
    return x
