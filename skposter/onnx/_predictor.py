"""A network in an ONNX file as something that predicts: :func:`load_onnx`."""

from __future__ import annotations

import os

import numpy as np

from skposter._files.json_values import one_line
from skposter._labels.decisions import decide, predicted_names, top_names
from skposter.exceptions import ArtifactError
from skposter.images import Access, Decoder, as_sources
from skposter.onnx._metadata import read_metadata

__all__ = ["OnnxPredictor", "load_onnx"]

_BATCH = 32


def load_onnx(path, *, storage_options=None):
    """Load a model that :func:`skposter.export` has written for ONNX.

    It predicts what the model predicted that was exported: images are decoded by the same code,
    with the parameters and the limits of its :class:`~skposter.ImageLoader`. Only onnxruntime,
    Pillow and NumPy are imported, no TensorFlow and no scikit-learn, so that a new process gives
    its first answer within a second: ``pip install 'skposter[onnxruntime]'``.

    Parameters
    ----------
    path : str or path-like
        A file, such as ``model.onnx``. It holds no code, and need not be trusted.
    storage_options : dict, default=None
        How images are read whose paths are addresses (``s3://``, ``https://``), as of
        :class:`~skposter.ImageLoader`; ``{}`` for fsspec's own configuration. By default addresses
        are refused: who predicts what others send must not be made to fetch it.

    Returns
    -------
    predictor : OnnxPredictor

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ArtifactError
        If it is no ONNX file, or not one of :func:`skposter.export`.
    ImportError
        If onnxruntime is not installed.

    See Also
    --------
    skposter.load : A whole model, which can be trained on.

    Examples
    --------
    >>> import skposter
    >>> predictor = skposter.load_onnx("model.onnx")  # doctest: +SKIP
    >>> predictor.predict_labels(["new.jpg", "another.png"])  # doctest: +SKIP
    [('Comedy', 'Drama'), ('Action',)]
    """
    path = os.fspath(path)
    if not os.path.exists(path):
        raise FileNotFoundError(f"There is no model file {path!r}.")
    if not os.path.isfile(path):
        raise ArtifactError(f"{path!r} is not an ONNX file (a folder or a device).")
    with open(path, "rb") as file:
        content = file.read()
    try:
        return OnnxPredictor(content, storage_options=storage_options)
    except ArtifactError as error:
        raise ArtifactError(f"{path!r} is not a model that can be used: {error}.") from error


