"""Images, labels and weights as they come, turned into what training needs, or a clear error."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from skposter._labels.checks import check_labels as _check_labels
from skposter._labels.names import aligned_labels
from skposter._labels.rare import warn_about_rare_labels
from skposter._labels.unknown import warn_about_unknown_labels
from skposter._training.stored_images import as_indexable

__all__ = [
    "aligned_labels",
    "check_images",
    "check_labels",
    "check_same_labels",
    "check_sample_weight",
    "warn_about_rare_labels",
]


def check_images(X, *, image_shape=None, owner="the classifier"):
    """Return `X` if it is uint8 images, `(n_samples, height, width, channels)`.

    Memory-mapped and lazy images pass through as they are, arrays in files (h5py, zarr) are read by
    the batch; nothing is copied.

    Parameters
    ----------
    X : array-like of uint8, shape (n_samples, height, width, channels)
        The images.
    image_shape : tuple of int, default=None
        What the estimator was fitted on: ``(height, width, channels)``.
    owner : str, default="the classifier"
        Who, for the error.

    Returns
    -------
    X : array-like of uint8
        The same object, or the array made from a list.

    Raises
    ------
    ValueError
        If the images are not uint8, not 4-D, empty, or not of the fitted shape.
    """
    if sparse.issparse(X):
        raise ValueError("Sparse data was passed; images are dense arrays of uint8.")
    X = as_indexable(X)
    expected = "(n_samples, height, width, channels)"
    if len(X.shape) != 4:
        hint = (
            " Paths are turned into images by skposter.ImageLoader."
            if X.dtype.kind in "OUS"
            else " A single image needs a first axis: image[np.newaxis]."
            if len(X.shape) == 3
            else ""
        )
        raise ValueError(
            f"Expected uint8 images of shape {expected}, got an array of shape {tuple(X.shape)} "
            f"and dtype {X.dtype}.{hint}"
        )
    if X.shape[0] == 0:
        raise ValueError(
            f"Found array with 0 sample(s) (shape={tuple(X.shape)}) while a minimum of 1 is "
            "required."
        )
    if 0 in X.shape:
        raise ValueError(f"Expected images of shape {expected}, got empty ones: {tuple(X.shape)}.")
    if X.dtype.kind == "c":
        raise ValueError(f"Complex data not supported; images are uint8, got dtype {X.dtype}.")
    if X.dtype != np.uint8:
        hint = "pixels between 0 and 1 become it by (255 * X).round().astype('uint8')."
        if isinstance(X, np.ndarray) and X.dtype.kind == "f" and not np.isfinite(X).all():
            hint = "and these images hold NaN or infinity."
        raise ValueError(
            f"Expected uint8 images (0 to 255) of shape {expected}, got dtype {X.dtype}. "
            f"skposter.ImageLoader makes uint8; {hint}"
        )
    if image_shape is not None and tuple(X.shape[1:]) != tuple(image_shape):
        raise ValueError(
            f"Got images of (height, width, channels) {tuple(X.shape[1:])}, but {owner} was "
            f"fitted on {tuple(image_shape)}. Load them at the same size and mode."
        )
    return X


def check_labels(y, *, n_samples=None, label_names=None, unknown=False):
    """Return 0/1 labels as a float32 array, and their names.

    Parameters
    ----------
    y : array-like or DataFrame of shape (n_samples, n_labels)
        Ones (or True) where the image carries the label.
    n_samples : int, default=None
        How many images there are.
    label_names : sequence, default=None
        Names of the columns of an array; those of a DataFrame are put into this order.
    unknown : bool, default=False
        Whether NaN, None and ``pandas.NA`` are taken, as NaN; a warning says how many there are.

    Returns
    -------
    y : ndarray of shape (n_samples, n_labels), float32
        A new array.
    label_names : ndarray of shape (n_labels,)
        As given, or the columns of a DataFrame, otherwise ``0 .. n_labels - 1``.

    Raises
    ------
    ValueError
        If `y` is anything else.
    """
    if y is None:
        raise ValueError(
            "This MultiLabelImageClassifier estimator requires y to be passed, but the target y "
            "is None. Expected zeros and ones of shape (n_samples, n_labels); "
            "sklearn.preprocessing.MultiLabelBinarizer makes them from lists of label names."
        )
    labels = _check_labels(y, unknown=unknown, label_names=label_names, min_labels=2)
    if n_samples is not None and len(labels) != n_samples:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {n_samples} images and "
            f"{len(labels)} rows of y."
        )
    if len(set(labels.names)) != len(labels.names):
        raise ValueError(f"Label names must differ, got {labels.names}.")
    warn_about_unknown_labels(labels)
    # Texts as objects, as pandas has them: texts of NumPy lose zeros at their ends.
    dtype = object if any(isinstance(name, str) for name in labels.names) else None
    return labels.to_numpy(np.float32), np.asarray(labels.names, dtype=dtype)


def check_same_labels(names, known):
    """Raise unless these labels are those that training began with.

    A plain array has the names 0 .. n_labels - 1 and cannot contradict others.
    """
    if names.tolist() not in (known.tolist(), list(range(len(known)))):
        raise ValueError(
            f"y has the labels {names.tolist()}, but training began with {known.tolist()}; labels "
            "and their order must stay."
        )


def check_sample_weight(sample_weight, n_samples, n_labels):
    """Return weights as a new float32 array `(n_samples,)` or `(n_samples, n_labels)`, or None.

    Raises
    ------
    ValueError
        If they have another shape, or are negative, not finite or all zero.
    """
    if sample_weight is None:
        return None
    weight = np.asarray(sample_weight)
    if weight.ndim == 0:
        weight = np.full(n_samples, weight)
    if weight.shape not in ((n_samples,), (n_samples, n_labels)):
        raise ValueError(
            f"sample_weight.shape == {weight.shape}, expected ({n_samples},) or one weight per "
            f"image and label, ({n_samples}, {n_labels})."
        )
    weight = weight.astype(np.float32)
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise ValueError("sample_weight must be finite and not negative.")
    if not weight.any():
        raise ValueError("sample_weight is zero everywhere: there is nothing to train on.")
    return weight
