"""Two tables: scores label by label, and scores of a model beside those of the frequencies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skposter._labels.checks import check_indicator
from skposter._labels.decisions import count_decisions, f1, hamming_loss
from skposter._labels.names import aligned_labels, find_label_names
from skposter._labels.per_label import per_label
from skposter.metrics._scores import (
    EPSILON,
    check_both,
    constant_scores,
    crossentropy,
    label_average_precision,
    label_roc_auc,
    row_ranking_precision,
    row_top_1_hit,
)

if TYPE_CHECKING:
    import pandas as pd

    from skposter._typing import Array, Names, Threshold

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


def label_report(
    y_true: Array, y_score: Array, thresholds: Threshold = 0.5, *, label_names: Names | None = None
) -> pd.DataFrame:
    """Return a table with one row a label: how many, how well ranked, how well decided.

    Parameters
    ----------
    y_true : array-like or DataFrame of shape (n_samples, n_labels)
        The labels, 0/1; NaN where unknown.
    y_score : array-like or DataFrame of shape (n_samples, n_labels)
        Scores, higher for likelier.
    thresholds : float, array-like of shape (n_labels,) or mapping, default=0.5
        A label is predicted where the score reaches it. A mapping, or a Series, goes from names to
        thresholds; labels that it does not name keep 0.5.
    label_names : sequence of str, default=None
        Names of the rows, in the order of the columns of `y_score`, such as ``label_names_`` of a
        classifier. By default the columns of `y_true`, or numbers. Where both are known, `y_true`
        is put into this order.

    Returns
    -------
    report : DataFrame, indexed by label
        - ``support``: images with the label; ``frequency``: their share of those whose label is
          known, which is also the average precision that scores without information reach.
        - ``average_precision``, ``roc_auc``: of the scores, whatever the threshold.
        - ``threshold``, ``predicted`` (images it lets through), ``precision``, ``recall``, ``f1``.
        - ``baseline_f1``: that of predicting the label for every image, 2 p / (1 + p) at frequency
          p. An F1 below it is worse than no model.
        - ``undefined``: why scores are NaN, ``"no positives"``, ``"no negatives"`` or ``"unknown"``
          (of every image), else empty.

    Raises
    ------
    ValueError
        If shapes differ, or the columns of `y_true`, of `y_score` and `label_names` are not the
        same labels.

    Notes
    -----
    Without positives all scores are NaN; without negatives the two rankings are. Precision is NaN
    where nothing is predicted. Where a label is unknown, an image counts in no column of its row;
    a warning says how many.

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

    if label_names is not None:
        label_names = find_label_names(y_true, np.shape(y_true)[-1], label_names)
        y_true = aligned_labels(y_true, label_names, "y_true")
        y_score = aligned_labels(y_score, label_names, "y_score")
    labels, y_score = check_both(y_true, y_score)
    names = label_names or labels.names
    thresholds = per_label(thresholds, names, default=0.5, what="thresholds")
    hits, predicted, support = count_decisions(labels, y_score >= thresholds, axis=0)
    n_known = labels.n_known
    positives = np.where(support > 0, support, np.nan)
    return pd.DataFrame(
        {
            "support": support,
            "frequency": labels.frequencies,
            "average_precision": label_average_precision(labels, y_score),
            "roc_auc": label_roc_auc(labels, y_score),
            "threshold": thresholds,
            "predicted": predicted,
            "precision": hits / np.where((predicted > 0) & (support > 0), predicted, np.nan),
            "recall": hits / positives,
            "f1": 2 * hits / (positives + predicted),
            "baseline_f1": 2 * positives / (n_known + positives),
            "undefined": np.select(
                [n_known == 0, support == 0, support == n_known],
                ["unknown", "no positives", "no negatives"],
                default="",
            ),
        },
        index=pd.Index(names, name="label"),
    )


