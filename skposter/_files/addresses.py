"""Texts that name bytes elsewhere: whose protocol they are of, and how they may be shown."""

from __future__ import annotations

import re
from urllib.parse import unquote

__all__ = [
    "ALLOW_PRIVATE",
    "HTTP",
    "KNOWN",
    "PACKAGES",
    "RemoteError",
    "StorageOptions",
    "family",
    "identifying",
    "is_url",
    "local_path",
    "protocol_of",
    "redacted",
    "scrubbed",
]

ALLOW_PRIVATE = "allow_private_hosts"
_URL = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_URL_INSIDE = re.compile(r"[a-z][a-z0-9+.-]+://[^\s'\"<>]+", re.IGNORECASE)
# Two letters at least, which no drive of Windows has.
HTTP = ("http", "https")
_LOCAL = ("file", "local")
# Protocols with several names, under the first of them.
_FAMILIES = {"http": "https", "s3a": "s3", "gcs": "gs", "abfs": "az", "abfss": "az"}
# Others are read only where `storage_options` name them: of the protocols that fsspec knows, some
# read this machine's files, and some connect to any host.
KNOWN = ("https", "s3", "gs", "az", "memory")
PACKAGES = {"https": "aiohttp", "s3": "s3fs", "gs": "gcsfs", "az": "adlfs"}
_HOST = re.compile(r"(?:\[[0-9a-f:.%]+\]|[^\s:]*)(?::\d*)?", re.IGNORECASE)
# What is in the query of an address that somebody has signed, for a while.
_SIGNATURE = re.compile(r"x-(?:amz|goog)-", re.IGNORECASE)


class RemoteError(Exception):
    """An address that gives no bytes: `kind` as of unreadable images, and the text for people."""

    def __init__(self, kind, reason):
        super().__init__(kind, reason)
        self.kind = kind
        self.reason = reason

    def __str__(self):
        return self.reason


class StorageOptions(dict):
    """Options of file systems, which may be passwords: only their names are shown."""

    def __repr__(self):
        return "{" + ", ".join(f"{name!r}: ..." for name in self) + "}"

    def __deepcopy__(self, memo):
        return self  # it is never changed, and may hold what cannot be copied


def protocol_of(text):
    """Return the protocol of an address in lower case, or None if the text is a path."""
    match = _URL.match(text)
    return match[1].lower() if match else None


def is_url(text):
    """Tell whether a text is an address rather than a path."""
    return _URL.match(text) is not None


def family(protocol):
    """Return the one name of a protocol that has several."""
    return _FAMILIES.get(protocol, protocol)


def local_path(url):
    """Return the path that a ``file:`` address means, or None if it is of another protocol.

    Raises
    ------
    ValueError
        If it names another machine.
    """
    if protocol_of(url) not in _LOCAL:
        return None
    host, slash, path = url.partition("://")[2].partition("/")
    if host not in ("", "localhost") or not slash:
        raise ValueError("is a file of another machine, or no absolute path (file:///folder/name)")
    path = unquote("/" + path, errors="surrogateescape")
    return path[1:] if re.match(r"/[a-zA-Z]:[/\\]", path) else path


def redacted(url):
    """Return an address as it may be shown: without user, password and query.

    Signed addresses have what opens them in their query. Where it is not clear what belongs to a
    password, nothing but the protocol is left. A path is returned as it is.
    """
    if not is_url(url):
        return url
    protocol, _, rest = url.partition("://")
    authority = re.match(r"[^/?#\\]*", rest)[0]  # type: ignore[index]
    host = authority.rpartition("@")[2]
    rest = rest[len(authority) :]
    torn = rest[:1] in ("?", "#", "\\") and ":" in host and "@" in rest
    if torn or not _HOST.fullmatch(host):
        return f"{protocol}://..."
    path = re.match(r"[^?#]*", rest)[0]  # type: ignore[index]
    return f"{protocol}://{host}{path}" + (f"{rest[len(path)]}..." if path != rest else "")


def scrubbed(text):
    """Return what another library says, with the addresses in it as they may be shown."""
    return _URL_INSIDE.sub(lambda match: redacted(match[0]), text)


def identifying(url):
    """Return what tells an address from others, whoever reads it and until when they may."""
    protocol, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    place, mark, query = (slash + path).partition("?")
    fields = [field for field in query.split("&") if not _SIGNATURE.match(field)]
    return f"{protocol}://{authority.rpartition('@')[2]}{place}{mark}{'&'.join(fields)}"
