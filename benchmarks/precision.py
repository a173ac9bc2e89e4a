"""What `dtype_policy="mixed_bfloat16"` is worth: speed and quality, network by network.

    python benchmarks/precision.py [--train train.csv --val val.csv --images Images] \
        [--epochs 6] [--n-train N] [--seeds 0 1 2] [--out docs/benchmarks/precision.md]

Speed: images a second of one epoch after a first one, both policies in turn, medians of pairs.
Quality, if posters are given: the loss on --val after a short training from random weights, paired
by seed. Processors without instructions for bfloat16 compute it by way of float32.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from types import SimpleNamespace

import _report
import numpy as np
from poster_rows import read_posters

from skposter import ImageLoader, MultiLabelImageClassifier
from skposter.metrics import binary_crossentropy
from skposter.networks import Pretrained, SmallCNN

POLICIES = ("float32", "mixed_bfloat16")
NETWORKS = {
    "SmallCNN, 128 x 96": (SmallCNN(), (128, 96), 192),
    "MobileNet 0.25, 224 x 160": (
        Pretrained("mobilenet", weights=None, builder_params={"alpha": 0.25}),
        (224, 160),
        96,
    ),
    "ResNet50, 96 x 64": (Pretrained("resnet50", weights=None), (96, 64), 32),
}
QUALITY = (64, 48)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("train", "val", "images"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--n-train", type=int, help="posters to train on (all)")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--out")
    options = parser.parse_args()
    speed = [speed_of(name, *arguments, options.pairs) for name, arguments in NETWORKS.items()]
    paragraphs = [
        "# Half precision on a processor",
        f"This processor has {'' if has_bfloat16() else 'no '}instructions for bfloat16. Training "
        "from random weights, batches of 32; medians of pairs of epochs.",
        _report.table(
            ["network", *(f"{policy}, images/s" for policy in POLICIES), "ratio (pairs)"], speed
        ),
    ]
    if options.train:
        data = read_posters(SimpleNamespace(**vars(options), test=None))
        part = slice(options.n_train)
        data["train"].paths, data["train"].y = data["train"].paths[part], data["train"].y[part]
        rows = quality(data, options)
        paragraphs += [
            f"Loss on val.csv after {options.epochs} epochs of the default network on "
            f"{len(data['train'].y):,} posters at 64 x 48 pixels:",
            _report.table(["policy", "BCE, mean and spread over seeds", "less float32"], rows),
        ]
    _report.write(options.out, *paragraphs)


def has_bfloat16():
    info = Path("/proc/cpuinfo")
    return info.exists() and any(flag in info.read_text() for flag in ("avx512_bf16", "amx_bf16"))


def speed_of(name, network, size, n_images, n_pairs):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, size=(n_images, *size, 3), dtype=np.uint8)
    y = (rng.random((n_images, 25)) < 0.3).astype(int)
    classifiers = {
        policy: MultiLabelImageClassifier(
            network,
            dtype_policy=policy,
            validation_fraction=0,
            correct_intercepts=False,
            random_state=0,
        ).partial_fit(X, y)
        for policy in POLICIES
    }
    found = {policy: [] for policy in POLICIES}
    for _ in range(n_pairs):
        for policy, classifier in classifiers.items():
            started = time.perf_counter()
            classifier.partial_fit(X, y)
            found[policy].append(n_images / (time.perf_counter() - started))
    ratios = np.divide(found["mixed_bfloat16"], found["float32"])
    print(name, np.round(ratios, 2), flush=True)
    rates = [f"{np.median(found[policy]):.0f}" for policy in POLICIES]
    return (name, *rates, f"{np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})")


def quality(data, options):
    images = {
        part: ImageLoader(size=QUALITY, n_jobs=2).transform(bunch.paths)
        for part, bunch in data.items()
    }
    y_val = data["val"].y.to_numpy()
    losses = {policy: [] for policy in POLICIES}
    for seed in options.seeds:
        for policy in POLICIES:
            classifier = MultiLabelImageClassifier(
                epochs=options.epochs, dtype_policy=policy, random_state=seed
            ).fit(images["train"], data["train"].y)
            losses[policy].append(
                binary_crossentropy(y_val, classifier.predict_proba(images["val"]))
            )
            print(policy, seed, losses[policy][-1], flush=True)
    rows = []
    for policy, values in losses.items():
        less = _report.mean_and_spread(np.subtract(values, losses["float32"]))
        rows.append((policy, _report.mean_and_spread(values), less))
    return rows


if __name__ == "__main__":
    main()
