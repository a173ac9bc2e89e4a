"""``skposter train``: a table of labels and a folder in, a trained pipeline on disk out."""

from __future__ import annotations

import argparse
import json
import warnings

from skposter.commands._data import (
    add_data_arguments,
    load_data,
    own_split,
    report_problems,
)
from skposter.commands._models import (
    TRUSTED_ONLY,
    FittedModel,
    check_writable,
    save_model,
    set_verbose,
)
from skposter.commands._scores import print_scores

SUMMARY = "train a model on a table of labels and a folder of images"
DESCRIPTION = (
    "Train a network on the images that a table labels, print its scores on the part that is set "
    "aside beside those of the label frequencies, and write the pipeline. "
    "Ctrl-C ends the training early and keeps what was learned. " + TRUSTED_ONLY
)


def add_arguments(parser):
    """Add the arguments of the command."""
    add_data_arguments(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="MODEL",
        required=True,
        help="file to write, such as model.joblib or, without code in it, model.skposter",
    )
    images = parser.add_argument_group("images")
    images.add_argument(
        "--size",
        nargs=2,
        type=positive_int,
        default=(128, 96),
        metavar=("HEIGHT", "WIDTH"),
        help="pixels that images are scaled to",
    )
    images.add_argument(
        "--lazy", action="store_true", help="decode in each epoch: for images that fill the memory"
    )
    training = parser.add_argument_group("training")
    training.add_argument(
        "--network",
        type=network,
        default="small_cnn",
        metavar="NAME",
        help="small_cnn, tutorial, or one of keras.applications, such as mobilenet",
    )
    training.add_argument(
        "--weights",
        default="imagenet",
        metavar="FILE",
        help="what a network of keras.applications starts from: a file, or imagenet to download",
    )
    training.add_argument("--epochs", type=positive_int, default=20, help="at most so many")
    training.add_argument("--batch-size", type=positive_int, default=32, help="images in a batch")
    training.add_argument(
        "--learning-rate", type=float, metavar="RATE", help="in place of the network's usual one"
    )
    training.add_argument(
        "--validation-fraction",
        type=float,
        default=0.1,
        help="share of the images set aside for scores, early stopping and the threshold",
    )
    training.add_argument(
        "--early-stopping",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="keep the epoch with the best validation loss, stop 10 epochs after it",
    )
    training.add_argument(
        "--threshold",
        type=threshold,
        default="f1_micro",
        metavar="CUT",
        help="a number, or what it is chosen for on the validation part: f1_micro, f1_macro, "
        "f1_samples, hamming, cardinality, 'precision>=0.8', ...",
    )
    training.add_argument("--random-state", type=int, metavar="SEED", help="for equal results")
    training.add_argument(
        "--set",
        type=parameter,
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="any other parameter of MultiLabelImageClassifier, its value as JSON or text: "
        "dropout=0.4 augmentation=strong 'network_params={\"alpha\": 0.25}'",
    )


def run(args):
    """Run the command."""
    check_arguments(args)
    check_writable(args.output)
    data = load_data(args)
    parts = own_split(data) or split_by_groups(data, args)
    if not args.quiet:
        report_problems(data.problems)
        print(f"{len(data.paths)} images, {len(data.label_names)} labels")
    pipeline = build_pipeline(args)
    interrupted = fit(pipeline, data, parts)
    print_validation_scores(pipeline, data, parts)
    set_verbose(pipeline, 0)
    save_model(pipeline, args.output)
    n_epochs = pipeline[-1].n_iter_
    print(f"{n_epochs} epoch{'' if n_epochs == 1 else 's'}, model written to {args.output}")
    return 130 if interrupted else 0


def check_arguments(args):
    """Refuse what would fail only after the training."""
    if args.validation_fraction == 0 and (args.early_stopping or isinstance(args.threshold, str)):
        raise ValueError(
            "--validation-fraction 0 leaves nothing to choose an epoch or a threshold on; add "
            "--no-early-stopping --threshold 0.5"
        )


def build_pipeline(args):
    """Return the pipeline that the arguments describe, not fitted."""
    from sklearn.pipeline import Pipeline

    from skposter import ImageLoader, MultiLabelImageClassifier

    pipeline = Pipeline(
        [
            (
                "loader",
                ImageLoader(size=tuple(args.size), lazy=args.lazy, verbose=int(not args.quiet)),
            ),
            (
                "classifier",
                MultiLabelImageClassifier(
                    args.network,
                    weights=args.weights,
                    epochs=args.epochs,
                    batch_size=args.batch_size,
                    learning_rate=args.learning_rate,
                    validation_fraction=args.validation_fraction,
                    early_stopping=args.early_stopping,
                    threshold=args.threshold,
                    random_state=args.random_state,
                    verbose=int(not args.quiet),
                ),
            ),
        ]
    )
    pipeline[-1].set_params(**dict(args.set))
    return pipeline


def split_by_groups(data, args):
    """Return training and validation rows that tear no group apart, if groups are named."""
    from skposter.model_selection import stratified_holdout

    if data.groups is None or not args.validation_fraction:
        return None
    return stratified_holdout(
        data.y, args.validation_fraction, args.random_state, groups=data.groups
    )


def fit(pipeline, data, parts=None):
    """Fit the pipeline, on training and validation rows if they are given.

    Returns whether Ctrl-C ended the training after at least one epoch.
    """
    paths, y, given = data.paths, data.y, {}
    if parts is not None:
        training, validation = parts
        given = {
            "classifier__X_val": pipeline[:-1].fit_transform(paths[validation]),
            "classifier__y_val": y.iloc[validation],
        }
        paths, y = paths[training], y.iloc[training]
    interrupted = False
    with warnings.catch_warnings():
        show = warnings.showwarning

        def notice(message, *args, **kwargs):
            nonlocal interrupted
            if "interrupted by user" in str(message):
                interrupted = True
            show(message, *args, **kwargs)

        warnings.showwarning = notice
        pipeline.fit(paths, y, **given)
    if interrupted and not pipeline[-1].n_iter_:
        raise KeyboardInterrupt
    return interrupted


def print_validation_scores(pipeline, data, parts=None):
    """Print the scores on the validation part, if there is one."""
    rows = pipeline[-1].validation_indices_ if parts is None else parts[1]
    if not len(rows):
        return
    model = FittedModel.of(pipeline)
    probabilities = model.predict_proba(data.paths[rows])
    print(f"validation part, {len(rows)} images (it also chose the epoch and the threshold):")
    print_scores(model, data.y.iloc[rows], probabilities)


def network(text):
    """Parse the name of a network."""
    from skposter._estimators.spelling import did_you_mean
    from skposter.networks import NETWORKS

    if text not in NETWORKS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not known.{did_you_mean(text, NETWORKS)} Known: {', '.join(NETWORKS)}"
        )
    return text


def parameter(text):
    """Parse ``NAME=VALUE``; a value that is no JSON is text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def positive_int(text):
    """Parse a whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def threshold(text):
    """Parse a number or the name of an objective."""
    from skposter.thresholds import parse_objective

    try:
        return float(text)
    except ValueError:
        pass
    try:
        parse_objective(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text
