"""Partitions on a cluster of Dask."""

from __future__ import annotations

import contextlib
import time
import uuid
import warnings
from concurrent.futures import CancelledError
from typing import Any

import dask
import distributed
from distributed import Client, KilledWorker, WorkerPlugin, get_worker

from skposter.distributed._model import Keeper
from skposter.distributed._partition import predict_partition
from skposter.exceptions import ClusterError

__all__ = ["connected", "on_cluster"]

# Seconds to wait for a scheduler, and for workers to come back when all are gone.
_CONNECT_S = 10
_PATIENCE_S = 300
_LOOK_S = 2
_KEPT = "What is complete is kept: run it again to go on"


@contextlib.contextmanager
def connected(client):
    """Yield the client of a cluster: the given one, that of an address, or the current one.

    Raises
    ------
    ClusterError
        If there is none, or no answer from it.
    """
    if isinstance(client, Client):
        yield client
        return
    if client is None:
        try:
            current = distributed.default_client()
        except ValueError:
            raise ClusterError(
                "engine='dask' has no cluster: create a distributed.Client before, or pass "
                "client= (a Client, or the address of a scheduler)"
            ) from None
        yield current
        return
    address = str(client)
    try:
        made = Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterError(
            f"no scheduler of Dask answers at {address!r} ({_first_line(error)})"
        ) from error
    try:
        yield made
    finally:
        made.close(timeout=_CONNECT_S)


class _Model(WorkerPlugin):
    """Brings the model to each worker, also to those that come later."""

    def __init__(self, packed):
        self._packed = packed

    def setup(self, worker):
        self.keeper = Keeper(self._packed)


def _predict(name, task, paths):
    plugin: Any = get_worker().plugins[name]
    keeper = plugin.keeper
    return predict_partition(keeper.get, task._replace(paths=_listed(paths)))


def _listed(paths):
    from skposter.distributed._paths import PathList

    return [path for some in PathList(paths).partitions(1 << 16) for path in some]


def on_cluster(client, packed, tasks):
    """Yield the `Outcome` of each task, in the order in which they end.

    Parameters
    ----------
    client : Client
    packed : Packed
        The model, which each worker loads once.
    tasks : iterable of Task
        Of which there are a few more under way than the workers have threads.
    """
    name = f"skposter-{packed.digest}-{uuid.uuid4().hex}"
    client.register_plugin(_Model(packed), name=name)
    pending: dict[Any, Any] = {}
    try:
        yield from _run(client, name, iter(tasks), pending)
    finally:
        with contextlib.suppress(Exception):  # the cluster may be gone
            client.cancel(list(pending), force=True)
            client.unregister_worker_plugin(name)


def _run(client, name, tasks, pending):
    cluster = _Watched(client)
    while True:
        limit = 2 * cluster.n_threads() + 2
        while len(pending) < limit and (task := next(tasks, None)) is not None:
            pending[_submitted(client, name, task)] = task
        if not pending:
            return
        for future in _ended(cluster, pending):
            task = pending.pop(future)
            yield _result(future, task)


def _submitted(client, name, task):
    key = f"skposter-predict-{name[-8:]}-{task.number}"
    paths = client.compute(task.paths) if dask.is_dask_collection(task.paths) else task.paths
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sending large graph")
        return client.submit(
            _predict, name, task._replace(paths=None), paths, key=key, pure=False, retries=1
        )


def _ended(cluster, pending):
    """Return the futures that have ended, as soon as there is one."""
    while True:
        cluster.look()
        try:
            done = distributed.wait(list(pending), _LOOK_S, return_when="FIRST_COMPLETED").done
        except (TimeoutError, distributed.TimeoutError):
            continue
        except CancelledError as error:
            raise ClusterError(f"the cluster has dropped the work. {_KEPT}") from error
        return done


def _result(future, task):
    where = f"partition {task.number}"
    try:
        return future.result(timeout=_PATIENCE_S)
    except KilledWorker as error:
        raise ClusterError(
            f"{where} was on several workers when they died ({_first_line(error)}); is there "
            f"memory for its images? {_KEPT}"
        ) from error
    except (CancelledError, TimeoutError, distributed.TimeoutError, OSError) as error:
        if isinstance(error, OSError) and future.status == "error":
            raise  # of the work itself
        raise ClusterError(f"the cluster has lost {where}. {_KEPT}") from error


class _Watched:
    """Whether the cluster is there, asked now and then."""

    def __init__(self, client):
        self._client = client
        self._asked = 0.0
        self._n_threads = 0
        self._alive = time.monotonic()

    def n_threads(self):
        """Return how many threads its workers have together."""
        self.look()
        return max(1, self._n_threads)

    def look(self):
        """Ask if it is time to, and raise ClusterError if nobody has been there for long."""
        now = time.monotonic()
        if now - self._asked < _LOOK_S:
            return
        self._asked = now
        with contextlib.suppress(Exception):  # counted by the time that passes
            threads = self._client.sync(self._client.scheduler.ncores, callback_timeout=_CONNECT_S)
            self._n_threads = sum(threads.values())
        if self._client.status == "closed":
            raise ClusterError(f"the scheduler is gone. {_KEPT}")
        if self._n_threads and self._client.status == "running":
            self._alive = now
        elif now - self._alive > _PATIENCE_S:
            raise ClusterError(
                f"the cluster has had no worker for {_PATIENCE_S // 60} minutes. {_KEPT}"
            )


def _first_line(error):
    return str(error).strip().partition("\n")[0][:300] or type(error).__name__
