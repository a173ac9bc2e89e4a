"""More images, or more trials, than one process can do.

Searches run on a cluster of Dask's under ``joblib.parallel_config("dask")``: :func:`preflight`
checks it first, and with :func:`resilient` they outlive workers. :func:`predict` goes through
millions of images, on this machine or on a cluster.
"""

from __future__ import annotations

from skposter.distributed._environment import worker_environment
from skposter.distributed._predict import PredictionSummary, predict
from skposter.distributed._preflight import preflight
from skposter.distributed._resilient import resilient

__all__ = ["PredictionSummary", "predict", "preflight", "resilient", "worker_environment"]
