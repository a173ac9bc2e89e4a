"""What the commands that read a CSV have in common."""

from __future__ import annotations

import sys

_LINES_SHOWN = 5


def add_data_arguments(parser):
    """Add the CSV, the image folder and how columns are found."""
    parser.add_argument("csv", metavar="CSV", help="one row an image: an id and its labels")
    parser.add_argument("images", metavar="IMAGES", help="folder of the images")
    columns = parser.add_argument_group("columns", "found by themselves unless named")
    columns.add_argument("--id-column", metavar="NAME", help="column of ids or file names")
    columns.add_argument("--label-column", metavar="NAME", help="column of label lists")
    columns.add_argument(
        "--label-columns", metavar="NAME", nargs="+", help="columns of 0/1, one a label"
    )


def load_data(args, **options):
    """Read the CSV and list the images; `options` go to ``load_image_csv``."""
    from skposter.datasets import load_image_csv

    return load_image_csv(
        args.csv,
        args.images,
        id_column=args.id_column,
        label_column=args.label_column,
        label_columns=args.label_columns,
        **options,
    )


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
