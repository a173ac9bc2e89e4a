"""The things on a drawn poster: one silhouette a label, and shapes that mean nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import cos, pi, sin, tau

from PIL import Image, ImageDraw

_SIDE = 192
_OVERSAMPLING = 4


class _Pen:
    """Draws in a square that reaches from -1 to 1, x to the right and y down."""

    def __init__(self):
        side = _SIDE * _OVERSAMPLING
        self.image = Image.new("L", (side, side))
        self._draw = ImageDraw.Draw(self.image)
        self._half = side / 2

    def polygon(self, *points, ink=255):
        self._draw.polygon([self._at(point) for point in points], fill=ink)

    def ellipse(self, x, y, rx, ry=None, ink=255):
        ry = rx if ry is None else ry
        self._draw.ellipse([*self._at((x - rx, y - ry)), *self._at((x + rx, y + ry))], fill=ink)

    def box(self, left, top, right, bottom, radius=0.0, ink=255):
        self._draw.rounded_rectangle(
            [*self._at((left, top)), *self._at((right, bottom))], radius * self._half, fill=ink
        )

    def line(self, *points, width, ink=255):
        self._draw.line(
            [self._at(point) for point in points], ink, round(width * self._half), joint="curve"
        )
        for x, y in (points[0], points[-1]):
            self.ellipse(x, y, width / 2, ink=ink)

    def ring(self, x, y, radius, width):
        box = [*self._at((x - radius, y - radius)), *self._at((x + radius, y + radius))]
        self._draw.ellipse(box, outline=255, width=round(width * self._half))

    def _at(self, point):
        x, y = point
        return (x + 1) * self._half, (y + 1) * self._half


def _arc(x, y, rx, ry, start, end, n_points=40):
    """Points of an elliptic arc; angles in turns, 0 to the right and 0.25 down."""
    angles = [tau * (start + (end - start) * i / n_points) for i in range(n_points + 1)]
    return [(x + rx * cos(angle), y + ry * sin(angle)) for angle in angles]


def _tragic_mask(pen):
    pen.polygon((-0.75, -0.8), *_arc(0, -0.8, 0.75, 0.12, 0.5, 0), *_arc(0, 0, 0.75, 0.95, 0, 0.5))
    for side in (-1, 1):
        pen.polygon(*_arc(0.36 * side, -0.16, 0.24, 0.16, 0, 0.5), ink=0)
        pen.line((0.14 * side, -0.5), (0.56 * side, -0.3), width=0.1, ink=0)
    pen.polygon(*_arc(0, 0.66, 0.4, 0.42, 0.5, 1), *_arc(0, 0.66, 0.4, 0.14, 1, 0.5), ink=0)


def _glasses_and_moustache(pen):
    for side in (-1, 1):
        pen.ring(0.46 * side, -0.34, 0.4, 0.12)
        pen.line((0.82 * side, -0.4), (0.95 * side, -0.5), width=0.1)
        for i in range(41):
            t = i / 40
            x, y = 0.14 + 0.78 * t, 0.42 + 0.22 * sin(pi * t) - 0.28 * t**3
            pen.ellipse(x * side, y, 0.05 + 0.15 * (1 - t) ** 0.7)
    pen.line((-0.1, -0.4), (0.1, -0.4), width=0.1)


def _heart(pen):
    angles = [tau * i / 120 for i in range(120)]
    pen.polygon(
        *(
            (
                16 * sin(a) ** 3 / 17.5,
                -0.08 - (13 * cos(a) - 5 * cos(2 * a) - 2 * cos(3 * a) - cos(4 * a)) / 17.5,
            )
            for a in angles
        )
    )


def _explosion(pen):
    reach = (0.98, 0.72, 0.92, 0.8, 0.98, 0.7, 0.9, 0.78, 0.96, 0.74, 0.9)
    for scale, ink in ((1, 255), (0.45, 0)):
        points = []
        for i, radius in enumerate(reach):
            for step, r in ((0, radius), (0.5, 0.48)):
                angle = tau * (i + step) / len(reach)
                points.append((scale * r * cos(angle), scale * r * sin(angle)))
        pen.polygon(*points, ink=ink)


def _handcuffs(pen):
    for side in (-1, 1):
        pen.ring(0.54 * side, 0.2, 0.43, 0.15)
        pen.box(0.54 * side - 0.2, -0.34, 0.54 * side + 0.2, -0.1, radius=0.05)
    pen.line((-0.42, -0.4), (-0.2, -0.62), (0, -0.5), (0.2, -0.62), (0.42, -0.4), width=0.13)


def _sailing_ship(pen):
    pen.polygon((-0.95, 0.42), (0.95, 0.42), (0.62, 0.88), (-0.62, 0.88))
    pen.line((0, -0.9), (0, 0.4), width=0.08)
    pen.polygon((0.1, -0.85), *_arc(0.1, 0.28, 0.75, 1.1, 0.8, 1), (0.1, 0.28))
    pen.polygon((-0.1, -0.55), (-0.1, 0.28), (-0.8, 0.28))


def _ringed_planet(pen):
    pen.ellipse(0, 0, 0.56)
    for rx, ry, ink in ((1.02, 0.34, 0), (0.97, 0.28, 255), (0.78, 0.15, 0)):
        pen.polygon(*_tilted(_arc(0, 0, rx, ry, 0, 1, 90), -0.05), ink=ink)
    # The half of the planet before the ring's far side.
    pen.polygon(*_tilted(_arc(0, 0, 0.56, 0.56, 0.5, 1), -0.05))
    pen.polygon(*_tilted([*_arc(0, 0, 0.56, 0.1, 0, 0.5)], -0.05))


def _tilted(points, turns):
    c, s = cos(tau * turns), sin(tau * turns)
    return [(c * x - s * y, s * x + c * y) for x, y in points]


def _bat(pen):
    for side in (-1, 1):
        pen.polygon((0, 0.42), *_arc(0, 0.3, 0.98 * side, 0.75, 0.75, 1.02), (0.6 * side, 0.3))
        pen.ellipse(0.31 * side, -0.52, 0.22, 0.36, ink=0)
        for x, y, rx in ((0.77, 0.36, 0.19), (0.38, 0.42, 0.22)):
            pen.ellipse(x * side, y, rx, 0.26, ink=0)
    pen.ellipse(0, 0.15, 0.17, 0.5)
    pen.ellipse(0, -0.3, 0.17, 0.17)
    for side in (-1, 1):
        pen.polygon((0.02 * side, -0.4), (0.16 * side, -0.66), (0.17 * side, -0.3))


def _magnifier(pen):
    pen.ring(-0.22, -0.22, 0.68, 0.17)
    pen.line((0.28, 0.28), (0.82, 0.82), width=0.26)
    pen.line(*_arc(-0.22, -0.22, 0.36, 0.36, 0.52, 0.72), width=0.09)


def _notes(pen):
    for x, y in ((-0.58, 0.68), (0.46, 0.48)):
        pen.polygon(*((x + dx, y + dy) for dx, dy in _tilted(_arc(0, 0, 0.33, 0.23, 0, 1), -0.06)))
        pen.box(x + 0.18, y - 1.3, x + 0.31, y)
    pen.polygon((-0.4, -0.66), (0.77, -0.9), (0.77, -0.56), (-0.4, -0.32))


def _basketball(pen):
    pen.ellipse(0, 0, 0.92)
    pen.line((-1, 0), (1, 0), width=0.09, ink=0)
    pen.line((0, -1), (0, 1), width=0.09, ink=0)
    for side in (-1, 1):
        pen.line(
            *_arc(1.1 * side, 0, 0.72, 0.9, 0.25, 0.75 if side > 0 else -0.25), width=0.09, ink=0
        )


def _cactus(pen):
    pen.box(-0.2, -0.95, 0.2, 0.95, radius=0.2)
    for side, low, high in ((-1, 0.3, -0.35), (1, 0.05, -0.6)):
        pen.line(
            (0, low), (0.5 * side, low), (0.66 * side, low - 0.14), (0.66 * side, high), width=0.28
        )
    for x in (-0.07, 0.07):
        pen.line((x, -0.7), (x, 0.8), width=0.03, ink=0)


def _disc(pen):
    pen.ellipse(0, 0, 0.9)


def _hoop(pen):
    pen.ring(0, 0, 0.9, 0.2)


def _block(pen):
    pen.box(-0.75, -0.75, 0.75, 0.75)


def _triangle(pen):
    pen.polygon((0, -0.8), (0.92, 0.8), (-0.92, 0.8))


def _cross(pen):
    pen.box(-0.2, -0.9, 0.2, 0.9)
    pen.box(-0.9, -0.2, 0.9, 0.2)


def _crescent(pen):
    pen.ellipse(0, 0, 0.9)
    pen.ellipse(0.4, -0.15, 0.75, ink=0)


def _bars(pen):
    for x in (-0.7, -0.23, 0.24, 0.71):
        pen.box(x - 0.13, -0.9, x + 0.13, 0.9, radius=0.1)


def _half_disc(pen):
    pen.polygon(*_arc(0, 0.4, 0.95, 0.95, 0.5, 1))


def _waves(pen):
    for y in (-0.5, 0, 0.5):
        pen.line(*((x / 20, y + 0.16 * sin(pi * x / 7)) for x in range(-18, 19)), width=0.15)


def _cloud(pen):
    for x, y, r in ((-0.5, 0.15, 0.38), (0, -0.1, 0.5), (0.52, 0.12, 0.4)):
        pen.ellipse(x, y, r)
    pen.box(-0.6, 0.1, 0.6, 0.53, radius=0.1)


def _peaks(pen):
    pen.polygon((-0.98, 0.7), (-0.35, -0.5), (0.02, 0.2), (0.36, -0.2), (0.98, 0.7))


# Silhouette and weight of each label, the most frequent first.
MOTIFS: dict[str, tuple[Callable[[_Pen], None], float]] = {
    "Drama": (_tragic_mask, 0.45),
    "Comedy": (_glasses_and_moustache, 0.33),
    "Romance": (_heart, 0.25),
    "Action": (_explosion, 0.2),
    "Crime": (_handcuffs, 0.16),
    "Adventure": (_sailing_ship, 0.13),
    "Mystery": (_magnifier, 0.11),
    "Horror": (_bat, 0.09),
    "Sci-Fi": (_ringed_planet, 0.075),
    "Music": (_notes, 0.06),
    "Sport": (_basketball, 0.05),
    "Western": (_cactus, 0.04),
}
DISTRACTORS: tuple[Callable[[_Pen], None], ...] = (
    _disc,
    _hoop,
    _block,
    _triangle,
    _cross,
    _crescent,
    _bars,
    _half_disc,
    _waves,
    _cloud,
    _peaks,
)


@cache
def mask_of(draw: Callable[[_Pen], None]) -> Image.Image:
    """Draw a silhouette once: a grey square image, 255 where there is ink."""
    pen = _Pen()
    draw(pen)
    return pen.image.reduce(_OVERSAMPLING)
