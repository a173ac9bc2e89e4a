"""What may stand for images: rows and containers of many libraries, or a refusal that helps."""

import io
import os
import pickle
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from skposter import ImageLoader
from skposter.exceptions import ImageLoadError, ImageLoadWarning
from skposter.model_selection import near_duplicate_groups

COLOURS = [(200, 10, 20), (30, 180, 40), (50, 60, 220)]


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for i, colour in enumerate(COLOURS):
        Image.new("RGB", (40 + i, 60), colour).save(folder / f"{i}.png")
    return [str(folder / f"{i}.png") for i in range(3)]


@pytest.fixture(scope="module")
def encoded(paths):
    return [Path(path).read_bytes() for path in paths]


@pytest.fixture(scope="module")
def archive(paths, tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "images.zip"
    with zipfile.ZipFile(path, "w") as file:
        for i, name in enumerate(paths):
            file.write(name, f"{i}.png")
    return path


@pytest.fixture
def loader():
    return ImageLoader(size=(3, 2), n_jobs=1)


def check(X):
    """Everything that takes images takes `X`, with the right pixels in the right rows."""
    wanted = np.broadcast_to(np.array(COLOURS, np.uint8)[:, None, None], (3, 3, 2, 3))
    loader = ImageLoader(size=(3, 2))
    np.testing.assert_array_equal(loader.fit_transform(X), wanted)
    np.testing.assert_array_equal(loader.set_params(lazy=True).transform(X)[1:], wanted[1:])
    assert near_duplicate_groups(X).tolist() == [0, 1, 2]
    assert loader.verify(X).empty


class OpensInBinary:
    """Like fsspec's OpenFile, which was told its mode when it was made."""

    def __init__(self, path, mode="rb"):
        self.path, self.mode = path, mode

    def open(self):
        return open(self.path, self.mode)


class OpensAsText(PurePosixPath):
    """Like UPath for a remote file: path-like, with a protocol, and ``open`` gives text."""

    protocol = "memory"

    def open(self, mode="r"):
        return open(str(self), mode)


@pytest.mark.parametrize("dtype", ["str", "string", "category", object])
def test_columns_of_pandas(paths, dtype):
    column = pd.Series(paths, index=["open", "read", "columns"], dtype=dtype)
    check(column)
    check(column.to_frame("column_names"))
    check(pd.Index(paths))


def test_columns_of_pandas_in_arrow(paths, encoded):
    pa = pytest.importorskip("pyarrow")
    for kind in (pa.string(), pa.large_string()):
        check(pd.Series(paths, dtype=pd.ArrowDtype(kind)))
    check(pd.DataFrame({"image": pd.Series(encoded, dtype=pd.ArrowDtype(pa.binary()))}))


def test_columns_and_tables_of_polars(paths, encoded, loader):
    pl = pytest.importorskip("polars")
    check(pl.Series("path", paths))
    check(pl.Series("path", encoded))
    check(pl.DataFrame({"path": paths}))
    check(pl.Series([{"bytes": content, "path": None} for content in encoded]))
    with pytest.raises(TypeError, match=r"got 2 columns: \['path', 'n'\]\. Select the column"):
        loader.transform(pl.DataFrame({"path": paths, "n": [1, 2, 3]}))
    with pytest.raises(TypeError, match=r"a LazyFrame, which is yet to be computed\. Collect it"):
        loader.transform(pl.LazyFrame({"path": paths}))
    with pytest.raises(ImageLoadError, match="row 1: None: is NoneType"):
        loader.transform(pl.Series([paths[0], None]))


def test_columns_and_tables_of_arrow(paths, encoded, loader):
    pa = pytest.importorskip("pyarrow")
    check(pa.array(paths))
    check(pa.array(paths).dictionary_encode())
    check(pa.chunked_array([paths[:1], paths[1:]]))
    check(pa.table({"path": paths}))
    check(pa.record_batch({"image": encoded}))
    check(pa.array([{"bytes": content, "path": "x.png"} for content in encoded]))
    check(list(pa.array(paths)))
    with pytest.raises(TypeError, match=r"got 2 columns: \['path', 'n'\]\. Select the column"):
        loader.transform(pa.table({"path": paths, "n": [1, 2, 3]}))


def test_cells_of_hugging_face(paths, encoded, loader):
    check([{"bytes": content, "path": "elsewhere.png"} for content in encoded])
    check([{"bytes": None, "path": path} for path in paths])
    check(pd.Series([{"bytes": content, "path": None} for content in encoded]))
    check(np.array([{"path": path} for path in paths], dtype=object))
    with pytest.raises(ImageLoadError) as info:
        loader.transform([{"bytes": None, "path": None}, {"image": 1, "label": 2}, {}])
    assert "row 0: {'bytes': None, 'path': None}: is a cell with neither bytes nor" in str(
        info.value
    )
    assert "is a dict with the keys ['image', 'label']; expected an image, or a cell" in str(
        info.value
    )
    assert len(info.value.failures) == 3


class DatasetOfHuggingFace:
    """Rows by number, columns by name, as ``datasets.Dataset`` has them."""

    def __init__(self, **columns):
        self._columns = columns

    @property
    def column_names(self):
        return list(self._columns)

    def __len__(self):
        return len(next(iter(self._columns.values())))

    def __getitem__(self, key):
        if isinstance(key, str):
            return self._columns[key]
        return {name: column[key] for name, column in self._columns.items()}


def test_datasets_of_hugging_face(paths, loader):
    check(DatasetOfHuggingFace(image=[Image.open(path) for path in paths]))
    with pytest.raises(TypeError, match=r"2 columns: \['image', 'label'\]\. Select the column"):
        loader.transform(DatasetOfHuggingFace(image=paths, label=[0, 1, 0]))


def test_what_opens(paths, archive):
    check([OpensInBinary(path) for path in paths])
    check([OpensAsText(path) for path in paths])
    check([zipfile.Path(archive, f"{i}.png") for i in range(3)])
    with zipfile.ZipFile(archive) as file:
        check([file.open(f"{i}.png") for i in range(3)])


def test_what_opens_is_opened_when_it_is_decoded(paths, loader):
    source = OpensInBinary(paths[0])
    lazy = loader.set_params(lazy=True).fit([OpensInBinary("nowhere")]).transform([source])
    before = lazy.fingerprint()
    assert pickle.loads(pickle.dumps(lazy)).fingerprint() == before
    source.path = paths[1]
    assert (np.asarray(lazy) == COLOURS[1]).all()
    assert lazy.fingerprint() != before


def test_what_does_not_open_is_reported(paths, archive, loader):
    rows = [
        OpensInBinary(paths[0]),
        OpensInBinary("nowhere.png"),
        zipfile.Path(archive, "nowhere.png"),
        OpensInBinary(paths[0], "r"),
        OpensInBinary(os.devnull),
    ]
    problems = loader.verify(rows)
    assert problems["row"].tolist() == [1, 2, 3, 4]
    assert problems["kind"].tolist() == ["missing", "missing", "unreadable", "not_an_image"]
    for row, detail in (
        (0, "cannot be opened (FileNotFoundError: "),
        (2, "'utf-8' codec can't decode byte 0x89"),
        (3, "is empty"),
    ):
        assert detail in problems["detail"][row]
    with pytest.raises(ImageLoadError, match="more than max_bytes=50"):
        loader.set_params(max_bytes=50).transform(rows[:1])


class Endless(io.RawIOBase):
    """Gives as many bytes as it is asked for."""

    asked = 0

    def read(self, size=-1):
        assert size is not None
        assert size >= 0, "all of it was asked for"
        self.asked += size
        return bytes(size)


class OpensWithoutEnd:
    def __init__(self):
        self.file = Endless()

    def open(self, mode="rb"):
        return self.file


def test_no_more_is_read_of_what_opens_than_is_accepted(loader):
    source = OpensWithoutEnd()
    with pytest.raises(ImageLoadError, match="more than max_bytes=50"):
        loader.set_params(max_bytes=50).transform([source])
    assert source.file.asked == 51


def test_verify_sees_copies_among_what_opens(paths, loader):
    rows = [OpensInBinary(path) for path in (paths[0], paths[1], paths[0])]
    assert loader.verify(rows)["row"].tolist() == [2]


def test_tensors_and_files_of_arrays(paths, encoded, loader, tmp_path):
    class Tensor:
        """Neither an ndarray nor iterable, as those of TensorFlow and PyTorch may be."""

        def __init__(self, array):
            self._array = np.asarray(array)
            self.shape, self.dtype = self._array.shape, f"tensor.{self._array.dtype}"

        def __array__(self, dtype=None, copy=None):
            return self._array

    pixels = np.stack([np.asarray(Image.open(path))[:, :40] for path in paths])
    check(Tensor(pixels))
    check([Tensor(image) for image in pixels])
    check([np.frombuffer(content, np.uint8) for content in encoded])
    check(Tensor(np.array(encoded, dtype=object)))
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "images.h5", "w") as file:
        file["pixels"], file["paths"] = pixels, paths
        check(file["pixels"])
        check(file["paths"].asstr())
        with pytest.raises(ImageLoadError, match=r"0\.png': is a path as bytes, .*decode it to s"):
            loader.transform(file["paths"])
        with pytest.raises(TypeError, match=r"a File with the keys \['paths', 'pixels'\]\. Pass"):
            loader.transform(file)


