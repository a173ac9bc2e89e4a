"""What labels are called, and columns put into the order of labels that are known already."""

from __future__ import annotations

import numpy as np

from skposter._estimators.spelling import did_you_mean
from skposter._estimators.steps import steps_inwards

__all__ = [
    "aligned_labels",
    "are_numbers",
    "check_are_labels",
    "find_label_names",
    "label_names_of",
    "place_of",
    "value_by_name",
    "values_in_order",
]


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


def aligned_labels(y, label_names, argument="y"):
    """Return `y` with its columns in the order of labels that are known already.

    Only what has names can contradict: a plain array, and columns or labels that are called
    ``0 .. n_labels - 1``, are taken to be in the right order.

    Parameters
    ----------
    y : array-like or DataFrame of shape (n_samples, n_labels)
        Labels, scores or decisions.
    label_names : sequence or None
        The names in the order wanted, as in ``label_names_`` of a classifier. None if they are not
        known.
    argument : str, default="y"
        What the caller calls `y`, for the message.

    Returns
    -------
    y : array-like or DataFrame of shape (n_samples, n_labels)
        The same object if nothing had to be moved.

    Raises
    ------
    ValueError
        If the columns of `y` are other labels.

    Examples
    --------
    >>> import pandas as pd
    >>> from skposter._labels.names import aligned_labels
    >>> y = pd.DataFrame({"blue": [0, 0], "red": [1, 1]})
    >>> aligned_labels(y, ["red", "blue"]).columns.tolist()
    ['red', 'blue']
    >>> aligned_labels(y, ["red", "bleu"])
    Traceback (most recent call last):
        ...
    ValueError: y has the labels ['blue', 'red'], expected ['red', 'bleu']: 'blue' is not one of
    them. Did you mean 'bleu'?
    """
    columns = getattr(y, "columns", None)
    if label_names is None or columns is None:
        return y
    columns, names = list(columns), list(label_names)
    if columns == names:
        return y
    if len(set(columns)) == len(columns) and set(columns) == set(names):
        return y[names]
    if are_numbers(columns) or are_numbers(names):
        return y
    strange = [name for name in columns if name not in names]
    missing = [name for name in names if name not in columns]
    if strange:
        why = f"{strange[0]!r} is not one of them.{did_you_mean(strange[0], names)}"
    elif missing:
        why = f"{missing[0]!r} is missing."
    else:
        why = "one of them is there twice."
    raise ValueError(f"{argument} has the labels {columns}, expected {names}: {why}")


def values_in_order(values, names, what):
    """Return numbers that have names, as a pandas Series has, in the order of the labels.

    Other values are returned as they are.

    Raises
    ------
    ValueError
        If the names are not those of the labels.
    """
    values = value_by_name(values, names)
    if not isinstance(values, dict):
        return values
    check_are_labels(values, names, what)
    for name in names:
        if name not in values:
            raise ValueError(f"{what} has no number for the label {_plain(name)!r}.")
    return np.array([values[name] for name in names])


def check_are_labels(found, names, what):
    """Raise a ValueError with the likely spelling unless all of some names are those of labels."""
    names = list(names)
    for name in found:
        if name not in names:
            raise ValueError(
                f"{what} names {_plain(name)!r}, which is not a label."
                f"{did_you_mean(name, names)} Labels: {names}."
            )


def value_by_name(value, names):
    """Return a pandas Series as a dict from its index, and anything else as it is.

    Where the index or the names of the labels only count, it is an array like others.
    """
    if not hasattr(value, "to_dict") or not hasattr(value, "index"):
        return value
    if are_numbers(value.index) or are_numbers(names):
        return np.asarray(value)
    return value.to_dict()


def label_names_of(estimator):
    """Return the names of the labels that a fitted estimator knows, or None.

    Pipelines, searches and wrappers are asked for what they hold.
    """
    for step in steps_inwards(estimator):
        names = getattr(step, "label_names_", None)
        if names is not None:
            return list(names)
    return None


def place_of(y, row, column, names):
    """Return words for a cell: its row, the row's name in a DataFrame, and its label."""
    where = f"row {row}"
    index = getattr(y, "index", None)
    if index is not None and not callable(index) and index[row] != row:
        where += f" (index {_plain(index[row])!r})"
    return f"{where}, label {_plain(names[column])!r}"


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value


def are_numbers(names):
    """Return whether these are no names but the numbers of the columns."""
    return list(names) == list(range(len(names)))
