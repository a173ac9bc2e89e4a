"""Heat maps from the gradients at the last feature maps of a network."""

from __future__ import annotations

import math
from functools import wraps

import numpy as np

from skposter._keras.tensorflow import keras, tf

__all__ = ["FeatureGradients"]

# Kinds of layers whose weights learn no features.
_NORMALISING = ("Normalization", "BatchNormalization", "LayerNormalization", "GroupNormalization")


class FeatureGradients:
    """A network, watched at the output of its last layer with rows and columns.

    Calls of layers are intercepted on the instances, so that it works for networks within networks
    and for those that Keras cannot describe as a graph. The model is changed: pass a copy.

    Parameters
    ----------
    model : keras.Model
        From images to one probability a label.
    image_shape : tuple of int
        (height, width, channels).
    layer : str, default=None
        The name of a layer to watch instead.

    Raises
    ------
    ValueError
        If there is no such layer, or none with rows and columns that has learned anything.
    """

    def __init__(self, model, image_shape, layer=None):
        self.model = model
        self._calls: list = []
        self._watched = None
        self._tape = None
        self._features = None
        self._intercept()
        self._calls_of_one_image(image_shape)
        self._watched = self._chosen(layer)
        self._to_log_odds()

    def maps(self, images, labels, method):
        """Return the heat maps of labels.

        Parameters
        ----------
        images : ndarray of shape (n, height, width, channels), uint8
            Images.
        labels : list of list of int
            The labels of each image.
        method : {"gradcam", "hirescam", "layercam"}
            How gradients and features become a map.

        Returns
        -------
        maps : list of ndarray of shape (len(labels[i]), rows, columns), float32
            Not below 0.
        """
        most = max(map(len, labels))
        # Each pass takes one label of each image; images with fewer labels repeat their last.
        padded = np.array([[*each, *[each[-1]] * (most - len(each))] for each in labels])
        with tf.GradientTape(persistent=True) as self._tape:
            outputs = self._log_odds(self.model(images, training=False))
            chosen = [
                tf.reduce_sum(tf.gather(outputs, padded[:, k], axis=1, batch_dims=1))
                for k in range(most)
            ]
        tape, self._tape = self._tape, None
        features = self._features
        found = [
            _METHODS[method](
                tf.cast(features, tf.float32), tf.cast(tape.gradient(each, features), tf.float32)
            ).numpy()
            for each in chosen
        ]
        del tape
        return [np.stack([found[k][i] for k in range(len(each))]) for i, each in enumerate(labels)]

    def _intercept(self):
        for operation in _operations(self.model):
            operation.call = self._intercepted(operation, operation.call)

    def _intercepted(self, operation, call):
        @wraps(call)  # Keras looks at the arguments of `call`
        def intercepted(*args, **kwargs):
            output = call(*args, **kwargs)
            if self._watched is None:
                self._calls.append((operation, getattr(output, "shape", None)))
            elif operation is self._watched and self._tape is not None:
                self._tape.watch(output)
                self._features = output
            return output

        return intercepted

    def _calls_of_one_image(self, image_shape):
        self.model(np.zeros((1, *image_shape), dtype=np.uint8), training=False)

    def _chosen(self, name):
        spatial = [
            operation
            for operation, shape in self._calls
            if shape is not None and len(shape) == 4 and _cells(shape) > 1
        ]
        if name is not None:
            named = [operation for operation in spatial if operation.name == name]
            if not named:
                raise ValueError(
                    f"The network {self.model.name!r} has no layer {name!r} whose output has rows "
                    f"and columns. There are: {', '.join(dict.fromkeys(o.name for o in spatial))}."
                )
            return named[-1]
        if spatial:
            last = spatial[-1]
            calls = [operation for operation, _ in self._calls]
            before = calls[: len(calls) - calls[::-1].index(last)]
            if any(_learns(operation) for operation in before):
                return last
        raise ValueError(
            f"The network {self.model.name!r} has no feature maps: no layer after a learned one "
            "gives rows and columns, so there is nothing to draw gradients at. "
            'method="occlusion" explains any classifier.'
        )

    def _to_log_odds(self):
        """Leave out the sigmoid at the end, where gradients vanish for certain predictions."""
        activated = [o for o, _ in self._calls if getattr(o, "activation", None) is not None]
        self._gives_log_odds = (
            bool(activated) and activated[-1].activation is keras.activations.sigmoid
        )
        if self._gives_log_odds:
            activated[-1].activation = keras.activations.linear

    def _log_odds(self, outputs):
        outputs = tf.cast(outputs, tf.float32)
        if self._gives_log_odds:
            return outputs
        probabilities = tf.clip_by_value(outputs, 1e-7, 1 - 1e-7)
        return tf.math.log(probabilities) - tf.math.log1p(-probabilities)


def _gradcam(features, gradients):
    weights = tf.reduce_mean(gradients, axis=(1, 2), keepdims=True)
    return tf.nn.relu(tf.reduce_sum(weights * features, axis=-1))


def _hirescam(features, gradients):
    return tf.nn.relu(tf.reduce_sum(gradients * features, axis=-1))


def _layercam(features, gradients):
    return tf.nn.relu(tf.reduce_sum(tf.nn.relu(gradients) * features, axis=-1))


_METHODS = {"gradcam": _gradcam, "hirescam": _hirescam, "layercam": _layercam}


def _operations(model):
    """Return the layers of a network and of those within it, and what is no layer, once each."""
    found: dict = {}
    for layer in model._flatten_layers():
        for operation in (layer, *getattr(layer, "operations", ())):
            if operation is not model:
                found[id(operation)] = operation
    return list(found.values())


def _cells(shape):
    return math.prod(shape[1:3])


def _learns(operation):
    weights = getattr(operation, "weights", ())
    return bool(weights) and type(operation).__name__ not in _NORMALISING
