"""The command, in this process where nothing speaks against it."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import joblib
import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from skposter import ImageLoader, TunedThresholdsClassifierCV
from skposter._keras.tensorflow import keras
from skposter.commands import train as train_command
from skposter.commands._main import main
from skposter.commands._models import FittedModel
from skposter.datasets import load_image_csv, make_posters


@pytest.fixture(scope="module")
def posters(tmp_path_factory):
    """A folder with labels.csv and Images/: 60 small posters, 3 labels."""
    folder = tmp_path_factory.mktemp("posters")
    make_posters(60, out_dir=folder, n_labels=3, size=(60, 48))
    return folder


@pytest.fixture(scope="module")
def train_arguments(posters):
    """Arguments of a training of a second."""
    return [
        "train",
        str(posters / "labels.csv"),
        str(posters / "Images"),
        *("--size", "16", "16"),
        *("--epochs", "2"),
        *("--validation-fraction", "0.3"),
        *("--random-state", "0"),
    ]


@pytest.fixture(scope="module")
def model_path(train_arguments, tmp_path_factory):
    """A model that ``train`` has written."""
    path = tmp_path_factory.mktemp("model") / "model.joblib"
    assert main([*train_arguments, "-o", str(path), "-q"]) == 0
    return str(path)


@pytest.fixture
def run(capsys):
    """A function that runs the command here and returns (status, stdout, stderr)."""

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run


def images_of(posters):
    return sorted((posters / "Images").glob("*.jpg"))


def test_train_reports_scores_beside_the_label_frequencies_and_writes_a_model(
    run, train_arguments, tmp_path
):
    path = tmp_path / "model.joblib"
    status, out, err = run(*train_arguments, "-o", path)
    assert status == 0
    assert "60 images, 3 labels" in out
    assert "validation part, 18 images" in out
    header, *rows = [
        line for line in out.splitlines() if "label frequencies" in line or "F1" in line
    ]
    assert header.split() == ["model", "label", "frequencies"]
    assert [row.split()[0] for row in rows] == ["micro", "macro", "samples"]
    assert "Thresholds were chosen for f1_micro on held-out training images" in out
    assert f"2 epochs, model written to {path}" in out
    assert "epoch 2/2" in err, "progress goes to standard error"
    assert joblib.load(path)[-1].n_iter_ == 2
    assert os.listdir(tmp_path) == ["model.joblib"], "no partial file stays"


def test_train_tells_problems_of_the_csv_first(run, train_arguments, posters, tmp_path):
    text = (posters / "labels.csv").read_text().splitlines()
    (tmp_path / "labels.csv").write_text("\n".join([*text, text[1]]))
    arguments = list(train_arguments)
    arguments[1] = tmp_path / "labels.csv"
    status, _, err = run(*arguments, "-o", tmp_path / "m.joblib")
    assert status == 0
    assert err.startswith("problems: 1 duplicate_row\n")


def test_quiet_shows_results_only(run, train_arguments, tmp_path):
    status, out, err = run(*train_arguments, "-o", tmp_path / "m.joblib", "--quiet")
    assert (status, err) == (0, "")
    assert "skill" in out


def test_set_reaches_every_parameter_of_the_classifier(run, train_arguments, tmp_path):
    values = ["filters=[4, 8]", "augmentation=none", 'network_params={"pooling": "max"}']
    path = tmp_path / "m.joblib"
    status, _, err = run(*train_arguments, "-o", path, "-q", "--set", *values, "--set", "tta=true")
    assert status == 0, err
    classifier = joblib.load(path)[-1]
    assert classifier.filters == [4, 8]
    assert classifier.augmentation == "none"
    assert classifier.network_params == {"pooling": "max"}
    assert classifier.tta is True


def test_predict_table_has_top_labels_and_those_above_their_threshold(run, model_path, posters):
    first, second = images_of(posters)[:2]
    status, out, err = run("predict", model_path, first, second, "-k", 2)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert [line.split()[0] for line in lines] == [str(first), str(second)]
    assert all(" -> " in line for line in lines)


def test_predict_json_and_csv_hold_what_the_library_predicts(run, model_path, posters):
    paths = images_of(posters)
    pipeline = joblib.load(model_path)
    _, out, _ = run("predict", model_path, posters / "Images", "--format", "json")
    predictions = json.loads(out)
    expected = pipeline.predict_proba(paths)
    names = pipeline[-1].label_names_.tolist()
    assert [p["image"] for p in predictions] == [str(path) for path in paths]
    for prediction, row in zip(predictions, expected, strict=True):
        assert [e["label"] for e in prediction["top"]] == [names[j] for j in np.argsort(-row)]
        assert [e["probability"] for e in prediction["top"]] == sorted(row.tolist(), reverse=True)
    images = pipeline[:-1].transform(paths)
    assert [tuple(p["labels"]) for p in predictions] == pipeline[-1].predict_labels(images)

    _, out, _ = run("predict", model_path, posters / "Images", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    flat = [(p["image"], e) for p in predictions for e in p["top"]]
    assert [(r["image"], r["label"], float(r["probability"])) for r in rows] == [
        (image, entry["label"], entry["probability"]) for image, entry in flat
    ]
    assert [r["predicted"] for r in rows] == [str(int(entry["predicted"])) for _, entry in flat]


def test_evaluate_prints_scores_in_three_formats(run, model_path, posters):
    data = ["evaluate", model_path, posters / "labels.csv", posters / "Images"]
    status, out, _ = run(*data)
    assert status == 0
    assert "binary cross-entropy" in out
    _, out, _ = run(*data, "--format", "json")
    scores = {row["score"]: row["model"] for row in json.loads(out)}
    _, out, _ = run(*data, "--format", "csv")
    from_csv = {row["score"]: float(row["model"]) for row in csv.DictReader(io.StringIO(out))}
    assert from_csv == pytest.approx(scores)
    loaded = load_image_csv(posters / "labels.csv", posters / "Images")
    accuracy = (joblib.load(model_path).predict(loaded.paths) == loaded.y.to_numpy()).mean()
    assert scores["hamming_loss"] == pytest.approx(1 - accuracy)


def test_evaluate_per_label_has_a_row_a_label(run, model_path, posters):
    data = ["evaluate", model_path, posters / "labels.csv", posters / "Images", "--per-label"]
    _, out, _ = run(*data, "--format", "json")
    loaded = load_image_csv(posters / "labels.csv", posters / "Images")
    assert {r["label"]: r["support"] for r in json.loads(out)} == loaded.y.sum().to_dict()
    _, out, _ = run(*data)
    assert out.split()[0] == "support"


def test_evaluate_aligns_labels_by_name(run, model_path, posters, tmp_path):
    names = [path.stem for path in images_of(posters)[:20]]
    rows = [f"{name},Drama|Heist" if i % 2 else f"{name},Comedy" for i, name in enumerate(names)]
    (tmp_path / "other.csv").write_text("\n".join(["Id,Genre", *rows]))
    status, out, err = run("evaluate", model_path, tmp_path / "other.csv", posters / "Images")
    assert status == 0
    assert "labels that the model does not know, not scored: ['Heist']" in err
    assert "1 of 3 labels have no positives here" in out

    (tmp_path / "none.csv").write_text("\n".join(["Id,Genre", *[f"{n},Heist" for n in names]]))
    status, _, err = run("evaluate", model_path, tmp_path / "none.csv", posters / "Images")
    assert status == 2
    assert "none of which the model knows" in err


def test_check_prints_problems_of_csv_and_images_and_says_so_in_its_status(run, posters, tmp_path):
    status, out, _ = run("check", posters / "labels.csv", posters / "Images")
    assert status == 0
    columns, end = out.splitlines()
    assert columns == (
        "ids: Id; labels: Genre, written lists, beside 3 columns of 0/1 (3 labels); metadata: none"
    )
    assert end == "60 rows, 60 images, 3 labels, no problems"

    for name in ("a", "b"):
        Image.new("RGB", (20, 30), "red").save(tmp_path / f"{name}.jpg")
    (tmp_path / "c.jpg").write_text("not an image")
    rows = ["Id,Genre", "c,Drama", "a,Drama", "a,Drama", "gone,War", "b,War"]
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    status, out, _ = run("check", tmp_path / "labels.csv", tmp_path, "--quiet")
    assert status == 1
    for kind in ("duplicate_row", "missing_image", "not_an_image", "duplicate_content"):
        assert kind in out
    assert out.endswith("5 rows, 4 images, 2 labels, 4 problems\n")


@pytest.fixture
def broken(tmp_path, posters, train_arguments, model_path):
    """Arguments that go wrong, by what is wrong with them."""
    labels, images = posters / "labels.csv", posters / "Images"
    (tmp_path / "binary.csv").write_bytes(b"\x00\xff\x12" * 50)
    (tmp_path / "text.csv").write_text("Id,Genre\nposter,Drama\n")
    (tmp_path / "text.jpg").write_text("this is no image")
    os.mkdir(tmp_path / "empty")
    os.mkdir(tmp_path / "poster")
    (tmp_path / "poster" / "poster.jpg").write_text("no image")
    (tmp_path / "notes.joblib").write_text("no model")
    joblib.dump({"a": 1}, tmp_path / "dict.joblib")
    joblib.dump(LogisticRegression(), tmp_path / "logistic.joblib")
    train, output = train_arguments, ["-o", tmp_path / "m.joblib"]
    return {
        "no such CSV": ["train", "no.csv", images, *output],
        "no such folder": ["train", labels, tmp_path / "none", *output],
        "a file for a folder": ["train", labels, labels, *output],
        "a folder for a CSV": ["train", images, images, *output],
        "a CSV that is no text": ["train", tmp_path / "binary.csv", images, *output],
        "no such column": [*train, *output, "--label-column", "Genres"],
        "no image for any row": ["train", labels, tmp_path / "empty", *output],
        "text for an image": ["train", tmp_path / "text.csv", tmp_path / "poster", *output],
        "no folder to write into": [*train, "-o", tmp_path / "none" / "m.joblib"],
        "a folder to write": [*train, "-o", tmp_path],
        "nothing to choose on": [*train, *output, "--validation-fraction", "0"],
        "a fraction above one": [*train, *output, "--validation-fraction", "1.5"],
        "no such parameter": [*train, *output, "--set", "dropuot=0.1"],
        "a parameter out of range": [*train, *output, "--set", "dropout=2"],
        "no such model": ["predict", tmp_path / "none.joblib", images],
        "a folder for a model": ["predict", tmp_path, images],
        "text for a model": ["predict", tmp_path / "notes.joblib", images],
        "something else pickled": ["predict", tmp_path / "dict.joblib", images],
        "another estimator": ["evaluate", tmp_path / "logistic.joblib", labels, images],
        "no such image": ["predict", model_path, tmp_path / "none.jpg"],
        "text for a new image": ["predict", model_path, tmp_path / "text.jpg"],
        "an empty folder": ["predict", model_path, tmp_path / "empty"],
        "check without a CSV": ["check", tmp_path / "none.csv", images],
        "a demo of nothing": ["demo", "--out-dir", tmp_path / "demo", "--n-posters", 3],
        "a demo in a file": ["demo", "--out-dir", labels],
    }


MESSAGES = {
    "no such CSV": "there is no label table 'no.csv'",
    "no such folder": "there is no image folder",
    "a file for a folder": "is a file, expected a folder",
    "a folder for a CSV": "is not a file of labels",
    "a CSV that is no text": "not UTF-8|binary",
    "no such column": "Genres",
    "no image for any row": "not one of 60 rows has an image",
    "text for an image": r"poster\.jpg.* is not one of JPEG",
    "no folder to write into": "there is no folder .* to write",
    "a folder to write": "is a folder, expected a file",
    "nothing to choose on": "--no-early-stopping --threshold 0.5",
    "a fraction above one": "validation_fraction",
    "no such parameter": "mean 'dropout'",
    "a parameter out of range": "'dropout' parameter",
    "no such model": "there is no model file",
    "a folder for a model": "is not a model file",
    "text for a model": r"notes\.joblib.* is not a model that joblib can load",
    "something else pickled": r"dict\.joblib.* holds a dict, expected a fitted pipeline",
    "another estimator": "holds a LogisticRegression, expected a fitted pipeline",
    "no such image": "there is no image .*none.jpg",
    "text for a new image": r"text\.jpg.* is not one of JPEG",
    "an empty folder": "holds no image files",
    "check without a CSV": "there is no label table",
    "a demo of nothing": "too few to learn from",
    "a demo in a file": "exists",
}


@pytest.mark.parametrize("what", MESSAGES)
def test_what_is_wrong_is_one_line_and_exit_status_2(what, broken, run, tmp_path):
    status, out, err = run(*broken[what], "--quiet")
    assert status == 2
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("skposter: ")
    assert re.search(MESSAGES[what], err), err
    assert not (tmp_path / "m.joblib").exists()


def test_traceback_is_there_on_request(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no label table"):
        main(["check", str(tmp_path / "none.csv"), str(tmp_path), "--traceback"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: COMMAND"),
        (["paint"], "invalid choice: 'paint'"),
        (["train", "a.csv", "b"], "required: -o/--output"),
        (["train", "a.csv", "b", "-o", "c", "--epochs", "0"], "0 is not a positive number"),
        (["train", "a.csv", "b", "-o", "c", "--network", "mobilnet"], "mean 'mobilenet'"),
        (["train", "a.csv", "b", "-o", "c", "--threshold", "f1_marco"], "mean 'f1_macro'"),
        (["train", "a.csv", "b", "-o", "c", "--set", "dropout"], "'dropout' is not NAME=VALUE"),
        (["predict", "a.joblib"], "required: IMAGE"),
    ],
)
def test_wrong_arguments_are_exit_status_2(arguments, message, run):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert message in err


def test_help_version_and_wrong_arguments_do_not_wait_for_tensorflow(run_python):
    run_python(
        """
        import sys
        from skposter.commands._main import main

        assert main(["--version"]) == 0
        for command in ("demo", "train", "predict", "evaluate", "check"):
            assert main([command, "--help"]) == 0
        assert main(["train"]) == 2
        assert main(["check", "none.csv", "."]) == 2
        assert main(["predict", "none.joblib", "none.jpg"]) == 2
        for name in ("tensorflow", "keras", "scikeras"):
            assert name not in sys.modules, name
        """
    )


class CtrlCInTheSecondEpoch(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt


class CtrlCInTheFirstEpoch(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise KeyboardInterrupt


def add_callback(monkeypatch, callback):
    build = train_command.build_pipeline
    monkeypatch.setattr(
        train_command,
        "build_pipeline",
        lambda args: build(args).set_params(classifier__callbacks=[callback]),
    )


@pytest.mark.filterwarnings("default:Training interrupted")
def test_ctrl_c_keeps_what_was_learned(run, train_arguments, tmp_path, monkeypatch):
    add_callback(monkeypatch, CtrlCInTheSecondEpoch)
    path = tmp_path / "m.joblib"
    status, out, err = run(*train_arguments, "-o", path)
    assert status == 130
    assert "skposter: warning: Training interrupted by user." in err
    assert f"1 epoch, model written to {path}" in out
    assert joblib.load(path)[-1].n_iter_ == 1


@pytest.mark.filterwarnings("default:Training interrupted")
def test_ctrl_c_before_the_first_epoch_ends_writes_nothing(
    run, train_arguments, tmp_path, monkeypatch
):
    add_callback(monkeypatch, CtrlCInTheFirstEpoch)
    status, _, err = run(*train_arguments, "-o", tmp_path / "m.joblib")
    assert status == 130
    assert err.endswith("skposter: interrupted\n")
    assert os.listdir(tmp_path) == []


def test_ctrl_c_while_images_are_drawn_is_a_short_line(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "skposter", "demo", "--out-dir", "demo", "--n-posters", "5000"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list(tmp_path.glob("demo/posters/Images/*.jpg")):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert err.endswith("skposter: interrupted\n")
    assert "Traceback" not in err


def test_nobody_reading_the_output_is_no_error(posters):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "skposter",
            "check",
            posters / "labels.csv",
            posters / "Images",
            "-q",
        ],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_models_are_found_in_searches_and_threshold_classifiers(model_path, posters):
    pipeline = joblib.load(model_path)
    loaded = load_image_csv(posters / "labels.csv", posters / "Images")
    tuned = TunedThresholdsClassifierCV(pipeline, objective="f1_macro", cv="prefit", refit=False)
    tuned.fit(loaded.paths, loaded.y)
    model = FittedModel.of(tuned)
    assert model.rule == "Thresholds were chosen for f1_macro on held-out training images"
    assert model.thresholds.tolist() == tuned.thresholds_.tolist()
    assert model.label_names == ["Comedy", "Drama", "Romance"]
    decided = model.decide(model.predict_proba(loaded.paths))
    assert (decided == tuned.predict(loaded.paths)).all()


def test_a_model_without_code_in_its_file_predicts_alike(run, train_arguments, model_path, posters):
    path = Path(model_path).with_suffix(".skposter")
    assert run(*train_arguments, "-o", path, "-q")[0] == 0
    image = images_of(posters)[0]
    _, expected, _ = run("predict", model_path, image, "--format", "json")
    _, out, _ = run("predict", path, image, "--format", "json")
    assert out == expected
    path.write_text("nothing")
    status, _, err = run("predict", path, image)
    assert (status, err.count("\n")) == (2, 1)
    assert str(path) in err


def test_the_saved_model_is_a_pipeline_that_takes_paths(model_path, posters):
    pipeline = joblib.load(model_path)
    assert isinstance(pipeline[0], ImageLoader)
    assert pipeline[0].verbose == pipeline[-1].verbose == 0
    assert pipeline.predict(images_of(posters)[:1]).shape == (1, 3)


def test_demo_ends_with_a_table_a_model_and_a_picture(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "skposter", "demo", "--n-posters", "60", "--quiet"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "warning: " not in line] == []
    out = done.stdout
    assert "50 posters to train on, 10 to test, 12 labels" in out
    for score in ("binary cross-entropy", "skill", "micro F1", "macro F1", "Hamming loss"):
        assert score in out
    assert out.count("true: ") == 8
    assert "model.joblib: predicts the same in a new process" in out
    with Image.open(tmp_path / "skposter-demo" / "posters.png") as picture:
        assert picture.width > 400
