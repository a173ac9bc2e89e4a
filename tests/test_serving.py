"""A model behind a page and an endpoint: right answers, and nothing that a client can break."""

import asyncio
import contextlib
import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.pipeline import make_pipeline

import skposter
from skposter import ImageLoader
from skposter.commands import main

pytest.importorskip("fastapi")
uvicorn = pytest.importorskip("uvicorn")
testclient = pytest.importorskip("starlette.testclient")

from skposter.serving import Limits, create_app, listen  # noqa: E402
from skposter.serving._batching import Batches, Busy  # noqa: E402
from skposter.serving._guard import Buffered, Guard, Refused, read_body  # noqa: E402

HERE = "http://127.0.0.1:8000"
NAMES = ["red", "green", "blå"]


@pytest.fixture(scope="module")
def model(tiny_classifier, colour_images):
    """A pipeline that takes files of any size."""
    labels = pd.DataFrame(colour_images[1], columns=NAMES)
    classifier = tiny_classifier(epochs=4, threshold={"green": 0.3}, min_labels=1)
    loader = ImageLoader(size=(16, 16), max_pixels=1_000_000)
    return make_pipeline(loader, classifier).fit(colour_images[0], labels)


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("serving") / "model.onnx"
    try:
        skposter.export(model, path)
        return skposter.load_onnx(path), path
    except ImportError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def client(model):
    with testclient.TestClient(create_app(model), base_url=HERE) as client:
        yield client


def picture(seed=0, kind="PNG", size=(40, 30)):
    """Return an encoded image."""
    rng = np.random.default_rng(seed)
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, size=(*size, 3), dtype=np.uint8)).save(file, format=kind)
    return file.getvalue()


