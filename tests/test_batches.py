"""ImageBatches as Keras gets them."""

import numpy as np
import pytest

from skposter import ImageLoader
from skposter._training.batches import ImageBatches
from skposter._training.subsets import Subset

RNG = np.random.default_rng(0)
N_IMAGES, N_LABELS = 7, 2
WEIGHTS = {
    "none": None,
    "of images": RNG.random(N_IMAGES).astype(np.float32),
    "of labels": RNG.random((N_IMAGES, N_LABELS)).astype(np.float32),
}


@pytest.fixture
def subset():
    X = RNG.integers(0, 256, (N_IMAGES, 6, 4, 3)).astype(np.uint8)
    y = RNG.integers(0, 2, (N_IMAGES, N_LABELS)).astype(np.float32)
    return Subset(X, y, np.arange(N_IMAGES))


def assert_same_batches(batches):
    dataset = batches.dataset()
    assert int(dataset.cardinality()) == batches.num_batches
    found = list(dataset.as_numpy_iterator())
    assert len(found) == batches.num_batches
    for i, arrays in enumerate(found):
        for array, expected in zip(arrays, batches[i], strict=True):
            assert array.dtype == expected.dtype
            np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_the_data_set_has_the_batches(subset, weight):
    subset.weight = WEIGHTS[weight]
    batches = ImageBatches(subset, 3, shuffle_seed=0)
    assert_same_batches(batches)
    first = batches[0]
    batches.next_epoch()
    assert not np.array_equal(batches[0][0], first[0])
    assert_same_batches(batches)


def test_one_image(subset):
    subset.rows = subset.rows[:1]
    assert_same_batches(ImageBatches(subset, 3))


def test_lazy_images_are_decoded_by_the_data_set(subset):
    subset.X = ImageLoader(size=(3, 2), lazy=True).transform(subset.X)
    assert_same_batches(ImageBatches(subset, 3, shuffle_seed=0))


def test_each_pass_is_the_epoch_of_that_moment(subset):
    batches = ImageBatches(subset, 3, shuffle_seed=0)
    dataset = batches.dataset()
    passes = []
    for _ in range(3):
        passes.append(np.concatenate([X for X, _ in dataset.as_numpy_iterator()]))
        batches.next_epoch()
    assert not np.array_equal(passes[0], passes[1])
    later = ImageBatches(subset, 3, shuffle_seed=0, first_epoch=2)
    np.testing.assert_array_equal(passes[2], np.concatenate([later[i][0] for i in range(3)]))


def test_no_thread_of_tensorflow_tunes_the_data_set(subset):
    # It makes epochs wait for as long as they took, now and then: benchmarks/epoch_waits.py.
    assert ImageBatches(subset, 3).dataset().options().autotune.enabled is False
