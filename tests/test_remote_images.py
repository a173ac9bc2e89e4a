"""Images from addresses: web servers that misbehave, object stores, and what must never be read."""

import asyncio
import io
import pickle
import socket
import ssl
import sys
import traceback
import types
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import web_server
from PIL import Image
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skposter import ImageFeatures, ImageLoader
from skposter._files import guarded_http, remote_loop
from skposter._files.addresses import RemoteError, identifying, local_path, redacted
from skposter._files.remote import Access
from skposter.exceptions import ImageLoadError

fsspec = pytest.importorskip("fsspec", reason="needs the extra skposter[remote]")
asyn = pytest.importorskip("fsspec.asyn", reason="needs the extra skposter[remote]")
aiohttp = pytest.importorskip("aiohttp", reason="needs the extra skposter[remote]")

HERE = {"allow_private_hosts": True}
SIZE = (6, 4)


def png(grey, size=(12, 18)):
    file = io.BytesIO()
    Image.new("RGB", size, (grey, grey, grey)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    for module in ("guarded_http", "remote_loop"):
        monkeypatch.setattr(f"skposter._files.{module}.PAUSES", (0.01, 0.01, 0.01))


@pytest.fixture(autouse=True)
def connections_of_its_own(short_pauses):
    """Each test has its own file systems, which are kept otherwise with their connections."""
    remote_loop._file_system.cache_clear()


@pytest.fixture
def server():
    with web_server.serving() as server:
        server.contents = {f"/{i}.png": png(10 * i) for i in range(20)}
        yield server


@pytest.fixture
def memory():
    store = fsspec.filesystem("memory")
    for i in range(20):
        store.pipe_file(f"/posters/{i}.png", png(10 * i))
    yield [f"memory://posters/{i}.png" for i in range(20)]
    store.rm("/posters", recursive=True)


def loader(**params):
    return ImageLoader(size=SIZE, **{"storage_options": HERE, **params})


def greys(images):
    return np.asarray(images)[:, 0, 0, 0].tolist()


def failure(url, **params):
    """Return the kind and the cause of an image that cannot be loaded, and all that was said."""
    with pytest.raises(ImageLoadError) as caught:
        loader(**params).transform([url])
    said = "".join(traceback.format_exception(caught.value)) + repr(caught.value.failures)
    table = loader(**params).verify([url])
    return table["kind"].iloc[0], caught.value.failures[0][2], said + table.to_csv()


# --------------------------------------------------------------------------------------------------
# Texts


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.org/a/b.jpg", "https://example.org/a/b.jpg"),
        ("https://example.org:8000/a@2x.jpg", "https://example.org:8000/a@2x.jpg"),
        ("https://[::1]:80/a.jpg", "https://[::1]:80/a.jpg"),
        ("https://user:pa55@example.org/a.jpg", "https://example.org/a.jpg"),
        ("https://t0ken@example.org/a.jpg", "https://example.org/a.jpg"),
        ("https://user:pa/55@example.org/a.jpg", "https://..."),
        ("https://user:pa?55@example.org/a.jpg", "https://..."),
        ("https://user:5?5@example.org/a.jpg", "https://..."),
        ("https://user:pa@55@example.org/a.jpg", "https://example.org/a.jpg"),
        ("https://example.org/a.jpg?X-Amz-Signature=5ec3e7", "https://example.org/a.jpg?..."),
        ("https://example.org/a.jpg#5ec3e7", "https://example.org/a.jpg#..."),
        ("https://us:pw@h.example/a?u=http://x.example/b", "https://h.example/a?..."),
        ("https://us:pw@h.example/http://x.example/b", "https://h.example/http://x.example/b"),
        ("s3://key:5ec3e7@bucket/a.jpg", "s3://bucket/a.jpg"),
        ("s3://bucket/a b/c.jpg", "s3://bucket/a b/c.jpg"),
        ("/folder/a@b:c?d.jpg", "/folder/a@b:c?d.jpg"),
    ],
)
def test_addresses_are_shown_without_what_opens_them(url, shown):
    assert redacted(url) == shown


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:///a/b%20c.jpg", "/a/b c.jpg"),
        ("FILE://localhost/a.jpg", "/a.jpg"),
        ("file:///C:/a.jpg", "C:/a.jpg"),
        ("file:///a%23b.jpg", "/a#b.jpg"),
        ("file:///a%FFb.jpg", "/a\udcffb.jpg"),
        ("https://example.org/a.jpg", None),
    ],
)
def test_addresses_of_files_are_paths(url, path):
    assert local_path(url) == path


def test_a_signature_does_not_tell_images_apart_and_other_fields_do():
    signed = "https://user@h.example/a.jpg?id=1&X-Amz-Date=2&X-Goog-Signature=3"
    assert identifying(signed) == "https://h.example/a.jpg?id=1"
    assert identifying("https://h.example/a.jpg?id=2") != identifying(signed)
    asking = "https://h.example/a.jpg?X-Amz-Date=2&id=1?2"
    assert identifying(asking) == "https://h.example/a.jpg?id=1?2"
    for address in ("https://h.example/x@1/a.jpg", "https://h.example/a/b.jpg?u=x@1/2?v=3&w"):
        assert identifying(address) == address


def test_an_error_of_an_address_survives_pickling():
    copy = pickle.loads(pickle.dumps(RemoteError("missing", "there is no such object")))
    assert (copy.kind, copy.reason, str(copy)) == ("missing", *["there is no such object"] * 2)


# --------------------------------------------------------------------------------------------------
# Reading


@pytest.mark.parametrize(
    "container",
    [list, np.array, pd.Series, lambda urls: pd.DataFrame({"image": urls}), tuple],
    ids=["list", "array", "Series", "DataFrame", "tuple"],
)
def test_addresses_come_in_whatever_paths_come_in(server, container):
    urls = [server.url(f"/{i}.png") for i in (3, 1, 2)]
    assert greys(loader().transform(container(urls))) == [30, 10, 20]


