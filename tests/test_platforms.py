"""Windows and macOS, as far as they can be simulated elsewhere."""

import json
import os
from pathlib import Path, PureWindowsPath

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from skposter.datasets import load_image_csv, write_image_csv


@pytest.fixture
def images(tmp_path):
    """A folder with two images, one in a folder of its own."""
    (tmp_path / "Images" / "Sub").mkdir(parents=True)
    for name, colour in (("Sub/a.jpg", "red"), ("b.jpg", "blue")):
        Image.new("RGB", (8, 8), colour).save(tmp_path / "Images" / name)
    return tmp_path / "Images"


def test_ids_written_on_windows_are_read_here_and_the_other_way_round(images, monkeypatch):
    ids = [PureWindowsPath("Sub", "a.jpg"), r"Sub\a.jpg", "b"]
    labels = np.array([[1, 0], [1, 0], [0, 1]])
    with monkeypatch.context() as windows:
        windows.setattr(os, "sep", "\\")
        write_image_csv(images.parent / "labels.csv", ids, labels, label_names=["red", "blue"])
    written = pd.read_csv(images.parent / "labels.csv")["Id"].tolist()
    assert written == ["Sub/a.jpg", "Sub/a.jpg", "b"]
    table = "Id,Genre\nSub\\a.jpg,red\nImages\\b,blue\n"
    for text in (table, table.replace("\\", "/")):
        (images.parent / "labels.csv").write_text(text)
        found = load_image_csv(images.parent / "labels.csv", images, label_column="Genre").paths
        assert [Path(path) for path in found] == [images / "Sub" / "a.jpg", images / "b.jpg"]


def test_names_of_one_file_on_a_disk_without_case_are_reported(images, monkeypatch):
    isdir, scandir = os.path.isdir, os.scandir

    def as_on_disk(path):
        return os.fspath(path).replace(f"{os.sep}sub", f"{os.sep}Sub")

    monkeypatch.setattr(os.path, "isdir", lambda path: isdir(as_on_disk(path)))
    monkeypatch.setattr(os, "scandir", lambda path: scandir(as_on_disk(path)))
    (images.parent / "labels.csv").write_text("Id,Genre\nSub/a,red\nsub/a,red\nb,blue\n")
    data = load_image_csv(images.parent / "labels.csv", images, label_column="Genre")
    assert data.problems["kind"].tolist() == ["names_differ_in_case"]
    assert "'Sub/a.jpg', 'sub/a.jpg'" in data.problems["detail"][0]


def test_the_cache_works_where_files_cannot_be_locked_as_on_unix(images, run_python):
    run_python(
        """
        import sys
        sys.modules["fcntl"] = None  # as on Windows
        from skposter import ImageLoader

        loader = ImageLoader((8, 8), cache_dir="pixels")
        first = loader.transform(sys.argv[1:])
        assert loader.cache_size() > first.nbytes
        assert (ImageLoader((8, 8), cache_dir="pixels").transform(sys.argv[1:]) == first).all()
        """,
        images / "Sub" / "a.jpg",
        images / "b.jpg",
    )


def test_images_load_in_processes_that_were_started_and_not_forked(images, run_python):
    done = run_python(
        """
        import json, multiprocessing, sys
        from skposter import ImageLoader

        loader = ImageLoader((8, 8), n_jobs=2, cache_dir="pixels")
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            waiting = [pool.apply_async(loader.transform, [sys.argv[1:]]) for _ in range(2)]
            same = [(each.get(120) == loader.transform(sys.argv[1:])).all() for each in waiting]
        print(json.dumps([bool(each) for each in same]))
        """,
        images / "Sub" / "a.jpg",
        images / "b.jpg",
    )
    assert json.loads(done.stdout) == [True, True]


def test_models_and_tables_are_written_where_folders_cannot_be_opened(tmp_path, monkeypatch):
    opened = os.open

    def as_on_windows(path, flags, *args, **kwargs):
        if os.path.isdir(path):
            raise PermissionError(13, "Permission denied", path)
        return opened(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", as_on_windows)
    write_image_csv(tmp_path / "labels.csv", ["a"], [["Drama"]])
    assert (tmp_path / "labels.csv").read_bytes().endswith(b"\n")
    assert b"\r" not in (tmp_path / "labels.csv").read_bytes()
