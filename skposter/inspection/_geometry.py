"""From a map over what a network sees back to the image as it is in its file."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

__all__ = ["Placement"]


class Placement(NamedTuple):
    """How a loader brought an image to its size.

    Parameters
    ----------
    resize : {"stretch", "pad", "crop"}
        As in :class:`~skposter.ImageLoader`.
    size : tuple of int
        (height, width) of what the network sees.
    image_size : tuple of int
        (height, width) of the image, turned upright.
    """

    resize: str
    size: tuple[int, int]
    image_size: tuple[int, int]

    def to_image(self, heat, image_size=None):
        """Return a map over what the network sees as one over the image.

        Parameters
        ----------
        heat : ndarray of shape (rows, columns)
            Of any resolution.
        image_size : tuple of int, default=None
            (height, width) to draw it in, in place of the image's own.

        Returns
        -------
        heat : ndarray of shape (height, width), float32
            0 where the network saw nothing of the image.
        """
        height, width = self.image_size if image_size is None else image_size
        picture = Image.fromarray(np.asarray(heat, dtype=np.float32))
        left, top, right, bottom = self._seen()
        if self.resize != "crop":
            # The part of the map that lies over the image, without the padding around it.
            across, down = picture.width / self.size[1], picture.height / self.size[0]
            box = (left * across, top * down, right * across, bottom * down)
            return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR, box))
        # The part of the image that the map lies over.
        across, down = width / self.image_size[1], height / self.image_size[0]
        left, right = round(left * across), round(right * across)
        top, bottom = round(top * down), round(bottom * down)
        whole = np.zeros((height, width), dtype=np.float32)
        inside = picture.resize(
            (max(1, right - left), max(1, bottom - top)), Image.Resampling.BILINEAR
        )
        whole[top : top + inside.height, left : left + inside.width] = inside
        return whole

    def _seen(self):
        """Return (left, top, right, bottom) of what image and network's view have in common.

        In pixels of the network's view, for ``"crop"`` in those of the image.
        """
        (rows, columns), (height, width) = self.size, self.image_size
        if self.resize == "stretch":
            return 0, 0, columns, rows
        ratios = columns / width, rows / height
        if self.resize == "pad":
            inside = max(1, round(width * min(ratios))), max(1, round(height * min(ratios)))
            x, y = (columns - inside[0]) // 2, (rows - inside[1]) // 2
            return x, y, x + inside[0], y + inside[1]
        scale = max(ratios)
        across, down = min(width, columns / scale), min(height, rows / scale)
        left, top = (width - across) / 2, (height - down) / 2
        return left, top, left + across, top + down
