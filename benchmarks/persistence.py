"""How large models on disk are, and how long a new process takes to the first prediction.

The same network is saved by ``skposter.save``, as joblib of a skposter pipeline, as joblib of
SciKeras' ``KerasClassifier``, and as ``.keras``. Each is loaded in fresh processes, in turns, that
predict one image and leave; the time is from the start of the process to its end.

    python benchmarks/persistence.py --repeats 5 --out docs/benchmarks/persistence.md
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import joblib
import numpy as np

BUILDER = """
import keras

def build(meta, config):
    return keras.saving.deserialize_keras_object(config)
"""

LOAD = {
    "skposter.save": "import skposter; model = skposter.load(path); y = model.predict_proba(X)",
    "joblib, skposter": "import joblib; model = joblib.load(path); y = model.predict_proba(X)",
    "joblib, SciKeras": "import joblib; model = joblib.load(path); y = model.predict_proba(X)",
    ".keras": (
        "import keras; model = keras.saving.load_model(path, compile=False); "
        "y = model.predict(X, verbose=0)"
    ),
    "(imports only)": "import numpy, tensorflow, keras",
}
SCRIPT = """
import sys, numpy as np
path, shape = sys.argv[1], tuple(map(int, sys.argv[2].split(",")))
X = np.zeros((1, *shape), dtype=np.uint8)
"""


def data(shape):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, size=(64, 25))
    return rng.integers(0, 256, size=(64, *shape), dtype=np.uint8), y


def write_all(folder, network, shape):
    """Return the path of each model and the bytes of its weights."""
    import keras
    from scikeras.wrappers import KerasClassifier

    import skposter

    X, y = data(shape)
    model = skposter.MultiLabelImageClassifier(
        network, epochs=1, augmentation="none", random_state=0
    ).fit(X, y)
    paths = {
        "skposter.save": f"{folder}/model.skposter",
        "joblib, skposter": f"{folder}/skposter.joblib",
        "joblib, SciKeras": f"{folder}/scikeras.joblib",
        ".keras": f"{folder}/model.keras",
    }
    skposter.save(model, paths["skposter.save"])
    joblib.dump(model, paths["joblib, skposter"])
    model.model_.save(paths[".keras"])
    Path(folder, "builder.py").write_text(BUILDER)
    sys.path.insert(0, str(folder))
    import builder

    config = keras.saving.serialize_keras_object(model.model_)
    scikeras = KerasClassifier(
        builder.build,
        config=config,
        loss="binary_crossentropy",
        optimizer="adam",
        epochs=1,
        verbose=0,
    ).fit(X, y)
    joblib.dump(scikeras, paths["joblib, SciKeras"])
    weights = sum(weight.size * 4 for weight in model.model_.get_weights())
    return paths, weights


def seconds(name, path, shape, folder):
    """Return how long a process takes that loads a model and predicts one image."""
    script = SCRIPT + LOAD[name]
    environment = {**os.environ, "PYTHONPATH": str(folder), "TF_CPP_MIN_LOG_LEVEL": "3"}
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", script, path, ",".join(map(str, shape))],
        check=True,
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def rows(network, shape, repeats):
    with tempfile.TemporaryDirectory() as folder:
        paths, weights = write_all(folder, network, shape)
        paths["(imports only)"] = ""
        times = {name: [] for name in paths}
        for _ in range(repeats):
            for name, path in paths.items():
                times[name].append(seconds(name, path, shape, folder))
        for name, path in paths.items():
            size = os.path.getsize(path) if path else None
            yield name, weights, size, np.median(times[name]), min(times[name])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", help="file to write the table to")
    args = parser.parse_args()
    libraries = ("tensorflow", "keras", "scikeras", "scikit-learn")
    lines = [
        "# Files and loading",
        "",
        "Size beside the float32 weights, and seconds from the start of a process to the first "
        f"prediction of one image: median (and least) of {args.repeats} processes a row, in turns. "
        "By `benchmarks/persistence.py`.",
        "",
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in libraries)
        + ".",
    ]
    for network, shape in (("small_cnn", (128, 96, 3)), ("tutorial", (128, 96, 3))):
        lines += [
            "",
            f"`{network}`, {shape[0]} x {shape[1]} pixels, 25 labels:",
            "",
            "| saved as | KB | times the weights | seconds | least |",
            "|---|---:|---:|---:|---:|",
        ]
        for name, weights, size, median, least in rows(network, shape, args.repeats):
            sizes = "| | " if size is None else f"| {size / 1000:,.0f} | {size / weights:.2f} "
            lines.append(f"| {name} {sizes}| {median:.1f} | {least:.1f} |")
    text = "\n".join(lines) + "\n"
    print(text)
    if args.out:
        Path(args.out).write_text(text)


if __name__ == "__main__":
    main()
