"""TensorFlow and Keras, imported without TensorFlow's start-up lines and retracing warnings.

Everything that needs them imports them from here. Nothing global stays changed: the environment is
not touched, the standard error stream is diverted only while TensorFlow starts, the log filter is
there only during our own calls, and what TensorFlow changes about memory is put back.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import re
import sys
import tempfile
from contextlib import contextmanager
from functools import cache

__all__ = [
    "keep_freed_memory",
    "keras",
    "no_retracing_warnings",
    "standard_error_without_noise",
    "tf",
]

# What TensorFlow writes to file descriptor 2 before its own log level is in force, so that
# TF_CPP_MIN_LOG_LEVEL cannot silence it.
_NOISE = re.compile(
    rb"^([IWE]\d{4} \d\d:\d\d|[IWE]0000 00:00:|WARNING: All log messages before absl|"
    rb"To enable the following instructions:|INFO: Created TensorFlow Lite |"
    rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] )"
)


@contextmanager
def standard_error_without_noise():
    """Drop the lines that TensorFlow's own code logs, and keep all others."""
    try:
        sys.stderr.flush()
        saved = os.dup(2)
    except (OSError, ValueError, AttributeError):  # no such stream (a service, some notebooks)
        yield
        return
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            captured.seek(0)
            kept = [line for line in captured if not _NOISE.match(line)]
            if any(line.strip() for line in kept):
                os.write(2, b"".join(kept))


class _NoRetracing(logging.Filter):
    def filter(self, record):
        return "triggered tf.function retracing" not in str(record.msg)


@contextmanager
def no_retracing_warnings():
    """Drop TensorFlow's retracing warning, which a search over architectures always earns.

    It advises against tracing per call; one trace per architecture is what a search needs.
    """
    logger = logging.getLogger("tensorflow")
    quiet = _NoRetracing()
    logger.addFilter(quiet)
    try:
        yield
    finally:
        logger.removeFilter(quiet)


# Parameters of glibc's mallopt. Its own adaptation ends at 64 and 32 MB. Each arena may keep as
# much as the first, and 32 MB are nearly as fast.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_TRIM_THRESHOLD = _MMAP_THRESHOLD = 32 * 2**20


@cache
def keep_freed_memory():
    """Undo what TensorFlow does to the memory of the whole process at its first data set.

    The first data set over a Python generator, which is what feeds `Model.fit` from batches, tells
    glibc to give memory above 128 KB back to the system as soon as it is freed (M_TRIM_THRESHOLD),
    which also ends glibc's adaptation. Each training step then gets its tensors as new pages, and
    half of the processor time goes into making them. Called again it does nothing.
    """
    import tensorflow as tf

    one_batch = tf.data.Dataset.from_generator(
        lambda: iter([0]), output_signature=tf.TensorSpec((), tf.int32)
    )
    with standard_error_without_noise():
        list(one_batch.as_numpy_iterator())
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # not in other C libraries
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD)
        mallopt(_M_TRIM_THRESHOLD, _TRIM_THRESHOLD)


def _start():
    """Import TensorFlow and let it say at once what it would say at its first operations."""
    try:
        import tensorflow as tf
    except ModuleNotFoundError as error:
        if error.name != "tensorflow":
            raise
        raise ModuleNotFoundError(
            "skposter trains with TensorFlow, and no build of it is installed here: pip install "
            "tensorflow, tensorflow-cpu or your vendor's build.",
            name="tensorflow",
        ) from None
    tf.config.list_logical_devices()
    keep_freed_memory()


def _check_backend():
    """Raise ImportError if Keras is told to run on something else, before anything is loaded.

    Keras loads its backend with itself, and some abort the process when TensorFlow is there too.
    """
    if "keras" in sys.modules:
        backend = sys.modules["keras"].backend.backend()
    else:
        backend = os.environ.get("KERAS_BACKEND") or _configured_backend()
    if backend != "tensorflow":
        raise ImportError(
            f"Keras runs on {backend!r} here; skposter needs TensorFlow. Unset KERAS_BACKEND, or "
            "set it to 'tensorflow', before Keras is imported."
        )


def _configured_backend():
    """Return the backend that Keras' own file of settings names."""
    folder = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    try:
        with open(os.path.join(folder, "keras.json"), encoding="utf-8") as file:
            return json.load(file).get("backend", "tensorflow")
    except (OSError, ValueError, AttributeError):  # Keras does without it then, too
        return "tensorflow"


_check_backend()
if "tensorflow" not in sys.modules:
    with standard_error_without_noise():
        _start()

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402
