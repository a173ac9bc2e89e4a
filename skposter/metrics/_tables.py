"""Two tables: scores label by label, and scores of a model beside those of the frequencies."""

from __future__ import annotations

import numpy as np

from skposter._labels.checks import find_label_names
from skposter._labels.score_checks import check_probabilities
from skposter.metrics._scores import (
    EPSILON,
    check_both,
    check_decisions,
    constant_scores,
    label_average_precision,
    label_roc_auc,
    row_crossentropy,
    row_f1,
    row_ranking_precision,
    row_top_1_hit,
)

__all__ = ["label_report", "score_summary"]

_ROWS = [
    "binary_crossentropy",
    "skill",
    "lrap",
    "top_1_hit",
    "mean_average_precision",
    "roc_auc",
    "f1_micro",
    "f1_macro",
    "f1_samples",
    "hamming_loss",
    "labels_per_image",
    "labels_scored",
]


def label_report(y_true, y_score, thresholds=0.5, *, label_names=None):
    """Return a table with one row a label: how many, how well ranked, how well decided.

    Parameters
    ----------
    y_true : array-like or DataFrame of shape (n_samples, n_labels)
        The labels, 0/1.
    y_score : array-like of shape (n_samples, n_labels)
        Scores, higher for likelier.
    thresholds : float or array-like of shape (n_labels,), default=0.5
        A label is predicted where the score reaches it.
    label_names : sequence of str, default=None
        Names of the rows; by default the columns of `y_true`, or numbers.

    Returns
    -------
    report : DataFrame, indexed by label
        - ``support``: images with the label; ``frequency``: their share, which is also the average
          precision that scores without information reach.
        - ``average_precision``, ``roc_auc``: of the scores, whatever the threshold.
        - ``threshold``, ``predicted`` (images it lets through), ``precision``, ``recall``, ``f1``.
        - ``baseline_f1``: that of predicting the label for every image, 2 p / (1 + p) at frequency
          p. An F1 below it is worse than no model.
        - ``undefined``: why scores are NaN, ``"no positives"`` or ``"no negatives"``, else empty.

    Notes
    -----
    Without positives all scores are NaN; without negatives the two rankings are. Precision is NaN
    where nothing is predicted.

    Examples
    --------
    >>> import numpy as np
    >>> from skposter.metrics import label_report
    >>> y_true = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0]])
    >>> y_score = np.array([[.9, .2, .1], [.4, .3, .1], [.7, .8, .2], [.2, .6, .1]])
    >>> report = label_report(y_true, y_score, label_names=["Drama", "War", "News"])
    >>> report[["support", "average_precision", "f1", "baseline_f1", "undefined"]].round(2)
           support  average_precision   f1  baseline_f1     undefined
    label
    Drama        2               1.00  1.0         0.67
    War          2               0.83  0.5         0.67
    News         0                NaN  NaN          NaN  no positives
    """
    import pandas as pd

    names = find_label_names(y_true, np.shape(y_true)[-1], label_names)
    y_true, y_score = check_both(y_true, y_score)
    n, n_labels = y_true.shape
    cuts = np.asarray(thresholds, dtype=float)
    if cuts.shape not in ((), (n_labels,)):
        raise ValueError(
            f"thresholds has shape {cuts.shape}, expected a number or one for each of {n_labels} "
            "labels."
        )
    y_pred = y_score >= cuts
    support, predicted = y_true.sum(axis=0), y_pred.sum(axis=0)
    hits = (y_true & y_pred).sum(axis=0)
    positives = np.where(support > 0, support, np.nan)
    return pd.DataFrame(
        {
            "support": support,
            "frequency": support / n,
            "average_precision": label_average_precision(y_true, y_score),
            "roc_auc": label_roc_auc(y_true, y_score),
            "threshold": np.broadcast_to(cuts, n_labels),
            "predicted": predicted,
            "precision": hits / np.where((predicted > 0) & (support > 0), predicted, np.nan),
            "recall": hits / positives,
            "f1": 2 * hits / (positives + predicted),
            "baseline_f1": 2 * positives / (n + positives),
            "undefined": np.select(
                [support == 0, support == n], ["no positives", "no negatives"], default=""
            ),
        },
        index=pd.Index(names, name="label"),
    )


