"""SciKeras, in both directions: its classifiers as networks, and ours as one of its classifiers."""

import copy
import pickle
import re

import joblib
import keras
import numpy as np
import pandas as pd
import pytest
from scikeras.wrappers import KerasClassifier, KerasRegressor
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict
from sklearn.pipeline import make_pipeline

import skposter
from skposter import ImageLoader, MultiLabelImageClassifier
from skposter.exceptions import ArtifactError
from skposter.memory import list_memory
from skposter.networks import Pretrained, SmallCNN

metas: list = []


def layers(meta, units=8, activation="sigmoid"):
    """A network as users of SciKeras write it, with the `meta` of SciKeras."""
    metas.append(meta)
    return keras.Sequential(
        [
            keras.Input(meta["X_shape_"][1:]),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(meta["n_outputs_"], activation=activation),
        ]
    )


def compiled(meta, compile_kwargs, units=8):
    """The same, compiled by the function itself."""
    model = layers(meta, units)
    model.compile(loss="binary_focal_crossentropy", optimizer=compile_kwargs["optimizer"])
    return model


def same_layers(meta):
    """The same network with the `meta` of skposter."""
    return layers({"X_shape_": (None, *meta["input_shape"]), "n_outputs_": meta["n_labels"]})


def weights_of(classifier):
    return classifier.keras_classifier_.network_.variables


def assert_same_weights(one, other):
    for a, b in zip(weights_of(one), weights_of(other), strict=True):
        np.testing.assert_array_equal(a, b)


def wrapped(model=layers, **params):
    defaults = {"loss": "binary_crossentropy", "optimizer": "adam", "epochs": 2}
    return MultiLabelImageClassifier(
        KerasClassifier(model, **{**defaults, **params}), random_state=0, correct_intercepts=False
    )


def by_hand(**params):
    """What `wrapped` comes to, said in parameters of ours."""
    defaults = {"augmentation": "none", "learning_rate_schedule": "constant", "epochs": 2}
    return MultiLabelImageClassifier(
        same_layers, random_state=0, correct_intercepts=False, **{**defaults, **params}
    )


# --------------------------------------------------------------------------------------------------
# Theirs as a network


def test_a_classifier_of_scikeras_becomes_one_of_several_labels(colour_images, colour_labels):
    X, y = colour_images
    metas.clear()
    classifier = wrapped(epochs=40, model__units=16, optimizer__learning_rate=0.01)
    classifier.fit(X, colour_labels)
    assert (classifier.predict(X) == y).mean() > 0.9
    assert classifier.predict_proba(X[:1]).shape == (1, 3)
    assert set(classifier.predict_labels(X)[0]) <= {"red", "green", "blue"}
    for meta in metas:
        assert meta["X_shape_"][1:] == (16, 16, 3)
        assert meta["n_outputs_"] == 3
        assert meta["target_type_"] == "multilabel-indicator"
    assert weights_of(classifier)[0].shape == (16 * 16 * 3, 16)
    recipe = classifier.recipe_
    assert (recipe["epochs"], recipe["batch_size"], recipe["augmentation"]) == (40, 32, "none")
    assert float(recipe["optimizer"].learning_rate) == pytest.approx(0.01)


def without_addresses(value):
    """Name a parameter so that each process of the tests calls it the same."""
    return re.sub(" at 0x[0-9a-f]+", "", str(value))


BY_NAME = {"loss": "binary_focal_crossentropy"}
FOCAL = keras.losses.BinaryFocalCrossentropy


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({}, {}),
        ({"batch_size": 16}, {"batch_size": 16}),
        ({"fit__batch_size": 16, "fit__epochs": 1}, {"batch_size": 16, "epochs": 1}),
        ({"verbose": 0, "compile__jit_compile": False}, {}),
        ({"optimizer__learning_rate": 0.01}, {"learning_rate": 0.01}),
        ({"optimizer": "sgd", "optimizer__momentum": 0.9}, keras.optimizers.SGD(momentum=0.9)),
        ({"optimizer": keras.optimizers.SGD, "optimizer__learning_rate": 0.1}, "sgd at 0.1"),
        ({"optimizer": keras.optimizers.SGD(0.1)}, "sgd at 0.1"),
        (BY_NAME, BY_NAME),
        ({"loss": FOCAL}, {"loss": FOCAL()}),
        ({"loss": FOCAL, "loss__gamma": 1.0}, {"loss": FOCAL(gamma=1.0)}),
        ({"loss": FOCAL(gamma=1.0)}, {"loss": FOCAL(gamma=1.0)}),
        (
            {"loss": keras.losses.BinaryCrossentropy, "loss__label_smoothing": 0.2},
            {"loss": keras.losses.BinaryCrossentropy(label_smoothing=0.2)},
        ),
    ],
    ids=without_addresses,
)
def test_what_it_says_of_its_training_is_done(theirs, ours, colour_images):
    if ours == "sgd at 0.1":
        ours = {"optimizer": "sgd", "learning_rate": 0.1}
    elif isinstance(ours, keras.optimizers.Optimizer):
        ours = {"optimizer": ours}
    fitted = wrapped(**theirs).fit(*colour_images)
    assert_same_weights(fitted, by_hand(**ours).fit(*colour_images))
    if theirs:
        assert_same_weights(clone(fitted).fit(*colour_images), fitted)


