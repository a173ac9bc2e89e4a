"""Networks of keras.applications: weights, preprocessing, two phases, clear errors."""

import os

import numpy as np
import pytest
from sklearn.base import clone

import skposter
from skposter import MultiLabelImageClassifier
from skposter._keras.tensorflow import keras
from skposter.memory import list_memory
from skposter.networks import (
    BACKBONES,
    FEATURES,
    NETWORKS,
    Pretrained,
    SmallCNN,
    build_network,
)
from skposter.networks._backbones import _preprocessed

SHAPE = (32, 32, 3)
REAL_WEIGHTS = os.environ.get("SKPOSTER_WEIGHTS", "")  # MobileNet 0.25, without its top


def mobilenet(weights, **params):
    return Pretrained(
        "mobilenet", **{"weights": weights, "builder_params": {"alpha": 0.25}, **params}
    )


def built(network, shape=SHAPE):
    meta = {
        "input_shape": shape,
        "n_labels": 3,
        "label_names": ["red", "green", "blue"],
        "label_frequencies": np.full(3, 0.3),
        "seed": 7,
        "augmentation": "none",
    }
    return build_network(network, meta, dtype_policy="float32")


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, size=(40, 3))
    X = rng.integers(0, 80, size=(40, *SHAPE)).astype(np.uint8)
    X += (y[:, None, None, :] * 150).astype(np.uint8)
    return X, y


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of random weights of MobileNet 0.25, as a pre-trained network's."""
    path = tmp_path_factory.mktemp("weights") / "mobilenet.weights.h5"
    network = built(mobilenet(None)).get_layer("mobilenet")
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.beta.assign(layer.beta + 0.1)  # or signals fade: its statistics are no data's
    network.save_weights(path)
    return path


def classifier(network, **params):
    """Return a classifier whose probabilities are the network's own."""
    return MultiLabelImageClassifier(
        network, **{"epochs": 1, "tta": "none", "random_state": 0, **params}
    )


def backbone_weights(fitted):
    return fitted.model_.get_layer("mobilenet").get_weights()


@pytest.fixture(scope="module")
def head_only(images, weights, tmp_path_factory):
    memory = str(tmp_path_factory.mktemp("memory"))
    # Of random weights comes next to nothing, so what there is to learn is little: the biases.
    network = mobilenet(weights, fine_tune="none", dropout=0.0)
    params = {"epochs": 20, "batch_size": 40, "learning_rate": 1e-3}
    return classifier(network, **params, memory=memory).fit(*images)


def test_weights_come_from_the_file(weights):
    loaded, random = (built(mobilenet(w)).get_layer("mobilenet") for w in (weights, None))
    for layer, other in zip(loaded.layers, random.layers, strict=True):
        if isinstance(layer, keras.layers.BatchNormalization):
            np.testing.assert_allclose(layer.beta, other.beta + 0.1)
        elif layer.get_weights():
            np.testing.assert_array_equal(*layer.get_weights(), *other.get_weights())


def test_weights_learned_at_one_size_serve_another(weights):
    model = built(mobilenet(weights), (64, 48, 3))
    assert model(np.zeros((1, 64, 48, 3), np.uint8)).shape == (1, 3)


def test_grey_images_are_shown_as_three_equal_channels(weights):
    grey = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 1)).astype(np.uint8)
    of_grey = built(mobilenet(weights), (32, 32, 1))(grey)
    of_colours = built(mobilenet(weights))(np.repeat(grey, 3, axis=-1))
    np.testing.assert_allclose(of_grey, of_colours, atol=1e-6)


@pytest.mark.parametrize(
    ("preprocessing", "function"),
    [
        ("centred", keras.applications.mobilenet.preprocess_input),
        ("caffe", keras.applications.resnet50.preprocess_input),
        ("torch", keras.applications.densenet.preprocess_input),
        ("inside", keras.applications.efficientnet.preprocess_input),
    ],
)
def test_preprocessing_is_that_of_keras(preprocessing, function):
    images = keras.Input((4, 4, 3))
    model = keras.Model(images, _preprocessed(images, preprocessing))
    X = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3)).astype(np.float32)
    np.testing.assert_allclose(model(X), function(X.copy()), rtol=1e-4, atol=1e-4)


