"""Networks of KerasHub, from presets in a folder; skipped where KerasHub is not installed."""

import sys

import joblib
import numpy as np
import pytest

import skposter
from skposter import ImageFeatures, MultiLabelImageClassifier
from skposter.exceptions import ArtifactError
from skposter.networks import Pretrained


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    """The path of a preset of a small ResNet, and the network."""
    # Checked before its import, which takes seconds; it is found by pytest in any case.
    keras_hub = pytest.importorskip("keras_hub", reason="needs KerasHub (keras-hub)")
    path = tmp_path_factory.mktemp("preset") / "resnet"
    network = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64],
        stackwise_num_blocks=[1],
        stackwise_num_strides=[1],
        block_type="basic_block",
        image_shape=(None, None, 3),
    )
    network.save_to_preset(path)
    converter = keras_hub.layers.ResNetImageConverter(
        scale=[1 / 58, 1 / 57, 1 / 57], offset=[-2.1, -2.0, -1.8], image_size=(64, 64)
    )
    converter.save_to_preset(path)
    return str(path), network


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, size=(40, 3))
    X = rng.integers(0, 80, size=(40, 32, 24, 3)).astype(np.uint8)
    return X + (y[:, None, None, :] * 150).astype(np.uint8), y


def test_features_are_those_of_the_preset_with_its_preprocessing(preset, images):
    path, network = preset
    X = images[0][:4]
    expected = network(X * np.array([1 / 58, 1 / 57, 1 / 57]) + [-2.1, -2.0, -1.8], training=False)
    features = ImageFeatures(f"keras_hub:{path}").fit_transform(X)
    np.testing.assert_allclose(features, expected.numpy().mean((1, 2)), rtol=1e-3, atol=1e-4)


def test_it_is_trained_and_pickled(preset, images, tmp_path):
    X, y = images
    network = Pretrained(f"keras_hub:{preset[0]}", head_epochs=1)
    fitted = MultiLabelImageClassifier(network, epochs=1, random_state=0).fit(X, y)
    joblib.dump(fitted, tmp_path / "model.joblib")
    loaded = joblib.load(tmp_path / "model.joblib")
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    with pytest.raises(ArtifactError, match="layers of KerasHub"):
        skposter.save(fitted, tmp_path / "model.skposter")
    solved = MultiLabelImageClassifier(
        Pretrained(f"keras_hub:{preset[0]}", fine_tune="none", head="logistic"), random_state=0
    ).fit(X, y)
    assert (solved.predict(X) == y).mean() > 0.9


def test_a_preset_that_is_not_there_is_named(preset, images, tmp_path):
    with pytest.raises(OSError, match="could not be had"):
        ImageFeatures(f"keras_hub:{tmp_path}").fit(images[0])
    with pytest.raises(ValueError, match="brings its own"):
        ImageFeatures(Pretrained(f"keras_hub:{preset[0]}", weights="w.h5")).fit(images[0])


def test_without_keras_hub_the_error_says_what_to_install(images, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(ImportError, match=r"skposter\[keras_hub\]"):
        ImageFeatures("keras_hub:resnet_18_imagenet").fit(images[0])
