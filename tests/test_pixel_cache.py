"""Decoded pixels on disk: never stale, never torn, bounded, shared."""

import errno
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import GifImagePlugin, Image, ImageFile
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from test_lazy_images import Brightness

from skposter import ImageLoader
from skposter.exceptions import ImageLoadError
from skposter.images import _cache as _pixel_cache
from skposter.images import _decoding

N = 40
SIZE = (12, 8)
ROW_BYTES = 12 * 8 * 3
ENTRY_BYTES = ROW_BYTES + 24


@pytest.fixture
def paths(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(N):
        Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).save(folder / f"{i}.png")
    return [str(folder / f"{i}.png") for i in range(N)]


@pytest.fixture
def plain(paths):
    return ImageLoader(size=SIZE).transform(paths)


@pytest.fixture
def cache_dir(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def loader(cache_dir):
    return ImageLoader(size=SIZE, cache_dir=cache_dir)


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


def forget_open_caches():
    """Do what a new process does: read the folder anew."""
    _pixel_cache._open_cache.cache_clear()


def files(cache_dir, suffix):
    return sorted(Path(cache_dir).glob(f"*/*{suffix}"))


def contents(folder):
    """All files under a folder, with what is in them."""
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


@pytest.fixture
def small_steps(monkeypatch):
    """Shards of 8 rows, filled 4 rows at a time."""
    monkeypatch.setattr(_pixel_cache, "_SHARD_BYTES", 8 * ROW_BYTES)
    monkeypatch.setattr(_decoding, "_FILL_BYTES", 4 * ROW_BYTES)


def test_each_image_is_decoded_once(loader, paths, plain, decoded):
    np.testing.assert_array_equal(loader.transform(paths[:25]), plain[:25])
    np.testing.assert_array_equal(loader.transform(paths), plain)
    np.testing.assert_array_equal(loader.transform(paths[::-1]), plain[::-1])
    forget_open_caches()
    np.testing.assert_array_equal(loader.transform(paths), plain)
    assert sorted(decoded) == sorted(paths)


def test_a_grid_search_decodes_each_image_once(cache_dir, paths, decoded):
    for lazy in (False, True):
        loader = ImageLoader(size=SIZE, cache_dir=cache_dir, lazy=True)
        pipe = make_pipeline(loader, Brightness())
        grid = {"brightness__batch_size": list(range(1, 11))}
        GridSearchCV(pipe, grid, cv=5).fit(paths, np.arange(N) % 2).predict(paths)
        assert sorted(decoded) == sorted(paths), lazy


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("params", [{}, {"cache_limit": 0}, {"cache_dir": None}])
def test_progress_counts_each_image_once(loader, paths, small_steps, params, n_jobs):
    loader.set_params(n_jobs=n_jobs, **params).transform(paths[5:20])
    counted = []
    sources = np.array(paths, dtype=object)
    loader._decoder().decode(sources, done=counted.append)
    assert sum(counted) == N
    assert min(counted) >= 0


def test_an_image_that_stands_in_two_rows_is_stored_once(loader, paths, plain):
    images = loader.transform([paths[0], paths[1], paths[0]])
    np.testing.assert_array_equal(images, plain[[0, 1, 0]])
    assert files(loader.cache_dir, ".rows")[0].stat().st_size == 2 * ROW_BYTES


def test_an_overwritten_file_is_never_served_stale(loader, tmp_path):
    path = tmp_path / "image.bmp"  # a format in which every picture has the same number of bytes
    for value in range(50):
        Image.new("RGB", (9, 9), (value, value, value)).save(path)
        assert (loader.transform([path]) == value).all()


def test_a_failed_image_is_tried_again(loader, paths, plain):
    Path(paths[3]).rename(paths[3] + ".away")
    with pytest.raises(ImageLoadError, match="row 3: "):
        loader.transform(paths)
    Path(paths[3] + ".away").rename(paths[3])
    np.testing.assert_array_equal(loader.transform(paths), plain)


def test_every_parameter_that_matters_has_its_own_pixels(loader, paths, monkeypatch):
    variants = [
        {},
        {"size": (8, 12)},
        {"mode": "L"},
        {"resize": "pad"},
        {"resample": "box"},
        {"background": (0, 0, 0)},
        {"exact": True},
    ]
    for n, params in enumerate(variants, start=1):
        other = ImageLoader(**{"size": SIZE, **params}).transform(paths)
        for _ in range(2):
            cached = ImageLoader(**{"size": SIZE, "cache_dir": loader.cache_dir, **params})
            np.testing.assert_array_equal(cached.transform(paths), other)
        assert len(files(loader.cache_dir, "settings.txt")) == n
    monkeypatch.setattr("PIL.__version__", "99.0")
    loader.transform(paths)
    assert len(files(loader.cache_dir, "settings.txt")) == len(variants) + 1


def test_only_files_are_cached(loader, decoded):
    pixels = np.zeros((5, 5, 3), np.uint8)
    content = Image.fromarray(pixels)
    for _ in range(2):
        loader.transform([pixels, content])
    assert len(decoded) == 4


def test_what_is_stored_already_is_not_stored_again(loader, paths, plain):
    loader.transform(paths[:20])
    cache = loader._decoder().cache()
    keys = [cache.key(path) for path in paths]
    with cache.filling(keys) as alone:
        assert alone
        cache.append(keys[:25] + keys[10:15], plain[[*range(25), *range(10, 15)]])
    (rows,), (index,) = files(loader.cache_dir, ".rows"), files(loader.cache_dir, ".index")
    assert (rows.stat().st_size, index.stat().st_size) == (25 * ROW_BYTES, 25 * 24)
    forget_open_caches()
    np.testing.assert_array_equal(loader.transform(paths), plain)


def flip_a_byte(rows, index):
    with open(rows, "r+b") as file:
        file.seek(5 * ROW_BYTES + 7)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))


