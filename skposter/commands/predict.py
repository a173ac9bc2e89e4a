"""``skposter predict``: the labels of new images."""

from __future__ import annotations

import csv
import json
import os
import sys

from skposter.commands._models import TRUSTED_ONLY, load_model
from skposter.commands.train import positive_int
from skposter.exceptions import DataError

SUMMARY = "print the labels of images"
DESCRIPTION = (
    "Print the most probable labels of each image, and which of all labels reach their threshold. "
    + TRUSTED_ONLY
)


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument("model", metavar="MODEL", help="file written by skposter train")
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="an image, or a folder of them")
    parser.add_argument(
        "-k", type=positive_int, default=3, help="how many of the most probable labels to print"
    )
    parser.add_argument(
        "--format",
        choices=("table", "json", "csv"),
        default="table",
        help="csv has one row per image and label",
    )


def run(args):
    """Run the command."""
    import numpy as np

    paths = list_images(args.images)
    model = load_model(args.model)
    probabilities = model.predict_proba(np.array(paths), progress=not args.quiet)
    predictions = describe(model, paths, probabilities, args.k)
    _WRITERS[args.format](predictions)


def list_images(names):
    """Return the paths of images; a folder stands for the images in it.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataError
        If a folder holds no image.
    """
    from skposter.datasets import ImageFolder

    paths = []
    for name in names:
        if not os.path.isdir(name):
            if not os.path.exists(name):
                raise FileNotFoundError(f"there is no image {name!r}")
            paths.append(name)
            continue
        found = ImageFolder(name).image_names()
        if not found:
            raise DataError(f"the folder {name!r} holds no image files")
        paths += [os.path.join(name, image) for image in found]
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
    width = max(len(prediction["image"]) for prediction in predictions)
    for prediction in predictions:
        top = "  ".join(f"{e['label']} {e['probability']:.2f}" for e in prediction["top"])
        labels = ", ".join(map(str, prediction["labels"])) or "none"
        print(f"{prediction['image']:<{width}}  {top}  -> {labels}")


def _write_json(predictions):
    json.dump(predictions, sys.stdout, indent=2, ensure_ascii=False)
    print()


def _write_csv(predictions):
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["image", "rank", "label", "probability", "threshold", "predicted"])
    for prediction in predictions:
        for rank, entry in enumerate(prediction["top"], 1):
            writer.writerow(
                [
                    prediction["image"],
                    rank,
                    entry["label"],
                    entry["probability"],
                    entry["threshold"],
                    int(entry["predicted"]),
                ]
            )


_WRITERS = {"table": _write_table, "json": _write_json, "csv": _write_csv}
