"""A search under joblib's Dask backend: the sequential results, and no network trained twice."""

import subprocess
import sys

import pytest

pytest.importorskip("distributed", reason="needs the extra skposter[dask]")

SCRIPT = """
import sys

import joblib
import numpy as np
from distributed import Client, LocalCluster
from sklearn.model_selection import GridSearchCV, KFold

from skposter import MultiLabelImageClassifier
from skposter.networks import SmallCNN


def count_trainings(log):
    from skposter._training import keras_fit as _keras

    run = _keras._run

    def count(*args):
        with open(log, "a") as file:
            file.write("trained\\n")
        return run(*args)

    _keras._run = count


def search(memory):
    return GridSearchCV(
        MultiLabelImageClassifier(
            SmallCNN(filters=(2,)), epochs=2, random_state=0, memory=memory
        ),
        {"network__filters": [(2,), (3,)], "threshold": [0.4, 0.5, 0.6]},
        cv=KFold(3),
        scoring="f1_macro",
    )


if __name__ == "__main__":
    folder, log = sys.argv[1:]
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, size=(60, 3))
    X = rng.integers(0, 120, size=(60, 8, 8, 3)).astype(np.uint8)
    X += 120 * y[:, None, None, :].astype(np.uint8)
    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    )
    with cluster, Client(cluster) as client:
        workers = cluster.scheduler_info["workers"]
        assert all(address.startswith("tcp://127.0.0.1:") for address in workers)
        client.run(count_trainings, log)
        count_trainings(log)  # the refit is done here
        with joblib.parallel_config("dask"):
            shared = search(folder).fit(X, y)
    sequential = search(None).fit(X, y)
    for name, values in sequential.cv_results_.items():
        if name.startswith(("split", "mean_test", "std_test", "rank")):
            np.testing.assert_array_equal(shared.cv_results_[name], values)
    np.testing.assert_array_equal(shared.predict_proba(X), sequential.predict_proba(X))
"""


def test_dask_workers_share_the_memory(tmp_path):
    script = tmp_path / "search.py"
    script.write_text(SCRIPT)
    log = tmp_path / "log"
    subprocess.run(
        [sys.executable, str(script), str(tmp_path / "memory"), str(log)], check=True, timeout=300
    )
    trained = len(log.read_text().split())
    assert trained == 2 * 3 + 1 + 2 * 3 * 3 + 1  # the search with memory, then the one without
