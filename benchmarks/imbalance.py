"""Rare labels: what thresholds, weights, losses and more images do for them.

Drawn posters whose twelve genres go from nearly every second poster to one in twenty-five. Each way
is trained and decided on its own part and scored on the same other posters.

    python benchmarks/imbalance.py [--n-posters 1800] [--seeds 0 1 2] [--out FILE]
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
from skposter.metrics import label_report, score_summary
from skposter.networks import SmallCNN

N_RARE = 4
# What is trained, and with which thresholds it is scored.
WAYS = {
    "cross-entropy": ({}, (0.5, "f1_macro")),
    '`pos_weight="balanced"`': ({"pos_weight": "balanced"}, (0.5, "f1_macro")),
    '`loss="focal"`': ({"loss": "focal"}, (0.5, "f1_macro")),
    '`loss="asymmetric"`': ({"loss": "asymmetric"}, (0.5, "f1_macro")),
    '`loss="dice"`': ({"loss": "dice"}, (0.5, "f1_macro")),
}
SHARES = (0.25, 0.5)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--n-posters", type=int, default=1800)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out")
    options = parser.parse_args()
    warnings.simplefilter("ignore", LabelWarning)
    with tempfile.TemporaryDirectory() as folder:
        data = make_posters(
            options.n_posters, random_state=0, size=(120, 80), out_dir=Path(folder) / "posters"
        )
        X = ImageLoader(size=(64, 48)).transform(data.paths)
    n_train = options.n_posters * 2 // 3
    rare = data.y[:n_train].mean().sort_values().index[:N_RARE]
    found: dict = {}
    for seed in options.seeds:
        for name, (parameters, thresholds) in WAYS.items():
            score(found, name, parameters, thresholds, X, data.y, n_train, rare, seed, options)
        for share in SHARES:
            name = f"cross-entropy, {share:.0%} of the posters"
            rows = int(share * n_train)
            score(
                found, name, {}, ("f1_macro",), X, data.y, n_train, rare, seed, options, rows=rows
            )
    names = ["BCE", "macro F1", "F1 of the rare", "their recall", "their AP", "labels an image"]
    _report.write(
        options.out,
        "# Rare labels",
        f"{n_train} drawn posters to train on, {options.n_posters - n_train} others to score, "
        f"which carry {data.y[n_train:].to_numpy().sum(axis=1).mean():.2f} labels each; the "
        f"{N_RARE} rarest of the {data.y.shape[1]} labels ({', '.join(rare)}) are on "
        f"{data.y[rare][:n_train].mean().min():.1%} to {data.y[rare][:n_train].mean().max():.1%} "
        "of the posters. Thresholds for macro F1 are chosen on a fifth of the training posters. "
        f"{options.epochs} epochs; mean and standard deviation over {len(options.seeds)} seeds. "
        "BCE is that of the probabilities; AP, average precision, depends on no threshold.",
        _report.table(
            ["trained with", "threshold", *names],
            [
                [*key, *(_report.mean_and_spread([row[i] for row in rows]) for i in range(6))]
                for key, rows in found.items()
            ],
        ),
    )


def score(found, name, parameters, thresholds, X, y, n_train, rare, seed, options, rows=None):
    rows = n_train if rows is None else rows
    classifier = MultiLabelImageClassifier(
        SmallCNN(filters=(16, 32, 64), pooling="max", dropout=0.0),
        augmentation="none",
        epochs=options.epochs,
        batch_size=16,
        learning_rate=3e-3,
        validation_fraction=0.2,
        random_state=seed,
        **parameters,
    ).fit(X[:rows], y[:rows])
    probabilities, truth = classifier.predict_proba(X[n_train:]), y[n_train:]
    for threshold in thresholds:
        classifier.set_params(threshold=threshold)
        decided = classifier.predict(X[n_train:])
        scores = score_summary(truth, probabilities, decided)["model"]
        chosen = np.broadcast_to(classifier.thresholds_, y.shape[1])
        report = label_report(truth, probabilities, chosen).loc[rare]
        found.setdefault((name, threshold), []).append(
            [
                scores["binary_crossentropy"],
                scores["f1_macro"],
                report["f1"].mean(),
                report["recall"].mean(),
                report["average_precision"].mean(),
                scores["labels_per_image"],
            ]
        )


if __name__ == "__main__":
    main()
