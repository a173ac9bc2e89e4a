"""What ``skposter predict`` does with --images and --output: predictions in parts, as Parquet."""

from __future__ import annotations

from skposter.exceptions import SkposterError

__all__ = ["add_arguments", "predict_in_parts"]


def add_arguments(parser, positive_int):
    """Add the options, in a group of their own."""
    group = parser.add_argument_group(
        "many images",
        "write the probability of each label as Parquet, part by part; called again, it goes on "
        "where it stopped",
    )
    group.add_argument(
        "--images",
        metavar="LIST",
        help="text file with a path a line, folder of images, or Parquet with a column of paths",
    )
    group.add_argument("--output", metavar="DIR", help="folder for the parts, and for bad images")
    group.add_argument(
        "--path-column", metavar="NAME", help="column with the paths (default: path)"
    )
    group.add_argument(
        "--partition-size", metavar="N", type=positive_int, help="images a part (default: 4096)"
    )
    group.add_argument(
        "--retry-bad", action="store_true", help="try images again that could not be read before"
    )
    group.add_argument(
        "--n-jobs", metavar="N", type=positive_int, help="processes on this machine (default: 1)"
    )
    group.add_argument("--engine", choices=("dask",), help="a cluster in place of this machine")
    group.add_argument("--scheduler", metavar="ADDRESS", help="of Dask, such as tcp://host:8786")


def predict_in_parts(args):
    """Run it; return the summary.

    Raises
    ------
    SkposterError
        If something is not as it should be.
    """
    from skposter.distributed import predict

    if args.images is None or args.output is None:
        raise SkposterError(
            "--images and --output belong together: the list of images, and the folder for their "
            "predictions"
        )
    if (args.engine is None) != (args.scheduler is None):
        raise SkposterError("--engine dask and --scheduler ADDRESS belong together")
    try:
        return predict(
            args.model,
            args.images,
            args.output,
            client=args.scheduler,
            n_jobs=args.n_jobs,
            partition_size=args.partition_size,
            path_column=args.path_column or "path",
            retry_bad=args.retry_bad,
            storage_options=args.storage_options,
            verbose=0 if args.quiet else 1,
        )
    except ModuleNotFoundError:
        raise
    except ImportError as error:  # an extra is not installed, which the message names
        raise SkposterError(error) from error
