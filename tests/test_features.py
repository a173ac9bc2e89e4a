"""ImageFeatures: what a network sees, once an image, in front of any estimator."""

import joblib
import keras
import numpy as np
import pandas as pd
import pytest
import sklearn
from live_weights import mobilenet_of
from PIL import Image
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import skposter
from skposter import (
    ImageFeatures,
    ImageLoader,
    MultiLabelImageClassifier,
    TunedThresholdsClassifierCV,
)
from skposter.exceptions import ArtifactError, LabelWarning
from skposter.features import _kept
from skposter.memory import clear_memory, list_memory
from skposter.model_selection import MultiLabelStratifiedKFold
from skposter.networks import Pretrained, SmallCNN


class Counting:
    """Mean colours, which counts the images that it has seen."""

    def __init__(self):
        self.n_images = 0

    def __call__(self, images):
        self.n_images += len(images)
        return images.mean(axis=(1, 2))


@pytest.fixture
def counting():
    """What counts images, after the one that tells how many features there are."""
    return Counting()


def random_images(n, seed, size=(32, 32)):
    return np.random.default_rng(seed).integers(0, 256, size=(n, *size, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def paths_and_labels(tmp_path_factory):
    """Sixty files of which red and blue tell the labels."""
    folder = tmp_path_factory.mktemp("colours")
    rng = np.random.default_rng(0)
    y = (rng.random((60, 2)) < 0.5).astype(int)
    paths = []
    for i, (red, blue) in enumerate(y):
        pixels = rng.integers(0, 90, size=(20, 20, 3), dtype=np.uint8)
        pixels[..., 0] += np.uint8(120 * red)
        pixels[..., 2] += np.uint8(120 * blue)
        paths.append(str(folder / f"{i}.png"))
        Image.fromarray(pixels).save(paths[-1])
    return np.array(paths, dtype=object), pd.DataFrame(y, columns=["red", "blue"])


def linear_head():
    return make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression()))


@pytest.mark.parametrize("lazy", [False, True])
def test_a_search_computes_the_features_of_each_image_once(counting, paths_and_labels, lazy):
    paths, y = paths_and_labels
    pipeline = make_pipeline(
        ImageLoader(size=(16, 16), lazy=lazy), ImageFeatures(counting), linear_head()
    )
    model = TunedThresholdsClassifierCV(pipeline, cv=3)
    grid = {"estimator__pipeline__onevsrestclassifier__estimator__C": [0.01, 1, 100]}
    search = GridSearchCV(model, grid, cv=2, scoring="f1_macro").fit(paths, y)
    assert counting.n_images == 1 + len(paths)
    assert search.best_score_ > 0.9
    search.predict(paths)
    assert counting.n_images == 1 + len(paths)


def test_an_image_that_comes_twice_is_computed_once(counting):
    images = random_images(5, 1)
    features = ImageFeatures(counting).transform(images[[0, 1, 0, 2, 1]])
    assert counting.n_images == 1 + 3
    np.testing.assert_allclose(features, images[[0, 1, 0, 2, 1]].mean(axis=(1, 2)), rtol=1e-6)


def test_other_pixels_and_other_functions_are_computed_anew(counting):
    images = random_images(4, 2)
    transformer = ImageFeatures(counting)
    transformer.transform(images)
    changed = images.copy()
    changed[2, 0, 0, 0] ^= 1
    transformer.transform(changed)
    assert counting.n_images == 1 + 4 + 1
    other = Counting()
    ImageFeatures(other).transform(images)
    assert other.n_images == 1 + 4


def test_a_file_that_is_overwritten_is_computed_anew(counting, tmp_path):
    path = tmp_path / "image.png"
    Image.new("RGB", (16, 16), "red").save(path)
    pipeline = make_pipeline(ImageLoader(size=(16, 16), lazy=True), ImageFeatures(counting))
    red = pipeline.transform([path])
    Image.new("RGB", (16, 16), "blue").save(path)
    blue = pipeline.transform([path])
    assert red.tolist() == [[255, 0, 0]]
    assert blue.tolist() == [[0, 0, 255]]


@pytest.fixture
def mobilenet(mobilenet_weights):
    """The network of those weights."""
    return Pretrained("mobilenet", weights=mobilenet_weights[0], builder_params={"alpha": 0.25})


def test_a_named_network_gives_what_keras_gives(mobilenet_weights):
    path, model = mobilenet_weights
    images = random_images(6, 3)
    network = Pretrained("mobilenet", weights=path, builder_params={"alpha": 0.25})
    maps = model(images / 127.5 - 1, training=False).numpy()
    assert maps.std() > 0.1
    for pooling, expected in [
        ("avg", maps.mean(axis=(1, 2))),
        ("max", maps.max(axis=(1, 2))),
        ("flatten", maps.reshape(6, -1)),
    ]:
        features = ImageFeatures(network, pooling=pooling, batch_size=4).fit_transform(images)
        assert features.dtype == np.float32
        np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-4)


