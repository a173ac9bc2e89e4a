"""Decoded pixels of this process, in a temporary file without a name that ends with it.

A search asks for the same images fold by fold and candidate by candidate. Without a `cache_dir`
they are found here: like the cache, in the operating system's page cache and not in the process's
memory. What a process asks for once, a training or a server, is mostly not worth a write, so beyond
the first 16 MiB only images are kept that come a second time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import threading
import time
import weakref
from functools import lru_cache
from typing import Any

from skposter._files.remote import RemoteFile
from skposter._files.shards import ShardRow
from skposter.images._sources import SETTLED_NS

__all__ = ["Scratch", "forget_scratch", "scratch"]

_KEPT_AT_ONCE = 1 << 24
_LIMIT = 1 << 32
_SHARE_OF_DISK = 4
_STALE_S = 600.0
_REMEMBERED = 1_000_000


def scratch(settings, row_bytes, limit):
    """Return what this process keeps of rows of `row_bytes` decoded with `settings` (str)."""
    return Scratch(_file_of(os.getpid()), settings, row_bytes, limit)


def forget_scratch():
    """Give the file of this process back."""
    _file_of.cache_clear()


@lru_cache(maxsize=1)
def _file_of(_process):
    return _File()


class _File:
    """Rows by key in one file that grows; it is begun anew when it is full of what nobody reads."""

    def __init__(self):
        self._mutex = threading.Lock()
        self._close: Any = None
        self._begin()

    def _begin(self):
        if self._close is not None:
            self._close()
        self._where: dict[bytes, int] = {}
        self._seen: set[bytes] = set()
        self.addresses: set[int] = set()
        self._end = 0
        self._read_at = time.monotonic()
        self._file: Any = None
        self.limit = 0
        with contextlib.suppress(OSError):
            free = shutil.disk_usage(tempfile.gettempdir()).free
            self._file = tempfile.TemporaryFile(prefix="skposter-", buffering=0)  # noqa: SIM115
            self._close = weakref.finalize(self, self._file.close)
            self.limit = min(_LIMIT, free // _SHARE_OF_DISK)

    def read(self, key, row):
        """Fill the memory `row`; return whether it was there."""
        with self._mutex:
            start = self._where.get(key)
            if start is None:
                return False
            self._read_at = time.monotonic()
            try:
                self._file.seek(start)
                return self._file.readinto(row) == len(row)
            except OSError:
                return False

    def write(self, key, row, limit):
        """Keep `row`, if it is worth it and there is room."""
        with self._mutex:
            if key in self._where:
                return
            if self._end + len(row) > _KEPT_AT_ONCE and key not in self._seen:
                if len(self._seen) >= _REMEMBERED:
                    self._seen.clear()
                self._seen.add(key)
                return
            limit = min(limit, self.limit)
            if self._end + len(row) > limit:
                if len(row) > limit or time.monotonic() - self._read_at < _STALE_S:
                    return
                self._begin()
            try:
                self._file.seek(self._end)
                if self._file.write(row) == len(row):
                    self._where[key] = self._end
                    self._end += len(row)
            except OSError:  # a full disk
                self.limit = self._end


class Scratch:
    """The rows of one size and one set of loader parameters; used as a `PixelCache` is.

    Parameters
    ----------
    file : _File
    settings : str
        Everything beside the image that decides its pixels.
    row_bytes : int
    limit : int
        Bytes that the file may take.
    """

    def __init__(self, file, settings, row_bytes, limit):
        self._file = file
        self._settings = hashlib.blake2b(settings.encode(), digest_size=16).digest()
        self.row_bytes = row_bytes
        self._limit = limit

    def key(self, source):
        """Return the key of a file or of an address as it is now, or None if it has none."""
        if isinstance(source, str):
            return self._key_of_path(source)
        if isinstance(source, ShardRow):
            text = f"shard {source.key}".encode(errors="surrogatepass")
            return hashlib.blake2b(text, key=self._settings).digest()[:16]
        if not isinstance(source, RemoteFile) or source.key is None:
            return None
        if len(self._file.addresses) >= _REMEMBERED:
            self._file.addresses.clear()
        self._file.addresses.add(hash(source.url))
        text = f"address {source.key}".encode(errors="surrogatepass")
        return hashlib.blake2b(text, key=self._settings).digest()[:16]

    def has(self, file):
        """Tell whether an address may be in here: what was never read need not be asked for."""
        return hash(file.url) in self._file.addresses

    def _key_of_path(self, path):
        """Return the key of a file.

        The time of the last change of the inode is in it, which nobody can set back.
        """
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return None
        times = status.st_mtime_ns, status.st_ctime_ns
        if -SETTLED_NS < time.time_ns() - max(times) < SETTLED_NS:
            return None
        text = f"{status.st_dev} {status.st_ino} {status.st_size} {times} {os.path.abspath(path)}"
        digest = hashlib.blake2b(text.encode(errors="surrogatepass"), key=self._settings)
        return digest.digest()[:16]

    def read(self, keys, out):
        """Fill ``out[i]`` with the pixels of ``keys[i]`` and return the `i` that are not there."""
        return [
            i
            for i, key in enumerate(keys)
            if key is None or not self._file.read(key, memoryview(out[i]).cast("B"))
        ]

    @contextlib.contextmanager
    def filling(self, keys):
        """Yield True: there is nobody to wait for."""
        yield True

    def append(self, keys, rows):
        """Keep ``rows[i]`` under ``keys[i]``, as far as that is worth it."""
        for key, row in zip(keys, rows, strict=True):
            self._file.write(key, memoryview(row).cast("B"), self._limit)