def test_paths_addresses_bytes_and_arrays_may_be_mixed(server, memory, tmp_path):
    (tmp_path / "a b#.png").write_bytes(png(90))
    mixed = [
        server.url("/1.png"),
        memory[2],
        str(tmp_path / "a b#.png"),
        (tmp_path / "a b#.png").as_uri(),
        png(40),
        np.full((3, 3, 3), 50, np.uint8),
    ]
    assert greys(loader().transform(mixed)) == [10, 20, 90, 90, 40, 50]


def test_lazy_images_read_what_is_looked_at(server):
    images = loader(lazy=True).transform([server.url(f"/{i}.png") for i in range(20)])
    assert server.asked == []
    assert greys(images[[7, 2]]) == [70, 20]
    assert sorted(server.asked) == ["GET /2.png", "GET /7.png"]
    assert [greys(batch) for batch in images.batches([[0, 1], [5]])] == [[0, 10], [50]]


def test_many_requests_are_under_way_at_once_and_not_all(server):
    server.delay = 0.03
    urls = [server.url(f"/{i % 20}.png") for i in range(120)]
    assert greys(loader(n_jobs=1).transform(urls)) == [10 * (i % 20) for i in range(120)]
    assert 8 < server.most_under_way <= 32


@pytest.mark.parametrize("n_bytes", [100, 10])
def test_what_waits_to_be_decoded_is_bounded_in_bytes(server, monkeypatch, n_bytes):
    # No room for two, or for one: still all are read, in whatever order threads ask for them.
    monkeypatch.setattr("skposter._files.remote_loop._WAITING_BYTES", n_bytes)
    monkeypatch.setattr("skposter._files.remote_loop._WAITING", 3)
    urls = [server.url(f"/{i % 20}.png") for i in range(90)]
    assert greys(loader(n_jobs=4).transform(urls)) == [10 * (i % 20) for i in range(90)]


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_what_passes_is_tried_again(server, status):
    server.behave["/1.png"] = web_server.broken_first(status, times=2)
    assert greys(loader().transform([server.url("/1.png")])) == [10]
    assert server.asked == ["GET /1.png"] * 3


def test_a_broken_connection_is_tried_again(server):
    answers = iter([web_server.truncated, web_server.hung_up])

    def behave(handler, content):
        next(answers, web_server._serve)(handler, content)

    server.behave["/1.png"] = behave
    assert greys(loader().transform([server.url("/1.png")])) == [10]


def test_a_connection_that_goes_on_breaking_is_an_error(server):
    server.behave["/1.png"] = web_server.hung_up
    assert failure(server.url("/1.png"))[:2] == (
        "unreadable",
        "the connection broke (ServerDisconnectedError)",
    )


@pytest.fixture
def slept(monkeypatch):
    """The pauses before further attempts, none of which is waited for."""
    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)

    monkeypatch.setattr(guarded_http, "asyncio", types.SimpleNamespace(sleep=sleep))
    return pauses


def test_pauses_grow_and_are_not_the_same_for_all(server, slept, monkeypatch):
    monkeypatch.setattr(guarded_http, "PAUSES", (1, 10, 100))
    server.behave["/1.png"] = web_server.broken_first(503, times=99)
    for _ in range(3):
        with pytest.raises(ImageLoadError):
            loader().transform([server.url("/1.png")])
    parts = np.array(slept).reshape(3, 3) / (1, 10, 100)
    assert ((parts >= 0.8) & (parts <= 1.2)).all()
    assert len(set(parts.ravel())) > 1


@pytest.mark.parametrize(
    ("said", "pause"),
    [("7", 7), ("0.5", 0.5), ("1000", 20), ("inf", 20), ("-3", 0), ("nan", 0), ("soon", 0)],
)
def test_a_server_may_ask_to_wait_so_long(server, slept, said, pause):
    server.behave["/1.png"] = web_server.broken_first(429, Retry_After=said)
    assert greys(loader().transform([server.url("/1.png")])) == [10]
    assert slept == [pytest.approx(max(pause, 0.01), abs=0.0021)]


@pytest.mark.parametrize(
    ("status", "kind", "said", "n_asked"),
    [
        (410, "missing", "the server answers 410 (Gone)", 1),
        (403, "unreadable", "the server answers 403 (Forbidden)", 1),
        (204, "unreadable", "the server answers 204 (No Content)", 1),
        (408, "unreadable", "the server answers 408 (Request Timeout)", 4),
        (599, "unreadable", "the server answers 599", 1),
    ],
)
def test_other_answers_are_told(server, status, kind, said, n_asked):
    server.behave["/1.png"] = web_server.broken_first(status, times=99)
    assert failure(server.url("/1.png"))[:2] == (kind, said)
    assert len(server.asked) == 2 * n_asked


def connecting(error, *arguments):
    place = types.SimpleNamespace(host="h.example", port=443, ssl=True, is_ssl=True)
    return error(place, *arguments)


