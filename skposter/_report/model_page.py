"""The report of a model: one page for people."""

from __future__ import annotations

import os
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.validation import _num_samples

from skposter._estimators.versions import library_versions
from skposter._labels.names import aligned_labels
from skposter._report import figures
from skposter._report.gallery import cards_of, choose_cards
from skposter._report.page import render, write_page
from skposter._report.problems import problem_rows
from skposter._report.scores import scores_with_intervals
from skposter._report.verdict import verdict
from skposter.display import (
    CalibrationLabelsDisplay,
    HistoryDisplay,
    LabelConfusionDisplay,
    LabelCooccurrenceDisplay,
    Outcome,
    PrecisionRecallLabelsDisplay,
    ThresholdDisplay,
    find_attribute,
    known_labels,
    scores_of,
)
from skposter.thresholds import apply_thresholds

if TYPE_CHECKING:
    from typing import Any

    import pandas as pd

    from skposter._typing import Array, Names, PathLike, RandomState, Samples

__all__ = ["Report", "report"]

_GAIN = "the share of the label frequencies' loss that the model removes"
# Name, title, digits, and whether lower is better.
_ROWS = {
    "skill": ("Skill", 3, False),
    "d2": ("D2", 3, False),
    "binary_crossentropy": ("Binary cross-entropy", 4, True),
    "lrap": ("Label ranking average precision", 3, False),
    "mean_average_precision": ("Mean average precision", 3, False),
    "roc_auc": ("ROC AUC, mean of labels", 3, False),
    "top_1_hit": ("Most probable label is right", 3, False),
    "f1_micro": ("Micro F1", 3, False),
    "f1_macro": ("Macro F1", 3, False),
    "f1_samples": ("Samples F1", 3, False),
    "hamming_loss": ("Hamming loss", 4, True),
    "labels_per_image": ("Labels per image", 2, None),
}
_LARGEST_MATRIX = 40


class Report:
    """What :func:`skposter.report` found.

    Parameters
    ----------
    title : str
        What it is about.
    verdict : list of str
        Three sentences: on the probabilities, the decisions and the labels.
    scores : DataFrame
        As from :func:`skposter.metrics.score_summary`, with ``low`` and ``high``, the ends of the
        95 % intervals, beside ``model``.
    per_label : DataFrame
        As from :func:`skposter.metrics.label_report`, with intervals of average precision and F1.
    html : str
        The page.
    """

    def __init__(self, title, verdict, scores, per_label, html):
        self.title = title
        self.verdict = verdict
        self.scores = scores
        self.per_label = per_label
        self.html = html

    def save(self, path):
        """Write the page, as a whole or not at all.

        Parameters
        ----------
        path : str or path-like
            Such as ``report.html``.
        """
        write_page(self.html, path)

    def _repr_html_(self):
        """Show the verdict and the tables in a notebook; the page itself would be too large."""
        return render(
            "fragment.html.j2",
            title=self.title,
            verdict=self.verdict,
            scores=_score_rows(self.scores),
            labels=_label_rows(self.per_label),
        )

    def __repr__(self):
        return f"<Report {self.title!r}: {self.verdict[0]}>"


