"""A grid over 20 thresholds x 2 networks x 5 folds: trainings, time, with ``memory`` and without.

The same grid on a plain SciKeras classifier takes hours, so a part of it (every candidate of a few
thresholds) is measured and multiplied; the table says so.

    python benchmarks/search_without_retraining.py [--csv CSV --images DIR] [--n-images 600]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from scikeras.wrappers import KerasClassifier
from sklearn.model_selection import GridSearchCV, KFold

from skposter import ImageLoader, MultiLabelImageClassifier
from skposter.datasets import load_image_csv, make_posters
from skposter.memory import list_memory
from skposter.networks import SmallCNN

N_THRESHOLDS, N_FOLDS, EPOCHS, BATCH_SIZE = 20, 5, 3, 32
FILTERS = [(16, 32), (32, 64)]


class ThresholdKerasClassifier(KerasClassifier):
    """The usual recipe: SciKeras with a threshold as one more parameter."""

    def predict(self, X):
        return (self.predict_proba(X) >= self.threshold).astype(int)


def build(meta, filters, threshold=None):  # SciKeras passes all parameters of its own
    layers = [keras.Input(meta["X_shape_"][1:]), keras.layers.Rescaling(1 / 127.5, -1)]
    for channels, stride in zip((*filters, filters[-1]), (2, 2, 1), strict=True):
        layers += [
            keras.layers.Conv2D(channels, 3, strides=stride, padding="same", use_bias=False),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.Activation("relu"),
        ]
    layers += [
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dropout(0.3),
        keras.layers.Dense(meta["n_classes_"], activation="sigmoid"),
    ]
    return keras.Sequential(layers)


def timed_search(estimator, grid, X, y, n_jobs=None):
    search = GridSearchCV(estimator, grid, cv=KFold(N_FOLDS), scoring="f1_macro", n_jobs=n_jobs)
    start = time.perf_counter()
    search.fit(X, y)
    return search, time.perf_counter() - start


def ours(X, y, grid, measured):
    rows = []
    classifier = MultiLabelImageClassifier(  # the recipe that SciKeras has
        SmallCNN(),
        augmentation="none",
        learning_rate_schedule="constant",
        correct_intercepts=False,
        validation_fraction=0,
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        random_state=0,
    )
    plain, seconds = timed_search(classifier, {**grid, "threshold": measured}, X, y)
    candidates = len(FILTERS) * N_THRESHOLDS
    factor = (candidates * N_FOLDS + 1) / (len(plain.cv_results_["params"]) * N_FOLDS + 1)
    rows.append(
        ("skposter, no memory", f"{candidates * N_FOLDS + 1} (extrapolated)", seconds * factor)
    )
    for n_jobs in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            search, seconds = timed_search(
                classifier.set_params(memory=folder), grid, X, y, n_jobs=n_jobs
            )
            trained = int((list_memory(folder)["kind"] == "network").sum())
        mask = np.isin(search.cv_results_["param_threshold"].astype(float), measured)
        expected = plain.cv_results_["mean_test_score"]
        assert np.array_equal(search.cv_results_["mean_test_score"][mask], expected)
        rows.append((f"skposter, memory, n_jobs={n_jobs}", str(trained), seconds))
    return rows


def scikeras(X, y, grid, measured):
    classifier = ThresholdKerasClassifier(
        build,
        model__filters=FILTERS[0],
        threshold=0.5,
        loss="binary_crossentropy",
        optimizer="adam",
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        random_state=0,
        verbose=0,
    )
    part = {"model__filters": grid["network__filters"], "threshold": measured}
    search, seconds = timed_search(classifier, part, X, y)
    fits = len(FILTERS) * N_THRESHOLDS * N_FOLDS + 1
    seconds *= fits / (len(search.cv_results_["params"]) * N_FOLDS + 1)
    return [("SciKeras + GridSearchCV", f"{fits} (extrapolated)", seconds)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csv", help="posters of your own; synthetic ones without")
    parser.add_argument("--images")
    parser.add_argument("--n-images", type=int, default=600)
    parser.add_argument("--measured-thresholds", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks/search.md"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.csv:
            data = load_image_csv(args.csv, args.images)
        else:
            data = make_posters(args.n_images, random_state=0, out_dir=Path(folder) / "posters")
        paths, y = data.paths[: args.n_images], data.y[: args.n_images].to_numpy()
        X = ImageLoader(size=(96, 64)).fit_transform(paths)
    y = y[:, y.any(axis=0)]
    grid = {
        "network__filters": FILTERS,
        "threshold": np.linspace(0.05, 0.95, N_THRESHOLDS).tolist(),
    }
    measured = grid["threshold"][9 : 9 + args.measured_thresholds]
    rows = scikeras(X, y, grid, measured) + ours(X, y, grid, measured)
    slowest = rows[0][2]
    lines = [
        "# A search that trains each network once",
        "",
        f"{N_THRESHOLDS} thresholds x {len(FILTERS)} networks x {N_FOLDS} folds, {len(X)} images "
        f"of {X.shape[1]} x {X.shape[2]}, {EPOCHS} epochs, and the refit. Rows marked so are "
        f"extrapolated from {args.measured_thresholds} of the thresholds.",
        "",
        "| search | trainings | seconds | SciKeras / this |",
        "|---|---|---|---|",
        *(f"| {name} | {n} | {s:,.0f} | {slowest / s:.1f} |" for name, n, s in rows),
    ]
    print("\n".join(lines))
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
