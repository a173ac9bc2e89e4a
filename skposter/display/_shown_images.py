"""Image sources as pictures to show: upright, in their own shape, small."""

from __future__ import annotations

from skposter.images import (
    Access,
    PixelOptions,
    UnreadableImage,
    as_sources,
    describe,
    failure_report,
    load_pixels,
    natural_size,
)

__all__ = ["load_shown"]

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
    for row, source in enumerate(as_sources(X, Access())):
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
