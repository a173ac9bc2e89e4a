"""Heat maps: whether they lie where the thing is, for every kind of network and of image."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skposter import ImageLoader
from skposter.averaging import AveragingClassifier
from skposter.exceptions import ArtifactError
from skposter.inspection import Explanation, ExplanationDisplay, explain
from skposter.inspection._geometry import Placement

METHODS = ("hirescam", "gradcam", "layercam", "occlusion")
SIDE, SQUARE = 24, 6


def images_with_squares(n=120, seed=0):
    """Return images, labels and the corner of each label's square: label 0 red, 1 blue."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, size=(n, 2))
    X = rng.integers(90, 120, size=(n, SIDE, SIDE, 3), dtype=np.uint8)
    corners = rng.integers(0, SIDE - SQUARE, size=(n, 2, 2))
    for i in range(n):
        for j, channel in ((0, 0), (1, 2)):
            if y[i, j]:
                top, left = corners[i, j]
                patch = X[i, top : top + SQUARE, left : left + SQUARE]
                patch[:] = 40
                patch[..., channel] = 250
    return X, pd.DataFrame(y, columns=["red", "blue"]), corners


@pytest.fixture(scope="module")
def squares():
    return images_with_squares()


@pytest.fixture(scope="module")
def model(tiny_classifier, squares):
    X, y, _ = squares
    return tiny_classifier(epochs=40).fit(X, y)


def share_inside(heat, corner, side=SQUARE):
    """Return the share of a map's mass inside a box, with a margin as a convolution has."""
    top, left = np.maximum(corner - 2, 0)
    return heat[top : top + side + 4, left : left + side + 4].sum() / heat.sum()


def test_the_model_has_learned_the_squares(model, squares):
    X, y, _ = squares
    assert (model.predict(X) == y).mean().mean() > 0.95


@pytest.mark.parametrize("method", METHODS)
def test_the_map_lies_where_the_thing_is(model, squares, method):
    X, y, corners = squares
    rows = np.flatnonzero(y["red"].to_numpy() & y["blue"].to_numpy())[:6]
    found = explain(model, X[rows], ["red", "blue"], method=method)
    area = (SQUARE + 4) ** 2 / SIDE**2
    shares = [
        share_inside(explanation.heat_map(name), corners[row, j])
        for row, explanation in zip(rows, found, strict=True)
        for j, name in enumerate(["red", "blue"])
    ]
    assert np.mean(shares) > 3 * area
    for explanation in found:
        assert explanation.maps.dtype == np.float32
        assert explanation.maps.min() >= 0
        np.testing.assert_allclose(explanation.maps.max(axis=(1, 2)), 1)


def test_predicted_labels_are_explained_or_the_likeliest(model, squares):
    X, _, _ = squares
    probabilities = model.predict_proba(X[:10])
    for explanation, row in zip(explain(model, X[:10]), probabilities, strict=True):
        order = [name for p, name in sorted(zip(row, ["red", "blue"], strict=True))[::-1]]
        decided = [name for name in order if row[["red", "blue"].index(name)] >= 0.5]
        assert explanation.label_names == (decided or order[:1])
        assert explanation.probabilities[0] == row.max()


def test_errors_say_what_there_is(model, squares):
    X = squares[0][:1]
    with pytest.raises(ValueError, match=r"There is no label 'bleu'\. Did you mean 'blue'"):
        explain(model, X, "bleu")
    with pytest.raises(ValueError, match="method is one of gradcam, hirescam"):
        explain(model, X, method="lime")
    with pytest.raises(ValueError, match=r"has no layer 'conv_9'.*relu_1"):
        explain(model, X, layer="conv_9")
    with pytest.raises(ValueError, match="labels is empty"):
        explain(model, X, [])
    with pytest.raises(ValueError, match=r"'red' was not explained.*There are: blue"):
        explain(model, X, "blue")[0].heat_map("red")
    assert explain(model, X[:0]) == []


def test_a_layer_can_be_chosen(model, squares):
    X = squares[0][:1]
    assert explain(model, X, layer="relu_1")[0].maps.shape[1:] == (12, 12)


