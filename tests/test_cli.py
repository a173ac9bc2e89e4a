"""The command, in this process where nothing speaks against it."""

import csv
import errno
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

import skposter
from skposter import ImageLoader, MultiLabelImageClassifier, TunedThresholdsClassifierCV
from skposter._keras.tensorflow import keras
from skposter.commands import predict as predict_command
from skposter.commands import train as train_command
from skposter.commands._interrupts import raising
from skposter.commands._main import build_parser, main
from skposter.commands._models import FittedModel, load_model
from skposter.commands.train import build_pipeline
from skposter.datasets import load_image_csv, make_posters
from skposter.exceptions import ImageLoadError


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
    status, out, err = run(*train_arguments, "-o", path, "--threshold", "f1_micro")
    assert status == 0
    assert "60 images, 3 labels" in out
    assert "18 images set aside, which also chose the threshold:" in out
    header, *rows = [
        line for line in out.splitlines() if "label frequencies" in line or "F1" in line
    ]
    assert header.split() == ["model", "label", "frequencies"]
    assert [row.split()[0] for row in rows] == ["micro", "macro", "samples"]
    assert "Thresholds were chosen for f1_micro on held-out training images" in out
    assert f"2 epochs, model written to {path}" in out
    assert "epoch 2/2: loss=" in err, "progress goes to standard error"
    assert [line.split(":")[0] for line in err.splitlines() if "loss=" in line] == [
        "epoch 1/2",
        "epoch 2/2",
    ]
    assert "\r" not in err, "what is no terminal gets lines"
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
    values = ["network__filters=[4, 8]", "augmentation=none", "network__pooling=max"]
    path = tmp_path / "m.joblib"
    status, _, err = run(*train_arguments, "-o", path, "-q", "--set", *values, "--set", "tta=flip")
    assert status == 0, err
    classifier = joblib.load(path)[-1]
    assert classifier.network.filters == [4, 8]
    assert classifier.network.pooling == "max"
    assert classifier.augmentation == "none"
    assert classifier.tta == "flip"


def test_train_has_the_defaults_of_the_classes(posters):
    arguments = ["train", str(posters / "labels.csv"), str(posters / "Images"), "-o", "m.joblib"]
    loader, classifier = build_pipeline(build_parser().parse_args(arguments))
    defaults = MultiLabelImageClassifier("small_cnn").get_params()
    given = {**classifier.get_params(deep=False), "network": "small_cnn", "verbose": 0}
    assert given == defaults
    assert loader.size == ImageLoader().size


def test_weights_belong_to_networks_that_have_some(run, train_arguments, tmp_path):
    status, _, err = run(*train_arguments, "-o", tmp_path / "m.joblib", "--weights", "w.h5")
    assert status == 2
    assert "--weights belongs to networks of keras.applications" in err
    status, _, err = run(*train_arguments[:-4], "-o", tmp_path / "m.joblib", "--head", "logistic")
    assert status == 2
    assert "--head logistic is solved at once, so --epochs" in err


