"""What a file may hold as JSON: so many bytes and values, no NaN, and what Python makes of it."""

from __future__ import annotations

import json
import math
import os
import re
import reprlib
from collections.abc import Mapping

import numpy as np

from skposter.exceptions import ArtifactError

__all__ = ["MAX_BYTES", "as_json", "as_python", "brief", "expect", "one_line", "parse_json"]

# Of any JSON. A value takes Python some 60 bytes, however short it is written.
MAX_BYTES = 8 * 2**20
_MAX_VALUES = 1_000_000
_MAX_NESTING = 60
# Of one parameter.
_MAX_TEXT = 10_000
_MAX_DEPTH = 6
_MAX_MESSAGE = 500
# A mapping whose names are not all texts is an object of this name and a list of pairs.
_PAIRS = "__items__"
_HALF_OF_A_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")

_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 200
_short.maxlist = _short.maxtuple = _short.maxdict = 10
_short.maxlevel = 3


def brief(value):
    """Return the representation of anything in at most a few hundred characters."""
    return _short.repr(value)


def one_line(text):
    """Return what an error says of things from a file, in one line that can be printed."""
    text = " ".join(str(text).split())
    text = text if len(text) <= _MAX_MESSAGE else text[:_MAX_MESSAGE] + "..."
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def parse_json(data, what, *, max_values=_MAX_VALUES):
    """Return the object in JSON bytes that nobody has looked at.

    Its size, and how many values it can have at most, are known before it is parsed. Names that are
    there twice, NaN, infinities, integers beyond 64 bits and half surrogate pairs are refused.

    Raises
    ------
    ArtifactError
        Beginning with `what`.
    """
    if len(data) > MAX_BYTES:
        raise ArtifactError(f"{what}: {len(data)} bytes, and {MAX_BYTES} are the most.")
    # Each value but the first comes after one of these; in texts they count too, which is no harm.
    n_values = sum(map(data.count, (b",", b"[", b"{")))
    if n_values > max_values:
        raise ArtifactError(f"{what}: {n_values} values, and {max_values} are the most.")

    def unique(pairs):
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ArtifactError(f"{what}: a name is there twice.")
        return found

    def refuse(text):
        raise ArtifactError(f"{what}: {text[:30]} is not a number that can be used.")

    def integer(text):
        number = int(text) if len(text) <= 20 else refuse(text)
        return number if abs(number) < 2**63 else refuse(text)

    def finite(text):
        number = float(text)
        return number if math.isfinite(number) else refuse(text)

    try:
        found = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=unique,
            parse_constant=refuse,
            parse_float=finite,
            parse_int=integer,
        )
        if _HALF_OF_A_PAIR.search(data):
            json.dumps(found, ensure_ascii=False).encode()
    except ArtifactError:
        raise
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{what}: not JSON ({one_line(error)}).") from error
    if not isinstance(found, dict):
        raise ArtifactError(f"{what}: expected a JSON object, got {type(found).__name__}.")
    _check_nesting(found, what)
    return found


def _check_nesting(found, what):
    level, depth = [found], 1
    while level:
        if depth > _MAX_NESTING:
            raise ArtifactError(f"{what}: nested more than {_MAX_NESTING} deep.")
        depth += 1
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, (dict, list))
        ]


def as_json(value, where, depth=0):
    """Return a value as JSON has it, or raise ArtifactError naming `where`.

    NumPy's numbers and arrays become numbers and lists, paths texts, tuples lists; mappings keyed
    by numbers become lists of pairs.
    """
    if depth > _MAX_DEPTH:
        raise ArtifactError(f"{where} is nested more than {_MAX_DEPTH} deep.")
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ArtifactError(f"{where} is {brief(value)}, which UTF-8 cannot hold.") from None
        return str(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 2**63:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, (list, tuple)):
        return [as_json(item, f"{where}[{i}]", depth + 1) for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        keys = [key.item() if isinstance(key, np.generic) else key for key in value]
        if all(type(key) in (str, int) for key in keys):
            pairs = [
                [as_json(key, where), as_json(item, f"{where}[{key!r}]", depth + 1)]
                for key, item in zip(keys, value.values(), strict=True)
            ]
            plain = all(isinstance(key, str) and key != _PAIRS for key in keys)
            return dict(pairs) if plain else {_PAIRS: pairs}
    raise ArtifactError(
        f"{where} is {brief(value)} ({type(value).__name__}), and a file without code in it "
        "holds finite numbers, texts, lists, and mappings of texts or whole numbers only. Use "
        "joblib.dump for this model."
    )


def as_python(value, where, depth=0):
    """Return what `as_json` was given, with tuples for lists, or raise ArtifactError.

    Parameters
    ----------
    value : object
        From `parse_json`, of which one parameter may hold only so much.
    where : str
        For the error.
    depth : int, default=0
        How deep in the parameter this is.
    """
    if depth > _MAX_DEPTH:
        raise ArtifactError(f"{where}: nested more than {_MAX_DEPTH} deep.")
    if isinstance(value, str) and len(value) > _MAX_TEXT:
        raise ArtifactError(f"{where}: a text of {len(value)} characters.")
    if isinstance(value, list):
        return tuple(as_python(item, f"{where}[{i}]", depth + 1) for i, item in enumerate(value))
    if isinstance(value, dict) and set(value) == {_PAIRS}:
        return _mapping(value[_PAIRS], where, depth)
    if isinstance(value, dict):
        return {
            as_python(key, where): as_python(item, f"{where}[{key[:50]!r}]", depth + 1)
            for key, item in value.items()
        }
    return value


def _mapping(pairs, where, depth):
    found: dict = {}
    for pair in pairs if isinstance(pairs, list) else [None]:
        if not isinstance(pair, list) or len(pair) != 2 or type(pair[0]) not in (str, int):
            raise ArtifactError(f"{where}: {brief(pair)} is not a name, or a number, and a value.")
        key = as_python(pair[0], where)
        if key in found:
            raise ArtifactError(f"{where}: {brief(key)} is there twice.")
        found[key] = as_python(pair[1], f"{where}[{brief(key)}]", depth + 1)
    return found


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
        raise ArtifactError(f"{where}: has {brief(sorted(node))}, expected {sorted(kinds)}.")
    for name, kind in kinds.items():
        allowed = kind if isinstance(kind, tuple) else (kind,)
        if type(node[name]) not in allowed:
            raise ArtifactError(
                f"{where}: {name} is of type {type(node[name]).__name__}, expected "
                f"{' or '.join(k.__name__ for k in allowed)}."
            )
    return [node[name] for name in kinds]
