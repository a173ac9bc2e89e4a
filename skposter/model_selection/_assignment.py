"""Rows, or groups of rows, assigned to subsets so that each has its share of every label.

Everything here is a function on arrays. The rule is iterative stratification; what it leaves uneven
in the sizes of the subsets is evened out afterwards, at the least cost in label frequencies.
"""

from __future__ import annotations

import numpy as np

__all__ = ["assign", "assign_labels", "even_out"]

# Units times rows beyond which no sets of groups are exchanged: it would take seconds, and where
# there are so many groups, moving single ones has evened the sizes out already.
_LARGEST_EXCHANGE = 50_000_000


def assign_labels(labels, proportions, rng, groups=None):
    """Assign rows by labels of which some may be unknown; see :func:`assign`.

    Unknown labels are spread like a label of their own, so that the frequencies among the known are
    kept as well.

    Parameters
    ----------
    labels : Labels
    proportions, rng, groups
        As for :func:`assign`.

    Returns
    -------
    subset : ndarray of shape (n_samples,), int
    """
    counts = labels.positive
    if labels.known is not None:
        unknown = ~labels.known
        counts = np.hstack([counts, unknown[:, unknown.any(axis=0)]])
    return assign(counts, proportions, rng, groups)


def assign(labels, proportions, rng, groups=None):
    """Give every row the number of the subset that it belongs to.

    Labels are taken from the rarest up; each row that has the label goes to the subset that still
    wants most of it [1]_.

    Parameters
    ----------
    labels : ndarray of shape (n_samples, n_labels), bool
        The labels. Rows without any are spread evenly at the end.
    proportions : array-like of shape (n_subsets,)
        What share of the rows each subset should get; they sum to 1.
    rng : numpy.random.RandomState
        Orders the rows and breaks ties.
    groups : array-like of shape (n_samples,), default=None
        Rows with the same value go to the same subset. A group then counts as one row that has each
        label as often as its rows do.

    Returns
    -------
    subset : ndarray of shape (n_samples,), int
        Sizes as from :func:`even_out`.

    References
    ----------
    .. [1] K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the stratification of multi-label data",
       ECML PKDD 2011.
    """
    proportions = np.asarray(proportions, dtype=float)
    if groups is None:
        unit_of_row = np.arange(len(labels))
    else:
        unit_of_row = np.unique(np.asarray(groups), return_inverse=True)[1]
    n_units = unit_of_row.max() + 1
    unit_of_row = rng.permutation(n_units)[unit_of_row]
    sizes = np.bincount(unit_of_row, minlength=n_units)
    counts = np.zeros((n_units, labels.shape[1]), dtype=np.int64)
    np.add.at(counts, unit_of_row, labels.astype(np.int64))
    subset = _stratify(counts, sizes, proportions, rng)
    return even_out(subset, counts, sizes, proportions)[unit_of_row]


def _stratify(counts, sizes, proportions, rng):
    subset = np.full(len(sizes), -1)
    wanted_labels = np.outer(proportions, counts.sum(axis=0))
    wanted_rows = proportions * sizes.sum()
    left = counts.sum(axis=0)
    while True:
        waiting = np.flatnonzero(subset < 0)
        if not len(waiting):
            return subset
        if left.any():
            label = np.flatnonzero(left == left[left > 0].min())[0]
            units = waiting[counts[waiting, label] > 0]
            weight, wanted = counts[units, label], wanted_labels[:, label]
        else:
            units = waiting
            weight, wanted = sizes[units], wanted_rows
        # Largest first, while every subset still has room for it.
        for unit in units[np.argsort(-weight, kind="stable")]:
            best = np.flatnonzero(wanted == wanted.max())
            if len(best) > 1:
                best = best[wanted_rows[best] == wanted_rows[best].max()]
            chosen = best[rng.randint(len(best))] if len(best) > 1 else best[0]
            subset[unit] = chosen
            wanted_labels[chosen] -= counts[unit]
            wanted_rows[chosen] -= sizes[unit]
        left = left - counts[units].sum(axis=0)


def even_out(subset, counts, sizes, proportions):
    """Move rows or groups from subsets that are too large to those that are too small or empty.

    Each time, the one is moved that disturbs the label frequencies least, measured as the sum over
    subsets and labels of (count - expected count)^2 / expected count. Where no single group can be
    moved, sets of groups are exchanged between two subsets.

    Parameters
    ----------
    subset : ndarray of shape (n_units,), int
        Where each row or group is now.
    counts : ndarray of shape (n_units, n_labels)
        How often each label occurs in it.
    sizes : ndarray of shape (n_units,), int
        How many rows it has.
    proportions : ndarray of shape (n_subsets,)
        What share of the rows each subset should get.

    Returns
    -------
    subset : ndarray of shape (n_units,), int
        A new array. For units of one row, sizes are as near to the proportions as whole rows allow.
        For groups, no exchange of groups between two subsets, however many, would bring these two
        nearer (unless there are tens of thousands of groups); with two subsets there is no nearer.
        No subset that should have a row is empty as long as there are as many units as subsets.
    """
    state = _Assignment(subset, counts, sizes, proportions)
    state.fill_empty()
    state.move_single_units()
    if sizes.max(initial=1) > 1:
        state.exchange_sets()
    return state.subset


