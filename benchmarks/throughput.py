"""Images a second in training, beside `keras.Model.fit` written by hand on the same network.

Fits take turns in one process, after one of each as a warm-up, and only whole epochs after the
first are timed: from the beginning of the second epoch to the end of the last.

    python benchmarks/throughput.py [--rounds 9] [--epochs 4] [--out docs/benchmarks/throughput.md]
"""

from __future__ import annotations

import argparse
import statistics
import time

import skposter._keras.tensorflow  # noqa: F401, isort: skip, TensorFlow without its start-up lines
import _report
import keras
import numpy as np
from _peers import by_keras, by_skposter, images

# name, (height, width), images, network
CASES = [
    ("96 x 64, 2 convolutions", (96, 64), 2000, {"filters": (16, 32)}),
    ("128 x 96, 4 convolutions", (128, 96), 1000, {"filters": (32, 64, 128, 192)}),
]
times: list = []


class Stopwatch(keras.callbacks.Callback):
    """Note when epochs begin and end."""

    def on_epoch_begin(self, epoch, logs=None):
        times.append(time.perf_counter())

    def on_epoch_end(self, epoch, logs=None):
        times.append(time.perf_counter())


def rate(fit, n, epochs):
    """Return images a second over the epochs after the first."""
    times.clear()
    fit()
    return n * (epochs - 1) / (times[-1] - times[2])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--out")
    options = parser.parse_args()

    rows = []
    for name, size, n, network_params in CASES:
        X, y = images(n, *size, 10)
        model = by_keras(X, y, **network_params)
        classifier = by_skposter(network_params, epochs=options.epochs, callbacks=[Stopwatch])
        targets = y.astype(np.float32)

        def ours(classifier=classifier, X=X, y=y):
            classifier.fit(X, y)

        def by_hand(model=model, X=X, targets=targets):
            model.fit(
                X,
                targets,
                batch_size=32,
                epochs=options.epochs,
                verbose=0,
                callbacks=[Stopwatch()],
            )

        ours()
        by_hand()
        pairs = []
        for i in range(options.rounds):
            first, second = (ours, by_hand) if i % 2 else (by_hand, ours)
            a, b = rate(first, n, options.epochs), rate(second, n, options.epochs)
            pairs.append((a, b) if i % 2 else (b, a))
        ratios = [mine / theirs for mine, theirs in pairs]
        quartiles = statistics.quantiles(ratios, n=4)
        rows.append(
            (
                name,
                f"{statistics.median(pair[0] for pair in pairs):.0f}",
                f"{statistics.median(pair[1] for pair in pairs):.0f}",
                f"{statistics.median(ratios):.3f} ({quartiles[0]:.3f} to {quartiles[2]:.3f})",
            )
        )
    header = ("network", "skposter, images/s", "Model.fit, images/s", "ratio (quartiles)")
    _report.write(
        options.out,
        "# Training throughput",
        f"uint8 arrays, batches of 32, {options.epochs} epochs of which the first is not timed, "
        f"{options.rounds} pairs of fits in turns; medians, and the ratio of each pair.",
        _report.table(header, rows),
    )


if __name__ == "__main__":
    main()
