"""Arrays as bytes in the safetensors format: a JSON header of names, types and shapes, then data.

The package of that name reads and writes them. It has a limit of its own for the header (100 MB),
takes a name that is there twice for the last, and knows types that NumPy does not have, so the
header is looked at first.
"""

from __future__ import annotations

import struct

import numpy as np
import safetensors.numpy

from skposter._files.json_values import brief, expect, one_line, parse_json
from skposter.exceptions import ArtifactError

__all__ = ["pack_arrays", "unpack_arrays"]

_TYPES = {
    "bool": "BOOL",
    **{f"uint{bits}": f"U{bits}" for bits in (8, 16, 32, 64)},
    **{f"int{bits}": f"I{bits}" for bits in (8, 16, 32, 64)},
    **{f"float{bits}": f"F{bits}" for bits in (16, 32, 64)},
}
_MAX_DIMENSIONS = 8
# Twenty thousand arrays; the largest network of keras.applications has 1,700.
_MAX_HEADER_BYTES = 4 * 2**20
_MAX_HEADER_VALUES = 250_000


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
    dense = {}
    for name, array in arrays.items():
        array = np.asarray(array)
        if (
            array.dtype.name == "bfloat16"
        ):  # NumPy itself has none; single precision holds it exactly
            array = array.astype(np.float32)
        if array.dtype.name not in _TYPES:
            raise ArtifactError(
                f"Array {name!r} has the type {array.dtype}, which cannot be saved."
            )
        dense[name] = np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
    return safetensors.numpy.save(dense)


def unpack_arrays(data):
    """Return the arrays in safetensors bytes, in no particular order.

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
    if length > _MAX_HEADER_BYTES:
        raise ArtifactError(f"Arrays: a header of {length} bytes, {_MAX_HEADER_BYTES} at most.")
    header = parse_json(data[8 : 8 + length], "Arrays", max_values=_MAX_HEADER_VALUES)
    for name, entry in header.items():
        where = f"Array {brief(name)}"
        dtype, shape, _ = expect(entry, where, dtype=str, shape=list, data_offsets=list)
        if dtype not in _TYPES.values():
            raise ArtifactError(f"{where}: type {brief(dtype)} is not allowed.")
        if len(shape) > _MAX_DIMENSIONS or not all(map(_is_length, shape)):
            raise ArtifactError(f"{where}: the shape is no list of {_MAX_DIMENSIONS} lengths.")
    try:
        return safetensors.numpy.load(data)
    except Exception as error:  # the package's own, and NumPy's where no array has such a shape
        raise ArtifactError(f"Arrays: {one_line(error)}.") from error


def _is_length(value):
    return type(value) is int and 0 <= value < 2**40
