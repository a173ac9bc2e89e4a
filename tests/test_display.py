import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skposter.display import (
    HistoryDisplay,
    LabelConfusionDisplay,
    LabelGridDisplay,
    PrecisionRecallLabelsDisplay,
    WorstImagesDisplay,
    draw_label_grid,
)
from skposter.exceptions import ImageLoadError

BARS = {
    "hit": (15, 138, 95),
    "false alarm": (208, 104, 42),
    "miss": (217, 194, 234),
    "rejection": (198, 202, 211),
    "predicted": (74, 111, 165),
    "not predicted": (195, 208, 228),
}


def grey_images(n, height=30, width=20):
    return np.full((n, height, width, 3), 90, dtype=np.uint8)


def count(picture, colour):
    return int((np.asarray(picture) == colour).all(axis=-1).sum())


@pytest.fixture
def paths(tmp_path):
    for i in range(4):
        Image.new("RGB", (20, 30), (60 * i, 90, 90)).save(tmp_path / f"{i}.png")
    return [str(tmp_path / f"{i}.png") for i in range(4)]


def brightness(paths):
    return np.array([[Image.open(path).getpixel((0, 0))[0]] for path in paths])


# --- the drawing ----------------------------------------------------------------------------------


def outcomes_in(picture):
    """Tell which outcomes have a bar in a picture."""
    return {name for name, colour in BARS.items() if count(picture, colour)}


@pytest.mark.parametrize(
    ("truth", "prediction", "expected"),
    [
        (("Drama",), ("Drama", 0.9, 0.4), "hit"),
        ((), ("Drama", 0.9, 0.4), "false alarm"),
        (("Drama",), ("Drama", 0.3, 0.4), "miss"),
        ((), ("Drama", 0.3, 0.4), "rejection"),
        (None, ("Drama", 0.9, 0.4), "predicted"),
        (None, ("Drama", 0.3, 0.4), "not predicted"),
        (("Drama",), ("Drama", 0.4, 0.4), "hit"),
        (("Drama",), ("Drama", 0.3), "miss"),
        (("Drama",), ("Drama", 0.08, 0.4, True), "hit"),
    ],
)
def test_each_outcome_has_its_colour(truth, prediction, expected):
    truths = None if truth is None else [truth]
    assert outcomes_in(draw_label_grid(grey_images(1), truths, [[prediction]])) == {expected}


def test_outcomes_differ_without_their_colours_too():
    signs = set()
    for truth, probability in ((("Drama",), 0.9), ((), 0.9), (("Drama",), 0.3), ((), 0.3)):
        picture = draw_label_grid(grey_images(1), [truth], [[("Drama", probability)]])
        pixels = np.asarray(picture)
        bar = np.flatnonzero((pixels == (236, 238, 242)).all(axis=-1).any(axis=1))[0]
        sign = pixels[bar - 22 : bar - 2, 20:36]  # above the bar, at the left of the name
        signs.add((sign.min(axis=-1) < 200).tobytes())
    assert len(signs) == 4


def test_a_label_that_nobody_knows_is_no_mistake():
    picture = draw_label_grid(
        grey_images(1), [("War",)], [[("Drama", 0.9), ("War", 0.8)]], unknowns=[["Drama"]]
    )
    assert outcomes_in(picture) == {"hit", "predicted"}


def test_the_threshold_is_a_line_across_the_bar():
    def column_of_line(threshold):
        pixels = np.asarray(draw_label_grid(grey_images(1), [()], [[("a", 0.0, threshold)]]))
        track = (pixels == (236, 238, 242)).all(axis=-1)
        dark = (pixels == (31, 36, 48)).all(axis=-1)
        return np.flatnonzero(dark[track.sum(axis=1) > 50].all(axis=0)).mean()

    assert column_of_line(0.75) - column_of_line(0.25) == pytest.approx(110, abs=2)


def test_captions_stand_above_the_labels():
    plain, captioned = (
        draw_label_grid(grey_images(1), [("Drama",)], captions=captions)
        for captions in (None, ["row 7"])
    )
    assert captioned.height > plain.height


def test_images_fill_rows_and_keep_their_shape():
    images = grey_images(7)
    one_row = draw_label_grid(images[:3])
    three_rows = draw_label_grid(images, columns=3)
    assert three_rows.width == one_row.width
    assert three_rows.height > 2.5 * one_row.height
    assert count(one_row, (90, 90, 90)) == pytest.approx(3 * 220 * 330, rel=0.01)
    wide = draw_label_grid(grey_images(1, height=10, width=40))
    assert count(wide, (90, 90, 90)) == pytest.approx(220 * 55, rel=0.01)
    long = draw_label_grid(grey_images(1, height=400, width=4))
    assert long.height < 2 * 220


