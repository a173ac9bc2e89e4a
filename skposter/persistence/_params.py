"""Parameters and label names of estimators as JSON, and back within limits."""

from __future__ import annotations

import math

import numpy as np

from skposter._files.json_values import as_json, as_python, brief, one_line
from skposter.exceptions import ArtifactError
from skposter.persistence._keras_objects import (
    describe_keras_object,
    is_keras_object,
    restore_keras_object,
)

__all__ = [
    "check_attributes",
    "describe_params",
    "names_as_json",
    "restore_params",
    "restored_names",
]

# Of the machine that saved: reading a cache there would be trusting whoever can write to it, and
# options of storage may be passwords, or let a file that somebody sends reach into a network.
_LOCAL = {"memory", "cache_dir", "storage_options"}
# What may be an object of Keras, where it acts in training only.
_OF_KERAS = {"loss", "optimizer"}
# What a file may ask for at most, where more would let a small file take much memory or time. The
# last three protect from images, which whoever loads the model has from elsewhere.
_LIMITS = {
    "batch_size": 65_536,
    "filters": 16_384,
    "kernel_size": 256,
    "dense_units": 1_048_576,
    "n_estimators": 100,
    "n_jobs": 256,
    "builder_params": 1_048_576,
    "size": 8_192,
    "max_pixels": 100_000_000,
    "max_bytes": 1_000_000_000,
}
_MAX_SEQUENCE = {"filters": 100, "size": 2, "background": 3, "formats": 50, "builder_params": 100}
# Pixels of one image that a model takes.
MAX_PIXELS = 4_194_304
_MAX_LABELS = 50_000


def describe_params(estimator, where, leave_out=()):
    """Return the parameters of an estimator, without paths of this machine."""
    return {
        name: _described(name, value, f"{where}: {name}")
        for name, value in estimator.get_params(deep=False).items()
        if name not in _LOCAL and name not in leave_out
    }


def _described(name, value, where):
    if name in _OF_KERAS and is_keras_object(value):
        return describe_keras_object(value, where)
    return as_json(value, where)


def restore_params(kind, params, where, **given):
    """Return an estimator of a class with the parameters of a file, checked."""
    known = set(kind._get_param_names()) - _LOCAL - set(given)
    unknown = sorted(set(params) - known)
    if unknown:
        raise ArtifactError(
            f"{where}: {kind.__name__} has no parameter {brief(unknown[0])} that could be saved; "
            "a newer skposter may have written the file."
        )
    values = {name: _restored(name, value, f"{where}: {name}") for name, value in params.items()}
    for name, value in values.items():
        _check_limit(name, value, where)
    estimator = kind(**given, **values)
    try:
        estimator._validate_params()
    except (ValueError, TypeError) as error:
        raise ArtifactError(f"{where}: {one_line(error)}") from error
    return estimator


def _restored(name, value, where):
    if name in _OF_KERAS and isinstance(value, dict):
        return restore_keras_object(value, where)
    return as_python(value, where)


def _check_limit(name, value, where, kind=None):
    kind = kind or name
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple):
        if len(value) > _MAX_SEQUENCE.get(kind, _MAX_LABELS):
            raise ArtifactError(f"{where}: {name} has {len(value)} entries, too many.")
        for item in value:
            _check_limit(name, item, where, kind)
        if kind == "size" and math.prod(v for v in value if type(v) is int) > MAX_PIXELS:
            raise ArtifactError(f"{where}: size {value} is more than {MAX_PIXELS} pixels.")
    elif isinstance(value, (int, float)) and abs(value) > _LIMITS.get(kind, float("inf")):
        raise ArtifactError(
            f"{where}: {name} is {value}, and a file may ask for {_LIMITS[kind]} at most."
        )


def check_attributes(estimator, known, where):
    """Raise ArtifactError if an estimator has learned something that would not be saved."""
    unknown = sorted(set(vars(estimator)) - set(estimator.get_params(deep=False)) - set(known))
    if unknown:
        raise ArtifactError(
            f"{where}: the attribute {unknown[0]!r} of {type(estimator).__name__} has no place in "
            "the format. Use joblib.dump for this model."
        )


def names_as_json(label_names, where):
    """Return label names as a list of texts or of integers."""
    names = as_json(label_names, f"{where}: label_names")
    if {type(name) for name in names} not in ({str}, {int}):
        raise ArtifactError(
            f"{where}: the label names {brief(names)} are neither all texts nor all integers."
        )
    return names


def restored_names(names, where):
    """Return label names from a file as the array that ``fit`` makes of a table's columns."""
    names = list(as_python(names, f"{where}: label_names"))
    if {type(name) for name in names} not in ({str}, {int}):
        raise ArtifactError(f"{where}: label_names are neither all texts nor all integers.")
    if len(set(names)) < len(names) or len(names) > _MAX_LABELS:
        raise ArtifactError(f"{where}: {len(names)} label_names, not all different or too many.")
    return np.asarray(names, dtype=object if isinstance(names[0], str) else np.int64)
