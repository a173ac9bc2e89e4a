"""How even splits are, and what finding near duplicates costs.

Prints the mean and the largest relative deviation of label frequencies between the test part and
all rows, over labels with at least 50 positives and five seeds, for five folds and for a 10 %
holdout; then the groups of near-duplicate images and the time to find them.

    python benchmarks/splits.py CSV IMAGES
"""

from __future__ import annotations

import argparse
import resource
import time
import warnings

import numpy as np
import pandas as pd
from iterstrat.ml_stratifiers import IterativeStratification
from sklearn.model_selection import KFold, ShuffleSplit

from skposter.datasets import load_image_csv
from skposter.exceptions import LabelWarning
from skposter.model_selection import (
    MultiLabelStratifiedKFold,
    MultiLabelStratifiedShuffleSplit,
    label_deviation,
    near_duplicate_groups,
)

SEEDS = range(5)


def package_splits(y, proportions, seed):
    """Splits of the iterative-stratification package, rows shuffled first."""
    rng = np.random.RandomState(seed)
    order = rng.permutation(len(y))
    part = np.empty(len(y), dtype=int)
    part[order] = IterativeStratification(y.to_numpy(bool)[order], np.array(proportions), rng)
    tests = [1] if len(proportions) == 2 else range(len(proportions))
    return [(np.flatnonzero(part != k), np.flatnonzero(part == k)) for k in tests]


def print_deviations(y, groups):
    """Print one row for each way of splitting."""
    folds = MultiLabelStratifiedKFold
    holdout = MultiLabelStratifiedShuffleSplit
    ways = {
        "5 folds, random": lambda s: KFold(5, shuffle=True, random_state=s).split(y),
        "5 folds, package": lambda s: package_splits(y, [0.2] * 5, s),
        "5 folds, ours": lambda s: folds(5, shuffle=True, random_state=s).split(y, y),
        "5 folds, ours, groups": lambda s: folds(5, shuffle=True, random_state=s).split(
            y, y, groups
        ),
        "10 %, random": lambda s: ShuffleSplit(1, test_size=0.1, random_state=s).split(y),
        "10 %, package": lambda s: package_splits(y, [0.9, 0.1], s),
        "10 %, ours": lambda s: holdout(1, test_size=0.1, random_state=s).split(y, y),
        "10 %, ours, groups": lambda s: holdout(1, test_size=0.1, random_state=s).split(
            y, y, groups
        ),
    }
    frequent = y.columns[y.sum() >= 50]
    rows = []
    for name, split in ways.items():
        start = time.perf_counter()
        splits = [pair for seed in SEEDS for pair in split(seed)]
        seconds = (time.perf_counter() - start) / len(SEEDS)
        deviation = label_deviation(y, splits)[frequent].abs()
        sizes = [len(test) for _, test in splits]
        rows.append(
            (
                name,
                deviation.mean(axis=None),
                deviation.max(axis=None),
                min(sizes),
                max(sizes),
                seconds,
            )
        )
    columns = ["split", "mean", "largest", "smallest test", "largest test", "seconds"]
    print(pd.DataFrame(rows, columns=columns).to_string(index=False, float_format="{:.4f}".format))


def main():
    """Run on the CSV and the folder of images given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv")
    parser.add_argument("images")
    arguments = parser.parse_args()
    data = load_image_csv(arguments.csv, arguments.images)
    warnings.simplefilter("ignore", LabelWarning)
    start = time.perf_counter()
    groups = near_duplicate_groups(data.paths)
    seconds = time.perf_counter() - start
    print_deviations(data.y, groups)
    print(f"\nnear duplicates: {len(groups)} rows, {groups.max() + 1} groups, {seconds:.1f} s")
    sizes = np.bincount(groups)
    for group in np.flatnonzero(sizes > 1):
        print("  ", ", ".join(sorted(set(data.ids[groups == group]))))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MB")


if __name__ == "__main__":
    main()
