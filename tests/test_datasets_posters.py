import hashlib
import json
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skposter.datasets import load_image_csv, make_posters
from skposter.datasets._motifs import DISTRACTORS, MOTIFS, mask_of
from skposter.datasets._poster_drawing import PALETTES, _arrange, draw_poster
from skposter.exceptions import DataError

SMALL = {"n_samples": 6, "size": (60, 48)}


def digests(folder):
    files = [path for path in sorted(Path(folder).rglob("*")) if path.is_file()]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def posters(tmp_path_factory):
    folder = tmp_path_factory.mktemp("posters")
    return folder, make_posters(150, out_dir=folder, size=(60, 48), random_state=3)


def test_what_is_written_and_returned(posters):
    folder, data = posters
    assert sorted(path.name for path in folder.iterdir()) == [
        "Images",
        "labels.csv",
        "make_posters.json",
    ]
    assert data.paths[0] == str(folder / "Images" / "poster-00000.jpg")
    assert data.y.shape == (150, 12)
    assert data.label_names == sorted(MOTIFS)
    assert set(data.y.sum(axis=1)) == {1, 2, 3}
    assert data.frame.columns[:2].tolist() == ["Id", "Genre"]
    assert data.problems.empty
    again = load_image_csv(folder / "labels.csv", folder / "Images")
    assert again.y.equals(data.y)
    with Image.open(data.paths[0]) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (48, 60))


def test_labels_are_as_uneven_as_promised(tmp_path):
    frequencies = make_posters(400, out_dir=tmp_path, size=(48, 48)).y.mean()
    assert 0.35 < frequencies["Drama"] < 0.5
    assert 0.02 < frequencies["Western"] < 0.08
    assert frequencies.idxmax() == "Drama"


def test_same_bytes_for_the_same_random_state(tmp_path):
    for name in ("a", "b"):
        make_posters(**SMALL, out_dir=tmp_path / name, random_state=np.int64(5))
    make_posters(**SMALL, out_dir=tmp_path / "c", random_state=6)
    first, second, third = (digests(tmp_path / name) for name in "abc")
    assert first == second
    assert len(set(first.values()) & set(third.values())) == 0


def test_global_random_state_is_left_alone(tmp_path):
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    make_posters(**SMALL, out_dir=tmp_path / "a", random_state=np.random.RandomState(1))
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_first_posters_do_not_depend_on_how_many_follow(tmp_path):
    make_posters(**SMALL, out_dir=tmp_path / "a")
    make_posters(8, size=SMALL["size"], out_dir=tmp_path / "b")
    few, many = digests(tmp_path / "a" / "Images"), digests(tmp_path / "b" / "Images")
    assert len(few) == 6
    assert few.items() <= many.items()


def test_colours_and_places_do_not_depend_on_the_label():
    posters = [
        np.asarray(draw_poster([label], (60, 48), np.random.RandomState(9)), dtype=float)
        for label in MOTIFS
    ]
    differs = np.ptp(posters, axis=0).max(axis=-1) > 40
    # The same poster but for the silhouette.
    assert 0 < differs.mean() < 0.3
    assert len(np.unique(np.reshape(posters, (len(posters), -1)), axis=0)) == len(MOTIFS)


def test_every_ink_can_be_seen_on_both_backgrounds():
    weights = [0.299, 0.587, 0.114]
    for palette in PALETTES:
        luma = [np.dot(tuple(bytes.fromhex(colour)), weights) for colour in palette]
        assert len(luma) >= 4
        assert np.abs(np.subtract.outer(luma[2:], luma[:2])).min() > 70


def test_silhouettes_are_different_and_fill_their_square():
    masks = [np.asarray(mask_of(draw), float) / 255 for draw, _ in MOTIFS.values()]
    masks += [np.asarray(mask_of(draw), float) / 255 for draw in DISTRACTORS]
    for i, mask in enumerate(masks):
        assert 0.1 < mask.mean() < 0.9
        assert np.ptp(np.flatnonzero(mask.any(axis=0))) > 0.7 * mask.shape[1]
        for other in masks[:i]:
            assert np.abs(mask - other).mean() > 0.08


def test_shapes_do_not_hide_one_another():
    for seed in range(200):
        placed = _arrange(list(MOTIFS)[:3], 48, 223, 160, np.random.RandomState(seed))
        assert 3 <= len(placed) <= 7
        for i, (_, one) in enumerate(placed):
            assert one.radius > 0.06 * 160
            for _, other in placed[:i]:
                apart = np.hypot(one.x - other.x, one.y - other.y)
                assert apart >= one.radius + other.radius


@pytest.mark.parametrize("labels", [list(MOTIFS)[:3], ["Western"], []])
@pytest.mark.parametrize("size", [(48, 48), (48, 400), (400, 48), (240, 160)])
def test_any_size_can_be_drawn(labels, size):
    poster = draw_poster(labels, size, np.random.RandomState(0))
    assert poster.size == size[::-1]
    assert np.ptp(np.asarray(poster)) > 50


def test_fewer_labels(tmp_path):
    data = make_posters(**SMALL, out_dir=tmp_path, n_labels=2)
    assert data.label_names == ["Comedy", "Drama"]
    assert set(data.y.sum(axis=1)) <= {1, 2}


