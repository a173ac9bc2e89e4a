"""Probabilities that are right on average, also in prediction: calibration in the large.

Dropout, augmentation and the statistics of batch normalisation differ between training and
prediction, so labels that were balanced in training are all a little too probable, or too
improbable, afterwards. A new intercept of each label puts its mean right.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import expit, logit

from skposter._keras import pool
from skposter._keras.tensorflow import keras
from skposter._training.subsets import ImagesOf

__all__ = ["log_odds_offsets", "with_corrected_intercepts"]

_SMALLEST = 1e-7
_RIDGE = 1.0
_LARGEST = 5.0


def log_odds_offsets(y, probabilities, weight=None):
    """Return what to add to the log-odds of each label, so that they are right on average.

    With these offsets the (weighted) mean probability of a label is its (weighted) frequency,
    unless that takes more than 5 on the scale of log-odds. A label that no image, or every one, has
    gets the finite minimum of the cross-entropy with a ridge.

    Parameters
    ----------
    y : ndarray of shape (n_samples, n_labels)
        Labels, 0/1; what has no weight may be NaN.
    probabilities : ndarray of shape (n_samples, n_labels)
        Predictions for them.
    weight : ndarray of shape (n_samples,) or (n_samples, n_labels), default=None
        Weights.

    Returns
    -------
    offsets : ndarray of shape (n_labels,), float64

    Examples
    --------
    >>> import numpy as np
    >>> from skposter._training.intercepts import log_odds_offsets
    >>> y = np.repeat([[0.0], [1.0]], [9000, 1000], axis=0)
    >>> offset = log_odds_offsets(y, np.full((10000, 1), 0.5))
    >>> (1 / (1 + np.exp(-offset))).round(2)
    array([0.1])
    """
    p = np.clip(probabilities.astype(np.float64), _SMALLEST, 1 - _SMALLEST)
    log_odds = logit(p)
    y = np.nan_to_num(y.astype(np.float64))
    weight = np.ones(1) if weight is None else weight.reshape(len(y), -1)
    wanted = np.broadcast_to(weight * y, y.shape).sum(axis=0)
    total = np.broadcast_to(weight, y.shape).sum(axis=0)
    ridge = np.where((wanted == 0) | (wanted == total), _RIDGE, 0.0)
    low, high = (np.full(y.shape[1], side) for side in (-_LARGEST, _LARGEST))
    for _ in range(60):  # halving, as Newton's steps overshoot where predictions are certain
        middle = (low + high) / 2
        excess = (weight * expit(log_odds + middle)).sum(axis=0) - wanted
        too_high = excess + 2 * ridge * middle > 0
        low, high = np.where(too_high, low, middle), np.where(too_high, middle, high)
    return (low + high) / 2


def with_corrected_intercepts(network, subset, batch_size):
    """Return a trained network whose predictions for a subset are right on average.

    The offsets go into the biases of the last layer. A network that does not end in a dense layer
    with biases and a sigmoid is returned as it is.

    Parameters
    ----------
    network : TrainedNetwork
    subset : Subset
        Training images.
    batch_size : int
        Images predicted at a time.

    Returns
    -------
    network : TrainedNetwork
    """
    model = network.to_keras()
    last = _last_dense(model)
    if last is None:
        return network
    probabilities = network.predict_proba(ImagesOf(subset), batch_size)
    if not np.isfinite(probabilities).all():
        return network
    weight = None if subset.weight is None else subset.weight[subset.rows]
    last.bias.assign(last.bias + log_odds_offsets(subset.labels(), probabilities, weight))
    return replace(network, variables=pool.values_of(pool.network_variables(model)))


def _last_dense(model):
    """Return the dense layer with biases whose sigmoids are the probabilities, or None."""
    last = _innermost(model)  # behind augmentation, a network lies in another
    sigmoid, wanted = keras.activations.sigmoid, keras.activations.sigmoid
    if isinstance(last, keras.layers.Activation) and last.activation is sigmoid:
        last, wanted = _innermost(last.input._keras_history.operation), keras.activations.linear
    if isinstance(last, keras.layers.Dense) and last.use_bias and last.activation is wanted:
        return last
    return None


def _innermost(layer):
    """Return the last layer of a model, or of the model that is its last layer, and so on."""
    while isinstance(layer, keras.Model):
        layer = layer.layers[-1]
    return layer
