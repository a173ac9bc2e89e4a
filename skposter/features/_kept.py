"""Features that have been computed once: in this process, or in a folder for all."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from contextlib import contextmanager

import numpy as np
from sklearn.utils.validation import check_memory

from skposter.images import open_cache
from skposter.memory import feature_folder_of

__all__ = ["image_keys", "kept_rows"]

_LIMIT_IN_PROCESS = 1 << 28
_LIMIT_IN_FOLDER = 1 << 32
_CHUNK = 256
# Of one entry beside its numbers: keys, the array's head, the place in the dict.
_OVERHEAD = 300


def image_keys(X):
    """Return 16 bytes for each image that change with its pixels; lazy images are not decoded."""
    if hasattr(X, "keys_of_images"):
        return X.keys_of_images()
    return [
        hashlib.blake2b(np.ascontiguousarray(image), digest_size=16).digest()
        for start in range(0, len(X), _CHUNK)
        for image in np.asarray(X[start : start + _CHUNK])
    ]


def kept_rows(extractor, memory):
    """Return where the features of an extractor are kept: a folder of `memory`, or this process.

    Either way an object with ``read``, ``filling`` and ``append`` as of the pixel cache.
    """
    location = (
        memory if memory is None or isinstance(memory, str) else check_memory(memory).location
    )
    if location is None or not extractor.lasts:
        return _InProcess(extractor.fingerprint)
    cache = open_cache(
        os.fspath(feature_folder_of(location)),
        _LIMIT_IN_FOLDER,
        (4 * extractor.n_features,),
        f"features of {extractor.fingerprint}",
    )
    return _InFolder(cache)


class _InFolder:
    """Rows of float32 in a cache of bytes."""

    def __init__(self, cache):
        self._cache = cache
        self.filling = cache.filling

    def read(self, keys, out):
        return self._cache.read(keys, out)

    def append(self, keys, rows):
        self._cache.append(keys, np.ascontiguousarray(rows))


class _InProcess:
    """The rows of one extractor among all that this process keeps.

    Parameters
    ----------
    fingerprint : str
        The extractor's.
    """

    _lock = threading.RLock()
    _computing = threading.RLock()
    # By extractor, the one used last at the end.
    _kept: OrderedDict[str, dict[bytes, np.ndarray]] = OrderedDict()

    def __init__(self, fingerprint):
        self._fingerprint = fingerprint

    def read(self, keys, out):
        """Fill ``out[i]`` with the row of ``keys[i]`` and return the `i` that are not there."""
        missing = []
        with self._lock:
            rows = self._rows()
            for i, key in enumerate(keys):
                row = rows.get(key)
                if row is None:
                    missing.append(i)
                else:
                    out[i] = row
        return missing

    @contextmanager
    def filling(self, keys):
        """Be the only thread that computes: a network takes all cores by itself."""
        with self._computing:
            yield True

    def append(self, keys, rows):
        """Keep ``rows[i]`` under ``keys[i]``, as far as there is room.

        Room is made of other extractors' rows, those unused for longest first. A pass over more
        images than fit keeps the first of them: to replace them one by one would leave nothing that
        the next pass begins with.
        """
        with self._lock:
            own = self._rows()
            for key, row in zip(keys, rows, strict=True):
                while self._size() + row.nbytes + _OVERHEAD > _LIMIT_IN_PROCESS:
                    oldest = next(iter(self._kept))
                    if oldest == self._fingerprint:
                        return
                    del self._kept[oldest]
                own[key] = row.copy()

    def _rows(self):
        rows = self._kept.setdefault(self._fingerprint, {})
        self._kept.move_to_end(self._fingerprint)
        return rows

    @classmethod
    def _size(cls):
        return sum(
            len(rows) * (next(iter(rows.values())).nbytes + _OVERHEAD)
            for rows in cls._kept.values()
            if rows
        )
