"""Cells of one column, of whatever type: 0/1 and its many spellings, numbers, text, lists."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from skposter.exceptions import DataError

# A cell is text without space around it, a tuple of the items of a list, or None where there is
# none (NaN, null).
Cell = str | tuple[str | None, ...] | None

_BITS = {"0": 0.0, "1": 1.0, "false": 0.0, "true": 1.0}
# What else says that a label is there or not. What they mean is asked for, never guessed.
_SPELLINGS = {
    **{"-1": 0, "no": 0, "n": 0, "f": 0, "absent": 0, "neg": 0, "negative": 0, "-": 0},
    **{"yes": 1, "y": 1, "t": 1, "present": 1, "pos": 1, "positive": 1, "+": 1},
    **{"x": 1, "\u2713": 1, "\u2714": 1},
}
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_WHOLE = re.compile(r"([-+]?\d+)[.,]0*")  # some write 1,0
CLOSING = {"[": "]", "(": ")", "{": "}"}


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of one column: each distinct one, and which of them stands in each row."""

    name: str
    distinct: tuple[Cell, ...]
    codes: np.ndarray
    parsed: dict = field(default_factory=dict, repr=False)  # lists, by how they were read

    @classmethod
    def of(cls, column: pd.Series, name: str) -> Cells:
        """Take the cells of a column of any type."""
        raw = column.to_numpy(dtype=None if column.dtype.kind in "iub" else object)
        try:
            codes, values = pd.factorize(raw)
        except TypeError:  # lists
            raw = np.fromiter((_as_cell(cell) for cell in raw), dtype=object, count=len(raw))
            codes, values = pd.factorize(raw)
        cells = [_as_cell(value) for value in values]
        if (codes == -1).any():
            codes, cells = np.where(codes == -1, len(cells), codes), [*cells, None]
        # Space around text, or 1 beside 1.0, makes different values the same cell.
        number: dict[Cell, int] = {}
        same = np.array([number.setdefault(cell, len(number)) for cell in cells], dtype=np.intp)
        return cls(name, tuple(number), same[codes])

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def counts(self) -> np.ndarray:
        """How often each distinct cell occurs."""
        return np.bincount(self.codes, minlength=len(self.distinct))

    @cached_property
    def first_rows(self) -> np.ndarray:
        """The first row with each distinct cell."""
        return np.unique(self.codes, return_index=True)[1]

    def text(self) -> list[str]:
        """Return the cells of all rows as text; one that is missing is blank."""
        written = np.array([as_text(cell) for cell in self.distinct], dtype=object)
        return written[self.codes].tolist()

    @cached_property
    def filled(self) -> tuple[Cell, ...]:
        """The distinct cells that are not blank."""
        return tuple(cell for cell in self.distinct if cell not in ("", None))

    @cached_property
    def is_filled(self) -> np.ndarray:
        """Which of the distinct cells are not blank."""
        return np.array([cell not in ("", None) for cell in self.distinct], dtype=bool)

    @cached_property
    def n_filled(self) -> int:
        """How many cells are not blank."""
        return int(self.is_filled @ self.counts)

    @cached_property
    def is_binary(self) -> bool:
        """Whether every cell is 0 or 1."""
        return all(bit(cell) is not None for cell in self.distinct)

    @cached_property
    def is_presence(self) -> bool:
        """Whether the cells that are not blank all say "there" or "not there" in some way."""
        return bool(self.filled) and all(
            bit(cell) is not None or (isinstance(cell, str) and key_of(cell) in _SPELLINGS)
            for cell in self.filled
        )

    @cached_property
    def is_mostly_binary(self) -> bool:
        """Whether at least half of the cells that are not blank are 0 or 1."""
        binary = np.array([bit(cell) is not None for cell in self.distinct])
        return 2 * int(binary @ self.counts) >= self.n_filled > 0

    @cached_property
    def is_number(self) -> bool:
        """Whether the cells that are not blank are all numbers."""
        return bool(self.filled) and all(
            isinstance(cell, str) and NUMBER.fullmatch(cell) for cell in self.filled
        )

    @cached_property
    def is_whole(self) -> bool:
        """Whether the numbers are whole."""
        return all(key_of(as_text(cell)).lstrip("+-").isdecimal() for cell in self.filled)

    @cached_property
    def is_lists(self) -> bool:
        """Whether there are cells that are or hold written lists or objects."""
        return any(isinstance(cell, tuple) or is_bracketed(cell) for cell in self.filled)


def _as_cell(value) -> Cell:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        items = list(value) if not isinstance(value, (set, frozenset)) else sorted(value, key=str)
        if any(isinstance(item, (dict, list, tuple, np.ndarray)) for item in items):
            return _as_json(items)
        return tuple(None if _is_missing(item) else as_text(_as_cell(item)) for item in items)
    if isinstance(value, dict):
        return _as_json(value)
    if _is_missing(value):
        return None
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))  # pandas makes floats of whole numbers beside missing ones
    return str(value).strip()


def _as_json(value) -> str:
    def plain(item):
        return item.tolist() if isinstance(item, (np.ndarray, np.generic)) else str(item)

    return json.dumps(value, default=plain, ensure_ascii=False)


def _is_missing(value) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or value != value


def as_text(cell: Cell) -> str:
    """Return a cell as text."""
    return "" if cell is None else cell if isinstance(cell, str) else repr(list(cell))


def is_bracketed(cell: Cell) -> bool:
    """Say whether a cell holds a written list or object."""
    if not isinstance(cell, str):
        return False
    if cell[:1] == "[":
        return True
    # A plain label may start with a bracket, "(no genres listed)"; a tuple or set holds quotes.
    return cell[:1] in ("(", "{") and cell[1:].lstrip()[:1] in ("'", '"', CLOSING[cell[0]])


