"""A column of label lists -> the names in each cell, or an error where cells alone cannot tell."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from skposter.datasets._cells import (
    CLOSING,
    NUMBER,
    Cell,
    Cells,
    as_text,
    is_bracketed,
    key_of,
    load_json,
)
from skposter.exceptions import DataError

DELIMITERS = {
    "|": "'|'",
    ";": "semicolons",
    ",": "commas",
    " ": "spaces",
    "/": "slashes",
    "\t": "tabs",
    "\n": "line breaks",
}
# Marks that hardly occur in names, those that do, and those that tie the words of one name.
_STRONG, _WEAK, _TYING = ("|", ";", ","), ("/", "+", "&", "\t", "\n", ":"), ("_", "-")
WORDS_FOR_NOTHING = {"None", "nan", "NaN", "<NA>", "null", "NULL"}
_NAME_KEYS = ("name", "displayName", "label", "class", "tag", "category", "title")
# One item of a written list. Tokens are matched one after the other, so there is no nesting to
# follow and no input takes more than linear time.
_ITEM = re.compile(
    r"""\s*(?:(?P<quoted>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<word>[^\s,'"\[\]{}][^,'"\[\]{}]*))""",
    re.DOTALL,
)
_GAP = re.compile(r"\s*(,?)\s*")


def parse_label_lists(
    cells: Cells, delimiter: str | None, known: Collection[str] = ()
) -> list[tuple[str, ...]]:
    """Read a column of label lists.

    Parameters
    ----------
    cells : Cells
        Each a list, a written list (Python's, JSON's or NumPy's), an object of labels
        (``{"cat": true}``, ``{"choices": ["cat"]}``), or names with `delimiter` between them.
    delimiter : str or None
        None or ``""``: a cell that is no list is one name.
    known : collection of str, default=()
        Keys of ``label_values``: words for "no label" that are no mistake.

    Returns
    -------
    list of tuple of str, one for each distinct cell
        Names without surrounding space, in the order written. Empty names are left out.

    Raises
    ------
    DataError
        A cell cannot be read; the message names column and row.

    Examples
    --------
    >>> import pandas as pd
    >>> genres = Cells.of(pd.Series(["['N/A']", '["Sci-Fi", "War"]', "[]", "Action|War"]), "Genre")
    >>> parse_label_lists(genres, "|")
    [('N/A',), ('Sci-Fi', 'War'), (), ('Action', 'War')]
    """
    how = (delimiter, frozenset(known))
    if how in cells.parsed:
        return cells.parsed[how]
    parsed = []
    for code, cell in enumerate(cells.distinct):
        try:
            names = _names(cell, delimiter, known)
        except ValueError as error:
            raise DataError(
                f"column {cells.name!r}, row {cells.first_rows[code]}: cannot read "
                f"{_short(as_text(cell))} as labels: {error}"
            ) from None
        parsed.append(tuple(filter(None, map(str.strip, names))))
    cells.parsed[how] = parsed
    return parsed


def choose_delimiter(cells: Cells, given: str | None) -> str | None:
    """Find what separates the labels of a cell.

    Parameters
    ----------
    cells : Cells
        A column of label lists.
    given : str or None
        ``label_delimiter``: None to find it out, ``""`` for one label a cell.

    Returns
    -------
    str or None
        None if no cell has more than one label, or all that have are written lists.

    Raises
    ------
    DataError
        Cells look as if they held several labels with something else between them, or may do so.

    Examples
    --------
    >>> import pandas as pd
    >>> choose_delimiter(Cells.of(pd.Series(["Rio de Janeiro|Rome", "Rome"]), "city"), None)
    '|'
    """
    plain = [c for c in cells.distinct if isinstance(c, str) and c and not is_bracketed(c)]
    strong = [mark for mark in _STRONG if any(mark in cell for cell in plain)]
    if given is not None:
        _check_given(cells.name, plain, given, strong)
        return given or None
    if strong:
        delimiter = strong[0]
        items = {item.strip() for cell in plain for item in cell.split(delimiter)}
        for mark in strong[1:]:
            if _are_several(items, mark):
                raise DataError(_ask_for_delimiter(cells.name, plain, [delimiter, mark]))
        return delimiter
    if any(re.search(r"\s", cell) for cell in plain):
        if all(part.lstrip("+-").isdecimal() for cell in plain for part in cell.split()):
            return " "  # no name is made of numbers
        mark = " " if any(" " in cell for cell in plain) else "\t"
        mark = "\n" if any("\n" in cell for cell in plain) else mark
        raise DataError(_ask_for_delimiter(cells.name, plain, [mark, ""]))
    for mark in (*_WEAK, *_TYING):
        if _are_several(set(plain), mark):
            raise DataError(_ask_for_delimiter(cells.name, plain, [mark, ""]))
    return None


def _check_given(column: str, plain: Sequence[str], given: str, strong: Sequence[str]) -> None:
    others = [mark for mark in strong if mark not in given]
    if given and others and not any(given in cell for cell in plain):
        cell = next(cell for cell in plain if others[0] in cell)
        raise DataError(
            f"label_delimiter={given!r} is in no cell of column {column!r}, but {others[0]!r} is: "
            f"{_short(cell)}"
        )
    if given == "":
        return
    for cell in plain:
        for item in cell.split(given):
            if item.strip() and item.strip()[-1] in others and item.strip()[:-1]:
                raise DataError(
                    f"label_delimiter={given!r} leaves {item.strip()!r} in column {column!r}; "
                    f"it may be {item.strip()[-1] + given!r}"
                )


def _are_several(items: Iterable[str], mark: str) -> bool:
    """Say whether items with a mark in them look like several labels each.

    They do if one of the pieces is an item elsewhere, or stands now first and now last: a set of
    labels has no order, the words of a name and the levels of a taxonomy (``/m/cat``) have.
    """
    items = set(items)
    split = [[piece.strip() for piece in item.split(mark)] for item in items if mark in item]
    places: dict[str, set[int]] = {}
    for pieces in split:
        for place, piece in enumerate(pieces):
            if piece:
                places.setdefault(piece, set()).add(place)
    if mark in _TYING:
        counts = [sum(piece in pieces for pieces in split) for piece in places]
        return len(split) > 1 and min(counts) > 1
    return any(piece in items or len(where) > 1 for piece, where in places.items())


def _ask_for_delimiter(column: str, plain: Sequence[str], marks: Sequence[str]) -> str:
    doubtful = marks[-1] or marks[0]
    cell = next((cell for cell in plain if doubtful in cell), plain[0])
    choices = []
    for mark in marks:
        names = {n.strip() for c in plain for n in (c.split(mark) if mark else [c]) if n.strip()}
        shown = ", ".join(map(repr, sorted(names)[:4])) + (", ..." if len(names) > 4 else "")
        choices.append(f"label_delimiter={mark!r} gives {len(names)} labels ({shown})")
    return (
        f"column {column!r}: {_short(cell)} may be one label or several, and the file alone cannot "
        f"tell: {'; '.join(choices)}"
    )


def are_vectors(lists: Iterable[tuple[str, ...]]) -> bool:
    """Say whether lists are multi-hot vectors: all of one length, and nothing but 0, 1 and -1.

    Examples
    --------
    >>> are_vectors([("1", "0", "1"), ("0", "0", "1")])
    True
    >>> are_vectors([("1",), ("0", "1")])
    False
    """
    lists = [names for names in lists if names]
    lengths = {len(names) for names in lists}
    return (
        len(lengths) == 1
        and min(lengths) > 1
        and {key_of(name) for names in lists for name in names} <= {"0", "1", "-1", "true", "false"}
    )


def check_names(column: str, names: Iterable[str]) -> None:
    """Refuse lists of something else: numbers with a point, labels with a number each."""
    names = set(names)
    points = sorted(name for name in names if "." in name and NUMBER.fullmatch(name))
    if points:
        raise DataError(
            f"column {column!r} holds numbers such as {points[0]!r}, no label names; if they are "
            "scores, make 0/1 of them first; if they are label numbers, read them as whole numbers"
        )
    scored = re.compile(r".+[:=]\s*\d*\.?\d+%?")
    if len(names) > 1 and all(scored.fullmatch(name) for name in names):
        raise DataError(
            f"column {column!r} holds labels with a number each, such as {min(names)!r}; keep "
            "those that count as there, and take the numbers off"
        )


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


def _names(cell: Cell, delimiter: str | None, known: Collection[str]) -> Sequence[str]:
    if cell is None:
        return ()
    if isinstance(cell, tuple):
        if None in cell:
            raise ValueError("a missing value (None or nan) is not a label name")
        names: Sequence[str] = [item for item in cell if item is not None]
    elif is_bracketed(cell):
        names = _items(cell, delimiter)
    else:
        split = [item.strip() for item in (cell.split(delimiter) if delimiter else [cell])]
        quoted = [_ITEM.fullmatch(item) for item in split]
        if all(match is not None and match["quoted"] for match in quoted):
            return [_unquote(match["quoted"]) for match in quoted if match is not None]
        for item in split:
            if item in WORDS_FOR_NOTHING and key_of(item) not in known:
                raise ValueError(
                    f"{item} may be a label or the lack of one; say which with label_values="
                    f"{{{item!r}: 0}} (no label), 1 (a label called so) or None (nobody knows)"
                )
        return split
    return names


def _items(cell: str, delimiter: str | None) -> list[str]:
    if len(cell) < 2 or cell[-1] != CLOSING[cell[0]]:
        raise ValueError(f"the closing {CLOSING[cell[0]]!r} is missing")
    if ":" in cell and re.match(r"\[?\s*\{", cell):
        content = _load(cell)
        if isinstance(content, dict):
            return _keys_or_only_value(content)
        if isinstance(content, list) and any(isinstance(item, dict) for item in content):
            return [_name_in(item) for item in content]
    if (simple := _simple_items(cell)) is not None:
        return simple
    inside, position = cell[1:-1].strip(), 0
    names: list[str] = []
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
        if word in WORDS_FOR_NOTHING:
            raise ValueError(f"{word} is not a label name; quote it if it is one")
        if re.search(r"\s", word) and all(NUMBER.fullmatch(part) for part in word.split()):
            names += word.split()  # NumPy's numbers
        elif word and delimiter:  # [cat|dog]
            names += word.split(delimiter)
        else:
            names.append(word or _unquote(item["quoted"]))
    return names


def _simple_items(cell: str) -> list[str] | None:
    """Split a list as ``repr`` or JSON write one, if no name needs a closer look."""
    quote = cell[1:2]
    if quote not in ("'", '"') or cell[0] + cell[-2] != "[" + quote or "\\" in cell:
        return None
    names = cell[2:-2].split(f"{quote}, {quote}")
    return names if len(cell) > 3 and cell.count(quote) == 2 * len(names) else None


def _load(cell: str):
    """Read an object as JSON or Python writes it; None if it is neither."""
    try:
        return load_json(cell)
    except DataError as error:
        raise ValueError(str(error)) from None
    except ValueError:
        pass
    try:
        return _literal(cell) if len(cell) < 100_000 else None
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def _keys_or_only_value(content: dict) -> list[str]:
    if all(not isinstance(value, (list, dict)) and value in (0, 1) for value in content.values()):
        return [str(name) for name, value in content.items() if value]
    if len(content) == 1:
        (value,) = content.values()
        if isinstance(value, str):
            return [value]
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return value
        if isinstance(value, dict) and all(there in (0, 1) for there in value.values()):
            return [str(name) for name, there in value.items() if there]
    raise ValueError(
        f"it is a JSON object with the keys {', '.join(map(repr, content))}; take the labels out "
        "of it first (table[column].map(json.loads).str[key])"
    )


def _name_in(item) -> str:
    keys = [key for key in _NAME_KEYS if isinstance(item, dict) and isinstance(item.get(key), str)]
    if len(keys) != 1:
        raise ValueError(
            "expected a flat list of names, or objects with one of the keys "
            f"{', '.join(_NAME_KEYS)}"
        )
    return item[keys[0]]


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
        return _literal(token)


def _literal(text: str):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # an unknown escape is a mistake, not a backslash
        return ast.literal_eval(text)


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
