"""``skposter evaluate``: the scores of a model on images that it has not seen."""

from __future__ import annotations

import sys

from skposter.commands._data import add_data_arguments, load_data, report_problems
from skposter.commands._models import TRUSTED_ONLY, load_model
from skposter.commands._scores import (
    per_label_table,
    print_frame,
    print_labels,
    print_scores,
    score_table,
)
from skposter.exceptions import DataError

SUMMARY = "print the scores of a model on labelled images"
DESCRIPTION = (
    "Print the scores of a model beside those of the label frequencies that it was trained on. "
    + TRUSTED_ONLY
)


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument(
        "model", metavar="MODEL", help="file written by skposter train or export (.onnx)"
    )
    add_data_arguments(parser)
    parser.add_argument("--per-label", action="store_true", help="one row a label instead")
    parser.add_argument(
        "--format", choices=("table", "json", "csv"), default="table", help="of the scores"
    )


def run(args):
    """Run the command."""
    data = load_data(args, sys.stderr)  # standard output is for the scores
    if data.split is not None:
        raise DataError(
            f"--split has the subsets {', '.join(data.split)}; say which to score with --subset"
        )
    if not args.quiet:
        report_problems(data.problems)
    model = load_model(args.model, onnx=True)
    model.read_addresses(args.storage_options)
    y = align_labels(data.y, model.label_names, quiet=args.quiet)
    probabilities = model.predict_proba(data.paths, progress=not args.quiet)
    if args.per_label and args.format == "table":
        print_labels(per_label_table(model, y, probabilities))
    elif args.per_label:
        print_frame(per_label_table(model, y, probabilities), args.format)
    elif args.format == "table":
        print_scores(model, y, probabilities)
    else:
        print_frame(score_table(model, y, probabilities), args.format)


def align_labels(y, label_names, *, quiet=False):
    """Return the labels of a table in the order of a model.

    A label that the table does not know has no positives there; one that the model does not know
    cannot be scored, which is told.

    Raises
    ------
    DataError
        If they have no label in common.
    """
    unknown = [name for name in y.columns if name not in label_names]
    if len(unknown) == len(y.columns):
        raise DataError(
            f"the table has the labels {list(y.columns)}, none of which the model knows: it was "
            f"trained on {label_names}"
        )
    if unknown and not quiet:
        print(f"labels that the model does not know, not scored: {unknown}", file=sys.stderr)
    return y.reindex(columns=label_names, fill_value=0)