def report(
    model: Any,
    X: Samples,
    y: Array,
    out: PathLike | None = None,
    *,
    title: str = "How good is the model?",
    label_names: Names | None = None,
    problems: pd.DataFrame | None = None,
    model_path: str | None = None,
    n_images: int = 72,
    heat_maps: bool = True,
    n_bootstrap: int = 200,
    random_state: RandomState = 0,
    verbose: int = 0,
) -> Report:
    """Make a report of a model on labelled images: one file of HTML that needs nothing else.

    It has a verdict beside the label frequencies, scores with bootstrap intervals, a table of the
    labels, curves and thresholds, the worst mistakes and the surest hits with heat maps, problems
    of the data, and how the model was trained and is loaded.

    Parameters
    ----------
    model : classifier or Pipeline
        Fitted, with ``predict_proba``. Its ``thresholds_``, if it has any, decide; else 0.5.
    X : sequence of n_samples image sources
        What it takes, that it was not trained on: paths, or uint8 images.
    y : array-like or DataFrame of shape (n_samples, n_labels)
        The labels, 0/1. The columns of a DataFrame are put into the order of the model's.
    out : str or path-like, default=None
        Where to write the page; None writes none.
    title : str, default="How good is the model?"
        Of the page.
    label_names : sequence of str, default=None
        By default the columns of `y`, or the ``label_names_`` of the model.
    problems : DataFrame, default=None
        Problems of the data, as in ``load_image_csv(...).problems``.
    model_path : str, default=None
        The file of the model, for the words on how to load it.
    n_images : int, default=72
        How many images the gallery shows at most.
    heat_maps : bool, default=True
        Whether to draw where the model looks, if it is a network of Keras.
    n_bootstrap : int, default=200
        How often images are drawn anew for the intervals; 0 leaves them out.
    random_state : int, RandomState instance or None, default=0
        The seed of the draws.
    verbose : int, default=0
        Above 0, progress bars.

    Returns
    -------
    report : Report
        With ``verdict``, ``scores``, ``per_label``, ``html`` and ``save``.

    Raises
    ------
    ImportError
        If Jinja or matplotlib is missing.
    ValueError
        If labels and model do not fit.
    OSError
        If the page cannot be written.

    Examples
    --------
    >>> import skposter
    >>> page = skposter.report(model, paths, y, "report.html")  # doctest: +SKIP
    >>> print(*page.verdict)  # doctest: +SKIP
    """
    y = _in_the_order_of(model, y, label_names)
    if _num_samples(X) != _num_samples(y):
        raise ValueError(f"Got {_num_samples(X)} images and labels of {_num_samples(y)}.")
    y_score, names, thresholds, min_labels = scores_of(model, X, y, label_names)
    y_pred = apply_thresholds(y_score, thresholds, min_labels=min_labels)
    known = known_labels(y)
    scores = scores_with_intervals(
        y,
        y_score,
        y_pred,
        thresholds,
        names,
        find_attribute(model, "label_frequencies_"),
        n_bootstrap=n_bootstrap,
        random_state=random_state,
        verbose=verbose,
    )
    chosen = choose_cards(known, y_score, y_pred, n_images)
    cards, no_heat = cards_of(
        chosen,
        model,
        X,
        known,
        y_score,
        y_pred,
        thresholds,
        names,
        heat_maps=heat_maps,
        verbose=verbose,
    )
    sentences = verdict(scores.summary, scores.per_label, len(known.labels), names)
    page = render(
        "model.html.j2",
        title=title,
        verdict=sentences,
        today=date.today().isoformat(),
        n_images=len(known.labels),
        n_unknown=int(known.n_unknown.sum()),
        n_bootstrap=n_bootstrap,
        names=names,
        scores=_score_rows(scores.summary),
        labels=_label_rows(scores.per_label),
        figures=_figures(model, known, y, y_score, y_pred, thresholds, names),
        cards=cards,
        no_heat=no_heat,
        outcomes=Outcome,
        problems=problem_rows(problems),
        facts=_facts(model, thresholds, min_labels),
        description=repr(model),
        loading=_loading(model_path),
    )
    found = Report(title, sentences, scores.summary, scores.per_label, page)
    if out is not None:
        found.save(out)
    return found


def _in_the_order_of(model, y, label_names):
    """Return y with its columns as the model has them, so that numbers are of the right labels."""
    learned = find_attribute(model, "label_names_") if label_names is None else label_names
    return y if learned is None else aligned_labels(y, list(learned), "y")


def _score_rows(summary):
    """Return the rows of the table of scores, as the page shows them."""
    rows = []
    for name, (what, digits, lower) in _ROWS.items():
        if name in summary.index:
            row = summary.loc[name]
            better = None
            if lower is not None:
                gain = (row["label frequencies"] - row["model"]) * (1 if lower else -1)
                better = bool(gain > 0)
            rows.append(
                {
                    "name": what,
                    "note": _GAIN if name in ("skill", "d2") else "",
                    "digits": digits,
                    "lower": lower,
                    "better": better,
                    "model": row["model"],
                    "low": row["low"],
                    "high": row["high"],
                    "baseline": row["label frequencies"],
                }
            )
    return rows


