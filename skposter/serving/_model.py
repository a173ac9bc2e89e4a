"""What is served: a fitted pipeline or an exported model, image by image."""

from __future__ import annotations

import io

import numpy as np

from skposter._labels.decisions import decide
from skposter.exceptions import ImageLoadError
from skposter.images import Decoder, UnreadableImage, as_sources
from skposter.onnx import OnnxPredictor

__all__ = ["RefusedImage", "ServedModel", "served"]


class RefusedImage(Exception):  # noqa: N818 - private, carries what the client will be told
    """An upload that is no image which the model's loader takes."""


class ServedModel:
    """A model, as an app needs it.

    Parameters
    ----------
    predict_proba : callable
        From uint8 images `(n_samples, height, width, channels)` to probabilities.
    transform : callable
        From a list of encoded images to such images.
    label_names : list
    thresholds : ndarray of shape (n_labels,)
    min_labels : int
    runtime : str
    explain : callable, default=None
        From an image source and the name of a label to a PIL image.
    """

    def __init__(
        self, predict_proba, transform, label_names, thresholds, min_labels, runtime, explain=None
    ):
        self._predict_proba = predict_proba
        self._transform = transform
        self._explain = explain
        self.label_names = label_names
        self.thresholds = np.asarray(thresholds, dtype=np.float64)
        self.min_labels = min_labels
        self.runtime = runtime
        self.image_shape: tuple = ()

    @property
    def has_heat_maps(self):
        """Whether `heat_map` can be called."""
        return self._explain is not None

    def load(self, content):
        """Return one encoded image (bytes) as pixels, or raise RefusedImage."""
        try:
            return self._transform([content])[0]
        except ImageLoadError as error:
            raise RefusedImage(error.failures[0][2] if error.failures else str(error)) from None

    def predict(self, images):
        """Return the probabilities of uint8 images and which labels are predicted."""
        y_score = np.asarray(self._predict_proba(images))
        return y_score, decide(y_score, self.thresholds, self.min_labels)

    def heat_map(self, content, label):
        """Return a PNG of an encoded image with the regions that speak for a label."""
        file = io.BytesIO()
        try:
            self._explain(content, label).save(file, format="PNG")
        except ImageLoadError as error:  # a loader may take more than can be shown
            raise RefusedImage(error.failures[0][2]) from None
        except UnreadableImage as error:
            raise RefusedImage(str(error)) from None
        return file.getvalue()

    def warm_up(self):
        """Predict a blank image, and explain it, so that the first answer comes as fast as others.

        Classifiers whose heat maps cannot be computed have none from here on.
        """
        blank = np.full((48, 32, 3), 127, dtype=np.uint8)
        images = self._transform([blank])
        self.image_shape = tuple(images.shape[1:])
        self.predict(images)
        if self._explain is not None:
            try:
                self._explain(blank, self.label_names[0])
            except ValueError:
                self._explain = None


def served(model):
    """Return a fitted pipeline, a classifier around one, or an `OnnxPredictor` as `ServedModel`.

    Raises
    ------
    ValueError
        If it does not say how files become images.
    """
    if isinstance(model, OnnxPredictor):
        if model.pixel_options_ is None:
            raise ValueError(_NO_LOADER)
        decoder = Decoder(model.pixel_options_)
        return ServedModel(
            model.predict_proba,
            lambda sources: decoder.decode(as_sources(sources)),
            model.label_names_.tolist(),
            model.thresholds_,
            model.min_labels,
            "onnxruntime",
        )
    from sklearn.base import clone

    from skposter._estimators.steps import deciding, image_loader, learned

    decides, classifier = deciding(model), learned(model)
    loader = image_loader(model)
    if loader is None:
        raise ValueError(_NO_LOADER)
    # Threads are one an upload, and uploads are kept nowhere.
    loader = clone(loader).set_params(
        n_jobs=1, cache_dir=None, cache_limit=0, lazy=False, on_error="raise", verbose=0
    )

    def explain(content, label):
        from skposter.inspection import explain

        return explain(model, [content], label)[0].overlay(label)

    return ServedModel(
        model.predict_proba,  # the loader leaves images of its size as they are
        loader.transform,
        classifier.label_names_.tolist(),
        decides.thresholds_,
        getattr(decides, "min_labels", 0),
        "TensorFlow",
        explain,
    )


_NO_LOADER = (
    "The model has no ImageLoader, so it does not say how a file becomes an image of its. Serve a "
    "pipeline that begins with one."
)
