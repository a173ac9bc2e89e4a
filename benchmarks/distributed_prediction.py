"""Prediction of many images: one process, two, and two workers of Dask; killed and gone on with.

Every row is a process of its own, which repeats the images of a folder as often as it takes.

    python benchmarks/distributed_prediction.py [--images FOLDER] [--n-images 50000]
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import _report
import numpy as np
import pandas as pd
import psutil

SIZE, N_LABELS, PARTITION = (112, 80), 25, 512
ENGINES = ("one process", "two processes", "two Dask workers")
KINDS = {"ONNX": "model.onnx", "TensorFlow": "model.skposter"}


def make_models(folder):
    """Write the default network, hardly trained, in both forms."""
    from sklearn.pipeline import make_pipeline

    import skposter

    rng = np.random.default_rng(0)
    X = rng.integers(0, 255, size=(64, *SIZE, 3), dtype=np.uint8)
    y = rng.integers(0, 2, size=(64, N_LABELS))
    pipe = make_pipeline(
        skposter.ImageLoader(size=SIZE), skposter.MultiLabelImageClassifier(epochs=1)
    ).fit(list(X), y)
    skposter.save(pipe, f"{folder}/model.skposter")
    skposter.export(pipe, f"{folder}/model.onnx")


class Memory(threading.Thread):
    """Looks at the resident memory of some processes, again and again."""

    def __init__(self, processes):
        super().__init__(daemon=True)
        self._processes = processes
        self.seen = []
        self.done = False

    def run(self):
        while not self.done:
            sizes = [0]
            for process in self._processes():
                with contextlib.suppress(psutil.Error):
                    sizes.append(process.memory_info().rss)
            self.seen.append(max(sizes) / 1e6)
            time.sleep(0.2)

    def in_mb(self):
        """Return the largest when a quarter was done, and at all."""
        return max(self.seen[: max(1, len(self.seen) // 4)]), max(self.seen)


def run_one(folder, kind, engine, n_images, output):
    """Predict; return seconds, images, and the memory of the largest worker."""
    from skposter.distributed import predict, worker_environment

    real = Path(folder, "list.txt").read_text().splitlines()
    paths = list(itertools.islice(itertools.cycle(real), n_images))
    args = f"{folder}/{KINDS[kind]}", paths, output
    options = {"partition_size": PARTITION, "verbose": 0}
    me = psutil.Process()
    if engine == "two Dask workers":
        from distributed import Client, LocalCluster

        with (
            LocalCluster(
                n_workers=2,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address=None,
                env=worker_environment(1),
            ) as cluster,
            Client(cluster) as client,
        ):
            pids = client.run(os.getpid).values()
            memory = Memory(lambda: map(psutil.Process, pids))
            memory.start()
            summary = predict(*args, client=client, **options)
            memory.done = True
    else:
        several = engine == "two processes"
        memory = Memory(lambda: me.children(recursive=True) if several else [me])
        memory.start()
        summary = predict(*args, n_jobs=2 if several else None, **options)
        memory.done = True
    early, most = memory.in_mb()
    return {
        "seconds": summary.seconds,
        "images": summary.n_images,
        "kept": summary.n_kept,
        "MB early": early,
        "MB": most,
    }


def command(*args):
    return [sys.executable, __file__, "--one", *map(str, args)]


def in_a_process(*args):
    done = subprocess.run(command(*args), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def n_parts(output):
    return len(list(Path(output).glob("part-*.parquet")))


def killed(folder, kind, engine, n_images, output):
    """Kill the whole program when a third of the parts are there, and run it again."""
    third = n_images // PARTITION // 3
    start = time.perf_counter()
    with subprocess.Popen(
        command(folder, kind, engine, n_images, output),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        while n_parts(output) < third and process.poll() is None:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    seconds = time.perf_counter() - start
    kept = n_parts(output)
    row = in_a_process(folder, kind, engine, n_images, output)
    assert row["kept"] == kept * PARTITION, (row["kept"], kept)
    return {**row, "before": seconds}


def same(outputs):
    """Tell how far the probabilities in some folders differ, whose paths must be the same."""
    first, *others = [pd.read_parquet(output) for output in outputs]
    for other in others:
        assert other["path"].equals(first["path"])
        yield float(np.abs(other.iloc[:, 1:].to_numpy() - first.iloc[:, 1:].to_numpy()).max())


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=Path, help="folder of images; else posters are drawn")
    parser.add_argument("--n-images", type=int, default=50_000)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--output", type=Path, default="docs/benchmarks/distributed_prediction.md")
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        folder, kind, engine, n_images, output = args.one
        print(json.dumps(run_one(folder, kind, engine, int(n_images), output)))
        return
    with tempfile.TemporaryDirectory() as folder:
        images = args.images
        if images is None:
            from skposter.datasets import make_posters

            make_posters(1000, out_dir=folder, size=(450, 300))
            images = Path(folder, "Images")
        real = sorted(images.glob("*.jpg"))[: args.n_images]
        kilobytes = np.mean([path.stat().st_size for path in real]) / 1e3
        Path(folder, "list.txt").write_text("\n".join(str(path.resolve()) for path in real))
        make_models(folder)
        rows, largest = [], 0.0
        for kind in args.kinds:
            outputs = []
            for engine in ENGINES:
                output = f"{folder}/{kind}-{engine}".replace(" ", "-")
                outputs.append(output)
                row = in_a_process(folder, kind, engine, args.n_images, output)
                rows.append(
                    [
                        kind,
                        engine,
                        f"{row['images'] / row['seconds']:,.0f}",
                        f"{row['seconds']:,.0f}",
                        f"{row['MB early']:,.0f}" if row["MB early"] else "-",
                        f"{row['MB']:,.0f}",
                    ]
                )
                print(rows[-1], flush=True)
            largest = max([largest, *same(outputs)])
        kills = []
        for engine in ("one process", "two Dask workers"):
            kind = args.kinds[0]
            output = f"{folder}/killed-{engine}".replace(" ", "-")
            row = killed(folder, kind, engine, args.n_images, output)
            whole = f"{folder}/{kind}-one-process"
            largest = max([largest, *same([whole, output])])
            kills.append(
                [
                    kind,
                    engine,
                    f"{row['before']:,.0f}",
                    f"{row['kept']:,}",
                    f"{row['seconds']:,.0f}",
                ]
            )
            print(kills[-1], flush=True)
    _report.write(
        args.output,
        "# Prediction of many images",
        f"{args.n_images:,} images ({len(real):,} files of {kilobytes:,.0f} kB, repeated), "
        f"default network at {SIZE[0]}x{SIZE[1]}, {N_LABELS} labels, parts of {PARTITION}. Seconds "
        "include loading the model. Memory is that of the largest worker: the most within the "
        "first quarter of the time (- if none had begun), and at all. On two cores more processes "
        "cannot be faster: the rows show what they cost.",
        _report.table(
            ["model", "on", "images/s", "seconds", "MB early", "MB at most"],
            rows,
        ),
        "Everything killed with SIGKILL when a third was done, and run again:",
        _report.table(
            ["model", "on", "seconds until killed", "images kept", "seconds afterwards"], kills
        ),
        f"The probabilities of all these runs differ by {largest:.1g} at most.",
        f"Other programs used the machine meanwhile (load {os.getloadavg()[2]:.0f} on "
        f"{os.cpu_count()} cores), so rates of different rows compare badly.",
    )


if __name__ == "__main__":
    main()
