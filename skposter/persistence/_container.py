"""The file around a model: a zip archive of three members, each with its hash.

Nothing is compressed, so a file cannot unfold into something larger than itself, and what would
take more memory than its bytes (tables of members, JSON) is bounded before it is read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import zipfile

from skposter._files.durable import write_durably
from skposter._files.json_values import MAX_BYTES, brief, expect, one_line, parse_json
from skposter.exceptions import ArtifactError

__all__ = ["ARRAYS", "CARD", "FORMAT_VERSION", "is_container", "read_container", "write_container"]

FORMAT_VERSION = 2
MANIFEST, ARRAYS, CARD = "manifest.json", "arrays.safetensors", "README.md"
_MEMBERS = {ARRAYS: dict, CARD: dict}
# zipfile looks for the end of an archive in so many bytes, and three members take far less.
_MAX_TABLE = 70_000
# How pickles begin, as they are and as joblib compresses them.
_PICKLES = (b"\x80", b"\x1f\x8b", b"x", b"BZh", b"\xfd7zXZ", b"]\0\0", b"\x04\x22M\x18")
_MARK = b"skposter-model "
_COMMENT = re.compile(_MARK + rb"(\d{1,9}) sha256=([0-9a-f]{64})")


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
    text = json.dumps(manifest, ensure_ascii=False, allow_nan=False).encode()
    digest = hashlib.sha256(text).hexdigest()

    def write(file):
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, data in {MANIFEST: text, **members}.items():
                member = zipfile.ZipInfo(name)  # with a fixed date: equal models, equal files
                member.external_attr = 0o644 << 16
                archive.writestr(member, data)
            archive.comment = f"skposter-model {FORMAT_VERSION} sha256={digest}".encode()

    write_durably(path, write, verify)


def is_container(path):
    """Tell whether a file is an archive of this kind, in whatever version and however damaged."""
    with open(path, "rb") as file:
        return file.read(2) == b"PK" and _MARK in _end(file)


def _end(file):
    file.seek(max(0, os.fstat(file.fileno()).st_size - 200))
    return file.read()


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
    OSError
        If it cannot be opened.
    """
    with open(path, "rb", opener=_open_at_once) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ArtifactError("is not a regular file.")
        try:
            bounded = _BoundedReads(file, status.st_size)
            with zipfile.ZipFile(bounded) as archive:
                bounded.limit = None
                return _checked(archive, status.st_size)
        except ArtifactError:
            raise
        except Exception as error:  # zipfile has many for what is no archive
            file.seek(0)
            raise ArtifactError(_explanation(file.read(8), error)) from error


class _BoundedReads:
    """A file that gives no more than `limit` bytes at once.

    zipfile reads the table of members in one piece, and makes an object of 1 KB of each.
    """

    def __init__(self, file, size):
        self._file = file
        self._size = size
        self.limit: int | None = _MAX_TABLE

    def read(self, size=-1):
        asked = self._size - self._file.tell() if size < 0 else size
        if self.limit is not None and asked > self.limit:
            raise ArtifactError(f"has a table of members of {asked} bytes.")
        return self._file.read(size)

    def __getattr__(self, name):
        return getattr(self._file, name)


def _checked(archive, file_size):
    found = _COMMENT.fullmatch(archive.comment)
    if not found:
        if archive.comment.startswith(_MARK):  # zipfile takes one that was cut
            raise ArtifactError("is damaged or incomplete (its comment is not whole).")
        raise ArtifactError("is a zip archive, but not a model written by skposter.save.")
    _check_version(int(found[1]))
    entries = {entry.filename: entry for entry in archive.infolist()}
    if set(entries) != {MANIFEST, *_MEMBERS} or len(archive.infolist()) != 3:
        raise ArtifactError(f"has the members {brief(sorted(entries))}, which are not a model's.")
    for entry in entries.values():
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise ArtifactError(f"holds {entry.filename} compressed, which a model is not.")
        if entry.file_size > file_size:
            raise ArtifactError(f"declares {entry.filename} larger than the whole file.")
    for name in (MANIFEST, CARD):
        if entries[name].file_size > MAX_BYTES:
            raise ArtifactError(
                f"has {entries[name].file_size} bytes of {name}, and {MAX_BYTES} are the most."
            )
    manifest = _manifest(archive, found[2].decode())
    declared = manifest.pop("members", None)
    members = {}
    for name, entry in zip(_MEMBERS, expect(declared, "members", **_MEMBERS), strict=True):
        size, digest = expect(entry, name, bytes=int, sha256=str)
        members[name] = archive.read(name)
        if len(members[name]) != size:
            raise ArtifactError(f"holds {len(members[name])} bytes of {name}, expected {size}.")
        _check_hash(name, members[name], digest)
    return manifest, members


def _check_version(version):
    if version < FORMAT_VERSION:
        raise ArtifactError(
            f"has format version {version}, which an older skposter wrote, and this one reads "
            f"version {FORMAT_VERSION}: load it with that one, or train and save again."
        )
    if version > FORMAT_VERSION:
        raise ArtifactError(
            f"has format version {version}, which a newer skposter wrote, and this one reads "
            f"version {FORMAT_VERSION}: install the newer one."
        )


def _manifest(archive, digest):
    text = archive.read(MANIFEST)
    _check_hash(MANIFEST, text, digest)
    manifest = parse_json(text, MANIFEST)
    if (manifest.pop("format", None), manifest.pop("format_version", None)) != (
        "skposter-model",
        FORMAT_VERSION,
    ):
        raise ArtifactError("has a manifest of another format.")
    return manifest


def _check_hash(name, data, digest):
    if hashlib.sha256(data).hexdigest() != digest:
        raise ArtifactError(f"is damaged: the SHA-256 of {name} is not the one written down.")


def _explanation(start, error):
    if start.startswith(_PICKLES):
        return (
            "looks like a pickle. joblib.load reads those and runs what they say: use it only "
            "with files that you trust."
        )
    if start[:2] == b"PK":
        return f"is damaged or incomplete ({one_line(error)})."
    return "is not a model written by skposter.save."


def _open_at_once(path, flags):
    """Open without waiting for a writer, which a named pipe would."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
