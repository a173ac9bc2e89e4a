"""Partitions on this machine: in threads of this process, or in processes of their own."""

from __future__ import annotations

import hashlib
import itertools
import os
import tempfile
import threading
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, ThreadPoolExecutor, wait
from functools import partial
from typing import Any

from skposter.distributed._environment import worker_environment
from skposter.distributed._model import Keeper
from skposter.distributed._partition import predict_partition
from skposter.exceptions import ArtifactError, ClusterError

__all__ = ["in_processes", "in_threads"]

# While one decodes, the other has the network.
_THREADS = 2
_RESTARTS = 3
# Seconds after which a process ends that gets no work, because this one was killed.
_IDLE_S = 30
_keepers: dict[str, Keeper] = {}  # of a worker process


def in_threads(loaded, tasks):
    """Yield the `Outcome` of each task, in the order in which they end.

    Parameters
    ----------
    loaded : Loaded
        The model.
    tasks : iterable of Task
        Of which a few are begun at a time.
    """
    stop = threading.Event()

    def submit(executor, task):
        return executor.submit(predict_partition, lambda: loaded, task, stop.is_set)

    def end(executor):
        stop.set()
        executor.shutdown(cancel_futures=True)

    start = partial(ThreadPoolExecutor, _THREADS, "skposter-predict")
    yield from _run(start, submit, end, tasks, _THREADS + 1)


def in_processes(packed, tasks, n_jobs):
    """Yield the same from `n_jobs` processes; those that are killed are replaced.

    Parameters
    ----------
    packed : Packed
        The model, which each process loads once.
    tasks : iterable of Task
    n_jobs : int
    """
    import joblib
    from joblib.externals.loky import ProcessPoolExecutor

    environment = worker_environment(max(1, joblib.cpu_count() // n_jobs))
    with tempfile.TemporaryDirectory(prefix="skposter-") as folder:
        path = packed.name
        if not os.path.isfile(path):
            path = os.path.join(folder, "model")
            with open(path, "wb") as file:
                file.write(packed.content)
        where = os.path.abspath(path), packed.digest, packed._replace(content=b"")

        def start():
            return ProcessPoolExecutor(n_jobs, env=environment, timeout=_IDLE_S)

        def submit(executor, task):
            return executor.submit(_in_process, where, task)

        def end(executor):
            executor.shutdown(wait=True, kill_workers=True)

        yield from _run(start, submit, end, tasks, 2 * n_jobs)


def _in_process(where, task):
    return predict_partition(_keeper(*where).get, task)


def _keeper(path, digest, packed):
    if digest not in _keepers:
        with open(path, "rb") as file:
            content = file.read()
        if hashlib.blake2b(content, digest_size=16).hexdigest() != digest:
            raise ArtifactError(f"the model file {path!r} was changed while it was predicting")
        _keepers[digest] = Keeper(packed._replace(content=content))
    return _keepers[digest]


def _run(start, submit, end, tasks, n_in_flight):
    tasks, restarts = iter(tasks), 0
    pending: dict[Any, Any] = {}
    executor = start()
    try:
        while True:
            while len(pending) < n_in_flight and (task := next(tasks, None)) is not None:
                pending[submit(executor, task)] = task
            if not pending:
                return
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                try:
                    outcome = future.result()
                except BrokenExecutor as error:
                    restarts += 1
                    if restarts > _RESTARTS:
                        raise ClusterError(
                            f"worker processes were killed {restarts} times; is there memory for "
                            "them? What is complete is kept: run it again to go on"
                        ) from error
                    end(executor)
                    tasks = itertools.chain(list(pending.values()), tasks)
                    pending, executor = {}, start()
                    break
                del pending[future]
                yield outcome
    finally:
        end(executor)
