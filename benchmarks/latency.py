"""Milliseconds for the probabilities of one image, beside SciKeras and the network alone.

All rows take turns in one process, and each is called a few times before.

    python benchmarks/latency.py [--rounds 200] [--out docs/benchmarks/latency.md]
"""

from __future__ import annotations

import argparse
import statistics
import time

import skposter._keras.tensorflow  # noqa: F401, isort: skip, TensorFlow without its start-up lines
import _report
from _peers import by_scikeras, by_skposter, images

NETWORK = {"filters": (32, 64, 128)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--out")
    options = parser.parse_args()

    X, y = images(64, 128, 96, 25)
    ours = by_skposter(NETWORK, epochs=1).fit(X, y)
    peer = by_scikeras(NETWORK, epochs=1).fit(X, y)
    model = ours.model_
    one = X[:1]
    rows = {
        "skposter, `predict_proba`": lambda: ours.predict_proba(one),
        "skposter, `predict`": lambda: ours.predict(one),
        "SciKeras, `predict_proba`": lambda: peer.predict_proba(one),
        "Keras, `Model.predict`": lambda: model.predict(one, verbose=0),
        "Keras, `Model.predict_on_batch` (the network alone)": lambda: model.predict_on_batch(one),
    }
    taken = {name: [] for name in rows}
    for i in range(-10, options.rounds):
        for name, call in rows.items():
            start = time.perf_counter()
            call()
            if i >= 0:
                taken[name].append(1000 * (time.perf_counter() - start))
    medians = {name: statistics.median(values) for name, values in taken.items()}
    alone = medians["Keras, `Model.predict_on_batch` (the network alone)"]
    _report.write(
        options.out,
        "# Latency of one image",
        f"One image of 128 x 96 through three convolutions and a dense layer, {options.rounds} "
        "calls of each row in turns.",
        _report.table(
            ("call", "median, ms", "9 of 10 within, ms", "times the network alone"),
            [
                (
                    name,
                    f"{medians[name]:.1f}",
                    f"{statistics.quantiles(taken[name], n=10)[-1]:.1f}",
                    f"{medians[name] / alone:.2f}",
                )
                for name in rows
            ],
        ),
    )


if __name__ == "__main__":
    main()
