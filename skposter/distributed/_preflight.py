"""What can be wrong with a cluster, found within seconds instead of in the middle of the work."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import sys
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

from skposter.distributed._model import pack
from skposter.distributed._paths import PathList, resolved
from skposter.distributed._probe import by_value, probe
from skposter.exceptions import ClusterError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_for_prediction", "preflight"]

_TIMEOUT_S = 25.0
# What must be the same everywhere, by the names it may be installed under. A scheduler needs less:
# what is not installed there is no fault, unless all need it.
_EVERYWHERE = [[name] for name in ("skposter", "dask", "distributed", "cloudpickle", "numpy")]
_COMPARED = [
    *_EVERYWHERE,
    *([name] for name in ("scikit-learn", "scikeras", "keras", "pillow", "joblib", "onnxruntime")),
    ["tensorflow", "tensorflow-cpu", "tf-nightly", "intel-tensorflow"],
]
_NEEDED_BY = {
    "onnx": ["onnxruntime", "pillow"],
    "skposter": ["scikit-learn", "scikeras", "keras", "tensorflow", "pillow"],
    "pickle": ["scikit-learn", "joblib", "pillow"],
}
# Other people's packages that take seconds to import: whether they are there is enough.
_FOUND_IS_ENOUGH = {"tensorflow", "keras", "scikeras", "sklearn", "scipy", "numpy", "pandas"}
_NOT_ASKED = {"builtins", "__main__", *sys.stdlib_module_names}


def preflight(
    client: Any,
    model: Any = None,
    paths: Any = None,
    *,
    storage_options: dict[str, Any] | None = None,
) -> pd.DataFrame:
    """Ask scheduler and workers of a Dask cluster whether they can do the work.

    A cluster that lacks something often says nothing: without a module on the scheduler, a client
    waits for ever. This asks each machine, in at most half a minute, and raises one error with all
    that is wrong and where.

    Parameters
    ----------
    client : distributed.Client or str
        A client, or the address of a scheduler.
    model : estimator, str or path-like, default=None
        What will be trained or predict, or a file of it. The modules of the functions and classes
        of an estimator must be importable everywhere, and the folders of its ``memory`` and
        ``cache_dir`` must be the same folders for all workers.
    paths : list, array, column, str or path-like, default=None
        The images, as of :func:`predict`; the workers must be able to read the first and the last.
    storage_options : dict, default=None
        How addresses among them are read, as of :class:`~skposter.ImageLoader`.

    Returns
    -------
    machines : DataFrame
        A row for the scheduler and one for each worker: address, role, host, n_threads, python and
        versions.

    Raises
    ------
    ClusterError
        If there is no scheduler or no worker, one does not answer, lacks a module, has other
        versions than this process, cannot read an image, or does not see a folder.
    ImportError
        If Dask is not installed.

    Examples
    --------
    >>> from skposter.distributed import preflight
    >>> preflight("tcp://10.0.0.1:8786", pipeline, paths)  # doctest: +SKIP
    """
    try:
        from skposter.distributed._cluster import connected
    except ImportError as error:
        raise ImportError(
            "preflight needs Dask. Install it with: pip install 'skposter[dask]'"
        ) from error
    images = [] if paths is None else _ends(paths)
    with connected(client) as cluster:
        machines, problems = _ask(cluster, model, images, storage_options)
        problems += [
            f"{machine['name']}: image {path!r} {_not_read(why)}"
            for machine in machines
            for path, why in machine["images"].items()
        ]
        _raise(cluster, problems)
        return _table(machines)


def check_for_prediction(client, model, images, folder, storage_options=None):
    """Raise ClusterError if a cluster cannot predict.

    An image that nobody can read is no fault of the cluster's, unless that is all of them.

    Parameters
    ----------
    client : Client
    model : estimator, str or path-like
    images : sequence of str
        Some of those to predict.
    folder : str
        Where relative paths begin.
    storage_options : dict, default=None
        How addresses are read.
    """
    images = resolved(list(dict.fromkeys(images)), folder)
    machines, problems = _ask(client, model, images, storage_options)
    workers = [machine for machine in machines if machine["role"] == "worker"]
    unread_here = probe([], [], images, [], storage_options, "")["images"]
    for path in images:
        unread = [machine for machine in workers if path in machine["images"]]
        if len(unread) < len(workers) or path not in unread_here:
            problems += [
                f"{machine['name']}: image {path!r} {_not_read(machine['images'][path])}, and can "
                "be elsewhere"
                for machine in unread
            ]
    _raise(client, problems)


def _ask(client, model, images, storage_options):
    """Return what each machine says, a list of dicts, and what is wrong in words."""
    until = time.monotonic() + _TIMEOUT_S
    where = _address(client)
    workers = _workers(client, until)
    if workers is None:
        raise ClusterError(f"the scheduler at {where} does not answer")
    if not workers:
        raise ClusterError(f"the scheduler at {where} has no worker")
    kind, modules = _needs(model)
    token, folders = uuid.uuid4().hex, _shared_folders(model)
    ask = by_value(probe)
    with _marked(folders, token):
        questions = {where: (_of_scheduler, [_import_there(modules), _COMPARED, [], [], None])}
        for address in workers:
            arguments = [_import_there(modules), _COMPARED, images, folders, storage_options]
            questions[address] = (_of_worker(address), arguments)
        answers = _answers(client, ask, questions, token, until)
    here = probe([], _COMPARED, [], [], None, token)
    machines, problems = [], []
    for address, answer in answers.items():
        role = "scheduler" if address == where else "worker"
        name = f"{role} {address}"
        if not isinstance(answer, dict):
            problems.append(f"{name}: {answer}")
            continue
        name += f" on {answer['host']}"
        machines.append({**answer, "address": address, "role": role, "name": name})
        machines[-1]["n_threads"] = workers.get(address)
        problems += _wrong(machines[-1], here, kind)
    return machines, problems


def _wrong(machine, here, kind):
    name, problems = machine["name"], []
    if machine["python"].split(".")[:2] != here["python"].split(".")[:2]:
        problems.append(f"{name}: Python {machine['python']}, and {here['python']} here")
    needed = [names[0] for names in _EVERYWHERE]
    if machine["role"] == "worker":
        needed += _NEEDED_BY.get(kind, [])
    for package in here["versions"].keys() | set(needed):
        ours, theirs = here["versions"].get(package), machine["versions"].get(package)
        if theirs is None and package in needed and ours is not None:
            problems.append(f"{name}: {package} is not installed ({ours} here)")
        elif theirs is not None and ours is not None and ours != theirs:
            problems.append(f"{name}: {package} {theirs}, and {ours} here")
    for module, why in machine["modules"].items():
        problems.append(
            f"{name}: the module {module!r} cannot be imported there ({why}); install it, or send "
            f"it with client.upload_file or cloudpickle.register_pickle_by_value"
        )
    problems += [f"{name}: folder {path!r} {why}" for path, why in machine["folders"].items()]
    return sorted(problems)


def _raise(client, problems):
    if problems:
        raise ClusterError(
            f"The cluster at {_address(client)} is not ready:\n" + "\n".join(problems)
        )


def _not_read(why):
    return f"cannot be read there: {why}"


def _table(machines):
    import pandas as pd

    rows = [
        {
            **{name: machine[name] for name in ("address", "role", "host", "n_threads", "python")},
            **machine["versions"],
        }
        for machine in machines
    ]
    return pd.DataFrame(rows).astype({"n_threads": "Int64"})


def _address(client):
    scheduler = getattr(client, "scheduler", None)
    return getattr(scheduler, "address", None) or "an unknown address"


def _workers(client, until):
    """Return the threads of each worker by address, {} if none comes, None without an answer."""
    while True:
        found = _within(until, client.nthreads)
        if found is None or isinstance(found, Exception):
            return None
        if found or time.monotonic() > until - _TIMEOUT_S / 2:
            return found
        time.sleep(0.2)


def _of_scheduler(client, ask, arguments):
    return client.run_on_scheduler(ask, *arguments)


def _of_worker(address):
    def run(client, ask, arguments):
        answer = client.run(ask, *arguments, workers=[address], on_error="return")
        return answer.get(address, "it has left the cluster")

    return run


def _answers(client, ask, questions, token, until):
    """Return what each machine answers, or in words why there is none."""
    found: dict[str, Any] = {}

    def put(address, run, arguments):
        try:
            found[address] = run(client, ask, [*arguments, token])
        except BaseException as error:
            found[address] = error

    threads = [
        threading.Thread(target=put, args=(address, run, arguments), daemon=True)
        for address, (run, arguments) in questions.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    answers = {}
    for address in questions:
        answer = found.get(address, f"no answer within {_TIMEOUT_S:.0f} seconds")
        if isinstance(answer, BaseException):
            answer = f"{type(answer).__name__}: {str(answer).strip()[:500]}"
        answers[address] = answer
    return answers


def _within(until, function):
    """Return what a function gives, its exception, or None if it takes too long."""
    found: list[Any] = []

    def put():
        try:
            found.append(function())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=put, daemon=True)
    thread.start()
    thread.join(max(0.0, until - time.monotonic()))
    return found[0] if found else None


def _ends(paths):
    """Return the first and the last of the images, as this process would find them."""
    ends: list[str] = []
    for some in PathList(paths).partitions(1 << 16):
        ends = [ends[0] if ends else some[0], some[-1]]
    return resolved(list(dict.fromkeys(ends)), os.getcwd())


def _import_there(modules):
    return [(name, name.partition(".")[0] not in _FOUND_IS_ENOUGH) for name in modules]


def _needs(model):
    """Return of which kind a model is, and the modules that hold its classes and functions."""
    modules = {"skposter"}
    if model is None:
        return None, sorted(modules)
    if not isinstance(model, (str, os.PathLike)):
        import cloudpickle

        return "pickle", sorted(modules | _modules_in(cloudpickle.dumps(model)))
    packed = pack(model)
    return packed.kind, sorted(modules)


def _modules_in(content):
    names = set()

    class Noting(pickle.Unpickler):
        def find_class(self, module, name):
            names.add(module)
            return super().find_class(module, name)

    Noting(io.BytesIO(content)).load()
    kept = {name for name in names if name.partition(".")[0] not in _NOT_ASKED}
    heavy = {name for name in kept if name.partition(".")[0] in _FOUND_IS_ENOUGH}
    return (kept - heavy) | {name.partition(".")[0] for name in heavy}


def _shared_folders(model):
    """Return the folders in which a model keeps what its workers share."""
    if not hasattr(model, "get_params"):
        return []
    folders = set()
    for name, value in model.get_params(deep=True).items():
        value = getattr(value, "location", value)  # of a joblib.Memory
        if name.split("__")[-1] in ("memory", "cache_dir") and isinstance(
            value, (str, os.PathLike)
        ):
            folders.add(os.path.abspath(os.fspath(value)))
    return sorted(folders)


@contextlib.contextmanager
def _marked(folders, token):
    """Put a file into each of the folders for a while, by which others know them."""
    marks = [os.path.join(folder, f".skposter-{token}") for folder in folders]
    try:
        for folder, mark in zip(folders, marks, strict=True):
            os.makedirs(folder, exist_ok=True)
            with open(mark, "x"):
                pass
        yield
    finally:
        for mark in marks:
            with contextlib.suppress(OSError):
                os.unlink(mark)
