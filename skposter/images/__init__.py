"""From paths to pixels: :class:`ImageLoader` and what it makes when memory is short, `LazyImages`.

The other packages use the opening and checking of images through this face too.
"""

from __future__ import annotations

from skposter.images._lazy import LazyImages
from skposter.images._loader import ImageLoader
from skposter.images._opening import UnreadableImage
from skposter.images._pixels import PixelOptions, load_pixels, natural_size
from skposter.images._prefetch import prefetched
from skposter.images._sources import (
    as_sources,
    content_digest,
    describe,
    failure_report,
    is_pil_image,
)

__all__ = [
    "ImageLoader",
    "LazyImages",
    "PixelOptions",
    "UnreadableImage",
    "as_sources",
    "content_digest",
    "describe",
    "failure_report",
    "is_pil_image",
    "load_pixels",
    "natural_size",
    "prefetched",
]
