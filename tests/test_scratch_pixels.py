"""Without a cache_dir: what this process keeps of images that it loads repeatedly."""

import errno
import multiprocessing
import os
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skposter import ImageLoader
from skposter.exceptions import ImageLoadError
from skposter.images import _decoding, _scratch

N = 30
SIZE = (12, 8)
ROW_BYTES = 12 * 8 * 3


@pytest.fixture(autouse=True)
def begin_anew():
    _scratch.forget_scratch()
    yield
    _scratch.forget_scratch()


@pytest.fixture
def paths(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(N):
        Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    time.sleep(0.03)  # younger files are not trusted to stay as they are
    return [str(tmp_path / f"{i}.png") for i in range(N)]


@pytest.fixture
def plain(paths):
    return ImageLoader(size=SIZE, cache_limit=0).transform(paths)


@pytest.fixture
def loader():
    return ImageLoader(size=SIZE)


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


class MeanColour(ClassifierMixin, BaseEstimator):
    """Needs an array, as most classifiers do."""

    def __init__(self, threshold=0.5):
        self.threshold = threshold

    def fit(self, X, y):
        assert isinstance(X, np.ndarray)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return (X.mean(axis=(1, 2, 3)) > 255 * self.threshold).astype(int)


@pytest.mark.parametrize("refit", [True, False])
def test_a_search_with_any_classifier_decodes_each_image_once(paths, decoded, refit):
    pipe = make_pipeline(ImageLoader(size=SIZE), MeanColour())
    grid = {"meancolour__threshold": np.linspace(0.1, 0.9, 20)}
    GridSearchCV(pipe, grid, cv=3, refit=refit).fit(paths, np.arange(N) % 2)
    assert sorted(decoded) == sorted(paths)


def test_what_comes_again_is_the_same_pixels(loader, paths, plain, decoded):
    for order in (slice(None), slice(None, None, -1), slice(3, 9)):
        np.testing.assert_array_equal(loader.transform(paths[order]), plain[order])
    threaded = ImageLoader(size=SIZE, n_jobs=4).transform(paths * 5)
    np.testing.assert_array_equal(threaded, np.concatenate([plain] * 5))
    assert sorted(decoded) == sorted(paths)


def test_the_result_is_the_callers_own(loader, paths, plain):
    loader.transform(paths)[:] = 0
    np.testing.assert_array_equal(loader.transform(paths), plain)


def test_other_settings_have_other_pixels(loader, paths, plain):
    loader.transform(paths)
    assert not np.array_equal(ImageLoader(size=(8, 12)).transform(paths), plain)
    grey = ImageLoader(size=SIZE, mode="L").transform(paths)
    assert grey.shape == (N, 12, 8, 1)
    padded = ImageLoader(size=SIZE, resize="pad").transform(paths)
    assert not np.array_equal(padded, plain)


def test_an_overwritten_file_is_never_served_stale(loader, tmp_path):
    """Nor one whose size and time of modification were set to what they had been."""
    path = tmp_path / "image.bmp"
    for value in range(50):
        Image.new("RGB", (9, 9), (value, value, value)).save(path)
        assert (loader.transform([path]) == value).all()
    time.sleep(0.03)
    loader.transform([path])
    times = path.stat()
    Image.new("RGB", (9, 9), "white").save(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    time.sleep(0.03)
    assert (loader.transform([path]) == 255).all()


def test_a_deleted_file_is_missing(loader, paths):
    loader.transform(paths)
    os.remove(paths[3])
    with pytest.raises(ImageLoadError, match=r"row 3: .*no such file"):
        loader.transform(paths)


def test_a_failed_image_is_tried_again(loader, paths, plain):
    Path(paths[3]).rename(paths[3] + ".away")
    with pytest.raises(ImageLoadError, match="row 3: "):
        loader.transform(paths)
    Path(paths[3] + ".away").rename(paths[3])
    np.testing.assert_array_equal(loader.transform(paths), plain)


def test_beyond_the_first_megabytes_only_what_comes_again_is_kept(
    loader, paths, plain, decoded, monkeypatch
):
    monkeypatch.setattr(_scratch, "_KEPT_AT_ONCE", 10 * ROW_BYTES)
    for n_decoded in (N, 2 * N - 10, 2 * N - 10):
        np.testing.assert_array_equal(loader.transform(paths), plain)
        assert len(decoded) == n_decoded


def test_a_full_file_keeps_what_it_has_while_that_is_read(
    loader, paths, plain, decoded, monkeypatch
):
    monkeypatch.setattr(_scratch, "_LIMIT", 10 * ROW_BYTES)
    for n_decoded in (N, 2 * N - 10, 3 * N - 20):
        np.testing.assert_array_equal(loader.transform(paths), plain)
        assert len(decoded) == n_decoded
    monkeypatch.setattr(_scratch, "_STALE_S", 0.0)
    loader.transform(paths[20:])
    del decoded[:]
    np.testing.assert_array_equal(loader.transform(paths[20:]), plain[20:])
    assert decoded == []


@pytest.mark.parametrize(
    "loader",
    [ImageLoader(size=SIZE, cache_limit=0), ImageLoader(size=SIZE, cache_limit=ROW_BYTES - 1)],
)
def test_the_limit_holds_here_too(loader, paths, plain, decoded):
    for _ in range(2):
        np.testing.assert_array_equal(loader.transform(paths), plain)
    assert len(decoded) == 2 * N


def test_lazy_images_keep_nothing(paths, plain, decoded):
    lazy = ImageLoader(size=SIZE, lazy=True).transform(paths)
    for _ in range(2):
        np.testing.assert_array_equal(np.asarray(lazy), plain)
    assert len(decoded) == 2 * N


def test_clearing_gives_the_file_back(loader, paths, decoded):
    loader.transform(paths)
    loader.clear_cache()
    loader.transform(paths)
    assert len(decoded) == 2 * N
    assert loader.cache_size() == 0  # of a folder, which there is none of


def test_no_name_is_left_in_the_temporary_folder(loader, paths, tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    loader.transform(paths)
    if os.name != "nt":
        assert list(folder.iterdir()) == []


@pytest.mark.parametrize("fault", ["no folder", "full at once", "full in the middle"])
def test_without_a_place_for_the_file_images_are_decoded(
    loader, paths, plain, monkeypatch, tmp_path, fault
):
    if fault == "no folder":
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    else:

        class Full:
            """A file on a disk that takes 1000 bytes more, or none."""

            left = 0 if fault == "full at once" else 1000

            def __init__(self, file):
                self._file = file
                self.seek, self.readinto, self.close = file.seek, file.readinto, file.close

            def write(self, content):
                if self.left == 0:
                    raise OSError(errno.ENOSPC, "No space left on device")
                n_bytes = self._file.write(content[: self.left])
                self.left -= n_bytes
                return n_bytes

        make = tempfile.TemporaryFile
        monkeypatch.setattr(tempfile, "TemporaryFile", lambda **kwargs: Full(make(**kwargs)))
    for _ in range(3):
        np.testing.assert_array_equal(loader.transform(paths), plain)


def test_threads_share_it(loader, paths, plain, decoded):
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(loader.transform(paths))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for images in results:
        np.testing.assert_array_equal(images, plain)
    del decoded[:]
    loader.transform(paths)
    assert decoded == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_its_own(paths, plain):
    loader = ImageLoader(size=SIZE, n_jobs=1)
    loader.transform(paths[:15])

    def child(queue):
        same = [np.array_equal(loader.transform(paths[::-1]), plain[::-1]) for _ in range(3)]
        queue.put(all(same))

    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=child, args=(queue,))
    process.start()
    for _ in range(3):
        np.testing.assert_array_equal(loader.transform(paths), plain)
    assert queue.get(timeout=60)
    process.join()
