"""Running an app: the socket, clients that never finish, Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["listen", "serve"]

_MAX_CONNECTIONS = 512
_HEAD_S = 10.0
_KEPT_ALIVE_S = 5
_SHUTDOWN_S = 10
_LOG = logging.getLogger("uvicorn.error")


def listen(host, port):
    """Return a socket that listens, before anything slow has begun.

    Parameters
    ----------
    host : str
    port : int
        0 takes a free one.

    Raises
    ------
    OSError
        If the port is taken, or there is no such address.
    """
    try:
        ((family, kind, protocol, _, address), *_) = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror as error:
        raise OSError(f"there is no address {host!r} ({error.strerror})") from None
    listening = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # elsewhere it would let two programs have one port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise OSError(f"cannot listen at {host} port {port}: {error.strerror}") from None
    return listening


def serve(app, listening, *, timeout=30.0, started=lambda: None):
    """Serve an app until Ctrl-C or SIGTERM; requests that have begun are answered.

    Parameters
    ----------
    app : ASGI app
    listening : socket.socket
        From `listen`.
    timeout : float, default=30
        Seconds in which the head of a request has to arrive; ten are the most.
    started : callable, default=no-op
        Called once requests are answered.
    """
    config = uvicorn.Config(
        app,
        http=type("_Protocol", (_ImpatientProtocol,), {"head_timeout": min(timeout, _HEAD_S)}),
        ws="none",
        lifespan="on",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_keep_alive=_KEPT_ALIVE_S,
        timeout_graceful_shutdown=_SHUTDOWN_S,
    )
    server = _Server(config, started)
    with _signals_ignored():
        try:
            server.run(sockets=[listening])
        finally:
            _LOG.disabled = False


class _Server(uvicorn.Server):
    def __init__(self, config, started):
        super().__init__(config)
        self._when_started = started

    async def startup(self, sockets=None):
        await super().startup(sockets)
        if self.started:
            self._when_started()

    def handle_exit(self, sig, frame):
        super().handle_exit(sig, frame)
        if self.force_exit:
            _LOG.disabled = True  # a second Ctrl-C cuts off what is under way, which is no error


class _ImpatientProtocol(H11Protocol):
    """Uvicorn's, which would wait for ever for the rest of a request's head."""

    head_timeout = _HEAD_S
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport):
        super().connection_made(transport)
        self._watch()

    def data_received(self, data):
        super().data_received(data)
        self._watch()

    def on_response_complete(self):
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc):
        if self._head_timer is not None:
            self._head_timer.cancel()
        super().connection_lost(exc)

    def _watch(self):
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering and self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        elif not answering and self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_timeout, self.transport.close)


@contextlib.contextmanager
def _signals_ignored():
    """Let uvicorn, which sends itself again what has ended it, be all that hears of signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
