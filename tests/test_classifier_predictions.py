"""From images to probabilities, decisions and names."""

import copy
import dataclasses

import numpy as np
import pandas as pd
import pytest

from skposter.exceptions import TrainingDivergedError


@pytest.fixture
def adjustable(fitted_classifier):
    """A copy of the fitted classifier whose thresholds may be changed."""
    return copy.deepcopy(fitted_classifier)


@pytest.mark.parametrize("n", [1, 2, 17])
def test_predictions_are_2d_for_any_number_of_images(n, fitted_classifier, colour_images):
    X = colour_images[0][:n]
    probabilities = fitted_classifier.predict_proba(X)
    assert probabilities.shape == (n, 3)
    assert probabilities.dtype == np.float32
    decisions = fitted_classifier.predict(X)
    assert decisions.shape == (n, 3)
    assert decisions.dtype == np.int64
    assert set(np.unique(decisions)) <= {0, 1}
    assert len(fitted_classifier.predict_labels(X)) == n
    assert len(fitted_classifier.top_labels(X)) == n


def test_predictions_do_not_depend_on_the_company(adjustable, colour_images):
    X, _ = colour_images
    together = adjustable.predict_proba(X)
    one_by_one = np.concatenate([adjustable.predict_proba(X[i : i + 1]) for i in range(20)])
    np.testing.assert_allclose(one_by_one, together[:20], atol=1e-6)
    for batch_size in [1, 7, 96, 1000]:
        adjustable.set_params(batch_size=batch_size)
        np.testing.assert_allclose(adjustable.predict_proba(X), together, atol=1e-6)
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_allclose(adjustable.predict_proba(X[order]), together[order], atol=1e-6)


def test_a_label_is_predicted_where_its_probability_reaches_the_threshold(
    adjustable, colour_images
):
    X, _ = colour_images
    probabilities = adjustable.predict_proba(X)
    for j in range(3):
        cut = float(probabilities[5, j])
        adjustable.set_params(threshold=cut)
        np.testing.assert_array_equal(adjustable.predict(X), probabilities >= np.float32(cut))
        assert adjustable.predict(X)[5, j] == 1  # a probability on the threshold counts
    adjustable.set_params(threshold=0.0)
    assert adjustable.predict(X).all()
    adjustable.set_params(threshold=1.1)
    assert not adjustable.predict(X).any()


def test_thresholds_are_given_once_or_by_label(adjustable, colour_images):
    X, _ = colour_images
    probabilities = adjustable.predict_proba(X)
    adjustable.set_params(threshold=[0.2, 0.5, 0.8])
    np.testing.assert_array_equal(adjustable.predict(X), probabilities >= [0.2, 0.5, 0.8])
    adjustable.set_params(threshold={"blue": 0.8})
    assert adjustable.thresholds_.tolist() == [0.5, 0.5, 0.8]
    np.testing.assert_array_equal(adjustable.predict(X), probabilities >= [0.5, 0.5, 0.8])


@pytest.mark.parametrize(
    ("threshold", "message"),
    [
        ({"bleu": 0.5}, "threshold names 'bleu', which is not a label. Did you mean 'blue'"),
        ([0.5, 0.5], r"threshold has shape \(2,\), expected a number or one for each of the 3"),
        (float("nan"), "threshold contains NaN"),
        ([0.5, float("nan"), 0.5], "threshold contains NaN"),
        ("f1_macrame", "f1_macro"),
    ],
)
def test_wrong_thresholds_are_explained(threshold, message, adjustable, colour_images):
    adjustable.set_params(threshold=threshold)
    with pytest.raises(ValueError, match=message):
        adjustable.predict(colour_images[0])


def test_an_objective_as_threshold_is_met_on_the_validation_part(
    tiny_classifier, colour_images, colour_labels
):
    from skposter.thresholds import choose_thresholds

    X, y = colour_images
    classifier = tiny_classifier(epochs=3, validation_fraction=0.4, threshold="f1_macro")
    classifier.fit(X, colour_labels)
    held_out = classifier.validation_indices_
    scores = classifier.predict_proba(X[held_out])
    expected = choose_thresholds(y[held_out], scores, objective="f1_macro")
    np.testing.assert_allclose(classifier.thresholds_, expected)
    # Changing the objective needs no refit.
    before = classifier.thresholds_
    classifier.set_params(threshold="recall>=0.9")
    assert not np.array_equal(classifier.thresholds_, before)


def test_an_objective_without_a_validation_part_is_an_error(tiny_classifier, colour_images):
    X, y = colour_images
    classifier = tiny_classifier(epochs=1, validation_fraction=0, threshold="f1_macro")
    classifier.fit(X, y)
    with pytest.raises(ValueError, match="chosen on validation images, and there are none"):
        classifier.predict(X)


@pytest.mark.parametrize("min_labels", [0, 1, 2])
def test_rows_below_every_threshold_get_their_best_labels(min_labels, adjustable, colour_images):
    X, _ = colour_images
    adjustable.set_params(threshold=1.1, min_labels=min_labels)
    decisions = adjustable.predict(X)
    assert (decisions.sum(axis=1) == min_labels).all()
    best = np.argsort(-adjustable.predict_proba(X), axis=1, kind="stable")[:, :min_labels]
    np.testing.assert_array_equal(np.take_along_axis(decisions, best, axis=1), 1)


