"""Files that are there as a whole or not at all, on every system."""

import os
import stat

import pytest
from platforms import needs_links, needs_modes

from skposter._files import durable
from skposter._files.durable import patiently, write_durably
from skposter.datasets import write_image_csv


class KilledError(BaseException):
    """In place of a kill: nothing catches it."""


@needs_modes
def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "file"
    write_durably(path, lambda file: file.write(b"first"))
    path.chmod(0o640)

    def half(file):
        file.write(b"sec")
        raise KilledError

    with pytest.raises(KilledError):
        write_durably(path, half)
    assert path.read_bytes() == b"first"
    write_durably(path, lambda file: file.write(b"second"))
    assert path.read_bytes() == b"second"
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["file"]


def test_what_killed_processes_left_is_removed(tmp_path):
    old, new = tmp_path / ".file.0.partial", tmp_path / ".file.1.partial"
    for left in (old, new):
        left.touch()
    os.utime(old, (0, 0))
    write_durably(tmp_path / "file", lambda file: None)
    assert sorted(os.listdir(tmp_path)) == [".file.1.partial", "file"]


def test_a_file_is_on_the_disk_before_it_takes_its_place(tmp_path, monkeypatch):
    done = []
    sync, replace = os.fsync, os.replace

    def noted(number):
        kind = "folder" if stat.S_ISDIR(os.fstat(number).st_mode) else "file"
        size = os.fstat(number).st_size
        done.append(kind if kind == "folder" else (kind, size))
        sync(number)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(os, "replace", lambda *paths: (done.append("replace"), replace(*paths)))
    write_durably(tmp_path / "file", lambda file: file.write(b"12345"))
    assert done == [("file", 5), "replace", "folder"]
    done.clear()
    write_durably(tmp_path / "file", lambda file: file.write(b"123"), sync=False)
    assert done == ["replace"]
    assert (tmp_path / "file").read_bytes() == b"123"


@pytest.mark.parametrize("name", ["open", "fsync"])
def test_folders_that_cannot_be_put_on_the_disk_are_none_the_worse(tmp_path, monkeypatch, name):
    """Windows opens no folder, and some file systems know no such thing."""
    really = getattr(os, name)

    def refuse_folders(place, *args):
        if os.path.isdir(place) if name == "open" else stat.S_ISDIR(os.fstat(place).st_mode):
            raise OSError("not here")
        return really(place, *args)

    monkeypatch.setattr(os, name, refuse_folders)
    write_durably(tmp_path / "file", lambda file: file.write(b"1"))
    assert (tmp_path / "file").read_bytes() == b"1"


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors in /proc")
def test_no_descriptor_is_left_open(tmp_path):
    def fail(file):
        raise ValueError

    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(5):
        write_durably(tmp_path / "file", lambda file: file.write(b"1"))
        with pytest.raises(ValueError):  # noqa: PT011
            write_durably(tmp_path / "file", fail)
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_what_is_checked_and_not_good_does_not_take_its_place(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"first")

    def check(partial):
        with open(partial, "rb") as file:
            assert file.read() == b"second"
        raise ValueError("not good")

    with pytest.raises(ValueError, match="not good"):
        write_durably(path, lambda file: file.write(b"second"), check)
    assert path.read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["file"]


def test_text_has_the_line_ends_that_are_written(tmp_path):
    path = tmp_path / "text"
    write_durably(path, lambda file: file.write("\xe9\n\r\n"), encoding="cp1252")
    assert path.read_bytes() == b"\xe9\n\r\n"


@needs_links
def test_links_stay_and_what_they_name_is_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "file")
    write_durably(tmp_path / "link", lambda file: file.write(b"1"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "file").read_bytes() == b"1"


@pytest.mark.parametrize("name", ["x" * 255, "\N{BLACK HEART SUIT}" * 85, "a b", ".hidden"])
def test_every_name_that_a_file_may_have(name, tmp_path):
    write_durably(tmp_path / name, lambda file: file.write(b"1"))
    assert os.listdir(tmp_path) == [name]


def failing(action, times):
    """Return an action that another program keeps from being done a few times."""
    left = [times]

    def act(*arguments):
        if left[0]:
            left[0] -= 1
            raise PermissionError(13, "The process cannot access the file", arguments[0])
        return action(*arguments)

    return act


@pytest.fixture
def slept(monkeypatch):
    """The seconds that are waited for, without waiting."""
    waited = []
    monkeypatch.setattr(durable.time, "sleep", waited.append)
    return waited


def test_a_file_that_a_scanner_holds_for_a_moment_is_replaced(tmp_path, monkeypatch, slept):
    path = tmp_path / "file"
    path.write_bytes(b"first")
    monkeypatch.setattr(os, "replace", failing(os.replace, 3))
    write_durably(path, lambda file: file.write(b"second"))
    assert path.read_bytes() == b"second"
    assert len(slept) == 3
    monkeypatch.setattr(os, "replace", failing(os.replace, 1000))
    monkeypatch.setattr(os, "unlink", failing(os.unlink, 2))
    with pytest.raises(PermissionError):
        write_durably(path, lambda file: file.write(b"third"))
    assert path.read_bytes() == b"second"
    assert os.listdir(tmp_path) == ["file"], "what was half done is gone, if late"
    assert 2 < sum(slept[3:]) < 6


def test_only_what_is_not_permitted_is_tried_again(slept):
    with pytest.raises(FileNotFoundError):
        patiently(os.unlink, "nothing")
    assert slept == []


def test_tables_of_labels_are_written_so_too(tmp_path, monkeypatch, slept):
    monkeypatch.setattr(os, "replace", failing(os.replace, 2))
    write_image_csv(tmp_path / "a.csv", ["a"], [["x"]])
    assert len(slept) == 2
    assert (tmp_path / "a.csv").read_bytes() == b"Id,Genre,x\na,['x'],1\n"
