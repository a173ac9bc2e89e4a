"""SmallCNN: a few convolutions, trained from scratch."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING

from sklearn.utils._param_validation import Interval, StrOptions

from skposter.networks._network import Network

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

__all__ = ["SmallCNN"]


class SmallCNN(Network):
    """A small convolutional network that ends in global pooling.

    One convolution per entry of `filters`, each of which halves height and width and is followed
    by batch normalisation and ReLU, then one more at the last resolution. Global pooling instead of
    flattening keeps the number of weights independent of the image size.

    Parameters
    ----------
    filters : sequence of int, default=(32, 64, 128, 192)
        Channels of each convolution; its length is the depth.
    kernel_size : int, default=3
        Side of the convolutions, in pixels.
    dense_units : int, default=None
        Units of a dense layer before the output; None leaves it out.
    dropout : float, default=0.3
        Share of the last layer's inputs that is dropped in training, in [0, 1).
    pooling : {"avg", "max"}, default="avg"
        ``"avg"``: convolutions of stride 2 and a global average, for labels that the whole image
        tells. ``"max"``: max pooling from the second convolution on, and a global maximum, for
        labels that one small thing anywhere in the image tells; use little or no `dropout` then.

    Examples
    --------
    >>> from skposter import MultiLabelImageClassifier
    >>> from skposter.networks import SmallCNN
    >>> clf = MultiLabelImageClassifier(SmallCNN(filters=(16, 32)))
    >>> clf.set_params(network__dropout=0.1).network
    SmallCNN(dropout=0.1, filters=(16, 32))
    """

    _parameter_constraints: dict = {
        "filters": ["array-like"],
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "dense_units": [Interval(Integral, 1, None, closed="left"), None],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "pooling": [StrOptions({"avg", "max"})],
    }

    def __init__(
        self,
        *,
        filters: Sequence[int] = (32, 64, 128, 192),
        kernel_size: int = 3,
        dense_units: int | None = None,
        dropout: float = 0.3,
        pooling: Literal["avg", "max"] = "avg",
    ) -> None:
        self.filters = filters
        self.kernel_size = kernel_size
        self.dense_units = dense_units
        self.dropout = dropout
        self.pooling = pooling

    @property
    def recipe(self) -> dict[str, Any]:
        """How it is best trained, as parameters of :class:`~skposter.MultiLabelImageClassifier`."""
        # docs/benchmarks/tried_once.md has what was measured.
        return {"learning_rate": 2e-3, "weight_decay": 0.3, "epochs": 30}

    def _build(self, meta):
        from skposter._keras.tensorflow import keras
        from skposter.networks._parts import Seeds, head, inputs

        layers = keras.layers
        filters = [_channels(value) for value in self.filters]
        if not filters:
            raise ValueError("filters is empty; SmallCNN needs at least one convolution.")
        seeds = Seeds(meta["seed"])
        images, x = inputs(meta)
        x = layers.Rescaling(1 / 127.5, offset=-1.0, name="rescaling")(x)
        for i, channels in enumerate((*filters, filters[-1]), 1):
            last = i > len(filters)
            # The first strides all the same: it costs the most.
            pools = self.pooling == "max" and i > 1
            x = layers.Conv2D(
                channels,
                self.kernel_size,
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
        if self.pooling == "max":
            x = layers.GlobalMaxPooling2D(name="pool")(x)
        else:
            x = layers.GlobalAveragePooling2D(name="pool")(x)
        if self.dense_units:
            x = layers.Dense(
                self.dense_units,
                activation="relu",
                kernel_initializer=seeds.he_normal(),
                name="dense",
            )(x)
        return keras.Model(images, head(x, meta, seeds, self.dropout), name="small_cnn")


def _channels(value):
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"filters must be positive whole numbers, got {value!r} among them.")
    return int(value)
