"""Logistic regression as the head of a network: its exact weights instead of some epochs of Adam.

One sigmoid a label on fixed features is logistic regression, whose loss has one minimum. It is
found on standardised features with an L2 penalty, and the standardisation goes into the weights, so
that the head is a dense layer as any other.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

__all__ = ["PENALTIES", "solved_head"]

# 1 / C in scikit-learn's words, from the strongest, each fit starting at the last.
PENALTIES = tuple(10.0 ** np.arange(4.0, -1.0, -0.5))
# What it is without images to choose it on; docs/benchmarks/features.md
_USUAL = 10.0**2.5
_MAX_ITER = 300


def solved_head(training, validation):
    """Return the weights of the dense layer, and what they come to.

    Parameters
    ----------
    training, validation : Subset
        With features for images; validation may be None. The penalty is the one of `PENALTIES` with
        the smallest loss on the validation rows.

    Returns
    -------
    kernel : ndarray of shape (n_features, n_labels), float32
    bias : ndarray of shape (n_labels,), float32
    losses : dict of str to float
        Mean cross-entropy, ``"loss"`` and, with validation rows, ``"val_loss"``.
    """
    X, y, weight = _of(training)
    mean, scale = X.mean(axis=0), X.std(axis=0)
    scale[scale == 0] = 1.0
    X = (X - mean) / scale
    start = _label_frequencies_only(X.shape[1], y, weight)
    if validation is None:
        best = _minimum(X, y, weight, _USUAL, start)
        losses = {"loss": _cross_entropy(X, y, weight, best)}
    else:
        X_val, y_val, weight_val = _of(validation)
        X_val = (X_val - mean) / scale
        best, losses = start, {"val_loss": np.inf}
        for penalty in PENALTIES:
            start = _minimum(X, y, weight, penalty, start)
            val_loss = _cross_entropy(X_val, y_val, weight_val, start)
            if val_loss >= losses["val_loss"]:
                break  # from here on it learns the training images by heart
            loss = _cross_entropy(X, y, weight, start)
            best, losses = start, {"loss": loss, "val_loss": val_loss}
    kernel = best[1:] / scale[:, None]
    bias = best[0] - mean @ kernel
    return kernel.astype(np.float32), bias.astype(np.float32), losses


def _of(subset):
    rows = subset.rows
    y = subset.y[rows].astype(np.float64)
    weight = np.ones_like(y)
    if subset.weight is not None:
        weight *= subset.weight[rows].reshape(len(rows), -1)
    X = np.asarray(subset.X)[rows].astype(np.float64)
    return X, np.nan_to_num(y), weight / weight.mean()


def _label_frequencies_only(n_features, y, weight):
    """Return weights of zero, with the log-odds of the (weighted) frequencies as intercepts."""
    share = ((weight * y).sum(axis=0) + 0.5) / (weight.sum(axis=0) + 1)
    weights = np.zeros((1 + n_features, y.shape[1]))
    weights[0] = np.log(share / (1 - share))
    return weights


def _minimum(X, y, weight, penalty, start):
    """Return the weights, intercepts in the first row, that minimise the penalised loss."""
    size = weight.sum()

    def loss_and_gradient(flat):
        weights = flat.reshape(start.shape)
        log_odds = X @ weights[1:] + weights[0]
        # log(1 + exp(-|x|)) is exact where exp(x) would not be finite.
        losses = np.logaddexp(0, log_odds) - y * log_odds
        residuals = weight * (expit(log_odds) - y) / size
        gradient = np.empty_like(weights)
        gradient[0] = residuals.sum(axis=0)
        gradient[1:] = X.T @ residuals + penalty / size * weights[1:]
        loss = (weight * losses).sum() / size + penalty / size / 2 * (weights[1:] ** 2).sum()
        return loss, gradient.ravel()

    found = minimize(
        loss_and_gradient,
        start.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _MAX_ITER, "gtol": 1e-7, "maxcor": 20},
    )
    return found.x.reshape(start.shape)


def _cross_entropy(X, y, weight, weights):
    log_odds = X @ weights[1:] + weights[0]
    return float((weight * (np.logaddexp(0, log_odds) - y * log_odds)).sum() / weight.sum())
