"""One image source -> one uint8 array: orientation, alpha, 16 bits, size. Pure, one at a time."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import PIL
from PIL import Image, ImageChops, ImageFile, features

from skposter.images._opening import UnreadableImage, check_memory, opened, quiet_pillow
from skposter.images._sources import is_pil_image
from skposter.images._tags import why_not_exif

__all__ = ["RESAMPLE", "PixelOptions", "load_pixels", "natural_size", "pixel_settings"]

RESAMPLE = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N", "I")
_REFUSED = {
    "F": "floating-point pixels have no defined black and white",
    "LAB": "LAB colours need colour management",
    "HSV": "HSV colours are not converted",
}
# Pillow loads in place, and the same object may stand in several rows.
_pil_images = threading.Lock()
_LONGEST_SIDE = 1 << 15
_LARGEST_STEP = 1 << 24


@dataclass(frozen=True)
class PixelOptions:
    """What decides the pixels of an image; the parameters of `ImageLoader` of the same names."""

    size: tuple[int, int]
    mode: str = "RGB"
    resize: str = "stretch"
    resample: str = "bilinear"
    background: tuple[int, int, int] = (255, 255, 255)
    exact: bool = False
    max_pixels: int = 25_000_000
    max_bytes: int = 100_000_000
    formats: tuple[str, ...] = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")

    @property
    def shape(self):
        """The shape of one image, (height, width, channels)."""
        return (*self.size, 3 if self.mode == "RGB" else 1)


def pixel_settings(options):
    """Return a text that changes with all that decides pixels beside the image: options, Pillow."""
    switches: list[int] = [ImageFile.LOAD_TRUNCATED_IMAGES]
    for module, name in (
        ("GifImagePlugin", "LOADING_STRATEGY"),
        ("TiffImagePlugin", "READ_LIBTIFF"),
    ):
        # Nobody has changed what is not yet imported; both begin with zero.
        switches.append(getattr(sys.modules.get(f"PIL.{module}"), name, 0))
    return f"{options}\nPillow {PIL.__version__} {_codecs()}, switches {[*map(int, switches)]}\n"


@lru_cache(maxsize=1)
def _codecs():
    return {name: features.version(name) for name in ("jpg", "libjpeg_turbo", "webp", "libtiff")}


def load_pixels(source, options):
    """Decode one source into a uint8 array.

    Parameters
    ----------
    source : str, bytes, PIL.Image.Image, ndarray or object with `open`
        A path, an encoded image, pixels that only need bringing to size, or what opens as a file.
    options : PixelOptions

    Returns
    -------
    pixels : ndarray of shape (height, width, channels), dtype=uint8

    Raises
    ------
    UnreadableImage
        Whatever is wrong with the source: Pillow raises ten kinds of exception on bad files.
    """
    with quiet_pillow():
        try:
            return _load(source, options)
        except UnreadableImage:
            raise
        except Exception as error:
            raise UnreadableImage(*_kind_and_reason(error)) from error


def natural_size(source):
    """Return the (width, height) of one source when it is upright; raises as `load_pixels` does."""
    if isinstance(source, np.ndarray):
        return source.shape[1], source.shape[0]
    if is_pil_image(source):
        return _upright_size(source)
    with quiet_pillow(), opened(source, PixelOptions(size=(1, 1))) as (image, _):
        return _upright_size(image)


def _upright_size(image):
    # Of a TIFF Pillow says how large it will be once it has turned it.
    orientation = 1 if image.format == "TIFF" else _orientation(image)
    return image.size[::-1] if orientation >= 5 else image.size


def _load(source, options):
    if isinstance(source, np.ndarray):
        pixels = source[:, :, 0] if source.ndim == 3 and source.shape[2] == 1 else source
        return _placed(Image.fromarray(pixels), 1, options)
    if is_pil_image(source):
        return _load_pil_image(source, options)
    with opened(source, options) as (image, beside):
        if image.format in ("JPEG", "MPO"):
            orientation = _orientation(image)
            # Where it goes is decided by its own size: a reduced one is rounded up.
            content, box = _placement(image.size, orientation, options)
            box = _draft(image, content, box, options)
            _load_checked(image, beside, options)
            return _finish(image, orientation, content, box, options)
        _load_checked(image, beside, options)
        # Reading it earlier would load a PNG, and Pillow turns a TIFF by itself.
        return _placed(image, _orientation(image), options)


def _load_checked(image, beside, options):
    _refuse_by_mode(image)
    check_memory(image, beside, options)
    image.load()


def _load_pil_image(image, options):
    if image.width * image.height > options.max_pixels:
        raise UnreadableImage(
            "too_large",
            f"has {image.width * image.height:,} pixels, more than "
            f"max_pixels={options.max_pixels:,}",
        )
    _refuse_by_mode(image)
    with _pil_images:
        pixels, orientation = image.copy(), _orientation(image)
    return _placed(pixels, orientation, options)


def _kind_and_reason(error):
    text = str(error) or type(error).__name__
    lower = text.lower()
    if isinstance(error, MemoryError):
        return "too_large", "needs more memory than there is"
    if isinstance(error, Image.DecompressionBombError):
        return "too_large", "has more pixels than PIL.Image.MAX_IMAGE_PIXELS allows"
    if "truncated" in lower or isinstance(error, EOFError):
        return "truncated", f"is truncated ({text})"
    return "unreadable", f"cannot be decoded ({type(error).__name__}: {text})"


def _orientation(image):
    """Return the EXIF orientation, 1 (upright) to 8; metadata too broken to read counts as 1."""
    reason = why_not_exif(image.info)
    if reason:
        raise UnreadableImage("unreadable", reason)
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:
        return 1
    return orientation if orientation in _TURNS else 1


def _refuse_by_mode(image):
    if image.mode in _REFUSED:
        raise UnreadableImage(
            "unsupported_mode",
            f"has mode {image.mode}: {_REFUSED[image.mode]}; convert it to 8-bit RGB first",
        )


# --------------------------------------------------------------------------------------------------
# Geometry


def _placement(size, orientation, options):
    """Say how a stored image fills the target: its size there, and the part of it that is used.

    Both are in the frame of the stored image, before it is turned upright.

    Returns
    -------
    content : tuple (width, height)
    box : tuple (left, top, right, bottom), in pixels, or None for the whole
    """
    width, height = size
    if not (width and height):  # no file can say so, but arrays and images in memory may
        raise UnreadableImage("not_an_image", f"has no pixels ({width}x{height})")
    target_height, target_width = options.size if orientation < 5 else options.size[::-1]
    if options.resize == "stretch":
        return (target_width, target_height), None
    ratios = target_width / width, target_height / height
    if options.resize == "pad":
        scale = min(ratios)
        return (max(1, round(width * scale)), max(1, round(height * scale))), None
    scale = max(ratios)
    across, down = min(width, target_width / scale), min(height, target_height / scale)
    left, top = (width - across) / 2, (height - down) / 2
    return (target_width, target_height), (left, top, left + across, top + down)


def _draft(image, content, box, options):
    """Ask libjpeg for the smallest scale that still has every pixel that the target needs.

    Returns `box` in the scaled image, whose last row and column may lie partly outside.
    """
    width, height = image.size
    left, top, right, bottom = (0, 0, width, height) if box is None else box
    if options.exact or options.resample == "nearest":
        return left, top, right, bottom
    # A box takes whole pixels, so that among few of them it would lie up to half a pixel aside.
    spare = 2 if options.resample == "box" else 1
    wanted = (
        max(1, int(np.ceil(spare * content[0] * width / (right - left)))),
        max(1, int(np.ceil(spare * content[1] * height / (bottom - top)))),
    )
    luma = "L" if options.mode == "L" and image.mode == "RGB" else None
    scaled = image.draft(luma, wanted)
    if scaled is None:
        return left, top, right, bottom
    across, down = scaled[1][2] / width, scaled[1][3] / height
    return left * across, top * down, right * across, bottom * down


def _placed(image, orientation, options):
    """Bring pixels loaded at full size to the target."""
    content, box = _placement(image.size, orientation, options)
    return _finish(image, orientation, content, box, options)


def _finish(image, orientation, content, box, options):
    """Bring loaded pixels to the target: flat 8-bit colours, resized, upright, padded."""
    small = _flat_and_resized(image, content, box, options)
    if orientation in _TURNS:
        small = small.transpose(_TURNS[orientation])
    if small.mode != options.mode:
        small = small.convert(options.mode)
    height, width = options.size
    if small.size != (width, height):
        background = options.background if options.mode == "RGB" else _luma(options.background)
        canvas = Image.new(options.mode, (width, height), background)
        canvas.paste(small, ((width - small.width) // 2, (height - small.height) // 2))
        small = canvas
    return np.asarray(small).reshape(options.shape)


def _resized(image, content, box, options):
    """`Image.resize` with bounded memory for strips of millions by one pixels."""
    resample = RESAMPLE[options.resample]
    box = (0, 0, *image.size) if box is None else box
    gap = 8.0 if max(image.size) > _LONGEST_SIDE else None
    if gap is None and content[0] * (box[3] - box[1]) > _LARGEST_STEP:
        # Pillow resizes across first, into content[0] x the height of the image.
        image = image.resize((image.width, content[1]), resample, (0, box[1], image.width, box[3]))
        box = (box[0], 0, box[2], content[1])
    return image.resize(content, resample, box, reducing_gap=gap)


# --------------------------------------------------------------------------------------------------
# Colours


def _flat_and_resized(image, content, box, options):
    """Return `image` as a resized L or RGB image, transparency blended over the background."""
    if image.mode in _SIXTEEN_BITS:
        image = _sixteen_to_eight_bits(image)
    if image.has_transparency_data:
        return _blended_and_resized(image, content, box, options)
    if image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    if image.mode == "RGB" and options.mode == "L":
        image = image.convert("L")
    return _resized(image, content, box, options)


def _blended_and_resized(image, content, box, options):
    """Composite over the background one band at a time, so that a second copy is never needed."""
    if image.mode not in ("LA", "RGBA"):
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    hidden = ImageChops.invert(image.getchannel("A"))
    bands = []
    for position, fill in enumerate(options.background):
        band = image.getchannel(0 if image.mode == "LA" else position)
        band.paste(fill, (0, 0, *band.size), hidden)
        bands.append(_resized(band, content, box, options))
    return Image.merge("RGB", bands)


def _sixteen_to_eight_bits(image):
    """Scale 0..65535 to 0..255, where Pillow's `convert` clips at 255."""
    wide = image if image.mode in ("I", "I;16") else image.convert("I")
    low, high = wide.getextrema()
    if low < 0 or high > 65535:
        raise UnreadableImage(
            "unsupported_mode", f"has 32-bit values from {low} to {high}, outside 0..65535"
        )
    grey = wide.point(lambda value: value * (1 / 257) + 0.5).convert("L")
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return grey
    seen = (np.asarray(wide) != key).astype(np.uint8) * np.uint8(255)
    return Image.merge("LA", (grey, Image.fromarray(seen)))


def _luma(colour):
    return Image.new("RGB", (1, 1), colour).convert("L").getpixel((0, 0))