def test_a_function_that_compiles_its_model_is_taken_at_its_word(colour_images):
    own = {"loss": "binary_focal_crossentropy"}
    fitted = wrapped(compiled, loss=None, optimizer__learning_rate=0.01).fit(*colour_images)
    assert_same_weights(fitted, by_hand(**own, learning_rate=0.01).fit(*colour_images))
    assert fitted.recipe_["loss"] == "binary_focal_crossentropy"
    # A loss that is said in both places is that of the KerasClassifier, as in SciKeras.
    fitted = wrapped(compiled, loss="mean_squared_error").fit(*colour_images)
    assert_same_weights(fitted, by_hand(loss="mean_squared_error").fit(*colour_images))


def test_who_sets_a_parameter_gets_it(colour_images):
    classifier = wrapped(compiled, loss=None, epochs=5, batch_size=16)
    classifier.set_params(epochs=1, batch_size=40, loss="mean_squared_error", optimizer="sgd")
    classifier.set_params(learning_rate=0.1)
    ours = {"loss": "mean_squared_error", "optimizer": "sgd", "learning_rate": 0.1}
    expected = by_hand(epochs=1, batch_size=40, **ours).fit(*colour_images)
    assert_same_weights(classifier.fit(*colour_images), expected)


@pytest.mark.parametrize(
    ("params", "advice"),
    [
        ({"metrics": ["accuracy"]}, "scikit-learn's scoring"),
        ({"class_weight": "balanced"}, "pass pos_weight= to the classifier"),
        ({"class_weight": {0: 1.0, 1: 2.0}}, "pass pos_weight="),
        ({"validation_split": 0.2}, "pass validation_fraction="),
        ({"callbacks": [keras.callbacks.TerminateOnNaN()]}, "pass callbacks="),
        ({"callbacks": keras.callbacks.EarlyStopping, "callbacks__patience": 1}, "pass callbacks="),
        ({"random_state": 0}, "pass random_state="),
        ({"warm_start": True}, "pass warm_start="),
        ({"shuffle": False}, "always shuffled"),
        ({"run_eagerly": True}, "leave it out"),
        ({"validation_batch_size": 3}, "follows batch_size"),
        ({"fit__steps_per_epoch": 3}, "leave it out"),
        ({"fit__validation_freq": 2}, "leave it out"),
        ({"predict__steps": 3}, "leave it out"),
        ({"compile__weighted_metrics": ["accuracy"]}, "leave it out"),
    ],
    ids=without_addresses,
)
def test_what_it_cannot_mean_here_is_refused_by_name(params, advice, colour_images):
    name = next(iter(params))
    message = rf"{name}=.* of the KerasClassifier has no meaning here: .*{advice}"
    with pytest.raises(ValueError, match=message):
        wrapped(**params).fit(*colour_images)


@pytest.mark.parametrize(
    ("network", "error", "message"),
    [
        (KerasClassifier(lambda meta: None, loss="mse"), TypeError, "returned NoneType, expected"),
        (KerasClassifier(layers, model__activation="softmax"), ValueError, "ends in a softmax"),
        (KerasClassifier(layers, model__activation=None), ValueError, "network returns logits"),
        (KerasClassifier(layers, model__unitz=3), TypeError, "unitz"),
        (KerasClassifier(layers, loss="binary_crossentropie"), ValueError, "binary_crossentropie"),
        (KerasClassifier(layers, loss="categorical_crossentropy"), ValueError, "exclude one"),
        (KerasRegressor(layers), TypeError, "is of type KerasRegressor. Expected a name"),
        (KerasClassifier, TypeError, r"class KerasClassifier; pass an object"),
    ],
)
def test_other_wrappers_are_explained(network, error, message, colour_images):
    with pytest.raises(error, match=message):
        MultiLabelImageClassifier(network, epochs=1).fit(*colour_images)


