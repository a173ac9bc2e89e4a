"""Random changes to training images: in training only, seeded, described by the network."""

import numpy as np
import pytest

from skposter._keras.tensorflow import keras
from skposter._training.recipe import DEFAULTS
from skposter.networks import SmallCNN, build_network
from skposter.networks._augmentation import STRENGTHS, augmentation_layers

IMAGES = np.random.default_rng(0).integers(0, 256, size=(6, 16, 12, 3)).astype(np.uint8)


def built(augmentation, network=None, **params):
    meta = {
        "input_shape": IMAGES.shape[1:],
        "n_labels": 2,
        "label_names": [0, 1],
        "label_frequencies": np.full(2, 0.3),
        "seed": 7,
        "augmentation": augmentation,
    }
    network = SmallCNN(**params) if network is None else network
    return build_network(network, meta, dtype_policy="float32")


def pixels(model, training):
    """What the network makes of the images before its first convolution, back in [0, 255]."""
    rescaled = keras.Model(model.input, model.get_layer("rescaling").output)
    return (np.asarray(rescaled(IMAGES, training=training)) + 1) * 127.5


@pytest.mark.parametrize(
    "augmentation",
    [
        "light",
        "strong",
        keras.layers.RandomRotation(0.2, seed=1),
        keras.Sequential([keras.layers.RandomFlip(seed=2)]),
    ],
    ids=["light", "strong", "layer", "sequential"],
)
def test_only_training_changes_images_and_keeps_their_range(augmentation):
    model = built(augmentation, filters=(2,))
    for training in (False, None):
        np.testing.assert_allclose(pixels(model, training), IMAGES, atol=1e-3)
    changed = pixels(model, True)
    assert np.abs(changed - IMAGES).max() > 10
    assert changed.min() > -1e-3
    assert changed.max() < 255.001


def test_none_adds_no_layer():
    assert [layer.name for layer in built("none", filters=(2,)).layers][:2] == [
        "images",
        "rescaling",
    ]


def test_the_first_weights_do_not_depend_on_augmentation():
    plain, strong = (built(name, filters=(2,)).get_layer("conv_1") for name in ("none", "strong"))
    np.testing.assert_array_equal(plain.get_weights()[0], strong.get_weights()[0])


def test_a_network_of_ones_own_gets_it_in_front():
    def network(meta):
        images = keras.Input(meta["input_shape"], dtype="uint8")
        x = keras.layers.GlobalMaxPooling2D()(keras.layers.Rescaling(1 / 255)(images))
        return keras.Model(images, keras.layers.Dense(2, activation="sigmoid")(x))

    plain, model = built("none", network), built("strong", network)
    model.set_weights([w for w in plain.get_weights() if w.size])
    np.testing.assert_allclose(model(IMAGES), plain(IMAGES), atol=1e-6)
    assert not np.allclose(model(IMAGES, training=True), plain(IMAGES), atol=1e-6)


def test_the_layer_that_is_passed_stays_as_it_is():
    layer = keras.layers.RandomFlip(seed=3)
    [copy] = augmentation_layers(layer, None)
    assert copy is not layer
    assert not layer.built


@pytest.mark.parametrize(
    ("augmentation", "error", "message"),
    [
        ("stong", ValueError, r"'stong' is not known. Did you mean 'strong'\? Expected one of"),
        (len, TypeError, "must be one of .* or a keras.layers.Layer"),
    ],
)
def test_what_is_no_augmentation_is_named(
    tiny_classifier, colour_images, augmentation, error, message
):
    with pytest.raises(error, match=message):
        tiny_classifier(augmentation=augmentation).fit(*colour_images)


def test_training_is_seeded(tiny_classifier, colour_images):
    def weights(augmentation):
        classifier = tiny_classifier(epochs=1, augmentation=augmentation).fit(*colour_images)
        return classifier.keras_classifier_.network_.variables

    first, again, plain = (weights(augmentation) for augmentation in ("strong", "strong", "none"))
    assert all(map(np.array_equal, first, again))
    assert not np.array_equal(first[-2], plain[-2])


def test_every_strength_can_be_built():
    for name in STRENGTHS:
        assert len(augmentation_layers(name, lambda: 1)) == len(STRENGTHS[name])
    assert DEFAULTS["augmentation"] in STRENGTHS
