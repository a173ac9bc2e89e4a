"""Files that are there as a whole or not at all, whatever kills the process or the machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import uuid

__all__ = ["write_durably"]

# Seconds without a write after which the process that wrote it must be gone.
ABANDONED = 3600


def write_durably(path, write, check=None):
    """Write a file beside `path`, which takes its place once it is complete and on the disk.

    Parameters
    ----------
    path : str
        What is there stays until the new file replaces it.
    write : callable
        Gets the new file, open for writing bytes.
    check : callable, default=None
        Gets the path of the complete file before it takes its place, and raises if it is not good.
    """
    path = os.path.realpath(path)
    folder, name = os.path.split(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"There is no folder {folder!r} to write {name!r} into.")
    _remove_leftovers(folder, name)
    # Not tempfile: its files are private to the user, whatever the umask says.
    partial = os.path.join(folder, f".{name}.{uuid.uuid4().hex}.partial")
    try:
        with open(partial, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if check is not None:
            check(partial)
        if os.path.exists(path):
            shutil.copymode(path, partial)
        os.replace(partial, path)
    except BaseException:
        if os.path.exists(partial):
            os.unlink(partial)
        raise
    _sync_folder(folder)


def _remove_leftovers(folder, name):
    """Remove what killed processes left of earlier versions of this file."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(f".{name}.") and entry.name.endswith(".partial"):
                with contextlib.suppress(FileNotFoundError):  # it was complete after all
                    if time.time() - entry.stat().st_mtime > ABANDONED:
                        os.unlink(entry.path)


def _sync_folder(folder):
    """Make the new name survive a power failure, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
