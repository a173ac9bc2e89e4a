"""The same network for skposter, for SciKeras and for Keras by hand."""

from __future__ import annotations

from functools import partial

import keras
import numpy as np


def network(meta, filters=(16, 32), dropout=0.2):
    """Build a plain convolutional network from uint8 images to sigmoids."""
    layers = [keras.Input(meta["input_shape"], dtype="uint8"), keras.layers.Rescaling(1 / 255)]
    for i, channels in enumerate(filters):
        layers.append(
            keras.layers.Conv2D(
                channels,
                3,
                strides=2 if i < 4 else 1,
                padding="same",
                activation="relu",
                kernel_initializer=keras.initializers.HeNormal(seed=i),
            )
        )
    layers += [
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dropout(dropout, seed=1),
        keras.layers.Dense(
            meta["n_labels"],
            activation="sigmoid",
            kernel_initializer=keras.initializers.GlorotUniform(seed=2),
        ),
    ]
    return keras.Sequential(layers)


def by_skposter(network_params=None, **params):
    """Return our classifier around `network`."""
    from skposter import MultiLabelImageClassifier

    defaults = {
        "network": partial(network, **(network_params or {})),
        "augmentation": "none",
        "learning_rate_schedule": "constant",
        "validation_fraction": 0,
        "random_state": 0,
    }
    return MultiLabelImageClassifier(**{**defaults, **params})


def by_scikeras(network_params=None, **params):
    """Return SciKeras' classifier around `network`."""
    from scikeras.wrappers import KerasClassifier

    options = {f"model__{name}": value for name, value in (network_params or {}).items()}
    defaults = {"loss": "binary_crossentropy", "optimizer": "adam", "verbose": 0}
    return KerasClassifier(build_for_scikeras, **{**defaults, **options, **params})


def build_for_scikeras(meta, filters=(16, 32), dropout=0.2):
    """Call `network` with what SciKeras knows of the data."""
    sizes = {"input_shape": meta["X_shape_"][1:], "n_labels": meta["n_classes_"]}
    return network(sizes, filters, dropout)


def by_keras(X, y, **network_params):
    """Return a compiled Keras model."""
    model = network({"input_shape": X.shape[1:], "n_labels": y.shape[1]}, **network_params)
    model.compile(loss="binary_crossentropy", optimizer=keras.optimizers.Adam(1e-3))
    return model


def images(n, height, width, n_labels, seed=0):
    """Return random images and labels."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 255, size=(n, height, width, 3), dtype=np.uint8)
    return X, rng.integers(0, 2, size=(n, n_labels))
