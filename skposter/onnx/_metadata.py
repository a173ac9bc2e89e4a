"""What an exported network says about itself, checked: labels, thresholds, how images are loaded.

The values are JSON in a file that anybody may have written.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skposter._files.json_values import brief, one_line, parse_json
from skposter.exceptions import ArtifactError
from skposter.images import PixelOptions, checked_formats

__all__ = ["Metadata", "read_metadata"]

_NAMES = ("labels", "thresholds", "min_labels", "label_frequencies", "image")
_KNOWN = (*_NAMES, "other_steps")
_LOADING = ("mode", "resize", "resample", "background", "exact", "on_error", "formats")
_LIMITS = {"max_pixels": 100_000_000, "max_bytes": 1_000_000_000}
_CHOICES = {
    "mode": ("RGB", "L"),
    "resize": ("stretch", "pad", "crop"),
    "resample": ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"),
    "exact": (True, False),
    "on_error": ("raise", "blank"),
}
# As in a file of skposter.save: of one image, and of labels.
_MAX_PIXELS = 4_194_304
_MAX_LABELS = 50_000


@dataclass(frozen=True)
class Metadata:
    """What an exported network says about itself.

    Parameters
    ----------
    label_names : list of str or of int
    thresholds : ndarray of shape (n_labels,), float64
    min_labels : int
    image_shape : tuple (height, width, channels)
    label_frequencies : ndarray of shape (n_labels,), float64
        Of the images that it was trained on.
    options : PixelOptions or None
        How images are loaded; None if the model takes arrays only.
    on_error : {"raise", "blank"}
    """

    label_names: list
    thresholds: np.ndarray
    min_labels: int
    image_shape: tuple[int, int, int]
    label_frequencies: np.ndarray
    options: PixelOptions | None
    on_error: str


def read_metadata(properties):
    """Return the `Metadata` in the properties of an ONNX file, texts by name.

    Raises
    ------
    ArtifactError
        If something is missing, or not as `skposter.export` writes it.
    """
    found = {name: _parsed(name, text) for name, text in properties.items() if name in _KNOWN}
    missing = [name for name in _NAMES if name not in found]
    if missing:
        raise ArtifactError(
            f"it has no {' and no '.join(missing)} in its metadata, which skposter.export writes; "
            "it is of another program, or of a converter that leaves them out"
        )
    if found.get("other_steps"):
        raise ArtifactError(
            f"the model has other steps before its network ({brief(found['other_steps'])}), which "
            "the file does not hold: onnxruntime itself can run the network"
        )
    labels = found["labels"]
    if not isinstance(labels, list) or {type(name) for name in labels} not in ({str}, {int}):
        raise ArtifactError("labels are neither all texts nor all integers")
    if len(set(labels)) < len(labels) or len(labels) > _MAX_LABELS:
        raise ArtifactError(f"{len(labels)} labels, not all different or too many")
    min_labels = found["min_labels"]
    if type(min_labels) is not int or not 0 <= min_labels <= len(labels):
        raise ArtifactError(f"min_labels is {brief(min_labels)}, expected 0 to {len(labels)}")
    frequencies = _numbers("label_frequencies", found["label_frequencies"], len(labels))
    shape, options, on_error = _images(found["image"])
    thresholds = _numbers("thresholds", found["thresholds"], len(labels))
    return Metadata(labels, thresholds, min_labels, shape, frequencies, options, on_error)


def _parsed(name, text):
    value = parse_json(b'{"value": %s}' % text.encode("utf-8", "surrogatepass"), name)
    if set(value) != {"value"}:
        raise ArtifactError(f"{name}: not JSON")
    return value["value"]


def _numbers(name, values, n_labels):
    if (
        not isinstance(values, list)
        or len(values) != n_labels
        or any(type(value) not in (int, float) for value in values)
    ):
        raise ArtifactError(f"{name} are {brief(values)}, expected {n_labels} numbers")
    return np.asarray(values, dtype=np.float64)


def _images(image):
    """Return the shape of images, how they are loaded if they are, and what a bad one does."""
    if not isinstance(image, dict):
        raise ArtifactError(f"image is {brief(image)}, expected an object")
    lengths = [image.get(name) for name in ("height", "width", "channels")]
    whole = [length for length in lengths if type(length) is int and length > 0]
    if len(whole) < 3 or image.get("dtype") != "uint8":
        raise ArtifactError(f"images are {brief(image)}, which says no shape of uint8 images")
    height, width, channels = shape = (whole[0], whole[1], whole[2])
    if height * width > _MAX_PIXELS or channels > 4096:
        raise ArtifactError(f"images of shape {shape} are larger than a file may ask for")
    if "mode" not in image:
        return shape, None, "raise"
    said = {name: image[name] for name in _LOADING if name in image}
    for name, choices in _CHOICES.items():
        if name in said and (type(said[name]), said[name]) not in [(type(c), c) for c in choices]:
            raise ArtifactError(
                f"image: {name} is {brief(said[name])}, expected one of {list(choices)}"
            )
    on_error = said.pop("on_error", "raise")
    if "background" in said:
        said["background"] = _colour(said["background"])
    for name, limit in _LIMITS.items():
        if name in image:
            if type(image[name]) is not int or not 1 <= image[name] <= limit:
                raise ArtifactError(f"image: {name} is {brief(image[name])}, {limit} is the most")
            said[name] = image[name]
    if "formats" in said:
        said["formats"] = _formats(said["formats"])
    options = PixelOptions(size=(height, width), **said)
    if options.shape != shape:
        raise ArtifactError(f"image: mode {options.mode} has no {channels} channels")
    return shape, options, on_error


def _colour(values):
    if (
        not isinstance(values, list)
        or len(values) != 3
        or any(type(value) is not int or not 0 <= value <= 255 for value in values)
    ):
        raise ArtifactError(f"image: background is {brief(values)}, expected three of 0 to 255")
    return tuple(values)


def _formats(names):
    if (
        not isinstance(names, list)
        or len(names) > 50
        or any(not isinstance(name, str) for name in names)
    ):
        raise ArtifactError(f"image: formats are {brief(names)}, expected a list of names")
    try:
        return checked_formats(names)
    except ValueError as error:
        raise ArtifactError(f"image: {one_line(error)}") from error
