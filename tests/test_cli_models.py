"""The commands that take a model apart: export and card."""

import json
import sys
import zipfile

import joblib
import pytest

import skposter
from skposter.commands._main import main


@pytest.fixture(scope="module")
def model_files(tmp_path_factory, fitted_classifier):
    """The same model as a joblib file and as one without code."""
    folder = tmp_path_factory.mktemp("models")
    joblib.dump(fitted_classifier, folder / "model.joblib")
    skposter.save(fitted_classifier, folder / "model.skposter", description="Sorts colours.")
    return folder


@pytest.mark.parametrize("ending", ["joblib", "skposter"])
def test_export_writes_what_the_ending_says(ending, model_files, tmp_path, capsys):
    output = tmp_path / "model.keras"
    assert main(["export", str(model_files / f"model.{ending}"), "-o", str(output)]) == 0
    assert "predictions agree within 1e-5" in capsys.readouterr().out
    with zipfile.ZipFile(output) as archive:
        assert json.loads(archive.read("skposter.json"))["labels"] == ["red", "green", "blue"]


def test_export_refuses_in_one_line(model_files, tmp_path, capsys, monkeypatch):
    model = str(model_files / "model.skposter")
    assert main(["export", model, "-o", str(tmp_path / "model.h5")]) == 2
    assert "names no format" in capsys.readouterr().err
    assert main(["export", model, "--format", "onnx", "-o", str(tmp_path / "m.keras")]) == 2
    assert "format='onnx', and the ending of" in capsys.readouterr().err
    assert main(["export", model, "--format", "saved_model", "-o", str(tmp_path)]) == 2
    assert "is a folder that is there already" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    assert main(["export", model, "-o", str(tmp_path / "model.onnx")]) == 2
    assert "pip install 'skposter[onnx]'" in capsys.readouterr().err


def test_card_is_that_of_the_file_or_made_for_a_joblib_file(model_files, capsys):
    assert main(["card", str(model_files / "model.skposter")]) == 0
    kept = capsys.readouterr().out
    assert kept.startswith("---\nlibrary_name: skposter\n")
    assert "Sorts colours." in kept
    assert main(["card", str(model_files / "model.joblib")]) == 0
    made = capsys.readouterr().out
    assert made.split("## Trained on")[1] == kept.split("## Trained on")[1]
    assert 'skposter.load("model.skposter")' in kept
    assert 'joblib.load("model.joblib")' in made


def test_a_damaged_model_is_named(model_files, tmp_path, capsys):
    path = tmp_path / "model.skposter"
    path.write_bytes((model_files / "model.skposter").read_bytes()[:-100])
    for command in (["card", str(path)], ["export", str(path), "-o", str(tmp_path / "m.keras")]):
        assert main(command) == 2
        assert "model.skposter': is damaged or incomplete" in capsys.readouterr().err
