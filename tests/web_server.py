"""A web server on this machine whose answers a test says, and that counts what it was asked."""

import contextlib
import email.utils
import hashlib
import http.server
import socket
import threading
import time


class Server(http.server.ThreadingHTTPServer):
    """Serves `contents`, bytes by path; `behave` says what else some paths do.

    `asked` lists what was asked for, as "GET /path". The server listens to 127.0.0.1 only.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.contents = {}
        self.behave = {}
        self.asked = []
        self.headers = []
        self.under_way = self.most_under_way = 0
        self.delay = 0.0
        self.with_versions = True
        self.lock = threading.Lock()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def handle_error(self, request, client_address):
        pass  # clients go when they have seen enough


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 10

    def do_GET(self):
        server = self.server
        path = self.path.partition("?")[0]
        with server.lock:
            server.asked.append(f"{self.command} {path}")
            server.headers.append(dict(self.headers))
            server.under_way += 1
            server.most_under_way = max(server.most_under_way, server.under_way)
        try:
            if server.delay:
                time.sleep(server.delay)
            behave = server.behave.get(path, _serve)
            behave(self, server.contents.get(path))
        finally:
            with server.lock:
                server.under_way -= 1

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *args):
        pass

    def answer(self, status=200, body=b"", **headers):
        self.send_response(status)
        headers = {"Content_Length": len(body), **headers}
        for name, value in headers.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


def _serve(handler, content):
    if content is None:
        handler.answer(404)
        return
    version = {"ETag": f'"{hashlib.md5(content).hexdigest()}"'}
    handler.answer(200, content, **(version if handler.server.with_versions else {}))


def truncated(handler, content):
    """Promise the whole and send half of it."""
    handler.answer(200, content[: len(content) // 2], Content_Length=len(content))
    handler.close_connection = True


def hung_up(handler, content):
    """End the connection without a word."""
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def stalled(handler, content):
    """Send half of it, and nothing more for a while."""
    handler.answer(200, content[: len(content) // 2], Content_Length=len(content))
    time.sleep(1.5)


def endless(handler, content):
    """Send blocks without end and without a length."""
    handler.answer(200, Content_Length=None, Transfer_Encoding="chunked")
    block = b"x" * 65536
    for _ in range(2000):
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))


def chunked(handler, content):
    """Send it without saying how long it is."""
    handler.answer(200, Content_Length=None, Transfer_Encoding="chunked")
    handler.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content))


def trickling(handler, content):
    """Send it byte by byte, never silent for long."""
    handler.answer(200, Content_Length=len(content))
    for i in range(40):
        handler.wfile.write(content[i : i + 1])
        time.sleep(0.05)


def huge(handler, content):
    """Promise more than anybody wants."""
    handler.answer(200, b"", Content_Length=10**12)
    handler.close_connection = True


def packed(handler, content):
    """Pack the content, though nobody asked for it."""
    import gzip

    handler.answer(200, gzip.compress(content), Content_Encoding="gzip")


def nonsense(handler, content):
    """Answer what is not HTTP."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
    handler.close_connection = True


def no_head(handler, content):
    """Answer GET only, as signed addresses do."""
    if handler.command == "HEAD":
        handler.answer(403)
    else:
        _serve(handler, content)


def dated(seconds):
    """Say when it was last changed, so many seconds ago, and have no other version."""

    def behave(handler, content):
        changed = email.utils.formatdate(time.time() - seconds, usegmt=True)
        handler.answer(200, content, Last_Modified=changed)

    return behave


def version_in_head_only(handler, content):
    """Say a version when asked for it, and none with the content."""
    version = {"ETag": '"1"'} if handler.command == "HEAD" else {}
    handler.answer(200, content, **version)


def broken_first(status, times=1, **headers):
    """Answer with a status at first, and well then."""
    left = [times]

    def behave(handler, content):
        if left[0] > 0:
            left[0] -= 1
            handler.answer(status, **headers)
        else:
            _serve(handler, content)

    return behave


def redirect(location, status=302):
    """Lead elsewhere."""
    return lambda handler, content: handler.answer(status, Location=location)


@contextlib.contextmanager
def serving():
    """Run a `Server` in a thread."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def nobody():
    """Return a web address at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/a.png"
