"""An array of images that exist only while somebody looks at them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from skposter._files.shards import ShardRow
from skposter.images._decoding import files_elsewhere
from skposter.images._free_memory import check_fits
from skposter.images._pixels import pixel_settings
from skposter.images._prefetch import prefetched
from skposter.images._sources import identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["LazyImages"]


class LazyImages:
    """Images that are decoded when they are asked for.

    What ``ImageLoader(lazy=True).transform(paths)`` returns. It has the `shape` and `dtype` of the
    array that it stands for and passes through ``Pipeline``, ``train_test_split``,
    ``cross_val_score`` and ``GridSearchCV``, but holds only the sources. Indexing gives a lazy
    view; ``numpy.asarray(images)`` decodes. Errors and parameters are those of the loader.

    Parameters
    ----------
    sources : ndarray of shape (n_samples,), dtype=object
        Paths, encoded images, PIL images or uint8 arrays.
    decoder : Decoder
        The loader's parameters.
    rows : ndarray of shape (n_samples,), dtype=int, default=None
        The row of each source in the loader's input, for errors; by default 0, 1, 2, ...

    Attributes
    ----------
    shape : tuple of int
        (n_samples, height, width, channels), or (height, width, channels) for one image.
    dtype : numpy.dtype
        Always uint8.
    ndim : int
        4, or 3 for one image.
    nbytes : int
        What the decoded array would take.

    See Also
    --------
    skposter.ImageLoader : Makes them.

    Examples
    --------
    >>> import numpy as np
    >>> from skposter import ImageLoader
    >>> pixels = np.full((3, 20, 10, 3), 7, dtype=np.uint8)
    >>> images = ImageLoader(size=(4, 2), lazy=True).transform(pixels)
    >>> images
    LazyImages(shape=(3, 4, 2, 3), dtype=uint8)
    >>> images[[2, 0]].shape, images[1].shape
    ((2, 4, 2, 3), (4, 2, 3))
    >>> int(np.asarray(images[1:]).max())
    7
    """

    def __init__(self, sources: Any, decoder: Any, rows: Any = None) -> None:
        self._sources = sources
        self._decoder = decoder
        self._rows = np.arange(len(sources)) if rows is None else rows
        self._is_one = False

    @property
    def shape(self) -> tuple[int, int, int, int]:
        one = self._decoder.options.shape
        return one if self._is_one else (len(self._sources), *one)

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        return np.dtype(np.uint8)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self):
        return f"LazyImages(shape={self.shape}, dtype={self.dtype})"

    def __getitem__(self, key: Any) -> Any:
        if self._is_one:
            return np.asarray(self)[key]
        if isinstance(key, tuple):
            key = _first_axis(key)
        if hasattr(key, "__array__"):
            key = np.asarray(key)
        positions = np.arange(len(self))[key]
        if np.ndim(positions) > 1:
            raise IndexError("LazyImages take an int, a slice, a mask or a 1-D array of indices.")
        chosen = np.atleast_1d(positions)
        view = type(self)(self._sources[chosen], self._decoder, self._rows[chosen])
        view._is_one = np.ndim(positions) == 0
        return view

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        for i in range(len(self)):
            yield np.asarray(self[i])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("LazyImages are decoded on request: an array of them is always new.")
        check_fits(self.shape, "Take them in batches, for instance images[:1000].")
        images = self._decoder.decode(self._sources, self._rows)
        images = images[0] if self._is_one else images
        return images if dtype is None else images.astype(dtype, copy=False)

    def batches(self, index_lists: Iterable[Any], depth: int = 2) -> Iterator[NDArray[np.uint8]]:
        """Decode batch after batch, the next ones in the background while one is used.

        Parameters
        ----------
        index_lists : iterable of array-like of int
            The images of each batch.
        depth : int, default=2
            How many finished batches may wait; memory holds at most ``depth + 2`` batches.

        Yields
        ------
        images : ndarray of shape (batch_size, height, width, channels), dtype=uint8

        Raises
        ------
        ImageLoadError
            From the ``next`` that would have given the batch with the bad image.

        Examples
        --------
        >>> import numpy as np
        >>> from skposter import ImageLoader
        >>> pixels = np.zeros((5, 20, 10, 3), dtype=np.uint8)
        >>> images = ImageLoader(size=(4, 2), lazy=True).transform(pixels)
        >>> [batch.shape for batch in images.batches([[0, 3], [4, 1, 2]])]
        [(2, 4, 2, 3), (3, 4, 2, 3)]
        """
        return prefetched(lambda indices: np.asarray(self[np.asarray(indices)]), index_lists, depth)

    def shards(self) -> NDArray[np.intp] | None:
        """Return which images lie in the same file, or the same row group of a Parquet file.

        Returns
        -------
        shards : ndarray of int, shape (n_samples,), or None
            The number of each image's file or row group, from 0 in the order of their first images.
            None if some image is not of `skposter.datasets.load_image_shards`.
        """
        numbers: dict[tuple, int] = {}
        shards = np.empty(len(self._sources), dtype=np.intp)
        for i, source in enumerate(self._sources):
            if not isinstance(source, ShardRow):
                return None
            shards[i] = numbers.setdefault(source.shard, len(numbers))
        return shards

    def keys_of_images(self) -> list[bytes]:
        """Return 16 bytes for each image that change as `fingerprint` does, without decoding.

        Returns
        -------
        keys : list of bytes
        """
        settings = f"{pixel_settings(self._decoder.options)} {self._decoder.on_error}".encode()
        self._look_up()
        return [
            hashlib.blake2b(settings + identity(source), digest_size=16).digest()
            for source in self._sources
        ]

    def _look_up(self):
        """Learn the versions of what lies elsewhere, many at once."""
        elsewhere = [*files_elsewhere(self._sources, range(len(self._sources))).values()]
        if elsewhere:
            elsewhere[0].access.look_up([file.url for file in elsewhere])

    def fingerprint(self) -> str:
        """Return a digest of what the pixels depend on, without decoding.

        It changes with the loader's parameters, Pillow's version and switches, the images, their
        order, and the path, size or modification time of a file, or the address, size or ETag of
        what lies elsewhere.

        Returns
        -------
        digest : str
        """
        digest = hashlib.blake2b(digest_size=16)
        settings = pixel_settings(self._decoder.options)
        digest.update(f"{settings} {self._decoder.on_error} {self.shape}".encode())
        self._look_up()
        for source in self._sources:
            part = identity(source)
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
        return digest.hexdigest()


def _first_axis(key):
    """Return the index along the samples of ``images[key, ...]`` and ``images[key, :, :]``."""
    whole = [part is Ellipsis or (isinstance(part, slice) and part == slice(None)) for part in key]
    if len(key) == 0 or len(key) > 4 or not all(whole[1:]):
        raise IndexError(
            "LazyImages are indexed along their samples only; decode them first: "
            "numpy.asarray(images)[...]."
        )
    return slice(None) if key[0] is Ellipsis else key[0]
