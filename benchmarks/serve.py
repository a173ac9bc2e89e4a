"""`skposter serve` under 32 clients, one in ten uploads hostile: TensorFlow and ONNX in turns.

Each server runs in a process of its own on 127.0.0.1; the clients are threads here, which keep
their connections and ask again as soon as they have an answer. Every answer is compared with what
the pipeline says of the image, and every refusal with the status that is due.

    python benchmarks/serve.py [--seconds 60] [--clients 32] [--out docs/benchmarks/serve.md]
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zlib

import _report
import numpy as np

MAX_BYTES = 2_000_000
TURNS = 2
TOLERANCE = 1e-4


def train(folder):
    """Write a model in both forms; return images and the answers that are due."""
    from sklearn.pipeline import make_pipeline

    import skposter
    from skposter.datasets import make_posters

    data = make_posters(64, out_dir=os.path.join(folder, "posters"), n_labels=10)
    model = make_pipeline(
        skposter.ImageLoader(size=(128, 96)),
        skposter.MultiLabelImageClassifier(epochs=1, threshold=0.2, random_state=0),
    ).fit(data.paths, data.y)
    skposter.save(model, os.path.join(folder, "model.skposter"))
    skposter.export(model, os.path.join(folder, "model.onnx"))
    names, probabilities = list(data.y.columns), model.predict_proba(data.paths)
    images = []
    for path in data.paths:
        with open(path, "rb") as file:
            images.append(file.read())
    return images, [dict(zip(names, row, strict=True)) for row in probabilities.tolist()]


def hostile(image):
    """Return (what, body, status that is due) of uploads that are no good image."""
    from PIL import Image

    def chunk(kind, content):
        check = zlib.crc32(kind + content).to_bytes(4, "big")
        return len(content).to_bytes(4, "big") + kind + content + check

    sides = (12_000).to_bytes(4, "big") * 2
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", sides + b"\x08\x02\x00\x00\x00")
    bomb += chunk(b"IDAT", zlib.compress(bytes(10_000_000))) + chunk(b"IEND", b"")
    large = io.BytesIO()
    Image.new("RGB", (4900, 4900)).save(large, "PNG")  # the most that is decoded, from 70 kB
    return [
        ("a page", b"<!doctype html><script>alert(1)</script>", 422),
        ("nothing", b"", 422),
        ("a decompression bomb", bomb, 422),
        ("half an image", image[: len(image) // 2], 422),
        ("noise", random.Random(0).randbytes(50_000), 422),
        ("PostScript", b"%!PS-Adobe-3.0 EPSF\n(/etc/passwd) (r) file", 422),
        ("more than is accepted", bytes(3 * MAX_BYTES), 413),
        ("24 million black pixels", large.getvalue(), 200),
    ]


class Server:
    """``skposter serve`` in a process of its own."""

    def __init__(self, path):
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        before = time.perf_counter()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "skposter", "serve", path),
                *("--port", "0", "--max-bytes", str(MAX_BYTES)),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": root},
        )
        self.port = int(self.process.stdout.readline().split("127.0.0.1:")[1].split()[0])
        self.started_in = time.perf_counter() - before
        self.taken: list = []
        self.memory: list = []
        self.statuses: dict = {}
        self.n_wrong = 0
        self.seconds = 0.0
        self.used = 0.0

    def rss(self):
        """Return the MB that the process has in memory."""
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def processor_seconds(self):
        """Return what the process has used of the processor."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        """End it; return its exit status."""
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(60)
        self.process.kill()
        return self.process.wait()


def right(answer, due):
    """Tell whether an answer is what the pipeline says."""
    scores = {each["label"]: each["probability"] for each in answer["scores"]}
    near = all(abs(scores[name] - value) < TOLERANCE for name, value in due.items())
    doubtful = {name for name, value in due.items() if abs(value - 0.2) < TOLERANCE}
    predicted = {name for name, value in due.items() if value >= 0.2}
    return near and set(answer["labels"]) - doubtful == predicted - doubtful


def client(server, seed, until, images, due, bad, counted):
    """Ask until the time is over."""
    rng = random.Random(seed)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    while time.perf_counter() < until:
        is_bad = rng.random() < 0.1
        i = rng.randrange(len(images))
        body, status = rng.choice(bad)[1:] if is_bad else (images[i], 200)
        start = time.perf_counter()
        try:
            connection.request("POST", "/predict", body)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            counted(type(error).__name__, None, wrong=True)
            connection.close()
            continue
        taken = time.perf_counter() - start
        wrong = answer.status not in (status, 503)  # which says to come again
        if answer.status == 200 and not is_bad:
            wrong = not right(json.loads(content), due[i])
        counted(answer.status, None if is_bad or answer.status != 200 else taken, wrong)
    connection.close()


def turn(server, seconds, n_clients, seed, images, due, bad):
    """Let the clients ask for so many seconds."""
    lock = threading.Lock()

    def counted(status, taken, wrong):
        with lock:
            server.statuses[status] = server.statuses.get(status, 0) + 1
            server.n_wrong += wrong
            if taken is not None:
                server.taken.append(taken)

    start, used = time.perf_counter(), server.processor_seconds()
    until = start + seconds
    clients = [
        threading.Thread(
            target=client, args=(server, 1000 * seed + k, until, images, due, bad, counted)
        )
        for k in range(n_clients)
    ]
    for each in clients:
        each.start()
    while time.perf_counter() < until:
        time.sleep(0.5)
        server.memory.append(server.rss())
    for each in clients:
        each.join()
    server.seconds += time.perf_counter() - start
    server.used += server.processor_seconds() - used


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60, help="in which each server is asked")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--out")
    options = parser.parse_args()

    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        images, due = train(folder)
        bad = hostile(images[0])
        servers = {
            "TensorFlow": Server(os.path.join(folder, "model.skposter")),
            "ONNX": Server(os.path.join(folder, "model.onnx")),
        }
        try:
            for seed in range(TURNS):
                for server in servers.values():
                    turn(server, options.seconds / TURNS, options.clients, seed, images, due, bad)
        finally:
            ended = {name: server.stop() for name, server in servers.items()}

    rows = []
    for name, server in servers.items():
        n = sum(server.statuses.values())
        settled = server.memory[len(server.memory) // 4 :]
        quarter = max(1, len(settled) // 4)
        rows.append(
            (
                name,
                f"{server.started_in:.1f}",
                f"{n:,}",
                f"{n / server.seconds:.0f}",
                f"{1000 * statistics.median(server.taken):.0f}",
                f"{1000 * np.quantile(server.taken, 0.99):.0f}",
                f"{1000 * server.used / n:.1f}",
                server.n_wrong,
                server.statuses.get(503, 0),
                server.statuses.get(422, 0) + server.statuses.get(413, 0),
                ended[name],
                f"{np.median(settled[:quarter]):.0f} to {np.median(settled[-quarter:]):.0f}",
                f"{max(server.memory):.0f}",
            )
        )
        print(name, server.statuses)
    kinds = ", ".join(what for what, _, _ in bad)
    _report.write(
        options.out,
        "# A server and its clients",
        f"`skposter serve` with {options.clients} clients that ask without a pause, for "
        f"{options.seconds:.0f} seconds each in {TURNS} turns. One upload in ten is hostile: "
        f"{kinds}. The others are posters of 300 x 450 for a network of 128 x 96, and each answer "
        "is compared with the pipeline's. Clients and server share the processor. Wrong is what "
        "differs from the pipeline, has another status than is due (503, come again, apart), or is "
        "no answer. "
        f"The load average of the machine was {before:.1f} before and {os.getloadavg()[0]:.1f} "
        "after. Memory is the median of the second quarter of the time and of the last.",
        _report.table(
            (
                "server",
                "start, s",
                "requests",
                "requests/s",
                "p50, ms",
                "p99, ms",
                "processor, ms a request",
                "wrong",
                "come again",
                "refused",
                "exit",
                "memory, MB",
                "most, MB",
            ),
            rows,
        ),
    )


if __name__ == "__main__":
    main()
