"""Network builders: functions from what is known of the data to an uncompiled Keras model."""

from __future__ import annotations

import inspect
import random
import threading
from collections.abc import Callable, Collection
from contextlib import contextmanager
from functools import partial

from skposter._estimators.spelling import did_you_mean
from skposter.networks._backbones import BACKBONES

__all__ = ["NETWORKS", "build_network", "builder_params", "pretrained", "small_cnn", "tutorial_cnn"]


def small_cnn(
    meta,
    *,
    filters=(32, 64, 128, 192),
    kernel_size=3,
    dense_units=None,
    dropout=0.3,
    pooling="avg",
):
    """Build a small convolutional network that ends in global pooling.

    One convolution per entry of `filters`, each of which halves height and width and is followed
    by batch normalisation and ReLU, then one more at the last resolution. Global pooling instead of
    flattening keeps the number of weights independent of the image size.

    Parameters
    ----------
    meta : dict
        See the module's description.
    filters : sequence of int, default=(32, 64, 128, 192)
        Channels of each convolution; its length is the depth.
    kernel_size : int, default=3
        Side of the convolutions, in pixels.
    dense_units : int, default=None
        Units of a dense layer before the output; None leaves it out.
    dropout : float, default=0.3
        Share of inputs of the last layer that is dropped in training.
    pooling : {"avg", "max"}, default="avg"
        ``"avg"``: convolutions of stride 2 and a global average, for labels that the whole image
        tells. ``"max"``: max pooling from the second convolution on, and a global maximum, for
        labels that one small thing anywhere in the image tells; use little or no `dropout` then.

    Returns
    -------
    model : keras.Model
        Uncompiled.
    """
    from skposter._keras.tensorflow import keras
    from skposter.networks._parts import Seeds, head, inputs

    layers = keras.layers

    if not len(filters):
        raise ValueError("filters is empty; small_cnn needs at least one convolution.")
    if pooling not in ("avg", "max"):
        raise ValueError(f"pooling={pooling!r} is not known. Expected 'avg' or 'max'.")
    seeds = Seeds(meta["seed"])
    images, x = inputs(meta)
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="rescaling")(x)
    for i, channels in enumerate((*filters, filters[-1]), 1):
        last = i > len(filters)
        pools = pooling == "max" and i > 1  # the first strides all the same: it costs the most
        x = layers.Conv2D(
            channels,
            kernel_size,
            strides=1 if pools or last else 2,
            padding="same",
            use_bias=False,  # batch normalisation has its own
            kernel_initializer=seeds.he_normal(),
            name=f"conv_{i}",
        )(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"norm_{i}")(x)
        x = layers.Activation("relu", name=f"relu_{i}")(x)
        if pools and not last:
            x = layers.MaxPooling2D(padding="same", name=f"pool_{i}")(x)
    if pooling == "max":
        x = layers.GlobalMaxPooling2D(name="pool")(x)
    else:
        x = layers.GlobalAveragePooling2D(name="pool")(x)
    if dense_units:
        x = layers.Dense(
            dense_units, activation="relu", kernel_initializer=seeds.he_normal(), name="dense"
        )(x)
    return keras.Model(images, head(x, meta, seeds, dropout), name="small_cnn")


def tutorial_cnn(meta):
    """Build the network of the well-known poster tutorial, for comparison.

    Four 5x5 convolutions (16, 32, 64, 64) with max pooling and dropout 0.25, then dense layers of
    128 and 64 units with dropout 0.5.

    Parameters
    ----------
    meta : dict
        See the module's description.

    Returns
    -------
    model : keras.Model
        Uncompiled.

    Raises
    ------
    ValueError
        If the images are smaller than 76 pixels, which four unpadded 5x5 convolutions need.
    """
    from skposter._keras.tensorflow import keras
    from skposter.networks._parts import Seeds, inputs

    layers = keras.layers

    if min(meta["input_shape"][:2]) < 76:
        raise ValueError(
            "network='tutorial' needs images of at least 76 x 76 pixels, got (height, width) = "
            f"{tuple(meta['input_shape'][:2])}. Load larger images or use network='small_cnn'."
        )
    seeds = Seeds(meta["seed"])
    images, x = inputs(meta)
    x = layers.Rescaling(1 / 255, name="rescaling")(x)
    for i, channels in enumerate((16, 32, 64, 64), 1):
        x = layers.Conv2D(
            channels,
            5,
            activation="relu",
            kernel_initializer=seeds.glorot_uniform(),
            name=f"conv_{i}",
        )(x)
        x = layers.MaxPooling2D(name=f"pool_{i}")(x)
        x = layers.Dropout(0.25, seed=seeds.next(), name=f"dropout_{i}")(x)
    x = layers.Flatten(name="flatten")(x)
    for i, units in enumerate((128, 64), 5):
        x = layers.Dense(
            units,
            activation="relu",
            kernel_initializer=seeds.glorot_uniform(),
            name=f"dense_{i}",
        )(x)
        x = layers.Dropout(0.5, seed=seeds.next(), name=f"dropout_{i}")(x)
    outputs = layers.Dense(
        meta["n_labels"],
        activation="sigmoid",
        kernel_initializer=seeds.glorot_uniform(),
        name="probabilities",
    )(x)
    return keras.Model(images, outputs, name="tutorial_cnn")


