"""The file around a model: a zip archive of three members, each with its hash.

Nothing is compressed, so a file cannot unfold into something larger than itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import struct
import zipfile

from skposter._files.durable import write_durably
from skposter._files.json_values import expect, parse_json
from skposter.exceptions import ArtifactError

__all__ = ["ARRAYS", "CARD", "FORMAT_VERSION", "read_container", "write_container"]

FORMAT_VERSION = 1
MANIFEST, ARRAYS, CARD = "manifest.json", "arrays.safetensors", "README.md"
_MAX_MANIFEST = 64 * 2**20
_COMMENT = re.compile(rb"skposter-model (\d{1,9}) sha256=([0-9a-f]{64})")
_DAMAGED = (
    zipfile.BadZipFile,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    struct.error,
    ValueError,
)


def write_container(path, manifest, arrays, card, verify):
    """Write a file as a whole or not at all.

    Parameters
    ----------
    path : str
        Where to. What is there is replaced once the new file is complete and on the disk.
    manifest : dict
        Description of the model; format, version and hashes are added.
    arrays : bytes
        Its arrays.
    card : str
        Its model card.
    verify : callable
        Gets the path of the complete file before it takes its place, and raises if it is not good.
    """
    members = {ARRAYS: arrays, CARD: card.encode()}
    manifest = {
        "format": "skposter-model",
        "format_version": FORMAT_VERSION,
        **manifest,
        "members": {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in members.items()
        },
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False).encode()
    digest = hashlib.sha256(text).hexdigest()

    def write(file):
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, data in {MANIFEST: text, **members}.items():
                member = zipfile.ZipInfo(name)  # with a fixed date: equal models, equal files
                member.external_attr = 0o644 << 16
                archive.writestr(member, data)
            archive.comment = f"skposter-model {FORMAT_VERSION} sha256={digest}".encode()

    write_durably(path, write, verify)


def read_container(path):
    """Return the manifest and the members of a file whose hashes are all right.

    Parameters
    ----------
    path : str
        Not trusted.

    Returns
    -------
    manifest : dict
        Its format and version are checked, nothing else.
    members : dict of str to bytes

    Raises
    ------
    ArtifactError
        If the file is no model, is damaged, or has another version.
    """
    with open(path, "rb", opener=_open_at_once) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ArtifactError("is not a regular file.")
        try:
            with zipfile.ZipFile(file) as archive:
                return _checked(archive, status.st_size)
        except ArtifactError:
            raise
        except _DAMAGED as error:
            file.seek(0)
            raise ArtifactError(_explanation(file.read(8), error)) from error


def _checked(archive, file_size):
    found = _COMMENT.fullmatch(archive.comment)
    if not found:
        raise ArtifactError("is a zip archive, but not a model written by skposter.save.")
    if int(found[1]) != FORMAT_VERSION:
        raise ArtifactError(
            f"has format version {int(found[1])}; this skposter reads version {FORMAT_VERSION}. "
            "Install the version of skposter that wrote it."
        )
    entries = {entry.filename: entry for entry in archive.infolist()}
    if set(entries) != {MANIFEST, ARRAYS, CARD} or len(archive.infolist()) != 3:
        raise ArtifactError(f"has the members {sorted(entries)[:10]}, which are not a model's.")
    for entry in entries.values():
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise ArtifactError(f"holds {entry.filename} compressed, which a model is not.")
        if entry.file_size > file_size:
            raise ArtifactError(f"declares {entry.filename} larger than the whole file.")
    if entries[MANIFEST].file_size > _MAX_MANIFEST:
        raise ArtifactError(f"has a manifest of {entries[MANIFEST].file_size} bytes.")
    text = archive.read(MANIFEST)
    _check_hash(MANIFEST, text, found[2].decode())
    manifest = parse_json(text, MANIFEST)
    if (manifest.pop("format", None), manifest.pop("format_version", None)) != (
        "skposter-model",
        FORMAT_VERSION,
    ):
        raise ArtifactError("has a manifest of another format.")
    declared = manifest.pop("members", None)
    members = {}
    for name, entry in zip((ARRAYS, CARD), expect(declared, "members", **_TWO), strict=True):
        size, digest = expect(entry, name, bytes=int, sha256=str)
        members[name] = archive.read(name)
        if len(members[name]) != size:
            raise ArtifactError(f"holds {len(members[name])} bytes of {name}, expected {size}.")
        _check_hash(name, members[name], digest)
    return manifest, members


_TWO = {ARRAYS: dict, CARD: dict}


def _check_hash(name, data, digest):
    if hashlib.sha256(data).hexdigest() != digest:
        raise ArtifactError(f"is damaged: the SHA-256 of {name} is not the one written down.")


def _explanation(start, error):
    if start[:1] == b"\x80" or start[:2] == b"\x1f\x8b" or start[:1] == b"x":
        return (
            "looks like a pickle. joblib.load reads those and runs what they say: use it only "
            "with files that you trust."
        )
    if start[:2] == b"PK":
        return f"is damaged or incomplete ({error})."
    return "is not a model written by skposter.save."


def _open_at_once(path, flags):
    """Open without waiting for a writer, which a named pipe would."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
