"""``skposter predict``: the labels of new images."""

from __future__ import annotations

import csv
import io
import os
import sys

from skposter._files.addresses import is_url, redacted
from skposter.commands import _parts
from skposter.commands._console import json_text, write_data
from skposter.commands._data import json_object
from skposter.commands._models import TRUSTED_ONLY, load_model
from skposter.commands._scores import shortened
from skposter.commands.train import positive_int
from skposter.exceptions import DataError, SkposterError

SOME_FAILED = 1
# Longer names of images would leave no place for labels.
_NAME_WIDTH = 80
_PRINTED_LABELS = 3
_OF_PARTS = ("path_column", "partition_size", "retry_bad", "n_jobs", "engine", "scheduler")

SUMMARY = "print the labels of images"
DESCRIPTION = (
    "Print the most probable labels of each image, and which of all labels reach their threshold. "
    "Images that cannot be read are told on standard error, the others are predicted, and the exit "
    "status is 1. With --images and --output, predict any number of images and write the "
    "probabilities instead. " + TRUSTED_ONLY
)


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument(
        "model", metavar="MODEL", help="file written by skposter train or export (.onnx)"
    )
    images = parser.add_argument(
        "names",
        metavar="IMAGE",
        nargs="+",
        default=[],
        help="an image, or a folder of them; or an address (https://, s3://, gs://) of an image, "
        "or of a folder if it ends in /",
    )
    parser.add_argument(
        "--storage-options",
        metavar="JSON",
        type=json_object,
        help="how addresses are read, as of ImageLoader; other users see it: passwords belong into "
        "the environment or the configuration of fsspec",
    )
    # Not with nargs="*", which takes no image behind an option: predict MODEL -k 2 IMAGE.
    images.required = False
    printed = parser.add_argument_group("a few images", "print the most probable labels of IMAGEs")
    printed.add_argument(
        "-k", type=positive_int, help=f"how many labels to print (default: {_PRINTED_LABELS})"
    )
    printed.add_argument(
        "--format",
        choices=("table", "json", "csv"),
        help="csv has one row per image and label (default: table)",
    )
    _parts.add_arguments(parser, positive_int)


def run(args):
    """Run the command."""
    import numpy as np

    if args.images is not None or args.output is not None:
        return _predict_in_parts(args)
    if not args.names:
        raise SkposterError("the following arguments are required: IMAGE, or --images and --output")
    given = [f"--{name.replace('_', '-')}" for name in _OF_PARTS if getattr(args, name)]
    if given:
        raise SkposterError(f"{given[0]} goes with --images and --output only")
    paths, failures = list_images(args.names, args.storage_options)
    model = load_model(args.model, onnx=True)
    model.read_addresses(args.storage_options)
    try:
        probabilities, unread = model.predict_loadable(
            np.array(paths, dtype=object), progress=not args.quiet
        )
    except ImportError as error:  # an extra is not installed, which the message names
        raise SkposterError(error) from error
    failures += [(path, why) for _, path, why in unread]
    bad = {index for index, _, _ in unread}
    if len(bad) == len(paths):
        raise DataError("; ".join(f"{path}: {why}" for path, why in failures))
    rows = [row for row in range(len(paths)) if row not in bad]
    paths = [paths[row] for row in rows]
    described = describe(model, paths, probabilities[rows], args.k or _PRINTED_LABELS)
    _WRITERS[args.format or "table"](described)
    for path, why in failures:
        print(f"skposter: {path}: {why}", file=sys.stderr)
    return SOME_FAILED if failures else 0


def _predict_in_parts(args):
    given = [args.names and "IMAGE", args.k and "-k", args.format and "--format"]
    if any(given):
        raise SkposterError(f"{next(filter(None, given))} does not go with --images and --output")
    summary = _parts.predict_in_parts(args)
    print(summary)
    return SOME_FAILED if summary.n_bad else 0


def list_images(names, storage_options=None):
    """Return the paths of images; a folder stands for the images in it.

    Parameters
    ----------
    names : list of str
        Paths and addresses.
    storage_options : dict, default=None
        How folders elsewhere are listed.

    Returns
    -------
    paths : list of str
    failures : list of (str, str)
        Names that are no image, and why.

    Raises
    ------
    FileNotFoundError
        If not one of them is there.
    DataError
        If a folder holds no image.
    """
    paths, failures = [], []
    for name in names:
        if is_url(name):
            paths += _list_elsewhere(name, storage_options)
        elif os.path.isdir(name):
            from skposter.datasets import ImageFolder  # imports pandas: not for single images

            found = ImageFolder(name).image_names()
            if not found:
                raise DataError(f"the folder {name!r} holds no image files")
            paths += [os.path.join(name, image) for image in found]
        elif os.path.exists(name):
            paths.append(name)
        else:
            failures.append((name, "there is no such image"))
    if not paths:
        raise FileNotFoundError(f"there is no image {names[0]!r}")
    return paths, failures


def _list_elsewhere(url, storage_options):
    """Return the addresses that one stands for: itself, or images if it ends as folders do."""
    if not url.endswith("/"):
        return [url]
    from skposter.datasets import image_folder

    try:
        found = image_folder(url, storage_options)
    except ImportError as error:  # an extra is not installed, which the message names
        raise SkposterError(error) from error
    paths = found.paths_of(found.image_names())
    if not paths:
        raise DataError(f"the folder {redacted(url)!r} holds no image files")
    return paths


def describe(model, paths, probabilities, k):
    """Return what is known of each image, as lists and dicts.

    Parameters
    ----------
    model : FittedModel
        The model.
    paths : list of str
        The images.
    probabilities : ndarray of shape (n_samples, n_labels)
        What the model predicts for them.
    k : int
        How many of the most probable labels.

    Returns
    -------
    predictions : list of dict
        ``image``, ``labels`` (names at or above their thresholds, most probable first), and
        ``top`` (`k` dicts with ``label``, ``probability``, ``threshold`` and ``predicted``).
    """
    import numpy as np

    decided = model.decide(probabilities)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    predictions = []
    for i, path in enumerate(paths):
        ranked = [
            {
                "label": model.label_names[j],
                "probability": float(probabilities[i, j]),
                "threshold": float(model.thresholds[j]),
                "predicted": bool(decided[i, j]),
            }
            for j in order[i]
        ]
        labels = [entry["label"] for entry in ranked if entry["predicted"]]
        predictions.append({"image": path, "labels": labels, "top": ranked[:k]})
    return predictions


def _write_table(predictions):
    names = [" ".join(prediction["image"].split()) for prediction in predictions]
    width = min(max(map(len, names)), _NAME_WIDTH)
    for name, prediction in zip(names, predictions, strict=True):
        top = "  ".join(f"{_name(e['label'])} {e['probability']:.2f}" for e in prediction["top"])
        labels = ", ".join(map(_name, prediction["labels"])) or "none"
        print(f"{name:<{width}}  {top}  -> {labels}")


def _name(label):
    return shortened(str(label), _NAME_WIDTH)


def _write_json(predictions):
    write_data(json_text(predictions) + "\n")


def _write_csv(predictions):
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")  # which the stream makes that of the platform
    writer.writerow(["image", "rank", "label", "probability", "threshold", "predicted"])
    for prediction in predictions:
        for rank, entry in enumerate(prediction["top"], 1):
            numbers = entry["probability"], entry["threshold"], int(entry["predicted"])
            writer.writerow([prediction["image"], rank, entry["label"], *numbers])
    write_data(file.getvalue())


_WRITERS = {"table": _write_table, "json": _write_json, "csv": _write_csv}
