"""A file or a DataFrame -> one table, every cell as it is written.

Text that is separated by something is read by Python's ``csv`` in its strict mode and not by
pandas, which takes as long, but pads short rows, swallows stray quotes, renames repeated columns
and turns ``N/A`` into NaN: four ways to lose a label without a word. JSON is read by ``json``,
which can tell that a key is there twice. pandas reads the rest.
"""

from __future__ import annotations

import csv
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import pandas as pd

from skposter._files.addresses import RemoteError, is_url, local_path, redacted
from skposter._files.remote import Access
from skposter.datasets._cells import bit, load_json
from skposter.datasets._image_folder import IMAGE_EXTENSIONS
from skposter.exceptions import DataError

WHITESPACE = r"\s+"
_SAMPLE = 100
_MAX_BYTES = 1 << 30
_EXCEL = (".xlsx", ".xlsm", ".xls", ".ods")
_PARQUET = (".parquet", ".pq")
# What columns of ids are called; a cell like these is a header even if an image is called so.
_HEADER_WORD = re.compile(r"^\W*(id|image|img|file|path|photo|picture|name|index|key)|id$", re.I)

NamesImage = Callable[[str], bool]


class Table(NamedTuple):
    """A table as read.

    ``frame`` has text for columns; its rows are numbered from 0, without header and blank lines.
    ``header`` says where the names are from: ``"read"``, ``"said"`` by ``column_names``, or
    ``"none"``.
    """

    frame: pd.DataFrame
    name: str
    header: str = "read"
    n_promised: int | None = None


def read_table(
    table,
    names_image: NamesImage,
    *,
    sep: str | None = None,
    encoding: str | None = None,
    column_names: Sequence[str] | None = None,
    storage_options=None,
) -> Table:
    r"""Read a table.

    Parameters
    ----------
    table : DataFrame, str or path-like
        The table itself, or a file of text separated by something, JSON, Parquet or Excel: its
        content says which, and its ending where the content does not.
    names_image : callable
        Says whether a cell is an id of the image folder. A first line with such a cell is no
        header.
    sep : str or None, default=None
        What separates the cells of text, one character, or ``r"\s+"``. None finds it out.
    encoding : str or None, default=None
        Of text. None is UTF-8, or UTF-16 with a byte order mark.
    column_names : sequence of str or None, default=None
        The names of the columns where the file has no header. With fewer names than columns, the
        last column is a list of all cells from there.
    storage_options : dict or None, default=None
        How an address is read.

    Returns
    -------
    Table

    Raises
    ------
    FileNotFoundError
        There is no such file.
    DataError
        It cannot be read as a table of one row an image, with names for the columns.
    """
    if hasattr(table, "to_pandas") and not isinstance(table, pd.DataFrame):
        table = table.to_pandas()  # polars, pyarrow, datasets
    if isinstance(table, pd.DataFrame):
        for argument, value in (("sep", sep), ("encoding", encoding)):
            if value is not None:
                raise DataError(f"{argument} is for files; this table is a DataFrame")
        if column_names is not None:
            raise DataError("column_names is for files; name the columns of the DataFrame itself")
        return _from_frame(table, names_image)
    path = os.fspath(table)
    if is_url(path):
        return _read_elsewhere(path, names_image, sep, encoding, column_names, storage_options)
    if not os.path.exists(path):
        raise FileNotFoundError(f"there is no label table {path!r}")
    if not os.path.isfile(path):
        raise DataError(f"{path!r} is not a file of labels (a folder or a device)")
    try:
        return _read_file(path, names_image, sep, encoding, column_names)
    except DataError as error:
        raise DataError(f"{path!r}: {error}") from None


