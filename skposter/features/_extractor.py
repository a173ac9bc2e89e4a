"""From what is passed as `network` to a function from images to features."""

from __future__ import annotations

import threading
import uuid
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np

from skposter._estimators.steps import learned
from skposter._keras import pool
from skposter._keras.custom_objects import described
from skposter._keras.settings import checked_dtype_policy, fixed_settings
from skposter._keras.tensorflow import keras
from skposter._training.trained_network import TrainedNetwork
from skposter.images import file_key
from skposter.networks import NETWORKS, Network, Pretrained, as_network, build_network, network_meta

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Extractor", "extractor_of"]

# Each holds the weights of a network; a search goes through few of them.
_MOST_READY = 4
_BATCH_SIZE = 65_536  # what comes is a batch already
_POOLS: dict[str, Callable[..., Any]] = {"avg": np.mean, "max": np.max}

_lock = threading.RLock()
_ready: OrderedDict[str, Extractor] = OrderedDict()
_identities: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class Extractor:
    """A function from images to features, with what tells it from others.

    Parameters
    ----------
    function : callable
        From uint8 images `(n, height, width, channels)` to numbers `(n, n_features)`.
    n_features : int
    fingerprint : str
        Changes with the network, its weights and the shape of its images.
    lasts : bool
        Whether the same fingerprint means the same function in another process.
    """

    function: Callable[[np.ndarray], Any]
    n_features: int
    fingerprint: str
    lasts: bool

    def __call__(self, images):
        """Return features, float32 `(n, n_features)`."""
        features = self.function(images)
        if features.shape != (len(images), self.n_features):
            raise ValueError(
                f"network returned features of shape {features.shape} for {len(images)} images, "
                f"and ({len(images)}, {self.n_features}) was expected from the first ones."
            )
        return features


def extractor_of(network, image_shape, *, pooling, dtype_policy):
    """Return what computes the features of images of one shape; the last few are kept ready.

    Parameters
    ----------
    network, pooling, dtype_policy
        As parameters of :class:`skposter.ImageFeatures`.
    image_shape : tuple of int
        ``(height, width, channels)``.

    Returns
    -------
    extractor : Extractor

    Raises
    ------
    ValueError, TypeError
        If there are no features to be had from it.
    """
    make, what = _maker(network, image_shape, pooling, dtype_policy)
    key = joblib.hash([what, image_shape, pooling, dtype_policy])
    with _lock:
        if key not in _ready:
            with fixed_settings("float32"):
                extractor = make()
            while len(_ready) >= _MOST_READY:
                _ready.popitem(last=False)
            _ready[key] = extractor
        _ready.move_to_end(key)
        return _ready[key]


def _maker(network, image_shape, pooling, dtype_policy):
    """Return a function that makes the extractor, and what decides about it beside the shape."""
    if hasattr(network, "predict_proba"):
        _check_own_policy(dtype_policy, "a fitted classifier")
        classifier = learned(network)
        if classifier.image_shape_ != image_shape:
            raise ValueError(
                f"Got images of (height, width, channels) {image_shape}, but the classifier in "
                f"network was fitted on {classifier.image_shape_}. Load them at the same size and "
                "mode."
            )
        trained = classifier.keras_classifier_.network_
        return lambda: _of_model(_cut(trained.to_keras(), pooling)), trained.fingerprint()
    if isinstance(network, keras.Model):
        _check_own_policy(dtype_policy, "a Keras model")
        make = partial(_of_keras_model, network, image_shape, pooling)
        return make, [_identity(network), joblib.hash(network.get_weights())]
    if isinstance(network, str) or hasattr(network, "build"):
        if isinstance(network, str) and not isinstance(as_network(network), Pretrained):
            raise ValueError(
                f"network={network!r} has random weights until it is trained. Pass a fitted "
                "MultiLabelImageClassifier, or the name of a network with weights, such as "
                "'mobilenet'."
            )
        policy = checked_dtype_policy(dtype_policy or "float32")
        found = as_network(network)
        return partial(_of_network, found, image_shape, pooling, policy), _settings_of(found)
    if callable(network):
        _check_own_policy(dtype_policy, "a callable")
        return partial(_of_callable, network, image_shape, pooling), _identity(network)
    raise TypeError(
        f"network={network!r} is of type {type(network).__name__}. Expected one of "
        f"{sorted(NETWORKS)}, an object of skposter.networks, a fitted MultiLabelImageClassifier, "
        "a keras.Model or a callable from images to features."
    )


def _check_own_policy(dtype_policy, what):
    if dtype_policy is not None:
        raise ValueError(
            f"dtype_policy={dtype_policy!r} is for networks that are built here, and {what} is "
            "built already. Leave it at None."
        )