def test_images_of_all_kinds_are_drawn():
    images = [
        np.zeros((30, 20), dtype=np.uint8),
        np.zeros((9, 9, 1), dtype=np.uint8),
        np.zeros((1, 1, 3), dtype=np.uint8),
        Image.new("RGBA", (20, 50)),
        Image.new("P", (20, 50)),
    ]
    assert draw_label_grid(images).mode == "RGB"
    with pytest.raises(ValueError, match="Images are uint8, got float64"):
        draw_label_grid(np.zeros((1, 30, 20, 3)))


def test_names_too_long_for_a_tile_are_cut_and_stay_inside():
    truths = [("An extraordinarily long genre name " * 3, "Drama", "War"), ("Drama",) * 20, ()]
    predictions = [[("Another extraordinarily long genre name " * 3, 1.0)], [], [(3, 0.0)]]
    picture = draw_label_grid(grey_images(3), truths, predictions, tile_width=100)
    pixels = np.asarray(picture)[:-45]  # without the explanation of the signs
    gaps = pixels[:, [0, 5, 114, 117, 224, 227, 338]]
    assert (gaps == 255).all()


def test_a_title_stands_above_the_grid():
    plain, titled = (
        draw_label_grid(grey_images(1)),
        draw_label_grid(grey_images(1), title="Held out"),
    )
    assert titled.height > plain.height
    assert not (np.asarray(titled)[: titled.height - plain.height] == 255).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "no image"),
        ((grey_images(2), [("Drama",)]), "Got 2 images and 1 truths"),
        ((grey_images(2), None, [[]]), "Got 2 images and 1 predictions"),
    ],
)
def test_lengths_must_agree(arguments, message):
    with pytest.raises(ValueError, match=message):
        draw_label_grid(*arguments)


def test_tiles_have_a_least_width():
    with pytest.raises(ValueError, match="tile_width is at least 80"):
        draw_label_grid(grey_images(1), tile_width=40)


# --- the displays ---------------------------------------------------------------------------------


def test_predictions_are_shown_best_first(plt):
    y_true = pd.DataFrame([[1, 0, 1], [0, 0, 0]], columns=["Drama", "Comedy", "War"])
    y_score = [[0.1, 0.7, 0.5], [0.2, 0.3, 0.1]]
    display = LabelGridDisplay.from_predictions(grey_images(2), y_true, y_score, k=2)
    assert display.truths == [("Drama", "War"), ()]
    assert [[label.name for label in row] for row in display.predictions] == [
        ["Comedy", "War", "Drama"],  # Drama is missed, so it is shown
        ["Comedy", "Drama"],
    ]
    assert display.predictions[0][0] == ("Comedy", pytest.approx(0.7), 0.5, True)
    shown = display.ax_.images[0].get_array()
    assert shown.shape == (display.picture_.height, display.picture_.width, 3)
    assert display.figure_ is display.ax_.figure


def test_either_side_can_be_missing(plt):
    names = ["Drama", "War"]
    _, ax = plt.subplots()
    alone = LabelGridDisplay.from_predictions(
        grey_images(1), [[1, 0]], None, label_names=names, ax=ax
    )
    assert alone.ax_ is ax
    assert (alone.truths, alone.predictions) == ([("Drama",)], None)
    blind = LabelGridDisplay.from_predictions(
        grey_images(1), None, [[0.2, 0.6]], label_names=names, k=1
    )
    assert (blind.truths, blind.predictions) == (None, [[("War", 0.6, 0.5, True)]])
    with pytest.raises(ValueError, match=r"y_score has shape \(1, 3\)"):
        LabelGridDisplay.from_predictions(grey_images(1), [[1, 0]], [[0.1, 0.2, 0.3]])


def test_a_pipeline_over_paths_is_shown(plt, paths):
    y = pd.DataFrame([[1, 0], [1, 0], [0, 1], [0, 1]], columns=["Dark", "Bright"])
    pipe = make_pipeline(FunctionTransformer(brightness), KNeighborsClassifier(1)).fit(paths, y)
    display = LabelGridDisplay.from_estimator(pipe, np.array(paths), y, k=1, n_images=3)
    assert display.truths == [("Dark",), ("Dark",), ("Bright",)]
    assert [row[0][:2] for row in display.predictions] == [("Dark", 1), ("Dark", 1), ("Bright", 1)]
    assert [image.shape for image in display.images] == [(495, 330, 3)] * 3
    with pytest.raises(ValueError, match="The labels have no names"):
        LabelGridDisplay.from_estimator(pipe, paths)
    pipe[-1].label_names_ = np.array(["a", "b"])
    assert LabelGridDisplay.from_estimator(pipe, paths).predictions[0][0][0] == "a"


def test_pixels_and_numbered_labels_are_shown(plt):
    y = np.array([[1, 0], [1, 1]])
    images = grey_images(2)
    estimator = DummyClassifier().fit(images.reshape(2, -1), y)
    display = LabelGridDisplay.from_estimator(estimator, images, y, columns=1, title="Two")
    assert display.truths == [(0,), (0, 1)]
    assert display.picture_.height > display.picture_.width