def score_summary(
    y_true: Array,
    y_score: Array,
    y_pred: Array | None = None,
    *,
    label_frequencies: Array | None = None,
    min_positives: int = 1,
) -> pd.DataFrame:
    """Return the scores of a model beside those of the label frequencies.

    Parameters
    ----------
    y_true : array-like or DataFrame of shape (n_samples, n_labels)
        The labels, 0/1; NaN where unknown.
    y_score : array-like or DataFrame of shape (n_samples, n_labels)
        Probabilities. The columns of a DataFrame are put into the order of those of `y_true`, here
        and below.
    y_pred : array-like or DataFrame of shape (n_samples, n_labels), default=None
        The predicted labels, 0/1, by whatever rule. None means ``y_score >= 0.5``.
    label_frequencies : array-like or Series of shape (n_labels,), default=None
        Frequencies in the training data, ``y_train.mean(axis=0)``. None takes those of `y_true`.
    min_positives : int, default=1
        How many positives a label needs to count in the means over labels.

    Returns
    -------
    summary : DataFrame
        Columns ``model`` and ``label frequencies``; one row a score:

        - ``binary_crossentropy``, ``skill``: of the probabilities. Skill is D2, the share of the
          label frequencies' cross-entropy that the model removes; see :func:`skill_score`.
        - ``lrap``: label ranking average precision.
        - ``top_1_hit``: images whose likeliest label is right.
        - ``mean_average_precision``, ``roc_auc``: means over labels with `min_positives` positives
          and a negative.
        - ``f1_micro``, ``f1_macro``, ``f1_samples``, ``hamming_loss``: of the decisions; the macro
          mean is over labels with `min_positives` positives.
        - ``labels_per_image``: how many are predicted.
        - ``labels_scored``: how many labels the means over labels count.

    Raises
    ------
    ValueError
        If a score is not a probability, shapes differ, or columns are not the same labels.

    Notes
    -----
    The label frequencies are the same prediction for every image. Where a score needs decisions
    they make the best constant ones that the frequencies alone suggest, score by score: for micro
    and samples F1 the most frequent labels, as many as give the highest expected micro F1; for
    macro F1 all labels; for the Hamming loss those above one half; ``labels_per_image`` is that of
    micro F1. So a model at 0.5 can lose to them, and often does.

    Images without labels do not count in ``lrap`` and ``top_1_hit``, those without labels, true or
    predicted, not in ``f1_samples``. Unknown labels count in no row but ``labels_per_image``; a
    warning says how many there are.

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

    labels, y_score = check_both(y_true, y_score, probabilities=True)
    if y_pred is None:
        y_pred = y_score >= 0.5
    else:
        y_pred = check_indicator(y_pred, "y_pred", label_names=labels.names)
        if y_pred.shape != labels.shape:
            raise ValueError(
                f"y_pred has shape {y_pred.shape}, expected {labels.shape}, as y_true."
            )
    constant = constant_scores(labels, label_frequencies)
    frequent = np.broadcast_to(_most_frequent(constant[0]), labels.shape)
    positives = labels.positive.sum(axis=0)
    counted = positives >= max(1, min_positives)
    ranked = counted & (positives < labels.n_known)
    everything = np.ones(labels.shape, dtype=bool)
    summary = pd.DataFrame(
        {
            "model": {
                **_score_probabilities(labels, y_score, ranked),
                **_score_decisions(labels, y_pred, y_pred, y_pred, counted),
            },
            "label frequencies": {
                **_score_probabilities(labels, constant, ranked),
                **_score_decisions(labels, frequent, everything, constant > 0.5, counted),
            },
        }
    )
    loss = summary.loc["binary_crossentropy"]
    baseline = loss["label frequencies"]
    summary.loc["skill"] = 1 - loss / (baseline if baseline > 2 * EPSILON else np.nan)
    summary.loc["labels_scored"] = counted.sum()
    return summary.loc[_ROWS]


def _score_probabilities(labels, y_score, ranked):
    return {
        "binary_crossentropy": crossentropy(labels, y_score),
        "lrap": _mean(row_ranking_precision(labels, y_score)),
        "top_1_hit": _mean(row_top_1_hit(labels, y_score)),
        "mean_average_precision": _mean(label_average_precision(labels, y_score)[ranked]),
        "roc_auc": _mean(label_roc_auc(labels, y_score)[ranked]),
    }


def _score_decisions(labels, for_micro, for_macro, for_hamming, counted):
    return {
        "f1_micro": float(f1(labels, for_micro)),
        "f1_macro": _mean(f1(labels, for_macro, axis=0)[counted]),
        "f1_samples": _mean(f1(labels, for_micro, axis=1, empty=np.nan)),
        "hamming_loss": hamming_loss(labels, for_hamming),
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
