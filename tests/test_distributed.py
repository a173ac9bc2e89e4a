"""Predictions in parts, on this machine."""

import json
import os
import signal
import subprocess
import sys
import time
from operator import methodcaller
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import web_server
from onnx_by_hand import write_model
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import skposter
from skposter import ImageLoader
from skposter.commands import main
from skposter.datasets import make_posters
from skposter.distributed import predict, worker_environment
from skposter.exceptions import ArtifactError, DataError

pytest.importorskip("onnx", reason="needs the extra skposter[onnx]")
pytest.importorskip("onnxruntime", reason="needs the extra skposter[onnx]")
pytest.importorskip("pyarrow", reason="needs the extra skposter[tables]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """30 small posters in Images/, model.onnx and other.onnx."""
    folder = tmp_path_factory.mktemp("distributed")
    make_posters(30, out_dir=folder, n_labels=3, size=(60, 48))
    write_model(folder / "model.onnx")
    write_model(folder / "other.onnx", scale=1 / 256)
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return str(folder / "model.onnx")


@pytest.fixture(scope="module")
def paths(folder):
    return sorted(map(str, (folder / "Images").glob("*.jpg")))


@pytest.fixture(scope="module")
def expected(model, paths):
    """The probabilities of `paths`, predicted at once."""
    return skposter.load_onnx(model).predict_proba(paths)


def quiet(*args, **kwargs):
    return predict(*args, verbose=0, **kwargs)


def read(output):
    table = pd.read_parquet(output)
    assert table.columns.tolist() == ["path", "red", "green", "blue"]
    return table["path"].tolist(), table[["red", "green", "blue"]].to_numpy()


def test_environment_of_a_worker_names_all_variables():
    environment = worker_environment(3)
    assert {"TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"} <= set(
        environment
    )
    assert set(environment.values()) == {"3"}
    for wrong in (0, 1.5, True, "2"):
        with pytest.raises(ValueError, match=f"n_threads must be .* got {wrong!r}"):
            worker_environment(wrong)


def test_threads_of_an_exported_model_are_those_that_were_asked_for(model, paths, run_python):
    code = """
        import os, sys
        import skposter

        predictor = skposter.load_onnx(sys.argv[1])
        assert predictor._session.get_session_options().intra_op_num_threads == 3
        assert predictor._decoder.n_threads == 3
        """
    os.environ.update(worker_environment(3))
    try:
        run_python(code, model)
    finally:
        for name in worker_environment():
            del os.environ[name]


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_parts_hold_what_is_predicted_at_once(n_jobs, model, paths, expected, tmp_path):
    summary = quiet(model, paths, tmp_path / "out", partition_size=8, n_jobs=n_jobs)
    assert (summary.n_images, summary.n_bad, summary.n_parts, summary.n_kept) == (30, 0, 4, 0)
    found_paths, probabilities = read(tmp_path / "out")
    assert found_paths == paths
    np.testing.assert_array_equal(probabilities, expected)


def test_a_pipeline_predicts_the_same_in_parts(fitted_classifier, paths, tmp_path):
    pipe = make_pipeline(ImageLoader(size=(16, 16), on_error="blank"), fitted_classifier)
    skposter.save(pipe, tmp_path / "model.skposter")
    expected = pipe.predict_proba(paths)
    for name, model in {"file": tmp_path / "model.skposter", "object": pipe}.items():
        # The loader's on_error="blank" would hide the image that is not there.
        quiet(model, [*paths, "gone.jpg"], tmp_path / name, partition_size=16)
        found_paths, probabilities = read(tmp_path / name)
        assert found_paths == paths
        np.testing.assert_allclose(probabilities, expected, atol=1e-6)
        about = json.loads((tmp_path / name / "_prediction.json").read_text())
        assert about["thresholds"] == fitted_classifier.thresholds_.tolist()
    assert pipe[0].on_error == "blank"


def test_labels_of_other_classifiers_are_numbered(paths, tmp_path):
    pipe = make_pipeline(
        ImageLoader(size=(4, 4)),
        FunctionTransformer(methodcaller("reshape", -1, 48)),
        KNeighborsClassifier(3),
    )
    with pytest.raises(DataError, match="Pipeline that is not fitted"):
        quiet(pipe, paths, tmp_path / "out")
    pipe.fit(paths, (np.arange(30)[:, None] >> np.arange(3)) & 1)
    quiet(pipe, paths, tmp_path / "out")
    table = pd.read_parquet(tmp_path / "out")
    assert table.columns.tolist() == ["path", "0", "1", "2"]
    expected = np.column_stack([each[:, 1] for each in pipe.predict_proba(paths)])
    np.testing.assert_array_equal(table.iloc[:, 1:], expected.astype(np.float32))


def test_images_that_cannot_be_read_are_in_a_table_of_their_own(model, paths, expected, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_text("<!DOCTYPE html>")
    listed = [*paths[:3], str(broken), *paths[3:], "missing.jpg", "\udcff.jpg"]
    summary = quiet(model, listed, tmp_path / "out", partition_size=8)
    assert (summary.n_images, summary.n_bad) == (33, 3)
    assert "3 could not be read" in str(summary)
    np.testing.assert_array_equal(read(tmp_path / "out")[1], expected)
    bad = pd.read_parquet(tmp_path / "out" / "_bad_images")
    assert bad["path"].tolist() == [str(broken), "missing.jpg", "\\udcff.jpg"]
    assert "web page" in bad["cause"][0]
    assert "no such file" in bad["cause"][1]
    assert "no text" in bad["cause"][2]


def test_bad_images_are_tried_again_if_asked(model, paths, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    listed = [*paths, "late.jpg"]
    quiet(model, listed, "out", partition_size=8)
    Path("late.jpg").write_bytes(Path(paths[0]).read_bytes())
    assert quiet(model, listed, "out").n_bad == 1
    summary = quiet(model, listed, "out", retry_bad=True)
    assert (summary.n_bad, summary.n_kept) == (0, 24)
    assert read("out")[0] == listed
    assert list(Path("out/_bad_images").iterdir()) == []


def test_complete_parts_are_kept(model, paths, expected, tmp_path):
    output = tmp_path / "out"
    quiet(model, paths, output, partition_size=8)
    (output / "part-000001.parquet").unlink()
    (output / "part-000002.parquet").write_bytes(b"PAR1")  # damaged
    before = {path.name: path.stat().st_mtime_ns for path in output.glob("part-*")}
    summary = quiet(model, paths, output)
    assert (summary.n_kept, summary.n_images) == (14, 30)
    after = {path.name: path.stat().st_mtime_ns for path in output.glob("part-*")}
    assert {name for name in after if after[name] != before.get(name)} == {
        "part-000001.parquet",
        "part-000002.parquet",
    }
    np.testing.assert_array_equal(read(output)[1], expected)


def test_what_does_not_belong_together_is_refused(folder, model, paths, tmp_path, monkeypatch):
    monkeypatch.chdir(folder / "Images")
    output = tmp_path / "out"
    relative = [os.path.basename(path) for path in paths]
    quiet(model, relative, output, partition_size=8)
    before = sorted(output.rglob("*"))
    swapped = [relative[1], relative[0], *relative[2:]]
    for wrong, message in [
        ({"model": folder / "other.onnx"}, r"another model \('model.onnx'\) than '.*other.onnx'"),
        ({"paths": relative[:-1]}, r"another list of images \(30, now 29\)"),
        ({"paths": swapped}, "another list of images"),
        ({"paths": iter(swapped)}, "other images: those of partition 0"),
        ({"paths": iter(relative[:16])}, "other images: those of partition 3"),
        ({"partition_size": 4}, "in partitions of 8 images, and partition_size is 4"),
        ({"path_column": "file"}, "in the column 'path', and path_column is 'file'"),
    ]:
        with pytest.raises(DataError, match=message):
            quiet(**{"model": model, "paths": relative, "output": output, **wrong})
    monkeypatch.chdir(tmp_path)  # the same names, of other images
    with pytest.raises(DataError, match="other images: those of partition 0"):
        quiet(model, relative, output)
    assert sorted(output.rglob("*")) == before


def test_a_folder_with_something_else_is_left_alone(model, paths, tmp_path):
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(DataError, match=r"holds something else \('thesis.txt'\)"):
        quiet(model, paths, tmp_path)
    with pytest.raises(NotADirectoryError, match="is a file, expected a folder"):
        quiet(model, paths, tmp_path / "thesis.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("kind", ["lines", "folder", "parquet", "table", "array", "iterator"])
def test_paths_come_in_many_forms(kind, folder, model, paths, expected, tmp_path):
    (tmp_path / "list.txt").write_text("\n".join(paths) + "\n\n")
    table = pd.DataFrame({"id": range(30), "path": paths})
    table.to_parquet(tmp_path / "list.parquet")
    forms = {
        "lines": tmp_path / "list.txt",
        "folder": folder / "Images",
        "parquet": str(tmp_path / "list.parquet"),
        "table": table,
        "array": np.array(paths),
        "iterator": (Path(path) for path in paths),
    }
    quiet(model, forms[kind], tmp_path / "out", partition_size=8)
    found_paths, probabilities = read(tmp_path / "out")
    assert found_paths == paths
    np.testing.assert_array_equal(probabilities, expected)


def test_lists_that_are_none_are_errors_that_say_why(model, paths, tmp_path):
    (tmp_path / "zip.txt").write_bytes(b"PK\0\0")
    for wrong, error, message in [
        ([paths[0], None], DataError, "row 1 of the list of images is None, expected a path"),
        ([paths[0], "  "], DataError, "row 1 .* is '  '"),
        ([], DataError, "no images"),
        (pd.DataFrame({"pth": paths, "n": 1}), DataError, "no column 'path'.*mean 'pth'"),
        (tmp_path / "none.txt", FileNotFoundError, "no list or folder of images '.*none.txt'"),
        (tmp_path / "zip.txt", DataError, "is no list of images"),
        (3, TypeError, "paths is a int, expected a list"),
    ]:
        with pytest.raises(error, match=message):
            quiet(model, wrong, tmp_path / "out")
    for wrong, error, message in [
        (tmp_path / "none.onnx", FileNotFoundError, "no model file"),
        (tmp_path / "zip.txt", DataError, "is no model that is known"),
        (3, DataError, "model is a int, expected a fitted classifier"),
    ]:
        with pytest.raises(error, match=message):
            quiet(wrong, paths, tmp_path / "out")
    (tmp_path / "bad.onnx").write_bytes(b"no")
    with pytest.raises(ArtifactError, match=r"bad\.onnx.* not a model that can be used"):
        quiet(tmp_path / "bad.onnx", paths, tmp_path / "out")
    with pytest.raises(ValueError, match=r"engine must be None or 'dask'; got 'desk'.*mean 'dask'"):
        quiet(model, paths, tmp_path / "out", engine="desk")
    with pytest.raises(ValueError, match="partition_size must be a whole number"):
        quiet(model, paths, tmp_path / "out", partition_size=0)


def test_a_label_may_be_called_as_the_column_of_paths(paths, tmp_path):
    model = write_model(tmp_path / "model.onnx", labels=["path", "road", "sky"])
    with pytest.raises(DataError, match=r"a label is called 'path'.*path_column"):
        quiet(model, paths, tmp_path / "out")
    quiet(model, paths, tmp_path / "out", path_column="image")
    columns = pd.read_parquet(tmp_path / "out").columns.tolist()
    assert columns == ["image", "path", "road", "sky"]


def test_only_a_few_partitions_are_under_way(model, paths, tmp_path):
    """However long the list is, it is read no faster than it is predicted."""
    ahead = []

    def stream():
        for n_read, path in enumerate(paths * 8):
            ahead.append(n_read / 4 - len(list((tmp_path / "out").glob("part-*.parquet"))))
            yield path

    quiet(model, stream(), tmp_path / "out", partition_size=4)
    assert max(ahead) <= 5


def test_the_command_writes_parts(model, paths, expected, tmp_path, capsys):
    (tmp_path / "list.txt").write_text("\n".join([*paths, "missing.jpg"]))
    many = ["predict", model, "--images", str(tmp_path / "list.txt"), "--output"]
    output = str(tmp_path / "out")
    assert main([*many, output, "--partition-size", "8", "-q"]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("30 of 31 images predicted, 4 parts in")
    np.testing.assert_array_equal(read(output)[1], expected)
    assert main([*many, output]) == 1
    assert "31 were there" in capsys.readouterr().out
    assert main(["predict", model, "-k", "1", paths[0]]) == 0
    assert paths[0] in capsys.readouterr().out
    for wrong, message in [
        ([*many[:-1]], "--images and --output belong together"),
        ([*many, output, paths[0]], "IMAGE does not go with --images and --output"),
        ([*many, output, "-k", "2"], "-k does not go with --images and --output"),
        ([*many, output, "--engine", "dask"], "--engine dask and --scheduler ADDRESS belong"),
        (["predict", model, paths[0], "--n-jobs", "2"], "--n-jobs goes with --images"),
        (["predict", model], "required: IMAGE, or --images and --output"),
    ]:
        assert main(wrong) == 2
        assert message in capsys.readouterr().err


KILLED = """
import sys
from skposter.distributed import predict

predict(sys.argv[1], sys.argv[2], sys.argv[3], partition_size=4, verbose=0)
"""


def test_a_killed_prediction_goes_on(model, paths, expected, tmp_path):
    (tmp_path / "list.txt").write_text("\n".join(paths * 40))
    output = tmp_path / "out"
    command = [sys.executable, "-c", KILLED, model, str(tmp_path / "list.txt"), str(output)]
    with subprocess.Popen(command) as process:
        until = time.monotonic() + 120
        while len(list(output.glob("part-*.parquet"))) < 3 and time.monotonic() < until:
            assert process.poll() is None
            time.sleep(0.01)
        with pytest.raises(DataError, match="another process is writing predictions into"):
            quiet(model, tmp_path / "list.txt", output)
        process.send_signal(signal.SIGKILL)
    kept = {path: path.stat().st_mtime_ns for path in output.glob("part-*.parquet")}
    assert 3 <= len(kept) < 300
    summary = quiet(model, tmp_path / "list.txt", output)
    assert summary.n_kept == 4 * len(kept)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    found_paths, probabilities = read(output)
    assert found_paths == paths * 40
    np.testing.assert_array_equal(probabilities, np.tile(expected, (40, 1)))


def test_images_elsewhere_are_predicted_where_they_lie(model, paths, expected, tmp_path):
    pytest.importorskip("aiohttp", reason="needs the extra skposter[remote]")
    with web_server.serving() as server:
        server.contents = {f"/{Path(path).name}": Path(path).read_bytes() for path in paths}
        urls = [server.url(f"/{Path(path).name}") for path in paths]
        here = {"allow_private_hosts": True}
        for n_jobs in (None, 2):
            output = tmp_path / f"by {n_jobs}"
            summary = quiet(
                model, [*urls, server.url("/no.jpg")], output, storage_options=here, n_jobs=n_jobs
            )
            assert (summary.n_images, summary.n_bad) == (31, 1)
            found, probabilities = read(output)
            assert found == urls
            np.testing.assert_array_equal(probabilities, expected)
        (tmp_path / "list.txt").write_text("\n".join(urls))
        command = ["predict", model, "--images", str(tmp_path / "list.txt"), "--quiet"]
        command += ["--output", str(tmp_path / "command")]
        assert main([*command, "--storage-options", json.dumps(here)]) == 0
        assert read(tmp_path / "command")[0] == urls
    summary = quiet(model, urls, tmp_path / "refused")  # an address of this machine
    assert summary.n_bad == 30
    with pytest.raises(DataError, match="is an address of a list or a folder"):
        quiet(model, "s3://bucket/images/", tmp_path / "folder")
