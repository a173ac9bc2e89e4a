"""Folders that name the labels of the images in them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, overload

import numpy as np
import pandas as pd

from skposter.datasets._cells import Cells
from skposter.datasets._columns import Columns
from skposter.datasets._image_folder import Found, ImageFolder
from skposter.datasets._image_table import LabelledImages, make_bunch
from skposter.datasets._label_lists import WORDS_FOR_NOTHING
from skposter.datasets._labels import read_labels
from skposter.datasets._problems import Problem, row_problems
from skposter.exceptions import DataError

if TYPE_CHECKING:
    from typing import Literal

    from skposter._typing import PathLike
    from skposter.datasets._typing import PathsAndLabels


@overload
def load_image_folders(
    root: PathLike,
    *,
    return_X_y: Literal[True],
    label_delimiter: str | None = None,
    on_duplicate: Literal["union", "keep"] = "union",
) -> PathsAndLabels: ...


@overload
def load_image_folders(
    root: PathLike,
    *,
    return_X_y: Literal[False] = False,
    label_delimiter: str | None = None,
    on_duplicate: Literal["union", "keep"] = "union",
) -> LabelledImages: ...


def load_image_folders(
    root: PathLike,
    *,
    label_delimiter: str | None = None,
    on_duplicate: Literal["union", "keep"] = "union",
    return_X_y: bool = False,
) -> LabelledImages | PathsAndLabels:
    """Load images and their labels from folders that name them.

    Two layouts, also mixed: a folder a set of labels (``red_dress/``), and a folder a label with
    the same image in several (``red/7.jpg`` and ``dress/7.jpg``). Images are the same if their
    files are equal byte by byte, whatever they are called: ``cat/1.jpg`` and ``dog/1.jpg`` are two
    images in most data sets. The files are read for that; none is decoded.

    Parameters
    ----------
    root : str or path-like
        The folder of the folders. Images directly in it, and folders in its folders, are an error:
        they would have no label, or several levels of them.
    label_delimiter : str or None, default=None
        What separates the labels in the name of a folder, such as ``"_"``; ``""`` if each name is
        one label. None asks where names look like several labels.
    on_duplicate : {"union", "keep"}, default="union"
        What to do with equal files: one image with the labels of all, or images of their own.
    return_X_y : bool, default=False
        Return ``(paths, y)`` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        As from `load_image_table`. ``frame`` has a row a file, with the columns ``file``,
        ``folder`` and ``content`` (the SHA-256 where another file is as long, else blank).
    (paths, y) : tuple
        If ``return_X_y=True``.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        `root` does not exist or is no folder.
    DataError
        Images without a label, folders in folders, no image at all, or names that may be one label
        or several.

    See Also
    --------
    load_image_table : Labels from a table.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skposter.datasets import load_image_folders
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for name in ("blue_dress/1.jpg", "red_dress/1.jpg", "red_shoe/2.jpg"):
    ...         Path(root, name).parent.mkdir()
    ...         _ = Path(root, name).write_text(name)
    ...     data = load_image_folders(root, label_delimiter="_")
    >>> data.y
       blue  dress  red  shoe
    0     1      1    0     0
    1     0      1    1     0
    2     0      0    1     1
    """
    if on_duplicate not in ("union", "keep"):
        raise ValueError(f"on_duplicate={on_duplicate!r} is not one of 'union', 'keep'")
    folder = ImageFolder(root)
    files = _list_files(folder)
    frame = pd.DataFrame({"file": files, "folder": [file.partition("/")[0] for file in files]})
    frame["content"] = _contents(folder.path_of(file) for file in files)
    is_same = (frame["content"] != "") & (on_duplicate == "union")
    image_of = pd.factorize(frame["content"].where(is_same, frame["file"]))[0]
    columns = Columns(
        id_column="file",
        label_column=("folder",),
        label_delimiter=label_delimiter,
        label_values={name: 1 for name in frame["folder"] if name in WORDS_FOR_NOTHING} or None,
        metadata_columns=(),
    )
    try:
        cells = {"folder": Cells.of(frame["folder"], "folder")}
        y, columns = read_labels(cells, columns, None, image_of, files)
    except DataError as error:
        raise DataError(f"{folder.path!r}: {error}") from None
    if columns.label_delimiter is None:
        columns = replace(columns, form="one a name")
    rows = np.unique(image_of, return_index=True)[1]
    y.index = pd.Index(rows)
    ids = [files[row] for row in rows]
    found = [Found(file) for file in ids]
    problems = _repeated(frame, image_of) if on_duplicate == "union" else []
    data = make_bunch(
        folder,
        y,
        ids,
        found,
        columns,
        frame,
        [*problems, *row_problems(ids, found, y)],
        also_used=files,
    )
    return (data.paths, data.y) if return_X_y else data


def _list_files(folder: ImageFolder) -> list[str]:
    if loose := folder.image_names():
        raise DataError(
            f"{folder.path!r} holds {len(loose)} images that are in no folder, such as "
            f"{loose[0]!r}, and have no label; give the folder of the folders that name the labels"
        )
    names = folder.folder_names()
    for name in names:
        inside = folder.find(f"{name}/any")
        if inside.kind == "outside_image_dir":
            raise DataError(f"{folder.path!r}: {inside.detail}")
        deeper = ImageFolder(folder.path_of(name)).folder_names()
        if deeper:
            raise DataError(
                f"{folder.path!r} holds folders in folders, such as {f'{name}/{deeper[0]}'!r}; "
                f"one level names the labels. If it is below {name!r}, give "
                f"{folder.path_of(name)!r}"
            )
    files = folder.image_names(names)
    if not files:
        raise DataError(f"{folder.path!r} holds no folder with images")
    for file in files:
        found = folder.find(file)
        if found.name is None:
            raise DataError(f"{folder.path!r}: {found.detail}")
    return files


def _contents(paths: Iterable[str]) -> list[str]:
    """Return a hash for each file that is as long as another one, else nothing."""
    paths = list(paths)
    sizes = pd.Series([os.path.getsize(path) for path in paths])
    is_alone = ~sizes.duplicated(keep=False)
    contents = []
    for path, alone in zip(paths, is_alone, strict=True):
        if alone:
            contents.append("")
            continue
        with open(path, "rb") as file:
            contents.append(hashlib.file_digest(file, "sha256").hexdigest())
    return contents


def _repeated(frame: pd.DataFrame, image_of: np.ndarray) -> list[Problem]:
    """Tell files that are in one folder twice; those in several folders have several labels."""
    problems = []
    first: dict[tuple[int, str], str] = {}
    for row, (image, folder) in enumerate(zip(image_of, frame["folder"], strict=True)):
        file = frame["file"].iloc[row]
        before = first.setdefault((int(image), folder), file)
        if before != file:
            problems.append(Problem(row, file, "duplicate_row", f"is as {before!r}"))
    return problems
