"""Models written for other runtimes predict what ours do, and say what their outputs mean."""

import json
import zipfile

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

import skposter
from skposter import FixedThresholdsClassifier, ImageLoader
from skposter.exceptions import ArtifactError

ENDINGS = {"onnx": ".onnx", "litert": ".tflite", "keras": ".keras", "saved_model": ""}


def exported(model, folder, format):
    """Return the path of an exported model, or skip without what it needs."""
    path = folder / f"model{ENDINGS[format]}"
    try:
        skposter.export(model, path, format=format)
    except ImportError as error:
        pytest.skip(str(error))
    return path


def onnx_run(path, X):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    properties = session.get_modelmeta().custom_metadata_map
    metadata = {name: json.loads(value) for name, value in properties.items()}
    (images,) = session.get_inputs()
    assert images.type == "tensor(uint8)"
    return session.run(None, {images.name: X})[0], metadata


def litert_run(path, X):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    (images,) = interpreter.get_input_details()
    assert images["dtype"] is np.uint8
    interpreter.resize_tensor_input(images["index"], X.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(images["index"], X)
    interpreter.invoke()
    (probabilities,) = interpreter.get_output_details()
    with zipfile.ZipFile(path) as archive:
        metadata = json.loads(archive.read("skposter.json"))
    return interpreter.get_tensor(probabilities["index"]), metadata


def keras_run(path, X):
    import keras

    with zipfile.ZipFile(path) as archive:
        metadata = json.loads(archive.read("skposter.json"))
    return keras.saving.load_model(path)(X).numpy(), metadata


def saved_model_run(path, X):
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    metadata = json.loads((path / "assets.extra" / "skposter.json").read_text())
    return loaded.serve(X).numpy(), metadata


RUN = {"onnx": onnx_run, "litert": litert_run, "keras": keras_run, "saved_model": saved_model_run}


@pytest.fixture(scope="module")
def model(tiny_classifier, colour_images):
    labels = pd.DataFrame(colour_images[1], columns=["red", "green", "blå"])
    classifier = tiny_classifier(epochs=2, augmentation="light", tta="flip")
    pipeline = make_pipeline(
        ImageLoader(size=(16, 16), resize="pad"),
        FixedThresholdsClassifier(classifier, threshold={"green": 0.25}, min_labels=1),
    )
    return pipeline.fit(colour_images[0], labels)


@pytest.mark.parametrize("format", ENDINGS)
def test_other_runtimes_predict_the_same(format, model, tmp_path, colour_images):
    path = exported(model, tmp_path, format)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]
    X = colour_images[0][:7]
    probabilities, metadata = RUN[format](path, X)
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-5)
    assert metadata["labels"] == ["red", "green", "blå"]
    assert metadata["thresholds"] == [0.5, 0.25, 0.5]
    assert metadata["min_labels"] == 1
    assert metadata["image"] == {
        "height": 16,
        "width": 16,
        "channels": 3,
        "dtype": "uint8",
        "mode": "RGB",
        "resize": "pad",
        "resample": "bilinear",
        "background": [255, 255, 255],
        "exact": False,
        "on_error": "raise",
        "max_pixels": 25_000_000,
        "max_bytes": 100_000_000,
        "formats": ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"],
    }
    np.testing.assert_allclose(metadata["label_frequencies"], colour_images[1].mean(axis=0))


def test_keras_files_need_no_skposter(model, tmp_path, run_python):
    path = exported(model, tmp_path, "keras")
    run_python(
        """
        import sys, keras, numpy as np
        model = keras.saving.load_model(sys.argv[1])
        assert model(np.zeros((2, 16, 16, 3), np.uint8)).shape == (2, 3)
        assert not any(name.startswith("skposter") for name in sys.modules)
        """,
        path,
    )


def test_the_ending_names_the_format(fitted_classifier, tmp_path):
    skposter.export(fitted_classifier, tmp_path / "model.keras")
    skposter.export(fitted_classifier, tmp_path / "model.keras")  # a file is replaced
    assert zipfile.is_zipfile(tmp_path / "model.keras")
    for path, format, message in [
        ("model.h5", None, "names no format; expected one of"),
        ("model.onnx", "onxx", "Did you mean 'onnx'"),
    ]:
        with pytest.raises(ValueError, match=message):
            skposter.export(fitted_classifier, tmp_path / path, format=format)
    with pytest.raises(FileExistsError, match="is a folder"):
        skposter.export(fitted_classifier, tmp_path, format="saved_model")
    with pytest.raises(FileNotFoundError, match="no folder"):
        skposter.export(fitted_classifier, tmp_path / "no" / "model.keras")


def test_what_predicts_something_else_is_not_kept(fitted_classifier, tmp_path, monkeypatch):
    from skposter.persistence._export_formats import FORMATS

    ending, write, run = FORMATS["keras"]

    def wrong(path, images):
        return run(path, images) + 1e-4

    monkeypatch.setitem(FORMATS, "keras", (ending, write, wrong))
    with pytest.raises(ArtifactError, match="predicts something else"):
        skposter.export(fitted_classifier, tmp_path / "model.keras")
    monkeypatch.setitem(FORMATS, "keras", (ending, write, lambda path, images: 1 / 0))
    with pytest.raises(ArtifactError, match="cannot be run"):
        skposter.export(fitted_classifier, tmp_path / "model.keras")
    assert not list(tmp_path.iterdir())


def test_a_missing_extra_is_named(fitted_classifier, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tf2onnx", None)
    monkeypatch.setitem(__import__("sys").modules, "ai_edge_litert.interpreter", None)
    for name, ending in (("onnx", ".onnx"), ("litert", ".tflite")):
        with pytest.raises(ImportError, match=rf"pip install 'skposter\[{name}\]'"):
            skposter.export(fitted_classifier, tmp_path / f"model{ending}")


def test_an_unfitted_model_is_refused(tiny_classifier, tmp_path):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        skposter.export(tiny_classifier(), tmp_path / "model.keras")
