"""Training from `LazyImages`: peak memory for 1,000 and 100,000 images, and speed.

Every row is a process of its own. The images are symlinks to those of --images, or to posters that
are drawn; each is opened, decoded and resized as if it were another file.

    python benchmarks/lazy_memory.py [--images FOLDER] [--counts 1000 100000]
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import ClassVar

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from skposter import ImageLoader, MultiLabelImageClassifier
from skposter.datasets import make_posters
from skposter.networks import SmallCNN

MEMORY_SIZE, MEMORY_NETWORK = (64, 48), SmallCNN(filters=(8,), dense_units=16)
SPEED_SIZE = (112, 80)
SPEED_NETWORKS = {
    "the default network": SmallCNN(),
    "twice its channels": SmallCNN(filters=(64, 128, 256, 384)),
}
WAYS = ("array", "lazy", "lazy, warm cache")


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_memory(folder, n_images):
    """Train one epoch on `n_images` lazy images; return the row."""
    paths = np.array([f"{folder}/{i}.jpg" for i in range(n_images)])
    y = np.random.default_rng(0).random((n_images, 5)) < 0.3
    images = ImageLoader(size=MEMORY_SIZE, lazy=True).transform(paths)
    classifier = MultiLabelImageClassifier(MEMORY_NETWORK, epochs=1, random_state=0)
    start = time.perf_counter()
    classifier.fit(images, y)
    classifier.predict_proba(images)
    seconds = time.perf_counter() - start
    return {
        "n": n_images,
        "peak MB": peak_mb(),
        "seconds": seconds,
        "array MB": images.nbytes / 1e6,
    }


def run_speed(folder, n_images, epochs):
    """Train on the same images from an array, lazily, and lazily from a cache, in turns.

    Returns network -> way -> images/s.

    The first epoch of each traces the network and warms up; the others are timed one by one.
    """
    from keras.callbacks import Callback

    class Clock(Callback):
        seconds: ClassVar[list] = []  # of the class: the classifier trains with a copy

        def on_epoch_begin(self, epoch, logs=None):
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds.append(time.perf_counter() - self.start)

    paths = [f"{folder}/{i}.jpg" for i in range(n_images)]
    y = np.random.default_rng(0).random((n_images, 5)) < 0.3
    lazy = ImageLoader(size=SPEED_SIZE, lazy=True)
    cached = ImageLoader(size=SPEED_SIZE, lazy=True, cache_dir=Path(folder, "cache"))
    images = {
        "array": ImageLoader(size=SPEED_SIZE).transform(paths),
        "lazy": lazy.transform(paths),
        "lazy, warm cache": cached.transform(paths),
    }
    rates = {}
    for name, network in SPEED_NETWORKS.items():
        seconds: dict = {way: [] for way in WAYS}
        for _, way in itertools.product(range(epochs), WAYS):
            classifier = MultiLabelImageClassifier(
                network, epochs=2, validation_fraction=0, random_state=0, callbacks=[Clock()]
            )
            classifier.fit(images[way], y)
            seconds[way].append(Clock.seconds[-1])
        rates[name] = {way: n_images / statistics.median(times) for way, times in seconds.items()}
    return rates


def in_a_process(*args):
    command = [sys.executable, __file__, "--one", *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=Path)
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--speed-images", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default="docs/benchmarks/lazy_memory.md")
    args = parser.parse_args()
    if args.one:
        kind, folder, *numbers = args.one
        run = {"memory": run_memory, "speed": run_speed}[kind]
        print(json.dumps(run(folder, *map(int, numbers))))
        return
    with tempfile.TemporaryDirectory() as folder:
        images = args.images
        if images is None:
            make_posters(1000, out_dir=folder, size=(450, 300))
            images = Path(folder, "Images")
        real = sorted(path.resolve() for path in images.glob("*.jpg"))
        links = Path(folder, "links")
        links.mkdir()
        for i, path in zip(range(max(args.counts)), itertools.cycle(real), strict=False):
            (links / f"{i}.jpg").symlink_to(path)
        lines = [
            "# Training on lazy images",
            "",
            f"One epoch and one prediction, lazily, at {MEMORY_SIZE[0]}x{MEMORY_SIZE[1]} with a "
            "network of one small layer:",
            "",
            "| images | array would take, MB | peak of the process, MB | images/s |",
            "|---|---|---|---|",
        ]
        for n_images in args.counts:
            row = in_a_process("memory", links, n_images)
            speed = 2 * row["n"] / row["seconds"]
            lines.append(
                f"| {row['n']:,} | {row['array MB']:,.0f} | {row['peak MB']:,.0f} | {speed:,.0f} |"
            )
            print(lines[-1], flush=True)
        rates = in_a_process("speed", links, args.speed_images, args.epochs)
        lines += [
            "",
            f"Training at {SPEED_SIZE[0]}x{SPEED_SIZE[1]} on {args.speed_images:,} images, "
            f"{os.cpu_count()} cores, medians of {args.epochs} epochs in turns. Where training "
            "takes all processors, decoding takes its share of them: the larger the network, the "
            "smaller it is.",
            "",
            "| network | images from | images/s | of the array's |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| {network} | {way} | {rate:,.0f} | {rate / speed['array']:.2f} |"
            for network, speed in rates.items()
            for way, rate in speed.items()
        ]
    print("\n".join(lines))
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
