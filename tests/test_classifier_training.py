"""The life of a training: going on, stopping early, validation, callbacks, Ctrl-C, networks."""

import pickle
import signal
import threading
from functools import partial

import keras
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skposter import TunedThresholdsClassifierCV
from skposter.networks import SmallCNN, TutorialCNN


def weights_of(classifier):
    return classifier.keras_classifier_.network_.variables


def assert_same_weights(one, other):
    for a, b in zip(weights_of(one), weights_of(other), strict=True):
        np.testing.assert_array_equal(a, b)


# partial_fit


def test_partial_fit_is_one_epoch_and_the_history_goes_on(tiny_classifier, colour_images):
    classifier = tiny_classifier(epochs=50)
    for n in [1, 2, 3]:
        assert classifier.partial_fit(*colour_images) is classifier
        assert classifier.n_iter_ == n
        assert len(classifier.history_["loss"]) == n
    losses = classifier.history_["loss"]
    assert losses[2] < losses[0]


def test_partial_fit_three_times_is_fit_with_three_epochs(tiny_classifier, colour_images):
    parts = tiny_classifier()
    for _ in range(3):
        parts.partial_fit(*colour_images)
    whole = tiny_classifier(epochs=3, validation_fraction=0).fit(*colour_images)
    assert_same_weights(parts, whole)
    assert parts.history_ == whole.history_


def test_partial_fit_goes_on_after_fit(tiny_classifier, colour_images):
    X, y = colour_images
    classifier = tiny_classifier(epochs=2).fit(X, y)
    classifier.partial_fit(X, y)
    assert classifier.n_iter_ == 3
    assert len(classifier.history_["loss"]) == 3


def test_the_first_partial_fit_may_name_the_labels(tiny_classifier, colour_images):
    X, y = colour_images
    classifier = tiny_classifier().partial_fit(X, y, label_names=["a", "b", "c"])
    classifier.partial_fit(X, y)
    assert classifier.label_names_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match=r"labels \['c', 'b', 'a'\], but .* \['a', 'b', 'c'\]"):
        classifier.partial_fit(X, pd.DataFrame(y, columns=["c", "b", "a"]))
    with pytest.raises(ValueError, match=r"y has 3 columns, expected 2: the labels are"):
        tiny_classifier().partial_fit(X, y, label_names=["a", "b"])
    with pytest.raises(ValueError, match=r"Label names must differ"):
        tiny_classifier().partial_fit(X, y, label_names=["a", "b", "a"])
    assert classifier.n_iter_ == 2


def test_partial_fit_refuses_other_labels_and_images(tiny_classifier, colour_images):
    X, y = colour_images
    classifier = tiny_classifier().partial_fit(X, y)
    with pytest.raises(ValueError, match=r"labels and their order must stay"):
        classifier.partial_fit(X, y[:, :2])
    with pytest.raises(ValueError, match=r"fitted on \(16, 16, 3\)"):
        classifier.partial_fit(X[:, :8], y)
    with pytest.raises(ValueError, match=r"got dtype float64"):
        classifier.partial_fit(X / 255, y)


def test_partial_fit_takes_batches_without_some_labels_and_other_dtypes(
    tiny_classifier, colour_images
):
    X, y = colour_images
    classifier = tiny_classifier().partial_fit(X[:5], np.zeros((5, 3)))
    classifier.partial_fit(X[:1], y[:1].astype(bool))
    classifier.partial_fit(X[:4], np.ones((4, 3), dtype=np.uint8), sample_weight=np.ones((4, 3)))
    assert classifier.n_iter_ == 3


def test_partial_fit_takes_the_classes_that_scikit_learn_passes(tiny_classifier, colour_images):
    X, y = colour_images
    classifier = tiny_classifier().partial_fit(X, y, classes=np.unique(y))
    assert_same_weights(classifier, tiny_classifier().partial_fit(X, y))


