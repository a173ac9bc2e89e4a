"""Image sources as pictures to show: upright, in their own shape, small."""

from __future__ import annotations

import contextlib

import numpy as np

from skposter.images import (
    PixelOptions,
    UnreadableImage,
    as_sources,
    describe,
    failure_report,
    is_pil_image,
    load_pixels,
    opened,
)

__all__ = ["load_shown", "natural_size"]

_HEADER = PixelOptions(size=(1, 1))
_EXIF_ORIENTATION = 0x0112
# How many times as high as wide an image is shown at most; a strip gets narrower instead.
_HIGHEST = 4


def load_shown(X, *, width=330):
    """Return the images of `X` as uint8 arrays, as wide as told unless that makes them too high.

    Parameters
    ----------
    X : sequence of image sources
        As :class:`~skposter.ImageLoader` takes them.
    width : int, default=330
        In pixels.

    Returns
    -------
    images : list of ndarray of shape (height, width, 3)

    Raises
    ------
    ImageLoadError
        If some cannot be read; it names all of them.
    """
    images, failures = [], []
    for row, source in enumerate(as_sources(X)):
        try:
            across, down = natural_size(source)
            scale = min(width / across, _HIGHEST * width / down)
            size = max(1, round(down * scale)), max(1, round(across * scale))
            images.append(load_pixels(source, PixelOptions(size=size)))
        except UnreadableImage as error:
            failures.append((row, describe(source), str(error)))
    if failures:
        raise failure_report(failures, "Images that could not be read")
    return images


def natural_size(source):
    """Return (width, height) of an image source as it is looked at, turned upright.

    Parameters
    ----------
    source : str, bytes, PIL.Image.Image or ndarray
        As from ``as_sources``.

    Raises
    ------
    UnreadableImage
        If it is no image.
    """
    if isinstance(source, np.ndarray):
        return source.shape[1], source.shape[0]
    if is_pil_image(source):
        return _upright(source)
    with opened(source, _HEADER) as (image, _):
        return _upright(image)


def _upright(image):
    # Metadata may be broken where pixels are fine.
    with contextlib.suppress(Exception):
        if image.getexif().get(_EXIF_ORIENTATION, 1) >= 5:
            return image.size[::-1]
    return image.size
