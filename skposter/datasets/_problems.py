"""What is odd about a table of labels and its images: found, told, or raised."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from skposter._files.addresses import redacted
from skposter.datasets._image_folder import Found, ImageFolder
from skposter.exceptions import DataError


class Problem(NamedTuple):
    """One line of the table of problems."""

    row: int | None
    id: str
    kind: str
    detail: str


def row_problems(ids: Sequence[str], found: Sequence[Found], y: pd.DataFrame) -> list[Problem]:
    """List what is odd about single rows, row by row.

    Parameters
    ----------
    ids : sequence of str, length n_rows
        The id of each row of `y`.
    found : sequence of Found, length n_rows
        What became of each id.
    y : DataFrame of 0, 1 and NaN, shape (n_rows, n_labels)
        The labels of each row; its index numbers the rows of the table.

    Returns
    -------
    list of Problem
    """
    problems = []
    labels, rows = y.to_numpy(), y.index.tolist()
    is_empty = (labels == 0).all(axis=1)
    is_unknown = np.isnan(labels).all(axis=1)
    first_of: dict[str, int] = {}
    for number, (image_id, image) in enumerate(zip(ids, found, strict=True)):
        row = rows[number]
        image_id = redacted(image_id)  # of an address, which may hold a password
        if image.name is None:
            problems.append(Problem(row, image_id, image.kind, image.detail))
        first = first_of.setdefault(image.name or image_id, number)
        if first != number and np.array_equal(labels[first], labels[number], equal_nan=True):
            problems.append(Problem(row, image_id, "duplicate_row", f"repeats row {rows[first]}"))
        elif first != number:
            detail = f"row {rows[first]} has {_names(y, first)}, row {row} has {_names(y, number)}"
            problems.append(Problem(row, image_id, "conflicting_labels", detail))
        if is_empty[number]:
            problems.append(Problem(row, image_id, "row_without_labels", "carries no label"))
        if is_unknown[number]:
            problems.append(Problem(row, image_id, "row_without_labels", "no label is known"))
    return problems


def raise_problems(
    problems: Iterable[Problem], n_rows: int, where: str, *, on_missing: str, on_duplicate: str
) -> None:
    """Raise a DataError about problems that cannot stay, naming the first rows.

    Parameters
    ----------
    problems : iterable of Problem
        As from `row_problems`.
    n_rows : int
        How many rows were looked up.
    where : str
        The image folder, in words.
    on_missing, on_duplicate : str
        As in `load_image_table`.
    """
    of_kind: dict[str, list[Problem]] = {}
    for problem in problems:
        of_kind.setdefault(problem.kind, []).append(problem)
    if outside := of_kind.get("outside_image_dir"):
        raise DataError(f"{_count(outside)} would leave {where}: {_rows(outside)}")
    if ambiguous := of_kind.get("ambiguous_id"):
        raise DataError(
            f"{_count(ambiguous)} would fit several images in {where}: {_rows(ambiguous)}"
        )
    missing = of_kind.get("missing_image", [])
    if len(missing) == n_rows:
        raise DataError(f"not one of {n_rows} rows has an image in {where}: {_rows(missing)}")
    if missing and on_missing == "raise":
        raise DataError(
            f"{len(missing)} of {n_rows} rows have no image in {where}: {_rows(missing)}; "
            'on_missing="drop" leaves such rows out'
        )
    conflicts = of_kind.get("conflicting_labels")
    if conflicts and on_duplicate == "drop":
        raise DataError(
            f"{_count(conflicts)} would repeat an image with other labels: {_rows(conflicts)}; "
            'on_duplicate="union" takes them together, as for one row per image and label, and '
            'on_duplicate="keep" keeps them all'
        )


def advice(ids: Sequence[str], folder: ImageFolder, column: str | None) -> str:
    """Say under which names the images are there, if it is one that can be guessed.

    Parameters
    ----------
    ids : sequence of str
        Ids that name no image, or some of them.
    folder : ImageFolder
    column : str or None
        Where the ids are from.

    Returns
    -------
    str
        Empty, or a sentence for the end of an error.
    """
    shown = [image_id.replace("\\", "/") for image_id in ids[:20]]
    depth = min((image_id.count("/") for image_id in shown), default=0)
    for n in range(depth, 0, -1):
        if all(folder.names_image("/".join(image_id.split("/")[-n:])) for image_id in shown):
            leading = "/".join(shown[0].split("/")[:-n])
            cell = f"row[{column!r}]" + (".replace('\\\\', '/')" if "\\" in ids[0] else "")
            last = f"{cell}.rsplit('/', 1)[-1]" if n == 1 else f"'/'.join({cell}.split('/')[-{n}:])"
            return (
                f". Without {leading!r} they are there: say image_path=lambda row: {last}, or give "
                f"the parent folder that has {leading!r} in it"
            )
    for width in range(2, 13):
        if all(image_id.isdecimal() for image_id in shown) and all(
            folder.names_image(image_id.zfill(width)) for image_id in shown
        ):
            return (
                f". With zeros before them, {shown[0].zfill(width)!r}, they are there: read the "
                f"ids as text, or say image_path='{{{column}:0{width}d}}'"
            )
    return ""


def table_problems(
    y: pd.DataFrame, names: Sequence[str], unused: Sequence[str], folder: str
) -> list[Problem]:
    """List what is odd about labels and images, not about rows.

    Parameters
    ----------
    y : DataFrame of 0, 1 and NaN, shape (n_samples, n_labels)
        The labels of the images loaded.
    names : sequence of str
        The files of the images loaded.
    unused : sequence of str
        Those of the images that no row names.
    folder : str
        The image folder.

    Returns
    -------
    list of Problem
    """
    problems = []
    if unused:
        # A file name need not be text; the table is.
        shown = [name.encode(errors="backslashreplace").decode() for name in unused[:3]]
        more = f", and {len(unused) - 3} more" if len(unused) > 3 else ""
        images = "1 image" if len(unused) == 1 else f"{len(unused)} images"
        detail = f"no row names {images} of {folder!r}: {', '.join(shown)}{more}"
        problems.append(Problem(None, shown[0], "image_without_row", detail))
    empty = [name for name in y.columns if not (y[name] == 1).any()]
    problems += [Problem(None, name, "empty_label", "no row carries this label") for name in empty]
    for kind, what, of_kind in (
        ("names_differ_in_case", "one file on other systems", set(names)),
        ("labels_differ_in_case", "are they one label?", y.columns),
    ):
        if len({name.casefold() for name in of_kind}) == len(of_kind):
            continue
        folded: dict[str, list[str]] = {}
        for name in of_kind:
            folded.setdefault(name.casefold(), []).append(name)
        for similar in (sorted(some) for some in folded.values() if len(some) > 1):
            detail = f"{', '.join(map(repr, similar))} differ in upper and lower case only: {what}"
            problems.append(Problem(None, similar[0], kind, detail))
    return problems


def problem_frame(problems: Iterable[Problem], rows: Iterable[int]) -> pd.DataFrame:
    """Put problems into one table; those about rows that are not among `rows` say so."""
    kept = set(rows)
    said = [
        problem
        if problem.row is None or problem.row in kept
        else problem._replace(detail=f"{problem.detail}; left out")
        for problem in problems
    ]
    table = pd.DataFrame(said, columns=list(Problem._fields))
    return table.astype({"row": "Int64", "id": str, "kind": str, "detail": str})


def _count(problems: Sequence[Problem]) -> str:
    return f"{len(problems)} row{'s' if len(problems) > 1 else ''}"


def _rows(problems: Sequence[Problem], n_shown: int = 5) -> str:
    shown = [f"row {p.row} (id {p.id!r}): {p.detail}" for p in problems[:n_shown]]
    if len(problems) > n_shown:
        shown.append(f"and {len(problems) - n_shown} more")
    return "; ".join(shown)


def _names(y: pd.DataFrame, number: int) -> list[str]:
    return list(y.columns[y.iloc[number].to_numpy() == 1])
