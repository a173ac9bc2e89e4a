"""More images, or more trials, than one process can do.

Searches run on a cluster of Dask's under ``joblib.parallel_config("dask")``: :func:`preflight`
checks it first, with :func:`resilient` they outlive workers, and with :func:`forgiving` progress
bars that a worker cannot reach. :func:`predict` goes through millions of images, on this machine or
on a cluster.
"""

from __future__ import annotations

from skposter._estimators.fit_tasks import forgiving
from skposter.distributed._environment import worker_environment
from skposter.distributed._predict import PredictionSummary, predict
from skposter.distributed._preflight import preflight
from skposter.distributed._resilient import resilient

__all__ = [
    "PredictionSummary",
    "forgiving",
    "predict",
    "preflight",
    "resilient",
    "worker_environment",
]
