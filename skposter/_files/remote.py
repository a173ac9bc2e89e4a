"""What an address is and how its bytes are read: fsspec's protocols, many requests at once.

`Access` decides it for images, tables and folders. Web addresses are read by `guarded_http`, what
other protocols name by their file system of fsspec (`remote_loop`). Both, and fsspec, are imported
when the first address is read, so plain paths cost nothing.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from typing import NamedTuple

from skposter._files.addresses import (
    ALLOW_PRIVATE,
    HTTP,
    KNOWN,
    PACKAGES,
    RemoteError,
    StorageOptions,
    family,
    identifying,
    protocol_of,
    redacted,
    scrubbed,
)

__all__ = ["Access", "Entry", "RemoteFile", "needed", "reading_ahead"]


class Entry(NamedTuple):
    """What is directly in a folder."""

    name: str
    is_folder: bool


class Access:
    """How addresses are read: the options of their file systems, and what is known of them.

    Parameters
    ----------
    storage_options : mapping, default=None
        Options of one protocol, or a mapping from protocols to theirs, as of `ImageLoader`.

    Raises
    ------
    TypeError
        If it is no mapping of names.
    """

    def __init__(self, storage_options=None):
        options = {} if storage_options is None else storage_options
        if not isinstance(options, Mapping) or not all(isinstance(name, str) for name in options):
            raise TypeError(
                "storage_options must be a mapping from names of options (or of protocols) to "
                f"values; got {type(options).__name__}."
            )
        options = dict(options)
        self.allow_private = options.pop(ALLOW_PRIVATE, False)
        self.by_protocol = bool(options) and all(
            isinstance(value, Mapping) and _is_protocol(name) for name, value in options.items()
        )
        self.options = StorageOptions(options)
        if self.by_protocol:
            for name, own in options.items():
                if family(name) == "https":
                    self.allow_private = own.get(ALLOW_PRIVATE, self.allow_private)
        if not isinstance(self.allow_private, bool):
            raise TypeError(f"{ALLOW_PRIVATE} must be True or False.")
        self._family: str | None = None
        self.versions: dict[str, str] = {}

    def __getstate__(self):
        return {**self.__dict__, "versions": {}}  # another process looks for itself

    def __repr__(self):
        return f"Access({self.options!r})"

    def file(self, url):
        """Return the `RemoteFile` of an address.

        Raises
        ------
        ValueError
            If this may not be read; the message completes "row i: ".
        ImportError
            If the package that reads it is not installed.
        """
        self.check(url)
        return RemoteFile(url, self)

    def check(self, url):
        """Raise as `file` does."""
        protocol = protocol_of(url)
        kind = family(protocol)
        named = {family(name) for name in self.options} if self.by_protocol else set()
        if kind not in KNOWN and kind not in named:
            raise ValueError(
                f"is an address of {protocol!r}, which is read only if storage_options name it, as "
                f"{{{protocol!r}: {{}}}}; {', '.join(('http', *KNOWN))} need not be named"
            )
        if self.options and not self.by_protocol:
            self._family = self._family or kind
            if self._family != kind:
                raise ValueError(
                    f"is an address of {protocol!r}, and others are of {self._family!r}; give the "
                    f"options of each: storage_options={{{self._family!r}: {{...}}, "
                    f"{protocol!r}: {{...}}}}"
                )
        needed(protocol)

    def options_of(self, protocol):
        """Return the options of the file system of a protocol."""
        if not self.by_protocol:
            return self.options
        alike = [own for name, own in self.options.items() if family(name) == family(protocol)]
        own = self.options.get(protocol, alike[0] if alike else {})
        return {name: value for name, value in own.items() if name != ALLOW_PRIVATE}

    def read(self, url, max_bytes):
        """Return the bytes that an address gives, no more than `max_bytes`.

        Raises
        ------
        RemoteError
        """
        self.check(url)
        from skposter._files import remote_loop

        return remote_loop.run(remote_loop.read(self, url, max_bytes))

    def look_up(self, urls):
        """Learn the versions of what addresses give, many at once; they are in `versions` then.

        Nothing is read. What cannot be found out is left out.
        """
        unknown = [url for url in dict.fromkeys(urls) if url not in self.versions]
        if unknown:
            from skposter._files import remote_loop

            remote_loop.run(remote_loop.look_up(self, unknown))

    def list_folder(self, url):
        """Return what lies directly in a folder, as a list of `Entry`; None if it is not there.

        Raises
        ------
        RemoteError
        """
        self.check(url)
        from skposter._files import remote_loop

        return remote_loop.run(remote_loop.list_folder(self, url))


class RemoteFile:
    """One address as a source of bytes.

    Parameters
    ----------
    url : str
    access : Access
    """

    __slots__ = ("access", "url")

    def __init__(self, url, access):
        self.url = url
        self.access = access

    def __repr__(self):
        return redacted(self.url)

    @property
    def key(self):
        """A text that changes when what is there does, as far as known; None if it is not."""
        version = self.access.versions.get(self.url)
        return None if version is None else f"{identifying(self.url)}\0{version}"

    def read(self, max_bytes):
        """Return the bytes; see `Access.read`."""
        return self.access.read(self.url, max_bytes)

    def open(self, mode="rb"):
        """Return all that is there, as a file, or raise OSError."""
        try:
            return io.BytesIO(self.read(1 << 30))
        except RemoteError as error:
            reason = str(error)
        raise OSError(reason)


def reading_ahead(files, max_bytes):
    """Return a context in which files are read in their order, many at once; see `ReadingAhead`.

    Parameters
    ----------
    files : dict of int to RemoteFile
    max_bytes : int
        Of one.
    """
    if not files:
        return contextlib.nullcontext()
    from skposter._files.remote_loop import ReadingAhead

    return ReadingAhead(files, max_bytes)


def needed(protocol):
    """Return fsspec's class for a protocol, or say what to install."""
    try:
        import fsspec
    except ImportError:
        raise ImportError(
            f"{protocol}:// addresses need fsspec. Install it with: pip install 'skposter[remote]'"
        ) from None
    try:
        return fsspec.get_filesystem_class(protocol)
    except ImportError as error:
        package = PACKAGES.get(family(protocol))
        if family(protocol) == "https":
            how = "Install it with: pip install 'skposter[remote]'"
        elif package:
            how = f"Install it with: pip install 'skposter[remote]' {package}"
        else:
            how = scrubbed(str(error))
        raise ImportError(f"{protocol}:// addresses need {package or 'a package'}. {how}") from None
    except ValueError:
        raise ValueError(f"is an address of {protocol!r}, which fsspec does not know") from None


def _is_protocol(name):
    if family(name) in KNOWN or name in HTTP:
        return True
    try:
        from fsspec import available_protocols
        from fsspec.registry import registry
    except ImportError:
        return False
    return name in registry or name in available_protocols()
