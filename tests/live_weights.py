"""Weights of a pre-trained network without a download: random ones that let signals through."""

import keras
import numpy as np


def mobilenet_of(seed):
    """Return Keras' network with random weights under which signals neither grow nor fade."""
    rng = np.random.default_rng(seed)
    model = keras.applications.MobileNet(
        input_shape=(32, 32, 3), alpha=0.25, include_top=False, weights=None
    )
    for layer in model.layers:
        if "conv" in type(layer).__name__.lower():
            shape = layer.kernel.shape
            inputs = np.prod(shape[:2] if "Depthwise" in type(layer).__name__ else shape[:3])
            layer.kernel.assign(rng.normal(0, np.sqrt(4 / inputs), shape))
    return model
