"""A picture of images with their labels, drawn with Pillow alone so that no extra is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from skposter.display._outcomes import Outcome, PredictedLabel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from skposter._typing import Samples

__all__ = ["draw_label_grid"]

_PAPER = "#ffffff"
_INK = "#1f2430"
_FAINT = "#6b7280"
_TRACK = "#eceef2"
_FRAME = "#d9dce3"
# The colour of the words, and the paler one of the bar where the label is not predicted.
_COLOURS = {
    Outcome.HIT: ("#0b7a53", "#0f8a5f"),
    Outcome.FALSE_ALARM: ("#a8480f", "#d0682a"),
    Outcome.MISS: ("#7a3ea1", "#d9c2ea"),
    Outcome.REJECTION: (_FAINT, "#c6cad3"),
    Outcome.PREDICTED: ("#35598f", "#4a6fa5"),
    Outcome.NOT_PREDICTED: (_FAINT, "#c3d0e4"),
}
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
    images: Samples,
    truths: Any = None,
    predictions: Any = None,
    *,
    unknowns: Any = None,
    captions: Sequence[str] | None = None,
    columns: int | None = None,
    tile_width: int = 220,
    title: str | None = None,
) -> Image.Image:
    """Draw images in a grid, each above its labels.

    A predicted label has a bar as long as its probability, with a line where its threshold lies,
    and a sign: a tick for a hit, a cross for a false alarm, an empty circle for a miss (a label
    that the image has and that is below its threshold), a dash for one that is rightly left out.
    What the signs mean is written below the grid.

    Parameters
    ----------
    images : sequence of ndarray or PIL.Image.Image
        uint8 arrays of shape (height, width), (height, width, 1) or (height, width, 3), or Pillow
        images; sizes may differ.
    truths : sequence of sequence of str, default=None
        The labels of each image. Without, predictions are shown as they are.
    predictions : sequence of sequence of tuple, default=None
        Labels of each image as ``(name, probability)``, ``(name, probability, threshold)`` or
        ``(name, probability, threshold, predicted)``, in the order to show; see
        :class:`PredictedLabel`. ``top_labels`` of the classifiers returns the first form, in which
        the threshold is 0.5.
    unknowns : sequence of collection of str, default=None
        Labels of each image of which nobody knows whether it has them.
    captions : sequence of str, default=None
        A line above the labels of each image.
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
    for name, rows in (
        ("truths", truths),
        ("predictions", predictions),
        ("unknowns", unknowns),
        ("captions", captions),
    ):
        if rows is not None and len(rows) != n:
            raise ValueError(f"Got {n} images and {len(rows)} {name}.")
    if n == 0:
        raise ValueError("There is no image to draw.")
    if tile_width < 80:
        raise ValueError(f"tile_width is at least 80, got {tile_width}; text would be unreadable.")
    look = _make_look(tile_width)
    columns = min(n, columns or 6)
    pictures = [_fit(image, look) for image in images]
    tiles = [
        _Caption(
            caption=None if captions is None else str(captions[i]),
            truth=None if truths is None else tuple(map(str, truths[i])),
            judged=[]
            if predictions is None
            else _judged(
                predictions[i],
                None if truths is None else truths[i],
                () if unknowns is None else unknowns[i],
            ),
        )
        for i in range(n)
    ]
    rows_of = [slice(start, start + columns) for start in range(0, n, columns)]
    tops = [max(picture.height for picture in pictures[row]) for row in rows_of]
    bottoms = [max(tile.height(look) for tile in tiles[row]) for row in rows_of]
    header = 0 if title is None else 2 * look.line
    row_gap = look.gap + look.gap // 2
    width = columns * (look.tile + look.gap) + look.gap
    legend = _legend_lines({o for tile in tiles for _, o in tile.judged}, width, look)
    footer = len(legend) * 1.4 * look.line
    height = header + sum(tops) + sum(bottoms) + len(tops) * row_gap + look.gap // 2 + footer
    canvas = Image.new("RGB", (width, round(height)), _PAPER)
    draw = ImageDraw.Draw(canvas)
    if title is not None:
        draw.text((look.gap, look.gap), _shorten(title, look.text, width), _INK, look.text)
    y = header + look.gap
    for row, top, bottom in zip(rows_of, tops, bottoms, strict=True):
        for column, index in enumerate(range(n)[row]):
            x = look.gap + column * (look.tile + look.gap)
            picture = pictures[index]
            left, upper = x + (look.tile - picture.width) // 2, y + top - picture.height
            canvas.paste(picture, (left, upper))
            corner = left + picture.width, upper + picture.height
            draw.rectangle((left - 1, upper - 1, *corner), outline=_FRAME)
            tiles[index].draw(draw, x, y + top + look.line // 2, look)
        y += top + bottom + row_gap
    for line in legend:
        _draw_legend(draw, look.gap, y, line, look)
        y += 1.4 * look.line
    return canvas


class _Caption(NamedTuple):
    """What stands below one image."""

    caption: str | None
    truth: tuple | None
    judged: list  # of (PredictedLabel, Outcome)

    def height(self, look):
        lines = (self.caption is not None) + (
            0 if self.truth is None else len(_wrap(self.truth, look))
        )
        bars = len(self.judged) * _bar_step(look) + (look.bar if self.judged else 0)
        return look.line // 2 + lines * look.line + bars

    def draw(self, draw, x, y, look):
        if self.caption is not None:
            text = _shorten(self.caption, look.small, look.tile)
            draw.text((x, y), text, _FAINT, look.small)
            y += look.line
        if self.truth is not None:
            for line in _wrap(self.truth, look):
                draw.text((x, y), line, _INK if self.truth else _FAINT, look.text)
                y += look.line
            y += look.bar
        for label, outcome in self.judged:
            y = _draw_bar(draw, x, y, label, outcome, look)


def _judged(predictions, truth, unknown):
    """Return the labels of one image with their outcomes."""
    has = None if truth is None else {str(name) for name in truth}
    unknown = {str(name) for name in unknown}
    judged = []
    for prediction in predictions:
        label = PredictedLabel(*prediction)
        name = str(label.name)
        true = None if has is None or name in unknown else name in has
        judged.append((label, Outcome.of(predicted=label.decision, true=true)))
    return judged


def _make_look(tile):
    return _Look(
        tile=tile,
        gap=round(tile * 0.1),
        line=round(tile * 0.1),
        bar=max(2, round(tile * 0.022)),
        text=ImageFont.load_default(size=tile * 0.068),
        small=ImageFont.load_default(size=tile * 0.058),
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


def _bar_step(look):
    return look.line + 3 * look.bar


def _wrap(truth, look):
    """Return the names of the labels in at most two lines of a tile's width."""
    lines = [""]
    names = truth or ("no label",)
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


def _draw_bar(draw, x, y, label, outcome, look):
    ink, fill = _COLOURS[outcome]
    probability = min(max(label.probability, 0), 1)
    percent = "< 1 %" if 0 < probability < 0.005 else f"{100 * probability:.0f} %"
    sign = look.line * 0.75
    room = look.tile - look.small.getlength("100 %") - look.line - sign
    _draw_sign(draw, x, y + look.line * 0.16, look.line * 0.5, outcome, look)
    draw.text((x + sign, y), _shorten(str(label.name), look.small, room), ink, look.small)
    draw.text((x + look.tile, y), percent, ink, look.small, anchor="ra")
    y += look.line * 0.85 + look.bar // 2
    end = y + look.bar
    radius = look.bar / 2
    draw.rounded_rectangle((x, y, x + look.tile, end), radius, _TRACK)
    filled = max(look.bar, look.tile * probability)
    draw.rounded_rectangle((x, y, x + filled, end), radius, fill)
    _draw_threshold(draw, x + look.tile * min(max(label.threshold, 0), 1), y, look)
    return y - look.bar // 2 + look.line * 0.15 + 3 * look.bar


def _draw_threshold(draw, x, y, look):
    """Draw a line across a bar, with paper around it so that it shows on every bar."""
    half = max(1, look.bar // 4)
    reach = look.bar * 0.6
    draw.rectangle((x - half - 1, y - reach, x + half + 1, y + look.bar + reach), _PAPER)
    draw.rectangle((x - half / 2, y - reach, x + half / 2, y + look.bar + reach), _INK)


def _draw_sign(draw, x, y, size, outcome, look):
    """Draw the sign of an outcome: the default font has none, and colour alone is not enough."""
    ink = _COLOURS[outcome][0]
    stroke = max(1, round(look.bar * 0.55))
    if outcome is Outcome.HIT:
        points = [(0, 0.55), (0.38, 0.95), (1, 0.1)]
        draw.line([(x + a * size, y + b * size) for a, b in points], ink, stroke, "curve")
    elif outcome is Outcome.FALSE_ALARM:
        near, far = 0.1 * size, 0.9 * size
        draw.line((x + near, y + near, x + far, y + far), ink, stroke)
        draw.line((x + near, y + far, x + far, y + near), ink, stroke)
    elif outcome is Outcome.MISS:
        draw.ellipse((x, y, x + size, y + size), outline=ink, width=stroke)
    elif outcome is Outcome.PREDICTED:
        draw.ellipse((x, y, x + size, y + size), ink)
    else:
        middle = y + size / 2
        draw.line((x + 0.15 * size, middle, x + 0.85 * size, middle), ink, stroke)


def _legend_lines(outcomes, width, look):
    """Return the outcomes that occur, and last None for the threshold, in lines that fit."""
    if not outcomes:
        return []
    unknown = {Outcome.PREDICTED, Outcome.NOT_PREDICTED}
    note = "" if outcomes <= unknown else ", truth unknown"
    entries = [
        (outcome, outcome.value + (note if outcome in unknown else ""))
        for outcome in Outcome
        if outcome in outcomes
    ]
    lines: list[list] = [[]]
    used = look.gap
    for outcome, text in [*entries, (None, "threshold")]:
        needed = look.small.getlength(text) + 2 * look.line
        if lines[-1] and used + needed > width:
            lines.append([])
            used = look.gap
        lines[-1].append((outcome, text))
        used += needed
    return lines


def _draw_legend(draw, x, y, entries, look):
    for outcome, text in entries:
        if outcome is None:
            _draw_threshold(draw, x + look.line * 0.3, y + look.line * 0.35, look)
        else:
            _draw_sign(draw, x, y + look.line * 0.16, look.line * 0.5, outcome, look)
        draw.text((x + look.line * 0.75, y), text, _FAINT, look.small)
        x += look.small.getlength(text) + 2 * look.line
