"""From what is passed as `network` to a Keras model that is known to give probabilities."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from skposter._estimators.spelling import did_you_mean
from skposter.networks._backbones import BACKBONES
from skposter.networks._keras_hub import PREFIX
from skposter.networks._network import CallableNetwork, Network
from skposter.networks._pretrained import Pretrained
from skposter.networks._small_cnn import SmallCNN
from skposter.networks._tutorial_cnn import TutorialCNN

if TYPE_CHECKING:
    from typing import Any

    import keras

__all__ = ["NETWORKS", "as_network", "build_network", "network_meta"]

NETWORKS: dict[str, Callable] = {
    "small_cnn": SmallCNN,
    "tutorial": TutorialCNN,
    **{name: partial(Pretrained, name) for name in BACKBONES},
}

_SIGMOIDS = ("sigmoid", "hard_sigmoid", "sparse_sigmoid")


def as_network(network: Any) -> Any:
    """Return the network object that `network` names, or is.

    Parameters
    ----------
    network : str, network object or callable
        A key of ``NETWORKS``, an object with ``build(meta)``, or ``network(meta) -> keras.Model``.

    Returns
    -------
    network : object with ``build(meta)``

    Raises
    ------
    ValueError, TypeError
        If it is none of these.
    """
    if isinstance(network, str):
        if network.startswith(PREFIX):
            return Pretrained(network)
        if network not in NETWORKS:
            raise ValueError(
                f"network={network!r} is not known.{did_you_mean(network, NETWORKS)} Expected one "
                f"of {sorted(NETWORKS)}, 'keras_hub:PRESET', an object of skposter.networks, a "
                "KerasClassifier of SciKeras or a callable (meta) -> keras.Model."
            )
        return NETWORKS[network]()
    if isinstance(network, type) and hasattr(network, "build"):
        raise TypeError(
            f"network is the class {network.__name__}; pass an object: {network.__name__}()."
        )
    if _is_keras_model(network):
        raise TypeError(
            "network is a Keras model that exists already: training would change it, and every "
            "clone would start from what another one learned. Pass a function that builds it: "
            "network=lambda meta: ..."
        )
    if callable(getattr(network, "build", None)):
        return network
    if callable(network):
        return CallableNetwork(network)
    raise TypeError(
        f"network={network!r} is of type {type(network).__name__}. Expected a name, an object of "
        "skposter.networks, a KerasClassifier of SciKeras or a callable (meta) -> keras.Model."
    )


def _is_keras_model(network):
    from skposter._keras.tensorflow import keras

    return isinstance(network, keras.Model)


def network_meta(
    image_shape: tuple[int, ...],
    label_names: Any,
    label_frequencies: Any,
    seed: int,
    augmentation: Any,
) -> dict[str, Any]:
    """Return what a network is told of the data; see :mod:`skposter.networks`."""
    return {
        "input_shape": image_shape,
        "n_labels": len(label_names),
        "label_names": label_names.tolist(),
        "label_frequencies": label_frequencies,
        "seed": seed,
        "augmentation": augmentation,
    }


def build_network(
    network: Any, meta: dict[str, Any], *, dtype_policy: str | None, logits: bool = False
) -> keras.Model:
    """Build a network, and check that it gives the probability of each label.

    Parameters
    ----------
    network : str, network object or callable
        As in :func:`as_network`.
    meta : dict
        See :mod:`skposter.networks`.
    dtype_policy : str
        Keras' name of the policy that its layers get.
    logits : bool, default=False
        Whether the loss takes logits: then the network must return them, and gets a sigmoid.

    Returns
    -------
    model : keras.Model
        Uncompiled, from uint8 images to probabilities.

    Raises
    ------
    ValueError, TypeError
        If the network is unknown, or its model is not one from such images to such labels.
    """
    from skposter._keras.settings import fixed_settings

    network = as_network(network)
    with fixed_settings(dtype_policy, seed=meta["seed"]):
        model = network.build(meta)
        if isinstance(network, Network):
            return model  # ours are right, and have their augmentation inside
        return _augmented(_probabilities(_checked(model, meta), meta, logits), meta)


def _checked(model, meta):
    """Return the model with its inputs made, or raise if they or its outputs are others."""
    from skposter._keras.tensorflow import keras

    if not isinstance(model, keras.Model):
        raise TypeError(f"network must return a keras.Model, got {type(model).__name__}.")
    if model.compiled:
        raise ValueError(
            "network returned a compiled model; return it uncompiled, because loss and optimizer "
            "are parameters of the classifier."
        )
    if not _has_inputs(model):
        model = _called(model, meta)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(
            f"network returned a model with {len(model.inputs)} inputs and {len(model.outputs)} "
            "outputs, expected one of each: images in, one sigmoid per label out."
        )
    if isinstance(model, keras.Sequential) or not _is_plain(model.input, model.output):
        # The same layers from one tensor to one tensor, which may have been in a list or a dict.
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    accepted = model.inputs[0].shape[1:]
    if not _fits(meta["input_shape"], accepted):
        raise ValueError(
            f"network returned a model for images of shape {accepted}, expected "
            f"{meta['input_shape']} (meta['input_shape'])."
        )
    shape = model.outputs[0].shape
    if tuple(shape) != (None, meta["n_labels"]):
        raise ValueError(
            f"network returned a model with output shape {tuple(shape)}, expected "
            f"(None, {meta['n_labels']}): one sigmoid per label (meta['n_labels'])."
        )
    return model


def _is_plain(*structures):
    return all(hasattr(structure, "shape") for structure in structures)


def _has_inputs(model):
    try:
        return bool(model.inputs)
    except (AttributeError, ValueError):  # subclassed, or Sequential without an Input
        return False


def _called(model, meta):
    """Give a subclassed model, or a Sequential one without an Input, its inputs."""
    from skposter._keras.tensorflow import keras

    images = keras.Input(meta["input_shape"], dtype="uint8", name="images")
    x = keras.ops.cast(images, keras.config.dtype_policy().compute_dtype)
    try:
        outputs = model(x)
    except Exception as error:  # layers raise whatever they like
        raise ValueError(
            f"network returned a model that cannot be called on images of shape "
            f"{meta['input_shape']} (meta['input_shape']), as float from 0 to 255: {error}"
        ) from error
    if not hasattr(outputs, "shape"):
        raise ValueError(
            f"network returned a model whose output is {type(outputs).__name__}, expected one "
            "tensor with one sigmoid per label."
        )
    return keras.Model(images, outputs, name=model.name)


def _probabilities(model, meta, logits):
    """Return the model if its outputs are probabilities, or logits where they should be."""
    from skposter._keras.tensorflow import keras

    activation = _last_activation(model.outputs[0])
    if logits:
        if activation not in (None, "linear"):
            raise ValueError(
                f"network ends in {activation!r}, and the loss takes logits (from_logits=True). "
                "Leave out the last activation, or say from_logits=False."
            )
        outputs = keras.layers.Activation("sigmoid", dtype="float32", name="of_logits")(
            model.outputs[0]
        )
        return keras.Model(model.inputs[0], outputs, name=model.name)
    if activation == "softmax":
        raise ValueError(
            "network ends in a softmax, whose outputs sum to one: labels would exclude one "
            'another. End it in one sigmoid per label: Dense(meta["n_labels"], '
            'activation="sigmoid").'
        )
    if activation == "linear":
        raise ValueError(
            "network returns logits: its last layer has no activation. End it in one sigmoid per "
            'label, Dense(meta["n_labels"], activation="sigmoid"), or pass '
            "loss=keras.losses.BinaryCrossentropy(from_logits=True)."
        )
    if activation not in (None, *_SIGMOIDS):
        raise ValueError(
            f"network ends in {activation!r}, which does not give a probability for each label. "
            'End it in one sigmoid per label: Dense(meta["n_labels"], activation="sigmoid").'
        )
    if activation is None:
        _check_values(model, meta)
    return model


def _last_activation(output):
    """Return the name of the activation that gives an output, or None if nothing tells it."""
    from skposter._keras.tensorflow import keras

    # The operation behind a symbolic tensor; Keras documents no other way to it.
    operation = output._keras_history.operation
    if isinstance(operation, keras.Model):
        inner = getattr(operation, "outputs", None)
        return _last_activation(inner[0]) if inner else None
    if isinstance(operation, keras.layers.Activation | keras.layers.Dense):
        activation = operation.activation
        # A function of the user's may be anything, so its values are looked at.
        ours = str(getattr(activation, "__module__", "")).partition(".")[0] == "keras"
        return getattr(activation, "__name__", None) if ours else None
    name = type(operation).__name__.lower()
    return name if name in ("sigmoid", "softmax") else None


def _check_values(model, meta):
    """Refuse outputs of a few images that are no probabilities, or that sum to one."""
    rng = np.random.default_rng(0)
    shape = (8, *meta["input_shape"])
    images = rng.integers(0, 256, size=shape, dtype=np.uint8)
    images[0], images[1] = 0, 255
    values = np.asarray(model(images, training=False)).astype(np.float64)
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
        raise ValueError(
            f"network returns values from {values.min():.3g} to {values.max():.3g}, which are no "
            'probabilities. End it in one sigmoid per label: Dense(meta["n_labels"], '
            'activation="sigmoid").'
        )
    if np.ptp(values) > 1e-3 and np.abs(values.sum(axis=1) - 1).max() < 1e-3:
        raise ValueError(
            "network returns values that sum to one for each image, as of a softmax: labels would "
            'exclude one another. End it in one sigmoid per label: Dense(meta["n_labels"], '
            'activation="sigmoid").'
        )


def _augmented(model, meta):
    """Put augmentation in front of a network."""
    from skposter._keras.tensorflow import keras
    from skposter.networks._parts import inputs

    images, x = inputs(meta)
    if x is images:
        return model
    if model.inputs[0].dtype == "uint8":
        x = keras.ops.cast(keras.ops.clip(keras.ops.round(x), 0, 255), "uint8")
    return keras.Model(images, model(x), name=f"augmented_{model.name}")


def _fits(shape, accepted):
    return len(shape) == len(accepted) and all(
        wanted in (None, side) for side, wanted in zip(shape, accepted, strict=True)
    )
