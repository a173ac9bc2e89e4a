"""What programs do with Keras around a classifier: callbacks, optimizers, settings, strategies."""

import gc
import json
import os
import pickle
import warnings
import weakref

import joblib
import keras
import numpy as np
import pytest
from sklearn.base import clone

import skposter
from skposter._training.callbacks import cosine_share
from skposter.memory import list_memory


def weights_of(classifier):
    return classifier.keras_classifier_.network_.variables


def assert_same_weights(one, other):
    for a, b in zip(weights_of(one), weights_of(other), strict=True):
        np.testing.assert_array_equal(a, b)


class Rates(keras.callbacks.Callback):
    """Notes the rate with which each batch is trained."""

    def __init__(self):
        super().__init__()
        self.noted = []

    def on_train_batch_end(self, batch, logs=None):
        self.noted.append(float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)))


# --------------------------------------------------------------------------------------------------
# The learning rate is the callback's, if there is one that sets it


class SetsIt(keras.callbacks.Callback):
    """Sets the rate in one of the methods of callbacks."""

    def __init__(self, method, rate=0.125):
        super().__init__()
        setattr(self, method, lambda *args, **kwargs: self.set(rate))

    def set(self, rate):
        self.model.optimizer.learning_rate = rate


@pytest.fixture
def on_schedule(tiny_classifier):
    """A function that returns a classifier with the default course of the learning rate."""

    def make(**params):
        defaults = {"learning_rate_schedule": "auto", "epochs": 3, "validation_fraction": 0}
        return tiny_classifier(**{"batch_size": 40, **defaults, **params})  # 3 batches an epoch

    return make


def rates_and_warnings(classifier, data, callbacks):
    """Fit; return the rate of each batch, and the warnings."""
    rates = Rates()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        classifier.set_params(callbacks=[*callbacks, rates]).fit(*data)
    # Keras reads the rate in a way that NumPy 2 deprecates.
    return rates.noted, [w for w in caught if "__array__" not in str(w.message)]


COSINE = [0.03 * cosine_share(step, 9) for step in range(9)]


@pytest.mark.parametrize(
    ("callback", "expected"),
    [
        (lambda: keras.callbacks.LearningRateScheduler(lambda epoch: 0.5**epoch), [1, 0.5, 0.25]),
        (
            lambda: keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2),
            [0.015, 0.0075, 0.00375],
        ),
        (
            lambda: keras.callbacks.ReduceLROnPlateau("loss", 0.1, patience=1, min_delta=100),
            [0.03, 0.03, 0.003],
        ),
        (lambda: SetsIt("on_train_begin"), 0.125),
        (lambda: SetsIt("on_epoch_begin"), 0.125),
        (lambda: SetsIt("on_train_batch_begin"), 0.125),
    ],
    ids=["scheduler", "scheduler of the rate", "plateau", "at train", "at epoch", "at batch"],
)
def test_a_callback_that_sets_the_rate_is_obeyed(callback, expected, on_schedule, colour_images):
    rates, caught = rates_and_warnings(on_schedule(), colour_images, [callback()])
    np.testing.assert_allclose(
        np.reshape(rates, (3, 3)).T, np.broadcast_to(expected, (3, 3)), rtol=1e-6
    )
    assert len(caught) == 1
    assert "learning_rate_schedule='cosine' steps aside" in str(caught[0].message)
    assert caught[0].filename == __file__


def test_a_callback_may_take_the_rate_over_later(on_schedule, colour_images):
    class FromTheSecondEpoch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.optimizer.learning_rate = 0.25

    rates, caught = rates_and_warnings(on_schedule(), colour_images, [FromTheSecondEpoch()])
    np.testing.assert_allclose(rates, COSINE[:3] + 6 * [0.25], rtol=1e-6)
    assert len(caught) == 1


def test_other_callbacks_leave_the_schedule_alone(on_schedule, colour_images):
    rates, caught = rates_and_warnings(on_schedule(), colour_images, [keras.callbacks.Callback()])
    np.testing.assert_allclose(rates, COSINE, rtol=1e-6)
    assert caught == []