def cut_rows(rows, index):
    os.truncate(rows, 30 * ROW_BYTES + 11)


def cut_index(rows, index):
    os.truncate(index, 30 * 24 + 11)


def leave_part_of_a_record(rows, index):
    with open(index, "ab") as file:
        file.write(b"torn")


def scramble_index(rows, index):
    content = bytearray(index.read_bytes())
    content[24:72] = content[48:96]
    index.write_bytes(content)


def exchange_two_rows(rows, index):
    content = rows.read_bytes()
    rows.write_bytes(
        content[ROW_BYTES : 2 * ROW_BYTES] + content[:ROW_BYTES] + content[2 * ROW_BYTES :]
    )


def delete_rows(rows, index):
    rows.unlink()


def delete_index(rows, index):
    index.unlink()


def fill_rows_with_zeros(rows, index):
    rows.write_bytes(bytes(rows.stat().st_size))


DAMAGES = {
    flip_a_byte: 1,
    cut_rows: 10,
    cut_index: 10,
    leave_part_of_a_record: 0,
    scramble_index: 2,
    exchange_two_rows: 2,
    delete_rows: N,
    delete_index: N,
    fill_rows_with_zeros: N,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_between_processes_costs_only_what_is_damaged(loader, paths, plain, decoded, damage):
    loader.transform(paths)
    (rows,), (index,) = files(loader.cache_dir, ".rows"), files(loader.cache_dir, ".index")
    damage(rows, index)
    for wanted in (DAMAGES[damage], 0, 0):
        forget_open_caches()
        del decoded[:]
        np.testing.assert_array_equal(loader.transform(paths), plain)
        assert len(decoded) == wanted


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_under_a_running_process_never_reaches_the_pixels(loader, paths, plain, damage):
    loader.transform(paths[:35])
    (rows,), (index,) = files(loader.cache_dir, ".rows"), files(loader.cache_dir, ".index")
    damage(rows, index)
    for _ in range(3):
        np.testing.assert_array_equal(loader.transform(paths), plain)
    forget_open_caches()
    np.testing.assert_array_equal(loader.transform(paths), plain)


def test_a_deleted_cache_folder_is_made_again(loader, paths, plain, decoded):
    loader.transform(paths)
    for _ in range(2):
        loader.clear_cache()
        Path(loader.cache_dir, "skposter.lock").unlink(missing_ok=True)
        os.rmdir(loader.cache_dir)
        np.testing.assert_array_equal(loader.transform(paths), plain)
    np.testing.assert_array_equal(loader.transform(paths), plain)
    assert len(decoded) == 3 * N


def test_size_and_clearing(loader, paths, cache_dir, decoded):
    assert loader.cache_size() == 0
    loader.transform(paths)
    assert N * ENTRY_BYTES <= loader.cache_size() < N * ENTRY_BYTES + 1000
    mine = cache_dir / "notes.txt"
    mine.write_text("keep")
    loader.clear_cache()
    assert loader.cache_size() == 0
    assert mine.read_text() == "keep"
    loader.transform(paths)
    assert len(decoded) == 2 * N
    assert ImageLoader().cache_size() == 0
    ImageLoader().clear_cache()


def test_clearing_leaves_what_is_not_the_caches_own(loader, paths, cache_dir):
    loader.transform(paths)
    (folder,) = {file.parent for file in files(cache_dir, ".rows")}
    looks_alike = cache_dir / folder.name.replace("12x8", "9x9")
    looks_alike.mkdir()
    (looks_alike / "settings.txt").write_text("PixelOptions(size=(9, 9), ...)")
    (looks_alike / f"{0:020d}-00000000.rows").write_bytes(bytes(5))
    (folder / "notes.rows").write_text("mine")
    (cache_dir / "v1-models").mkdir()
    (cache_dir / "v1-models" / "settings.txt").write_text("mine")
    (cache_dir / "settings.txt").write_text("mine")
    theirs = {
        path: content
        for path, content in contents(cache_dir).items()
        if path.parent != folder or path.name == "notes.rows"
    }
    before = loader.cache_size()
    assert N * ENTRY_BYTES <= before < N * ENTRY_BYTES + 1000
    loader.clear_cache()
    assert contents(cache_dir) == theirs
    assert loader.cache_size() == 0


def test_a_cache_is_known_by_its_mark_and_not_by_its_name(loader, paths, cache_dir):
    loader.transform(paths)
    (folder,) = {file.parent for file in files(cache_dir, ".rows")}
    folder.rename(cache_dir / "renamed")
    assert loader.cache_size() >= N * ENTRY_BYTES
    loader.clear_cache()
    assert not (cache_dir / "renamed").exists()


def test_a_lost_mark_is_made_again(loader, paths, cache_dir):
    loader.transform(paths[:20])
    (settings,) = files(cache_dir, "settings.txt")
    for torn in ("", "skposter's dec"):
        settings.write_text(torn)
        assert loader.cache_size() == 0
        Path(paths[0]).touch()
        loader.transform(paths[:20])
        assert loader.cache_size() >= 20 * ENTRY_BYTES


def test_pixels_made_by_other_settings_of_pillow_are_not_served(loader, paths, plain, monkeypatch):
    whole = Path(paths[0]).read_bytes()
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).save(paths[0], "JPEG")
    Path(paths[0]).write_bytes(Path(paths[0]).read_bytes()[:-2000])
    with monkeypatch.context() as patch:
        patch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
        lenient = loader.transform(paths)
        fingerprint = ImageLoader(lazy=True).transform(paths).fingerprint()
    with pytest.raises(ImageLoadError, match=r"row 0: .* truncated"):
        loader.transform(paths)
    assert ImageLoader(lazy=True).transform(paths).fingerprint() != fingerprint
    Path(paths[0]).write_bytes(whole)
    np.testing.assert_array_equal(loader.transform(paths), plain)
    np.testing.assert_array_equal(lenient[1:], plain[1:])
    made = len(files(loader.cache_dir, "settings.txt"))
    monkeypatch.setattr(GifImagePlugin, "LOADING_STRATEGY", 2)
    loader.transform(paths)
    assert len(files(loader.cache_dir, "settings.txt")) == made + 1


