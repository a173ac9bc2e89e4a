"""A cluster of two worker processes: what it predicts, what it lacks, and what dies in it."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from operator import methodcaller

import numpy as np
import pandas as pd
import pytest
from onnx_by_hand import write_model
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, RandomizedSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import skposter
from skposter import FixedThresholdsClassifier, ImageLoader, TunedThresholdsClassifierCV
from skposter.datasets import make_posters
from skposter.distributed import _preflight, forgiving, predict, preflight, resilient
from skposter.distributed._probe import probe
from skposter.exceptions import ClusterError, DataError

distributed = pytest.importorskip("distributed", reason="needs the extra skposter[dask]")
pytest.importorskip("onnx", reason="needs the extra skposter[onnx]")
pytest.importorskip("onnxruntime", reason="needs the extra skposter[onnx]")
pytest.importorskip("pyarrow", reason="needs the extra skposter[dask]")

# In a process of its own, so that nothing of it is left in that of the tests.
CLUSTER = """
import sys
from distributed import LocalCluster
from skposter.distributed import worker_environment

if __name__ == "__main__":
    with LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None,
        env=worker_environment(1),
    ) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The address of a scheduler with two workers."""
    script = tmp_path_factory.mktemp("cluster") / "cluster.py"
    script.write_text(CLUSTER)
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        found = process.stdout.readline().strip()
        assert found.startswith("tcp://127.0.0.1:")
        yield found
        process.stdin.close()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture
def client(address):
    with distributed.Client(address, timeout=30) as client:
        client.wait_for_workers(2, timeout=60)
        yield client


@pytest.fixture(scope="module")
def posters(tmp_path_factory):
    """30 posters and their labels."""
    folder = tmp_path_factory.mktemp("posters")
    return make_posters(30, out_dir=folder, n_labels=3, size=(300, 200))


@pytest.fixture(scope="module")
def paths(posters):
    return [str(path) for path in posters.paths]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(write_model(tmp_path_factory.mktemp("model") / "model.onnx"))


@contextlib.contextmanager
def killing(client, ready):
    """Kill one of two busy workers with SIGKILL once `ready` says so; yield those killed."""
    killed = []

    def kill():
        until = time.monotonic() + 60
        while time.monotonic() < until:
            busy = [worker for worker, keys in client.processing().items() if keys]
            if len(busy) == 2 and ready():
                pid = client.run(os.getpid, workers=busy[:1])[busy[0]]
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
                return
            time.sleep(0.01)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        thread.join()


def table_of(output):
    table = pd.read_parquet(output)
    return table["path"].tolist(), table.drop(columns="path").to_numpy()


def test_a_cluster_predicts_what_one_process_predicts(client, model, paths, tmp_path):
    listed = [*paths, str(tmp_path / "missing.jpg")]
    for name, options in {"here": {}, "there": {"client": client}}.items():
        summary = predict(model, listed, tmp_path / name, partition_size=8, verbose=0, **options)
        assert (summary.n_images, summary.n_bad, summary.n_parts) == (31, 1, 4)
    for found, expected in zip(
        table_of(tmp_path / "there"), table_of(tmp_path / "here"), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    again = predict(model, listed, tmp_path / "there", client=client.scheduler.address, verbose=0)
    assert again.n_kept == 31


def test_a_collection_of_dask_is_predicted_where_it_is(client, model, paths, tmp_path):
    dd = pytest.importorskip("dask.dataframe")
    table = pd.DataFrame({"path": paths, "n": range(30)})
    collection = dd.from_pandas(table, npartitions=4)
    for _ in range(2):
        summary = predict(model, collection, tmp_path / "out", engine="dask", verbose=0)
    assert (summary.n_parts, summary.n_kept) == (4, 30)
    found_paths, probabilities = table_of(tmp_path / "out")
    assert found_paths == paths
    expected = skposter.load_onnx(model).predict_proba(paths)
    np.testing.assert_array_equal(probabilities, expected)
    backwards = dd.from_pandas(table[::-1].reset_index(drop=True), npartitions=4)
    with pytest.raises(DataError, match="other images: those of partition"):
        predict(model, backwards, tmp_path / "out", engine="dask", verbose=0)
    # The same collection without a cluster.
    predict(model, collection, tmp_path / "here", verbose=0)
    assert table_of(tmp_path / "here")[0] == paths


def test_a_prediction_outlives_a_killed_worker(client, model, paths, tmp_path):
    output, listed = tmp_path / "out", paths * 20

    def begun():
        return len(list(output.glob("part-*.parquet"))) >= 3

    with killing(client, begun) as killed:
        summary = predict(model, listed, output, client=client, partition_size=5, verbose=0)
    assert killed
    assert (summary.n_images, summary.n_bad, summary.n_parts) == (600, 0, 120)
    found_paths, probabilities = table_of(output)
    assert found_paths == listed
    expected = skposter.load_onnx(model).predict_proba(paths)
    np.testing.assert_array_equal(probabilities, np.tile(expected, (20, 1)))


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_a_search_outlives_a_killed_worker(client, posters, tmp_path):
    import joblib

    def search():
        pipe = make_pipeline(
            ImageLoader(size=(12, 12), n_jobs=1, cache_dir=tmp_path / "cache"),
            FunctionTransformer(methodcaller("reshape", -1, 12 * 12 * 3)),
            MultiOutputClassifier(LogisticRegression(max_iter=20, tol=0)),
        )
        grid = {"multioutputclassifier__estimator__C": np.logspace(-4, 0, 4)}
        return GridSearchCV(pipe, grid, cv=KFold(3), refit=False).fit(X, y)

    # Paths, labels and rows of more than a kilobyte, which joblib hands to a worker to keep.
    y = (np.arange(210)[:, None] >> np.arange(3)) & 1
    X = list(posters.paths) * 7
    expected = search()
    with (
        killing(client, lambda: True) as killed,
        joblib.parallel_config("dask", client=resilient(client)),
    ):
        found = search()
    assert killed
    for name, values in expected.cv_results_.items():
        if name.startswith(("split", "mean_test", "rank")):
            np.testing.assert_array_equal(found.cv_results_[name], values)


def test_searches_of_all_kinds_give_the_scores_of_the_sequential_ones(client, posters):
    import joblib

    X, y = np.array(list(posters.paths) * 4), (np.arange(120)[:, None] >> np.arange(3)) & 1
    pipe = make_pipeline(
        ImageLoader(size=(12, 12), n_jobs=1),
        FunctionTransformer(methodcaller("reshape", -1, 12 * 12 * 3)),
        KNeighborsClassifier(),
    )
    tuned = TunedThresholdsClassifierCV(pipe, cv=KFold(2))
    grid = {"estimator__kneighborsclassifier__n_neighbors": [1, 5, 9]}
    searches = [
        GridSearchCV(tuned, grid, cv=KFold(2), scoring="f1_macro"),
        RandomizedSearchCV(tuned, grid, n_iter=2, cv=KFold(2), scoring="f1_micro", random_state=0),
    ]
    for search in searches:
        expected = clone(search).fit(X, y)
        with joblib.parallel_config("dask", client=resilient(client)):
            found = clone(search).fit(X, y)
        scores = [name for name in expected.cv_results_ if name.startswith(("split", "mean_test"))]
        assert len(scores) >= 3
        for name in scores:
            np.testing.assert_array_equal(found.cv_results_[name], expected.cv_results_[name])
        np.testing.assert_array_equal(
            found.best_estimator_.thresholds_, expected.best_estimator_.thresholds_
        )


# scikit-learn gives workers the filters of this process, in which warnings are errors.
@pytest.mark.filterwarnings(r"ignore:The callback \w+ failed:UserWarning")
@pytest.mark.usefixtures("wide_progress_bars")
def test_workers_report_to_a_progress_bar_and_a_search_goes_on_where_they_cannot(
    client, hide_progress_bars, capsys
):
    import joblib
    from sklearn.callback import ProgressBar

    X = np.random.default_rng(0).normal(size=(60, 4))
    search = GridSearchCV(
        FixedThresholdsClassifier(KNeighborsClassifier()),
        {"estimator__n_neighbors": [1, 5]},
        cv=KFold(2),
        scoring="f1_macro",
        error_score="raise",
    )
    expected = clone(search).fit(X, X > 0).cv_results_["mean_test_score"]
    bars = ProgressBar(max_propagation_depth=1)
    with joblib.parallel_config("dask", client=resilient(client)):
        search.set_callbacks(bars).fit(X, X > 0)
        np.testing.assert_array_equal(search.cv_results_["mean_test_score"], expected)
        shown = capsys.readouterr().out
        assert shown.count("candidate-split-evaluation | FixedThresholdsClassifier - fit") == 4
        hide_progress_bars()
        search.set_callbacks(forgiving(bars)).fit(X, X > 0)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], expected)


def test_a_cluster_that_can_do_the_work_says_what_it_is(client, model, paths):
    machines = preflight(client, model, paths)
    assert machines["role"].tolist() == ["scheduler", "worker", "worker"]
    assert machines["n_threads"].dropna().tolist() == [1, 1]
    assert set(machines["skposter"]) == {skposter.__version__}


MODULE = """
class Classifier:
    label_names_ = ["a", "b", "c"]

    def predict_proba(self, X):
        raise AssertionError