def test_explaining_changes_no_prediction(model, squares):
    X = squares[0][:8]
    before = model.predict_proba(X)
    explain(model, X)
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_what_is_no_network_is_refused_with_the_way_out(squares):
    X, y, _ = squares
    flat = FunctionTransformer(lambda X: X.reshape(len(X), -1))
    forest = make_pipeline(flat, RandomForestClassifier(20, random_state=0)).fit(X, y)
    names = ["red", "blue"]
    with pytest.raises(ValueError, match=r'RandomForestClassifier is no network.*"occlusion"'):
        explain(forest, X[:1], label_names=names)
    found = explain(forest, X[:1], "red", method="occlusion", label_names=names)
    assert found[0].heat_map().shape == (SIDE, SIDE)


def test_a_network_that_is_not_fitted_is_refused(tiny_classifier, squares):
    with pytest.raises((ValueError, NotFittedError, ArtifactError)):
        explain(tiny_classifier(), squares[0][:1], label_names=["red", "blue"])


# --- networks of the user's -----------------------------------------------------------------------


def nested(meta):
    import keras

    inner = keras.Sequential(
        [
            keras.Input(meta["input_shape"]),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="features"),
        ]
    )
    outer = [keras.Input(meta["input_shape"], dtype="uint8"), inner]
    outer += [
        keras.layers.GlobalMaxPooling2D(),
        keras.layers.Dense(2),
        keras.layers.Activation("sigmoid"),
    ]
    return keras.Sequential(outer)


def of_operations(meta):
    import keras

    images = keras.Input(meta["input_shape"], dtype="uint8")
    x = keras.ops.cast(images, "float32") / 255
    x = keras.layers.Conv2D(8, 3, padding="same")(x)
    x = keras.ops.relu(x)
    x = keras.ops.max(x, axis=(1, 2))
    return keras.Model(images, keras.ops.sigmoid(keras.layers.Dense(2)(x)))


def of_a_class(meta):
    import keras

    class Network(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv = keras.layers.Conv2D(8, 3, padding="same", activation="relu")
            self.pool = keras.layers.GlobalMaxPooling2D()
            self.out = keras.layers.Dense(2, activation="sigmoid")

        def call(self, images):
            return self.out(self.pool(self.conv(keras.ops.cast(images, "float32") / 255)))

    network = Network()
    network(np.zeros((1, *meta["input_shape"]), dtype=np.uint8))
    return network


def without_features(meta):
    import keras

    return keras.Sequential(
        [
            keras.Input(meta["input_shape"], dtype="uint8"),
            keras.layers.Rescaling(1 / 255, name="rescaling"),
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="sigmoid"),
        ],
        name="perceptron",
    )


@pytest.mark.parametrize(
    ("network", "augmentation"),
    [(nested, "light"), (of_operations, "none"), (of_a_class, "none")],
)
def test_networks_of_every_build_are_explained(tiny_classifier, squares, network, augmentation):
    X, y, corners = squares
    model = tiny_classifier(network=network, augmentation=augmentation, epochs=25).fit(X, y)
    rows = np.flatnonzero(y["red"])[:6]
    found = explain(model, X[rows], "red")
    shares = [
        share_inside(each.heat_map(), corners[row, 0])
        for row, each in zip(rows, found, strict=True)
        if each.maps.any()
    ]
    assert np.mean(shares) > 0.5


def test_a_network_without_feature_maps_is_refused_by_name(tiny_classifier, squares):
    X, y, _ = squares
    model = tiny_classifier(network=without_features, epochs=1)
    model.fit(X, y)
    with pytest.raises(ValueError, match=r"network 'perceptron' has no feature maps.*occlusion"):
        explain(model, X[:1])
    assert explain(model, X[:1], "red", method="occlusion")[0].maps.shape == (1, SIDE, SIDE)


# --- wrappers -------------------------------------------------------------------------------------


def test_mirrored_predictions_have_mirrored_maps(tiny_classifier, squares, model):
    import copy

    X = squares[0][:4]
    both = copy.deepcopy(model).set_params(tta=True)
    here = explain(both, X, ["red", "blue"])
    there = explain(both, X[:, :, ::-1], ["red", "blue"])
    for one, other in zip(here, there, strict=True):
        np.testing.assert_allclose(one.maps, other.maps[:, :, ::-1], atol=1e-5)


