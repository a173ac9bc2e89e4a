"""How long epochs wait before their first batch: batches as skposter feeds them, and as Keras does.

A `keras.utils.PyDataset` becomes a tf.data pipeline that tunes itself in a thread. Between looks at
the pipeline the thread sleeps, ever longer, and at the end of an epoch it is told to stop; when it
misses that, the next epoch waits until it wakes up. skposter makes the same pipeline without that
thread. Fits of the same network take turns in one process, after one of each as a warm-up.

    python benchmarks/epoch_waits.py [--rounds 6] [--epochs 5] [--out FILE]
"""

from __future__ import annotations

import argparse
import statistics
import time

import skposter._keras.tensorflow  # noqa: F401, isort: skip, TensorFlow without its start-up lines
import _report
import keras
import numpy as np
from _peers import by_keras, images

from skposter._keras.tensorflow import keep_freed_memory
from skposter._training.batches import ImageBatches
from skposter._training.subsets import Subset


class BatchesOfKeras(keras.utils.PyDataset):
    """The same batches, for Keras to feed."""

    def __init__(self, batches):
        super().__init__()
        self._batches = batches

    @property
    def num_batches(self):
        return self._batches.num_batches

    def __getitem__(self, i):
        return self._batches[i]


class Stopwatch(keras.callbacks.Callback):
    """Note how long each epoch takes, and how long its first batch lets it wait."""

    def __init__(self):
        super().__init__()
        self.epochs, self.waits = [], []

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.perf_counter()

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 0:
            self.waits.append(time.perf_counter() - self._start)

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(time.perf_counter() - self._start)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--out")
    options = parser.parse_args()

    keep_freed_memory()
    X, y = images(600, 112, 80, 10)
    batches = ImageBatches(Subset(X, y.astype(np.float32), np.arange(len(X))), 32, shuffle_seed=0)
    model = by_keras(X, y, filters=(32, 64, 128, 192))
    ways = {
        "skposter's data set": batches.dataset,
        "keras.utils.PyDataset": lambda: BatchesOfKeras(batches),
    }
    epochs = {way: [] for way in ways}
    waits = {way: [] for way in ways}
    for n in range(options.rounds + 1):
        for way, data in ways.items():
            watch = Stopwatch()
            model.fit(data(), epochs=options.epochs, shuffle=False, verbose=0, callbacks=[watch])
            if n:
                epochs[way] += watch.epochs
                waits[way] += watch.waits
    ours = sum(epochs["skposter's data set"])
    rows = [
        (
            way,
            f"{len(X) * len(seconds) / sum(seconds):.0f}",
            f"{sum(seconds) / ours:.2f}",
            f"{statistics.median(seconds):.2f}",
            f"{max(seconds):.2f}",
            f"{sum(wait > 0.5 for wait in waits[way])} of {len(seconds)}",
            f"{max(waits[way]):.2f}",
        )
        for way, seconds in epochs.items()
    ]
    header = (
        "batches from",
        "images/s",
        "time, ratio",
        "median epoch, s",
        "longest",
        "epochs that wait above 0.5 s",
        "longest wait, s",
    )
    _report.write(
        options.out,
        "# Epochs that wait",
        f"Training a network of four convolutions on {len(X)} images of 112 x 80, "
        f"{options.epochs} epochs a fit, {options.rounds} fits of each kind in turns. The thread "
        "in which tf.data tunes the pipeline of a `PyDataset` sleeps for up to as long as the "
        "epoch has taken so far; when it misses the signal to stop, the next epoch waits for it.",
        _report.table(header, rows),
    )


if __name__ == "__main__":
    main()
