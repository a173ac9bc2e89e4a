"""A process that was forked after TensorFlow had been used says so, instead of waiting for ever.

This is apart from what imports TensorFlow, because forks have to be noticed before that: the fork
may happen before the first fit and after TensorFlow was used by others.
"""

from __future__ import annotations

import os
import sys

__all__ = ["check_not_forked"]

_forked_after_use = False


def check_not_forked():
    """Raise in a process that was forked after TensorFlow had been used.

    Raises
    ------
    RuntimeError
        The threads of TensorFlow do not exist there, and it would wait for them.
    """
    if _forked_after_use:
        raise RuntimeError(
            "TensorFlow was used before this process was forked, and cannot run in it. Use "
            'joblib\'s "loky" backend (the default of n_jobs), or the "spawn" start method.'
        )


def _after_fork_in_child():
    global _forked_after_use
    _forked_after_use = _forked_after_use or _tensorflow_was_started()


def _tensorflow_was_started():
    """Tell whether TensorFlow's runtime runs, by trying to change what is fixed from then on."""
    config = getattr(sys.modules.get("tensorflow"), "config", None)
    if config is None:
        return False
    threads = config.threading.get_inter_op_parallelism_threads()
    try:
        config.threading.set_inter_op_parallelism_threads(threads + 1)
        config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        return True
    return False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
