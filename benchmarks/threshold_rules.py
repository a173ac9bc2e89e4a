"""Threshold rules on real posters: what each is good for, and whether it keeps its promise.

Trains a cheap classifier (logistic regression on colours, edges and a thumbnail) once a fold and
once on everything, then compares rules on its scores. Rules choose on out-of-fold scores of the
training posters and are scored on the validation posters. A second table shows what steadying the
thresholds of rare labels brings, for three kinds of scores.

    python benchmarks/threshold_rules.py --train train.csv --val val.csv --images Images

With ``--network`` the scores of the first table come from MultiLabelImageClassifier instead.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from PIL import Image
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, hamming_loss
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skposter import TunedThresholdsClassifierCV
from skposter.datasets import load_image_csv
from skposter.exceptions import LabelWarning
from skposter.thresholds import (
    apply_thresholds,
    choose_thresholds,
    expected_f1_decision,
    expected_f1_thresholds,
    objective_score,
    top_k,
)

OBJECTIVES = [
    ("f1_micro", 20.0),
    ("f1_macro", 0.0),
    ("f1_macro", 20.0),
    ("f1_macro", np.inf),
    ("f1_samples", 20.0),
    ("hamming", 20.0),
    ("cardinality", 20.0),
    ("precision>=0.5", 20.0),
    ("recall>=0.5", 20.0),
]
SHRINKAGES = [0.0, 5.0, 10.0, 20.0, 40.0, np.inf]


def describe(path):
    """Colour histogram, colours of 6x4 cells, edges of 12x8 cells in 8 directions, thumbnail."""
    with Image.open(path) as file:
        file.draft("RGB", (128, 192))
        image = file.convert("RGB").resize((64, 96), Image.Resampling.BILINEAR)
    hsv = np.asarray(image.convert("HSV")).reshape(-1, 3) >> 4
    colours = [np.bincount(channel, minlength=16) / len(hsv) for channel in hsv.T]
    rgb = np.asarray(image, dtype=np.float32) / 255
    cells = rgb.reshape(6, 16, 4, 16, 3)
    down, right = np.gradient(rgb.mean(axis=2))
    direction = (np.arctan2(down, right) % np.pi / np.pi * 8).astype(int) % 8
    strength = np.hypot(down, right)[..., np.newaxis] * (direction[..., np.newaxis] == np.arange(8))
    edges = np.sqrt(strength.reshape(12, 8, 8, 8, 8).sum(axis=(1, 3)))
    thumbnail = np.asarray(image.resize((16, 24), Image.Resampling.BILINEAR)) / 255
    parts = [*colours, cells.mean(axis=(1, 3)), cells.std(axis=(1, 3)), edges, thumbnail]
    return np.concatenate([np.ravel(part) for part in parts])


def features(paths):
    return np.stack(Parallel(n_jobs=2)(delayed(describe)(path) for path in paths))


def linear(**params):
    one_label = LogisticRegression(C=3e-4, solver="newton-cholesky", **params)
    return make_pipeline(StandardScaler(), PCA(150, random_state=0), OneVsRestClassifier(one_label))


def network():
    from skposter import ImageLoader, MultiLabelImageClassifier

    classifier = MultiLabelImageClassifier(epochs=12, random_state=0)
    return make_pipeline(ImageLoader(size=(128, 96)), classifier)


class Scores(ClassifierMixin, BaseEstimator):
    """A classifier whose X already is the scores: rules are compared without training."""

    def fit(self, X, y):
        self.fitted_ = True
        return self

    def predict_proba(self, X):
        return X


def rule_row(name, y_true, y_pred, promise=("", "", "")):
    """A line of the first table: micro, macro, samples F1, Hamming loss, labels, promise."""
    f1 = [
        f1_score(y_true, y_pred, average=average, zero_division=0)
        for average in ("micro", "macro", "samples")
    ]
    cells = [*f1, hamming_loss(y_true, y_pred)]
    numbers = [f"{value:.3f}" for value in cells] + [f"{y_pred.sum(axis=1).mean():.2f}"]
    promised = [value if isinstance(value, str) else f"{value:.3f}" for value in promise]
    return f"| {' | '.join([name, *numbers, *promised])} |"


def compare_rules(classifier, X, y, X_val, y_val):
    """Lines of the first table. The classifier is trained here, and never again."""
    trained = TunedThresholdsClassifierCV(classifier, store_cv_results=True).fit(X, y)
    results = trained.cv_results_
    out_of_fold, y_there = results["y_score"], y[results["row"]]
    folds = [
        (np.flatnonzero(results["fold"] != k), np.flatnonzero(results["fold"] == k))
        for k in np.unique(results["fold"])
    ]
    scores = trained.predict_proba(X_val)
    lines = [rule_row("0.5", y_val, apply_thresholds(scores, 0.5))]
    for objective, shrinkage in OBJECTIVES:
        tuned = TunedThresholdsClassifierCV(
            Scores(), objective=objective, shrinkage=shrinkage, cv=folds
        ).fit(out_of_fold, y_there)
        y_pred = tuned.predict(scores)
        reached = objective_score(y_val, y_pred, objective)
        name = f"{objective}, shrinkage={shrinkage:g}" if objective == "f1_macro" else objective
        lines.append(rule_row(name, y_val, y_pred, (tuned.best_score_, tuned.cv_score_, reached)))
    chosen = choose_thresholds(y, trained.predict_proba(X), shrinkage=0)
    name = "f1_macro, shrinkage=0, chosen on scores of the training posters themselves"
    lines.append(rule_row(name, y_val, apply_thresholds(scores, chosen)))
    chosen = expected_f1_thresholds(out_of_fold)
    lines.append(rule_row("expected_f1_thresholds", y_val, apply_thresholds(scores, chosen)))
    lines += [rule_row(f"top_k, k={k}", y_val, top_k(scores, k)) for k in (1, 2, 3)]
    lines.append(rule_row("expected_f1_decision", y_val, expected_f1_decision(scores)))
    return lines


def one_threshold_for_all(y_true, y_score):
    """The single threshold with the highest macro F1, as the anchor that was not taken."""

    def macro_f1(y_true, y_pred):
        return objective_score(y_true, y_pred, "f1_macro")

    return choose_thresholds(y_true, y_score, objective=macro_f1)


def towards_one_threshold(y_true, y_score, shrinkage=20.0):
    """What is averaged in log-odds with the label's own threshold is one for all labels."""
    own = logit(choose_thresholds(y_true, y_score, shrinkage=0).clip(1e-6, 1 - 1e-6))
    weight = y_true.sum(axis=0) / (y_true.sum(axis=0) + shrinkage)
    return expit(weight * own + (1 - weight) * logit(one_threshold_for_all(y_true, y_score)))


