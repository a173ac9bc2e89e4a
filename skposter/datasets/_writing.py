"""Ids and labels -> a CSV that `load_image_csv` and the tutorial read."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.sparse import issparse

from skposter._files.durable import write_durably
from skposter.datasets._cells import Cells
from skposter.datasets._label_lists import binarize, choose_delimiter, parse_label_lists
from skposter.exceptions import DataError

if TYPE_CHECKING:
    from skposter._typing import Names, PathLike, Samples


def write_image_csv(
    csv_path: PathLike,
    ids: Samples,
    labels: Samples,
    *,
    label_names: Names | None = None,
    label_delimiter: str | None = None,
    id_column: str = "Id",
    label_column: str = "Genre",
) -> None:
    """Write a CSV with an id, a list of labels and one column of 0/1 per label.

    Parameters
    ----------
    csv_path : str or path-like
        The file to write. One that is there already is replaced, at once and as a whole.
    ids : array-like of str or path-like, shape (n_samples,)
        The id or file name of each image, relative to the image folder. Folders are separated by
        ``/`` in the file, on every system.
    labels : DataFrame, ndarray or sparse matrix of 0/1, shape (n_samples, n_labels), or sequence
        Either 0/1 (and NaN where nobody knows), or of length n_samples and holding for each image
        its label names or label numbers, positions in `label_names` (a tuple, list or set), or a
        written list of names (``"['Action', 'Drama']"``, ``"Action|Drama"``,
        ``"Action, Drama"``), such as a column of a CSV.
    label_names : sequence of str or None, default=None
        The labels in the order of the columns to write. None takes the columns of a DataFrame,
        or the sorted names that occur. Needed with arrays and numbers.
    label_delimiter : str or None, default=None
        What separates the names of a written list, as in `load_image_table`.
    id_column, label_column : str, default="Id", "Genre"
        Their names in the header. Where `labels` has NaN, there is no column of lists, which
        cannot say so, and the cells are blank: read them with
        ``label_values={"1": 1, "0": 0, "": None}``.

    Raises
    ------
    DataError
        Numbers of rows that differ, a value that is neither 0 nor 1, a label that is not in
        `label_names`, or lists that may be 0/1 or label numbers. Nothing is written then.
    FileNotFoundError
        There is no folder to write into.

    See Also
    --------
    load_image_csv, load_image_table : Read it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skposter.datasets import write_image_csv
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "posters.csv")
    ...     write_image_csv(path, ["tt1", "tt2"], ["Drama|War", "N/A"])
    ...     print(path.read_text())
    Id,Genre,Drama,N/A,War
    tt1,"['Drama', 'War']",1,0,1
    tt2,['N/A'],0,1,0
    """
    ids = _checked_ids(ids)
    names, y = _as_binary(labels, label_names, label_delimiter, label_column)
    if len(ids) != len(y):
        raise DataError(f"got {len(ids)} ids but labels for {len(y)} images")
    is_known = not np.isnan(y).any()
    header = [id_column, label_column, *names] if is_known else [id_column, *names]
    for name in header:
        if not _is_cell(name) or name != name.strip():
            raise DataError(f"{name!r} cannot name a column; expected a line without space around")
        if header.count(name) > 1:
            raise DataError(f"the column name {name!r} would appear {header.count(name)} times")

    def write(file):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        cells = {0.0: "0", 1.0: "1"}
        for image_id, row in zip(ids, y.tolist(), strict=True):
            listed = [name for name, bit in zip(names, row, strict=True) if bit == 1]
            bits = [cells.get(bit, "") for bit in row]
            writer.writerow([image_id, repr(listed), *bits] if is_known else [image_id, *bits])

    write_durably(csv_path, write, encoding="utf-8")


def _checked_ids(ids) -> list[str]:
    checked = []
    for row, image_id in enumerate(ids):
        if isinstance(image_id, PurePath):
            image_id = image_id.as_posix()
        elif isinstance(image_id, (str, os.PathLike)) and os.sep != "/":
            image_id = os.fspath(image_id).replace(os.sep, "/")
        elif isinstance(image_id, os.PathLike):
            image_id = os.fspath(image_id)
        if not _is_cell(image_id):
            raise DataError(f"ids, row {row}: expected a name, got {image_id!r}")
        checked.append(image_id)
    return checked


def _is_cell(value) -> bool:
    # Line breaks can be quoted, but not every reader keeps all kinds of them; half of a surrogate
    # pair is what Python makes of a file name that is not text.
    if not isinstance(value, str) or len(value.splitlines()) != 1 or not value.strip():
        return False
    return not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in value)


def _as_binary(labels, label_names, delimiter, column: str) -> tuple[list[str], np.ndarray]:
    """Return the names of the labels, and 0, 1 and NaN for each image and label."""
    if issparse(labels):
        labels = labels.toarray()
    if isinstance(labels, pd.DataFrame) or getattr(labels, "ndim", 1) == 2:
        if isinstance(labels, pd.DataFrame):
            label_names = list(labels.columns) if label_names is None else label_names
            labels = labels[list(label_names)]
        if label_names is None:
            raise DataError("label_names is needed to write an array of 0/1")
        y = np.asarray(labels, dtype=float)
        if y.shape[1] != len(label_names):
            raise DataError(f"got {len(label_names)} label_names for {y.shape[1]} columns")
        if not np.isin(y[~np.isnan(y)], (0, 1)).all():
            raise DataError("labels must be 0 or 1, or NaN where nobody knows")
        return list(label_names), y
    labels = list(labels)
    if _are_numbers(labels):
        labels = _named(labels, label_names)
    lists = _as_lists(labels, delimiter, column)
    known = {name for listed in lists for name in listed}
    names = sorted(known) if label_names is None else list(label_names)
    unknown = sorted(known.difference(names))
    if unknown:
        raise DataError(f"label {unknown[0]!r} is not in label_names")
    return names, binarize(lists, names).astype(float)


def _are_numbers(labels: list) -> bool:
    """Say whether there are lists of numbers, and nothing but such lists."""
    items = [item for cell in labels if _is_list(cell) for item in cell]
    return bool(items) and all(_is_list(cell) for cell in labels) and all(map(_is_number, items))


def _is_list(cell) -> bool:
    return isinstance(cell, (list, tuple, set, frozenset, np.ndarray))


def _is_number(item) -> bool:
    return isinstance(item, (int, np.integer)) and not isinstance(item, bool)


def _named(lists: list, label_names) -> list[list[str]]:
    """Put names in place of numbers."""
    if label_names is None:
        raise DataError("label_names is needed to write label numbers")
    names = list(label_names)
    if all(len(some) == len(names) > 1 and set(some) <= {0, 1} for some in lists):
        raise DataError(
            f"labels are lists of {len(names)} 0/1 each, which may be one for each label or label "
            "numbers; give np.asarray(labels) for the former"
        )
    for row, some in enumerate(lists):
        wrong = next((number for number in some if not 0 <= number < len(names)), None)
        if wrong is not None:
            raise DataError(
                f"labels, row {row}: {wrong} is the number of none of {len(names)} label_names, "
                "which count from 0"
            )
    return [[names[number] for number in some] for some in lists]


def _as_lists(labels, delimiter, column: str) -> Sequence[Sequence[str]]:
    written = any(isinstance(cell, str) for cell in labels)
    for row, cell in enumerate(labels):
        if written and isinstance(cell, str):
            continue
        if written or not _is_list(cell) or not all(isinstance(name, str) for name in cell):
            raise DataError(
                f"labels, row {row}: expected {'a written list of' if written else 'a list of'} "
                f"label names, got {cell!r} (pandas reads the label N/A as NaN unless "
                "keep_default_na=False)"
            )
    if not written:
        return labels
    cells = Cells.of(pd.Series(labels, dtype=object), column)
    lists = parse_label_lists(cells, choose_delimiter(cells, delimiter))
    return [lists[code] for code in cells.codes]