def test_the_history_has_one_entry_an_epoch_for_every_name(tiny_classifier, colour_images):
    X, y = colour_images
    classifier = tiny_classifier(epochs=2, warm_start=True).partial_fit(X, y)
    classifier.fit(X, y).partial_fit(X, y)
    classifier.set_params(epochs=1, validation_fraction=0).fit(X, y)
    history = classifier.history_
    assert {name: len(values) for name, values in history.items()} == {"loss": 5, "val_loss": 5}
    assert np.isfinite(history["loss"]).all()
    # The validation losses stay with the epochs that they belong to.
    assert np.isfinite(history["val_loss"]).tolist() == [False, True, True, False, False]
    again = pickle.loads(pickle.dumps(classifier)).history_
    np.testing.assert_array_equal(again["val_loss"], history["val_loss"])


# warm_start


def test_warm_start_goes_on_and_a_plain_fit_starts_anew(tiny_classifier, colour_images):
    X, y = colour_images
    warm = tiny_classifier(epochs=2, warm_start=True, validation_fraction=0)
    warm.fit(X, y).fit(X, y)
    assert warm.n_iter_ == 4
    assert len(warm.history_["loss"]) == 4
    assert_same_weights(warm, tiny_classifier(epochs=4, validation_fraction=0).fit(X, y))
    cold = tiny_classifier(epochs=2, validation_fraction=0).fit(X, y).fit(X, y)
    assert cold.n_iter_ == 2
    assert len(cold.history_["loss"]) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"loss": "binary_focal_crossentropy"},
        {"optimizer": "sgd"},
        {"optimizer": keras.optimizers.Adam(1e-3, clipnorm=0.1)},
        {"pos_weight": "balanced"},
        {"learning_rate": 1e-4},
    ],
)
def test_going_on_uses_the_parameters_of_now(change, tiny_classifier, colour_images):
    X, y = colour_images

    def two_fits(change):
        classifier = tiny_classifier(epochs=1, warm_start=True, validation_fraction=0)
        return classifier.fit(X, y).set_params(**change).fit(X, y)

    changed = two_fits(change)
    assert not np.array_equal(weights_of(changed)[0], weights_of(two_fits({}))[0])
    # What is learned afterwards does not depend on which network happens to be in the pool.
    assert_same_weights(two_fits(change), changed)
    changed.set_params(**{name: tiny_classifier().get_params()[name] for name in change})
    assert np.isfinite(changed.fit(X, y).history_["loss"]).all()


def test_weights_may_come_and_go_between_calls(tiny_classifier, colour_images):
    X, y = colour_images
    classifier = tiny_classifier()
    for weight in [None, np.linspace(0, 1, len(y)), np.full(y.shape, 0.5), None]:
        classifier.partial_fit(X, y, sample_weight=weight)
    assert classifier.n_iter_ == 4
    assert np.isfinite(classifier.history_["loss"]).all()


def test_warm_start_refuses_another_network(tiny_classifier, colour_images):
    classifier = tiny_classifier(epochs=1, warm_start=True).fit(*colour_images)
    with pytest.raises(ValueError, match=r"labels and their order must stay"):
        classifier.fit(colour_images[0], colour_images[1][:, :2])


# validation and early stopping


def test_validation_part_is_stratified_shuffled_and_seeded(tiny_classifier, colour_images):
    X, y = colour_images
    order = np.lexsort(y.T)  # sorted by label: the last rows all look the same
    params = {"epochs": 1, "validation_fraction": 0.25}
    one = tiny_classifier(**params).fit(X[order], y[order])
    held_out = one.validation_indices_
    assert len(held_out) == 30
    assert len(set(held_out.tolist())) == 30
    np.testing.assert_allclose(y[order][held_out].mean(axis=0), y.mean(axis=0), atol=0.05)
    again = tiny_classifier(**params).fit(X[order], y[order])
    np.testing.assert_array_equal(again.validation_indices_, held_out)
    other = tiny_classifier(**params, random_state=1).fit(X[order], y[order])
    assert set(other.validation_indices_) != set(held_out)


def test_validation_rows_are_not_trained_on(tiny_classifier, colour_images):
    X, y = colour_images
    classifier = tiny_classifier(epochs=1, validation_fraction=0.25).fit(X, y)
    held_out = classifier.validation_indices_
    poisoned, labels = X.copy(), y.copy()
    poisoned[held_out] = 255 - poisoned[held_out]
    other = tiny_classifier(epochs=1, validation_fraction=0.25).fit(poisoned, labels)
    assert_same_weights(classifier, other)
    assert classifier.history_["val_loss"] != other.history_["val_loss"]


