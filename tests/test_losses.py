"""Losses: names, weights, recognition, probabilities that stay finite."""

import joblib
import numpy as np
import pytest

from skposter._keras.tensorflow import keras
from skposter._training.compiling import LabelWeightedLoss, loss_key, loss_of
from skposter.losses import AsymmetricLoss

Y = np.array([[1, 0, 1], [0, 0, 1]], dtype=np.float32)
P = np.array([[0.7, 0.2, 0.4], [0.04, 0.9, 0.6]], dtype=np.float32)


def test_asymmetric_without_discounts_is_cross_entropy():
    plain = AsymmetricLoss(gamma_negative=0, gamma_positive=0, clip=0)
    np.testing.assert_allclose(plain(Y, P), keras.losses.BinaryCrossentropy()(Y, P), rtol=1e-5)


def test_asymmetric_is_the_published_formula():
    lowered = np.maximum(P - 0.05, 0)
    expected = -np.where(Y == 1, (1 - P) * np.log(P), lowered**4 * np.log(1 - lowered)).mean()
    np.testing.assert_allclose(AsymmetricLoss()(Y, P), expected, rtol=1e-5)


@pytest.mark.parametrize("options", [{}, {"gamma_positive": 0.5, "gamma_negative": 0.5, "clip": 0}])
def test_asymmetric_has_finite_gradients_at_certainty(options):
    import tensorflow as tf

    p = tf.Variable([[0.0, 1.0, 0.0, 1.0]])
    with tf.GradientTape() as tape:
        loss = AsymmetricLoss(**options)(tf.constant([[0.0, 1.0, 1.0, 0.0]]), p)
    assert np.isfinite(loss)
    assert np.isfinite(tape.gradient(loss, p)).all()


@pytest.mark.parametrize("options", [{"gamma_negative": -1}, {"gamma_positive": -1}, {"clip": 1}])
def test_asymmetric_names_what_it_expects(options):
    with pytest.raises(ValueError, match=r"0 <= clip < 1, got"):
        AsymmetricLoss(**options)


def test_names_stand_for_losses():
    assert isinstance(loss_of("asymmetric"), AsymmetricLoss)
    assert isinstance(loss_of("focal"), keras.losses.BinaryFocalCrossentropy)
    assert loss_of("binary_crossentropy") == "binary_crossentropy"
    dice = loss_of("dice")
    soft_f1 = 2 * (Y * P).sum(axis=0) / (Y.sum(axis=0) + P.sum(axis=0))
    np.testing.assert_allclose(dice(Y, P), (1 - soft_f1).mean(), atol=1e-5)


@pytest.mark.parametrize("weight", [np.ones(2), np.ones((2, 3))], ids=["images", "labels"])
def test_dice_takes_no_weights(weight):
    with pytest.raises(ValueError, match=r"'dice'.*takes neither sample_weight, pos_weight nor"):
        loss_of("dice", weight=weight)


@pytest.mark.parametrize("name", ["binary_crossentropy", "focal", "asymmetric"])
def test_labels_that_weigh_nothing_do_not_count(name):
    weight = np.array([[1, 0, 2], [1, 0, 2]], dtype=np.float32)
    loss = loss_of(name, weight=weight)
    assert isinstance(loss, LabelWeightedLoss)
    other = P.copy()
    other[:, 1] = 0.5
    packed = np.stack([Y, weight], axis=-1)
    assert float(loss(packed, P)) == float(loss(packed, other))
    ones = np.stack([Y, np.ones_like(Y)], axis=-1)
    unweighted = keras.losses.get(loss_of(name))
    np.testing.assert_allclose(loss(ones, P), np.mean(unweighted(Y, P)), rtol=1e-5)


def test_equal_losses_are_recognised_and_others_are_not():
    assert loss_key(AsymmetricLoss()) == loss_key(loss_of("asymmetric"))
    assert loss_key(AsymmetricLoss()) != loss_key(AsymmetricLoss(clip=0.1))
    assert loss_key(loss_of("focal")) != loss_key(loss_of("dice"))

    class Mine(AsymmetricLoss):
        pass

    assert loss_key(Mine()) is None
    assert loss_key(lambda y, p: 0) is None


def test_asymmetric_is_described_by_keras():
    description = keras.saving.serialize_keras_object(AsymmetricLoss(gamma_negative=2, clip=0.1))
    loss = keras.saving.deserialize_keras_object(description)
    assert (loss.gamma_negative, loss.gamma_positive, loss.clip) == (2, 1.0, 0.1)


@pytest.mark.parametrize(
    "loss",
    ["focal", "asymmetric", "dice", AsymmetricLoss(2, 0)],
    ids=["focal", "asymmetric", "dice", "object"],
)
def test_losses_train(tiny_classifier, colour_images, loss, tmp_path):
    X, y = colour_images
    classifier = tiny_classifier(loss=loss, epochs=8, memory=str(tmp_path)).fit(X, y)
    losses = classifier.history_["loss"]
    assert losses[-1] < losses[0]
    again = tiny_classifier(loss=loss, epochs=8, memory=str(tmp_path)).fit(X, y)
    assert again.history_ == classifier.history_
    joblib.dump(classifier, tmp_path / "classifier.joblib")
    loaded = joblib.load(tmp_path / "classifier.joblib")
    np.testing.assert_array_equal(loaded.predict_proba(X[:3]), classifier.predict_proba(X[:3]))


def test_an_unknown_loss_is_named(tiny_classifier, colour_images):
    with pytest.raises(ValueError, match=r"loss='focall' is not known. Did you mean 'focal'\?"):
        tiny_classifier(loss="focall").fit(*colour_images)
