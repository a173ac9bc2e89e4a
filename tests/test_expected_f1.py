"""Decisions that need probabilities and no labels, against brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skposter.thresholds import expected_f1_decision, expected_f1_thresholds


def brute_force_expected_f1(probability, decision, zero_division):
    expected = 0.0
    for truth in itertools.product([0, 1], repeat=len(probability)):
        truth = np.array(truth)
        chance = np.prod(np.where(truth, probability, 1 - probability))
        size = truth.sum() + decision.sum()
        expected += chance * (2 * (truth & decision).sum() / size if size else zero_division)
    return expected


@settings(max_examples=40, deadline=None)
@given(
    probability=st.integers(1, 5).flatmap(
        lambda n: arrays(np.float64, (2, n), elements=st.sampled_from([0, 0.1, 0.3, 0.5, 0.9, 1]))
    ),
    zero_division=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_no_label_set_has_a_higher_expected_f1(probability, zero_division):
    decisions = expected_f1_decision(probability, zero_division=zero_division)
    for row, decision in zip(probability, decisions, strict=True):
        best = max(
            brute_force_expected_f1(row, np.array(other), zero_division)
            for other in itertools.product([0, 1], repeat=len(row))
        )
        ours = brute_force_expected_f1(row, decision, zero_division)
        assert ours == pytest.approx(best, abs=1e-12)


def test_expected_f1_decision_does_not_depend_on_the_other_images():
    rng = np.random.default_rng(0)
    y_score = rng.random((50, 300)).astype(np.float32)  # several chunks
    together = expected_f1_decision(y_score)
    one_by_one = np.vstack([expected_f1_decision(row[np.newaxis]) for row in y_score])
    np.testing.assert_array_equal(together, one_by_one)


@settings(max_examples=60, deadline=None)
@given(p=arrays(np.float64, st.integers(1, 12), elements=st.floats(0, 1, width=32)))
def test_plug_in_cut_is_half_of_the_best_ratio_of_expected_counts(p):
    [cut] = expected_f1_thresholds(p[:, np.newaxis])
    ratios = [2 * p[p >= c].sum() / ((p >= c).sum() + p.sum()) for c in np.unique(p)]
    assert cut == pytest.approx(max(ratios) / 2, abs=1e-12)
    if p.any():  # the fixed point: what this cut predicts reaches the ratio that it came from
        chosen = p >= cut - 1e-12
        assert 2 * p[chosen].sum() / (chosen.sum() + p.sum()) == pytest.approx(2 * cut)
    else:
        assert cut > 0
