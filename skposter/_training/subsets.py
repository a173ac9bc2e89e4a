"""The rows to train on and the rows to validate on, with what they weigh and what is unknown."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import joblib
import numpy as np

from skposter.images import LazyImages
from skposter.model_selection import stratified_holdout

__all__ = [
    "ImagesOf",
    "Subset",
    "fingerprint_of_images",
    "hold_out",
    "is_decoded_when_read",
    "weight_of_known",
]

# Fingerprints of lazy images, by what they were made from.
_SUMMARISED: dict[str, str] = {}
_MOST_SUMMARISED = 1000


@dataclass
class Subset:
    """Some rows of images and labels.

    Parameters
    ----------
    X : array-like of uint8, shape (n_samples, height, width, channels)
        Images; never copied.
    y : ndarray of shape (n_samples, n_labels), float32
        Labels; NaN where nobody knows, with a weight of zero.
    rows : ndarray of int
        The rows that belong to the subset.
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
        """Return the subset without the images whose weights are all zero."""
        if self.weight is None:
            return self
        weighs = self.weight[self.rows].reshape(len(self.rows), -1).any(axis=1)
        return Subset(self.X, self.y, self.rows[weighs], self.weight)

    def labels(self):
        """Return the labels of the subset, NaN where nobody knows."""
        return self.y[self.rows]

    def fingerprint(self):
        """Return a text that changes when images, labels, rows or weights do."""
        return joblib.hash([fingerprint_of_images(self.X), self.y, self.rows, self.weight])

    def summary(self):
        """Return what is worth knowing of the subset later, as JSON has it.

        The fingerprint covers all labels and weights, and up to 64 images.
        """
        some = self.rows[np.unique(np.linspace(0, len(self.rows) - 1, 64).astype(int))]
        images = self.X[some]
        if is_decoded_when_read(images):
            # The candidates of a search come with the same rows; once is enough.
            key = joblib.hash([images.fingerprint(), self.X.shape, self.labels(), self.weight])
            if key not in _SUMMARISED:
                if len(_SUMMARISED) >= _MOST_SUMMARISED:
                    _SUMMARISED.clear()
                _SUMMARISED[key] = self._digest(images)
            digest = _SUMMARISED[key]
        else:
            digest = self._digest(images)
        return {
            "n_images": len(self.rows),
            "label_counts": np.nansum(self.labels(), axis=0).astype(int).tolist(),
            "fingerprint": f"sha256:{digest}",
        }

    def _digest(self, images):
        digest = sha256(repr((self.X.shape, self.y.shape)).encode())
        for values in (np.asarray(images), self.labels(), self.weight):
            digest.update(b"" if values is None else np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()


class ImagesOf:
    """The images of a subset, indexed a batch at a time instead of copied.

    Parameters
    ----------
    subset : Subset
    """

    def __init__(self, subset):
        self._subset = subset

    def __len__(self):
        return len(self._subset.rows)

    def __getitem__(self, batch):
        return self._subset.X[self._subset.rows[batch]]

    def fingerprint(self):
        """Return a text that changes with the images."""
        return joblib.hash([fingerprint_of_images(self._subset.X), self._subset.rows])


def fingerprint_of_images(X):
    """Return a text that changes with the images; lazy images give their own without decoding."""
    if hasattr(X, "fingerprint"):
        return X.fingerprint()
    return joblib.hash(np.asarray(X), coerce_mmap=True)


def is_decoded_when_read(X):
    """Tell whether looking at `X`, images or `ImagesOf` a subset, decodes them."""
    return isinstance(X._subset.X if isinstance(X, ImagesOf) else X, LazyImages)


def hold_out(subset, fraction, seed):
    """Split into a subset to train on and one to validate on, stratified by label.

    Parameters
    ----------
    subset : Subset
        All the rows.
    fraction : float
        Share of the rows to validate on.
    seed : int
        Decides which.

    Returns
    -------
    training : Subset
    validation : Subset or None
        Without weights other than those of unknown labels; None if the share comes to no row, or
        leaves none to train on.
    """
    n_val = round(len(subset.rows) * fraction)
    if not 0 < n_val < len(subset.rows):
        return subset, None
    kept, held_out = stratified_holdout(subset.labels(), n_val, random_state=seed)
    training = Subset(subset.X, subset.y, subset.rows[kept], subset.weight)
    weight = weight_of_known(subset.y)
    return training, Subset(subset.X, subset.y, subset.rows[held_out], weight)


def weight_of_known(y):
    """Return a weight for each label of each image, zero where it is unknown, or None if none is.

    Their mean is one, so that losses are comparable to those without unknown labels.
    """
    known = ~np.isnan(y)
    if known.all():
        return None
    return (known / known.mean()).astype(np.float32)
