"""The archive around a model, with anything in it: what is written, and each way to be refused."""

import contextlib
import gzip
import hashlib
import json
import os
import pickle
import struct
import zipfile

import pytest
from platforms import needs_pipes

from skposter._files.json_values import MAX_BYTES
from skposter.exceptions import ArtifactError
from skposter.persistence._container import is_container, read_container, write_container

ARRAYS, CARD, MANIFEST = "arrays.safetensors", "README.md", "manifest.json"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.skposter"
    write_container(path, {"kind": "ä"}, b"12345678", "# Card", lambda path: None)
    return path


@pytest.fixture
def forge(path):
    """A function that writes the archive again with one thing changed, as a zip that is whole."""

    def forge(*, comment=None, manifest=None, compressed=(), **members):
        with zipfile.ZipFile(path) as archive:
            content = {name: archive.read(name) for name in archive.namelist()}
            old = archive.comment
        content |= members
        if manifest is not None:
            described = json.loads(content[MANIFEST])
            manifest(described)
            content[MANIFEST] = json.dumps(described).encode()
            old = old[:-64] + sha256(content[MANIFEST]).encode()
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in content.items():
                if data is not None:
                    how = zipfile.ZIP_DEFLATED if name in compressed else zipfile.ZIP_STORED
                    archive.writestr(name, data, how)
            archive.comment = old if comment is None else comment
        return path

    return forge


def refused(path, message):
    with pytest.raises(ArtifactError, match=message):
        read_container(path)


def test_what_is_written_is_read(path):
    manifest, members = read_container(path)
    assert manifest == {"kind": "ä"}
    assert members == {ARRAYS: b"12345678", CARD: b"# Card"}
    assert is_container(path)


def test_an_archive_written_again_is_read_too(forge):
    """So that what follows is refused for what was changed only."""
    assert read_container(forge())[0] == {"kind": "ä"}
    assert read_container(forge(manifest=lambda described: None))[0] == {"kind": "ä"}


def test_equal_models_are_equal_files_that_all_may_read(path, tmp_path):
    again = tmp_path / "again"
    write_container(again, {"kind": "ä"}, b"12345678", "# Card", lambda path: None)
    assert again.read_bytes() == path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            assert member.external_attr >> 16 == 0o644
            assert member.compress_type == zipfile.ZIP_STORED


def test_a_file_is_verified_before_it_takes_its_place(path):
    before = path.read_bytes()

    def verify(partial):
        assert read_container(partial)[1][ARRAYS] == b"new"
        raise ValueError("not good")

    with pytest.raises(ValueError, match="not good"):
        write_container(path, {}, b"new", "", verify)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("name", [ARRAYS, CARD, MANIFEST])
def test_a_member_that_was_changed_is_named_although_the_zip_is_whole(forge, name):
    refused(forge(**{name: b"87654321"[: 8 if name == ARRAYS else 6]}), f"SHA-256 of {name} is not")


def test_the_declared_size_counts(forge):
    def change(described):
        described["members"][CARD]["bytes"] = 7

    refused(forge(manifest=change), "holds 6 bytes of README.md, expected 7")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (None, "members: expected an object"),
        ({}, "members: has .*, expected"),
        ({ARRAYS: {"bytes": 8, "sha256": sha256(b"12345678")}}, "members: has"),
        ({ARRAYS: 1, CARD: {}}, "arrays.safetensors is of type int, expected dict"),
        ({ARRAYS: {"bytes": 8}, CARD: {}}, "arrays.safetensors: has .'bytes'., expected"),
        ({ARRAYS: {"bytes": True, "sha256": ""}, CARD: {}}, "bytes is of type bool"),
        ({ARRAYS: {"bytes": 8, "sha256": 1}, CARD: {}}, "sha256 is of type int"),
    ],
)
def test_a_list_of_members_of_another_form_is_refused(forge, members, message):
    refused(forge(manifest=lambda described: described.update(members=members)), message)


@pytest.mark.parametrize(
    ("name", "value"),
    [("format", "another"), ("format", None), ("format_version", 1), ("format_version", "2")],
)
def test_the_manifest_says_which_format_it_has(forge, name, value):
    change = {name: value}
    refused(forge(manifest=lambda described: described.update(change)), "manifest of another form")
    refused(forge(manifest=lambda described: described.pop(name)), "manifest of another format")


