"""How often a grid search decodes an image: without and with a cache, after a kill, by thresholds.

Every row is a process of its own, and decodes are counted where they happen.

    python benchmarks/grid_cache.py [--csv labels.csv --images FOLDER] [--n 500]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from _report import table, write
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skposter import ImageLoader, MultiLabelImageClassifier
from skposter.datasets import load_image_csv, make_posters
from skposter.images import _loader
from skposter.networks import SmallCNN

SIZE = (112, 80)
NETWORKS = {"classifier__learning_rate": np.geomspace(1e-4, 1e-2, 10).tolist()}
NOTHING_KEPT = {"cache_limit": 0}


def thresholds(n):
    return {"classifier__threshold": np.linspace(0.1, 0.9, n).tolist()}


def run(csv, images, n_images, loader, memory, grid):
    """Search, and return seconds, decodes and the scores of the candidates."""
    decodes, decode = [0], _loader.load_pixels

    def counting(source, options):
        decodes[0] += 1
        return decode(source, options)

    _loader.load_pixels = counting
    data = load_image_csv(csv, images)
    paths, y = data.paths[:n_images], data.y[:n_images]
    y = y.loc[:, y.sum() >= 20]
    classifier = MultiLabelImageClassifier(
        SmallCNN(filters=(8,)), epochs=1, validation_fraction=0, memory=memory, random_state=0
    )
    pipe = Pipeline(
        [("loader", ImageLoader(size=SIZE, n_jobs=2, **loader)), ("classifier", classifier)]
    )
    scoring = "average_precision" if "classifier__learning_rate" in grid else "f1_micro"
    search = GridSearchCV(pipe, grid, cv=5, scoring=scoring)
    start = time.perf_counter()
    search.fit(paths, y)
    return {
        "seconds": time.perf_counter() - start,
        "decodes": decodes[0],
        "scores": search.cv_results_["mean_test_score"].tolist(),
    }


def in_a_process(options, loader, memory=None, grid=NETWORKS, kill_after=None):
    arguments = json.dumps([*options, loader, memory, grid])
    command = [sys.executable, __file__, "--one", arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        output, _ = process.communicate(timeout=kill_after)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None
    if process.returncode:
        sys.exit(process.returncode)
    return json.loads(output.splitlines()[-1])


def by_networks(options, folder):
    """Search over learning rates, each of which is a training; return the table."""
    caches = [{"cache_dir": f"{folder}/{name}"} for name in "123"]
    rows = {"nothing kept (`cache_limit=0`)": in_a_process(options, NOTHING_KEPT)}
    rows["default: kept by the process"] = in_a_process(options, {})
    rows["`cache_dir`, empty at first"] = in_a_process(options, caches[0])
    rows["`cache_dir`, again in a new process"] = in_a_process(options, caches[0])
    full = in_a_process(options, caches[1], f"{folder}/2m")
    rows["`cache_dir` and `memory`, empty at first"] = full
    patience = 0.6 * full["seconds"]
    assert in_a_process(options, caches[2], f"{folder}/3m", kill_after=patience) is None
    rows["the same, killed (SIGKILL) after 60 % of that and started again"] = in_a_process(
        options, caches[2], f"{folder}/3m"
    )
    plain, *_ = rows.values()
    return table(
        ("", "decodes", "seconds", "scores as with nothing kept"),
        [
            (
                name,
                f"{row['decodes']:,}",
                f"{row['seconds']:.1f}",
                "yes" if row["scores"] == plain["scores"] else "NO",
            )
            for name, row in rows.items()
        ],
    )


def by_thresholds(options, folder):
    """Search over 1 and over 20 thresholds of the same trainings; return the table."""
    ways = {
        "nothing kept (`cache_limit=0`)": NOTHING_KEPT,
        "default: kept by the process": {},
        "`lazy=True`": {"lazy": True},
        "`cache_dir`": {"cache_dir": f"{folder}/t"},
    }
    rows = []
    for i, (name, loader) in enumerate(ways.items()):
        one, twenty = (
            in_a_process(
                options,
                {**loader, "cache_dir": f"{loader['cache_dir']}{n}"}
                if "cache_dir" in loader
                else loader,
                f"{folder}/{i}-{n}",
                thresholds(n),
            )
            for n in (1, 20)
        )
        rows.append(
            (
                name,
                f"{one['decodes']:,}",
                f"{twenty['decodes']:,}",
                f"{one['seconds']:.1f}",
                f"{twenty['seconds']:.1f}",
                f"{twenty['seconds'] / one['seconds']:.1f}",
            )
        )
    header = ("", "decodes, 1 threshold", "20 thresholds", "seconds, 1 threshold", "20", "ratio")
    return table(header, rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--n", type=int, default=500)
    parser.add_argument("--one", type=json.loads, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default="docs/benchmarks/grid_cache.md")
    args = parser.parse_args()
    if args.one:
        print(json.dumps(run(*args.one)))
        return
    with tempfile.TemporaryDirectory() as folder:
        csv, images = args.csv, args.images
        if csv is None:
            make_posters(args.n, out_dir=folder, size=(450, 300))
            csv, images = Path(folder, "labels.csv"), Path(folder, "Images")
        options = str(csv), str(images), args.n
        write(
            args.output,
            "# Grid searches and decoding",
            f"{args.n} posters at {SIZE[0]}x{SIZE[1]}, 10 learning rates x 5 folds + refit = 51 "
            "fits of one epoch:",
            by_networks(options, folder),
            "The same with `memory=`, over thresholds of one network, so 5 + 1 trainings:",
            by_thresholds(options, folder),
        )


if __name__ == "__main__":
    main()
