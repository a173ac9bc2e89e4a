"""A lock between processes that the operating system releases when its holder dies."""

from __future__ import annotations

import contextlib
import errno
import os
import time

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["locked"]

_POLL_S = 0.01
# What file systems without locks answer. Everybody is then alone, and work may be done twice.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


@contextlib.contextmanager
def locked(path, patience, enough):
    """Hold the exclusive lock on the file `path` during the block.

    Parameters
    ----------
    path : Path
        Created if needed, left in place afterwards.
    patience : float
        Seconds to wait for the holder without any progress.
    enough : callable
        Called while waiting; returns whether the lock is no longer needed, and whether there was
        progress, which starts the patience anew.

    Yields
    ------
    alone : bool
        False if the lock was not had: it was no longer needed, or patience ran out.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield _acquired(descriptor, patience, enough)
    finally:
        # Closing releases it. A lock of this kind belongs to the open file, so that two threads
        # exclude each other too.
        os.close(descriptor)


def _acquired(descriptor, patience, enough):
    deadline = time.monotonic() + patience
    while not _try(descriptor):
        done, progress = enough()
        if done:
            return False
        if progress:
            deadline = time.monotonic() + patience
        elif time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _try(descriptor):
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True
