"""Time and memory with many labels and with a million images.

    python benchmarks/large_data.py [--out docs/benchmarks/large_data.md]

Each row runs in a process of its own. Labels: the default network for one epoch on 2,000 images of
64 x 48 pixels, and what is done with labels around it. Images: an object that has the shape of so
many images and makes each batch when it is asked for, so that what is measured is everything but
decoding: splitting, shuffling, batches, predictions, scores. The network is tiny for the same
reason.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from contextlib import contextmanager

import _report
import numpy as np

LABELS = (25, 100, 300, 1000)
IMAGES = (10_000, 100_000, 1_000_000)
SIDE = 8


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--row", nargs=2)
    parser.add_argument("--out")
    options = parser.parse_args()
    if options.row:
        kind, size = options.row
        print(json.dumps({"labels": many_labels, "images": many_images}[kind](int(size))))
        return
    of_labels = [run("labels", size) for size in LABELS]
    of_images = [run("images", size) for size in IMAGES]
    _report.write(
        options.out,
        "# Many labels, many images",
        "Seconds, and the peak of the process's memory. Labels: one epoch of the default network "
        "on 2,000 images of 64 x 48 pixels, each label on 2 % of the images.",
        _report.table(list(of_labels[0]), [row.values() for row in of_labels]),
        "Images: one epoch of a tiny network with 25 labels, on images that are made when they are "
        "asked for, so that everything but decoding and the network is measured. A million real "
        "images add what the loader and the network take, which does not depend on how many there "
        "are, and [what their paths take](lazy_memory.md).",
        _report.table(list(of_images[0]), [row.values() for row in of_images]),
        slopes(of_labels, of_images),
    )


def slopes(of_labels, of_images):
    """Say what another label and another image cost, from the last two rows of each."""

    def between(rows, size, column):
        (first, last) = rows[-2:]
        return (float(last[column]) - float(first[column])) / (
            int(last[size].replace(",", "")) - int(first[size].replace(",", ""))
        )

    label = between(of_labels, "labels", "peak MB") * 1000
    image = between(of_images, "images", "peak MB") * 1e6
    return (
        f"Between the last two rows, 1,000 labels cost {label:,.0f} MB, and a million images "
        f"{image:,.0f} MB."
    )


def run(kind, size):
    command = [sys.executable, __file__, "--row", kind, str(size)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    row = json.loads(done.stdout.splitlines()[-1])
    print(kind, size, row, flush=True)
    return row


class Timer:
    """Seconds by name."""

    def __init__(self):
        self.seconds = {}

    @contextmanager
    def __call__(self, name):
        started = time.perf_counter()
        yield
        self.seconds[name] = f"{time.perf_counter() - started:.1f}"


def peak_mb():
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}"


def many_labels(n_labels):
    from skposter import MultiLabelImageClassifier
    from skposter.metrics import score_summary
    from skposter.model_selection import MultiLabelStratifiedKFold
    from skposter.thresholds import choose_thresholds

    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, size=(2000, 64, 48, 3), dtype=np.uint8)
    y = (rng.random((2000, n_labels)) < 0.02).astype(np.uint8)
    y[:20] = 1  # none is too rare to be split
    timer = Timer()
    with timer("5 folds"):
        list(MultiLabelStratifiedKFold(5).split(X, y))
    classifier = MultiLabelImageClassifier(random_state=0, validation_fraction=0)
    classifier.partial_fit(X[:64], y[:64])  # traces
    with timer("an epoch"):
        classifier.partial_fit(X, y)
    with timer("predictions"):
        probabilities = classifier.predict_proba(X)
    with timer("thresholds"):
        choose_thresholds(y, probabilities, objective="f1_macro")
    with timer("scores"):
        score_summary(y, probabilities, label_frequencies=y.mean(axis=0))
    return {"labels": f"{n_labels:,}", **timer.seconds, "peak MB": peak_mb()}


class MadeImages:
    """As many images as wanted, each made of its row when it is asked for."""

    def __init__(self, n_images):
        self.shape = (n_images, SIDE, SIDE, 3)
        self.dtype = np.dtype(np.uint8)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        rows = np.arange(len(self))[rows] if isinstance(rows, slice) else np.asarray(rows)
        pixels = np.uint8(rows % 251)
        return np.broadcast_to(pixels[:, None, None, None], (len(rows), *self.shape[1:])).copy()

    def fingerprint(self):
        return f"made {self.shape}"


def many_images(n_images):
    from skposter import MultiLabelImageClassifier
    from skposter.metrics import score_summary
    from skposter.model_selection import multilabel_train_test_split
    from skposter.networks import SmallCNN
    from skposter.thresholds import choose_thresholds

    X = MadeImages(n_images)
    y = (np.random.default_rng(0).random((n_images, 25)) < 0.1).astype(np.uint8)
    timer = Timer()
    with timer("a split"):
        rows, _ = multilabel_train_test_split(np.arange(n_images), y, random_state=0)[:2]
    del rows
    classifier = MultiLabelImageClassifier(
        SmallCNN(filters=(4,)),
        augmentation="none",
        epochs=1,
        batch_size=256,
        correct_intercepts=False,
        random_state=0,
    )
    with timer("fit"):
        classifier.fit(X, y)
    with timer("predictions"):
        probabilities = classifier.predict_proba(X)
    with timer("thresholds"):
        choose_thresholds(y, probabilities, objective="f1_macro")
    with timer("scores"):
        score_summary(y, probabilities, label_frequencies=y.mean(axis=0))
    return {"images": f"{n_images:,}", **timer.seconds, "peak MB": peak_mb()}


if __name__ == "__main__":
    main()
