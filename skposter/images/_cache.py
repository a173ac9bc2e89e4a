"""Decoded pixels on disk, shared by folds, candidates, predictions and processes.

Layout of a cache folder::

    v2-224x160x3-<digest of the loader's settings>/
        settings.txt             the mark of a cache, and what the digest stands for
        <shard>.rows             decoded images one after the other, all of one size
        <shard>.index            one 24-byte record a row
    skposter.lock

A record is the key of an image (a digest of its path, size and modification time, or of its
address, size and ETag), the CRC-32 of its pixels and a check of the record itself. Rows are written
before their record, and nothing is trusted on reading: a row counts only if what arrived in memory
has its CRC, which is seeded with the key. So a writer may be killed at any byte, files may be
damaged, deleted or swapped, and the worst that happens is that an image is decoded again. The lock
is there to decode each image once, not for correctness. What may only be read is read: nothing is
locked or written there.

Rows are read into the caller's array (`readinto` from the page cache) instead of being mapped: a
mapped shard would count as the process's memory, so that peak memory grew with the number of
images, and a shard truncated by someone else would kill the process with SIGBUS.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import struct
import threading
import time
import zlib
from functools import lru_cache
from pathlib import Path

from filelock import FileLock, Timeout

from skposter._estimators.user_warnings import warn_user
from skposter._files.remote import RemoteFile
from skposter._files.shards import ShardRow
from skposter.images._sources import file_key

__all__ = ["PixelCache", "cache_usage", "cached_folders", "clear_cache", "open_cache"]

_FORMAT = "v2"
# What tells a folder of ours from any other, whatever its name.
_MARK = "skposter's decoded pixels; may be deleted at any time\n"
_SHARD_FILE = re.compile(r"\d{20}-[0-9a-f]{8}\.(rows|index)")
_RECORD = struct.Struct("<16sII")
_SHARD_BYTES = 1 << 26
_TOUCH_EVERY_S = 60.0
_LOCK_PATIENCE_S = 60.0
_LOCK_POLL_S = 0.01
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)
# Seconds after which to try again what another program's look at a file has refused, as virus
# scanners on Windows do.
_PAUSES = (0.01, 0.05, 0.2)


def open_cache(directory, limit, row_shape, settings):
    """Return this process's cache of rows of `row_shape` (uint8) decoded with `settings` (str)."""
    return _open_cache(os.path.abspath(directory), limit, tuple(row_shape), settings, os.getpid())


@lru_cache(maxsize=16)
def _open_cache(directory, limit, row_shape, settings, _process):
    return PixelCache(Path(directory), limit, row_shape, settings)


def cache_usage(directory):
    """Return the number of bytes that the pixel caches in `directory` take."""
    total = 0
    for folder in _folders(Path(directory)):
        for file in [folder / "settings.txt", *_shard_files(folder)]:
            with contextlib.suppress(OSError):
                total += file.stat().st_size
    return total


def cached_folders(directory):
    """Return (name, bytes, time of the last use) of each pixel cache in `directory`."""
    directory = Path(directory)
    used: dict[str, float] = {}
    for last_use, stem in _shards(directory):
        used[stem.parent.name] = last_use
    return [
        (name, sum(file.stat().st_size for file in _shard_files(directory / name)), last_use)
        for name, last_use in used.items()
    ]


def clear_cache(directory):
    """Delete all pixel caches in `directory`, and nothing else, not even what lies among them."""
    for folder in _folders(Path(directory)):
        for file in _shard_files(folder):
            with contextlib.suppress(OSError):
                file.unlink()
        if not _shard_files(folder):  # what cannot be deleted goes on being counted
            with contextlib.suppress(OSError):
                (folder / "settings.txt").unlink()
            with contextlib.suppress(OSError):
                folder.rmdir()
    _open_cache.cache_clear()


def _folders(directory):
    try:
        return [folder for folder in directory.iterdir() if _is_marked(folder)]
    except OSError:
        return []


def _is_marked(folder):
    try:
        with open(folder / "settings.txt", "rb") as file:
            return file.read(len(_MARK)) == _MARK.encode()
    except OSError:
        return False


def _shard_files(folder):
    try:
        return [file for file in folder.iterdir() if _SHARD_FILE.fullmatch(file.name)]
    except OSError:
        return []


def _shards(directory):
    """Return (last use, path without suffix) of every shard, least recently used first.

    Rows without an index, which a killed process or a failed deletion may leave, are one too.
    """
    last_use: dict[Path, float] = {}
    for folder in _folders(directory):
        for file in _shard_files(folder):
            with contextlib.suppress(OSError):
                stem = file.with_suffix("")
                last_use[stem] = max(last_use.get(stem, 0), file.stat().st_mtime)
    return sorted((used, stem) for stem, used in last_use.items())


def _delete(stem):
    """Delete a shard and return the bytes that became free; its rows decide whether it is there."""
    freed = 0
    for file in (stem.with_suffix(".rows"), stem.with_suffix(".index")):
        try:
            size = file.stat().st_size
            file.unlink()
        except FileNotFoundError:
            continue
        except OSError:
            break
        freed += size
    return freed


