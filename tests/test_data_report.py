"""The page about a data set."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.utils import Bunch

import skposter
from skposter import ImageLoader
from skposter.datasets import make_posters


@pytest.fixture(scope="module")
def odd_data(tmp_path_factory):
    """Posters, of which two are nearly the same, two are the same, one is cut off, one no image."""
    folder = tmp_path_factory.mktemp("odd")
    data = make_posters(16, out_dir=folder / "posters", n_labels=4, size=(90, 60))
    paths = list(data.paths)
    with Image.open(paths[0]) as image:
        image.resize((120, 180)).save(folder / "larger.jpg", quality=70)
    (folder / "copy.jpg").write_bytes(Path(paths[1]).read_bytes())
    (folder / "cut.jpg").write_bytes(Path(paths[2]).read_bytes()[:900])
    (folder / "text.jpg").write_text("<html>")
    more = [str(folder / name) for name in ("larger.jpg", "copy.jpg", "cut.jpg", "text.jpg")]
    y = pd.concat([data.y, data.y.iloc[[0, 3, 2, 2]]], ignore_index=True)
    y["rare <b>"] = 0
    y.loc[5, "rare <b>"] = 1
    problems = pd.DataFrame(
        [(7, "p7", "row_without_labels", "carries no label")],
        columns=["row", "id", "kind", "detail"],
    )
    return Bunch(paths=np.array(paths + more, dtype=object), y=y, problems=problems)


@pytest.fixture(scope="module")
def page(odd_data, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "check.html"
    problems = ImageLoader().verify(odd_data.paths)
    return skposter.data_report(odd_data, path, image_problems=problems, n_folds=3), path


def test_labels_are_counted_and_rare_ones_named(page, odd_data):
    report, path = page
    assert report.labels["images"].to_dict() == odd_data.y.sum().to_dict()
    assert report.labels.loc["rare <b>", "fewest_in_a_fold"] == 0
    text = path.read_text(encoding="utf-8")
    assert text.count("too rare") == (report.labels["images"] < 3).sum()
    assert "rare <b>" not in text
    assert "rare &lt;b&gt;" in text


def test_problems_of_rows_and_of_files_stand_together(page):
    report, path = page
    kinds = report.problems["kind"].tolist()
    assert sorted(kinds) == [
        "duplicate_content",
        "not_an_image",
        "row_without_labels",
        "truncated",
    ]
    text = path.read_text(encoding="utf-8")
    assert "1 row without labels" in text
    assert "carries no label" in text


def test_duplicates_and_near_duplicates_stand_side_by_side(page):
    report, path = page
    assert [group.tolist() for group in report.groups] == [[0, 16]]
    text = path.read_text(encoding="utf-8")
    assert "larger.jpg, row 16" in text


def test_without_verification_unreadable_files_are_found_all_the_same(odd_data):
    report = skposter.data_report(odd_data, near_duplicates=False)
    assert "not_an_image" in report.problems["kind"].tolist()
    assert report.groups == []
    assert "They were not looked for." in report.html


def test_unknown_labels_are_counted():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, size=(10, 20, 20, 3), dtype=np.uint8)
    y = pd.DataFrame(rng.integers(0, 2, size=(10, 2)).astype(float), columns=["a", "b"])
    y.iloc[:4, 0] = np.nan
    report = skposter.data_report(Bunch(paths=list(images), y=y))
    assert report.labels["unknown"].tolist() == [4, 0]
    assert report.labels.loc["a", "share"] == pytest.approx(y["a"].mean())
    assert "unknown labels of images" in report.html


def test_the_page_opens_quietly_and_sorts(opened, page):
    _, path = page
    for options in (
        {"color_scheme": "light"},
        {"color_scheme": "dark"},
        {"viewport": {"width": 360, "height": 740}},
    ):
        shown = opened(path, **options)
        assert shown.serious_violations() == []
        shown.check_quiet(path)
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 360
    shown.page.click(".sortable thead button >> text=Images")
    counts = shown.page.eval_on_selector_all(
        ".sortable tbody tr", "rows => rows.map(r => Number(r.cells[1].dataset.value))"
    )
    assert counts == sorted(counts, reverse=True)
