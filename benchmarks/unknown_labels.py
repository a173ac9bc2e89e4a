"""Labels of which a share is unknown: left out (NaN), filled in as zeros, and all known.

A fifth of the labels of drawn posters is hidden at random. All networks are scored on other posters
with all labels known.

    python benchmarks/unknown_labels.py [--n-posters 900] [--seeds 0 1 2] [--out FILE]
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from pathlib import Path

import _report
import numpy as np

from skposter import ImageLoader, MultiLabelImageClassifier
from skposter.datasets import make_posters
from skposter.exceptions import LabelWarning
from skposter.metrics import score_summary
from skposter.networks import SmallCNN

SHARE = 0.2
WAYS = {
    "all labels known": lambda y, hidden: y,
    "unknown labels left out (NaN)": lambda y, hidden: np.where(hidden, np.nan, y),
    "unknown labels filled in with 0": lambda y, hidden: np.where(hidden, 0, y),
}
SCORES = {
    "binary_crossentropy": "BCE",
    "skill": "D2",
    "mean_average_precision": "mAP",
    "labels_per_image": "expected labels an image",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--n-posters", type=int, default=900)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out")
    options = parser.parse_args()
    warnings.simplefilter("ignore", LabelWarning)
    with tempfile.TemporaryDirectory() as folder:
        data = make_posters(options.n_posters, random_state=0, out_dir=Path(folder) / "posters")
        X = ImageLoader(size=(96, 64)).transform(data.paths)
    y = data.y.to_numpy().astype(float)
    n_train = options.n_posters * 2 // 3
    rows = {way: [] for way in WAYS}
    for seed in options.seeds:
        hidden = np.random.default_rng(seed).random(y.shape) < SHARE
        for way, labels in WAYS.items():
            network = SmallCNN(filters=(32, 64, 128), pooling="max", dropout=0.0)
            classifier = MultiLabelImageClassifier(
                network,
                augmentation="none",
                epochs=12,
                learning_rate=2e-3,
                validation_fraction=0,
                random_state=seed,
            ).fit(X[:n_train], labels(y, hidden)[:n_train])
            probabilities = classifier.predict_proba(X[n_train:])
            scores = score_summary(
                y[n_train:],
                probabilities,
                label_frequencies=y[:n_train].mean(axis=0),
            )["model"].to_dict()
            scores["labels_per_image"] = probabilities.sum(axis=1).mean()
            rows[way].append(scores)
    _report.write(
        options.out,
        "# Unknown labels",
        f"{n_train} drawn posters to train on, {options.n_posters - n_train} others to score, "
        f"{SHARE:.0%} of the training labels hidden at random; mean and standard deviation over "
        f"{len(options.seeds)} seeds. The scored posters have {y[n_train:].sum(axis=1).mean():.2f} "
        "labels each.",
        _report.table(
            ["labels", *SCORES.values()],
            [
                [way, *(_report.mean_and_spread([s[name] for s in found]) for name in SCORES)]
                for way, found in rows.items()
            ],
        ),
    )


if __name__ == "__main__":
    main()
