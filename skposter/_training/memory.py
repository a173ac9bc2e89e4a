"""What was trained or predicted once is found again: scikit-learn's ``memory``, for networks.

The store is joblib's. Added here are a lock, so that two processes never train the same network at
the same time, and a limit, so that a folder given by its path does not grow without end.
"""

from __future__ import annotations

import os
from contextlib import contextmanager

import joblib
from filelock import FileLock
from sklearn.utils.validation import check_memory

from skposter._estimators.user_warnings import warn_user
from skposter.memory import checkpoint_folder_of

__all__ = ["PATH_LIMIT", "checkpoint_folder", "recall"]

# For memory="path"; whoever passes a joblib.Memory calls its reduce_size themselves.
PATH_LIMIT = 4 * 2**30


def recall(memory, kind, key, compute, *, description=""):
    """Return ``compute()``, or what it returned earlier for the same `kind` and `key`.

    Safe between processes and threads: the second to come waits for the first and takes its
    result. An entry that cannot be read is computed again.

    Parameters
    ----------
    memory : str, joblib.Memory or None
        Where to keep results; None computes each time.
    kind : str
        ``"network"`` or ``"probabilities"``.
    key : str, bytes, number, or a list or dict of such
        Everything that the result depends on.
    compute : callable
        Called without arguments. Its result is pickled.
    description : str, default=""
        For people who look into the folder.

    Returns
    -------
    result : object
    """
    location = _location(memory)
    if location is None:
        return compute()
    computing = _Computing(compute)
    try:
        return _recalled(memory, location, kind, joblib.hash(key), computing, description)
    except OSError as error:
        if error is computing.error:
            raise
        # What was trained is worth more than the folder that it should have gone into.
        warn_user(f"memory={location!r} cannot be used ({error}); nothing is kept there.")
        return computing.result if computing.done else compute()


def _location(memory):
    """Return the folder of a memory, which is not made yet where it is given by its path."""
    if memory is None or isinstance(memory, str):
        return memory
    return check_memory(memory).location


class _Computing:
    """A computation that remembers how it ended."""

    def __init__(self, compute):
        self._compute = compute
        self.done = False
        self.result = self.error = None

    def __call__(self):
        try:
            self.result = self._compute()
        except BaseException as error:
            self.error = error
            raise
        self.done = True
        return self.result


def _recalled(memory, location, kind, digest, compute, description):
    arguments = {"kind": kind, "description": description, "digest": digest, "compute": compute}
    with _lock(location, digest):
        if os.path.isdir(os.path.join(location, "joblib")):
            cached = _cached(memory)
            if cached.check_call_in_cache(**arguments):
                reference = cached.call_and_shelve(**arguments)
                try:
                    return reference.get()
                except Exception:  # damaged, in whichever way that shows
                    reference.clear()
        result = compute()
        _cached(memory)(**{**arguments, "compute": lambda: result})
    if isinstance(memory, str):
        check_memory(memory).reduce_size(bytes_limit=PATH_LIMIT)
    return result


def _cached(memory):
    return check_memory(memory).cache(_remembered, ignore=["compute"], verbose=0)


def checkpoint_folder(memory):
    """Return the folder for the epochs of trainings under way, or None without a place for them."""
    location = _location(memory)
    return None if location is None else checkpoint_folder_of(location)


def _remembered(kind, description, digest, compute):
    """Be the function whose arguments, less `compute`, are joblib's key."""
    return compute()


@contextmanager
def _lock(location, digest):
    """Hold the file lock of an entry; entries share 4096 files, so they do not pile up.

    A folder that may only be read is read without.
    """
    folder = os.path.join(location, "skposter-locks")
    lock = FileLock(os.path.join(folder, digest[:3] + ".lock"))
    try:
        os.makedirs(folder, exist_ok=True)
        lock.acquire()
    except OSError:
        yield
        return
    try:
        yield
    finally:
        lock.release()
