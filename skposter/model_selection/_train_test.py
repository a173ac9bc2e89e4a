"""One split into training and test rows, and how far a split is from the label frequencies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import _safe_indexing, indexable

from skposter._labels.checks import check_labels
from skposter._labels.names import find_label_names
from skposter._labels.unknown import warn_about_unknown_labels
from skposter.model_selection._splitters import (
    check_rows,
    local_rng,
    train_test_rows,
    warn_about_labels,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    import pandas as pd
    from numpy.typing import NDArray

    from skposter._typing import Array, Names, RandomState

__all__ = ["label_deviation", "multilabel_train_test_split", "stratified_holdout"]


def stratified_holdout(
    y: Array,
    test_size: float = 0.1,
    random_state: RandomState = None,
    *,
    groups: Array | None = None,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return one split into training and test rows that keeps label frequencies.

    It needs two rows, whatever their labels, and warns of nothing: labels may be constant, or
    unknown.

    Parameters
    ----------
    y : array-like or DataFrame of shape (n_samples, n_labels)
        The labels, 0/1; NaN where unknown.
    test_size : float or int, default=0.1
        Share or number of test rows; a share is rounded up, so there is at least one.
    random_state : int, RandomState instance or None, default=None
        The seed.
    groups : array-like of shape (n_samples,), default=None
        Rows with the same value stay on the same side.

    Returns
    -------
    train : ndarray of int, ascending
    test : ndarray of int, ascending

    Raises
    ------
    ValueError
        If there is one row, or one group, only, or `test_size` leaves nothing to train on.

    Examples
    --------
    >>> from skposter.model_selection import stratified_holdout
    >>> train, test = stratified_holdout([[1, 0], [1, 0]], random_state=0)
    >>> len(train), len(test)
    (1, 1)
    """
    labels, groups = check_rows(y, y, groups, 2)
    return train_test_rows(labels, groups, test_size, None, 0.1, local_rng(random_state))


def multilabel_train_test_split(
    *arrays: Any,
    test_size: float | None = None,
    train_size: float | None = None,
    random_state: RandomState = None,
    stratify: Array | None = None,
    groups: Array | None = None,
) -> list[Any]:
    """Split arrays into random training and test subsets with about the same label frequencies.

    scikit-learn's ``train_test_split`` for multi-label targets. The labels to stratify by are the
    last array, which is where ``y`` stands in ``multilabel_train_test_split(X, y)``.

    Parameters
    ----------
    *arrays : array-likes of length n_samples
        Paths, images (lazy ones stay lazy), DataFrames, lists. The last is the labels, 0/1 (NaN
        where unknown) of shape `(n_samples, n_labels)`, unless `stratify` is given.
    test_size : float, int or None, default=None
        Share or number of test rows. None means what `train_size` leaves, or 0.25.
    train_size : float, int or None, default=None
        Share or number of training rows. None means what `test_size` leaves.
    random_state : int, RandomState instance or None, default=None
        The seed.
    stratify : array-like of shape (n_samples, n_labels), default=None
        The labels to stratify by, where they are not the last array.
    groups : array-like of shape (n_samples,), default=None
        Rows with the same value stay on the same side.

    Returns
    -------
    splitting : list, of length 2 * len(arrays)
        Training and test subset of each array, rows in random order.

    Raises
    ------
    ValueError
        If the lengths differ, the labels are not 0/1 of shape `(n_samples, n_labels)`, or a subset
        would be empty.

    Examples
    --------
    >>> import numpy as np
    >>> from skposter.model_selection import multilabel_train_test_split
    >>> paths = np.array([f"{i}.jpg" for i in range(40)])
    >>> y = np.array([[1, 0], [1, 1]] * 20)
    >>> paths_train, paths_test, y_train, y_test = multilabel_train_test_split(
    ...     paths, y, random_state=0)
    >>> y_train.mean(axis=0), y_test.mean(axis=0)
    (array([1. , 0.5]), array([1. , 0.5]))
    """
    if not arrays:
        raise ValueError("At least one array is required.")
    arrays = indexable(*arrays)
    y = arrays[-1] if stratify is None else stratify
    labels, groups = check_rows(arrays[0], y, groups, 2)
    warn_about_labels(labels, 2, "subsets")
    rng = local_rng(random_state)
    train, test = train_test_rows(labels, groups, test_size, train_size, 0.25, rng)
    train, test = rng.permutation(train), rng.permutation(test)
    return [_safe_indexing(array, rows) for array in arrays for rows in (train, test)]


def label_deviation(
    y: Array, splits: Iterable[tuple[Any, Any]], *, label_names: Names | None = None
) -> pd.DataFrame:
    """Tell how far label frequencies in the test rows of each split are off.

    Parameters
    ----------
    y : array-like or DataFrame of shape (n_samples, n_labels)
        The labels, 0/1; NaN where unknown.
    splits : iterable of (train, test)
        Row numbers, as ``cv.split(X, y)`` yields them.
    label_names : sequence of str, default=None
        Names for the columns; by default those of `y`, or numbers.

    Returns
    -------
    deviation : DataFrame of shape (n_splits, n_labels)
        Label frequency in the test rows, divided by that in all rows, minus one: 0 is perfect, -1
        means that the label is missing. NaN where no row has the label. Frequencies are those among
        the rows whose label is known.

    Examples
    --------
    >>> from skposter.model_selection import MultiLabelStratifiedKFold, label_deviation
    >>> y = [[1, 0], [1, 0], [1, 1], [0, 1], [0, 1], [1, 1]]
    >>> cv = MultiLabelStratifiedKFold(n_splits=2)
    >>> label_deviation(y, cv.split(y, y), label_names=["Drama", "War"])
           Drama  War
    split
    0        0.0  0.0
    1        0.0  0.0
    """
    import pandas as pd

    labels = check_labels(y, unknown=True)
    warn_about_unknown_labels(labels)
    overall = labels.frequencies
    overall[overall == 0] = np.nan
    rows = [labels[test].frequencies / overall - 1 for _, test in splits]
    columns = find_label_names(y, labels.shape[1], label_names)
    return pd.DataFrame(rows, columns=columns).rename_axis(index="split")
