"""Several classifiers as one: of one kind with other seeds, or of several kinds with weights."""

from skposter.averaging._averaging import AveragingClassifier
from skposter.averaging._blending import BlendingClassifier

__all__ = ["AveragingClassifier", "BlendingClassifier"]
