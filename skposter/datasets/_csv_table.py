"""One CSV file -> a table of text, or one clear error."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator

import pandas as pd

from skposter.exceptions import DataError


def read_table(csv_path) -> pd.DataFrame:
    """Read a CSV of UTF-8 text, every cell as it is written.

    pandas' own reader is not used because it renames repeated headers, turns ``N/A`` into NaN,
    and pads short rows: three ways to lose a label without a word.

    Parameters
    ----------
    csv_path : str or path-like
        The file.

    Returns
    -------
    DataFrame of str, shape (n_rows, n_columns)
        Numbered from 0; blank lines and the header are not counted.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    DataError
        It is not a CSV: not text, no rows, a repeated column name, rows of different lengths.
    """
    path = os.fspath(csv_path)
    if not os.path.exists(path):
        raise FileNotFoundError(f"there is no CSV file {path!r}")
    if not os.path.isfile(path):
        raise DataError(f"{path!r} is not a CSV file (a folder or a device)")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(_text_lines(file), strict=True, skipinitialspace=True)
            try:
                header = next(_filled(reader), [])
                _check_header(header)
                rows = list(_checked_rows(reader, len(header)))
            except csv.Error as error:
                raise DataError(f"line {reader.line_num}: {error}") from None
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise DataError(
            f"{path!r} is not UTF-8 text (byte 0x{byte:02x}); save it as a CSV in UTF-8"
        ) from None
    except DataError as error:
        raise DataError(f"{path!r}: {error}") from None
    if not rows:
        raise DataError(f"{path!r} has a header but no rows")
    return pd.DataFrame(rows, columns=[name.strip() for name in header], dtype=str)


def _text_lines(file: Iterable[str]) -> Iterator[str]:
    for line in file:
        if "\0" in line:
            raise DataError("not a CSV but a binary file (it holds NUL bytes)")
        yield line


def _filled(rows: Iterable[list[str]]) -> Iterator[list[str]]:
    return (row for row in rows if any(cell.strip() for cell in row))


def _check_header(header: list[str]) -> None:
    if not header:
        raise DataError("the file is empty; expected a header with an id column and labels")
    names = [name.strip() for name in header]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"the column name {repeated[0]!r} appears {names.count(repeated[0])} times")
    if len(names) == 1:
        separator = next((s for s in (";", "\t", "|") if s in names[0]), None)
        hint = f"; it looks separated by {separator!r}" if separator else ""
        raise DataError(
            f"the header has one column, {names[0][:60]!r}; "
            f"expected an id column and labels, separated by commas{hint}"
        )


def _checked_rows(reader, n_columns: int) -> Iterator[list[str]]:
    for number, row in enumerate(_filled(reader)):
        if len(row) != n_columns:
            raise DataError(
                f"row {number} (line {reader.line_num}) has {len(row)} cells, the header has "
                f"{n_columns}; a cell that holds commas needs double quotes around it"
            )
        yield row
