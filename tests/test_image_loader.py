"""The transformer: inputs, errors, scikit-learn's contract, memory."""

import io
import pickle
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn import config_context
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator_cloneable, check_mixin_order
from sklearn.utils.validation import check_is_fitted

from skposter import ImageLoader, LazyImages
from skposter.exceptions import ImageLoadError, ImageLoadWarning
from skposter.images import _free_memory

COLOURS = [(200, 10, 20), (30, 180, 40), (50, 60, 220)]


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for i, colour in enumerate(COLOURS):
        Image.new("RGB", (40 + i, 60), colour).save(folder / f"{i}.png")
    return [str(folder / f"{i}.png") for i in range(3)]


@pytest.fixture
def loader():
    return ImageLoader(size=(12, 8))


def expected():
    return np.broadcast_to(np.array(COLOURS, np.uint8)[:, None, None], (3, 12, 8, 3))


@pytest.mark.parametrize(
    "form",
    [
        list,
        tuple,
        lambda paths: [Path(path) for path in paths],
        np.array,
        lambda paths: np.array(paths, dtype=object),
        lambda paths: np.array(paths)[:, None],
        pd.Series,
        lambda paths: pd.Series(paths, index=[7, 3, 5], dtype=object),
        lambda paths: pd.DataFrame({"path": paths}),
        lambda paths: [Path(path).read_bytes() for path in paths],
        lambda paths: [io.BytesIO(Path(path).read_bytes()) for path in paths],
        lambda paths: [Image.open(path) for path in paths],
        lambda paths: [np.asarray(Image.open(path)) for path in paths],
        lambda paths: np.stack([np.asarray(Image.open(path))[:, :40] for path in paths]),
    ],
)
def test_every_form_of_input_gives_the_same_images(loader, paths, form):
    images = loader.fit_transform(form(paths))
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, expected())


def test_a_file_object_is_read_from_its_start_and_left_where_it_was(loader, paths):
    with open(paths[0], "rb") as file:
        file.seek(5)
        for _ in range(2):
            assert (loader.transform([file]) == COLOURS[0]).all()
        assert file.tell() == 5


def test_no_images_give_an_empty_array(loader):
    assert loader.transform([]).shape == (0, 12, 8, 3)
    assert ImageLoader(size=(12, 8), lazy=True).transform([]).shape == (0, 12, 8, 3)


def test_rows_that_are_no_source_are_all_refused_with_their_row(loader, paths):
    rows = [paths[0], None, float("nan"), 3, "ftp://u:pw@example.org/a.jpg", " ", np.zeros((4, 4))]
    for on_error in ("raise", "blank"):
        with pytest.raises(ImageLoadError) as info:
            loader.set_params(on_error=on_error).fit(rows)
        assert [index for index, _, _ in info.value.failures] == [1, 2, 3, 4, 5, 6]
    for text in (
        "row 1: None: is NoneType; expected a path",
        "row 2: nan: is float; expected a path",
        "row 3: 3: is int; expected a path",
        "row 4: ftp://example.org/a.jpg: is an address of 'ftp', which is read only if storage",
        "row 5:  : is an empty path",
        "row 6: <float64 array of shape (4, 4)>: an array must be uint8",
    ):
        assert text in str(info.value)


def test_a_missing_cell_of_a_series_is_refused_with_its_position(loader, paths):
    with pytest.raises(ImageLoadError, match=r"row 1: (nan: is float|None: is None)"):
        loader.transform(pd.Series([paths[0], None, paths[1]]))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("a.jpg", "Expected a sequence of images, got a single one: a.jpg. Wrap it in a list."),
        (Path("a.jpg"), "Wrap it in a list"),
        (b"\xff\xd8", "got a single one: <2 bytes>"),
        (pd.DataFrame({"Id": [1], "path": ["a"]}), "got 2 columns: ['Id', 'path']"),
        (np.zeros((3, 4, 5)), "got shape (3, 4, 5), dtype float64"),
        (np.zeros((3, 4, 5), np.uint8), "got shape (3, 4, 5), dtype uint8"),
        (np.array([["a", "b"]]), "got shape (1, 2)"),
        (7, "got int"),
        ({"a.jpg"}, "got set"),
    ],
)
def test_what_is_no_sequence_of_sources_is_a_type_error(loader, X, message):
    with pytest.raises(TypeError) as info:
        loader.transform(X)
    assert message in str(info.value)


