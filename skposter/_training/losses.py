"""Losses: short names, a weight for each label, and keys by which equal losses are recognised."""

from __future__ import annotations

from skposter._estimators.spelling import did_you_mean
from skposter._keras.tensorflow import keras
from skposter.losses import AsymmetricLoss

__all__ = ["LabelWeightedLoss", "is_crossentropy", "loss_key", "loss_of"]

NAMED = {
    "asymmetric": AsymmetricLoss,
    "dice": lambda: keras.losses.Dice(axis=0, name="dice"),  # by default all labels are pooled
    "focal": lambda: keras.losses.BinaryFocalCrossentropy(name="focal"),
}


def loss_of(loss, *, weight=None):
    """Return the loss that Keras is given.

    Parameters
    ----------
    loss : str, keras.losses.Loss or callable
        One of `NAMED`, or as Keras takes it.
    weight : ndarray of shape (n_samples,) or (n_samples, n_labels), default=None
        Of the training images. One per label needs a loss that takes labels and weights together.

    Raises
    ------
    ValueError
        If the name is unknown, or there are weights and the loss has no value for each image.
    """
    if isinstance(loss, str):
        loss = NAMED[loss]() if loss in NAMED else _known_to_keras(loss)
    if weight is not None and isinstance(loss, (keras.losses.Dice, keras.losses.Tversky)):
        raise ValueError(
            f"loss={loss.name!r} compares whole batches and has no value for each image, so it "
            "takes neither sample_weight nor class_weight. Leave them out or choose another loss."
        )
    return loss if weight is None or weight.ndim == 1 else LabelWeightedLoss(loss)


def _known_to_keras(name):
    try:
        keras.losses.get(name)
    except ValueError:
        known = [*NAMED, "binary_crossentropy"]
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
    return loss == "binary_crossentropy" or type(loss) is keras.losses.BinaryCrossentropy


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
