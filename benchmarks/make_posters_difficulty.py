"""Show that drawn posters are hard to tell by colours and easy by shapes.

Trains a logistic regression on 16x16 thumbnails and a small Keras CNN on the same posters, and
prints how both do on posters they have not seen, beside predicting the label frequencies.

    python benchmarks/make_posters_difficulty.py --out-dir posters
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time

import numpy as np
from PIL import Image
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skposter.datasets import make_posters


def read_pixels(paths, size):
    height, width = size
    images = []
    for path in paths:
        with Image.open(path) as image:
            images.append(np.asarray(image.resize((width, height), Image.Resampling.BOX)))
    return np.stack(images)


def logistic_regression(X, y, X_test):
    """Choose the penalty of each label by cross-validated log loss."""
    one_label = LogisticRegressionCV(
        Cs=np.logspace(-5, -1, 5), cv=3, scoring="neg_log_loss", max_iter=500,
        l1_ratios=(0,), use_legacy_attributes=False,
    )  # fmt: skip
    model = make_pipeline(StandardScaler(), OneVsRestClassifier(one_label, n_jobs=2))
    model.fit(X.reshape(len(X), -1) / 255.0, y)
    return model.predict_proba(X_test.reshape(len(X_test), -1) / 255.0)


def small_cnn(X, y, X_test, epochs, learning_rate, seed):
    import keras

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    model = keras.Sequential([keras.Input(X.shape[1:]), layers.Rescaling(1 / 127.5, offset=-1)])
    for filters in (32, 64, 128, 128):
        model.add(layers.Conv2D(filters, 3, padding="same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU())
        model.add(layers.MaxPooling2D())
    model.add(layers.GlobalMaxPooling2D())
    model.add(layers.Dense(y.shape[1], activation="sigmoid"))
    steps = epochs * -(-len(X) // 32)
    decay = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    model.compile(keras.optimizers.Adam(decay), "binary_crossentropy")
    model.fit(X, y, epochs=epochs, batch_size=32, verbose=2)
    return model.predict(X_test, batch_size=64, verbose=0)


def cross_entropy(y, proba):
    proba = np.clip(proba, 1e-7, 1 - 1e-7)
    return -np.mean(y * np.log(proba) + (1 - y) * np.log(1 - proba))


def report(name, y, proba, prior, seconds):
    loss = cross_entropy(y, proba)
    skill = 1 - loss / cross_entropy(y, prior)
    some = y.any(axis=0) & ~y.all(axis=0)
    auc = roc_auc_score(y[:, some], proba[:, some], average="macro")
    f1 = f1_score(y, proba >= 0.5, average="micro", zero_division=0)
    print(f"{name:34} {loss:6.4f} {skill:7.1%} {auc:9.3f} {f1:8.3f} {seconds:8.1f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out-dir", help="keep (and reuse) the posters here")
    parser.add_argument("--n-train", type=int, default=1200)
    parser.add_argument("--n-test", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--size", type=int, nargs=2, default=(96, 64), metavar=("H", "W"))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        n_samples = args.n_train + args.n_test
        out_dir = args.out_dir or folder
        data = make_posters(n_samples, out_dir=out_dir, random_state=args.seed)
        print(f"{n_samples} posters in {time.perf_counter() - start:.1f} s")
        thumbnails = read_pixels(data.paths, (16, 16))
        pixels = read_pixels(data.paths, args.size)
    y, y_test = np.split(data.y.to_numpy(), [args.n_train])
    prior = np.tile(y.mean(axis=0), (len(y_test), 1))

    start = time.perf_counter()
    linear = logistic_regression(thumbnails[: len(y)], y, thumbnails[len(y) :])
    linear_seconds = time.perf_counter() - start
    start = time.perf_counter()
    cnn = small_cnn(
        pixels[: len(y)], y, pixels[len(y) :], args.epochs, args.learning_rate, args.seed
    )
    cnn_seconds = time.perf_counter() - start

    print(f"{'':34} {'BCE':>6} {'skill':>7} {'macro AUC':>9} {'micro F1':>8} {'seconds':>8}")
    report("label frequencies", y_test, prior, prior, 0)
    report("logistic regression, 16x16", y_test, linear, prior, linear_seconds)
    report(f"CNN, {args.size[0]}x{args.size[1]}", y_test, cnn, prior, cnn_seconds)


if __name__ == "__main__":
    main()