def test_rows_without_their_index_count_and_make_room(
    cache_dir, paths, plain, decoded, small_steps
):
    limit = 20 * ENTRY_BYTES + 1000
    loader = ImageLoader(size=SIZE, cache_dir=cache_dir, cache_limit=limit)
    loader.transform(paths[:16])
    before = loader.cache_size()
    for age, index in enumerate(files(cache_dir, ".index")):
        index.unlink()
        os.utime(index.with_suffix(".rows"), (age + 1, age + 1))
    assert loader.cache_size() == before - 16 * 24
    forget_open_caches()
    del decoded[:]
    for _ in range(2):
        np.testing.assert_array_equal(loader.transform(paths[16:30]), plain[16:30])
        assert loader.cache_size() <= limit
    assert len(decoded) == 14


def test_rows_that_cannot_be_deleted_are_counted_and_passed_over(
    cache_dir, paths, plain, decoded, small_steps, monkeypatch
):
    limit = 24 * ENTRY_BYTES + 1000
    loader = ImageLoader(size=SIZE, cache_dir=cache_dir, cache_limit=limit)
    loader.transform(paths[:24])
    rows = files(cache_dir, ".rows")
    for age, file in enumerate(rows):
        os.utime(file, (age + 1, age + 1))
    forget_open_caches()
    unlink = Path.unlink

    def held_open(path, missing_ok=False):
        if path.name in (rows[0].name, rows[1].name):
            raise PermissionError(errno.EACCES, "used by another process")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", held_open)
    for _ in range(3):
        np.testing.assert_array_equal(loader.transform(paths[24:36]), plain[24:36])
        assert loader.cache_size() <= limit
        assert rows[0].exists()
    del decoded[:]
    loader.transform([*paths[:6], *paths[24:36]])
    assert decoded == []  # the first two shards serve on, and the new rows found room
    loader.clear_cache()
    left = 2 * 3 * ENTRY_BYTES
    assert left <= loader.cache_size() < left + 1000
    monkeypatch.undo()
    loader.clear_cache()
    assert loader.cache_size() == 0