def test_maps_of_averaged_networks_are_averaged(tiny_classifier, squares):
    X, y, _ = squares
    average = AveragingClassifier(tiny_classifier(epochs=3), n_estimators=2, random_state=0)
    average.fit(X, y)
    found = explain(average, X[:1], "red")[0].maps
    maps = [explain(each, X[:1], "red")[0].maps for each in average.estimators_]
    np.testing.assert_allclose(
        found, np.mean(maps, axis=0) / np.mean(maps, axis=0).max(), rtol=1e-5
    )


def test_paths_go_in_and_maps_over_the_files_come_out(tmp_path, tiny_classifier, squares, plt):
    X, y, corners = squares
    paths = []
    for i, image in enumerate(X):
        paths.append(str(tmp_path / f"{i}.png"))
        big = Image.fromarray(image).resize((SIDE * 4, SIDE * 3), Image.Resampling.NEAREST)
        big.save(paths[-1])
    loader = ImageLoader(size=(SIDE, SIDE))
    pipeline = make_pipeline(loader, tiny_classifier(epochs=40)).fit(paths, y)
    row = np.flatnonzero(y["red"])[0]
    (found,) = explain(pipeline, [paths[row]], "red")
    assert isinstance(found, Explanation)
    assert found.source == paths[row]
    heat = found.heat_map("red")
    assert heat.shape == (SIDE * 3, SIDE * 4)
    top, left = corners[row, 0]
    inside = heat[
        top * 3 - 6 : (top + SQUARE) * 3 + 6, max(left * 4 - 8, 0) : (left + SQUARE) * 4 + 8
    ]
    assert inside.sum() > 0.5 * heat.sum()
    assert found.overlay(width=100).size == (100, 75)
    display = ExplanationDisplay.from_estimator(pipeline, paths, ["red", "blue"], n_images=2)
    assert display.axes_.shape == (2, 3)
    assert display.axes_[0, 1].get_title().startswith("red ")
    ax = display.figure_.add_axes((0.25, 0.5, 0.5, 0.5))  # in no grid
    divided = ExplanationDisplay([found, found]).plot(ax)
    assert divided.axes_.shape == (2, 2)
    assert divided.figure_ is display.figure_
    display.figure_.canvas.draw()
    assert divided.axes_[0, 0].get_position().x1 < divided.axes_[0, 1].get_position().x0
    assert divided.axes_[1, 0].get_position().y1 < divided.axes_[0, 0].get_position().y0


# --- geometry -------------------------------------------------------------------------------------


@pytest.mark.parametrize("resize", ["stretch", "pad", "crop"])
@pytest.mark.parametrize("image_size", [(60, 40), (40, 60), (50, 50), (33, 87)])
def test_what_the_network_sees_is_found_again_in_the_image(resize, image_size):
    height, width = image_size
    pixels = np.full((height, width, 3), 0, dtype=np.uint8)
    rows, columns = slice(height // 2, height // 2 + 8), slice(width // 2 - 6, width // 2)
    pixels[rows, columns] = 255
    seen = ImageLoader(size=(36, 36), resize=resize, background=(0, 0, 0)).transform([pixels])
    heat = Placement(resize, (36, 36), image_size).to_image(seen[0, :, :, 0] / 255)
    assert heat.shape == image_size
    there = np.argwhere(heat > 0.5)
    assert np.abs(there.min(axis=0) - [rows.start, columns.start]).max() <= 1
    assert np.abs(there.max(axis=0) - [rows.stop - 1, columns.stop - 1]).max() <= 1


def test_what_is_cropped_away_is_cold():
    heat = Placement("crop", (10, 10), (10, 30)).to_image(np.ones((5, 5)))
    assert (heat[:, 10:20] == 1).all()
    assert heat.sum() == 100


def test_a_photograph_on_its_side_is_explained_upright(tmp_path, model, squares):
    X, y, _ = squares
    row = np.flatnonzero(y["red"])[0]
    # Stored turned to the left, with the note that it is to be turned to the right.
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.png"
    upright = Image.fromarray(X[row]).resize((SIDE * 2, SIDE * 3), Image.Resampling.NEAREST)
    upright.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)
    pipeline = make_pipeline(ImageLoader(size=(SIDE, SIDE)), model)
    (found,) = explain(pipeline, [path], "red")
    assert found.heat_map().shape == (SIDE * 3, SIDE * 2)
    straight = explain(model, X[[row]], "red")[0].maps
    np.testing.assert_allclose(found.maps, straight, atol=0.15)
