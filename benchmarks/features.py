"""Features of networks that others have trained, under classifiers of scikit-learn and our own.

    python benchmarks/features.py --train train.csv --val val.csv --images Images \
        --weights mobilenet_2_5_224_tf_no_top.h5 \
        [--lite-weights efficientnet-lite0-57934424.pth] [--out docs/benchmarks/features.md]

Each network's features are computed once, into a folder; each classifier is trained on them and
scored on --val. What a classifier has to choose (the penalty, the number of neighbours) is chosen
on a tenth of --train. "Solved head" is `Pretrained(fine_tune="none", head="logistic")`, "trained
head" `Pretrained(fine_tune="none")`, both from images to probabilities.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from types import SimpleNamespace

import _report
import numpy as np
from _efficientnet_lite import EfficientNetLite0
from poster_rows import LARGE, read_posters
from posters import RULES, SCORES, scores_of
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from skposter import ImageFeatures, ImageLoader, MultiLabelImageClassifier
from skposter._labels.probabilities import label_scores
from skposter.metrics import binary_crossentropy
from skposter.model_selection import stratified_holdout
from skposter.networks import Pretrained

COLUMNS = ["BCE", "LRAP", "mAP", "micro F1", "macro F1"]
EXPLANATION = """\
Trained on train.csv, scored on the 998 posters of val.csv at 224 x 160 pixels; thresholds as in
[the poster benchmark](posters.md), chosen on val.csv, so F1 flatters. Seconds are those of the
processor, of both cores together. "Features, s" is what computing the features of all posters
takes, reading the files included; it is paid once, whatever is tried behind it. "Head, s" is what
choosing, fitting and predicting take then; for the heads inside the classifier it is everything.
Labels that all or none of the training posters have get their frequency."""


def heads():
    """Return name -> list of candidates for each classifier of scikit-learn."""
    return {
        "logistic regression": [
            make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression(C=c)))
            for c in (1e-3, 3e-3)
        ],
        "k nearest neighbours": [
            make_pipeline(Normalizer(), KNeighborsClassifier(k, weights="distance"))
            for k in (50, 150)
        ],
        "random forest": [
            RandomForestClassifier(300, min_samples_leaf=leaf, n_jobs=-1, random_state=0)
            for leaf in (5,)
        ],
        "classifier chain": [
            make_pipeline(
                StandardScaler(), ClassifierChain(LogisticRegression(C=c), random_state=0)
            )
            for c in (1e-3,)
        ],
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("train", "val", "images", "weights"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--lite-weights")
    parser.add_argument("--out")
    options = parser.parse_args()
    data = read_posters(SimpleNamespace(**vars(options), test=None))
    networks = {
        "MobileNet 0.25": Pretrained(
            "mobilenet", weights=options.weights, builder_params={"alpha": 0.25}
        )
    }
    if options.lite_weights:
        networks["EfficientNet-Lite0"] = EfficientNetLite0(
            "efficientnet_lite0", weights=options.lite_weights
        )
    rows = []
    with tempfile.TemporaryDirectory() as memory:
        for name, network in networks.items():
            rows += rows_of(name, network, data, memory)
    header = ["network", "head", "features, s", "head, s", "skill", *COLUMNS]
    _report.write(
        options.out,
        "# Features and what stands on them",
        EXPLANATION,
        _report.table(header, rows),
    )


def rows_of(name, network, data, memory):
    started = time.process_time()
    pipeline = make_pipeline(
        ImageLoader(size=LARGE, lazy=True), ImageFeatures(network, memory=memory, verbose=1)
    )
    X = {part: pipeline.transform(bunch.paths) for part, bunch in data.items()}
    seconds = time.process_time() - started
    print(f"{name}: {X['train'].shape[1]} features in {seconds:.0f} s", flush=True)
    y = data["train"].y.to_numpy()
    rows = []
    for head, candidates in heads().items():
        started = time.process_time()
        best = chosen(candidates, X["train"], y)
        probabilities = predicted(best, X["train"], y, X["val"])
        rows.append((name, head, seconds, time.process_time() - started, probabilities))
        print(head, flush=True)
    images = {part: ImageLoader(size=LARGE).transform(bunch.paths) for part, bunch in data.items()}
    ours = {"solved head": {"head": "logistic"}, "trained head": {"head": "trained"}}
    for head, params in ours.items():
        params = {**network.get_params(), **params, "fine_tune": "none"}
        classifier = MultiLabelImageClassifier(
            type(network)(**params), epochs=20, learning_rate=1e-3, tta="none", random_state=0
        )
        started = time.process_time()
        probabilities = classifier.fit(images["train"], y).predict_proba(images["val"])
        rows.append((name, head, None, time.process_time() - started, probabilities))
        print(head, flush=True)
    return [as_cells(*row, data) for row in rows]


def chosen(candidates, X, y):
    """Return the candidate with the smallest cross-entropy on a tenth of the rows."""
    rest, held_out = stratified_holdout(y, 0.1, random_state=0)

    def loss(candidate):
        probabilities = predicted(candidate, X[rest], y[rest], X[held_out])
        return binary_crossentropy(y[held_out], probabilities)

    return candidates[0] if len(candidates) == 1 else min(candidates, key=loss)


def predicted(candidate, X, y, X_new):
    """Return the probabilities for new images; chains take no label of one value."""
    varies = y.any(axis=0) & ~y.all(axis=0)
    probabilities = np.tile(y.mean(axis=0), (len(X_new), 1))
    fitted = candidate.fit(X, y[:, varies])
    probabilities[:, varies] = label_scores(fitted, X_new, int(varies.sum()))
    return probabilities


def as_cells(name, head, features_s, head_s, probabilities, data):
    run = {"val": np.clip(probabilities, 1e-4, 1 - 1e-4)}
    run |= {"seconds": 0, "processor_seconds": 0, "peak_mb": 0}
    scores = scores_of(run, data, "val")
    assert {*SCORES, *RULES} <= set(scores)
    return (
        name,
        head,
        "" if features_s is None else f"{features_s:.0f}",
        f"{head_s:.0f}",
        f"{100 * scores['skill']:.1f} %",
        *(f"{scores[column]:.4f}" for column in COLUMNS),
    )


if __name__ == "__main__":
    main()