def test_min_labels_adds_nothing_to_rows_that_have_labels(adjustable, colour_images):
    X, _ = colour_images
    plain = adjustable.predict(X)
    adjustable.set_params(min_labels=1)
    filled = adjustable.predict(X)
    empty = plain.sum(axis=1) == 0
    assert empty.any()
    np.testing.assert_array_equal(filled[~empty], plain[~empty])
    assert (filled[empty].sum(axis=1) == 1).all()


def test_names_come_most_probable_first(adjustable, colour_images):
    X, _ = colour_images
    adjustable.set_params(threshold=0.0)
    probabilities = adjustable.predict_proba(X[:4])
    names = np.array(["red", "green", "blue"])
    for labels, top, row in zip(
        adjustable.predict_labels(X[:4]),
        adjustable.top_labels(X[:4], 2),
        probabilities,
        strict=True,
    ):
        order = np.argsort(-row, kind="stable")
        assert labels == tuple(names[order])
        assert [name for name, _ in top] == names[order[:2]].tolist()
        assert [value for _, value in top] == [float(p) for p in row[order[:2]]]
        assert all(type(value) is float for _, value in top)
    adjustable.set_params(threshold=1.1)
    assert adjustable.predict_labels(X[:4]) == [()] * 4


@pytest.mark.parametrize("k", [0, -1, 1.5, "all"])
def test_top_labels_needs_a_positive_number(k, fitted_classifier, colour_images):
    with pytest.raises(ValueError, match="k must be a positive int"):
        fitted_classifier.top_labels(colour_images[0], k)


def test_one_label_on_every_training_row_does_not_turn_prediction_into_argmax(tiny_classifier):
    # SciKeras takes such rows for one-hot classes and predicts exactly one label from then on.
    rng = np.random.default_rng(0)
    y = np.eye(4, dtype=int)[rng.integers(0, 4, 80)]
    X = rng.integers(0, 255, size=(80, 16, 16, 3), dtype=np.uint8)
    classifier = tiny_classifier(epochs=1).fit(X, y)
    probabilities = classifier.predict_proba(X)
    np.testing.assert_array_equal(classifier.predict(X), probabilities >= 0.5)
    assert not (classifier.predict(X).sum(axis=1) == 1).all()
    classifier.set_params(threshold=0.0)
    assert (classifier.predict(X) == 1).all()


def test_a_first_partial_fit_batch_of_one_label_a_row_does_not_either(tiny_classifier):
    y = np.eye(3, dtype=int)[np.arange(30) % 3]
    X = np.zeros((30, 16, 16, 3), dtype=np.uint8)
    classifier = tiny_classifier().partial_fit(X, y)
    both = np.ones_like(y)
    for _ in range(3):
        classifier.partial_fit(X, both)
    np.testing.assert_array_equal(classifier.predict(X), classifier.predict_proba(X) >= 0.5)


@pytest.mark.parametrize("n_labels", [2, 5])
def test_rows_without_any_label_are_fine(n_labels, tiny_classifier):
    y = np.zeros((40, n_labels), dtype=int)
    y[::2] = 1
    X = np.repeat((100 * y[:, :1]).astype(np.uint8), 16 * 16 * 3, axis=1).reshape(-1, 16, 16, 3)
    decisions = tiny_classifier(epochs=20).fit(X, y).predict(X)
    np.testing.assert_array_equal(decisions, y)


def test_diverged_training_is_a_named_error(tiny_classifier, colour_images):
    with pytest.raises(TrainingDivergedError, match=r"loss is nan.*Try a smaller learning_rate"):
        tiny_classifier(learning_rate=1e30).fit(*colour_images)
    with pytest.raises(FloatingPointError):
        tiny_classifier(learning_rate=1e30).partial_fit(*colour_images).partial_fit(*colour_images)


def test_probabilities_that_are_not_finite_are_a_named_error(adjustable, colour_images):
    network = adjustable.keras_classifier_.network_
    broken = [np.full_like(network.variables[0], np.nan), *network.variables[1:]]
    keras_classifier = copy.copy(adjustable.keras_classifier_)  # copies share the network
    keras_classifier.network_ = dataclasses.replace(network, variables=broken)
    adjustable.keras_classifier_ = keras_classifier
    for method in [adjustable.predict, adjustable.predict_proba, adjustable.predict_labels]:
        with pytest.raises(TrainingDivergedError, match="probabilities that are not finite"):
            method(colour_images[0])


def test_named_columns_come_back_as_names(tiny_classifier, colour_images):
    X, y = colour_images
    for columns in [["a", "b", "c"], [10, 20, 30], ["a", 1, "c"]]:
        classifier = tiny_classifier(epochs=1, threshold=0.0)
        classifier.fit(X, pd.DataFrame(y, columns=columns))
        labels = classifier.predict_labels(X[:1])[0]
        assert set(labels) == set(columns)
        assert [type(label) for label in labels] == [
            type(columns[columns.index(label)]) for label in labels
        ]


def test_probabilities_are_single_precision_under_any_policy(tiny_classifier, colour_images):
    import keras

    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        classifier = tiny_classifier(epochs=1).fit(*colour_images)
        probabilities = classifier.predict_proba(colour_images[0])
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert probabilities.dtype == np.float32
    np.testing.assert_array_equal(classifier.predict_proba(colour_images[0]), probabilities)
