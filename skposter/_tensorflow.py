"""TensorFlow and Keras, imported without TensorFlow's start-up lines and retracing warnings.

Everything that needs them imports them from here. Nothing global stays changed: the environment is
not touched, the standard error stream is diverted only while TensorFlow starts, and the log filter
is there only during our own calls.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
from contextlib import contextmanager

__all__ = ["keras", "no_retracing_warnings", "standard_error_without_noise", "tf"]

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


def _start():
    """Import TensorFlow and let it say at once what it would say at its first operations."""
    import tensorflow as tf

    tf.config.list_logical_devices()
    one_batch = tf.data.Dataset.from_generator(
        lambda: iter([0]), output_signature=tf.TensorSpec((), tf.int32)
    )
    list(one_batch.as_numpy_iterator())


if "tensorflow" not in sys.modules:
    with standard_error_without_noise():
        _start()

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        f"Keras runs on {keras.backend.backend()!r} here; skposter needs TensorFlow. Unset "
        "KERAS_BACKEND, or set it to 'tensorflow', before Keras is imported."
    )
