"""Seconds until a new process has given its first answer, with TensorFlow and without.

The same model, as `skposter.load` and as `skposter.load_onnx` have it, predicts one image in a new
process each time, in turns. Beside them stand the imports alone.

    python benchmarks/first_answer.py [--rounds 7] [--out docs/benchmarks/first_answer.md]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

import _report

IMPORTS = "import sys; sys.path.insert(0, sys.argv[3]); "
WAYS = {
    "`skposter.load`, with TensorFlow": IMPORTS
    + "import skposter; m = skposter.load(sys.argv[1] + '.skposter'); "
    "print(m.predict_proba([sys.argv[2]]).tolist())",
    "`skposter.load_onnx`": IMPORTS
    + "import skposter; m = skposter.load_onnx(sys.argv[1] + '.onnx'); "
    "print(m.predict_proba([sys.argv[2]]).tolist())",
    "only `import tensorflow`": "import tensorflow",
    "only `import onnxruntime, PIL.Image, numpy`": "import onnxruntime, PIL.Image, numpy",
    "only Python": "pass",
}


def train(folder):
    """Write a small model in both forms; return the path of an image."""
    import skposter
    from skposter.datasets import make_posters

    data = make_posters(64, out_dir=os.path.join(folder, "posters"), n_labels=10)
    model = skposter.MultiLabelImageClassifier(epochs=1, random_state=0)
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(skposter.ImageLoader(size=(128, 96)), model).fit(data.paths, data.y)
    skposter.save(model, os.path.join(folder, "model.skposter"))
    skposter.export(model, os.path.join(folder, "model.onnx"))
    return data.paths[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out")
    options = parser.parse_args()

    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    taken = {name: [] for name in WAYS}
    used = {name: [] for name in WAYS}
    answers = {}
    with tempfile.TemporaryDirectory() as folder:
        path = train(folder)
        stem = os.path.join(folder, "model")
        for i in range(-1, options.rounds):  # the first round fills the page cache
            for name, code in WAYS.items():
                before = os.times()
                start = time.perf_counter()
                done = subprocess.run(
                    [sys.executable, "-c", code, stem, path, root],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    check=True,
                )
                seconds, after = time.perf_counter() - start, os.times()
                answers[name] = done.stdout
                if i >= 0:
                    taken[name].append(seconds)
                    used[name].append(
                        after.children_user
                        + after.children_system
                        - before.children_user
                        - before.children_system
                    )
    by_tensorflow, by_onnx = (eval(answers[name])[0] for name in list(WAYS)[:2])
    difference = max(abs(a - b) for a, b in zip(by_tensorflow, by_onnx, strict=True))
    medians = {name: statistics.median(values) for name, values in taken.items()}
    ours = medians["`skposter.load_onnx`"]
    _report.write(
        options.out,
        "# The first answer of a new process",
        f"One poster through a network of 128 x 96, from the start of Python to the printed "
        f"probabilities, medians of {options.rounds} processes of each row in turns. The two "
        f"answers differ by {difference:.1e}.",
        _report.table(
            ("process", "seconds", "slowest", "processor seconds", "times `load_onnx`"),
            [
                (
                    name,
                    f"{medians[name]:.2f}",
                    f"{max(taken[name]):.2f}",
                    f"{statistics.median(used[name]):.2f}",
                    f"{medians[name] / ours:.1f}",
                )
                for name in WAYS
            ],
        ),
    )


if __name__ == "__main__":
    main()
