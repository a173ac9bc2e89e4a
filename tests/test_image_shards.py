"""Tar archives and Parquet files of images: indexes, reading, and training on them."""

import gzip
import io
import json
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline

from skposter import ImageLoader
from skposter._files import shards as shards_of_files
from skposter._training.batches import ImageBatches
from skposter._training.subsets import Subset
from skposter.datasets import load_image_shards
from skposter.exceptions import DataError, ImageLoadError

SIZE = (16, 16)
BLOCK = 512  # of tar archives


def encoded(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


PNG = encoded(np.full((4, 3, 3), 9, dtype=np.uint8))
WHOLE = [("a.png", PNG), ("a.txt", b"War"), ("b.png", PNG), ("b.txt", b"War")]


def write_tar(path, members):
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_parquet(path, columns, row_group_size=None):
    pq.write_table(pa.table(columns), path, row_group_size=row_group_size)
    return path


def names_of(row, columns=("red", "green", "blue")):
    return [name for name, there in zip(columns, row, strict=True) if there]


@pytest.fixture(scope="module")
def kinds(tmp_path_factory, colour_images):
    """The same 120 images and labels as files, tar archives and Parquet of both forms."""
    folder = tmp_path_factory.mktemp("shards")
    X, y = colour_images
    contents = [encoded(image) for image in X]
    paths = [folder / f"{i:03d}.png" for i in range(len(X))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    for part in range(3):
        members, rows = [], range(40 * part, 40 * part + 40)
        for i in rows:
            members.append((f"./{i:03d}.png", contents[i]))
            members.append((f"./{i:03d}.json", json.dumps(names_of(y[i])).encode()))
        write_tar(folder / f"{part}.tar", members)
        labels = {name: y[rows, j] for j, name in enumerate(("red", "green", "blue"))}
        images = [contents[i] for i in rows]
        write_parquet(folder / f"{part}.parquet", {"image": images, **labels}, 10)
        cells = [{"bytes": content, "path": None} for content in images]
        lists = [names_of(y[i]) for i in rows]
        write_parquet(folder / f"{part}.pq", {"image": cells, "labels": lists}, 10)
    return {"files": [str(path) for path in paths]} | {
        kind: load_image_shards(folder / f"*.{kind}") for kind in ("tar", "parquet", "pq")
    }


@pytest.mark.parametrize("kind", ["tar", "parquet", "pq"])
def test_images_and_labels_are_those_written(kinds, colour_images, kind):
    data = kinds[kind]
    np.testing.assert_array_equal(data.y[["red", "green", "blue"]], colour_images[1])
    images = ImageLoader(size=SIZE).transform(data.paths)
    np.testing.assert_array_equal(images, colour_images[0])
    assert set(data.problems["kind"]) == {"row_without_labels"}
    assert len(data.ids) == len(set(data.ids)) == len(data.frame) == 120
    assert "120 images, 3 labels" in repr(data)


@pytest.mark.parametrize("kind", ["parquet", "pq"])
def test_what_was_understood_can_be_said(kinds, kind):
    files = sorted(kinds[kind].frame["shard"].unique())
    again = load_image_shards(files, **kinds[kind].columns.arguments())
    assert again.y.equals(kinds[kind].y)
    assert "ids" not in str(again.columns)


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_places_are_small_and_survive_pickling(kinds, kind):
    paths = kinds[kind].paths
    assert len(pickle.dumps(paths)) < 100 * len(paths)
    again = pickle.loads(pickle.dumps(paths))
    assert again.tolist() == paths.tolist()
    assert again[0].open().read() == paths[0].open().read() == kinds["tar"].paths[0].open().read()
    assert len(set(paths)) == 120


@pytest.mark.parametrize(
    ("members", "labels"),
    [
        ([("a.txt", b"Sci-Fi\n War \n\n")], {"Sci-Fi", "War"}),
        ([("a.cls", b"War\n")], {"War"}),
        ([("a.json", b'["War", "Drama"]')], {"Drama", "War"}),
        ([("a.json", b'"War"')], {"War"}),
        ([("a.json", b"7")], {"7"}),
        ([("a.json", b'{"labels": ["War"], "width": 3}')], {"War"}),
        ([("a.json", b'{"War": 1, "Drama": 0, "url": "x"}')], {"War"}),
    ],
)
def test_every_form_of_labels_in_tar(tmp_path, members, labels):
    options = {"label_names": {"7": "7"}} if labels == {"7"} else {}
    path = write_tar(tmp_path / "a.tar", [("a.png", PNG), *members])
    y = load_image_shards(path, **options).y
    assert {name for name in y if y[name].item() == 1} == labels


def test_names_of_members_as_webdataset_has_them(tmp_path):
    members = [
        *(("x.y/a.png", PNG), ("x.y/a.txt", b"War"), ("x.y/a.seg.png", b"no image")),
        *(("b.PNG", PNG), ("b.cls", b"Drama"), ("._b.png", b"of macOS"), ("README", b"")),
    ]
    data = load_image_shards(write_tar(tmp_path / "a.tar", members))
    assert data.ids.tolist() == ["x.y/a", "b"]
    assert data.y.columns.tolist() == ["Drama", "War"]


def test_several_members_are_asked_about(tmp_path):
    members = [("a.jpg", b"no"), ("a.png", PNG), ("a.txt", b"a caption"), ("a.json", b'["War"]')]
    path = write_tar(tmp_path / "a.tar", members)
    with pytest.raises(DataError, match=r"a\.tar'.*'a'.*'a\.jpg', 'a\.png'.*image_extension='jpg'"):
        load_image_shards(path)
    with pytest.raises(DataError, match="label_extension='txt' or label_extension='json'"):
        load_image_shards(path, image_extension="png")
    data = load_image_shards(path, image_extension="png", label_extension="json")
    assert data.label_names == ["War"]
    assert data.paths[0].open().read() == PNG


def test_the_same_member_twice_is_an_error(tmp_path):
    path = write_tar(tmp_path / "a.tar", [("a.png", PNG), ("a.png", PNG), ("a.txt", b"War")])
    with pytest.raises(DataError, match=r"'a\.png' is there twice"):
        load_image_shards(path)


def test_samples_that_lack_something(tmp_path):
    members = [("a.png", PNG), ("a.txt", b"War"), ("b.png", PNG), ("c.txt", b"War")]
    path = write_tar(tmp_path / "a.tar", members)
    with pytest.raises(DataError, match=r"a\.tar'.*sample 'c': the sample has no image"):
        load_image_shards(path)
    data = load_image_shards(path, on_missing="drop")
    assert data.ids.tolist() == ["a"]
    assert data.problems["kind"].tolist() == ["missing_image", "missing_labels"]
    assert data.problems["id"].tolist() == ["c", "b"]


def test_verify_finds_the_same_content(tmp_path):
    paths = load_image_shards(write_tar(tmp_path / "a.tar", WHOLE)).paths
    assert ImageLoader().verify(paths)["kind"].tolist() == ["duplicate_content"]


def test_a_name_in_two_archives_is_told(tmp_path):
    for name in ("a", "b"):
        write_tar(tmp_path / f"{name}.tar", [("7.png", PNG), ("7.txt", b"War")])
    data = load_image_shards(tmp_path / "*.tar")
    assert data.problems["kind"].tolist() == ["duplicate_id"]
    assert "a.tar" in data.problems["detail"].item()


@pytest.mark.parametrize("n_bytes", [0, 1, 100, 512, 600, 1024, 1100, 2048, 3072, 3600, 4096])
def test_a_tar_that_was_cut_short_is_an_error_wherever(tmp_path, n_bytes):
    path = write_tar(tmp_path / "a.tar", WHOLE)
    with open(path, "r+b") as file:
        file.truncate(n_bytes)
    with pytest.raises(DataError, match=r"a\.tar'.*no whole tar archive"):
        load_image_shards(path)


def test_a_damaged_header_or_a_second_archive_is_an_error(tmp_path):
    path = write_tar(tmp_path / "a.tar", WHOLE)
    content = bytearray(path.read_bytes())
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(content[: 4 * BLOCK] + b"\xff" * BLOCK + content[5 * BLOCK :])
    with pytest.raises(DataError, match="damaged"):
        load_image_shards(damaged)
    path.write_bytes(content + content)
    with pytest.raises(DataError, match="more data behind its end"):
        load_image_shards(path)


def test_what_is_no_shard(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing matches"):
        load_image_shards(tmp_path / "*.tar")
    with pytest.raises(DataError, match="is empty"):
        load_image_shards([])
    with pytest.raises(DataError, match="is a folder"):
        load_image_shards(tmp_path)
    tar = write_tar(tmp_path / "a.tar", WHOLE)
    parquet = write_parquet(tmp_path / "a.parquet", {"image": [PNG], "labels": [["War"]]})
    with pytest.raises(DataError, match="read apart"):
        load_image_shards([tar, parquet])
    with pytest.raises(DataError, match="twice"):
        load_image_shards([tar, tar])
    with pytest.raises(DataError, match="image_extension"):
        load_image_shards(tar, image_column="png")
    with pytest.raises(DataError, match="image_column"):
        load_image_shards(parquet, image_extension="png")
    zipped = tmp_path / "b.tar"
    zipped.write_bytes(gzip.compress(tar.read_bytes()))
    with pytest.raises(DataError, match="compressed"):
        load_image_shards(zipped)
    with pytest.raises(DataError, match="address"):
        load_image_shards("s3://bucket/a.tar")
    for ending in ("tar", "parquet"):
        empty = write_tar(tmp_path / "none.tar", [])
        if ending == "parquet":
            empty = write_parquet(
                tmp_path / "none.parquet", {"image": pa.array([], pa.binary()), "War": []}
            )
        with pytest.raises(DataError, match=f"no samples in .*none.{ending}"):
            load_image_shards(empty)
    (tmp_path / "c.parquet").touch()
    with pytest.raises(DataError, match=r"c\.parquet'.*cannot be read as Parquet"):
        load_image_shards(tmp_path / "c.parquet")
    parquet.write_bytes(parquet.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"a\.parquet'.*cannot be read as Parquet"):
        load_image_shards(parquet)


def test_columns_of_parquet_that_are_not_there_or_not_clear(tmp_path):
    columns = {"image": [PNG], "mask": [PNG], "labels": [["War"]], "caption": ["x y"]}
    path = write_parquet(tmp_path / "a.parquet", columns)
    with pytest.raises(DataError, match="image_column='image' or image_column='mask'"):
        load_image_shards(path)
    with pytest.raises(DataError, match="no column 'images', did you mean 'image'"):
        load_image_shards(path, image_column="images")
    with pytest.raises(DataError, match="'caption' is of type string"):
        load_image_shards(path, image_column="caption")
    with pytest.raises(DataError, match="no column 'label', did you mean 'labels'"):
        load_image_shards(path, image_column="image", label_column="label")
    data = load_image_shards(path, image_column="image", label_column="labels")
    assert data.frame.columns.tolist() == ["shard", "sample", "labels"]


def test_a_cell_that_is_no_label_is_named_with_its_file_and_row(tmp_path):
    write_parquet(tmp_path / "a.parquet", {"image": [PNG] * 3, "War": [0, 1, 1]})
    write_parquet(tmp_path / "b.parquet", {"image": [PNG] * 3, "War": [0, 1, 7]})
    with pytest.raises(DataError, match=r"row 5, .*\(row 5 is row 2 of .*b\.parquet'\)"):
        load_image_shards(tmp_path / "*.parquet", label_columns=["War"])


def test_bad_images_are_named_with_file_and_row(tmp_path):
    images = [PNG, b"no image", None, PNG]
    parquet = write_parquet(tmp_path / "a.parquet", {"image": images, "War": [0, 1, 1, 0]}, 2)
    with pytest.raises(ImageLoadError) as caught:
        ImageLoader().transform(load_image_shards(parquet).paths)
    assert [(row, name) for row, name, _ in caught.value.failures] == [
        (1, f"{parquet}, row 1"),
        (2, f"{parquet}, row 2"),
    ]
    tar = write_tar(tmp_path / "a.tar", [("a.png", b"no"), ("a.txt", b"War")])
    with pytest.raises(ImageLoadError, match=r"a\.tar, member 'a\.png'"):
        ImageLoader().transform(load_image_shards(tar).paths)


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_a_file_that_has_changed_since_is_refused(tmp_path, kind):
    def write(content):
        if kind == "tar":
            return write_tar(tmp_path / "a.tar", [("a.png", content), ("a.txt", b"War")])
        return write_parquet(tmp_path / "a.parquet", {"image": [content], "War": [1]})

    path = write(PNG)
    before = load_image_shards(path).paths
    write(encoded(np.zeros((9, 9, 3), dtype=np.uint8)))
    os.utime(path, ns=(1, 1))
    with pytest.raises(ImageLoadError, match="has changed since its index was read"):
        ImageLoader().transform(before)
    after = load_image_shards(path).paths
    assert ImageLoader().transform(after).max() == 0
    lazy = [ImageLoader(lazy=True).transform(paths) for paths in (before, after)]
    assert lazy[0].fingerprint() != lazy[1].fingerprint()
    assert lazy[0].keys_of_images() != lazy[1].keys_of_images()


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_keys_and_fingerprints_read_no_image(kinds, kind, monkeypatch):
    images = ImageLoader(lazy=True).transform(kinds[kind].paths)
    monkeypatch.setattr(type(kinds[kind].paths[0]), "open", None)
    assert len(set(images.keys_of_images())) == len(images)
    assert images[:10].fingerprint() != images[10:20].fingerprint()
    assert images.fingerprint() == pickle.loads(pickle.dumps(images)).fingerprint()


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_decoded_pixels_are_kept(kinds, kind, tmp_path, monkeypatch):
    loader = ImageLoader(size=SIZE, cache_dir=tmp_path)
    first = loader.transform(kinds[kind].paths)
    monkeypatch.setattr(type(kinds[kind].paths[0]), "open", None)
    np.testing.assert_array_equal(loader.transform(kinds[kind].paths), first)


@pytest.fixture
def groups_read(monkeypatch):
    read = []
    read_group = shards_of_files.read_group

    def count(path, column, group):
        read.append((Path(path).name, group))
        return read_group(path, column, group)

    monkeypatch.setattr(shards_of_files, "read_group", count)
    monkeypatch.setattr(shards_of_files, "_groups", shards_of_files._Groups())
    return read


def test_each_row_group_is_read_once_an_epoch(kinds, groups_read):
    X = ImageLoader(size=SIZE, lazy=True, n_jobs=2).transform(kinds["pq"].paths)
    y = kinds["pq"].y.to_numpy(dtype=np.float32)
    batches = ImageBatches(Subset(X, y, np.arange(120)), 7, shuffle_seed=0)
    for _ in range(3):
        del groups_read[:]
        # What the epoch before has left is no help.
        shards_of_files._groups._kept.clear()
        images = np.concatenate([batch for batch, _ in batches.dataset().as_numpy_iterator()])
        assert len(groups_read) == len(set(groups_read)) == 12
        assert len(np.unique(images.reshape(120, -1), axis=0)) == 120
        assert len(shards_of_files._groups._kept) <= shards_of_files._KEPT_GROUPS
        batches.next_epoch()


def test_the_index_reads_no_image(kinds, groups_read):
    load_image_shards(Path(kinds["pq"].paths[0].file.path).parent / "*.pq")
    assert groups_read == []


def test_large_row_groups_make_room(kinds, groups_read, monkeypatch):
    monkeypatch.setattr(shards_of_files, "_KEPT_BYTES", 1)
    np.asarray(ImageLoader(size=SIZE, lazy=True).transform(kinds["pq"].paths))
    assert len(groups_read) >= 12
    assert len(shards_of_files._groups._kept) == 1


def test_images_of_shards_know_them(kinds):
    loader = ImageLoader(lazy=True)
    assert loader.transform(kinds["tar"].paths).shards().tolist() == [0] * 40 + [1] * 40 + [2] * 40
    groups = loader.transform(kinds["pq"].paths).shards()
    np.testing.assert_array_equal(groups, np.arange(120) // 10)
    assert loader.transform(kinds["files"]).shards() is None
    assert loader.transform([*kinds["files"][:1], *kinds["tar"].paths]).shards() is None


def trained(classifier, X, y):
    return classifier.fit(ImageLoader(size=SIZE, lazy=True).transform(X), y)


def test_training_is_that_on_plain_files_where_the_order_is(
    kinds, colour_labels, tiny_classifier, colour_images
):
    """Three archives are mixed as a whole, which is the order of plain files."""
    files, tar = (
        trained(tiny_classifier(epochs=2), X, colour_labels)
        for X in (kinds["files"], kinds["tar"].paths)
    )
    np.testing.assert_array_equal(
        files.predict_proba(colour_images[0]), tar.predict_proba(colour_images[0])
    )


def test_training_by_row_groups_learns(kinds, colour_labels, tiny_classifier, colour_images):
    classifier = trained(tiny_classifier(), kinds["parquet"].paths, colour_labels)
    predicted = classifier.predict(colour_images[0])
    assert (np.asarray(predicted) == colour_images[1]).mean() > 0.9


def test_cross_validation_in_processes(kinds, colour_labels, tiny_classifier):
    def scores(kind, n_jobs):
        pipeline = make_pipeline(ImageLoader(size=SIZE), tiny_classifier(epochs=1))
        X = kinds[kind] if kind == "files" else kinds[kind].paths
        return cross_val_predict(
            pipeline, X, colour_labels, cv=2, n_jobs=n_jobs, method="predict_proba"
        )

    np.testing.assert_array_equal(scores("parquet", 1), scores("files", 1))


class KilledError(BaseException):
    """In place of a kill: nothing catches it."""


def test_a_killed_training_goes_on(kinds, colour_labels, tiny_classifier, tmp_path, monkeypatch):
    # After each epoch, however quick the training is.
    monkeypatch.setattr("skposter._training.checkpoints._SHARE_FOR_WRITING", float("inf"))
    paths = kinds["parquet"].paths
    whole = trained(tiny_classifier(epochs=3), paths, colour_labels)
    kept = tiny_classifier(epochs=3, memory=str(tmp_path))
    next_epoch = ImageBatches.next_epoch
    begun = []

    def killed(self):
        begun.append(self._epoch)
        if len(begun) == 2:
            raise KilledError
        next_epoch(self)

    monkeypatch.setattr(ImageBatches, "next_epoch", killed)
    with pytest.raises(KilledError):
        trained(kept, paths, colour_labels)
    again = trained(kept, paths, colour_labels)
    assert begun.count(0) == 1  # the first epoch is not trained again
    images = ImageLoader(size=SIZE).transform(kinds["files"])
    np.testing.assert_array_equal(again.predict_proba(images), whole.predict_proba(images))