def key_of(text: str) -> str:
    """Write equal numbers and words alike: ``1.0`` is ``1``, ``TRUE`` is ``true``."""
    text = text.strip()
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text.casefold()


def bit(cell: Cell) -> float | None:
    """Return 0.0 or 1.0 for a cell that says so on its own, else None.

    Examples
    --------
    >>> [bit(cell) for cell in ("0", "1.0", "TRUE", "2", "", None)]
    [0.0, 1.0, 1.0, None, None, None]
    """
    # A column of text may have a hundred thousand distinct cells.
    return _BITS.get(key_of(cell)) if isinstance(cell, str) and len(cell) < 12 else None


# What cells of 0/1 columns mean


def check_label_values(label_values: Mapping | None) -> dict[str, float] | None:
    """Return a mapping of cells as text to 0.0, 1.0 or NaN.

    Raises
    ------
    DataError
        A value that is neither 0, 1 nor None, or two that differ for the same cell.
    """
    if label_values is None:
        return None
    if not isinstance(label_values, Mapping) or not label_values:
        raise DataError(
            f"label_values={label_values!r}: expected what cells mean, such as "
            '{"1": 1, "-1": 0, "": None}'
        )
    values: dict[str, float] = {}
    for cell, meaning in label_values.items():
        key = key_of(as_text(_as_cell(cell)))
        if _is_missing(meaning):
            value = np.nan
        elif meaning in (0, 1):
            value = float(meaning)
        else:
            raise DataError(
                f"label_values: {cell!r} means {meaning!r}; expected 1 (there), 0 (not there) or "
                "None (nobody knows)"
            )
        if key in values and not np.array_equal(values[key], value, equal_nan=True):
            raise DataError(f"label_values gives {cell!r} two meanings")
        values[key] = value
    return values


def read_bits(cells: Cells, values: Mapping[str, float] | None = None) -> np.ndarray:
    """Read a column of 0/1.

    Parameters
    ----------
    cells : Cells
        The column.
    values : dict of str to float or None, default=None
        What its cells mean, as from `check_label_values`; then nothing else is understood.

    Returns
    -------
    ndarray of float64, shape (n_rows,)
        0, 1, and NaN where `values` says that nobody knows.

    Raises
    ------
    DataError
        There are other cells. The message names the first, all that were found, and a mapping to
        start from.
    """
    meanings = np.full(len(cells.distinct), np.nan)
    unknown = []
    for code, cell in enumerate(cells.distinct):
        value = bit(cell) if values is None else values.get(key_of(as_text(cell)))
        if value is None:
            unknown.append(code)
        else:
            meanings[code] = value
    if unknown:
        raise DataError(_not_understood(cells, unknown, values))
    return meanings[cells.codes]


def _not_understood(cells: Cells, unknown: list[int], values) -> str:
    first = min(unknown, key=cells.first_rows.__getitem__)
    row, n_more = cells.first_rows[first], int(cells.counts[unknown].sum()) - 1
    more = f" (and {n_more} more such cells)" if n_more else ""
    known = "0 or 1" if values is None else f"one of {[*values]}"
    got = as_text(cells.distinct[first])
    said = f"row {row}, column {cells.name!r}: expected {known}, got {got!r}{more}"
    others = [cell for cell in cells.filled if bit(cell) is None]
    if others and all(NUMBER.fullmatch(as_text(cell)) for cell in others) and not cells.is_whole:
        said += (
            "; it holds numbers. If they are probabilities, make 0/1 of them first "
            f"(table[{cells.name!r}] >= 0.5)"
        )
    elif len(cells.distinct) <= 12 and all(len(as_text(cell)) < 40 for cell in cells.distinct):
        found = sorted(
            (int(n), as_text(cell)) for cell, n in zip(cells.distinct, cells.counts, strict=True)
        )[::-1]
        said += "; it holds " + ", ".join(f"{text!r} {n}x" for n, text in found)
        if any(_meaning(key_of(as_text(cell))) is not None for cell in cells.filled):
            said += (
                f". Say what its cells mean, such as label_values={suggest_values(cells.distinct)} "
                "(1 there, 0 not there, None nobody knows)"
            )
    return (
        f"{said}; if it is not a label, name the labels with label_columns, or say so with "
        f"metadata_columns={[cells.name]}"
    )


def _meaning(key: str) -> int | None:
    """Return what a cell usually means, if it is one of those that say whether a label is there."""
    meaning = _BITS.get(key, _SPELLINGS.get(key))
    return None if meaning is None else int(meaning)


def suggest_values(distinct: Iterable[Cell]) -> str:
    """Write a mapping to start from: what cells usually mean."""
    texts = {key_of(as_text(cell)): as_text(cell) for cell in distinct}
    has_zero = any(_meaning(key) == 0 for key in texts if key not in ("", "-1"))
    start: dict[str, int | None] = {}
    for key, text in texts.items():
        unless_zero = None if has_zero else 0
        start[text] = unless_zero if key in ("", "-1") else _meaning(key)
    return json.dumps(dict(sorted(start.items(), key=lambda item: item[1] != 1))).replace(
        "null", "None"
    )


def load_json(text: str):
    """Read JSON; a key that is there twice is an error, not the second one."""

    def once(pairs):
        counts = Counter(key for key, _ in pairs)
        repeated = [key for key, n in counts.items() if n > 1]
        if repeated:
            raise DataError(f"the JSON key {repeated[0]!r} is there {counts[repeated[0]]} times")
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=once)
    except RecursionError:
        raise DataError("the JSON is nested too deeply") from None