def _identity(value):
    """Return a text of its own for an object, for as long as it lives."""
    try:
        return _identities.setdefault(value, uuid.uuid4().hex)
    except TypeError:  # cannot be hashed or referred to weakly
        return uuid.uuid4().hex


def _settings_of(network):
    """Return what decides about a network that can be built."""
    if not isinstance(network, Network):
        return _identity(network)
    params = network.get_params(deep=False)
    weights = params.get("weights")
    file = None if weights in (None, "imagenet") else file_key(weights)
    return [type(network).__name__, repr(sorted(params.items())), file]


def _of_network(network, image_shape, pooling, policy):
    meta = network_meta(image_shape, np.arange(2), np.full(2, 0.5), 0, "none")
    model = build_network(network, meta, dtype_policy=policy)
    return _of_model(_cut(model, pooling))


def _of_keras_model(model, image_shape, pooling):
    images = x = keras.Input(image_shape, dtype="uint8", name="images")
    if not model.built or model.inputs[0].dtype != "uint8":
        x = keras.ops.cast(images, "float32")
    try:
        features = model(x, training=False)
    except Exception as error:  # layers raise whatever they like
        raise ValueError(
            f"The Keras model in network cannot be called on images of shape {image_shape}, as "
            f"float from 0 to 255: {error}"
        ) from error
    return _of_model(keras.Model(images, _as_rows(features, pooling)))


def _of_model(model):
    """Return the extractor that a Keras model from images to rows is."""
    config, custom_objects = described(model)
    network = TrainedNetwork(
        key=uuid.uuid4().hex if config is None else joblib.hash(pool.canonical(config)),
        config=config,
        build=partial(_itself, model) if config is None else None,
        variables=pool.values_of(pool.network_variables(model)),
        custom_objects=custom_objects,
    )
    return Extractor(
        partial(network.predict_proba, batch_size=_BATCH_SIZE),
        int(model.output_shape[-1]),
        network.fingerprint(),
        lasts=config is not None and not custom_objects,
    )


def _itself(model):
    return model


def _of_callable(function, image_shape, pooling):
    compute = partial(_computed, function, pooling)
    n_features = compute(np.zeros((1, *image_shape), dtype=np.uint8)).shape[1]
    return Extractor(compute, n_features, uuid.uuid4().hex, lasts=False)


def _computed(function, pooling, images):
    """Return what a callable makes of images, float32 `(n, n_features)`, or raise."""
    features = np.asarray(function(images))
    if features.ndim not in (2, 4) or len(features) != len(images):
        raise ValueError(
            f"network(images) returned shape {features.shape} for {len(images)} images. Expected "
            "(n, n_features) or, to be pooled, (n, height, width, n_features). A function that "
            "builds a network is passed as an object with build(meta)."
        )
    if features.ndim == 4 and pooling in _POOLS:
        features = _POOLS[pooling](features, axis=(1, 2))
    features = features.reshape(len(images), -1).astype(np.float32)
    if not np.isfinite(features).all():
        raise ValueError("network(images) returned features that are not finite.")
    return features


def _cut(model, pooling):
    """Return the model up to what its last dense layer takes."""
    layers = keras.layers
    while isinstance(last := model.layers[-1], keras.Model) and len(last.inputs[0].shape) == 4:
        model = last  # behind augmentation, which acts in training only
    dense = [layer for layer in model.layers if isinstance(layer, layers.Dense)]
    if not dense:
        raise ValueError(
            "network has no dense layer whose input could be its features. Pass a keras.Model or "
            "a callable from images to features."
        )
    x = dense[-1].input
    before = x._keras_history.operation
    while isinstance(before, layers.Dropout):
        x = before.input
        before = x._keras_history.operation
    if pooling != "avg":
        if not isinstance(before, (layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D)):
            raise ValueError(
                f"pooling={pooling!r}: what the last layer of this network takes comes from "
                f"{type(before).__name__}, not from a feature map. Leave it at 'avg', which keeps "
                "the network as it is."
            )
        x = before.input
    return keras.Model(model.inputs[0], _as_rows(x, pooling))


def _as_rows(x, pooling):
    layers = keras.layers
    if not hasattr(x, "shape") or len(x.shape) not in (2, 4):
        shape = getattr(x, "shape", type(x).__name__)
        raise ValueError(
            f"network gives features of shape {shape}, expected (n, n_features) or "
            "(n, height, width, n_features)."
        )
    if len(x.shape) == 4:
        kind = {
            "avg": layers.GlobalAveragePooling2D,
            "max": layers.GlobalMaxPooling2D,
            "flatten": layers.Flatten,
        }[pooling]
        x = kind(dtype="float32", name="pooled_map")(x)
    return layers.Activation("linear", dtype="float32", name="rows_of_features")(x)
