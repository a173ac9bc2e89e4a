"""Tables of figures: printed, and written as Markdown with the machine that they were taken on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np

LIBRARIES = ("scikit-learn", "scikeras", "tensorflow", "keras", "numpy")


def machine():
    """Return one sentence about processor and libraries."""
    name = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as info:
            name = next((line.split(":")[1].strip() for line in info if "model name" in line), name)
    libraries = ", ".join(f"{library} {version(library)}" for library in LIBRARIES)
    return (
        f"Taken on {os.cpu_count()} cores ({name}), Python {platform.python_version()}, "
        f"{libraries}."
    )


def table(header, rows):
    """Return a Markdown table; numbers are cells as they are printed."""
    lines = [[str(cell).replace("|", r"\|") for cell in row] for row in [header, *rows]]
    header, *rows = ["| " + " | ".join(cells) + " |" for cells in lines]
    return "\n".join([header, "|" + "---|" * len(lines[0]), *rows])


def mean_and_spread(values):
    """Return the mean and, of several, the standard deviation."""
    text = f"{np.mean(values):.4f}"
    return text if len(values) == 1 else f"{text} ±{np.std(values, ddof=1):.4f}"


def write(path, *paragraphs):
    """Print paragraphs, and write them to `path` if that is given."""
    text = "\n\n".join([*paragraphs, machine()]) + "\n"
    print(text)
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")