def test_features_of_other_weights_are_others(mobilenet_weights, tmp_path):
    _, model = mobilenet_weights
    images = random_images(3, 4)
    copy = str(tmp_path / "same_name.weights.h5")
    network = Pretrained("mobilenet", weights=copy, builder_params={"alpha": 0.25})
    model.save_weights(copy)
    first = ImageFeatures(network).transform(images)
    mobilenet_of(1).save_weights(copy)
    assert not np.allclose(ImageFeatures(network).transform(images), first)


def test_a_fitted_classifier_gives_what_its_last_layer_takes(fitted_classifier, colour_images):
    images = colour_images[0][:20]
    features = ImageFeatures(fitted_classifier).fit_transform(images)
    dense = fitted_classifier.model_.layers[-1]
    log_odds = features @ dense.kernel.numpy() + dense.bias.numpy()
    np.testing.assert_allclose(
        1 / (1 + np.exp(-log_odds)), fitted_classifier.predict_proba(images), atol=1e-5
    )


def test_a_clone_keeps_what_was_trained(fitted_classifier, colour_images, counting, mobilenet):
    images = colour_images[0][:5]
    for network in [fitted_classifier, FrozenEstimator(fitted_classifier)]:
        transformer = ImageFeatures(network)
        copied = clone(transformer)
        assert (copied.transform(images) == transformer.transform(images)).all()
    cloned = clone(ImageFeatures(counting, batch_size=7).set_output(transform="pandas"))
    assert cloned.network is counting
    assert cloned.batch_size == 7
    assert isinstance(cloned.fit_transform(images), pd.DataFrame)
    assert clone(ImageFeatures(mobilenet)).network is not mobilenet


def test_networks_of_ones_own(colour_images):
    def build(meta):
        images = keras.Input(meta["input_shape"])
        x = keras.layers.Conv2D(4, 3, name="conv")(images)
        x = keras.layers.GlobalMaxPooling2D()(x)
        x = keras.layers.Dropout(0.5)(x)
        return keras.Model(images, keras.layers.Dense(meta["n_labels"], activation="sigmoid")(x))

    X, y = colour_images
    classifier = MultiLabelImageClassifier(build, augmentation="light", epochs=1, random_state=0)
    classifier.fit(X, y)
    inner = classifier.model_.layers[-1]
    maps = inner.get_layer("conv")(X[:3].astype(np.float32)).numpy()
    for pooling, expected in [("avg", maps.max((1, 2))), ("flatten", maps.reshape(3, -1))]:
        features = ImageFeatures(classifier, pooling=pooling).transform(X[:3])
        np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-4)


def test_a_keras_model_is_used_as_it_is():
    model = keras.Sequential([keras.layers.Rescaling(1 / 255), keras.layers.AveragePooling2D(2)])
    images = random_images(3, 5, size=(4, 4))
    expected = images.reshape(3, 2, 2, 2, 2, 3).mean(axis=(2, 4)) / 255
    features = ImageFeatures(model, pooling="flatten").fit_transform(images)
    np.testing.assert_allclose(features, expected.reshape(3, -1), atol=1e-6)
    np.testing.assert_allclose(
        ImageFeatures(model).transform(images), expected.mean((1, 2)), atol=1e-6
    )


def test_half_precision_gives_float32_and_nearly_the_same(mobilenet):
    images = random_images(4, 6)
    exact = ImageFeatures(mobilenet).transform(images)
    half = ImageFeatures(mobilenet, dtype_policy="mixed_bfloat16").transform(images)
    assert half.dtype == np.float32
    assert not (half == exact).all()
    assert np.corrcoef(half.ravel(), exact.ravel())[0, 1] > 0.99


def test_keras_settings_change_nothing(mobilenet):
    images = random_images(3, 7)
    expected = ImageFeatures(mobilenet, batch_size=3).transform(images)
    changed = images.copy()
    changed[0, 0, 0, 0] ^= 1
    keras.config.set_dtype_policy("mixed_float16")
    keras.config.set_image_data_format("channels_first")
    try:
        found = ImageFeatures(mobilenet, pooling="max").fit(images).transform(changed)
        assert found.shape == expected.shape
        assert (ImageFeatures(mobilenet).transform(images) == expected).all()
    finally:
        keras.config.set_dtype_policy("float32")
        keras.config.set_image_data_format("channels_last")


