"""Arrays as bytes in the safetensors format: a JSON header of names, types and shapes, then data.

Written and read here because it takes few lines, each of which can be checked: the reader
allocates nothing beyond the bytes that it is given.
"""

from __future__ import annotations

import json
import math
import struct

import numpy as np

from skposter._files.json_values import parse_json
from skposter.exceptions import ArtifactError

__all__ = ["pack_arrays", "unpack_arrays"]

_TYPES = {
    "BOOL": "|b1",
    "U8": "|u1",
    "I8": "|i1",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
}
_NAMES = {np.dtype(code): name for name, code in _TYPES.items()}


def pack_arrays(arrays):
    """Return arrays in the safetensors format.

    Parameters
    ----------
    arrays : dict of str to ndarray
        Of numbers or booleans.

    Returns
    -------
    data : bytes

    Raises
    ------
    ArtifactError
        If an array has another type.
    """
    header, parts, end = {}, [], 0
    for name, array in arrays.items():
        array = np.asarray(array)
        little_endian = array.dtype.newbyteorder("<")
        if little_endian not in _NAMES:
            raise ArtifactError(
                f"Array {name!r} has the type {array.dtype}, which cannot be saved."
            )
        parts.append(array.astype(little_endian, copy=False).tobytes())
        start, end = end, end + len(parts[-1])
        header[name] = {
            "dtype": _NAMES[little_endian],
            "shape": list(array.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the data are aligned
    return b"".join([struct.pack("<Q", len(text)), text, *parts])


def unpack_arrays(data):
    """Return the arrays in safetensors bytes, as read-only views of them.

    Parameters
    ----------
    data : bytes
        Not trusted.

    Returns
    -------
    arrays : dict of str to ndarray

    Raises
    ------
    ArtifactError
        If anything is not exactly as the format has it.
    """
    if len(data) < 8:
        raise ArtifactError("Arrays: shorter than a header.")
    (length,) = struct.unpack("<Q", data[:8])
    if length > len(data) - 8:
        raise ArtifactError("Arrays: the header is longer than the data.")
    header = parse_json(data[8 : 8 + length], "Arrays")
    body = memoryview(data)[8 + length :]
    arrays, end = {}, 0
    for name, entry in header.items():
        array, end = _array(name, entry, body, end)
        arrays[name] = array
    if end != len(body):
        raise ArtifactError(f"Arrays: {len(body)} bytes of data, of which {end} are declared.")
    return arrays


def _array(name, entry, body, start):
    """Return the array that begins at `start`, and where it ends."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ArtifactError(f"Array {name!r}: expected dtype, shape and data_offsets.")
    dtype, shape = _TYPES.get(str(entry["dtype"])), entry["shape"]
    if dtype is None:
        raise ArtifactError(f"Array {name!r}: type {str(entry['dtype'])[:20]!r} is not allowed.")
    if not isinstance(shape, list) or len(shape) > 8 or not all(map(_is_length, shape)):
        raise ArtifactError(f"Array {name!r}: the shape is not a list of up to 8 lengths.")
    end = start + math.prod(shape) * np.dtype(dtype).itemsize
    if entry["data_offsets"] != [start, end] or end > len(body):
        raise ArtifactError(
            f"Array {name!r}: shape {shape} needs bytes {start} to {end}, declared are "
            f"{str(entry['data_offsets'])[:60]} of {len(body)}."
        )
    return np.frombuffer(body[start:end], dtype).reshape(shape), end


def _is_length(value):
    return type(value) is int and 0 <= value < 2**40
