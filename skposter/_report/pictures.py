"""Images as data inside a page: thumbnails, and heat maps to lay over them."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from skposter.display import load_shown

__all__ = ["data_uri", "thumbnail"]


def thumbnail(source, *, width, quality=72):
    """Return a small JPEG of an image source as a data URI, with its (width, height)."""
    picture = Image.fromarray(load_shown([source], width=width)[0]).convert("RGB")
    return data_uri(picture, "JPEG", quality=quality, optimize=True), picture.size


def data_uri(picture, kind, **options):
    """Return a picture as a data URI.

    Parameters
    ----------
    picture : PIL.Image.Image or ndarray
        What to encode.
    kind : str
        A format of Pillow's that browsers read: JPEG, PNG or WEBP.
    **options : dict
        For Pillow.
    """
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)
    content = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/{kind.lower()};base64,{content}"
