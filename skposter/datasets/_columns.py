"""What each column of a label table is, decided from names and cells, with the reason.

Everything here looks at cells only. What the cells alone cannot tell is an error that shows the
choice and names the argument that makes it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from string import Formatter
from typing import Any

import numpy as np

from skposter.datasets._cells import (
    Cells,
    as_text,
    bit,
    check_label_values,
    key_of,
    suggest_values,
)
from skposter.datasets._label_lists import DELIMITERS, choose_delimiter, parse_label_lists
from skposter.datasets._tables import is_numbering, looks_like_image
from skposter.exceptions import DataError

NamesImage = Callable[[str], bool]

_ID_WORDS = {"id", "ids", "key", "uid", "uuid", "guid", "name", "code", "imdb", "imdbid", "index"}
_IMAGE_WORDS = {
    *("image", "images", "img", "imgs", "imageid", "imgid", "file", "files", "filename"),
    *("filenames", "filepath", "fname", "path", "paths", "photo", "picture", "poster", "filedir"),
}
_LABEL_WORDS = {
    *("label", "labels", "tag", "tags", "genre", "genres", "class", "classes", "category"),
    *("categories", "target", "targets", "finding", "findings", "diagnosis", "diagnoses"),
    *("attribute", "attributes", "annotation", "annotations", "keyword", "keywords", "choice"),
    *("choices", "topic", "topics"),
}
_BESIDE_LABEL_WORDS = {"name", "names", "id", "ids", "list", "image", "multi", "all", "set"}
_SPLIT_WORDS = {
    *("split", "splits", "fold", "folds", "kfold", "partition", "subset", "usage", "train"),
    *("training", "test", "testing", "val", "valid", "validation", "dev", "holdout"),
}
_VALUE_WORDS = {
    *("confidence", "score", "scores", "prob", "probability", "value", "present", "presence"),
    *("exists", "positive", "verified", "is"),
}
_OTHER_WORDS = {
    *("patient", "subject", "study", "age", "sex", "gender", "view", "position", "follow"),
    *("followup", "width", "height", "size", "bytes", "year", "date", "time", "created"),
    *("updated", "lead", "weight", "quality", "checked", "reviewed", "annotator", "rater"),
    *("reader", "source", "url", "count", "num", "number", "row", "page", "lat", "lon", "up"),
    *("latitude", "longitude", "duplicate", "crowd", "comment", "comments", "note", "notes"),
    *("caption", "description", "title", "group", "site", "spacing", "#"),
}
_SURELY_NO_LABEL_WORDS = {"id", "ids", "index", "annotator", "rater", "reader"}
_METADATA_WORDS = _SPLIT_WORDS | _VALUE_WORDS | _OTHER_WORDS


@dataclass(frozen=True)
class Columns:
    """What each column of a label table is, in the words of `load_image_table`'s arguments.

    Attributes
    ----------
    id_column : str or None
        Whose cells name the images. None if ``image_path`` does without.
    image_path : str, callable or None
        The template or function that names the images, if one was given.
    label_column : tuple of str
        Columns of label lists, or of one label a row.
    label_columns : tuple of str
        Columns that are a label each.
    label_delimiter : str or None
        What separates the labels of a cell; None where no cell has two, or all are written lists.
    label_values : dict or None
        What cells of ``label_columns`` mean, as given; None for 0/1.
    value_column : str or None
        The column that says whether the label of its row is there.
    groups, split : str or None
        As given.
    metadata_columns : tuple of str
        All others.
    form : str
        How the labels are written, in words.
    n_labels : int
        How many there are.
    reasons : dict of str to str
        Why a column that was not named is what it is.
    """

    id_column: str | None = None
    image_path: Any = None
    label_column: tuple[str, ...] = ()
    label_columns: tuple[str, ...] = ()
    label_delimiter: str | None = None
    label_values: Mapping | None = None
    value_column: str | None = None
    groups: str | None = None
    split: str | None = None
    metadata_columns: tuple[str, ...] | None = None
    form: str = ""
    n_labels: int = 0
    reasons: Mapping[str, str] = field(default_factory=dict, compare=False)

    def arguments(self) -> dict[str, Any]:
        """Return what was understood as arguments: reading with them asks and guesses nothing."""
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in ("form", "n_labels", "reasons"):
            del given[name]
        for name in ("label_column", "label_columns", "metadata_columns"):
            given[name] = list(given[name] or ()) or None
        if self.label_column and self.label_delimiter is None:
            given["label_delimiter"] = ""
        return {name: value for name, value in given.items() if value is not None}

    def __str__(self) -> str:
        parts = []
        if self.image_path is not None:
            template = self.image_path if isinstance(self.image_path, str) else "a function"
            parts.append(f"images: {template}")
        if self.id_column is not None:
            parts.append(f"ids: {self.id_column}")
        parts.append(f"labels: {self._labels_in_words()}")
        for name in ("groups", "split"):
            if getattr(self, name) is not None:
                parts.append(f"{name}: {getattr(self, name)}")
        parts.append(f"metadata: {', '.join(self.metadata_columns or ()) or 'none'}")
        return "; ".join(parts)

    def _labels_in_words(self) -> str:
        count = f"{self.n_labels} label{'' if self.n_labels == 1 else 's'}"
        if not self.label_column:
            names = self.label_columns
            shown = ", ".join(names) if len(names) < 4 else f"{names[0]} ... {names[-1]}"
            return f"{shown}, {self.form} ({count})"
        beside = f", beside {len(self.label_columns)} columns of 0/1" if self.label_columns else ""
        value = "" if self.value_column is None else f", if {self.value_column} says so"
        return f"{' and '.join(self.label_column)}, {self.form}{value}{beside} ({count})"


def understand(
    cells: Mapping[str, Cells], asked: Columns, names_image: NamesImage, header: str
) -> Columns:
    """Decide what each column is.

    Parameters
    ----------
    cells : dict of str to Cells
        The columns of the table, in order.
    asked : Columns
        What the caller named.
    names_image : callable
        Says whether a cell is an id of the image folder.
    header : {"read", "said", "none"}
        Where the names of the columns are from; what was read may be a row.

    Returns
    -------
    Columns
        Complete but for ``form`` and ``n_labels``, which reading the labels tells.

    Raises
    ------
    DataError
        A column that was named is not there or has two meanings, or the table alone cannot tell.
    """
    _check_named(cells, asked)
    taken = {*asked.label_column, *asked.label_columns, *(asked.metadata_columns or ())}
    taken |= {name for name in (asked.value_column, asked.split) if name}
    reasons: dict[str, str] = {}
    id_column = asked.id_column
    if id_column is None:
        free = {name: column for name, column in cells.items() if name not in taken}
        if asked.image_path is None:
            id_column, reasons[id_column] = choose_ids(free, names_image)
            if header == "read" and not _is_called_ids(id_column):
                _check_is_no_id(cells[id_column])
        else:
            id_column = _id_beside_template(free, asked.image_path)
    taken |= {id_column or "", asked.groups or ""}
    free = {name: column for name, column in cells.items() if name not in taken}
    if not asked.label_column and not asked.label_columns:
        lists, one_hot, reason = choose_labels(free, asked)
        reasons |= dict.fromkeys((*lists, *one_hot), reason)
        if header == "read" and lists:
            _check_is_no_label(free[lists[0]], asked)
        if header == "none" and one_hot:
            raise DataError(
                "it has no header (its first line names an image), so its columns of 0/1 have no "
                f"names; give one for each of its {len(cells)} columns: "
                "column_names=['image', ...]"
            )
        asked = replace(asked, label_column=lists, label_columns=one_hot)
    named = {id_column, asked.value_column, asked.groups, asked.split}
    named |= {*asked.label_column, *asked.label_columns}
    blank = {n for n, c in cells.items() if n.startswith("Unnamed: ") and not c.filled}
    rest = tuple(name for name in cells if name not in named | blank)
    if not asked.metadata_columns:
        _check_no_value_column(cells, asked, rest)
    return replace(asked, id_column=id_column, metadata_columns=rest, reasons=reasons)


# Ids


def choose_ids(cells: Mapping[str, Cells], names_image: NamesImage) -> tuple[str, str]:
    """Choose the column of ids: the one whose cells name images, or the one called so.

    Returns
    -------
    (name, reason) : tuple of str

    Raises
    ------
    DataError
        Several columns name different images, or none does on its own.
    """
    if not cells:
        raise DataError("no column is left for the ids")
    named: dict[str, list[str]] = {}
    full = set()
    for name, column in cells.items():
        sample = [as_text(cell) for cell in _sample(column.filled)]
        images = [cell for cell in sample if names_image(cell)]
        if images and (not column.is_presence or _is_called_ids(name)):
            named[name] = images
            full |= {name} if len(images) == len(sample) else set()
    numbering = [n for n in named if n.startswith("Unnamed: ") and cells[n].is_number]
    candidates = [name for name in named if name not in numbering]
    called = [name for name in cells if _is_called_images(name)]
    called += [name for name in cells if _is_called_ids(name) and name not in called]
    if not candidates:
        if numbering:
            raise DataError(
                f"only the column without a name, {numbering[0]!r}, names images, and it numbers "
                f"the rows; if it is the ids, say id_column={numbering[0]!r}"
            )
        _check_not_joined(cells, names_image)
        if called:
            return called[0], f"it is called {called[0]!r}, but its cells name no image"
        usable = [name for name in cells if not name.startswith("Unnamed: ")]
        return (usable or [*cells])[0], "it is the first column, but its cells name no image"
    if len(candidates) > 1:
        files = [n for n in candidates if any(looks_like_image(cell) for cell in named[n])]
        candidates = files or candidates
    if len(candidates) > 1:
        calling = [name for name in candidates if _is_called_images(name)]
        ids = [name for name in candidates if _is_called_ids(name)]
        ids = ids if len(ids) == 1 and not is_numbering(cells[ids[0]].text()) else []
        candidates = calling or ids or [n for n in candidates if n in full] or candidates
    if len(candidates) > 1 and all(
        np.array_equal(cells[name].text(), cells[candidates[0]].text()) for name in candidates[1:]
    ):
        candidates = candidates[:1]
    if len(candidates) > 1:
        choice = " or ".join(f"id_column={name!r}" for name in candidates)
        raise DataError(
            f"the columns {short_list(candidates)} all name images; say which holds the ids: "
            f"{choice}"
        )
    (name,) = candidates
    if name not in full and called and name not in called:
        # A label may be called as some image is; a column of ids is right from top to bottom.
        return called[0], f"it is called {called[0]!r}, but its cells name no image"
    return name, "its cells name images"


def _check_is_no_id(column: Cells) -> None:
    """Refuse a name that looks as the ids below it do: the first row was taken for a header."""

    def shape(text: str) -> str:
        return re.sub(r"\d+", "0", re.sub(r"[^\W\d_]+", "a", text))

    if column.name.startswith("Unnamed: "):
        return
    if shape(column.name) in {shape(as_text(cell)) for cell in _sample(column.filled)}:
        raise DataError(
            f"the column called {column.name!r} holds ids such as "
            f"{as_text(column.filled[0])!r}: is its name one of them, and is there no header? Then "
            "name the columns with column_names=['image', 'labels']; else say "
            f"id_column={column.name!r}"
        )


def _sample(values: Sequence, n: int = 50) -> list:
    return list(values[:: max(1, len(values) // n)])


def _check_not_joined(cells: Mapping[str, Cells], names_image: NamesImage) -> None:
    """Recognise ids that have a label at their end: ``ID_1_any``, ``a.jpg_Fish``."""
    for name, column in cells.items():
        sample = [as_text(cell).rpartition("_") for cell in _sample(column.filled)]
        if sample and all(before and names_image(before) for before, _, _ in sample):
            others = [n for n in cells if n != name and cells[n].is_binary]
            value = f", value_column={others[0]!r}" if others else ""
            raise DataError(
                f"column {name!r} joins an image and a label, as in {'_'.join(sample[0][::2])!r}: "
                "one row per image and label. Split it first: table[['image', 'label']] = "
                f"table[{name!r}].str.rsplit('_', n=1, expand=True), and give the DataFrame with "
                f"id_column='image', label_column='label'{value}"
            )


def _id_beside_template(cells: Mapping[str, Cells], image_path) -> str | None:
    if isinstance(image_path, str):
        mentioned = template_fields(image_path)
        unknown = [name for name in mentioned if name not in cells]
        if unknown:
            raise DataError(
                f"image_path={image_path!r} names the column {unknown[0]!r}, which is not there"
                f"{did_you_mean(unknown[0], cells)}"
            )
        if len(mentioned) == 1:
            return mentioned[0]
    called = sorted(filter(_is_called_ids, cells), key=lambda name: not _is_called_images(name))
    return called[0] if called else None


def template_fields(template: str) -> list[str]:
    """Return the columns that a template mentions."""
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise DataError(f"image_path={template!r} is no template: {error}") from None
    mentioned = list(dict.fromkeys(name for _, name, _, _ in parsed if name is not None))
    if not mentioned or "" in mentioned:
        raise DataError(
            f"image_path={template!r} names no column; expected one in braces, such as "
            "'{Id}_green.png'"
        )
    return mentioned


# Labels


def choose_labels(
    cells: Mapping[str, Cells], asked: Columns
) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """Choose the columns of labels.

    Parameters
    ----------
    cells : dict of str to Cells
        The columns that are nothing else.
    asked : Columns
        ``label_values`` and ``label_delimiter`` decide what can be read, ``metadata_columns``
        that other names are above suspicion.

    Returns
    -------
    lists, one_hot : tuple of str
        Columns of lists, and columns that are a label each.
    reason : str

    Raises
    ------
    DataError
        The table alone cannot tell.
    """
    cells = {name: column for name, column in cells.items() if not _is_index(name, column)}
    one_hot = _choose_one_hot(cells, asked)
    lists = _choose_lists({n: c for n, c in cells.items() if n not in one_hot})
    if len(lists) > 1:
        choice = " or ".join(f"label_column={name!r}" for name in lists)
        raise DataError(
            f"{short_list(lists)} may all hold labels; say which: {choice}, or all of them: "
            f"label_column={list(lists)}"
        )
    if not lists and not one_hot:
        rest = list(cells)
        only = rest[0] if len(rest) == 1 else None
        if only is None or (cells[only].is_number and not _is_called_labels(only)):
            scores = [n for n in rest if cells[n].is_number and not cells[n].is_whole]
            hint = (
                f". {short_list(scores)} hold numbers, no 0/1: if they are probabilities, make 0/1 "
                "of them first (table[column] >= 0.5)"
            )
            raise DataError(
                f"cannot tell which column holds the labels among {short_list(rest)}; name it "
                "with label_column (lists, or a label a row) or label_columns (0/1, a column a "
                f"label){hint if scores else ''}"
            )
        return (only,), (), "it is the only column left"
    if not lists:
        _check_no_words(cells, one_hot, asked)
        if asked.label_values is None and not any(cells[name].is_binary for name in one_hot):
            raise DataError(_ask_for_values(cells, one_hot))
        return (), _without_metadata(cells, one_hot, asked), "its cells are 0/1"
    column = cells[lists[0]]
    listed = {name for names in _parse(column, asked) for name in names}
    beside = [name for name in one_hot if name in listed or not _is_surely_no_label(name)]
    misread = [n for n in cells if n in listed and n not in one_hot and n != lists[0]]
    doubtful = [name for name in beside if name not in listed]
    if listed.intersection(one_hot) or misread:  # 0/1 columns of labels; some may never occur
        doubtful = [name for name in doubtful if _is_called_metadata(name)]
    if doubtful and asked.metadata_columns is None:
        raise DataError(
            f"column {lists[0]!r} lists labels, and {short_list(doubtful)} "
            f"{'holds' if len(doubtful) == 1 else 'hold'} 0/1 but "
            f"{'is' if len(doubtful) == 1 else 'are'} not among them: say which are the labels, "
            f"label_column={lists[0]!r} or label_columns={doubtful[:12]}, or which are none, "
            f"metadata_columns={doubtful[:12]}{_or_values(doubtful)}"
        )
    agreeing = tuple(n for n in cells if n in beside or n in misread)
    if not listed.intersection(agreeing):
        agreeing = ()
    return lists, agreeing, "it is called so" if _is_called_labels(lists[0]) else "it holds lists"


def _check_no_words(cells: Mapping[str, Cells], one_hot: Sequence[str], asked: Columns) -> None:
    """Ask about words beside columns of 0/1 that look like labels, or beside a single one."""
    if asked.metadata_columns is not None:
        return
    is_one = len([name for name in one_hot if not _is_surely_no_label(name)]) == 1
    words = [
        name
        for name, column in cells.items()
        if column.filled and not (name in one_hot or column.is_number or _is_called_metadata(name))
    ]
    lists = [n for n in words if any("|" in as_text(cell) for cell in cells[n].filled)]
    if lists or (is_one and words):
        name = (lists or words)[0]
        raise DataError(
            f"{short_list(one_hot)} {'holds' if len(one_hot) == 1 else 'hold'} 0/1 and {name!r} "
            f"words: say which are the labels, label_columns={list(one_hot)[:12]} or "
            f"label_column={name!r}, or what is none, metadata_columns={[name]}"
        )


def _or_values(names: Sequence[str]) -> str:
    values = [name for name in names if _words(name) & _VALUE_WORDS]
    return f", or that the label of the row is there, value_column={values[0]!r}" if values else ""


def _choose_one_hot(cells: Mapping[str, Cells], asked: Columns) -> tuple[str, ...]:
    """Return the columns whose cells say "there" or "not there", in part at least."""
    chosen = []
    values = check_label_values(asked.label_values) or {}
    values = values if 1.0 in values.values() else {}  # else they are about lists
    for name, column in cells.items():
        known = np.zeros(len(column.distinct), dtype=bool)
        if values:
            known[:] = [key_of(as_text(cell)) in values for cell in column.distinct]
        is_clean = bool(column.filled) and (bool(known.all()) or column.is_binary)
        is_said = (
            (column.is_presence or column.is_mostly_binary)
            or bool(known[column.is_filled].all())
            or (known & column.is_filled) @ column.counts * 2 >= column.n_filled > 0
        )
        is_text = _is_called_nothing_but_labels(name) and not (is_clean or column.is_presence)
        if is_clean or (is_said and column.filled and not _is_called_metadata(name)):
            chosen += [] if is_text else [name]
    return tuple(chosen)


def _ask_for_values(cells: Mapping[str, Cells], names: Sequence[str]) -> str:
    distinct = {cell: None for name in names for cell in cells[name].distinct}
    found = ", ".join(repr(as_text(cell)) for cell in list(distinct)[:12])
    return (
        f"the cells of {short_list(names)} are not 0/1 but {found}. Say what they mean, such as "
        f"label_values={suggest_values(distinct)} (1 there, 0 not there, None nobody knows), and "
        "which columns are labels if not all are: label_columns or metadata_columns"
        + "".join(
            f"; or label_column={name!r} if these are the names of labels"
            for name in names
            if _is_called_nothing_but_labels(name)
        )
    )


def _choose_lists(cells: Mapping[str, Cells]) -> tuple[str, ...]:
    """Return the columns that may be of lists; one if its name or its cells leave no doubt."""
    filled = {name: column for name, column in cells.items() if column.filled}
    only = [name for name in filled if _is_called_nothing_but_labels(name)]
    if sure := [name for name in only if not _words(name) & {"id", "ids"}]:
        return tuple(sure)
    others = [name for name in filled if not _is_called_metadata(name)]
    called = only or [name for name in others if _is_called_labels(name)]
    if not called:
        return tuple(name for name in others if filled[name].is_lists)
    # A name like category_id is not enough where there are words beside it.
    return (*called, *(n for n in others if n not in called and not filled[n].is_number))


def _without_metadata(
    cells: Mapping[str, Cells], one_hot: tuple[str, ...], asked: Columns
) -> tuple[str, ...]:
    """Take out what is certainly no label; ask about what may be none."""
    labels = tuple(name for name in one_hot if not _is_surely_no_label(name))
    if asked.metadata_columns is not None:
        return one_hot
    if not labels:
        raise DataError(f"cannot tell whether {short_list(one_hot)} are labels; {_say(one_hot)}")
    doubtful = [name for name in labels if _is_called_metadata(name)]
    doubtful += [
        n
        for n, c in cells.items()
        if not c.filled and n not in labels and not _is_called_metadata(n)
    ]
    called = [name for name in labels if _is_called_nothing_but_labels(name)]
    if called:
        raise DataError(
            f"column {called[0]!r} is called as lists of labels are, and holds 0/1: if these are "
            f"the names of two labels, say label_column={called[0]!r}; if it is one label that is "
            f"there or not, label_columns={list(labels)[:12]}"
        )
    if doubtful:
        sure = [name for name in labels if name not in doubtful]
        raise DataError(
            f"{short_list(doubtful)} may be {'a label' if len(doubtful) == 1 else 'labels'} or say "
            f"something else about the image; say which: metadata_columns={doubtful[:12]} leaves "
            f"{'it' if len(doubtful) == 1 else 'them'} out, and label_columns=["
            f"{short_list(sure) + ', ' if sure else ''}...] names the labels"
        )
    if set(labels) <= {"0", "1"}:
        raise DataError(
            "the columns of 0/1 are called '0' and '1': is there no header? Then name the columns "
            "with column_names=[...]; else name the labels with label_columns"
        )
    return labels


def _is_index(name: str, column: Cells) -> bool:
    """Say whether a column is blank and has no name, or does nothing but count the rows."""
    nameless = name.startswith("Unnamed: ") or name.isdecimal()
    return (nameless and not column.filled) or (
        (nameless or _words(name) <= _ID_WORDS) and is_numbering(column.text())
    )


def _say(names: Sequence[str]) -> str:
    return f"name the labels with label_columns, such as label_columns={list(names)[:12]}"


def _parse(column: Cells, asked: Columns) -> list[tuple[str, ...]]:
    """Read a column as lists, each distinct cell once."""
    delimiter = choose_delimiter(column, asked.label_delimiter)
    return parse_label_lists(column, delimiter, check_label_values(asked.label_values) or ())


def _check_is_no_label(column: Cells, asked: Columns) -> None:
    """Refuse a column that is called as one of its labels: its first row was taken for a header."""
    listed = {name for names in _parse(column, asked) for name in names}
    marks = (None, asked.label_delimiter, *DELIMITERS)
    ways = [column.name.split(mark) if mark else [column.name] for mark in marks]
    if any({piece.strip() for piece in pieces} <= listed for pieces in ways):
        raise DataError(
            f"the column called {column.name!r} also has {column.name!r} among its labels: is "
            "there no header? Then name the columns with column_names=['image', 'labels']"
        )


def _check_no_value_column(
    cells: Mapping[str, Cells], asked: Columns, others: Sequence[str]
) -> None:
    """Ask about a column that may say whether the one label of a row is there."""
    if len(asked.label_column) != 1 or asked.label_columns or asked.value_column:
        return
    if any(len(names) > 1 for names in _parse(cells[asked.label_column[0]], asked)):
        return
    for name in others:
        column = cells[name]
        is_value = _words(name) & _VALUE_WORDS and not _is_flag_of_split(name)
        if not is_value or not (column.is_number or column.is_presence):
            continue
        if {bit(cell) for cell in column.distinct} != {1.0}:
            shown = ", ".join(repr(as_text(cell)) for cell in column.distinct[:4])
            raise DataError(
                f"column {name!r} ({shown}, ...) may say whether the label of its row is there: "
                f"say value_column={name!r}, or metadata_columns={[name]} if it does not"
            )


# Names


def _words(name: str) -> set[str]:
    """Split a name into words, in lower case: ``ImageID`` and ``image_id`` have the same."""
    found = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|#", name)
    return {word.lower() for word in found} or {name}


def _is_called_ids(name: str) -> bool:
    return bool(_words(name) & (_IMAGE_WORDS | _ID_WORDS)) or name.lower() in _ID_WORDS


def _is_called_images(name: str) -> bool:
    return bool(_words(name) & _IMAGE_WORDS)


def _is_called_labels(name: str) -> bool:
    return bool(_words(name) & _LABEL_WORDS)


def _is_called_nothing_but_labels(name: str) -> bool:
    return _is_called_labels(name) and _words(name) <= _LABEL_WORDS | _BESIDE_LABEL_WORDS


def _is_called_metadata(name: str) -> bool:
    """Say whether a name is one that facts about images have; longer names are of labels."""
    words = _words(name)
    about_images = words & (_METADATA_WORDS | {"id"})
    return name.startswith("Unnamed: ") or bool(
        about_images and (len(words) < 3 or words <= about_images)
    )


def _is_surely_no_label(name: str) -> bool:
    """Say whether a name can be of no label: ``is_valid``, ``Patient ID``."""
    return _is_flag_of_split(name) or bool(_words(name) & _SURELY_NO_LABEL_WORDS)


def _is_flag_of_split(name: str) -> bool:
    words = _words(name)
    return "is" in words and bool(words & _SPLIT_WORDS) and len(words) == 2


def _check_named(cells: Mapping[str, Cells], asked: Columns) -> None:
    meanings: dict[str, str] = {}
    for argument in (
        *("id_column", "label_column", "label_columns", "value_column"),
        *("metadata_columns", "groups", "split"),
    ):
        names = getattr(asked, argument) or ()
        for name in (names,) if isinstance(names, str) else names:
            if name not in cells:
                raise DataError(
                    f"{argument}={name!r} is not a column{did_you_mean(name, cells)} The columns "
                    f"are {short_list(cells)}"
                )
            other = meanings.setdefault(name, argument)
            both = {other, argument}
            if other != argument and not both & {"groups"} and "split" not in both:
                raise DataError(f"column {name!r} cannot be both {other} and {argument}")
    if asked.value_column and (len(asked.label_column) != 1 or asked.label_columns):
        raise DataError(
            f"value_column={asked.value_column!r} says whether the label of a row is there, and "
            "needs label_column, one column of labels"
        )


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """End a sentence with the closest of some names, or with a full stop."""
    by_lower = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(str(name).lower(), by_lower, n=1)
    return f", did you mean {by_lower[close[0]]!r}?" if close else "."


def short_list(names: Iterable[str]) -> str:
    """Write at most twelve names."""
    names = [repr(str(name)) for name in names]
    return ", ".join(names[:12]) + (f", and {len(names) - 12} more" if len(names) > 12 else "")
