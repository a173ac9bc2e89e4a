"""Which columns of a CSV hold the id, the label lists and the 0/1 labels."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from skposter.datasets._label_parsing import binarize, parse_bits, parse_label_lists
from skposter.exceptions import DataError

_ID_NAMES = ("id", "image_id", "imdb_id", "imdbid", "filename", "file_name", "file", "image")
_LIST_NAMES = ("genre", "genres", "label", "labels", "tag", "tags", "category", "categories")
# y is held whole; a column of free text taken for labels would need far more.
_MAX_CELLS = 2**28


class Labels(NamedTuple):
    """The labels of a CSV, the column of ids beside them, and the columns that are neither."""

    y: pd.DataFrame
    id_column: str
    ignored: list[str]


def read_labels(
    frame: pd.DataFrame,
    id_column: str | None = None,
    label_column: str | None = None,
    label_columns: Sequence[str] | None = None,
) -> Labels:
    """Find the columns, read the labels, and check that lists and 0/1 agree where both are there.

    Parameters
    ----------
    frame : DataFrame of str, shape (n_rows, n_columns)
        The CSV as read.
    id_column, label_column : str or None, default=None
        Columns by name.
    label_columns : sequence of str or None, default=None
        The 0/1 columns by name.

    Returns
    -------
    Labels
        ``y`` has the index of `frame`, int64, one column a label.

    Raises
    ------
    DataError
        No such column, no labels, an unreadable cell, or lists and 0/1 that disagree.
    """
    if label_columns is not None:
        given = [label_columns] if isinstance(label_columns, str) else label_columns
        label_columns = list(dict.fromkeys(given))
        if not label_columns:
            raise DataError("label_columns is empty; name at least one column")
    for argument, names in (
        ("id_column", [id_column]),
        ("label_column", [label_column]),
        ("label_columns", label_columns or []),
    ):
        for name in names:
            if name is not None:
                _check_has_column(frame, name, argument)
    if id_column is None:
        # pandas leaves the name of an index column empty.
        named = [name for name in frame.columns if name]
        id_column = _named_like(named, _ID_NAMES) or named[0]
    others = [name for name in frame.columns if name and name != id_column]
    for name in [label_column, *(label_columns or [])]:
        if name == id_column:
            raise DataError(f"column {name!r} cannot hold both the ids and labels")
    if label_column is None and label_columns is None:
        return _find_labels(frame, id_column, others)
    bits = None if label_columns is None else _read_bits(frame, label_columns)
    lists = None if label_column is None else parse_label_lists(frame[label_column], label_column)
    return Labels(_combine(frame, id_column, label_column, lists, bits), id_column, [])


def _find_labels(frame: pd.DataFrame, id_column: str, others: list[str]) -> Labels:
    bits = {name: parse_bits(frame[name]) for name in others}
    # One wrong cell must be an error, not a column that silently is no label any more.
    one_hot = [name for name in others if np.isfinite(bits[name]).mean() > 0.5]
    rest = [name for name in others if name not in one_hot]
    column = _named_like(rest, _LIST_NAMES)
    if column is None and not one_hot:
        if len(rest) != 1:
            raise DataError(
                f"cannot tell which column holds the labels among {_short_list(rest)}; "
                f"name it with label_column or label_columns (the ids are taken from {id_column!r})"
            )
        column = rest[0]
    lists = None if column is None else parse_label_lists(frame[column], column)
    if lists is not None:
        listed = {name for names in lists for name in names}
        one_hot = [name for name in others if name in listed or name in one_hot]
        if not listed.intersection(one_hot):
            one_hot = []  # 0/1 columns about something else
    y = _combine(frame, id_column, column, lists, _read_bits(frame, one_hot) if one_hot else None)
    return Labels(y, id_column, [name for name in others if name not in [column, *one_hot]])


def _read_bits(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    y = pd.DataFrame({name: parse_bits(frame[name]) for name in columns}, index=frame.index)
    wrong = np.argwhere(y.isna().to_numpy())
    if len(wrong):
        row, column = frame.index[wrong[0][0]], columns[wrong[0][1]]
        more = f" (and {len(wrong) - 1} more such cells)" if len(wrong) > 1 else ""
        raise DataError(
            f"row {row}, column {column!r}: expected 0 or 1, got {frame[column].loc[row]!r}{more}; "
            "if it is not a label, name the labels with label_columns"
        )
    return y.astype(np.int64)


def _combine(frame, id_column, column, lists, bits) -> pd.DataFrame:
    if lists is None:
        return bits
    listed = sorted({name for names in lists for name in names})
    names = listed if bits is None else [*bits.columns, *(n for n in listed if n not in bits)]
    if not names:
        raise DataError(f"column {column!r} holds no labels")
    if len(frame) * len(names) > _MAX_CELLS:
        raise DataError(
            f"column {column!r} holds {len(names)} different labels in {len(frame)} rows, "
            "is it free text? Name the labels with label_column or label_columns"
        )
    y = pd.DataFrame(binarize(lists, names), index=frame.index, columns=names)
    if bits is not None:
        _check_agree(frame[id_column], column, y, bits.reindex(columns=names, fill_value=0))
    return y


def _check_agree(ids: pd.Series, column: str, listed: pd.DataFrame, bits: pd.DataFrame) -> None:
    differs = listed.to_numpy() != bits.to_numpy()
    rows = np.flatnonzero(differs.any(axis=1))
    if not len(rows):
        return
    shown = []
    for row in rows[:5]:
        name = listed.columns[np.flatnonzero(differs[row])[0]]
        where = "list" if listed[name].iloc[row] else "column of 0/1"
        shown.append(f"row {row} (id {ids.iloc[row]!r}): {name!r} is only in the {where}")
    if len(rows) > 5:
        shown.append(f"and {len(rows) - 5} more")
    raise DataError(
        f"column {column!r} and the one-hot columns disagree in {len(rows)} of {len(ids)} rows: "
        f"{'; '.join(shown)}. Correct the CSV, or use one of them by naming it with label_column "
        "or label_columns"
    )


def _named_like(columns, names: Sequence[str]) -> str | None:
    by_name = {column.lower(): column for column in reversed(list(columns))}
    return next((by_name[name] for name in names if name in by_name), None)


def _check_has_column(frame: pd.DataFrame, name: str, argument: str) -> None:
    if name in frame.columns:
        return
    by_lower = {column.lower(): column for column in frame.columns}
    close = difflib.get_close_matches(str(name).lower(), by_lower, n=1)
    hint = f", did you mean {by_lower[close[0]]!r}?" if close else "."
    raise DataError(
        f"{argument}={name!r} is not a column{hint} The columns are {_short_list(frame.columns)}"
    )


def _short_list(names) -> str:
    names = [repr(str(name)) for name in names]
    return ", ".join(names[:12]) + (f", and {len(names) - 12} more" if len(names) > 12 else "")