class _Assignment:
    """Units in subsets, how far these are from their share, and what moving a unit would cost."""

    def __init__(self, subset, counts, sizes, proportions):
        self.subset = subset.copy()
        self.counts, self.sizes = counts, sizes
        self.n_subsets = len(proportions)
        self.share = proportions * sizes.sum()
        self.target = _whole_rows(self.share, self.held())
        expected = np.outer(proportions, counts.sum(axis=0))
        self.per_expected = 1.0 / np.where(expected > 0, expected, np.inf)  # of no rows, no cost
        self.surplus = (
            np.array([counts[subset == s].sum(axis=0) for s in range(self.n_subsets)]) - expected
        )

    def held(self):
        """Return how many rows each subset has."""
        return np.bincount(self.subset, self.sizes, minlength=self.n_subsets).astype(int)

    def cost(self, units, to):
        """Return what moving each of some units would add to the squared label deviations."""
        moved, source = self.counts[units].astype(float), self.subset[units]
        weighted = self.surplus * self.per_expected
        pull = weighted[to] - weighted[source]
        spread = self.per_expected[to] + self.per_expected[source]
        return (moved * (2 * pull + moved * spread)).sum(axis=1)

    def move(self, unit, to):
        self.surplus[self.subset[unit]] -= self.counts[unit]
        self.surplus[to] += self.counts[unit]
        self.subset[unit] = to

    def move_cheapest(self, units, to):
        self.move(units[self.cost(units, to).argmin()], to)

    def fill_empty(self):
        for to in np.flatnonzero(self.target > 0):
            n_units = np.bincount(self.subset, minlength=self.n_subsets)
            spare = np.flatnonzero(n_units[self.subset] > 1)
            if n_units[to] == 0 and len(spare):
                self.move_cheapest(spare, to)

    def move_single_units(self):
        """Move units that are too many in one subset and no more than are missing in another."""
        while True:
            excess = self.held() - self.target
            to = excess.argmin()
            fits = self.sizes <= np.minimum(excess[self.subset], -excess[to])
            if not fits.any():
                return
            self.move_cheapest(np.flatnonzero(fits), to)

    def exchange_sets(self):
        """Exchange sets of units between pairs of subsets until no exchange evens a pair out."""
        pairs = [(a, b) for a in range(self.n_subsets) for b in range(a + 1, self.n_subsets)]
        while sum(self._exchange(a, b) for a, b in pairs):
            pass

    def _exchange(self, a, b):
        """Exchange units so that two subsets come nearer to their shares; return whether it did."""
        units = np.flatnonzero((self.subset == a) | (self.subset == b))
        sizes, is_in_a = self.sizes[units], self.subset[units] == a
        step = int(np.gcd.reduce(sizes))
        total = int(sizes.sum()) // step
        excess = self.held() - self.share
        gap = excess[a] - excess[b]  # moving d rows from a to b makes it gap - 2 d
        if abs(gap) <= step or len(units) < 2 or len(units) * total > _LARGEST_EXCHANGE:
            return False
        cost = np.where(is_in_a, self.cost(units, b), self.cost(units, a))
        cheapest, came_in = _cheapest_sets(sizes // step, is_in_a, cost, total)
        in_a = np.flatnonzero(np.isfinite(cheapest[1:-1])) + 1  # both keep a unit
        gaps = np.abs(gap - 2 * (int(sizes[is_in_a].sum()) - in_a * step))
        if gaps.min() >= abs(gap) - 1e-6:
            return False
        left = int(in_a[gaps.argmin()])
        for place in range(len(units))[::-1]:
            stays = came_in[place, left]
            left -= stays * int(sizes[place]) // step
            if stays != is_in_a[place]:
                self.move(units[place], a if stays else b)
        return True


def _cheapest_sets(sizes, is_in_a, cost, total):
    """Return what it costs, unit by unit, that a subset comes to each size from 0 to `total`.

    Returns
    -------
    cheapest : ndarray of shape (total + 1,)
        The least sum of the `cost` of units that change sides; infinite if no set has that size.
    came_in : ndarray of shape (n_units, total + 1), bool
        Whether unit i is in that set, as far as units 0 to i make it up.
    """
    cheapest = np.full(total + 1, np.inf)
    cheapest[0] = 0
    came_in = np.zeros((len(sizes), total + 1), dtype=bool)
    for unit, size in enumerate(sizes):
        outside = cheapest + (cost[unit] if is_in_a[unit] else 0)
        inside = np.full(total + 1, np.inf)
        inside[size:] = cheapest[:-size] + (0 if is_in_a[unit] else cost[unit])
        came_in[unit] = inside < outside
        cheapest = np.minimum(inside, outside)
    return cheapest, came_in


def _whole_rows(share, held):
    """Return subset sizes in whole rows; a fraction goes to the subsets that are largest now."""
    # The small number keeps 3 / 10 * 10 from falling below 3.
    sizes = np.floor(share + 1e-6).astype(int)
    fullest = np.argsort(-(held - sizes), kind="stable")
    sizes[fullest[: int(held.sum()) - sizes.sum()]] += 1
    return sizes
