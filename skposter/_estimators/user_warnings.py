"""Warnings that point at the line of the user's own program, however deep they come up."""

from __future__ import annotations

import sys
import threading
import warnings

__all__ = ["warn_user"]

# Frames of these are not the user's: they stand between a call of ours and where it warns.
_NOT_THE_USERS = {
    "_collections_abc",
    "cloudpickle",
    "collections",
    "concurrent",
    "contextlib",
    "copy",
    "dask",
    "functools",
    "importlib",
    "joblib",
    "keras",
    "numpy",
    "optuna",
    "pandas",
    "pickle",
    "queue",
    "runpy",
    "scikeras",
    "sklearn",
    "skops",
    "skposter",
    "tensorflow",
    "threading",
    "tqdm",
}


def warn_user(message, category=UserWarning):
    """Warn as if the warning came from the line that called into skposter.

    In a thread of ours or of TensorFlow's no such line is to be found; it is then the one at which
    the main thread waits.

    Parameters
    ----------
    message : str or Warning
        What to say; a warning has its own category.
    category : type, default=UserWarning
        Of the warning.
    """
    own = sys._getframe(1)
    frame = _users(own)
    if frame is None:
        frame = _users(sys._current_frames().get(threading.main_thread().ident or 0)) or own
    # As warnings.warn does, which counts frames of its own thread only.
    names = frame.f_globals
    warnings.warn_explicit(
        message,
        category,
        frame.f_code.co_filename,
        frame.f_lineno,
        names.get("__name__") or "<string>",
        names.setdefault("__warningregistry__", {}),
    )


def _users(frame):
    while frame is not None and _package(frame) in _NOT_THE_USERS:
        frame = frame.f_back
    return frame


def _package(frame):
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
