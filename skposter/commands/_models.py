"""Models on disk, and what the commands need to know of a fitted one."""

from __future__ import annotations

import os
import tempfile
from functools import partial
from typing import Any, NamedTuple

from skposter.exceptions import DataError

SAFE_ENDING = ".skposter"
TRUSTED_ONLY = (
    "Loading a joblib file runs code that may be in it: load only those that you trust. "
    f"A {SAFE_ENDING} file holds no code."
)


_MANY_IMAGES = 100


class FittedModel(NamedTuple):
    """A fitted pipeline, and what its last step has learned about the labels."""

    pipeline: Any
    label_names: list
    thresholds: Any
    min_labels: int
    label_frequencies: Any
    rule: str

    @classmethod
    def of(cls, pipeline):
        """Look into a fitted pipeline, a search over one, or a classifier with tuned thresholds.

        Raises
        ------
        DataError
            If it is nothing that classifies images with several labels.
        """
        steps = list(_steps_inwards(pipeline))
        decides = _first_with(steps, "thresholds_")
        learned = _first_with(steps, "label_frequencies_")
        if decides is None or learned is None or not hasattr(pipeline, "predict_proba"):
            raise DataError(
                f"holds a {type(pipeline).__name__}, expected a fitted pipeline that ends in a "
                "MultiLabelImageClassifier"
            )
        return cls(
            pipeline,
            learned.label_names_.tolist(),
            decides.thresholds_,
            getattr(decides, "min_labels", 0),
            learned.label_frequencies_,
            _threshold_rule(decides),
        )

    def predict_proba(self, paths, *, progress=False):
        """Return the probability of each label of each image, `(n_samples, n_labels)`."""
        if progress and len(paths) >= _MANY_IMAGES:
            set_verbose(self.pipeline, 1)
        try:
            return self.pipeline.predict_proba(paths)
        finally:
            set_verbose(self.pipeline, 0)

    def decide(self, probabilities):
        """Return 0/1 for each label of each image, `(n_samples, n_labels)`."""
        from skposter.thresholds import apply_thresholds

        return apply_thresholds(probabilities, self.thresholds, min_labels=self.min_labels)


def load_model(path):
    """Load what ``skposter train``, ``skposter.save`` or ``joblib.dump`` has written.

    Parameters
    ----------
    path : str or path-like
        The file. A joblib file is trusted: loading it can run any code.

    Returns
    -------
    model : FittedModel

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
    if os.path.splitext(path)[1] == SAFE_ENDING:
        from skposter.persistence import load

        pipeline = load(path)
    else:
        pipeline = _load_joblib(path)
    try:
        return FittedModel.of(pipeline)
    except DataError as error:
        raise DataError(f"{path!r} {error}") from None


def _load_joblib(path):
    import joblib

    try:
        return joblib.load(path)
    except MemoryError:
        raise
    except Exception as error:  # whatever unpickling something else comes to
        raise DataError(
            f"{path!r} is not a model that joblib can load "
            f"({type(error).__name__}: {str(error)[:200]})"
        ) from error


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


def check_writable(path):
    """Raise an OSError now if `path` cannot be written, not after an hour of training."""
    folder, name = os.path.split(os.fspath(path))
    folder = folder or os.curdir
    if not name or os.path.isdir(path):
        raise IsADirectoryError(f"{path!r} is a folder, expected a file to write")
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"there is no folder {folder!r} to write {name!r} into")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(f"cannot write into {folder!r}: {error.strerror}") from None


def _steps_inwards(model):
    """Yield a model, and what it wraps, from the outside in."""
    while model is not None:
        yield model
        if hasattr(model, "steps"):
            model = model.steps[-1][1]
        else:
            model = getattr(model, "best_estimator_", getattr(model, "estimator_", None))


def _first_with(steps, attribute):
    return next((step for step in steps if hasattr(step, attribute)), None)


def _threshold_rule(classifier):
    """Say in words where the thresholds come from: no F1 means anything without."""
    rule = getattr(classifier, "objective", None) or getattr(classifier, "threshold", None)
    if isinstance(rule, str):
        return f"Thresholds were chosen for {rule} on held-out training images"
    if isinstance(rule, float | int):
        return f"The threshold of each label is {rule}"
    return "The thresholds of the labels were given"
