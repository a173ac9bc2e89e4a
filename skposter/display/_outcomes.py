"""What a prediction of a label turned out to be, and how the pictures tell the outcomes apart."""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple

__all__ = ["Outcome", "PredictedLabel"]


class Outcome(Enum):
    """A decision about one label of one image, beside the truth."""

    HIT = "hit"
    MISS = "miss"
    FALSE_ALARM = "false alarm"
    REJECTION = "rightly left out"
    PREDICTED = "predicted"
    NOT_PREDICTED = "not predicted"

    @classmethod
    def of(cls, *, predicted, true):
        """Return the outcome; `true` is None where nobody knows."""
        if true is None:
            return cls.PREDICTED if predicted else cls.NOT_PREDICTED
        if predicted:
            return cls.HIT if true else cls.FALSE_ALARM
        return cls.MISS if true else cls.REJECTION


class PredictedLabel(NamedTuple):
    """One label of one image as a classifier sees it.

    Parameters
    ----------
    name : str
        The label.
    probability : float
        Its probability.
    threshold : float, default=0.5
        From which probability on the label is predicted.
    predicted : bool, default=None
        Whether it is predicted; None says so where the probability reaches the threshold. They
        differ for images that get a label although all are below their thresholds.
    """

    name: Any
    probability: float
    threshold: float = 0.5
    predicted: bool | None = None

    @property
    def decision(self) -> bool:
        """Whether the label is predicted."""
        return self.probability >= self.threshold if self.predicted is None else self.predicted