def pretrained(name, meta, *, weights="imagenet", fine_tune="all", dropout=0.3, **options):
    """Build a network of keras.applications that starts from weights learned on other images.

    Parameters
    ----------
    name : str
        Which; a key of :data:`NETWORKS`.
    meta : dict
        See the module's description.
    weights : str, path or None, default="imagenet"
        ``"imagenet"`` to let Keras download them, a file of them without the top, or None to start
        from random ones.
    fine_tune : {"all", "last", "none"}, default="all"
        Layers that training changes: all, those at the last resolution, or only the head.
    dropout : float, default=0.3
        Share of inputs of the last layer that is dropped in training.
    **options : dict
        Of the function in keras.applications.

    Returns
    -------
    model : keras.Model
        Uncompiled.
    """
    from skposter._keras.tensorflow import keras
    from skposter.networks._backbones import backbone
    from skposter.networks._parts import Seeds, head, inputs

    images, x = inputs(meta)
    x = backbone(name, x, weights=weights, fine_tune=fine_tune, options=options)
    return keras.Model(images, head(x, meta, Seeds(meta["seed"]), dropout), name=name)


NETWORKS: dict[str, Callable] = {
    "small_cnn": small_cnn,
    "tutorial": tutorial_cnn,
    **{name: partial(pretrained, name) for name in BACKBONES},
}


def build_network(network, meta, network_params):
    """Call the builder that `network` names, or is, and check what it returns.

    Parameters
    ----------
    network : str or callable
        A key of ``NETWORKS``, or ``network(meta, **network_params) -> keras.Model``.
    meta : dict
        See the module's description.
    network_params : dict
        The builder's own options.

    Returns
    -------
    model : keras.Model
        Uncompiled.

    Raises
    ------
    ValueError, TypeError
        If the name is unknown or the callable returns something else than an uncompiled model
        from such images to such labels.
    """
    builder = _builder(network)
    with _layers_without_a_seed_get_one(meta["seed"]):
        model = builder(meta, **network_params)
        _check_network(model, meta)
        return model if isinstance(network, str) else _augmented(model, meta)


def builder_params(network, shared, defaults, network_params):
    """Return the options of the builder that `network` names, or is.

    Parameters
    ----------
    network : str or callable
        As in :func:`build_network`.
    shared : dict
        Parameters that several builders read. The builder gets those that it names.
    defaults : dict
        Their defaults.
    network_params : dict
        The builder's own options, which go before.

    Returns
    -------
    params : dict

    Raises
    ------
    ValueError
        If a shared parameter was changed and the builder does not read it.
    """
    read: Collection[str] = ()
    if isinstance(network, str):
        if network not in NETWORKS:
            return network_params  # it is build_network that says so
        read = inspect.signature(NETWORKS[network]).parameters
    for name, value in shared.items():
        if name not in read and value != defaults[name]:
            readers = [
                reader
                for reader, build in NETWORKS.items()
                if name in inspect.signature(build).parameters
            ]
            raise ValueError(
                f"{name}={value!r} is read by network={_some(readers)} only, not by "
                f"network={network!r}; give options of that network in network_params."
            )
    return {**{name: shared[name] for name in shared if name in read}, **network_params}


def _some(names):
    shown = ", ".join(map(repr, names[:3]))
    return f"{shown}, ..." if len(names) > 3 else shown


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


_building = threading.Lock()


@contextmanager
def _layers_without_a_seed_get_one(seed):
    """Let Keras draw the seeds that a builder does not give from `seed`.

    Keras takes them from Python's global generator, which is put back as it was. Only one thread
    builds at a time; should other code draw from that generator meanwhile, a builder that gives
    seeds to its layers, as ours do, is not affected.
    """
    with _building:
        state = random.getstate()
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(state)


def _builder(network):
    from skposter._keras.tensorflow import keras

    if isinstance(network, keras.Model):
        raise TypeError(
            "network is a Keras model that exists already: training would change it, and every "
            "clone would start from what another one learned. Pass a function that builds it: "
            "network=lambda meta: ..."
        )
    if callable(network):
        return network
    if network not in NETWORKS:
        raise ValueError(
            f"network={network!r} is not known.{did_you_mean(network, NETWORKS)} Expected one of "
            f"{sorted(NETWORKS)} or a callable (meta, **network_params) -> keras.Model."
        )
    return NETWORKS[network]


def _check_network(model, meta):
    from skposter._keras.tensorflow import keras

    if not isinstance(model, keras.Model):
        raise TypeError(f"network must return a keras.Model, got {type(model).__name__}.")
    if model.compiled:
        raise ValueError(
            "network returned a compiled model; return it uncompiled, because loss and optimizer "
            "are parameters of the classifier."
        )
    shape = getattr(model, "input_shape", None)
    if isinstance(shape, tuple) and not _fits(meta["input_shape"], shape[1:]):
        raise ValueError(
            f"network returned a model for images of shape {shape[1:]}, expected "
            f"{meta['input_shape']} (meta['input_shape'])."
        )
    shape = getattr(model, "output_shape", None)
    if shape is not None and tuple(shape) != (None, meta["n_labels"]):
        raise ValueError(
            f"network returned a model with output shape {shape}, expected "
            f"(None, {meta['n_labels']}): one sigmoid per label (meta['n_labels'])."
        )


def _fits(shape, accepted):
    return len(shape) == len(accepted) and all(
        wanted in (None, side) for side, wanted in zip(shape, accepted, strict=True)
    )
