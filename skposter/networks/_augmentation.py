"""Random changes to training images: layers of the network that do nothing in prediction."""

from __future__ import annotations

from skposter._estimators.spelling import did_you_mean
from skposter._keras.tensorflow import keras

__all__ = ["augmentation_layers"]

STRENGTHS = {
    "none": [],
    "light": [
        ("RandomFlip", {"mode": "horizontal"}),
        ("RandomTranslation", {"height_factor": 0.06, "width_factor": 0.06}),
    ],
    "strong": [
        ("RandomFlip", {"mode": "horizontal"}),
        ("RandomZoom", {"height_factor": (-0.15, 0.05), "width_factor": (-0.15, 0.05)}),
        ("RandomTranslation", {"height_factor": 0.1, "width_factor": 0.1}),
        ("RandomBrightness", {"factor": 0.1}),
        ("RandomContrast", {"factor": (0.2, 0.2)}),  # of one number, Keras only raises it,
    ],
}


def augmentation_layers(augmentation, next_seed):
    """Return new Keras layers, for images in [0, 255].

    Parameters
    ----------
    augmentation : str or keras.layers.Layer
        A key of `STRENGTHS`, or a layer, which is copied.
    next_seed : callable
        Gives a seed for each of ours. A layer of the user's keeps its own.

    Returns
    -------
    layers : list of keras.layers.Layer

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If it is neither a name nor a layer.
    """
    if isinstance(augmentation, keras.layers.Layer):
        copy = keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(augmentation),
            custom_objects={
                keras.saving.get_registered_name(type(augmentation)): type(augmentation)
            },
        )
        return [copy]
    if not isinstance(augmentation, str):
        raise TypeError(
            f"augmentation must be one of {sorted(STRENGTHS)} or a keras.layers.Layer, got "
            f"{augmentation!r}."
        )
    if augmentation not in STRENGTHS:
        raise ValueError(
            f"augmentation={augmentation!r} is not known."
            f"{did_you_mean(augmentation, STRENGTHS)} Expected one of {sorted(STRENGTHS)} or a "
            "keras.layers.Layer."
        )
    return [_layer(kind, options, next_seed()) for kind, options in STRENGTHS[augmentation]]


def _layer(kind, options, seed):
    if "height_factor" in options:
        options = {**options, "fill_mode": "nearest"}
    return getattr(keras.layers, kind)(**options, seed=seed)
