"""What the numeric modules accept as labels, and what the labels are called."""

from __future__ import annotations

import numpy as np
from scipy import sparse

__all__ = ["check_indicator", "find_label_names"]


def check_indicator(y, argument="y"):
    """Return `y` as booleans, one row an image and one column a label.

    Parameters
    ----------
    y : array-like or DataFrame of shape (n_samples, n_labels)
        Zeros and ones, or booleans. One label is enough.
    argument : str, default="y"
        What the caller calls it, for the messages.

    Returns
    -------
    indicator : ndarray of shape (n_samples, n_labels), bool
        A new array.

    Raises
    ------
    ValueError
        If `y` is missing, not two-dimensional, empty or not 0/1.

    Examples
    --------
    >>> check_indicator([[0, 1], [1, 1]])
    array([[False,  True],
           [ True,  True]])
    """
    expected = (
        "Expected zeros and ones of shape (n_samples, n_labels); "
        "sklearn.preprocessing.MultiLabelBinarizer makes them from lists of label names."
    )
    if y is None:
        raise ValueError(f"{argument} is missing. {expected}")
    if sparse.issparse(y):
        raise ValueError(f"{argument} is sparse; pass {argument}.toarray(). {expected}")
    try:
        array = np.asarray(y)
    except ValueError as error:
        raise ValueError(f"The rows of {argument} differ in length. {expected}") from error
    if array.ndim != 2:
        hint = f" One label is {argument}.reshape(-1, 1)." if array.ndim == 1 else ""
        raise ValueError(f"{argument} has shape {array.shape}. {expected}{hint}")
    if 0 in array.shape:
        raise ValueError(f"{argument} is empty, its shape is {array.shape}. {expected}")
    if array.dtype != bool:
        wrong = ~((array == 0) | (array == 1))
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            value = array[row, column]
            raise ValueError(f"{argument} holds {value!r} in row {row}. {expected}")
    return array.astype(bool)


def find_label_names(y, n_labels, label_names=None):
    """Return the names of the labels: those given, else the columns of `y`, else numbers.

    Raises
    ------
    ValueError
        If the number of names is not the number of labels.
    """
    if label_names is None:
        label_names = getattr(y, "columns", None)
    if label_names is None:
        return list(range(n_labels))
    names = list(label_names)
    if len(names) != n_labels:
        raise ValueError(f"Got {len(names)} label_names for {n_labels} labels.")
    return names
