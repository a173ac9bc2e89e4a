"""What ten million images would take on N workers: a model of the cost, and workers that die.

Runs on a cluster of this machine give the time of an image and of a part. Every fifth run is not
used to fit the model, but to check it. The simulation then lets workers die.

    python benchmarks/cluster_cost.py [--images FOLDER]
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import _report
import numpy as np
from distributed_prediction import SIZE, make_models
from scipy.optimize import nnls

N_IMAGES = 10_000_000
PARTITION = 4096
WORKERS = (1, 8, 64, 256)
# Images, and images in a part. Every fifth is held out.
RUNS = [
    *((200, 20), (200, 100), (400, 40), (400, 200), (800, 100)),
    *((400, 20), (800, 200), (200, 40), (800, 400), (600, 60)),
]
GIGABIT_BYTES = 117e6
N_SIMULATED = 5


def seconds_of(function, *args, repeats=3):
    """Return the least time of some calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function(*args)
        times.append(time.perf_counter() - start)
    return min(times)


def parts_of_an_image(model, paths):
    """Return the seconds that one core takes to decode an image and to predict it."""
    import skposter
    from skposter.distributed import worker_environment

    os.environ.update(worker_environment(1))
    predictor = skposter.load_onnx(model)
    images = predictor.load_images(paths)
    decoding = seconds_of(predictor.load_images, paths) / len(paths)
    # Arrays of the right size pass through the decoder as they are, at the cost of a copy.
    return decoding, seconds_of(predictor.predict_proba, list(images)) / len(paths)


def measure(model, paths, folder):
    """Return the seconds of each of `RUNS` on one and on two workers."""
    from distributed import Client, LocalCluster

    from skposter.distributed import predict, worker_environment

    measured = []
    for n_workers in (1, 2):
        with (
            LocalCluster(
                n_workers=n_workers,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address=None,
                env=worker_environment(1),
            ) as cluster,
            Client(cluster) as client,
        ):
            warm = itertools.count()

            def run(n_images, size, client=client, warm=warm):
                some = list(itertools.islice(itertools.cycle(paths), n_images))
                output = f"{folder}/{id(client)}-{next(warm)}"
                return predict(
                    model, some, output, client=client, partition_size=size, verbose=0
                ).seconds

            run(64, 16)
            for n_images, size in RUNS:
                seconds = run(n_images, size)
                measured.append((n_workers, n_images, size, seconds))
                print(measured[-1], flush=True)
    return measured


def features(n_workers, n_images, size):
    """Return what the seconds of a run are the sum of: a start, images, and parts."""
    # The last round leaves workers idle: rounds of parts, not parts, are what is waited for.
    rounds = np.ceil(np.ceil(n_images / size) / n_workers)
    return [1.0, rounds * min(size, n_images / n_workers), np.ceil(n_images / size)]


def fit(measured):
    """Return seconds of a start, an image and a part on one worker, and the errors.

    Those are of the runs that were held out, of the others, and of the runs on two workers, which
    only tell how the formula fares where cores are shared.
    """
    X = np.array([features(*run[:3]) for run in measured])
    y = np.array([run[3] for run in measured])
    alone = np.array([run[0] == 1 for run in measured])
    held_out = alone & (np.arange(len(y)) % 5 == 4)
    # Relative errors count, or the longest run would decide.
    known = alone & ~held_out
    weights, _ = nnls(X[known] / y[known, None], np.ones(known.sum()))
    errors = X @ weights / y - 1
    return weights, errors[held_out], errors[known], errors[~alone]


def hours_of(weights, n_workers, n_images, size, bytes_each):
    """Return hours on a cluster, and what is the limit."""
    start, image, part = weights
    n_parts = n_images / size
    limits = {
        "workers": n_images * image / n_workers + part * n_parts / n_workers,
        "1 Gbit/s": n_images * bytes_each / GIGABIT_BYTES,
        "client": part * n_parts,  # at worst: all of a part's overhead is one process' work
    }
    limit = max(limits, key=limits.get)
    return (start + limits[limit]) / 3600, limit


def simulate(n_workers, n_parts, seconds, life, restart, allowed, rng):
    """Let workers with lives of random length do the parts of a prediction.

    Returns
    -------
    hours : float
    redone : int
        Parts that died with their worker.
    given_up : bool
        Whether one was on more than `allowed` workers that died.
    """
    ends = [(0.0, worker) for worker in range(n_workers)]
    dies = rng.exponential(life, n_workers)
    deaths = {}
    left, again, redone, last = n_parts, [], 0, 0.0
    while left or again:
        now, worker = heapq.heappop(ends)
        if dies[worker] <= now:
            now += restart
            dies[worker] = now + rng.exponential(life)
        if again:
            part = again.pop()
        else:
            part, left = left, left - 1
        end = now + seconds * rng.lognormal(0, 0.2)
        if dies[worker] < end:  # with the part
            redone += 1
            deaths[part] = deaths.get(part, 0) + 1
            if deaths[part] > allowed:
                return dies[worker] / 3600, redone, True
            again.append(part)
            end = dies[worker]
        else:
            last = max(last, end)
        heapq.heappush(ends, (end, worker))
    return last / 3600, redone, False