def test_who_says_constant_is_not_warned(on_schedule, colour_images):
    classifier = on_schedule(learning_rate_schedule="constant")
    still = keras.callbacks.LearningRateScheduler(lambda epoch: 0.0)
    rates, caught = rates_and_warnings(classifier, colour_images, [still])
    assert rates == [0.0] * 9
    assert caught == []
    start = on_schedule(learning_rate_schedule="constant", learning_rate=1e-30).fit(*colour_images)
    for a, b in zip(weights_of(classifier)[:1], weights_of(start)[:1], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_the_schedule_is_back_for_the_next_fit(on_schedule, colour_images):
    reference, _ = rates_and_warnings(on_schedule(), colour_images, [])
    rates_and_warnings(on_schedule(), colour_images, [SetsIt("on_epoch_begin")])
    again, caught = rates_and_warnings(on_schedule(), colour_images, [])
    assert again == reference
    assert caught == []


# --------------------------------------------------------------------------------------------------
# Callbacks see and are seen


class Logging(keras.callbacks.Callback):
    """Collects what it sees, and logs something of its own."""

    def __init__(self, only=None):
        super().__init__()
        self.seen = []
        self.only = only

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(dict(logs))
        if self.only in (None, epoch):
            logs["mine"] = np.float32(epoch + 0.5)
            logs["words"] = "text"


def test_what_callbacks_collect_and_log_is_kept(on_schedule, colour_images):
    callback = Logging()
    classifier = on_schedule(callbacks=[callback], validation_fraction=0.1).fit(*colour_images)
    history = classifier.history_
    assert [logs["loss"] for logs in callback.seen] == history["loss"]
    assert [logs["val_loss"] for logs in callback.seen] == history["val_loss"]
    assert history["mine"] == [0.5, 1.5, 2.5]
    assert history["words"] == ["text"] * 3
    classifier.set_params(callbacks=None).partial_fit(*colour_images)
    assert classifier.history_["mine"][:3] == [0.5, 1.5, 2.5]
    assert {len(values) for values in classifier.history_.values()} == {4}


def test_epochs_without_a_value_are_nan(on_schedule, colour_images, tmp_path):
    classifier = on_schedule(callbacks=[Logging(only=1)]).fit(*colour_images)
    np.testing.assert_array_equal(classifier.history_["mine"], [np.nan, 1.5, np.nan])
    skposter.save(classifier.set_params(callbacks=None), tmp_path / "model.skposter")
    loaded = skposter.load(tmp_path / "model.skposter")
    np.testing.assert_array_equal(loaded.history_["mine"], [np.nan, 1.5, np.nan])


class Holding(keras.callbacks.Callback):
    """Notes which model it had."""

    def set_model(self, model):
        super().set_model(model)
        if model is not None:
            self.had = weakref.ref(model)

    def on_epoch_end(self, epoch, logs=None):
        if self.params["epochs"] == 7:
            raise KeyboardInterrupt
        if self.params["epochs"] == 8:
            raise ZeroDivisionError


@pytest.mark.parametrize(("epochs", "error"), [(1, None), (7, KeyboardInterrupt), (8, ValueError)])
def test_callbacks_hold_no_model_afterwards(epochs, error, on_schedule, colour_images):
    callback = Holding()
    classifier = on_schedule(callbacks=[callback], epochs=epochs)
    if error is None:
        classifier.fit(*colour_images)
    else:
        with pytest.raises((KeyboardInterrupt, ZeroDivisionError)):
            classifier.fit(*colour_images)
    assert callback.model is None
    keras.backend.clear_session()  # what Keras itself holds on to
    gc.collect()
    assert callback.had() is None  # a network that it had in hand is not lent again
    assert len(pickle.dumps(callback.__dict__.get("_params"))) < 1000


class Freezing(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        for layer in self.model.layers[:-1]:
            layer.trainable = False


class Clipping(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.model.optimizer.clipnorm = 1e-3


class Stopping(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = True


@pytest.mark.parametrize(
    "callback",
    [
        Freezing,
        Clipping,
        Stopping,
        lambda: keras.callbacks.EarlyStopping("loss", min_delta=100, patience=0),
        lambda: keras.callbacks.BackupAndRestore("backup"),
        lambda: keras.callbacks.LambdaCallback(on_train_end=lambda logs: None),
        lambda: keras.callbacks.TerminateOnNaN(),
    ],
    ids=["freezing", "clipping", "stopping", "early stopping", "backup", "lambda", "nan"],
)
def test_what_callbacks_change_does_not_reach_the_next_fit(
    callback, on_schedule, colour_images, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    reference = on_schedule().fit(*colour_images)
    on_schedule(callbacks=[callback()]).fit(*colour_images)
    after = on_schedule().fit(*colour_images)
    assert_same_weights(after, reference)
    assert after.n_iter_ == 3


# Keras converts variables so when it saves them.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_callbacks_that_write_files_write_them(on_schedule, colour_images, tmp_path):
    classifier = on_schedule(
        callbacks=[
            keras.callbacks.CSVLogger(tmp_path / "log.csv"),
            keras.callbacks.ModelCheckpoint(tmp_path / "best.weights.h5", save_weights_only=True),
            keras.callbacks.BackupAndRestore(tmp_path / "backup"),
        ]
    ).fit(*colour_images)
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert [float(line.split(",")[1]) for line in lines[1:]] == pytest.approx(
        classifier.history_["loss"]
    )
    model = on_schedule(random_state=1).fit(*colour_images).model_
    model.load_weights(tmp_path / "best.weights.h5")
    X, _ = colour_images
    np.testing.assert_allclose(model(X), classifier.predict_proba(X), atol=1e-6)


# --------------------------------------------------------------------------------------------------
# Losses and optimizers


OPTIMIZERS = {
    "loss scaling": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.03)),
    "clipnorm": lambda: keras.optimizers.Adam(0.03, clipnorm=0.5),
    "ema": lambda: keras.optimizers.Adam(0.03, use_ema=True, ema_momentum=0.5),
    "accumulation": lambda: keras.optimizers.Adam(0.03, gradient_accumulation_steps=2),
    "class": lambda: keras.optimizers.Adam,
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_train_and_stay_as_they_are(name, tiny_classifier, colour_images, tmp_path):
    X, y = colour_images
    optimizer = OPTIMIZERS[name]()
    params = {"optimizer": optimizer, "learning_rate_schedule": "auto", "epochs": 8}
    memory = str(tmp_path / "memory")
    classifier = tiny_classifier(**params, memory=memory, warm_start=True).fit(X, y)
    assert (classifier.predict(X) == y).mean() > 0.9
    found = clone(classifier).fit(X, y)
    assert_same_weights(found, classifier)
    assert (list_memory(memory)["kind"] == "network").sum() == 1
    assert_same_weights(tiny_classifier(**params).fit(X, y), classifier)
    assert isinstance(optimizer, type) or not optimizer.built
    again = pickle.loads(pickle.dumps(classifier)).partial_fit(X, y)
    assert_same_weights(again, classifier.partial_fit(X, y))
    assert again.n_iter_ == 9


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_schedule_sets_the_rate_of_any_optimizer(name, on_schedule, colour_images):
    classifier = on_schedule(optimizer=OPTIMIZERS[name]())
    rates, _ = rates_and_warnings(classifier, colour_images, [])
    np.testing.assert_allclose(rates, COSINE, rtol=1e-6)


def test_averages_of_weights_are_what_is_kept(tiny_classifier, colour_images):
    # Averages that never move are the weights after the first step.
    params = {"batch_size": 120, "validation_fraction": 0, "weight_decay": 0}
    averaging = keras.optimizers.Adam(0.03, use_ema=True, ema_momentum=1.0)
    averaged = tiny_classifier(optimizer=averaging, epochs=3, **params).fit(*colour_images)
    one_step = tiny_classifier(epochs=1, **params).fit(*colour_images)
    for a, b in zip(
        averaged.model_.trainable_weights, one_step.model_.trainable_weights, strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_accumulated_gradients_are_applied_together(tiny_classifier, colour_images):
    # With as many steps as there are batches in two epochs, one epoch changes no weight.
    params = {"epochs": 1, "validation_fraction": 0}
    waiting = keras.optimizers.SGD(1.0, gradient_accumulation_steps=8)
    waited = tiny_classifier(optimizer=waiting, **params).fit(*colour_images)
    still = tiny_classifier(learning_rate=1e-30, **params).fit(*colour_images)
    for a, b in zip(waited.model_.trainable_weights, still.model_.trainable_weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    on = clone(waited).set_params(epochs=2).fit(*colour_images)
    assert not np.allclose(on.model_.trainable_weights[0], waited.model_.trainable_weights[0])


def test_classes_are_as_good_as_objects(tiny_classifier, colour_images, tmp_path):
    X, y = colour_images
    params = {"epochs": 2, "validation_fraction": 0}
    for of_class, of_object in [
        (
            {"loss": keras.losses.BinaryFocalCrossentropy},
            {"loss": keras.losses.BinaryFocalCrossentropy()},
        ),
        (
            {"optimizer": keras.optimizers.SGD, "learning_rate": 0.1, "weight_decay": None},
            {"optimizer": keras.optimizers.SGD(0.1)},
        ),
        ({"loss": keras.losses.BinaryCrossentropy}, {"loss": "binary_crossentropy"}),
    ]:
        fitted = tiny_classifier(**params, **of_class).fit(X, y)
        assert_same_weights(fitted, tiny_classifier(**params, **of_object).fit(X, y))
        assert_same_weights(clone(fitted).fit(X, y), fitted)
        joblib.dump(fitted, tmp_path / "model.joblib")
        np.testing.assert_array_equal(
            joblib.load(tmp_path / "model.joblib").predict_proba(X), fitted.predict_proba(X)
        )


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"optimizer": keras.layers.Dense}, "optimizer=.*Dense.*Expected one of .*'adam'"),
        ({"optimizer": None}, "optimizer=None is of type NoneType. Expected one of .*'adam'"),
        ({"loss": None}, "'loss' parameter"),
        ({"loss": "categorical_crossentropy"}, "for labels that exclude one another"),
        ({"loss": keras.losses.SparseCategoricalCrossentropy()}, "exclude one another"),
    ],
)
def test_what_is_no_loss_or_optimizer_here_is_named(
    params, message, tiny_classifier, colour_images
):
    with pytest.raises((TypeError, ValueError), match=message):
        tiny_classifier(epochs=1, **params).fit(*colour_images)


# --------------------------------------------------------------------------------------------------
# Settings of Keras


SETTINGS = """
import sys
sys.path.insert(0, sys.argv[1])
import hashlib, json
import keras
import numpy as np
from conftest import TINY, make_colour_images
from skposter import MultiLabelImageClassifier
from skposter._keras import pool
from skposter.networks import Pretrained, SmallCNN, build_network

X, y = make_colour_images()


def own(meta):
    images = keras.Input(meta["input_shape"])
    x = keras.layers.Conv2D(4, 3, strides=2)(keras.layers.Rescaling(1 / 255)(images))
    x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(images, keras.layers.Dense(meta["n_labels"], activation="sigmoid")(x))


def results():
    pool._idle.clear()  # or networks that were built before would serve
    found = []
    for network in (SmallCNN(filters=(8,)), own):
        params = {**TINY, "epochs": 2, "augmentation": "strong", "network": network}
        fitted = MultiLabelImageClassifier(**params).fit(X, y)
        probabilities = fitted.predict_proba(X)
        assert probabilities.dtype == np.float32
        digest = hashlib.sha256(probabilities.tobytes())
        for array in fitted.keras_classifier_.network_.variables:
            digest.update(array.tobytes())
        found.append(digest.hexdigest())
        assert fitted.recipe_["dtype_policy"] == "float32"
    meta = {
        "input_shape": (32, 32, 3), "n_labels": 2, "label_names": [0, 1], "seed": 0,
        "label_frequencies": np.full(2, 0.5), "augmentation": "light",
    }
    network = Pretrained("mobilenet", weights=None, builder_params={"alpha": 0.25})
    model = build_network(network, meta, dtype_policy="float32")
    found.append(pool.canonical(json.dumps(keras.saving.serialize_keras_object(model))))
    return found


expected = results()
config = keras.config
for get, set_to, values in [
    (config.image_data_format, config.set_image_data_format, ["channels_first"]),
    (config.floatx, config.set_floatx, ["float16", "float64"]),
]:
    before = get()
    for value in values:
        set_to(value)
        config.set_dtype_policy("float32")  # floatx can have changed it
        assert results() == expected, value
        assert get() == value, "a fit has changed the setting"
    set_to(before)
print("equal")
"""


def test_settings_of_keras_change_no_result(run_python):
    assert run_python(SETTINGS, os.path.dirname(__file__)).stdout == "equal\n"


POLICY = """
import sys
tests, folder = sys.argv[1:]
sys.path.insert(0, tests)
import joblib, keras
import numpy as np
from conftest import TINY, make_colour_images
from sklearn.base import clone
from sklearn.model_selection import KFold, cross_val_predict
import skposter
from skposter import MultiLabelImageClassifier
from skposter.networks import SmallCNN

X, y = make_colour_images()
params = {**TINY, "network": SmallCNN(filters=(8,)), "epochs": 2}
plain = MultiLabelImageClassifier(**params).fit(X, y)
keras.config.set_dtype_policy("mixed_bfloat16")
classifier = MultiLabelImageClassifier(**params)
cv = KFold(2, shuffle=True, random_state=0)
alone = cross_val_predict(classifier, X, y, cv=cv, method="predict_proba")
there = cross_val_predict(classifier, X, y, cv=cv, method="predict_proba", n_jobs=2)
np.testing.assert_array_equal(there, alone)
fitted = classifier.fit(X, y)
expected = fitted.predict_proba(X)
assert fitted.recipe_["dtype_policy"] == "mixed_bfloat16"
assert keras.config.dtype_policy().name == "mixed_bfloat16"
assert not np.array_equal(expected, plain.predict_proba(X)), "the policy makes no difference"
joblib.dump(fitted, folder + "/mixed.joblib")
skposter.save(fitted, folder + "/mixed.skposter")
skposter.export(fitted, folder + "/mixed.keras")
np.save(folder + "/expected.npy", expected)
keras.config.set_dtype_policy("float32")
np.testing.assert_array_equal(fitted.predict_proba(X), expected)
said = MultiLabelImageClassifier(**params, dtype_policy="mixed_bfloat16").fit(X, y)
np.testing.assert_array_equal(said.predict_proba(X), expected)
np.testing.assert_array_equal(clone(fitted).fit(X, y).predict_proba(X), plain.predict_proba(X))
"""


def test_a_policy_goes_wherever_the_network_goes(run_python, tmp_path, colour_images):
    run_python(POLICY, os.path.dirname(__file__), tmp_path)
    X, y = colour_images
    expected = np.load(tmp_path / "expected.npy")
    loaded = joblib.load(tmp_path / "mixed.joblib")
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)
    saved = skposter.load(tmp_path / "mixed.skposter")
    np.testing.assert_array_equal(saved.predict_proba(X), expected)
    assert saved.recipe_["dtype_policy"] == "mixed_bfloat16"
    model = keras.saving.load_model(tmp_path / "mixed.keras")
    np.testing.assert_allclose(np.asarray(model(X)), expected, atol=1e-6)
    for classifier in (loaded, saved):  # training on keeps the policy too
        classifier.partial_fit(X, y)
        assert classifier.recipe_["dtype_policy"] == "mixed_bfloat16"
        assert classifier.model_.get_layer("conv_1").compute_dtype == "bfloat16"


@pytest.mark.parametrize(
    "policy", ["bfloat16", "float16", "float64", "mixed_bfloat16", "mixed_float16"]
)
def test_a_network_of_any_policy_can_be_kept(policy, tiny_classifier, colour_images, tmp_path):
    X, y = colour_images
    memory = str(tmp_path / "memory")
    # Adam's epsilon is nothing in half precision.
    params = {"dtype_policy": policy, "optimizer": "sgd", "epochs": 2}
    classifier = tiny_classifier(**params, memory=memory).fit(X, y)
    expected = classifier.predict_proba(X)
    assert expected.dtype == np.float32
    assert np.isfinite(expected).all()
    assert np.isfinite(classifier.history_["loss"]).all()
    assert classifier.model_.get_layer("conv_1").compute_dtype == policy.removeprefix("mixed_")
    stored = str(weights_of(classifier)[0].dtype)
    assert stored == ("float32" if policy.startswith("mixed_") else policy)
    found = clone(classifier).fit(X, y)
    np.testing.assert_array_equal(found.predict_proba(X), expected)
    joblib.dump(classifier, tmp_path / "model.joblib")
    skposter.save(classifier, tmp_path / "model.skposter")
    for loaded in [
        joblib.load(tmp_path / "model.joblib"),
        skposter.load(tmp_path / "model.skposter"),
    ]:
        np.testing.assert_array_equal(loaded.predict_proba(X), expected)
        assert loaded.recipe_["dtype_policy"] == policy


def test_a_network_keeps_the_policy_that_it_began_with(tiny_classifier, colour_images):
    classifier = tiny_classifier(epochs=1).fit(*colour_images)
    classifier.set_params(dtype_policy="mixed_bfloat16")
    message = "training began with 'float32', and a network keeps its own"
    with pytest.raises(ValueError, match=message):
        classifier.partial_fit(*colour_images)
    assert classifier.n_iter_ == 1
    assert classifier.fit(*colour_images).recipe_["dtype_policy"] == "mixed_bfloat16"


BACKEND = """
import os, sys
backend = sys.argv[1]
if sys.argv[2:]:
    os.environ["KERAS_HOME"] = sys.argv[2]
else:
    os.environ["KERAS_BACKEND"] = backend
import numpy as np
import skposter
from skposter import ImageLoader, TunedThresholdsClassifierCV  # these need no Keras
try:
    from skposter import MultiLabelImageClassifier
    y = np.tile(np.eye(2), (10, 1))
    MultiLabelImageClassifier().fit(np.zeros((20, 8, 8, 3), np.uint8), y)
except ImportError as error:
    print(error)
assert not {"tensorflow", "keras", "torch", "jax"} & set(sys.modules)
"""


@pytest.mark.parametrize("where", ["environment", "file"])
def test_another_backend_is_one_line_before_anything_is_loaded(where, run_python, tmp_path):
    arguments = ["torch"]
    if where == "file":
        (tmp_path / "keras.json").write_text(json.dumps({"backend": "jax"}))
        arguments = ["jax", tmp_path]
    done = run_python(BACKEND, *arguments)
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"Keras runs on '{arguments[0]}' here; skposter needs TensorFlow.")
    assert done.stderr == ""


