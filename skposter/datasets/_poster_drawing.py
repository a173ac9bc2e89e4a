"""One poster: a background, shapes that mean nothing, one silhouette a label, and words.

Everything but the silhouettes is drawn without looking at the labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import hypot
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from skposter.datasets._motifs import DISTRACTORS, MOTIFS, mask_of

# Two colours for the background, then those that can be seen on both.
PALETTES = (
    ("0d1b2a", "1b3a4b", "e0a458", "f4ecd8"),
    ("f4ecd8", "e8d5b0", "2b2d42", "c1121f", "457b9d"),
    ("2b0a3d", "5a189a", "ffd166", "f8f0fb", "ff7096"),
    ("e63946", "a4161a", "f1faee", "ffd6a5"),
    ("264653", "2a9d8f", "f4e3b2", "e9c46a"),
    ("f2cc8f", "f4a261", "3d405b", "81281f"),
    ("111111", "3a3a3a", "f5f5f5", "ffba08"),
    ("cad2c5", "a3b9a8", "2f3e46", "7f2d2d"),
    ("ff9f1c", "f25c54", "2d1e2f", "1d3557", "fffaf0"),
    ("3d0c11", "800e13", "fbe8d3", "f7b267", "d8e2dc"),
    ("8ecae6", "bde0fe", "023047", "9d0208", "5f0f40"),
    ("31572c", "4f772d", "ecf39e", "ffffff", "ffb5a7"),
    ("ffc8dd", "ffafcc", "3c096c", "004e64", "7b0d1e"),
    ("006d77", "1f8a91", "fffdf7", "ffddd2", "f6bd60"),
)
_FIRST_WORDS = ("THE LAST", "A DISTANT", "ONE", "NO MORE", "BEYOND THE", "MY", "THE", "EVERY")
_SECOND_WORDS = (
    "RIVER", "SUMMER", "LETTER", "WINDOW", "NUMBER", "STRANGER", "GARDEN", "TUESDAY", "ANSWER",
    "NORTH", "PROMISE", "SHADOW", "TRAIN", "HOUR", "MIRROR", "ISLAND", "WINTER", "PAPER", "DOOR",
)  # fmt: skip
_SMALL_WORDS = ("A FILM FROM TWO CITIES", "IN CINEMAS THIS AUTUMN", "BASED ON A TRUE STORY")


class _Spot(NamedTuple):
    """A circle that is taken; in pixels."""

    x: float
    y: float
    radius: float


def draw_poster(
    labels: Sequence[str], size: tuple[int, int], random_state: np.random.RandomState
) -> Image.Image:
    """Draw one poster.

    Parameters
    ----------
    labels : sequence of str
        Keys of ``MOTIFS``, each drawn once.
    size : tuple of int
        ``(height, width)`` in pixels.
    random_state : RandomState
        Decides everything else.

    Returns
    -------
    PIL.Image.Image
        RGB.
    """
    return draw_poster_with_boxes(labels, size, random_state)[0]


def draw_poster_with_boxes(
    labels: Sequence[str], size: tuple[int, int], random_state: np.random.RandomState
) -> tuple[Image.Image, list[tuple[int, int, int, int]]]:
    """Draw one poster and tell where the silhouette of each label is.

    Parameters
    ----------
    labels, size, random_state
        As in `draw_poster`.

    Returns
    -------
    poster : PIL.Image.Image
        RGB.
    boxes : list of tuple of int
        ``(left, top, right, bottom)`` of each label in pixels; right and bottom lie outside.
    """
    height, width = size
    first, second, inks = _choose_colours(random_state)
    poster = _background(size, first, second, random_state)
    band = round(0.2 * height)
    title_on_top = random_state.uniform() < 0.4
    top, bottom = (band, 0.93 * height) if title_on_top else (0.03 * height, height - band)
    boxes = [
        _stamp(poster, mask, spot, inks[random_state.randint(len(inks))], random_state)
        for mask, spot in _arrange(labels, top, bottom, width, random_state)
    ]
    title_top = 0.03 * height if title_on_top else height - band
    _write_words(
        poster, round(title_top), band, inks[random_state.randint(len(inks))], random_state
    )
    return _with_grain(poster, random_state), boxes[: len(labels)]


def _choose_colours(random_state):
    palette = PALETTES[random_state.randint(len(PALETTES))]
    first, second, *inks = (tuple(bytes.fromhex(colour)) for colour in palette)
    return (first, second, inks) if random_state.uniform() < 0.5 else (second, first, inks)


def _background(size, first, second, random_state) -> Image.Image:
    height, width = size
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    style = random_state.randint(5)
    if style == 0:  # plain
        mix = np.zeros((height, width), np.float32)
    elif style == 1:  # a gradient in any direction
        angle = random_state.uniform(0, 2 * np.pi)
        mix = np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5) + 0.5
    elif style == 2:  # a horizon
        mix = np.broadcast_to(y > random_state.uniform(0.3, 0.75), size)
    elif style == 3:  # a glow
        mix = 1.4 * np.hypot(x - random_state.uniform(0.2, 0.8), y - random_state.uniform(0.2, 0.8))
    else:  # rays
        cx, cy = random_state.uniform(0.1, 0.9, size=2)
        turns = np.arctan2((y - cy) * height, (x - cx) * width) / (2 * np.pi)
        mix = np.sin(turns * 2 * np.pi * random_state.randint(5, 13)) > 0
    # Two colours and a mask: Pillow mixes faster than NumPy would.
    mask = Image.fromarray(np.rint(255 * np.clip(mix, 0, 1)).astype(np.uint8))
    return Image.composite(
        Image.new("RGB", mask.size, second), Image.new("RGB", mask.size, first), mask
    )


def _arrange(labels, top, bottom, width, random_state) -> list[tuple[Image.Image, _Spot]]:
    """Find a place for the silhouette of each label, then for some plain shapes between them."""
    largest = 0.29 if len(labels) < 3 else 0.24
    masks = [mask_of(MOTIFS[label][0]) for label in labels]
    radii = [random_state.uniform(0.19, largest) * width for _ in labels]
    for attempt in range(20):  # a first one in the middle may leave no room for the others
        placed: list[tuple[Image.Image, _Spot]] = []
        crowded = False
        for mask, radius in zip(masks, radii, strict=True):
            smaller = radius * 0.97**attempt
            spot, room = _free_spot(placed, top, bottom, width, smaller, random_state)
            placed.append((mask, spot))
            crowded |= room < 0
        if not crowded:
            break
    for _ in range(random_state.randint(1, 5)):
        draw = DISTRACTORS[random_state.randint(len(DISTRACTORS))]
        radius = random_state.uniform(0.07, 0.2) * width
        spot, room = _free_spot(placed, top, bottom, width, radius, random_state)
        if room >= 0:
            placed.append((mask_of(draw), spot))
    return placed


def _free_spot(placed, top, bottom, width, radius, random_state) -> tuple[_Spot, float]:
    """Return a place and the room around it; after some tries, the least crowded one."""
    radius = min(radius, (bottom - top) / 2, width / 2)
    best, most = _Spot(width / 2, (top + bottom) / 2, radius), -np.inf
    for _ in range(40):
        x = random_state.uniform(radius, width - radius)
        y = random_state.uniform(top + radius, bottom - radius)
        room = min((hypot(s.x - x, s.y - y) - s.radius - radius for _, s in placed), default=0.0)
        if room > most:
            best, most = _Spot(x, y, radius), room
        if room >= 0:
            break
    return best, most


def _stamp(poster, mask: Image.Image, spot: _Spot, ink, random_state) -> tuple[int, int, int, int]:
    """Draw a silhouette; return the box in which it is."""
    side = max(2, round(2 * spot.radius))
    mask = mask.reduce(max(1, mask.width // round(1.25 * side)))
    if random_state.uniform() < 0.5:
        mask = mask.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    turned = mask.rotate(random_state.uniform(-15, 15), Image.Resampling.BICUBIC, expand=True)
    # `expand` adds room for the corners; the silhouette keeps its size.
    side = round(side * turned.width / mask.width)
    turned = turned.resize((side, side), Image.Resampling.LANCZOS)
    corner = (round(spot.x - side / 2), round(spot.y - side / 2))
    poster.paste(ink, corner, turned)
    left, top, right, bottom = turned.getbbox() or (0, 0, *turned.size)
    width, height = poster.size
    return (
        max(corner[0] + left, 0),
        max(corner[1] + top, 0),
        min(corner[0] + right, width),
        min(corner[1] + bottom, height),
    )


def _write_words(poster, top: int, band: int, ink, random_state) -> None:
    width, height = poster.size
    draw = ImageDraw.Draw(poster)
    first = _FIRST_WORDS[random_state.randint(len(_FIRST_WORDS))]
    second = _SECOND_WORDS[random_state.randint(len(_SECOND_WORDS))]
    small = _SMALL_WORDS[random_state.randint(len(_SMALL_WORDS))]
    _write_line(draw, first, top, 0.25 * band, width, 0.5, ink)
    _write_line(draw, second, top + round(0.28 * band), 0.4 * band, width, 0.86, ink)
    _write_line(draw, small, 0.955 * height, 0.033 * height, width, 0.8, ink)


def _write_line(draw, text, top, size, width, widest, ink) -> None:
    font = _font(max(4, int(size)))
    length = font.getlength(text)
    if length > widest * width:
        font = _font(max(4, int(size * widest * width / length)))
    stroke = int(font.size) // 15  # the embedded font has no bold
    draw.text((width / 2, top), text, ink, font, anchor="ma", stroke_width=stroke)


@cache
def _font(size: int):
    return ImageFont.load_default(size=size)


def _with_grain(poster: Image.Image, random_state) -> Image.Image:
    grain = random_state.normal(
        0, random_state.uniform(0, 6), size=(poster.height, poster.width, 1)
    )
    return Image.fromarray(np.clip(np.asarray(poster) + grain, 0, 255).astype(np.uint8))
