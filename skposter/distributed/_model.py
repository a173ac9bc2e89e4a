"""A model on its way to the processes that predict, and in them."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import threading
from typing import Any, NamedTuple

import numpy as np

from skposter.exceptions import ArtifactError, DataError, ImageLoadError

__all__ = ["Loaded", "Packed", "pack"]

# Images that are decoded before their probabilities are asked for: enough for full batches, few
# enough that decoding them again costs little, as it does where one of them is bad.
_AT_ONCE = 256
_AT_ONCE_BYTES = 1 << 26
_PICKLES = (".joblib", ".pkl", ".pickle")


class Packed(NamedTuple):
    """A model as bytes.

    Parameters
    ----------
    kind : {"onnx", "skposter", "pickle"}
    name : str
        For messages.
    content : bytes
    storage_options : dict, default=None
        How it reads images that lie elsewhere.
    """

    kind: str
    name: str
    content: bytes
    storage_options: dict[str, Any] | None = None

    @property
    def digest(self):
        """What tells this model from others."""
        return hashlib.blake2b(self.content, digest_size=16).hexdigest()

    def load(self):
        """Return it as a `Loaded`."""
        return Loaded(_READERS[self.kind](self), self.storage_options)


def pack(model):
    """Return a model as a `Packed`.

    Parameters
    ----------
    model : estimator, OnnxPredictor, str or path-like
        A file is one of `skposter.save`, `skposter.export` (ONNX) or joblib.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataError
        If it is none of these.
    """
    if not isinstance(model, (str, os.PathLike)):
        if not hasattr(model, "predict_proba"):
            raise DataError(
                f"model is a {type(model).__name__}, expected a fitted classifier or a file of one"
            )
        import cloudpickle

        return Packed("pickle", type(model).__name__, cloudpickle.dumps(model))
    path = os.fspath(model)
    if not os.path.exists(path):
        raise FileNotFoundError(f"there is no model file {path!r}")
    if not os.path.isfile(path):
        raise DataError(f"{path!r} is not a model file (a folder or a device)")
    with open(path, "rb") as file:
        return Packed(_kind_of_file(path), path, file.read())


def _kind_of_file(path):
    ending = os.path.splitext(path)[1]
    if ending == ".onnx":
        return "onnx"
    if ending == ".skposter":
        return "skposter"
    from skposter.persistence import is_model_file

    if is_model_file(path):
        return "skposter"
    if ending in _PICKLES:
        return "pickle"
    raise DataError(
        f"{path!r} is no model that is known; expected a file of skposter.save, of skposter.export "
        f"for ONNX, or of joblib ({', '.join(_PICKLES)})"
    )


def _read_onnx(packed):
    from skposter.onnx import OnnxPredictor

    try:
        return OnnxPredictor(packed.content)
    except ArtifactError as error:
        raise ArtifactError(f"{packed.name!r} is not a model that can be used: {error}") from error


def _read_skposter(packed):
    from skposter.persistence import load

    with tempfile.TemporaryDirectory(prefix="skposter-") as folder:
        path = os.path.join(folder, os.path.basename(packed.name))
        with open(path, "wb") as file:
            file.write(packed.content)
        return load(path)


def _read_pickle(packed):
    import joblib

    try:
        return joblib.load(io.BytesIO(packed.content))
    except (MemoryError, ModuleNotFoundError):
        raise
    except Exception as error:  # whatever unpickling something else comes to
        raise DataError(
            f"{packed.name!r} is not a model that joblib can load "
            f"({type(error).__name__}: {str(error)[:300]})"
        ) from error


_READERS = {"onnx": _read_onnx, "skposter": _read_skposter, "pickle": _read_pickle}


class Loaded:
    """A model that this process predicts with; threads may share it.

    Parameters
    ----------
    model : estimator or OnnxPredictor
        Of its own: it is changed, so that it keeps nothing of millions of images.
    storage_options : dict, default=None
        How it reads images that lie elsewhere; None leaves that as it is.

    Attributes
    ----------
    label_names : list
    thresholds : list of float or None
        From which probability on a label is predicted.
    min_labels : int
    """

    def __init__(self, model, storage_options=None):
        self._model = model
        parts = list(_parts(model))
        for part in parts:
            _let_go(part)
            if hasattr(part, "storage_options") and storage_options is not None:
                part.storage_options = storage_options
        if hasattr(model, "storage_options") and model.storage_options is None:
            model.storage_options = {}  # an exported model refuses addresses otherwise
        outer = [part for part in parts if hasattr(part, "label_names_")]
        self.label_names = _label_names(model, outer)
        decides = outer[0] if outer else None
        thresholds = getattr(decides, "thresholds_", None)
        self.thresholds = None if thresholds is None else np.asarray(thresholds).tolist()
        self.min_labels = int(getattr(decides, "min_labels", 0))
        shapes = [part.image_shape_ for part in outer if hasattr(part, "image_shape_")]
        largest = max([int(np.prod(shape)) for shape in shapes], default=1)
        self._at_once = max(1, min(_AT_ONCE, _AT_ONCE_BYTES // largest))

    def predict(self, paths, stopped=lambda: False):
        """Return the probabilities of the images that can be read, and what is wrong with others.

        Parameters
        ----------
        paths : list of str
        stopped : callable, default=never
            Asked now and then; once it says yes, nothing is predicted and None is returned.

        Returns
        -------
        probabilities : ndarray of shape (n_good, n_labels), dtype=float32
        good : ndarray of shape (n_good,), dtype=int
            The rows of those.
        failures : list of (int, str)
            The rows of the others, and why.
        """
        sources = np.empty(len(paths), dtype=object)
        sources[:] = paths
        found, good, failures = [], [], []
        for start in range(0, len(paths), self._at_once):
            if stopped():
                return None
            rows = np.arange(start, min(start + self._at_once, len(paths)))
            rows, bad, probabilities = self._loadable(sources, rows)
            failures += bad
            if len(rows):
                good.append(rows)
                found.append(probabilities)
        n_labels = len(self.label_names)
        empty = np.empty((0, n_labels), np.float32)
        return (
            np.concatenate([empty, *found]),
            np.concatenate([np.empty(0, int), *good]),
            sorted(failures),
        )

    def _loadable(self, sources, rows):
        from skposter._labels.probabilities import label_scores

        failures: list[tuple[int, str]] = []
        while len(rows):
            try:
                found = label_scores(self._model, sources[rows], len(self.label_names))
                return rows, failures, found.astype(np.float32, copy=False)
            except ImageLoadError as error:
                if not error.failures:
                    raise
                failures += [(int(rows[i]), why) for i, _, why in error.failures]
                rows = np.delete(rows, [i for i, _, _ in error.failures])
        return rows, failures, None


def _label_names(model, outer):
    """Return the names of labels: skposter's, or numbers for scikit-learn's own classifiers."""
    if outer:
        return np.asarray(outer[0].label_names_).tolist()
    try:
        return list(range(len(model.classes_)))  # of several labels, in all forms
    except AttributeError:  # NotFittedError is one
        raise DataError(
            f"the model is a {type(model).__name__} that is not fitted, or has neither "
            "label_names_ nor classes_; expected a fitted multi-label classifier"
        ) from None


def _parts(model):
    """Yield a model and all parts in it, from the outside in."""
    seen, waiting = set(), [model]
    while waiting:
        part = waiting.pop(0)
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, (list, tuple)):
            waiting += part if len(part) < 1000 else []
        elif isinstance(part, dict):
            waiting += part.values() if len(part) < 1000 else []
        elif hasattr(part, "predict_proba") or hasattr(part, "transform"):
            yield part
            waiting += vars(part).values() if hasattr(part, "__dict__") else []


def _let_go(part):
    """Let a part keep nothing of what it predicts, show nothing, and hide no bad image."""
    wanted = {"verbose": 0, "on_error": "raise"}
    if type(part).__name__ == "ImageLoader" and part.cache_dir is None:
        wanted["cache_limit"] = 0
    if type(part).__name__ in ("MultiLabelImageClassifier", "ImageFeatures"):
        wanted["memory"] = None
    if hasattr(part, "get_params"):
        known: Any = part.get_params(deep=False)
        part.set_params(**{name: value for name, value in wanted.items() if name in known})
    decoder: Any = getattr(part, "_decoder", None)
    if hasattr(decoder, "on_error"):  # of an OnnxPredictor
        decoder.on_error = "raise"


class Keeper:
    """Loads a model when it is first needed, once for all threads of a process."""

    def __init__(self, packed):
        self._packed = packed
        self._lock = threading.Lock()
        self._loaded = None

    def get(self):
        """Return the `Loaded`."""
        with self._lock:
            if self._loaded is None:
                self._loaded = self._packed.load()
            return self._loaded