def test_a_function_may_return_logits_for_a_loss_that_takes_them(colour_images):
    X, _ = colour_images
    expected = by_hand(loss=keras.losses.BinaryCrossentropy()).fit(*colour_images)
    for loss in [
        {"loss": keras.losses.BinaryCrossentropy, "loss__from_logits": True},
        {"loss": keras.losses.BinaryCrossentropy(from_logits=True)},
    ]:
        fitted = wrapped(**loss, model__activation=None).fit(*colour_images)
        np.testing.assert_allclose(fitted.predict_proba(X), expected.predict_proba(X), atol=1e-5)


def test_a_model_that_exists_is_copied_for_each_fit(colour_images):
    model = layers({"X_shape_": (None, 16, 16, 3), "n_outputs_": 3})
    before = [np.array(weight) for weight in model.get_weights()]
    classifier = wrapped(model, optimizer__learning_rate=0.01)
    fitted = classifier.fit(*colour_images)
    again = clone(classifier).fit(*colour_images)
    assert_same_weights(fitted, again)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    still = wrapped(model, optimizer__learning_rate=1e-30).fit(*colour_images)
    np.testing.assert_allclose(weights_of(still)[0], before[0], atol=1e-6)


def test_its_parameters_are_the_classifiers_too(colour_images):
    classifier = wrapped()
    classifier.set_params(network__model__units=3, network__epochs=1)
    assert classifier.get_params()["network__model__units"] == 3
    assert weights_of(classifier.fit(*colour_images))[0].shape == (768, 3)
    assert classifier.n_iter_ == 1
    search = GridSearchCV(wrapped(), {"network__model__units": [2, 4]}, cv=2).fit(*colour_images)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_it_is_kept_as_other_networks_are(colour_images, tmp_path):
    X, y = colour_images
    memory = str(tmp_path / "memory")
    classifier = wrapped(lambda meta: layers(meta)).set_params(memory=memory, epochs=1).fit(X, y)
    expected = classifier.predict_proba(X)
    clone(classifier).fit(X, y)
    assert (list_memory(memory)["kind"] == "network").sum() == 1
    joblib.dump(classifier, tmp_path / "model.joblib")
    for loaded in [joblib.load(tmp_path / "model.joblib"), copy.deepcopy(classifier)]:
        np.testing.assert_array_equal(loaded.predict_proba(X), expected)
        assert loaded.partial_fit(X, y).n_iter_ == 2
    with pytest.raises(ArtifactError, match="network is KerasClassifier, code of your own"):
        skposter.save(classifier, tmp_path / "model.skposter")


def test_one_grid_over_all_kinds_of_networks():
    rng = np.random.default_rng(0)
    y = pd.DataFrame(rng.integers(0, 2, size=(40, 2)), columns=["red", "blue"])
    X = rng.integers(0, 60, size=(40, 32, 32, 3), dtype=np.uint8)
    X[..., [0, 2]] += (150 * y.to_numpy()[:, None, None]).astype(np.uint8)
    pipeline = make_pipeline(
        ImageLoader(size=(32, 32)),
        MultiLabelImageClassifier(epochs=1, random_state=0, batch_size=20),
    )
    networks = [
        SmallCNN(filters=(4,)),
        Pretrained("mobilenet", weights=None, builder_params={"alpha": 0.25}),
        KerasClassifier(layers, loss="binary_crossentropy", model__units=4),
    ]
    search = GridSearchCV(
        pipeline,
        {"multilabelimageclassifier__network": networks},
        cv=KFold(2, shuffle=True, random_state=0),
        scoring="f1_micro",
        error_score="raise",
    ).fit(X, y)
    assert len(search.cv_results_["params"]) == 3
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict_proba(X).shape == (40, 2)
    best = search.best_params_["multilabelimageclassifier__network"]
    assert type(search.best_estimator_[-1].network) is type(best)


def test_processes_train_what_one_trains(colour_images):
    X, y = colour_images
    cv = KFold(2, shuffle=True, random_state=0)
    classifier = wrapped(lambda meta: layers(meta, 4), epochs=1)
    alone = cross_val_predict(classifier, X, y, cv=cv, method="predict_proba")
    there = cross_val_predict(classifier, X, y, cv=cv, method="predict_proba", n_jobs=2)
    np.testing.assert_array_equal(there, alone)


