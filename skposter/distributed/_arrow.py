"""pyarrow, which is an extra."""

from __future__ import annotations

from importlib import import_module

__all__ = ["arrow"]


def arrow(name):
    """Return a module of pyarrow, or say what to install."""
    try:
        return import_module(f"pyarrow.{name}")
    except ImportError as error:
        raise ImportError(
            "Predictions are written as Parquet, which needs pyarrow. Install it with: "
            "pip install 'skposter[tables]'"
        ) from error
