"""What a trained network sees in images, as columns for any estimator of scikit-learn.

:class:`ImageFeatures` is the transformer between :class:`~skposter.ImageLoader` and, say, a
logistic regression.
"""

from skposter.features._image_features import ImageFeatures

__all__ = ["ImageFeatures"]
