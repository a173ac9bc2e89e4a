"""What a manifest may hold: JSON of limited size, without NaN, and what Python makes of it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping

import numpy as np

from skposter.exceptions import ArtifactError

__all__ = ["as_json", "as_python", "expect", "parse_json"]

_MAX_TEXT = 10_000
_MAX_ITEMS = 1_000_000
_MAX_DEPTH = 6


def parse_json(data, what):
    """Return the object in JSON bytes; duplicate names, NaN and infinities are refused."""

    def unique(pairs):
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            raise ArtifactError(f"{what}: a name is there twice.")
        return dict(pairs)

    def refuse(constant):
        raise ArtifactError(f"{what}: {constant} is not a number that can be used.")

    try:
        found = json.loads(data, object_pairs_hook=unique, parse_constant=refuse)
    except ArtifactError:
        raise
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{what}: not JSON ({error}).") from error
    if not isinstance(found, dict):
        raise ArtifactError(f"{what}: expected a JSON object, got {type(found).__name__}.")
    return found


def as_json(value, where, depth=0):
    """Return a value as JSON has it, or raise ArtifactError naming `where`.

    NumPy's numbers and arrays become numbers and lists, tuples become lists.
    """
    if depth > _MAX_DEPTH:
        raise ArtifactError(f"{where} is nested more than {_MAX_DEPTH} deep.")
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int) and abs(value) < 2**63:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, (list, tuple)):
        return [as_json(item, f"{where}[{i}]", depth + 1) for i, item in enumerate(value)]
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return {k: as_json(item, f"{where}[{k!r}]", depth + 1) for k, item in value.items()}
    raise ArtifactError(
        f"{where} is {repr(value)[:200]} ({type(value).__name__}), and a file without code in it "
        "holds numbers, texts, lists and mappings of texts only. Use joblib.dump for this model."
    )


def as_python(value, where, depth=0):
    """Return a value of a manifest with tuples for lists, or raise ArtifactError if it is huge."""
    if depth > _MAX_DEPTH:
        raise ArtifactError(f"{where}: nested more than {_MAX_DEPTH} deep.")
    if isinstance(value, str) and len(value) > _MAX_TEXT:
        raise ArtifactError(f"{where}: a text of {len(value)} characters.")
    if isinstance(value, int) and abs(value) >= 2**63:
        raise ArtifactError(f"{where}: an integer beyond 64 bits.")
    if isinstance(value, float) and not math.isfinite(value):
        raise ArtifactError(f"{where}: {value} is not a number that can be used.")
    if isinstance(value, (list, dict)) and len(value) > _MAX_ITEMS:
        raise ArtifactError(f"{where}: {len(value)} items.")
    if isinstance(value, list):
        return tuple(as_python(item, f"{where}[{i}]", depth + 1) for i, item in enumerate(value))
    if isinstance(value, dict):
        return {k: as_python(item, f"{where}[{k!r}]", depth + 1) for k, item in value.items()}
    return value


def expect(node, where, **kinds):
    """Return the values of a JSON object that has exactly these names and types.

    Parameters
    ----------
    node : object
        Not trusted.
    where : str
        For the error.
    **kinds : type or tuple of types
        By name.

    Returns
    -------
    values : list
        In the order of `kinds`.
    """
    if not isinstance(node, dict):
        raise ArtifactError(f"{where}: expected an object, got {type(node).__name__}.")
    if set(node) != set(kinds):
        raise ArtifactError(f"{where}: has {sorted(node)[:20]}, expected {sorted(kinds)}.")
    for name, kind in kinds.items():
        allowed = kind if isinstance(kind, tuple) else (kind,)
        if type(node[name]) not in allowed:
            raise ArtifactError(
                f"{where}: {name} is of type {type(node[name]).__name__}, expected "
                f"{' or '.join(k.__name__ for k in allowed)}."
            )
    return [node[name] for name in kinds]
