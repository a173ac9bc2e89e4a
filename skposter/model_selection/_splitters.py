"""The splitter classes: scikit-learn's protocol around the assignment of rows to subsets."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING

import numpy as np
from sklearn.model_selection import BaseCrossValidator, BaseShuffleSplit, ShuffleSplit
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_consistent_length

from skposter._labels.checks import check_labels
from skposter._labels.rare import warn_about_labels_missing_from_subsets
from skposter._labels.unknown import warn_about_unknown_labels
from skposter.model_selection._assignment import assign_labels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from numpy.typing import NDArray

    from skposter._typing import Array, RandomState, Samples


class MultiLabelStratifiedKFold(BaseCrossValidator):
    """K folds in which every label is about as frequent as in all rows.

    Fold sizes differ by at most one row. With ``groups`` no group is in two folds, and no exchange
    of groups between two folds would make these two more equal.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    shuffle : bool, default=False
        Whether `random_state` decides between equally good folds. Without it the folds depend on
        the labels alone. Rows are not kept in order either way: which fold a row belongs to follows
        from its labels.
    random_state : int, RandomState instance or None, default=None
        The seed; only with ``shuffle=True``.

    See Also
    --------
    label_deviation : How far label frequencies are off in each fold.
    near_duplicate_groups : Groups that keep copies of one image together.

    Notes
    -----
    A :class:`~skposter.exceptions.LabelWarning` names the labels with fewer positives than folds:
    some folds cannot have them. Unknown labels (NaN in `y`) are spread like a label of their own,
    which keeps the frequencies among the known; an
    :class:`~skposter.exceptions.UnknownLabelWarning` says how many there are.

    Rows are assigned by iterative stratification [1]_. Under scikit-learn's metadata routing the
    splitter asks for ``groups`` by itself, as ``GroupKFold`` does.

    References
    ----------
    .. [1] K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the stratification of multi-label data",
       ECML PKDD 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from skposter.model_selection import MultiLabelStratifiedKFold
    >>> y = np.array([[1, 0], [1, 0], [1, 1], [0, 1], [0, 1], [1, 1]])
    >>> paths = [f"{i}.jpg" for i in range(6)]
    >>> for train, test in MultiLabelStratifiedKFold(n_splits=2).split(paths, y):
    ...     print(y[test].sum(axis=0))
    [2 2]
    [2 2]
    """

    n_splits: int
    shuffle: bool
    random_state: RandomState

    __metadata_request__split = {"groups": True}

    def __init__(
        self, n_splits: int = 5, *, shuffle: bool = False, random_state: RandomState = None
    ) -> None:
        if not isinstance(n_splits, numbers.Integral) or n_splits < 2:
            raise ValueError(f"n_splits is a whole number from 2 up, got {n_splits!r}.")
        if not isinstance(shuffle, (bool, np.bool_)):
            raise TypeError(f"shuffle must be True or False, got {shuffle!r}.")
        if random_state is not None and not shuffle:
            raise ValueError(
                f"random_state={random_state!r} has no effect without shuffle=True: set that, or "
                "leave random_state out."
            )
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : object
            Ignored.

        Returns
        -------
        n_splits : int
        """
        return self.n_splits

    def split(
        self, X: Samples, y: Array | None = None, groups: Array | None = None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Yield the row numbers of each fold's training and test rows.

        Parameters
        ----------
        X : array-like of length n_samples
            Paths or images; only the length is used.
        y : array-like or DataFrame of shape (n_samples, n_labels)
            The labels, 0/1; NaN where unknown.
        groups : array-like of shape (n_samples,), default=None
            Rows with the same value stay in the same fold.

        Yields
        ------
        train : ndarray of int, ascending
        test : ndarray of int, ascending

        Raises
        ------
        ValueError
            If `y` is not 0/1 of shape `(n_samples, n_labels)`, or there are more folds than rows or
            groups.
        """
        labels, groups = check_rows(X, y, groups, self.n_splits)
        warn_about_labels(labels, self.n_splits, "folds")
        # A fixed seed is what makes shuffle=False depend on the labels alone.
        rng = local_rng(self.random_state if self.shuffle else 0)
        yield from _folds(labels, groups, self.n_splits, rng)


class RepeatedMultiLabelStratifiedKFold(BaseCrossValidator):
    """:class:`MultiLabelStratifiedKFold`, repeated with another seed each time.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    n_repeats : int, default=10
        How often to split into folds.
    random_state : int, RandomState instance or None, default=None
        The seed of all repetitions.

    Examples
    --------
    >>> import numpy as np
    >>> from skposter.model_selection import RepeatedMultiLabelStratifiedKFold
    >>> cv = RepeatedMultiLabelStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
    >>> cv.get_n_splits()
    6
    """

    n_splits: int
    n_repeats: int
    random_state: RandomState

    __metadata_request__split = {"groups": True}

    def __init__(
        self, n_splits: int = 5, *, n_repeats: int = 10, random_state: RandomState = None
    ) -> None:
        if not isinstance(n_splits, numbers.Integral) or n_splits < 2:
            raise ValueError(f"n_splits is a whole number from 2 up, got {n_splits!r}.")
        if not isinstance(n_repeats, numbers.Integral) or n_repeats < 1:
            raise ValueError(f"n_repeats is a whole number from 1 up, got {n_repeats!r}.")
        self.n_splits = n_splits
        self.n_repeats = n_repeats
        self.random_state = random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits, ``n_splits * n_repeats``.

        Parameters
        ----------
        X, y, groups : object
            Ignored.

        Returns
        -------
        n_splits : int
        """
        return self.n_splits * self.n_repeats

    def split(
        self, X: Samples, y: Array | None = None, groups: Array | None = None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Yield the row numbers of each split's training and test rows, repetition by repetition.

        Parameters
        ----------
        X : array-like of length n_samples
            Paths or images; only the length is used.
        y : array-like or DataFrame of shape (n_samples, n_labels)
            The labels, 0/1; NaN where unknown.
        groups : array-like of shape (n_samples,), default=None
            Rows with the same value stay in the same fold.

        Yields
        ------
        train : ndarray of int, ascending
        test : ndarray of int, ascending
        """
        labels, groups = check_rows(X, y, groups, self.n_splits)
        warn_about_labels(labels, self.n_splits, "folds")
        rng = local_rng(self.random_state)
        for _ in range(self.n_repeats):
            yield from _folds(labels, groups, self.n_splits, rng)


class MultiLabelStratifiedShuffleSplit(BaseShuffleSplit):
    """Random splits into training and test rows with about the same label frequencies.

    Parameters
    ----------
    n_splits : int, default=10
        How many splits to make.
    test_size : float, int or None, default=None
        Share or number of test rows. None means what `train_size` leaves, or 0.1.
    train_size : float, int or None, default=None
        Share or number of training rows. None means what `test_size` leaves.
    random_state : int, RandomState instance or None, default=None
        The seed.

    See Also
    --------
    multilabel_train_test_split : One such split of several arrays.

    Notes
    -----
    Sizes count rows, with ``groups`` too; whole groups then make them approximate.

    Examples
    --------
    >>> import numpy as np
    >>> from skposter.model_selection import MultiLabelStratifiedShuffleSplit
    >>> y = np.array([[1, 0], [0, 1]] * 30)
    >>> cv = MultiLabelStratifiedShuffleSplit(n_splits=1, test_size=0.2, random_state=0)
    >>> for train, test in cv.split(y, y):
    ...     print(len(train), y[test].sum(axis=0))
    48 [6 6]
    """

    __metadata_request__split = {"groups": True}

    def split(
        self, X: Samples, y: Array | None = None, groups: Array | None = None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Yield the row numbers of each split's training and test rows.

        Parameters
        ----------
        X : array-like of length n_samples
            Paths or images; only the length is used.
        y : array-like or DataFrame of shape (n_samples, n_labels)
            The labels, 0/1; NaN where unknown.
        groups : array-like of shape (n_samples,), default=None
            Rows with the same value stay on the same side.

        Yields
        ------
        train : ndarray of int, in random order
        test : ndarray of int, in random order
        """
        labels, groups = check_rows(X, y, groups, 2)
        warn_about_labels(labels, 2, "subsets")
        rng = local_rng(self.random_state)
        for _ in range(self.n_splits):
            train, test = train_test_rows(labels, groups, self.test_size, self.train_size, 0.1, rng)
            yield rng.permutation(train), rng.permutation(test)


def _folds(labels, groups, n_splits, rng):
    fold = assign_labels(labels, np.full(n_splits, 1 / n_splits), rng, groups)
    rows = np.arange(len(labels))
    for number in range(n_splits):
        yield rows[fold != number], rows[fold == number]


def train_test_rows(labels, groups, test_size, train_size, default_test_size, rng):
    """Return the row numbers, ascending, of one split."""
    if test_size is None and train_size is None:
        test_size = default_test_size
    n_samples = len(labels)
    # scikit-learn's rules and messages for sizes, from its public splitter.
    sizer = ShuffleSplit(n_splits=1, test_size=test_size, train_size=train_size, random_state=0)
    sizes = [len(rows) for rows in next(sizer.split(np.empty(n_samples)))]
    # What is left out is a third subset, and with two groups one of the others would be empty.
    if sum(sizes) < n_samples and (groups is None or len(np.unique(groups)) > 2):
        sizes.append(n_samples - sum(sizes))
    subset = assign_labels(labels, np.array(sizes) / sum(sizes), rng, groups)
    return np.flatnonzero(subset == 0), np.flatnonzero(subset == 1)


def check_rows(X, y, groups, n_subsets):
    """Return labels and groups that belong to X and are enough for so many subsets."""
    labels = check_labels(y, unknown=True)
    check_consistent_length(X, labels, groups)
    if groups is not None:
        groups = check_array(groups, ensure_2d=False, dtype=None, input_name="groups")
        if groups.ndim != 1:
            raise ValueError(f"groups has shape {groups.shape}, expected (n_samples,).")
    for what, number in (
        ("rows", len(labels)),
        ("groups", n_subsets if groups is None else len(np.unique(groups))),
    ):
        if number < n_subsets:
            raise ValueError(f"Cannot make {n_subsets} subsets of {number} {what}.")
    return labels, groups


def warn_about_labels(labels, n_subsets, what):
    """Warn the caller's caller of labels that some subsets cannot have, and of unknown ones."""
    warn_about_labels_missing_from_subsets(labels, n_subsets, what)
    warn_about_unknown_labels(labels)


def local_rng(random_state):
    """Return a generator; for None, ``check_random_state`` would hand out NumPy's global one."""
    return np.random.RandomState() if random_state is None else check_random_state(random_state)
