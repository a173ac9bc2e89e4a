"""A grid search over 10 candidates and 5 folds, without and with the cache, and after a kill.

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
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skposter import ImageLoader, MultiLabelImageClassifier
from skposter.datasets import load_image_csv, make_posters
from skposter.images import _decoding
from skposter.networks import SmallCNN

SIZE = (112, 80)
CANDIDATES = {"classifier__learning_rate": np.geomspace(1e-4, 1e-2, 10)}


def run(csv, images, n_images, cache_dir, memory):
    """Search, and return seconds, decodes and the scores of the candidates."""
    decodes, decode = [0], _decoding.load_pixels

    def counting(source, options):
        decodes[0] += 1
        return decode(source, options)

    _decoding.load_pixels = counting
    data = load_image_csv(csv, images)
    paths, y = data.paths[:n_images], data.y[:n_images]
    y = y.loc[:, y.sum() >= 20]
    pipe = Pipeline(
        [
            ("loader", ImageLoader(size=SIZE, cache_dir=cache_dir, n_jobs=2)),
            (
                "classifier",
                MultiLabelImageClassifier(
                    SmallCNN(filters=(8,)),
                    epochs=1,
                    validation_fraction=0,
                    memory=memory,
                    random_state=0,
                ),
            ),
        ]
    )
    search = GridSearchCV(pipe, CANDIDATES, cv=5, scoring="average_precision")
    start = time.perf_counter()
    search.fit(paths, y)
    return {
        "seconds": time.perf_counter() - start,
        "decodes": decodes[0],
        "scores": search.cv_results_["mean_test_score"].tolist(),
    }


def in_a_process(options, cache_dir, memory, kill_after=None):
    command = [sys.executable, __file__, "--one", json.dumps([*options, cache_dir, memory])]
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
        rows = {"no cache": in_a_process(options, None, None)}
        rows["`cache_dir`, empty at first"] = in_a_process(options, f"{folder}/1", None)
        rows["`cache_dir`, again in a new process"] = in_a_process(options, f"{folder}/1", None)
        full = in_a_process(options, f"{folder}/2", f"{folder}/2m")
        rows["`cache_dir` and `memory`, empty at first"] = full
        assert in_a_process(options, f"{folder}/3", f"{folder}/3m", 0.6 * full["seconds"]) is None
        rows["the same, killed (SIGKILL) after 60 % of that and started again"] = in_a_process(
            options, f"{folder}/3", f"{folder}/3m"
        )
    lines = [
        "# Grid search with the pixel cache",
        "",
        f"{args.n} posters at {SIZE[0]}x{SIZE[1]}, 10 candidates x 5 folds + refit = 51 fits of "
        f"one epoch, {os.cpu_count()} cores:",
        "",
        "| | decodes | seconds | scores as without a cache |",
        "|---|---|---|---|",
    ]
    for name, row in rows.items():
        same = "yes" if row["scores"] == rows["no cache"]["scores"] else "NO"
        lines.append(f"| {name} | {row['decodes']:,} | {row['seconds']:.1f} | {same} |")
    print("\n".join(lines))
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
