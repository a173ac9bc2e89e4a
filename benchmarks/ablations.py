"""The default network and recipe with one change at a time, on small film posters.

Every variant trains on the posters of --train with every seed and is scored on those of --val.
Variants with the same seed see the images in the same order, and start from the same weights as far
as they have the same layers, so they are compared with the default seed by seed. A run leaves its
probabilities in --results, so a benchmark that was stopped goes on where it was.

    python benchmarks/ablations.py --train train.csv --val val.csv --images Images \
        [--size 64 48] [--epochs 12] [--seeds 0 1 2] [--variants ...] [--out ablations.md]
"""

from __future__ import annotations

import argparse
import time
import warnings
from functools import partial
from pathlib import Path

import _report
import keras
import numpy as np
from poster_rows import read_posters

from skposter import ImageLoader, MultiLabelImageClassifier
from skposter.exceptions import LabelWarning
from skposter.metrics import binary_crossentropy, score_summary
from skposter.networks import SmallCNN
from skposter.thresholds import apply_thresholds, choose_thresholds

EXPLANATION = """\
{n_train:,} film posters to train on and {n_val:,} to score, those of [the poster
benchmark](posters.md), but at {height} x {width} pixels, so that each choice could be tried with
{n_seeds} seeds. {epochs} epochs and everything else at its default, but for the one change that a
row names. Cross-entropy (BCE) is that of the probabilities as `predict_proba` returns them: shifted
to the label frequencies (`correct_intercepts`) for all rows but the last ones, which train with
another loss. Mean and standard deviation over seeds. The change is the mean of the differences
between runs with the same seed; a change that not all seeds agree on, or that is smaller than the
spread, shows nothing. LRAP is the mean. F1 with one threshold for all labels (micro) and one a
label (macro), chosen on the scored posters, which flatters all rows alike. Minutes are of processor
time, of both cores
together."""
DEFAULT = "**the default**"
HEADER = (
    "variant",
    "BCE",
    "change",
    "seeds that agree",
    "LRAP",
    "micro F1",
    "macro F1",
    "minutes",
)


def rebuilt(meta, *, normalise=True, flatten=False, log_odds=True):
    """Return the default network less one of its ideas.

    Layers keep the seeds of their initial weights.
    """

    def replacement(layer):
        config = layer.get_config()
        if not normalise and layer.name.startswith("norm_"):
            return keras.layers.Identity(name=layer.name)
        if not normalise and layer.name.startswith("conv_"):
            config["use_bias"] = True
        if flatten and layer.name == "pool":
            return keras.layers.Flatten(name=layer.name)
        return type(layer).from_config(config)

    # The classifier itself puts augmentation in front of a callable's network.
    original = SmallCNN().build({**meta, "augmentation": "none"})
    model = keras.models.clone_model(
        original,
        clone_function=replacement,
        call_function=lambda layer, x, **masks: layer(x),
    )
    if log_odds:
        model.get_layer("probabilities").bias.assign(original.get_layer("probabilities").bias)
    return model


# An optimizer or a layer here is copied by each fit.
CHANGES = {
    "flattened instead of pooled globally": {
        "network": partial(rebuilt, flatten=True),
    },
    "no batch normalisation": {"network": partial(rebuilt, normalise=False)},
    "output biases start at 0": {"network": partial(rebuilt, log_odds=False)},
    "no dropout": {"network": SmallCNN(dropout=0.0)},
    "constant learning rate": {"learning_rate_schedule": "constant"},
    "averaged weights (EMA 0.99)": {
        "optimizer": keras.optimizers.Adam(1e-3, use_ema=True, ema_momentum=0.99)
    },
    "no augmentation": {"augmentation": "none"},
    "shifted, not mirrored": {
        "augmentation": keras.layers.RandomTranslation(0.06, 0.06, fill_mode="nearest", seed=0)
    },
    "`augmentation='strong'`": {"augmentation": "strong"},
    "`loss='focal'`": {"loss": "focal"},
    "`loss='asymmetric'`": {"loss": "asymmetric"},
}


