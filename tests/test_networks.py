"""Built-in networks, what builders get to know, and predictions of mirrored images."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone

from skposter._keras.tensorflow import keras
from skposter._labels.log_odds import mean_of_log_odds
from skposter._training.recipe import DEFAULTS
from skposter.networks import (
    BACKBONES,
    NETWORKS,
    Pretrained,
    SmallCNN,
    TutorialCNN,
    as_network,
    build_network,
)

META = {
    "input_shape": (16, 12, 3),
    "n_labels": 2,
    "label_names": ["a", "b"],
    "label_frequencies": np.array([0.25, 0.01]),
    "seed": 3,
}
X = np.random.default_rng(0).integers(0, 256, size=(5, 16, 12, 3)).astype(np.uint8)


def built(network, **meta):
    return build_network(network, {**META, **meta}, dtype_policy="float32")


def test_predictions_start_near_the_label_frequencies():
    model = built(SmallCNN(filters=(4,)))
    model.get_layer("probabilities").kernel.assign(np.zeros((4, 2)))
    np.testing.assert_allclose(model(X), np.tile([0.25, 0.01], (5, 1)), rtol=1e-5)


def test_labels_that_all_or_no_images_have_start_finite():
    model = built("small_cnn", label_frequencies=np.array([0.0, 1.0]))
    assert np.isfinite(model.get_layer("probabilities").bias).all()


def test_filters_set_the_depth():
    model = built(SmallCNN(filters=(4, 6), dense_units=5, dropout=0))
    shapes = [model.get_layer(f"conv_{i}").output.shape[1:] for i in (1, 2, 3)]
    assert shapes == [(8, 6, 4), (4, 3, 6), (4, 3, 6)]
    assert model.get_layer("dense").units == 5
    assert "dropout" not in [layer.name for layer in model.layers]


def test_the_seed_decides_the_first_weights():
    first, same, other = (
        built(SmallCNN(filters=(4,)), seed=seed).get_weights() for seed in (3, 3, 4)
    )
    assert all(map(np.array_equal, first, same))
    assert not np.array_equal(first[0], other[0])


def test_the_tutorials_network_says_what_size_it_needs():
    with pytest.raises(ValueError, match=r"at least 76 x 76 pixels, got .* = \(16, 12\)"):
        built("tutorial")
    model = built("tutorial", input_shape=(76, 80, 3))
    assert model.output_shape == (None, 2)


@pytest.mark.parametrize("network", [SmallCNN(), TutorialCNN(), Pretrained("mobilenet")], ids=repr)
def test_networks_are_estimators_that_check_what_they_are_given(network):
    params = network.get_params()
    assert set(params) == set(network._parameter_constraints)
    assert clone(network).get_params() == params
    assert set(network.recipe) <= set(DEFAULTS)
    with pytest.raises(TypeError, match=rf"{type(network).__name__} has no parameter 'weihgts'"):
        type(network)(weihgts=None)
    for name in params:
        wrong = clone(network).set_params(**{name: object()})  # as in scikit-learn, checked in use
        with pytest.raises(
            ValueError, match=rf"The '{name}' parameter of {type(network).__name__}"
        ):
            built(wrong)


def test_names_stand_for_the_defaults_of_objects():
    assert sorted(NETWORKS) == sorted(["small_cnn", "tutorial", *BACKBONES])
    for name, expected in [
        ("small_cnn", "SmallCNN()"),
        ("tutorial", "TutorialCNN()"),
        ("mobilenet", "Pretrained(name='mobilenet')"),
    ]:
        assert repr(as_network(name)) == expected
    own = SmallCNN(filters=(4,))
    assert as_network(own) is own


def test_a_pretrained_network_is_trained_otherwise_than_one_from_scratch():
    assert Pretrained("mobilenet").recipe == {
        "learning_rate": 7e-4,
        "epochs": 10,
        "tta": "flip",
    }
    assert Pretrained("mobilenet").phases == {"fine_tune": "all", "head_epochs": 4}
    only_head = Pretrained("mobilenet", fine_tune="none")
    assert only_head.phases == {"fine_tune": "none", "head_epochs": 0}
    from_scratch = Pretrained("mobilenet", weights=None)
    assert from_scratch.recipe == {}
    assert SmallCNN().recipe == {"learning_rate": 2e-3, "weight_decay": 0.3, "epochs": 30}
    assert from_scratch.phases == {"fine_tune": None, "head_epochs": 0}


def test_an_unknown_network_is_named(tiny_classifier, colour_images):
    with pytest.raises(ValueError, match=r"'mobilnet' is not known. Did you mean 'mobilenet'"):
        tiny_classifier(network="mobilnet").fit(*colour_images)


# --------------------------------------------------------------------------------------------------
# What a network of one's own returns


def ending(*last, inputs="uint8"):
    """Return a function that builds a network with these layers at its end."""

    def network(meta):
        images = keras.Input(meta["input_shape"], dtype=inputs)
        x = keras.layers.Conv2D(4, 3, strides=2)(keras.layers.Rescaling(1 / 255)(images))
        x = keras.layers.GlobalAveragePooling2D()(x)
        for layer in last:
            x = layer(meta)(x) if isinstance(layer, LayerOf) else layer(x)
        return keras.Model(images, x)

    return network


class LayerOf:
    """A layer made for the labels of `meta`."""

    def __init__(self, *args, more=0, **kwargs):
        self.args, self.more, self.kwargs = args, more, kwargs

    def __call__(self, meta):
        return keras.layers.Dense(meta["n_labels"] + self.more, *self.args, **self.kwargs)


def squashed(x):
    return keras.ops.sigmoid(2 * x)


class Subclassed(keras.Model):
    def __init__(self, n_labels, activation="sigmoid", **options):
        super().__init__(**options)
        self.rescaling = keras.layers.Rescaling(1 / 255)
        self.pool = keras.layers.GlobalAveragePooling2D()
        self.dense = keras.layers.Dense(n_labels, activation=activation)

    def call(self, images):
        return self.dense(self.pool(self.rescaling(images)))


class Described(Subclassed):
    def get_config(self):
        return {"n_labels": self.dense.units}


def sequential(*, with_input, activation="sigmoid"):
    def network(meta):
        layers = [
            keras.layers.Rescaling(1 / 255),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(meta["n_labels"], activation=activation),
        ]
        return keras.Sequential([keras.Input(meta["input_shape"])] * with_input + layers)

    return network


def inside_another(meta):
    inner = ending(LayerOf(activation="sigmoid"))(meta)
    images = keras.Input(meta["input_shape"], dtype="uint8")
    return keras.Model(images, inner(images))


def in_lists(meta):
    model = ending(LayerOf(activation="sigmoid"))(meta)
    return keras.Model([model.inputs[0]], {"labels": model.outputs[0]})


GOOD = {
    "sigmoid": ending(LayerOf(activation="sigmoid")),
    "of float images": ending(LayerOf(activation="sigmoid"), inputs="float32"),
    "hard sigmoid": ending(LayerOf(activation="hard_sigmoid")),
    "a layer": ending(LayerOf(), keras.layers.Activation("sigmoid")),
    "an operation": ending(LayerOf(), keras.ops.sigmoid),
    "arithmetic": ending(LayerOf(activation="sigmoid"), lambda x: 0.9 * x + 0.05),
    "a function": ending(LayerOf(activation=squashed)),
    "half floats": ending(LayerOf(activation="sigmoid", dtype="float16")),
    "inside another": inside_another,
    "in lists": in_lists,
    "sequential": sequential(with_input=True),
    "sequential without input": sequential(with_input=False),
    "subclassed": lambda meta: Subclassed(meta["n_labels"]),
    "subclassed and described": lambda meta: Described(meta["n_labels"]),
}


@pytest.mark.parametrize("name", GOOD)
def test_networks_of_sigmoids_are_taken(name, tiny_classifier, colour_images):
    X, y = colour_images
    classifier = tiny_classifier(network=GOOD[name], epochs=2).fit(X, y)
    probabilities = classifier.predict_proba(X)
    assert probabilities.shape == (120, 3)
    assert probabilities.dtype == np.float32
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert classifier.history_["loss"][1] < classifier.history_["loss"][0]
    assert classifier.predict_proba(X[:1]).shape == (1, 3)
    again = clone(classifier).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), probabilities)
    for copied in [pickle.loads(pickle.dumps(classifier)), copy.deepcopy(classifier)]:
        np.testing.assert_array_equal(copied.predict_proba(X), probabilities)
        assert copied.partial_fit(X, y).n_iter_ == 3


def two_outputs(meta):
    model = ending(LayerOf(activation="sigmoid"))(meta)
    return keras.Model(model.inputs[0], [model.outputs[0], model.outputs[0]])


def two_inputs(meta):
    inputs = [keras.Input(meta["input_shape"]) for _ in range(2)]
    x = keras.layers.GlobalAveragePooling2D()(inputs[0] + inputs[1])
    return keras.Model(inputs, LayerOf(activation="sigmoid")(meta)(x))


SIGMOID = r'activation="sigmoid"'


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (ending(LayerOf()), f"returns logits.*{SIGMOID}.*from_logits=True"),
        (ending(LayerOf(), keras.layers.Activation("linear")), "returns logits"),
        (ending(LayerOf(activation="softmax")), f"ends in a softmax.*{SIGMOID}"),
        (ending(LayerOf(), keras.layers.Softmax()), "softmax"),
        (ending(LayerOf(), keras.layers.Activation("softmax")), "softmax"),
        (ending(LayerOf(), keras.ops.softmax), "softmax"),
        (ending(LayerOf(activation="softmax"), keras.layers.Identity()), "sum to one"),
        (ending(LayerOf(activation="relu")), f"ends in 'relu'.*{SIGMOID}"),
        (ending(LayerOf(activation="tanh")), "ends in 'tanh'"),
        (ending(LayerOf(), lambda x: 10 * x), "no\\s+probabilities"),
        (
            ending(LayerOf(activation="sigmoid", more=1)),
            r"output shape \(None, 4\), expected \(None, 3\)",
        ),
        (ending(keras.layers.Dense(1, activation="sigmoid")), r"output shape \(None, 1\)"),
        (ending(LayerOf(activation="sigmoid"), keras.layers.Reshape((3, 1))), r"\(None, 3, 1\)"),
        (two_outputs, "1 inputs? and 2 outputs, expected one of each"),
        (two_inputs, "2 inputs and 1 outputs?, expected one of each"),
        (sequential(with_input=True, activation=None), "returns logits"),
        (sequential(with_input=False, activation="softmax"), "softmax"),
        (lambda meta: Subclassed(meta["n_labels"] + 1), r"output shape \(None, 4\)"),
        (lambda meta: Subclassed(meta["n_labels"], "softmax"), "sum to one"),
        (lambda meta: Subclassed(meta["n_labels"], None), "no\\s+probabilities"),
        (lambda meta: Subclassed("three"), "."),
    ],
)
def test_other_networks_are_refused_before_training(
    network, message, tiny_classifier, colour_images, monkeypatch
):
    def no_training(*args):
        raise AssertionError("the network was trained")

    monkeypatch.setattr("skposter._training.keras_fit._run", no_training)
    with pytest.raises(ValueError, match=message):
        tiny_classifier(network=network).fit(*colour_images)


def test_what_only_training_shows_is_an_error_too(tiny_classifier, colour_images):
    def network(meta):
        model = ending(LayerOf(activation="sigmoid"))(meta)
        scale = Scale()(model.outputs[0])
        return keras.Model(model.inputs[0], scale)

    class Scale(keras.layers.Layer):
        """One until something is learned."""

        def build(self, shape):
            self.factor = self.add_weight(shape=(), initializer="ones")

        def call(self, x):
            return x * self.factor

    def loss(y_true, y_pred):
        return -keras.ops.mean(y_pred, axis=-1)  # the larger the better

    classifier = tiny_classifier(network=network, loss=loss, learning_rate=0.5, epochs=3)
    with pytest.raises(ValueError, match=r"values from .* to .*, which are no probabilities"):
        classifier.fit(*colour_images)


LOGIT_LOSSES = {
    "crossentropy": keras.losses.BinaryCrossentropy,
    "focal": keras.losses.BinaryFocalCrossentropy,
}


@pytest.mark.parametrize("loss", LOGIT_LOSSES)
@pytest.mark.parametrize("pos_weight", [None, [1.0, 2.0, 3.0]], ids=["", "weights"])
def test_a_loss_of_logits_makes_logits_right(loss, pos_weight, tiny_classifier, colour_images):
    X, y = colour_images
    kind = LOGIT_LOSSES[loss]
    params = {"epochs": 3, "pos_weight": pos_weight, "validation_fraction": 0}
    logits = tiny_classifier(network=ending(LayerOf()), loss=kind(from_logits=True), **params)
    sigmoid = tiny_classifier(network=GOOD["sigmoid"], loss=kind(), **params)
    of_logits, of_sigmoid = logits.fit(X, y).predict_proba(X), sigmoid.fit(X, y).predict_proba(X)
    np.testing.assert_allclose(of_logits, of_sigmoid, atol=1e-4)
    assert (of_logits > 0.5).any()
    again = pickle.loads(pickle.dumps(logits))
    np.testing.assert_array_equal(again.predict_proba(X), of_logits)
    np.testing.assert_array_equal(again.model_(X), logits.model_(X))


def test_logits_are_corrected_on_average_too(tiny_classifier, colour_images):
    X, y = colour_images
    params = {"epochs": 1, "correct_intercepts": True, "validation_fraction": 0}
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    for network in (ending(LayerOf()), sequential(with_input=False, activation=None)):
        fitted = tiny_classifier(network=network, loss=loss, **params).fit(X, y)
        means = fitted.predict_proba(X).mean(axis=0)
        np.testing.assert_allclose(means, y.mean(axis=0), atol=1e-3)


@pytest.mark.parametrize("network", [GOOD["sigmoid"], GOOD["an operation"], GOOD["sequential"]])
def test_a_sigmoid_under_a_loss_of_logits_is_refused(network, tiny_classifier, colour_images):
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    with pytest.raises(ValueError, match=r"ends in 'sigmoid', and the loss takes logits"):
        tiny_classifier(network=network, loss=loss).fit(*colour_images)


def test_our_networks_are_right_under_a_loss_of_logits(tiny_classifier, colour_images):
    X, y = colour_images
    params = {"epochs": 2, "validation_fraction": 0}
    loss = keras.losses.BinaryCrossentropy
    of_logits = tiny_classifier(loss=loss(from_logits=True), **params).fit(X, y)
    plain = tiny_classifier(loss=loss(), **params).fit(X, y)
    np.testing.assert_array_equal(of_logits.predict_proba(X), plain.predict_proba(X))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_networks_of_ones_own_follow_the_policy(policy, tiny_classifier, colour_images):
    X, y = colour_images
    classifier = tiny_classifier(network=GOOD["sigmoid"], dtype_policy=policy, epochs=2).fit(X, y)
    assert classifier.model_.outputs[0].dtype == policy.removeprefix("mixed_")
    probabilities = classifier.predict_proba(X)
    assert probabilities.dtype == np.float32
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(classifier)).predict_proba(X), probabilities
    )


# --------------------------------------------------------------------------------------------------
# tta=


def test_tta_averages_an_image_and_its_mirror_image(fitted_classifier, colour_images):
    images, _ = colour_images
    plain = fitted_classifier.predict_proba(images)
    mirrored = fitted_classifier.predict_proba(images[:, :, ::-1])
    classifier = copy.deepcopy(fitted_classifier).set_params(tta="flip")
    averaged = classifier.predict_proba(images)
    assert averaged.dtype == np.float32
    np.testing.assert_allclose(averaged, mean_of_log_odds([plain, mirrored]), atol=1e-6)
    np.testing.assert_allclose(classifier.predict_proba(images[:, :, ::-1]), averaged, atol=1e-6)