def _retried(action, *args):
    for pause in _PAUSES:
        try:
            return action(*args)
        except PermissionError:
            time.sleep(pause)
    return action(*args)


class PixelCache:
    """Rows of one shape, decoded with one set of loader parameters."""

    def __init__(self, directory, limit, row_shape, settings):
        self.directory = directory
        self.limit = limit
        self.row_bytes = 1
        for length in row_shape:
            self.row_bytes *= length
        self._row_cost = self.row_bytes + _RECORD.size
        name = "x".join(map(str, row_shape))
        digest = hashlib.blake2b(settings.encode(), digest_size=8).hexdigest()
        self.folder = directory / f"{_FORMAT}-{name}-{digest}"
        self._settings = _MARK + settings
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            # What may only be read holds what it holds; a folder that cannot be is a mistake.
            if not directory.is_dir():
                raise
        self._opened_at = time.time()
        self._where: dict[bytes, tuple[str, int, int]] = {}
        self._records_seen: dict[str, int] = {}
        self._touched: dict[str, float] = {}
        self._mutex = threading.Lock()
        self._told = False
        self._lock = FileLock(directory / "skposter.lock")
        self.refresh()

    @staticmethod
    def key(source):
        """Return the key of a file or of an address as it is now, or None if it has none."""
        if isinstance(source, str):
            return file_key(source)
        if isinstance(source, ShardRow):
            text = source.key.encode(errors="surrogatepass")
            return hashlib.blake2b(text, digest_size=16, person=b"shard").digest()
        if not isinstance(source, RemoteFile) or source.key is None:
            return None
        text = source.key.encode(errors="surrogatepass")
        return hashlib.blake2b(text, digest_size=16, person=b"address").digest()

    @staticmethod
    def has(file):
        """Tell whether an address may be in here; other processes may have read it."""
        return True

    # ----------------------------------------------------------------------------------------------
    # Reading

    def read(self, keys, out):
        """Fill ``out[i]`` with the pixels of ``keys[i]`` and return the `i` that are not there.

        Parameters
        ----------
        keys : list of (bytes or None)
        out : ndarray of shape (n_keys, height, width, channels), dtype=uint8, C-contiguous

        Returns
        -------
        missing : list of int
            Rows never stored, and rows whose pixels no longer have their checksum.
        """
        missing: list[int] = []
        by_shard: dict[str, list] = {}
        for i, key in enumerate(keys):
            place = self._where.get(key)
            if place is None:
                missing.append(i)
            else:
                by_shard.setdefault(place[0], []).append((place[1], i, key, place[2]))
        for shard, rows in by_shard.items():
            missing += self._read_shard(shard, sorted(rows), out)
        return sorted(missing)

    def _read_shard(self, shard, rows, out):
        """Read (row, i, key, crc) of one shard; return the `i` that failed."""
        missing = []
        try:
            with open(self.folder / f"{shard}.rows", "rb", buffering=0) as file:
                for row, i, key, crc in rows:
                    pixels = memoryview(out[i]).cast("B")
                    file.seek(row * self.row_bytes)
                    whole = file.readinto(pixels) == self.row_bytes
                    if not whole or zlib.crc32(pixels, zlib.crc32(key)) != crc:
                        self._forget(key, shard, row)
                        missing.append(i)
        except FileNotFoundError:
            for row, _, key, _ in rows:
                self._forget(key, shard, row)
            return [i for _, i, _, _ in rows]
        except OSError:
            return [i for _, i, _, _ in rows]
        self._touch(shard)
        return missing

    def _forget(self, key, shard, row):
        with self._mutex:
            if self._where.get(key, (None, None))[:2] == (shard, row):
                del self._where[key]

    def _touch(self, shard):
        """Note the use of a shard for the others, in its modification time."""
        now = time.monotonic()
        if now - self._touched.get(shard, -_TOUCH_EVERY_S) >= _TOUCH_EVERY_S:
            self._touched[shard] = now
            with contextlib.suppress(OSError):
                os.utime(self.folder / f"{shard}.rows")

    def refresh(self):
        """Learn the rows that other processes have added; return whether there were any."""
        with self._mutex:
            before = len(self._where)
            for shard, size in self._indexed_shards():
                if size // _RECORD.size != self._records_seen.get(shard, 0):
                    self._read_index(shard)
            return len(self._where) > before

    def _indexed_shards(self):
        """Return (name, bytes of its index) of every shard, oldest first."""
        try:
            with os.scandir(self.folder) as entries:
                return sorted(
                    (entry.name.removesuffix(".index"), entry.stat().st_size)
                    for entry in entries
                    if entry.name.endswith(".index")
                )
        except OSError:
            return []

    def _read_index(self, shard):
        seen = self._records_seen.get(shard, 0)
        try:
            with open(self.folder / f"{shard}.index", "rb") as file:
                if os.fstat(file.fileno()).st_size < seen * _RECORD.size:
                    seen = 0  # somebody cut it, and new records have taken the place of known ones
                file.seek(seen * _RECORD.size)
                content = file.read()
        except OSError:
            return
        whole = len(content) // _RECORD.size
        for i, (key, crc, check) in enumerate(
            _RECORD.iter_unpack(content[: whole * _RECORD.size]), start=seen
        ):
            if check == _check(key, crc, i):
                self._where[key] = (shard, i, crc)
        self._records_seen[shard] = seen + whole

    # ----------------------------------------------------------------------------------------------
    # Writing

    @contextlib.contextmanager
    def filling(self, keys):
        """Be the only process that decodes; yields False when that could not be had in time.

        While another process holds the lock its results are watched for: the wait ends early when
        none of `keys` is missing any more, and lasts as long as new rows keep coming.
        """
        with contextlib.ExitStack() as stack:
            yield self._may_be_written() and self._is_alone(stack, keys)

    def _may_be_written(self):
        """Make the folder, which somebody may have deleted under a running process."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not all(os.access(path, os.W_OK) for path in (self.directory, self.folder)):
                return False
            if not _is_marked(self.folder):
                (self.folder / "settings.txt").write_text(self._settings, encoding="utf-8")
        except OSError:
            return False
        return True

    def _is_alone(self, stack, keys):
        """Enter the lock into `stack`; return False if it could not be had or is not needed."""
        deadline = time.monotonic() + _LOCK_PATIENCE_S
        while True:
            try:
                stack.enter_context(self._lock.acquire(timeout=0))
            except Timeout:
                progress = self.refresh()
                if all(key in self._where for key in keys):
                    return False
                if progress:
                    deadline = time.monotonic() + _LOCK_PATIENCE_S
                elif time.monotonic() > deadline:
                    return False
                time.sleep(_LOCK_POLL_S)
            except OSError as error:
                # A file system without locks: everybody is alone, and work may be done twice.
                return error.errno not in _READ_ONLY
            else:
                self.refresh()
                return True

    def append(self, keys, rows):
        """Store ``rows[i]`` under ``keys[i]``; call it inside `filling`.

        A full disk, or a cache that is full of what is in use, is no error: the rows are then
        decoded again next time.
        """
        new = {key: i for i, key in enumerate(keys) if key is not None and key not in self._where}
        try:
            while new:
                wanted = min(self._rows_per_shard(), len(new))
                fitting = self._make_room(wanted * self._row_cost) // self._row_cost
                if fitting < 1:
                    return
                shard, first = self._open_shard()
                room = min(self._rows_per_shard() - first, fitting)
                part = [(key, new.pop(key)) for key in list(new)[:room]]
                self._append_to(shard, first, part, rows)
                with self._mutex:
                    self._read_index(shard)
            self._told = False
        except OSError as error:
            if not self._told:  # each batch comes here
                self._told = True
                warn_user(
                    f"Decoded images are not kept in {str(self.folder)!r} ({error}). They are "
                    "decoded again whenever they are needed.",
                    RuntimeWarning,
                )

    def _rows_per_shard(self):
        return max(1, min(_SHARD_BYTES, self.limit // 8) // self.row_bytes)

    def _open_shard(self):
        """Return the newest shard with room and its number of rows; a new name if all are full."""
        shards = self._indexed_shards()
        if shards:
            name, size = shards[-1]
            if size // _RECORD.size < self._rows_per_shard():
                return name, size // _RECORD.size
        # Never a name used before: another process may remember rows of a deleted shard.
        return f"{time.time_ns():020d}-{os.urandom(4).hex()}", 0

    def _append_to(self, shard, first, part, rows):
        rows_file = self.folder / f"{shard}.rows"
        with _retried(_open_rows, rows_file) as file:
            file.seek(first * self.row_bytes)
            for _, i in part:
                pixels = memoryview(rows[i]).cast("B")
                written = 0
                while written < len(pixels):
                    written += file.write(pixels[written:])
        records = bytearray()
        for number, (key, i) in enumerate(part, start=first):
            crc = zlib.crc32(memoryview(rows[i]).cast("B"), zlib.crc32(key))
            records += _RECORD.pack(key, crc, _check(key, crc, number))
        with _retried(_open_index, self.folder / f"{shard}.index") as file:
            # A writer that was killed may have left part of a record.
            file.truncate(first * _RECORD.size)
            file.write(records)

    def _make_room(self, n_bytes):
        """Delete least recently used shards until `n_bytes` fit; return how many do.

        Shards used since this process opened the cache stay, by whomever: a pass over more images
        than fit would otherwise push out, row by row, exactly what the next pass needs.
        """
        free = self.limit - cache_usage(self.directory)
        for last_use, stem in _shards(self.directory):
            if free >= n_bytes or last_use >= self._opened_at:
                break
            free += _delete(stem)
        return min(free, n_bytes)


def _open_rows(path):
    return open(path, "r+b", buffering=0, opener=_open_or_create)


def _open_index(path):
    return open(path, "ab", buffering=0)


def _open_or_create(path, flags):
    return os.open(path, flags | os.O_CREAT, 0o666)


def _check(key, crc, number):
    return zlib.crc32(key, zlib.crc32(struct.pack("<II", crc, number)))