# --------------------------------------------------------------------------------------------------
# Several devices


STRATEGIES = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
import tensorflow as tf
from conftest import TINY, make_colour_images
from skposter import MultiLabelImageClassifier
from skposter.networks import SmallCNN

(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
X, y = make_colour_images()
params = {**TINY, "network": SmallCNN(filters=(8,)), "epochs": 6, "tta": "flip"}

with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    inside = MultiLabelImageClassifier(**params).fit(X, y)
    here = [inside.predict_proba(X[:n]) for n in (1, 2, 3, len(X))]
for n, probabilities in zip((1, 2, 3, len(X)), here):
    assert probabilities.shape == (n, 3), probabilities.shape
    np.testing.assert_allclose(probabilities, inside.predict_proba(X)[:n], atol=1e-6)
assert (inside.predict(X) == y).mean() > 0.9
assert inside.history_["loss"][-1] < inside.history_["loss"][0]

outside = MultiLabelImageClassifier(**params).fit(X, y)
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():  # another scope, other variables
    again = outside.predict_proba(X[:3])
    outside.partial_fit(X, y)
alone = MultiLabelImageClassifier(**params).fit(X, y).predict_proba(X)[:3]
np.testing.assert_allclose(again, alone, atol=1e-6)

with tf.distribute.OneDeviceStrategy("CPU:1").scope():
    one = MultiLabelImageClassifier(**params).fit(X, y)
assert (one.predict(X) == y).mean() > 0.9

with tf.distribute.experimental.CentralStorageStrategy(["CPU:0", "CPU:1"]).scope():
    for call in (lambda: MultiLabelImageClassifier(**params).fit(X, y), lambda: one.predict(X)):
        try:
            call()
        except RuntimeError as error:
            print(error)
"""


def test_several_devices(run_python):
    lines = run_python(STRATEGIES, os.path.dirname(__file__)).stdout.splitlines()
    lines = [line for line in lines if "strategy" in line.lower() and "INFO" not in line]
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("CentralStorageStrategy is not supported")
        assert "MirroredStrategy" in line