def test_a_memory_serves_other_processes(run_python, tmp_path, mobilenet_weights):
    """Another process finds the rows, does not decode, and gives the same."""
    folder = tmp_path / "images"
    folder.mkdir()
    for i, image in enumerate(random_images(5, 8)):
        Image.fromarray(image).save(folder / f"{i}.png")
    script = """
        import sys
        from pathlib import Path

        import numpy as np
        from sklearn.pipeline import make_pipeline

        from skposter import ImageFeatures, ImageLoader
        from skposter.features import _extractor
        from skposter.networks import Pretrained

        weights, folder, memory, computes = sys.argv[1:]
        network = Pretrained("mobilenet", weights=weights, builder_params={"alpha": 0.25})
        if computes == "no":
            def refuse(*args, **kwargs):
                raise AssertionError("computed again")
            _extractor.TrainedNetwork.predict_proba = refuse
        pipeline = make_pipeline(
            ImageLoader(size=(32, 32), lazy=True), ImageFeatures(network, memory=memory)
        )
        features = pipeline.transform(sorted(Path(folder).iterdir()))
        print(features.tobytes().hex())
    """
    arguments = (mobilenet_weights[0], folder, tmp_path / "memory")
    first = run_python(script, *arguments, "yes").stdout
    assert len(first) > 5 * 256 * 4
    assert run_python(script, *arguments, "no").stdout == first
    entries = list_memory(str(tmp_path / "memory"))
    assert entries["kind"].tolist() == ["features"]
    assert entries["bytes"].sum() >= 5 * 256 * 4
    clear_memory(str(tmp_path / "memory"))
    assert len(list_memory(str(tmp_path / "memory"))) == 0


def test_what_was_computed_before_an_interruption_is_kept():
    images = random_images(10, 9)

    class Interrupted(Counting):
        def __call__(self, batch):
            if self.n_images > 6:
                raise KeyboardInterrupt
            return super().__call__(batch)

    network = Interrupted()
    transformer = ImageFeatures(network, batch_size=3)
    with pytest.raises(KeyboardInterrupt):
        transformer.transform(images)
    network.n_images = 0
    transformer.transform(images)
    assert network.n_images == 10 - 6


def test_room_is_made_of_what_others_have_left(monkeypatch):
    images = random_images(20, 17)
    room_for = 12
    monkeypatch.setattr(_kept, "_LIMIT_IN_PROCESS", room_for * (3 * 4 + _kept._OVERHEAD))
    first, second = Counting(), Counting()
    ImageFeatures(first, batch_size=4).transform(images)
    ImageFeatures(first, batch_size=4).transform(images)
    assert first.n_images == 1 + 20 + 8  # the first twelve were there
    ImageFeatures(second, batch_size=4).transform(images[:4])
    ImageFeatures(second, batch_size=4).transform(images[:4])
    assert second.n_images == 1 + 4
    ImageFeatures(first, batch_size=4).transform(images[:4])
    assert first.n_images == 1 + 20 + 8 + 4  # they went as a whole


def test_names_and_tables(counting):
    images = random_images(3, 10)
    transformer = ImageFeatures(counting).set_output(transform="pandas").fit(images)
    table = transformer.transform(images)
    assert table.columns.tolist() == ["imagefeatures0", "imagefeatures1", "imagefeatures2"]
    assert transformer.image_shape_ == (32, 32, 3)
    with pytest.raises(NotFittedError, match="not fitted"):
        ImageFeatures(counting).get_feature_names_out()


def test_a_progress_bar_counts_images(counting, capsys):
    images = random_images(4, 11)
    ImageFeatures(counting, verbose=1).transform(images)
    assert "4/4" in capsys.readouterr().err
    ImageFeatures(counting).transform(images[::-1])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("network", "error", "message"),
    [
        ("small_cnn", ValueError, "has random weights until it is trained"),
        ("mobilnet", ValueError, "Did you mean 'mobilenet'"),
        (SmallCNN, TypeError, r"pass an object: SmallCNN\(\)"),
        (MultiLabelImageClassifier(), NotFittedError, "is not fitted yet"),
        (3, ValueError, "must be an instance of 'str'"),
        (lambda images: images.mean(), ValueError, r"returned shape \(\) for 1 images"),
        (lambda images: images.mean(axis=(1, 2)) / 0, ValueError, "not finite"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_what_gives_no_features_is_refused(network, error, message):
    with pytest.raises(error, match=message):
        ImageFeatures(network).transform(random_images(2, 12))


def test_a_function_whose_columns_change_is_refused():
    def columns(images):
        return np.zeros((len(images), len(images)))

    with pytest.raises(ValueError, match=r"shape \(3, 3\) for 3 images"):
        ImageFeatures(columns).transform(random_images(3, 13))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"dtype_policy": "mixed_bfloat16"}, "is for networks that are built here"),
        ({"pooling": "mean"}, "'pooling' parameter of ImageFeatures"),
        ({"batch_size": 0}, "'batch_size' parameter"),
    ],
)
def test_parameters_that_cannot_be_are_refused(counting, params, message):
    with pytest.raises(ValueError, match=message):
        ImageFeatures(counting, **params).fit(random_images(2, 14))