"""


def test_a_module_that_is_missing_there_is_an_error_at_once(client, paths, tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    import only_here

    start = time.monotonic()
    for check in (
        lambda: preflight(client, only_here.Classifier()),
        lambda: predict(only_here.Classifier(), paths, tmp_path / "out", client=client, verbose=0),
    ):
        with pytest.raises(ClusterError, match="is not ready") as caught:
            check()
        lines = str(caught.value).splitlines()[1:]
        assert [line.split()[0] for line in lines] == ["scheduler", "worker", "worker"]
        assert all("the module 'only_here' cannot be imported there" in line for line in lines)
    assert time.monotonic() - start < 60
    assert not list((tmp_path / "out").glob("*.json"))


def test_other_versions_are_named():
    fine = {"host": "a", "python": "3.12.1", "modules": {}, "images": {}, "folders": {}}
    here = {**fine, "versions": {"skposter": "2", "keras": "3.1", "onnxruntime": "1", "dask": "5"}}
    there = {**here, "name": "worker w on a", "role": "worker", "python": "3.12.9"}
    assert _preflight._wrong(there, here, "skposter") == []
    there = {**there, "python": "3.13.0", "versions": {"skposter": "1", "onnxruntime": "1"}}
    assert _preflight._wrong(there, here, "skposter") == [
        "worker w on a: Python 3.13.0, and 3.12.1 here",
        "worker w on a: dask is not installed (5 here)",
        "worker w on a: keras is not installed (3.1 here)",
        "worker w on a: skposter 1, and 2 here",
    ]
    scheduler = {**there, "role": "scheduler"}  # which needs no Keras
    assert not any("keras" in line for line in _preflight._wrong(scheduler, here, "skposter"))


def test_images_and_folders_that_workers_do_not_see_are_named(client, paths, tmp_path):
    with pytest.raises(
        ClusterError, match=r"missing\.jpg' cannot be read there: no such"
    ) as caught:
        preflight(client, paths=[*paths, tmp_path / "missing.jpg"])
    assert len(str(caught.value).splitlines()) == 3
    pipe = make_pipeline(ImageLoader(cache_dir=tmp_path / "cache"), LogisticRegression())
    assert len(preflight(client, pipe)) == 3
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="needs Linux")
def test_a_prediction_does_not_begin_where_workers_lack_the_images(client, model, paths, tmp_path):
    with open(paths[-1], "rb") as file:
        only_here = f"/proc/self/fd/{file.fileno()}"  # names another file in each process
        with pytest.raises(ClusterError, match=f"{only_here}' cannot be read there.* elsewhere"):
            predict(model, [*paths, only_here], tmp_path / "out", client=client, verbose=0)
    assert not list((tmp_path / "out").glob("*.json"))


def test_a_folder_that_is_another_one_there_is_named(tmp_path, monkeypatch):
    clock = iter(range(0, 1000, 10))  # what waits, waits no longer
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    said = probe([], [], [], [str(tmp_path), str(tmp_path / "none")], None, "token")
    assert list(said["folders"]) == [str(tmp_path), str(tmp_path / "none")]
    assert all("not the folder that the client sees" in why for why in said["folders"].values())


def test_a_worker_that_does_not_answer_is_named(client, monkeypatch):
    monkeypatch.setattr(_preflight, "_TIMEOUT_S", 4.0)
    worker, pid = next(iter(client.run(os.getpid).items()))
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(ClusterError, match=f"worker {worker}: no answer within 4 seconds"):
            preflight(client)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_cluster_that_is_not_there_is_an_error(model, paths, tmp_path, monkeypatch):
    from skposter.distributed import _cluster

    monkeypatch.setattr(_cluster, "_CONNECT_S", 1)
    nobody = "tcp://127.0.0.1:1"
    for there in (
        lambda: preflight(nobody),
        lambda: predict(model, paths, tmp_path / "out", client=nobody, verbose=0),
    ):
        with pytest.raises(ClusterError, match=f"no scheduler of Dask answers at '{nobody}'"):
            there()
    with pytest.raises(ClusterError, match="engine='dask' has no cluster"):
        predict(model, paths, tmp_path / "out", engine="dask", verbose=0)
