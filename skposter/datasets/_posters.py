"""A data set of drawn posters, made on the spot."""

from __future__ import annotations

import json
import os
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import check_random_state
from tqdm import tqdm

from skposter._files.durable import write_durably
from skposter.datasets._image_table import load_image_csv
from skposter.datasets._label_lists import binarize
from skposter.datasets._motifs import MOTIFS
from skposter.datasets._poster_drawing import draw_poster
from skposter.datasets._writing import write_image_csv
from skposter.exceptions import DataError

if TYPE_CHECKING:
    from skposter._typing import PathLike, RandomState
    from skposter.datasets._image_table import LabelledImages

# Written into each data set; another number where the drawings differ.
_VERSION = 1
# How many posters carry one, two and three labels.
_LABEL_COUNT_SHARES = (0.3, 0.4, 0.3)


def make_posters(
    n_samples: int = 1200,
    *,
    out_dir: PathLike,
    random_state: RandomState = 0,
    n_labels: int = 12,
    size: tuple[int, int] = (240, 160),
    verbose: int = 0,
) -> LabelledImages:
    """Draw a data set of posters, each with one to three genres that can be seen.

    A genre is a silhouette: a mask is Drama, glasses with a moustache Comedy, a heart Romance.
    Colours, background, title, place, size, tilt and the plain shapes between say nothing about
    it, so a model has to recognise shapes. Genres are as uneven as in life: nearly every second
    poster is Drama, one in twenty-five is Western.

    Parameters
    ----------
    n_samples : int, default=1200
        Number of posters. The first posters are the same for every number.
    out_dir : str or path-like
        The folder to write into, made if it is not there: posters as ``Images/<id>.jpg`` and,
        last, so that an interruption leaves nothing that looks whole, ``labels.csv`` in the
        format of `write_image_csv`. A data set of the same parameters that is there already is
        used as it is, or finished.
    random_state : int, RandomState instance or None, default=0
        Decides everything that is drawn. With an int, each run writes the same bytes (with one
        version of Pillow).
    n_labels : int, default=12
        Number of genres, from 2 to 12; fewer leave out the rarest.
    size : tuple of int, default=(240, 160)
        ``(height, width)`` of a poster in pixels, each from 48 to 4096.
    verbose : int, default=0
        Show a progress bar if not 0.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        ``paths``, ``y``, ``label_names``, ``ids``, ``frame`` and ``problems``, as from
        `load_image_csv`.

    Raises
    ------
    DataError
        `out_dir` holds another data set, or one that was changed.

    See Also
    --------
    load_image_csv : Read it again, or read your own.

    Examples
    --------
    >>> import tempfile
    >>> from skposter.datasets import make_posters
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     data = make_posters(4, out_dir=folder, n_labels=3, size=(60, 48))
    >>> data.y
       Comedy  Drama  Romance
    0       0      1        0
    1       0      1        0
    2       1      0        0
    3       0      0        1
    """
    parameters = _checked_parameters(n_samples, random_state, n_labels, size)
    out_dir = os.fspath(out_dir)
    csv_path, image_dir = os.path.join(out_dir, "labels.csv"), os.path.join(out_dir, "Images")
    _claim(out_dir, (csv_path, image_dir), parameters)
    ids = [f"poster-{number:05d}" for number in range(n_samples)]
    label_names = sorted(_most_frequent(n_labels))
    label_lists = [_begin_poster(parameters, number)[0] for number in range(n_samples)]
    if not os.path.exists(csv_path):
        os.makedirs(image_dir, exist_ok=True)
        for number in tqdm(range(n_samples), "drawing posters", disable=not verbose):
            labels, generator = _begin_poster(parameters, number)
            poster = draw_poster(labels, parameters["size"], generator)
            save = partial(poster.save, format="JPEG", quality=90)
            write_durably(os.path.join(image_dir, f"{ids[number]}.jpg"), save, sync=False)
        write_image_csv(csv_path, ids, label_lists, label_names=label_names)
    data = load_image_csv(csv_path, image_dir)
    drawn = binarize(label_lists, label_names)
    if not (
        np.array_equal(data.ids, ids)
        and data.label_names == label_names
        and np.array_equal(data.y, drawn)
    ):
        raise DataError(f"{csv_path!r} is not as it was written; delete it to have it written anew")
    return data


def _most_frequent(n_labels: int) -> list[str]:
    return list(MOTIFS)[:n_labels]


def _begin_poster(parameters: dict, number: int) -> tuple[list[str], np.random.RandomState]:
    """Choose the labels of one poster; the generator goes on to draw it."""
    # Each poster has a generator of its own, so that it does not depend on those before it.
    # RandomState, because NumPy promises that its numbers never change.
    generator = np.random.RandomState([parameters["random_state"], number])
    names = _most_frequent(parameters["n_labels"])
    weights = np.array([MOTIFS[name][1] for name in names])
    count = generator.choice(np.arange(1, 4), p=_LABEL_COUNT_SHARES)
    chosen = generator.choice(
        len(names), size=min(count, len(names)), replace=False, p=weights / weights.sum()
    )
    return [names[index] for index in chosen], generator


def _claim(out_dir: str, files: tuple[str, ...], parameters: dict) -> None:
    """Say in the folder what it is to hold, or check that it already says the same."""
    path = os.path.join(out_dir, "make_posters.json")
    if os.path.exists(path):
        try:
            with open(path, encoding="utf-8") as file:
                found = json.load(file)
        except ValueError:
            found = None
        if found != parameters:
            raise DataError(
                f"{out_dir!r} holds posters made with {found}, asked for {parameters}; "
                "choose another out_dir, or delete that one"
            )
        return
    taken = [file for file in files if os.path.lexists(file)]
    if taken:
        raise DataError(f"{taken[0]!r} exists and is not from make_posters; choose another out_dir")
    os.makedirs(out_dir, exist_ok=True)
    write_durably(path, lambda file: json.dump(parameters, file), encoding="utf-8")


def _checked_parameters(n_samples, random_state, n_labels, size) -> dict:
    """Return what decides the drawings, as JSON can hold it."""
    if np.shape(size) != (2,):
        raise ValueError(f"size={size!r}: expected (height, width)")
    for name, value, low, high in (
        ("n_samples", n_samples, 1, 100_000),
        ("n_labels", n_labels, 2, len(MOTIFS)),
        ("size", size[0], 48, 4096),
        ("size", size[1], 48, 4096),
    ):
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not whole or not low <= value <= high:
            raise ValueError(f"{name}: expected whole numbers from {low} to {high}, got {value!r}")
    if not isinstance(random_state, (int, np.integer)):
        random_state = check_random_state(random_state).randint(2**31 - 1)
    elif not 0 <= random_state < 2**32:
        raise ValueError(f"random_state: expected 0 to 2**32 - 1, got {random_state}")
    return {
        "made_by": "skposter.datasets.make_posters",
        "version": _VERSION,
        "n_samples": int(n_samples),
        "random_state": int(random_state),
        "n_labels": int(n_labels),
        "size": [int(side) for side in size],
    }
