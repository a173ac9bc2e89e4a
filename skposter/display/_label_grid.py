"""A picture of images with their labels, drawn with Pillow alone so that no extra is needed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

__all__ = ["draw_label_grid"]

_PAPER = "#ffffff"
_INK = "#1f2430"
_FAINT = "#8a909c"
_TRACK = "#eceef2"
_FRAME = "#d9dce3"
_RIGHT = "#0f8a5f"
_WRONG = "#c9713a"
_UNKNOWN = "#4a6fa5"
# A poster is about 3 : 2; a tile never grows higher, however long the image.
_HIGHEST = 1.6
_TRUTH_LINES = 2


class _Look(NamedTuple):
    """Lengths in pixels, all in proportion to the width of a tile, and the fonts."""

    tile: int
    gap: int
    line: int
    bar: int
    text: ImageFont.FreeTypeFont | ImageFont.ImageFont
    small: ImageFont.FreeTypeFont | ImageFont.ImageFont


def draw_label_grid(
    images, truths=None, predictions=None, *, columns=None, tile_width=220, title=None
):
    """Draw images in a grid, each above its labels.

    Parameters
    ----------
    images : sequence of ndarray or PIL.Image.Image
        uint8 arrays of shape (height, width), (height, width, 1) or (height, width, 3), or Pillow
        images; sizes may differ.
    truths : sequence of sequence of str, default=None
        The labels of each image. Predictions among them are drawn in green with a tick, others in
        orange with a cross; without truths, all in blue.
    predictions : sequence of sequence of (str, float), default=None
        Predicted labels of each image with their probabilities, best first, as ``top_labels`` of
        the classifiers returns them.
    columns : int, default=None
        Images in a row; None takes up to six.
    tile_width : int, default=220
        Width of an image in pixels, from 80 up; everything else is in proportion to it.
    title : str, default=None
        A line above the grid.

    Returns
    -------
    picture : PIL.Image.Image
        RGB; ``picture.save("grid.png")`` writes it, and a notebook shows it.

    Raises
    ------
    ValueError
        If there is no image, or the lengths differ.

    Examples
    --------
    >>> import numpy as np
    >>> from skposter.display import draw_label_grid
    >>> images = np.zeros((2, 30, 20, 3), dtype=np.uint8)
    >>> picture = draw_label_grid(images, [("Drama",), ()], [[("Drama", 0.8)], [("War", 0.6)]])
    >>> picture.mode, picture.width > 2 * 220
    ('RGB', True)
    """
    n = len(images)
    for name, given in (("truths", truths), ("predictions", predictions)):
        if given is not None and len(given) != n:
            raise ValueError(f"Got {n} images and {len(given)} {name}.")
    if n == 0:
        raise ValueError("There is no image to draw.")
    if tile_width < 80:
        raise ValueError(f"tile_width is at least 80, got {tile_width}; text would be unreadable.")
    look = _make_look(tile_width)
    columns = min(n, columns or 6)
    pictures = [_fit(image, look) for image in images]
    rows_of = [slice(start, start + columns) for start in range(0, n, columns)]
    caption_height = _caption_height(truths, predictions, look)
    tops = [max(picture.height for picture in pictures[row]) for row in rows_of]
    header = 0 if title is None else 2 * look.line
    row_gap = look.gap + look.gap // 2
    width = columns * (look.tile + look.gap) + look.gap
    height = header + sum(tops) + len(tops) * (caption_height + row_gap) + look.gap // 2
    canvas = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(canvas)
    if title is not None:
        draw.text((look.gap, look.gap), title, _INK, look.text)
    y = header + look.gap
    for row, top in zip(rows_of, tops, strict=True):
        for column, index in enumerate(range(n)[row]):
            x = look.gap + column * (look.tile + look.gap)
            picture = pictures[index]
            left, upper = x + (look.tile - picture.width) // 2, y + top - picture.height
            canvas.paste(picture, (left, upper))
            corner = left + picture.width, upper + picture.height
            draw.rectangle((left - 1, upper - 1, *corner), outline=_FRAME)
            truth = None if truths is None else truths[index]
            below = y + top + look.line // 2
            if truth is not None:
                below = _draw_truth(draw, x, below, truth, look)
            for name, probability in () if predictions is None else predictions[index]:
                below = _draw_bar(draw, x, below, str(name), probability, truth, look)
        y += top + caption_height + row_gap
    return canvas


def _make_look(tile):
    return _Look(
        tile=tile,
        gap=round(tile * 0.1),
        line=round(tile * 0.1),
        bar=max(2, round(tile * 0.018)),
        text=ImageFont.load_default(size=tile * 0.068),
        small=ImageFont.load_default(size=tile * 0.055),
    )


def _fit(image, look):
    """Return the image as RGB, as wide as a tile unless it would be too high."""
    if not isinstance(image, Image.Image):
        pixels = np.asarray(image)
        if pixels.dtype != np.uint8:
            raise ValueError(f"Images are uint8, got {pixels.dtype}.")
        if pixels.ndim == 3 and pixels.shape[2] == 1:
            pixels = pixels[:, :, 0]
        image = Image.fromarray(pixels)
    scale = min(look.tile / image.width, _HIGHEST * look.tile / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.convert("RGB").resize(size, Image.Resampling.LANCZOS)


def _caption_height(truths, predictions, look):
    most = max((len(bars) for bars in predictions), default=0) if predictions is not None else 0
    lines = 0
    if truths is not None:
        lines = max(len(_wrap(truth, look)) for truth in truths)
    return look.line // 2 + lines * look.line + most * _bar_step(look) + (look.bar if most else 0)


def _bar_step(look):
    return look.line + 2 * look.bar


def _wrap(truth, look):
    """Return the names of the labels in at most two lines of a tile's width."""
    lines = [""]
    names = [str(name) for name in truth] or ["no label"]
    for position, name in enumerate(names):
        name = name if position == len(names) - 1 else f"{name},"
        longer = f"{lines[-1]} {name}".strip()
        if not lines[-1] or look.text.getlength(longer) <= look.tile:
            lines[-1] = longer
        elif len(lines) < _TRUTH_LINES:
            lines.append(name)
        else:
            lines[-1] += " ..."
            break
    return [_shorten(line, look.text, look.tile) for line in lines]


