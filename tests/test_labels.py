"""What counts as labels and as scores, what labels are called, and every shape of probabilities."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skposter import AveragingClassifier, FixedThresholdsClassifier
from skposter._labels.checks import (
    check_finite_scores,
    check_indicator,
    check_labels,
    check_probabilities,
)
from skposter._labels.decisions import exact_match_ratio, f1, hamming_loss
from skposter._labels.names import aligned_labels, label_names_of
from skposter._labels.per_label import (
    combined_weights,
    known_frequencies,
    per_label,
    positive_weights,
)
from skposter._labels.probabilities import label_scores
from skposter._labels.rare import rare_labels, warn_about_rare_labels
from skposter._labels.unknown import takes_unknown_labels, warn_about_unknown_labels
from skposter.exceptions import LabelWarning, UnknownLabelWarning

FRAME = pd.DataFrame({"red": [1, 0, 1], "blue": [0, 0, 1]}, index=["a.jpg", "b.jpg", "c.jpg"])


# --- labels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "convert",
    [
        lambda y: y,
        lambda y: y.astype(bool),
        lambda y: y.astype(np.float32),
        lambda y: y.astype("Int64"),
        lambda y: y.astype("boolean"),
        lambda y: y.astype("Float32"),
        lambda y: y.astype(object),
        lambda y: y.astype({"red": bool}),
        lambda y: y.astype({"red": "Int8", "blue": float}),
        lambda y: y.to_numpy(),
        lambda y: y.to_numpy().tolist(),
    ],
)
def test_labels_of_any_dtype_are_the_same(convert):
    labels = check_labels(convert(FRAME))
    np.testing.assert_array_equal(labels.positive, FRAME == 1)
    assert labels.known is None
    assert labels.n_unknown == 0
    assert labels.n_known.tolist() == [3, 3]
    np.testing.assert_array_equal(labels.frequencies, FRAME.mean())
    assert labels.to_numpy().dtype == np.int64
    np.testing.assert_array_equal(check_indicator(convert(FRAME)), FRAME == 1)


@pytest.mark.parametrize(
    "y",
    [
        FRAME.astype("Int64").mask([[False, False], [False, True], [False, False]]),
        FRAME.astype("boolean").mask([[False, False], [False, True], [False, False]]),
        FRAME.astype(float).mask([[False, False], [False, True], [False, False]]),
        FRAME.astype(object).mask([[False, False], [False, True], [False, False]], None),
        FRAME.astype(object).mask([[False, False], [False, True], [False, False]], pd.NA),
        [[1, 0], [0, None], [1, 1]],
        np.array([[1, 0], [0, np.nan], [1, 1]]),
    ],
)
def test_missing_values_of_any_kind_are_unknown_labels_or_refused_by_name(y):
    labels = check_labels(y, unknown=True)
    assert labels.positive.tolist() == [[True, False], [False, False], [True, True]]
    assert labels.known.tolist() == [[True, True], [True, False], [True, True]]
    assert labels.n_unknown == 1
    assert labels.n_known.tolist() == [3, 2]
    np.testing.assert_allclose(labels.frequencies, [2 / 3, 1 / 2])
    np.testing.assert_array_equal(labels.to_numpy(), [[1, 0], [0, np.nan], [1, 1]])
    assert labels[[0, 2]].known.all()
    where = r"row 1 \(index 'b.jpg'\), label 'blue'" if hasattr(y, "columns") else "row 1, label 1"
    with pytest.raises(ValueError, match=where + ", which is an unknown label"):
        check_labels(y)


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize(
    ("cell", "shown"),
    [(2, "2"), (-1, "-1"), (0.5, "0.5"), (np.inf, "inf"), ("1", "'1'"), ("yes", "'yes'")],
)
def test_other_values_are_named_with_row_and_label(cell, shown, unknown):
    y = FRAME.astype(object)
    y.iloc[2, 1] = cell
    with pytest.raises(ValueError, match=f"y_true holds {shown}.* in row 2 .*label 'blue', not 0"):
        check_labels(y, "y_true", unknown=unknown)
    if not isinstance(cell, str):
        with pytest.raises(ValueError, match=f"y_true holds {shown}.* in row 2 .*label 'blue'"):
            check_labels(y.astype(float), "y_true", unknown=unknown)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "y_true is missing. Expected zeros and ones of shape"),
        (sparse.csr_array([[1, 0]]), r"y_true is sparse; pass y_true.toarray\(\)"),
        ([[1, 0], [1]], "The rows of y_true differ in length"),
        ([1, 0], r"y_true has shape \(2,\)\. .* One label is y_true.reshape\(-1, 1\)"),
        ([[[1]]], r"shape \(1, 1, 1\)\. Expected .* names\.$"),
        (np.zeros((0, 2)), r"y_true is empty, its shape is \(0, 2\)"),
        (np.zeros((2, 0)), r"y_true is empty, its shape is \(2, 0\)"),
        ([[1j]], "Complex data not supported: y_true has dtype complex128"),
    ],
)
def test_what_is_no_table_of_labels_is_refused(y, message):
    with pytest.raises(ValueError, match=message):
        check_labels(y, "y_true")


def test_how_many_labels_there_must_be_is_counted():
    assert check_labels([[1]]).shape == (1, 1)
    assert check_labels([[1, 0]], min_labels=2).shape == (1, 2)
    with pytest.raises(ValueError, match=r"y has 1 label column\(s\), expected at least 2"):
        check_labels([[1]], min_labels=2)
    with pytest.raises(ValueError, match=r"2 columns, expected 1: the labels are \['red'\]"):
        check_labels([[1, 0]], label_names=["red"])


@pytest.mark.parametrize(
    ("y_score", "message"),
    [
        ([[0.1, 0.2], [0.3]], "The rows of y_score differ in length"),
        ([0.1, 0.2], r"y_score has shape \(2,\), expected \(n_samples, n_labels\)"),
        (np.zeros((0, 2)), r"y_score has shape \(0, 2\), expected"),
        ([[1j]], "y_score must hold numbers, got dtype complex128"),
    ],
)
def test_what_is_no_table_of_scores_is_refused(y_score, message):
    with pytest.raises(ValueError, match=message):
        check_finite_scores(y_score)


def test_scores_of_another_shape_than_the_labels_are_refused():
    with pytest.raises(ValueError, match=r"has shape \(1, 2\), expected \(2, 1\), as y_true"):
        check_finite_scores([[0.1, 0.2]], (2, 1))
    for dtype, kept in [("f2", "f4"), ("f4", "f4"), ("f8", "f8"), ("i8", "f8"), ("?", "f8")]:
        assert check_finite_scores(np.array([[0, 1]], dtype)).dtype == kept


def test_nothing_known_of_a_label_has_no_frequency():
    labels = check_labels([[np.nan, 1], [np.nan, 0]], unknown=True)
    np.testing.assert_array_equal(labels.frequencies, [np.nan, 0.5])


# --- scores ---------------------------------------------------------------------------------------


def test_nullable_scores_are_numbers_and_single_precision_stays():
    scores = pd.DataFrame({"red": [0.1, 0.9], "blue": [0.3, 0.2]})
    for same in (scores, scores.astype("Float64"), scores.astype(object), scores.to_numpy()):
        np.testing.assert_array_equal(check_finite_scores(same), scores)
        np.testing.assert_array_equal(check_probabilities(same), scores)
    assert check_finite_scores(scores.to_numpy(np.float32)).dtype == np.float32
    array = scores.to_numpy()
    assert check_finite_scores(array) is array
    turned = check_finite_scores(scores[["blue", "red"]], label_names=["red", "blue"])
    np.testing.assert_array_equal(turned, scores)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (pd.NA, "y_score holds nan in row 1, label 'blue'; has the training diverged"),
        (np.nan, "y_score holds nan in row 1, label 'blue'"),
        (np.inf, "y_score holds inf in row 1, label 'blue'"),
        ("high", "y_score must hold numbers, got 'high' in row 1, label 'blue'"),
        ("0.5", "y_score must hold numbers, got '0.5' in row 1, label 'blue'"),
        (1.5, "got 1.5 in row 1, label 'blue'"),
    ],
)
def test_scores_that_are_no_probabilities_are_named(cell, message):
    scores = pd.DataFrame({"red": [0.1, 0.9], "blue": [0.3, cell]})
    with pytest.raises(ValueError, match=message):
        check_probabilities(scores)


# --- names ----------------------------------------------------------------------------------------


def test_columns_in_another_order_are_put_right():
    assert aligned_labels(FRAME, ["red", "blue"]) is FRAME
    turned = aligned_labels(FRAME, np.array(["blue", "red"]))
    pd.testing.assert_frame_equal(turned, FRAME[["blue", "red"]])
    numbered = pd.DataFrame([[1, 0]], columns=[1, 0])
    assert aligned_labels(numbered, np.arange(2)).to_numpy().tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        (["red", "bleu"], "'bleu' is not one of them. Did you mean 'blue'"),
        (["red"], "'blue' is missing"),
        (["red", "blue", "green"], "'green' is not one of them"),
        (["red", "blue", "red"], "one of them is there twice"),
    ],
)
def test_columns_of_other_labels_are_refused(columns, why):
    y = pd.DataFrame(np.zeros((1, len(columns))), columns=columns)
    with pytest.raises(ValueError, match=rf"y has the labels \[.*\], expected \['red', .*{why}"):
        aligned_labels(y, ["red", "blue"])


def test_what_has_no_names_cannot_contradict():
    array = FRAME.to_numpy()
    assert aligned_labels(array, ["blue", "red"]) is array
    unnamed = pd.DataFrame(array)
    assert aligned_labels(unnamed, ["blue", "red"]) is unnamed
    assert aligned_labels(FRAME, range(2)) is FRAME
    assert aligned_labels(FRAME, None) is FRAME


def test_names_are_found_in_whatever_wraps_the_classifier():
    X = np.array([[0.0], [1.0], [2.0], [3.0]])
    y = pd.DataFrame({"red": [1, 0, 1, 0], "blue": [0, 1, 1, 0]})
    named = FixedThresholdsClassifier(KNeighborsClassifier(2))
    search = GridSearchCV(make_pipeline(named), {}, scoring="f1_micro", cv=[([0, 1], [2, 3])])
    for model in (named, make_pipeline(named), search, AveragingClassifier(named, 2)):
        assert label_names_of(model.fit(X, y)) == ["red", "blue"]
    assert label_names_of(FrozenEstimator(make_pipeline(named))) == ["red", "blue"]
    assert label_names_of(KNeighborsClassifier()) is None
    trees = OneVsRestClassifier(GradientBoostingClassifier(n_estimators=1)).fit(X, y)
    assert label_names_of(trees) is None


def test_a_series_of_numbers_is_read_by_name():
    thresholds = pd.Series({"blue": 0.3, "red": 0.7})
    assert per_label(thresholds, ["red", "blue"], default=0.5, what="t").tolist() == [0.7, 0.3]
    assert per_label(thresholds[["red"]], ["red", "blue"], default=0.5, what="t")[1] == 0.5
    unnamed = pd.Series([0.7, 0.3])
    assert per_label(unnamed, ["red", "blue"], default=0.5, what="t").tolist() == [0.7, 0.3]
    assert per_label(thresholds, [0, 1], default=0.5, what="t").tolist() == [0.3, 0.7]
    with pytest.raises(ValueError, match=r"t names 'bleu'.*Did you mean 'blue'"):
        per_label(pd.Series({"bleu": 0.1}), ["red", "blue"], default=0.5, what="t")


def test_a_positive_weighs_what_was_given_for_its_label_and_all_else_one():
    y = np.array([[1, 0], [0, 1], [np.nan, 1]])
    weights = combined_weights(None, np.array([3.0, 0.5]), y)
    assert weights.dtype == np.float32
    assert weights.tolist() == [[3, 1], [1, 0.5], [1, 0.5]]
    per_image = combined_weights(np.array([2, 4, 0]), np.array([3.0, 0.5]), y)
    assert per_image.tolist() == [[6, 2], [4, 2], [0, 0]]
    each = np.array([[2, 4], [1, 1], [0, 8]])
    assert combined_weights(each, np.array([3.0, 0.5]), y).tolist() == [[6, 4], [1, 0.5], [0, 4]]
    assert combined_weights(each, None, y) is each
    assert combined_weights(np.ones(3), None, y) is None
    assert combined_weights(None, None, y) is None


def test_balanced_weights_are_negatives_to_positives_of_what_is_known():
    y = np.array([[1, 1, 0, 1], [0, 1, 0, 1], [0, 0, 0, 1], [0, np.nan, 0, 1]])
    # Where a label is constant, the number of images is the limit.
    assert positive_weights("balanced", y, list("abcd")).tolist() == [3, 0.5, 4, 0.25]


def test_weights_of_positives_may_be_nothing_and_are_one_by_default():
    y = np.ones((2, 2))
    assert positive_weights(None, y, ["a", "b"]) is None
    assert positive_weights({"b": 0}, y, ["a", "b"]).tolist() == [1, 0]
    with pytest.raises(ValueError, match=r"finite and not negative, got \[-0\.5, 1\.0\]"):
        positive_weights({"a": -0.5}, y, ["a", "b"])


def test_frequencies_are_those_among_the_known():
    y = np.array([[1, 0, np.nan], [1, np.nan, np.nan], [0, 1, np.nan], [0, 0, np.nan]])
    np.testing.assert_allclose(known_frequencies(y), [0.5, 1 / 3, 0])


# --- rare and unknown labels ----------------------------------------------------------------------


def test_rare_labels_are_those_with_fewer_positives():
    assert rare_labels([3, 10, 9], list("abc"), 10) == [("a", 3), ("c", 9)]
    y = np.array([[1, 1, 0, np.nan]] + [[0, 1, 0, 1]] * 30 + [[np.nan, 0, 0, 1]])
    with pytest.warns(LabelWarning) as caught:
        warn_about_rare_labels(y, list("abcd"))
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "one value for every image, so that nothing can be learned: c, d" in message
    assert "fewer than 10 positives: a (1)" in message
    assert caught[0].filename == __file__


def test_only_labels_that_are_constant_or_rare_are_warned_of():
    y = np.array([[1, 0]] * 15 + [[0, 1]] * 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_about_rare_labels(y, ["a", "b"])
    with pytest.warns(LabelWarning, match=r"^Labels with fewer than 10 positives: b \(9\)\.$"):
        warn_about_rare_labels(y[:-1], ["a", "b"])
    with pytest.warns(LabelWarning, match=r"^Labels with one value for every image, .*: a, b\.$"):
        warn_about_rare_labels(y[:15], ["a", "b"])


def test_a_warning_says_how_many_labels_are_unknown():
    labels = check_labels([[1, np.nan], [np.nan, 0]], unknown=True)
    with pytest.warns(UnknownLabelWarning, match=r"2 of 4 labels in y are unknown \(NaN\)"):
        warn_about_unknown_labels(labels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_about_unknown_labels(check_labels([[1, 0]]))


class TakesNaN(DummyClassifier):
    takes_unknown_labels = True


def test_an_estimator_says_whether_it_takes_unknown_labels():
    assert takes_unknown_labels(TakesNaN())
    assert takes_unknown_labels(AveragingClassifier(make_pipeline(TakesNaN())))
    assert takes_unknown_labels(FrozenEstimator(LogisticRegression()))
    assert not takes_unknown_labels(make_pipeline(LogisticRegression()))
    assert not takes_unknown_labels(FixedThresholdsClassifier(LogisticRegression()))


def test_decisions_about_unknown_labels_do_not_count():
    labels = check_labels([[1, np.nan, 0], [np.nan, np.nan, np.nan], [0, 1, 1]], unknown=True)
    y_pred = np.array([[True, True, False], [True, True, True], [False, False, True]])
    assert f1(labels, y_pred) == pytest.approx(4 / 5)
    np.testing.assert_allclose(f1(labels, y_pred, axis=0), [1, 0, 1])
    np.testing.assert_allclose(f1(labels, y_pred, axis=1, empty=np.nan), [1, np.nan, 2 / 3])
    assert hamming_loss(labels, y_pred) == pytest.approx(1 / 5)
    assert exact_match_ratio(labels, y_pred) == 1 / 2
    assert exact_match_ratio(labels, y_pred, [3, 100, 1]) == 3 / 4
    nothing = check_labels([[np.nan]], unknown=True)
    assert np.isnan(exact_match_ratio(nothing, np.array([[True]])))
    assert np.isnan(hamming_loss(nothing, np.array([[True]])))
    with pytest.raises(ValueError, match=r"sample_weight has shape \(2,\), expected \(3,\)"):
        exact_match_ratio(labels, y_pred, [1, 1])


# --- probabilities --------------------------------------------------------------------------------


class Saying:
    """A fitted classifier that says what it is told."""

    def __init__(self, probabilities, **attributes):
        self.probabilities = probabilities
        vars(self).update(attributes)

    def predict_proba(self, X):
        return self.probabilities


def test_label_scores_reads_every_shape():
    zeros, ones = np.zeros((2, 1)), np.ones((2, 1))
    both = np.array([[0.8, 0.2], [0.3, 0.7]])
    classes = [np.array([0]), np.array([1]), np.array([0, 1])]
    told = Saying([ones, ones, both], classes_=classes)  # certain of class 0, of class 1, unsure
    assert label_scores(told, None, 3).tolist() == [[0, 1, 0.2], [0, 1, 0.7]]
    assert label_scores(Saying([both, both]), None, 2).tolist() == [[0.2, 0.2], [0.7, 0.7]]
    stacked = Saying(np.stack([both, 1 - both]))
    assert label_scores(stacked, None, 2).tolist() == [[0.2, 0.8], [0.7, 1 - 0.7]]
    assert label_scores(Saying(both), None, 2).tolist() == both.tolist()
    assert label_scores(Saying(both), None, 1).tolist() == [[0.2], [0.7]]
    assert label_scores(Saying(both[:, 1]), None, 1).tolist() == [[0.2], [0.7]]
    assert label_scores(Saying(zeros, classes_=np.array([[0, 1]])), None, 1).tolist() == [[0], [0]]
    assert label_scores(Saying(ones, classes_=np.array([0])), None, 1).tolist() == [[0], [0]]


def test_label_scores_refuses_what_it_cannot_read():
    both = np.array([[0.8, 0.2], [0.3, 0.7]])
    with pytest.raises(ValueError, match=r"shape \(2, 2\), expected \(n_samples, 3\): is it"):
        label_scores(Saying(both), None, 3)
    with pytest.raises(ValueError, match=r"shape \(2, 2\), expected \(n_samples, 1\)"):
        label_scores(Saying([both, both]), None, 1)
    with pytest.raises(ValueError, match="not finite"):
        label_scores(Saying(both * np.nan), None, 2)


@pytest.mark.parametrize("cell", [np.nan, np.inf])
def test_a_single_probability_that_is_not_finite_is_refused_by_name(cell):
    probabilities = np.array([[0.8, 0.2], [0.3, cell]])
    with pytest.raises(ValueError, match=rf"{cell} in row 1, label 1, .*not finite"):
        label_scores(Saying(probabilities), None, 2)