def compare_shrinkage(name, y_score, y, n_draws=20):
    """Lines of the second table: macro F1 on posters that the thresholds were not chosen on."""
    lines = []
    for n_rows in (400, 1000, 3000):
        reached = []
        for seed in range(n_draws):
            order = np.random.default_rng(seed).permutation(len(y))
            here, new = order[:n_rows], order[n_rows:]
            ways = [
                choose_thresholds(y[here], y_score[here], shrinkage=shrinkage)
                for shrinkage in SHRINKAGES
            ]
            ways.append(towards_one_threshold(y[here], y_score[here]))
            reached.append(
                [
                    objective_score(y[new], apply_thresholds(y_score[new], chosen), "f1_macro")
                    for chosen in ways
                ]
            )
        means = " | ".join(f"{mean:.4f}" for mean in np.mean(reached, axis=0))
        gain = np.array(reached) - np.array(reached)[:, :1]
        error = gain[:, SHRINKAGES.index(20)].std() / np.sqrt(n_draws)
        lines.append(f"| {name} | {n_rows} | {means} | {error:.4f} |")
        print(lines[-1], flush=True)
    return lines


def score_sources(X, y):
    """Out-of-fold scores of three classifiers that are calibrated well, not at all and so-so."""
    forest = RandomForestClassifier(100, min_samples_leaf=3, n_jobs=2, random_state=0)
    sources = {
        "logistic regression": linear(),
        "the same, balanced class weights": linear(class_weight="balanced"),
        "random forest": make_pipeline(PCA(60, random_state=0), forest),
    }
    for name, classifier in sources.items():
        tuned = TunedThresholdsClassifierCV(classifier, cv=3, store_cv_results=True).fit(X, y)
        yield name, tuned.cv_results_["y_score"], y[tuned.cv_results_["row"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", required=True, help="CSV of the training posters")
    parser.add_argument("--val", required=True, help="CSV of the validation posters")
    parser.add_argument("--images", required=True, help="folder of both")
    parser.add_argument("--network", action="store_true", help="train our network instead")
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks/threshold_rules.md"))
    args = parser.parse_args()
    warnings.simplefilter("ignore", LabelWarning)
    warnings.filterwarnings("ignore", "Label not .* is present")  # two posters in all have label 17
    train, val = (load_image_csv(csv, args.images) for csv in (args.train, args.val))
    y, y_val = train.y.to_numpy(), val.y.to_numpy()
    if args.network:
        rules = compare_rules(network(), train.paths, y, val.paths, y_val)
    X, X_val = features(train.paths), features(val.paths)
    if not args.network:
        rules = compare_rules(linear(), X, y, X_val, y_val)
    print("\n".join(rules), flush=True)
    shrinkage = [line for source in score_sources(X, y) for line in compare_shrinkage(*source)]
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(page(train, val, args.network, rules, shrinkage))


def page(train, val, is_network, rules, shrinkage):
    """The report in Markdown."""
    model = "MultiLabelImageClassifier" if is_network else "Logistic regression on hand features"
    n_labels = train.y.shape[1]
    head = [
        "# Threshold rules on film posters",
        "",
        f"{model}, {len(train.y)} training and {len(val.y)} validation posters, {n_labels} labels. "
        "Thresholds are chosen on out-of-fold scores of the training posters (five folds); the "
        "first five columns are on the validation posters. The last three are the value of the "
        "rule's own objective: on the scores that it was chosen on (`best_score_`), "
        "cross-validated (`cv_score_`) and on the validation posters.",
        "",
        "| rule | micro F1 | macro F1 | samples F1 | Hamming | labels | in-sample | "
        "cross-validated | validation |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    steadied = [
        "",
        "Macro F1 on posters that the thresholds were not chosen on, by `shrinkage`; means of 20 "
        "random choices of so many posters, from out-of-fold scores. The last but one column draws "
        "them towards one threshold for all labels instead, with a shrinkage of 20. The last is "
        "the standard error of the difference between 20 and 0.",
        "",
        f"| scores | posters | {' | '.join(f'{s:g}' for s in SHRINKAGES)} | one for all | error |",
        f"|---|---{'|---' * (len(SHRINKAGES) + 2)}|",
    ]
    return "\n".join([*head, *rules, *steadied, *shrinkage]) + "\n"


if __name__ == "__main__":
    main()
