"""What :func:`~skposter.inspection.explain` finds for one image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from skposter._estimators.spelling import did_you_mean
from skposter.display import load_shown

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["Explanation", "heat_colours"]

# From nothing over red to yellow: (position, red, green, blue, opacity).
_COLOURS = np.array(
    [
        (0.0, 110, 0, 110, 0.0),
        (0.25, 170, 10, 110, 0.3),
        (0.5, 230, 50, 60, 0.6),
        (0.75, 250, 140, 20, 0.75),
        (1.0, 255, 240, 100, 0.85),
    ]
)


class Explanation:
    """Heat maps of one image, one a label.

    Parameters
    ----------
    source : object
        The image: a path or an array.
    label_names : list
        The labels that are explained.
    probabilities : ndarray of shape (n_labels,)
        What the model gives them.
    maps : ndarray of shape (n_labels, rows, columns), float32
        Over what the network sees, in the network's resolution. From 0, nothing that speaks for the
        label, to 1, the most in this image; all 0 if nothing does.
    placement : Placement
        Where the image lies in what the network sees.

    Attributes
    ----------
    image_size : tuple of int
        (height, width) of the image, turned upright.
    """

    def __init__(
        self, source: Any, label_names: Any, probabilities: Any, maps: Any, placement: Any
    ) -> None:
        self.source = source
        self.label_names = label_names
        self.probabilities = probabilities
        self.maps = maps
        self.placement = placement

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the image, turned upright."""
        return self.placement.image_size

    def heat_map(self, label: Any = None, *, size: tuple[int, int] | None = None) -> NDArray[Any]:
        """Return the heat map of a label over the image.

        Parameters
        ----------
        label : str, default=None
            Which; None takes the first.
        size : tuple of int, default=None
            (height, width) to draw it in; None is that of the image.

        Returns
        -------
        heat : ndarray of shape (height, width), float32
            From 0 to 1.

        Raises
        ------
        ValueError
            If the label was not explained.
        """
        return self.placement.to_image(self.maps[self._position(label)], size)

    def overlay(self, label: Any = None, *, width: int = 330) -> Image.Image:
        """Return the image in grey with the heat map of a label over it.

        Parameters
        ----------
        label : str, default=None
            Which; None takes the first.
        width : int, default=330
            In pixels; the height follows.

        Returns
        -------
        picture : PIL.Image.Image
            RGB.
        """
        # In grey, so that the heat is the only colour.
        picture = Image.fromarray(load_shown([self.source], width=width)[0]).convert("L")
        picture = picture.convert("RGBA")
        heat = self.heat_map(label, size=(picture.height, picture.width))
        picture.alpha_composite(Image.fromarray(heat_colours(heat)))
        return picture.convert("RGB")

    def _position(self, label):
        if label is None:
            return 0
        if label not in self.label_names:
            raise ValueError(
                f"{label!r} was not explained.{did_you_mean(label, self.label_names)} "
                f"There are: {', '.join(map(str, self.label_names))}."
            )
        return self.label_names.index(label)

    def __repr__(self):
        labels = ", ".join(
            f"{name} {p:.2f}" for name, p in zip(self.label_names, self.probabilities, strict=True)
        )
        height, width = self.image_size
        return f"<Explanation of {labels} in an image of {height} x {width}>"


def heat_colours(heat):
    """Return a heat map as colours that let the image through, uint8 `(height, width, 4)`."""
    position, *channels = _COLOURS.T
    channels[-1] = channels[-1] * 255
    colours = [np.interp(heat, position, channel) for channel in channels]
    return np.rint(np.stack(colours, axis=-1)).astype(np.uint8)