def bomb(width=9_000, height=9_000):
    """Return a PNG of 81 million black pixels in a few bytes of header."""

    def chunk(kind, content):
        check = zlib.crc32(kind + content)
        return len(content).to_bytes(4, "big") + kind + content + check.to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\x00\x00\x00"
    rows = chunk(b"IDAT", zlib.compress(bytes(1_000_000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + rows + chunk(b"IEND", b"")


HOSTILE = {
    "a page": (b"<!doctype html><script>alert(1)</script>", "looks like a web page"),
    "nothing": (b"", r"is empty \(0 bytes\)"),
    "a bomb": (bomb(), "81,000,000 pixels, more than max_pixels=1,000,000"),
    "a half": (picture(size=(300, 300))[:5000], "is truncated"),
    "noise": (b"\xff\xd8\xff" + bytes(range(256)) * 20, "damaged JPEG"),
    "a path": (b"/etc/passwd.png", "a path as bytes"),
    "a program": (b"%!PS-Adobe-3.0 EPSF\n(r) file", "looks like PostScript"),
}


def check_answer(answer, model, content, atol=1e-6):
    """The answer is what the pipeline says of an image."""
    assert answer.status_code == 200, answer.text
    said = answer.json()
    expected = model.predict_proba([content])[0]
    thresholds = dict(zip(NAMES, model[-1].thresholds_, strict=True))
    found = {score["label"]: score for score in said["scores"]}
    np.testing.assert_allclose([found[n]["probability"] for n in NAMES], expected, atol=atol)
    assert {name: score["threshold"] for name, score in found.items()} == thresholds
    decided = model.predict([content])[0]
    assert [int(found[name]["predicted"]) for name in NAMES] == decided.tolist()
    probabilities = [score["probability"] for score in said["scores"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert said["labels"] == [s["label"] for s in said["scores"] if s["predicted"]]


# --- answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"])
def test_the_answer_is_that_of_the_pipeline(kind, client, model):
    content = picture(3, kind)
    check_answer(client.post("/predict", content=content), model, content)


def test_an_exported_model_answers_the_same(exported, model):
    with testclient.TestClient(create_app(exported[0]), base_url=HERE) as client:
        for seed in range(4):
            content = picture(seed, size=(33, 21))
            check_answer(client.post("/predict", content=content), model, content, atol=1e-5)
        about = client.get("/model").json()
        assert about["runtime"] == "onnxruntime"
        assert about["heat_maps"] is False
        refused = client.post("/explain?label=red", content=picture())
        assert refused.status_code == 404
        assert "no heat maps with onnxruntime" in refused.json()["detail"]


def test_many_at_a_time_get_their_own_answers(client, model):
    contents = [picture(seed, "JPEG", (20 + seed, 30)) for seed in range(24)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda each: client.post("/predict", content=each), contents))
    for content, answer in zip(contents, answers, strict=True):
        check_answer(answer, model, content, atol=1e-5)


def test_a_heat_map_is_a_picture_of_the_image(client):
    answer = client.post("/explain", params={"label": "blå"}, content=picture(size=(80, 40)))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    heat = Image.open(io.BytesIO(answer.content))
    assert heat.height == 2 * heat.width
    unknown = client.post("/explain", params={"label": "gren"}, content=picture())
    assert unknown.status_code == 404
    assert unknown.json()["detail"] == "There is no label 'gren'. Did you mean 'green'?"
    assert client.post("/explain", content=picture()).status_code == 422
    bad = client.post("/explain", params={"label": "red"}, content=b"no")
    assert bad.status_code == 422
    assert "is not one of" in bad.json()["detail"]


def test_what_is_served_is_told(client, model):
    assert client.get("/health").json() == {"status": "ok"}
    about = client.get("/model").json()
    assert about["labels"] == NAMES
    assert about["thresholds"] == model[-1].thresholds_.tolist()
    assert about["image_shape"] == [16, 16, 3]
    assert (about["runtime"], about["heat_maps"]) == ("TensorFlow", True)


def test_the_description_has_what_there_is(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == {"/predict", "/explain", "/model", "/health"}
    body = paths["/predict"]["post"]["requestBody"]["content"]
    assert body == {"image/*": {"schema": {"type": "string", "format": "binary"}}}
    assert {"200", "408", "413", "415", "422", "503"} <= set(paths["/predict"]["post"]["responses"])
    assert client.get("/docs").status_code == 404  # it would load scripts from elsewhere
    assert client.get("/redoc").status_code == 404


def test_a_model_that_does_not_load_files_is_refused(fitted_classifier):
    with pytest.raises(ValueError, match="Serve a pipeline that begins with one"):
        create_app(fitted_classifier)


def test_a_loader_that_makes_bad_images_grey_refuses_them_here(tiny_classifier, colour_images):
    loader = ImageLoader(size=(16, 16), on_error="blank")
    model = make_pipeline(loader, tiny_classifier(epochs=1)).fit(*colour_images)
    with testclient.TestClient(create_app(model), base_url=HERE) as client:
        assert client.post("/predict", content=b"no").status_code == 422
    assert model[0] is loader
    assert loader.on_error == "blank"


def test_images_that_cannot_be_shown_have_no_heat_map(tiny_classifier, colour_images):
    loader = ImageLoader(size=(16, 16), formats=("PPM",))
    model = make_pipeline(loader, tiny_classifier(epochs=1)).fit(*colour_images)
    with testclient.TestClient(create_app(model), base_url=HERE) as client:
        assert client.post("/predict", content=picture(0, "PPM")).status_code == 200
        answer = client.post("/explain", params={"label": "1"}, content=picture(0, "PPM"))
        assert answer.status_code == 422
        assert "is not one of JPEG" in answer.json()["detail"]


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_uploads_are_refused_in_words(what, client, model):
    content, message = HOSTILE[what]
    for path in ("/predict", "/explain?label=red"):
        answer = client.post(path, content=content)
        assert answer.status_code == 422
        assert re.search(message, answer.json()["detail"])
    check_answer(client.post("/predict", content=picture()), model, picture())


def test_uploads_have_a_size(model, exported):
    app = create_app(exported[0], limits=Limits(max_bytes=10_000))
    with testclient.TestClient(app, base_url=HERE) as client:
        for content, status, message in (
            (bytes(10_001), 413, "more than 10,000 bytes"),
            (iter([bytes(10)] * 2), 411, "Say how long the upload is"),
        ):
            answer = client.post("/predict", content=content)
            assert answer.status_code == status
            assert answer.headers["connection"] == "close"
            assert message in answer.json()["detail"]
        check_answer(client.post("/predict", content=picture()), model, picture(), atol=1e-5)


def test_forms_are_told_how_it_is_done(client):
    answer = client.post("/predict", files={"../../etc/passwd": picture()})
    assert answer.status_code == 415
    assert "curl --data-binary" in answer.json()["detail"]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""]
)
def test_other_names_of_the_host_are_refused(host, client):
    answer = client.get("/health", headers={"host": host})
    assert answer.status_code == 400
    assert "--allow-host" in answer.json()["detail"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "[::1]:8000", "127.0.0.1"])
def test_names_of_this_machine_are_answered(host, client):
    assert client.get("/health", headers={"host": host}).status_code == 200


def test_other_names_can_be_allowed(exported):
    app = create_app(exported[0], allowed_hosts=["posters.example"])
    with testclient.TestClient(app, base_url="http://posters.example") as client:
        assert client.get("/health").status_code == 200
        assert client.get("/health", headers={"host": "a.posters.example"}).status_code == 400


def test_requests_of_other_pages_are_refused(client):
    for origin in ("https://evil.example", "null", "http://127.0.0.1:9000"):
        answer = client.post("/predict", content=picture(), headers={"origin": origin})
        assert answer.status_code == 403
    answer = client.post("/predict", content=picture(), headers={"origin": HERE})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_all_answers_have_the_headers_of_safety(client):
    answers = [
        client.get("/"),
        client.get("/nothing"),
        client.post("/predict", content=b"no"),
        client.get("/health", headers={"host": "evil.example"}),
    ]
    assert [answer.status_code for answer in answers] == [200, 404, 422, 400]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; ")


def test_the_page_needs_nothing_from_elsewhere(client):
    text = client.get("/").text
    for path in ("/page.css", "/page.js"):
        assert path in text
        text += client.get(path).text
    assert "http://" not in text
    assert "https://" not in text
    assert "innerHTML" not in text
    assert "@import" not in text


# --- limits, piece by piece -----------------------------------------------------------------------


class Upload:
    """A request whose body comes in pieces; None is waited for in vain."""

    def __init__(self, *pieces):
        self.headers = {"content-length": "10"}
        self.pieces = pieces

    async def stream(self):
        for piece in self.pieces:
            if piece is None:
                await asyncio.sleep(60)
            yield piece


def read(upload, limits, buffered):
    return asyncio.run(read_body(upload, limits, buffered))


def test_an_upload_that_does_not_arrive_is_given_up():
    buffered = Buffered(1000)
    with pytest.raises(Refused, match=r"did not arrive within 0\.05 seconds") as refused:
        read(Upload(b"abc", None), Limits(timeout=0.05), buffered)
    assert refused.value.status == 408
    assert buffered.left == 1000


def test_memory_for_uploads_is_bounded_over_all_of_them():
    buffered = Buffered(10)
    assert read(Upload(b"abc", b"defg"), Limits(), buffered) == b"abcdefg"
    assert buffered.left == 3
    with pytest.raises(Refused, match="Too many uploads") as refused:
        read(Upload(b"ab", b"cd"), Limits(), buffered)
    assert refused.value.status == 503
    assert buffered.left == 3, "what was read before the refusal is given back"


def test_more_requests_than_are_worked_on_are_told_to_come_again():
    async def scenario():
        free, statuses = asyncio.Event(), []

        async def app(scope, receive, send):
            await free.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})

        async def send(message):
            if message["type"] == "http.response.start":
                statuses.append((message["status"], dict(message["headers"])))

        guard = Guard(app, ["localhost"], Limits(max_requests=2))
        scope = {"type": "http", "method": "POST", "headers": [(b"host", b"localhost")]}
        tasks = [asyncio.create_task(guard(scope, None, send)) for _ in range(4)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        refused = [status for status, _ in statuses]
        free.set()
        await asyncio.gather(*tasks)
        await guard(scope, None, send)
        return refused, [status for status, _ in statuses], statuses[0][1]

    refused, all_of_them, headers = asyncio.run(scenario())
    assert refused == [503, 503]
    assert headers[b"retry-after"] == b"1"
    assert all_of_them[2:] == [200, 200, 200]


def test_what_waits_while_the_model_works_is_its_next_batch():
    sizes, begun, go_on = [], threading.Event(), threading.Event()

    def predict(batch):
        sizes.append(len(batch))
        begun.set()
        go_on.wait(30)
        return batch * 2, batch + 1

    async def scenario():
        batches = Batches(predict, max_batch=4, max_waiting=7)
        first = asyncio.create_task(batches.predict(np.array([0])))
        await asyncio.to_thread(begun.wait, 30)
        others = [asyncio.create_task(batches.predict(np.array([i]))) for i in range(1, 8)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await batches.predict(np.array([9]))
        others[2].cancel()
        await asyncio.sleep(0)
        go_on.set()
        answers = await asyncio.gather(first, *others, return_exceptions=True)
        batches.close()
        return answers

    answers = asyncio.run(scenario())
    assert sizes == [1, 4, 2], "and the one that was given up is not predicted"
    for i, answer in enumerate(answers):
        if i == 3:
            assert isinstance(answer, asyncio.CancelledError)
        else:
            assert [int(part[0]) for part in answer] == [2 * i, i + 1]


def test_the_fault_of_one_image_is_not_that_of_others():
    def predict(batch):
        if (batch == 3).any():
            raise FloatingPointError("three")
        return (batch,)

    async def scenario():
        batches = Batches(predict)
        asked = [batches.predict(np.array([i])) for i in range(6)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        batches.close()
        return answers

    answers = asyncio.run(scenario())
    assert isinstance(answers.pop(3), FloatingPointError)
    assert [int(answer[0][0]) for answer in answers] == [0, 1, 2, 4, 5]


# --- a real server --------------------------------------------------------------------------------


@contextlib.contextmanager
def running(*arguments):
    """Start the command at a free port; give the process and the port."""
    command = [sys.executable, "-m", "skposter", "serve", *map(str, arguments), "--port", "0"]
    paths = [str(Path(skposter.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )
    try:
        line = process.stdout.readline()
        assert " at http://127.0.0.1:" in line, process.stderr.read()
        yield process, int(line.split("127.0.0.1:")[1].split()[0])
    finally:
        process.kill()
        process.communicate()


def post(port, content, path="/predict"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request("POST", path, content)
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.fixture(scope="module")
def server(exported):
    with running(exported[1], "--timeout", "1", "--max-bytes", "200000") as (process, port):
        yield process, port


def until_closed(connection):
    """Return what the other side sends before it closes the connection."""
    connection.settimeout(60)
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while data := connection.recv(65536):
            received += data
    return received


def test_a_server_outlives_its_clients(server, model):
    process, port = server

    def opened_with(data):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(data)
        return connection

    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n"
    silent = [opened_with(b"") for _ in range(50)]
    half_a_head = opened_with(b"GET /health HTT")
    half_a_body = opened_with(head + bytes(100))
    gone = opened_with(head + bytes(100))
    gone.close()
    garbage = opened_with(b"\x16\x03\x01garbage\r\n\r\n")
    second_head = opened_with(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert second_head.recv(65536).startswith(b"HTTP/1.1 200")
    second_head.sendall(b"GET ")

    status, said = post(port, picture())
    assert status == 200
    assert json.loads(said)["labels"] == json.loads(post(port, picture())[1])["labels"]
    assert post(port, bytes(3_000_000))[0] == 413, "read to its end, so that the answer arrives"
    assert b"400 Bad Request" in until_closed(garbage)
    assert until_closed(half_a_head) == b""
    assert b" 408 " in until_closed(half_a_body)
    until_closed(second_head)
    for connection in silent:
        assert until_closed(connection) == b""
    assert post(port, picture())[0] == 200
    assert process.poll() is None
    for connection in (*silent, half_a_head, half_a_body, garbage, second_head):
        connection.close()


def test_a_connection_takes_several_requests(server):
    connection = http.client.HTTPConnection("127.0.0.1", server[1], timeout=60)
    with contextlib.closing(connection):
        for content, status in ((picture(), 200), (b"no", 422), (picture(1), 200)):
            connection.request("POST", "/predict", content)
            answer = connection.getresponse()
            assert answer.status == status
            answer.read()
            assert answer.headers["connection"] is None


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_what_has_begun_is_answered_before_the_server_ends(how, exported):
    content = picture()
    with running(exported[1]) as (process, port):
        connection = socket.create_connection(("127.0.0.1", port))
        head = (
            f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        connection.sendall(head.encode() + content[:-10])
        assert post(port, content)[0] == 200  # so the other one has begun
        process.send_signal(how)
        while True:  # until it listens no more
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                time.sleep(0.05)
            except OSError:
                break
        connection.sendall(content[-10:])
        assert b"HTTP/1.1 200 OK" in until_closed(connection)
        connection.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == ""


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_second_ctrl_c_ends_the_server_at_once_and_quietly(exported):
    with running(exported[1]) as (process, port):
        unfinished = socket.create_connection(("127.0.0.1", port))
        unfinished.sendall(
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
        )
        assert post(port, picture())[0] == 200  # so the other one has begun
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert process.stderr.read() == ""
        unfinished.close()


# --- the command ----------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_told_before_the_model_is_loaded(tmp_path, capsys):
    with contextlib.closing(listen("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", str(tmp_path / "missing.onnx"), "--port", str(port)]) == 2
    assert f"cannot listen at 127.0.0.1 port {port}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.onnx", "--port", "0"], "there is no model file 'missing.onnx'"),
        (["missing.onnx", "--port", "70000"], "expected a port from 0 to 65535, got '70000'"),
        (["missing.onnx", "--host", "no such host", "--port", "0"], "there is no address"),
        (["missing.onnx", "--timeout", "0"], "--timeout"),
    ],
)
def test_arguments_that_are_not_right_are_one_line(arguments, message, capsys):
    assert main(["serve", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_model_without_a_loader_is_one_line(fitted_classifier, tmp_path, capsys):
    skposter.save(fitted_classifier, tmp_path / "model.skposter")
    assert main(["serve", str(tmp_path / "model.skposter"), "--port", "0"]) == 2
    assert "has no ImageLoader" in capsys.readouterr().err


def test_a_missing_extra_is_one_line(monkeypatch, capsys):
    for name in [name for name in sys.modules if name.startswith("skposter.serving")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert main(["serve", "model.onnx"]) == 2
    assert "pip install 'skposter[serve]'" in capsys.readouterr().err


# --- in a browser ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(model):
    """The address of the page, served from a thread."""
    listening = listen("127.0.0.1", 0)
    app = create_app(model, limits=Limits(max_bytes=100_000))
    config = uvicorn.Config(app, log_level="error", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    server.should_exit = True
    thread.join()
    listening.close()


def opened_page(opened, site, **options):
    shown = opened(site, **options)
    shown.page.wait_for_selector("html[data-ready]")
    return shown


def upload(page, *files):
    """Choose (name, content) files and wait until all are answered."""
    payload = [
        {"name": name, "mimeType": "application/octet-stream", "buffer": content}
        for name, content in files
    ]
    page.set_input_files("#files", payload)
    page.locator("#count", has_text=re.compile(r"^\d+ images?$")).wait_for()


def test_images_get_their_labels_on_the_page(opened, site, model):
    shown = opened_page(opened, site)
    page = shown.page
    contents = [(f"{i}.png", picture(i)) for i in range(6)]
    upload(page, *contents)
    assert page.inner_text("#count") == "6 images"
    for name, content in contents:
        card = page.locator(".card", has=page.locator(".name", has_text=name))
        probabilities = model.predict_proba([content])[0]
        order = np.argsort(-probabilities, kind="stable")
        decided = model.predict([content])[0]
        expected = ", ".join(NAMES[j] for j in order if decided[j])
        assert card.locator(".outcome").first.inner_text() == expected
        assert card.locator(".what").all_inner_texts() == [NAMES[j] for j in order]
        figures = [text.split(" %")[0] for text in card.locator(".figure").all_inner_texts()]
        assert figures == [f"{100 * probabilities[j]:.1f}" for j in order]
        assert card.locator("img").evaluate("each => each.decode().then(() => each.naturalWidth)")
    page.click("#clear")
    assert page.locator(".card").count() == 0
    assert shown.complaints == []


def test_hostile_files_are_told_on_the_page_and_change_nothing(opened, site):
    shown = opened_page(opened, site)
    page = shown.page
    name = "../../<img src=x onerror=console.error(1)>.png"
    files = {
        name: (picture(), None),
        "page.png": (HOSTILE["a page"][0], "looks like a web page"),
        "bomb.png": (HOSTILE["a bomb"][0], "81,000,000 pixels"),
        "half.jpg": (HOSTILE["a half"][0], "is truncated"),
        "huge.png": (bytes(3_000_000), "The file has 3 MB; 0.1 MB are the most here."),
        "empty.png": (b"", "is empty"),
    }
    upload(page, *[(each, content) for each, (content, _) in files.items()])
    assert page.inner_text("#count") == "6 images"
    for each, (_, message) in files.items():
        card = page.locator(".card").filter(has=page.get_by_text(each, exact=True))
        if message:
            assert message in card.locator(".outcome.wrong").first.inner_text()
        else:
            assert card.locator(".score").count() == 3
    # What a browser itself says of requests that were refused, and of blobs that are no images.
    said = [text for text in shown.complaints if not text.startswith("Failed to load resource")]
    assert said == []
    assert all(url.startswith((site, "data:", "blob:" + site)) for url in shown.requests)


def test_heat_maps_take_the_place_of_the_image(opened, site):
    shown = opened_page(opened, site)
    page = shown.page
    upload(page, ("a.png", picture(size=(60, 40))))
    before = page.get_attribute(".picture img", "src")
    button = page.locator("button.score").nth(1)
    label = button.locator(".what").inner_text()
    button.press("Enter")
    heat = page.locator(".picture.heated img")
    heat.wait_for()
    assert heat.get_attribute("alt") == f"Where the model looks for {label}"
    assert heat.evaluate("each => each.decode().then(() => each.naturalWidth)") > 0
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert page.get_attribute(".picture img", "src") == before
    assert shown.complaints == []


@pytest.mark.parametrize(
    "options",
    [
        {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
        {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
        {"viewport": {"width": 390, "height": 800}, "color_scheme": "light"},
    ],
    ids=["wide", "dark", "narrow"],
)
def test_the_page_is_quiet_and_accessible(options, opened, site):
    shown = opened_page(opened, site, **options)
    assert shown.serious_violations() == []
    upload(shown.page, ("a.png", picture()), ("b.png", picture(1)))
    assert shown.serious_violations() == []
    width = shown.page.evaluate("document.documentElement.scrollWidth")
    assert width <= options["viewport"]["width"], "the page itself does not scroll sideways"
    assert shown.complaints == []
    assert all(url.startswith((site, "data:", "blob:" + site)) for url in shown.requests)
