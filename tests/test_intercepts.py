"""Probabilities that are right on average after training."""

import numpy as np
import pytest

from skposter import MultiLabelImageClassifier
from skposter._keras.tensorflow import keras
from skposter._training.intercepts import log_odds_offsets
from skposter.networks import SmallCNN


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.fixture(scope="module")
def scores():
    rng = np.random.default_rng(0)
    log_odds = rng.normal(-1, 1.5, size=(4000, 3))
    y = (rng.random((4000, 3)) < sigmoid(log_odds)).astype(np.float32)
    return y, log_odds


def test_a_known_shift_is_found_again(scores):
    y, log_odds = scores
    shift = np.array([0.8, -0.4, 0.0])
    offsets = log_odds_offsets(y, sigmoid(log_odds - shift))
    np.testing.assert_allclose(offsets, shift, atol=0.1)
    means = sigmoid(log_odds - shift + offsets).mean(axis=0)
    np.testing.assert_allclose(means, y.mean(axis=0), atol=1e-3)


@pytest.mark.parametrize("per_label", [False, True], ids=["images", "labels"])
def test_weights_count_as_repetitions_do(scores, per_label):
    y, log_odds = scores[0][:200], scores[1][:200]
    times = np.arange(200) % 3
    weight = np.repeat(times[:, None], 3, axis=1) if per_label else times
    repeated = log_odds_offsets(np.repeat(y, times, axis=0), np.repeat(sigmoid(log_odds), times, 0))
    np.testing.assert_allclose(log_odds_offsets(y, sigmoid(log_odds), weight), repeated, atol=1e-9)


def test_offsets_stay_finite_for_constant_labels_and_certain_predictions():
    y = np.array([[0, 1, 1, 0]] * 50, dtype=np.float32)
    p = np.array([[0.5, 0.5, 0.0, 1.0]] * 50)
    offsets = log_odds_offsets(y, p)
    assert np.isfinite(offsets).all()
    assert (np.sign(offsets) == [-1, 1, 1, -1]).all()


@pytest.fixture(scope="module")
def skewed():
    """Images on which a network with much dropout is off after training."""
    rng = np.random.default_rng(0)
    y = (rng.random((150, 2)) < [0.1, 0.4]).astype(int)
    X = rng.integers(0, 90, size=(150, 16, 16, 3)).astype(np.uint8)
    X[..., :2] += (60 * y[:, None, None, :]).astype(np.uint8)
    return X, y


def fitted(skewed, **params):
    options = {"epochs": 2, "batch_size": 30, "random_state": 0, "validation_fraction": 0}
    classifier = MultiLabelImageClassifier(SmallCNN(filters=(4,), dropout=0.6), **options, **params)
    return classifier.fit(*skewed)


def test_a_fit_ends_with_means_at_the_frequencies(skewed, tmp_path):
    X, y = skewed
    as_trained = fitted(skewed, correct_intercepts=False)
    assert np.abs(as_trained.predict_proba(X).mean(axis=0) - y.mean(axis=0)).max() > 0.03
    classifier = fitted(skewed, memory=str(tmp_path))
    assert np.abs(classifier.predict_proba(X).mean(axis=0) - y.mean(axis=0)).max() < 0.01
    kernels = [
        c.model_.get_layer("probabilities").get_weights()[0] for c in (classifier, as_trained)
    ]
    np.testing.assert_array_equal(*kernels)
    again = fitted(skewed, memory=str(tmp_path))
    np.testing.assert_array_equal(again.predict_proba(X), classifier.predict_proba(X))


def test_other_losses_are_left_alone(skewed):
    plain, other = (
        fitted(skewed, loss="focal", correct_intercepts=corrects).predict_proba(skewed[0])
        for corrects in (False, True)
    )
    np.testing.assert_array_equal(plain, other)


def test_a_network_without_a_sigmoid_layer_at_its_end_is_left_alone(skewed):
    def network(meta):
        images = keras.Input(meta["input_shape"], dtype="uint8")
        x = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(images))
        x = keras.layers.Dense(meta["n_labels"])(x)
        return keras.Model(images, keras.layers.Activation("hard_sigmoid")(x))

    options = {"epochs": 1, "augmentation": "none", "random_state": 0}
    plain, other = (
        MultiLabelImageClassifier(network, correct_intercepts=corrects, **options)
        .fit(*skewed)
        .predict_proba(skewed[0])
        for corrects in (False, True)
    )
    np.testing.assert_array_equal(plain, other)