def test_whitespace_around_a_path_gets_a_hint(loader, paths):
    with pytest.raises(ImageLoadError, match="ends with whitespace, and without it the file exi"):
        loader.transform([paths[0] + "\n"])


def test_an_error_survives_pickling_with_its_rows(loader, paths):
    with pytest.raises(ImageLoadError) as info:
        loader.transform([paths[0], "nowhere.jpg", paths[1], "neither.jpg"])
    again = pickle.loads(pickle.dumps(info.value))
    assert [index for index, _, _ in again.failures] == [1, 3]
    assert (again.index, again.path) == (1, "nowhere.jpg")
    assert str(again) == str(info.value)
    assert isinstance(again, ValueError)


def test_a_very_long_report_is_cut_but_complete_as_data(loader):
    with pytest.raises(ImageLoadError, match="and 500 more") as info:
        loader.transform([f"no-{i}.jpg" for i in range(1500)])
    assert len(info.value.failures) == 1500


def test_blank_is_mid_grey_in_its_row(loader, paths):
    with pytest.warns(ImageLoadWarning, match=r"row 1: nowhere\.jpg: no such file"):
        images = loader.set_params(on_error="blank").transform([paths[0], "nowhere.jpg", paths[2]])
    assert (images[1] == 128).all()
    np.testing.assert_array_equal(images[[0, 2]], expected()[[0, 2]])


def test_results_do_not_depend_on_threads_batch_or_order(paths):
    sources = paths * 30
    whole = ImageLoader(size=(12, 8), n_jobs=1).transform(sources)
    order = np.random.default_rng(0).permutation(90)
    threaded = ImageLoader(size=(12, 8), n_jobs=5).transform([sources[i] for i in order])
    np.testing.assert_array_equal(threaded, whole[order])
    one = ImageLoader(size=(12, 8)).transform(sources[:1])
    np.testing.assert_array_equal(one, whole[:1])


def test_one_pil_image_may_stand_in_many_rows(paths):
    with Image.open(paths[0]) as image:
        images = ImageLoader(size=(12, 8), n_jobs=8).transform([image] * 200)
    assert (images == COLOURS[0]).all()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"size": (0, 10)}, "size must be 2 whole numbers of 1 or more; got (0, 10)"),
        ({"size": (224.0, 160)}, "size must be 2 whole numbers"),
        ({"size": 224}, "size"),
        ({"background": (0, 0, 256)}, "background must be 3 whole numbers of 0 to 255"),
        ({"mode": "RGBA"}, "mode"),
        ({"resize": "squash"}, "resize"),
        ({"on_error": "skip"}, "on_error"),
        ({"max_pixels": 0}, "max_pixels"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"formats": ("JPEG", "MPO")}, "MPO files open as JPEG"),
        ({"formats": ("JPG",)}, "formats must name formats that Pillow reads, got ('JPG',)"),
        ({"formats": ()}, "formats must name formats"),
        ({"cache_limit": -1}, "cache_limit"),
    ],
)
def test_bad_parameters_are_named_by_fit_and_transform(paths, params, message):
    for method in ("fit", "transform"):
        with pytest.raises(ValueError, match=re.escape(message)):
            getattr(ImageLoader(**params), method)(paths)


def test_an_unknown_parameter_is_refused_at_once():
    with pytest.raises(TypeError, match="sise"):
        ImageLoader(sise=(10, 10))


