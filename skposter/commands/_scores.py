"""Tables of scores, and how tables are printed."""

from __future__ import annotations

import io
import json

from skposter.commands._console import json_text, write_data

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
# Short enough for 100 columns beside names of labels, which are cut.
_LABEL_COLUMNS = {
    "support": "support",
    "frequency": "share",
    "average_precision": "AP",
    "roc_auc": "ROC AUC",
    "threshold": "threshold",
    "predicted": "predicted",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "baseline_f1": "base F1",
}
_NAME_WIDTH = 22


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
    if how == "table":
        print(table.to_string(float_format=lambda number: f"{number:.3f}", na_rep="-"))
        return
    table = table.rename_axis(table.index.name or "score")
    if how == "csv":
        file = io.StringIO()
        table.to_csv(file, lineterminator="\n")  # which the stream makes that of the platform
        write_data(file.getvalue())
    else:
        rows = table.reset_index().to_json(orient="records", double_precision=15)
        write_data(json_text(json.loads(rows)) + "\n")


def print_labels(table):
    """Print the scores of each label for people."""
    names = [shortened(str(name), _NAME_WIDTH) for name in table.index]
    shown = table[list(_LABEL_COLUMNS)].rename(columns=_LABEL_COLUMNS).set_axis(names)
    print_frame(shown)
    print("\nAP is average precision; base F1 that of predicting the label for every image.")
    for reason in sorted(set(table["undefined"]) - {""}):
        without = table.index[table["undefined"] == reason]
        print(f"{reason[0].upper()}{reason[1:]}: {', '.join(map(str, without))}.")


def shortened(text, width):
    """Return a text in at most so many characters, in one line."""
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 3] + "..."


def print_scores(model, y, probabilities):
    """Print the score table with readable names, and what decides which labels are predicted."""
    table = score_table(model, y, probabilities)
    print_frame(table.loc[list(_SUMMARY_ROWS)].rename(index=_SUMMARY_ROWS))
    n_scored = int(table.loc["labels_scored", "model"])
    print(f"\n{model.rule}.")
    if n_scored < y.shape[1]:
        print(f"{y.shape[1] - n_scored} of {y.shape[1]} labels have no positives here.")
