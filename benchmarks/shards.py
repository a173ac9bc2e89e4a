"""An epoch of reading in training order, without a network: files, tar, Parquet, and `tf.data`.

The same JPEGs as plain files, in tar archives, in Parquet files, and in TFRecord files for
`tf.data`, which reads neither of the others. Ours: the batches of a training, lazy images. Theirs:
files interleaved four at a time, then a shuffle buffer of as many images as four files hold. All
ways in turns, medians; once with the files in the system's page cache, once dropped from it before
each epoch.

    python benchmarks/shards.py
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
from _report import table, write

SIZE = (112, 80)
BATCH = 32
BUFFER = 4  # shards


def write_shards(contents, folder, n_shards):
    """Write the images in all layouts; return the paths of each."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import tensorflow as tf

    paths = {"files": [], "tar": [], "parquet": [], "tfrecord": []}
    for i, content in enumerate(contents):
        paths["files"].append(Path(folder, f"{i:06d}.jpg"))
        paths["files"][-1].write_bytes(content)
    for number, rows in enumerate(np.array_split(np.arange(len(contents)), n_shards)):
        for kind in ("tar", "parquet", "tfrecord"):
            paths[kind].append(Path(folder, f"{number:03d}.{kind}"))
        with tarfile.open(paths["tar"][-1], "w") as archive:
            for i in rows:
                for name, content in ((f"{i:06d}.jpg", contents[i]), (f"{i:06d}.cls", b"a")):
                    member = tarfile.TarInfo(name)
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
        cells = [{"bytes": contents[i], "path": None} for i in rows]
        pq.write_table(pa.table({"image": cells, "a": [1] * len(rows)}), paths["parquet"][-1])
        with tf.io.TFRecordWriter(str(paths["tfrecord"][-1])) as file:
            for i in rows:
                file.write(contents[i])
    os.sync()
    return {kind: [str(path) for path in some] for kind, some in paths.items()}


def ours(sources, n):
    """Return a function that reads the next epoch of a training."""
    from skposter import ImageLoader
    from skposter._training.batches import ImageBatches
    from skposter._training.subsets import Subset

    images = ImageLoader(size=SIZE, n_jobs=2, lazy=True).transform(sources)
    subset = Subset(images, np.zeros((n, 1), dtype=np.float32), np.arange(n))
    batches = ImageBatches(subset, BATCH, shuffle_seed=0)

    def epoch():
        read = sum(len(X) for X, _ in batches.dataset().as_numpy_iterator())
        batches.next_epoch()
        return read

    return epoch


def of_tf_data(paths, n, ratio):
    """The same with `tf.data`; `ratio` is the scale that JPEGs are decoded at."""
    import tensorflow as tf

    def decode(content):
        image = tf.io.decode_jpeg(content, channels=3, ratio=ratio)
        image = tf.image.resize(image, SIZE, method="bilinear", antialias=True)
        return tf.cast(tf.round(image), tf.uint8)

    dataset = (
        tf.data.Dataset.from_tensor_slices(paths)
        .shuffle(len(paths))
        .interleave(
            tf.data.TFRecordDataset, cycle_length=BUFFER, num_parallel_calls=tf.data.AUTOTUNE
        )
        .shuffle(BUFFER * n // len(paths))
        .map(decode, num_parallel_calls=2)
        .batch(BATCH)
        .prefetch(2)
    )
    return lambda: sum(len(X) for X in dataset.as_numpy_iterator())


def drop_from_memory(paths):
    """Ask the system to forget what it holds of the files."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--shards", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--output", type=Path, default="docs/benchmarks/shards.md")
    args = parser.parse_args()
    from skposter.datasets import load_image_shards, make_posters

    with tempfile.TemporaryDirectory() as folder:
        make_posters(200, out_dir=folder, size=(450, 300))
        drawn = [path.read_bytes() for path in sorted(Path(folder, "Images").glob("*.jpg"))]
        contents = [drawn[i % len(drawn)] for i in range(args.n)]
        paths = write_shards(contents, folder, args.shards)
        load = os.getloadavg()[0]
        indexed = {}
        for kind in ("tar", "parquet"):
            load_image_shards(paths[kind][0])  # imports
            begin = time.perf_counter()
            indexed[kind] = load_image_shards(paths[kind]).paths
            indexed[kind, "s"] = time.perf_counter() - begin
        ways = {
            "plain files": ("files", ours(paths["files"], args.n)),
            "**tar archives**": ("tar", ours(indexed["tar"], args.n)),
            "**Parquet**": ("parquet", ours(indexed["parquet"], args.n)),
            "`tf.data`, TFRecord, decoded at half scale": (
                "tfrecord",
                of_tf_data(paths["tfrecord"], args.n, 2),
            ),
            "`tf.data`, TFRecord, decoded at full scale": (
                "tfrecord",
                of_tf_data(paths["tfrecord"], args.n, 1),
            ),
        }
        seconds = {(name, cold): [] for name in ways for cold in (False, True)}
        for _, epoch in ways.values():
            epoch()
        for repeat in range(args.repeats):
            for cold in (False, True):
                for name, (kind, epoch) in list(ways.items())[:: 1 if repeat % 2 else -1]:
                    if cold:
                        drop_from_memory(paths[kind])
                    begin = time.perf_counter(), time.process_time()
                    assert epoch() == args.n
                    taken = time.perf_counter() - begin[0], time.process_time() - begin[1]
                    seconds[name, cold].append(taken)
    median = {
        key: [statistics.median(column) for column in zip(*values, strict=True)]
        for key, values in seconds.items()
    }
    rate = {key: args.n / wall for key, (wall, _) in median.items()}
    write(
        args.output,
        "# Images from tar archives and Parquet files",
        f"An epoch of reading in training order, no network: {args.n:,} JPEGs of 300x450 pixels "
        f"({len(drawn)} drawn posters, repeated) brought to 112x80 with averages, in "
        f"{args.shards} files, batches of {BATCH}, two threads. Medians of {args.repeats} epochs, "
        f"all ways in turns; load {load:.0f} before: the machine did other work, which the "
        "processor time leaves out. "
        "`tf.data` reads neither tar nor Parquet, so it gets TFRecord files of the same images, "
        f"interleaved {BUFFER} at a time, with a shuffle buffer of {BUFFER} files' images. "
        "`ImageLoader` decodes these JPEGs at half scale. A file system that is far away was not "
        "measured.",
        table(
            [
                "",
                "processor time, ms an image",
                "images/s, files in memory",
                "times plain files",
                "images/s, files dropped from memory",
                "times plain files",
            ],
            [
                (
                    name,
                    f"{1000 * median[name, False][1] / args.n:.2f}",
                    f"{rate[name, False]:,.0f}",
                    f"{rate[name, False] / rate['plain files', False]:.2f}",
                    f"{rate[name, True]:,.0f}",
                    f"{rate[name, True] / rate['plain files', True]:.2f}",
                )
                for name in ways
            ],
        ),
        f"Reading the indexes took {1e6 * indexed['tar', 's'] / args.n:.0f} µs an image for tar "
        f"and {1e6 * indexed['parquet', 's'] / args.n:.0f} µs for Parquet (once, not an epoch).",
    )


if __name__ == "__main__":
    main()
