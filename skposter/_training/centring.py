"""Probabilities that are right on average, also in prediction.

Dropout, augmentation and the statistics of batch normalisation differ between training and
prediction, so labels that were balanced in training are all a little too probable, or too
improbable, afterwards.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from skposter._keras import pool
from skposter._keras.tensorflow import keras
from skposter._training.parts import ImagesOfPart

__all__ = ["centred", "log_odds_offsets"]

_SMALLEST = 1e-7
_RIDGE = 1.0
_LARGEST = 5.0


def log_odds_offsets(y, probabilities, weight=None):
    """Return what to add to the log-odds of each label, so that they are right on average.

    Parameters
    ----------
    y : ndarray of shape (n_samples, n_labels)
        Labels, 0/1.
    probabilities : ndarray of shape (n_samples, n_labels)
        Predictions for them.
    weight : ndarray of shape (n_samples,) or (n_samples, n_labels), default=None
        Weights.

    Returns
    -------
    offsets : ndarray of shape (n_labels,), float64
        The minimum of the cross-entropy, with a ridge that keeps it finite for labels that no
        image, or every one, has.

    Examples
    --------
    >>> import numpy as np
    >>> from skposter._training.centring import log_odds_offsets
    >>> y = np.repeat([[0.0], [1.0]], [9000, 1000], axis=0)
    >>> offset = log_odds_offsets(y, np.full((10000, 1), 0.5))
    >>> (1 / (1 + np.exp(-offset))).round(2)
    array([0.1])
    """
    p = np.clip(probabilities.astype(np.float64), _SMALLEST, 1 - _SMALLEST)
    log_odds = np.log(p) - np.log1p(-p)
    weight = np.ones(1) if weight is None else weight.reshape(len(y), -1)
    low, high = (np.full(y.shape[1], side) for side in (-_LARGEST, _LARGEST))
    for _ in range(40):  # halving, as Newton's steps overshoot where predictions are certain
        middle = (low + high) / 2
        excess = (weight * (1 / (1 + np.exp(-log_odds - middle)) - y)).sum(axis=0)
        too_high = excess + 2 * _RIDGE * middle > 0
        low, high = np.where(too_high, low, middle), np.where(too_high, middle, high)
    return (low + high) / 2


def centred(network, part, batch_size):
    """Return a trained network whose predictions for a part are right on average.

    The offsets go into the biases of the last layer. A network that does not end in a dense layer
    with biases and a sigmoid is returned as it is.

    Parameters
    ----------
    network : TrainedNetwork
    part : Part
        Training images.
    batch_size : int
        Images predicted at a time.

    Returns
    -------
    network : TrainedNetwork
    """
    model = network.to_keras()
    last = model.layers[-1]
    sigmoid = keras.activations.sigmoid
    if not (isinstance(last, keras.layers.Dense) and last.use_bias and last.activation is sigmoid):
        return network
    probabilities = network.predict_proba(ImagesOfPart(part), batch_size)
    if not np.isfinite(probabilities).all():
        return network
    weight = None if part.weight is None else part.weight[part.rows]
    last.bias.assign(last.bias + log_odds_offsets(part.labels(), probabilities, weight))
    return replace(network, variables=pool.values_of(pool.network_variables(model)))