def _read_elsewhere(url, names_image, sep, encoding, column_names, storage_options) -> Table:
    path, name = local_path(url), redacted(url)
    if path is not None:
        return read_table(path, names_image, sep=sep, encoding=encoding, column_names=column_names)
    failure: Exception
    try:
        content = Access(storage_options).read(url, _MAX_BYTES)
    except RemoteError as error:
        kind = FileNotFoundError if error.kind == "missing" else DataError
        failure = kind(f"the label table {name!r} cannot be read: {error}")
    except ValueError as error:
        failure = DataError(f"the label table {name!r} {error}")
    else:
        with tempfile.TemporaryDirectory() as folder:
            ending = os.path.splitext(re.split("[?#]", url)[0])[1]
            path = os.path.join(folder, "table" + ending)
            with open(path, "wb") as file:
                file.write(content)
            try:
                table = _read_file(path, names_image, sep, encoding, column_names)
            except DataError as error:
                raise DataError(f"{name!r}: {error}") from None
        return table._replace(name=repr(name))
    raise failure


def _read_file(path, names_image, sep, encoding, column_names) -> Table:
    name, ending = repr(path), os.path.splitext(path)[1].lower()
    with open(path, "rb") as file:
        start = file.read(8)
    if ending in _PARQUET or start.startswith(b"PAR1"):
        frame = _with_pandas("Parquet", "pyarrow", lambda: pd.read_parquet(path))
        return _from_frame(frame, names_image)._replace(name=name)
    if ending in _EXCEL or start.startswith(b"PK\x03\x04"):
        rows = [row for row in enumerate(_read_excel(path), 1) if _is_filled(row[1])]
        return _from_rows(rows, names_image, column_names, "row")._replace(name=name)
    text = _decode(path, start, encoding)
    first = text.lstrip()[:1]
    if ending in (".json", ".jsonl", ".ndjson") or (
        first in ("{", "[") and re.match(r'\[?\s*\{\s*["}]', text.lstrip())
    ):
        frame = _parse_json(text, names_image)
        return _from_frame(frame, names_image)._replace(name=name)
    return _parse_text(text, ending, names_image, sep, column_names)._replace(name=name)


def _decode(path: str, start: bytes, encoding: str | None) -> str:
    if encoding is None:
        utf_16 = start.startswith((b"\xff\xfe", b"\xfe\xff"))
        encoding = "utf-16" if utf_16 else "utf-8-sig"
    try:
        with open(path, encoding=encoding, newline="") as file:
            text = file.read()
    except LookupError:
        raise DataError(f"encoding={encoding!r} is not known") from None
    except UnicodeError as error:
        byte = ""
        if isinstance(error, UnicodeDecodeError) and error.start < len(error.object):
            byte = f" (byte 0x{error.object[error.start]:02x})"
        said = "UTF-8" if encoding == "utf-8-sig" else encoding
        raise DataError(
            f"not {said} text{byte}; say which it is, such as encoding='cp1252' for a file that "
            "Excel saved in western Europe, or save it as UTF-8"
        ) from None
    if "\0" in text:
        raise DataError("not a table of text but a binary file (it holds NUL bytes)")
    return text.removeprefix("\ufeff")


