"""Warnings that point at the line of the user's own program, however deep they come up."""

from __future__ import annotations

import sys
import warnings

__all__ = ["warn_user"]

# Frames of these are not the user's: they stand between a call of ours and where it warns.
_NOT_THE_USERS = {
    "contextlib",
    "joblib",
    "keras",
    "pickle",
    "scikeras",
    "sklearn",
    "skposter",
    "tensorflow",
}


def warn_user(message, category=UserWarning):
    """Warn as if the warning came from the line that called into skposter.

    Parameters
    ----------
    message : str or Warning
        What to say; a warning has its own category.
    category : type, default=UserWarning
        Of the warning.
    """
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and _package(frame) in _NOT_THE_USERS:
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)


def _package(frame):
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
