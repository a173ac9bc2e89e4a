"""An array of images that are decoded when they are looked at."""

import os
import pickle
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline

from skposter import ImageLoader, LazyImages
from skposter.exceptions import ImageLoadError
from skposter.images import _decoding
from skposter.images._prefetch import prefetched


@pytest.fixture
def paths(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(10):
        Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    return [str(tmp_path / f"{i}.png") for i in range(10)]


@pytest.fixture
def lazy(paths):
    return ImageLoader(size=(6, 4), lazy=True).transform(paths)


@pytest.fixture
def whole(paths):
    return ImageLoader(size=(6, 4)).transform(paths)


@pytest.fixture
def decoded(monkeypatch):
    """The sources that have been decoded, in order."""
    sources = []

    def counting(source, options):
        sources.append(source)
        return original(source, options)

    original = _decoding.load_pixels
    monkeypatch.setattr(_decoding, "load_pixels", counting)
    return sources


class Brightness(ClassifierMixin, BaseEstimator):
    """Learns a threshold on the mean from batches, and checks that it was given lazy images."""

    def __init__(self, batch_size=3):
        self.batch_size = batch_size

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.threshold_ = np.mean(self._means(X))
        return self

    def predict(self, X):
        return (self._means(X) >= self.threshold_).astype(int)

    def _means(self, X):
        assert isinstance(X, LazyImages)
        batches = np.array_split(np.arange(len(X)), -(-len(X) // self.batch_size))
        return np.concatenate([images.mean(axis=(1, 2, 3)) for images in X.batches(batches)])


def test_it_describes_the_array_without_decoding(lazy, decoded):
    assert (lazy.shape, lazy.dtype, lazy.ndim, len(lazy)) == ((10, 6, 4, 3), np.uint8, 4, 10)
    assert lazy.nbytes == 10 * 6 * 4 * 3
    assert repr(lazy) == "LazyImages(shape=(10, 6, 4, 3), dtype=uint8)"
    assert lazy[3].shape == (6, 4, 3)
    assert (lazy[3].ndim, len(lazy[3])) == (3, 6)
    assert decoded == []


@pytest.mark.parametrize(
    "key",
    [
        3,
        -1,
        np.int64(2),
        slice(2, 8, 3),
        slice(None, None, -1),
        [4, 4, 0],
        [],
        np.array([1, -2]),
        np.array([], dtype=int),
        pd.Series([True, False] * 5),
        np.arange(10) % 2 == 0,
        [True] + [False] * 9,
        pd.Series([5, 6]),
        (slice(1, 3), ...),
        ([2, 1], slice(None), slice(None), slice(None)),
        ...,
    ],
)
def test_every_index_gives_a_lazy_view_of_what_numpy_would_give(lazy, whole, key):
    view = lazy[key]
    assert isinstance(view, LazyImages)
    assert view.shape == whole[key].shape
    np.testing.assert_array_equal(np.asarray(view), whole[key])


def test_views_of_views(lazy, whole):
    np.testing.assert_array_equal(lazy[2:9][[3, 1]][1], whole[3])
    np.testing.assert_array_equal(lazy[4][2:, 1], whole[4][2:, 1])


@pytest.mark.parametrize("key", [10, -11, [0, 10], np.ones(9, bool)])
def test_an_index_out_of_range_is_an_index_error(lazy, key):
    with pytest.raises(IndexError):
        lazy[key]


@pytest.mark.parametrize("key", [(0, 1), (slice(None), slice(2)), None, [[1, 2]]])
def test_only_the_samples_are_indexed(lazy, key):
    with pytest.raises(IndexError, match="LazyImages"):
        lazy[key]


def test_only_what_is_looked_at_is_decoded(lazy, paths, decoded):
    np.asarray(lazy[::-1][[2, 5]])
    assert sorted(decoded) == [paths[4], paths[7]]


def test_numpy_conversions(lazy, whole):
    assert np.asarray(lazy, dtype=np.float32).dtype == np.float32
    np.testing.assert_array_equal(np.array(lazy, copy=True), whole)
    with pytest.raises(ValueError, match="decoded on request"):
        lazy.__array__(copy=False)
    np.testing.assert_array_equal(np.stack(list(lazy)), whole)
    assert lazy[[]].__array__().shape == (0, 6, 4, 3)


def test_an_error_names_the_row_of_the_loaders_input(lazy, paths):
    os.remove(paths[7])
    with pytest.raises(ImageLoadError, match=r"row 7: .*7\.png: no such file") as info:
        np.asarray(lazy[[7, 2]])
    assert info.value.index == 7


def test_a_pickled_view_holds_its_own_sources_only(lazy, whole):
    big = ImageLoader(size=(6, 4), lazy=True).transform([f"/some/where/{i}" for i in range(50_000)])
    assert len(pickle.dumps(big[:5])) < 3000
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(lazy[2:4])), whole[2:4])


def test_it_passes_through_scikit_learn(lazy, paths):
    y = np.arange(10) % 2
    train, test, y_train, _ = train_test_split(lazy, y, random_state=0)
    assert isinstance(train, LazyImages)
    assert (len(train), len(test)) == (7, 3)
    assert Brightness().fit(train, y_train).predict(test).shape == (3,)
    assert cross_val_score(Brightness(), lazy, y, cv=2).shape == (2,)
    pipe = make_pipeline(ImageLoader(size=(6, 4), lazy=True), Brightness())
    search = GridSearchCV(pipe, {"brightness__batch_size": [2, 10]}, cv=2).fit(paths, y)
    assert np.ptp(search.cv_results_["mean_test_score"]) == 0


def test_batches_are_those_of_the_array(lazy, whole):
    order = [[3, 1], [9], [0, 0, 2]]
    for indices, images in zip(order, lazy.batches(order), strict=True):
        np.testing.assert_array_equal(images, whole[indices])


def test_a_bad_image_surfaces_with_its_batch(lazy, paths):
    os.remove(paths[4])
    batches = lazy.batches([[0, 1], [2, 3], [4, 5]])
    assert len(next(batches)) == len(next(batches)) == 2
    with pytest.raises(ImageLoadError, match="row 4: "):
        next(batches)


def test_fingerprints_change_with_everything_that_pixels_depend_on(lazy, paths):
    def fingerprint(sources=paths, **params):
        loader = ImageLoader(size=(6, 4), lazy=True).set_params(**params)
        return loader.transform(sources).fingerprint()

    before = fingerprint()
    assert before == lazy.fingerprint() == lazy[:].fingerprint() == fingerprint(n_jobs=1)
    content = Path(paths[0]).read_bytes()
    pixels = np.zeros((5, 5, 3), np.uint8)
    others = [
        fingerprint(paths[::-1]),
        fingerprint(paths[:9]),
        fingerprint(size=(4, 6)),
        fingerprint(mode="L"),
        fingerprint(background=(0, 0, 0)),
        fingerprint(on_error="blank"),
        fingerprint([content]),
        fingerprint([content + b" "]),
        fingerprint([pixels]),
        fingerprint([pixels + np.uint8(1)]),
        fingerprint([Image.fromarray(pixels)]),
    ]
    os.utime(paths[3], ns=(1, 1))
    others.append(fingerprint())
    os.remove(paths[3])
    others.append(fingerprint())
    assert len({before, *others}) == len(others) + 1


def test_prefetching_runs_ahead_but_not_far():
    made, released = [], threading.Event()

    def make(i):
        made.append(i)
        if len(made) == 3:
            released.set()
        return i

    results = prefetched(make, range(100), depth=2)
    assert next(results) == 0
    assert released.wait(timeout=30)
    results.close()
    assert made == [0, 1, 2]


def test_prefetching_keeps_order_and_raises_in_turn():
    def halves(i):
        if i == 3:
            raise KeyError(i)
        return i / 2

    results = prefetched(halves, range(6))
    assert [next(results) for _ in range(3)] == [0, 0.5, 1]
    with pytest.raises(KeyError):
        next(results)
    assert not [t for t in threading.enumerate() if t.name.startswith("skposter-prefetch")]
    assert list(prefetched(str, [])) == []
    assert list(prefetched(str, [1])) == ["1"]
