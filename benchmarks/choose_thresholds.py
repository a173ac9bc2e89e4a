"""Thresholds for a million images and 25 labels: time, memory and F1 beside a grid of 100.

Scores are drawn: calibrated probabilities of labels from frequent to one in five thousand. F1 is
given on the scores that the thresholds were chosen on and on as many new ones.

    python benchmarks/choose_thresholds.py [--rows 1000000] [--labels 25]
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from pathlib import Path

import numpy as np
from sklearn.metrics import f1_score

from skposter.thresholds import apply_thresholds, choose_thresholds, objective_score

OBJECTIVES = {
    "f1_micro": {},
    "f1_macro": {},
    "f1_macro, shrinkage=0": {"shrinkage": 0},
    "f1_samples": {},
    "hamming": {},
    "cardinality": {},
    "precision>=0.6": {},
    "recall>=0.6": {},
}
GRID = np.linspace(0, 1, 101)[1:]


def draw(n_rows, n_labels, seed):
    """Labels as booleans and their probabilities as float32, both (n_rows, n_labels)."""
    rng = np.random.default_rng(seed)
    odds = rng.standard_normal((n_rows, n_labels), dtype=np.float32)
    odds += np.linspace(0, -9, n_labels, dtype=np.float32)
    y_score = 1 / (1 + np.exp(-odds))
    return rng.random((n_rows, n_labels), dtype=np.float32) < y_score, y_score


def grid_per_label(y_true, y_score):
    """The usual loop: F1 of each label at each threshold of the grid."""
    thresholds = []
    for truth, score in zip(y_true.T, y_score.T, strict=True):
        f1 = []
        for threshold in GRID:
            predicted = score >= threshold
            tp = np.count_nonzero(truth & predicted)
            f1.append(2 * tp / max(np.count_nonzero(truth) + np.count_nonzero(predicted), 1))
        thresholds.append(GRID[int(np.argmax(f1))])
    return np.array(thresholds)


def grid_of_all_labels(y_true, y_score):
    """The same with one threshold for all labels and micro F1."""
    f1 = []
    for threshold in GRID:
        predicted = y_score >= threshold
        tp = np.count_nonzero(y_true & predicted)
        f1.append(2 * tp / (np.count_nonzero(y_true) + np.count_nonzero(predicted)))
    return np.full(y_true.shape[1], GRID[int(np.argmax(f1))])


def measure(choose, y_true, y_score):
    """Return thresholds, CPU seconds and peak MB of a way of choosing; memory in a second run."""
    start = time.process_time()
    thresholds = choose(y_true, y_score)
    seconds = time.process_time() - start
    tracemalloc.start()
    choose(y_true, y_score)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return thresholds, seconds, peak


def sklearn_loop_seconds(y_true, y_score):
    """Time of the per-label grid with scikit-learn's f1_score, from four of its calls."""
    start = time.process_time()
    for threshold in GRID[::30]:
        f1_score(y_true[:, 0], y_score[:, 0] >= threshold)
    return (time.process_time() - start) / len(GRID[::30]) * len(GRID) * y_true.shape[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--labels", type=int, default=25)
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks/choose_thresholds.md"))
    args = parser.parse_args()
    y_true, y_score = draw(args.rows, args.labels, seed=0)
    new_true, new_score = draw(args.rows, args.labels, seed=1)
    ways = {}
    for name, options in OBJECTIVES.items():
        objective = name.partition(",")[0]

        def choose(y_true, y_score, objective=objective, options=options):
            return choose_thresholds(y_true, y_score, objective=objective, **options)

        ways[name] = choose
        if name == "f1_micro":
            ways["f1_micro, loop over 100 thresholds"] = grid_of_all_labels
        if name == "f1_macro, shrinkage=0":
            ways["f1_macro, loop over 100 thresholds"] = grid_per_label
    lines = [
        "# Choosing thresholds for many rows",
        "",
        f"{args.rows:,} rows, {args.labels} labels with {y_true.sum(axis=0).min():,} to "
        f"{y_true.sum(axis=0).max():,} positives, scores float32 ({y_score.nbytes / 1e6:.0f} MB). "
        "Seconds are of one CPU. The value is that of the objective, as `objective_score` has it.",
        "",
        "| thresholds | CPU seconds | peak MB beyond the data | value | value on new rows |",
        "|---|---|---|---|---|",
    ]
    for name, choose in ways.items():
        thresholds, seconds, peak = measure(choose, y_true, y_score)
        objective = name.partition(",")[0]
        here, new = (
            objective_score(truth, apply_thresholds(score, thresholds), objective)
            for truth, score in ((y_true, y_score), (new_true, new_score))
        )
        lines.append(f"| {name} | {seconds:.2f} | {peak:.0f} | {here:.5f} | {new:.5f} |")
        print(lines[-1], flush=True)
    seconds = sklearn_loop_seconds(y_true, y_score)
    lines += [
        "",
        f"The per-label loop with scikit-learn's `f1_score` instead of counts would take "
        f"{seconds:,.0f} s (extrapolated from four of its {len(GRID) * args.labels:,} calls).",
    ]
    print("\n".join(lines))
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
