"""Ids and labels -> a CSV that `load_image_csv` and the tutorial read."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence

import numpy as np
import pandas as pd

from skposter._files.durable import write_durably
from skposter.datasets._label_parsing import binarize, parse_label_lists
from skposter.exceptions import DataError


def write_image_csv(
    csv_path, ids, labels, *, label_names=None, id_column="Id", label_column="Genre"
):
    """Write a CSV with an id, a list of labels and one column of 0/1 per label.

    Parameters
    ----------
    csv_path : str or path-like
        The file to write. One that is there already is replaced, at once and as a whole.
    ids : array-like of str, shape (n_samples,)
        The id or file name of each image, relative to the image folder.
    labels : DataFrame or ndarray of 0/1, shape (n_samples, n_labels), or sequence
        Either 0/1, or of length n_samples and holding for each image its label names (a tuple,
        list or set) or a written list of them (``"['Action', 'Drama']"``, ``"Action|Drama"``,
        ``"Action, Drama"``), such as a column of a CSV.
    label_names : sequence of str or None, default=None
        The labels in the order of the columns to write. None takes the columns of a DataFrame,
        or the sorted names that occur. Needed with an ndarray.
    id_column, label_column : str, default="Id", "Genre"
        Their names in the header.

    Raises
    ------
    DataError
        Numbers of rows that differ, a value that is neither 0 nor 1, a label that is no text or
        not in `label_names`. Nothing is written then.
    FileNotFoundError
        There is no folder to write into.

    See Also
    --------
    load_image_csv : Read it.

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
    names, y = _as_binary(labels, label_names, label_column)
    if len(ids) != len(y):
        raise DataError(f"got {len(ids)} ids but labels for {len(y)} images")
    header = [id_column, label_column, *names]
    for name in header:
        if not _is_cell(name) or name != name.strip():
            raise DataError(f"{name!r} cannot name a column; expected a line without space around")
        if header.count(name) > 1:
            raise DataError(f"the column name {name!r} would appear {header.count(name)} times")

    def write(file):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for image_id, row in zip(ids, y, strict=True):
            listed = [name for name, bit in zip(names, row, strict=True) if bit]
            writer.writerow([image_id, repr(listed), *row])

    write_durably(csv_path, write, encoding="utf-8")


def _checked_ids(ids) -> list[str]:
    checked = [str(image_id) if isinstance(image_id, os.PathLike) else image_id for image_id in ids]
    for row, image_id in enumerate(checked):
        if not _is_cell(image_id):
            raise DataError(f"ids, row {row}: expected a name, got {image_id!r}")
    return checked


def _is_cell(value) -> bool:
    # Line breaks can be quoted, but not every reader keeps all kinds of them; half of a surrogate
    # pair is what Python makes of a file name that is not text.
    if not isinstance(value, str) or len(value.splitlines()) != 1 or not value.strip():
        return False
    return not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in value)


def _as_binary(labels, label_names, column: str) -> tuple[list[str], np.ndarray]:
    if isinstance(labels, pd.DataFrame) or getattr(labels, "ndim", 1) == 2:
        if isinstance(labels, pd.DataFrame):
            label_names = list(labels.columns) if label_names is None else label_names
            labels = labels[list(label_names)]
        if label_names is None:
            raise DataError("label_names is needed to write an array of 0/1")
        y = np.asarray(labels)
        if y.shape[1] != len(label_names):
            raise DataError(f"got {len(label_names)} label_names for {y.shape[1]} columns")
        if not np.isin(y, (0, 1)).all():
            raise DataError("labels must be 0 or 1")
        return list(label_names), y.astype(np.int64)
    lists = _as_lists(labels, column)
    known = {name for listed in lists for name in listed}
    names = sorted(known) if label_names is None else list(label_names)
    unknown = sorted(known.difference(names))
    if unknown:
        raise DataError(f"label {unknown[0]!r} is not in label_names")
    return names, binarize(lists, names)


def _as_lists(labels, column: str) -> Sequence[Sequence[str]]:
    labels = list(labels)
    written = any(isinstance(cell, str) for cell in labels)
    for row, cell in enumerate(labels):
        if written and isinstance(cell, str):
            continue
        is_list = not written and isinstance(cell, (list, tuple, set, frozenset, np.ndarray))
        if not is_list or not all(isinstance(name, str) for name in cell):
            raise DataError(
                f"labels, row {row}: expected {'a written list of' if written else 'a list of'} "
                f"label names, got {cell!r} (pandas reads the label N/A as NaN unless "
                "keep_default_na=False)"
            )
    return parse_label_lists(labels, column) if written else labels