@pytest.mark.parametrize(
    ("error", "said", "n_attempts"),
    [
        (
            connecting(aiohttp.ClientConnectorCertificateError, ssl.CertificateError("own")),
            "has a certificate that cannot be verified",
            1,
        ),
        (
            connecting(aiohttp.ClientConnectorSSLError, ssl.SSLError(1, "wrong version")),
            "makes no secure connection",
            1,
        ),
        (
            connecting(aiohttp.ClientConnectorError, socket.gaierror(socket.EAI_NONAME, "unknown")),
            "no host 'h.example'",
            1,
        ),
        (
            connecting(aiohttp.ClientConnectorError, socket.gaierror(socket.EAI_AGAIN, "later")),
            "no host 'h.example'",
            4,
        ),
        (
            connecting(aiohttp.ClientConnectorError, ConnectionRefusedError(111, "refused")),
            "no connection to 'h.example' (refused)",
            4,
        ),
        (
            connecting(aiohttp.ClientConnectorError, OSError()),
            "no connection to 'h.example' (OSError)",
            4,
        ),
        (OSError("at https://us3r:5ec3e7@h"), "the connection broke (OSError)", 4),
        (aiohttp.InvalidURL("https://us3r:5ec3e7@h"), "is no web address", 1),
        (
            RuntimeError("odd https://us3r:5ec3e7@h.example/a?5ec3e7 " + 200 * "x"),
            "cannot be asked for (RuntimeError: odd https://h.example/a?... " + 172 * "x" + ")",
            1,
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_keeps_an_answer_away_is_told(monkeypatch, error, said, n_attempts):
    attempts = []

    async def request(*arguments):
        attempts.append(arguments)
        raise error

    monkeypatch.setattr(guarded_http, "_request", request)
    kind, cause, everything = failure("https://us3r:5ec3e7@h.example/1.png")
    assert (kind, cause) == ("unreadable", said)
    assert len(attempts) == 2 * n_attempts
    assert "5ec3e7" not in everything


def test_arguments_that_no_request_takes_are_named(server):
    options = {**HERE, "speed": 3}
    kind, cause, _ = failure(server.url("/1.png"), storage_options=options)
    assert kind == "unreadable"
    assert cause.startswith("cannot be asked for (TypeError: ")
    assert "speed" in cause


def test_a_server_that_goes_on_failing_is_an_error_after_a_few_attempts(server):
    server.behave["/1.png"] = web_server.broken_first(500, times=10**6)
    kind, cause, _ = failure(server.url("/1.png"))
    assert kind == "unreadable"
    assert cause == "the server answers 500 (Internal Server Error)"
    assert len(server.asked) == 8  # four by transform, four by verify


def test_a_missing_image_is_not_asked_for_again(server):
    kind, cause, _ = failure(server.url("/nowhere.png"))
    assert (kind, cause) == ("missing", "the server answers 404 (Not Found)")
    assert server.asked == ["GET /nowhere.png"] * 2


def test_every_failure_is_named_in_one_error(server):
    urls = [server.url(f"/{name}.png") for name in (1, "x", 2, "y")]
    with pytest.raises(ImageLoadError) as caught:
        loader().transform(urls)
    assert [(row, name) for row, name, _ in caught.value.failures] == [(1, urls[1]), (3, urls[3])]
    with pytest.warns(match="A grey image stands in"):
        assert greys(loader(on_error="blank").transform(urls)) == [10, 128, 20, 128]


def test_nobody_listening_is_an_error():
    kind, cause, _ = failure(web_server.nobody())
    assert kind == "unreadable"
    assert "no connection to '127.0.0.1'" in cause


def test_a_truncated_body_is_an_error_that_names_the_address(server):
    server.behave["/1.png"] = web_server.truncated
    kind, cause, said = failure(server.url("/1.png"))
    n_bytes = len(server.contents["/1.png"])
    assert kind == "truncated"
    assert cause == f"ended after {n_bytes // 2} of {n_bytes} bytes, before its end"
    assert server.url("/1.png") in said


@pytest.mark.parametrize("client_kwargs", [True, False])
def test_a_slow_server_is_an_error(server, client_kwargs, monkeypatch):
    server.behave["/1.png"] = web_server.stalled
    monkeypatch.setattr("skposter._files.guarded_http.PAUSES", ())
    monkeypatch.setattr("skposter._files.guarded_http._SILENCE_S", 0.1)
    options = dict(HERE)
    if client_kwargs:  # fsspec's own name for it
        monkeypatch.undo()
        monkeypatch.setattr("skposter._files.guarded_http.PAUSES", ())
        options["client_kwargs"] = {"timeout": aiohttp.ClientTimeout(total=0.1)}
    else:
        options["client_kwargs"] = {}  # or another test's session would do
    kind, cause, _ = failure(server.url("/1.png"), storage_options=options)
    assert (kind, cause) == ("unreadable", "does not answer in time")


def test_a_server_that_trickles_is_an_error(server, monkeypatch):
    server.behave["/1.png"] = web_server.trickling
    monkeypatch.setattr(guarded_http, "PAUSES", ())
    monkeypatch.setattr(guarded_http, "_WHOLE_S", 0.3)
    kind, cause, _ = failure(server.url("/1.png"))
    assert (kind, cause) == ("unreadable", "does not answer in time")


@pytest.mark.parametrize("behaviour", [web_server._serve, web_server.chunked])
def test_as_many_bytes_as_are_accepted_are_read(server, behaviour):
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    large = file.getvalue()
    for content in (server.contents["/1.png"], large):  # in one piece and in many
        server.contents["/1.png"] = content
        server.behave["/1.png"] = behaviour
        images = loader(max_bytes=len(content)).transform([server.url("/1.png")])
        assert (images == loader().transform([content])).all()
        kind, cause, _ = failure(server.url("/1.png"), max_bytes=len(content) - 1)
        assert kind == "too_large"
        assert f"more than max_bytes={len(content) - 1:,}" in cause
        with pytest.raises(RemoteError, match="more than max_bytes="):
            Access(HERE).read(server.url("/1.png"), len(content) - 1)


@pytest.mark.parametrize(
    ("behaviour", "kind", "cause"),
    [
        (web_server.huge, "too_large", "has 1,000,000,000,000 bytes, more than max_bytes=200,000"),
        (web_server.endless, "too_large", "has more than max_bytes=200,000 bytes"),
        (web_server.packed, "unreadable", "comes packed as 'gzip', unasked"),
        (web_server.nonsense, "unreadable", "the server's answer is not HTTP as it should be"),
    ],
)
def test_answers_that_are_not_as_they_should_be(server, behaviour, kind, cause):
    server.behave["/1.png"] = behaviour
    assert failure(server.url("/1.png"), max_bytes=200_000)[:2] == (kind, cause)


def test_pixels_are_bounded_as_those_of_files(server):
    server.contents["/1.png"] = png(1, size=(400, 400))
    kind, cause, _ = failure(server.url("/1.png"), max_pixels=100_000)
    assert kind == "too_large"
    assert "160,000 pixels" in cause


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><p>Not found"])
def test_what_is_no_image_says_what_it_is(server, content):
    server.contents["/1.png"] = content
    assert failure(server.url("/1.png"))[0] == "not_an_image"


# --------------------------------------------------------------------------------------------------
# Where it may lead


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_to_web_addresses_are_followed(server, status):
    server.behave["/old.png"] = web_server.redirect("/1.png", status)
    assert greys(loader().transform([server.url("/old.png")])) == [10]


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "FILE:/etc/passwd",
        "ftp://127.0.0.1/a.png",
        "memory://posters/1.png",
        "https://",
        "",
        None,
    ],
)
def test_redirects_out_of_the_web_are_not_followed(server, memory, location):
    server.behave["/1.png"] = web_server.redirect(location)
    kind, cause, said = failure(server.url("/1.png"))
    assert kind == "unreadable"
    assert "which is no web address" in cause
    assert "root:" not in said


def test_redirects_in_a_loop_end(server):
    server.behave["/1.png"] = web_server.redirect("/2.png")
    server.behave["/2.png"] = web_server.redirect("/1.png")
    _, cause, _ = failure(server.url("/1.png"))
    assert cause == "is redirected more than 5 times"
    assert len(server.asked) == 12


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1.", "localhost", "127.1", "0x7f000001", "0177.1", "2130706433"],
)
def test_no_request_is_sent_to_this_machine_unless_that_is_allowed(server, host):
    url = f"http://{host}:{server.server_address[1]}/1.png"
    for options in (None, {"allow_private_hosts": False}, {"https": {"headers": {}}}):
        kind, cause, _ = failure(url, storage_options=options)
        assert kind == "unreadable"
        assert "in a private network or this machine itself" in cause
    assert server.asked == []


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "[::]",
        "[::1]",
        "[fe80::1]",
        "[fd00::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[2001:0:808:808::80ff:fffe]",
    ],
)
def test_no_private_address_is_connected_to(host):
    # Nothing is sent, so nobody need be there.
    _, cause, _ = failure(f"http://{host}/a.png", storage_options=None)
    assert "in a private network" in cause