@pytest.mark.parametrize("fraction", [0, 0.001])
def test_no_validation_part_without_a_share_of_at_least_an_image(
    fraction, tiny_classifier, colour_images
):
    classifier = tiny_classifier(epochs=1, validation_fraction=fraction).fit(*colour_images)
    assert classifier.validation_indices_.tolist() == []
    assert set(classifier.history_) == {"loss"}
    stopping = clone(classifier).set_params(early_stopping=True)
    with pytest.raises(ValueError, match=r"early_stopping=True needs validation images"):
        stopping.fit(*colour_images)


def test_one_image_can_be_fitted(tiny_classifier, colour_images):
    X, y = colour_images
    with pytest.warns(UserWarning, match=r"one value for every image"):
        classifier = tiny_classifier(epochs=1).fit(X[:1], y[:1])
    assert classifier.predict(X).shape == y.shape


def test_early_stopping_restores_the_best_epoch(tiny_classifier, colour_images):
    X, y = colour_images
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 2, size=y.shape)  # nothing to learn: the validation loss soon rises
    classifier = tiny_classifier(
        epochs=60,
        early_stopping=True,
        n_iter_no_change=3,
        validation_fraction=0.3,
        learning_rate=0.1,
    ).fit(X, noise)
    losses = classifier.history_["val_loss"]
    best = int(np.argmin(losses))
    assert classifier.n_iter_ == len(losses) == best + 4 < 60
    held_out = classifier.validation_indices_
    p = classifier.predict_proba(X[held_out]).astype(float)
    loss = -np.where(noise[held_out] == 1, np.log(p), np.log(1 - p)).mean()
    assert loss == pytest.approx(losses[best], rel=1e-3)


def test_tol_is_what_counts_as_an_improvement(tiny_classifier, colour_images):
    params = {"early_stopping": True, "n_iter_no_change": 2, "validation_fraction": 0.3}
    patient = tiny_classifier(epochs=8, tol=0, **params).fit(*colour_images)
    assert patient.n_iter_ == 8
    strict = tiny_classifier(epochs=8, tol=10.0, **params).fit(*colour_images)
    assert strict.n_iter_ == 3


def test_a_validation_part_can_be_given(tiny_classifier, colour_images, colour_labels):
    X, _ = colour_images
    y = colour_labels
    classifier = tiny_classifier(epochs=2, early_stopping=True)
    classifier.fit(X[:90], y[:90], X_val=X[90:], y_val=y[90:])
    assert len(classifier.history_["val_loss"]) == 2
    assert classifier.validation_indices_.tolist() == []
    without = tiny_classifier(epochs=2, validation_fraction=0).fit(X[:90], y[:90])
    assert_same_weights(classifier, without)
    classifier.set_params(threshold="f1_macro")
    assert classifier.thresholds_.shape == (3,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: {"X_val": X}, r"X_val and y_val go together"),
        (lambda X, y: {"y_val": y}, r"X_val and y_val go together"),
        (lambda X, y: {"X_val": X[:, :8], "y_val": y}, r"fitted on \(16, 16, 3\)"),
        (lambda X, y: {"X_val": X / 255, "y_val": y}, r"got dtype float64"),
        (lambda X, y: {"X_val": X, "y_val": y[:5]}, r"120 images and 5 rows"),
        (lambda X, y: {"X_val": X, "y_val": y[:, :2]}, r"labels and their order must stay"),
    ],
)
def test_a_given_validation_part_is_checked(change, message, tiny_classifier, colour_images):
    X, y = colour_images
    with pytest.raises(ValueError, match=message):
        tiny_classifier(epochs=1).fit(X, y, **change(X, y))


class Halved(TransformerMixin, BaseEstimator):
    """Turn numbers of images into images, every second pixel of them."""

    def __init__(self, images):
        self.images = images

    def fit(self, X, y=None):
        self.n_features_in_ = 1
        return self

    def transform(self, X):
        return self.images[np.ravel(X)][:, ::2, ::2]


