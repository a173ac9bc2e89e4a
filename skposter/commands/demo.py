"""``skposter demo``: the whole job on drawn posters, from CSV to a reloaded model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from functools import partial

from skposter.commands._interrupts import raising
from skposter.commands._models import (
    TRUSTED_ENDINGS,
    FittedModel,
    check_output,
    save_model,
    set_verbose,
)
from skposter.commands._scores import print_scores
from skposter.commands.predict import describe
from skposter.commands.train import positive_int
from skposter.exceptions import SkposterError

SUMMARY = "draw posters, train on them, print scores, save and reload the model"
DESCRIPTION = (
    "Draw posters whose genres can be seen, train on most of them, print the scores on the others "
    "beside those of the label frequencies, save the model, load it in a new process and compare "
    "its predictions, and write a picture of some posters with their labels."
)
N_SHOWN = 8


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument("--out-dir", metavar="DIR", default="skposter-demo", help="what it writes")
    parser.add_argument("--n-posters", type=positive_int, default=1200, help="how many to draw")
    parser.add_argument("--seed", type=int, default=0, help="decides everything")


def run(args):
    """Run the command."""
    with raising():  # so that half of a file goes
        _run(args)


def _run(args):
    if args.n_posters < 60:
        raise ValueError(f"--n-posters {args.n_posters} are too few to learn from; 60 at least")
    start = time.monotonic()
    from skposter.datasets import make_posters
    from skposter.model_selection import multilabel_train_test_split

    os.makedirs(args.out_dir, exist_ok=True)
    model_path = os.path.join(args.out_dir, "model.joblib")
    check_output(model_path, TRUSTED_ENDINGS)
    data = make_posters(
        args.n_posters,
        out_dir=os.path.join(args.out_dir, "posters"),
        random_state=args.seed,
        verbose=int(not args.quiet),
    )
    paths, test_paths, y, y_test = multilabel_train_test_split(
        data.paths, data.y, test_size=1 / 6, random_state=args.seed
    )
    print(f"{len(paths)} posters to train on, {len(test_paths)} to test, {y.shape[1]} labels")
    pipeline = build_pipeline(args).fit(paths, y)
    set_verbose(pipeline, 0)
    save_model(pipeline, model_path)
    model = FittedModel.of(pipeline)
    probabilities = model.predict_proba(test_paths)

    print(f"\nScores on the {len(test_paths)} test posters:\n")
    print_scores(model, y_test, probabilities)

    shown = test_paths[:N_SHOWN].tolist()
    predictions = describe(model, shown, probabilities[:N_SHOWN], k=3)
    true_labels = [list(y_test.columns[row == 1]) for row in y_test.to_numpy()[:N_SHOWN]]
    print("\nThe three most probable labels of some of them:\n")
    print_beside_truth(predictions, true_labels)

    compare_in_new_process(model_path, test_paths.tolist(), model.label_names, probabilities)
    print(f"\n{model_path}: predicts the same in a new process")
    picture = os.path.join(args.out_dir, "posters.png")
    draw_picture(picture, predictions, true_labels)
    print(f"{picture}: the posters above with their labels")
    print(f"finished after {time.monotonic() - start:.0f} s")


def build_pipeline(args):
    """Return the pipeline of the demo, not fitted."""
    from sklearn.pipeline import Pipeline

    from skposter import ImageLoader, MultiLabelImageClassifier
    from skposter.networks import SmallCNN

    verbose = int(not args.quiet)
    return Pipeline(
        [
            ("loader", ImageLoader(size=(96, 64), verbose=verbose)),
            (
                "classifier",
                MultiLabelImageClassifier(
                    # A genre of a drawn poster is one small silhouette.
                    SmallCNN(filters=(32, 64, 128), pooling="max", dropout=0.0),
                    augmentation="none",  # it pays in long trainings only
                    epochs=12,
                    learning_rate=2e-3,
                    threshold="f1_micro",
                    random_state=args.seed,
                    verbose=verbose,
                ),
            ),
        ]
    )


def print_beside_truth(predictions, true_labels):
    """Print one line an image: its name, the most probable labels, the true ones."""
    lines = []
    for prediction, truth in zip(predictions, true_labels, strict=True):
        top = "  ".join(f"{e['label']} {e['probability']:.2f}" for e in prediction["top"])
        lines.append((os.path.basename(prediction["image"]), top, ", ".join(truth)))
    widths = [max(len(line[column]) for line in lines) for column in range(2)]
    for name, top, truth in lines:
        print(f"{name:<{widths[0]}}  {top:<{widths[1]}}  true: {truth}")


def compare_in_new_process(model_path, paths, label_names, probabilities):
    """Load the model in a new process and compare what it predicts.

    Raises
    ------
    SkposterError
        If a probability differs, in any bit.
    """
    command = [sys.executable, "-m", "skposter", "predict", model_path, *paths]
    done = subprocess.run(
        [*command, f"-k{len(label_names)}", "--format=json", "--quiet"],
        capture_output=True,  # what it says of Ctrl-C, this process says too
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    if done.returncode:
        raise SkposterError(
            f"the new process ended with exit status {done.returncode}: {done.stderr}"
        )
    for row, prediction in zip(probabilities, json.loads(done.stdout), strict=True):
        reloaded = {entry["label"]: entry["probability"] for entry in prediction["top"]}
        if [reloaded[name] for name in label_names] != row.tolist():
            raise SkposterError(f"the reloaded model predicts {prediction['image']} differently")


def draw_picture(path, predictions, true_labels):
    """Write a picture of the images with their true and their most probable labels."""
    from PIL import Image

    from skposter._files.durable import write_durably
    from skposter.display import draw_label_grid

    images = []
    for prediction in predictions:
        with Image.open(prediction["image"]) as image:
            images.append(image.convert("RGB"))
    told = ("label", "probability", "threshold", "predicted")
    top = [[tuple(entry[name] for name in told) for entry in p["top"]] for p in predictions]
    picture = draw_label_grid(images, true_labels, top, columns=4)
    write_durably(path, partial(picture.save, format="PNG"))
