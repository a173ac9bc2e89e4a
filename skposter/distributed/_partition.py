"""One partition of images, predicted: the same work wherever it is done."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np

from skposter.distributed._paths import path_digest, resolved

__all__ = ["Outcome", "Task", "predict_partition"]


class Task(NamedTuple):
    """A partition to predict.

    Parameters
    ----------
    number : int
        Which one.
    paths : list of str or Delayed
    folder : str
        Where relative paths begin.
    known : str or None
        The digest of the paths of the part that is there already, of which nothing is needed if it
        is of the same paths.
    """

    number: int
    paths: Any
    folder: str
    known: str | None = None


class Outcome(NamedTuple):
    """What came of a `Task`.

    Parameters
    ----------
    number : int
    digest : str
        Of the paths.
    n_images : int
    paths : list of str
        Of the images that could be read.
    probabilities : ndarray of shape (n_good, n_labels), dtype=float32
    bad : list of (str, str)
        Paths of the others, and why.
    seconds : float
        Of work.
    """

    number: int
    digest: str
    n_images: int
    paths: list
    probabilities: Any
    bad: list
    seconds: float


def predict_partition(loaded, task, stopped=lambda: False):
    """Return the `Outcome` of a task.

    Parameters
    ----------
    loaded : callable
        Gives the `Loaded` model, if it is needed.
    task : Task
        With a list of paths.
    stopped : callable, default=never
        Says whether nobody wants it any more; then None is returned.
    """
    start = time.perf_counter()
    paths = list(task.paths)
    absolute = resolved(paths, task.folder)
    digest = path_digest(absolute)
    if digest == task.known:
        return Outcome(task.number, digest, len(paths), [], None, [], 0.0)
    rows = np.flatnonzero([_is_text(path) for path in paths])
    found = loaded().predict([absolute[row] for row in rows], stopped)
    if found is None:
        return None
    probabilities, good, failures = found
    bad = [(int(rows[i]), why) for i, why in failures]
    bad += [
        (row, "its name is no text, which Parquet cannot hold: rename it")
        for row in sorted({*range(len(paths))} - {*rows.tolist()})
    ]
    return Outcome(
        task.number,
        digest,
        len(paths),
        [paths[row] for row in rows[good]],
        probabilities,
        [(paths[row], why) for row, why in sorted(bad)],
        time.perf_counter() - start,
    )


def _is_text(path):
    try:
        return path.isascii() or bool(path.encode())
    except UnicodeEncodeError:
        return False
