"""A fitted model taken apart: what loads the images, and what then classifies them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.pipeline import Pipeline

from skposter._estimators.steps import steps_inwards
from skposter.images import ImageLoader

__all__ = ["Member", "members_of"]


class Member(NamedTuple):
    """One classifier of a model, and how images come to it.

    Parameters
    ----------
    loader : ImageLoader or None
        Makes arrays of image sources; None if the classifier takes arrays as they come.
    classifier : estimator
        From arrays of images to labels; may be a pipeline.
    """

    loader: Any
    classifier: Any

    def load(self, X):
        """Return the images that the classifier gets, uint8 `(n, height, width, channels)`."""
        if self.loader is None:
            return np.asarray(X)
        return np.asarray(self.loader.transform(X))


def members_of(model):
    """Return the classifiers in a fitted model: one, or those that are averaged.

    Parameters
    ----------
    model : estimator
        A classifier, a pipeline, or what wraps one.

    Returns
    -------
    members : list of Member
    """
    for step in steps_inwards(model):
        if type(step).__name__ in ("AveragingClassifier", "BlendingClassifier"):
            return [member for each in step.estimators_ for member in members_of(each)]
        steps = getattr(step, "steps", [])
        for i, (_, part) in enumerate(steps):
            if isinstance(part, ImageLoader):
                rest = steps[i + 1 :]
                return [Member(part, rest[0][1] if len(rest) == 1 else Pipeline(rest))]
    return [Member(None, model)]
