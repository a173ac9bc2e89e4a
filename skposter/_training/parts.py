"""The rows to train on and the rows to validate on, with what they weigh."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import joblib
import numpy as np

from skposter.model_selection import stratified_holdout

__all__ = ["ImagesOfPart", "Part", "fingerprint_of_images", "hold_out"]


@dataclass
class Part:
    """Some rows of images and labels.

    Parameters
    ----------
    X : array-like of uint8, shape (n_samples, height, width, channels)
        Images; never copied.
    y : ndarray of shape (n_samples, n_labels), float32
        Labels.
    rows : ndarray of int
        The rows that belong to the part.
    weight : ndarray of shape (n_samples,) or (n_samples, n_labels), default=None
        Weights of images, or of images and labels.
    """

    X: Any
    y: np.ndarray
    rows: np.ndarray
    weight: np.ndarray | None = None

    @property
    def weighs_labels(self):
        """Whether each label of each image has a weight of its own."""
        return self.weight is not None and self.weight.ndim == 2

    def without_weightless(self):
        """Return the part without the images whose weights are all zero."""
        if self.weight is None:
            return self
        weighs = self.weight[self.rows].reshape(len(self.rows), -1).any(axis=1)
        return Part(self.X, self.y, self.rows[weighs], self.weight)

    def labels(self):
        """Return the labels of the part."""
        return self.y[self.rows]

    def fingerprint(self):
        """Return a text that changes when images, labels, rows or weights do."""
        return joblib.hash([fingerprint_of_images(self.X), self.y, self.rows, self.weight])

    def summary(self):
        """Return what is worth knowing of the part later, as JSON has it.

        The fingerprint covers all labels and weights, and up to 64 images.
        """
        some = self.rows[np.unique(np.linspace(0, len(self.rows) - 1, 64).astype(int))]
        digest = sha256(repr((self.X.shape, self.y.shape)).encode())
        for values in (np.asarray(self.X[some]), self.labels(), self.weight):
            digest.update(b"" if values is None else np.ascontiguousarray(values).tobytes())
        return {
            "n_images": len(self.rows),
            "label_counts": self.labels().sum(axis=0).astype(int).tolist(),
            "fingerprint": f"sha256:{digest.hexdigest()}",
        }


class ImagesOfPart:
    """The images of a part, indexed a batch at a time instead of copied.

    Parameters
    ----------
    part : Part
    """

    def __init__(self, part):
        self._part = part

    def __len__(self):
        return len(self._part.rows)

    def __getitem__(self, batch):
        return self._part.X[self._part.rows[batch]]

    def fingerprint(self):
        """Return a text that changes with the images."""
        return joblib.hash([fingerprint_of_images(self._part.X), self._part.rows])


def fingerprint_of_images(X):
    """Return a text that changes with the images; lazy images give their own without decoding."""
    if hasattr(X, "fingerprint"):
        return X.fingerprint()
    return joblib.hash(np.asarray(X), coerce_mmap=True)


def hold_out(part, fraction, seed):
    """Split into a training part and a validation part, stratified by label.

    Parameters
    ----------
    part : Part
        All the rows.
    fraction : float
        Share of the rows to validate on.
    seed : int
        Decides which.

    Returns
    -------
    training : Part
    validation : Part or None
        Unweighted; None if the share comes to no row, or leaves none to train on.
    """
    n_val = round(len(part.rows) * fraction)
    if not 0 < n_val < len(part.rows):
        return part, None
    kept, held_out = stratified_holdout(part.labels(), n_val, random_state=seed)
    training = Part(part.X, part.y, part.rows[kept], part.weight)
    return training, Part(part.X, part.y, part.rows[held_out])
