"""How the memory of a process grows with the fits in it, beside SciKeras.

Each row is a process of its own: the same network is fitted again and again with other seeds, and
the anonymous resident memory is read after each fit. Keras' ``clear_session`` and garbage
collection do not change the rows of SciKeras.

    python benchmarks/memory_growth.py [--fits 30] [--deep-fits 6]
        [--out docs/benchmarks/memory_growth.md]
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import time

import _report

SMALL = {"filters": (8, 16)}
DEEP = {"filters": (16,) * 16}


def resident():
    """Return the anonymous resident memory in MB."""
    with open("/proc/self/status") as status:
        lines = dict(line.split(":", 1) for line in status)
    return int(lines["RssAnon"].split()[0]) / 1024


def worker(who, network_params, fits):
    import skposter._keras.tensorflow  # noqa: F401, isort: skip
    import keras
    from _peers import by_scikeras, by_skposter, images

    X, y = images(128, 32, 32, 4)
    sizes, start = [], time.perf_counter()
    for i in range(fits):
        if who == "skposter":
            by_skposter(network_params, epochs=2, random_state=i).fit(X, y)
        else:
            by_scikeras(network_params, epochs=2).fit(X, y)
            if who.endswith("clear_session"):
                keras.backend.clear_session()
                gc.collect()
        sizes.append(resident())
    print(json.dumps({"sizes": sizes, "seconds": time.perf_counter() - start}))


def run(who, network_params, fits):
    command = [sys.executable, __file__, "--worker", json.dumps([who, network_params, fits])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fits", type=int, default=30)
    parser.add_argument("--deep-fits", type=int, default=6)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--out")
    options = parser.parse_args()
    if options.worker:
        worker(*json.loads(options.worker))
        return

    rows = []
    for name, network_params, fits in [
        ("2 convolutions", SMALL, options.fits),
        ("16 convolutions", DEEP, options.deep_fits),
    ]:
        for who in ("skposter", "SciKeras", "SciKeras and clear_session"):
            result = run(who, network_params, fits)
            growth = result["sizes"][-1] - result["sizes"][0]
            rows.append(
                (
                    name,
                    who,
                    fits,
                    f"{growth:.0f}",
                    f"{growth / (fits - 1):.1f}",
                    f"{result['seconds']:.0f}",
                )
            )
    header = ("network", "by", "fits", "growth after the first, MB", "MB a fit", "seconds")
    _report.write(
        options.out,
        "# Memory over many fits",
        "128 images of 32 x 32, two epochs a fit, one process a row.",
        _report.table(header, rows),
    )


if __name__ == "__main__":
    main()
