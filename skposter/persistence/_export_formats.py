"""Keras models written for other runtimes, and what those runtimes make of them.

Each format has a pair of functions: one writes a model with its metadata, one predicts with what
was written.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import tempfile
import warnings
import zipfile
from importlib import import_module

__all__ = ["FORMATS", "METADATA"]

METADATA = "skposter.json"


def _needed(module, extra):
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"format={extra!r} needs {module}. Install it with: pip install 'skposter[{extra}]'"
        ) from error


def _write_onnx(model, path, metadata):
    onnx = _needed("onnx", "onnx")
    _needed("tf2onnx", "onnx")
    _needed("onnxruntime", "onnx")
    with _quietly():
        model.export(path, format="onnx", verbose=False)
    network = onnx.load(path)
    onnx.helper.set_model_props(network, {k: json.dumps(v) for k, v in metadata.items()})
    onnx.save(network, path)


def _run_onnx(path, images):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (first,) = session.get_inputs()
    return session.run(None, {first.name: images})[0]


def _write_litert(model, path, metadata):
    _needed("ai_edge_litert.interpreter", "litert")
    from skposter._keras.tensorflow import tf

    with _quietly(), tempfile.TemporaryDirectory() as folder:
        model.export(folder, format="tf_saved_model", verbose=False)
        converted = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    with open(path, "wb") as file:
        file.write(converted)
    _add_to_zip(path, metadata)  # an archive behind the model, as TensorFlow Lite's metadata are


def _run_litert(path, images):
    from ai_edge_litert.interpreter import Interpreter

    with _quietly():
        interpreter = Interpreter(model_path=path)
    (first,), (last,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(first["index"], images.shape)
    with _quietly():
        interpreter.allocate_tensors()
    interpreter.set_tensor(first["index"], images)
    interpreter.invoke()
    return interpreter.get_tensor(last["index"])


def _write_keras(model, path, metadata):
    model.save(path)
    _add_to_zip(path, metadata)


def _run_keras(path, images):
    from skposter._keras.tensorflow import keras

    return keras.saving.load_model(path, compile=False)(images).numpy()


def _write_saved_model(model, path, metadata):
    with _quietly():
        model.export(path, format="tf_saved_model", verbose=False)
    folder = os.path.join(path, "assets.extra")  # where TensorFlow keeps what is the user's
    os.makedirs(folder)
    with open(os.path.join(folder, METADATA), "w", encoding="utf-8") as file:
        json.dump(metadata, file, indent=1, ensure_ascii=False)


def _run_saved_model(path, images):
    from skposter._keras.tensorflow import tf

    loaded = tf.saved_model.load(path)  # its variables live as long as it is referred to
    return loaded.serve(images).numpy()


def _add_to_zip(path, metadata):
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(METADATA, json.dumps(metadata, indent=1, ensure_ascii=False))


@contextlib.contextmanager
def _quietly():
    """Keep the converters' progress and warnings about their own code from the user."""
    from skposter._keras.tensorflow import no_retracing_warnings, standard_error_without_noise

    levels = {name: logging.getLogger(name).level for name in ("tensorflow", "tf2onnx", "absl")}
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        standard_error_without_noise(),
        no_retracing_warnings(),
    ):
        warnings.simplefilter("ignore")
        try:
            for name in levels:
                logging.getLogger(name).setLevel(logging.ERROR)
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


# Name: usual ending, writer, runner.
FORMATS = {
    "onnx": (".onnx", _write_onnx, _run_onnx),
    "litert": (".tflite", _write_litert, _run_litert),
    "keras": (".keras", _write_keras, _run_keras),
    "saved_model": ("", _write_saved_model, _run_saved_model),
}
