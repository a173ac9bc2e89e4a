"""Kill -9 at random moments: in training, in save, and in a search with memory.

Each run starts a process, kills it at a random moment after its work has begun, and looks at what
is left. In the end the same work runs to its end and is compared with work that nobody killed.

    python benchmarks/kill_resume.py --kills 20 --seed 0
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

CHILD = """
import sys, numpy as np, skposter
sys.path.insert(0, sys.argv[3])
import kill_resume
kill_resume.WORK[sys.argv[1]](sys.argv[2])
"""


def images():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, size=(256, 3))
    X = rng.integers(0, 60, size=(256, 32, 32, 3), dtype=np.uint8)
    X += (150 * y[:, None, None, :]).astype(np.uint8)
    return X, y


def classifier(folder, **params):
    from skposter import MultiLabelImageClassifier
    from skposter.networks import SmallCNN

    keep = {} if folder is None else {"memory": f"{folder}/memory"}
    return MultiLabelImageClassifier(
        **{
            "network": SmallCNN(filters=(8, 16)),
            "random_state": 0,
            "batch_size": 16,
            **keep,
            **params,
        }
    )


def log_epochs(folder):
    """Write down each epoch that is safe on the disk; after the first, say that work has begun."""
    from skposter._training.checkpoints import Checkpoint

    original, begun = Checkpoint.write, []

    def write(self, progressed):
        original(self, progressed)
        with open(f"{folder}/epochs.log", "a") as log:
            log.write(f"{self.path} {progressed.epochs}\n")
        if not begun:
            begun.append(print("begun", flush=True))

    Checkpoint.write = write


def train(folder):
    log_epochs(folder)
    classifier(folder, epochs=EPOCHS, early_stopping=True, n_iter_no_change=EPOCHS).fit(*images())
    print("done", flush=True)


def search_over(folder, epochs):
    from sklearn.model_selection import GridSearchCV

    grid = {"network__filters": [(4,), (8,)], "threshold": [0.4, 0.5]}
    return GridSearchCV(classifier(folder, epochs=epochs), grid, cv=2).fit(*images())


def search(folder):
    log_epochs(folder)
    search_over(folder, EPOCHS // 4)
    print("done", flush=True)


def save(folder):
    """Save two models in turns into the same file."""
    import skposter

    models = [skposter.load(f"{folder}/{name}.skposter") for name in ("first", "second")]
    print("begun", flush=True)
    while True:
        for model in models:
            skposter.save(model, f"{folder}/model.skposter")


WORK = {"train": train, "search": search, "save": save}
EPOCHS = 200


def run_and_kill(work, folder, seconds):
    """Return whether the work was done before it was killed; None lets it come to its end."""
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", CHILD, work, folder, here]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.readline()
        if seconds is None:
            said = said if said == "done\n" else process.stdout.readline()
        if said == "done\n":
            return process.wait() == 0
        assert said == "begun\n", said
        time.sleep(seconds)
        done = process.poll() is not None
        process.send_signal(signal.SIGKILL)
    return done


def logged(folder):
    path = Path(folder, "epochs.log")
    return path.read_text().splitlines() if path.exists() else []


def check_checkpoints(folder):
    """Return the epochs in all checkpoints; a torn one would warn, which is an error here."""
    from skposter._training.checkpoints import Checkpoint

    paths = Path(folder, "checkpoints").glob("*.checkpoint")
    return sum(Checkpoint(path.parent, path.stem).read().epochs for path in paths)


def kill_trainings(work, kills, rng, longest):
    with tempfile.TemporaryDirectory() as folder:
        n_killed = epochs = 0
        while n_killed < kills and not run_and_kill(work, folder, rng.uniform(0, longest)):
            n_killed += 1
            before, epochs = epochs, check_checkpoints(folder)
            assert epochs >= before, (before, epochs)
        run_and_kill(work, folder, None)
        lines = logged(folder)
        repeated = len(lines) - len(set(lines))
        if work == "train":
            result = classifier(
                folder, epochs=EPOCHS, early_stopping=True, n_iter_no_change=EPOCHS
            ).fit(*images())
            whole = classifier(
                None, epochs=EPOCHS, early_stopping=True, n_iter_no_change=EPOCHS
            ).fit(*images())
            same = result.history_ == whole.history_
        else:
            result, whole = search_over(folder, EPOCHS // 4), search_over(None, EPOCHS // 4)
            scores = [s.cv_results_["mean_test_score"] for s in (result, whole)]
            same = np.array_equal(*scores)
        X = images()[0]
        same = same and np.array_equal(result.predict_proba(X), whole.predict_proba(X))
        left = list(Path(folder).rglob("*.partial"))
    print(
        f"{work}: killed {n_killed} times; {len(set(lines))} epochs, {repeated} trained twice; "
        f"result {'identical to' if same else 'DIFFERENT from'} an undisturbed one; "
        f"{len(left)} partial files left behind",
        flush=True,
    )
    return same and not repeated


def kill_saves(kills, rng, longest):
    import skposter

    X, y = images()
    with tempfile.TemporaryDirectory() as folder:
        predictions = []
        for name, seed in (("first", 0), ("second", 1)):
            model = classifier(None, epochs=1, random_state=seed).fit(X, y)
            skposter.save(model, f"{folder}/{name}.skposter")
            predictions.append(model.predict_proba(X))
        skposter.save(model, f"{folder}/model.skposter")
        good = 0
        for _ in range(kills):
            run_and_kill("save", folder, rng.uniform(0, longest))
            found = skposter.load(f"{folder}/model.skposter").predict_proba(X)
            good += any(np.array_equal(found, expected) for expected in predictions)
        left = list(Path(folder).glob(".*.partial"))
    print(
        f"save: killed {kills} times; {good} times a whole model was left; "
        f"{len(left)} partial files left behind",
        flush=True,
    )
    return good == kills


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=2.0, help="seconds before a kill")
    parser.add_argument("--work", nargs="+", choices=WORK, default=list(WORK))
    args = parser.parse_args()
    warnings.simplefilter("error")
    rng = np.random.default_rng(args.seed)
    good = [
        kill_saves(args.kills, rng, args.longest)
        if work == "save"
        else kill_trainings(work, args.kills, rng, args.longest)
        for work in args.work
    ]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