def simulation(weights):
    """Return the rows of a table of clusters whose workers die."""
    rng = np.random.default_rng(0)
    _, image, part = weights
    rows = []
    for n_workers, size, hours in [
        (64, 4096, None),
        (64, 4096, 24),
        (64, 4096, 1),
        (64, 4096, 0.1),
        (64, 65_536, 1),
        (64, 65_536, 0.1),
    ]:
        life = np.inf if hours is None else hours * 3600
        n_parts = -(-N_IMAGES // size)
        runs = [
            simulate(n_workers, n_parts, size * image + part, life, 30, 3, rng)
            for _ in range(N_SIMULATED)
        ]
        n_given_up = sum(run[2] for run in runs)
        done = [run for run in runs if not run[2]]
        rows.append(
            [
                f"{size:,}",
                "never" if hours is None else f"{hours:g} h",
                f"{60 * np.mean([run[0] for run in done]):.1f}" if done else "-",
                f"{np.mean([run[1] for run in done]) / n_parts:.1%}" if done else "-",
                f"{n_given_up} of {N_SIMULATED}",
            ]
        )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=Path, help="folder of images; else posters are drawn")
    parser.add_argument("--output", type=Path, default="docs/benchmarks/cluster_cost.md")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        images = args.images
        if images is None:
            from skposter.datasets import make_posters

            make_posters(300, out_dir=folder, size=(450, 300))
            images = Path(folder, "Images")
        paths = [str(path.resolve()) for path in sorted(images.glob("*.jpg"))[:2000]]
        bytes_each = float(np.mean([os.path.getsize(path) for path in paths]))
        make_models(folder)
        decoding, network = parts_of_an_image(f"{folder}/model.onnx", paths[:256])
        measured = measure(f"{folder}/model.onnx", paths, folder)
    weights, held_out, known, shared = fit(measured)
    start, image, part = weights
    rows = []
    for n_workers in WORKERS:
        hours, limit = hours_of(weights, n_workers, N_IMAGES, PARTITION, bytes_each)
        rows.append([n_workers, f"{hours:.1f}", f"{hours * n_workers:.0f}", limit])
    _report.write(
        args.output,
        "# What a cluster costs",
        f"One core decodes an image of {bytes_each / 1e3:.0f} kB in {decoding * 1e3:.2f} ms and "
        f"predicts it in {network * 1e3:.2f} ms (default network at {SIZE[0]}x{SIZE[1]}, ONNX). "
        f"{len(RUNS)} predictions of {min(RUNS)[0]} to {max(RUNS)[0]} images in parts of "
        f"{min(size for _, size in RUNS)} to {max(size for _, size in RUNS)}, on one worker of "
        "Dask with one thread, are described by",
        f"    seconds = {start:.2f} + {image * 1e3:.2f} ms * images of a worker "
        f"+ {part * 1e3:.1f} ms * parts",
        f"fitted to four fifths of them with a median error of {np.median(np.abs(known)):.0%}; on "
        f"the fifth that was held out it is {np.median(np.abs(held_out)):.0%}, "
        f"{np.abs(held_out).max():.0%} at most. With a second worker on this machine the same "
        f"runs took {1 / (1 + np.median(shared)):.1f} times what the formula says (median): it "
        "holds where each worker has a core that nobody else uses, which was not so here. "
        f"Ten million such images ({N_IMAGES * bytes_each / 1e9:,.0f} GB) in parts of "
        f"{PARTITION:,} would take, by this formula, on workers with a core each and images "
        "behind one line of 1 Gbit/s:",
        _report.table(["workers", "hours", "core hours", "limit"], rows),
        "Beyond the machine that was measured this is arithmetic: nobody has run it there.",
        f"64 such workers that die, in a simulation ({N_SIMULATED} runs each, without the limit of "
        "the line): a dead worker takes its part with it and is back after 30 s; Dask gives up "
        "on a part with which four workers have died.",
        _report.table(
            ["images a part", "a worker lives", "minutes", "parts done again", "given up"],
            simulation(weights),
        ),
        f"Other programs used the machine meanwhile (load {os.getloadavg()[2]:.0f} on "
        f"{os.cpu_count()} cores); on a quiet one an image takes less.",
        "Small parts lose little. `predict` goes on where it stopped, also after it was given up.",
    )


if __name__ == "__main__":
    main()
