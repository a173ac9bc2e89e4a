"""Plain paths before and after addresses could be read; addresses one at a time, at once, cached.

Plain paths: this tree beside another one (``--before``, a checkout of an older commit), each in a
process of its own that lives through all repeats, in turns; medians. Addresses: a web server on
this machine that waits 20 ms before each answer.

    git worktree add /tmp/before COMMIT
    python benchmarks/remote_images.py --before /tmp/before
"""

from __future__ import annotations

import argparse
import http.server
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np
from _report import table, write

HERE = {"allow_private_hosts": True}
SIZE = (112, 80)
LOADER = """
import sys, time
from skposter import ImageLoader
paths = open(sys.argv[1]).read().splitlines()
loaders = {
    "decoded": ImageLoader(size=(112, 80), n_jobs=2, cache_limit=0),
    "from a warm cache": ImageLoader(size=(112, 80), n_jobs=2, cache_dir=sys.argv[2]),
}
for loader in loaders.values():
    loader.transform(paths)
for line in sys.stdin:
    begin = time.perf_counter(), time.process_time()
    loaders[line.strip()].transform(paths)
    print(time.perf_counter() - begin[0], time.process_time() - begin[1], flush=True)
"""


class Server(http.server.ThreadingHTTPServer):
    """Files of a folder with an ETag, each answer after a while."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, folder, delay):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {f"/{path.name}": path.read_bytes() for path in folder.glob("*.jpg")}
        self.delay = delay
        self.asked = {"GET": 0, "HEAD": 0}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        time.sleep(self.server.delay)
        self.server.asked[self.command] += 1
        content = self.server.files[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hash(content):x}"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *args):
        pass


def plain_paths(paths, before, repeats, folder):
    """Return (seconds, seconds of processors) by (tree, what), medians of turns."""
    names = Path(folder, "paths.txt")
    names.write_text("\n".join(paths))
    trees = {"before": before, "after": Path(__file__).parents[1]}
    processes = {
        name: subprocess.Popen(
            [sys.executable, "-c", LOADER, names, Path(folder, f"cache-{name}")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree)},
        )
        for name, tree in trees.items()
    }
    seconds = {}
    for repeat in range(repeats):
        for what in ("decoded", "from a warm cache"):
            order = list(processes.items())[:: 1 if repeat % 2 else -1]
            for name, process in order:
                process.stdin.write(what + "\n")
                process.stdin.flush()
                taken = tuple(map(float, process.stdout.readline().split()))
                seconds.setdefault((name, what), []).append(taken)
    for process in processes.values():
        process.stdin.close()
        process.wait()
    return {
        key: [statistics.median(column) for column in zip(*values, strict=True)]
        for key, values in seconds.items()
    }


def one_at_a_time(urls):
    """What a loop of one's own does: the next request when the image before is decoded."""
    from skposter import ImageLoader

    loader = ImageLoader(size=SIZE, n_jobs=1, cache_limit=0)
    for url in urls:
        with urllib.request.urlopen(url) as answer:
            loader.transform([answer.read()])


def threads_of_requests(urls, n_threads):
    """The same in threads, with one connection a request, as `requests.get` has."""
    from concurrent.futures import ThreadPoolExecutor

    from skposter import ImageLoader

    def read(url):
        with urllib.request.urlopen(url) as answer:
            return answer.read()

    with ThreadPoolExecutor(n_threads) as pool:
        contents = list(pool.map(read, urls))
    ImageLoader(size=SIZE, n_jobs=2, cache_limit=0).transform(contents)


def addresses(server, urls, repeats, folder):
    """Return (what, seconds, GETs, HEADs) of ways to load the same addresses."""
    from skposter import ImageLoader

    def at_once():
        ImageLoader(size=SIZE, n_jobs=2, cache_limit=0, storage_options=HERE).transform(urls)

    cached = ImageLoader(
        size=SIZE, n_jobs=2, cache_dir=Path(folder, "cache"), storage_options=HERE, lazy=True
    )
    lazy = cached.transform(urls)
    np.asarray(lazy)
    ways = {
        "one after the other (urllib and decode)": lambda: one_at_a_time(urls),
        "32 threads of urllib, then decode": lambda: threads_of_requests(urls, 32),
        "**`ImageLoader`, many at once**": at_once,
        "`ImageLoader`, `cache_dir`, another run": lambda: np.asarray(cached.transform(urls)),
        "`ImageLoader`, `cache_dir`, second epoch": lambda: np.asarray(lazy),
    }
    seconds, asked = {}, {}
    for _ in range(repeats):
        for name, way in ways.items():
            server.asked = {"GET": 0, "HEAD": 0}
            begin = time.perf_counter()
            way()
            seconds.setdefault(name, []).append(time.perf_counter() - begin)
            asked[name] = server.asked
    return [
        (name, statistics.median(values), *asked[name].values()) for name, values in seconds.items()
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--n", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--delay", type=float, default=0.02)
    parser.add_argument("--output", type=Path, default="docs/benchmarks/remote_images.md")
    args = parser.parse_args()
    from skposter.datasets import make_posters

    with tempfile.TemporaryDirectory() as folder:
        make_posters(args.n, out_dir=folder, size=(450, 300))
        images = Path(folder, "Images")
        paths = [str(path) for path in sorted(images.glob("*.jpg"))]
        load = os.getloadavg()[0]
        plain = plain_paths(paths, args.before, args.repeats, folder)
        server = Server(images, args.delay)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        urls = [
            f"http://127.0.0.1:{server.server_address[1]}/{os.path.basename(path)}"
            for path in paths
        ]
        found = addresses(server, urls, min(args.repeats, 3), folder)
        server.shutdown()
        server.server_close()
    first = found[0][1]
    write(
        args.output,
        "# Images from addresses",
        f"{len(paths)} JPEGs of 300x450 pixels brought to 112x80, two threads, load {load:.0f} "
        f"before. Plain paths: medians of {args.repeats} runs in turns, before and after addresses "
        "could be read.",
        table(
            [
                "plain paths",
                "before, images/s",
                "after, images/s",
                "time, after / before",
                "processor time, after / before",
            ],
            [
                (
                    what,
                    f"{len(paths) / plain['before', what][0]:,.0f}",
                    f"{len(paths) / plain['after', what][0]:,.0f}",
                    f"{plain['after', what][0] / plain['before', what][0]:.2f}",
                    f"{plain['after', what][1] / plain['before', what][1]:.2f}",
                )
                for what in ("decoded", "from a warm cache")
            ],
        ),
        f"Addresses: a web server on the same machine, {1000 * args.delay:.0f} ms before each "
        f"answer; medians of {min(args.repeats, 3)}. The server is Python and takes its share of "
        "the cores.",
        table(
            ["", "images/s", "times one after the other", "GET", "HEAD"],
            [
                (name, f"{len(paths) / s:,.0f}", f"{first / s:.1f}", gets, heads)
                for name, s, gets, heads in found
            ],
        ),
    )


if __name__ == "__main__":
    main()
