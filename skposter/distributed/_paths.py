"""The images of a prediction, partition by partition: of a list, a file of paths, or a stream."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from skposter._estimators.spelling import did_you_mean
from skposter._files.addresses import is_url, redacted
from skposter.distributed._arrow import arrow
from skposter.exceptions import DataError

__all__ = ["PathList", "path_digest", "resolved"]

_PARQUET = (".parquet", ".pq", ".parq")
_READ_AT_ONCE = 65_536


class Extent(NamedTuple):
    """How many paths there are, a digest of them, and the first and the last."""

    n_images: int
    digest: str
    ends: tuple[str, str]


class PathList:
    """Paths of images that need not be in memory together.

    Parameters
    ----------
    paths : list, array, column, one-column table, iterator, str or path-like
        A str or path-like is a folder of images, a text file with a path a line, or a Parquet file
        (or folder of such).
    column : str, default="path"
        The column with the paths of a table that has several.
    """

    def __init__(self, paths, column="path"):
        self._column = column
        self._once = None
        if isinstance(paths, (str, os.PathLike)):
            self._read = _reader_of_file(os.fspath(paths), column)
        elif isinstance(paths, Iterator):
            self._once = paths
        else:
            rows = _rows(paths, column)
            self._read = lambda: rows

    def extent(self):
        """Return the `Extent`, or None of a stream that can be read only once.

        Raises
        ------
        DataError
            If there are no paths, or a row is none.
        """
        if self._once is not None:
            return None
        digest, n_images = hashlib.blake2b(digest_size=16), 0
        first = last = ""
        for some in _batches(self._checked(), _READ_AT_ONCE):
            _update(digest, some)
            n_images += len(some)
            first, last = first or some[0], some[-1]
        if not n_images:
            raise DataError("there are no images to predict")
        return Extent(n_images, digest.hexdigest(), (first, last))

    def partitions(self, size):
        """Yield lists of `size` paths, the last of which may be shorter."""
        return _batches(self._checked(), size)

    def _checked(self):
        rows = self._read() if self._once is None else self._once
        for row, path in enumerate(rows):
            if type(path) is str and path.strip():
                yield path
            else:
                yield _as_path(row, path)


def path_digest(paths):
    """Return a digest of a list of paths."""
    digest = hashlib.blake2b(digest_size=16)
    _update(digest, paths)
    return digest.hexdigest()


def resolved(paths, folder):
    """Return paths as they are found from elsewhere: relative ones are those of `folder`."""
    return [
        path if os.path.isabs(path) or is_url(path) else os.path.join(folder, path)
        for path in paths
    ]


def _update(digest, paths):
    # No path holds a NUL.
    digest.update("".join(f"{path}\0" for path in paths).encode(errors="surrogatepass"))


def _batches(paths, size):
    while some := list(itertools.islice(paths, size)):
        yield some


def _as_path(row, path):
    if isinstance(path, os.PathLike):
        path = os.fspath(path)
    if isinstance(path, str) and path.strip():
        return str(path)
    raise DataError(
        f"row {row} of the list of images is {path!r:.100}, expected a path (str or path-like)"
    )


def _rows(paths, column):
    kind = type(paths)
    if hasattr(kind, "columns") or hasattr(kind, "column_names"):
        names = list(paths.column_names if hasattr(kind, "column_names") else paths.columns)
        paths = paths[_chosen_column(names, column, "the table")]
        kind = type(paths)
    for name in ("to_list", "to_pylist"):
        if hasattr(kind, name):
            return getattr(paths, name)()
    if isinstance(paths, np.ndarray):
        if paths.ndim != 1:
            raise DataError(
                f"paths is an array of shape {paths.shape}, expected paths of shape (n_images,)"
            )
        return paths.tolist()
    if isinstance(paths, (bytes, dict, set)) or not hasattr(paths, "__iter__"):
        raise TypeError(
            f"paths is a {kind.__name__}, expected a list, array, column, iterator, collection of "
            "Dask's, or the path of a list, folder or Parquet file"
        )
    return paths


def _chosen_column(names, column, where):
    if column in names:
        return column
    if len(names) == 1:
        return names[0]
    raise DataError(
        f"{where} has no column {column!r}, and its columns are {names[:10]}; say with path_column "
        f"which has the paths.{did_you_mean(column, names)}"
    )


def _reader_of_file(path, column):
    """Return a function that yields the paths in a folder, a text file or a Parquet file."""
    if is_url(path):
        raise DataError(
            f"{redacted(path)!r} is an address of a list or a folder, which is not read; pass the "
            "addresses of the images as a list, or a file of this machine that has them"
        )
    if not os.path.exists(path):
        raise FileNotFoundError(f"there is no list or folder of images {path!r}")
    if path.lower().endswith(_PARQUET) or (os.path.isdir(path) and _holds_parquet(path)):
        return _reader_of_parquet(path, column)
    if os.path.isdir(path):
        return lambda: _images_in(path)
    return lambda: _lines(path)


def _holds_parquet(folder):
    with os.scandir(folder) as entries:
        return any(entry.name.lower().endswith(_PARQUET) for entry in entries)


def _images_in(folder):
    from skposter.datasets import ImageFolder

    names = ImageFolder(folder).image_names()
    if not names:
        raise DataError(f"the folder {folder!r} holds no image files")
    return (os.path.join(folder, name) for name in names)


def _lines(path):
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
            for line in file:
                if "\0" in line:
                    raise DataError(
                        f"{path!r} is no list of images: expected a text file with a path a line, "
                        "a folder, or a Parquet file"
                    )
                line = line.rstrip("\r\n")
                if line.strip():
                    yield line
    except IsADirectoryError:
        raise DataError(f"{path!r} is a folder") from None


def _reader_of_parquet(path, column) -> Any:
    dataset = arrow("dataset").dataset(path, format="parquet")
    column = _chosen_column(dataset.schema.names, column, f"{path!r}")

    def read():
        for batch in dataset.to_batches(columns=[column], batch_size=_READ_AT_ONCE):
            yield from batch.column(0).to_pylist()

    return read
