"""Models in files: :func:`save`, :func:`load`, and :func:`export` for other runtimes."""

from __future__ import annotations

from skposter.persistence._card import model_card
from skposter.persistence._export import export
from skposter.persistence._save_load import load, read_card, save

__all__ = ["export", "load", "model_card", "read_card", "save"]