class OnnxPredictor:
    """A model in the form of :func:`load_onnx`.

    Whatever is said of ``X``: a sequence of image sources as of
    :meth:`ImageLoader.transform <skposter.ImageLoader.transform>` (paths, bytes of encoded images,
    PIL images, uint8 arrays of any size). A model that was exported without an ImageLoader takes
    uint8 images of `image_shape_` only. It can be pickled.

    Parameters
    ----------
    content : bytes
        The ONNX file.
    storage_options : dict, default=None
        How addresses are read; None refuses them.

    Attributes
    ----------
    label_names_ : ndarray of shape (n_labels,)
        In the order of columns.
    thresholds_ : ndarray of shape (n_labels,), float64
        A label is predicted where its probability is at least this.
    min_labels : int
        An image with fewer predicted labels also gets those with the highest probabilities.
    label_frequencies_ : ndarray of shape (n_labels,), float64
        The share of the training images that carry each label.
    image_shape_ : tuple of int
        (height, width, channels) of what the network sees.
    classes_ : ndarray of shape (n_labels, 2)
        ``[0, 1]`` for each label.
    pixel_options_ : PixelOptions or None
        How images are loaded; None if the model takes arrays only.
    """

    def __init__(self, content, *, storage_options=None):
        self._content = content
        self.storage_options = storage_options
        self._start()

    def _start(self):
        session = _session(self._content)
        said = read_metadata(session.get_modelmeta().custom_metadata_map)
        _check_signature(session, said)
        self._session = session
        self._input, self._output = session.get_inputs()[0].name, session.get_outputs()[0].name
        self.pixel_options_ = said.options
        self._decoder = None
        if said.options is not None:
            self._decoder = Decoder(said.options, said.on_error, _usable_cores())
        texts = isinstance(said.label_names[0], str)
        self.label_names_ = np.asarray(said.label_names, dtype=object if texts else np.int64)
        self.thresholds_ = said.thresholds
        self.min_labels = said.min_labels
        self.label_frequencies_ = said.label_frequencies
        self.image_shape_ = said.image_shape
        self.classes_ = np.tile([0, 1], (len(said.label_names), 1))

    def __getstate__(self):
        return self._content, self.storage_options  # a session cannot be pickled

    def __setstate__(self, state):
        self._content, self.storage_options = state
        self._start()

    def __repr__(self):
        height, width, channels = self.image_shape_
        return (
            f"<OnnxPredictor of {len(self.label_names_)} labels, {height} x {width} x {channels}>"
        )

    def load_images(self, X):
        """Return images as the network sees them.

        Parameters
        ----------
        X : sequence of n_samples image sources

        Returns
        -------
        images : ndarray of shape (n_samples, height, width, channels), uint8

        Raises
        ------
        ImageLoadError
            Naming all that cannot be loaded.
        """
        if self._decoder is not None:
            access = None if self.storage_options is None else Access(self.storage_options)
            return self._decoder.decode(as_sources(X, access))
        images = X if isinstance(X, (str, bytes, os.PathLike)) else np.asarray(X)
        shape, dtype = getattr(images, "shape", ()), getattr(images, "dtype", type(X).__name__)
        if shape[1:] != self.image_shape_ or dtype != np.uint8:
            expected = ", ".join(map(str, self.image_shape_))
            raise ValueError(
                "The model was exported without an ImageLoader, so it takes a uint8 array of shape "
                f"(n_samples, {expected}); got shape {shape}, dtype {dtype}."
            )
        return images

    def predict_proba(self, X):
        """Return the probability of each label.

        Parameters
        ----------
        X : sequence of n_samples image sources

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_labels), float32

        Raises
        ------
        ImageLoadError
            Naming all images that cannot be loaded.
        """
        images = self.load_images(X)
        probabilities = np.empty((len(images), len(self.label_names_)), dtype=np.float32)
        for start in range(0, len(images), _BATCH):
            batch = np.ascontiguousarray(images[start : start + _BATCH])
            (found,) = self._session.run([self._output], {self._input: batch})
            if np.shape(found) != probabilities[start : start + _BATCH].shape:
                raise ArtifactError(f"The network gives an array of shape {np.shape(found)}.")
            probabilities[start : start + _BATCH] = found
        if not np.isfinite(probabilities).all():
            raise ArtifactError("The network gives probabilities that are not finite.")
        return probabilities

    def predict(self, X):
        """Return 0/1 for each label: one where the probability reaches the threshold.

        Parameters
        ----------
        X : sequence of n_samples image sources

        Returns
        -------
        y : ndarray of shape (n_samples, n_labels), int64
        """
        return self._decide(self.predict_proba(X)).astype(np.int64)

    def predict_labels(self, X):
        """Return the names of the predicted labels of each image, most probable first.

        Parameters
        ----------
        X : sequence of n_samples image sources

        Returns
        -------
        names : list of tuple
            Possibly empty tuples.
        """
        probabilities = self.predict_proba(X)
        return predicted_names(
            probabilities, self._decide(probabilities), self.label_names_.tolist()
        )

    def top_labels(self, X, k=3):
        """Return the `k` most probable labels of each image with their probabilities.

        Parameters
        ----------
        X : sequence of n_samples image sources
        k : int, default=3
            How many.

        Returns
        -------
        labels : list of list of (name, float)
            Best first.
        """
        return top_names(self.predict_proba(X), self.label_names_.tolist(), k)

    def as_estimator(self):
        """Return a scikit-learn classifier that predicts the same, for scorers and displays.

        It is fitted: ``fit`` leaves it as it is, and so does ``clone``. This imports scikit-learn.

        Returns
        -------
        classifier : OnnxClassifier
        """
        from skposter.onnx._estimator import OnnxClassifier

        return OnnxClassifier(self)

    def _decide(self, probabilities):
        return decide(probabilities, self.thresholds_, self.min_labels)


def _session(content):
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            "load_onnx needs onnxruntime. Install it with: pip install 'skposter[onnxruntime]'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong is said by the error
    # Waiting threads that spin would take the cores from those that decode.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Its own pool is as large as the machine, which is too much where several processes share it.
    asked_for = os.environ.get("OMP_NUM_THREADS", "")
    if asked_for.isdecimal():
        options.intra_op_num_threads = int(asked_for)
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # a class for each of its reasons
        raise ArtifactError(f"onnxruntime cannot load it ({one_line(error)})") from error


def _check_signature(session, said):
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shape = tuple(inputs[0].shape) if len(inputs) == 1 else ()
    if len(shape) != 4 or inputs[0].type != "tensor(uint8)" or isinstance(shape[0], int):
        raise ArtifactError("its network takes something else than any number of uint8 images")
    known = [isinstance(length, int) for length in shape[1:]]
    if any(k and a != b for k, a, b in zip(known, shape[1:], said.image_shape, strict=True)):
        raise ArtifactError(
            f"its network takes images of shape {shape[1:]}, and its metadata say "
            f"{said.image_shape}"
        )
    shape = tuple(outputs[0].shape) if len(outputs) == 1 else ()
    if len(shape) != 2 or (isinstance(shape[1], int) and shape[1] != len(said.label_names)):
        raise ArtifactError(
            f"its network gives {shape} for the {len(said.label_names)} labels of its metadata"
        )


def _usable_cores():
    asked_for = os.environ.get("LOKY_MAX_CPU_COUNT", "")  # as joblib counts, which is not imported
    if asked_for.isdecimal() and int(asked_for):
        return int(asked_for)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
