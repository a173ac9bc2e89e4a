"""Tags of TIFF and EXIF, counted before Pillow reads them.

A block of 60 kB may point each of its 5,000 tags at the same 60 kB, and Pillow before 13 keeps a
copy for each: 300 MB, or 7 GB from a block of 400 kB. Of a JPEG and a TIFF that happens as soon as
the file is opened. Each function here says why a file is refused, or None.
"""

from __future__ import annotations

import io
import os
import struct

__all__ = ["why_not_exif", "why_not_jpeg", "why_not_tiff"]

_MAX_PIECES = 150_000
_PIECE_TAGS = (273, 279, 324, 325)  # offsets and lengths of strips, of tiles
# What a block of metadata may repeat of itself without harm.
_HARMLESS = 1 << 22
_BYTES_OF_TYPE = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8,
                  13: 4, 16: 8}  # fmt: skip
_WITHOUT_LENGTH = {0x00, 0x01, *range(0xD0, 0xDA)}
_START_OF_SCAN = 0xDA


def why_not_tiff(file, size):
    """Look at the first directory of a TIFF of `size` bytes, and rewind `file`."""
    tags = _directory(file)
    file.seek(0)
    for tag, n_values, _, _ in tags:
        # Pillow makes a few hundred bytes of Python objects of each strip or tile.
        if tag in _PIECE_TAGS and n_values > _MAX_PIECES:
            return f"is a TIFF in {n_values:,} pieces, more than {_MAX_PIECES:,}"
    return _why_not(tags, size)


def why_not_jpeg(file):
    """Look at the EXIF block and at the index of pictures of a JPEG, and rewind `file`."""
    exif, index = _jpeg_metadata(file)
    file.seek(0)
    return why_not_exif({"exif": exif, "mp": index}) if exif or index else None


def why_not_exif(info):
    """Look at the metadata in ``image.info``, from wherever Pillow's ``getexif`` would take it."""
    profile = info.get("Raw profile type exif")
    blocks = [info.get("exif"), info.get("mp")]
    if blocks[0] is None and isinstance(profile, str):
        try:
            blocks.append(bytes.fromhex("".join(profile.split("\n")[3:])))
        except ValueError:
            return None  # Pillow cannot read it either
    for block in blocks:
        if isinstance(block, bytes):
            while block.startswith(b"Exif\0\0"):
                block = block[6:]
            reason = _why_not(_directory(io.BytesIO(block)), len(block))
            if reason:
                return reason
    return None


def _why_not(tags, size):
    taken = sum(n_bytes for _, _, n_bytes, offset in tags if offset + n_bytes <= size)
    if taken > max(size, _HARMLESS):
        return f"has tags that would take {taken:,} bytes out of {size:,}"
    return None


def _directory(file):
    """Return (tag, number of values, bytes beside the directory, their offset) of the first one."""
    head = file.read(16)
    if head[:2] not in (b"II", b"MM") or len(head) < 8:
        return []
    order = "<" if head[:2] == b"II" else ">"
    big = head[2] == 43  # as Pillow decides it
    inline, offset, count, entry = (8, "Q", "Q", "HHQQ") if big else (4, "I", "H", "HHII")
    if len(head) < 2 * inline:
        return []
    (start,) = struct.unpack_from(order + offset, head, inline)
    file.seek(min(start, 1 << 62))
    head = file.read(struct.calcsize(order + count))
    if len(head) < struct.calcsize(order + count):
        return []
    width = struct.calcsize(order + entry)
    tags = file.read(min(struct.unpack(order + count, head)[0], 65535) * width)
    found = []
    for tag, kind, n_values, values_at in struct.iter_unpack(
        order + entry, tags[: len(tags) // width * width]
    ):
        n_bytes = n_values * _BYTES_OF_TYPE.get(kind, 0)
        if n_bytes > inline:
            found.append((tag, n_values, n_bytes, values_at))
    return found


def _jpeg_metadata(file):
    """Return the EXIF block, of all segments, and the index of pictures, as Pillow finds them."""
    exif = index = b""
    file.seek(2)
    while byte := file.read(1):
        if byte != b"\xff":
            continue
        while (byte := file.read(1)) == b"\xff":
            pass
        if not byte or byte[0] == _START_OF_SCAN:
            break
        if byte[0] in _WITHOUT_LENGTH:
            continue
        length = max(0, int.from_bytes(file.read(2), "big") - 2)
        if byte in (b"\xe1", b"\xe2"):
            content = file.read(length)
            if byte == b"\xe1" and content.startswith(b"Exif\0\0"):
                exif += content[6:] if exif else content
            elif byte == b"\xe2" and content.startswith(b"MPF\0"):
                index = content[4:]
        else:
            file.seek(length, os.SEEK_CUR)
    return exif, index
