"""How much memory a fit on a memory-mapped array adds, beside SciKeras and Keras by hand.

6000 images of 128 x 128 x 3, 281 MB of uint8 on disk. Each row is a process of its own which fits
on a few images, then on all; the anonymous resident memory is read every 10 ms.

    python benchmarks/memmap_fit.py [--images 6000] [--out docs/benchmarks/memmap_fit.md]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import _report
import numpy as np
from memory_growth import resident

NETWORK = {"filters": (4,)}
CASES = ["fit", "fit, sample weights and validation part", "predict_proba"]


class Peak(threading.Thread):
    """The highest resident memory while the block runs, above that at its beginning."""

    def __enter__(self):
        self.start_size = self.peak = resident()
        self.running = True
        self.start()
        return self

    def run(self):
        while self.running:
            self.peak = max(self.peak, resident())
            time.sleep(0.01)

    def __exit__(self, *exception):
        self.running = False
        self.join()
        self.added = self.peak - self.start_size


def worker(who, case, path):
    import skposter._keras.tensorflow  # noqa: F401, isort: skip
    from _peers import by_keras, by_scikeras, by_skposter

    X = np.load(path, mmap_mode="r")
    y = np.random.default_rng(0).integers(0, 2, size=(len(X), 4))
    weight = np.linspace(0.5, 1.5, len(X))
    share = 0.1 if "validation" in case else 0
    if who == "skposter":
        estimator = by_skposter(NETWORK, epochs=1, validation_fraction=share)
    elif who == "SciKeras":
        estimator = by_scikeras(NETWORK, epochs=1, fit__validation_split=share)
    else:
        model = by_keras(X, y, **NETWORK)

    def act(n):
        if who == "Keras":
            if case.startswith("fit"):
                weights = weight[:n] if share else None
                model.fit(X[:n], y[:n], sample_weight=weights, validation_split=share, verbose=0)
            else:
                model.predict(X[:n], verbose=0)
        elif not case.startswith("fit"):
            estimator.predict_proba(X[:n])
        elif share:
            estimator.fit(X[:n], y[:n], sample_weight=weight[:n])
        else:
            estimator.fit(X[:n], y[:n])

    if not case.startswith("fit") and who != "Keras":
        estimator.fit(X[:64], y[:64])
    act(64)
    with Peak() as peak:
        act(len(X))
    print(json.dumps(peak.added))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--out")
    options = parser.parse_args()
    if options.worker:
        worker(*json.loads(options.worker))
        return

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "X.npy")
        rng = np.random.default_rng(0)
        X = np.lib.format.open_memmap(
            path, mode="w+", dtype=np.uint8, shape=(options.images, 128, 128, 3)
        )
        for i in range(0, len(X), 500):
            X[i : i + 500] = rng.integers(0, 255, size=X[i : i + 500].shape, dtype=np.uint8)
        megabytes = X.nbytes / 2**20
        del X
        for case in CASES:
            added = []
            for who in ("skposter", "SciKeras", "Keras"):
                command = [sys.executable, __file__, "--worker", json.dumps([who, case, path])]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                added.append(json.loads(done.stdout.splitlines()[-1]))
            rows.append((case, *(f"{size:.0f}" for size in added)))
    _report.write(
        options.out,
        "# Memory of a fit on a memory map",
        f"Anonymous memory that is added at most, in MB, by a memory map of {megabytes:.0f} MB.",
        _report.table(("call", "skposter", "SciKeras", "Keras by hand"), rows),
    )


if __name__ == "__main__":
    main()
