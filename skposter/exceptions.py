"""The few errors and warnings of skposter.

Each error is also the builtin that people already catch, so ``except ValueError`` keeps working.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "SkposterError",
    "DataError",
    "ImageLoadError",
    "TrainingDivergedError",
    "ArtifactError",
    "ClusterError",
    "LabelWarning",
    "UnknownLabelWarning",
    "ImageLoadWarning",
]


class SkposterError(Exception):
    """Base of every error that skposter raises on purpose."""


class DataError(SkposterError, ValueError):
    """A CSV, a column or a row of labels is not what was promised; the message names it."""


class ImageLoadError(SkposterError, ValueError):
    """One or more images could not be loaded.

    Parameters
    ----------
    message : str
        What happened, naming every path.
    path : str or None, default=None
        The (first) image concerned.
    index : int or None, default=None
        Its row in the input.
    failures : list of (int, str, str), default=()
        ``(index, path, cause)`` of every image that failed, in the order of the input.
    """

    def __init__(
        self,
        message: str,
        path: str | None = None,
        index: int | None = None,
        failures: Iterable[tuple[int, str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.path = path
        self.index = index
        self.failures = list(failures)

    def __reduce__(self):
        # The default rebuilds from ``args`` alone, which would lose the paths in a worker process.
        return type(self), (self.args[0], self.path, self.index, self.failures)


class TrainingDivergedError(SkposterError, FloatingPointError, ValueError):
    """The loss, or a probability, is not finite."""


class ArtifactError(SkposterError, ValueError):
    """A model cannot be saved without code in the file, or a file is no such model."""


class ClusterError(SkposterError, RuntimeError):
    """A cluster is not there, lacks something, or has lost work; the message names the worker."""


class LabelWarning(UserWarning):
    """A label cannot be learned or scored well: constant, or very few positives."""


class UnknownLabelWarning(LabelWarning):
    """Labels are unknown (NaN) and were left out; the message says how many."""


class ImageLoadWarning(UserWarning):
    """Images could not be loaded and were replaced because ``on_error="blank"`` asks for it."""
