"""TutorialCNN: the network of the well-known poster tutorial, for comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skposter.networks._network import Network

if TYPE_CHECKING:
    from typing import Any

__all__ = ["TutorialCNN"]


class TutorialCNN(Network):
    """The network of the well-known poster tutorial, for comparison.

    Four 5x5 convolutions (16, 32, 64, 64) with max pooling and dropout 0.25, then dense layers of
    128 and 64 units with dropout 0.5. It needs images of at least 76 x 76 pixels, and is trained
    as the tutorial does: at a constant rate, without augmentation, 64 images a batch.

    Examples
    --------
    >>> from skposter.networks import TutorialCNN
    >>> TutorialCNN().recipe["augmentation"]
    'none'
    """

    @property
    def recipe(self) -> dict[str, Any]:
        """How it is best trained, as parameters of :class:`~skposter.MultiLabelImageClassifier`."""
        return {
            "augmentation": "none",
            "epochs": 10,
            "batch_size": 64,
            "learning_rate_schedule": "constant",
        }

    def _build(self, meta):
        from skposter._keras.tensorflow import keras
        from skposter.networks._parts import Seeds, inputs

        layers = keras.layers
        if min(meta["input_shape"][:2]) < 76:
            raise ValueError(
                "TutorialCNN needs images of at least 76 x 76 pixels, got (height, width) = "
                f"{tuple(meta['input_shape'][:2])}. Load larger images or use SmallCNN."
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
