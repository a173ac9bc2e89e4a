"""Where heat maps lie: the mass inside the silhouette of a label against its area.

Drawn posters say where the silhouette of each genre is, so a heat map can be judged: a map that
knows nothing has as much of its mass inside the box as the box takes of the poster. Networks are
trained on some posters; on others, the labels are explained that the network rightly predicts, by
each method in turn on the same images.

    python benchmarks/localisation.py --output docs/benchmarks/localisation.md
    python benchmarks/localisation.py --weights mobilenet_2_5_224_tf_no_top.h5 ...
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time

import numpy as np
from _report import table, write
from sklearn.pipeline import Pipeline

from skposter import ImageLoader, MultiLabelImageClassifier
from skposter.datasets import make_posters
from skposter.datasets._poster_drawing import draw_poster_with_boxes
from skposter.datasets._posters import _begin_poster
from skposter.inspection import explain_each
from skposter.metrics import skill_score
from skposter.networks import Pretrained, SmallCNN

METHODS = ("hirescam", "gradcam", "layercam", "occlusion")
SIZE = (240, 160)


def networks(weights):
    """Return pipelines by name."""
    plain = {"threshold": "f1_micro", "random_state": 0}
    found = {
        "SmallCNN, pooling max": (
            (96, 64),
            MultiLabelImageClassifier(
                SmallCNN(filters=(32, 64, 128), pooling="max", dropout=0.0),
                augmentation="none",
                epochs=14,
                learning_rate=2e-3,
                **plain,
            ),
        ),
        "SmallCNN, pooling avg": (
            (96, 64),
            MultiLabelImageClassifier(
                SmallCNN(dropout=0.1), epochs=40, learning_rate=2e-3, **plain
            ),
        ),
    }
    if weights:
        found["MobileNet 0.25, pretrained"] = (
            (160, 112),
            MultiLabelImageClassifier(
                Pretrained(
                    "mobilenet",
                    weights=weights,
                    head_epochs=3,
                    builder_params={"alpha": 0.25},
                ),
                augmentation="none",
                epochs=12,
                **plain,
            ),
        )
    return {
        name: Pipeline([("loader", ImageLoader(size=size)), ("classifier", classifier)])
        for name, (size, classifier) in found.items()
    }


def boxes_of(number):
    """Return the box of each label of a poster, by name."""
    parameters = {"random_state": 0, "n_labels": 12, "size": SIZE}
    labels, generator = _begin_poster(parameters, number)
    _, boxes = draw_poster_with_boxes(labels, SIZE, generator)
    return dict(zip(labels, boxes, strict=True))


def judge(explanations, boxes):
    """Return mass inside the box, area of the box, and whether the peak is in it, a row a label."""
    found = []
    for explanation, of_poster in zip(explanations, boxes, strict=True):
        for name in explanation.label_names:
            heat = explanation.heat_map(name)
            left, top, right, bottom = of_poster[name]
            total = heat.sum()
            row, column = np.unravel_index(heat.argmax(), heat.shape)
            found.append(
                (
                    heat[top:bottom, left:right].sum() / total if total else 0.0,
                    (right - left) * (bottom - top) / heat.size,
                    bool(total) and top <= row < bottom and left <= column < right,
                )
            )
    return np.array(found, dtype=float)


def main():
    """Train, explain, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=int, default=1000)
    parser.add_argument("--test", type=int, default=200)
    parser.add_argument("--weights", help="MobileNet 0.25 without its top")
    parser.add_argument("--repeats", type=int, default=3, help="timed runs of each method")
    parser.add_argument("--models", help="a folder of trained models, to use and to add to")
    parser.add_argument("--output")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        data = make_posters(arguments.train + arguments.test, out_dir=os.path.join(folder, "p"))
        X, y = data.paths[: arguments.train], data.y[: arguments.train]
        X_test, y_test = data.paths[arguments.train :], data.y[arguments.train :]
        boxes = [boxes_of(arguments.train + i) for i in range(arguments.test)]
        for name, pipeline in networks(arguments.weights).items():
            model = fitted(pipeline, X, y, name, arguments.models)
            rows += rows_of(name, model, X_test, y_test, boxes, arguments.repeats)
    write(
        arguments.output,
        "# Where heat maps lie",
        f"`benchmarks/localisation.py`: networks trained on {arguments.train} drawn posters of 12 "
        f"genres, and the genres that they rightly predict on {arguments.test} others explained by "
        "`skposter.inspection.explain`. *Inside* is the share of a heat map's mass in the "
        "box of the genre's silhouette, *area* the box's share of the poster, which is what a map "
        "without information reaches; *peak* is how often the hottest pixel lies in the box. "
        "Occlusion is the plain way: cover a fifth of each side in steps, and watch the log-odds "
        "fall. Times are medians of interleaved runs, predictions included.",
        table(
            ["network", "skill", "method", "maps", "inside", "area", "ratio", "peak", "s / image"],
            rows,
        ),
    )


def fitted(pipeline, X, y, name, folder):
    """Fit a pipeline, or load it from `folder` if it is there."""
    if not folder:
        return pipeline.fit(X, y)
    import joblib

    path = os.path.join(folder, f"{name.replace(' ', '_')}.joblib")
    if not os.path.exists(path):
        joblib.dump(pipeline.fit(X, y), path)
    return joblib.load(path)


def rows_of(name, model, X, y, boxes, repeats):
    """Return the rows of the table for one network."""
    skill = skill_score(y, model.predict_proba(X))
    decided = model.predict(X) & y.to_numpy()
    names = y.columns
    wanted = [[names[j] for j in np.flatnonzero(row)] for row in decided]
    chosen = [i for i, labels in enumerate(wanted) if labels]
    seconds = {method: [] for method in METHODS}
    judged = {}
    for repeat in range(repeats):
        for method in METHODS:
            some = chosen if repeat == 0 else chosen[:20]
            start = time.perf_counter()
            found = explain_each(model, X[some], [wanted[i] for i in some], method=method)
            seconds[method].append((time.perf_counter() - start) / len(some))
            if repeat == 0:
                judged[method] = judge(found, [boxes[i] for i in chosen])
    rows = []
    for method in METHODS:
        inside, area, peak = judged[method].mean(axis=0)
        rows.append(
            [
                name,
                f"{skill:.2f}",
                method,
                len(judged[method]),
                f"{inside:.2f}",
                f"{area:.2f}",
                f"{inside / area:.1f}",
                f"{peak:.0%}",
                f"{statistics.median(seconds[method]):.3f}",
            ]
        )
        print(*rows[-1], flush=True)
    return rows


if __name__ == "__main__":
    main()