def test_one_poster(tmp_path):
    assert len(make_posters(1, out_dir=tmp_path / "new" / "folder").paths) == 1


def test_a_data_set_that_is_there_is_used_again(tmp_path, monkeypatch):
    first = make_posters(**SMALL, out_dir=tmp_path)
    monkeypatch.setattr("skposter.datasets._posters.draw_poster", None)
    second = make_posters(6, out_dir=str(tmp_path), size=[60, 48])
    assert second.paths.tolist() == first.paths.tolist()
    assert second.y.equals(first.y)


@pytest.mark.parametrize(
    "other", [{"n_samples": 5}, {"size": (48, 48)}, {"random_state": 1}, {"n_labels": 3}]
)
def test_a_data_set_of_other_parameters_is_an_error(tmp_path, other):
    make_posters(**SMALL, out_dir=tmp_path)
    before = digests(tmp_path)
    with pytest.raises(DataError, match=r"holds posters made with .* choose another out_dir"):
        make_posters(**{**SMALL, **other}, out_dir=tmp_path)
    assert digests(tmp_path) == before


@pytest.mark.parametrize("name", ["labels.csv", "Images"])
def test_files_of_others_are_not_touched(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(DataError, match=f"{name}' exists and is not from make_posters"):
        make_posters(**SMALL, out_dir=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_damaged_note_is_an_error(tmp_path):
    (tmp_path / "make_posters.json").write_text("{")
    with pytest.raises(DataError, match="holds posters made with None"):
        make_posters(**SMALL, out_dir=tmp_path)


def test_changed_labels_and_missing_images_are_errors(tmp_path):
    data = make_posters(**SMALL, out_dir=tmp_path)
    csv_path = tmp_path / "labels.csv"
    text = csv_path.read_text()
    csv_path.write_text("\n".join(text.splitlines()[:-1]))
    with pytest.raises(DataError, match="is not as it was written; delete it"):
        make_posters(**SMALL, out_dir=tmp_path)
    csv_path.write_text(text)
    Path(data.paths[2]).unlink()
    with pytest.raises(DataError, match="1 of 6 rows have no image"):
        make_posters(**SMALL, out_dir=tmp_path)
    csv_path.unlink()
    assert make_posters(**SMALL, out_dir=tmp_path).y.equals(data.y)


def test_an_interrupted_data_set_does_not_look_whole_and_is_finished_later(tmp_path, monkeypatch):
    whole = tmp_path / "whole"
    make_posters(**SMALL, out_dir=whole)
    calls = []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return draw_poster(*args)

    with monkeypatch.context() as patch:
        patch.setattr("skposter.datasets._posters.draw_poster", interrupted)
        with pytest.raises(KeyboardInterrupt):
            make_posters(**SMALL, out_dir=tmp_path / "half")
    assert not (tmp_path / "half" / "labels.csv").exists()
    with pytest.raises(DataError, match="holds posters made with"):
        make_posters(7, size=(60, 48), out_dir=tmp_path / "half")
    make_posters(**SMALL, out_dir=tmp_path / "half")
    assert digests(tmp_path / "half") == digests(whole)


def _make(out_dir):
    return make_posters(30, out_dir=out_dir, size=(60, 48)).y.to_numpy().sum()


def test_processes_that_make_the_same_data_set_at_once(tmp_path):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        sums = pool.map(_make, [tmp_path / "shared"] * 3)
    assert len(set(sums)) == 1
    _make(tmp_path / "alone")
    assert digests(tmp_path / "shared") == digests(tmp_path / "alone")


def test_what_the_folder_says_about_itself(tmp_path):
    make_posters(**SMALL, out_dir=tmp_path, n_labels=4)
    assert json.loads((tmp_path / "make_posters.json").read_text()) == {
        "made_by": "skposter.datasets.make_posters",
        "version": 1,
        "n_samples": 6,
        "random_state": 0,
        "n_labels": 4,
        "size": [60, 48],
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_samples": 0}, "n_samples: expected whole numbers from 1 to 100000, got 0"),
        ({"n_samples": 2.0}, "n_samples: expected"),
        ({"n_samples": True}, "n_samples: expected"),
        ({"n_labels": 1}, "n_labels: expected whole numbers from 2 to 12, got 1"),
        ({"n_labels": 13}, "n_labels"),
        ({"size": (47, 60)}, "size: expected whole numbers from 48 to 4096, got 47"),
        ({"size": (60, 48, 3)}, r"size=\(60, 48, 3\): expected \(height, width\)"),
        ({"size": 60}, r"size=60: expected \(height, width\)"),
        ({"random_state": -1}, "random_state: expected"),
        ({"random_state": "x"}, "cannot be used to seed"),
    ],
)
def test_wrong_arguments_write_nothing(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        make_posters(**{**SMALL, **options}, out_dir=tmp_path / "new")
    assert os.listdir(tmp_path) == []


def test_progress_is_shown_when_asked_for(tmp_path, capsys):
    make_posters(**SMALL, out_dir=tmp_path / "a")
    assert capsys.readouterr().err == ""
    make_posters(**SMALL, out_dir=tmp_path / "b", verbose=1)
    assert "drawing posters: 100%" in capsys.readouterr().err
