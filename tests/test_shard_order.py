"""The order of an epoch over shards: every row once, few shards at a time."""

import numpy as np
import pytest

from skposter import ImageLoader
from skposter._training.batches import ImageBatches
from skposter._training.shard_order import BUFFER_SHARDS, shuffled_by_shards
from skposter._training.subsets import Subset


def order_of(rows, shards, *seed, buffer_shards=BUFFER_SHARDS):
    return shuffled_by_shards(rows, shards, np.random.default_rng(seed), buffer_shards)


@pytest.mark.parametrize("buffer_shards", [1, 2, 5])
@pytest.mark.parametrize("n_rows", [0, 1, 7, 60])
@pytest.mark.parametrize("n_shards", [1, 3, 5, 12])
def test_every_row_once_and_few_shards_at_a_time(n_rows, n_shards, buffer_shards):
    shards = np.random.default_rng(0).integers(0, n_shards, n_rows)
    rows = 1000 + np.arange(n_rows)
    order = order_of(rows, shards, 0, buffer_shards=buffer_shards)
    assert sorted(order) == rows.tolist()
    seen = shards[order - 1000].tolist()
    spans = [(seen.index(s), n_rows - seen[::-1].index(s)) for s in set(seen)]
    for position in range(n_rows):
        assert sum(begin <= position < end for begin, end in spans) <= buffer_shards


def test_seed_and_epoch_alone_decide():
    rows, shards = np.arange(200), np.repeat(np.arange(20), 10)
    np.testing.assert_array_equal(order_of(rows, shards, 3, 1), order_of(rows, shards, 3, 1))
    assert not np.array_equal(order_of(rows, shards, 3, 1), order_of(rows, shards, 3, 2))
    assert not np.array_equal(order_of(rows, shards, 3, 1), order_of(rows, shards, 4, 1))


def test_shards_are_shuffled_and_their_rows_are_mixed():
    rows, shards = np.arange(400), np.repeat(np.arange(40), 10)
    first = [shards[order_of(rows, shards, seed)[:40]] for seed in range(30)]
    assert all(len(set(some)) == BUFFER_SHARDS for some in first)
    assert len({tuple(sorted(set(some))) for some in first}) == 30
    assert all((np.diff(some) != 0).mean() > 0.5 for some in first)


@pytest.mark.parametrize("n_shards", [1, BUFFER_SHARDS])
def test_few_shards_are_shuffled_as_rows_without_shards_are(n_shards):
    rows = np.arange(40)
    order = order_of(rows, rows % n_shards, 7, 3)
    np.testing.assert_array_equal(order, np.random.default_rng((7, 3)).permutation(rows))


@pytest.mark.parametrize("lazy", [False, True])
def test_images_without_shards_keep_their_order(lazy):
    X = np.arange(30, dtype=np.uint8).reshape(30, 1, 1, 1).repeat(3, axis=3)
    rows = np.arange(3, 27)
    subset = Subset(
        ImageLoader(size=(1, 1), lazy=True).transform(X) if lazy else X,
        np.zeros((30, 1), dtype=np.float32),
        rows,
    )
    batches = ImageBatches(subset, 24, shuffle_seed=5, first_epoch=2)
    order = np.random.default_rng((5, 2)).permutation(rows)
    assert batches[0][0][:, 0, 0, 0].tolist() == order.tolist()