def test_each_network_is_one_of_keras_with_the_preprocessing_of_its_kind():
    for name, (function, preprocessing) in BACKBONES.items():
        module = getattr(keras.applications, function).__module__
        own = __import__(module, fromlist=["preprocess_input"]).preprocess_input
        X = np.random.default_rng(0).integers(0, 256, (1, 2, 2, 3)).astype(np.float32)
        expected = _preprocessed(keras.ops.convert_to_tensor(X), preprocessing)
        np.testing.assert_allclose(own(X.copy()), expected, rtol=1e-4, atol=1e-4, err_msg=name)
        assert name in NETWORKS


def test_no_network_of_keras_is_missing():
    of_keras = {name for name in dir(keras.applications) if name[0].isupper()}
    assert {function for function, _ in BACKBONES.values()} == of_keras


# --------------------------------------------------------------------------------------------------
# Phases


@pytest.mark.parametrize(
    ("fine_tune", "trainable"), [("none", 2), ("last", 12 + 2), ("all", 81 + 2)]
)
def test_fine_tune_says_which_layers_learn(weights, fine_tune, trainable):
    model = built(mobilenet(weights, fine_tune=fine_tune), (96, 96, 3))
    assert len(model.trainable_weights) == trainable
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    assert len(again.trainable_weights) == trainable


def test_none_trains_the_head_and_leaves_the_rest(head_only, images, weights):
    assert head_only.n_iter_ == 20
    assert head_only.history_["loss"][-1] < head_only.history_["loss"][0]
    start = built(mobilenet(weights)).get_layer("mobilenet").get_weights()
    for a, b in zip(backbone_weights(head_only), start, strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_is_trained_on_features_is_the_whole_network(head_only, images):
    X, _ = images
    model = head_only.model_
    np.testing.assert_allclose(head_only.predict_proba(X), model(X), atol=1e-5)
    assert model.get_layer(FEATURES).output.shape == (None, 256)


def test_features_are_computed_once_for_many_heads(head_only, images, weights):
    memory = head_only.memory

    def kinds():
        return list_memory(memory)["kind"].value_counts().to_dict()

    assert kinds()["features"] == 1  # training and validation parts share the images
    clone(head_only).set_params(epochs=2, network__dropout=0.1).fit(*images)
    assert kinds()["features"] == 1
    assert kinds()["network"] == 2


def test_partial_fit_trains_the_head_on(head_only, images, weights):
    network = mobilenet(weights, fine_tune="none")
    twice = classifier(network, validation_fraction=0, epochs=2, learning_rate_schedule="constant")
    twice.set_params(correct_intercepts=False).fit(*images)
    steps = classifier(network).partial_fit(*images).partial_fit(*images)
    np.testing.assert_allclose(
        steps.predict_proba(images[0]), twice.predict_proba(images[0]), atol=1e-6
    )


def test_layers_are_trained_after_the_head(images, weights):
    X, y = images
    fitted = classifier(mobilenet(weights, head_epochs=3)).fit(X, y)
    assert fitted.n_iter_ == 1
    assert fitted.recipe_["fine_tune"] == "all"
    assert fitted.recipe_["head_epochs"] == 3
    network = fitted.model_.get_layer("mobilenet")
    start = built(mobilenet(weights)).get_layer("mobilenet")
    for name in ("conv_pw_13", "conv_pw_13_bn"):
        trained, before = network.get_layer(name).get_weights(), start.get_layer(name).get_weights()
        assert not any(map(np.array_equal, trained, before))
    again = classifier(mobilenet(weights, head_epochs=3)).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))


def test_layers_before_the_last_stage_keep_their_statistics(weights):
    model = built(mobilenet(weights, fine_tune="last"), (96, 96, 3))
    norm = model.get_layer("mobilenet").get_layer("conv_pw_3_bn")
    before = norm.get_weights()
    model(np.full((2, 96, 96, 3), 200, np.uint8), training=True)
    assert all(map(np.array_equal, norm.get_weights(), before))


def test_what_is_not_said_is_the_recipe_of_the_network(images, weights):
    X, y = images
    network = mobilenet(weights, head_epochs=1)
    clf = MultiLabelImageClassifier(network, epochs=1, batch_size=20, random_state=0).fit(X, y)
    for name, value in network.recipe.items():
        assert clf.recipe_[name] == (1 if name == "epochs" else value)
    assert {"epochs", "learning_rate", "tta"} <= set(network.recipe)