@pytest.mark.parametrize(
    "form",
    [
        lambda paths: np.array([os.fsencode(path) for path in paths]),
        lambda paths: [np.bytes_(os.fsencode(path)) for path in paths],
        lambda paths: np.array([os.fsencode(path) for path in paths], dtype=object),
    ],
)
def test_paths_as_bytes_are_refused_with_what_to_do(paths, loader, form):
    with pytest.raises(ImageLoadError, match=r"0\.png'\)?: is a path as bytes, .* decode it"):
        loader.fit(form(paths))


def test_channels_that_come_first_are_named(paths, loader):
    pixels = np.zeros((2, 3, 20, 10), np.uint8)
    with pytest.raises(TypeError, match=r"Move them: numpy\.moveaxis\(X, 1, -1\)"):
        loader.fit(pixels)
    with pytest.raises(ImageLoadError, match=r"come last: numpy\.moveaxis\(image, 0, -1\)"):
        loader.fit(list(pixels))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda paths: {"path": paths}, r"got a dict with the keys \['path'\]\. Pass what stands"),
        (lambda paths: {"bytes": b"x"}, "or, if it is a single image, wrap it in a list"),
        (lambda paths: iter(paths), r"got list_iterator\. list\(X\) makes one"),
        (lambda paths: (path for path in paths), r"got generator\. list\(X\) makes one"),
        (lambda paths: set(paths), r"got set\.$"),
        (lambda paths: OpensInBinary(paths[0]), "got a single one: .* Wrap it in a list"),
        (lambda paths: io.BytesIO(), "Wrap it in a list"),
        (lambda paths: np.array(paths[0]), r"got shape \(\)"),
    ],
)
def test_what_is_no_sequence_says_what_to_do(paths, loader, make, message):
    for use in (loader.fit, loader.verify, near_duplicate_groups):
        with pytest.raises(TypeError, match=message):
            use(make(paths))


