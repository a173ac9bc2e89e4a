"""Seconds to read 100,000 rows with 25 labels, beside the pandas lines that people write by hand.

Both end with paths, each checked to be there, and 0/1. The lines by hand leave out what
`load_image_table` does besides: finding the columns out, comparing lists with columns of 0/1,
looking for repeated rows. The rows take turns.

    python benchmarks/label_tables.py [--rows 100000] [--out docs/benchmarks/label_tables.md]
"""

from __future__ import annotations

import argparse
import ast
import os
import statistics
import tempfile
import time
from pathlib import Path

import _report
import numpy as np
import pandas as pd
from sklearn.preprocessing import MultiLabelBinarizer

from skposter.datasets import load_image_table

LABELS = [f"label {number:02d}" for number in range(25)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--labels-per-image", type=float, default=2.5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder, "images")
        images.mkdir()
        ids = [f"tt{number:07d}" for number in range(options.rows)]
        for name in ids:
            (images / f"{name}.jpg").touch()
        rng = np.random.RandomState(0)
        y = rng.uniform(size=(options.rows, 25)) < options.labels_per_image / 25
        layouts = write(Path(folder), ids, y)
        taken = {}
        for _ in range(options.rounds):
            for name, (path, by_hand, arguments) in layouts.items():
                for who, read in (
                    ("by hand", lambda f=by_hand, p=path: f(p, images)),
                    ("ours", lambda p=path, a=arguments: load_image_table(p, images, **a)),
                ):
                    start = time.perf_counter()
                    read()
                    taken.setdefault((name, who), []).append(time.perf_counter() - start)
    rows = []
    for name in layouts:
        ours, hand = (statistics.median(taken[name, who]) for who in ("ours", "by hand"))
        rows.append([name, f"{ours:.2f}", f"{hand:.2f}", f"{ours / hand:.1f}"])
    _report.write(
        options.out,
        "# Reading a table of labels",
        f"Seconds to read {options.rows:,} rows with 25 labels, {options.labels_per_image} of them "
        "on an image, and to find their files: `load_image_table` beside the pandas lines that "
        f"people write by hand. Median of {options.rounds} turns, taken by turns.",
        _report.table(["layout", "skposter", "by hand", "ratio"], rows),
        "By hand is `read_csv`, then what gives 0/1, then `os.path.exists` for each path. skposter "
        "finds out what the columns are, lists the folder once, refuses ids that leave it, and "
        "looks for repeated, contradicting and empty rows besides.",
    )


def write(folder, ids, y):
    """Return {layout: (file, function by hand, arguments of load_image_table)}."""
    names = [[name for name, bit in zip(LABELS, row, strict=True) if bit] for row in y.tolist()]
    bits = pd.DataFrame(y.astype(int), columns=LABELS)
    bits.insert(0, "Id", ids)
    bits.to_csv(folder / "bits.csv", index=False)
    lists = pd.DataFrame({"Id": ids, "labels": ["|".join(some) for some in names]})
    lists.to_csv(folder / "lists.csv", index=False)
    lists.assign(labels=[repr(some) for some in names]).to_csv(folder / "python.csv", index=False)
    both = bits.copy()
    both.insert(1, "labels", [repr(some) for some in names])
    both.to_csv(folder / "both.csv", index=False)
    signed = bits.copy()
    signed[LABELS] = 2 * signed[LABELS] - 1
    signed.to_csv(folder / "signed.csv", index=False)
    pairs = lists.assign(label=names)[["Id", "label"]].explode("label").fillna("")
    pairs.to_csv(folder / "pairs.csv", index=False)
    return {
        "columns of 0/1": (folder / "bits.csv", columns_by_hand, {}),
        "columns of 1 and -1": (
            folder / "signed.csv",
            signs_by_hand,
            {"label_values": {"1": 1, "-1": 0}},
        ),
        "lists, `a|b`": (folder / "lists.csv", dummies_by_hand, {}),
        "lists of Python, `['a', 'b']`": (folder / "python.csv", literals_by_hand, {}),
        "lists of Python and columns of 0/1": (folder / "both.csv", columns_by_hand, {}),
        "one row per image and label": (
            folder / "pairs.csv",
            pairs_by_hand,
            {"on_duplicate": "union", "label_delimiter": ""},
        ),
    }


def columns_by_hand(path, images):
    table = pd.read_csv(path)
    return check(table["Id"], images), table[LABELS].to_numpy()


def signs_by_hand(path, images):
    table = pd.read_csv(path)
    return check(table["Id"], images), (table[LABELS] == 1).to_numpy()


def dummies_by_hand(path, images):
    table = pd.read_csv(path, keep_default_na=False)
    return check(table["Id"], images), table["labels"].str.get_dummies("|")


def literals_by_hand(path, images):
    table = pd.read_csv(path)
    y = MultiLabelBinarizer().fit_transform(table["labels"].map(ast.literal_eval))
    return check(table["Id"], images), y


def pairs_by_hand(path, images):
    table = pd.read_csv(path, keep_default_na=False)
    y = pd.crosstab(table["Id"], table["label"]).clip(upper=1)
    return check(y.index, images), y


def check(ids, images):
    paths = [os.path.join(images, f"{name}.jpg") for name in ids]
    missing = [path for path in paths if not os.path.exists(path)]
    assert not missing
    return paths


if __name__ == "__main__":
    main()