def _shorten(text, font, width):
    while font.getlength(text) > width and len(text) > 1:
        text = text.removesuffix("...")[:-1].rstrip(" ,") + "..."
    return text


def _draw_truth(draw, x, y, truth, look):
    for line in _wrap(truth, look):
        draw.text((x, y), line, _INK if len(truth) else _FAINT, look.text)
        y += look.line
    return y + look.bar


def _draw_bar(draw, x, y, name, probability, truth, look):
    if truth is None:
        colour = _UNKNOWN
    else:
        colour = _RIGHT if name in {str(label) for label in truth} else _WRONG
    percent = f"{100 * probability:.0f} %"
    room = look.tile - look.small.getlength("100 %") - look.line
    mark = 0
    if truth is not None:
        _draw_mark(draw, x, y + look.line * 0.18, look.line * 0.45, colour, look)
        mark = look.line * 0.7
    draw.text((x + mark, y), _shorten(name, look.small, room - mark), colour, look.small)
    draw.text((x + look.tile, y), percent, colour, look.small, anchor="ra")
    y += look.line * 0.85
    radius = look.bar / 2
    filled = max(look.bar, look.tile * min(max(probability, 0), 1))
    draw.rounded_rectangle((x, y, x + look.tile, y + look.bar), radius, _TRACK)
    draw.rounded_rectangle((x, y, x + filled, y + look.bar), radius, colour)
    return y + look.line * 0.15 + 2 * look.bar


def _draw_mark(draw, x, y, size, colour, look):
    """Draw a tick or a cross: the default font has neither, and colour alone is not enough."""
    stroke = max(1, look.bar // 2)
    if colour == _RIGHT:
        points = [(0, 0.55), (0.38, 0.95), (1, 0.1)]
        draw.line([(x + a * size, y + b * size) for a, b in points], colour, stroke, "curve")
    else:
        inset = 0.12 * size
        near, far = inset, size - inset
        draw.line((x + near, y + near, x + far, y + far), colour, stroke)
        draw.line((x + near, y + far, x + far, y + near), colour, stroke)