def test_a_public_server_cannot_lead_into_the_own_network(server, monkeypatch):
    # The server plays a public one: the address of the test alone is taken for public.
    check, public = guarded_http._check_address, []

    def check_but_once(host, address):
        if public:
            check(host, address)
        public.append(address)

    monkeypatch.setattr(guarded_http, "_check_address", check_but_once)
    for location in (server.url("/2.png"), "http://localhost:1/2.png", "//127.0.0.1/2.png"):
        public.clear()
        server.behave["/1.png"] = web_server.redirect(location)
        with pytest.raises(ImageLoadError, match="in a private network or this machine"):
            loader(storage_options=None).transform([server.url("/1.png")])
    assert server.asked == ["GET /1.png"] * 3


def test_names_are_looked_at_where_they_are_resolved(server, monkeypatch):
    resolve = socket.getaddrinfo

    def rebinding(host, *args, **kwargs):
        return resolve("127.0.0.1" if host == "public.example" else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    url = f"http://public.example:{server.server_address[1]}/1.png"
    assert "'public.example', which is in a private" in failure(url, storage_options=None)[1]
    assert server.asked == []
    assert greys(loader().transform([url])) == [10]


def test_names_of_public_hosts_are_connected_to(server, monkeypatch):
    # The server plays a public one.
    monkeypatch.setattr(guarded_http, "_check_address", lambda host, address: None)
    families, resolve = [], socket.getaddrinfo

    def resolving(host, port, family=0, *args, **kwargs):
        families.append(family)
        return resolve("127.0.0.1", port, family, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolving)
    url = f"http://public.example:{server.server_address[1]}/1.png"
    assert greys(loader(storage_options=None).transform([url])) == [10]
    assert socket.AF_INET not in families  # but whatever the host has


def test_a_connector_of_ones_own_leads_nowhere_else(server):
    kwargs = {"client_kwargs": {"connector": "anywhere"}}
    assert greys(loader(storage_options={**HERE, **kwargs}).transform([server.url("/1.png")])) == [
        10
    ]
    cause = failure(server.url("/1.png"), storage_options=kwargs)[1]
    assert "in a private network or this machine itself" in cause


@pytest.mark.parametrize("how", ["environment", "option"])
def test_a_proxy_is_used_for_redirects_too(server, monkeypatch, how):
    """The server plays a proxy, which is asked for whole addresses."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server.behave["http://one.example/1.png"] = web_server.redirect("http://two.example/2.png")
    server.contents["http://two.example/2.png"] = png(70)
    options = dict(HERE)
    if how == "environment":
        monkeypatch.setenv("http_proxy", server.url(""))
        options["client_kwargs"] = {"trust_env": True}
    else:
        options["proxy"] = server.url("")
    assert greys(loader(storage_options=options).transform(["http://one.example/1.png"])) == [70]


@pytest.mark.parametrize(
    "url",
    ["ftp://127.0.0.1/a.png", "sftp://h/a.png", "zip://a.png", "simplecache://a", "nonsense://a"],
)
def test_other_protocols_are_read_only_if_they_are_named(url):
    with pytest.raises(ImageLoadError, match="is read only if storage_options name it"):
        loader(storage_options=None).transform([url])


def test_a_protocol_is_read_if_it_is_named(memory):
    class Own(type(fsspec.filesystem("memory"))):
        protocol = "ownstore"

    fsspec.register_implementation("ownstore", Own, clobber=True)
    with pytest.raises(ImageLoadError, match="is read only if storage_options name it"):
        loader().transform(["ownstore://posters/7.png"])
    reading = loader(storage_options={"ownstore": {}})
    assert failure("ownstore://posters/no.png", storage_options={"ownstore": {}})[0] == "missing"
    assert greys(reading.transform([memory[7]])) == [70]


def test_chains_of_fsspec_are_not_followed(memory, tmp_path):
    (tmp_path / "a.png").write_bytes(png(70))
    for url in (f"memory://x::file://{tmp_path}/a.png", f"memory://x::{tmp_path}/a.png"):
        assert failure(url)[0] == "missing"


def test_files_of_other_machines_are_no_files_of_this_one():
    with pytest.raises(ImageLoadError, match="a file of another machine"):
        loader().transform(["file://elsewhere/a.png"])


# --------------------------------------------------------------------------------------------------
# Secrets


@pytest.mark.parametrize(
    "behaviour",
    [
        None,
        web_server.truncated,
        web_server.broken_first(500, 99),
        web_server.redirect("file:///x"),
    ],
)
def test_what_opens_an_address_is_in_no_error(server, behaviour):
    port = server.server_address[1]
    if behaviour is not None:
        server.behave["/1.png"] = behaviour
    path = "/1.png" if behaviour is not None else "/nowhere.png"
    url = f"http://us3r:pa55word@127.0.0.1:{port}{path}?token=5ec3e7"
    _, _, said = failure(url)
    for secret in ("us3r", "pa55word", "5ec3e7"):
        assert secret not in said
    assert f"http://127.0.0.1:{port}{path}?..." in said
    with pytest.warns() as record:
        loader(on_error="blank").transform([url])
    assert "pa55word" not in str(record[0].message)
    with pytest.raises(Exception, match="single one") as caught:
        loader().transform(url)
    assert "pa55word" not in str(caught.value)
    with pytest.raises(ImageLoadError, match="as bytes") as caught:
        loader().transform([url.encode() if "?" not in url else url.partition("?")[0].encode()])
    assert "pa55word" not in str(caught.value)


def test_a_redirect_to_another_host_takes_no_credentials_with_it(server):
    with web_server.serving() as other:
        other.contents = server.contents
        server.behave["/1.png"] = web_server.redirect(other.url("/2.png"))
        server.behave["/3.png"] = web_server.redirect("/4.png")
        options = {
            **HERE,
            "headers": {"X-Key": "5ec3e7"},
            "client_kwargs": {
                "headers": {"Authorization": "Bearer 5ec3e7"},
                "cookies": {"session": "5ec3e7"},
            },
        }
        images = loader(storage_options=options).transform(
            [server.url("/1.png"), server.url("/3.png")]
        )
        assert greys(images) == [20, 40]
        assert "5ec3e7" not in str(other.headers)
        assert all(str(headers).count("5ec3e7") == 3 for headers in server.headers)
        assert len(server.headers) == 3


def test_a_password_in_the_address_is_used(server):
    url = server.url("/1.png").replace("//", "//user:pw@")
    assert greys(loader().transform([url])) == [10]
    assert server.headers[0]["Authorization"].startswith("Basic ")


def test_options_are_shown_by_their_names_only():
    options = {"s3": {"key": "k3y", "secret": "5ec3e7"}}
    model = make_pipeline(loader(storage_options=options), LogisticRegression())
    copy = clone(model).set_params(imageloader__storage_options={"secret": "5ec3e7"})
    for shown in (model, model[0], copy, clone(copy), [model], {"a": copy}):
        assert "5ec3e7" not in repr(shown)
        assert "storage_options=" in repr(shown)
    assert "5ec3e7" not in model._repr_html_() + copy._repr_html_()
    assert model[0].get_params()["storage_options"] == options
    assert pickle.loads(pickle.dumps(model))[0].storage_options == options
    assert "5ec3e7" not in repr(pickle.loads(pickle.dumps(model)))


def test_options_are_in_no_error_of_another_library():
    class Broken(fsspec.AbstractFileSystem):
        def info(self, path, **kwargs):
            raise RuntimeError(f"no entry with {self.storage_options} at https://a:b5b@h/x?sig=c7c")

    fsspec.register_implementation("brokenstore", Broken, clobber=True)
    options = {"brokenstore": {"secret": "5ec3e7", "nested": {"more": ["d3e4p"]}}}
    _, cause, said = failure("brokenstore://x", storage_options=options)
    assert cause.startswith("cannot be read (RuntimeError: no entry with")
    assert not any(secret in said for secret in ("5ec3e7", "d3e4p", "b5b", "c7c"))


def test_options_must_be_of_one_protocol_or_say_of_which(memory, server):
    urls = [memory[0], server.url("/1.png")]
    with pytest.raises(ImageLoadError, match=r"give the options of each: storage_options=\{'mem"):
        loader(storage_options={"max_paths": 5}).transform(urls)
    options = {"memory": {"max_paths": 5}, **HERE}
    assert greys(loader(storage_options=options).transform(urls)) == [0, 10]
    options = {"memory": {}, "http": {"allow_private_hosts": True}}
    assert greys(loader(storage_options=options).transform(urls)) == [0, 10]
    with pytest.raises(TypeError, match="allow_private_hosts must be True or False"):
        loader(storage_options={"allow_private_hosts": "yes"}).transform(urls)
    with pytest.raises(ValueError, match="storage_options"):
        loader(storage_options="secret").transform(urls)
    for options in (["anon"], [("anon", True)], {1: True}, {"anon": True, None: 1}):
        with pytest.raises(TypeError, match="storage_options must be a mapping from names"):
            Access(options)


# --------------------------------------------------------------------------------------------------
# Caches


@pytest.mark.parametrize("kind", ["cache_dir", "this process"])
def test_a_second_epoch_reads_nothing(server, tmp_path, kind):
    urls = [server.url(f"/{i}.png") for i in range(20)]
    params = {"cache_dir": tmp_path, "lazy": True} if kind == "cache_dir" else {"lazy": False}
    reading = loader(**params)
    first = reading.transform(urls)
    pixels = np.asarray(first)
    n_read = len([line for line in server.asked if line.startswith("GET")])
    assert n_read == 20
    server.asked.clear()
    if kind == "cache_dir":
        assert (np.asarray(first) == pixels).all()
        assert server.asked == []  # not even whether it has changed
    again = reading.transform(urls)
    assert (np.asarray(again) == pixels).all()
    assert sorted(server.asked) == sorted(f"HEAD /{i}.png" for i in range(20))


def test_what_has_changed_is_read_again(server, tmp_path):
    url = server.url("/1.png")
    for reading in (loader(cache_dir=tmp_path), loader()):
        server.contents["/1.png"] = png(10)
        assert greys(reading.transform([url])) == [10]
        server.contents["/1.png"] = png(200)
        assert greys(reading.transform([url])) == [200]
        assert greys(reading.transform([url])) == [200]
        assert server.asked[-1] == "HEAD /1.png"


def test_what_has_no_version_is_not_kept(server, tmp_path):
    server.with_versions = False
    for reading in (loader(cache_dir=tmp_path), loader()):
        for grey in (10, 60):
            server.contents["/1.png"] = png(grey)
            assert greys(reading.transform([server.url("/1.png")])) == [grey]


def test_addresses_that_answer_get_only_are_cached(server, tmp_path):
    server.behave["/1.png"] = web_server.no_head
    reading = loader(cache_dir=tmp_path)
    for _ in range(2):
        assert greys(reading.transform([server.url("/1.png?X-Amz-Signature=1")])) == [10]
    size = reading.cache_size()
    server.asked.clear()
    assert greys(reading.transform([server.url("/1.png?X-Amz-Signature=2")])) == [10]
    assert reading.cache_size() == size
    assert server.asked == ["HEAD /1.png", "GET /1.png"]  # the content of which nobody read


def test_a_date_is_a_version_once_it_has_settled(server):
    for age, kept in ((0, False), (3600, True)):
        server.behave["/1.png"] = web_server.dated(age)
        reading = loader(cache_limit=10**6)
        reading.transform([server.url("/1.png")])
        server.asked.clear()
        assert greys(reading.transform([server.url("/1.png")])) == [10]
        assert ("GET /1.png" in server.asked) != kept


@pytest.mark.parametrize(
    ("headers", "version"),
    [
        ({}, None),
        ({"Content-Length": "5", "ETag": '"a"'}, '5 "a"'),
        ({"ETag": '"a"'}, '- "a"'),
        ({"Content-Length": "5", "ETag": ""}, None),
        ({"Last-Modified": "Thu, 26 Nov 2026 10:00:00 GMT"}, None),
        ({"Last-Modified": "yesterday", "Date": "Thu, 26 Nov 2026 10:00:03 GMT"}, None),
        (
            {
                "Last-Modified": "Thu, 26 Nov 2026 10:00:00 -0000",
                "Date": "Thu, 26 Nov 2026 10:00:03 GMT",
            },
            None,
        ),
        (
            {
                "Last-Modified": "Thu, 26 Nov 2026 10:00:00 GMT",
                "Date": "Thu, 26 Nov 2026 10:00:02 GMT",
            },
            None,
        ),
        (
            {
                "Content-Length": "5",
                "Last-Modified": "Thu, 26 Nov 2026 10:00:00 GMT",
                "Date": "Thu, 26 Nov 2026 10:00:03 GMT",
            },
            "5 Thu, 26 Nov 2026 10:00:00 GMT",
        ),
    ],
)
def test_a_version_is_what_changes_with_the_content(headers, version):
    assert guarded_http._version(headers) == version


def test_a_version_that_came_without_the_content_is_not_that_of_it(server, tmp_path):
    server.behave["/1.png"] = web_server.version_in_head_only
    for reading in (loader(cache_dir=tmp_path), loader()):
        for grey in (10, 60):
            server.contents["/1.png"] = png(grey)
            assert greys(reading.transform([server.url("/1.png")])) == [grey]


def test_objects_that_are_overwritten_in_memory_are_read_again(memory, tmp_path):
    for reading in (loader(cache_dir=tmp_path), loader()):
        assert greys(reading.transform(memory[:2])) == [0, 10]
        fsspec.filesystem("memory").pipe_file("/posters/0.png", png(99))
        assert greys(reading.transform(memory[:2])) == [99, 10]
        fsspec.filesystem("memory").pipe_file("/posters/0.png", png(0))


def test_fingerprints_change_with_what_is_there(server, memory):
    def fingerprint(urls):
        return loader(lazy=True).transform(urls).fingerprint()

    for urls in ([server.url("/1.png"), server.url("/2.png")], memory[:2]):
        assert fingerprint(urls) == fingerprint(urls) != fingerprint(urls[::-1])
    before = fingerprint([server.url("/1.png")])
    server.contents["/1.png"] = png(200)
    assert fingerprint([server.url("/1.png")]) != before
    server.with_versions = False
    before = fingerprint([server.url("/1.png")])
    server.contents["/1.png"] = png(100)
    assert fingerprint([server.url("/1.png")]) != before
    assert fingerprint([server.url("/nowhere.png")])


def test_equal_contents_are_found_and_read_once(server):
    server.contents["/2.png"] = server.contents["/1.png"]
    table = loader().verify([server.url(f"/{i}.png") for i in (1, 2, 3)])
    assert table[["row", "kind"]].to_numpy().tolist() == [[1, "duplicate_content"]]
    assert len(server.asked) == 3


# --------------------------------------------------------------------------------------------------
# In scikit-learn


def flattened(images):
    return np.asarray(images).reshape(len(images), -1) / 255


def test_features_of_images_elsewhere_are_computed_once(server):
    urls = [server.url(f"/{i}.png") for i in range(20)]
    seen = []

    def mean_colour(images):
        seen.append(len(images))
        return images.mean(axis=(1, 2))

    pipeline = make_pipeline(loader(lazy=True), ImageFeatures(mean_colour))
    first = pipeline.transform(urls)
    assert sum(seen) == 1 + 20
    server.asked.clear()
    assert (pipeline.transform(urls) == first).all()
    assert sum(seen) == 1 + 20
    assert not [line for line in server.asked if line.startswith("GET")]


@pytest.mark.parametrize(
    ("backend", "lazy"), [("threading", False), ("threading", True), ("loky", True)]
)
def test_cross_validation_in_threads_and_processes(server, backend, lazy):
    urls = np.array([server.url(f"/{i}.png") for i in range(20)])
    y = np.arange(20) >= 10
    model = make_pipeline(
        loader(lazy=lazy, n_jobs=1), FunctionTransformer(flattened), LogisticRegression(C=100)
    )
    with joblib.parallel_config(backend, n_jobs=2):
        scores = cross_val_score(model, urls, y, cv=2, error_score="raise")
    assert scores.shape == (2,)


def test_lazy_images_are_pickled_without_what_was_found_out(server):
    images = loader(lazy=True).transform([server.url(f"/{i}.png") for i in range(3)])
    images.fingerprint()
    copy = pickle.loads(pickle.dumps(images))
    assert greys(copy) == [0, 10, 20]
    assert copy._sources[0].access.versions.keys() <= {server.url(f"/{i}.png") for i in range(3)}
    assert copy.fingerprint() == images.fingerprint()


def test_a_saved_loader_has_no_options(tmp_path):
    from skposter._estimators.steps import image_loader
    from skposter.persistence._params import describe_params, restore_params

    params = describe_params(loader(storage_options={"secret": "5ec3e7"}), "loader")
    assert "storage_options" not in params
    assert restore_params(ImageLoader, params, "loader").storage_options is None
    with pytest.raises(Exception, match="storage_options"):
        restore_params(ImageLoader, {"storage_options": {"allow_private_hosts": True}}, "loader")
    assert image_loader(make_pipeline(loader())) is not None


def test_nothing_is_left_open(server):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loader().transform([server.url("/1.png")])


# --------------------------------------------------------------------------------------------------
# File systems of fsspec


class Store(asyn.AsyncFileSystem):
    """A store whose objects, and what is wrong with it, a test says."""

    protocol = "teststore"
    contents: dict = {}
    announced: dict = {}
    failures: list = []
    listing: list = []
    asked: list = []

    def fail(self, what):
        self.asked.append(what)
        if self.failures:
            failure = self.failures.pop(0)
            if failure is not None:
                raise failure

    async def _info(self, path, **kwargs):
        self.fail("info")
        if path not in self.contents:
            raise FileNotFoundError(path)
        size = self.announced.get(path, len(self.contents[path]))
        return {"name": path, "type": "file", "size": size, "ETag": str(self.contents[path])}

    async def _cat_file(self, path, start=None, end=None, **kwargs):
        self.fail("cat")
        return self.contents[path][start:end]

    async def _ls(self, path, detail=True, **kwargs):
        self.fail("ls")
        return self.listing


STORE = {"teststore": {"key": "k3y5", "secret": "5ec3e7"}}


@pytest.fixture
def store(monkeypatch):
    fsspec.register_implementation("teststore", Store, clobber=True)
    for name, value in (
        ("contents", {"1.png": png(10), "2.png": png(20)}),
        ("announced", {}),
        ("failures", []),
        ("listing", []),
        ("asked", []),
    ):
        monkeypatch.setattr(Store, name, value)
    return Store


def test_stores_with_requests_of_their_own_are_read_and_kept(store):
    reading = loader(storage_options=STORE)
    urls = ["teststore://1.png", "teststore://2.png"]
    for asked in ({"info": 2, "cat": 2}, {"info": 2}):
        store.asked.clear()
        assert greys(reading.transform(urls)) == [10, 20]
        assert {what: store.asked.count(what) for what in store.asked} == asked
    store.contents["1.png"] = png(200)
    assert greys(reading.transform(urls)) == [200, 20]


def test_what_is_in_memory_is_kept_as_long_as_it_is_the_same(memory, monkeypatch):
    reading, read = loader(), []
    first = reading.transform(memory)
    kind = type(fsspec.filesystem("memory"))
    cat_file = kind.cat_file

    def counted(self, path, *args, **kwargs):
        read.append(path)
        return cat_file(self, path, *args, **kwargs)

    monkeypatch.setattr(kind, "cat_file", counted)
    assert (reading.transform(memory) == first).all()
    assert read == []


@pytest.mark.parametrize("announced", [True, False])
def test_objects_are_bounded_in_bytes_too(store, announced):
    n_bytes = len(store.contents["1.png"])
    if not announced:
        store.announced["1.png"] = None
    params = {"storage_options": STORE}
    images = loader(max_bytes=n_bytes, **params).transform(["teststore://1.png"])
    assert greys(images) == [10]
    kind, cause, _ = failure("teststore://1.png", max_bytes=n_bytes - 1, **params)
    assert kind == "too_large"
    assert cause in (
        f"has {n_bytes} bytes, more than max_bytes={n_bytes - 1}",
        f"has more than max_bytes={n_bytes - 1} bytes",
    )


@pytest.mark.parametrize("change", [1, -1])
def test_objects_of_another_size_than_announced_are_refused(store, change):
    n_bytes = len(store.contents["1.png"])
    store.announced["1.png"] = n_bytes + change
    kind, cause, _ = failure("teststore://1.png", storage_options=STORE)
    assert kind == "truncated"
    given = min(n_bytes, n_bytes + change + 1)
    assert cause == f"gives {given} bytes, and {n_bytes + change} were announced"


@pytest.mark.parametrize(("content", "said"), [(b"", "is empty"), (b"x", "it starts with b'x'")])
def test_small_objects_are_what_they_are(store, content, said):
    store.contents["1.png"] = content
    kind, cause, _ = failure("teststore://1.png", storage_options=STORE)
    assert kind == "not_an_image"
    assert said in cause


@pytest.mark.parametrize(
    ("error", "kind", "said", "n_attempts"),
    [
        (FileNotFoundError("5ec3e7"), "missing", "there is no such object", 1),
        (PermissionError("5ec3e7"), "unreadable", "may not be read (access denied)", 1),
        (NotADirectoryError("5ec3e7"), "not_a_file", "is a folder, not a file", 1),
        (IsADirectoryError("5ec3e7"), "not_a_file", "is a folder, not a file", 1),
        (
            ConnectionResetError("5ec3e7"),
            "unreadable",
            "the connection failed (ConnectionResetError)",
            4,
        ),
        (TimeoutError("5ec3e7"), "unreadable", "the connection failed (TimeoutError)", 4),
        (
            RuntimeError("no k3y5 with 5ec3e7"),
            "unreadable",
            "cannot be read (RuntimeError: no ... with ...)",
            1,
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_a_store_refuses_is_told(store, error, kind, said, n_attempts):
    store.failures += [error] * 99
    found_kind, cause, everything = failure("teststore://1.png", storage_options=STORE)
    assert (found_kind, cause) == (kind, said)
    assert "5ec3e7" not in everything
    store.asked.clear()
    with pytest.raises(RemoteError):
        Access(STORE).read("teststore://1.png", 1000)
    assert store.asked == ["info"] * n_attempts


def test_a_store_is_asked_again_after_a_broken_connection(store):
    store.failures += [ConnectionResetError(), None, TimeoutError()]
    images = loader(storage_options=STORE, cache_limit=0).transform(["teststore://1.png"])
    assert greys(images) == [10]
    assert store.asked == ["info", "info", "cat", "info", "cat"]


def test_a_store_that_does_not_answer_is_an_error(store, monkeypatch):
    async def never(self, path, **kwargs):
        await asyncio.sleep(60)

    monkeypatch.setattr(Store, "_info", never)
    monkeypatch.setattr(remote_loop, "_WHOLE_S", 0.02)
    kind, cause, _ = failure("teststore://1.png", storage_options=STORE)
    assert (kind, cause) == ("unreadable", "the connection failed (TimeoutError)")


def test_folders_are_listed_however_a_store_writes_them(store):
    store.listing = [
        {"name": "films/", "type": "directory"},
        {"name": "films/a/", "type": "directory"},
        {"name": "films/b", "type": "directory"},
        {"name": "films/c.png", "type": "file"},
    ]
    listed = Access(STORE).list_folder("teststore://films")
    assert listed == [("a", True), ("b", True), ("c.png", False)]
    store.listing = [{"name": "films", "type": "file"}]
    with pytest.raises(RemoteError, match="is a file, expected a folder"):
        Access(STORE).list_folder("teststore://films")
    for error in (FileNotFoundError(), NotADirectoryError()):
        store.failures.append(error)
        assert Access(STORE).list_folder("teststore://films") is None
    store.failures.append(RuntimeError("no entry with 5ec3e7"))
    with pytest.raises(RemoteError, match=r"RuntimeError: no entry with \.\.\.\)"):
        Access(STORE).list_folder("teststore://films")


def test_what_an_address_opens_as_says_why_it_does_not(server):
    file = Access(HERE).file(server.url("/1.png"))
    assert file.open().read() == server.contents["/1.png"]
    with pytest.raises(OSError, match="the server answers 404"):
        Access(HERE).file(server.url("/nowhere.png")).open()


# --------------------------------------------------------------------------------------------------
# Without the extra


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://b/a.jpg", r"s3:// addresses need s3fs\. Install it with: pip .*\[remote\]' s3fs$"),
        ("s3a://b/a.jpg", r"s3a:// addresses need s3fs\. Install it with: pip .*\]' s3fs$"),
        ("az://b/a.jpg", r"az:// addresses need adlfs\. Install it with: pip .*\]' adlfs$"),
        (
            "http://h/a.jpg",
            r"http:// addresses need aiohttp\. .* pip install 'skposter\[remote\]'$",
        ),
        ("teststore://a.jpg", r"teststore:// addresses need a package\. Please install teststore$"),
    ],
)
def test_the_package_that_an_address_needs_is_named_before_anything_is_read(
    monkeypatch, store, url, said
):
    def missing(protocol):
        if protocol == url.partition("://")[0]:
            raise ImportError("Please install teststore")

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    for method in ("fit", "transform"):
        with pytest.raises(ImportError, match=said):
            getattr(loader(storage_options={"teststore": {}}), method)([url])
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ImportError, match=r"addresses need fsspec\. Install it with: pip install"):
        Access(None).check(url if "test" not in url else "memory://a.jpg")


def test_a_missing_package_is_named_and_paths_need_none(run_python, tmp_path):
    (tmp_path / "a.png").write_bytes(png(70))
    run_python(
        f"""
        import re, sys
        from pathlib import Path
        from skposter import ImageLoader

        for missing, url, said in (
            ("s3fs", "s3://b/a.jpg", "s3:// addresses need s3fs.*pip install.* s3fs"),
            ("gcsfs", "gs://b/a.jpg", "gs:// addresses need gcsfs.*pip install.* gcsfs"),
            ("aiohttp", "https://h.org/a.jpg", r"https:// addresses need aiohttp.*\\[remote\\]"),
            ("fsspec", "s3://b/a.jpg", r"s3:// addresses need fsspec.*\\[remote\\]"),
        ):
            sys.modules[missing] = None
            for method in ("fit", "transform"):
                try:
                    getattr(ImageLoader(), method)([url])
                except ImportError as error:
                    assert re.search(said, str(error)), error
                else:
                    raise AssertionError(url)
        path = Path({str(tmp_path / "a.png")!r})
        assert ImageLoader().transform([path, path.as_uri()]).shape[0] == 2
        """
    )
