"""The same seed gives the same network, and nobody else's random numbers change."""

import hashlib
import json
import os
import random
from itertools import pairwise

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import make_colour_images
from joblib import parallel_backend
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skposter.networks import SmallCNN


def weights_of(classifier):
    return classifier.keras_classifier_.network_.variables


def digest_of(classifier):
    digest = hashlib.sha256()
    for array in weights_of(classifier):
        digest.update(array.tobytes())
    return digest.hexdigest()


def unseeded_network(meta):
    return keras.Sequential(
        [
            keras.Input(meta["input_shape"], dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, strides=2, activation="relu"),
            keras.layers.GaussianNoise(0.1),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(meta["n_labels"], activation="sigmoid"),
        ]
    )


class OwnNoise(keras.layers.GaussianNoise):
    """A class that is not Keras' own, which describes itself."""


def unseeded_network_of_own_layers(meta):
    inputs = keras.Input(meta["input_shape"], dtype="uint8")
    noisy = OwnNoise(0.1)(keras.layers.Rescaling(1 / 255)(inputs))
    pooled = keras.layers.GlobalAveragePooling2D()(noisy)
    return keras.Model(inputs, keras.layers.Dense(meta["n_labels"], activation="sigmoid")(pooled))


def scramble_global_generators():
    random.seed()
    np.random.seed(random.randrange(2**32))  # noqa: NPY002, the global generator is the point
    tf.random.set_seed(random.randrange(2**31))


@pytest.mark.parametrize(
    "params",
    [{"network": SmallCNN(filters=(8,), dropout=0.3)}, {"network": unseeded_network}],
    ids=["SmallCNN", "layers without seeds"],
)
def test_the_same_seed_gives_the_same_network(params, tiny_classifier, colour_images):
    digests, histories = set(), []
    classifier = tiny_classifier(epochs=2, **params)
    for fit in [
        classifier.fit,
        classifier.fit,  # again on the same object
        clone(classifier).fit,
        clone(classifier).set_params(random_state=np.random.RandomState(0)).fit,
    ]:
        scramble_global_generators()
        fitted = fit(*colour_images)
        digests.add(digest_of(fitted))
        histories.append(fitted.history_)
    assert len(digests) == 1
    assert all(history == histories[0] for history in histories)


@pytest.mark.parametrize("seed", [1, None])
def test_another_seed_gives_another_network(seed, tiny_classifier, colour_images):
    classifier = tiny_classifier(epochs=1, validation_fraction=0)
    reference = digest_of(classifier.fit(*colour_images))
    others = [
        digest_of(clone(classifier).set_params(random_state=seed).fit(*colour_images))
        for _ in range(2)
    ]
    assert reference not in others
    assert (others[0] == others[1]) == (seed is not None)


def test_what_ran_before_does_not_matter(tiny_classifier, colour_images, two_label_images):
    reference = digest_of(tiny_classifier(epochs=2).fit(*colour_images))
    tiny_classifier(epochs=1, random_state=None, optimizer="sgd").fit(*two_label_images)
    other = tiny_classifier(epochs=3, learning_rate=0.5, random_state=5).fit(*colour_images)
    assert digest_of(tiny_classifier(epochs=2).fit(*colour_images)) == reference
    assert digest_of(other) != reference


def test_a_random_state_instance_draws_on(tiny_classifier, colour_images):
    classifier = tiny_classifier(epochs=1, random_state=np.random.RandomState(0))
    first = digest_of(classifier.fit(*colour_images))
    assert digest_of(classifier.fit(*colour_images)) != first


def test_global_state_is_untouched(tiny_classifier, colour_images):
    for random_state in [0, None]:
        for network in [SmallCNN(filters=(8,)), unseeded_network, unseeded_network_of_own_layers]:
            tf.random.set_seed(7)
            expected = [float(tf.random.uniform(())) for _ in range(3)]
            tf.random.set_seed(7)
            actual = [float(tf.random.uniform(()))]
            before = (random.getstate(), np.random.get_state(), dict(os.environ))  # noqa: NPY002
            classifier = tiny_classifier(network=network, epochs=1, random_state=random_state)
            classifier.fit(*colour_images).predict(colour_images[0])
            after = (random.getstate(), np.random.get_state(), dict(os.environ))  # noqa: NPY002
            assert after[0] == before[0]
            assert after[1][2] == before[1][2]
            np.testing.assert_array_equal(after[1][1], before[1][1])
            assert after[2] == before[2]
            actual += [float(tf.random.uniform(())) for _ in range(2)]
            assert actual == expected


