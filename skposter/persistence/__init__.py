"""Models in files: :func:`save`, :func:`load`, and :func:`export` for other runtimes."""

from __future__ import annotations

from skposter.persistence._card import model_card
from skposter.persistence._container import is_container as is_model_file
from skposter.persistence._export import export, export_format
from skposter.persistence._save_load import check_savable, load, read_card, save

__all__ = [
    "check_savable",
    "export",
    "export_format",
    "is_model_file",
    "load",
    "model_card",
    "read_card",
    "save",
]
