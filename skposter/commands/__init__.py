"""The command: a handful of library calls each."""

from skposter.commands._main import main

__all__ = ["main"]
