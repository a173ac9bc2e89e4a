"""Losses and optimizers: made anew for each training, and described so that equal ones are known.

What ``Model.compile`` gets is decided here: names, classes and objects alike, losses with a weight
for each label, and losses of logits, whose network ends in a sigmoid all the same.
"""

from __future__ import annotations

import inspect
import json

from skposter._estimators.spelling import did_you_mean
from skposter._keras.tensorflow import keras
from skposter.losses import AsymmetricLoss

__all__ = [
    "LabelWeightedLoss",
    "described_optimizer",
    "is_crossentropy",
    "loss_key",
    "loss_of",
    "new_optimizer",
    "takes_logits",
    "without_rate",
]

NAMED_LOSSES = {
    "asymmetric": AsymmetricLoss,
    "dice": lambda: keras.losses.Dice(axis=0, name="dice"),  # by default all labels are pooled
    "focal": lambda: keras.losses.BinaryFocalCrossentropy(name="focal"),
}
_EXCLUSIVE = ("categorical", "kl_divergence", "kldivergence")


def loss_of(loss, *, weight=None):
    """Return the loss that Keras is given.

    Parameters
    ----------
    loss : str, keras.losses.Loss, class of them or callable
        One of `NAMED_LOSSES`, or as Keras takes it. One of logits becomes the same of
        probabilities, because the network gets a sigmoid then.
    weight : ndarray of shape (n_samples,) or (n_samples, n_labels), default=None
        Of the training images. One per label needs a loss that takes labels and weights together.

    Raises
    ------
    ValueError
        If the name is unknown, the loss is one for labels that exclude one another, or there are
        weights and the loss has no value for each image.
    """
    if isinstance(loss, str):
        loss = NAMED_LOSSES[loss]() if loss in NAMED_LOSSES else _known_to_keras(loss)
    elif isinstance(loss, type):
        loss = loss()
    _refuse_exclusive(loss)
    if takes_logits(loss):
        loss = type(loss).from_config({**loss.get_config(), "from_logits": False})
    if weight is not None and isinstance(loss, (keras.losses.Dice, keras.losses.Tversky)):
        raise ValueError(
            f"loss={loss.name!r} compares whole batches and has no value for each image, so it "
            "takes neither sample_weight, pos_weight nor unknown labels. Leave them out or choose "
            "another loss."
        )
    return loss if weight is None or weight.ndim == 1 else LabelWeightedLoss(loss)


def takes_logits(loss):
    """Tell whether a loss, as the user gave it, expects logits instead of probabilities."""
    if not isinstance(loss, keras.losses.Loss):
        return False
    try:
        return bool(loss.get_config().get("from_logits", False))
    except NotImplementedError:  # a loss of the user's that Keras cannot describe
        return False


def _refuse_exclusive(loss):
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    if name.lower().removeprefix("sparse_").removeprefix("sparse").startswith(_EXCLUSIVE):
        raise ValueError(
            f"loss={name!r} is for labels that exclude one another. Expected a loss with a value "
            "for each label, such as 'binary_crossentropy'."
        )


def _known_to_keras(name):
    try:
        keras.losses.get(name)
    except ValueError:
        known = [*NAMED_LOSSES, "binary_crossentropy"]
        raise ValueError(
            f"loss={name!r} is not known.{did_you_mean(name, known)} Expected one of {known}, "
            "another name of Keras, a keras.losses.Loss or a function."
        ) from None
    return name


class LabelWeightedLoss(keras.losses.Loss):
    """A loss whose labels arrive with a weight each, on a last axis of two.

    Keras takes one weight per image only.
    """

    def __init__(self, loss):
        super().__init__(name="label_weighted_loss")
        self.loss = keras.losses.get(loss)

    def call(self, y_true, y_pred):
        labels, weights = y_true[..., 0], y_true[..., 1]
        # Losses average over the last axis, so an axis of one keeps the labels apart.
        each = getattr(self.loss, "call", self.loss)(labels[..., None], y_pred[..., None])
        return keras.ops.mean(each * weights, axis=-1)


