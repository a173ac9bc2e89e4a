"""The threshold rules against brute force, and at their edges."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import f1_score, hamming_loss, precision_score, recall_score

from skposter.exceptions import UnknownLabelWarning
from skposter.metrics import get_scorer
from skposter.thresholds import (
    apply_thresholds,
    choose_thresholds,
    expected_f1_decision,
    expected_f1_thresholds,
    objective_score,
    parse_objective,
    top_k,
)
from skposter.thresholds._sweeps import settled

GLOBAL = ["f1_micro", "f1_samples", "cardinality"]
PER_LABEL = ["f1_macro", "hamming", "precision>=0.6", "recall>=0.6"]
FEW_EXAMPLES = settings(max_examples=60, deadline=None)


@st.composite
def labels_and_scores(draw, max_samples=7, max_labels=3):
    """Few rows and few distinct scores, so that ties, and labels without positives, are common."""
    shape = draw(st.tuples(st.integers(1, max_samples), st.integers(1, max_labels)))
    y_true = draw(arrays(np.int64, shape, elements=st.integers(0, 1)))
    kind = draw(st.sampled_from(["probabilities", "float32", "raw"]))
    scores = draw(arrays(np.int64, shape, elements=st.integers(0, 6)))
    if kind == "raw":
        return y_true, scores * 1.7 - 4
    return y_true, (scores / 6).astype(np.float32 if kind == "float32" else np.float64)


def all_thresholds(y_score):
    return [*np.unique(y_score), y_score.max() + 1.0]


def best_global_score(y_true, y_score, objective):
    decisions = ((y_score >= threshold).astype(int) for threshold in all_thresholds(y_score))
    return max(objective_score(y_true, decision, objective) for decision in decisions)


def best_per_label_score(y_true, y_score, objective):
    columns = [
        best_global_score(truth[:, np.newaxis], score[:, np.newaxis], objective)
        for truth, score in zip(y_true.T, y_score.T, strict=True)
    ]
    return np.mean(columns)


def reached(y_true, y_score, objective, **options):
    thresholds = choose_thresholds(y_true, y_score, objective=objective, **options)
    return objective_score(y_true, apply_thresholds(y_score, thresholds), objective)


@pytest.mark.parametrize("objective", GLOBAL)
@FEW_EXAMPLES
@given(data=labels_and_scores())
def test_no_other_threshold_of_all_labels_does_better(objective, data):
    y_true, y_score = data
    best = best_global_score(y_true, y_score, objective)
    assert reached(y_true, y_score, objective) == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("objective", PER_LABEL)
@FEW_EXAMPLES
@given(data=labels_and_scores())
def test_no_other_threshold_of_a_label_does_better(objective, data):
    y_true, y_score = data
    best = best_per_label_score(y_true, y_score, objective)
    assert reached(y_true, y_score, objective, shrinkage=0) == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("objective", [*GLOBAL, *PER_LABEL])
def test_no_other_threshold_does_better_on_many_random_tables(objective):
    """Hypothesis prefers plain tables; these are the ones in between."""
    best_score = best_global_score if objective in GLOBAL else best_per_label_score
    rng = np.random.default_rng(0)
    for _ in range(150):
        shape = rng.integers(1, 8), rng.integers(1, 4)
        y_true, y_score = rng.integers(0, 2, shape), rng.integers(0, 7, shape) / 6
        best = best_score(y_true, y_score, objective)
        assert reached(y_true, y_score, objective, shrinkage=0) == pytest.approx(best, abs=1e-12)


def cost(y_true, y_pred):
    """A missed label costs as much as two wrong ones."""
    return -2 * np.sum(y_true & ~y_pred & 1) - np.sum(y_pred & ~y_true & 1)


def as_many_as_can_be_but_one(y_true, y_pred):
    """Best just above the lowest score, whoever has it."""
    return -abs(int(y_pred.sum()) - y_pred.size + 1)


@pytest.mark.parametrize("metric", [cost, as_many_as_can_be_but_one])
@FEW_EXAMPLES
@given(data=labels_and_scores())
def test_no_other_threshold_does_better_for_a_callable(metric, data):
    y_true, y_score = data
    assert reached(y_true, y_score, metric) == best_global_score(y_true, y_score, metric)


def test_a_callable_is_tried_among_all_scores_and_among_those_of_positives():
    rng = np.random.default_rng(0)
    y_score = rng.random((2000, 1))
    y_true = (np.argsort(np.argsort(-y_score, axis=0), axis=0) < 20).astype(int)

    def f1(y_true, y_pred):
        return f1_score(y_true, y_pred)

    calls = []
    wanted = 900  # predictions, a threshold that no positive is near

    def number(y_true, y_pred):
        calls.append(y_pred.sum())
        return -abs(int(y_pred.sum()) - wanted)

    assert reached(y_true, y_score, f1) == 1
    assert reached(y_true, y_score, number) > -15
    assert len(calls) - 1 <= 201
    assert {calls[0], max(calls)} == {0, 2000}


def test_a_callable_that_prefers_nothing_predicts_nothing_and_takes_the_middle_of_a_plateau():
    y_true, y_score = [[1, 0], [0, 0]], np.array([[0.4, 0.3], [0.2, 0.8]])
    same = choose_thresholds(y_true, y_score, objective=lambda y_true, y_pred: 1.0)
    assert same == pytest.approx(0.9)
    one = choose_thresholds(y_true, y_score, objective=lambda y_true, y_pred: y_pred.sum() == 2)
    assert one == pytest.approx(0.35)


@pytest.mark.parametrize("objective", ["f1_samples", "f1_micro", "cardinality"])
def test_without_positives_nothing_is_predicted(objective):
    y_score = np.array([[0.2, 0.8], [0.4, 0.6]])
    thresholds = choose_thresholds(np.zeros((2, 2)), y_score, objective=objective)
    assert thresholds == pytest.approx(0.9)


@pytest.mark.parametrize("objective", [*GLOBAL, *PER_LABEL])
@FEW_EXAMPLES
@given(data=labels_and_scores())
def test_decisions_survive_rounding_of_thresholds_and_scores(objective, data):
    y_true, y_score = data
    thresholds = choose_thresholds(y_true, y_score, objective=objective, shrinkage=0)
    decisions = y_score >= thresholds
    np.testing.assert_array_equal(y_score.astype(np.float32) >= np.float32(thresholds), decisions)
    weak = [[s >= float(t) for s, t in zip(row, thresholds, strict=True)] for row in y_score]
    np.testing.assert_array_equal(weak, decisions)


def test_a_threshold_between_adjacent_float32_scores_separates_them():
    low = np.float32(0.3)
    high = np.nextafter(low, np.float32(1))
    y_score = np.array([[low], [high]])
    [threshold] = choose_thresholds([[0], [1]], y_score, shrinkage=0)
    assert [bool(s >= float(threshold)) for s in (low, high)] == [False, True]
    assert apply_thresholds(y_score, threshold).ravel().tolist() == [0, 1]


@settings(max_examples=300, deadline=None)
@given(
    position=st.floats(0.1, 0.9),
    gap=st.floats(0, 3),
    scale=st.sampled_from([1, -1, 1e-30, 1e30, -1e30]),
)
def test_neighbouring_scores_stay_apart_if_float32_can_tell_them(position, gap, scale):
    high = position + gap * np.spacing(np.float32(position))
    low, high = sorted([position * scale, high * scale])
    y_score = np.array([[low], [high]])
    [threshold] = choose_thresholds([[0], [1]], y_score, shrinkage=0)
    single = y_score.astype(np.float32)
    if single[0] < single[1]:
        assert (single >= np.float32(threshold)).ravel().tolist() == [False, True]
        assert (single >= np.float64(threshold)).ravel().tolist() == [False, True]
    if low < high:
        assert (y_score >= threshold).ravel().tolist() == [False, True]


@settings(max_examples=300, deadline=None)
@given(
    scores=st.lists(st.floats(-50, 50), min_size=2, max_size=6),
    place=st.floats(-60, 60),
    single=st.booleans(),
)
def test_a_settled_threshold_decides_as_it_did_in_every_precision(scores, place, single):
    score = np.sort(np.array(scores, dtype=np.float32 if single else np.float64))
    threshold = settled(place, score)
    expected = score >= np.float64(place)
    np.testing.assert_array_equal(score >= np.float64(threshold), expected)
    rounded = score.astype(np.float32)
    told = rounded[~expected].max(initial=-np.inf) < rounded[expected].min(initial=np.inf)
    if told:
        np.testing.assert_array_equal(rounded >= np.float64(threshold), expected)
        np.testing.assert_array_equal(rounded >= np.float32(threshold), expected)


@pytest.mark.parametrize("objective", [*GLOBAL, "f1_macro", "hamming", "precision>=1", "recall>=1"])
@pytest.mark.parametrize("lowest", [-0.1, 0.1, -1 / 3, 7.3, -7.3e8])
def test_a_threshold_at_the_lowest_score_decides_the_same_in_float32(objective, lowest):
    y_score = np.array([[lowest], [lowest + 20], [lowest + 21]])
    thresholds = choose_thresholds(np.ones((3, 1)), y_score, objective=objective, shrinkage=0)
    for scores in (y_score, y_score.astype(np.float32)):
        assert apply_thresholds(scores, thresholds).all()
        assert apply_thresholds(scores, thresholds.astype(np.float32)).all()


@pytest.mark.parametrize("gap", [1e-12, 0.0])
def test_scores_closer_than_float32_can_tell(gap):
    y_score = np.array([[0.3], [0.3 + gap], [0.9]])
    y_true = [[0], [1], [1]]
    decisions = apply_thresholds(y_score, choose_thresholds(y_true, y_score, shrinkage=0))
    assert decisions.ravel().tolist() == ([0, 1, 1] if gap else [1, 1, 1])


def test_the_threshold_is_the_middle_of_its_plateau():
    y_score = np.array([[0.9], [0.5], [0.25], [0.1]])
    assert choose_thresholds([[1], [1], [0], [0]], y_score, shrinkage=0) == pytest.approx(0.375)
    assert choose_thresholds([[1], [1], [1], [1]], y_score, shrinkage=0) == pytest.approx(0.05)
    assert choose_thresholds([[0], [0], [0], [0]], y_score) == pytest.approx(0.95)
    assert choose_thresholds([[0], [0], [0], [0]], y_score - 1) > -0.1


def test_of_equally_good_thresholds_the_highest_is_taken():
    y_score = np.array([[0.9], [0.8], [0.7], [0.6], [0.1]])
    # F1 is 2/3 for the first alone and for the first four
    assert choose_thresholds([[1], [0], [0], [1], [0]], y_score, shrinkage=0) > 0.8


def test_cardinality_takes_the_nearest_reachable_number():
    y_score = np.array([[0.9, 0.5, 0.5], [0.5, 0.5, 0.1]])
    y_true = np.array([[1, 1, 1], [1, 0, 0]])  # four labels; one or five can be predicted
    [threshold, *_] = choose_thresholds(y_true, y_score, objective="cardinality")
    assert (y_score >= threshold).sum() == 5
    y_true[1] = 0  # three labels, as near to one as to five
    [threshold, *_] = choose_thresholds(y_true, y_score, objective="cardinality")
    assert (y_score >= threshold).sum() == 1
    y_true[0, 1] = 0  # two labels
    [threshold, *_] = choose_thresholds(y_true, y_score, objective="cardinality")
    assert (y_score >= threshold).sum() == 1


def test_global_objectives_give_one_threshold_to_every_label(scored):
    for objective in [*GLOBAL, lambda y_true, y_pred: f1_score(y_true, y_pred, average="micro")]:
        thresholds = choose_thresholds(*scored, objective=objective)
        assert thresholds.shape == (4,)
        assert thresholds.dtype == np.float64
        assert len(set(thresholds)) == 1


@pytest.fixture(scope="module")
def scored():
    """Calibrated probabilities of four labels, 50 % to 1 % of 1500 images."""
    return calibrated(1500, seed=0)


def calibrated(n_samples, seed):
    rng = np.random.default_rng(seed)
    odds = rng.normal(loc=[0, -2, -3.5, -6], scale=1.2, size=(n_samples, 4))
    y_score = 1 / (1 + np.exp(-odds))
    return (rng.random(y_score.shape) < y_score).astype(int), y_score


def test_floors_hold_where_they_can_be_held(scored):
    y_true, y_score = scored
    y_pred = apply_thresholds(
        y_score, choose_thresholds(y_true, y_score, objective="recall >= 0.7")
    )
    assert (recall_score(y_true, y_pred, average=None) >= 0.7).all()
    y_pred = apply_thresholds(
        y_score, choose_thresholds(y_true, y_score, objective="precision>=.75")
    )
    precision = precision_score(y_true, y_pred, average=None, zero_division=1.0)
    assert (precision >= 0.75).all()
    assert y_pred[:, 0].any()


def test_a_precision_out_of_reach_predicts_nothing():
    y_score = np.array([[0.9], [0.8], [0.1]])
    threshold = choose_thresholds([[0], [1], [0]], y_score, objective="precision>=0.9")
    assert threshold > 0.9


def test_shrinkage_of_zero_and_infinity_are_the_two_ends(scored):
    y_true, y_score = scored
    own = choose_thresholds(y_true, y_score, shrinkage=0)
    between = choose_thresholds(y_true, y_score)
    anchor = choose_thresholds(y_true, y_score, shrinkage=np.inf)
    low, high = np.minimum(own, anchor), np.maximum(own, anchor)
    assert ((low < between) & (between < high)).all()
    # the scores are calibrated, so the anchor is the F*/2 rule; sampling moves the curve a little
    np.testing.assert_allclose(anchor, expected_f1_thresholds(y_score), rtol=0.25)


def test_shrinkage_helps_rare_labels_on_new_images():
    gain = []
    new_true, new_score = calibrated(20_000, seed=1)
    for seed in range(2, 12):
        y_true, y_score = calibrated(300, seed)
        reached = [
            f1_score(
                new_true[:, 3],
                new_score[:, 3] >= choose_thresholds(y_true, y_score, shrinkage=shrinkage)[3],
            )
            for shrinkage in (0, 20)
        ]
        gain.append(reached[1] - reached[0])
    assert np.mean(gain) > 0.01


def test_shrinkage_does_not_mind_miscalibrated_scores(scored):
    """A monotone distortion common to all labels moves the thresholds along, and no decision."""
    y_true, y_score = scored
    odds = np.log(y_score / (1 - y_score))
    distorted = 1 / (1 + np.exp(-(2 * odds + 1.5)))
    for shrinkage in (20, np.inf):
        decisions = y_score >= choose_thresholds(y_true, y_score, shrinkage=shrinkage)
        moved = distorted >= choose_thresholds(y_true, distorted, shrinkage=shrinkage)
        assert np.mean(decisions != moved) < 0.002


def test_a_label_without_positives_gets_a_threshold_from_the_others(scored):
    y_true, y_score = scored
    y_true = y_true.copy()
    y_true[:, 3] = 0
    for objective, shrinkage in [("f1_macro", 0), ("f1_macro", 20), ("hamming", 20)]:
        chosen = choose_thresholds(y_true, y_score, objective=objective, shrinkage=shrinkage)[3]
        assert 0 < chosen < 0.6
    # Any label that is predicted would be wrong, on these images.
    [*_, never] = choose_thresholds(y_true, y_score, objective="hamming", shrinkage=0)
    assert not (y_score[:, 3] >= never).any()
    [*_, never] = choose_thresholds(y_true, y_score, objective="precision>=0.5")
    assert not (y_score[:, 3] >= never).any()


def test_scores_that_fall_with_the_labels_give_no_anchor():
    y_score = np.array([[0.9, 0.8], [0.8, 0.9], [0.1, 0.2], [0.2, 0.1]])
    y_true = np.array([[0, 0], [0, 0], [1, 0], [1, 0]])
    thresholds = choose_thresholds(y_true, y_score)
    np.testing.assert_array_equal(thresholds, choose_thresholds(y_true, y_score, shrinkage=0))
    assert not (y_score[:, 1] >= thresholds[1]).any()


@pytest.mark.parametrize("objective", [*GLOBAL, *PER_LABEL])
@pytest.mark.parametrize("fill", [0, 1])
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (5, 1), (5, 2)])
@pytest.mark.parametrize("constant", [0.0, 0.5, 1.0])
def test_constant_labels_and_constant_scores_give_finite_thresholds(
    objective, fill, shape, constant
):
    y_true, y_score = np.full(shape, fill), np.full(shape, constant)
    thresholds = choose_thresholds(y_true, y_score, objective=objective)
    assert np.isfinite(thresholds).all()
    assert ((y_score >= thresholds) == bool(fill)).all()


@pytest.mark.parametrize("scale", [1.0, 1e30, 1e300, 1e308, 1e-300])
def test_scores_need_not_be_probabilities(scale):
    y_score = np.array([[-0.6], [0.2], [0.4], [1.0]]) * scale
    for shrinkage in (0, 5):
        thresholds = choose_thresholds([[0], [0], [1], [1]], y_score, shrinkage=shrinkage)
        assert apply_thresholds(y_score, thresholds).ravel().tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("objective", [*GLOBAL, *PER_LABEL])
@pytest.mark.parametrize("scale", [1.0, 1e38, 1e39, 1e300, 1.7e308])
def test_thresholds_are_finite_beyond_what_float32_holds(objective, scale):
    rng = np.random.default_rng(0)
    y_true = rng.integers(0, 2, (20, 3))
    y_true[:, 2] = 0  # the weight of its own threshold is 0
    y_score = (rng.random((20, 3)) - 0.5) * 2 * scale
    for shrinkage in (0, 20, np.inf):
        thresholds = choose_thresholds(y_true, y_score, objective=objective, shrinkage=shrinkage)
        assert np.isfinite(thresholds).all()


@pytest.mark.parametrize("objective", ["f1_macro", "hamming"])
@pytest.mark.parametrize("far", [1e3, -1e3, 1e9, -1e9, 1e300])
@pytest.mark.parametrize("n", [100, 500])
def test_one_score_that_is_far_out_moves_no_other_threshold_much(objective, far, n):
    rng = np.random.default_rng(0)
    frequency = np.exp(rng.uniform(np.log(0.01), np.log(0.2), 20))
    y_true = rng.random((n, 20)) < frequency
    y_score = rng.normal(size=y_true.shape) + 2 * y_true + np.log(frequency / (1 - frequency))
    before = choose_thresholds(y_true, y_score, objective=objective)
    with_outlier = y_score.copy()
    with_outlier[7, 3] = far
    after = choose_thresholds(y_true, with_outlier, objective=objective)
    others = np.arange(20) != 3
    assert np.abs(after - before)[others].max() < 0.15
    assert np.ptp(before) > 0.5
    assert np.isfinite(after).all()


@FEW_EXAMPLES
@given(data=labels_and_scores(), rank=st.integers(0, 6))
def test_scores_of_an_objective_are_those_of_scikit_learn(data, rank):
    y_true, y_score = data
    y_pred = (y_score >= np.sort(y_score.ravel())[min(rank, y_score.size - 1)]).astype(int)
    if y_true.shape[1] == 1:  # which scikit-learn takes for a binary problem
        y_true, y_pred = (np.hstack([y, y]) for y in (y_true, y_pred))
    for average in ("micro", "macro", "samples"):
        theirs = f1_score(y_true, y_pred, average=average, zero_division=0)
        assert objective_score(y_true, y_pred, f"f1_{average}") == pytest.approx(theirs)
    assert objective_score(y_true, y_pred, "hamming") == -hamming_loss(y_true, y_pred)
    difference = abs(y_true.sum(axis=1).mean() - y_pred.sum(axis=1).mean())
    assert objective_score(y_true, y_pred, "cardinality") == pytest.approx(-difference)
    precision = precision_score(y_true, y_pred, average=None, zero_division=0)
    recall = recall_score(y_true, y_pred, average=None, zero_division=0)
    expected = np.where(recall >= 0.5, precision, 0).mean()
    assert objective_score(y_true, y_pred, "recall>=0.5") == pytest.approx(expected)


def test_top_k_breaks_ties_by_column():
    assert top_k([[0.1, 0.5, 0.5, 0.5]], 2).tolist() == [[0, 1, 1, 0]]
    assert top_k([[0.1, 0.5]], 0).tolist() == [[0, 0]]
    assert top_k([[0.1, 0.5]], 2).tolist() == [[1, 1]]


def test_min_labels_adds_the_likeliest_of_those_not_predicted():
    y_score = [[0.05, 0.9, 0.8], [0.01, 0.3, 0.2]]
    thresholds = [0.02, 0.95, 0.95]
    assert apply_thresholds(y_score, thresholds).tolist() == [[1, 0, 0], [0, 0, 0]]
    one = apply_thresholds(y_score, thresholds, min_labels=1)
    assert one.tolist() == [[1, 0, 0], [0, 1, 0]]
    two = apply_thresholds(y_score, thresholds, min_labels=2)
    assert two.tolist() == [[1, 1, 0], [0, 1, 1]]


def test_thresholds_are_inclusive_and_an_infinite_one_never_predicts():
    assert apply_thresholds([[0.5, 1.0]], [0.5, np.inf]).tolist() == [[1, 0]]
    assert apply_thresholds([[0.5, 0.4]], 0.5).dtype == np.int64


@pytest.mark.parametrize(
    ("y_true", "y_score", "message"),
    [
        ([0, 1], [[0.1], [0.2]], r"y_true has shape \(2,\).*reshape"),
        ([[0], [2]], [[0.1], [0.2]], "y_true holds .*2.* in row 1"),
        ([[0], [1]], [[0.1], [np.nan]], "y_score holds nan in row 1, label 0"),
        ([[0], [1]], [[0.1], [np.inf]], "y_score holds inf in row 1, label 0"),
        ([[0], [1]], [[0.1, 0.2], [0.1, 0.2]], r"shape \(2, 2\), expected \(2, 1\), as y_true"),
        ([[0], [1]], [["a"], ["b"]], "must hold numbers"),
        (np.empty((0, 2)), np.empty((0, 2)), "empty"),
    ],
)
def test_malformed_data_is_named(y_true, y_score, message):
    with pytest.raises(ValueError, match=message):
        choose_thresholds(y_true, y_score)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ("f1_marco", "Unknown objective 'f1_marco'. Did you mean 'f1_macro'"),
        ("precision>0.8", "Did you mean 'precision>=0.8'"),
        ("precision>=80", r"must be in \(0, 1\]"),
        ("recall>=0", r"must be in \(0, 1\]"),
        ("precision>=0.8.1", "Unknown objective"),
        (None, "Unknown objective None"),
        (["f1_macro"], "Unknown objective"),
    ],
)
def test_unknown_objectives_are_named_with_the_likely_spelling(objective, message):
    for call in (
        lambda: choose_thresholds([[0], [1]], [[0.1], [0.2]], objective=objective),
        lambda: objective_score([[0], [1]], [[0], [1]], objective),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_a_scorer_is_no_objective():
    for scorer in (get_scorer("skill"), sklearn.metrics.get_scorer("f1_micro")):
        for call in (
            lambda scorer=scorer: choose_thresholds([[0], [1]], [[0.1], [0.2]], objective=scorer),
            lambda scorer=scorer: objective_score([[0], [1]], [[0], [1]], scorer),
        ):
            with pytest.raises(
                ValueError, match=r"cannot be called with \(y_true, y_pred\).*scorer"
            ):
                call()
    for metric in (partial(f1_score, average="micro"), np.dot.__call__, f1_score, max):
        assert parse_objective(metric) == ("callable", None)


# --- names and unknown labels ---------------------------------------------------------------------


def test_columns_in_another_order_are_put_right(scored):
    y_true = pd.DataFrame(scored[0], columns=list("abcd"))
    y_score = pd.DataFrame(scored[1], columns=list("abcd"))
    turned = y_score[list("cadb")]
    expected = choose_thresholds(*scored)
    np.testing.assert_array_equal(choose_thresholds(y_true, turned), expected)
    np.testing.assert_array_equal(choose_thresholds(y_true, turned.astype("Float64")), expected)
    thresholds = pd.Series(expected, index=list("abcd"))
    y_pred = apply_thresholds(turned, thresholds)
    np.testing.assert_array_equal(y_pred, apply_thresholds(scored[1], expected)[:, [2, 0, 3, 1]])
    decided = pd.DataFrame(y_pred, columns=list("cadb"))
    assert objective_score(y_true, decided, "f1_macro") == objective_score(
        scored[0], apply_thresholds(scored[1], expected), "f1_macro"
    )
    with pytest.raises(ValueError, match=r"y_score has the labels .* 'e' is not one of them"):
        choose_thresholds(y_true, turned.rename(columns={"a": "e"}))
    with pytest.raises(ValueError, match="y_pred has the labels"):
        objective_score(y_true, decided.rename(columns={"a": "e"}), "f1_macro")
    with pytest.raises(ValueError, match="thresholds has no number for the label 'c'"):
        apply_thresholds(turned, thresholds[["a"]])
    with pytest.raises(ValueError, match="thresholds names 'e', which is not a label"):
        apply_thresholds(turned, thresholds.rename({"a": "e"}))


@pytest.mark.filterwarnings("ignore::skposter.exceptions.UnknownLabelWarning")
@pytest.mark.parametrize("objective", [*GLOBAL, *PER_LABEL])
@FEW_EXAMPLES
@given(data=labels_and_scores(), seed=st.integers(0, 5))
def test_no_other_threshold_does_better_where_labels_are_known(objective, data, seed):
    y_true, y_score = data
    hidden = np.random.default_rng(seed).random(y_true.shape) < 0.4
    hidden.ravel()[seed % hidden.size] = False
    y_true = np.where(hidden, np.nan, y_true)
    if objective in GLOBAL:
        best = best_global_score(y_true, y_score, objective)
    else:
        each = [
            best_global_score(truth[:, np.newaxis], score[:, np.newaxis], objective)
            for truth, score in zip(y_true.T, y_score.T, strict=True)
        ]
        # The Hamming loss is a mean over cells, and labels are known of different numbers of rows.
        n_known = (~hidden).sum(axis=0) if objective == "hamming" else np.ones(len(each))
        best = np.average(np.nan_to_num(each), weights=n_known)
    assert reached(y_true, y_score, objective, shrinkage=0) == pytest.approx(best, abs=1e-12)


@pytest.mark.filterwarnings("ignore::skposter.exceptions.UnknownLabelWarning")
@pytest.mark.parametrize("objective", [*PER_LABEL, "f1_micro", cost])
def test_unknown_labels_might_as_well_not_be_there(objective, scored):
    """Hidden rows of all labels, which can be left out by hand."""
    y_true, y_score = scored[0].astype(float), scored[1].copy()
    hidden = np.random.default_rng(0).random(len(y_true)) < 0.3
    y_true[hidden], y_score[hidden] = np.nan, 1 - y_score[hidden]
    metric = objective
    if objective is cost:

        def metric(y_true, y_pred):
            known = ~np.isnan(y_true)
            return cost(y_true[known].astype(int), y_pred[known])

    chosen = choose_thresholds(y_true, y_score, objective=metric)
    left = y_true[~hidden].astype(int), y_score[~hidden]
    np.testing.assert_allclose(chosen, choose_thresholds(*left, objective=objective), rtol=1e-6)
    y_pred = apply_thresholds(y_score, chosen)
    expected = objective_score(left[0], y_pred[~hidden], objective)
    assert objective_score(y_true, y_pred, metric) == pytest.approx(
        expected * (1 - hidden.mean() if objective == "f1_samples" else 1)
    )


def test_a_label_that_nobody_knows_gets_a_threshold_from_the_others(scored):
    y_true, y_score = scored[0].astype(float), scored[1]
    y_true[:, 3] = np.nan
    with pytest.warns(UnknownLabelWarning, match="1,500 of 6,000 labels in y_true are unknown"):
        chosen = choose_thresholds(y_true, y_score)
    assert 0 < chosen[3] < 0.6
    # It tells nothing of the others, as if it were not there.
    np.testing.assert_allclose(chosen[:3], choose_thresholds(scored[0][:, :3], y_score[:, :3]))
    with pytest.warns(UnknownLabelWarning):
        [*_, never] = choose_thresholds(y_true, y_score, objective="recall>=0.5")
    assert not (y_score[:, 3] >= never).any()
    with (
        pytest.warns(UnknownLabelWarning),
        pytest.raises(ValueError, match="All labels are unknown"),
    ):
        choose_thresholds(np.full((2, 2), np.nan), np.zeros((2, 2)))


def test_other_bad_arguments():
    with pytest.raises(ValueError, match="shrinkage must be a number from 0 up, got -1"):
        choose_thresholds([[0], [1]], [[0.1], [0.2]], shrinkage=-1)
    with pytest.raises(ValueError, match=r"shrinkage must be .* nan"):
        choose_thresholds([[0], [1]], [[0.1], [0.2]], shrinkage=np.nan)
    with pytest.raises(ValueError, match="not finite"):
        choose_thresholds([[0], [1]], [[0.1], [0.2]], objective=lambda *_: np.nan)
    with pytest.raises(ValueError, match=r"y_true has shape .* and y_pred"):
        objective_score([[0], [1]], [[0, 1], [1, 1]], "f1_micro")
    with pytest.raises(ValueError, match=r"one number or one a label, shape \(2,\)"):
        apply_thresholds([[0.1, 0.2]], [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="none of them NaN"):
        apply_thresholds([[0.1, 0.2]], np.nan)
    with pytest.raises(ValueError, match="min_labels must be an int from 0 to 2"):
        apply_thresholds([[0.1, 0.2]], 0.5, min_labels=3)
    with pytest.raises(ValueError, match="k must be an int from 0 to 2"):
        top_k([[0.1, 0.2]], 1.5)
    with pytest.raises(ValueError, match=r"probabilities in \[0, 1\], got 1.2 in row 0, label 1"):
        expected_f1_decision([[0.1, 1.2]])
    with pytest.raises(ValueError, match="probabilities"):
        expected_f1_thresholds([[-0.1]])
    with pytest.raises(ValueError, match="zero_division"):
        expected_f1_decision([[0.1]], zero_division=2)


def test_inputs_are_left_as_they_were(scored):
    y_true, y_score = (array.copy() for array in scored)
    for objective in [*GLOBAL, *PER_LABEL]:
        choose_thresholds(y_true, y_score, objective=objective)
    expected_f1_decision(y_score)
    apply_thresholds(y_score, 0.9, min_labels=2)
    np.testing.assert_array_equal(y_true, scored[0])
    np.testing.assert_array_equal(y_score, scored[1])


def test_thresholds_import_no_tensorflow():
    code = "import sys, skposter.thresholds; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
