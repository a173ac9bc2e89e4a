"""Files that are there as a whole or not at all, whatever kills the process or the machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import uuid

__all__ = ["patiently", "write_durably"]

# Seconds without a write after which the process that wrote it must be gone.
ABANDONED = 3600
# Seconds between the attempts at what another program may hold; two and a half in all.
_PAUSES = tuple(0.01 * 2**i for i in range(8))
# Bytes of a name that a temporary name repeats: file systems allow 255.
_KEPT_OF_NAME = 150


def write_durably(path, write, check=None, *, encoding=None, sync=True):
    """Write a file beside `path`, which takes its place once it is complete and on the disk.

    Parameters
    ----------
    path : str or path-like
        What is there stays until the new file replaces it.
    write : callable
        Gets the new file, open for writing.
    check : callable, default=None
        Gets the path of the complete file before it takes its place, and raises if it is not good.
    encoding : str, default=None
        Of a file that `write` writes text to, with line ends as it writes them. None is a file for
        bytes.
    sync : bool, default=True
        Whether to wait until the disk has it, after removing what killed processes left of earlier
        versions. Without, a power failure may leave an empty file: for what can be made again and
        is written by the thousand.
    """
    path = os.path.realpath(path)
    folder, name = os.path.split(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"there is no folder {folder!r} to write {name!r} into.")
    beginning = f".{os.fsencode(name)[:_KEPT_OF_NAME].decode(errors='ignore')}."
    if sync:
        _remove_leftovers(folder, beginning)
    # Not tempfile: its files are private to the user, whatever the umask says.
    partial = os.path.join(folder, f"{beginning}{uuid.uuid4().hex}.partial")
    mode, newline = ("xb", None) if encoding is None else ("x", "")
    try:
        with open(partial, mode, encoding=encoding, newline=newline) as file:
            write(file)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        if check is not None:
            check(partial)
        if os.path.exists(path):
            shutil.copymode(path, partial)
        patiently(os.replace, partial, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            patiently(os.unlink, partial)
        raise
    if sync:
        _sync_folder(folder)


def patiently(action, *arguments):
    """Return what an action on files gives, trying again while it is not permitted.

    On Windows (and on its shared folders elsewhere) a virus scanner, an indexer or a reader keeps a
    file for a moment, and whoever replaces or deletes it then is told that it may not.
    """
    for pause in _PAUSES:
        try:
            return action(*arguments)
        except PermissionError:
            time.sleep(pause)
    return action(*arguments)


def _remove_leftovers(folder, beginning):
    """Remove what killed processes left of earlier versions of this file."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(beginning) and entry.name.endswith(".partial"):
                with contextlib.suppress(OSError):  # it was complete after all, or is in use
                    if time.time() - entry.stat().st_mtime > ABANDONED:
                        os.unlink(entry.path)


def _sync_folder(folder):
    """Make the new name survive a power failure, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows
        return
    try:
        with contextlib.suppress(OSError):  # file systems that know no such thing
            os.fsync(handle)
    finally:
        os.close(handle)
