"""Columns that were understood -> y: 0/1, and NaN where nobody knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from skposter.datasets._cells import Cells, as_text, check_label_values, key_of, read_bits
from skposter.datasets._columns import (
    Columns,
    did_you_mean,
    short_list,
)
from skposter.datasets._label_lists import (
    DELIMITERS,
    are_vectors,
    check_names,
    choose_delimiter,
    parse_label_lists,
)
from skposter.exceptions import DataError

# y is held whole; a column of free text taken for labels would need far more.
_MAX_CELLS = 2**28


class _Entries(NamedTuple):
    """What rows say: row by row which label has which value, and what holds for all others."""

    names: list[str]
    rows: np.ndarray
    labels: np.ndarray
    bits: np.ndarray
    others: np.ndarray


def read_labels(
    cells: Mapping[str, Cells],
    columns: Columns,
    label_names: Sequence[str] | Mapping | None,
    image_of: np.ndarray,
    ids: Sequence[str],
    *,
    may_contradict: bool = False,
) -> tuple[pd.DataFrame, Columns]:
    """Read the labels.

    Parameters
    ----------
    cells : dict of str to Cells
        The columns of the table.
    columns : Columns
        As from `understand`.
    label_names : sequence of str, mapping or None
        As in `load_image_table`.
    image_of : ndarray of int, shape (n_rows,)
        For each row of the table the row of `y` that it belongs to; rows of one image are united.
    ids : sequence of str, length n_rows
        For errors.
    may_contradict : bool, default=False
        Let one row with `value_column` say that a label is there and another that it is not.

    Returns
    -------
    y : DataFrame of float64, shape (n_images, n_labels)
        0, 1 and NaN.
    columns : Columns
        With ``form``, ``n_labels`` and the delimiter that was found.

    Raises
    ------
    DataError
        A cell cannot be read, or lists and 0/1 disagree.
    """
    values = check_label_values(columns.label_values)
    bits = None
    if columns.label_columns:
        in_bits = None if columns.label_column and not _is_for_bits(values) else values
        bits = pd.DataFrame(
            {name: read_bits(cells[name], in_bits) for name in columns.label_columns}
        )
        bits = pd.DataFrame(_unite(bits.to_numpy(), image_of), columns=list(bits.columns))
        columns = replace(columns, form=_bits_in_words(values))
    if not columns.label_column:
        assert bits is not None
        y = _in_order(bits, label_names)
        return y, replace(columns, n_labels=y.shape[1])
    entries, columns = _read_lists(cells, columns, values, label_names)
    n_images = int(image_of.max()) + 1
    if n_images * len(entries.names) > _MAX_CELLS:
        raise DataError(
            f"column {columns.label_column[0]!r} holds {len(entries.names)} different labels in "
            f"{len(image_of)} rows, is it free text? Name the labels with label_column or "
            "label_columns"
        )
    if columns.value_column is not None and not may_contradict:
        _check_no_contradiction(entries, image_of, ids)
    y = _spread(entries, image_of, n_images)
    if bits is not None:
        y = _agreeing(columns, y, bits, ids, image_of)
    return y, replace(columns, n_labels=y.shape[1])


def _is_for_bits(values: Mapping[str, float] | None) -> bool:
    """Say whether ``label_values`` speaks of cells of 0/1 columns, not of words in lists."""
    return values is not None and 1.0 in values.values()


def _bits_in_words(values: Mapping[str, float] | None) -> str:
    if values is None:
        return "columns of 0/1"
    meaning = {1.0: "there", 0.0: "not there"}
    said = [
        f"{cell or 'blank'} is {meaning.get(value, 'unknown')}" for cell, value in values.items()
    ]
    return f"columns in which {', '.join(said)}"


def _unite(y: np.ndarray, image_of: np.ndarray) -> np.ndarray:
    """Take the larger of values of one image, and the known ones."""
    if len(image_of) == 0 or image_of.max() + 1 == len(image_of):
        return y  # a row an image, in order
    united = np.full((image_of.max() + 1, y.shape[1]), -1.0)
    np.maximum.at(united, image_of, np.where(np.isnan(y), -1.0, y))
    return np.where(united < 0, np.nan, united)


def _in_order(y: pd.DataFrame, label_names) -> pd.DataFrame:
    if label_names is None:
        return y
    if isinstance(label_names, Mapping):
        raise DataError(
            "label_names as a mapping is for labels that are written in cells; rename columns of "
            "0/1 in the DataFrame"
        )
    if sorted(label_names) != sorted(y.columns):
        raise DataError(
            f"label_names are {short_list(label_names)}, the columns of 0/1 are called "
            f"{short_list(y.columns)}; to choose among them, use label_columns"
        )
    return y[list(label_names)]


# Lists


def _read_lists(cells, columns: Columns, values, label_names) -> tuple[_Entries, Columns]:
    parsed, delimiters = [], []
    known = set(values or ())
    for name in columns.label_column:
        delimiters.append(choose_delimiter(cells[name], columns.label_delimiter))
        lists = parse_label_lists(cells[name], delimiters[-1], known)
        _check_none_missing(cells[name], known)
        parsed.append(lists)
    listed = {label for lists in parsed for names in lists for label in names}
    delimiter = next((mark for mark in delimiters if mark is not None), None)
    columns = replace(columns, label_delimiter=delimiter)
    is_vectors = are_vectors(n for lists in parsed for n in lists) or _is_written_as_bits(listed)
    if is_vectors and not isinstance(label_names, Mapping):
        return _read_vectors(cells, columns, values, label_names, parsed)
    check_names(columns.label_column[0], listed)
    longest = max((len(names) for lists in parsed for names in lists), default=0)
    columns = replace(columns, form=_lists_in_words(delimiter, longest, columns))
    names, number_of = _number_labels(columns.label_column[0], listed, label_names, values)
    return _entries_of_lists(cells, columns, values, parsed, names, number_of), columns


def _check_none_missing(column: Cells, known: Iterable[str]) -> None:
    if None in column.distinct and "" not in known:
        row = column.first_rows[column.distinct.index(None)]
        raise DataError(
            f"column {column.name!r}, row {row}: the cell is missing (NaN or null), and may have "
            "been a label called N/A or None, which pandas reads so unless keep_default_na=False. "
            'If it means no label, say label_values={"": 0}; None in place of 0 if nobody knows'
        )


def _lists_in_words(delimiter: str | None, longest: int, columns: Columns) -> str:
    if delimiter is not None:
        return f"separated by {DELIMITERS.get(delimiter, repr(delimiter))}"
    if longest > 1:
        return "written lists"
    return "one in each column" if len(columns.label_column) > 1 else "one a row"


def _number_labels(
    column: str, listed: set[str], label_names, values
) -> tuple[list[str], dict[str, int]]:
    """Return the names of the labels, and which of them each written one is."""
    listed = listed - _words_meaning(0.0, values, listed) - _words_meaning(np.nan, values, listed)
    if label_names is None:
        names = sorted(listed)
        if not names:
            raise DataError(f"column {column!r} holds no labels")
        return names, {name: number for number, name in enumerate(names)}
    if isinstance(label_names, Mapping):
        renamed = {str(written): str(name) for written, name in label_names.items()}
    else:
        renamed = {str(name): str(name) for name in label_names}
    unknown = sorted(listed.difference(renamed))
    if unknown and all(name.isdecimal() for name in listed):
        raise DataError(
            f"column {column!r} holds label numbers, such as {unknown[0]!r}; say which name each "
            "has: label_names=dict(enumerate(names)) if they count from 0, "
            "dict(enumerate(names, 1)) if from 1"
        )
    if unknown:
        raise DataError(
            f"column {column!r} holds the label {unknown[0]!r}, which is not in label_names"
            f"{did_you_mean(unknown[0], renamed)}"
        )
    names = list(dict.fromkeys(renamed.values()))
    return names, {written: names.index(name) for written, name in renamed.items()}


def _words_meaning(
    meaning: float, values: Mapping[str, float] | None, listed: set[str]
) -> set[str]:
    """Return those of the names, and of a blank cell, that `values` gives a meaning."""
    return {
        name
        for name in (*listed, "")
        if values and np.array_equal(values.get(key_of(name), 1.0), meaning, equal_nan=True)
    }


def _entries_of_lists(cells, columns, values, parsed, names, number_of) -> _Entries:
    n_rows = len(cells[columns.label_column[0]])
    rows, labels = [], []
    is_unknown = np.zeros(n_rows, dtype=bool)
    unknown = _words_meaning(
        np.nan, values, {n for lists in parsed for some in lists for n in some}
    )
    for name, lists in zip(columns.label_column, parsed, strict=True):
        column = cells[name]
        numbers = [[number_of[n] for n in item if n in number_of] for item in lists]
        lengths = np.array([len(some) for some in numbers], dtype=np.intp)
        starts = np.concatenate([[0], np.cumsum(lengths)])
        flat = np.array([number for some in numbers for number in some], dtype=np.intp)
        of_row = lengths[column.codes]
        row = np.repeat(np.arange(n_rows), of_row)
        within = np.arange(len(row)) - np.repeat(np.cumsum(of_row) - of_row, of_row)
        rows.append(row)
        labels.append(flat[np.repeat(starts[column.codes], of_row) + within])
        if unknown:
            is_nothing = [not unknown.isdisjoint(item or ("",)) for item in lists]
            is_unknown |= np.array(is_nothing, dtype=bool)[column.codes]
    row, label = np.concatenate(rows), np.concatenate(labels)
    if columns.value_column is None:
        others = np.where(is_unknown, np.nan, 0.0)
        return _Entries(names, row, label, np.ones(len(row)), others)
    value = read_bits(cells[columns.value_column], values)[row]
    # What no row speaks of, nobody has looked for.
    return _Entries(names, row, label, value, np.full(n_rows, np.nan))


def _spread(entries: _Entries, image_of: np.ndarray, n_images: int) -> pd.DataFrame:
    y = np.repeat(_unite(entries.others[:, None], image_of), len(entries.names), axis=1)
    rank = np.where(np.isnan(entries.bits), -1.0, entries.bits)
    order = np.argsort(rank, kind="stable")  # the last one assigned stays
    y[image_of[entries.rows[order]], entries.labels[order]] = entries.bits[order]
    return pd.DataFrame(y, columns=entries.names)


def _check_no_contradiction(entries: _Entries, image_of: np.ndarray, ids: Sequence[str]) -> None:
    """Refuse two rows with different values for one image and label."""
    pairs = pd.DataFrame(
        {"image": image_of[entries.rows], "label": entries.labels, "value": entries.bits}
    )
    first = pairs.groupby(["image", "label"])["value"].transform("first")
    known = pairs["value"].notna() & first.notna()
    wrong = np.flatnonzero(known & (pairs["value"] != first))
    if len(wrong):
        row, label = entries.rows[wrong[0]], entries.names[entries.labels[wrong[0]]]
        raise DataError(
            f"row {row} (id {ids[row]!r}) says something else of {label!r} than a row before it "
            f'({len(wrong)} such rows); on_duplicate="union" lets the one that says it is there '
            "count"
        )


# Multi-hot vectors


def _is_written_as_bits(listed: set[str]) -> bool:
    return (
        len({len(name) for name in listed}) == 1
        and len(min(listed)) > 2
        and all(set(name) <= {"0", "1"} for name in listed)
    )


def _read_vectors(cells, columns: Columns, values, label_names, parsed) -> tuple[_Entries, Columns]:
    column = cells[columns.label_column[0]]
    lists = [tuple(names[0]) if _is_written_as_bits(set(names)) else names for names in parsed[0]]
    n = max(map(len, lists))
    if label_names is None or len(parsed) > 1:
        raise DataError(
            f"column {column.name!r} holds multi-hot vectors of {n} 0/1, such as "
            f"{as_text(column.distinct[0])}, and no names of labels; give them in order: "
            f"label_names=[...] ({n} names). If they are lists of label numbers instead, name "
            "each: label_names={'0': ..., '1': ...}"
        )
    names = [str(name) for name in label_names]
    if n != len(names):
        raise DataError(
            f"column {column.name!r} holds vectors of {n} 0/1, label_names has {len(names)} names"
        )
    flat = pd.Series([name for some in lists for name in (some or ("",) * n)])
    bits = read_bits(Cells.of(flat, column.name), values).reshape(len(lists), n)[column.codes]
    n_rows = len(column)
    entries = _Entries(
        names,
        np.repeat(np.arange(n_rows), n),
        np.tile(np.arange(n), n_rows),
        bits.ravel(),
        np.full(n_rows, np.nan),
    )
    return entries, replace(columns, form="multi-hot vectors")


# Lists and columns of 0/1


def _agreeing(columns: Columns, listed: pd.DataFrame, bits: pd.DataFrame, ids, image_of):
    """Return what lists and columns of 0/1 say together, or raise where they differ."""
    names = [*bits.columns, *(name for name in listed.columns if name not in bits)]
    listed = listed.reindex(columns=names, fill_value=0.0)
    bits = bits.reindex(columns=names, fill_value=0.0)
    known = ~(listed.isna() | bits.isna()).to_numpy()
    differs = known & (listed.to_numpy() != bits.to_numpy())
    wrong = np.flatnonzero(differs.any(axis=1))
    if not len(wrong):
        return bits.where(bits.notna() | (listed != 1), 1.0).where(listed.notna() | bits.notna())
    first_row = np.unique(image_of, return_index=True)[1]
    shown = []
    for image in wrong[:5]:
        name = names[np.flatnonzero(differs[image])[0]]
        where = "list" if listed[name].iloc[image] else "column of 0/1"
        row = first_row[image]
        shown.append(f"row {row} (id {ids[row]!r}): {name!r} is only in the {where}")
    if len(wrong) > 5:
        shown.append(f"and {len(wrong) - 5} more")
    raise DataError(
        f"column {columns.label_column[0]!r} and the one-hot columns disagree in {len(wrong)} of "
        f"{len(bits)} rows: {'; '.join(shown)}. Correct the table, or use one of them by naming it "
        "with label_column or label_columns, or say with metadata_columns what is no label"
    )
