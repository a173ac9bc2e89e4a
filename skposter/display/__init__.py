"""Pictures: images with their labels, and the course of a training.

:func:`draw_label_grid` needs Pillow only. The Display classes, which are used as scikit-learn's
are, show their picture through matplotlib; ``pip install skposter[plot]`` brings it.
"""

from __future__ import annotations

from skposter.display._displays import HistoryDisplay, LabelGridDisplay
from skposter.display._label_grid import draw_label_grid

__all__ = ["HistoryDisplay", "LabelGridDisplay", "draw_label_grid"]