def test_a_given_validation_part_goes_through_a_pipeline(tiny_classifier, colour_images):
    X, y = colour_images
    rows = np.arange(len(X))[:, None]
    with sklearn.config_context(enable_metadata_routing=True):
        classifier = tiny_classifier(epochs=2, early_stopping=True)
        classifier.set_fit_request(X_val=True, y_val=True, sample_weight=True)
        pipeline = Pipeline(
            [("images", Halved(X)), ("classifier", classifier)], transform_input=["X_val"]
        )
        pipeline.fit(
            rows[:90],
            y[:90],
            X_val=rows[90:],
            y_val=y[90:],
            sample_weight=np.linspace(0.5, 1.5, 90),
        )
    fitted = pipeline[-1]
    assert fitted.image_shape_ == (8, 8, 3)
    assert len(fitted.history_["val_loss"]) == 2
    assert fitted.validation_indices_.tolist() == []
    assert pipeline.predict_proba(rows[:1]).shape == (1, 3)


# callbacks


class Counting(keras.callbacks.Callback):
    """Remembers how many epochs it saw."""

    def __init__(self):
        super().__init__()
        self.epochs = 0

    def on_epoch_end(self, epoch, logs=None):
        self.epochs += 1
        seen.append((id(self), self.epochs))


seen: list = []


def test_callbacks_are_used_as_they_are(tiny_classifier, colour_images):
    seen.clear()
    callback = Counting()
    callbacks = [callback]
    classifier = tiny_classifier(epochs=2, callbacks=callbacks)
    classifier.fit(*colour_images).fit(*colour_images)
    assert seen == [(id(callback), epochs) for epochs in (1, 2, 3, 4)]
    assert callback.model is None  # it would keep the network alive
    assert classifier.callbacks is callbacks
    assert callbacks == [callback]
    assert clone(classifier).callbacks[0].epochs == 4  # scikit-learn copies what is no estimator


def test_callbacks_may_be_classes_or_have_met_another_model(tiny_classifier, colour_images):
    seen.clear()
    used = Counting()
    used.set_model(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]))
    classifier = tiny_classifier(epochs=1, callbacks=[Counting, used])
    for _ in range(2):
        classifier.fit(*colour_images)
    # Of a class each fit makes an object, which has seen nothing before.
    assert [epochs for _, epochs in seen] == [1, 1, 1, 2]
    assert used.epochs == 2
    alone = tiny_classifier(epochs=1, callbacks=used).fit(*colour_images)
    assert alone.n_iter_ == 1
    assert used.epochs == 3


# Keras reads the learning rate in a way that NumPy 2 deprecates.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_callbacks_of_keras_do_their_work(tiny_classifier, colour_images):
    class Reading(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            rates.append(float(self.model.optimizer.learning_rate))

    rates: list = []
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.5 * rate)
    classifier = tiny_classifier(epochs=3, learning_rate=0.08, callbacks=[schedule, Reading()])
    classifier.fit(*colour_images)
    np.testing.assert_allclose(rates, [0.04, 0.02, 0.01])
    rates.clear()
    classifier.fit(*colour_images)  # the pooled optimizer starts at learning_rate again
    np.testing.assert_allclose(rates, [0.04, 0.02, 0.01])


def test_other_callbacks_are_refused(tiny_classifier, colour_images):
    with pytest.raises(TypeError, match=r"callbacks must be keras\.callbacks\.Callback"):
        tiny_classifier(epochs=1, callbacks=[print]).fit(*colour_images)


# Ctrl-C


class Interrupting(keras.callbacks.Callback):
    """What Ctrl-C does in the middle of an epoch."""

    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations == 6:
            raise KeyboardInterrupt


def test_ctrl_c_keeps_what_was_learned(tiny_classifier, colour_images):
    X, y = colour_images
    classifier = tiny_classifier(epochs=50, callbacks=[Interrupting()], validation_fraction=0)
    with pytest.raises(KeyboardInterrupt, match=r"what was learned so far is kept"):
        classifier.fit(X, y)
    assert classifier.n_iter_ == len(classifier.history_["loss"]) == 1  # 4 batches an epoch
    untrained = tiny_classifier(epochs=1, validation_fraction=0, learning_rate=1e-12).fit(X, y)
    assert not np.array_equal(weights_of(classifier)[0], weights_of(untrained)[0])
    assert classifier.predict(X).shape == y.shape
    classifier.set_params(callbacks=None).partial_fit(X, y)
    assert classifier.n_iter_ == 2


