"""A table of labels and a folder of images -> paths, labels, and what was understood of them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from string import Formatter
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pandas as pd
from sklearn.model_selection import PredefinedSplit
from sklearn.utils import Bunch

from skposter.datasets._cells import Cells, key_of
from skposter.datasets._columns import Columns, understand
from skposter.datasets._folder_elsewhere import image_folder
from skposter.datasets._image_folder import Found, ImageFolder
from skposter.datasets._labels import read_labels
from skposter.datasets._problems import (
    Problem,
    advice,
    problem_frame,
    raise_problems,
    row_problems,
    table_problems,
)
from skposter.datasets._tables import Table, read_table
from skposter.exceptions import DataError

if TYPE_CHECKING:
    from typing import Literal, Unpack

    from numpy.typing import NDArray

    from skposter._typing import PathLike
    from skposter.datasets._typing import CSVOptions, PathsAndLabels, TableOptions

_TRAIN_NAMES = ("train", "training", "trn", "trainset", "tr")
_VALIDATION_NAMES = ("val", "valid", "validation", "dev", "valset")


class LabelledImages(Bunch):
    """What the readers of this package return: a Bunch that prints what was understood.

    Its fields are described where they are made, in `load_image_table`.
    """

    paths: NDArray[np.str_]
    y: pd.DataFrame
    label_names: list[Any]
    ids: NDArray[np.str_]
    groups: NDArray[Any] | None
    split: dict[Any, NDArray[np.intp]] | None
    cv: Any
    columns: Columns
    frame: pd.DataFrame
    problems: pd.DataFrame

    def __repr__(self):
        n, n_labels = len(self.paths), len(self.label_names)
        lines = [
            f"{n} image{'' if n == 1 else 's'}, {n_labels} label{'' if n_labels == 1 else 's'}"
        ]
        lines.append(str(self.columns))
        counts = self.problems["kind"].value_counts(sort=False)
        said = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        lines += [f"problems: {said or 'none'}", f"fields: {', '.join(self)}"]
        return "\n".join(lines)


@overload
def load_image_table(
    table: pd.DataFrame | PathLike,
    image_dir: PathLike,
    *,
    return_X_y: Literal[True],
    **options: Unpack[TableOptions],
) -> PathsAndLabels: ...


@overload
def load_image_table(
    table: pd.DataFrame | PathLike,
    image_dir: PathLike,
    *,
    return_X_y: Literal[False] = False,
    **options: Unpack[TableOptions],
) -> LabelledImages: ...


def load_image_table(
    table: pd.DataFrame | PathLike,
    image_dir: PathLike,
    *,
    id_column: str | None = None,
    image_path: str | Callable[[Any], Any] | None = None,
    label_column: str | Sequence[str] | None = None,
    label_columns: Sequence[str] | None = None,
    label_delimiter: str | None = None,
    label_values: Mapping[Any, Any] | None = None,
    label_names: Sequence[Any] | Mapping[Any, Any] | None = None,
    value_column: str | None = None,
    metadata_columns: Sequence[str] | None = None,
    groups: str | None = None,
    split: str | None = None,
    on_missing: Literal["raise", "drop"] = "raise",
    on_duplicate: Literal["drop", "keep", "union"] = "drop",
    sep: str | None = None,
    encoding: str | None = None,
    column_names: Sequence[str] | None = None,
    storage_options: Mapping[str, Any] | None = None,
    return_X_y: bool = False,
) -> LabelledImages | PathsAndLabels:
    r"""Load image paths and their labels from any table of labels and a folder.

    What the table is (``data.columns``) is found out from its names, its cells and the folder,
    and is told. What they alone cannot tell is an error that shows the choice and names the
    argument that makes it. Only the folder is listed here; no image is opened.

    Parameters
    ----------
    table : DataFrame, str or path-like
        The table, or a file: text with separated cells (``.csv``, ``.tsv``, ``.txt``), JSON
        (``.json``, ``.jsonl``), Parquet or Excel (``pip install "skposter[tables]"``). A file may
        also be an address (``s3://bucket/labels.csv``).
    image_dir : str or path-like
        The folder of the images. An id names the file ``image_dir/<id>``, with its extension
        (``.jpg``, ``.jpeg``, ``.png``, ``.webp``, ``.gif``, ``.bmp``, ``.tif``, ``.tiff``, in any
        case) or without. Ids may name subfolders, begin with the name of `image_dir` itself, be
        absolute, or be written with ``\``; none leads outside `image_dir`. A folder elsewhere is an
        address (``s3://bucket/posters``), and ids may be addresses below it. What is below a web
        address cannot be listed: there ids need their extension, images that are missing are found
        when they are read, and ``"https://"`` is above every ``https`` address.
    id_column : str or None, default=None
        The column of ids. None takes the one whose cells name images.
    image_path : str, callable or None, default=None
        What names the image instead: a template over columns (``"{Id}_green.png"``,
        ``"{number:06d}.jpg"``), or a function of the row, a Series of str.
    label_column : str, list of str or None, default=None
        The column of labels: a list in each cell, or one label a row. Several columns are taken
        together.
    label_columns : list of str or None, default=None
        The columns that are a label each, of 0/1 or what `label_values` says. With `label_column`
        too, both must say the same. With neither, they are found.
    label_delimiter : str or None, default=None
        What separates the labels of a cell; ``""`` if each cell is one label. None finds it out:
        ``|``, ``;`` or ``,``. Written lists, ``['a', 'b']``, need none.
    label_values : dict or None, default=None
        What cells of 0/1 columns mean: 1 (there), 0 (not there) or None (nobody knows), such as
        ``{"1": 1, "-1": 0, "": None}``. Other cells are an error then. For lists, the words that
        are no label, such as ``{"No Finding": 0}``.
    label_names : list of str, dict or None, default=None
        The labels in the order of `y`, needed for multi-hot vectors in a cell; or a dict from what
        is written, such as label numbers, to names.
    value_column : str or None, default=None
        In a table of one row per image and label, the column that says whether the label is there.
        What no row speaks of is unknown then.
    metadata_columns : list of str or None, default=None
        Columns that are no labels, whatever they look like. ``[]`` if all that look so are.
    groups : str or None, default=None
        The column of what belongs together (patient, film), returned for splitters.
    split : str or None, default=None
        The column with the table's own split, returned as indices.
    on_missing : {"raise", "drop"}, default="raise"
        What to do with rows that have no image.
    on_duplicate : {"drop", "keep", "union"}, default="drop"
        What to do with a row that repeats an image. "drop" leaves it out if its labels are the
        same, and is an error if not. "union" takes the labels of all rows of an image, as in a
        table of one row per image and label. Rows kept would put the same image into training and
        test data.
    sep, encoding : str or None, default=None
        Of text. None finds the separator out, and takes UTF-8.
    column_names : list of str or None, default=None
        The names of the columns of a file without a header. With fewer names than columns, the
        last column takes the rest as a list.
    storage_options : dict or None, default=None
        How addresses are read, as of :class:`~skposter.ImageLoader`.
    return_X_y : bool, default=False
        Return ``(paths, y)`` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        paths : ndarray of str, shape (n_samples,)
            Files, each below `image_dir` as it was given.
        y : DataFrame of int64, shape (n_samples, n_labels)
            0/1, one column a label: in the order of the table, or sorted if there are only lists.
            float64 with NaN where nobody knows. Its index holds the (first) rows of `frame`, so
            ``frame.loc[y.index]`` are the rows loaded.
        label_names : list of str, length n_labels
            The columns of `y`.
        ids : ndarray of str, shape (n_samples,)
            The id of each row, without surrounding space.
        groups : ndarray of str, shape (n_samples,), or None
            The cells of the column `groups`.
        split : dict of str to ndarray of int, or None
            The rows of `paths` in each subset of the column `split`. Columns called ``is_valid``
            or so give ``"train"`` and ``"valid"``.
        cv : PredefinedSplit, list or None
            The same for ``cv=``: fold by fold where `split` holds numbers, else training on one
            subset and scoring on the other.
        columns : Columns
            What was understood. ``str(data.columns)`` is one line,
            ``data.columns.arguments()`` the arguments that would say the same.
        frame : DataFrame of shape (n_rows, n_columns)
            The whole table as read.
        problems : DataFrame of shape (n_problems, 4)
            What is odd. Columns: ``row`` (Int64, the row of `frame`, counted from 0 without the
            header; missing if it is not about a row), ``id`` (the id, or the file or label it is
            about), ``kind`` and ``detail``. Kinds: ``duplicate_row``, ``conflicting_labels``,
            ``missing_image``, ``row_without_labels``, ``image_without_row``, ``empty_label``,
            ``labels_differ_in_case``, ``names_differ_in_case``, ``row_count``,
            ``group_in_several_subsets``.
    (paths, y) : tuple
        If ``return_X_y=True``.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        `table` or `image_dir` does not exist, or the latter is no folder.
    DataError
        The table cannot be read, cannot be understood without being told more, or is
        contradictory; also a ValueError. The message names the file, and the rows, columns and
        arguments concerned.

    See Also
    --------
    load_image_csv : The same for CSV files.
    load_image_folders : Folders that name the labels.
    load_coco, load_voc : Annotations of objects as labels of images.
    write_image_csv : Write such a table.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from skposter.datasets import load_image_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "t0.jpg").touch(), Path(folder, "t1.jpg").touch()
    ...     table = pd.DataFrame({"image_name": ["t0", "t1"], "tags": ["haze primary", "haze"]})
    ...     data = load_image_table(table, folder, label_delimiter=" ")
    >>> print(data.columns)
    ids: image_name; labels: tags, separated by spaces (2 labels); metadata: none
    >>> data.y
       haze  primary
    0     1        1
    1     1        0
    """
    _check_option("on_missing", on_missing, ("raise", "drop"))
    _check_option("on_duplicate", on_duplicate, ("drop", "keep", "union"))
    asked = Columns(
        id_column=id_column,
        image_path=image_path,
        label_column=_as_names("label_column", label_column) or (),
        label_columns=_as_names("label_columns", label_columns) or (),
        label_delimiter=label_delimiter,
        label_values=label_values,
        value_column=value_column,
        groups=groups,
        split=split,
        metadata_columns=_as_names("metadata_columns", metadata_columns, may_be_empty=True),
    )
    folder = image_folder(image_dir, storage_options)
    read = read_table(
        table,
        folder.names_image,
        sep=sep,
        encoding=encoding,
        column_names=column_names,
        storage_options=storage_options,
    )
    try:
        data = _load(read, folder, asked, label_names, on_missing, on_duplicate)
    except DataError as error:
        raise DataError(f"{read.name}: {error}") from None
    return (data.paths, data.y) if return_X_y else data


@overload
def load_image_csv(
    csv_path: PathLike,
    image_dir: PathLike,
    *,
    return_X_y: Literal[True],
    **options: Unpack[CSVOptions],
) -> PathsAndLabels: ...


@overload
def load_image_csv(
    csv_path: PathLike,
    image_dir: PathLike,
    *,
    return_X_y: Literal[False] = False,
    **options: Unpack[CSVOptions],
) -> LabelledImages: ...


def load_image_csv(
    csv_path: PathLike,
    image_dir: PathLike,
    *,
    id_column: str | None = None,
    label_column: str | Sequence[str] | None = None,
    label_columns: Sequence[str] | None = None,
    label_delimiter: str | None = None,
    label_values: Mapping[Any, Any] | None = None,
    on_missing: Literal["raise", "drop"] = "raise",
    on_duplicate: Literal["drop", "keep", "union"] = "drop",
    storage_options: Mapping[str, Any] | None = None,
    return_X_y: bool = False,
) -> LabelledImages | PathsAndLabels:
    r"""Load image paths and their labels from a CSV and a folder.

    `load_image_table` with the arguments that a CSV of one row an image needs: an id, and its
    labels as a list (``['Action', 'Drama']``, ``Action|Drama``, ``Action, Drama``), as one column
    of 0/1 a label, or as both, which must then agree.

    Parameters
    ----------
    csv_path : str or path-like
        A CSV with a header.
    image_dir : str or path-like
        The folder of the images.
    id_column, label_column, label_columns, label_delimiter, label_values : default=None
        As in `load_image_table`.
    on_missing : {"raise", "drop"}, default="raise"
        What to do with rows that have no image.
    on_duplicate : {"drop", "keep", "union"}, default="drop"
        What to do with a row that repeats an image.
    storage_options : dict or None, default=None
        How addresses are read.
    return_X_y : bool, default=False
        Return ``(paths, y)`` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        As from `load_image_table`.
    (paths, y) : tuple
        If ``return_X_y=True``.

    Raises
    ------
    FileNotFoundError, NotADirectoryError, DataError
        As from `load_image_table`.

    See Also
    --------
    load_image_table : Every other table, and what the fields are.
    write_image_csv : Write such a CSV.
    make_posters : Draw a data set to try things on.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skposter.datasets import load_image_csv
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "tt1.jpg").touch(), Path(folder, "tt2.PNG").touch()
    ...     _ = Path(folder, "posters.csv").write_text("Id,Genre\ntt1,Drama|War\ntt2,N/A\n")
    ...     data = load_image_csv(Path(folder, "posters.csv"), folder)
    >>> data.y
       Drama  N/A  War
    0      1    0    1
    1      0    1    0
    >>> data.problems.empty
    True
    """
    if isinstance(csv_path, pd.DataFrame):
        raise TypeError("csv_path: expected a file, got a DataFrame; that is for load_image_table")
    data = load_image_table(
        csv_path,
        image_dir,
        id_column=id_column,
        label_column=label_column,
        label_columns=label_columns,
        label_delimiter=label_delimiter,
        label_values=label_values,
        on_missing=on_missing,
        on_duplicate=on_duplicate,
        storage_options=storage_options,
    )
    return (data.paths, data.y) if return_X_y else data


def _load(
    table: Table, folder: ImageFolder, asked: Columns, label_names, on_missing, on_duplicate
) -> LabelledImages:
    cells = {str(name): Cells.of(table.frame[name], str(name)) for name in table.frame}
    columns = understand(cells, asked, folder.names_image, table.header)
    ids, found = find_images(cells, columns, folder)
    is_united = on_duplicate == "union" or columns.value_column is not None
    image_of = _number_images(ids, found) if is_united else np.arange(len(ids))
    rows = np.unique(image_of, return_index=True)[1]
    y, columns = read_labels(
        cells, columns, label_names, image_of, ids, may_contradict=on_duplicate == "union"
    )
    y.index = pd.Index(rows)
    ids_of, found_of = [ids[row] for row in rows], [found[row] for row in rows]
    problems = row_problems(ids_of, found_of, y)
    missing = [p.id for p in problems if p.kind in ("missing_image", "outside_image_dir")]
    where = f"{folder.path!r} (ids from {_source_of_ids(columns)})"
    if missing and not folder.image_names() and not folder.folder_names():
        where += ", which holds no image files"
    try:
        raise_problems(problems, len(rows), where, on_missing=on_missing, on_duplicate=on_duplicate)
    except DataError as error:
        hint = advice(missing, folder, columns.id_column) if missing else ""
        raise DataError(f"{error}{hint}") from None
    return make_bunch(
        folder,
        y,
        ids_of,
        found_of,
        columns,
        table.frame,
        [*_count_problem(table), *problems],
        is_dropping=on_duplicate == "drop",
        groups=_of_images(cells, columns.groups, image_of, "groups"),
        split=_of_images(cells, columns.split, image_of, "split"),
    )


def make_bunch(
    folder: ImageFolder,
    y: pd.DataFrame,
    ids: Sequence[str],
    found: Sequence[Found],
    columns: Columns,
    frame: pd.DataFrame,
    problems: Sequence[Problem],
    *,
    is_dropping: bool = False,
    groups: Sequence[str] | None = None,
    split: Sequence[str] | None = None,
    also_used: Sequence[str] = (),
) -> LabelledImages:
    """Put together what readers return: the images that are there, and what goes with them.

    Parameters
    ----------
    folder : ImageFolder
        Where the images are.
    y : DataFrame of 0, 1 and NaN, shape (n_rows, n_labels)
        Its index numbers rows of `frame`.
    ids, found : sequence, length n_rows
        The ids, and what became of them.
    columns : Columns
        What was understood.
    frame : DataFrame
        The whole table.
    problems : sequence of Problem
        Those of the table and its rows.
    is_dropping : bool, default=False
        Leave repeated rows out.
    groups, split : sequence of str or None, length n_rows
        As written.
    also_used : sequence of str, default=()
        Files that are no image of their own, and are not left without a row either.

    Returns
    -------
    LabelledImages
    """
    dropped = {p.row for p in problems if p.kind == "duplicate_row" and is_dropping}
    kept = [
        number
        for number, (row, image) in enumerate(zip(y.index, found, strict=True))
        if image.name is not None and row not in dropped
    ]
    y = y.iloc[kept]
    if not y.isna().to_numpy().any():
        y = y.astype(np.int64)
    names = [found[number].name or "" for number in kept]
    used = {*also_used, *(image.name for image in found if image.name is not None)}
    folders = {"", *(name.rpartition("/")[0] for name in used)}
    unused = folder.image_names(folders, used)
    problems = [*problems, *table_problems(y, names, unused, folder.path)]
    groups_of = None if groups is None else np.array([groups[n] for n in kept], dtype=str)
    subsets, cv = None, None
    if split is not None:
        subsets, cv = read_split(columns.split or "", [split[number] for number in kept])
        if groups_of is not None:
            problems += _straddling(groups_of, subsets)
    return LabelledImages(
        paths=np.array(folder.paths_of(names), dtype=str),
        y=y,
        label_names=list(y.columns),
        ids=np.array([ids[number] for number in kept], dtype=str),
        groups=groups_of,
        split=subsets,
        cv=cv,
        columns=columns,
        frame=frame,
        problems=problem_frame(problems, y.index),
    )


# Images


def find_images(
    cells: Mapping[str, Cells], columns: Columns, folder: ImageFolder
) -> tuple[list[str], list[Found]]:
    """Return the id of each row, and what became of it."""
    n_rows = len(next(iter(cells.values())))
    if columns.image_path is None:
        assert columns.id_column is not None
        names = cells[columns.id_column].text()
    elif isinstance(columns.image_path, str):
        names = _fill_template(columns.image_path, cells, n_rows)
    elif callable(columns.image_path):
        names = _call_on_rows(columns.image_path, cells)
    else:
        raise TypeError(
            f"image_path={columns.image_path!r}: expected a template such as '{{Id}}.png', or a "
            "function of the row"
        )
    found = {name: folder.find(name) for name in dict.fromkeys(names)}
    ids = names if columns.id_column is None else cells[columns.id_column].text()
    return ids, [found[name] for name in names]


def _fill_template(template: str, cells: Mapping[str, Cells], n_rows: int) -> list[str]:
    filled = [""] * n_rows
    for literal, column, spec, _ in Formatter().parse(template):
        pieces = [literal] * n_rows
        if column is not None:
            values = cells[column].text()
            if spec and spec[-1] in "dxX":
                wrong = next((row for row, v in enumerate(values) if not v.isdecimal()), None)
                if wrong is not None:
                    raise DataError(
                        f"image_path={template!r}: row {wrong}, column {column!r} has "
                        f"{values[wrong]!r}, no whole number"
                    )
                pieces = [literal + format(int(value), spec) for value in values]
            else:
                pieces = [literal + format(value, spec or "") for value in values]
        filled = [before + piece for before, piece in zip(filled, pieces, strict=True)]
    return filled


def _call_on_rows(function: Callable[[pd.Series], Any], cells: Mapping[str, Cells]) -> list[str]:
    rows = pd.DataFrame({name: column.text() for name, column in cells.items()}, dtype=object)
    names = []
    for number in range(len(rows)):
        name = function(rows.iloc[number])
        if not isinstance(name, (str, os.PathLike)):
            raise DataError(f"image_path returned {name!r} for row {number}, expected a path")
        names.append(os.fspath(name))
    return names


def _source_of_ids(columns: Columns) -> str:
    if columns.image_path is None:
        return f"column {columns.id_column!r}"
    return f"image_path={columns.image_path!r}"


def _number_images(ids: Sequence[str], found: Sequence[Found]) -> np.ndarray:
    """Number the images of rows in the order in which they first come."""
    keys = [image.name or f"\0{image_id}" for image_id, image in zip(ids, found, strict=True)]
    return pd.factorize(np.array(keys, dtype=object))[0]


# What goes with images


def _count_problem(table: Table) -> list[Problem]:
    if table.n_promised is None or table.n_promised == len(table.frame):
        return []
    detail = f"the first line says {table.n_promised}, there are {len(table.frame)}"
    return [Problem(None, "", "row_count", detail)]


def _of_images(
    cells: Mapping[str, Cells], column: str | None, image_of: np.ndarray, argument: str
) -> list[str] | None:
    """Return the cells of a column, image by image, and none of them blank."""
    if column is None:
        return None
    values = cells[column].text()
    blank = next((row for row, value in enumerate(values) if not value), None)
    if blank is not None:
        raise DataError(f"{argument}={column!r}: row {blank} is blank")
    rows = np.unique(image_of, return_index=True)[1]
    first = [values[row] for row in rows]
    other = next((r for r, image in enumerate(image_of) if values[r] != first[image]), None)
    if other is not None:
        raise DataError(
            f"{argument}={column!r}: rows {rows[image_of[other]]} and {other} are of one image and "
            f"differ: {first[image_of[other]]!r} and {values[other]!r}"
        )
    return first


def read_split(column: str, values: Sequence[str]) -> tuple[dict[str, np.ndarray], Any]:
    """Return the rows of each subset, and the same for ``cv=``.

    Examples
    --------
    >>> subsets, cv = read_split("is_valid", ["False", "True", "False"])
    >>> subsets
    {'train': array([0, 2]), 'valid': array([1])}
    >>> cv.get_n_splits()
    1
    """
    flag = re.fullmatch(r"is\W*_?(\w+)", column, re.IGNORECASE)
    known = {"0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}
    if flag and all(key_of(value) in known for value in values):
        name = "train" if flag[1].lower() in _TRAIN_NAMES else flag[1].lower()
        other = "valid" if name == "train" else "train"
        values = [name if known[key_of(value)] else other for value in values]
    array = np.array(values, dtype=str)
    subsets = {str(name): np.flatnonzero(array == name) for name in dict.fromkeys(values)}
    if all(re.fullmatch(r"-1|\d+", name) for name in subsets):
        is_folds = "fold" in column.lower()
        return subsets, PredefinedSplit(array.astype(int)) if is_folds else None
    train = [name for name in subsets if name.lower() in _TRAIN_NAMES]
    validation = [name for name in subsets if name.lower() in _VALIDATION_NAMES]
    if len(train) != 1 or len(validation) > 1 or len(subsets) < 2:
        return subsets, None
    if not validation and len(subsets) == 2:
        validation = [name for name in subsets if name not in train]
    if not validation:
        return subsets, None
    if len(subsets) == 2:
        return subsets, PredefinedSplit(np.where(array == train[0], -1, 0))
    return subsets, [(subsets[train[0]], subsets[validation[0]])]


def _straddling(groups: np.ndarray, subsets: Mapping[str, np.ndarray]) -> list[Problem]:
    sets_of: dict[str, list[str]] = {}
    for name, rows in subsets.items():
        for group in dict.fromkeys(groups[rows].tolist()):
            sets_of.setdefault(group, []).append(name)
    return [
        Problem(None, group, "group_in_several_subsets", f"is in {', '.join(names)}")
        for group, names in sets_of.items()
        if len(names) > 1
    ]


# Arguments


def _as_names(argument: str, names, *, may_be_empty: bool = False) -> tuple[str, ...] | None:
    if names is None:
        return None
    names = (names,) if isinstance(names, str) else tuple(dict.fromkeys(map(str, names)))
    if not names and not may_be_empty:
        raise DataError(f"{argument} is empty; name at least one column")
    return names


def _check_option(name, value, options):
    if value not in options:
        raise ValueError(f"{name}={value!r} is not one of {', '.join(map(repr, options))}")
