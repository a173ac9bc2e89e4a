"""Training with freed memory kept by the process, and with it handed back as TensorFlow has it.

TensorFlow's first data set over a Python generator sets glibc's M_TRIM_THRESHOLD to 128 KB, and
skposter puts more back. Each fit is a process of its own, in turns; first epochs are not counted.

    python benchmarks/freed_memory.py [--rounds 3] [--out docs/benchmarks/freed_memory.md]
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

import _report

WAYS = ("kept (skposter)", "handed back (TensorFlow)")


def worker(way):
    """Print seconds, seconds in the kernel and new pages of each epoch, and the peak memory."""
    import skposter._keras.tensorflow  # noqa: F401, isort: skip
    import ctypes

    import keras
    from _peers import images

    from skposter import MultiLabelImageClassifier

    if way != WAYS[0]:
        for parameter in (-1, -3):  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
            ctypes.CDLL(None).mallopt(parameter, 128 * 1024)
    epochs = []

    class Meter(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.start = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)

        def on_epoch_end(self, epoch, logs=None):
            used = resource.getrusage(resource.RUSAGE_SELF)
            seconds, before = self.start
            kernel = used.ru_stime - before.ru_stime
            faults = used.ru_minflt - before.ru_minflt
            epochs.append((time.perf_counter() - seconds, kernel, faults))

    X, y = images(1000, 128, 96, 25)
    MultiLabelImageClassifier(
        epochs=4, validation_fraction=0, random_state=0, callbacks=[Meter()]
    ).fit(X, y)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([epochs[1:], peak]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--out")
    options = parser.parse_args()
    if options.worker:
        worker(options.worker)
        return
    results = {way: [] for way in WAYS}
    for _ in range(options.rounds):
        for way, runs in results.items():
            command = [sys.executable, __file__, "--worker", way]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            runs.append(json.loads(done.stdout.splitlines()[-1]))
    rows = []
    reference = None
    for way, runs in results.items():
        seconds, kernel, faults = (
            statistics.median(epoch[i] for epochs, _ in runs for epoch in epochs) for i in range(3)
        )
        reference = reference or seconds
        peak = statistics.median(peak for _, peak in runs)
        row = f"{1000 / seconds:.0f}", f"{seconds / reference:.2f}", f"{kernel:.1f}"
        rows.append((way, *row, f"{faults:,.0f}", f"{peak:.0f}"))
    header = (
        "freed memory",
        "images/s",
        "time, ratio",
        "seconds in the kernel",
        "new pages",
        "peak MB",
    )
    _report.write(
        options.out,
        "# Memory that is freed and used again",
        "The default network on 1,000 images of 128 x 96; an epoch, median over "
        f"{options.rounds} processes of three epochs each, in turns. TensorFlow's first data set "
        "over a Python generator, which feeds `Model.fit` from batches, makes glibc hand memory "
        "back to the system as soon as it is freed, and the next step gets new pages.",
        _report.table(header, rows),
    )


if __name__ == "__main__":
    main()
