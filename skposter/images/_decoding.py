"""Many sources -> one array: threads, the cache, and one report of everything that failed."""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor, as_completed

import numpy as np

from skposter._estimators.user_warnings import warn_user
from skposter._files.remote import RemoteFile, reading_ahead
from skposter.exceptions import ImageLoadWarning
from skposter.images._opening import fetched
from skposter.images._pixels import PixelOptions, UnreadableImage, load_pixels, pixel_settings
from skposter.images._scratch import scratch
from skposter.images._sources import describe, failure_report

__all__ = ["MID_GREY", "Decoder", "Pool", "files_elsewhere", "threads"]

MID_GREY = 128
_SLICE = 32
_FILL_BYTES = 1 << 26


def threads(n_jobs):
    """Return how many threads `n_jobs` means: None and -1 are all usable cores, -2 all but one."""
    import joblib  # which is not needed to decode with a number of threads

    if n_jobs is None:
        n_jobs = -1
    return n_jobs if n_jobs > 0 else max(1, joblib.cpu_count() + 1 + n_jobs)


class Decoder:
    """How images become pixels: the loader's parameters, in a form that pickles and compares.

    Parameters
    ----------
    options : PixelOptions
    on_error : {"raise", "blank"}
    n_threads : int
    cache_dir : str or None
        None keeps pixels for this process only.
    cache_limit : int
        In bytes; 0 keeps none.
    """

    def __init__(self, options, on_error="raise", n_threads=1, cache_dir=None, cache_limit=0):
        self.options: PixelOptions = options
        self.on_error = on_error
        self.n_threads = n_threads
        self.cache_dir = None if cache_dir is None else os.path.abspath(cache_dir)
        self.cache_limit = cache_limit
        self._told: set[tuple[int, str, str]] = set()

    def __getstate__(self):
        # What was said does not make it another decoder.
        return {**self.__dict__, "_told": set()}

    def cache(self):
        """Return where decoded pixels are kept, a `PixelCache` or a `Scratch`, or None."""
        settings, shape = pixel_settings(self.options), self.options.shape
        if self.cache_dir is not None:
            from skposter.images._cache import open_cache

            return open_cache(self.cache_dir, self.cache_limit, shape, settings)
        if self.cache_limit:
            return scratch(settings, math.prod(shape), self.cache_limit)
        return None

    def decode(self, sources, rows=None, done=lambda n: None):
        """Load all `sources`.

        Parameters
        ----------
        sources : ndarray of shape (n_samples,), dtype=object
        rows : ndarray of shape (n_samples,), dtype=int, default=None
            The rows to name in errors, when `sources` is a selection.
        done : callable, default=no-op
            Called with the number of images finished since the last call.

        Returns
        -------
        images : ndarray of shape (n_samples, height, width, channels), dtype=uint8

        Raises
        ------
        ImageLoadError
            With ``on_error="raise"``, after the last image, naming every one that failed.
        """
        images = np.empty((len(sources), *self.options.shape), dtype=np.uint8)
        failures = []
        with Pool(min(self.n_threads, max(1, len(sources) // 2))) as pool:
            cache = self.cache()
            if cache is None:
                failures = self._decode_into(images, sources, range(len(sources)), pool, done)
            else:
                failures = self._decode_with(cache, images, sources, pool, done)
        if failures:
            self._report(failures, images, sources, rows)
        return images

    def _decode_into(self, images, sources, positions, pool, done):
        """Decode ``sources[i]`` into ``images[i]`` for the `positions`; return (i, cause) pairs."""
        options = self.options

        def some(part):
            failures = []
            for i in part:
                try:
                    source = fetched(ahead.take, i) if i in elsewhere else sources[i]
                    images[i] = load_pixels(source, options)
                except UnreadableImage as error:
                    failures.append((i, str(error)))
            return failures

        elsewhere = files_elsewhere(sources, positions)
        with reading_ahead(elsewhere, options.max_bytes) as ahead:
            return pool.collect(some, positions, done)

    def _decode_with(self, cache, images, sources, pool, done):
        keys: list[bytes | None] = [None] * len(sources)
        asked = [f for f in files_elsewhere(sources, range(len(sources))).values() if cache.has(f)]
        if asked:
            asked[0].access.look_up([file.url for file in asked])

        def some(part):
            for i in part:
                keys[i] = cache.key(sources[i])
            first = part[0]
            return [
                first + i for i in cache.read([keys[i] for i in part], images[first : part[-1] + 1])
            ]

        missing = pool.collect(some, range(len(sources)))
        done(len(sources) - len(missing))
        failures = []
        step = max(1, _FILL_BYTES // cache.row_bytes)
        for start in range(0, len(missing), step):
            part = missing[start : start + step]
            failures += self._fill(cache, images, sources, keys, part, pool, done)
        return failures

    def _fill(self, cache, images, sources, keys, missing, pool, done):
        """Decode the `missing` positions that no other process has stored meanwhile, and store."""
        with cache.filling([keys[i] for i in missing if keys[i] is not None]) as alone:
            left = [i for i in missing if cache.read([keys[i]], images[i : i + 1])]
            done(len(missing) - len(left))
            failures = self._decode_into(images, sources, left, pool, done)
            for i in files_elsewhere(sources, left):
                keys[i] = cache.key(sources[i])  # of what was read
            failed = {i for i, _ in failures}
            good = [i for i in left if keys[i] is not None and i not in failed]
            if alone and good:
                cache.append([keys[i] for i in good], [images[i] for i in good])
        return failures

    def _report(self, failures, images, sources, rows):
        failures = sorted(failures)
        report = failure_report(
            [
                (int(i if rows is None else rows[i]), describe(sources[i]), cause)
                for i, cause in failures
            ],
            "Images that could not be loaded",
        )
        if self.on_error == "raise":
            raise report
        for i, _ in failures:
            images[i] = MID_GREY
        # Lazy images are decoded in each epoch, and whoever has read of one knows.
        news = [failure for failure in report.failures if failure not in self._told]
        self._told.update(news)
        if news:
            report = failure_report(news, "Images that could not be loaded")
            warn_user(f"A grey image stands in for each.\n{report}", ImageLoadWarning)


def files_elsewhere(sources, positions):
    """Return those of the sources that are read from an address, by their positions."""
    return {i: sources[i] for i in positions if isinstance(sources[i], RemoteFile)}


class Pool:
    """Threads that share slices of work; one thread means none but the caller's."""

    def __init__(self, n_threads):
        self._n_threads = n_threads
        self._executor = ThreadPoolExecutor(n_threads, "skposter-decode") if n_threads > 1 else None

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        if self._executor is not None:
            # After an interrupt, what has not begun is dropped.
            self._executor.shutdown(wait=True, cancel_futures=True)

    def collect(self, function, positions, done=lambda n: None):
        """Return the concatenated lists that `function` gives for slices of `positions`."""
        # Small enough that all threads end together, large enough that handing over costs nothing.
        step = max(1, min(_SLICE, len(positions) // (4 * self._n_threads)))
        slices = [positions[i : i + step] for i in range(0, len(positions), step)]
        if self._executor is None:
            running = ((part, function(part)) for part in slices)
        else:
            futures = {self._executor.submit(function, part): part for part in slices}
            running = ((futures[future], future.result()) for future in as_completed(futures))
        collected = []
        for part, result in running:
            collected += result
            done(len(part))
        return sorted(collected)
