import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skposter.display import HistoryDisplay, LabelGridDisplay, draw_label_grid
from skposter.exceptions import ImageLoadError

GREEN, ORANGE, BLUE = (15, 138, 95), (201, 113, 58), (74, 111, 165)


def grey_images(n, height=30, width=20):
    return np.full((n, height, width, 3), 90, dtype=np.uint8)


def count(picture, colour):
    return int((np.asarray(picture) == colour).all(axis=-1).sum())


@pytest.fixture
def plt():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


@pytest.fixture
def paths(tmp_path):
    for i in range(4):
        Image.new("RGB", (20, 30), (60 * i, 90, 90)).save(tmp_path / f"{i}.png")
    return [str(tmp_path / f"{i}.png") for i in range(4)]


def brightness(paths):
    return np.array([[Image.open(path).getpixel((0, 0))[0]] for path in paths])


# --- the drawing ----------------------------------------------------------------------------------


def test_right_wrong_and_unjudged_predictions_have_their_colours():
    predictions = [[("Drama", 0.9), ("War", 0.1)]]
    right = draw_label_grid(grey_images(1), [("Drama", "War")], predictions)
    wrong = draw_label_grid(grey_images(1), [("Comedy",)], predictions)
    mixed = draw_label_grid(grey_images(1), [("Drama",)], predictions)
    blind = draw_label_grid(grey_images(1), None, predictions)
    shown = [
        [count(p, colour) > 0 for colour in (GREEN, ORANGE, BLUE)]
        for p in (right, wrong, mixed, blind)
    ]
    assert shown == [[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1]]
    # The longer bar is the likelier label's.
    assert count(mixed, GREEN) > count(mixed, ORANGE)


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
    pixels = np.asarray(picture)
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
    assert [[name for name, _ in row] for row in display.predictions] == [
        ["Comedy", "War"],
        ["Comedy", "Drama"],
    ]
    assert display.predictions[0][0] == ("Comedy", pytest.approx(0.7))
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
    assert (blind.truths, blind.predictions) == (None, [[("War", 0.6)]])
    with pytest.raises(ValueError, match=r"y_score has shape \(1, 3\)"):
        LabelGridDisplay.from_predictions(grey_images(1), [[1, 0]], [[0.1, 0.2, 0.3]])


def test_a_pipeline_over_paths_is_shown(plt, paths):
    y = pd.DataFrame([[1, 0], [1, 0], [0, 1], [0, 1]], columns=["Dark", "Bright"])
    pipe = make_pipeline(FunctionTransformer(brightness), KNeighborsClassifier(1)).fit(paths, y)
    display = LabelGridDisplay.from_estimator(pipe, np.array(paths), y, k=1, n_images=3)
    assert display.truths == [("Dark",), ("Dark",), ("Bright",)]
    assert [row[0] for row in display.predictions] == [("Dark", 1), ("Dark", 1), ("Bright", 1)]
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


def test_losses_are_plotted_by_epoch(plt):
    history = {"loss": [0.5, 0.3, 0.2], "val_loss": [0.6, 0.4, 0.45], "lr": [1, 1, 1]}
    display = HistoryDisplay(history).plot()
    lines = display.ax_.get_lines()
    assert [line.get_label() for line in lines] == ["training", "validation"]
    assert lines[1].get_xydata().tolist() == [[1, 0.6], [2, 0.4], [3, 0.45]]
    assert len(HistoryDisplay({"loss": [0.5]}).plot().ax_.get_lines()) == 1
    with pytest.raises(ValueError, match="The history has no 'auc'; it has loss, val_loss, lr"):
        HistoryDisplay(history).plot(metric="auc")


def test_a_history_is_found_inside_a_pipeline(plt):
    estimator = DummyClassifier()
    estimator.history_ = {"loss": [0.5, 0.4]}
    _, ax = plt.subplots()
    for wrapped in (estimator, make_pipeline("passthrough", estimator)):
        assert HistoryDisplay.from_estimator(wrapped, ax=ax).ax_ is ax
    with pytest.raises(ValueError, match="DummyClassifier has no history_: is it fitted"):
        HistoryDisplay.from_estimator(DummyClassifier())


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    for display in (LabelGridDisplay(grey_images(1)), HistoryDisplay({"loss": [1.0]})):
        with pytest.raises(ImportError, match=r"pip install skposter\[plot\]"):
            display.plot()
    assert draw_label_grid(grey_images(1)).mode == "RGB"
