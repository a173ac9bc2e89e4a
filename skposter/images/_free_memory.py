"""How much memory is free: on Linux from files that know of containers, elsewhere by psutil."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["check_fits", "free_memory"]

_NOT_WORTH_ASKING = 1 << 26


def free_memory(root="/"):
    """Return the bytes that can be allocated without swapping, or None where that is unknown.

    On Linux this is the smaller of what the machine and the process's control groups (a container's
    limit) have left. psutil, which tells it on macOS and Windows, knows nothing of the latter.

    Parameters
    ----------
    root : str, default="/"
        Where ``proc`` and ``sys`` are found.
    """
    root = Path(root)
    known = [_machine(root), *_control_groups(root)]
    return min((free for free in known if free is not None), default=None)


def check_fits(shape, advice):
    """Raise MemoryError when a uint8 array of `shape` is larger than the free memory."""
    needed = 1
    for length in shape:
        needed *= int(length)
    if needed < _NOT_WORTH_ASKING:
        return
    free = free_memory()
    if free is not None and needed > free:
        raise MemoryError(
            f"{shape[0]:,} images of shape {tuple(shape[1:])} take {needed / 2**30:,.1f} GiB, and "
            f"{free / 2**30:,.1f} GiB of memory are free. {advice}"
        )


def _machine(root):
    text = _text(root / "proc/meminfo")
    found = re.search(r"^MemAvailable:\s*(\d+) kB", text, re.MULTILINE)
    if found:
        return int(found[1]) * 1024
    try:
        import psutil

        return psutil.virtual_memory().available
    except Exception:  # not installed, or the system does not tell
        return None


def _control_groups(root):
    """Yield what each control group above the process has left; page cache counts as free."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            top, limit, usage = root / "sys/fs/cgroup", "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            top = root / "sys/fs/cgroup/memory"
            limit, usage = "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        # Inside a container the path may be the host's: then only the top itself exists.
        folder = top / group.lstrip("/")
        while folder == top or top in folder.parents:
            maximum, used = _text(folder / limit).strip(), _text(folder / usage).strip()
            if maximum.isdigit() and used.isdigit():
                cache = re.search(
                    r"^(?:total_)?inactive_file (\d+)", _text(folder / "memory.stat"), re.MULTILINE
                )
                yield max(0, int(maximum) - int(used) + (int(cache[1]) if cache else 0))
            folder = folder.parent


def _text(path):
    try:
        return path.read_text()
    except OSError:
        return ""
