"""``skposter check``: what a table of labels says and what is wrong with it and its images."""

from __future__ import annotations

import sys

from skposter.commands._data import add_data_arguments, load_data, report_problems
from skposter.commands._models import check_output

SUMMARY = "print what is wrong with a table of labels and its images"
DESCRIPTION = (
    "Print what the columns of a table of labels are taken for, the problems of the table "
    "(duplicate rows, labels without a row, images without a row, ...) and those of its images "
    "(missing, truncated, not an image, ...). The exit status is 1 if there are problems."
)


def add_arguments(parser):
    """Add the arguments of the command."""
    add_data_arguments(parser, on_missing="drop", on_duplicate="keep")
    parser.add_argument(
        "-o",
        "--output",
        metavar="PAGE",
        help="an .html file to write: labels, duplicates, sizes and problems on one page",
    )


def run(args):
    """Run the command."""
    import numpy as np

    from skposter import ImageLoader

    if args.output is not None:
        check_output(args.output, (".html", ".htm"))
    data = load_data(args)
    report_problems(data.problems, sys.stdout, limit=None)
    once = np.sort(np.unique(data.paths, return_index=True)[1])
    loader = ImageLoader(storage_options=args.storage_options, verbose=not args.quiet)
    image_problems = loader.verify(data.paths[once])
    image_problems["row"] = data.y.index[once][image_problems["row"]]
    report_problems(image_problems, sys.stdout, limit=None)
    if args.output is not None:
        from skposter import data_report

        data_report(data, args.output, image_problems=image_problems, verbose=int(not args.quiet))
    n_problems = len(data.problems) + len(image_problems)
    print(
        f"{len(data.frame)} rows, {len(data.paths)} images, {len(data.label_names)} labels, "
        f"{n_problems or 'no'} problem{'' if n_problems == 1 else 's'}"
    )
    return 1 if n_problems else 0
