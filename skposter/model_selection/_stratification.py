"""Rows or groups of rows dealt to parts so that each part has its share of every label.

Everything here is a function on arrays. Rows go through the ``iterative-stratification`` package,
called below its splitter classes: those refuse a seed without shuffling, draw from NumPy's global
generator without one, and the shuffle split's default ``test_size="default"`` fails on current
scikit-learn. The package knows no groups, keeps no exact sizes and may leave a small part empty. So
groups are dealt by the same rule here, and `even_out` mends the sizes of both.
"""

from __future__ import annotations

import numpy as np
from iterstrat.ml_stratifiers import IterativeStratification

__all__ = ["deal", "even_out"]


def deal(labels, proportions, rng, groups=None):
    """Give every row the number of the part it belongs to.

    Labels are taken from the rarest up; each row that has the label goes to the part that still
    wants most of it [1]_.

    Parameters
    ----------
    labels : ndarray of shape (n_samples, n_labels), bool
        The labels. Rows without any are spread evenly at the end.
    proportions : array-like of shape (n_parts,)
        What share of the rows each part should get; they sum to 1.
    rng : numpy.random.RandomState
        Orders the rows and breaks ties.
    groups : array-like of shape (n_samples,), default=None
        Rows with the same value go to the same part. A group then counts as one row that has each
        label as often as its rows do.

    Returns
    -------
    part : ndarray of shape (n_samples,), int
        Without groups, part sizes are as near to the proportions as whole rows allow; with groups,
        as near as moving single groups makes them. No part that should have a row is empty as long
        as there are as many groups as parts.

    References
    ----------
    .. [1] K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the stratification of multi-label data",
       ECML PKDD 2011.
    """
    proportions = np.asarray(proportions, dtype=float)
    if groups is None:
        row_of_unit = rng.permutation(len(labels))
        counts = labels[row_of_unit]
        sizes = np.ones(len(labels), dtype=int)
        part = IterativeStratification(labels=counts, r=proportions, random_state=rng)
        part = even_out(part, counts, sizes, proportions)
        return part[np.argsort(row_of_unit)]
    _, unit_of_row = np.unique(np.asarray(groups), return_inverse=True)
    n_units = unit_of_row.max() + 1
    unit_of_row = rng.permutation(n_units)[unit_of_row]
    sizes = np.bincount(unit_of_row, minlength=n_units)
    counts = np.zeros((n_units, labels.shape[1]))
    np.add.at(counts, unit_of_row, labels)
    part = _deal_groups(counts, sizes, proportions, rng)
    return even_out(part, counts, sizes, proportions)[unit_of_row]


def _deal_groups(counts, sizes, proportions, rng):
    part = np.full(len(sizes), -1)
    wanted_labels = np.outer(proportions, counts.sum(axis=0))
    wanted_rows = proportions * sizes.sum()
    while (part < 0).any():
        waiting = part < 0
        left = counts[waiting].sum(axis=0)
        if left.any():
            label = np.flatnonzero(left == left[left > 0].min())[0]
            units = np.flatnonzero(waiting & (counts[:, label] > 0))
            weight, wanted = counts[units, label], wanted_labels[:, label]
        else:
            units = np.flatnonzero(waiting)
            weight, wanted = sizes[units], wanted_rows
        # Largest first, while every part still has room for it.
        for unit in units[np.argsort(-weight, kind="stable")]:
            best = np.flatnonzero(wanted == wanted.max())
            best = best[wanted_rows[best] == wanted_rows[best].max()]
            chosen = best[rng.randint(len(best))]
            part[unit] = chosen
            wanted_labels[chosen] -= counts[unit]
            wanted_rows[chosen] -= sizes[unit]
    return part


def even_out(part, counts, sizes, proportions):
    """Move rows or groups from parts that are too large to parts that are too small or empty.

    Each time, the one is moved that disturbs the label frequencies least, measured as the sum over
    parts and labels of (count - expected count)^2 / expected count.

    Parameters
    ----------
    part : ndarray of shape (n_units,), int
        Where each row or group is now.
    counts : ndarray of shape (n_units, n_labels)
        How often each label occurs in it.
    sizes : ndarray of shape (n_units,), int
        How many rows it has.
    proportions : ndarray of shape (n_parts,)
        What share of the rows each part should get.

    Returns
    -------
    part : ndarray of shape (n_units,), int
        A new array.
    """
    part = part.copy()
    n_parts = len(proportions)
    target = _whole_rows(proportions, np.bincount(part, sizes, minlength=n_parts))
    expected = np.outer(proportions, counts.sum(axis=0))
    per_expected = np.divide(1.0, expected, out=np.zeros_like(expected), where=expected > 0)
    surplus = np.array([counts[part == p].sum(axis=0) for p in range(n_parts)]) - expected
    while True:
        excess = np.bincount(part, sizes, minlength=n_parts) - target
        units = np.bincount(part, minlength=n_parts)
        empty = np.flatnonzero((units == 0) & (target > 0))
        if len(empty):
            to, allowed = empty[0], units[part] > 1
        else:
            to = excess.argmin()
            allowed = sizes <= np.minimum(excess[part], -excess[to])
        candidates = np.flatnonzero(allowed)
        if not len(candidates):
            return part
        moved, source = counts[candidates].astype(float), part[candidates]
        pull = (surplus * per_expected)[to] - (surplus * per_expected)[source]
        spread = per_expected[to] + per_expected[source]
        cost = (moved * (2 * pull + moved * spread)).sum(axis=1)
        chosen = candidates[cost.argmin()]
        surplus[part[chosen]] -= counts[chosen]
        surplus[to] += counts[chosen]
        part[chosen] = to


def _whole_rows(proportions, current):
    """Return part sizes in whole rows; a fraction goes to the parts that are largest now."""
    # The small number keeps 3 / 10 * 10 from falling below 3.
    sizes = np.floor(proportions * current.sum() + 1e-6).astype(int)
    fullest = np.argsort(-(current - sizes), kind="stable")
    sizes[fullest[: int(current.sum()) - sizes.sum()]] += 1
    return sizes
