"""Seconds of `GridSearchCV` over two architectures and five folds, beside SciKeras.

Each search is a process of its own (SciKeras leaves every traced network behind), with a fit of a
third architecture before the clock starts; the two take turns.

    python benchmarks/grid_search.py [--rounds 3] [--out docs/benchmarks/grid_search.md]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from functools import partial

import _report

ARCHITECTURES = [(16, 32), (16, 32, 64)]


def worker(who):
    import skposter._keras.tensorflow  # noqa: F401, isort: skip
    from _peers import by_scikeras, by_skposter, images, network
    from memory_growth import resident
    from sklearn.model_selection import GridSearchCV, KFold

    X, y = images(500, 64, 48, 5)
    if who == "skposter":
        estimator = by_skposter(epochs=5)
        grid = {"network": [partial(network, filters=filters) for filters in ARCHITECTURES]}
        first = by_skposter({"filters": (4,)}, epochs=1)
    else:
        estimator = by_scikeras(epochs=5, batch_size=32, model__filters=(16,))
        grid = {"model__filters": ARCHITECTURES}
        first = by_scikeras({"filters": (4,)}, epochs=1)
    first.fit(X[:64], y[:64]).predict_proba(X[:64])
    search = GridSearchCV(
        estimator,
        grid,
        cv=KFold(5, shuffle=True, random_state=0),
        scoring="f1_macro",
        refit=False,
        error_score="raise",
    )
    before, start = resident(), time.perf_counter()
    search.fit(X, y)
    print(json.dumps([time.perf_counter() - start, resident() - before]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--out")
    options = parser.parse_args()
    if options.worker:
        worker(options.worker)
        return

    results = {"skposter": [], "SciKeras": []}
    for _ in range(options.rounds):
        for who, runs in results.items():
            command = [sys.executable, __file__, "--worker", who]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            runs.append(json.loads(done.stdout.splitlines()[-1]))
    rows = []
    reference = statistics.median(seconds for seconds, _ in results["SciKeras"])
    for who, runs in results.items():
        seconds = statistics.median(seconds for seconds, _ in runs)
        rows.append(
            (
                who,
                f"{seconds:.1f}",
                f"{seconds / reference:.2f}",
                f"{statistics.median(size for _, size in runs):.0f}",
            )
        )
    _report.write(
        options.out,
        "# Grid search over two architectures and five folds",
        "500 images of 64 x 48, five epochs a fit, ten fits, scored by macro F1, one job; medians "
        f"of {options.rounds} searches of each in turns.",
        _report.table(("by", "seconds", "ratio to SciKeras", "memory added, MB"), rows),
    )


if __name__ == "__main__":
    main()
