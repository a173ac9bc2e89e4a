"""The card of a model: what it was trained on, how good it is and where its limits are.

Markdown with YAML front matter as the Hugging Face Hub has it, so that it can be pushed there as
it is. The front matter is JSON where it holds texts of the user's, which YAML is a superset of.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

import numpy as np

from skposter._estimators.steps import deciding, image_loader, learned
from skposter._estimators.versions import library_versions
from skposter._labels.rare import SOME_POSITIVES, rare_labels
from skposter._version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["model_card", "renamed"]

_SHOWN = {
    "binary_crossentropy": "binary cross-entropy (lower is better)",
    "skill": "skill (1 is perfect, 0 is the label frequencies)",
    "lrap": "label ranking average precision",
    "mean_average_precision": "mean average precision",
    "f1_micro": "micro F1",
    "f1_macro": "macro F1",
    "f1_samples": "samples F1",
    "hamming_loss": "Hamming loss (lower is better)",
    "labels_per_image": "labels per image",
}


def model_card(
    model: Any,
    *,
    scores: Mapping[str, float] | None = None,
    description: str = "",
    file_name: str = "model.skposter",
) -> str:
    """Return the card of a fitted model.

    Parameters
    ----------
    model : estimator
        As in :func:`skposter.save`.
    scores : dict of str to float, default=None
        What it reached, on which images.
    description : str, default=""
        What it is for.
    file_name : str, default="model.skposter"
        Of the model, for how to load it: with joblib unless it ends in ``.skposter``.

    Returns
    -------
    card : str
    """
    sections = [
        _front_matter(scores),
        "# Labels of images, several at a time\n\n" + (description or _purpose(model)),
        _usage(model, file_name),
        _data(model),
        _scores(model, scores),
        _decisions(model),
        _limits(model),
    ]
    return "\n\n".join(sections) + "\n"


def _front_matter(scores):
    lines = [
        "---",
        "library_name: skposter",
        "pipeline_tag: image-classification",
        "tags: [skposter, scikit-learn, keras, multi-label]",
    ]
    if scores:
        metrics = [{"type": name, "name": name, "value": value} for name, value in scores.items()]
        result = {
            "task": {"type": "image-classification", "name": "Multi-label image classification"},
            "dataset": {"type": "custom", "name": "see the names of the metrics"},
            "metrics": metrics,
        }
        index = [{"name": "skposter model", "results": [result]}]
        lines.append(f"model-index: {json.dumps(index)}")
    return "\n".join([*lines, "---"])


def _purpose(model):
    names = learned(model).label_names_.tolist()
    shown = _listed([_text(name) for name in names], 5)
    return f"Gives each image those of {len(names)} labels that fit: {shown}."


def _listed(names, at_most):
    more = len(names) - at_most
    if more <= 0:
        return ", ".join(names)
    return f"{', '.join(names[:at_most])} and {more} more"


def renamed(card, file_name):
    """Return the card of a file that has been renamed since it was written."""
    if not file_name.endswith(".skposter"):
        return card
    line = re.compile(r'^model = skposter\.load\(".*"\)  # runs', re.MULTILINE)
    return line.sub(lambda _: f"model = skposter.load({json.dumps(file_name)})  # runs", card, 1)


def _usage(model, file_name):
    height, width, channels = learned(model).image_shape_
    takes = f"uint8 arrays (n, {height}, {width}, {channels})"
    if image_loader(model) is not None:
        takes = "paths of images"
    name = json.dumps(file_name)
    if file_name.endswith(".skposter"):
        load = f"import skposter\n\nmodel = skposter.load({name})  # runs no code from the file"
    else:
        load = f"import joblib\n\nmodel = joblib.load({name})  # runs code from the file: trust it?"
    return f"""## How to load

```python
{load}
model.predict_proba(X)  # X: {takes}
```