@pytest.mark.parametrize("name", ["_open_rows", "_open_index"])
def test_what_is_refused_for_a_moment_is_tried_again(loader, paths, plain, monkeypatch, name):
    refusals = iter([PermissionError(errno.EACCES, "scanned for viruses")] * 3)
    opened = getattr(_pixel_cache, name)

    def sometimes(path):
        for refusal in refusals:
            raise refusal
        return opened(path)

    monkeypatch.setattr(_pixel_cache, name, sometimes)
    monkeypatch.setattr(_pixel_cache, "_PAUSES", (0, 0, 0))
    np.testing.assert_array_equal(loader.transform(paths), plain)
    assert loader.cache_size() >= N * ENTRY_BYTES


def test_rows_that_cannot_be_read_for_a_moment_are_decoded(loader, paths, plain, decoded):
    loader.transform(paths)
    (rows,) = files(loader.cache_dir, ".rows")
    rows.rename(rows.with_suffix(".away"))
    rows.mkdir()  # opening it is an error other than a missing file
    np.testing.assert_array_equal(loader.transform(paths), plain)
    assert len(decoded) == 2 * N
    rows.rmdir()
    rows.with_suffix(".away").rename(rows)
    np.testing.assert_array_equal(loader.transform(paths), plain)
    assert len(decoded) == 2 * N


def test_an_index_that_cannot_be_read_costs_its_rows_only(loader, paths, plain, decoded, cache_dir):
    loader.transform(paths)
    (index,) = files(cache_dir, ".index")
    index.unlink()
    index.mkdir()
    forget_open_caches()
    with pytest.warns(RuntimeWarning, match="Decoded images are not kept in"):
        np.testing.assert_array_equal(loader.transform(paths), plain)
    assert len(decoded) == 2 * N