def main():
    options = parsed()
    options.results.mkdir(parents=True, exist_ok=True)
    data = read_posters(options)
    images = {
        name: ImageLoader(size=tuple(options.size), n_jobs=2).transform(part.paths)
        for name, part in data.items()
    }
    for seed in options.seeds:
        for variant in [DEFAULT, *options.variants]:
            if not file_of(variant, seed, options).exists():
                run(variant, seed, images, data, options)
    explanation = EXPLANATION.format(
        n_train=len(data["train"].y),
        n_val=len(data["val"].y),
        height=options.size[0],
        width=options.size[1],
        n_seeds=len(options.seeds),
        epochs=options.epochs,
    )
    _report.write(
        options.out,
        "# What the defaults of training rest on",
        explanation,
        _report.table(HEADER, rows(data["val"].y.to_numpy(), options)),
    )


def parsed():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("train", "val", "images"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--size", type=int, nargs=2, default=[64, 48], help="height and width")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", choices=CHANGES, default=list(CHANGES))
    parser.add_argument("--results", type=Path, default=Path("ablation_results"))
    parser.add_argument("--out", help="Markdown file for the table")
    parser.set_defaults(test=None)
    return parser.parse_args()


def file_of(variant, seed, options):
    name = "".join(c if c.isalnum() else "_" for c in variant)
    height, width = options.size
    return options.results / f"{height}x{width}_{options.epochs}_{name}_{seed}.npz"


def run(variant, seed, images, data, options):
    """Train one variant with one seed."""
    classifier = MultiLabelImageClassifier(
        epochs=options.epochs, random_state=seed, **CHANGES.get(variant, {})
    )
    started = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LabelWarning)
        classifier.fit(images["train"], data["train"].y, X_val=images["val"], y_val=data["val"].y)
    seconds = time.process_time() - started
    probabilities = classifier.predict_proba(images["val"])
    out = file_of(variant, seed, options)
    temporary = out.with_suffix(".part.npz")
    np.savez(temporary, val=probabilities, seconds=seconds)
    temporary.rename(out)  # a killed run leaves no half of a result
    loss = binary_crossentropy(data["val"].y.to_numpy(), probabilities)
    print(f"{variant}, seed {seed}: BCE {loss:.4f}, {seconds:.0f} s", flush=True)


def rows(y, options):
    """Return the table's rows, the default first: what the others are compared with."""
    found, default = [], None
    for variant in [DEFAULT, *options.variants]:
        paths = [file_of(variant, seed, options) for seed in options.seeds]
        runs = [np.load(path) for path in paths]
        scores = [scores_of(y, run["val"]) for run in runs]
        losses, lrap, micro, macro = np.transpose(scores)
        if default is None:
            default, change, agree = losses, "", ""
        else:
            less = losses - default
            change = f"{less.mean():+.4f}"
            agree = f"{np.sum(np.sign(less) == np.sign(less.mean()))} of {len(less)}"
        minutes = np.mean([run["seconds"] for run in runs]) / 60
        means = (f"{values.mean():.4f}" for values in (lrap, micro, macro))
        found.append(
            (variant, _report.mean_and_spread(losses), change, agree, *means, f"{minutes:.1f}")
        )
    return found


def scores_of(y, probabilities):
    """Return BCE, LRAP and, each at its best thresholds, micro and macro F1."""

    def f1(average):
        thresholds = choose_thresholds(y, probabilities, objective=f"f1_{average}")
        decided = apply_thresholds(probabilities, thresholds)
        return score_summary(y, probabilities, decided)["model"][f"f1_{average}"]

    lrap = score_summary(y, probabilities)["model"]["lrap"]
    return binary_crossentropy(y, probabilities), lrap, f1("micro"), f1("macro")


if __name__ == "__main__":
    main()
