"""Losses for labels that are rare.

``loss="asymmetric"`` and the other names of
:class:`~skposter.MultiLabelImageClassifier` need no import from here; the class is for other
settings than the defaults: ``loss=AsymmetricLoss(gamma_negative=2)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skposter._keras.tensorflow import keras

if TYPE_CHECKING:
    from typing import Any

__all__ = ["AsymmetricLoss"]


@keras.saving.register_keras_serializable(package="skposter")
class AsymmetricLoss(keras.losses.Loss):
    """Cross-entropy in which easy negatives count for little, and the easiest for nothing.

    A positive weighs ``(1 - p) ** gamma_positive``; for a negative the probability is first
    lowered by `clip`, then weighs ``p ** gamma_negative``. It ranks rare labels no worse, sometimes
    better, and pushes all probabilities up: they are no longer frequencies, so decide at tuned
    thresholds and never at a fixed 0.5.

    Parameters
    ----------
    gamma_negative : float, default=4.0
        How much easy negatives are discounted; 0 not at all.
    gamma_positive : float, default=1.0
        How much easy positives are.
    clip : float, default=0.05
        Negatives with a probability of at most this count nothing, in [0, 1).
    reduction, name, dtype
        As in :class:`keras.losses.Loss`.

    References
    ----------
    T. Ridnik et al., "Asymmetric Loss For Multi-Label Classification", ICCV 2021,
    arXiv:2009.14119.

    Examples
    --------
    >>> import numpy as np
    >>> from skposter.losses import AsymmetricLoss
    >>> y, p = np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])
    >>> bce = AsymmetricLoss(gamma_negative=0, gamma_positive=0, clip=0)
    >>> round(float(bce(y, p)), 4)  # the cross-entropy
    0.6931
    >>> bool(AsymmetricLoss()(y, np.array([[0.5, 0.05]])) < bce(y, np.array([[0.5, 0.05]])))
    True
    """

    def __init__(
        self,
        gamma_negative: float = 4.0,
        gamma_positive: float = 1.0,
        clip: float = 0.05,
        *,
        reduction: str | None = "sum_over_batch_size",
        name: str = "asymmetric",
        dtype: Any = None,
    ) -> None:
        if gamma_negative < 0 or gamma_positive < 0 or not 0 <= clip < 1:
            raise ValueError(
                "AsymmetricLoss expects gamma_negative >= 0, gamma_positive >= 0 and 0 <= clip < 1,"
                f" got {gamma_negative!r}, {gamma_positive!r} and {clip!r}."
            )
        super().__init__(reduction=reduction, name=name, dtype=dtype)
        self.gamma_negative = gamma_negative
        self.gamma_positive = gamma_positive
        self.clip = clip

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the mean over the labels of each image."""
        ops, epsilon = keras.ops, keras.config.epsilon()
        # Kept off 0 and 1 also where a power is taken: its gradient is infinite at 0.
        p = ops.clip(y_pred, epsilon, 1 - epsilon)
        lowered = ops.clip(p - self.clip, epsilon, 1 - epsilon)
        positive = ops.power(1 - p, self.gamma_positive) * ops.log(p)
        negative = ops.power(lowered, self.gamma_negative) * ops.log(1 - lowered)
        return -ops.mean(y_true * positive + (1 - y_true) * negative, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal loss."""
        return {
            **super().get_config(),
            "gamma_negative": self.gamma_negative,
            "gamma_positive": self.gamma_positive,
            "clip": self.clip,
        }