def is_crossentropy(loss):
    """Tell whether a loss, as the user gave it, is smallest for true probabilities."""
    kind = keras.losses.BinaryCrossentropy
    return loss == "binary_crossentropy" or loss is kind or type(loss) is kind


def loss_key(loss):
    """Return a JSON-able description by which an equal loss is known again, or None."""
    if isinstance(loss, str):
        return loss
    if isinstance(loss, LabelWeightedLoss):
        inner = loss_key(loss.loss)
        return None if inner is None else ["per label", inner]
    if getattr(loss, "__module__", "").partition(".")[0] == "keras" or type(loss) is AsymmetricLoss:
        return keras.saving.serialize_keras_object(loss)
    return None  # code of the user's own may change under the same name


def new_optimizer(optimizer, learning_rate, weight_decay=None):
    """Return a new optimizer, and its learning rate unless that is a schedule.

    Parameters
    ----------
    optimizer : str, keras.optimizers.Optimizer or class of them
        As Keras takes it; an instance is copied.
    learning_rate : float
        For an optimizer given by name or class.
    weight_decay : float or None, default=None
        Likewise; None is Keras' default.

    Returns
    -------
    optimizer : keras.optimizers.Optimizer
    learning_rate : float or None

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If it is neither a name, an optimizer nor a class of them.
    """
    if isinstance(optimizer, keras.optimizers.Optimizer):
        config = keras.optimizers.serialize(optimizer)
        learning_rate = _innermost(config)["config"]["learning_rate"]
        if isinstance(learning_rate, dict):
            return keras.optimizers.deserialize(config), None
        return keras.optimizers.deserialize(config), float(learning_rate)
    arguments = {"learning_rate": float(learning_rate)}
    if weight_decay is not None:
        arguments["weight_decay"] = float(weight_decay)
    if isinstance(optimizer, type) and issubclass(optimizer, keras.optimizers.Optimizer):
        return optimizer(**arguments), float(learning_rate)
    if not isinstance(optimizer, str):
        raise TypeError(
            f"optimizer={optimizer!r} is of type {type(optimizer).__name__}. Expected one of "
            f"{_optimizer_names()} or a keras.optimizers.Optimizer."
        )
    if optimizer not in _optimizer_names():
        raise ValueError(
            f"optimizer={optimizer!r} is not known.{did_you_mean(optimizer, _optimizer_names())} "
            f"Expected one of {_optimizer_names()} or a keras.optimizers.Optimizer."
        )
    config = {"class_name": optimizer, "config": arguments}
    return keras.optimizers.deserialize(config), float(learning_rate)


def _optimizer_names():
    return sorted(
        name.lower()
        for name, value in vars(keras.optimizers).items()
        if isinstance(value, type)
        and issubclass(value, keras.optimizers.Optimizer)
        and value is not keras.optimizers.Optimizer
        and "learning_rate" in inspect.signature(value).parameters  # not if it wraps others
    )


def _innermost(description):
    """Return the description of the optimizer inside those that wrap others (loss scaling)."""
    while isinstance(description["config"].get("inner_optimizer"), dict):
        description = description["config"]["inner_optimizer"]
    return description


def described_optimizer(optimizer):
    """Return Keras' description of an optimizer without its name, which is counted up."""
    description = keras.optimizers.serialize(optimizer)
    node = description
    while isinstance(node, dict):
        node["config"].pop("name", None)
        node = node["config"].get("inner_optimizer")
    return description


def without_rate(description):
    """Return an optimizer's description as a text without its learning rate.

    That is a variable, set before each training, unless it is a schedule.
    """
    description = json.loads(json.dumps(description, default=str))
    config = _innermost(description)["config"]
    if not isinstance(config["learning_rate"], dict):
        del config["learning_rate"]
    return json.dumps(
        [description["class_name"], description["config"]], sort_keys=True, default=str
    )