def test_a_solved_head_from_the_shell(run, posters, mobilenet_weights, tmp_path):
    model = tmp_path / "model.skposter"
    status, out, _ = run(
        *("train", posters / "labels.csv", posters / "Images", "-o", model),
        *("--size", 32, 32, "--network", "mobilenet", "--weights", mobilenet_weights[0]),
        *("--head", "logistic", "--validation-fraction", 0.3, "--random-state", 0),
        *("--set", 'network__builder_params={"alpha": 0.25}'),
    )
    assert status == 0
    assert "18 images set aside" in out
    classifier = skposter.load(model)[-1]
    assert classifier.network.head == "logistic"
    assert classifier.recipe_["fine_tune"] == "none"
    assert run("predict", model, images_of(posters)[0])[0] == 0


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
    assert max(map(len, out.splitlines())) <= 100
    assert "base F1 that of predicting the label for every image" in out


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
        "nothing to choose on": [
            *train,
            *output,
            *("--validation-fraction", "0", "--threshold", "f1_micro"),
        ],
        "a fraction above one": [*train, *output, "--validation-fraction", "1.5"],
        "no such parameter": [*train, *output, "--set", "network__dropuot=0.1"],
        "a parameter out of range": [*train, *output, "--set", "network__dropout=2"],
        "no such model": ["predict", tmp_path / "none.joblib", images],
        "a folder for a model": ["predict", tmp_path, images],
        "an unknown ending": [*train, "-o", tmp_path / "m.h5"],
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
    "an unknown ending": r"'.*m\.h5' says nothing .* expected one of \.joblib, .*\.skposter",
    "nothing to choose on": "give --threshold a number",
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
        ([], "skposter: the following arguments are required: COMMAND; see skposter --help"),
        (["paint"], "invalid choice: 'paint'"),
        (["train", "a.csv", "b"], "required: -o/--output; see skposter train --help"),
        (
            ["train", "a.csv", "b", "-o", "c", "--epochs", "0"],
            "'0' is no positive whole number",
        ),
        (
            ["train", "a.csv", "b", "-o", "c", "--epochs", "x"],
            "'x' is no positive whole number",
        ),
        (["train", "a.csv", "b", "-o", "c", "--network", "mobilnet"], "mean 'mobilenet'"),
        (["train", "a.csv", "b", "-o", "c", "--threshold", "f1_marco"], "mean 'f1_macro'"),
        (["train", "a.csv", "b", "-o", "c", "--set", "dropout"], "'dropout' is not NAME=VALUE"),
        (["predict", "a.joblib"], "required: IMAGE"),
        (["card", "m.joblib", "--csv", "x"], "arguments: --csv x; see skposter card --help"),
    ],
)
def test_wrong_arguments_are_exit_status_2(arguments, message, run):
    status, out, err = run(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_help_groups_the_commands_in_the_order_of_the_data(run):
    status, out, _ = run("--help")
    names = ["demo", "check", "train", "evaluate", "report", "predict", "serve", "card", "export"]
    assert status == 0
    assert re.findall(r"^  (\w+) +\w", out, re.MULTILINE)[-9:] == names
    assert re.findall(r"^(\w.*):$", out, re.MULTILINE)[1:] == [
        "try it",
        "look at labels and images",
        "make and use a model",
        "give it to others",
    ]
    assert max(map(len, out.splitlines())) <= 80


def test_help_version_and_wrong_arguments_do_not_wait_for_tensorflow(run_python):
    run_python(
        """
        import sys
        from skposter.commands._main import build_parser, main

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


@pytest.fixture
def ctrl_c(monkeypatch):
    """A function that lets a callback press Ctrl-C in the training of the command."""

    def press(callback):
        build = train_command.build_pipeline
        fit = MultiLabelImageClassifier.fit

        def interrupted(self, X, y):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                fit(self, X, y)
            raise KeyboardInterrupt

        monkeypatch.setattr(MultiLabelImageClassifier, "fit", interrupted)
        monkeypatch.setattr(
            train_command,
            "build_pipeline",
            lambda args: build(args).set_params(classifier__callbacks=[callback]),
        )

    return press


def test_ctrl_c_keeps_what_was_learned(run, train_arguments, tmp_path, ctrl_c):
    ctrl_c(CtrlCInTheSecondEpoch)
    path = tmp_path / "m.joblib"
    status, out, err = run(*train_arguments, "-o", path)
    assert status == 130
    assert "skposter: interrupted; what was learned is kept" in err
    assert f"1 epoch, model written to {path}" in out
    assert joblib.load(path)[-1].n_iter_ == 1


def test_ctrl_c_before_the_first_epoch_ends_writes_nothing(run, train_arguments, tmp_path, ctrl_c):
    ctrl_c(CtrlCInTheFirstEpoch)
    status, _, err = run(*train_arguments, "-o", tmp_path / "m.joblib")
    assert status == 130
    assert err.endswith("skposter: interrupted\n")
    assert os.listdir(tmp_path) == []


def test_ctrl_c_while_the_model_is_saved_waits(run, train_arguments, tmp_path, monkeypatch):
    save = train_command.save_somewhere

    def press_and_save(pipeline, path):
        signal.raise_signal(signal.SIGINT)
        return save(pipeline, path)

    monkeypatch.setattr(train_command, "save_somewhere", press_and_save)
    status, out, _ = run(*train_arguments, "-o", tmp_path / "m.joblib")
    assert status == 130
    assert "model written to" in out
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert joblib.load(tmp_path / "m.joblib")[-1].n_iter_ == 2


def test_ctrl_c_in_a_destructor_is_not_lost():
    class Pressed:
        def __del__(self):
            raise KeyboardInterrupt

    def work():
        Pressed()
        for _ in range(1000):
            time.sleep(0.01)

    with raising(), pytest.raises(KeyboardInterrupt):
        work()


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


class FailingStream(io.StringIO):
    """A stream as of a reader that is gone, or of a full disk."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def write(self, text):
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize(("number", "expected"), [(errno.EPIPE, 141), (errno.ENOSPC, 2)])
def test_a_model_is_saved_whatever_becomes_of_the_output(
    number, expected, train_arguments, tmp_path, monkeypatch
):
    monkeypatch.setattr(sys, "stdout", FailingStream(number))
    monkeypatch.setattr(sys, "stderr", FailingStream(number))
    assert main([*train_arguments, "-o", str(tmp_path / "m.joblib")]) == expected
    assert joblib.load(tmp_path / "m.joblib")[-1].n_iter_ == 2


def test_a_model_is_saved_whatever_becomes_of_the_report(
    run, train_arguments, tmp_path, monkeypatch
):
    def fail(*args):
        raise ValueError("no scores today")

    monkeypatch.setattr(train_command, "print_scores", fail)
    status, out, err = run(*train_arguments, "-o", tmp_path / "m.joblib")
    assert status == 2
    assert "model written to" in out
    assert err.endswith("skposter: no scores today\n")
    assert joblib.load(tmp_path / "m.joblib")[-1].n_iter_ == 2


def test_a_model_whose_folder_has_gone_is_saved_elsewhere(
    run, train_arguments, tmp_path, monkeypatch
):
    folder, instead = tmp_path / "models", tmp_path / "temporary"
    folder.mkdir()
    instead.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(instead))
    fit = MultiLabelImageClassifier.fit

    def lose(self, X, y):
        folder.rmdir()
        return fit(self, X, y)

    monkeypatch.setattr(MultiLabelImageClassifier, "fit", lose)
    status, out, err = run(*train_arguments, "-o", folder / "m.joblib")
    (path,) = instead.glob("*/m.joblib")
    assert status == 2
    assert f"model written to {path}" in out
    assert "could not be written (there is no folder" in err
    assert joblib.load(path)[-1].n_iter_ == 2


def test_what_the_safe_format_cannot_hold_is_told_before_the_training(
    run, train_arguments, tmp_path, monkeypatch
):
    build = train_command.build_pipeline
    monkeypatch.setattr(
        train_command,
        "build_pipeline",
        lambda args: build(args).set_params(classifier__loss=lambda y, p: p),
    )
    monkeypatch.setattr(MultiLabelImageClassifier, "fit", None)
    status, _, err = run(*train_arguments, "-o", tmp_path / "m.skposter", "-q")
    assert (status, err.count("\n")) == (2, 1)
    assert "loss is" in err


def test_one_bad_image_does_not_hide_the_others(run, model_path, posters, tmp_path):
    good = images_of(posters)[:3]
    bad, gone = tmp_path / "bad.jpg", tmp_path / "gone.jpg"
    bad.write_bytes(good[0].read_bytes()[:200])
    paths = [good[0], bad, good[1], gone, good[2]]
    expected = run("predict", model_path, *good, "--format", "csv")[1]
    for how in ("table", "json", "csv"):
        status, out, err = run("predict", model_path, *paths, "--format", how)
        assert status == 1
        assert all(str(path) in out.replace("\\\\", "\\") for path in good)
        assert str(bad) not in out
        assert [line.split(": ")[1] for line in err.splitlines()] == [str(gone), str(bad)]
    assert out == expected
    for path in (bad, gone):
        status, out, err = run("predict", model_path, path)
        assert (status, out, err.count("\n")) == (2, "", 1)


def test_many_images_are_predicted_a_chunk_at_a_time(model_path, posters):
    paths = np.array([*map(str, images_of(posters)), "none.jpg"])
    model = load_model(model_path)
    assert model.images_at_once % 32 == 0
    whole, failures = model.predict_loadable(paths)
    assert [(row, path) for row, path, _ in failures] == [(60, "none.jpg")]
    assert np.isnan(whole[60]).all()
    chunked, again = model._replace(images_at_once=32).predict_loadable(paths)
    np.testing.assert_array_equal(chunked, whole)
    assert again == failures
    with pytest.raises(ImageLoadError, match=r"row 60: none\.jpg"):
        model.predict_proba(paths)


def test_names_of_files_need_not_be_text(run, model_path, posters, tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"p\xff\x1b.jpg")
    shutil.copy(images_of(posters)[0], path)
    for how in ("table", "json", "csv"):
        status, out, _ = run("predict", model_path, os.fsdecode(path), "--format", how)
        assert status == 0
        out.encode()
        if how == "json":
            assert os.fsencode(json.loads(out)[0]["image"]) == path
        else:
            assert "\\udcff" in out


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_output_is_whole_in_every_encoding(encoding, model_path, posters, monkeypatch):
    name = "rouge \N{HEAVY BLACK HEART}\x1b[2J"
    model = load_model(model_path)
    model = model._replace(label_names=[name, *model.label_names[1:]])
    monkeypatch.setattr(predict_command, "load_model", lambda path, **_: model)
    for how in ("table", "json", "csv"):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "stdout", stream)
        image = str(images_of(posters)[0])
        assert main(["predict", model_path, image, "--format", how]) == 0
        text = stream.buffer.getvalue().decode(encoding)
        assert ("\x1b" in text) == (how == "csv"), "a program gets what there is"
        if how == "json":
            assert name in {entry["label"] for entry in json.loads(text)[0]["top"]}
        else:
            assert "rouge \\u2764" in text


