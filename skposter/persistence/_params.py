"""Parameters and label names of estimators as JSON, and back within limits."""

from __future__ import annotations

import numpy as np

from skposter._files.json_values import as_json, as_python
from skposter.exceptions import ArtifactError

__all__ = [
    "check_attributes",
    "describe_params",
    "names_as_json",
    "restore_params",
    "restored_names",
]

# Paths of the machine that saved: reading a cache there would be trusting whoever can write to it.
_LOCAL = {"memory", "cache_dir"}
# What a file may ask for at most, where more would let a small file take much memory or time.
_LIMITS = {
    "batch_size": 65_536,
    "filters": 16_384,
    "kernel_size": 256,
    "dense_units": 1_048_576,
    "max_pixels": 1_000_000_000,
    "max_bytes": 10_000_000_000,
    "n_jobs": 1_024,
    "size": 8_192,
    "builder_params": 1_048_576,
}
_MAX_SEQUENCE = {"filters": 100, "size": 2, "builder_params": 100}


def describe_params(estimator, where, leave_out=()):
    """Return the parameters of an estimator, without paths of this machine."""
    return {
        name: as_json(value, f"{where}: {name}")
        for name, value in estimator.get_params(deep=False).items()
        if name not in _LOCAL and name not in leave_out
    }


def restore_params(kind, params, where, **given):
    """Return an estimator of a class with the parameters of a file, checked."""
    known = set(kind._get_param_names()) - _LOCAL - set(given)
    unknown = sorted(set(params) - known)
    if unknown:
        raise ArtifactError(
            f"{where}: {kind.__name__} has no parameter {unknown[0][:100]!r} that could be saved; "
            "a newer skposter may have written the file."
        )
    values = {name: as_python(value, f"{where}: {name}") for name, value in params.items()}
    for name, value in values.items():
        _check_limit(name, value, where)
    estimator = kind(**given, **values)
    try:
        estimator._validate_params()
    except (ValueError, TypeError) as error:
        raise ArtifactError(f"{where}: {error}") from error
    return estimator


def _check_limit(name, value, where, kind=None):
    kind = kind or name
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple):
        if len(value) > _MAX_SEQUENCE.get(kind, 1_000_000):
            raise ArtifactError(f"{where}: {name} has {len(value)} entries, too many.")
        for item in value:
            _check_limit(name, item, where, kind)
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
    names = label_names.tolist()
    if {type(name) for name in names} not in ({str}, {int}):
        raise ArtifactError(
            f"{where}: the label names {str(names)[:200]} are neither all texts nor all integers."
        )
    return names


def restored_names(names, where):
    """Return label names from a file as the array that ``fit`` makes of a table's columns."""
    names = list(as_python(names, f"{where}: label_names"))
    if {type(name) for name in names} not in ({str}, {int}):
        raise ArtifactError(f"{where}: label_names are neither all texts nor all integers.")
    if len(set(names)) < len(names) or len(names) > 100_000:
        raise ArtifactError(f"{where}: {len(names)} label_names, not all different or too many.")
    return np.asarray(names, dtype=object if isinstance(names[0], str) else np.int64)