def test_callbacks_see_the_phase_of_all_layers_only(images, weights):
    class Counting(keras.callbacks.Callback):
        epochs = 0

        def on_epoch_end(self, epoch, logs=None):
            self.epochs += 1

    counting = Counting()
    fitted = classifier(mobilenet(weights, head_epochs=2), callbacks=[counting]).fit(*images)
    assert counting.epochs == len(fitted.history_["loss"]) == 1
    only_head = classifier(mobilenet(weights, fine_tune="none"), epochs=3, callbacks=[counting])
    only_head.fit(*images)
    assert counting.epochs == 1 + 3


def test_warm_start_leaves_the_phase_of_the_head_out(images, weights):
    clf = classifier(mobilenet(weights, head_epochs=1), warm_start=True).fit(*images)
    before = clf.predict_proba(images[0])
    clf.fit(*images)
    assert clf.n_iter_ == len(clf.history_["loss"]) == 2
    assert not np.array_equal(clf.predict_proba(images[0]), before)


def test_a_saved_network_needs_no_file_of_weights(images, weights, tmp_path):
    moved = tmp_path / "moved.weights.h5"
    moved.write_bytes(weights.read_bytes())
    fitted = classifier(mobilenet(str(moved), head_epochs=1)).fit(*images)
    skposter.save(fitted, tmp_path / "model.skposter")
    moved.unlink()
    loaded = skposter.load(tmp_path / "model.skposter")
    np.testing.assert_array_equal(loaded.predict_proba(images[0]), fitted.predict_proba(images[0]))
    assert loaded.recipe_ == fitted.recipe_


# --------------------------------------------------------------------------------------------------
# Errors


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none.h5' is not a file.*'mobilenet'"):
        built(mobilenet(tmp_path / "none.h5"))


def test_weights_of_another_network_are_refused(weights):
    with pytest.raises(ValueError, match=r"not those of 'mobilenet'.*builder_params"):
        built(mobilenet(weights, builder_params={"alpha": 0.5}))


def test_a_file_that_holds_no_weights_is_refused(tmp_path):
    (tmp_path / "text.weights.h5").write_text("no weights")
    with pytest.raises(ValueError, match="not those of 'mobilenet'"):
        built(mobilenet(tmp_path / "text.weights.h5"))


def test_a_failed_download_says_how_to_go_on(monkeypatch):
    def no_network(*args, **kwargs):
        raise Exception("URL fetch failure on https://example.org/w.h5: None -- no route")

    module = __import__(keras.applications.MobileNet.__module__, fromlist=["file_utils"])
    monkeypatch.setattr(module.file_utils, "get_file", no_network)
    with pytest.raises(OSError, match=r"could not be downloaded .*w.h5.*pass weights=PATH"):
        built(mobilenet("imagenet"))


def test_random_layers_cannot_be_kept():
    with pytest.raises(ValueError, match=r"fine_tune='last' keeps layers .*they are\s+random"):
        built(mobilenet(None, fine_tune="last"))


def test_an_unknown_option_is_named():
    with pytest.raises(TypeError, match=r"no option 'alpa'. Did you mean 'alpha'\?"):
        built(mobilenet(None, builder_params={"alpa": 1}))


def test_a_parameter_that_the_network_does_not_read_is_refused(images, weights):
    with pytest.raises(TypeError, match=r"Pretrained has no parameter 'filters'"):
        Pretrained("mobilenet", filters=(4,))
    with pytest.raises(ValueError, match=r"Invalid parameter 'filters'"):
        classifier(mobilenet(weights)).set_params(network__filters=(4,))
    with pytest.raises(TypeError, match=r"SmallCNN has no parameter 'fine_tune'"):
        SmallCNN(fine_tune="last")
    for network, why in [
        (mobilenet(weights, fine_tune="none", head_epochs=3), 'fine_tune="none"'),
        (mobilenet(None, head_epochs=3), "weights=None"),
    ]:
        with pytest.raises(ValueError, match=f"head_epochs=3 has no meaning with {why}"):
            classifier(network).fit(*images)


@pytest.mark.skipif(not os.path.isfile(REAL_WEIGHTS), reason="SKPOSTER_WEIGHTS names no file")
def test_published_weights_load():
    model = built(mobilenet(REAL_WEIGHTS), (224, 160, 3))
    assert np.isfinite(model(np.zeros((1, 224, 160, 3), np.uint8))).all()
