"""A CSV of labels and a folder of images -> paths, labels, and what is wrong with them."""

from __future__ import annotations

import os

import numpy as np
from sklearn.utils import Bunch

from skposter.datasets._csv_columns import read_labels
from skposter.datasets._csv_problems import problem_table, raise_problems, row_problems
from skposter.datasets._csv_table import read_table
from skposter.datasets._image_folder import ImageFolder
from skposter.exceptions import DataError


def load_image_csv(
    csv_path,
    image_dir,
    *,
    id_column=None,
    label_column=None,
    label_columns=None,
    on_missing="raise",
    on_duplicate="drop",
    return_X_y=False,
):
    r"""Load image paths and their labels from a CSV and a folder.

    The CSV has one row an image: an id, and its labels as a written list
    (``['Action', 'Drama']``, ``Action|Drama``, ``Action, Drama``), as one column of 0/1 a label,
    or as both, which must then agree. Only the folder is listed here; no image is opened.

    Parameters
    ----------
    csv_path : str or path-like
        A CSV in UTF-8 with a header.
    image_dir : str or path-like
        The folder of the images. An id names the file ``image_dir/<id>``, with its extension
        (``.jpg``, ``.jpeg``, ``.png``, ``.webp``, ``.gif``, ``.bmp``, ``.tif``, ``.tiff``, in any
        case) or without. Ids may name subfolders, but never anything outside `image_dir`.
    id_column : str or None, default=None
        The column of ids. None takes the one called ``id``, ``image_id``, ``imdb_id``,
        ``filename``, ``file`` or ``image`` in any case, else the first column.
    label_column : str or None, default=None
        The column of label lists. If only this one is named, 0/1 columns are not read.
    label_columns : list of str or None, default=None
        The 0/1 columns, one a label. If only these are named, no list is read. With
        ``label_column=None`` too, both kinds are found: the list by its name (``genre``,
        ``genres``, ``label``, ``labels``, ``tags``, ``category``, ...) or as the only column
        left, the 0/1 columns by their cells. Columns found to be neither are in `problems`.
    on_missing : {"raise", "drop"}, default="raise"
        What to do with rows that have no image.
    on_duplicate : {"drop", "keep"}, default="drop"
        What to do with a row that repeats an image and its labels. Rows kept would put the same
        image into training and test data. Rows that repeat an image with *other* labels are
        an error unless kept.
    return_X_y : bool, default=False
        Return ``(paths, y)`` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        paths : ndarray of str, shape (n_samples,)
            Files, each below `image_dir` as it was given.
        y : DataFrame of int64, shape (n_samples, n_labels)
            0/1, one column a label: in the order of the CSV, or sorted if there are only lists.
            Its index holds the rows of `frame`, so ``frame.loc[y.index]`` are the rows loaded.
        label_names : list of str, length n_labels
            The columns of `y`.
        ids : ndarray of str, shape (n_samples,)
            The id of each row, without surrounding space.
        frame : DataFrame of str, shape (n_rows, n_columns)
            The whole CSV as read.
        problems : DataFrame of shape (n_problems, 4)
            What is odd. Columns: ``row`` (Int64, the row of `frame`, counted from 0 without the
            header; missing if it is not about a row), ``id`` (the id, or the file, label or
            column it is about), ``kind`` and ``detail``. Kinds: ``duplicate_row``,
            ``conflicting_labels``, ``missing_image``, ``row_without_labels``,
            ``image_without_row``, ``empty_label``, ``ignored_column``.
    (paths, y) : tuple
        If ``return_X_y=True``.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        `csv_path` or `image_dir` does not exist, or the latter is no folder.
    DataError
        The CSV cannot be read, or its content is contradictory; also a ValueError. The message
        names the file, and the rows and columns concerned.

    See Also
    --------
    write_image_csv : Write such a CSV.
    make_posters : Draw a data set to try things on.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skposter.datasets import load_image_csv
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "tt1.jpg").touch(), Path(folder, "tt2.PNG").touch()
    ...     _ = Path(folder, "posters.csv").write_text("Id,Genre\ntt1,Drama|War\ntt2,N/A\n")
    ...     data = load_image_csv(Path(folder, "posters.csv"), folder)
    >>> data.y
       Drama  N/A  War
    0      1    0    1
    1      0    1    0
    >>> data.problems.empty
    True
    """
    _check_option("on_missing", on_missing, ("raise", "drop"))
    _check_option("on_duplicate", on_duplicate, ("drop", "keep"))
    frame = read_table(csv_path)
    folder = ImageFolder(image_dir)
    try:
        y, id_column, ignored = read_labels(frame, id_column, label_column, label_columns)
        ids = frame[id_column].str.strip()
        found = [folder.find(image_id) for image_id in ids]
        problems = row_problems(ids, found, y)
        content = "" if folder.image_names() else ", which holds no image files"
        raise_problems(
            problems,
            n_rows=len(frame),
            where=f"{folder.path!r} (ids from column {id_column!r}){content}",
            on_missing=on_missing,
            on_duplicate=on_duplicate,
        )
    except DataError as error:
        raise DataError(f"{os.fspath(csv_path)!r}: {error}") from None

    dropped = {p.row for p in problems if p.kind == "duplicate_row" and on_duplicate == "drop"}
    names = {r: image.name for r, image in enumerate(found) if image.name and r not in dropped}
    paths = np.array([os.path.join(folder.path, name) for name in names.values()])
    y = y.loc[list(names)]
    if return_X_y:
        return paths, y
    unused = set(folder.image_names()) - {image.name for image in found}
    return Bunch(
        paths=paths,
        y=y,
        label_names=list(y.columns),
        ids=ids.loc[y.index].to_numpy(dtype=str),
        frame=frame,
        problems=problem_table(problems, sorted(unused), y, ignored),
    )


def _check_option(name, value, options):
    if value not in options:
        raise ValueError(f"{name}={value!r} is not one of {', '.join(map(repr, options))}")
