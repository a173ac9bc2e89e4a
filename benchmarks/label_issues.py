"""Wrong labels of drawn posters: how many of them are among the first that `label_issues` ranks.

One label decision in twenty is turned around, a network is cross-validated on what results, and
its out-of-fold probabilities are ranked: by `skposter.inspection.label_issues`, by the loss alone,
and at random.

    python benchmarks/label_issues.py --output docs/benchmarks/label_issues.md
"""

from __future__ import annotations

import argparse
import os
import tempfile

import numpy as np
import pandas as pd
from _report import table, write
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import Pipeline

from skposter import ImageLoader, MultiLabelImageClassifier
from skposter.datasets import make_posters
from skposter.inspection import label_issues
from skposter.metrics import skill_score
from skposter.model_selection import MultiLabelStratifiedKFold
from skposter.networks import SmallCNN


def out_of_fold(paths, y, epochs, seed):
    """Return probabilities of networks that were not trained on the image in question."""
    classifier = MultiLabelImageClassifier(
        SmallCNN(filters=(32, 64, 128), dropout=0.0),
        augmentation="none",
        learning_rate=2e-3,
        epochs=epochs,
        validation_fraction=0,
        random_state=seed,
    )
    pipeline = Pipeline([("loader", ImageLoader(size=(96, 64))), ("classifier", classifier)])
    cv = MultiLabelStratifiedKFold(3, shuffle=True, random_state=seed)
    return cross_val_predict(pipeline, paths, y, cv=cv, method="predict_proba")


def first_of(issues, names, wrong, n):
    """Return the share of wrong ones among the first n of a ranking."""
    first = issues.head(n)
    columns = [names.index(name) for name in first["label"]]
    return wrong[first["row"].to_numpy(), columns].mean()


def main():
    """Flip, cross-validate, rank, count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--posters", type=int, default=1000)
    parser.add_argument("--flipped", type=float, default=0.05)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--scores", help="a folder of probabilities, to use and to add to")
    parser.add_argument("--output")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        data = make_posters(arguments.posters, out_dir=folder)
        names = data.label_names
        true = data.y.to_numpy().astype(bool)
        for seed in range(arguments.seeds):
            rng = np.random.default_rng(seed)
            wrong = rng.random(true.shape) < arguments.flipped
            given = pd.DataFrame((true ^ wrong).astype(int), columns=names)
            kept = arguments.scores and os.path.join(arguments.scores, f"{seed}.npy")
            if kept and os.path.exists(kept):
                y_score = np.load(kept)
            else:
                y_score = out_of_fold(data.paths, given, arguments.epochs, seed)
                if kept:
                    np.save(kept, y_score)
            skill = skill_score(true, y_score)
            ranked = label_issues(given, y_score, flagged_only=False)
            by_loss = ranked.sort_values("plausibility", kind="stable")
            flagged = ranked[ranked["flagged"]]
            n = int(wrong.sum())
            for what, issues in (("label_issues", ranked), ("loss alone", by_loss)):
                rows.append(
                    [
                        seed,
                        f"{skill:.2f}",
                        n,
                        what,
                        f"{first_of(issues, names, wrong, 50):.0%}",
                        f"{first_of(issues, names, wrong, n // 2):.0%}",
                        f"{first_of(issues, names, wrong, n):.0%}",
                    ]
                )
            rows.append([seed, f"{skill:.2f}", n, "at random", *3 * [f"{wrong.mean():.0%}"]])
            found = first_of(flagged, names, wrong, len(flagged))
            rows.append(
                [
                    seed,
                    f"{skill:.2f}",
                    n,
                    f"the {len(flagged)} flagged",
                    "",
                    "",
                    f"{found:.0%}, which are {found * len(flagged) / n:.0%} of all",
                ]
            )
    write(
        arguments.output,
        "# Wrong labels",
        f"`benchmarks/label_issues.py`: {arguments.flipped:.0%} of the label decisions of "
        f"{arguments.posters} drawn posters of 12 genres were turned around, a network was "
        "cross-validated on the result in three folds, and its out-of-fold probabilities ranked. "
        "The columns are the share of wrong labels among the first 50 of a ranking, the first "
        "half as many as are wrong, and among the first as many as are wrong.",
        table(
            [
                "seed",
                "skill",
                "wrong labels",
                "ranking",
                "of the first 50",
                "of the first half",
                "of as many as are wrong",
            ],
            rows,
        ),
    )


if __name__ == "__main__":
    main()
