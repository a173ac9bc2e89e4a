"""What the commands that read a table of labels have in common."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

_LINES_SHOWN = 5
# The arguments of `load_image_table` that have an option of the same name.
_OPTIONS = (
    *("id_column", "image_path", "label_column", "label_columns", "label_delimiter"),
    *("label_values", "label_names", "value_column", "metadata_columns", "groups", "split"),
    *("sep", "encoding", "column_names", "on_missing", "on_duplicate", "storage_options"),
)


def add_data_arguments(parser, *, on_missing="raise", on_duplicate="drop"):
    """Add the table, the image folder and how columns are found."""
    parser.add_argument(
        "table", metavar="TABLE", help="labels: CSV, TSV, JSON, JSON lines, Parquet or Excel"
    )
    parser.add_argument("images", metavar="IMAGES", help="folder of the images")
    columns = parser.add_argument_group(
        "columns", "as the arguments of load_image_table; found out unless given"
    )
    columns.add_argument("--id-column", metavar="NAME", help="column of ids or file names")
    columns.add_argument(
        "--image-path", metavar="TEMPLATE", help="what names the image, such as '{Id}_green.png'"
    )
    columns.add_argument(
        "--label-column", metavar="NAME", nargs="+", help="column of label lists, or a label a row"
    )
    columns.add_argument(
        "--label-columns", metavar="NAME", nargs="+", help="columns of 0/1, one a label"
    )
    columns.add_argument(
        "--label-delimiter", metavar="TEXT", help="what separates the labels of a cell"
    )
    columns.add_argument(
        "--label-values",
        metavar="JSON",
        type=json_object,
        help="what cells of labels mean: 1, 0 or null, as "
        """'{"1": 1, "-1": 0, "": null}'""",
    )
    columns.add_argument(
        "--label-names",
        metavar="NAME",
        nargs="+",
        help="the labels in order, or what is written and its name as one JSON object",
    )
    columns.add_argument(
        "--value-column",
        metavar="NAME",
        help="column that says whether the label of a row is there",
    )
    columns.add_argument(
        "--metadata-columns", metavar="NAME", nargs="*", help="columns that are no labels"
    )
    columns.add_argument("--groups", metavar="NAME", help="column of what must stay together")
    columns.add_argument("--split", metavar="NAME", help="column with the table's own split")
    columns.add_argument("--subset", metavar="NAME", help="use this subset of --split only")
    reading = parser.add_argument_group("reading")
    reading.add_argument(
        "--sep", metavar="TEXT", help=r"what separates cells; '\s+' for whitespace"
    )
    reading.add_argument("--encoding", metavar="NAME", help="of text, such as cp1252")
    reading.add_argument(
        "--column-names", metavar="NAME", nargs="+", help="of a file without a header"
    )
    reading.add_argument(
        "--on-missing",
        choices=("raise", "drop"),
        default=on_missing,
        help="what to do with rows that have no image",
    )
    reading.add_argument(
        "--on-duplicate",
        choices=("drop", "keep", "union"),
        default=on_duplicate,
        help="what to do with rows that repeat an image",
    )
    reading.add_argument(
        "--storage-options",
        metavar="JSON",
        type=json_object,
        help="how addresses (https://, s3://) are read, as of ImageLoader; other users see it: "
        "passwords belong into the environment or the configuration of fsspec",
    )


def load_data(args, file=None):
    """Read the table, list the images, and print what was understood to `file`.

    ``--subset`` leaves the rows of the others out.

    Raises
    ------
    DataError
        As `load_image_table`, or there is no such subset.
    """
    from skposter.datasets import load_image_table
    from skposter.exceptions import DataError

    options: dict[str, Any] = {name: getattr(args, name) for name in _OPTIONS}
    names = options["label_names"]
    if names is not None and len(names) == 1 and names[0].startswith("{"):
        try:
            options["label_names"] = json_object(names[0])
        except argparse.ArgumentTypeError as error:
            raise DataError(f"--label-names: {error}") from None
    data = load_image_table(args.table, args.images, **options)
    if not args.quiet:
        print(data.columns, file=file)
    if args.subset is None:
        return data
    if data.split is None:
        raise DataError(f"--subset {args.subset} needs --split, the column with the subsets")
    if args.subset not in data.split:
        raise DataError(f"--subset {args.subset} is none of {', '.join(data.split)}")
    return take_rows(data, data.split[args.subset])


def take_rows(data, rows):
    """Leave all rows but some out of what was loaded."""
    data.paths, data.y, data.ids = data.paths[rows], data.y.iloc[rows], data.ids[rows]
    data.groups = None if data.groups is None else data.groups[rows]
    data.split = data.cv = None
    return data


def own_split(data):
    """Return the training and validation rows of the table's own split, if it says them.

    Raises
    ------
    DataError
        It has several folds, or subsets that say nothing.
    """
    from skposter.exceptions import DataError

    if data.split is None:
        return None
    splits = data.cv if isinstance(data.cv, list) else [*data.cv.split()] if data.cv else []
    if len(splits) != 1:
        raise DataError(
            f"--split has the subsets {', '.join(data.split)}; say which to train on with --subset"
        )
    return splits[0]


def json_object(text):
    """Parse a JSON object."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is no JSON object")
    return value


def report_problems(problems, file=None, limit=_LINES_SHOWN):
    """Print a table of problems, and how many there are of each kind.

    Parameters
    ----------
    problems : DataFrame
        With a column ``kind``.
    file : file object, default=None
        Where to; None is standard error.
    limit : int or None, default=5
        How many problems of a kind to show; None shows all.
    """
    file = sys.stderr if file is None else file
    if problems.empty:
        return
    counts = problems["kind"].value_counts(sort=False)
    total = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    print(f"problems: {total}", file=file)
    shown = problems if limit is None else problems.groupby("kind", sort=False).head(limit)
    shown = shown.assign(row=shown["row"].astype(object).where(shown["row"].notna(), ""))
    print(shown.to_string(index=False, justify="left"), file=file)
    hidden = len(problems) - len(shown)
    if hidden:
        print(f"... and {hidden} more; `skposter check` shows all", file=file)
