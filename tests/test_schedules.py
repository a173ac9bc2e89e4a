"""The learning rate over a training, and that it traces nothing anew."""

import numpy as np
import pytest

from skposter._keras.tensorflow import keras
from skposter._training.callbacks import CosineRate, cosine_share


@pytest.mark.parametrize("steps", [1, 2, 7, 100])
def test_it_rises_to_the_peak_and_falls_towards_nothing(steps):
    shares = [cosine_share(step, steps) for step in range(steps)]
    assert max(shares) == 1
    assert min(shares) > 0
    peak = int(np.argmax(shares))
    assert (np.diff(shares[: peak + 1]) > 0).all()
    assert (np.diff(shares[peak:]) <= 0).all()
    if steps == 100:
        assert shares[-1] < 0.01


class Rates(keras.callbacks.Callback):
    """Notes the rate of each batch, in a list that copies share."""

    noted: list = []

    def on_train_batch_end(self, batch, logs=None):
        self.noted.append(float(self.model.optimizer.learning_rate))


@pytest.fixture
def rates():
    Rates.noted.clear()
    return Rates.noted


def test_a_fit_follows_the_cosine_and_partial_fit_does_not(
    tiny_classifier, two_label_images, rates
):
    X, y = two_label_images
    options = {"validation_fraction": 0, "batch_size": 25, "callbacks": [Rates]}
    classifier = tiny_classifier(
        learning_rate=0.02, learning_rate_schedule="cosine", epochs=3, **options
    ).fit(X, y)
    np.testing.assert_allclose(rates, [0.02 * cosine_share(i, 12) for i in range(12)], rtol=1e-5)
    rates.clear()
    classifier.partial_fit(X, y)
    np.testing.assert_allclose(rates, 0.02, rtol=1e-6)


def test_the_rate_is_that_of_the_network(tiny_classifier, two_label_images, rates):
    options = {"validation_fraction": 0, "callbacks": [Rates], "epochs": 1}
    classifier = tiny_classifier(learning_rate="auto", **options).fit(*two_label_images)
    np.testing.assert_allclose(rates, 2e-3, rtol=1e-6)
    assert classifier.recipe_["learning_rate"] == 2e-3


def test_an_optimizer_with_a_schedule_of_its_own_keeps_it(tiny_classifier, two_label_images, rates):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.01, 1, 0.5)
    options = {"validation_fraction": 0, "batch_size": 50, "callbacks": [Rates], "epochs": 2}
    tiny_classifier(
        optimizer=keras.optimizers.SGD(schedule), learning_rate_schedule="cosine", **options
    ).fit(*two_label_images)
    assert rates == pytest.approx([0.005, 0.0025, 0.00125, 0.000625])


def test_going_on_from_a_checkpoint_is_the_middle_of_the_course():
    class Model:
        class optimizer:  # noqa: N801
            learning_rate = 1.0  # where the optimizer has been put

    resumed = CosineRate(1.0, epochs=4, batches=10, first_epoch=3)
    resumed.set_model(Model)
    resumed.on_train_batch_begin(0)
    assert Model.optimizer.learning_rate == cosine_share(30, 40)