# --------------------------------------------------------------------------------------------------
# Ours as one of theirs


@pytest.fixture(scope="module", params=["SmallCNN", "KerasClassifier"])
def ours(request, tiny_classifier, colour_images):
    """A fitted classifier, its ``keras_classifier_`` and the data. Do not refit."""
    if request.param == "SmallCNN":
        fitted = tiny_classifier().fit(*colour_images)
    else:
        fitted = wrapped(epochs=30, optimizer__learning_rate=0.01).fit(*colour_images)
    return fitted, fitted.keras_classifier_, *colour_images


def test_the_fitted_classifier_answers_scikeras_methods(ours):
    fitted, classifier, X, y = ours
    assert isinstance(classifier, KerasClassifier)
    probabilities = classifier.predict_proba(X)
    np.testing.assert_array_equal(probabilities, fitted.predict_proba(X))
    np.testing.assert_array_equal(classifier.predict(X), probabilities >= 0.5)
    assert classifier.score(X, y) == ((probabilities >= 0.5) == y).all(axis=1).mean()
    assert classifier.score(X, y) > 0.7
    assert classifier.predict_proba(X[:1]).shape == classifier.predict(X[:1]).shape == (1, 3)
    np.testing.assert_allclose(classifier.model_.predict(X, verbose=0), probabilities, atol=1e-6)
    assert classifier.history_ == fitted.history_


def test_thresholds_and_mirrors_are_the_other_ones(ours):
    fitted, classifier, X, _ = ours
    other = copy.deepcopy(fitted).set_params(threshold=0.9, tta="flip")
    np.testing.assert_array_equal(other.keras_classifier_.predict(X), classifier.predict(X))
    np.testing.assert_array_equal(
        other.keras_classifier_.predict_proba(X), classifier.predict_proba(X)
    )


def test_it_can_be_copied_pickled_and_loaded(ours, tmp_path):
    fitted, classifier, X, y = ours
    expected = classifier.predict_proba(X)
    joblib.dump(classifier, tmp_path / "classifier.joblib")
    joblib.dump(fitted, tmp_path / "fitted.joblib")
    for other in [
        pickle.loads(pickle.dumps(classifier)),
        joblib.load(tmp_path / "classifier.joblib"),
        joblib.load(tmp_path / "fitted.joblib").keras_classifier_,
        copy.copy(classifier),
        copy.deepcopy(classifier),
    ]:
        np.testing.assert_array_equal(other.predict_proba(X), expected)
        assert other.score(X, y) == classifier.score(X, y)
        assert other.get_params().keys() == classifier.get_params().keys()


def test_a_clone_learns_on_its_own(ours):
    _, classifier, X, y = ours
    copied = clone(classifier)
    with pytest.raises((NotFittedError, AttributeError)):
        copied.predict_proba(X)
    for _ in range(2):
        copied.fit(X, y)
        losses = copied.history_["loss"]
        assert losses[-1] < 0.9 * losses[0]
        assert copied.predict_proba(X).shape == (120, 3)
        assert copied.predict_proba(X[:1]).shape == (1, 3)
    assert len(copied.history_["loss"]) == classifier.epochs
    assert not np.array_equal(copied.predict_proba(X), classifier.predict_proba(X))
    again = pickle.loads(pickle.dumps(copied))
    np.testing.assert_allclose(again.predict_proba(X), copied.predict_proba(X), atol=1e-6)
    one = np.eye(3, dtype=int)[np.arange(120) % 3]  # one label a row, which SciKeras decodes
    decided = clone(classifier).set_params(epochs=1).fit(X, one).predict(X)
    assert decided.shape == (120, 3)


def test_it_can_be_cross_validated(ours):
    _, classifier, X, y = ours
    short = clone(classifier).set_params(epochs=1)
    probabilities = cross_val_predict(short, X, y, cv=2, method="predict_proba")
    assert probabilities.shape == (120, 3)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()


def test_a_loaded_model_has_one_too(ours, tmp_path):
    fitted, classifier, X, y = ours
    if not isinstance(fitted.network, SmallCNN):
        pytest.skip("a function of the user's is not in the file")
    skposter.save(fitted, tmp_path / "model.skposter")
    loaded = skposter.load(tmp_path / "model.skposter").keras_classifier_
    np.testing.assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))
    assert loaded.score(X, y) == classifier.score(X, y)
    assert (clone(loaded).fit(X, y).predict(X) == y).mean() > 0.6