def test_search_scores_are_the_same_for_any_number_of_threads(tiny_classifier, colour_images):
    X, y = colour_images
    classifier = tiny_classifier(epochs=2)
    search = GridSearchCV(
        make_pipeline(FunctionTransformer(), classifier),
        {"multilabelimageclassifier__learning_rate": [0.01, 0.1]},
        cv=KFold(2, shuffle=True, random_state=0),
        scoring="average_precision",
        error_score="raise",
    )
    alone = clone(search).fit(X, y)
    with parallel_backend("threading", n_jobs=4):
        threads = clone(search).fit(X, y)
    for key in ["split0_test_score", "split1_test_score"]:
        np.testing.assert_array_equal(threads.cv_results_[key], alone.cv_results_[key])
    np.testing.assert_array_equal(threads.predict_proba(X), alone.predict_proba(X))


def test_threads_may_predict_with_different_classifiers(tiny_classifier, colour_images):
    from concurrent.futures import ThreadPoolExecutor

    X, y = colour_images
    fitted = [tiny_classifier(epochs=1, random_state=seed).fit(X, y) for seed in range(3)]
    expected = [classifier.predict_proba(X) for classifier in fitted]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda i: fitted[i % 3].predict_proba(X), range(24)))
    for i, result in enumerate(results):
        np.testing.assert_array_equal(result, expected[i % 3])


FRESH_PROCESS = """
import hashlib, json, os, sys
sys.path.insert(0, sys.argv[1])
from conftest import TINY, make_colour_images
from skposter import MultiLabelImageClassifier
from skposter.networks import SmallCNN

def digest_of(classifier):
    digest = hashlib.sha256()
    for array in classifier.keras_classifier_.network_.variables:
        digest.update(array.tobytes())
    return digest.hexdigest()

X, y = make_colour_images()
params = {"network": SmallCNN(filters=(8,)), **TINY, "epochs": 2}
seeded = MultiLabelImageClassifier(**params).fit(X, y)
# After a seeded fit, SciKeras leaves TensorFlow in a state in which these two raise.
unseeded = MultiLabelImageClassifier(**{**params, "random_state": None}).fit(X, y)
import tensorflow as tf
tf.random.uniform(())
assert "TF_DETERMINISTIC_OPS" not in os.environ
assert digest_of(unseeded) != digest_of(seeded)

from sklearn.model_selection import KFold, cross_validate
scores = cross_validate(
    MultiLabelImageClassifier(**params), X, y, n_jobs=int(sys.argv[2]),
    cv=KFold(2, shuffle=True, random_state=0), scoring=["f1_macro", "roc_auc"],
    error_score="raise",
)
print(json.dumps({
    "digest": digest_of(seeded),
    "history": seeded.history_,
    "scores": [scores["test_f1_macro"].tolist(), scores["test_roc_auc"].tolist()],
}))
"""


def test_other_processes_and_workers_give_the_same(tiny_classifier, run_python):
    X, y = make_colour_images()
    classifier = tiny_classifier(epochs=2).fit(X, y)
    cv = KFold(2, shuffle=True, random_state=0)
    scores = cross_validate(classifier, X, y, cv=cv, scoring=["f1_macro", "roc_auc"])
    there = json.loads(run_python(FRESH_PROCESS, os.path.dirname(__file__), 2).stdout)
    assert there["digest"] == digest_of(classifier)
    assert there["history"] == classifier.history_
    assert there["scores"] == [
        scores["test_f1_macro"].tolist(),
        scores["test_roc_auc"].tolist(),
    ]


def test_seeds_of_the_layers_differ():
    meta = {
        "input_shape": (16, 16, 3),
        "n_labels": 3,
        "label_names": [0, 1, 2],
        "label_frequencies": np.full(3, 0.5),
        "seed": 0,
    }
    model = SmallCNN(filters=(8, 8, 8)).build(meta)
    kernels = [layer.kernel.numpy() for layer in model.layers if hasattr(layer, "kernel")]
    same = [a.shape == b.shape and np.array_equal(a, b) for a, b in pairwise(kernels)]
    assert not any(same)
