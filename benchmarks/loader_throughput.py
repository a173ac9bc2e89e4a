"""Images a second of `ImageLoader` beside other ways to load the same files at the same size.

All rows run in one process, in turns: every repeat times each row once on the same files, so that
a machine that is now faster, now slower, treats them alike. The table has medians over repeats, and
the CPU time per image, which does not depend on what else the machine does.

    python benchmarks/loader_throughput.py [--images FOLDER] [--n 600] [--repeats 9]

Without --images, posters of 300x450 pixels are drawn. Beside the requirements of skposter it needs
simplejpeg (a wrapper of libjpeg-turbo) and opencv-python-headless.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from PIL import Image

from skposter import ImageLoader
from skposter.datasets import make_posters

UNFILTERED = '**skposter, `resample="nearest"`**'
FILTERED_PEERS = (
    "Pillow loop",
    "embetter's loop",
    "keras load_img, bilinear",
    "tf.data decode_jpeg + resize, antialias",
)
UNFILTERED_PEERS = ("keras load_img, nearest (its default)", "tf.data decode_jpeg + resize")


def pillow_loop(paths, size, n_threads):
    """What most tutorials do: open, convert, resize."""
    height, width = size

    def load(path):
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB").resize((width, height), Image.BILINEAR))

    return np.stack(list(mapped(load, paths, n_threads)))


def embetter_loop(paths, size, _n_threads):
    """`embetter.vision.ImageLoader` as it is, a list of opened and converted images, and resize."""
    height, width = size
    images = [Image.open(path).convert("RGB") for path in paths]
    return np.array([np.array(i.resize((width, height), Image.BILINEAR)) for i in images])


def keras_loop(interpolation):
    def load_all(paths, size, _n_threads):
        import keras

        return np.stack(
            [
                np.asarray(
                    keras.utils.load_img(path, target_size=size, interpolation=interpolation)
                )
                for path in paths
            ]
        )

    return load_all


def tf_data(antialias):
    def load_all(paths, size, n_threads):
        import tensorflow as tf

        def load(path):
            image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
            return tf.cast(tf.image.resize(image, size, antialias=antialias), tf.uint8)

        options = tf.data.Options()
        options.threading.private_threadpool_size = n_threads
        batches = (
            tf.data.Dataset.from_tensor_slices(list(paths))
            .map(load, num_parallel_calls=n_threads)
            .batch(32)
            .prefetch(1)
            .with_options(options)
        )
        return np.concatenate([batch.numpy() for batch in batches])

    return load_all


def bare_loop(resize, scaled=False):
    """libjpeg-turbo and nothing else: no checks, no orientation, no errors with a name."""

    def load_all(paths, size, n_threads):
        import cv2
        import simplejpeg

        cv2.setNumThreads(1)
        height, width = size
        least = {"min_height": height, "min_width": width} if scaled else {}

        def load(path):
            with open(path, "rb") as file:
                image = simplejpeg.decode_jpeg(file.read(), "RGB", **least)
            if resize == "pillow":
                return np.asarray(Image.fromarray(image).resize((width, height), Image.BILINEAR))
            interpolation = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR}[resize]
            return cv2.resize(image, (width, height), interpolation=interpolation)

        return np.stack(list(mapped(load, paths, n_threads)))

    return load_all


def mapped(function, items, n_threads):
    if n_threads == 1:
        return map(function, items)
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(function, items, chunksize=8))


def skposter(**params):
    def load_all(paths, size, n_threads):
        # 0: nothing is kept of the run before.
        limit = {} if "cache_dir" in params else {"cache_limit": 0}
        return ImageLoader(size=size, n_jobs=n_threads, **limit, **params).transform(paths)

    return load_all


def rows(cache_dir):
    """Return name -> (function, whether threads make a difference)."""
    return {
        "**skposter**": (skposter(), True),
        "skposter, `exact=True`": (skposter(exact=True), True),
        UNFILTERED: (skposter(resample="nearest"), True),
        "Pillow loop": (pillow_loop, True),
        "embetter's loop": (embetter_loop, False),
        "keras load_img, bilinear": (keras_loop("bilinear"), False),
        "keras load_img, nearest (its default)": (keras_loop("nearest"), False),
        "tf.data decode_jpeg + resize": (tf_data(False), True),
        "tf.data decode_jpeg + resize, antialias": (tf_data(True), True),
        "bare libjpeg-turbo + the same resize": (bare_loop("pillow"), True),
        "bare libjpeg-turbo + cv2 area": (bare_loop("area"), True),
        "bare libjpeg-turbo, scaled + cv2 area": (bare_loop("area", scaled=True), True),
        "bare libjpeg-turbo + cv2 linear": (bare_loop("linear"), True),
        "**skposter, warm cache**": (skposter(cache_dir=cache_dir), True),
    }


def measure(paths, size, repeats, cache_dir):
    """Return (name, threads) -> (images/s, CPU ms per image), medians over repeats."""
    runs = {
        (name, n_threads): function
        for name, (function, threaded) in rows(cache_dir).items()
        for n_threads in ((1, 2) if threaded else (1,))
    }
    times: dict = {run: [] for run in runs}
    for repeat in range(repeats + 1):
        for run, function in runs.items():
            wall, cpu = time.perf_counter(), time.process_time()
            images = function(paths, size, run[1])
            seconds = time.perf_counter() - wall, time.process_time() - cpu
            assert images.shape == (len(paths), *size, 3)
            assert images.dtype == np.uint8
            if repeat:  # the first time warms up
                times[run].append(seconds)
        print(f"{size}: {repeat} of {repeats}", file=sys.stderr, flush=True)
    return {
        run: (
            len(paths) / statistics.median(wall for wall, _ in seconds),
            1000 * statistics.median(cpu for _, cpu in seconds) / len(paths),
        )
        for run, seconds in times.items()
    }


def table(results):
    lines = ["| | images/s, 1 thread | 2 threads | CPU ms an image |", "|---|---|---|---|"]
    for name in dict.fromkeys(name for name, _ in results):
        one, cpu = results[name, 1]
        two = f"{results[name, 2][0]:,.0f}" if (name, 2) in results else "-"
        lines.append(f"| {name} | {one:,.0f} | {two} | {cpu:.2f} |")
    return lines


def ratios(results):
    """Compare like with like: who averages over the pixels that go, and who drops them."""

    def best(row):
        return max(rate for (name, _), (rate, _) in results.items() if name == row)

    def compared(ours, peers):
        return ", ".join(f"{best(ours) / best(peer):.2f} x {peer}" for peer in peers)

    bare = ", ".join(
        f"{results['**skposter**', 2][0] / results[name, 2][0]:.0%} of {name}"
        for name, n_threads in results
        if name.startswith("bare") and n_threads == 2
    )
    fastest = max(best(peer) for peer in FILTERED_PEERS + UNFILTERED_PEERS)
    return [
        "",
        "Each at its best number of threads:",
        "",
        f"- skposter, which averages over the pixels that it drops: "
        f"{compared('**skposter**', FILTERED_PEERS)}, which do so too;",
        f"- the same beside those that do not: {compared('**skposter**', UNFILTERED_PEERS)};",
        f'- skposter with `resample="nearest"`, which does not either: '
        f"{compared(UNFILTERED, UNFILTERED_PEERS)};",
        f"- warm cache: {best('**skposter, warm cache**') / fastest:.1f} x the fastest of all.",
        "",
        f"Two threads each: {bare}.",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=Path)
    parser.add_argument("--n", type=int, default=600)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--sizes", nargs="+", default=["224x160", "112x80"])
    parser.add_argument("--output", type=Path, default="docs/benchmarks/loader_throughput.md")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        images = args.images
        if images is None:
            make_posters(args.n, out_dir=folder, size=(450, 300))
            images = Path(folder, "Images")
        paths = [str(path) for path in sorted(images.glob("*.jpg"))[: args.n]]
        n_bytes = statistics.mean(os.path.getsize(path) for path in paths)
        lines = [
            "# Loader throughput",
            "",
            f"{len(paths)} JPEGs of {n_bytes / 1000:.0f} kB on average, {os.cpu_count()} cores, "
            f"load {os.getloadavg()[0]:.0f} before, Pillow {Image.__version__}, medians of "
            f"{args.repeats} interleaved runs. All but the rows that say otherwise resize "
            "bilinearly; tf.data and cv2 linear do so without averaging over what they shrink.",
        ]
        for text in args.sizes:
            size = tuple(int(side) for side in text.split("x"))
            results = measure(paths, size, args.repeats, Path(folder, "cache"))
            lines += ["", f"## {text}", "", *table(results), *ratios(results)]
    print("\n".join(lines))
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