def test_images_of_another_size_than_fitted_are_refused(counting, fitted_classifier):
    transformer = ImageFeatures(counting).fit(random_images(2, 15))
    with pytest.raises(ValueError, match="ImageFeatures was fitted on"):
        transformer.transform(random_images(2, 15, size=(16, 16)))
    with pytest.raises(ValueError, match="the classifier in network was fitted on"):
        ImageFeatures(fitted_classifier).fit(random_images(2, 15))
    with pytest.raises(ValueError, match="turned into images by"):
        transformer.transform(["a.jpg"])


def test_a_network_that_pools_otherwise_keeps_to_it():
    images = random_images(4, 16, size=(80, 80))
    classifier = MultiLabelImageClassifier("tutorial", epochs=1, random_state=0)
    with pytest.warns(LabelWarning):
        classifier.fit(images, np.eye(4, dtype=int)[:, :2])
    assert ImageFeatures(classifier).transform(images).shape == (4, 64)
    with pytest.raises(ValueError, match="comes from Dense, not from a feature map"):
        ImageFeatures(classifier, pooling="max").transform(images)


def table_of(paths, y, seed=0):
    """Paths beside columns of which one tells the first label in part."""
    rng = np.random.default_rng(seed)
    country = np.where(rng.random(len(y)) < 0.8, y["red"], 1 - y["red"])
    return pd.DataFrame(
        {
            "path": paths,
            "year": 2000 + rng.integers(0, 20, len(y)),
            "country": np.where(country == 1, "France", "Italy"),
        },
        index=np.arange(100, 100 + len(y)),
    )


def images_and_table(network):
    return ColumnTransformer(
        [
            ("image", make_pipeline(ImageLoader(size=(16, 16)), ImageFeatures(network)), "path"),
            ("year", StandardScaler(), ["year"]),
            ("country", OneHotEncoder(sparse_output=False), ["country"]),
        ]
    )


def test_images_and_a_table_in_one_pipeline(counting, paths_and_labels, tmp_path):
    paths, y = paths_and_labels
    y = y.set_axis(np.arange(100, 100 + len(y)))
    table = table_of(paths, y)
    pipeline = make_pipeline(images_and_table(counting), linear_head())
    search = GridSearchCV(
        TunedThresholdsClassifierCV(pipeline, cv=2),
        {"estimator__columntransformer__image__imageloader__size": [(16, 16), (8, 8)]},
        cv=MultiLabelStratifiedKFold(2),
        scoring="f1_macro",
    ).fit(table, y)
    assert counting.n_images == 1 + len(paths) + 1 + len(paths)
    assert search.best_score_ > 0.9
    joblib.dump(
        clone(search.best_estimator_)
        .set_params(estimator__columntransformer__image="drop")
        .fit(table, y),
        tmp_path / "table.joblib",
    )
    assert joblib.load(tmp_path / "table.joblib").predict(table).shape == y.shape
    with pytest.raises(ArtifactError, match=r"ColumnTransformer, which skposter.save does not"):
        skposter.save(search.best_estimator_, tmp_path / "model.skposter")


@pytest.mark.parametrize("column", ["path", ["path"]])
def test_columns_of_paths_and_names_of_features(counting, paths_and_labels, column):
    paths, y = paths_and_labels
    columns = images_and_table(counting).set_output(transform="pandas")
    columns.transformers[0] = (*columns.transformers[0][:2], column)
    found = columns.fit_transform(table_of(paths, y).reset_index(drop=True))
    assert found.columns.tolist() == [
        "image__imagefeatures0",
        "image__imagefeatures1",
        "image__imagefeatures2",
        "year__year",
        "country__country_France",
        "country__country_Italy",
    ]
    assert columns.get_feature_names_out().tolist() == found.columns.tolist()


def test_pandas_everywhere_changes_nothing(counting, paths_and_labels):
    paths, y = paths_and_labels
    table = table_of(paths, y).reset_index(drop=True)
    expected = images_and_table(counting).fit_transform(table)
    with sklearn.config_context(transform_output="pandas"):
        found = images_and_table(counting).fit_transform(table)
        images = ImageLoader(size=(16, 16)).fit_transform(paths[:2])
    assert images.shape == (2, 16, 16, 3)
    np.testing.assert_allclose(found.to_numpy(), expected)
