"""What is odd about a CSV and its images: found, told, or raised."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from skposter.datasets._image_folder import Found
from skposter.exceptions import DataError


class Problem(NamedTuple):
    """One line of the table of problems."""

    row: int | None
    id: str
    kind: str
    detail: str


def row_problems(ids: Iterable[str], found: Sequence[Found], y: pd.DataFrame) -> list[Problem]:
    """List what is odd about single rows, row by row.

    Parameters
    ----------
    ids : iterable of str, length n_rows
        The id of each row.
    found : sequence of Found, length n_rows
        What became of each id.
    y : DataFrame of int, shape (n_rows, n_labels)
        The labels of each row.

    Returns
    -------
    list of Problem
    """
    problems = []
    labels = y.to_numpy()
    n_labels = labels.sum(axis=1)
    first_row: dict[str, int] = {}
    for row, (image_id, image) in enumerate(zip(ids, found, strict=True)):
        if image.name is None:
            problems.append(Problem(row, image_id, image.kind, image.detail))
        first = first_row.setdefault(image.name or image_id, row)
        if first != row and np.array_equal(labels[first], labels[row]):
            problems.append(Problem(row, image_id, "duplicate_row", f"repeats row {first}"))
        elif first != row:
            detail = f"row {first} has {_names(y, first)}, row {row} has {_names(y, row)}"
            problems.append(Problem(row, image_id, "conflicting_labels", detail))
        if not n_labels[row]:
            problems.append(Problem(row, image_id, "row_without_labels", "carries no label"))
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
        Rows in the CSV.
    where : str
        The image folder, in words.
    on_missing, on_duplicate : str
        As in `load_image_csv`.
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
            'on_duplicate="keep" keeps them all'
        )


def problem_table(
    problems: Iterable[Problem], unused: Iterable[str], y: pd.DataFrame, ignored: Iterable[str]
) -> pd.DataFrame:
    """Put the problems of rows, images without a row, labels and columns into one table."""
    rows = [
        problem
        if problem.row in y.index
        else problem._replace(detail=f"{problem.detail}; left out")
        for problem in problems
    ]
    # A file name need not be text; the table is.
    unused = [name.encode(errors="backslashreplace").decode() for name in unused]
    rows += [Problem(None, n, "image_without_row", "no row names this image") for n in unused]
    empty = [name for name in y.columns if not y[name].any()]
    rows += [Problem(None, name, "empty_label", "no row carries this label") for name in empty]
    rows += [Problem(None, n, "ignored_column", "holds neither ids nor labels") for n in ignored]
    table = pd.DataFrame(rows, columns=list(Problem._fields))
    return table.astype({"row": "Int64", "id": str, "kind": str, "detail": str})


def _count(problems: Sequence[Problem]) -> str:
    return f"{len(problems)} row{'s' if len(problems) > 1 else ''}"


def _rows(problems: Sequence[Problem], n_shown: int = 5) -> str:
    shown = [f"row {p.row} (id {p.id!r}): {p.detail}" for p in problems[:n_shown]]
    if len(problems) > n_shown:
        shown.append(f"and {len(problems) - n_shown} more")
    return "; ".join(shown)


def _names(y: pd.DataFrame, row: int) -> list[str]:
    return list(y.columns[y.iloc[row].to_numpy() == 1])