def test_ctrl_c_restores_the_best_epoch_with_early_stopping(tiny_classifier, colour_images):
    class LaterInterrupting(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 3:
                for weight in self.model.trainable_weights:
                    weight.assign(weight * 0 + 100)
                raise KeyboardInterrupt

    classifier = tiny_classifier(
        epochs=50, callbacks=[LaterInterrupting()], early_stopping=True, validation_fraction=0.2
    )
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(*colour_images)
    assert classifier.n_iter_ == 3
    assert max(np.abs(w).max() for w in weights_of(classifier) if w.dtype.kind == "f") < 99


def test_a_real_interrupt_signal_is_survived(tiny_classifier, colour_images):
    X, y = colour_images

    trained, ended = threading.Event(), threading.Event()

    def interrupt():
        trained.wait(60)
        # Again, because Python drops an exception that is raised while it frees an object.
        for _ in range(20):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            if ended.wait(5):
                break

    def watch(epoch, logs):
        if epoch == 60:
            trained.set()

    classifier = tiny_classifier(
        epochs=100_000,
        validation_fraction=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=watch)],
    )
    classifier.partial_fit(X, y)  # traced, so that the signal comes while training
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(X, y)
    ended.set()
    thread.join()
    assert 60 <= classifier.n_iter_ < 100_000
    assert (classifier.predict(X) == y).mean() > 0.9


def test_ctrl_c_ends_what_contains_the_fit(tiny_classifier, colour_images):
    class Pressing(keras.callbacks.Callback):
        pressed = 0

        def on_epoch_begin(self, epoch, logs=None):
            Pressing.pressed += 1
            raise KeyboardInterrupt

    classifier = tiny_classifier(epochs=2, callbacks=[Pressing])
    for estimator in (
        GridSearchCV(classifier, {"threshold": [0.3, 0.5]}, cv=2),
        Pipeline([("classifier", classifier)]),
        TunedThresholdsClassifierCV(classifier, cv=2),
    ):
        Pressing.pressed = 0
        with pytest.raises(KeyboardInterrupt):
            estimator.fit(*colour_images)
        assert Pressing.pressed == 1  # no fit was begun afterwards


