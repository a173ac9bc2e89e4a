"""What counts as an image source: any accepted ``X`` becomes a 1-D object array of them.

A source is a path (``str``), an encoded image (``bytes``), a PIL image or a uint8 array. Nothing is
opened here, so 100,000 paths cost what their strings cost.
"""

from __future__ import annotations

import io
import os
import re

import numpy as np
from scipy import sparse

from skposter.exceptions import ImageLoadError

__all__ = ["as_sources", "describe", "failure_report", "is_pil_image"]

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_NAMED_IN_MESSAGE = 1000


def as_sources(X):
    """Return `X` as a 1-D object array of image sources.

    Parameters
    ----------
    X : list, tuple, ndarray, Series or one-column DataFrame
        Paths (str or path-like), encoded images (bytes or readable file objects), PIL images,
        uint8 arrays; or one uint8 array of shape (n_samples, height, width, channels).

    Returns
    -------
    sources : ndarray of shape (n_samples,), dtype=object

    Raises
    ------
    TypeError
        `X` as a whole is not a sequence of sources.
    ImageLoadError
        Some rows are not image sources (None, NaN, a number, a URL); it lists all of them.
    """
    rows = _rows(X)
    sources = np.empty(len(rows), dtype=object)
    failures = []
    for index, row in enumerate(rows):
        try:
            sources[index] = _as_source(row)
        except (TypeError, ValueError, OSError) as error:
            failures.append((index, describe(row), str(error)))
    if failures:
        raise failure_report(failures, "Not image sources")
    return sources


def describe(source):
    """Name `source` in a message: the path itself, or a few words for what is in memory."""
    if isinstance(source, str):
        return str(source)
    if isinstance(source, bytes):
        return f"<{len(source)} bytes>"
    if isinstance(source, np.ndarray):
        return f"<{source.dtype} array of shape {source.shape}>"
    if is_pil_image(source):
        return f"<PIL image {source.width}x{source.height} {source.mode}>"
    return repr(source)[:100]


def failure_report(failures, what):
    """Build the one ImageLoadError for `failures`, a list of (index, name, cause)."""
    lines = [f"row {index}: {name}: {cause}" for index, name, cause in failures]
    if len(lines) > _NAMED_IN_MESSAGE:
        more = len(lines) - _NAMED_IN_MESSAGE
        lines[_NAMED_IN_MESSAGE:] = [f"and {more} more (all are in the error's `failures`)"]
    count = f"{len(failures)} of the rows" if len(failures) > 1 else "1 row"
    index, name, _ = failures[0]
    return ImageLoadError(f"{what} ({count}).\n" + "\n".join(lines), name, index, failures)


def is_pil_image(source):
    """Tell whether `source` is a PIL image, without importing Pillow for those that are not."""
    return hasattr(source, "getbands") and hasattr(source, "tobytes")


def _rows(X):
    """Return something of known length whose items are the rows of `X`."""
    if isinstance(X, (str, os.PathLike, bytes)) or is_pil_image(X) or hasattr(X, "read"):
        raise TypeError(
            f"Expected a sequence of images, got a single one: {describe(X)}. Wrap it in a list."
        )
    if hasattr(X, "columns"):
        if len(X.columns) != 1:
            raise TypeError(
                f"Expected a DataFrame with one column of paths, got {len(X.columns)} columns: "
                f"{list(X.columns)}. Select the column of paths."
            )
        return X.iloc[:, 0].tolist()
    if hasattr(X, "to_list"):
        return X.to_list()
    if isinstance(X, np.ndarray):
        return _array_rows(X)
    if sparse.issparse(X):
        raise TypeError("Expected image sources, such as paths; got a sparse array of numbers.")
    if hasattr(X, "__len__") and hasattr(X, "__getitem__"):
        return X
    raise TypeError(
        "Expected a list, array, Series or one-column DataFrame of image sources, got "
        f"{type(X).__name__}."
    )


def _array_rows(X):
    if X.dtype.kind in "OUST":
        if X.ndim == 2 and X.shape[1] == 1:
            X = X[:, 0]
        if X.ndim == 1:
            return X.tolist()
    elif X.dtype == np.uint8 and X.ndim == 4:
        return X
    raise TypeError(
        "Expected an array of paths of shape (n_samples,) or (n_samples, 1), or a uint8 array of "
        f"shape (n_samples, height, width, channels); got shape {X.shape}, dtype {X.dtype}."
    )


def _as_source(row):
    """Return one row as a source; the message of the error it may raise completes "row i: "."""
    if isinstance(row, str):
        if _URL.match(row):
            raise ValueError("is a URL; download the image and pass its path")
        if not row.strip():
            raise ValueError("is an empty path")
        return str(row)
    if isinstance(row, (bytes, bytearray, memoryview)):
        return bytes(row)
    if isinstance(row, os.PathLike):
        return os.fsdecode(row)
    if isinstance(row, np.ndarray):
        return _checked_array(row)
    if is_pil_image(row):
        return row
    if hasattr(row, "read"):
        return _read_from_start(row)
    raise TypeError(
        f"is {type(row).__name__}; expected a path, encoded bytes, a file object, a PIL image or "
        "a uint8 array"
    )


def _checked_array(array):
    colour = array.ndim == 3 and array.shape[2] in (1, 3, 4)
    if array.dtype != np.uint8 or not (array.ndim == 2 or colour):
        raise TypeError(
            "an array must be uint8 of shape (height, width) or (height, width, 1, 3 or 4)"
        )
    return array


def _read_from_start(file):
    """Read a file object whole, leaving its position as found: a source is read many times."""
    try:
        position = file.tell()
        file.seek(0)
    except (AttributeError, OSError, io.UnsupportedOperation):
        position = None
    content = file.read()
    if position is not None:
        file.seek(position)
    if not isinstance(content, bytes):
        raise TypeError(f"is a file object in text mode ({file!r}); open it with mode 'rb'")
    return content
