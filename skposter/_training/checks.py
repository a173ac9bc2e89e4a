"""Images, labels and weights as they come, turned into what training needs, or a clear error."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from skposter._estimators.user_warnings import warn_user
from skposter._training.stored_images import as_indexable
from skposter.exceptions import LabelWarning

__all__ = [
    "aligned_labels",
    "check_images",
    "check_labels",
    "check_same_labels",
    "check_sample_weight",
    "warn_about_rare_labels",
    "FEW_POSITIVES",
]

FEW_POSITIVES = 10
_HOW_TO_MAKE_Y = (
    "Expected a 0/1 array or DataFrame of shape (n_samples, n_labels) with at least two labels; "
    "sklearn.preprocessing.MultiLabelBinarizer makes one from lists of label names."
)


def check_images(X, *, image_shape=None):
    """Return `X` if it is uint8 images, `(n_samples, height, width, channels)`.

    Memory-mapped and lazy images pass through as they are, arrays in files (h5py, zarr) are read by
    the batch; nothing is copied.

    Parameters
    ----------
    X : array-like of uint8, shape (n_samples, height, width, channels)
        The images.
    image_shape : tuple of int, default=None
        What the estimator was fitted on: ``(height, width, channels)``.

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
            f"Got images of (height, width, channels) {tuple(X.shape[1:])}, but the classifier was "
            f"fitted on {tuple(image_shape)}. Load them at the same size and mode."
        )
    return X


def check_labels(y, *, n_samples=None, label_names=None):
    """Return 0/1 labels as a float32 array, and their names.

    Parameters
    ----------
    y : array-like or DataFrame of shape (n_samples, n_labels)
        Ones (or True) where the image carries the label.
    n_samples : int, default=None
        How many images there are.
    label_names : sequence, default=None
        Names of the columns, instead of those of a DataFrame.

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
    names = getattr(y, "columns", None) if label_names is None else label_names
    array = _to_numeric_array(y)
    if array.ndim != 2:
        raise ValueError(f"y should be 2-D, got shape {array.shape}. {_HOW_TO_MAKE_Y}")
    if array.shape[1] < 2:
        raise ValueError(
            f"y has {array.shape[1]} label column(s); one column alone is binary classification. "
            f"{_HOW_TO_MAKE_Y}"
        )
    if array.shape[0] == 0:
        raise ValueError(f"y has no rows. {_HOW_TO_MAKE_Y}")
    if not np.isfinite(array).all():
        raise ValueError(
            f"Input y contains NaN or infinity (row {_first_row(~np.isfinite(array))}). "
            f"{_HOW_TO_MAKE_Y}"
        )
    bad = (array != 0) & (array != 1)
    if bad.any():
        raise ValueError(
            f"Unknown label type: y holds {array[bad][0]:g} in row {_first_row(bad)}, "
            f"not 0 or 1. {_HOW_TO_MAKE_Y}"
        )
    if n_samples is not None and len(array) != n_samples:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {n_samples} images and "
            f"{len(array)} rows of y."
        )
    if names is None:
        return array.astype(np.float32), np.arange(array.shape[1])
    names = np.asarray(names)
    if names.shape != (array.shape[1],):
        raise ValueError(f"{len(names)} label_names for {array.shape[1]} columns of y.")
    if len(set(names.tolist())) != len(names):
        raise ValueError(f"Label names must differ, got {names.tolist()}.")
    return array.astype(np.float32), names


def check_same_labels(names, known):
    """Raise unless these labels are those that training began with.

    A plain array has the names 0 .. n_labels - 1 and cannot contradict others.
    """
    if names.tolist() not in (known.tolist(), list(range(len(known)))):
        raise ValueError(
            f"y has the labels {names.tolist()}, but training began with {known.tolist()}; labels "
            "and their order must stay."
        )


def aligned_labels(y, label_names):
    """Return a DataFrame with its columns in the order of `label_names`, anything else as it is.

    Raises
    ------
    ValueError
        If the columns are not those labels.
    """
    columns = getattr(y, "columns", None)
    if columns is None or list(columns) == list(label_names):
        return y
    check_same_labels(np.sort(np.asarray(columns)), np.sort(label_names))
    return y[list(label_names)]


def _to_numeric_array(y):
    if y is None:
        raise ValueError(
            "This MultiLabelImageClassifier estimator requires y to be passed, but the target y "
            f"is None. {_HOW_TO_MAKE_Y}"
        )
    if sparse.issparse(y):
        raise ValueError(f"y is sparse; pass y.toarray(). {_HOW_TO_MAKE_Y}")
    try:
        array = np.asarray(y)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"The rows of y differ in length. {_HOW_TO_MAKE_Y}") from error
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: y has dtype {array.dtype}.")
    if array.dtype.kind not in "biuf":
        try:
            array = np.asarray(array, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"Unknown label type: y holds {array.ravel()[:1].tolist()} of dtype "
                f"{array.dtype}. {_HOW_TO_MAKE_Y}"
            ) from error
    return array


def _first_row(mask):
    return int(np.flatnonzero(mask.any(axis=1))[0])


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


def warn_about_rare_labels(y, label_names):
    """Warn once, naming them, of labels that are constant or have fewer than ten positives."""
    positives = y.sum(axis=0)
    constant = (positives == 0) | (positives == len(y))
    few = ~constant & (positives < FEW_POSITIVES)
    parts = []
    if constant.any():
        parts.append(
            "one value for every image, so that nothing can be learned: "
            + ", ".join(str(name) for name in label_names[constant])
        )
    if few.any():
        counted = zip(label_names[few], positives[few], strict=True)
        parts.append(
            f"fewer than {FEW_POSITIVES} positives: "
            + ", ".join(f"{name} ({int(count)})" for name, count in counted)
        )
    if parts:
        warn_user("Labels with " + "; with ".join(parts) + ".", LabelWarning)
