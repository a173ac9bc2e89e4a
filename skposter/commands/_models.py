"""Models on disk, and what the commands need to know of a fitted one."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from functools import partial
from typing import Any, NamedTuple

from skposter.exceptions import ArtifactError, DataError, ImageLoadError, SkposterError

SAFE_ENDING = ".skposter"
ONNX_ENDING = ".onnx"
TRUSTED_ENDINGS = (".joblib", ".pkl", ".pickle")
TRUSTED_ONLY = (
    "Loading a joblib file runs code that may be in it: load only those that you trust. "
    f"A {SAFE_ENDING} file holds no code."
)

_MANY_IMAGES = 100
# Pixels that are in memory at once while images are predicted.
_CHUNK_BYTES = 2**28
_MAX_CHUNK = 4096


class FittedModel(NamedTuple):
    """A fitted pipeline, and what its last step has learned about the labels."""

    pipeline: Any
    label_names: list
    thresholds: Any
    min_labels: int
    label_frequencies: Any
    rule: str
    images_at_once: int

    @classmethod
    def of(cls, pipeline):
        """Look into a fitted pipeline, a search over one, or a classifier around one.

        Raises
        ------
        DataError
            If it is nothing that classifies images with several labels.
        """
        from sklearn.exceptions import NotFittedError

        from skposter._estimators.steps import deciding, learned

        try:
            decides, classifier = deciding(pipeline), learned(pipeline)
        except (ArtifactError, NotFittedError) as error:
            raise DataError(
                f"holds a {type(pipeline).__name__}, expected a fitted pipeline that ends in a "
                "MultiLabelImageClassifier"
            ) from error
        return cls(
            pipeline,
            classifier.label_names_.tolist(),
            decides.thresholds_,
            getattr(decides, "min_labels", 0),
            classifier.label_frequencies_,
            _threshold_rule(decides),
            _images_at_once(classifier.image_shape_, classifier.recipe_["batch_size"]),
        )

    @classmethod
    def of_onnx(cls, predictor):
        """Return the same of what `skposter.load_onnx` gives."""
        return cls(
            predictor,
            predictor.label_names_.tolist(),
            predictor.thresholds_,
            predictor.min_labels,
            predictor.label_frequencies_,
            "The thresholds are those of the model that was exported",
            _images_at_once(predictor.image_shape_, 32),
        )

    def predict_proba(self, paths, *, progress=False):
        """Return the probability of each label of each image, `(n_samples, n_labels)`.

        Raises
        ------
        ImageLoadError
            After all images have been tried, naming each that cannot be loaded.
        """
        probabilities, failures = self.predict_loadable(paths, progress=progress)
        if failures:
            from skposter.images import failure_report

            raise failure_report(failures, "Images that could not be loaded")
        return probabilities

    def predict_loadable(self, paths, *, progress=False):
        """Return the probabilities of the images that can be loaded, and what is wrong with others.

        Parameters
        ----------
        paths : ndarray of str, shape (n_samples,)
            The images.
        progress : bool, default=False
            Whether to show a progress bar, if there are many.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_labels)
            NaN for an image that cannot be loaded.
        failures : list of (int, str, str)
            Index, path and cause of those, in their order.
        """
        import numpy as np

        probabilities = np.full((len(paths), len(self.label_names)), np.nan, dtype=np.float32)
        failures: list[tuple[int, str, str]] = []
        with _progress_bar(len(paths), progress and len(paths) >= _MANY_IMAGES) as done:
            for start in range(0, len(paths), self.images_at_once):
                rows = np.arange(start, min(start + self.images_at_once, len(paths)))
                done(len(rows))
                while len(rows):
                    try:
                        probabilities[rows] = self.pipeline.predict_proba(paths[rows])
                        break
                    except ImageLoadError as error:
                        if not error.failures:
                            raise
                        bad = [i for i, _, _ in error.failures]
                        failures += [(int(rows[i]), path, why) for i, path, why in error.failures]
                        rows = np.delete(rows, bad)
        return probabilities, failures

    def read_addresses(self, storage_options):
        """Let the model read the addresses that whoever runs the command names.

        Parameters
        ----------
        storage_options : dict or None
            As of `ImageLoader`; None leaves what the model has.
        """
        if hasattr(self.pipeline, "storage_options"):  # an exported model refuses them otherwise
            self.pipeline.storage_options = storage_options or {}
            return
        from skposter._estimators.steps import image_loader  # which imports scikit-learn

        loader = image_loader(self.pipeline)
        if loader is not None and storage_options is not None:
            loader.storage_options = storage_options

    def decide(self, probabilities):
        """Return 0/1 for each label of each image, `(n_samples, n_labels)`."""
        from skposter._labels.decisions import decide

        return decide(probabilities, self.thresholds, self.min_labels).astype(int)


@contextlib.contextmanager
def _progress_bar(total, shown):
    if not shown:
        yield lambda n: None
        return
    from tqdm import tqdm

    with tqdm(total=total, desc="Predicting", unit="image") as bar:
        yield bar.update


def _images_at_once(image_shape, batch_size):
    height, width, channels = image_shape
    n_batches = _CHUNK_BYTES // (height * width * channels * batch_size)
    return max(1, min(n_batches, _MAX_CHUNK // batch_size)) * batch_size


def load_model(path, *, onnx=False):
    """Load what ``skposter train``, ``skposter.save`` or ``joblib.dump`` has written.

    Parameters
    ----------
    path : str or path-like
        The file. A joblib file is trusted: loading it can run any code. One that ends in
        ``.skposter`` or ``.onnx`` never is.
    onnx : bool, default=False
        Whether the command can do with the predictions of an exported network.

    Returns
    -------
    model : FittedModel
        Its pipeline is an `OnnxPredictor` if the file was exported.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataError, ArtifactError
        If it holds something else.
    """
    path = os.fspath(path)
    if not os.path.exists(path):
        raise FileNotFoundError(f"there is no model file {path!r}")
    if not os.path.isfile(path):
        raise DataError(f"{path!r} is not a model file (a folder or a device)")
    if os.path.splitext(path)[1] == ONNX_ENDING:
        if not onnx:
            raise DataError(
                f"{path!r} is an exported network, with which images can be predicted only; "
                "expected the model that it was exported from"
            )
        from skposter.onnx import load_onnx

        try:
            return FittedModel.of_onnx(load_onnx(path))
        except ImportError as error:  # an extra is not installed, which the message names
            raise SkposterError(error) from error
    if is_safe(path):
        from skposter.persistence import load

        pipeline = load(path)
    else:
        pipeline = _load_joblib(path)
    try:
        model = FittedModel.of(pipeline)
        set_verbose(pipeline, 0)
        return model
    except DataError as error:
        raise DataError(f"{path!r} {error}") from None


def is_safe(path):
    """Tell whether a file is read without trust: by its name, or by what is in it."""
    if os.path.splitext(path)[1] == SAFE_ENDING:
        return True
    from skposter.persistence import is_model_file

    return is_model_file(path)


def _load_joblib(path):
    import joblib

    try:
        return joblib.load(path)
    except MemoryError:
        raise
    except Exception as error:  # whatever unpickling something else comes to
        why = f"{type(error).__name__}: {str(error)[:300]}"
        if isinstance(error, ArtifactError | ModuleNotFoundError) and "skposter" in str(error):
            why = str(error)  # it is of another version, and says so
        raise DataError(f"{path!r} is not a model that joblib can load ({why})") from error


def set_verbose(pipeline, verbose):
    """Set whether the steps of a pipeline show progress; no step need have such a parameter."""
    names = [name for name in pipeline.get_params() if name.split("__")[-1] == "verbose"]
    pipeline.set_params(**dict.fromkeys(names, verbose))


def save_model(pipeline, path):
    """Write a fitted pipeline as a whole or not at all; the ending of `path` decides how."""
    if os.path.splitext(path)[1] == SAFE_ENDING:
        from skposter.persistence import save

        save(pipeline, path)
        return
    import joblib

    from skposter._files.durable import write_durably

    write_durably(path, partial(joblib.dump, pipeline))


def save_somewhere(pipeline, path):
    """Write what a long training has given; return where.

    If `path` cannot be written, or cannot hold this model, a joblib file elsewhere has to do.
    """
    try:
        save_model(pipeline, path)
    except (ArtifactError, OSError) as error:
        stem, ending = os.path.splitext(path)
        if isinstance(error, ArtifactError):
            ending = TRUSTED_ENDINGS[0]
        if isinstance(error, OSError) or os.path.exists(stem + ending):
            stem = os.path.join(tempfile.mkdtemp(prefix="skposter-"), os.path.basename(stem))
        save_model(pipeline, stem + ending)
        print(
            f"skposter: {path!r} could not be written ({error}), so the model is in "
            f"{stem + ending!r}",
            file=sys.stderr,
        )
        return stem + ending
    return path


def check_output(path, endings):
    """Raise now if a file cannot be written, not after an hour of training.

    Parameters
    ----------
    path : str or path-like
        The file.
    endings : tuple of str
        Those that say how it is written.

    Raises
    ------
    ValueError
        If its name has another ending.
    OSError
        If it is a folder, or its folder is not there or cannot be written into.
    """
    path = os.fspath(path)
    folder, name = os.path.split(path)
    folder = folder or os.curdir
    if not name or os.path.isdir(path):
        raise IsADirectoryError(f"{path!r} is a folder, expected a file to write")
    if os.path.splitext(name)[1] not in endings:
        raise ValueError(
            f"the ending of {path!r} says nothing about how to write it; expected one of "
            f"{', '.join(endings)}"
        )
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"there is no folder {folder!r} to write {name!r} into")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(f"cannot write into {folder!r}: {error.strerror}") from None


def _threshold_rule(classifier):
    """Say in words where the thresholds come from: no F1 means anything without."""
    rule = getattr(classifier, "objective", None) or getattr(classifier, "threshold", None)
    if isinstance(rule, str):
        return f"Thresholds were chosen for {rule} on held-out training images"
    if isinstance(rule, float | int):
        return f"The threshold of each label is {rule}"
    return "The thresholds of the labels were given"
