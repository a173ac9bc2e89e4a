"""Three sentences about a model, for people who read nothing else."""

from __future__ import annotations

import numpy as np

from skposter._report.page import number, percent

__all__ = ["verdict"]

_NAMED = 3


def verdict(summary, per_label, n_images, names):
    """Return three sentences: about the probabilities, the decisions, and the labels.

    Parameters
    ----------
    summary : DataFrame
        Scores with ``model``, ``low``, ``high`` and ``label frequencies``.
    per_label : DataFrame
        Scores of each label.
    n_images : int
        How many images were scored.
    names : list
        Names of the labels.

    Returns
    -------
    sentences : list of str
    """
    return [
        _probabilities(summary, n_images),
        _decisions(summary),
        _labels(per_label, names),
    ]


def _probabilities(summary, n_images):
    row = summary.loc["d2" if "d2" in summary.index else "skill"]
    gain, ends = row["model"], (row["low"], row["high"])
    known = not np.isnan(ends).any()
    interval = f" (95 % interval {percent(ends[0], 1)} to {percent(ends[1], 1)})" if known else ""
    if (ends[0] if known else gain) > 0:
        what = "Better than knowing only how frequent each label is"
    elif (ends[1] if known else gain) < 0:
        what = "Worse than knowing only how frequent each label is"
    else:
        what = "Not told apart from knowing only how frequent each label is"
    if gain >= 0:
        size = f"it removes {percent(gain, 1)} of their loss{interval}"
    else:
        size = f"its loss is {percent(-gain, 1)} above theirs{interval}"
    return f"{what}: on these {n_images:,} images {size}."


def _decisions(summary):
    f1 = summary.loc["f1_micro"]
    per_image = summary.loc["labels_per_image"]
    interval = "" if np.isnan(f1["low"]) else f" ({number(f1['low'])} to {number(f1['high'])})"
    how = "against" if f1["model"] > f1["label frequencies"] else "and does not reach the"
    return (
        f"With its thresholds it predicts {number(per_image['model'], 1)} labels an image and "
        f"reaches a micro F1 of {number(f1['model'])}{interval}, {how} "
        f"{number(f1['label frequencies'])} of predicting the most frequent labels always."
    )


def _labels(per_label, names):
    scored = per_label["f1"].notna().to_numpy()
    lift = (per_label["average_precision"] - per_label["frequency"]).to_numpy()
    average = per_label["average_precision"].to_numpy()
    order = [j for j in np.argsort(-np.nan_to_num(lift, nan=-1)) if scored[j] and lift[j] > 0]
    best = ", ".join(
        f"{names[j]} ({number(average[j], 2)})"
        for j in sorted(order[:_NAMED], key=lambda j: -average[j])
    )
    no_better = scored & (per_label["f1"] <= per_label["baseline_f1"]).to_numpy()
    first = (
        f"By average precision it knows best: {best}"
        if best
        else "No label is ranked better than by chance"
    )
    poor = [str(names[j]) for j in np.flatnonzero(no_better)]
    if poor:
        shown = ", ".join(poor[:_NAMED]) + (", ..." if len(poor) > _NAMED else "")
        second = (
            f"for {len(poor)} of {int(scored.sum())} labels ({shown}) its decisions are no better "
            "than predicting the label for every image"
        )
    else:
        second = (
            f"for all {int(scored.sum())} labels its decisions are better than predicting the "
            "label for every image"
        )
    return f"{first}; {second}."