@pytest.mark.parametrize("name", [ARRAYS, CARD, MANIFEST])
def test_every_member_is_needed_once_and_uncompressed(forge, name):
    refused(forge(compressed=[name]), f"holds {name} compressed")
    refused(forge(**{name: None}), "has the members .*, which are not a model's")


def test_a_member_more_is_one_too_many(forge, path):
    refused(forge(other=b""), "has the members .*'other'")


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_a_member_that_is_there_twice_is_refused(path):
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(CARD, "# Card")
    refused(path, "has the members")


def test_a_member_larger_than_the_file_is_refused_before_it_is_read(path):
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    while data[at + 46 :].find(ARRAYS.encode()) != 0:
        at = data.index(b"PK\x01\x02", at + 1)
    data[at + 20 : at + 28] = struct.pack("<II", len(data) + 1, len(data) + 1)
    path.write_bytes(data)
    refused(path, "declares arrays.safetensors larger than the whole file")


@pytest.mark.parametrize("name", [CARD, MANIFEST])
def test_text_may_have_so_many_bytes_and_no_more(forge, name):
    """At the limit it is read, and refused for what it holds."""
    refused(forge(**{name: b"x" * MAX_BYTES}), f"SHA-256 of {name}|holds {MAX_BYTES} bytes")
    refused(forge(**{name: b"x" * (MAX_BYTES + 1)}), f"has {MAX_BYTES + 1} bytes of {name}, and")


@pytest.mark.parametrize(
    "comment",
    [
        b"",
        b"something else",
        b" skposter-model 2 sha256=" + b"0" * 64,
    ],
)
def test_an_archive_without_our_comment_is_no_model(forge, comment):
    refused(forge(comment=comment), "is a zip archive, but not a model written by skposter.save")


@pytest.mark.parametrize(
    "comment",
    [
        b"skposter-model 2 sha256=" + b"0" * 63,
        b"skposter-model 2 sha256=" + b"G" * 64,
        b"skposter-model x sha256=" + b"0" * 64,
        b"skposter-model 2 sha256=" + b"0" * 65,
    ],
)
def test_a_comment_of_ours_that_is_not_whole_is_damage(forge, comment):
    refused(forge(comment=comment), "is damaged or incomplete")


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (1, "version 1, which an older skposter wrote, .* 2: load it with that one"),
        (3, "version 3, which a newer skposter wrote, .* 2: install the newer"),
        (999_999_999, "version 999999999, which a newer"),
    ],
)
def test_another_version_says_so_before_anything_is_read(forge, version, message):
    refused(forge(comment=b"skposter-model %d sha256=" % version + b"0" * 64, other=b""), message)


def test_a_large_table_of_members_is_not_read(path):
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(2_000):
            archive.writestr(str(number), b"")
    refused(path, r"has a table of members of \d+ bytes")


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps([1], protocol=2),
        pickle.dumps([1], protocol=5),
        gzip.compress(b"", mtime=0),
        b"x\x9c",
        b"BZh9",
        b"\xfd7zXZ\0",
        b"]\0\0\x80",
        b"\x04\x22M\x18",
    ],
)
def test_pickles_are_recognised_however_joblib_compressed_them(tmp_path, data):
    path = tmp_path / "model.pkl"
    path.write_bytes(data + bytes(50))
    refused(path, "looks like a pickle. joblib.load reads those")
    assert not is_container(path)


@pytest.mark.parametrize("length", [2, 30, 100, -70, -1])
def test_an_archive_that_was_cut_is_called_incomplete(path, length):
    path.write_bytes(path.read_bytes()[:length])
    refused(path, "is damaged or incomplete")


@pytest.mark.parametrize("data", [b"", b"P", b"\x89HDF\r\n", b"KP\x03\x04"])
def test_other_files_are_no_models(tmp_path, data):
    path = tmp_path / "file"
    path.write_bytes(data)
    refused(path, "^is not a model written by skposter.save")
    assert not is_container(path)


def test_an_archive_of_ours_is_recognised_in_any_state(forge, tmp_path):
    assert is_container(forge(comment=b"skposter-model 9 sha256=" + b"0" * 64))
    assert is_container(forge(other=b"more"))
    assert not is_container(forge(comment=b"something else"))
    # The mark counts at the end only.
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("skposter-model 2", bytes(500))
        archive.comment = b"-" * 300
    assert not is_container(other)


@needs_pipes
def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "is not a regular file")
    with contextlib.suppress(FileNotFoundError):
        refused("/dev/zero", "is not a regular file")
