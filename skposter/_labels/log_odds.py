"""Log-odds of probabilities, and their averages."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

__all__ = ["log_odds", "mean_of_log_odds"]

# Below it, float32 cannot tell 1 - p from 1.
_SMALLEST = 1e-7


def mean_of_log_odds(probabilities):
    """Return the probabilities whose log-odds are the means of those given.

    Unlike the mean of probabilities it does not draw confident predictions towards 0.5.

    Parameters
    ----------
    probabilities : sequence of ndarray, all of one shape
        In [0, 1]; NaN stays NaN.

    Returns
    -------
    mean : ndarray of that shape and dtype

    Examples
    --------
    >>> import numpy as np
    >>> from skposter._labels.log_odds import mean_of_log_odds
    >>> mean_of_log_odds([np.array([0.5, 0.1]), np.array([0.5, 0.9])])
    array([0.5, 0.5])
    """
    mean = expit(sum(map(log_odds, probabilities)) / len(probabilities))
    return mean.astype(probabilities[0].dtype)


def log_odds(probabilities):
    """Return log-odds, float64, finite also for probabilities of 0 and 1."""
    return logit(np.clip(probabilities.astype(np.float64), _SMALLEST, 1 - _SMALLEST))
