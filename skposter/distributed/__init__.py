"""More images, or more trials, than one process can do: predictions in parts, and clusters of Dask.

Searches need nothing of this: they run on a cluster under ``joblib.parallel_config("dask")``, which
:func:`preflight` checks first. :func:`predict` goes through millions of images, on this machine or
on a cluster.
"""

from __future__ import annotations

from skposter.distributed._environment import worker_environment
from skposter.distributed._predict import PredictionSummary, predict
from skposter.distributed._preflight import preflight

__all__ = ["PredictionSummary", "predict", "preflight", "worker_environment"]
