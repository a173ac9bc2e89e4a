"""Predictions for any number of images, written part by part."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

from skposter._estimators.spelling import did_you_mean
from skposter.distributed._arrow import arrow
from skposter.distributed._model import pack
from skposter.distributed._partition import Task
from skposter.distributed._parts import BAD_IMAGES, Output, PartInfo
from skposter.distributed._paths import PathList
from skposter.exceptions import DataError

if TYPE_CHECKING:
    from skposter._typing import PathLike

__all__ = ["PredictionSummary", "predict"]

_PARTITION_SIZE = 4096
_ENGINES = (None, "dask")


@dataclass(frozen=True)
class PredictionSummary:
    """What :func:`predict` has done.

    Parameters
    ----------
    output : str
        The folder with the parts.
    n_images : int
        In the list.
    n_bad : int
        Of those, how many could not be read.
    n_parts : int
        How many parts there are.
    n_kept : int
        How many images are in parts that were complete before.
    seconds : float
        How long it took.
    """

    output: str
    n_images: int
    n_bad: int
    n_parts: int
    n_kept: int
    seconds: float

    @property
    def images_per_second(self) -> float:
        """Of the images that were predicted now."""
        return (self.n_images - self.n_kept) / self.seconds if self.seconds else 0.0

    def __str__(self):
        lines = [
            f"{self.n_images - self.n_bad:,} of {self.n_images:,} images predicted, "
            f"{self.n_parts:,} parts in {self.output!r}"
        ]
        now = self.n_images - self.n_kept
        lines.append(
            f"{now:,} of them now, in {self.seconds:,.1f} s "
            f"({self.images_per_second:,.0f} a second)"
            + (f"; {self.n_kept:,} were there" if self.n_kept else "")
        )
        if self.n_bad:
            where = os.path.join(self.output, BAD_IMAGES)
            lines.append(f"{self.n_bad:,} could not be read: {where!r} says why")
        return "\n".join(lines)


def predict(
    model: Any,
    paths: Any,
    output: PathLike,
    *,
    engine: str | None = None,
    client: Any = None,
    n_jobs: int | None = None,
    partition_size: int | None = None,
    path_column: str = "path",
    retry_bad: bool = False,
    storage_options: dict[str, Any] | None = None,
    verbose: int = 1,
) -> PredictionSummary:
    """Write the probability of each label of any number of images, in parts, as Parquet.

    What is complete is kept whatever happens: called again with the same model and images, it goes
    on where it stopped. Memory does not grow with the number of images.

    Parameters
    ----------
    model : estimator, OnnxPredictor, str or path-like
        A fitted model that takes paths, or a file of :func:`skposter.save`, of
        :func:`skposter.export` for ONNX (which needs no TensorFlow), or of joblib (trusted: such a
        file may run code).
    paths : list, array, column, table, iterator, str, path-like or collection of Dask's
        The images. A str or path-like is a folder of images, a text file with a path a line, or a
        Parquet file or a folder of such. An iterator is read as it goes. A Series, DataFrame, Bag
        or Array of Dask's is predicted partition by partition where its partitions are.
    output : str or path-like
        The folder, new or of the same prediction: ``part-000000.parquet`` and so on, with the
        column ``path`` and a float32 column for each label, in the order of the list; images that
        cannot be read are in ``_bad_images/`` with the columns ``path`` and ``cause``. Readers of
        Parquet take the folder as one table, without the bad images. Only this process writes.
    engine : {None, "dask"}, default=None
        None predicts on this machine. "dask" takes the cluster of `client`, or of the
        ``distributed.Client`` that was made last.
    client : distributed.Client or str, default=None
        A client of Dask's, or the address of a scheduler. With one, the engine is Dask, and
        :func:`preflight` is run first.
    n_jobs : int, default=None
        Processes of this machine. None is this process alone, which uses all cores through the
        threads of decoder and network; several help where Python itself is the limit. On a cluster
        the workers say.
    partition_size : int, default=None
        Images in a part; None is 4096, or what an interrupted prediction has. It is what is lost
        when a process dies, and what is in memory. The partitions of Dask's collections are theirs.
    path_column : str, default="path"
        The column with the paths, in the output and in tables with several columns.
    retry_bad : bool, default=False
        Whether images that could not be read before are tried again, with the others of their part.
    storage_options : dict, default=None
        How addresses among the images are read (``s3://``, ``https://``), as of
        :class:`~skposter.ImageLoader`; None is what the model has. On a cluster the workers get
        them, passwords included; better that these are in their environment.
    verbose : int, default=1
        Whether to show a progress bar.

    Returns
    -------
    summary : PredictionSummary
        How many images, bad ones, parts, and how fast; to print.

    Raises
    ------
    FileNotFoundError
        If there is no such model or list.
    DataError
        If a row is no path, the folder holds something else, or predictions of another model or
        other images.
    ClusterError
        If the cluster is not there, is not ready, or is lost.
    ImportError
        If pyarrow or Dask is not installed: ``pip install 'skposter[dask]'`` brings both.

    See Also
    --------
    preflight : What can be wrong with a cluster, found before the work begins.
    worker_environment : So that processes of one machine do not fight for its cores.

    Examples
    --------
    >>> from skposter import distributed
    >>> distributed.predict("model.onnx", "posters.txt", "predicted")  # doctest: +SKIP
    >>> import pandas as pd
    >>> pd.read_parquet("predicted")  # doctest: +SKIP

    On a cluster:

    >>> distributed.predict(
    ...     "model.onnx", "posters.txt", "predicted", client="tcp://10.0.0.1:8786"
    ... )  # doctest: +SKIP
    """
    start = time.perf_counter()
    engine = _checked_engine(engine, client)
    _check_whole("n_jobs", n_jobs)
    _check_whole("partition_size", partition_size)
    arrow("parquet")
    packed = pack(model)._replace(storage_options=storage_options)
    into = Output(output)
    work = _Work(into, paths, path_column, retry_bad)
    with into.held(), _cluster(engine, client) as cluster:
        loaded = packed.load()
        work.describe(packed, loaded, partition_size)
        if cluster is not None:
            work.check(cluster, model, storage_options)
        work.begin()
        with _progress(work, verbose) as work.done:
            outcomes = _outcomes(cluster, packed, loaded, work.tasks(), n_jobs)
            with contextlib.closing(outcomes):
                for outcome in outcomes:
                    work.take(outcome)
        work.check_end()
    return work.summary(time.perf_counter() - start)


def _outcomes(cluster, packed, loaded, tasks, n_jobs):
    if cluster is not None:
        from skposter.distributed._cluster import on_cluster

        return on_cluster(cluster, packed, tasks)
    from skposter.distributed._here import in_processes, in_threads

    tasks = (_computed(task) for task in tasks)
    if n_jobs is not None and n_jobs > 1:
        return in_processes(packed, tasks, n_jobs)
    return in_threads(loaded, tasks)


class _Work:
    """A prediction under way: which parts are there, which are not, and what came of those.

    Parameters
    ----------
    output : Output
    paths : object
        What `predict` was given.
    column : str
        That of the paths.
    retry_bad : bool
    """

    def __init__(self, output, paths, column, retry_bad):
        self._output = output
        self._column = column
        self._retry_bad = retry_bad
        self._delayed = _partitions_of_dask(paths, column)
        self._listed: Any = None if self._delayed is not None else PathList(paths, column)
        self._folder = os.getcwd()
        self.done: Any = lambda n: None
        self.extent: Any = None
        self._about: dict[str, Any] = {}
        self._before: dict[str, Any] | None = None
        self._found: dict[int, PartInfo] = {}
        self._n_parts = self.n_kept = 0
        self._n_images = self._n_bad = 0

    def describe(self, packed, loaded, partition_size):
        """Learn what is to be done and what is there, and refuse what does not belong together."""
        self._names = [str(name) for name in loaded.label_names]
        if self._column in self._names:
            raise DataError(
                f"a label is called {self._column!r} as the column of paths; choose another name "
                "for that with path_column"
            )
        if self._listed is not None:
            self.extent = self._listed.extent()
        self._before = before = self._output.about()
        if before is not None:
            self._check_same(before, packed, partition_size)
        size = before["partition_size"] if before else partition_size or _PARTITION_SIZE
        self._about = {
            "model": {"name": os.path.basename(packed.name), "digest": packed.digest},
            "labels": self._names,
            "thresholds": loaded.thresholds,
            "min_labels": loaded.min_labels,
            "path_column": self._column,
            "partition_size": None if self._delayed is not None else size,
            "images": None if self.extent is None else self._images(),
        }
        self._found = self._output.parts()

    def check(self, cluster, model, storage_options):
        """Look whether the cluster can do it."""
        from skposter.distributed._preflight import check_for_prediction

        images = [] if self.extent is None else self.extent.ends
        check_for_prediction(cluster, model, images, self._folder, storage_options)

    def begin(self):
        """Write down what this is, unless that was done before."""
        if self._before is None:
            self._output.begin(self._about)

    def tasks(self):
        """Yield the tasks that are left."""
        if self._delayed is not None:
            for index, partition in enumerate(self._delayed):
                part = self._found.get(index)
                known = None if part is None or self._again(part) else part.digest
                yield Task(index, partition, self._folder, known)
            return
        from skposter.distributed._paths import path_digest, resolved

        for index, paths in enumerate(self._listed.partitions(self._about["partition_size"])):
            part = self._found.get(index)
            if part is not None:
                if path_digest(resolved(paths, self._folder)) != part.digest:
                    raise self._other_images(index)
                if not self._again(part):
                    self._keep(part)
                    continue
            yield Task(index, paths, self._folder)

    def take(self, outcome):
        """Write what came of a task."""
        part = self._found.get(outcome.number)
        if part is not None and part.digest != outcome.digest:
            raise self._other_images(outcome.number)
        if outcome.probabilities is None:
            self._keep(part)
            return
        pa = arrow("lib")
        columns = {self._column: pa.array(outcome.paths, pa.string())}
        for j, name in enumerate(self._names):
            columns[name] = pa.array(outcome.probabilities[:, j])
        info = PartInfo(outcome.digest, outcome.n_images, len(outcome.bad))
        self._output.write(outcome.number, columns, info, outcome.bad)
        self._count(info)

    def check_end(self):
        """Refuse a list that is shorter than what was predicted before."""
        if any(index >= self._n_parts for index in self._found):
            raise self._other_images(max(self._found))

    def summary(self, seconds):
        """Return the `PredictionSummary`."""
        return PredictionSummary(
            self._output.folder, self._n_images, self._n_bad, self._n_parts, self.n_kept, seconds
        )

    def _images(self):
        return {"n_images": self.extent.n_images, "digest": self.extent.digest}

    def _again(self, part):
        return self._retry_bad and part.n_bad > 0

    def _keep(self, part):
        self.n_kept += part.n_images
        self._count(part)

    def _count(self, info):
        self._n_parts += 1
        self._n_images += info.n_images
        self._n_bad += info.n_bad
        self.done(info.n_images)

    def _check_same(self, before, packed, partition_size):
        where = f"{self._output.folder!r} holds predictions"
        instead = "choose another folder, or delete it"
        if before["model"]["digest"] != packed.digest:
            raise DataError(
                f"{where} of another model ({before['model']['name']!r}) than {packed.name!r}; "
                f"{instead}"
            )
        if (before["partition_size"] is None) != (self._delayed is not None):
            raise DataError(f"{where} of other partitions, of a collection of Dask's; {instead}")
        if partition_size not in (None, before["partition_size"]):
            raise DataError(
                f"{where} in partitions of {before['partition_size']} images, and partition_size "
                f"is {partition_size}; leave it out, or {instead}"
            )
        if before["path_column"] != self._column:
            raise DataError(
                f"{where} with the paths in the column {before['path_column']!r}, and path_column "
                f"is {self._column!r}; {instead}"
            )
        images, now = before["images"], self.extent
        if images and now and images != self._images():
            raise DataError(
                f"{where} of another list of images ({images['n_images']:,}, now "
                f"{now.n_images:,}); {instead}"
            )

    def _other_images(self, index):
        return DataError(
            f"{self._output.folder!r} holds predictions of other images: those of partition "
            f"{index} are not the ones there; choose another folder, or delete it"
        )


def _checked_engine(engine, client):
    if engine not in _ENGINES:
        raise ValueError(
            f"engine must be None or 'dask'; got {engine!r}.{did_you_mean(engine, ['dask'])}"
        )
    return "dask" if client is not None else engine


def _check_whole(name, value):
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if value is not None and (not whole or value < 1):
        raise ValueError(f"{name} must be a whole number of at least 1, or None; got {value!r}.")


@contextlib.contextmanager
def _cluster(engine, client):
    if engine is None:
        yield None
        return
    try:
        from skposter.distributed._cluster import connected
    except ImportError as error:
        raise ImportError(
            "engine='dask' needs Dask. Install it with: pip install 'skposter[dask]'"
        ) from error
    with connected(client) as cluster:
        yield cluster


def _partitions_of_dask(paths, column):
    """Return the partitions of a collection of Dask's as Delayed objects; None of another thing."""
    if not hasattr(paths, "__dask_graph__"):
        return None
    if not hasattr(paths, "to_delayed"):
        raise TypeError(
            f"paths is a {type(paths).__name__}, expected a DataFrame, Series, Bag or Array of "
            "Dask's"
        )
    if hasattr(paths, "columns"):
        names = list(paths.columns)
        if column not in names and len(names) != 1:
            raise DataError(
                f"the table has no column {column!r}, and its columns are {names[:10]}; say with "
                f"path_column which has the paths.{did_you_mean(column, names)}"
            )
        paths = paths[column if column in names else names[0]]
    delayed = paths.to_delayed()
    return list(delayed.ravel()) if hasattr(delayed, "ravel") else list(delayed)


def _computed(task):
    if hasattr(task.paths, "__dask_graph__"):
        paths = task.paths.compute(scheduler="synchronous")
        listed = [path for some in PathList(paths).partitions(1 << 16) for path in some]
        return task._replace(paths=listed)
    return task


@contextlib.contextmanager
def _progress(work, verbose):
    if not verbose:
        yield lambda n: None
        return
    from tqdm import tqdm

    total = None if work.extent is None else work.extent.n_images
    with tqdm(total=total, desc="Predicting", unit="image") as bar:
        yield bar.update
