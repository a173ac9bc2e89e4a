"""Images that lie in a file of arrays (h5py, zarr), read by the batch."""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["StoredImages", "as_indexable"]

_CHUNK = 256
# Array libraries whose arrays are in memory and become NumPy's without a copy, on a processor.
_IN_MEMORY = {"cupy", "jax", "jaxlib", "tensorflow", "torch"}


def as_indexable(X):
    """Return images so that they can be indexed with arrays of rows in any order.

    Parameters
    ----------
    X : array-like
        NumPy arrays, memory maps and :class:`~skposter.LazyImages` come back as they are; tensors
        become arrays; anything else with shape, dtype and indices is read by the batch.

    Returns
    -------
    X : object with ``shape``, ``dtype`` and ``X[rows]``
    """
    if isinstance(X, np.ndarray) or hasattr(X, "fingerprint"):
        return X
    library = type(X).__module__.partition(".")[0]
    has_all = all(hasattr(X, name) for name in ("shape", "dtype", "__getitem__"))
    if not has_all or library in _IN_MEMORY or not _is_numpy_dtype(X.dtype):
        return np.asarray(X)
    return StoredImages(X)


def _is_numpy_dtype(dtype):
    try:
        np.dtype(dtype)
    except TypeError:  # columns of pandas and polars have dtypes of their own
        return False
    return True


class StoredImages:
    """An array that is read from where it lies, rows in ascending order as h5py wants them.

    Parameters
    ----------
    array : object with ``shape``, ``dtype`` and indices
    """

    def __init__(self, array):
        self._array = array
        self.shape = tuple(array.shape)
        self.dtype = np.dtype(array.dtype)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        if isinstance(rows, slice):
            return np.asarray(self._array[rows])
        # zarr's own brackets take an array for each axis.
        read = getattr(self._array, "oindex", self._array)
        unique, back = np.unique(np.asarray(rows), return_inverse=True)
        return np.asarray(read[unique])[back]

    def fingerprint(self):
        """Return a text that changes with the images; all of them are read."""
        digest = hashlib.sha256(repr((self.shape, str(self.dtype))).encode())
        for start in range(0, len(self), _CHUNK):
            digest.update(np.ascontiguousarray(self[start : start + _CHUNK]))
        return digest.hexdigest()