Written by skposter {__version__} with {_versions()}."""


def _versions():
    return ", ".join(f"{k} {v}" for k, v in library_versions().items() if k != "skposter")


def _data(model):
    classifier = learned(model)
    summary = classifier.training_summary_
    counts = summary["label_counts"]
    rows = [
        f"| {_text(name)} | {count} | {count / max(summary['n_images'], 1):.1%} |"
        for name, count in zip(classifier.label_names_.tolist(), counts, strict=True)
    ]
    return "\n".join(
        [
            "## Trained on",
            "",
            f"{summary['n_images']} images, brought to {classifier.image_shape_[0]} x "
            f"{classifier.image_shape_[1]} pixels (height x width). Network: "
            f"`{_network(classifier)}`, {classifier.n_iter_} epochs. Fingerprint of the data: "
            f"`{summary['fingerprint']}`.",
            "",
            "| label | images | share |",
            "|---|---:|---:|",
            *rows,
        ]
    )


def _network(classifier):
    network = classifier.network
    if isinstance(network, str):
        return network
    return " ".join(getattr(network, "__name__", repr(network)).split())


def _scores(model, scores):
    lines = ["## Scores"]
    if scores:
        lines += ["", "| score | value |", "|---|---:|"]
        lines += [f"| {_text(name)} | {value:.4g} |" for name, value in scores.items()]
    classifier = learned(model)
    if classifier.validation_scores_ is not None:
        lines += ["", *_validation_table(classifier, deciding(model))]
    if len(lines) == 1:
        lines += ["", "None were given, and no images were set aside in training."]
    return "\n".join(lines)


def _validation_table(classifier, last):
    from skposter.metrics import score_summary
    from skposter.thresholds import apply_thresholds

    y_val, y_score = classifier.validation_scores_
    chosen = apply_thresholds(y_score, last.thresholds_, min_labels=last.min_labels)
    summary: Any = score_summary(
        y_val, y_score, chosen, label_frequencies=classifier.label_frequencies_
    )
    rows = [
        f"| {title} | {summary.loc[name, 'model']:.3f} | "
        f"{summary.loc[name, 'label frequencies']:.3f} |"
        for name, title in _SHOWN.items()
        if not math.isnan(summary.loc[name, "model"])
    ]
    return [
        f"On the {len(y_val)} images set aside in training, which early stopping and thresholds "
        "may have been chosen on, beside what the label frequencies alone reach:",
        "",
        "| score | model | label frequencies |",
        "|---|---:|---:|",
        *rows,
    ]


def _decisions(model):
    last = deciding(model)
    names = learned(model).label_names_.tolist()
    thresholds = np.asarray(last.thresholds_)
    lines = [
        "## Decisions",
        "",
        f"A label is predicted where its probability reaches its threshold ({_rule(last)}).",
    ]
    if last.min_labels:
        lines[-1] += f" Images below all thresholds get their {last.min_labels} likeliest labels."
    if (thresholds == thresholds[0]).all():
        return "\n".join([*lines, f"All thresholds are {thresholds[0]:.4g}."])
    rows = [f"| {_text(n)} | {t:.4g} |" for n, t in zip(names, thresholds, strict=True)]
    return "\n".join([*lines, "", "| label | threshold |", "|---|---:|", *rows])


def _rule(last):
    if hasattr(last, "objective"):
        name = last.objective if isinstance(last.objective, str) else repr(last.objective)
        return f"chosen for {name} on images held out"
    threshold = getattr(last, "threshold", None)
    if isinstance(threshold, str):
        return f"chosen for {threshold} on the images set aside"
    return "given"


def _limits(model):
    counts = learned(model).training_summary_["label_counts"]
    names = learned(model).label_names_.tolist()
    rare = [_text(name) for name, _ in rare_labels(counts, names, SOME_POSITIVES)]
    lines = [
        "## Limits",
        "",
        "- It knows these labels only, and images like those it was trained on.",
        "- Probabilities are of each label by itself; they do not sum to one.",
    ]
    if rare:
        shown = _listed(rare, 20)
        lines.append(
            f"- Fewer than {SOME_POSITIVES} training images show: {shown}. Expect little of these."
        )
    return "\n".join(lines)


def _text(value):
    """Return a name so that it cannot be taken for Markdown or HTML."""
    text = " ".join(str(value).split())
    for special in "\\`*_[]<>|":
        text = text.replace(special, f"&#{ord(special)};")
    return text
