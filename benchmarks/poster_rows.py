"""What `posters.py` compares: each row trains on the training posters and predicts the others.

Run by it in a process of its own, so that time and peak memory are those of the row alone.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np
from _efficientnet_lite import EfficientNetLite0

from skposter import ImageLoader, MultiLabelImageClassifier
from skposter.datasets import load_image_csv
from skposter.networks import Pretrained, SmallCNN, TutorialCNN

SMALL, LARGE = (128, 96), (224, 160)


def read_posters(options):
    """Return `load_image_csv`'s bunches by part; what is in a later part leaves the earlier."""
    parts = {name: getattr(options, name) for name in ("train", "val", "test")}
    data = {
        name: load_image_csv(path, options.images)
        for name, path in parts.items()
        if path is not None
    }
    seen: set[str] = set()
    for name in reversed(data):
        paths = data[name].paths
        keep = np.array([path not in seen for path in paths])
        seen |= set(paths)
        data[name].paths, data[name].y = paths[keep], data[name].y[keep]
        if not keep.all():
            print(f"{name}: {np.count_nonzero(~keep)} posters left out that a later part has")
    return data


def pixels(data, size):
    return {
        name: ImageLoader(size=size, n_jobs=2).transform(part.paths) for name, part in data.items()
    }


def label_frequencies(data, options, seed):
    """The same probabilities for each poster: what training on no pixels gives."""
    mean = data["train"].y.mean(axis=0).to_numpy(dtype=np.float64)
    return {name: np.tile(mean, (len(part.y), 1)) for name, part in data.items()}


def logistic_regression(data, options, seed):
    """One L2 logistic regression a label on hand-made features; its strength chosen on val."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    images = pixels(data, (96, 64))
    features = {name: hand_features(X) for name, X in images.items()}
    thumbnails = {name: X[:, ::2, ::2].reshape(len(X), -1) / 255 for name, X in images.items()}
    pca = PCA(100, random_state=seed).fit(thumbnails["train"])
    X = {name: np.hstack([features[name], pca.transform(thumbnails[name])]) for name in images}
    y, y_val = data["train"].y.to_numpy(), data["val"].y.to_numpy()
    frequencies = y.mean(axis=0)
    best = None
    for strength in (1e-3, 3e-3, 1e-2):
        scores = {name: np.tile(frequencies, (len(part), 1)) for name, part in X.items()}
        for label in np.flatnonzero(y.any(axis=0) & ~y.all(axis=0)):
            model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=300))
            model.fit(X["train"], y[:, label])
            for name in scores:
                scores[name][:, label] = model.predict_proba(X[name])[:, 1]
        p = np.clip(scores["val"], 1e-7, 1 - 1e-7)
        loss = -np.where(y_val == 1, np.log(p), np.log(1 - p)).mean()
        if best is None or loss < best[0]:
            best = loss, scores
    return best[1]


def hand_features(X):
    """Colours, their places and edges: (n, height, width, 3) uint8 to (n, n_features)."""
    from PIL import Image

    rows = []
    for image in X:
        hsv = np.asarray(Image.fromarray(image).convert("HSV"))
        histogram = [
            np.histogram(hsv[..., c], 24, (0, 256), density=True)[0] * 100 for c in range(3)
        ]
        rgb = image / 255.0
        cells = rgb.reshape(6, len(rgb) // 6, 4, rgb.shape[1] // 4, 3)
        grey = rgb.mean(axis=2)
        down, across = np.gradient(grey)
        size, turn = np.hypot(down, across), np.arctan2(down, across) % np.pi
        edges = []
        for r in np.array_split(np.arange(len(grey)), 6):
            for c in np.array_split(np.arange(grey.shape[1]), 4):
                part = np.ix_(r, c)
                edges.append(np.histogram(turn[part], 9, (0, np.pi), weights=size[part])[0])
        colours = [cells.mean(axis=(1, 3)).ravel(), cells.std(axis=(1, 3)).ravel()]
        rows.append(np.concatenate([*histogram, *colours, np.sqrt(np.ravel(edges))]))
    return np.array(rows)


def network_row(size, network):
    def row(data, options, seed):
        images = pixels(data, size)
        memory = str(options.out.with_suffix(".memory"))  # a run that was killed goes on
        classifier = MultiLabelImageClassifier(
            network(options), random_state=seed, memory=memory, verbose=1
        )
        classifier.fit(images["train"], data["train"].y, X_val=images["val"], y_val=data["val"].y)
        del images["train"]
        scores = {name: classifier.predict_proba(X) for name, X in images.items()}
        # For what calibration and mirrored predictions are worth.
        scores["val_loss"] = classifier.history_["val_loss"]
        for name, tta in (("val_plain", "none"), ("val_mirrored", "flip")):
            scores[name] = classifier.set_params(tta=tta).predict_proba(images["val"])
        return scores

    return row


ROWS = {
    "label frequencies": label_frequencies,
    "logistic regression on hand features": logistic_regression,
    # The recipe of each network, nothing else.
    "tutorial CNN": network_row(SMALL, lambda options: TutorialCNN()),
    "from scratch": network_row(SMALL, lambda options: SmallCNN()),
    "MobileNet 0.25": network_row(
        LARGE,
        lambda options: Pretrained(
            "mobilenet", weights=options.weights, builder_params={"alpha": 0.25}
        ),
    ),
    "EfficientNet-Lite0, its head alone": network_row(
        LARGE,
        lambda options: EfficientNetLite0(
            "efficientnet_lite0",
            weights=options.lite_weights,
            fine_tune="none",
            head="logistic",
        ),
    ),
    "EfficientNet-Lite0": network_row(
        LARGE,
        lambda options: EfficientNetLite0(
            "efficientnet_lite0", weights=options.lite_weights, head="logistic"
        ),
    ),
}
# Which file of weights a row cannot do without.
NEEDS = {
    "MobileNet 0.25": "weights",
    "EfficientNet-Lite0, its head alone": "lite_weights",
    "EfficientNet-Lite0": "lite_weights",
}


def main():
    parser = argparse.ArgumentParser()
    for name in ("train", "val", "test", "images", "weights", "lite-weights"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--row", choices=ROWS)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    data = read_posters(options)
    started, processor = time.monotonic(), time.process_time()
    scores = ROWS[options.row](data, options, options.seed)
    scores.pop("train", None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    temporary = options.out.with_suffix(".part.npz")
    np.savez(
        temporary,
        seconds=time.monotonic() - started,
        processor_seconds=time.process_time() - processor,
        peak_mb=peak,
        **scores,
    )
    temporary.rename(options.out)  # a killed run leaves no half of a result


if __name__ == "__main__":
    main()