def score_summary(y_true, y_score, y_pred=None, *, label_frequencies=None, min_positives=1):
    """Return the scores of a model beside those of the label frequencies.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        The labels, 0/1.
    y_score : array-like of shape (n_samples, n_labels)
        Probabilities.
    y_pred : array-like of shape (n_samples, n_labels), default=None
        The predicted labels, 0/1, by whatever rule. None means ``y_score >= 0.5``.
    label_frequencies : array-like of shape (n_labels,), default=None
        Frequencies in the training data, ``y_train.mean(axis=0)``. None takes those of `y_true`.
    min_positives : int, default=1
        How many positives a label needs to count in the means over labels.

    Returns
    -------
    summary : DataFrame
        Columns ``model`` and ``label frequencies``; one row a score:

        - ``binary_crossentropy``, ``skill``: of the probabilities; see :func:`skill_score`.
        - ``lrap``: label ranking average precision.
        - ``top_1_hit``: images whose likeliest label is right.
        - ``mean_average_precision``, ``roc_auc``: means over labels with `min_positives` positives
          and a negative.
        - ``f1_micro``, ``f1_macro``, ``f1_samples``, ``hamming_loss``: of the decisions; the macro
          mean is over labels with `min_positives` positives.
        - ``labels_per_image``: how many are predicted.
        - ``labels_scored``: how many labels the means over labels count.

    Notes
    -----
    The label frequencies are the same prediction for every image. Where a score needs decisions
    they make the best constant ones that the frequencies alone suggest, score by score: for micro
    and samples F1 the most frequent labels, as many as give the highest expected micro F1; for
    macro F1 all labels; for the Hamming loss those above one half; ``labels_per_image`` is that of
    micro F1. So a model at 0.5 can lose to them, and often does.

    Images without labels do not count in ``lrap`` and ``top_1_hit``, those without labels, true or
    predicted, not in ``f1_samples``.

    Examples
    --------
    >>> import numpy as np
    >>> from skposter.metrics import score_summary
    >>> y_true = np.array([[1, 0], [1, 0], [1, 1], [0, 1]])
    >>> y_score = np.array([[.9, .2], [.8, .3], [.7, .7], [.3, .6]])
    >>> score_summary(y_true, y_score).loc[["skill", "f1_micro", "f1_macro"]].round(2)
              model  label frequencies
    skill      0.5               0.00
    f1_micro    1.0               0.77
    f1_macro    1.0               0.76
    """
    import pandas as pd

    y_true, y_score = check_both(y_true, y_score)
    y_score = check_probabilities(y_score)
    y_pred = check_decisions(y_true, y_score >= 0.5 if y_pred is None else y_pred)[1]
    constant = constant_scores(y_true, label_frequencies)
    frequent = np.broadcast_to(_most_frequent(constant[0]), y_true.shape)
    positives = y_true.sum(axis=0)
    counted = positives >= max(1, min_positives)
    ranked = counted & (positives < len(y_true))
    summary = pd.DataFrame(
        {
            "model": {
                **_score_probabilities(y_true, y_score, ranked),
                **_score_decisions(y_true, y_pred, y_pred, y_pred, counted),
            },
            "label frequencies": {
                **_score_probabilities(y_true, constant, ranked),
                **_score_decisions(y_true, frequent, np.ones_like(y_true), constant > 0.5, counted),
            },
        }
    )
    loss = summary.loc["binary_crossentropy"]
    baseline = loss["label frequencies"]
    summary.loc["skill"] = 1 - loss / (baseline if baseline > 2 * EPSILON else np.nan)
    summary.loc["labels_scored"] = counted.sum()
    return summary.loc[_ROWS]


def _score_probabilities(y_true, y_score, ranked):
    return {
        "binary_crossentropy": row_crossentropy(y_true, y_score).mean(),
        "lrap": _mean(row_ranking_precision(y_true, y_score)),
        "top_1_hit": _mean(row_top_1_hit(y_true, y_score)),
        "mean_average_precision": _mean(label_average_precision(y_true, y_score)[ranked]),
        "roc_auc": _mean(label_roc_auc(y_true, y_score)[ranked]),
    }


def _score_decisions(y_true, for_micro, for_macro, for_hamming, counted):
    hits = (y_true & for_micro).sum()
    label_hits = (y_true & for_macro).sum(axis=0)
    label_sizes = y_true.sum(axis=0) + for_macro.sum(axis=0)
    return {
        "f1_micro": 2 * hits / max(y_true.sum() + for_micro.sum(), 1),
        "f1_macro": _mean((2 * label_hits / np.maximum(label_sizes, 1))[counted]),
        "f1_samples": _mean(row_f1(y_true, for_micro)),
        "hamming_loss": (y_true != for_hamming).mean(),
        "labels_per_image": for_micro.sum(axis=1).mean(),
    }


def _most_frequent(frequencies):
    """Return which labels, predicted always, give the highest expected micro F1."""
    order = np.argsort(-frequencies, kind="stable")
    hits = np.cumsum(frequencies[order])
    expected_f1 = 2 * hits / (hits[-1] + np.arange(1, len(order) + 1))
    chosen = np.zeros(len(order), dtype=bool)
    chosen[order[: expected_f1.argmax() + 1]] = True
    return chosen


def _mean(values):
    values = values[~np.isnan(values)]
    return values.mean() if len(values) else np.nan
