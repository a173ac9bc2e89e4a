"""Tables of scores, and how tables are printed."""

from __future__ import annotations

import sys

_SUMMARY_ROWS = {
    "binary_crossentropy": "binary cross-entropy",
    "skill": "skill",
    "lrap": "label ranking average precision",
    "mean_average_precision": "mean average precision",
    "roc_auc": "ROC AUC, mean of labels",
    "top_1_hit": "most probable label is right",
    "f1_micro": "micro F1",
    "f1_macro": "macro F1",
    "f1_samples": "samples F1",
    "hamming_loss": "Hamming loss",
    "labels_per_image": "labels per image",
}


def score_table(model, y, probabilities):
    """Return the scores of a model beside those of the label frequencies of its training.

    Parameters
    ----------
    model : FittedModel
        Its thresholds decide.
    y : DataFrame of shape (n_samples, n_labels)
        The true labels.
    probabilities : ndarray of shape (n_samples, n_labels)
        The predicted ones.

    Returns
    -------
    table : DataFrame
        As from :func:`skposter.metrics.score_summary`.
    """
    from skposter.metrics import score_summary

    return score_summary(
        y,
        probabilities,
        model.decide(probabilities),
        label_frequencies=model.label_frequencies,
    )


def per_label_table(model, y, probabilities):
    """Return the scores of each label; see :func:`skposter.metrics.label_report`."""
    from skposter.metrics import label_report

    return label_report(y, probabilities, model.thresholds, label_names=model.label_names)


def print_frame(table, how="table"):
    """Print a DataFrame for people, or as JSON (a list of rows) or CSV with all digits."""
    if how == "csv":
        table.to_csv(sys.stdout, index_label=table.index.name or "score")
    elif how == "json":
        rows = table.rename_axis(table.index.name or "score").reset_index()
        print(rows.to_json(orient="records", indent=2, double_precision=15))
    else:
        print(table.to_string(float_format=lambda number: f"{number:.3f}", na_rep="-"))


def print_scores(model, y, probabilities):
    """Print the score table with readable names, and what decides which labels are predicted."""
    table = score_table(model, y, probabilities)
    print_frame(table.loc[list(_SUMMARY_ROWS)].rename(index=_SUMMARY_ROWS))
    n_scored = int(table.loc["labels_scored", "model"])
    print(f"\n{model.rule}.")
    if n_scored < y.shape[1]:
        print(f"{y.shape[1] - n_scored} of {y.shape[1]} labels have no positives here.")