def test_ctrl_c_before_the_first_epoch_has_ended(tiny_classifier, colour_images):
    X, y = colour_images

    class AtOnce(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            raise KeyboardInterrupt

    classifier = tiny_classifier(epochs=2, callbacks=[AtOnce])
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(X, y)
    assert classifier.n_iter_ == 0
    assert classifier.predict(X).shape == y.shape
    classifier.set_params(callbacks=None).partial_fit(X, y)
    assert classifier.n_iter_ == len(classifier.history_["loss"]) == 1


# networks


def dense_network(meta, units=4):
    return keras.Sequential(
        [
            keras.Input(meta["input_shape"], dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(meta["n_labels"], activation="sigmoid"),
        ]
    )


def test_network_may_be_any_callable(tiny_classifier, colour_images, colour_labels):
    X, _ = colour_images
    metas = []

    def remembering(meta):
        metas.append(meta)
        return dense_network(meta)

    class Builder:
        def __call__(self, meta, units=4):
            return dense_network(meta, units)

    class Described:
        """What ``network`` may be besides: an object with ``build`` and no recipe."""

        def build(self, meta):
            return dense_network(meta, 3)

    for network, units in [
        (remembering, 4),
        (lambda meta: dense_network(meta, 3), 3),
        (partial(dense_network, units=3), 3),
        (Builder(), 4),
        (partial(Builder(), units=3), 3),
        (Described(), 3),
    ]:
        classifier = tiny_classifier(network=network, epochs=1)
        assert classifier.fit(X, colour_labels).predict_proba(X).shape == (120, 3)
        assert weights_of(classifier)[1].shape == (units,)
    (meta,) = metas
    assert meta["input_shape"] == (16, 16, 3)
    assert meta["n_labels"] == 3
    assert meta["label_names"] == ["red", "green", "blue"]
    np.testing.assert_allclose(meta["label_frequencies"], colour_labels.mean())
    assert isinstance(meta["seed"], int)


def compiled_network(meta):
    model = dense_network(meta)
    model.compile(loss="mse")
    return model


@pytest.mark.parametrize(
    ("network", "error", "message"),
    [
        (dense_network({"input_shape": (16, 16, 3), "n_labels": 3}), TypeError, "exists already"),
        (compiled_network, ValueError, "returned a compiled model; return it uncompiled"),
        (lambda meta: None, TypeError, "network must return a keras.Model, got NoneType"),
        (
            lambda meta: dense_network({**meta, "n_labels": 4}),
            ValueError,
            r"output shape \(None, 4\), expected \(None, 3\): one sigmoid per label",
        ),
        (
            lambda meta: dense_network({**meta, "input_shape": (16, 8, 3)}),
            ValueError,
            r"\(16, 8, 3\).*\(16, 16, 3\)",
        ),
        ("smal_cnn", ValueError, "Did you mean 'small_cnn'"),
        (SmallCNN, TypeError, r"network is the class SmallCNN; pass an object: SmallCNN\(\)"),
        (3, ValueError, "'network' parameter"),
        ("tutorial", ValueError, "at least 76 x 76 pixels"),
    ],
)
def test_wrong_networks_are_explained(network, error, message, tiny_classifier, colour_images):
    with pytest.raises(error, match=message):
        tiny_classifier(network=network, epochs=1).fit(*colour_images)


def test_options_of_another_network_are_not_silently_ignored(tiny_classifier, colour_images):
    with pytest.raises(TypeError, match=r"no parameter 'filters'"):
        tiny_classifier(network=dense_network, filters=(8,))
    with pytest.raises(TypeError, match=r"TutorialCNN has no parameter 'filters'"):
        TutorialCNN(filters=(8,))
    with pytest.raises(ValueError, match=r"Invalid parameter 'network__filters'"):
        tiny_classifier(network=dense_network).set_params(network__filters=(8,))
    with pytest.raises(TypeError, match=r"unitz"):
        tiny_classifier(network=partial(dense_network, unitz=3)).fit(*colour_images)


def test_an_optimizer_or_loss_object_serves_several_fits(tiny_classifier, colour_images):
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9)
    loss = keras.losses.BinaryFocalCrossentropy(gamma=1.0)
    params = {"optimizer": optimizer, "loss": loss, "epochs": 2, "validation_fraction": 0}
    one = tiny_classifier(**params).fit(*colour_images)
    two = clone(one).fit(*colour_images)
    assert_same_weights(one, two)
    assert not optimizer.built
    other = tiny_classifier(**{**params, "optimizer": keras.optimizers.SGD(0.05)})
    assert not np.array_equal(weights_of(other.fit(*colour_images))[0], weights_of(one)[0])


def test_a_loss_function_of_ones_own(tiny_classifier, colour_images):
    def brier(y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    X, y = colour_images
    params = {"epochs": 2, "validation_fraction": 0}
    own = tiny_classifier(loss=brier, **params).fit(X, y)
    keras_own = tiny_classifier(loss="mean_squared_error", **params).fit(X, y)
    for a, b in zip(weights_of(own), weights_of(keras_own), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    weighted = tiny_classifier(loss=brier, pos_weight=[1, 2, 3], **params).fit(X, y)
    assert not np.array_equal(weights_of(weighted)[0], weights_of(own)[0])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"loss": "binary_crossentropie"}, "binary_crossentropie"),
        ({"optimizer": "adamm"}, "optimizer='adamm' is not known. Did you mean 'adam'"),
        ({"optimizer": 3}, "optimizer=3 is of type int. Expected one of .*'adam'"),
    ],
)
def test_unknown_losses_and_optimizers_are_named(params, message, tiny_classifier, colour_images):
    with pytest.raises((ValueError, TypeError), match=message):
        tiny_classifier(epochs=1, **params).fit(*colour_images)


# progress


def test_progress_is_one_bar_where_one_can_be_seen(
    tiny_classifier, colour_images, capfd, monkeypatch
):
    monkeypatch.setattr("skposter._training.callbacks._bars_can_be_seen", lambda: True)
    tiny_classifier(epochs=3, verbose=1).fit(*colour_images)
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "epoch 3/3" in printed.err
    assert "val_loss" in printed.err
    assert printed.err.count("\n") == 1


def test_progress_is_a_line_an_epoch_elsewhere(tiny_classifier, colour_images, capfd):
    tiny_classifier(epochs=3, verbose=1).fit(*colour_images)
    printed = capfd.readouterr()
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert all("val_loss=" in line for line in lines)
