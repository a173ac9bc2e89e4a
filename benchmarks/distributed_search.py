"""One search on three engines: in this process, two processes of joblib, two workers of Dask.

Every row is a process of its own, in which each process computes with one thread; the engines take
turns. The clock starts when the engine's processes have each trained once. A second search, whose
fits take no time, tells what a task costs.

    python benchmarks/distributed_search.py --out docs/benchmarks/distributed_search.md
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import _report
import numpy as np

ALL_THREADS = "one process, all threads"
ONE = "one process"
ENGINES = (ALL_THREADS, ONE, "two processes (loky)", "two Dask workers")
SIZE, RATES, FOLDS = (96, 64), (1e-3, 3e-3, 1e-2, 3e-2), 2
N_TRIVIAL = 100
TIMES = ("start", "search", "trivial")


def drawn(folder, n_images):
    """Return paths and labels of posters, which are drawn if they are not there yet."""
    from skposter.datasets import make_posters

    posters = make_posters(n_images, out_dir=folder)
    return [str(path) for path in posters.paths], np.asarray(posters.y)


def entered(stack, engine):
    """Enter the engine that joblib shall use; return `n_jobs`."""
    import joblib

    if engine in (ALL_THREADS, ONE):
        return None
    if "loky" in engine:
        stack.enter_context(joblib.parallel_config("loky", n_jobs=2))
        return 2
    from distributed import Client, LocalCluster

    from skposter.distributed import resilient, worker_environment

    cluster = stack.enter_context(
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            env=worker_environment(1),
        )
    )
    client = stack.enter_context(Client(cluster))
    stack.enter_context(joblib.parallel_config("dask", client=resilient(client)))
    return -1


def search_over_networks(n_jobs, epochs, rates=RATES):
    from sklearn.model_selection import GridSearchCV, KFold
    from sklearn.pipeline import make_pipeline

    from skposter import ImageLoader, MultiLabelImageClassifier
    from skposter.metrics import get_scorer

    classifier = MultiLabelImageClassifier(epochs=epochs, random_state=0)
    return GridSearchCV(
        make_pipeline(ImageLoader(size=SIZE), classifier),
        {"multilabelimageclassifier__learning_rate": list(rates)},
        cv=KFold(FOLDS, shuffle=True, random_state=0),
        scoring=get_scorer("neg_binary_crossentropy"),
        refit=False,
        n_jobs=n_jobs,
        error_score="raise",
    )


def search_over_nothing(n_jobs):
    from sklearn.dummy import DummyClassifier
    from sklearn.model_selection import GridSearchCV, KFold

    return GridSearchCV(
        DummyClassifier(strategy="stratified"),
        {"random_state": list(range(N_TRIVIAL // FOLDS))},
        cv=KFold(FOLDS, shuffle=True, random_state=0),
        scoring="f1_macro",
        refit=False,
        n_jobs=n_jobs,
        error_score="raise",
    )


def run_one(folder, engine, n_images, epochs):
    """Return seconds until each process has trained, of the search and of trivial tasks; scores."""
    paths, y = drawn(folder, n_images)
    with ExitStack() as stack:
        start = time.perf_counter()
        n_jobs = entered(stack, engine)
        search_over_networks(n_jobs, 1, RATES[:1]).fit(paths[:64], y[:64])
        started = time.perf_counter()
        search = search_over_networks(n_jobs, epochs).fit(paths, y)
        searched = time.perf_counter()
        trivial = search_over_nothing(n_jobs).fit(paths, y)
        ended = time.perf_counter()
    return {
        "start": started - start,
        "search": searched - started,
        "trivial": ended - searched,
        "scores": [search.cv_results_[f"split{i}_test_score"].tolist() for i in range(FOLDS)]
        + [trivial.cv_results_["mean_test_score"].tolist()],
    }


def bytes_of_a_task(folder, n_images, epochs):
    """Return the size of what one task is sent, and of the same task with pixels for paths."""
    import cloudpickle

    from skposter import ImageLoader

    paths, y = drawn(folder, n_images)
    search = search_over_networks(None, epochs)
    train, test = next(search.cv.split(paths))
    pixels = ImageLoader(size=SIZE).transform(paths)
    return [len(cloudpickle.dumps((search.estimator, X, y, train, test))) for X in (paths, pixels)]


def in_a_process(folder, engine, n_images, epochs):
    from skposter.distributed import worker_environment

    sizes = ["--n-images", str(n_images), "--epochs", str(epochs)]
    command = [sys.executable, __file__, "--one", folder, engine, *sizes]
    environment = os.environ if engine == ALL_THREADS else {**os.environ, **worker_environment(1)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--n-images", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = options.n_images, options.epochs
    if options.one:
        print(json.dumps(run_one(*options.one, *sizes)))
        return
    results = {engine: [] for engine in ENGINES}
    with tempfile.TemporaryDirectory() as folder:
        drawn(folder, options.n_images)
        for _ in range(options.rounds):
            for engine, runs in results.items():
                runs.append(in_a_process(folder, engine, *sizes))
                print(engine, *(f"{runs[-1][name]:.1f}" for name in TIMES), flush=True)
        with_paths, with_pixels = bytes_of_a_task(folder, *sizes)

    one_thread = [run["scores"] for engine in ENGINES[1:] for run in results[engine]]
    assert all(scores == one_thread[0] for scores in one_thread), "scores differ between engines"

    def median(engine, name):
        return statistics.median(run[name] for run in results[engine])

    rows = []
    for engine in ENGINES:
        beyond = (median(engine, "trivial") - median(ONE, "trivial")) / N_TRIVIAL
        rows.append(
            (
                engine,
                f"{median(engine, 'start'):.1f}",
                f"{median(engine, 'search'):.1f}",
                f"{median(ONE, 'search') / median(engine, 'search'):.2f}",
                "-" if engine in (ALL_THREADS, ONE) else f"{1000 * beyond:.0f}",
            )
        )
    _report.write(
        options.out,
        "# One search on several engines",
        f"`GridSearchCV` over {len(RATES)} learning rates and {FOLDS} folds of `ImageLoader` and "
        f"`MultiLabelImageClassifier`: {options.n_images} drawn posters at {SIZE[0]} x {SIZE[1]}, "
        f"{options.epochs} epochs a fit. But for the first row, each process computes with one "
        "thread (`worker_environment(1)`). *Start* is until each process has loaded TensorFlow and "
        "trained once. *A task* is what each of "
        f"{N_TRIVIAL} fits that take no time costs beyond those in one process. Medians of "
        f"{options.rounds} searches of each in turns.",
        _report.table(
            ("on", "start, s", "search, s", "times as fast", "a task, ms"),
            rows,
        ),
        "All scores of the last three rows are the same to the last bit, in every round. (With "
        "another number of threads TensorFlow adds in another order.) A task, pickled, has "
        f"{with_paths / 1e3:,.0f} kB with paths; with pixels it would have "
        f"{with_pixels / 1e6:,.1f} MB.",
        f"Load of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.",
    )


if __name__ == "__main__":
    main()