def test_scikit_learns_contract(loader, paths):
    check_estimator_cloneable("ImageLoader", loader)
    check_mixin_order("ImageLoader", loader)
    tags = get_tags(loader)
    assert (tags.requires_fit, tags.input_tags.two_d_array, tags.input_tags.string) == (
        False,
        False,
        True,
    )
    check_is_fitted(loader)
    before = dict(vars(loader))
    assert loader.fit(paths) is loader
    loader.transform(paths)
    assert vars(loader) == before
    again = pickle.loads(pickle.dumps(clone(loader)))
    np.testing.assert_array_equal(again.transform(paths), expected())


def test_fit_opens_no_file(loader):
    loader.fit(["nowhere.jpg"])


@pytest.mark.parametrize("lazy", [False, True])
def test_global_output_settings_do_no_harm(loader, paths, lazy):
    loader.set_params(lazy=lazy)
    with config_context(transform_output="pandas"):
        for images in (
            loader.fit_transform(paths),
            loader.transform(paths),
            make_pipeline(clone(loader), "passthrough").fit_transform(paths),
        ):
            assert isinstance(images, LazyImages if lazy else np.ndarray)
    assert loader.set_output(transform="pandas") is loader
    assert isinstance(loader.transform(paths), LazyImages if lazy else np.ndarray)
    assert loader.get_feature_names_out().tolist() == ["image"]


def test_an_array_that_does_not_fit_is_refused_before_the_first_decode(monkeypatch):
    monkeypatch.setattr(_free_memory, "free_memory", lambda: 2**30)
    missing = ["nowhere.jpg"] * 20_000
    with pytest.raises(MemoryError) as info:
        ImageLoader(size=(224, 160)).transform(missing)
    assert str(info.value) == (
        "20,000 images of shape (224, 160, 3) take 2.0 GiB, and 1.0 GiB of memory are free. "
        "Use ImageLoader(lazy=True), or a smaller size."
    )
    lazy = ImageLoader(size=(224, 160), lazy=True).transform(missing)
    assert isinstance(lazy, LazyImages)
    with pytest.raises(MemoryError, match="Take them in batches"):
        np.asarray(lazy)


def test_progress_is_shown_when_asked_for(paths, capsys):
    ImageLoader(size=(8, 8), verbose=1).transform(paths)
    assert "Loading images: 100%" in capsys.readouterr().err
    ImageLoader(size=(8, 8), verbose=1).verify(paths)
    assert "Verifying images: 100%" in capsys.readouterr().err
    ImageLoader(size=(8, 8)).transform(paths)
    assert capsys.readouterr() == ("", "")


def test_verify_names_rows_with_the_same_content(loader, paths, tmp_path):
    copy = tmp_path / "copy.png"
    copy.write_bytes(Path(paths[1]).read_bytes())
    content = Path(paths[0]).read_bytes()
    problems = loader.verify([*paths, copy, "nowhere.jpg", paths[0], content])
    assert problems["row"].tolist() == [3, 4, 5, 6]
    kinds = ["duplicate_content", "missing", "duplicate_content", "duplicate_content"]
    assert problems["kind"].tolist() == kinds
    assert problems["detail"][0] == f"has the same content as row 1: {paths[1]}"
    assert problems["path"].tolist()[:3] == [str(copy), "nowhere.jpg", paths[0]]


def test_verify_of_good_images_is_an_empty_table(loader, paths):
    problems = loader.verify(paths)
    assert problems.empty
    assert list(problems.columns) == ["row", "path", "kind", "detail"]


def test_an_interrupt_stops_the_threads(paths, monkeypatch):
    from skposter.images import _decoding

    seen = []

    def interrupted(source, options):
        seen.append(source)
        raise KeyboardInterrupt

    monkeypatch.setattr(_decoding, "load_pixels", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ImageLoader(size=(12, 8), n_jobs=2, cache_limit=0).transform(paths * 1000)
    assert len(seen) < 3000
