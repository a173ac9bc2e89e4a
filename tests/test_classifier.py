"""What scikit-learn sees of the classifier: tags, parameters, representations, clones."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_param_validation
from sklearn.utils.validation import check_is_fitted

from skposter import MultiLabelImageClassifier
from skposter.networks import Pretrained, SmallCNN


def wrapped_in_scikit_learn(classifier):
    pipeline = make_pipeline(FunctionTransformer(), classifier)
    search = GridSearchCV(pipeline, {"multilabelimageclassifier__epochs": [1, 2]})
    return [classifier, pipeline, search]


def test_is_a_classifier_alone_in_a_pipeline_and_in_a_search():
    for estimator in wrapped_in_scikit_learn(MultiLabelImageClassifier()):
        assert is_classifier(estimator)
        tags = get_tags(estimator)
        assert tags.estimator_type == "classifier"
        assert tags.classifier_tags.multi_label


def test_tags_say_images_and_several_labels():
    tags = get_tags(MultiLabelImageClassifier())
    assert tags.target_tags.required
    assert not tags.input_tags.two_d_array
    assert not tags.input_tags.sparse
    assert not tags.input_tags.allow_nan
    assert tags.target_tags.multi_output
    assert not tags.target_tags.single_output
    assert not tags.classifier_tags.multi_class


def test_is_non_deterministic_only_without_a_random_state():
    assert get_tags(MultiLabelImageClassifier()).non_deterministic
    assert not get_tags(MultiLabelImageClassifier(random_state=0)).non_deterministic


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("epochz", "epochs"), ("thresholds", "threshold"), ("randomstate", "random_state")],
)
def test_misspelt_parameters_fail_at_once_with_the_likely_spelling(wrong, right):
    with pytest.raises(TypeError, match=rf"no parameter '{wrong}'\. Did you mean '{right}'\?"):
        MultiLabelImageClassifier(**{wrong: 1})
    classifier = MultiLabelImageClassifier()
    with pytest.raises(ValueError, match=rf"Invalid parameter '{wrong}'.* Did you mean '{right}'"):
        classifier.set_params(**{wrong: 1})
    pipeline = make_pipeline(classifier)
    with pytest.raises(ValueError, match=rf"Did you mean '{right}'"):
        pipeline.set_params(**{f"multilabelimageclassifier__{wrong}": 1})
    assert not hasattr(classifier, wrong)


def test_nested_parameters_of_scikeras_are_not_taken():
    with pytest.raises(ValueError, match="Invalid parameter 'model__filters'"):
        MultiLabelImageClassifier().set_params(model__filters=3)
    with pytest.raises(TypeError, match="no parameter 'optimizer__learning_rate'"):
        MultiLabelImageClassifier(optimizer__learning_rate=0.1)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        # SciKeras' way of saying it, of which the parameter here is a plain one.
        (
            "optimizer__learning_rate",
            "'learning_rate' is a parameter of its own here: learning_rate=",
        ),
        # The network is a name, which has no options.
        ("network__filters", "pass network as an object that has 'filters'"),
    ],
)
def test_routed_parameters_are_explained(name, advice):
    with pytest.raises(TypeError, match=f"no parameter '{name}'.*{advice}"):
        MultiLabelImageClassifier(**{name: 0.1})
    with pytest.raises(ValueError, match=f"Invalid parameter '{name}'.*{advice}"):
        MultiLabelImageClassifier().set_params(**{name: 0.1})


def test_options_of_a_network_are_parameters_of_the_classifier_too():
    classifier = MultiLabelImageClassifier(SmallCNN(filters=(4,)))
    classifier.set_params(network__dropout=0.1)
    assert classifier.get_params()["network__dropout"] == 0.1
    assert classifier.network.dropout == 0.1
    assert repr(classifier.network) == "SmallCNN(dropout=0.1, filters=(4,))"
    classifier.set_params(network=Pretrained("mobilenet"), network__fine_tune="last")
    assert classifier.network.fine_tune == "last"
    with pytest.raises(TypeError, match=r"no parameter 'filter'.* Did you mean 'filters'"):
        SmallCNN(filter=(4,))
    with pytest.raises(ValueError, match=r"Invalid parameter 'fine_tun'.* you mean 'fine_tune'"):
        classifier.set_params(network__fine_tun="last")


class Fewer(MultiLabelImageClassifier):
    """A subclass that leaves most parameters at what it is for."""

    def __init__(self, epochs=2, random_state=None):
        super().__init__(
            SmallCNN(filters=(8,)), epochs=epochs, augmentation="none", random_state=random_state
        )


def test_a_subclass_with_fewer_parameters(colour_images):
    X, y = colour_images
    classifier = Fewer(random_state=0).fit(X, y)
    assert set(classifier.get_params()) == {"epochs", "random_state"}
    expected = classifier.predict_proba(X)
    copied = clone(classifier).fit(X, y)
    assert type(copied) is Fewer
    np.testing.assert_array_equal(copied.predict_proba(X), expected)
    for again in [pickle.loads(pickle.dumps(classifier)), copy.deepcopy(classifier)]:
        np.testing.assert_array_equal(again.predict_proba(X), expected)
        assert again.n_iter_ == 2
    search = GridSearchCV(Fewer(random_state=0), {"epochs": [1, 2]}, cv=2).fit(X, y)
    assert type(search.best_estimator_) is Fewer


# What the network is best trained with


def test_the_recipe_says_what_auto_came_to(colour_images):
    tiny = MultiLabelImageClassifier(SmallCNN(filters=(8,)), epochs=1, random_state=0)
    recipe = tiny.fit(*colour_images).recipe_
    assert recipe == {
        "augmentation": "light",
        "loss": "binary_crossentropy",
        "optimizer": "adam",
        "learning_rate": 2e-3,
        "weight_decay": 0.3,
        "learning_rate_schedule": "cosine",
        "epochs": 1,
        "batch_size": 32,
        "tta": "none",
        "fine_tune": None,
        "head_epochs": 0,
        "dtype_policy": "float32",
    }
    assert tiny.get_params()["augmentation"] == "auto"


def test_weight_decay_goes_to_optimizers_given_by_name(tiny_classifier, colour_images):
    from skposter._keras.tensorflow import keras

    def kernels(**params):
        params = {"epochs": 1, "learning_rate": 0.1, **params}
        classifier = tiny_classifier(**params).fit(*colour_images)
        total = sum(np.abs(weights).sum() for weights in classifier.model_.get_weights())
        return float(total), classifier.recipe_["weight_decay"]

    none, came_to = kernels(weight_decay=0)
    assert came_to == 0
    some, came_to = kernels(weight_decay=5)
    assert came_to == 5
    assert some < none / 2
    assert kernels(weight_decay=None) == (none, None)  # Adam's own default
    own = keras.optimizers.Adam(0.1, weight_decay=5)
    assert kernels(optimizer=own) == pytest.approx((some, 5), rel=1e-5)
    with pytest.raises(ValueError, match="'weight_decay' parameter"):
        kernels(weight_decay=-1)


@pytest.mark.parametrize("as_class", [False, True])
def test_an_optimizers_own_weight_decay(as_class):
    from skposter._keras.tensorflow import keras
    from skposter._training.compiling import new_optimizer

    name = keras.optimizers.AdamW if as_class else "adamw"
    decays = [new_optimizer(name, 1e-3, decay)[0].weight_decay for decay in (None, 0, 0.5)]
    assert decays == [0.004, 0, 0.5]


def test_a_network_of_ones_own_may_bring_a_recipe(tiny_classifier, colour_images):
    class Mine(SmallCNN):
        recipe = {"epochs": 2, "batch_size": 60, "optimizer": "sgd", "tta": "flip"}

    auto = dict.fromkeys(["epochs", "batch_size", "optimizer", "tta"], "auto")
    classifier = tiny_classifier(network=Mine(filters=(8,)), **auto).fit(*colour_images)
    assert {name: classifier.recipe_[name] for name in auto} == Mine.recipe
    assert classifier.n_iter_ == 2
    said = tiny_classifier(network=Mine(filters=(8,)), **{**auto, "epochs": 1, "tta": "none"})
    assert said.fit(*colour_images).recipe_["epochs"] == 1  # who sets one gets it
    X, _ = colour_images
    mirrored = X[:, :, ::-1]
    np.testing.assert_allclose(
        classifier.predict_proba(X), classifier.predict_proba(mirrored), atol=1e-6
    )
    assert not np.allclose(said.predict_proba(X), said.predict_proba(mirrored), atol=1e-6)

    Mine.recipe = {"epoch": 2}
    with pytest.raises(ValueError, match=r"recipe of Mine names 'epoch'.*'epochs'"):
        clone(classifier).fit(*colour_images)


def test_parameters_are_checked_by_fit():
    check_param_validation("MultiLabelImageClassifier", MultiLabelImageClassifier())


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"epochs": 0}, r"'epochs' parameter .* {'auto'} or an int in the range \[1, inf\)"),
        ({"batch_size": 0}, "'batch_size' parameter"),
        ({"learning_rate": 0}, "'learning_rate' parameter"),
        ({"network": SmallCNN(filters=(8,), dropout=1.0)}, "'dropout' parameter of SmallCNN"),
        ({"pos_weight": "even"}, "'pos_weight' parameter .* {'balanced'}"),
        ({"network": "small_cn"}, "Did you mean 'small_cnn'"),
        ({"network": SmallCNN(filters=())}, "filters is empty"),
        ({"network": SmallCNN(filters=(8, 2.5))}, r"filters must be .* whole numbers, got 2\.5"),
        ({"network": Pretrained("mobilnet")}, "Did you mean 'mobilenet'"),
        ({"tta": True}, "'tta' parameter .*'flip'"),
        ({"dtype_policy": "mixed_bfloat61"}, "dtype_policy='mixed_bfloat61' is not known"),
    ],
)
def test_wrong_values_name_the_parameter(params, message, tiny_classifier, colour_images):
    with pytest.raises(ValueError, match=message):
        tiny_classifier(**params).fit(*colour_images)


def test_representations_are_readable(fitted_classifier):
    assert repr(MultiLabelImageClassifier(epochs=3)) == "MultiLabelImageClassifier(epochs=3)"
    for classifier in [MultiLabelImageClassifier(), fitted_classifier]:
        for estimator in wrapped_in_scikit_learn(classifier):
            html = estimator._repr_html_()
            assert "MultiLabelImageClassifier" in html
            assert "object at 0x" not in html


def test_methods_ask_for_fit_first(colour_images):
    X, y = colour_images
    classifier = MultiLabelImageClassifier()
    for call in [
        lambda: classifier.predict(X),
        lambda: classifier.predict_proba(X),
        lambda: classifier.predict_labels(X),
        lambda: classifier.top_labels(X),
        lambda: classifier.score(X, y),
        lambda: classifier.model_,
        lambda: classifier.thresholds_,
        lambda: check_is_fitted(classifier),
    ]:
        with pytest.raises(NotFittedError, match="MultiLabelImageClassifier"):
            call()


def test_fitted_attributes(fitted_classifier, colour_images):
    _X, y = colour_images
    check_is_fitted(fitted_classifier)
    assert fitted_classifier.label_names_.tolist() == ["red", "green", "blue"]
    assert fitted_classifier.classes_.tolist() == [[0, 1]] * 3
    assert fitted_classifier.image_shape_ == (16, 16, 3)
    np.testing.assert_allclose(fitted_classifier.label_frequencies_, y.mean(axis=0))
    assert fitted_classifier.n_iter_ == 12
    assert {name: len(values) for name, values in fitted_classifier.history_.items()} == {
        "loss": 12,
        "val_loss": 12,
    }


def test_it_learns(fitted_classifier, colour_images):
    X, y = colour_images
    assert (fitted_classifier.predict(X) == y).mean() > 0.95
    assert fitted_classifier.score(X, y) > 0.9


def test_a_clone_takes_parameters_and_nothing_learned(fitted_classifier):
    copied = clone(fitted_classifier)
    assert repr(copied) == repr(fitted_classifier)
    params, own = copied.get_params(), fitted_classifier.get_params()
    assert params.pop("network") is not own.pop("network")  # a copy of the network too
    assert params == own
    with pytest.raises(NotFittedError):
        check_is_fitted(copied)
    assert not [name for name in vars(copied) if name not in copied.get_params()]


def test_a_deep_copy_is_independent(fitted_classifier, colour_images):
    X, y = colour_images
    before = fitted_classifier.predict_proba(X)
    other = copy.deepcopy(fitted_classifier)
    np.testing.assert_array_equal(other.predict_proba(X), before)
    other.set_params(epochs=1).fit(X, y)
    assert not np.array_equal(other.predict_proba(X), before)
    np.testing.assert_array_equal(fitted_classifier.predict_proba(X), before)


def test_model_is_a_keras_model_of_its_own(fitted_classifier, colour_images):
    X, _ = colour_images
    before = fitted_classifier.predict_proba(X)
    model = fitted_classifier.model_
    np.testing.assert_allclose(model.predict(X, verbose=0), before, atol=1e-6)
    for weight in model.trainable_weights:
        weight.assign(weight * 0)
    np.testing.assert_array_equal(fitted_classifier.predict_proba(X), before)


def test_a_failed_fit_leaves_no_half_fitted_estimator(tiny_classifier, colour_images):
    X, y = colour_images
    classifier = tiny_classifier(learning_rate=1e30, epochs=2)
    with pytest.raises(FloatingPointError):
        classifier.fit(X, y)
    with pytest.raises(NotFittedError):
        check_is_fitted(classifier)


def test_what_is_refused_leaves_a_fitted_estimator_as_it_was(fitted_classifier, colour_images):
    X, y = colour_images
    classifier = copy.deepcopy(fitted_classifier)

    def with_network(network):
        classifier.set_params(network=network)
        try:
            classifier.fit(X[:, :8], y[:, :2])
        finally:
            classifier.set_params(network=fitted_classifier.network)

    for bad in [
        lambda: classifier.fit(X[:, :8], y[:, :2], sample_weight=-np.ones(len(y))),
        lambda: classifier.fit(X[:, :8], y[:, :2], X_val=X),
        lambda: with_network(SmallCNN(filters=())),
        lambda: with_network("tutorial"),
        lambda: with_network(lambda meta: 1 / 0),
    ]:
        with pytest.raises(
            (ValueError, ZeroDivisionError), match=r"sample_weight|y_val|filters|76 x 76|division"
        ):
            bad()
        assert classifier.label_names_.tolist() == ["red", "green", "blue"]
        np.testing.assert_array_equal(
            classifier.predict_proba(X), fitted_classifier.predict_proba(X)
        )
