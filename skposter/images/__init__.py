"""From paths to pixels: :class:`ImageLoader` and what it makes when memory is short, `LazyImages`.

The other packages use the opening and checking of images through this face too. All but
:class:`ImageLoader` itself needs NumPy and Pillow only.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from skposter._files.remote import Access, RemoteFile
from skposter.images._decoding import Decoder
from skposter.images._lazy import LazyImages
from skposter.images._opening import UnreadableImage, checked_formats
from skposter.images._pixels import PixelOptions, load_pixels, natural_size
from skposter.images._prefetch import prefetched
from skposter.images._sources import (
    as_sources,
    content_digest,
    describe,
    failure_report,
    file_key,
    is_pil_image,
)

if TYPE_CHECKING:
    from skposter.images._cache import cache_usage, cached_folders, clear_cache, open_cache
    from skposter.images._loader import ImageLoader

__all__ = [
    "Access",
    "Decoder",
    "ImageLoader",
    "LazyImages",
    "PixelOptions",
    "RemoteFile",
    "UnreadableImage",
    "as_sources",
    "cache_usage",
    "cached_folders",
    "checked_formats",
    "clear_cache",
    "content_digest",
    "describe",
    "failure_report",
    "file_key",
    "is_pil_image",
    "load_pixels",
    "natural_size",
    "open_cache",
    "prefetched",
]


# What needs more than NumPy and Pillow, by the module that has it.
_LATER = {
    "ImageLoader": "_loader",
    "cache_usage": "_cache",
    "cached_folders": "_cache",
    "clear_cache": "_cache",
    "open_cache": "_cache",
}


def __getattr__(name):
    if name in _LATER:
        value = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
