"""A trained network for runtimes without Python: :func:`export`."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import TYPE_CHECKING

import numpy as np

from skposter._estimators.spelling import did_you_mean
from skposter._estimators.steps import deciding, image_loader, learned, steps_inwards
from skposter._files.durable import patiently
from skposter._version import __version__
from skposter.exceptions import ArtifactError
from skposter.persistence._export_formats import FORMATS
from skposter.persistence._params import names_as_json

if TYPE_CHECKING:
    from typing import Any, Literal

    from skposter._typing import PathLike

__all__ = ["export", "export_format"]

TOLERANCE = 1e-5
_LOADING = (
    "mode",
    "resize",
    "resample",
    "background",
    "exact",
    "on_error",
    "max_pixels",
    "max_bytes",
    "formats",
)


def export(
    model: Any,
    path: PathLike,
    format: Literal["onnx", "litert", "keras", "saved_model"] | None = None,
) -> None:
    """Write the network of a fitted model for another runtime: uint8 images in, probabilities out.

    What the network does to pixel values is inside; augmentation, which acts in training only, is
    not. Images must arrive with the height, width and channels in the metadata, where the names of
    labels, the thresholds and the parameters of an :class:`~skposter.ImageLoader` are as well. What
    was written is run on a few images and compared with the model before it takes its place.

    Parameters
    ----------
    model : estimator
        A fitted :class:`~skposter.MultiLabelImageClassifier`, alone, with thresholds around it, in
        a pipeline or in a search.
    path : str or path-like
        Where to. A folder for ``"saved_model"``, which must not be there yet; otherwise a file,
        which is replaced.
    format : {"onnx", "litert", "keras", "saved_model"}, default=None
        None follows from the ending of `path`: ``.onnx``, ``.tflite`` or ``.keras``. The first two
        need ``pip install 'skposter[onnx]'`` and ``'skposter[litert]'``.

    Raises
    ------
    ValueError
        If the format is unknown.
    ImportError
        If its extra is not installed.
    ArtifactError
        If what was written predicts something else by more than 1e-5.

    See Also
    --------
    skposter.load_onnx : Predicts with an ONNX file, without TensorFlow.

    Notes
    -----
    Metadata are JSON: in ONNX the values of ``metadata_props``; in LiteRT and Keras files the
    member ``skposter.json`` of the zip archive that both are; in a SavedModel the file
    ``assets.extra/skposter.json``. ``labels`` are in the order of the outputs, and a label is
    predicted where its output is at least its entry in ``thresholds``. What images go through
    between their loader and the network is not in the file, and named under ``other_steps``.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import skposter
    >>> X = np.zeros((20, 16, 16, 3), dtype=np.uint8)
    >>> y = np.tile([[0, 1], [1, 0]], (10, 1))
    >>> model = skposter.MultiLabelImageClassifier("small_cnn", epochs=1).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     skposter.export(model, f"{folder}/model.keras")
    """
    path = os.path.realpath(path)
    _, write, run = FORMATS[export_format(path, format)]
    if os.path.isdir(path):
        raise FileExistsError(f"{path!r} is a folder that is there already.")
    if any("estimators_" in vars(step) for step in steps_inwards(model)):
        raise ArtifactError(
            "The model averages several networks, and export writes one: export the members of "
            "its estimators_ one by one."
        )
    classifier = learned(model)
    metadata = _metadata(model)
    images = np.random.default_rng(0).integers(
        0, 256, size=(3, *classifier.image_shape_), dtype=np.uint8
    )
    expected = classifier.predict_proba(images)
    network = _prediction_network(classifier)
    network(images)  # Keras wants it called before it writes ONNX
    folder, name = os.path.split(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"There is no folder {folder!r} to write {name!r} into.")
    temporary = tempfile.mkdtemp(dir=folder, prefix=".skposter-")
    try:
        written = os.path.join(temporary, name)
        write(network, written, metadata)
        try:
            found = run(written, images)
        except Exception as error:  # each runtime has its own
            raise ArtifactError(
                f"What was written cannot be run; nothing was kept. ({str(error)[:500]})"
            ) from error
        difference = np.abs(np.asarray(found) - expected).max()
        if not difference <= TOLERANCE:
            raise ArtifactError(
                f"What was written predicts something else (by {difference:.2g}) than the model; "
                "nothing was kept."
            )
        patiently(os.replace, written, path)
    finally:
        shutil.rmtree(temporary)


def export_format(path: PathLike, name: str | None = None) -> str:
    """Return the format of :func:`export` for a path, with the same errors."""
    endings = {ending: name for name, (ending, _, _) in FORMATS.items() if ending}
    said = endings.get(os.path.splitext(path)[1])
    if name is None and said is None:
        raise ValueError(
            f"The ending of {path!r} names no format; expected one of "
            f"{', '.join(sorted(endings))}, or format= one of {', '.join(FORMATS)}."
        )
    if name is not None and name not in FORMATS:
        raise ValueError(
            f"format={name!r} is not known.{did_you_mean(name, FORMATS)} Expected one of "
            f"{list(FORMATS)}."
        )
    if None not in (name, said) and name != said:
        raise ValueError(f"format={name!r}, and the ending of {path!r} says {said!r}.")
    return name or said  # type: ignore[return-value]  # one of them is known here


def _metadata(model):
    classifier, last = learned(model), deciding(model)
    height, width, channels = classifier.image_shape_
    image = {"height": height, "width": width, "channels": channels, "dtype": "uint8"}
    loader = image_loader(model)
    if loader is not None:
        for name in _LOADING:
            value = getattr(loader, name)
            image[name] = list(value) if isinstance(value, tuple) else value
    metadata = {
        "labels": names_as_json(classifier.label_names_, "model"),
        # Infinity is not JSON, and beyond 0 and 1 thresholds are all alike.
        "thresholds": np.clip(np.asarray(last.thresholds_, dtype=float), -1, 2).tolist(),
        "min_labels": int(last.min_labels),
        "label_frequencies": np.asarray(classifier.label_frequencies_, dtype=float).tolist(),
        "image": image,
        "skposter_version": __version__,
    }
    others = _other_steps(model, loader)
    return {**metadata, "other_steps": others} if others else metadata


def _other_steps(model, loader):
    """Return the names of what images go through between the loader and the network."""
    return [
        type(part).__name__
        for step in steps_inwards(model)
        for _, part in getattr(step, "__dict__", {}).get("steps", ())[:-1]
        if part is not loader and part is not None and not isinstance(part, str)
    ]


def _prediction_network(classifier):
    """Return the Keras model that predicts: without augmentation, with test-time averaging."""
    from skposter._keras.tensorflow import keras
    from skposter._training.keras_fit import untrained_network

    trained = classifier.model_
    plain = untrained_network(classifier, augmentation="none")
    plain.set_weights(trained.get_weights())
    tta = classifier.recipe_["tta"] if classifier.tta == "auto" else classifier.tta
    if tta == "none":
        return plain
    images = keras.Input(classifier.image_shape_, dtype="uint8", name="images")
    log_odds = [_log_odds(plain(images)), _log_odds(plain(images[:, :, ::-1]))]
    mean = keras.layers.Average(name="mean_log_odds")(log_odds)
    return keras.Model(images, keras.ops.sigmoid(mean), name=f"{plain.name}_averaged")


def _log_odds(probabilities):
    from skposter._keras.tensorflow import keras

    clipped = keras.ops.clip(probabilities, 1e-7, 1 - 1e-7)
    return keras.ops.log(clipped) - keras.ops.log(1 - clipped)  # ONNX has no log1p
