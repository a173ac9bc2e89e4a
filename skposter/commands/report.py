"""``skposter report``: how good a model is, as a page for people."""

from __future__ import annotations

from skposter.commands._data import add_data_arguments, load_data, report_problems
from skposter.commands._interrupts import raising
from skposter.commands._models import TRUSTED_ONLY, check_output, load_model
from skposter.commands.evaluate import align_labels
from skposter.commands.train import positive_int
from skposter.exceptions import DataError, SkposterError

SUMMARY = "write a page about how good a model is"
DESCRIPTION = (
    "Write one file of HTML about a model and labelled images that it has not seen: a verdict "
    "beside the label frequencies, scores with intervals, each label, curves, the worst mistakes "
    "and the surest hits with heat maps, problems of the data. " + TRUSTED_ONLY
)


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument("model", metavar="MODEL", help="file written by skposter train")
    add_data_arguments(parser)
    parser.add_argument(
        "-o", "--output", metavar="FILE", default="report.html", help="the page to write"
    )
    parser.add_argument("--title", default="How good is the model?", help="of the page")
    parser.add_argument("--n-images", type=positive_int, default=72, help="images to show at most")
    parser.add_argument(
        "--no-heat-maps", action="store_true", help="leave out where the model looks"
    )
    parser.add_argument("--random-state", type=int, default=0, help="seed of the intervals")


def run(args):
    """Run the command."""
    from skposter._report import report

    check_output(args.output, (".html", ".htm"))  # better now than after everything is computed
    data = load_data(args)
    if data.split is not None:
        raise DataError(
            f"--split has the subsets {', '.join(data.split)}; say which to score with --subset"
        )
    if not args.quiet:
        report_problems(data.problems)
    model = load_model(args.model)
    model.read_addresses(args.storage_options)
    try:
        page = report(
            model.pipeline,
            data.paths,
            align_labels(data.y, model.label_names, quiet=args.quiet),
            title=args.title,
            problems=data.problems,
            model_path=args.model,
            n_images=args.n_images,
            heat_maps=not args.no_heat_maps,
            random_state=args.random_state,
            verbose=int(not args.quiet),
        )
    except ImportError as error:  # an extra is not installed, which the message names
        raise SkposterError(error) from error
    with raising():  # so that no partial file stays
        page.save(args.output)
    print(*page.verdict, sep="\n")
    print(f"\nwrote {args.output}")