def _label_rows(per_label):
    return [{"name": str(name), **row} for name, row in per_label.to_dict(orient="index").items()]


def _figures(model, known, y, y_score, y_pred, thresholds, names):
    """Return what is drawn: an anchor, a title, a few words and the picture of each."""
    columns = 5 if len(names) > 12 else 4
    curves = {"label_names": names, "columns": columns}
    displays = [
        (
            "precision-recall",
            "Precision and recall",
            "Up and to the right is better. The dashed line is the share of the images with the "
            "label, which is the precision of guessing; the dot is where the threshold lies.",
            lambda: PrecisionRecallLabelsDisplay.from_predictions(
                y, y_score, thresholds=thresholds, **curves
            ),
        ),
        (
            "thresholds",
            "Thresholds",
            "F1 of each label on these images, had it another threshold. A dark line far from the "
            "top of the curve is a threshold that does not suit these images, or the objective.",
            lambda: ThresholdDisplay.from_predictions(
                y,
                y_score,
                thresholds=thresholds,
                fold_thresholds=find_attribute(model, "fold_thresholds_"),
                **curves,
            ),
        ),
        (
            "calibration",
            "Calibration",
            "Of images that get 30 %, three in ten should have the label: points should lie on the "
            "dashed line, or their bars cross it.",
            lambda: CalibrationLabelsDisplay.from_predictions(y, y_score, **curves),
        ),
    ]
    if len(names) <= _LARGEST_MATRIX:
        displays += [
            (
                "confusion",
                "What is predicted in place of what",
                "Each missed label of an image is matched with its false alarms, evenly; what has "
                "no counterpart stands at the edge. The diagonal is recall.",
                lambda: LabelConfusionDisplay.from_predictions(y, y_pred, label_names=names),
            ),
            (
                "together",
                "Which labels come together",
                "In the images, and in what is predicted.",
                lambda: LabelCooccurrenceDisplay.from_predictions(y, y_pred, label_names=names),
            ),
        ]
    if find_attribute(model, "history_"):
        displays.append(
            (
                "history",
                "The training",
                "Losses by epoch, beside that of the label frequencies.",
                lambda: HistoryDisplay.from_estimator(model),
            )
        )
    found = []
    for anchor, title, words, make in displays:
        with figures.quiet_fonts():
            display = make()
        found.append(
            {
                "anchor": anchor,
                "title": title,
                "words": words,
                "svg": figures.svg_of(display, anchor, f"{title}. {words}"),
            }
        )
    return found


def _facts(model, thresholds, min_labels):
    """Return what is known of the training, as pairs of words."""
    facts = []
    shape = find_attribute(model, "image_shape_")
    if shape is not None:
        facts.append(("Images are brought to", f"{shape[0]} x {shape[1]} pixels (height x width)"))
    frequencies = find_attribute(model, "label_frequencies_")
    if frequencies is not None:
        facts.append(("Labels per training image", f"{frequencies.sum():.2f}"))
    epochs = find_attribute(model, "n_iter_")
    if isinstance(epochs, int | np.integer):
        facts.append(("Epochs", str(epochs)))
    rule = find_attribute(model, "objective") or find_attribute(model, "threshold")
    if isinstance(rule, str):
        facts.append(("Thresholds were chosen for", rule))
    values = np.unique(np.round(thresholds, 4))
    spread = f"{values[0]:.3g}" if len(values) == 1 else f"{values[0]:.3g} to {values[-1]:.3g}"
    facts.append(("Thresholds", spread))
    if min_labels:
        facts.append(("Labels an image gets at least", str(min_labels)))
    versions = ", ".join(f"{name} {version}" for name, version in library_versions().items())
    facts.append(("This page was made with", versions))
    return facts


def _loading(model_path):
    """Return the code that loads the model and predicts."""
    path = "model.skposter" if model_path is None else os.fspath(model_path)
    if path.endswith(".skposter"):
        lines = ["import skposter", "", f"model = skposter.load({path!r})"]
    else:
        lines = [
            "import joblib",
            "",
            f"model = joblib.load({path!r})  # only a file that you trust",
        ]
    return "\n".join([*lines, 'model.predict_proba(["new.jpg"])'])
