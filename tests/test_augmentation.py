"""Random changes to training images: in training only, seeded, described by the network."""

import numpy as np
import pytest

from skposter import MultiLabelImageClassifier
from skposter._keras.tensorflow import keras
from skposter._training.batches import ImageBatches
from skposter._training.parts import Part
from skposter.networks import build_network
from skposter.networks._augmentation import STRENGTHS, augmentation_layers

IMAGES = np.random.default_rng(0).integers(0, 256, size=(6, 16, 12, 3)).astype(np.uint8)


def built(augmentation, network="small_cnn", **params):
    meta = {
        "input_shape": IMAGES.shape[1:],
        "n_labels": 2,
        "label_names": [0, 1],
        "label_frequencies": np.full(2, 0.3),
        "seed": 7,
        "augmentation": augmentation,
    }
    return build_network(network, meta, params)


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


@pytest.mark.parametrize("options", [{"augmentation": "strong"}, {"mixup": 0.2}], ids=str)
def test_training_is_seeded(tiny_classifier, colour_images, options):
    def weights(**more):
        classifier = tiny_classifier(epochs=1, **{**options, **more}).fit(*colour_images)
        return classifier.keras_classifier_.network_.variables

    first, again, plain = weights(), weights(), weights(augmentation="none", mixup=0.0)
    assert all(map(np.array_equal, first, again))
    assert not np.array_equal(first[-2], plain[-2])


def test_every_strength_can_be_built():
    for name in STRENGTHS:
        assert len(augmentation_layers(name, lambda: 1)) == len(STRENGTHS[name])
    assert MultiLabelImageClassifier().augmentation in STRENGTHS


# --------------------------------------------------------------------------------------------------
# MixUp


@pytest.fixture
def part():
    y = np.eye(6, 4, dtype=np.float32)
    return Part(IMAGES, y, np.arange(6))


def test_mixup_blends_images_and_labels_in_the_same_shares(part):
    flat = Part(np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1) * 50, part.y, part.rows)
    images, y = ImageBatches(flat, 6, shuffle_seed=0, mixup=0.5)[0]
    assert images.dtype == np.uint8
    assert y.dtype == np.float32
    assert ((y > 0) & (y < 1)).any()
    order = ImageBatches(flat, 6, shuffle_seed=0)[0][0]
    for image, before, labels in zip(images.ravel(), order.ravel(), y, strict=True):
        kept = labels[before // 50] if before // 50 < 4 else None
        if kept is not None:
            assert kept >= 0.5 - 1e-6
        assert 0 <= image <= 250


def test_mixup_differs_between_batches_and_epochs_and_never_between_runs(part):
    batches = ImageBatches(part, 3, shuffle_seed=1, mixup=1.0)
    first = [batches[i][0] for i in range(2)]
    batches.next_epoch()
    later = batches[0][0]
    again = ImageBatches(part, 3, shuffle_seed=1, mixup=1.0)
    assert np.array_equal(again[1][0], first[1])  # in whichever order they are asked for
    assert np.array_equal(again[0][0], first[0])
    resumed = ImageBatches(part, 3, shuffle_seed=1, mixup=1.0, first_epoch=1)
    assert np.array_equal(resumed[0][0], later)


def test_mixup_blends_weights_and_leaves_the_data_alone(part):
    before = part.X.copy(), part.y.copy()
    part.weight = np.arange(6, dtype=np.float32)
    _, y, weight = ImageBatches(part, 6, shuffle_seed=0, mixup=0.3)[0]
    assert weight.shape == (6,)
    part.weight = np.ones_like(part.y)
    _, packed = ImageBatches(part, 6, shuffle_seed=0, mixup=0.3)[0]
    assert packed.shape == (6, 4, 2)
    np.testing.assert_allclose(packed[..., 1], 1, rtol=1e-6)
    np.testing.assert_allclose(packed[..., 0], y)
    assert np.array_equal(part.X, before[0])
    assert np.array_equal(part.y, before[1])


def test_the_last_image_alone_in_a_batch_is_not_mixed(part):
    batches = ImageBatches(part, 5, shuffle_seed=0, mixup=0.3)
    images, y = batches[1]
    assert images.shape == (1, 16, 12, 3)
    assert set(np.unique(y)) <= {0.0, 1.0}