def test_a_turned_photograph_keeps_its_upright_shape(plt, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 20)).save(tmp_path / "turned.jpg", exif=exif)
    estimator = DummyClassifier().fit([[0], [0]], [[1, 0], [0, 1]])
    display = LabelGridDisplay.from_estimator(
        estimator, [tmp_path / "turned.jpg"], label_names=["a", "b"]
    )
    assert display.images[0].shape == (990, 330, 3)


def test_unreadable_images_are_named(plt, paths, tmp_path):
    (tmp_path / "text.jpg").write_text("no image")
    estimator = DummyClassifier().fit([[0], [0]], [[1, 0], [0, 1]])
    with pytest.raises(ImageLoadError, match=r"row 1: .*text.jpg"):
        LabelGridDisplay.from_estimator(
            estimator, [paths[0], tmp_path / "text.jpg"], label_names=["a", "b"]
        )


def test_thresholds_of_the_estimator_decide(plt, paths):
    y = pd.DataFrame([[1, 0], [1, 0], [0, 1], [0, 1]], columns=["Dark", "Bright"])
    pipe = make_pipeline(FunctionTransformer(brightness), KNeighborsClassifier(4)).fit(paths, y)
    pipe[-1].thresholds_ = np.array([0.6, 0.5])
    display = LabelGridDisplay.from_estimator(pipe, paths, y)
    assert [(p.name, p.threshold, p.predicted) for p in display.predictions[0]] == [
        ("Dark", 0.6, False),
        ("Bright", 0.5, True),
    ]
    pipe[-1].min_labels = 2
    assert LabelGridDisplay.from_estimator(pipe, paths, y).predictions[0][0].predicted


def test_labels_that_nobody_knows_are_shown_as_such(plt):
    y = [[1, np.nan], [np.nan, 0.0]]
    display = LabelGridDisplay.from_predictions(
        grey_images(2), y, [[0.9, 0.8], [0.1, 0.2]], label_names=["a", "b"]
    )
    assert display.truths == [("a",), ()]
    assert display.unknowns == [("b",), ("a",)]


def test_the_worst_images_come_first(plt, paths):
    y = pd.DataFrame([[1, 0], [1, 0], [0, 1], [0, 1]], columns=["a", "b"])
    y_score = np.array([[0.9, 0.1], [0.2, 0.1], [0.1, 0.4], [0.1, 0.01]])
    display = WorstImagesDisplay.from_predictions(paths, y, y_score, n_images=3)
    assert display.rows.tolist() == [3, 1, 2]
    assert display.losses[0] == pytest.approx(-np.log([0.9, 0.01]).mean())
    assert display.captions[0] == "row 3 · loss 2.36"
    of_a = WorstImagesDisplay.from_predictions(paths, y, y_score, label="a", n_images=1)
    assert (of_a.rows.tolist(), of_a.truths) == ([1], [("a",)])
    assert of_a.losses[0] == pytest.approx(-np.log(0.2))
    with pytest.raises(ValueError, match=r"There is no label 'A'\. Labels: a, b"):
        WorstImagesDisplay.from_predictions(paths, y, y_score, label="A")


def test_what_nobody_knows_is_no_loss(plt, paths):
    y = [[1, np.nan], [np.nan, np.nan], [0, 1], [np.nan, 1]]
    y_score = np.array([[0.5, 0.0], [0.0, 0.0], [0.5, 0.01], [0.5, 0.5]])
    display = WorstImagesDisplay.from_predictions(paths, y, y_score)
    assert display.rows.tolist() == [2, 0, 3]
    assert display.losses[1] == pytest.approx(np.log(2))


def test_only_the_images_that_are_shown_are_read(plt, paths):
    y = np.array([[0, 0], [1, 1], [0, 0], [0, 0], [1, 1]])
    y_score = np.full(y.shape, 0.4)
    y_score[4] = 0.99
    display = WorstImagesDisplay.from_predictions([*paths, "nowhere.png"], y, y_score, n_images=4)
    assert sorted(display.rows) == [0, 1, 2, 3]


def test_a_strip_of_an_image_takes_little_memory(plt):
    strip = Image.new("L", (2, 4000))
    display = WorstImagesDisplay.from_predictions([strip], [[1]], [[0.5]])
    assert display.images[0].shape[0] <= 1320


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    for display in (
        LabelGridDisplay(grey_images(1)),
        HistoryDisplay({"loss": [1.0]}),
        PrecisionRecallLabelsDisplay([[1, 1]], [[1, 0]], [1.0], [0.5], ["a"]),
        LabelConfusionDisplay(np.eye(2), ["a"]),
    ):
        with pytest.raises(ImportError, match=r"pip install skposter\[plot\]"):
            display.plot()
    assert draw_label_grid(grey_images(1)).mode == "RGB"
