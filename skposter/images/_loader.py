"""The transformer from paths to pixels."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from numbers import Integral
from typing import TYPE_CHECKING

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions

from skposter._estimators.fit_tasks import CallbacksMixin, with_callbacks
from skposter._files.addresses import StorageOptions
from skposter._files.remote import Access
from skposter.images._cache import cache_usage, clear_cache
from skposter.images._decoding import Decoder, threads
from skposter.images._free_memory import check_fits
from skposter.images._lazy import LazyImages
from skposter.images._opening import checked_formats
from skposter.images._pixels import RESAMPLE, PixelOptions
from skposter.images._scratch import forget_scratch
from skposter.images._sources import as_sources
from skposter.images._verify import image_problems

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal, Self

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from skposter._typing import PathLike, Samples

__all__ = ["ImageLoader"]


class _ShownByName:
    """A parameter whose values no representation of the estimator shows, as they may be secret."""

    def __set_name__(self, owner, name):
        self._name = name

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        try:
            return instance.__dict__[self._name]
        except KeyError:  # of a loader that was pickled before there was such a parameter
            raise AttributeError(self._name) from None

    def __set__(self, instance, value):
        if isinstance(value, Mapping) and not isinstance(value, StorageOptions):
            value = StorageOptions(value)
        instance.__dict__[self._name] = value


class ImageLoader(CallbacksMixin, TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Load images, whatever they are, as one uint8 array.

    Stateless: `fit` only validates, `transform` may be called at once. The result does not depend
    on the batch, the order or the number of threads.

    Only regular files whose content is one of `formats` are opened, and only after their header
    has shown that they are small enough. EXIF orientation is applied, transparency is blended over
    `background`, 16-bit grey is scaled to 8 bits, and of an animation the first frame is taken.
    Modes without a defined black and white (floating point, LAB) are refused.

    Parameters
    ----------
    size : tuple (height, width), default=(128, 96)
        Of the result, in pixels.
    mode : {"RGB", "L"}, default="RGB"
        Three channels of colour or one of grey.
    resize : {"stretch", "pad", "crop"}, default="stretch"
        How another aspect ratio is brought to `size`: the sides are scaled apart, the image is
        fitted inside and `background` fills the rest, or the largest centred part is taken.
    resample : {"nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"}, default="bilinear"
        Pillow's filter. All but "nearest" average over the pixels that they shrink.
    background : tuple of three int, default=(255, 255, 255)
        Red, green and blue of what shows through transparency and around a padded image.
    exact : bool, default=False
        Decode JPEGs at full scale. By default libjpeg decodes at 1/2, 1/4 or 1/8 scale where that
        still gives at least `size` pixels, two to three times faster; on posters of 300x450 brought
        to 112x80 the result differs by 2 of 255 grey levels on average.
    on_error : {"raise", "blank"}, default="raise"
        What an image that cannot be loaded does: one `ImageLoadError` after the whole batch names
        all of them, or each is replaced by mid-grey, rows stay aligned with `y`, and one
        `ImageLoadWarning` names all. Rows that are no image source at all, like None, always
        raise.
    max_pixels : int, default=25_000_000
        Images with more are refused. It bounds memory as well: an image whose decoding would take
        more than 8 bytes times `max_pixels` is refused (a WebP takes 16 bytes a pixel).
    max_bytes : int, default=100_000_000
        Files larger than this are refused.
    formats : tuple of str, default=("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
        Accepted formats, by Pillow's names. Content decides, not the file's name. MPO files open
        as JPEG; EPS is refused, because Pillow hands it to Ghostscript.
    n_jobs : int, default=None
        Threads that decode. None and -1 mean all usable cores, -2 all but one.
    cache_dir : str or path-like, default=None
        Folder for decoded pixels, shared by folds, candidates, predictions and processes. An image
        is found again by its absolute path, size and modification time and by all parameters
        above, so a file that was overwritten is decoded anew; what lies elsewhere by its address,
        size and ETag. Only files and addresses are cached. By default
        images that this process loads repeatedly, as a search does, are kept in a temporary file
        that ends with it, unless `lazy`.
    cache_limit : int, default=10_000_000_000
        Bytes that all caches in `cache_dir` together may take. When they are reached the shards
        unused for longest make room; what has been in use since this process began stays, and then
        further images are decoded but not kept. The temporary file takes 4 GiB or a quarter of the
        free disk at most. 0 keeps nothing.
    lazy : bool, default=False
        Whether `transform` returns `LazyImages`, which are decoded when they are looked at, instead
        of an array.
    storage_options : dict, default=None
        How images are read whose paths are addresses (``s3://bucket/a.jpg``, ``gs://``,
        ``https://``, ...): the options of fsspec's file system, or a dictionary of them by
        protocol, ``{"s3": {...}, "https": {...}}``. None is fsspec's own configuration, with the
        credentials that its libraries find. ``{"allow_private_hosts": True}`` lets web addresses
        lead into private networks and to this machine. They are not shown, not written by
        `skposter.save`, but pickled (by joblib too).
    verbose : int, default=0
        Whether to show a progress bar.

    Raises
    ------
    skposter.exceptions.ImageLoadError
        From `transform`: images that cannot be loaded, or rows that are not image sources.
    ImportError
        From `fit` and `transform`: the package is not installed that reads an address.
    MemoryError
        From `transform`, before anything is decoded: the array would not fit into free memory.

    See Also
    --------
    skposter.LazyImages : The result of ``lazy=True``.
    skposter.datasets.load_image_csv : Paths and labels from a CSV.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from skposter import ImageLoader
    >>> folder = tempfile.TemporaryDirectory()
    >>> paths = [Path(folder.name, name) for name in ("red.png", "blue.jpg")]
    >>> for path in paths:
    ...     Image.new("RGB", (300, 450), path.stem).save(path)
    >>> images = ImageLoader(size=(112, 80)).transform(paths)
    >>> images.shape, images.dtype
    ((2, 112, 80, 3), dtype('uint8'))
    >>> images[0, 0, 0].tolist()
    [255, 0, 0]

    A file that is no image is an error with its path, and `verify` finds it first:

    >>> _ = paths[0].write_text("<!DOCTYPE html>")
    >>> ImageLoader().verify(paths)[["row", "kind"]]
       row          kind
    0    0  not_an_image
    >>> ImageLoader().transform(paths)
    Traceback (most recent call last):
        ...
    skposter.exceptions.ImageLoadError: Images that could not be loaded (1 row).
    row 0: ...red.png: is not an image that can be read: it looks like a web page
    >>> folder.cleanup()
    """

    _parameter_constraints: dict = {
        "size": [tuple, list],
        "mode": [StrOptions({"RGB", "L"})],
        "resize": [StrOptions({"stretch", "pad", "crop"})],
        "resample": [StrOptions(set(RESAMPLE))],
        "background": [tuple, list],
        "exact": ["boolean"],
        "on_error": [StrOptions({"raise", "blank"})],
        "max_pixels": [Interval(Integral, 1, None, closed="left")],
        "max_bytes": [Interval(Integral, 1, None, closed="left")],
        "formats": [tuple, list],
        "n_jobs": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Integral, None, -1, closed="right"),
            None,
        ],
        "cache_dir": [str, os.PathLike, None],
        "cache_limit": [Interval(Integral, 0, None, closed="left")],
        "lazy": ["boolean"],
        "storage_options": [dict, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        size: tuple[int, int] = (128, 96),
        *,
        mode: Literal["RGB", "L"] = "RGB",
        resize: Literal["stretch", "pad", "crop"] = "stretch",
        resample: Literal[
            "nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"
        ] = "bilinear",
        background: tuple[int, int, int] = (255, 255, 255),
        exact: bool = False,
        on_error: Literal["raise", "blank"] = "raise",
        max_pixels: int = 25_000_000,
        max_bytes: int = 100_000_000,
        formats: Sequence[str] = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"),
        n_jobs: int | None = None,
        cache_dir: PathLike | None = None,
        cache_limit: int = 10_000_000_000,
        lazy: bool = False,
        storage_options: Mapping[str, Any] | None = None,
        verbose: int = 0,
    ) -> None:
        self.size = size
        self.mode = mode
        self.resize = resize
        self.resample = resample
        self.background = background
        self.exact = exact
        self.on_error = on_error
        self.max_pixels = max_pixels
        self.max_bytes = max_bytes
        self.formats = formats
        self.n_jobs = n_jobs
        self.cache_dir = cache_dir
        self.cache_limit = cache_limit
        self.lazy = lazy
        self.storage_options = storage_options
        self.verbose = verbose

    @with_callbacks
    def fit(self, X: Samples, y: Any = None) -> Self:
        """Check the parameters and what `X` is made of; no image is opened.

        Parameters
        ----------
        X : sequence of n_samples image sources
            As in `transform`.
        y : None
            Ignored.

        Returns
        -------
        self : ImageLoader
        """
        task = self.begin_fit(X, y)
        self._decoder()
        self._sources(X)
        task.end()
        return self

    def transform(self, X: Samples) -> NDArray[np.uint8] | Any:
        """Load the images.

        Parameters
        ----------
        X : list, array, column or one-column table of n_samples image sources
            Paths (str or path-like), addresses (``s3://``, ``https://``, ...), encoded images
            (bytes or readable binary files), objects whose method ``open`` gives one (as of
            `zipfile.Path` and fsspec; read when the image is decoded), cells ``{"bytes": ...,
            "path": ...}`` of Hugging Face's datasets, PIL images, or uint8 arrays of any size with
            1, 3 or 4 channels. Columns and tables may be those of pandas, polars and Arrow. A str
            is always a path or an address, bytes are always an encoded image.

        Returns
        -------
        images : ndarray of shape (n_samples, height, width, channels), dtype=uint8
            Or `LazyImages` of that shape with ``lazy=True``.
        """
        decoder = self._decoder()
        sources = self._sources(X)
        images = LazyImages(sources, decoder)
        if self.lazy:
            return images
        check_fits(images.shape, "Use ImageLoader(lazy=True), or a smaller size.")
        with self._progress(len(sources), "Loading images") as done:
            return decoder.decode(sources, done=done)

    def verify(self, X: Samples) -> pd.DataFrame:
        """Find the images that `transform` would refuse, and files with the same content.

        Every image is decoded with the loader's parameters, so what passes will load.

        Parameters
        ----------
        X : sequence of n_samples image sources
            As in `transform`.

        Returns
        -------
        problems : DataFrame
            Columns row, path, kind, detail, ordered by row. The kinds are ``missing``,
            ``not_a_file``, ``not_an_image``, ``truncated``, ``too_large``, ``unsupported_mode``,
            ``unreadable`` and ``duplicate_content``.
        """
        import pandas as pd

        decoder = self._decoder()
        sources = self._sources(X)
        with self._progress(len(sources), "Verifying images") as done:
            problems = image_problems(sources, decoder, done)
        table = pd.DataFrame(problems, columns=["row", "path", "kind", "detail"], dtype=object)
        # A column of text takes no names of files that are not text.
        return table.astype({"row": int, "kind": str, "detail": str})

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return one name: what comes out are images, not columns.

        It is there so that a pipeline can ask the steps behind it for their names.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of shape (1,), dtype=object
            ``["image"]``.
        """
        import numpy as np

        return np.array(["image"], dtype=object)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Do nothing, as images are no table; a pipeline passes it to all of its steps.

        Parameters
        ----------
        transform : str or None
            Ignored.

        Returns
        -------
        self : ImageLoader
        """
        return self

    def cache_size(self) -> int:
        """Return the bytes that all pixel caches in `cache_dir` take."""
        return 0 if self.cache_dir is None else cache_usage(self.cache_dir)

    def clear_cache(self) -> None:
        """Delete all pixel caches in `cache_dir`, of every loader that uses it.

        Without `cache_dir`, the temporary file of this process is given back.
        """
        if self.cache_dir is None:
            forget_scratch()
        else:
            clear_cache(self.cache_dir)

    # Options are set by name, and kept from being shown with the other parameters.
    storage_options: Any = _ShownByName()

    def _sources(self, X):
        return as_sources(X, Access(self.storage_options))

    def _decoder(self):
        self._validate_params()
        options = PixelOptions(
            size=_whole_numbers(self.size, "size", 2, 1, None),
            mode=self.mode,
            resize=self.resize,
            resample=self.resample,
            background=_whole_numbers(self.background, "background", 3, 0, 255),
            exact=bool(self.exact),
            max_pixels=int(self.max_pixels),
            max_bytes=int(self.max_bytes),
            formats=checked_formats(self.formats),
        )
        return Decoder(
            options,
            on_error=self.on_error,
            n_threads=threads(self.n_jobs),
            cache_dir=self.cache_dir,
            # Who asks for lazy images may have more than a disk should take unasked.
            cache_limit=0 if self.lazy and self.cache_dir is None else int(self.cache_limit),
        )

    @contextlib.contextmanager
    def _progress(self, total, title):
        if not self.verbose:
            yield lambda n: None
            return
        from tqdm.auto import tqdm

        with tqdm(total=total, desc=title, unit="image") as bar:
            yield bar.update

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _whole_numbers(values, name, length, low, high):
    """Return `values` as a tuple of ints, so that equal settings compare and hash equal."""
    good = len(values) == length and all(
        isinstance(value, Integral)
        and not isinstance(value, bool)
        and value >= low
        and (high is None or value <= high)
        for value in values
    )
    if not good:
        upto = f" to {high}" if high is not None else " or more"
        raise ValueError(f"{name} must be {length} whole numbers of {low}{upto}; got {values!r}.")
    return tuple(int(value) for value in values)
