"""Reading addresses in fsspec's event loop: file systems, and many requests under way at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache, partial

from skposter._files.addresses import HTTP, RemoteError, protocol_of, scrubbed
from skposter._files.guarded_http import PAUSES, get, guarded_client
from skposter._files.remote import Entry, needed

__all__ = ["ReadingAhead", "list_folder", "look_up", "read", "run"]

# Requests under way, and what may wait to be used, of one reading.
_AT_ONCE = 32
_WAITING = 128
_WAITING_BYTES = 1 << 28
_WHOLE_S = 300
# Threads for file systems of fsspec that have no asynchronous form.
_THREADS = 16
_VERSIONS = ("ETag", "etag", "generation", "md5Hash", "content_md5", "mtime", "LastModified")
_VERSIONS += ("last_modified", "updated")


async def _uncounted(n_bytes):
    pass


async def read(access, url, max_bytes, counted=_uncounted):
    """Return the bytes that an address gives; see `Access.read`."""
    protocol = protocol_of(url)
    fs = _file_system_of(access, protocol)
    if protocol in HTTP:
        content, version = await get(fs, url, max_bytes, access.allow_private, counted)
    else:
        content, version = await _translated(
            access, lambda: _read_with(fs, fs._strip_protocol(url), max_bytes, counted)
        )
    if version is None:
        access.versions.pop(url, None)
    else:
        access.versions[url] = version
    return content


async def look_up(access, urls):
    """Learn the versions of addresses; see `Access.look_up`."""
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def ask(url):
        async with at_once:
            with contextlib.suppress(RemoteError):  # reading it will say why
                version = await _version(access, url)
                if version is not None:
                    access.versions[url] = version

    await asyncio.gather(*map(ask, urls))


async def _version(access, url):
    protocol = protocol_of(url)
    fs = _file_system_of(access, protocol)
    if protocol in HTTP:
        _, version = await get(fs, url, 0, access.allow_private, _uncounted, body=False)
        return version
    return await _translated(access, lambda: _version_with(fs, fs._strip_protocol(url)))


async def list_folder(access, url):
    """Return what lies directly in a folder; see `Access.list_folder`."""
    fs = _file_system_of(access, protocol_of(url))
    path = fs._strip_protocol(url)

    async def entries():
        try:
            found = await _call(fs, "ls", path, detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return None
        listed = []
        for entry in found:
            name = entry["name"].rstrip("/")
            if name != path.rstrip("/"):
                listed.append(Entry(name.rpartition("/")[2], entry["type"] == "directory"))
            elif entry["type"] != "directory" and not entry["name"].endswith("/"):
                raise RemoteError("not_a_file", "is a file, expected a folder")
        return listed

    return await _translated(access, entries)


def _file_system_of(access, protocol):
    from fsspec.utils import tokenize

    options = access.options_of(protocol)
    key = tokenize(sorted(options.items(), key=lambda item: item[0]))
    return _file_system(protocol, key, access.allow_private, os.getpid(), _Options(options, key))


class ReadingAhead:
    """Read files in their order, many at once, ahead of whoever takes them from other threads.

    Parameters
    ----------
    files : dict of int to RemoteFile
        By the number under which `take` is asked for them, about in the order in which it will.
    max_bytes : int
        Of one.
    """

    def __init__(self, files, max_bytes):
        self._files = files
        self._max_bytes = max_bytes
        self._contents: dict = {number: Future() for number in files}

    def __enter__(self):
        self._loop = _loop()
        contents = dict(self._contents)
        self._reading = asyncio.run_coroutine_threadsafe(self._read_all(contents), self._loop)
        self._reading.add_done_callback(self._wake_waiting)
        return self

    def __exit__(self, *exc_info):
        self._reading.cancel()  # after an error, of what nobody will take
        self._wake_waiting()

    def _wake_waiting(self, reading=None):
        """Let nobody wait for what will not come, whatever ended the reading."""
        for content in self._contents.values():
            if content is not None:
                content.cancel()

    def take(self, number):
        """Return the bytes of a file, once.

        Raises
        ------
        RemoteError
        """
        try:
            return self._contents[number].result()
        finally:
            self._contents[number] = None  # its memory is the caller's now
            with contextlib.suppress(RuntimeError):  # the loop ended before
                self._loop.call_soon_threadsafe(self._release, number)

    async def _read_all(self, contents):
        self._changed = asyncio.Event()
        self._requests = asyncio.Semaphore(_AT_ONCE)
        self._held: dict[int, int] = {}  # bytes of those that were begun and not yet taken
        async with asyncio.TaskGroup() as tasks:
            for number, file in self._files.items():
                while len(self._held) >= _WAITING:
                    await self._change()
                self._held[number] = 0
                tasks.create_task(self._read_one(number, file, contents.pop(number)))

    async def _read_one(self, number, file, content):
        counted = partial(self._count, number)
        try:
            async with self._requests:
                found = await read(file.access, file.url, self._max_bytes, counted)
        except Exception as error:
            content.set_exception(error)
        else:
            content.set_result(found)

    async def _count(self, number, n_bytes):
        """Wait until there is room for more; whoever is to be taken next never waits."""
        while sum(self._held.values()) + n_bytes > _WAITING_BYTES and number != min(self._held):
            await self._change()
        if number in self._held:
            self._held[number] += n_bytes

    async def _change(self):
        self._changed.clear()
        await self._changed.wait()

    def _release(self, number):
        self._held.pop(number, None)
        self._changed.set()


# --------------------------------------------------------------------------------------------------
# File systems


class _Options:
    """Options that are alike if their keys are."""

    def __init__(self, options, key):
        self.options = options
        self.key = key

    def __eq__(self, other):
        return self.key == other.key

    def __hash__(self):
        return hash(self.key)


@lru_cache(maxsize=32)
def _file_system(protocol, _key, allow_private, _process, own):
    """Return the file system of a protocol; kept, because it keeps its connections."""
    import fsspec

    options = dict(own.options)
    kind = needed(protocol)
    if protocol in HTTP:
        options["get_client"] = partial(guarded_client, allow_private)
    if kind.async_impl:
        options |= {"asynchronous": False, "loop": _loop()}
    options["use_listings_cache"] = False  # a folder is listed once as it is
    return fsspec.filesystem(protocol, **options, skip_instance_cache=True)


def _loop():
    needed("memory")
    from fsspec.asyn import get_loop

    return get_loop()


def run(coroutine):
    """Return what a coroutine gives in fsspec's event loop."""
    running = asyncio.run_coroutine_threadsafe(coroutine, _loop())
    try:
        return running.result()
    except BaseException:
        running.cancel()  # of a Ctrl-C; what has ended stays so
        raise