def test_the_limit_holds_and_what_is_in_use_stays(cache_dir, paths, plain, decoded, small_steps):
    limit = 20 * ENTRY_BYTES + 1000
    loader = ImageLoader(size=SIZE, cache_dir=cache_dir, cache_limit=limit)
    for _ in range(3):
        np.testing.assert_array_equal(loader.transform(paths), plain)
        assert loader.cache_size() <= limit
    assert N + 2 * (N - 23) <= len(decoded) <= N + 2 * (N - 19)


def test_passes_in_batches_over_more_than_fits_find_what_fits(cache_dir, paths, decoded):
    """Were the least recently used replaced, the next batch would always be what has just gone."""
    limit = 20 * ENTRY_BYTES + 1000
    loader = ImageLoader(size=SIZE, cache_dir=cache_dir, cache_limit=limit)
    for n_decoded in (N, N - 19, N - 19):
        del decoded[:]
        for start in range(0, N, 4):
            loader.transform(paths[start : start + 4])
        assert len(decoded) <= n_decoded


def test_records_in_the_place_of_those_that_were_cut_are_found(tmp_path):
    ours, others = (
        _pixel_cache.PixelCache(tmp_path, 1_000_000, (2, 3, 1), "settings") for _ in range(2)
    )
    keys = [bytes([number]) * 16 for number in range(5)]
    rows = np.arange(30, dtype=np.uint8).reshape(5, 2, 3, 1)
    with ours.filling(keys[:3]):
        ours.append(keys[:3], rows[:3])
    (index,) = files(tmp_path, ".index")
    os.truncate(index, index.stat().st_size // 3)
    others.refresh()
    with others.filling(keys[4:]):
        others.append(keys[4:], rows[4:])
    assert ours.refresh()
    out = np.zeros((1, 2, 3, 1), np.uint8)
    assert ours.read(keys[4:], out) == []
    np.testing.assert_array_equal(out, rows[4:])


def test_the_least_recently_used_make_room_for_another_process(
    cache_dir, paths, decoded, small_steps
):
    limit = 24 * ENTRY_BYTES + 1000  # an eighth of it, three images, is a shard
    loader = ImageLoader(size=SIZE, cache_dir=cache_dir, cache_limit=limit)
    loader.transform(paths[:24])
    for age, index in enumerate(files(cache_dir, ".index")):
        os.utime(index.with_suffix(".rows"), (age + 1, age + 1))
    forget_open_caches()
    loader.transform(paths[:9])  # in use again: the oldest are now the next nine
    loader.transform(paths[24:32])
    assert loader.cache_size() <= limit
    del decoded[:]
    loader.transform([*paths[:9], *paths[18:32]])
    assert decoded == []
    loader.transform(paths[9:18])
    assert len(decoded) in (6, 9)  # whole shards, as many as eight images need
    assert sorted(decoded) == sorted(paths[9 : 9 + len(decoded)])


@pytest.mark.parametrize("limit", [0, 10, ROW_BYTES])
def test_a_limit_below_one_image_only_means_no_cache(cache_dir, paths, plain, limit):
    loader = ImageLoader(size=SIZE, cache_dir=cache_dir, cache_limit=limit)
    np.testing.assert_array_equal(loader.transform(paths), plain)
    assert files(cache_dir, ".rows") == []


def test_a_full_disk_is_a_warning(loader, paths, plain, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_pixel_cache.PixelCache, "_append_to", full)
    with pytest.warns(RuntimeWarning, match="not kept in .*No space left on device"):
        np.testing.assert_array_equal(loader.transform(paths), plain)


@pytest.fixture
def read_only(cache_dir, monkeypatch):
    """A function that makes the cache's folder one that may only be read, for root as well."""

    def make():
        def denied(*args, **kwargs):
            raise OSError(errno.EROFS, "Read-only file system")

        def no_lock(*args, **kwargs):
            raise AssertionError("a lock was asked for")

        real = os.access
        under = str(cache_dir)
        monkeypatch.setattr(
            os, "access", lambda path, mode: not str(path).startswith(under) and real(path, mode)
        )
        monkeypatch.setattr(_pixel_cache.FileLock, "acquire", no_lock)
        monkeypatch.setattr(_pixel_cache.PixelCache, "_append_to", denied)
        monkeypatch.setattr(Path, "write_text", denied)
        monkeypatch.setattr(os, "utime", denied)
        make_folder = Path.mkdir

        def mkdir(path, *args, **kwargs):
            if path.exists():
                return make_folder(path, *args, **kwargs)
            return denied()

        monkeypatch.setattr(Path, "mkdir", mkdir)
        forget_open_caches()

    return make


def test_a_cache_that_may_only_be_read_is_read(loader, paths, plain, decoded, read_only):
    loader.transform(paths[:30])
    before = contents(loader.cache_dir)
    read_only()
    np.testing.assert_array_equal(loader.transform(paths), plain)
    assert len(decoded) == N
    np.testing.assert_array_equal(loader.transform(paths[:30]), plain[:30])
    assert len(decoded) == N
    assert contents(loader.cache_dir) == before


def test_other_settings_do_without_a_cache_that_may_only_be_read(loader, paths, plain, read_only):
    ImageLoader(size=(5, 5), cache_dir=loader.cache_dir).transform(paths)
    read_only()
    np.testing.assert_array_equal(loader.transform(paths), plain)
    assert len(files(loader.cache_dir, "settings.txt")) == 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="modes bind others")
