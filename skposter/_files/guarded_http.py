"""Bytes over HTTP, with what fsspec's own reading leaves out.

That takes whatever comes, however long, and follows redirects wherever they lead. Here the length
is looked at before the body is read and counted while it is; redirects are followed one by one, to
other web addresses only; and no connection is made to an address of a private network, of this
machine or of a cloud's metadata unless that is allowed. What the network may have spoilt is tried
again, after longer and longer pauses.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import socket
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from skposter._files.addresses import ALLOW_PRIVATE, RemoteError, redacted, scrubbed

__all__ = ["PAUSES", "get", "guarded_client"]

# Seconds before the second, third and fourth attempt.
PAUSES = (0.2, 0.8, 2.5)
_LONGEST_PAUSE = 20.0
_MAX_REDIRECTS = 5
_CONNECT_S, _SILENCE_S, _WHOLE_S = 10, 30, 300
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_REDIRECTS = (301, 302, 303, 307, 308)
_NO_HEAD = (400, 401, 403, 405, 501)  # who answers GET may answer so to HEAD
_HEADERS = {"Accept-Encoding": "identity"}  # so that the length is that of the image
# The clock of HTTP ticks in seconds: what is younger could change without a new time.
_SETTLED_S = 2


class _Passing(Exception):  # noqa: N818 - private: a reason to try again
    def __init__(self, kind, reason, pause=0.0):
        super().__init__(reason)
        self.failure = RemoteError(kind, reason)
        self.pause = pause


# --------------------------------------------------------------------------------------------------
# Where connections may go


async def guarded_client(allow_private, **options):
    """Return a session of aiohttp that connects to public addresses only, unless told otherwise.

    Parameters
    ----------
    allow_private : bool
    **options : object
        For `aiohttp.ClientSession`; ``client_kwargs`` of fsspec.
    """
    import aiohttp

    class Resolver(aiohttp.ThreadedResolver):
        """Refuses a name of which any address is private: what is connected to is what it gave."""

        async def resolve(self, host, port=0, family=socket.AF_INET):
            found = await super().resolve(host, port, family)
            for each in found:
                _check_address(host, each["host"])
            return found

    options.pop("connector", None)  # which would go where it likes
    timeout = aiohttp.ClientTimeout(total=_WHOLE_S, sock_connect=_CONNECT_S, sock_read=_SILENCE_S)
    options.setdefault("timeout", timeout)
    connector = aiohttp.TCPConnector(limit=0, resolver=None if allow_private else Resolver())
    # What comes is counted as it is sent: nothing small that unpacks to something large.
    options["auto_decompress"] = False
    return aiohttp.ClientSession(connector=connector, **options)


def _check_host(url, allow_private):
    """Refuse what is no web address; of a host that is given as a number, refuse private ones."""
    if url.scheme not in ("http", "https") or not url.host:
        raise RemoteError("unreadable", "is no web address")
    if allow_private:
        return
    host = url.host.rstrip(".")
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            host = socket.inet_ntoa(socket.inet_aton(host))  # 127.1, 0x7f000001, 2130706433
        except (OSError, ValueError):
            return  # a name, at which the resolver will look
    _check_address(host, host)


def _check_address(host, address):
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inside = found.ipv4_mapped or found.sixtofour or (found.teredo and found.teredo[1])
        if not inside and found in _NAT64:
            inside = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        found = inside or found
    if not found.is_global or found.is_multicast:
        raise RemoteError(
            "unreadable",
            f"leads to {host!r}, which is in a private network or this machine itself; "
            f"storage_options={{{ALLOW_PRIVATE!r}: True}} allows it",
        )


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


# --------------------------------------------------------------------------------------------------
# Reading


async def get(fs, url, max_bytes, allow_private, counted, *, body=True):
    """Read what an address gives.

    Parameters
    ----------
    fs : fsspec.implementations.http.HTTPFileSystem
        Made with `guarded_client`.
    url : str
    max_bytes : int
    allow_private : bool
    counted : async callable
        Called with the number of bytes that have come, before they are kept.
    body : bool, default=True
        Whether what there is is wanted, not only what is said of it.

    Returns
    -------
    content : bytes or None
    version : str or None
        Changes when the content does; None if the server says nothing that would.

    Raises
    ------
    RemoteError
    """
    methods = ["GET"] if body else ["HEAD", "GET"]
    for method in methods:
        answer = await _patiently(fs, url, method, max_bytes, allow_private, counted, body)
        if answer is not None:
            return answer
    raise RemoteError("unreadable", "cannot be asked for")


async def _patiently(fs, url, method, max_bytes, allow_private, counted, body):
    failure = None
    for pause in (0.0, *PAUSES):
        if failure is not None:
            pause = max(pause * random.uniform(0.8, 1.2), failure.pause)
            await asyncio.sleep(pause)
        failure = await _once(fs, url, method, max_bytes, allow_private, counted, body)
        if not isinstance(failure, _Passing):
            break
    # Raised here, and not where they are caught: other libraries' exceptions have the whole
    # address in them, and would be shown as the cause.
    if isinstance(failure, _Passing):
        raise failure.failure
    if isinstance(failure, RemoteError):
        raise RemoteError(failure.kind, failure.reason)
    return failure


async def _once(*arguments):
    """Return the answer to one request, or the exception that says why there is none."""
    import aiohttp

    try:
        return await _request(*arguments)
    except (RemoteError, _Passing) as error:
        return error
    except TimeoutError:
        return _Passing("unreadable", "does not answer in time")
    except aiohttp.ClientConnectorCertificateError:
        return RemoteError("unreadable", "has a certificate that cannot be verified")
    except aiohttp.ClientSSLError:
        return RemoteError("unreadable", "makes no secure connection")
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, socket.gaierror):
            name = error.os_error.errno == socket.EAI_NONAME
            return (RemoteError if name else _Passing)("unreadable", f"no host {error.host!r}")
        reason = error.os_error.strerror or type(error.os_error).__name__
        return _Passing("unreadable", f"no connection to {error.host!r} ({scrubbed(reason)})")
    except (aiohttp.ClientConnectionError, OSError) as error:
        return _Passing("unreadable", f"the connection broke ({type(error).__name__})")
    except aiohttp.ClientResponseError:
        return RemoteError("unreadable", "the server's answer is not HTTP as it should be")
    except aiohttp.InvalidURL:
        return RemoteError("unreadable", "is no web address")
    except Exception as error:  # of arguments that aiohttp does not take, for instance
        said = scrubbed(str(error))[:200]
        return RemoteError("unreadable", f"cannot be asked for ({type(error).__name__}: {said})")


async def _request(fs, url, method, max_bytes, allow_private, counted, body):
    from yarl import URL

    client = await fs.set_session()
    target = fs.encode_url(url)
    options = dict(fs.kwargs)
    stranger = None
    try:
        for _ in range(_MAX_REDIRECTS + 1):
            _check_host(target, allow_private)
            headers = {**_HEADERS, **(options.pop("headers", None) or {})}
            async with client.request(
                method, target, allow_redirects=False, headers=headers, **options
            ) as answer:
                if answer.status not in _REDIRECTS:
                    if method == "HEAD" and answer.status in _NO_HEAD:
                        return None
                    return await _read(answer, method, max_bytes, counted, body)
                following = _redirect(answer, target, URL)
                options["headers"] = headers
                if following.origin() != target.origin():
                    # Passwords, tokens and cookies are for the host that they were given for.
                    options = {name: options[name] for name in ("ssl", "proxy") if name in options}
                    stranger = stranger or await _plain_client(client)
                    client = stranger
                target = following
        raise RemoteError("unreadable", f"is redirected more than {_MAX_REDIRECTS} times")
    finally:
        if stranger is not None:
            await stranger.close()


async def _plain_client(client):
    """Return a session with the connections of another, and nothing of what it tells servers."""
    import aiohttp

    return aiohttp.ClientSession(
        connector=client.connector,
        connector_owner=False,
        timeout=client.timeout,
        trust_env=client.trust_env,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )


def _redirect(answer, target, kind):
    """Return where an answer leads, if it is another web address."""
    location = answer.headers.get("Location", "")
    try:
        following = target.join(kind(location))
        following.origin()
    except ValueError:
        following = None
    if not location or following is None or following.scheme not in ("http", "https"):
        where = redacted(scrubbed(location))[:200]
        raise RemoteError("unreadable", f"is redirected to {where!r}, which is no web address")
    return following


async def _read(answer, method, max_bytes, counted, body):
    import aiohttp

    _check_status(answer)
    version = _version(answer.headers)
    if method == "HEAD" or not body:
        answer.close()
        return None, version
    encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", ""):
        raise RemoteError("unreadable", f"comes packed as {encoding[:20]!r}, unasked")
    length = answer.content_length
    if length is not None and length > max_bytes:
        raise RemoteError("too_large", f"has {length:,} bytes, more than max_bytes={max_bytes:,}")
    content = bytearray()
    try:
        async for block in answer.content.iter_any():
            if len(content) + len(block) > max_bytes:
                raise RemoteError("too_large", f"has more than max_bytes={max_bytes:,} bytes")
            await counted(len(block))
            content += block
    except aiohttp.ClientPayloadError:
        promised = "" if length is None else f" of {length:,}"
        raise _Passing(
            "truncated", f"ended after {len(content):,}{promised} bytes, before its end"
        ) from None
    return bytes(content), version


def _check_status(answer):
    status = answer.status
    if status == 200:
        return
    try:
        said = f"the server answers {status} ({HTTPStatus(status).phrase})"
    except ValueError:
        said = f"the server answers {status}"
    if status in (404, 410):
        raise RemoteError("missing", said)
    if status in _PASSING:
        raise _Passing("unreadable", said, _asked_to_wait(answer.headers))
    raise RemoteError("unreadable", said)


def _asked_to_wait(headers):
    try:
        return min(max(0.0, float(headers.get("Retry-After", "0"))), _LONGEST_PAUSE)
    except ValueError:
        return 0.0


def _version(headers):
    """Return a text that changes with the content, or None."""
    length = headers.get("Content-Length", "-")
    if headers.get("ETag"):
        return f"{length} {headers['ETag']}"
    try:
        changed = parsedate_to_datetime(headers["Last-Modified"])
        now = parsedate_to_datetime(headers["Date"])
        settled = (now - changed).total_seconds() > _SETTLED_S
    except (KeyError, ValueError, TypeError):
        return None
    return f"{length} {headers['Last-Modified']}" if settled else None
