"""What is looked at before a request reaches anything: who it is for, how much, how long."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

__all__ = ["Guard", "Limits", "Refused", "read_body"]

LOCAL_NAMES = ("127.0.0.1", "localhost", "::1")
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        b"img-src blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
]
# A client that is still sending hears of a refusal only once it has been listened to.
_DRAINED_BYTES = 1 << 28
_DRAINED_S = 5.0


@dataclass(frozen=True)
class Limits:
    """What a server takes on.

    Parameters
    ----------
    max_bytes : int, default=20_000_000
        Of one upload; the loader's own limit holds as well.
    max_requests : int, default=64
        That are worked on at a time. Others are told to come again.
    max_buffered : int, default=268_435_456
        Bytes of uploads that are in memory at a time.
    timeout : float, default=30
        Seconds for an upload to arrive, and as many for its answer.
    """

    max_bytes: int = 20_000_000
    max_requests: int = 64
    max_buffered: int = 1 << 28
    timeout: float = 30.0


class Refused(Exception):  # noqa: N818 - private, carries what the client will be told
    """A request that is not answered: a status, what is said, and headers."""

    def __init__(self, status, detail, **headers):
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers


class Guard:
    """An ASGI app around another: names of hosts, how many at a time, headers of safety.

    A page elsewhere can make a browser send requests here: by a name of its own that it lets lead
    to this machine, or by plain requests across origins. So the names by which this server is
    called are known, and where a browser says from which page a request comes, it is this one's.

    Parameters
    ----------
    app : ASGI app
    hosts : collection of str
        Names of this server, without ports.
    limits : Limits
    """

    def __init__(self, app, hosts, limits):
        self._app = app
        self._hosts = {name.lower().strip("[]") for name in hosts}
        self._limits = limits
        self._n_requests = 0

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            async with asyncio.timeout(self._limits.timeout):  # or nobody reads it
                await send(message)

        refused = self._why_not(scope)
        if refused is not None:
            await _answer(refused, send_with_headers)
            return
        self._n_requests += 1
        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            self._n_requests -= 1

    def _why_not(self, scope):
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name, []).append(value)
        said = headers.get(b"host", [])
        host = said[0].decode("latin-1").lower() if len(said) == 1 else ""
        if _without_port(host) not in self._hosts:
            return Refused(
                400,
                f"This server is not called {host[:100]!r}. If it should be, start it with "
                "--allow-host NAME.",
            )
        origin = headers.get(b"origin", [b""])[0].decode("latin-1").lower()
        if origin and origin.partition("://")[2] != host:
            return Refused(403, "Requests of other pages are not answered.")
        if scope["method"] == "POST" and self._n_requests >= self._limits.max_requests:
            return Refused(503, "Too many requests at a time; try again.", **{"retry-after": "1"})
        return None


def _without_port(host):
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


async def _answer(refused, send):
    body = json.dumps({"detail": refused.detail}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        *((name.encode(), value.encode()) for name, value in refused.headers.items()),
    ]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Buffered:
    """How many bytes of uploads are in memory, over all requests."""

    def __init__(self, limit):
        self.left = limit

    def take(self, n_bytes):
        if n_bytes > self.left:
            raise Refused(503, "Too many uploads at a time; try again.", **{"retry-after": "1"})
        self.left -= n_bytes


async def read_body(request, limits, buffered):
    """Return the body of a request; what was taken of `buffered` is for the caller to give back.

    Parameters
    ----------
    request : starlette.requests.Request
    limits : Limits
    buffered : Buffered

    Raises
    ------
    Refused
        If there is too much of it, or it takes too long.
    """
    content = bytearray()
    said = request.headers.get("content-length")
    if said is None:
        # A body in chunks of a byte would keep the parser, and so everybody, for seconds.
        raise Refused(411, "Say how long the upload is, in Content-Length.", connection="close")
    stream = request.stream()
    try:
        async with asyncio.timeout(limits.timeout):
            if int(said) > limits.max_bytes:
                most = f"{limits.max_bytes:,} bytes, which are the most here"
                raise Refused(413, f"The upload has more than {most}.")
            async for chunk in stream:
                buffered.take(len(chunk))
                content += chunk
    except TimeoutError:
        buffered.left += len(content)
        raise Refused(
            408, f"The upload did not arrive within {limits.timeout:g} seconds.", connection="close"
        ) from None
    except Refused as refused:
        buffered.left += len(content)
        await _drain(stream)
        refused.headers["connection"] = "close"
        raise
    except BaseException:
        buffered.left += len(content)
        raise
    return content


async def _drain(stream):
    """Take in what is still being sent, and keep none of it."""
    n_bytes = 0
    try:
        async with asyncio.timeout(_DRAINED_S):
            async for chunk in stream:
                n_bytes += len(chunk)
                if n_bytes > _DRAINED_BYTES:
                    break
    except TimeoutError:
        pass