@pytest.mark.filterwarnings("always::skposter.exceptions.ImageLoadWarning")
def test_on_error_reaches_the_loader(run, train_arguments, posters, tmp_path):
    images = tmp_path / "Images"
    shutil.copytree(posters / "Images", images)
    images_of(tmp_path)[0].write_bytes(b"no image")
    arguments = [*train_arguments, "-o", tmp_path / "m.joblib", "-q"]
    arguments[2] = images
    assert run(*arguments)[0] == 2
    status, _, err = run(*arguments, "--on-error", "blank")
    assert status == 0
    assert "skposter: warning: A grey image stands in" in err
    assert joblib.load(tmp_path / "m.joblib")[0].on_error == "blank"


def test_the_safe_format_is_known_by_what_is_in_a_file(run, fitted_classifier, tmp_path):
    skposter.save(fitted_classifier, tmp_path / "a.skposter")
    os.rename(tmp_path / "a.skposter", tmp_path / "b.joblib")
    assert load_model(tmp_path / "b.joblib").label_names == ["red", "green", "blue"]
    status, out, _ = run("card", tmp_path / "b.joblib")
    assert (status, 'skposter.load("a.skposter")' in out) == (0, True)
    joblib.dump(fitted_classifier, tmp_path / "c.skposter")  # never trusted by this name
    status, _, err = run("card", tmp_path / "c.skposter")
    assert status == 2
    assert "looks like a pickle" in err


START = """
import signal, sys
set_handler = signal.signal
def told(*arguments):
    before = set_handler(*arguments)
    print("ready", flush=True)
    return before
signal.signal = told
from skposter.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("moment", [0.0, 0.1, 1.0])
def test_ctrl_c_at_the_start_is_one_line(moment, model_path, posters, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", START, "predict", model_path, posters / "Images"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    time.sleep(moment)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "skposter: interrupted\n")
    assert set(out.split()) <= {"ready"}


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
