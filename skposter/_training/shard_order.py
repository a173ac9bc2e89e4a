"""The order of an epoch over images that lie many in one file."""

from __future__ import annotations

import numpy as np

__all__ = ["BUFFER_SHARDS", "shuffled_by_shards"]

# The cache of row groups in `_files/shards.py` holds two buffers.
BUFFER_SHARDS = 4


def shuffled_by_shards(rows, shards, rng, buffer_shards=BUFFER_SHARDS):
    """Shuffle shards, then the rows of each few shards that follow each other.

    So no more than `buffer_shards` shards are in use at a time, and two at the seams of buffers.
    As many shards or fewer are shuffled as rows without shards are, ``rng.permutation(rows)``.

    Parameters
    ----------
    rows : ndarray of int, shape (n_rows,)
        What to shuffle.
    shards : ndarray of int, shape (n_rows,)
        The shard of each of the rows.
    rng : numpy.random.Generator
        Decides the order, with `rows` and `shards` alone.
    buffer_shards : int, default=4
        How many shards are mixed.

    Returns
    -------
    order : ndarray of int, shape (n_rows,)
        A permutation of `rows`.

    Examples
    --------
    >>> import numpy as np
    >>> rows, shards = np.arange(6), np.array([0, 0, 1, 1, 2, 2])
    >>> shuffled_by_shards(rows, shards, np.random.default_rng(5), buffer_shards=1).tolist()
    [4, 5, 1, 0, 2, 3]
    """
    names, number = np.unique(shards, return_inverse=True)
    if len(names) <= buffer_shards:
        return rng.permutation(rows)
    buffer_of = rng.permutation(len(names)) // buffer_shards
    drawn = rng.permutation(len(rows))
    return rows[drawn[np.argsort(buffer_of[number[drawn]], kind="stable")]]
