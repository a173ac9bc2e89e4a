"""Label cells -> names: ``['Action', 'Drama']``, ``Action|Drama``, ``Action, Drama``, and 0/1."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from skposter.exceptions import DataError

_BITS = {"0": 0.0, "1": 1.0, "0.0": 0.0, "1.0": 1.0, "false": 0.0, "true": 1.0}
_CLOSING = {"[": "]", "(": ")", "{": "}"}
_NOT_A_NAME = {"None", "nan", "NaN", "null", "NULL"}
# One item of a written list. Tokens are matched one after the other, so there is no nesting to
# follow and no input takes more than linear time.
_ITEM = re.compile(
    r"""\s*(?:(?P<quoted>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<word>[^\s,'"\[\]{}][^,'"\[\]{}]*))""",
    re.DOTALL,
)
_GAP = re.compile(r"\s*(,?)\s*")


def parse_label_lists(cells: Iterable[str], column: str) -> list[tuple[str, ...]]:
    """Read a column of label lists.

    Parameters
    ----------
    cells : iterable of str, shape (n_rows,)
        Each a written list (Python's, JSON's or NumPy's), or names separated by ``|``, ``;`` or
        ``,``. Cells without brackets share one separator: the first of the three that occurs in
        any of them.
    column : str
        What to call the column in an error.

    Returns
    -------
    list of tuple of str, length n_rows
        Names without surrounding space, in the order written. Empty names are left out.

    Raises
    ------
    DataError
        A cell cannot be read; the message names column and row.

    Examples
    --------
    >>> parse_label_lists(["['N/A']", '["Sci-Fi", "War"]', "[]"], "Genre")
    [('N/A',), ('Sci-Fi', 'War'), ()]
    >>> parse_label_lists(["Action|Sci-Fi, Fantasy", "War"], "Genre")
    [('Action', 'Sci-Fi, Fantasy'), ('War',)]
    """
    stripped = [cell.strip() for cell in cells]
    plain = {cell for cell in stripped if not _is_bracketed(cell)}
    separator = next((mark for mark in "|;" if any(mark in cell for cell in plain)), ",")
    known: dict[str, tuple[str, ...]] = {}
    for row, cell in enumerate(stripped):
        if cell in known:
            continue
        try:
            names = cell.split(separator) if cell in plain else _items(cell)
        except ValueError as error:
            raise DataError(
                f"column {column!r}, row {row}: cannot read {_short(cell)} as labels: {error}"
            ) from None
        known[cell] = tuple(name.strip() for name in names if name.strip())
    return [known[cell] for cell in stripped]


def parse_bits(cells: pd.Series) -> np.ndarray:
    """Read a column of 0/1.

    Parameters
    ----------
    cells : Series of str, shape (n_rows,)
        ``0``/``1``, ``0.0``/``1.0`` or ``True``/``False`` in any case.

    Returns
    -------
    ndarray of float64, shape (n_rows,)
        0 and 1, and NaN where a cell is neither.

    Examples
    --------
    >>> parse_bits(pd.Series(["0", "1.0", "TRUE", "2", ""]))
    array([ 0.,  1.,  1., nan, nan])
    """
    codes, distinct = pd.factorize(cells)
    values = np.array([_BITS.get(str(cell).strip().lower(), np.nan) for cell in distinct])
    return values[codes]


def binarize(label_lists: Iterable[Iterable[str]], label_names: Sequence[str]) -> np.ndarray:
    """Turn lists of names into 0/1.

    Parameters
    ----------
    label_lists : iterable of iterable of str, length n_rows
        The labels of each row, all of them in `label_names`.
    label_names : sequence of str, shape (n_labels,)
        One name a column.

    Returns
    -------
    ndarray of int64, shape (n_rows, n_labels)
        1 where the row carries the label.

    Examples
    --------
    >>> binarize([("War",), (), ("Drama", "War")], ["Drama", "War"])
    array([[0, 1],
           [0, 0],
           [1, 1]])
    """
    column_of = {name: column for column, name in enumerate(label_names)}
    rows = [[column_of[name] for name in names] for names in label_lists]
    y = np.zeros((len(rows), len(column_of)), dtype=np.int64)
    lengths = [len(columns) for columns in rows]
    y[np.repeat(np.arange(len(rows)), lengths), [c for columns in rows for c in columns]] = 1
    return y


def _is_bracketed(cell: str) -> bool:
    if cell[:1] == "[":
        return True
    # A plain label may start with a bracket, "(no genres listed)"; a tuple or set holds quotes.
    return cell[:1] in ("(", "{") and cell[1:].lstrip()[:1] in ("'", '"', _CLOSING[cell[0]])


def _items(cell: str) -> list[str]:
    if len(cell) < 2 or cell[-1] != _CLOSING[cell[0]]:
        raise ValueError(f"the closing {_CLOSING[cell[0]]!r} is missing")
    inside, names, position = cell[1:-1].strip(), [], 0
    while position < len(inside):
        item = _ITEM.match(inside, position)
        if item is None:
            raise ValueError("expected a flat list of names")
        gap = _GAP.match(inside, item.end())
        assert gap is not None  # the pattern also matches nothing
        position = gap.end()
        # NumPy writes ['Action' 'Drama'], which Python would read as one name, 'ActionDrama'.
        as_numpy = item["quoted"] and gap[0] and inside[position : position + 1] in ("'", '"')
        if not (gap[1] or as_numpy or position == len(inside)):
            raise ValueError("expected a flat list of names separated by commas")
        word = (item["word"] or "").strip()
        if word in _NOT_A_NAME:
            raise ValueError(f"{word} is not a label name; quote it if it is one")
        names.append(word or _unquote(item["quoted"]))
    return names


def _unquote(token: str) -> str:
    if "\\" not in token:
        return token[1:-1]
    try:
        text = _unescape(token)
        text.encode()  # half a surrogate pair is no text
    except (ValueError, SyntaxError):
        raise ValueError(f"{_short(token)} holds an escape that cannot be read") from None
    return text


def _unescape(token: str) -> str:
    try:
        return json.loads(token)
    except ValueError:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an unknown escape is a mistake, not a backslash
            return ast.literal_eval(token)


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
