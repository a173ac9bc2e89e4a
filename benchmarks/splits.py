"""How even splits are beside another library's, and what finding near duplicates costs.

First a hundred drawn data sets, each split by our assignment and by the iterative-stratification
package in turn: mean relative deviation of label counts from their share, and seconds. Then, with a
CSV and its images, the mean and the largest relative deviation of label frequencies between test
rows and all rows, over labels with at least 50 positives and five seeds, for five folds and for a
10 % holdout; and the groups of near-duplicate images and the time to find them.

    python benchmarks/splits.py [CSV IMAGES]

The package is in the extra ``test``.
"""

from __future__ import annotations

import argparse
import resource
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from _report import table, write
from iterstrat.ml_stratifiers import IterativeStratification
from sklearn.model_selection import KFold, ShuffleSplit

from skposter.datasets import load_image_csv
from skposter.exceptions import LabelWarning
from skposter.model_selection import (
    MultiLabelStratifiedKFold,
    MultiLabelStratifiedShuffleSplit,
    label_deviation,
    near_duplicate_groups,
    stratified_holdout,
)

SEEDS = range(5)


def by_package(y, proportions, seed):
    """Subset of each row by the iterative-stratification package, rows shuffled first."""
    rng = np.random.RandomState(seed)
    order = rng.permutation(len(y))
    subset = np.empty(len(y), dtype=int)
    subset[order] = IterativeStratification(np.asarray(y, bool)[order], np.array(proportions), rng)
    return subset


def by_us(y, proportions, seed):
    """Subset of each row by our public splitters."""
    subset = np.empty(len(y), dtype=int)
    if len(proportions) == 2:
        subset[:] = 0
        subset[stratified_holdout(y, proportions[1], seed)[1]] = 1
        return subset
    folds = MultiLabelStratifiedKFold(len(proportions), shuffle=True, random_state=seed)
    for number, (_, test) in enumerate(folds.split(y, y)):
        subset[test] = number
    return subset


def drawn_labels(seed):
    """Labels of 100 to 3,000 rows, 2 to 30 of them, half a percent to 60 % frequent, correlated."""
    rng = np.random.default_rng(seed)
    n, n_labels = rng.integers(100, 3000), rng.integers(2, 30)
    frequencies = np.exp(rng.uniform(np.log(0.005), np.log(0.6), n_labels))
    shared = rng.normal(size=(n, 1)) * rng.normal(size=n_labels) * rng.uniform(0, 2)
    y = np.log(frequencies / (1 - frequencies)) + shared > rng.logistic(size=(n, n_labels))
    return y[:, y.any(axis=0)]


def compare_on_drawn_data(n_data_sets=100):
    """Return the paragraphs of the page about drawn data sets."""
    rows = []
    for title, proportions in (("5 folds", [0.2] * 5), ("10 % held out", [0.9, 0.1])):
        found = {by_us: [], by_package: []}
        for seed in range(n_data_sets):
            y = drawn_labels(seed)
            for way, results in found.items():  # in turns
                start = time.process_time()
                subset = way(y, proportions, seed)
                seconds = time.process_time() - start
                expected = np.outer(proportions, y.sum(axis=0))
                counts = np.array([y[subset == s].sum(axis=0) for s in range(len(proportions))])
                sizes = np.bincount(subset, minlength=len(proportions))
                uneven = np.abs(sizes - np.array(proportions) * len(y)).max()
                results.append(((np.abs(counts - expected) / expected).mean(), seconds, uneven))
        ours, theirs = (np.array(results) for results in found.values())
        difference = (ours - theirs)[:, 0]
        rows.append(
            [
                title,
                f"{theirs[:, 0].mean():.4f}",
                f"{ours[:, 0].mean():.4f}",
                f"{difference.mean():+.4f} ±{difference.std() / np.sqrt(n_data_sets):.4f}",
                f"{np.median(ours[:, 1] / theirs[:, 1]):.2f}",
                f"{theirs[:, 2].max():.0f}",
                f"{ours[:, 2].max():.1f}",
            ]
        )
    header = [
        "split",
        "deviation, package",
        "ours",
        "difference",
        "time, ours / package (median)",
        "rows too many or few, package (most)",
        "ours",
    ]
    text = (
        f"{n_data_sets} drawn data sets of 100 to 3,000 rows and 2 to 30 labels. Deviation is that "
        "of the number of positives in a subset from its share of all, relative to the share, mean "
        "of subsets, labels and data sets; the difference has its standard error. By "
        "`benchmarks/splits.py`."
    )
    return [text, table(header, rows)]


def splits_of(subset):
    """Return pairs of training and test rows: of folds all, of a holdout the second subset."""
    tests = [1] if subset.max() == 1 else range(subset.max() + 1)
    return [(np.flatnonzero(subset != k), np.flatnonzero(subset == k)) for k in tests]


def compare_on_images(y, groups):
    """Return the paragraphs of the page about a real data set."""
    folds = MultiLabelStratifiedKFold
    holdout = MultiLabelStratifiedShuffleSplit
    ways = {
        "5 folds, random": lambda s: KFold(5, shuffle=True, random_state=s).split(y),
        "5 folds, package": lambda s: splits_of(by_package(y, [0.2] * 5, s)),
        "5 folds, ours": lambda s: folds(5, shuffle=True, random_state=s).split(y, y),
        "5 folds, ours, groups": lambda s: folds(5, shuffle=True, random_state=s).split(
            y, y, groups
        ),
        "10 %, random": lambda s: ShuffleSplit(1, test_size=0.1, random_state=s).split(y),
        "10 %, package": lambda s: splits_of(by_package(y, [0.9, 0.1], s)),
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
            [
                name,
                f"{deviation.mean(axis=None):.1%}",
                f"{deviation.max(axis=None):.1%}",
                min(sizes),
                max(sizes),
                f"{seconds:.2f}",
            ]
        )
    header = ["split", "mean deviation", "largest", "smallest test", "largest test", "seconds"]
    text = (
        f"{len(y):,} images with {y.shape[1]} labels: relative deviation of label frequencies in "
        "test rows from those in all rows, over labels with at least 50 positives and five seeds."
    )
    return [text, table(header, rows)]


def near_duplicates(data):
    """Return groups, and a paragraph about them."""
    start = time.perf_counter()
    groups = near_duplicate_groups(data.paths)
    seconds = time.perf_counter() - start
    sizes = np.bincount(groups)
    names = [
        ", ".join(sorted(set(data.ids[groups == group]))) for group in np.flatnonzero(sizes > 1)
    ]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return groups, (
        f"Near duplicates: {len(groups):,} images in {len(sizes):,} groups, {seconds:.1f} s, peak "
        f"memory of the process {peak:.0f} MB. Together: {'; '.join(names) or 'none'}."
    )


def main():
    """Run on drawn data, and on the CSV and the folder of images if given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", nargs="?")
    parser.add_argument("images", nargs="?")
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks/splits.md"))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", LabelWarning)
    paragraphs = ["# Splits", *compare_on_drawn_data()]
    if arguments.csv:
        data = load_image_csv(arguments.csv, arguments.images)
        groups, found = near_duplicates(data)
        y = pd.DataFrame(data.y).astype(int)
        paragraphs += [*compare_on_images(y, groups), found]
    write(arguments.output, *paragraphs)


if __name__ == "__main__":
    main()
