"""What counts as an image source: any accepted ``X`` becomes a 1-D object array of them.

A source is a path (``str``), an address (`RemoteFile`), an encoded image (``bytes``), something
with a method ``open`` (a member of an archive), a PIL image or a uint8 array. Nothing but file
objects is read here, so 100,000 paths cost what their strings cost.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import sys
import time
from collections.abc import Mapping, Set

import numpy as np

from skposter._files.addresses import identifying, is_url, local_path, redacted
from skposter._files.remote import RemoteFile
from skposter._files.shards import ShardRow
from skposter.exceptions import ImageLoadError

__all__ = [
    "SETTLED_NS",
    "as_sources",
    "content_digest",
    "describe",
    "failure_report",
    "file_key",
    "identity",
    "is_pil_image",
    "open_binary",
    "printable",
]

# A second write within a tick of the file system's clock could leave the same times.
SETTLED_NS = 20_000_000

# No encoded image is free of control characters.
_PATH_IN_BYTES = re.compile(rb"[^\x00-\x1f]{1,4096}\.[a-zA-Z0-9]{2,5}")
_HERE = (None, "", "file", "local")
_CELL = {"bytes", "path"}
_NAMED_IN_MESSAGE = 1000


def as_sources(X, access=None):
    """Return `X` as a 1-D object array of image sources.

    Parameters
    ----------
    X : list, tuple, array, column or one-column table
        Paths (str or path-like), encoded images (bytes or readable file objects), objects whose
        ``open`` gives one, cells ``{"bytes": ..., "path": ...}``, PIL images, uint8 arrays; or one
        uint8 array of shape (n_samples, height, width, channels). Columns and tables are those of
        pandas, polars, Arrow and Hugging Face's datasets.
    access : Access, default=None
        How addresses (``s3://bucket/a.jpg``) are read. None refuses them: whoever predicts what
        others send must not be made to fetch it.

    Returns
    -------
    sources : ndarray of shape (n_samples,), dtype=object

    Raises
    ------
    TypeError
        `X` as a whole is not a sequence of sources.
    ImageLoadError
        Some rows are not image sources (None, NaN, a number); it lists all of them.
    ImportError
        The package that reads an address is not installed.
    """
    rows = _rows(X)
    sources = np.empty(len(rows), dtype=object)
    failures = []
    for index, row in enumerate(rows):
        try:
            sources[index] = _as_source(row, access)
        except (TypeError, ValueError, OSError) as error:
            failures.append((index, describe(row), str(error)))
    if failures:
        raise failure_report(failures, "Not image sources")
    return sources


def describe(source):
    """Name `source` in a message: the path itself, or a few words for what is in memory."""
    if isinstance(source, str):
        return redacted(str(source))
    if isinstance(source, (RemoteFile, ShardRow)):
        return repr(source)
    if isinstance(source, bytes):
        if len(source) <= 4096 and _PATH_IN_BYTES.fullmatch(source):
            return repr(redacted(source.decode(errors="backslashreplace")).encode())
        return f"<{len(source)} bytes>"
    if isinstance(source, np.ndarray):
        return f"<{source.dtype} array of shape {source.shape}>"
    if is_pil_image(source):
        return f"<PIL image {source.width}x{source.height} {source.mode}>"
    return repr(source)[:100]


def failure_report(failures, what):
    """Build the one ImageLoadError for `failures`, a list of (index, name, cause)."""
    lines = [
        f"row {index}: {printable(name)}: {printable(cause)}" for index, name, cause in failures
    ]
    if len(lines) > _NAMED_IN_MESSAGE:
        more = len(lines) - _NAMED_IN_MESSAGE
        lines[_NAMED_IN_MESSAGE:] = [f"and {more} more (all are in the error's `failures`)"]
    count = f"{len(failures)} of the rows" if len(failures) > 1 else "1 row"
    index, name, _ = failures[0]
    return ImageLoadError(f"{what} ({count}).\n" + "\n".join(lines), name, index, failures)


def is_pil_image(source):
    """Tell whether `source` is a PIL image, without importing Pillow for those that are not."""
    return hasattr(source, "getbands") and hasattr(source, "tobytes")


def open_binary(source):
    """Open something that has a method `open`: some default to text, some know no modes."""
    try:
        return source.open("rb")
    except TypeError:
        return source.open()


def file_key(path):
    """Return 16 bytes that change with path, size or modification time; None without a file."""
    try:
        status = os.stat(path)
        age = time.time_ns() - status.st_mtime_ns
        if 0 <= age < SETTLED_NS:
            # Once the tick is over, a second write leaves another time.
            time.sleep((SETTLED_NS - age) / 1e9)
            status = os.stat(path)
        text = f"{os.path.abspath(path)}\0{status.st_size}\0{status.st_mtime_ns}"
    except (OSError, ValueError):
        return None
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()


def identity(source):
    """Return bytes that change when the pixels of `source` would.

    Files are not read: their `file_key` tells, and the place in them; of addresses what
    `Access.look_up` has found out.
    """
    if isinstance(source, str):
        key = file_key(source)
        missing = f"missing {os.path.abspath(source)}".encode(errors="surrogatepass")
        return missing if key is None else b"file " + key
    if isinstance(source, RemoteFile):
        return _identity_elsewhere(source)
    if isinstance(source, ShardRow):
        return b"shard " + source.key.encode(errors="surrogatepass")
    if is_pil_image(source):
        header = f"PIL {source.mode} {source.size} {sorted(source.getexif().items())} "
        return header.encode() + hashlib.blake2b(source.tobytes()).digest()
    return content_digest(source)


def _identity_elsewhere(source):
    if source.key is not None:
        return b"address " + source.key.encode(errors="surrogatepass")
    try:
        return content_digest(source)
    except OSError:
        return f"missing {identifying(source.url)}".encode(errors="surrogatepass")


def content_digest(source):
    """Return a digest of what is behind `source`, the encoded image or the pixels."""
    if isinstance(source, bytes):
        return b"bytes " + hashlib.blake2b(source).digest()
    if isinstance(source, np.ndarray) or is_pil_image(source):
        pixels = np.ascontiguousarray(source)
        return f"array {pixels.shape} ".encode() + hashlib.blake2b(pixels).digest()
    with open(source, "rb") if isinstance(source, str) else open_binary(source) as file:
        return b"bytes " + hashlib.file_digest(file, "blake2b").digest()


def printable(name):
    """Return a name so that it cannot steer a terminal, break a line or fail to be encoded."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


def _rows(X):
    """Return something of known length whose items are the rows of `X`."""
    if isinstance(X, Mapping):
        raise TypeError(
            f"Expected a sequence of images, got a {type(X).__name__} with the keys {_some(X)}. "
            "Pass what stands under one of them, or, if it is a single image, wrap it in a list."
        )
    if isinstance(X, (str, os.PathLike, bytes)) or is_pil_image(X) or _opens(X):
        raise TypeError(
            f"Expected a sequence of images, got a single one: {printable(describe(X))}. "
            "Wrap it in a list."
        )
    # Asked of the class: a Series has its index's labels as attributes.
    kind = type(X)
    if hasattr(kind, "columns") or hasattr(kind, "column_names"):
        if not hasattr(kind, "__len__"):
            raise TypeError(
                f"Expected images, got a {kind.__name__}, which is yet to be computed. Collect it "
                "first."
            )
        names = X.column_names if hasattr(kind, "column_names") else X.columns
        if len(names) != 1:
            raise TypeError(
                f"Expected a DataFrame with one column of paths, got {len(names)} columns: "
                f"{_some(names)}. Select the column of paths or images."
            )
        X = X.iloc[:, 0] if hasattr(kind, "iloc") else X[names[0]]
    for name in ("to_list", "to_pylist"):
        if hasattr(type(X), name):
            return getattr(X, name)()
    sparse = sys.modules.get("scipy.sparse")  # or nothing is a sparse array
    if sparse is not None and sparse.issparse(X):
        raise TypeError("Expected image sources, such as paths; got a sparse array of numbers.")
    if hasattr(X, "__array__") and hasattr(X, "dtype"):
        return _array_rows(np.asarray(X))  # tensors and data sets of h5py and zarr, too
    if hasattr(X, "__len__") and hasattr(X, "__getitem__"):
        return X
    hint = " list(X) makes one of it." if hasattr(X, "__iter__") and not isinstance(X, Set) else ""
    raise TypeError(
        "Expected a list, array, Series or one-column DataFrame of image sources, got "
        f"{type(X).__name__}.{hint}"
    )


def _some(names):
    names = list(names)
    return f"{names[:10]}" + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _opens(X):
    """Tell whether `X` is a file, or something that opens as one."""
    opens = callable(getattr(X, "read", None)) or callable(getattr(X, "open", None))
    return opens and not isinstance(X, (list, tuple)) and not hasattr(X, "shape")


def _array_rows(X):
    if X.dtype.kind in "OUST":
        if X.ndim == 2 and X.shape[1] == 1:
            X = X[:, 0]
        if X.ndim == 1:
            return X.tolist()
    elif X.dtype == np.uint8 and X.ndim == 4:
        if X.shape[3] not in (1, 3, 4) and X.shape[1] in (1, 3, 4):
            raise TypeError(
                f"Expected channels last; got shape {X.shape}. Move them: numpy.moveaxis(X, 1, -1)."
            )
        return X
    raise TypeError(
        "Expected an array of paths of shape (n_samples,) or (n_samples, 1), or a uint8 array of "
        f"shape (n_samples, height, width, channels); got shape {X.shape}, dtype {X.dtype}."
    )


def _as_source(row, access):
    """Return one row as a source; the message of the error it may raise completes "row i: "."""
    if isinstance(row, str):
        if is_url(row):
            return _as_file(str(row), access)
        if not row.strip():
            raise ValueError("is an empty path")
        return str(row)
    if isinstance(row, (bytes, bytearray, memoryview)):
        row = bytes(row)
        if len(row) <= 4096 and _PATH_IN_BYTES.fullmatch(row):
            raise ValueError("is a path as bytes, which are taken for an image; decode it to str")
        return row
    if isinstance(row, os.PathLike) and getattr(row, "protocol", None) in _HERE:
        return os.fsdecode(row)
    if is_pil_image(row):
        return row
    if isinstance(row, (RemoteFile, ShardRow)):
        return row
    if isinstance(row, Mapping):
        return _as_source(_in_cell(row), access)
    if hasattr(row, "as_py"):  # Arrow's
        return _as_source(row.as_py(), access)
    if callable(getattr(row, "read", None)):
        return _read_from_start(row)
    if hasattr(row, "__array__"):
        array = np.asarray(row)
        if array.ndim:
            return _checked_array(array)
        if isinstance(array.item(), (str, bytes)):
            return _as_source(array.item(), access)
    if callable(getattr(row, "open", None)):
        return row
    raise TypeError(
        f"is {type(row).__name__}; expected a path, encoded bytes, a file object, a PIL image or "
        "a uint8 array"
    )


def _as_file(url, access):
    if access is None:
        raise ValueError("is a URL, which is not read here; pass the image or its path")
    path = local_path(url)
    return access.file(url) if path is None else path


def _in_cell(cell):
    """Return what a cell of an image column of Hugging Face's datasets holds."""
    if not cell or not set(cell) <= _CELL:
        raise TypeError(
            f"is a {type(cell).__name__} with the keys {_some(cell)}; expected an image, or a cell "
            "with the keys 'bytes' and 'path'"
        )
    found = cell.get("bytes")
    found = cell.get("path") if found is None else found
    if found is None:
        raise ValueError("is a cell with neither bytes nor a path")
    return found


def _checked_array(array):
    if array.dtype == np.uint8 and array.ndim == 1:
        return array.tobytes()  # an encoded image, as OpenCV and HDF5 have them
    colour = array.ndim == 3 and array.shape[2] in (1, 3, 4)
    if array.dtype != np.uint8 or not (array.ndim == 2 or colour):
        hint = ""
        if array.ndim == 3 and array.shape[0] in (1, 3, 4):
            hint = "; channels come last: numpy.moveaxis(image, 0, -1)"
        raise TypeError(
            f"an array must be uint8 of shape (height, width) or (height, width, 1, 3 or 4){hint}"
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
