"""Annotations of objects, in the layouts of COCO and Pascal VOC, as labels of images."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, overload
from xml.etree import ElementTree

import numpy as np
import pandas as pd

from skposter.datasets._columns import Columns, did_you_mean
from skposter.datasets._image_folder import Found, ImageFolder
from skposter.datasets._image_table import LabelledImages, make_bunch
from skposter.datasets._problems import advice, raise_problems, row_problems
from skposter.exceptions import DataError

if TYPE_CHECKING:
    from typing import Literal

    from skposter._typing import Names, PathLike
    from skposter.datasets._typing import PathsAndLabels

_MEANING = {"present": 1.0, "absent": 0.0, "unknown": np.nan}


@overload
def load_coco(
    annotations: PathLike,
    image_dir: PathLike,
    *,
    return_X_y: Literal[True],
    crowd: Literal["present", "absent", "unknown"] = "present",
    on_missing: Literal["raise", "drop"] = "raise",
) -> PathsAndLabels: ...


@overload
def load_coco(
    annotations: PathLike,
    image_dir: PathLike,
    *,
    return_X_y: Literal[False] = False,
    crowd: Literal["present", "absent", "unknown"] = "present",
    on_missing: Literal["raise", "drop"] = "raise",
) -> LabelledImages: ...


def load_coco(
    annotations: PathLike,
    image_dir: PathLike,
    *,
    crowd: Literal["present", "absent", "unknown"] = "present",
    on_missing: Literal["raise", "drop"] = "raise",
    return_X_y: bool = False,
) -> LabelledImages | PathsAndLabels:
    """Load images and the categories of their objects from annotations in the layout of COCO.

    An image carries a label if it has an annotation of that category. Images without annotations
    are kept, as rows of zeros.

    Parameters
    ----------
    annotations : str or path-like
        A JSON file with ``images``, ``annotations`` and ``categories``, such as
        ``instances_val2017.json``.
    image_dir : str or path-like
        The folder that ``file_name`` is relative to.
    crowd : {"present", "absent", "unknown"}, default="present"
        What an annotation with ``iscrowd`` says of its category where there is no other: it is
        there, it is not, or nobody knows (NaN).
    on_missing : {"raise", "drop"}, default="raise"
        What to do with images whose file is not there.
    return_X_y : bool, default=False
        Return ``(paths, y)`` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        As from `load_image_table`: a row an image, in the order of the file, and a column a
        category, in its order. ``frame`` has the fields of ``images``.
    (paths, y) : tuple
        If ``return_X_y=True``.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        `annotations` or `image_dir` does not exist, or the latter is no folder.
    DataError
        It is not such a file, or it names images or categories that are not in it.

    References
    ----------
    T.-Y. Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from skposter.datasets import load_coco
    >>> content = {
    ...     "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg"}],
    ...     "categories": [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}],
    ...     "annotations": [{"image_id": 7, "category_id": 18, "iscrowd": 0}],
    ... }
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.jpg").touch(), Path(folder, "b.jpg").touch()
    ...     _ = Path(folder, "coco.json").write_text(json.dumps(content))
    ...     data = load_coco(Path(folder, "coco.json"), folder)
    >>> data.y
       person  dog
    0       0    1
    1       0    0
    """
    of_crowd = _checked_meaning("crowd", crowd)
    path = os.fspath(annotations)
    if not os.path.exists(path):
        raise FileNotFoundError(f"there is no file of annotations {path!r}")
    folder = ImageFolder(image_dir)
    try:
        images, categories, objects = _read_coco(path)
        ids = [str(image["file_name"]) for image in images]
        number_of = _numbered("image", [image["id"] for image in images])
        column_of = _numbered("category", [category["id"] for category in categories])
        names = [str(category["name"]).strip() for category in categories]
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated is not None:
            raise DataError(f"two categories are called {repeated!r}")
        y = np.zeros((len(images), len(names)))
        for number, annotation in enumerate(objects):
            for key, known in (("image_id", number_of), ("category_id", column_of)):
                value = annotation.get(key)
                if not isinstance(value, (int, float, str)) or value not in known:
                    raise DataError(
                        f"annotation {number} has the {key} {value!r}, which is not in the file"
                    )
            cell = number_of[annotation["image_id"]], column_of[annotation["category_id"]]
            y[cell] = _stronger(y[cell], of_crowd if annotation.get("iscrowd") else 1.0)
        columns = Columns(
            id_column="file_name",
            label_columns=tuple(names),
            form="categories of objects",
            n_labels=len(names),
            metadata_columns=tuple(key for key in images[0] if key != "file_name"),
        )
        labels, frame = pd.DataFrame(y, columns=names), pd.DataFrame(images)
        data = _put_together(folder, ids, ids, labels, columns, frame, on_missing)
    except DataError as error:
        raise DataError(f"{path!r}: {error}") from None
    return (data.paths, data.y) if return_X_y else data


@overload
def load_voc(
    annotations_dir: PathLike,
    image_dir: PathLike,
    *,
    return_X_y: Literal[True],
    image_set: PathLike | None = None,
    label_names: Names | None = None,
    difficult: Literal["present", "absent", "unknown"] = "present",
    on_missing: Literal["raise", "drop"] = "raise",
) -> PathsAndLabels: ...


@overload
def load_voc(
    annotations_dir: PathLike,
    image_dir: PathLike,
    *,
    return_X_y: Literal[False] = False,
    image_set: PathLike | None = None,
    label_names: Names | None = None,
    difficult: Literal["present", "absent", "unknown"] = "present",
    on_missing: Literal["raise", "drop"] = "raise",
) -> LabelledImages: ...


def load_voc(
    annotations_dir: PathLike,
    image_dir: PathLike,
    *,
    image_set: PathLike | None = None,
    label_names: Names | None = None,
    difficult: Literal["present", "absent", "unknown"] = "present",
    on_missing: Literal["raise", "drop"] = "raise",
    return_X_y: bool = False,
) -> LabelledImages | PathsAndLabels:
    """Load images and the classes of their objects from annotations in the layout of Pascal VOC.

    An image carries a label if it has an object of that name. Images without objects are kept, as
    rows of zeros.

    Parameters
    ----------
    annotations_dir : str or path-like
        The folder of the XML files, ``Annotations``.
    image_dir : str or path-like
        The folder of the images, ``JPEGImages``.
    image_set : str, path-like or None, default=None
        A file with a name a line, such as ``ImageSets/Main/trainval.txt``: the images to load, in
        its order. None loads all that have annotations, sorted.
    label_names : list of str or None, default=None
        The labels in the order of `y`. None takes those that occur, sorted.
    difficult : {"present", "absent", "unknown"}, default="present"
        What an object marked as difficult says of its class where there is no other: it is there,
        it is not, or nobody knows (NaN), as in the challenge's own evaluation.
    on_missing : {"raise", "drop"}, default="raise"
        What to do with images whose file is not there.
    return_X_y : bool, default=False
        Return ``(paths, y)`` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        As from `load_image_table`. ``frame`` has the columns ``name`` and ``filename``.
    (paths, y) : tuple
        If ``return_X_y=True``.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        A folder or `image_set` does not exist.
    DataError
        A file is not such a file, or a name of `image_set` has none.

    References
    ----------
    M. Everingham et al., The Pascal Visual Object Classes (VOC) Challenge, IJCV 88, 2010.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skposter.datasets import load_voc
    >>> text = '''<annotation><filename>000005.jpg</filename>
    ... <object><name>chair</name><difficult>0</difficult></object></annotation>'''
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "000005.jpg").touch(), Path(folder, "000005.xml").write_text(text)
    ...     data = load_voc(folder, folder)
    >>> data.y
       chair
    0      1
    """
    of_difficult = _checked_meaning("difficult", difficult)
    where = os.fspath(annotations_dir)
    if not os.path.isdir(where):
        raise FileNotFoundError(f"there is no folder of annotations {where!r}")
    folder = ImageFolder(image_dir)
    stems = [name[:-4] for name in sorted(os.listdir(where)) if name.lower().endswith(".xml")]
    stems = [stem for stem in stems if not stem.startswith("._")]
    if image_set is not None:
        stems = _read_image_set(os.fspath(image_set), stems)
    if not stems:
        raise DataError(f"{where!r} holds no XML file")
    files, objects = [], []
    for stem in stems:
        path = os.path.join(where, stem + ".xml")
        try:
            file, found = _read_voc(path)
            files.append(_voc_image(folder, stem, file))
        except DataError as error:
            raise DataError(f"{path!r}: {error}") from None
        objects.append(found)
    occurring = sorted({name for some in objects for name, _ in some})
    names = occurring if label_names is None else [str(name) for name in label_names]
    unknown = [name for name in occurring if name not in names]
    if unknown:
        raise DataError(
            f"{where!r}: an object is called {unknown[0]!r}, which is not in label_names"
            f"{did_you_mean(unknown[0], names)}"
        )
    if not names:
        raise DataError(f"{where!r}: no file has an object; name the labels with label_names")
    y = np.zeros((len(stems), len(names)))
    for row, some in enumerate(objects):
        for name, is_difficult in some:
            cell = row, names.index(name)
            y[cell] = _stronger(y[cell], of_difficult if is_difficult else 1.0)
    columns = Columns(
        id_column="name",
        label_columns=tuple(names),
        form="names of objects",
        n_labels=len(names),
        metadata_columns=("filename",),
    )
    frame = pd.DataFrame({"name": stems, "filename": files})
    try:
        data = _put_together(
            folder, stems, files, pd.DataFrame(y, columns=names), columns, frame, on_missing
        )
    except DataError as error:
        raise DataError(f"{where!r}: {error}") from None
    return (data.paths, data.y) if return_X_y else data


def _checked_meaning(argument: str, value: str) -> float:
    if value not in _MEANING:
        raise ValueError(f"{argument}={value!r} is not one of {', '.join(map(repr, _MEANING))}")
    return _MEANING[value]


def _stronger(before: float, after: float) -> float:
    """Return what two objects of one class say together: there, else unknown, else not there."""
    if 1.0 in (before, after):
        return 1.0
    return after if np.isnan(after) else before


def _put_together(
    folder: ImageFolder,
    ids: Sequence[str],
    files: Sequence[str],
    y: pd.DataFrame,
    columns: Columns,
    frame: pd.DataFrame,
    on_missing: str,
) -> LabelledImages:
    if on_missing not in ("raise", "drop"):
        raise ValueError(f"on_missing={on_missing!r} is not one of 'raise', 'drop'")
    found = [folder.find(file) for file in files]
    problems = row_problems(ids, found, y)
    missing = [
        file for file, image in zip(files, found, strict=True) if image.kind == "missing_image"
    ]
    try:
        where = f"{folder.path!r}"
        raise_problems(problems, len(y), where, on_missing=on_missing, on_duplicate="drop")
    except DataError as error:
        raise DataError(f"{error}{advice(missing, folder, None) if missing else ''}") from None
    return make_bunch(folder, y, ids, found, columns, frame, problems, is_dropping=True)


# COCO


def _read_coco(path: str) -> tuple[list[dict], list[dict], list[dict]]:
    try:
        with open(path, encoding="utf-8-sig") as file:
            content = json.load(file)
    except (ValueError, RecursionError) as error:
        raise DataError(f"cannot be read as JSON: {error}") from None
    parts: list[list[dict]] = []
    for key, needed in (
        ("images", ("id", "file_name")),
        ("categories", ("id", "name")),
        ("annotations", ("image_id", "category_id")),
    ):
        part: Any = content.get(key) if isinstance(content, dict) else None
        if not isinstance(part, list) or not all(isinstance(entry, dict) for entry in part):
            raise DataError(f"it has no list {key!r}; expected images, annotations and categories")
        if key != "annotations" and not part:
            raise DataError(f"the list {key!r} is empty")
        for field in needed:
            without = next((n for n, entry in enumerate(part) if field not in entry), None)
            if without is not None:
                raise DataError(f"{key}[{without}] has no {field!r}")
        parts.append(part)
    return parts[0], parts[1], parts[2]


def _numbered(what: str, ids: Iterable[Any]) -> dict[Any, int]:
    numbers: dict[Any, int] = {}
    for number, one in enumerate(ids):
        if not isinstance(one, (int, str)) or one in numbers:
            raise DataError(f"two {what} entries have the id {one!r}, or it is no id")
        numbers[one] = number
    return numbers


# Pascal VOC


def _read_image_set(path: str, stems: Sequence[str]) -> list[str]:
    if not os.path.exists(path):
        raise FileNotFoundError(f"there is no image set {path!r}")
    with open(path, encoding="utf-8") as file:
        lines = [line.split() for line in file if line.strip()]
    wanted = [line[0] for line in lines]
    if any(len(line) > 1 for line in lines):
        raise DataError(
            f"{path!r} has more than a name a line: it is the list of one class, give the one of "
            "all, such as trainval.txt"
        )
    missing = [name for name in wanted if name not in set(stems)]
    if missing:
        raise DataError(f"{path!r} names {missing[0]!r}, which has no annotations")
    return wanted


def _read_voc(path: str) -> tuple[str, list[tuple[str, bool]]]:
    """Return the name of the image, and for each object its class and whether it is difficult."""
    with open(path, "rb") as file:
        content = file.read()
    if re.search(rb"<!(DOCTYPE|ENTITY)", content, re.IGNORECASE):
        raise DataError("it declares a document type or entities, which annotations never do")
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise DataError(f"cannot be read as XML: {error}") from None
    if root.tag != "annotation":
        raise DataError(f"it is XML of a {root.tag!r}, expected an 'annotation'")
    objects = []
    for number, entry in enumerate(root.findall("object")):
        name = (entry.findtext("name") or "").strip()
        if not name:
            raise DataError(f"object {number} has no name")
        objects.append((name, (entry.findtext("difficult") or "").strip() == "1"))
    return (root.findtext("filename") or "").strip(), objects


def _voc_image(folder: ImageFolder, stem: str, filename: str) -> str:
    """Choose between the name of the XML file and the one that it names."""
    if not filename or os.path.splitext(filename)[0] == stem:
        return filename or stem
    of_stem: Found = folder.find(stem)
    if of_stem.name is None or folder.find(filename).name == of_stem.name:
        return filename
    if folder.find(filename).name is None:
        return stem  # the image was renamed, and its annotations with it
    raise DataError(f"it names {filename!r}, but there is also an image {stem!r}; which is it?")