ODD_NAMES = ["red\x1b]0;title\x07.jpg", "two\nlines.jpg", "right\u202eto left.jpg", "\udcff.jpg"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_in_messages_cannot_steer_a_terminal(loader, name):
    for use in (loader.transform, loader.fit, near_duplicate_groups):
        rows = ["nonsense://host/" + name] if use == loader.fit else [name]
        with pytest.raises(ImageLoadError) as info:
            use(rows)
        assert len(str(info.value).splitlines()) == 2
        assert all(c.isprintable() or c == "\n" for c in str(info.value))
        str(info.value).encode()
        assert info.value.path == rows[0]  # data stay what they were
        assert info.value.failures[0][1] == rows[0]
    with pytest.warns(ImageLoadWarning) as record:
        loader.set_params(on_error="blank").transform([name])
    assert len(str(record[0].message).splitlines()) == 3
    with pytest.raises(TypeError) as info:
        loader.transform(name)
    assert str(info.value).isprintable()


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_names_that_are_no_text_work_everywhere(paths, tmp_path):
    source = os.fsencode(tmp_path) + b"/caf\xe9\xff\n.png"
    try:
        Path(os.fsdecode(source)).write_bytes(Path(paths[0]).read_bytes())
    except OSError:
        pytest.skip("this file system takes text only")
    name = os.fsdecode(source)
    loader = ImageLoader(size=(3, 2), cache_dir=tmp_path / "cache")
    for _ in range(2):
        for X in (
            [name],
            [Path(name)],
            np.array([name]),
            pd.Series([name], dtype=object),
            [os.fspath(name)],
        ):
            assert (loader.transform(X) == COLOURS[0]).all()
    assert loader.verify([name, name])["kind"].tolist() == ["duplicate_content"]
    assert near_duplicate_groups([name, paths[1], name]).tolist() == [0, 1, 0]
    lazy = ImageLoader(lazy=True).transform([name])
    assert pickle.loads(pickle.dumps(lazy)).fingerprint() == lazy.fingerprint()


def test_a_name_that_no_file_can_have_is_missing(loader):
    name = "\ud800.png"  # not what os.fsdecode makes of bytes
    assert loader.verify([name])["kind"].tolist() == ["missing"]
    assert len(ImageLoader(lazy=True).transform([name]).fingerprint()) == 32


def test_what_macos_keeps_beside_a_file_is_named(loader, tmp_path):
    path = tmp_path / "._poster.jpg"
    path.write_bytes(b"\0\x05\x16\x07\0\x02\0\0Mac OS X        " + bytes(4000))
    with pytest.raises(ImageLoadError, match=r"it looks like what macOS keeps beside a file \(\._"):
        loader.transform([path])
