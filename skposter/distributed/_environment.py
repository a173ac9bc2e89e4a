"""How many threads the libraries of a worker process start, which they read when they load."""

from __future__ import annotations

from numbers import Integral

__all__ = ["worker_environment"]

_READ_BY_LIBRARIES = (
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "OMP_NUM_THREADS",  # also of onnxruntime in `load_onnx`
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",  # joblib.cpu_count, and so the threads that decode images
)


def worker_environment(n_threads: int = 1) -> dict[str, str]:
    """Return the environment of a worker process that shall compute with so many threads.

    Without it each process starts threads for all processors of its machine. Of 16 processors, a
    process that predicts with TensorFlow has 65 threads, and 5 with ``worker_environment(1)``; with
    one of the variables alone it has about 36. The libraries read them once, when they are loaded,
    so they have to be set where processes are started, not in their tasks.

    Parameters
    ----------
    n_threads : int, default=1
        Processors of the machine, divided by the worker processes on it.

    Returns
    -------
    environment : dict of str to str
        ``TF_NUM_INTRAOP_THREADS``, ``TF_NUM_INTEROP_THREADS``, ``OMP_NUM_THREADS`` (TensorFlow,
        NumPy, onnxruntime), ``OPENBLAS_NUM_THREADS``, ``MKL_NUM_THREADS``, and
        ``LOKY_MAX_CPU_COUNT`` (joblib, and the threads that decode images).

    Raises
    ------
    ValueError
        If `n_threads` is not a whole number of at least 1.

    Examples
    --------
    >>> from skposter.distributed import worker_environment
    >>> worker_environment(2)["TF_NUM_INTRAOP_THREADS"]
    '2'

    Where processes are started:

    >>> from distributed import LocalCluster  # doctest: +SKIP
    >>> LocalCluster(n_workers=8, threads_per_worker=1, env=worker_environment(1))  # doctest: +SKIP
    >>> import os
    >>> os.environ.update(worker_environment(1))  # joblib's processes inherit it  # doctest: +SKIP
    """
    if not isinstance(n_threads, Integral) or isinstance(n_threads, bool) or n_threads < 1:
        raise ValueError(f"n_threads must be a whole number of at least 1; got {n_threads!r}.")
    return dict.fromkeys(_READ_BY_LIBRARIES, str(int(n_threads)))