@lru_cache(maxsize=1)
def _threads(_process):
    return ThreadPoolExecutor(_THREADS, "skposter-read")


async def _call(fs, name, *arguments, **options):
    """Call a method of a file system of either kind, without keeping others waiting."""
    if fs.async_impl:
        return await asyncio.wait_for(getattr(fs, f"_{name}")(*arguments, **options), _WHOLE_S)
    call = partial(getattr(fs, name), *arguments, **options)
    return await asyncio.get_running_loop().run_in_executor(_threads(os.getpid()), call)


async def _read_with(fs, path, max_bytes, counted):
    info = await _call(fs, "info", path)
    if info.get("type") == "directory":
        raise RemoteError("not_a_file", "is a folder, not a file")
    size = info.get("size")
    if size is not None and size > max_bytes:
        raise RemoteError("too_large", f"has {size:,} bytes, more than max_bytes={max_bytes:,}")
    if size == 0:
        return b"", None
    await counted(max_bytes if size is None else size)
    content = await _call(fs, "cat_file", path, start=0, end=(size or max_bytes) + 1)
    if len(content) > max_bytes:
        raise RemoteError("too_large", f"has more than max_bytes={max_bytes:,} bytes")
    if size is not None and len(content) != size:
        raise RemoteError("truncated", f"gives {len(content):,} bytes, and {size:,} were announced")
    return content, await _version_of(fs, path, info)


async def _version_with(fs, path):
    return await _version_of(fs, path, await _call(fs, "info", path))


async def _version_of(fs, path, info):
    said = next((info[name] for name in _VERSIONS if info.get(name)), None)
    if said is None:
        with contextlib.suppress(NotImplementedError, FileNotFoundError):
            said = await _call(fs, "modified", path)
    return None if said is None else f"{info.get('size')} {said}"


async def _translated(access, read):
    """Return what `read` gives, with the exceptions of whatever library it is as RemoteError."""
    failure: RemoteError
    for pause in (*PAUSES, None):
        try:
            return await read()
        except RemoteError:
            raise
        except FileNotFoundError:
            failure, again = RemoteError("missing", "there is no such object"), False
        except PermissionError:
            failure, again = RemoteError("unreadable", "may not be read (access denied)"), False
        except (NotADirectoryError, IsADirectoryError):
            failure, again = RemoteError("not_a_file", "is a folder, not a file"), False
        except (ConnectionError, TimeoutError) as error:
            what = f"the connection failed ({type(error).__name__})"
            failure, again = RemoteError("unreadable", what), True
        except Exception as error:
            what = f"cannot be read ({type(error).__name__}: {_shown(access, error)})"
            failure, again = RemoteError("unreadable", what), False
        if pause is None or not again:
            break
        await asyncio.sleep(pause)
    raise failure  # outside of the exception that it would show as its cause


def _shown(access, error):
    """Return the text of an exception without the values of options."""
    text = scrubbed(str(error))
    for secret in _texts(access.options):
        if len(secret) > 3:
            text = text.replace(secret, "...")
    return text[:200]


def _texts(value):
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in _texts(item)]
    return []