def test_a_folder_without_write_permission_is_read(loader, paths, plain, decoded, cache_dir):
    loader.transform(paths[:30])
    folders = [cache_dir, *(path for path in cache_dir.iterdir() if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        forget_open_caches()
        np.testing.assert_array_equal(loader.transform(paths), plain)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert len(decoded) == N


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_lock_that_may_not_be_made_only_costs_the_cache(
    loader, paths, plain, cache_dir, monkeypatch, number
):
    def refused(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(_pixel_cache.FileLock, "acquire", refused)
    np.testing.assert_array_equal(loader.transform(paths), plain)
    assert files(cache_dir, ".rows") == []


def test_a_cache_dir_that_is_a_file_is_an_error(paths, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="file"):
        ImageLoader(size=SIZE, cache_dir=tmp_path / "file" / "x").transform(paths)


def test_a_stuck_lock_holder_only_costs_the_cache(loader, paths, plain, cache_dir, monkeypatch):
    monkeypatch.setattr(_pixel_cache, "_LOCK_PATIENCE_S", 0.05)
    cache_dir.mkdir()
    with FileLock(cache_dir / "skposter.lock"):
        np.testing.assert_array_equal(loader.transform(paths), plain)
    assert files(cache_dir, ".rows") == []
    np.testing.assert_array_equal(loader.transform(paths), plain)
    assert len(files(cache_dir, ".rows")) == 1


def test_a_file_system_without_locks_still_caches(loader, paths, plain, decoded, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def unsupported(*args):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    for _ in range(2):
        np.testing.assert_array_equal(loader.transform(paths), plain)
    assert len(decoded) == N


def test_a_waiter_leaves_as_soon_as_what_it_waits_for_is_there(
    loader, paths, plain, decoded, cache_dir, monkeypatch
):
    """Its patience would last for an hour."""
    monkeypatch.setattr(_pixel_cache, "_LOCK_PATIENCE_S", 3600)
    loader.transform(paths)
    forget_open_caches()
    with FileLock(cache_dir / "skposter.lock"):
        cache = loader._decoder().cache()
        known, cache._where = cache._where, {}
        waiting = threading.Thread(target=lambda: results.append(loader.transform(paths)))
        results = []
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        cache._where.update(dict(list(known.items())[:20]))
        waiting.join(0.2)
        assert waiting.is_alive()
        cache._where.update(known)
        waiting.join(60)
    np.testing.assert_array_equal(results[0], plain)
    assert len(decoded) == N


def test_a_waiter_stays_as_long_as_rows_keep_coming(loader, paths, plain, decoded, monkeypatch):
    """Each comes before its patience is at an end, all of them long after."""
    loader.transform(paths)
    (index,) = files(loader.cache_dir, ".index")
    records = index.read_bytes()
    index.write_bytes(b"")
    forget_open_caches()
    clock = [0.0]

    class Clock:
        time = staticmethod(time.time)

        @staticmethod
        def monotonic():
            return clock[0]

        @staticmethod
        def sleep(seconds):
            clock[0] += 1
            if clock[0] % 3 == 0:
                index.write_bytes(records[: 24 * int(clock[0] / 3)])

    monkeypatch.setattr(_pixel_cache, "time", Clock)
    monkeypatch.setattr(_pixel_cache, "_LOCK_PATIENCE_S", 4)
    del decoded[:]
    with FileLock(loader.cache_dir / "skposter.lock"):
        np.testing.assert_array_equal(loader.transform(paths), plain)
    assert decoded == []
    assert clock[0] >= 3 * N


def test_threads_decode_each_image_once(loader, paths, plain, decoded, small_steps):
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
    assert sorted(decoded) == sorted(paths)


TRANSFORM = """
import sys, time
import numpy as np
from skposter import ImageLoader
from skposter.images import _decoding
out, cache_dir, delay, *paths = sys.argv[1:]
_decoding._FILL_BYTES = 4 * {row_bytes}
count, original = [], _decoding.load_pixels

def slow(source, options):
    count.append(source)
    time.sleep(float(delay))
    return original(source, options)

_decoding.load_pixels = slow
print("ready", flush=True)
images = ImageLoader(size={size}, cache_dir=cache_dir, n_jobs=1).transform(paths)
np.savez(out, images=images, count=len(count))
"""


def start(tmp_path, name, cache_dir, delay, paths):
    script = TRANSFORM.format(row_bytes=ROW_BYTES, size=SIZE)
    arguments = [str(tmp_path / name), str(cache_dir), str(delay), *paths]
    return subprocess.Popen([sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE)


def test_processes_share_the_work_and_store_no_row_twice(tmp_path, cache_dir, paths, plain):
    orders = [paths, paths[::-1], paths[10:] + paths[:10]]
    running = [
        start(tmp_path, f"{i}.npz", cache_dir, 0.005, order) for i, order in enumerate(orders)
    ]
    for process in running:
        process.communicate(timeout=120)
        assert process.returncode == 0
    decodes = 0
    for i, order in enumerate(orders):
        with np.load(tmp_path / f"{i}.npz") as result:
            for path, pixels in zip(order, result["images"], strict=True):
                np.testing.assert_array_equal(pixels, plain[paths.index(path)])
            decodes += int(result["count"])
    assert decodes == N
    assert sum(rows.stat().st_size for rows in files(cache_dir, ".rows")) == N * ROW_BYTES


def test_after_a_kill_it_goes_on_from_where_it_was(tmp_path, cache_dir, paths, plain, decoded):
    process = start(tmp_path, "killed.npz", cache_dir, 0.05, paths)
    process.stdout.readline()
    deadline = time.monotonic() + 60
    while sum(rows.stat().st_size for rows in files(cache_dir, ".rows")) < 8 * ROW_BYTES:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.communicate()
    loader = ImageLoader(size=SIZE, cache_dir=cache_dir)
    np.testing.assert_array_equal(loader.transform(paths), plain)
    assert 0 < len(decoded) <= N - 4
    np.testing.assert_array_equal(loader.transform(paths), plain)
    assert len(decoded) <= N - 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_reads_and_writes_the_same_cache(loader, paths, plain):
    loader.set_params(n_jobs=1)
    loader.transform(paths[:20])

    def child(queue):
        queue.put(np.array_equal(loader.transform(paths), plain))

    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=child, args=(queue,))
    process.start()
    assert queue.get(timeout=60)
    process.join()
    np.testing.assert_array_equal(loader.transform(paths), plain)
    assert sum(f.stat().st_size for f in files(loader.cache_dir, ".rows")) == N * ROW_BYTES
