"""``skposter train``: a table of labels and a folder in, a trained pipeline on disk out."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys

from skposter.commands._data import (
    add_data_arguments,
    load_data,
    own_split,
    report_problems,
)
from skposter.commands._interrupts import INTERRUPTED, held, raising
from skposter.commands._models import (
    SAFE_ENDING,
    TRUSTED_ENDINGS,
    TRUSTED_ONLY,
    FittedModel,
    check_output,
    save_somewhere,
    set_verbose,
)
from skposter.commands._scores import print_scores

SUMMARY = "train a model on a table of labels and a folder of images"
DESCRIPTION = (
    "Train a network on the images that a table labels, print its scores on the images that are "
    "set aside beside those of the label frequencies, and write the pipeline. "
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
        "--on-error",
        choices=("raise", "blank"),
        default="raise",
        help="what an image that cannot be loaded does: end the training before it begins, or be "
        "replaced by a grey one",
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
        help="small_cnn, tutorial, one of keras.applications, such as mobilenet, or "
        "keras_hub:PRESET",
    )
    training.add_argument(
        "--weights",
        metavar="FILE",
        help="what a network of keras.applications starts from, in place of weights to download",
    )
    training.add_argument(
        "--head",
        choices=("logistic",),
        help="leave a network of keras.applications as it is and solve its last layer as logistic "
        "regression: minutes on a processor, however large the network",
    )
    training.add_argument(
        "--epochs",
        type=positive_int,
        help="at most so many; as many as the network is best trained for if not given",
    )
    training.add_argument("--batch-size", type=positive_int, help="images in a batch")
    training.add_argument(
        "--learning-rate",
        type=float,
        metavar="RATE",
        help="in place of the network's usual one",
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
        default=False,
        help="keep the epoch with the best validation loss, stop 10 epochs after it",
    )
    training.add_argument(
        "--threshold",
        type=threshold,
        default=0.5,
        metavar="THRESHOLD",
        help="a number, or what it is chosen for on the images set aside: f1_micro, f1_macro, "
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
        help="any other parameter of MultiLabelImageClassifier or, with network__, of the network; "
        "its value as JSON or text: augmentation=strong network__dropout=0.5 "
        "'network__builder_params={\"alpha\": 0.25}'",
    )


def run(args):
    """Run the command."""
    check_arguments(args)
    check_output(args.output, (*TRUSTED_ENDINGS, SAFE_ENDING))
    data = load_data(args)
    split = own_split(data) or split_by_groups(data, args)
    if not args.quiet:
        report_problems(data.problems)
        print(f"{len(data.paths)} images, {len(data.label_names)} labels")
    pipeline = build_pipeline(args)
    if os.path.splitext(args.output)[1] == SAFE_ENDING:
        from skposter.persistence import check_savable

        check_savable(pipeline)
    path, interrupted = fit_and_save(pipeline, data, split, args.output)
    n_epochs = pipeline[-1].n_iter_
    try:
        print_validation_scores(pipeline, data, split)
    finally:  # whatever happens, the model is there
        if interrupted:
            print("skposter: interrupted; what was learned is kept", file=sys.stderr)
        print(f"{n_epochs} epoch{'' if n_epochs == 1 else 's'}, model written to {path}")
    if path != args.output:
        return 2
    return INTERRUPTED if interrupted else 0


def fit_and_save(pipeline, data, split, path):
    """Train and write the pipeline, also if Ctrl-C ends the training.

    Returns
    -------
    path : str
        Where the model is.
    interrupted : bool

    Raises
    ------
    KeyboardInterrupt
        If nothing had been learned by then.
    """
    interrupted = False
    with held() as late:  # in force once `raising` is over
        try:
            with raising():
                fit(pipeline, data, split)
        except KeyboardInterrupt:
            if not getattr(pipeline[-1], "n_iter_", 0):
                raise
            interrupted = True
        set_verbose(pipeline, 0)
        path = save_somewhere(pipeline, path)
    return path, interrupted or late.pressed


def check_arguments(args):
    """Refuse what would fail only after the training."""
    if args.head is not None and (args.epochs or args.learning_rate or args.early_stopping):
        raise ValueError(
            "--head logistic is solved at once, so --epochs, --learning-rate and --early-stopping "
            "have no meaning; leave them out"
        )
    if args.validation_fraction == 0 and (args.early_stopping or isinstance(args.threshold, str)):
        raise ValueError(
            "--validation-fraction 0 leaves nothing to choose an epoch or a threshold on; leave "
            "out --early-stopping, and give --threshold a number"
        )


def build_pipeline(args):
    """Return the pipeline that the arguments describe, not fitted."""
    from sklearn.pipeline import Pipeline

    from skposter import ImageLoader, MultiLabelImageClassifier

    pipeline = Pipeline(
        [
            (
                "loader",
                ImageLoader(
                    size=tuple(args.size),
                    on_error=args.on_error,
                    lazy=args.lazy,
                    storage_options=args.storage_options,
                    verbose=int(not args.quiet),
                ),
            ),
            (
                "classifier",
                MultiLabelImageClassifier(
                    network_from(args),
                    epochs=args.epochs or "auto",
                    batch_size=args.batch_size or "auto",
                    learning_rate="auto" if args.learning_rate is None else args.learning_rate,
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


def fit(pipeline, data, split):
    """Fit the pipeline, on training and validation rows if they are given."""
    paths, y, given = data.paths, data.y, {}
    if split is not None:
        training, validation = split
        given = {
            "classifier__X_val": pipeline[:-1].fit_transform(paths[validation]),
            "classifier__y_val": y.iloc[validation],
        }
        paths, y = paths[training], y.iloc[training]
    pipeline.fit(paths, y, **given)


def print_validation_scores(pipeline, data, split=None):
    """Print the scores on the validation images, if there are some."""
    classifier = pipeline[-1]
    rows = classifier.validation_indices_ if split is None else split[1]
    if not len(rows):
        return
    model = FittedModel.of(pipeline)
    probabilities = model.predict_proba(data.paths[rows])
    chosen = ["the epoch"] if classifier.early_stopping else []
    chosen += ["the threshold"] if isinstance(classifier.threshold, str) else []
    used = f", which also chose {' and '.join(chosen)}" if chosen else ""
    print(f"{len(rows)} images set aside{used}:")
    print_scores(model, data.y.iloc[rows], probabilities)


def network_from(args):
    """Return the network object that the arguments name."""
    from skposter.networks import Pretrained, as_network

    network = as_network(args.network)
    params = {}
    if args.weights is not None:
        params["weights"] = args.weights
    if args.head is not None:
        params.update(head=args.head, fine_tune="none")
    if params and not isinstance(network, Pretrained):
        option = "--weights" if args.head is None else "--head"
        raise ValueError(
            f"{option} belongs to networks of keras.applications, such as --network mobilenet, and "
            f"--network {args.network} starts from random weights"
        )
    return network.set_params(**params)


def network(text):
    """Parse the name of a network."""
    from skposter._estimators.spelling import did_you_mean
    from skposter.networks import NETWORKS

    if text not in NETWORKS and not text.startswith("keras_hub:"):
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
    with contextlib.suppress(ValueError):
        if int(text) > 0:
            return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no positive whole number")


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
