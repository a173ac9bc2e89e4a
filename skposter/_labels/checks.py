"""What counts as labels and as scores of labels: the only place that decides."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from skposter._labels.names import aligned_labels, are_numbers, find_label_names, place_of

__all__ = [
    "Labels",
    "check_finite_scores",
    "check_indicator",
    "check_labels",
    "check_probabilities",
]


@dataclass(frozen=True)
class Labels:
    """Labels as arrays.

    Parameters
    ----------
    positive : ndarray of shape (n_samples, n_labels), bool
        Where a label is 1; False where it is unknown.
    known : ndarray of shape (n_samples, n_labels), bool, or None
        Where a label is 0 or 1. None if it is everywhere, which is the usual and faster case.
    names : list of length n_labels
        The columns of a DataFrame, otherwise ``0 .. n_labels - 1``.
    """

    positive: np.ndarray
    known: np.ndarray | None
    names: list

    def __len__(self):
        return len(self.positive)

    @property
    def shape(self):
        """``(n_samples, n_labels)``."""
        return self.positive.shape

    @property
    def n_unknown(self):
        """How many labels of images are unknown."""
        return 0 if self.known is None else int(np.count_nonzero(~self.known))

    @property
    def n_known(self):
        """How many images each label is known of, `(n_labels,)`."""
        if self.known is None:
            return np.full(self.shape[1], len(self))
        return self.known.sum(axis=0)

    @property
    def frequencies(self):
        """Share of the positives among the known, `(n_labels,)`; NaN where nothing is known."""
        n_known = self.n_known
        out = np.full(len(n_known), np.nan)
        return np.divide(self.positive.sum(axis=0), n_known, out=out, where=n_known > 0)

    def __getitem__(self, rows):
        """Return the labels of some rows."""
        known = None if self.known is None else self.known[rows]
        return Labels(self.positive[rows], known, self.names)

    def masked(self, values, fill):
        """Return values of the same shape with `fill` where the label is unknown."""
        return values if self.known is None else np.where(self.known, values, fill)

    def to_numpy(self, dtype=None):
        """Return 0 and 1 as int64, or as floats with NaN where the label is unknown."""
        if self.known is None:
            return self.positive.astype(np.int64 if dtype is None else dtype)
        return np.where(self.known, self.positive, np.nan).astype(dtype or np.float64)


def check_labels(y, argument="y", *, unknown=False, label_names=None, min_labels=1):
    """Return `y` as :class:`Labels`, or say what is wrong with it and where.

    Parameters
    ----------
    y : array-like or DataFrame of shape (n_samples, n_labels)
        Zeros and ones, or booleans, of any numeric or nullable dtype. One label is enough.
    argument : str, default="y"
        What the caller calls it, for the messages.
    unknown : bool, default=False
        Whether NaN, None and ``pandas.NA`` are taken: nobody knows that label of that image.
    label_names : sequence, default=None
        Labels that are known already: `y` is put into their order; see
        :func:`skposter._labels.names.aligned_labels`.
    min_labels : int, default=1
        How many there must be.

    Returns
    -------
    labels : Labels
        Of new arrays.

    Raises
    ------
    ValueError
        If `y` is missing, sparse, not two-dimensional, empty or not 0/1, or has other labels.

    Examples
    --------
    >>> from skposter._labels.checks import check_labels
    >>> check_labels([[0, 1], [1, None]], unknown=True).known
    array([[ True,  True],
           [ True, False]])
    >>> check_labels([[0, 1], [1, None]])
    Traceback (most recent call last):
        ...
    ValueError: y holds None in row 1, label 1, which is an unknown label. Expected ...
    """
    expected = (
        "Expected zeros and ones of shape (n_samples, n_labels); "
        "sklearn.preprocessing.MultiLabelBinarizer makes them from lists of label names."
    )
    if y is None:
        raise ValueError(f"{argument} is missing. {expected}")
    if sparse.issparse(y):
        raise ValueError(f"{argument} is sparse; pass {argument}.toarray(). {expected}")
    y = aligned_labels(y, label_names, argument)
    try:
        array = _as_array(y)
    except ValueError as error:
        raise ValueError(f"The rows of {argument} differ in length. {expected}") from error
    if array.ndim != 2:
        hint = f" One label is {argument}.reshape(-1, 1)." if array.ndim == 1 else ""
        raise ValueError(f"{argument} has shape {array.shape}. {expected}{hint}")
    if array.shape[1] < min_labels > 1:
        raise ValueError(
            f"{argument} has {array.shape[1]} label column(s), expected at least {min_labels}; one "
            f"column alone is binary classification. {expected}"
        )
    if 0 in array.shape:
        raise ValueError(f"{argument} is empty, its shape is {array.shape}. {expected}")
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {argument} has dtype {array.dtype}.")
    names = _names(y, array.shape[1], label_names, argument)
    if array.dtype == bool:
        return Labels(array.copy(), None, names)
    numbers, missing = _numbers(array)
    right = (numbers == 0) | (numbers == 1)
    if unknown:
        right |= missing
    if not right.all():
        row, column = np.argwhere(~right)[0]
        found = f"{argument} holds {_shown(array[row, column])} in "
        found += place_of(y, row, column, names)
        if missing[row, column]:
            raise ValueError(
                f"{found}, which is an unknown label. {expected} Fill unknown labels in, or leave "
                "those rows out."
            )
        also = " NaN means that nobody knows the label." if unknown else ""
        raise ValueError(f"Unknown label type: {found}, not 0 or 1. {expected}{also}")
    return Labels(numbers == 1, ~missing if missing.any() else None, names)


def check_indicator(y, argument="y", *, label_names=None):
    """Return `y` as booleans where all labels must be known; see :func:`check_labels`.

    Examples
    --------
    >>> from skposter._labels.checks import check_indicator
    >>> check_indicator([[0, 1], [1, 1]])
    array([[False,  True],
           [ True,  True]])
    """
    return check_labels(y, argument, label_names=label_names).positive


def check_finite_scores(y_score, shape=None, *, label_names=None, argument="y_score"):
    """Return scores as float32 if they come so (or in less), else float64.

    Parameters
    ----------
    y_score : array-like or DataFrame of shape (n_samples, n_labels)
        Finite numbers of any numeric or nullable dtype. An array of float32 or float64 is not
        copied.
    shape : tuple of int, default=None
        The shape of the labels that belong to the scores.
    label_names : sequence, default=None
        The names of those labels: columns of a DataFrame are put into their order.
    argument : str, default="y_score"
        What the caller calls it, for the messages.

    Returns
    -------
    y_score : ndarray of shape (n_samples, n_labels), float32 or float64

    Raises
    ------
    ValueError
        If they are no finite numbers, or of another shape.
    """
    y_score = aligned_labels(y_score, label_names, argument)
    try:
        array = _as_array(y_score)
    except ValueError as error:
        raise ValueError(f"The rows of {argument} differ in length.") from error
    if array.ndim != 2 or 0 in array.shape or (shape is not None and array.shape != shape):
        expected = "(n_samples, n_labels)" if shape is None else f"{shape}, as y_true"
        raise ValueError(f"{argument} has shape {array.shape}, expected {expected}.")
    if array.dtype.kind == "c":
        raise ValueError(f"{argument} must hold numbers, got dtype {array.dtype}.")
    names = _names(y_score, array.shape[1], label_names, argument)
    given = array
    if array.dtype.kind not in "buif":
        array, missing = _numbers(array)
        strange = np.isnan(array) & ~missing
        if strange.any():
            row, column = np.argwhere(strange)[0]
            raise ValueError(
                f"{argument} must hold numbers, got {_shown(given[row, column])} in "
                f"{place_of(y_score, row, column, names)} (dtype {given.dtype})."
            )
    single = array.dtype.kind == "f" and array.dtype.itemsize <= 4
    array = np.asarray(array, dtype=np.float32 if single else np.float64)
    finite = np.isfinite(array)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise ValueError(
            f"{argument} holds {array[row, column]} in {place_of(y_score, row, column, names)}; "
            "has the training diverged?"
        )
    return array


def check_probabilities(y_score, shape=None, *, label_names=None, argument="y_score"):
    """Return scores that are probabilities; see :func:`check_finite_scores`."""
    array = check_finite_scores(y_score, shape, label_names=label_names, argument=argument)
    outside = (array < 0) | (array > 1)
    if outside.any():
        row, column = np.argwhere(outside)[0]
        names = _names(y_score, array.shape[1], label_names, argument)
        raise ValueError(
            f"{argument} must hold probabilities in [0, 1], got {array[row, column]} in "
            f"{place_of(y_score, row, column, names)}. Scores on another scale need "
            "choose_thresholds, with labels."
        )
    return array


def _names(y, n_labels, label_names, argument):
    if label_names is None or are_numbers(label_names):
        return find_label_names(y, n_labels)
    names = list(label_names)
    if len(names) != n_labels:
        raise ValueError(
            f"{argument} has {n_labels} columns, expected {len(names)}: the labels are {names}."
        )
    return names


def _as_array(values):
    """Return an array; of pandas' nullable dtypes one of float64, with NaN for what is missing."""
    if not hasattr(values, "iloc"):
        return np.asarray(values)
    from pandas.api.types import is_numeric_dtype

    dtypes = list(values.dtypes) if values.ndim == 2 else [values.dtype]
    nullable = not all(isinstance(dtype, np.dtype) for dtype in dtypes)
    mixed = len({np.dtype(d).kind == "b" for d in dtypes}) > 1 if not nullable else False
    if (nullable or mixed) and all(is_numeric_dtype(dtype) for dtype in dtypes):
        return values.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(values)


def _numbers(array):
    """Return an array as numbers, NaN for what is missing or is none, and what is missing."""
    if array.dtype.kind in "buif":
        return array, np.isnan(array) if array.dtype.kind == "f" else np.zeros(array.shape, bool)
    import pandas as pd

    missing = pd.isna(array)
    numbers = np.full(array.shape, np.nan)
    for place in np.argwhere(~missing):
        value = array[tuple(place)]
        if not isinstance(value, (str, bytes)):
            with contextlib.suppress(TypeError, ValueError):
                numbers[tuple(place)] = value
    return numbers, missing


def _shown(value):
    return repr(value.item() if isinstance(value, np.generic) else value)