def _with_pandas(what: str, package: str, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except ImportError as error:
        raise DataError(
            f"reading {what} needs {package}: pip install 'skposter[tables]' ({_first_line(error)})"
        ) from None
    except MemoryError:
        raise
    except Exception as error:  # each reader has errors of its own
        raise DataError(f"cannot be read as {what}: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _read_excel(path: str) -> list[list[str]]:
    def read():
        return pd.read_excel(
            path, sheet_name=None, header=None, dtype=str, keep_default_na=False, na_filter=False
        )

    sheets = {
        n: sheet for n, sheet in _with_pandas("Excel", "openpyxl", read).items() if len(sheet)
    }
    if len(sheets) > 1:
        raise DataError(
            f"the sheets {', '.join(map(repr, sheets))} all hold something; choose one with "
            f"pandas.read_excel(..., sheet_name={next(iter(sheets))!r}, dtype=str, "
            "keep_default_na=False) and give the DataFrame"
        )
    return [[str(cell) for cell in row] for sheet in sheets.values() for row in sheet.to_numpy()]


# Text that is separated by something


def _parse_text(text: str, ending: str, names_image, sep, column_names) -> Table:
    told = re.match(r"sep=(.)\r?\n", text)  # a line that Excel understands
    if told:
        sep, text = sep or told[1], text[told.end() :]
    text, n_promised = _without_count(text)
    if sep is None:
        sep = _find_separator(text, ending, column_names is not None)
    elif sep != WHITESPACE and len(sep) != 1:
        raise DataError(
            f"sep={sep!r}: expected one character, or {WHITESPACE!r} for whitespace; for anything "
            "else, give the DataFrame that pandas.read_csv returns"
        )
    reader = _reader(text, sep)
    try:
        rows = [(reader.line_num, row) for row in reader if _is_filled(row)]
    except csv.Error as error:
        raise DataError(f"line {reader.line_num}: {error}") from None
    table = _from_rows(rows, names_image, column_names, "line", sep)
    return table._replace(n_promised=n_promised)


def _reader(text: str, sep: str):
    # csv wants lines with their ends: a quoted cell may hold them.
    lines: Iterable[str] = text.splitlines(keepends=True) if sep == WHITESPACE else _lines(text)
    if sep == WHITESPACE:
        lines = (re.sub(r"\s+", " ", line).strip() for line in lines)
    return csv.reader(
        lines, delimiter=" " if sep == WHITESPACE else sep, strict=True, skipinitialspace=True
    )


def _lines(text: str) -> Iterator[str]:
    # Not splitlines, which also splits at a form feed or U+2028.
    return (match[0] for match in re.finditer(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text))


def _is_filled(row: Sequence[str]) -> bool:
    return any(map(str.strip, row))


def _without_count(text: str) -> tuple[str, int | None]:
    """Take off a first line that holds nothing but a number, above a line that holds more."""
    filled = (match for match in re.finditer(r"[^\r\n]+", text) if match[0].strip())
    first, second = next(filled, None), next(filled, None)
    if first is None or second is None or not re.fullmatch(r"\s*\d{1,18}\s*", first[0]):
        return text, None
    if not re.search(r"[,;|\t ]", second[0].strip()):
        return text, None
    return text[first.end() :], int(first[0])


def _find_separator(text: str, ending: str, has_names: bool) -> str:
    """Find what gives each of the first rows as many cells as the header, and at least two."""
    usual = "\t" if ending in (".tsv", ".tab") else ","
    rows = {sep: _first_rows(text, sep) for sep in (usual, *(s for s in ",;\t|" if s != usual))}
    by_words = [line.split() for line in islice(filter(str.strip, _lines(text)), _SAMPLE)]
    if has_names:  # the rows need not be of one length
        rows[WHITESPACE] = by_words
        several = [
            sep for sep in rows if sum(len(row) > 1 for row in rows[sep]) * 2 > len(by_words)
        ]
        return several[0] if several else usual
    fitting = [sep for sep in rows if _is_table(rows[sep])]
    if "\t" in fitting:  # nobody writes tabs into cells
        return "\t"
    if len(fitting) > 1:
        choice = " or ".join(f"sep={sep!r}" for sep in fitting)
        raise DataError(f"its cells can be separated in more than one way; say {choice}")
    if fitting:
        return fitting[0]
    n_names = {sep: len(rows[sep][0]) if rows[sep] else 0 for sep in rows}
    most = max(n_names, key=n_names.__getitem__)
    # Tabs are among the whitespace; other marks in a header are there to separate it.
    if _is_table(by_words) and (most == "\t" or n_names[most] < 2):
        return WHITESPACE
    return most


def _first_rows(text: str, sep: str) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in islice(filter(_is_filled, _reader(text, sep)), _SAMPLE):
            rows.append(row)
    except csv.Error:
        pass  # told by whoever reads the whole
    return rows


def _is_table(rows: list[list[str]]) -> bool:
    if not rows or len(rows[0]) < 2:
        return False
    n = len(rows[0])
    excess = [len(row) - n if _is_filled(row[n:]) or len(row) < n else 0 for row in rows[1:]]
    return not any(excess) or set(excess) == {1}


# Rows of text, from a file of text or from a sheet


def _from_rows(
    rows: list[tuple[int, list[str]]], names_image, column_names, unit: str, sep: str = ","
) -> Table:
    """Find the header of rows that come with their lines in the file, and check their lengths."""
    if not rows:
        raise DataError("the file is empty; expected a header with an id column and labels")
    cells = [row for _, row in rows]
    header = [name.strip() for name in cells[0]]
    if column_names is not None:
        return _from_named_rows(cells, [str(name) for name in column_names])
    if len(header) == 1:
        raise DataError(_one_column(header[0], names_image))
    if _check_is_header(cells, names_image):
        rows = rows[1:]
    else:
        header = [str(number) for number in range(len(header))]
    if not rows:
        raise DataError("it has a header but no rows")
    has_header = cells[0] is not rows[0][1]
    header = _with_row_names(header, [row for _, row in rows], names_image)
    n, complete = len(header), []
    for number, (line, row) in enumerate(rows):
        if len(row) > n and not _is_filled(row[n:]):
            row = row[:n]
        if len(row) == n:
            complete.append(row)
        elif not has_header:
            lengths = sorted({len(row) for _, row in rows})
            raise DataError(
                "its first line names an image, so it has no header, and its rows have "
                f"{lengths[0]} to {lengths[-1]} cells; column_names=['image', 'labels'] takes "
                "the cells from the second on for labels"
            )
        else:
            quotes = "; a cell that holds commas needs double quotes around it"
            nameless = ", or a column has no name in the header"
            raise DataError(
                f"row {number} ({unit} {line}) has {len(row)} cells, the header has {n}"
                + (quotes if sep == "," else "")
                + (nameless if all(len(row) == n + 1 for _, row in rows) else "")
            )
    frame = pd.DataFrame(complete, columns=_checked_names(header), dtype=object)
    return Table(frame, "", "read" if has_header else "none")


def _from_named_rows(rows: list[list[str]], names: list[str]) -> Table:
    _checked_names(names)
    n = len(names)
    if [name.strip() for name in rows[0]] == names:
        rows = rows[1:]
    widest = max(map(len, rows), default=0)
    if n < 2 or widest < n:
        raise DataError(f"got {n} column_names, its rows have up to {widest} cells")
    if widest == n:
        short = next((number for number, row in enumerate(rows) if len(row) < n), None)
        if short is not None:
            raise DataError(f"row {short} has {len(rows[short])} cells for {n} column_names")
        return Table(pd.DataFrame(rows, columns=names, dtype=object), "", "said")
    frame = pd.DataFrame({name: [r[i] for r in rows] for i, name in enumerate(names[:-1])})
    rest = [tuple(cell.strip() for cell in row[n - 1 :] if cell.strip()) for row in rows]
    frame[names[-1]] = pd.Series(rest, dtype=object)
    return Table(frame.astype(object), "", "said")


def _one_column(header: str, names_image) -> str:
    first = re.split(r"[\s,;|]", header)[0]
    if looks_like_image(first) or (first != header and names_image(first)):
        return (
            f"it has no header (its first line, {header[:60]!r}, names an image); name its "
            "columns, such as column_names=['image', 'labels'], and what separates them, such as "
            f"sep={WHITESPACE!r}"
        )
    return (
        f"the header has one column, {header[:60]!r}; expected an id column and labels, separated "
        f"by commas, or by what sep= says ({WHITESPACE!r} for whitespace)"
    )


def _check_is_header(rows: list[list[str]], names_image) -> bool:
    first, others = rows[0], rows[1:20]
    images = [column for column, cell in enumerate(first) if looks_like_image(cell)]
    if images:
        below = [row[column].strip() for row in others for column in images if column < len(row)]
        named = [looks_like_image(c) or (bit(c) is None and names_image(c)) for c in below]
        if below and not any(named):
            raise DataError(
                f"its columns are called {first[images[0]]!r}, ... as images are: it has a column "
                "an image, and needs a row an image. Give the DataFrame transposed"
            )
        return False
    words = [cell for cell in first if _HEADER_WORD.search(cell.strip())]
    if not words and names_image(first[0].strip()):
        named = [row[0].strip() for row in others if row]
        if any(names_image(cell) for cell in named):
            raise DataError(
                f"its first line begins with {first[0]!r}, which is an image too. If it has no "
                "header, name its columns: column_names=['image', 'labels']; if this is the "
                f"header, say so: column_names={[name.strip() for name in first]!r}"
            )
    return True


def _with_row_names(header: list[str], rows: list[list[str]], names_image) -> list[str]:
    """Name the first column where each row has one cell more than the header has names."""
    n = len(header)
    if not all(len(row) == n + 1 and row[n].strip() for row in rows):
        return header
    first, second = ([row[column].strip() for row in rows] for column in (0, 1))
    sample = range(0, len(rows), max(1, len(rows) // 20))
    images = [all(names_image(column[row]) for row in sample) for column in (first, second)]
    # Cells of 1 and 0 may be names of images too (1.jpg); a column that repeats them holds no ids.
    second_are_ids = images[1] and len(set(second)) == len(second)
    if images[0] and not second_are_ids and not _HEADER_WORD.search(header[0]):
        return ["", *header]
    if is_numbering(first) and _HEADER_WORD.search(header[0]):
        return ["", *header]
    return header


def is_numbering(cells: Sequence[str]) -> bool:
    """Say whether cells count the rows, from 0 or 1."""
    start = cells[0] if cells else ""
    return start in ("0", "1") and all(
        cell == str(number) for number, cell in enumerate(cells, int(start))
    )


def _checked_names(names: list[str]) -> list[str]:
    repeated = next((name for name in names if name and names.count(name) > 1), None)
    if repeated is not None:
        raise DataError(
            f"the column name {repeated!r} appears {names.count(repeated)} times; if this is no "
            "header, name the columns with column_names=[...]"
        )
    given = set(names)
    return [name or _unused(f"Unnamed: {number}", given) for number, name in enumerate(names)]


def _unused(name: str, given: set[str]) -> str:
    while name in given:
        name += "'"
    return name


def looks_like_image(cell: str) -> bool:
    return os.path.splitext(cell.strip())[1].lower() in IMAGE_EXTENSIONS


# JSON, and DataFrames


def _parse_json(text: str, names_image) -> pd.DataFrame:
    """Read records, one a line or in a list, or an object of ids and what belongs to them."""
    try:
        content = load_json(text)
    except DataError:
        raise
    except ValueError as error:
        records = []
        for number, line in enumerate(_lines(text), 1):
            if not line.strip():
                continue
            try:
                records.append(load_json(line))
            except DataError:
                raise
            except ValueError as in_line:
                said = error if not records else f"line {number}: {in_line}"
                raise DataError(f"cannot be read as JSON: {said}") from None
        content = records
    if isinstance(content, dict) and {"images", "annotations"} <= set(content):
        raise DataError("it is JSON in the layout of COCO; read it with load_coco")
    if isinstance(content, dict) and all(
        looks_like_image(key) or names_image(key) for key in content
    ):
        if all(isinstance(value, dict) for value in content.values()):
            content = [{"image": key, **value} for key, value in content.items()]
        else:
            content = [{"image": key, "labels": value} for key, value in content.items()]
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list) or not all(isinstance(record, dict) for record in content):
        raise DataError(
            "it is JSON, but neither records (an object an image, in a list or one a line) nor an "
            'object of ids and labels ({"a.jpg": ["cat", "dog"]})'
        )
    if not content:
        raise DataError("it is JSON without a record")
    return pd.DataFrame(content, dtype=object)


def _from_frame(frame: pd.DataFrame, names_image) -> Table:
    if frame.columns.nlevels > 1:
        raise DataError("the DataFrame has several levels of column names; expected one")
    index = frame.index
    is_of_text = index.inferred_type in ("string", "mixed")
    if index.nlevels == 1 and index.name in frame.columns:
        frame = frame.reset_index(drop=True)  # set_index(..., drop=False)
    elif index.nlevels > 1 or index.name is not None or is_of_text:
        frame = frame.reset_index()  # ids are often the index
    else:
        frame = frame.reset_index(drop=True)
    header = "none" if isinstance(frame.columns, pd.RangeIndex) else "read"
    names = [str(name).strip() for name in frame.columns]
    images = [name for name in names if looks_like_image(name)]
    if images:
        raise DataError(
            f"a column is called {images[0]!r}, as an image is: a file without a header is read "
            "with header=None, and a table with a column an image needs to be transposed"
        )
    frame.columns = pd.Index(_checked_names(names))
    if frame.empty:
        raise DataError("the table has no rows")
    return Table(frame, "the DataFrame", header)
