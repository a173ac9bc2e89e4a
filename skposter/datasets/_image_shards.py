"""Tar archives and Parquet files of images -> places of images, labels, and what was understood."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pandas as pd

from skposter.datasets._cells import Cells
from skposter.datasets._columns import Columns, understand
from skposter.datasets._image_table import LabelledImages
from skposter.datasets._labels import read_labels
from skposter.datasets._problems import Problem, problem_frame, table_problems
from skposter.datasets._shard_index import Index, index_parquet, index_tar
from skposter.exceptions import DataError

if TYPE_CHECKING:
    from typing import Literal, Unpack

    from skposter._typing import PathLike
    from skposter.datasets._typing import PathsAndLabels, ShardOptions

_TAR, _PARQUET = (".tar",), (".parquet", ".pq")


@overload
def load_image_shards(
    paths: PathLike | Sequence[PathLike],
    *,
    return_X_y: Literal[True],
    **options: Unpack[ShardOptions],
) -> PathsAndLabels: ...


@overload
def load_image_shards(
    paths: PathLike | Sequence[PathLike],
    *,
    return_X_y: Literal[False] = False,
    **options: Unpack[ShardOptions],
) -> LabelledImages: ...


def load_image_shards(
    paths: PathLike | Sequence[PathLike],
    *,
    image_column: str | None = None,
    image_extension: str | None = None,
    label_column: str | Sequence[str] | None = None,
    label_columns: Sequence[str] | None = None,
    label_extension: Literal["json", "cls", "txt"] | None = None,
    label_delimiter: str | None = None,
    label_values: Mapping[Any, Any] | None = None,
    label_names: Sequence[Any] | Mapping[Any, Any] | None = None,
    metadata_columns: Sequence[str] | None = None,
    on_missing: Literal["raise", "drop"] = "raise",
    return_X_y: bool = False,
    verbose: int = 0,
) -> LabelledImages | PathsAndLabels:
    r"""Load places and labels of images that lie many in one file, in tar archives or Parquet.

    Only headers and labels are read here. :class:`~skposter.ImageLoader` reads an image from its
    place when it decodes it; with ``lazy=True`` a training goes through the files in an order that
    reads each once an epoch, with the rows of four at a time mixed.

    Parameters
    ----------
    paths : str, path-like or list of them
        Files that end with ``.tar``, or files that end with ``.parquet`` or ``.pq``; or patterns
        (``"train-*.tar"``), which give the files that match, sorted.

        In tar archives, as those of webdataset, the members of a sample have the same name up to
        the first dot of their last part: ``a/7.jpg`` and ``a/7.json``. An image is ``.jpg``,
        ``.jpeg``, ``.png``, ``.webp``, ``.gif``, ``.bmp``, ``.tif`` or ``.tiff``. Labels are
        ``.json`` (a list of names, a name, or an object with fields as the columns of a table
        have), ``.txt`` (a name a line, no line if there is none) or ``.cls`` (one name or number).
        Other members are passed over. Compressed archives are refused.

        In Parquet, a column holds encoded images as bytes, or cells with the fields ``bytes`` and
        ``path`` as Hugging Face's datasets have, and other columns hold the labels.
    image_column : str or None, default=None
        The column of images in Parquet. None takes the only one that may be.
    image_extension : str or None, default=None
        What stands behind the first dot of the images in tar archives, such as ``"jpg"``. None
        takes the only image of each sample.
    label_column, label_columns, metadata_columns : default=None
        As in `load_image_table`, for the columns of Parquet files and the fields of JSON objects.
        Whatever else gives labels has the one column ``labels``. Of Parquet, only columns named
        are read.
    label_delimiter, label_values, label_names : default=None
        As in `load_image_table`.
    label_extension : {"json", "cls", "txt"} or None, default=None
        The members with the labels in tar archives. None takes the only one of each sample.
    on_missing : {"raise", "drop"}, default="raise"
        What to do with samples of tar archives that have no image or no labels.
    return_X_y : bool, default=False
        Return ``(paths, y)`` instead of a Bunch.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        As from `load_image_table`, but for:

        paths : ndarray of object, shape (n_samples,)
            Places of images, for :class:`~skposter.ImageLoader`. Each has a method ``open``, and is
            equal to the same place in the same state of the file. A file that changes
            afterwards is refused when an image of it is read.
        ids : ndarray of str, shape (n_samples,)
            The names up to the first dot, or ``file.parquet:row``.
        frame : DataFrame of shape (n_rows, n_columns)
            The columns ``shard`` (the file), ``sample`` (the id), and those that were read.
        problems : DataFrame of shape (n_problems, 4)
            Kinds: ``missing_image``, ``missing_labels``, ``duplicate_id``, ``row_without_labels``,
            ``empty_label``, ``labels_differ_in_case``.

        There are no ``groups``, ``split`` and ``cv``: they are None.
    (paths, y) : tuple
        If ``return_X_y=True``.

    Raises
    ------
    FileNotFoundError
        A file does not exist, or nothing matches a pattern.
    ImportError
        pyarrow is needed for Parquet: ``pip install "skposter[tables]"``.
    DataError
        A file is cut short or damaged, or its labels cannot be understood without being told more;
        also a ValueError. The message names the file, and the row or the member.

    See Also
    --------
    load_image_table : A table and a folder of images.
    skposter.ImageLoader : Reads the images.

    Examples
    --------
    >>> import io, tarfile, tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from skposter import ImageLoader
    >>> from skposter.datasets import load_image_shards
    >>> image = io.BytesIO()
    >>> Image.new("RGB", (20, 30), "red").save(image, "png")
    >>> folder = tempfile.TemporaryDirectory()
    >>> with tarfile.open(Path(folder.name, "posters.tar"), "w") as archive:
    ...     for name, content in {"7.png": image.getvalue(), "7.txt": b"Drama\nWar\n"}.items():
    ...         member = tarfile.TarInfo(name)
    ...         member.size = len(content)
    ...         archive.addfile(member, io.BytesIO(content))
    >>> data = load_image_shards(Path(folder.name, "*.tar"))
    >>> data.y
       Drama  War
    0      1    1
    >>> images = ImageLoader(size=(3, 2), lazy=True).transform(data.paths)
    >>> images[0][0, 0].tolist()
    [255, 0, 0]
    >>> folder.cleanup()
    """
    if on_missing not in ("raise", "drop"):
        raise ValueError(f"on_missing={on_missing!r} is not one of 'raise', 'drop'")
    if label_extension not in (None, "json", "cls", "txt"):
        raise ValueError(f"label_extension={label_extension!r} is not one of 'json', 'cls', 'txt'")
    asked = Columns(
        id_column="sample",
        label_column=_names(label_column),
        label_columns=_names(label_columns),
        label_delimiter=label_delimiter,
        label_values=label_values,
        metadata_columns=None if metadata_columns is None else _names(metadata_columns),
    )
    wanted = {*asked.label_column, *asked.label_columns} or None
    files, is_tar = _files(paths)
    _check_arguments(is_tar, image_column, image_extension, label_extension)
    parts = []
    for file in _progress(files, verbose):
        try:
            if is_tar:
                part = index_tar(file, image_extension, label_extension, wanted)
            else:
                part = index_parquet(file, image_column, wanted)
            _check_fields(part)
        except DataError as error:
            raise DataError(f"{file!r}: {error}") from None
        except ImportError:
            raise ImportError(
                "Parquet files need pyarrow. Install it with: pip install 'skposter[tables]'"
            ) from None
        parts.append(part)
    data = _load(files, parts, asked, label_names, on_missing)
    return (data.paths, data.y) if return_X_y else data


def _names(value: str | Sequence[str] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def _files(paths) -> tuple[list[str], bool]:
    """Return the files, and whether they are tar archives."""
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    files: list[str] = []
    for path in map(os.fspath, paths):
        if "://" in path:
            raise DataError(
                f"{path!r} is an address; shards are read at places all over them, from files. "
                "Mount what is there, or copy it"
            )
        if os.path.isdir(path):
            raise DataError(
                f"{path!r} is a folder; name the files in it, such as "
                f"{os.path.join(path, '*.parquet')!r} or {os.path.join(path, '*.tar')!r}"
            )
        # A file may be called as a pattern is.
        found = [path] if os.path.exists(path) else sorted(glob.glob(path, recursive=True))
        if not found:
            raise FileNotFoundError(f"there is no file {path!r}, and nothing matches it")
        files += found
    if not files:
        raise DataError("paths is empty; expected files of images (.tar, or .parquet)")
    twice = next((file for file in files if files.count(file) > 1), None)
    if twice is not None:
        raise DataError(f"{twice!r} is there twice")
    endings = {file: os.path.splitext(file)[1].lower() for file in files}
    kinds = set()
    for file, ending in endings.items():
        if ending not in (*_TAR, *_PARQUET):
            hint = " (compressed archives have to be unpacked)" if ".tar." in file.lower() else ""
            raise DataError(f"{file!r}: expected a file that ends with .tar or .parquet{hint}")
        kinds.add(ending in _TAR)
    if len(kinds) > 1:
        raise DataError("tar archives and Parquet files are read apart: call it once for each")
    return files, kinds.pop()


def _check_arguments(is_tar, image_column, image_extension, label_extension) -> None:
    if is_tar and image_column is not None:
        raise DataError("image_column is for Parquet; for tar archives say image_extension")
    if not is_tar and (image_extension is not None or label_extension is not None):
        raise DataError(
            "image_extension and label_extension are for tar archives; for Parquet say "
            "image_column, label_column or label_columns"
        )


def _check_fields(part: Index) -> None:
    taken = {"shard", "sample"}.intersection(part.labels.columns)
    if taken:
        raise DataError(
            f"a column or field is called {taken.pop()!r}, which is what the file and the id are "
            "called here; name the labels with label_column or label_columns"
        )


def _progress(files: list[str], verbose: int):
    if not verbose:
        return files
    from tqdm.auto import tqdm

    return tqdm(files, desc="Reading indexes", unit="file")


def _load(files, parts: list[Index], asked: Columns, label_names, on_missing) -> LabelledImages:
    counts = [len(part.ids) for part in parts]
    shards = np.repeat(np.array(files, dtype=object), counts)
    numbers = np.concatenate([np.arange(count) for count in counts])
    ids = [one for part in parts for one in part.ids]
    images = np.empty(len(ids), dtype=object)
    images[:] = [image for part in parts for image in part.images]
    labelled = np.array([one for part in parts for one in part.is_labelled], dtype=bool)
    if not len(ids):
        raise DataError(f"there are no samples in {_some(files)}")
    filled = [part.labels for part in parts if len(part.labels)]
    fields = pd.concat(filled, ignore_index=True)
    frame = pd.concat([pd.DataFrame({"shard": shards, "sample": ids}), fields], axis=1)
    has_image = np.array([image is not None for image in images], dtype=bool)
    missing = [
        Problem(int(row), ids[row], *kind)
        for has, kind in (
            (has_image, ("missing_image", "the sample has no image")),
            (labelled, ("missing_labels", "the sample has no labels")),
        )
        for row in np.flatnonzero(~has)
    ]
    if missing and on_missing == "raise":
        first = missing[0]
        raise DataError(
            f"{shards[first.row]!r}: sample {first.id!r}: {first.detail} ({len(missing)} such "
            'problems); on_missing="drop" leaves those samples out, image_extension and '
            "label_extension say which members are which"
        )
    kept = np.flatnonzero(has_image & labelled)
    if not len(kept):
        raise DataError(f"no sample has both an image and labels in {_some(files)}")
    table = frame.iloc[kept].drop(columns="shard")
    cells = {str(name): Cells.of(table[name], str(name)) for name in table}
    kept_ids = [ids[row] for row in kept]
    try:
        columns = understand(cells, asked, lambda name: False, "said")
        y, columns = read_labels(cells, columns, label_names, np.arange(len(kept)), kept_ids)
    except DataError as error:
        raise DataError(f"{_some(files)}: {error}{_whose(error, kept, shards, numbers)}") from None
    y.index = pd.Index(kept)
    problems = [*missing, *_row_problems(y, kept_ids, shards), *table_problems(y, [], [], "")]
    if not y.isna().to_numpy().any():
        y = y.astype(np.int64)
    return LabelledImages(
        paths=images[kept],
        y=y,
        label_names=list(y.columns),
        ids=np.array(kept_ids, dtype=str),
        groups=None,
        split=None,
        cv=None,
        columns=replace(columns, id_column=None),  # ids are places in files, not a column
        frame=frame,
        problems=problem_frame(problems, y.index),
    )


def _some(files: list[str]) -> str:
    return f"{files[0]!r}" + (f" and {len(files) - 1} more files" if len(files) > 1 else "")


def _whose(error: DataError, kept, shards, numbers) -> str:
    """Say in which file the row is that an error names, counted there."""
    found = re.search(r"\brow (\d+)", str(error))
    if found is None or int(found[1]) >= len(kept):
        return ""
    row = kept[int(found[1])]
    return f" (row {found[1]} is row {numbers[row]} of {shards[row]!r})"


def _row_problems(y: pd.DataFrame, ids: Sequence[str], shards) -> list[Problem]:
    problems = []
    labels = y.to_numpy()
    first_of: dict[str, int] = {}
    for number, (row, name) in enumerate(zip(y.index.tolist(), ids, strict=True)):
        first = first_of.setdefault(name, row)
        if first != row:
            detail = f"is also in {shards[first]!r} (row {first})"
            problems.append(Problem(row, name, "duplicate_id", detail))
        if (labels[number] == 0).all():
            problems.append(Problem(row, name, "row_without_labels", "carries no label"))
        elif np.isnan(labels[number]).all():
            problems.append(Problem(row, name, "row_without_labels", "no label is known"))
    return problems
