import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn import metrics as sk
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skposter import FixedThresholdsClassifier
from skposter.exceptions import UnknownLabelWarning
from skposter.metrics import (
    SCORERS,
    binary_crossentropy,
    get_scorer,
    label_report,
    macro_f1_score,
    mean_average_precision,
    mean_ranking_precision,
    mean_roc_auc,
    paired_bootstrap,
    score_summary,
    skill_score,
    top_1_hit_rate,
)
from skposter.model_selection import MultiLabelStratifiedKFold


def predictions(n=300, seed=0, ties=False):
    """Labels of which every image has one, and scores that know something about them."""
    rng = np.random.default_rng(seed)
    y_true = rng.random((n, 6)) < [0.5, 0.4, 0.2, 0.1, 0.1, 0.05]
    y_true[~y_true.any(axis=1), 0] = True
    y_score = np.clip(rng.beta(2, 4, (n, 6)) + 0.2 * y_true, 0.01, 0.99)
    return y_true.astype(int), y_score.round(1 if ties else 9)


# --- agreement with scikit-learn ------------------------------------------------------------------


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_scores_agree_with_scikit_learn_where_it_defines_them(ties, seed):
    y_true, y_score = predictions(seed=seed, ties=ties)
    y_pred = (y_score >= 0.5).astype(int)
    assert mean_average_precision(y_true, y_score) == pytest.approx(
        sk.average_precision_score(y_true, y_score)
    )
    assert mean_roc_auc(y_true, y_score) == pytest.approx(sk.roc_auc_score(y_true, y_score))
    assert mean_ranking_precision(y_true, y_score) == pytest.approx(
        sk.label_ranking_average_precision_score(y_true, y_score)
    )
    assert macro_f1_score(y_true, y_pred) == pytest.approx(
        sk.f1_score(y_true, y_pred, average="macro")
    )
    each = [sk.log_loss(y_true[:, j], np.clip(y_score[:, j], 0, 1)) for j in range(6)]
    assert binary_crossentropy(y_true, y_score) == pytest.approx(np.mean(each))
    summary = score_summary(y_true, y_score)["model"]
    for name in ("micro", "macro", "samples"):
        expected = sk.f1_score(y_true, y_pred, average=name, zero_division=np.nan)
        assert summary[f"f1_{name}"] == pytest.approx(expected)
    assert summary["hamming_loss"] == pytest.approx(sk.hamming_loss(y_true, y_pred))
    assert summary["roc_auc"] == pytest.approx(mean_roc_auc(y_true, y_score))
    report = label_report(y_true, y_score, 0.4)
    precision, recall, f1, support = sk.precision_recall_fscore_support(
        y_true, y_score >= 0.4, zero_division=np.nan
    )
    assert report["precision"].to_numpy() == pytest.approx(precision, nan_ok=True)
    assert report["recall"].to_numpy() == pytest.approx(recall)
    assert report["f1"].to_numpy() == pytest.approx(f1)
    assert report["support"].tolist() == support.tolist()


def test_float32_and_frames_give_the_same_scores():
    y_true, y_score = predictions()
    frame, single = pd.DataFrame(y_true), y_score.astype(np.float32)
    for score in (binary_crossentropy, skill_score, mean_average_precision, mean_roc_auc):
        assert score(frame, single) == pytest.approx(score(y_true, y_score), abs=1e-4)


def test_certain_mistakes_cost_what_keras_charges():
    assert binary_crossentropy([[1]], [[0.0]]) == pytest.approx(-np.log(1e-7))
    assert binary_crossentropy([[1]], np.float32([[0.0]])) == pytest.approx(-np.log(1e-7))
    assert binary_crossentropy([[1, 0]], [[1.0, 0.0]]) == pytest.approx(1e-7, rel=1e-4)


def test_skill_is_measured_against_the_training_frequencies():
    y_true, y_score = predictions()
    frequencies = y_true.mean(axis=0)
    constant = np.tile(frequencies, (len(y_true), 1))
    assert skill_score(y_true, constant) == pytest.approx(0)
    expected = 1 - binary_crossentropy(y_true, y_score) / binary_crossentropy(y_true, constant)
    assert skill_score(y_true, y_score) == pytest.approx(expected)
    # No constant is better than the frequencies of the scored images themselves.
    assert skill_score(y_true, y_score, label_frequencies=frequencies[::-1]) > expected
    with pytest.raises(ValueError, match=r"label_frequencies has shape \(3,\).*6 labels"):
        skill_score(y_true, y_score, label_frequencies=[0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        skill_score(y_true, y_score, label_frequencies=y_true.sum(axis=0))


# --- what cannot be judged ------------------------------------------------------------------------


def test_labels_without_positives_or_negatives_are_undefined_and_not_0():
    y_true, y_score = predictions()
    y_true[:, 1], y_true[:, 2] = 0, 1
    kept = [0, 3, 4, 5]
    report = label_report(y_true, y_score, label_names=list("abcdef"))
    assert report["undefined"].tolist() == ["", "no positives", "no negatives", "", "", ""]
    scores = ["average_precision", "roc_auc", "precision", "recall", "f1", "baseline_f1"]
    assert report.loc["b", scores].isna().all()
    assert report.loc["c", ["average_precision", "roc_auc"]].isna().all()
    assert report.loc["c", ["precision", "recall", "f1", "baseline_f1"]].notna().all()
    assert report.loc["c", "baseline_f1"] == 1
    assert mean_average_precision(y_true, y_score) == pytest.approx(
        sk.average_precision_score(y_true[:, kept], y_score[:, kept])
    )
    assert mean_roc_auc(y_true, y_score) == pytest.approx(
        sk.roc_auc_score(y_true[:, kept], y_score[:, kept])
    )
    summary = score_summary(y_true, y_score)
    assert summary.loc["labels_scored"].tolist() == [5, 5]
    assert summary.notna().all(axis=None)


def test_labels_with_few_positives_can_be_left_out():
    y_true, y_score = predictions()
    frequent = y_true.sum(axis=0) >= 50
    assert 0 < frequent.sum() < 6
    for score in (mean_average_precision, mean_roc_auc):
        expected = score(y_true[:, frequent], y_score[:, frequent])
        assert score(y_true, y_score, min_positives=50) == pytest.approx(expected)
    expected = macro_f1_score(y_true[:, frequent], y_score[:, frequent] >= 0.5)
    assert macro_f1_score(y_true, y_score >= 0.5, min_positives=50) == pytest.approx(expected)
    summary = score_summary(y_true, y_score, min_positives=50)
    assert summary.loc["f1_macro", "model"] == pytest.approx(expected)
    assert summary.loc["labels_scored", "model"] == frequent.sum()
    for row, score in (
        ("mean_average_precision", mean_average_precision),
        ("roc_auc", mean_roc_auc),
    ):
        expected = score(y_true[:, frequent], y_score[:, frequent])
        assert summary.loc[row, "model"] == pytest.approx(expected)


def test_a_label_with_just_enough_positives_counts():
    y_true = np.array([[1, 1], [0, 1], [0, 0], [0, 0]])
    y_score = np.array([[0.1, 0.9], [0.9, 0.8], [0.3, 0.2], [0.2, 0.1]])
    assert mean_average_precision(y_true, y_score) == pytest.approx((1 / 4 + 1) / 2)
    assert mean_roc_auc(y_true, y_score) == pytest.approx((0 + 1) / 2)
    assert macro_f1_score(y_true, y_score >= 0.5) == pytest.approx((0 + 1) / 2)
    for score in (mean_average_precision, mean_roc_auc):
        assert score(y_true, y_score, min_positives=2) == 1
    assert macro_f1_score(y_true, y_score >= 0.5, min_positives=2) == 1
    assert score_summary(y_true, y_score).loc["labels_scored", "model"] == 2
    assert score_summary(y_true, y_score, min_positives=2).loc["labels_scored", "model"] == 1


def test_a_score_equal_to_the_threshold_is_predicted():
    y_true, y_score = np.array([[1], [0]]), np.array([[0.5], [0.4]])
    assert label_report(y_true, y_score, 0.5)["predicted"].tolist() == [1]
    assert score_summary(y_true, y_score).loc["f1_micro", "model"] == 1


def test_images_without_labels_do_not_count_in_rankings():
    y_true, y_score = predictions()
    more = np.vstack([y_true, np.zeros((20, 6))]), np.vstack([y_score, y_score[:20]])
    assert mean_ranking_precision(*more) == pytest.approx(mean_ranking_precision(y_true, y_score))
    assert top_1_hit_rate(*more) == pytest.approx(top_1_hit_rate(y_true, y_score))


@pytest.mark.parametrize(
    ("score", "why"),
    [
        (
            mean_average_precision,
            "The mean over labels .*: no label has 1 positives and a negative",
        ),
        (
            mean_roc_auc,
            "The mean over labels is undefined: no label has 1 positives and a negative",
        ),
        (macro_f1_score, "F1 is undefined: no label has 1 positives"),
        (top_1_hit_rate, "The mean over images is undefined: no image has a label"),
        (mean_ranking_precision, "The mean over images is undefined: no image has a label"),
        (skill_score, "Skill is undefined: every label is the same for all images"),
    ],
)
def test_nothing_to_judge_is_nan_and_says_so(score, why):
    with pytest.warns(UndefinedMetricWarning, match=rf"^{why}\.$") as caught:
        assert np.isnan(score(np.zeros((3, 2)), np.ones((3, 2))))
    assert caught[0].filename == __file__


@pytest.mark.parametrize(("n", "n_labels"), [(1, 1), (1, 3), (5, 1)])
def test_small_tables_are_made(n, n_labels):
    y_true = np.ones((n, n_labels), dtype=int)
    y_true[n // 2 :, 0] = 0
    summary = score_summary(y_true, np.full((n, n_labels), 0.6))
    assert summary.shape == (12, 2)
    assert label_report(y_true, np.full((n, n_labels), 0.6)).shape == (n_labels, 11)


# --- unknown labels -------------------------------------------------------------------------------


def with_unknown(y_true, seed=0, share=0.3):
    """Hide some labels, among them all of the last row and all but one of the last label."""
    hidden = np.random.default_rng(seed).random(y_true.shape) < share
    hidden[-1], hidden[1:, -1] = True, True
    return np.where(hidden, np.nan, y_true), ~hidden


pytestmark_unknown = pytest.mark.filterwarnings("ignore::skposter.exceptions.UnknownLabelWarning")


@pytestmark_unknown
@pytest.mark.parametrize("seed", range(5))
def test_unknown_labels_are_left_out_cell_by_cell(seed):
    y, y_score = predictions(60, seed, ties=True)
    y_true, known = with_unknown(y, seed)
    losses = -np.log(np.where(y == 1, y_score, 1 - y_score))
    assert binary_crossentropy(y_true, y_score) == pytest.approx(losses[known].mean())
    frequencies = np.nanmean(y_true, axis=0)
    constant = np.broadcast_to(frequencies, y.shape)
    baseline = -np.log(np.where(y == 1, constant, 1 - constant).clip(1e-7, 1 - 1e-7))[known].mean()
    assert skill_score(y_true, y_score) == pytest.approx(1 - losses[known].mean() / baseline)
    y_pred = (y_score >= 0.4).astype(int)
    label_scores = {"average_precision": [], "roc_auc": [], "f1": []}
    for label in range(6):
        rows = known[:, label]
        truth, score, decided = y[rows, label], y_score[rows, label], y_pred[rows, label]
        one_class = len(set(truth)) < 2
        label_scores["average_precision"].append(
            np.nan if one_class else sk.average_precision_score(truth, score)
        )
        label_scores["roc_auc"].append(np.nan if one_class else sk.roc_auc_score(truth, score))
        label_scores["f1"].append(
            sk.f1_score(truth, decided, zero_division=0) if truth.any() else np.nan
        )
    report = label_report(y_true, y_score, 0.4)
    for name, expected in label_scores.items():
        assert report[name].to_numpy() == pytest.approx(expected, nan_ok=True)
    assert report["support"].tolist() == np.nansum(y_true, axis=0).tolist()
    assert report["predicted"].tolist() == (y_pred * known).sum(axis=0).tolist()
    assert report["frequency"].to_numpy() == pytest.approx(frequencies)
    assert mean_average_precision(y_true, y_score) == pytest.approx(
        np.nanmean(label_scores["average_precision"])
    )
    assert mean_roc_auc(y_true, y_score) == pytest.approx(np.nanmean(label_scores["roc_auc"]))
    assert macro_f1_score(y_true, y_pred) == pytest.approx(np.nanmean(label_scores["f1"]))
    rankings, hits, samples = [], [], []
    for row in range(len(y)):
        truth, score = y[row, known[row]], y_score[row, known[row]]
        if truth.any():
            rankings.append(sk.label_ranking_average_precision_score([truth], [score]))
            hits.append(truth[score.argmax()])
        decided = score >= 0.5
        if truth.any() or decided.any():
            samples.append(sk.f1_score(truth, decided))
    assert mean_ranking_precision(y_true, y_score) == pytest.approx(np.mean(rankings))
    assert top_1_hit_rate(y_true, y_score) == pytest.approx(np.mean(hits))
    summary = score_summary(y_true, y_score)["model"]
    assert summary["binary_crossentropy"] == pytest.approx(losses[known].mean())
    assert summary["lrap"] == pytest.approx(np.mean(rankings))
    assert summary["top_1_hit"] == pytest.approx(np.mean(hits))
    assert summary["f1_samples"] == pytest.approx(np.mean(samples))
    decided = y_score >= 0.5
    assert summary["f1_micro"] == pytest.approx(sk.f1_score(y[known], decided[known]))
    assert summary["hamming_loss"] == pytest.approx((y != decided)[known].mean())
    assert summary["mean_average_precision"] == pytest.approx(
        np.nanmean(label_scores["average_precision"])
    )


@pytestmark_unknown
def test_what_is_hidden_does_not_matter():
    y, y_score = predictions(60)
    y_true, known = with_unknown(y)
    other = np.where(known, y_score, 1 - y_score)
    pd.testing.assert_frame_equal(
        score_summary(y_true, y_score, y_score >= 0.5).drop("labels_per_image"),
        score_summary(y_true, other, other >= 0.5).drop("labels_per_image"),
    )
    pd.testing.assert_frame_equal(label_report(y_true, y_score), label_report(y_true, other))


@pytestmark_unknown
def test_a_label_that_nobody_knows_is_undefined():
    y_true, y_score = np.array([[1, np.nan], [0, np.nan]]), np.array([[0.9, 0.1], [0.2, 0.3]])
    report = label_report(y_true, y_score)
    assert report["undefined"].tolist() == ["", "unknown"]
    scores = ["frequency", "average_precision", "roc_auc", "precision", "recall", "f1"]
    assert report.loc[1, scores].isna().all()
    assert score_summary(y_true, y_score).notna().all(axis=None)
    with pytest.warns(UndefinedMetricWarning, match="no label is known"):
        assert np.isnan(binary_crossentropy([[np.nan]], [[0.5]]))


def test_every_function_says_once_how_many_labels_are_unknown():
    y, y_score = predictions(60)
    y_true, known = with_unknown(y)
    for call in (
        binary_crossentropy,
        skill_score,
        mean_average_precision,
        mean_roc_auc,
        mean_ranking_precision,
        top_1_hit_rate,
        label_report,
        score_summary,
        lambda y, s: macro_f1_score(y, s >= 0.5),
        lambda y, s: paired_bootstrap("lrap", y, s, s, n_bootstrap=5),
        lambda y, s: paired_bootstrap(mean_roc_auc, y, s, s, n_bootstrap=5),
    ):
        message = rf"{(~known).sum()} of 360 labels in y_true are unknown \(NaN\)"
        with pytest.warns(UnknownLabelWarning, match=message) as caught:
            call(y_true, y_score)
        assert len(caught) == 1
        assert caught[0].filename == __file__


@pytestmark_unknown
def test_bootstrap_leaves_unknown_labels_out():
    y, scores_a = predictions(80)
    y_true, known = with_unknown(y)
    scores_b = np.clip(0.3 + 0.5 * scores_a, 0, 1)
    for name, function in {
        "binary_crossentropy": binary_crossentropy,
        "lrap": mean_ranking_precision,
        "top_1_hit": top_1_hit_rate,
    }.items():
        fast, slow = (
            paired_bootstrap(metric, y_true, scores_a, scores_b, random_state=0, n_bootstrap=300)
            for metric in (name, function)
        )
        assert fast.score_a == pytest.approx(function(y_true, scores_a))
        assert fast[:3] == pytest.approx(slow[:3])
        assert fast[3:5] == pytest.approx(slow[3:5], abs=0.02)
    seen = []
    paired_bootstrap(lambda y, s: seen.append(y) or 0, y_true, scores_a, scores_b, n_bootstrap=1)
    np.testing.assert_array_equal(np.isnan(seen[0]), ~known)


def test_unknown_decisions_and_probabilities_are_refused():
    y, y_score = predictions(10)
    y_pred = (y_score >= 0.5).astype(float)
    y_pred[3, 2] = np.nan
    for call in (macro_f1_score, lambda y, p: score_summary(y, y_score, p)):
        with pytest.raises(ValueError, match="y_pred holds nan in row 3, label 2"):
            call(y, y_pred)


# --- names of labels ------------------------------------------------------------------------------


NAMES = ["Drama", "Comedy", "N/A", "War", "News", "Short"]


def test_columns_in_another_order_are_scored_as_if_they_were_not():
    y, y_score = predictions()
    thresholds = pd.Series([0.2, 0.3, 0.4, 0.5, 0.6, 0.7], index=NAMES)
    frame = pd.DataFrame(y, columns=NAMES)
    scores = pd.DataFrame(y_score, columns=NAMES)
    decided = pd.DataFrame((y_score >= 0.4).astype(int), columns=NAMES)
    turned = ["War", "Drama", "Short", "Comedy", "News", "N/A"]
    rates = frame.mean() / 2
    expected = score_summary(frame, scores, decided, label_frequencies=rates)
    found = score_summary(frame, scores[turned], decided[turned], label_frequencies=rates[turned])
    pd.testing.assert_frame_equal(found, expected)
    plain = score_summary(y, y_score, y_score >= 0.4, label_frequencies=rates.to_numpy())
    pd.testing.assert_frame_equal(plain, expected)
    plain = score_summary(y, y_score, y_score >= 0.4, label_frequencies=rates)
    pd.testing.assert_frame_equal(plain, expected)
    report = label_report(frame, scores, thresholds)
    pd.testing.assert_frame_equal(label_report(frame, scores[turned], thresholds[turned]), report)
    # The classifier's order is that of its scores, which have no names themselves.
    of_model = label_report(frame[turned], y_score, thresholds, label_names=NAMES)
    pd.testing.assert_frame_equal(of_model, report)
    assert macro_f1_score(frame, decided[turned]) == macro_f1_score(frame, decided)
    for score in (binary_crossentropy, skill_score, mean_average_precision, top_1_hit_rate):
        assert score(frame, scores[turned]) == score(frame, scores)
    same = paired_bootstrap("lrap", frame, scores, scores[turned], n_bootstrap=5)
    assert same.difference == 0


def test_columns_of_other_labels_are_refused():
    y, y_score = predictions()
    frame = pd.DataFrame(y, columns=NAMES)
    scores = pd.DataFrame(y_score, columns=[*NAMES[:-1], "Shrot"])
    for call in (binary_crossentropy, label_report, score_summary):
        with pytest.raises(ValueError, match=r"y_score has .*'Shrot' is not .* mean 'Short'"):
            call(frame, scores)
    with pytest.raises(ValueError, match="y_pred has the labels"):
        macro_f1_score(frame, scores >= 0.5)
    with pytest.raises(ValueError, match="y_true has the labels"):
        label_report(frame, y_score, label_names=[*NAMES[:-1], "Shrot"])
    with pytest.raises(
        ValueError, match=r"label_frequencies names 'Shrot', which is not a label.*'Short'"
    ):
        skill_score(frame, y_score, label_frequencies=scores.mean())


# --- tables ---------------------------------------------------------------------------------------


def test_report_takes_names_and_thresholds():
    y_true, y_score = predictions()
    frame = pd.DataFrame(y_true, columns=["Drama", "Comedy", "N/A", "War", "News", "Short"])
    thresholds = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    report = label_report(frame, y_score, thresholds)
    assert report.index.tolist() == list(frame.columns)
    assert report["threshold"].tolist() == thresholds
    assert report["predicted"].tolist() == (y_score >= thresholds).sum(axis=0).tolist()
    by_name = label_report(frame, y_score, dict(zip(frame.columns, thresholds, strict=True)))
    pd.testing.assert_frame_equal(by_name, report)
    frequency = frame["War"].mean()
    assert report.loc["War", "baseline_f1"] == pytest.approx(2 * frequency / (1 + frequency))
    with pytest.raises(ValueError, match=r"thresholds has shape \(2,\)"):
        label_report(frame, y_score, [0.1, 0.2])
    with pytest.raises(ValueError, match="Got 1 label_names for 6 labels"):
        label_report(frame, y_score, label_names=["a"])


def test_baseline_takes_the_best_constant_decisions():
    y_true, y_score = predictions(2000)
    frequencies = y_true.mean(axis=0)
    baseline = score_summary(y_true, y_score)["label frequencies"]
    order = np.argsort(-frequencies)
    micro = []
    for size in range(1, 7):
        constant = np.zeros_like(y_true)
        constant[:, order[:size]] = 1
        micro.append(sk.f1_score(y_true, constant, average="micro"))
    assert baseline["f1_micro"] == pytest.approx(max(micro))
    assert baseline["labels_per_image"] == np.argmax(micro) + 1
    assert baseline["f1_macro"] == pytest.approx((2 * frequencies / (1 + frequencies)).mean())
    assert baseline["hamming_loss"] == pytest.approx(
        np.minimum(frequencies, 1 - frequencies).mean()
    )
    assert baseline["skill"] == 0
    assert baseline["roc_auc"] == 0.5
    assert baseline["mean_average_precision"] == pytest.approx(frequencies.mean())
    assert baseline["top_1_hit"] == pytest.approx(frequencies.max())


def test_baseline_uses_the_training_frequencies_only():
    y_true, y_score = predictions()
    frequencies = y_true.mean(axis=0)[::-1]
    summary = score_summary(y_true, y_score, label_frequencies=frequencies)
    assert summary.loc["top_1_hit", "label frequencies"] == pytest.approx(y_true[:, 5].mean())
    assert summary.loc["skill", "model"] == pytest.approx(
        skill_score(y_true, y_score, label_frequencies=frequencies)
    )


def test_summary_takes_decisions_of_any_rule():
    y_true, y_score = predictions()
    top_2 = y_score >= np.sort(y_score, axis=1)[:, [-2]]
    summary = score_summary(y_true, y_score, top_2)
    assert summary.loc["labels_per_image", "model"] == 2
    assert summary.loc["f1_samples", "model"] == pytest.approx(
        sk.f1_score(y_true, top_2, average="samples")
    )
    with pytest.raises(ValueError, match="y_pred holds"):
        score_summary(y_true, y_score, y_score)


# --- wrong input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y_true", "y_score", "message"),
    [
        ([1, 0], [0.5, 0.5], r"y_true has shape \(2,\)"),
        ([[1, 0]], [[0.5]], r"y_score has shape \(1, 1\)"),
        ([[1, 0]], [[0.5, np.nan]], "nan in row 0, label 1"),
        ([[1, 0]], [["a", "b"]], "must hold numbers, got 'a' in row 0, label 0"),
        ([[1, 2]], [[0.5, 0.5]], "holds .*2.* in row 0"),
        ([[1, 0]], [[2.0, -1.0]], "probabilities"),
        (np.zeros((0, 2)), np.zeros((0, 2)), "is empty"),
    ],
)
def test_wrong_input_is_named(y_true, y_score, message):
    with pytest.raises(ValueError, match=message):
        binary_crossentropy(y_true, y_score)


@pytest.mark.parametrize("score", [binary_crossentropy, skill_score, score_summary])
def test_losses_take_probabilities_only(score):
    with pytest.raises(ValueError, match=r"y_score must hold probabilities in \[0, 1\], got 2.0"):
        score([[1, 0], [0, 1]], [[2.0, 0.1], [0.5, 0.5]])


def test_decisions_of_another_shape_are_not_broadcast():
    y_true, y_score = predictions(10)
    for wrong in (y_score[:, :1] >= 0.5, y_score[:1] >= 0.5):
        for call in (macro_f1_score, lambda y, p: score_summary(y, y_score, p)):
            with pytest.raises(ValueError, match=r"y_pred has shape .*expected \(10, 6\)"):
                call(y_true, wrong)


def test_nullable_scores_and_labels_are_numbers():
    y_true, y_score = predictions(30)
    expected = score_summary(y_true, y_score)
    found = score_summary(
        pd.DataFrame(y_true).astype("Int64"), pd.DataFrame(y_score).astype("Float64")
    )
    pd.testing.assert_frame_equal(found, expected)


def test_rankings_take_scores_of_any_scale():
    y_true, y_score = predictions()
    logits = np.log(y_score / (1 - y_score))
    for score in (mean_average_precision, mean_roc_auc, mean_ranking_precision, top_1_hit_rate):
        assert score(y_true, logits) == pytest.approx(score(y_true, y_score))


# --- scorers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_labels", [1, 2, 3])
@pytest.mark.parametrize(
    "make",
    [
        lambda: RandomForestClassifier(5, random_state=0),
        KNeighborsClassifier,
        lambda: OneVsRestClassifier(LogisticRegression()),
        lambda: MultiOutputClassifier(LogisticRegression()),
        lambda: ClassifierChain(LogisticRegression()),
    ],
)
@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
def test_scorers_take_every_shape_of_predict_proba(make, n_labels):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = (X[:, :n_labels] + rng.normal(size=(60, n_labels)) > 0).astype(int)
    estimator = make().fit(X, y)
    proba = estimator.predict_proba(X)
    if isinstance(proba, list):
        proba = np.transpose([p[:, 1] for p in proba])
    elif n_labels == 1:
        proba = proba[:, -1:]
    scores = get_scorer(list(SCORERS))(estimator, X, y)
    assert scores == {name: scorer(estimator, X, y) for name, scorer in SCORERS.items()}
    assert scores["skill"] == pytest.approx(skill_score(y, proba))
    wrong = y.ravel() != np.ravel(estimator.predict(X))
    assert scores["neg_hamming_loss"] == pytest.approx(-wrong.mean())


@pytest.fixture(scope="module")
def named():
    """A table, its labels as a DataFrame, and a search over a classifier that knows their names."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 3))
    y = pd.DataFrame((X + rng.normal(size=(90, 3)) > [0, 0.5, 1]).astype(int), columns=list("abc"))
    model = make_pipeline(FixedThresholdsClassifier(KNeighborsClassifier(), threshold=0.4))
    search = GridSearchCV(model, {}, scoring=get_scorer("skill"), cv=2)
    return X, y, search.fit(X, y)


def test_scorers_put_the_columns_of_y_into_the_order_of_the_estimator(named):
    X, y, model = named
    names = [*SCORERS, "f1_micro", "accuracy", "roc_auc"]
    expected = get_scorer(names)(model, X, y)
    assert get_scorer(names)(model, X, y[["c", "a", "b"]]) == expected
    assert get_scorer(names)(model, X, y.to_numpy()) == expected
    for name in names:
        assert get_scorer(name)(model, X, y[["b", "c", "a"]]) == expected[name]
    assert model.score(X, y[["c", "a", "b"]]) == expected["skill"]
    inner = model.best_estimator_
    assert inner.score(X, y[["c", "a", "b"]]) == inner.score(X, y) == expected["accuracy"]
    for call in (get_scorer("skill"), get_scorer(["f1_micro"]), lambda m, X, y: m.score(X, y)):
        with pytest.raises(ValueError, match=r"expected \['a', 'b', 'c'\]: 'd' is not one of them"):
            call(model, X, y.rename(columns={"c": "d"}))


@pytestmark_unknown
def test_scorers_leave_unknown_labels_out(named):
    X, y, model = named
    hidden = np.random.default_rng(1).random(y.shape) < 0.3
    y_true = y.mask(hidden)
    y_score = model.best_estimator_.predict_proba(X)
    y_pred = model.best_estimator_.predict(X)
    names = [*SCORERS, "f1_micro", "f1_macro", "f1_samples"]
    scores = get_scorer(names)(model, X, y_true.astype("Int64"))
    assert scores["skill"] == pytest.approx(skill_score(y_true, y_score))
    assert scores["lrap"] == pytest.approx(mean_ranking_precision(y_true, y_score))
    assert scores["f1_macro_defined"] == pytest.approx(macro_f1_score(y_true, y_pred))
    known = ~hidden
    assert scores["f1_micro"] == pytest.approx(sk.f1_score(y.to_numpy()[known], y_pred[known]))
    wrong = (y.to_numpy() != y_pred)[known].mean()
    assert scores["neg_hamming_loss"] == pytest.approx(-wrong)
    assert get_scorer("f1_micro")(model, X, y_true) == scores["f1_micro"]
    row = (y_true.eq(pd.DataFrame(y_pred, columns=y.columns)) | y_true.isna()).all(axis=1)
    some = y_true.notna().any(axis=1)
    assert model.best_estimator_.score(X, y_true) == pytest.approx(row[some].mean())
    with pytest.raises(ValueError, match=r"'accuracy' cannot leave out the \d+ unknown.*f1_micro"):
        get_scorer(["skill", "accuracy"])(model, X, y_true)


def test_scorers_say_once_how_many_labels_are_unknown(named):
    X, y, model = named
    y_true = y.mask(np.eye(90, 3) == 1)
    with pytest.warns(UnknownLabelWarning, match="3 of 270 labels in y are unknown") as caught:
        get_scorer(["skill", "f1_micro", "neg_hamming_loss"])(model, X, y_true)
    assert len(caught) == 1
    with pytest.warns(UnknownLabelWarning, match="3 of 270 labels in y are unknown") as caught:
        model.best_estimator_.score(X, y_true)
    assert len(caught) == 1


def test_searches_over_labels_some_of_which_are_unknown(named):
    X, y, _ = named
    hidden = y.mask(np.random.default_rng(1).random(y.shape) < 0.2)

    class Filled(KNeighborsClassifier):
        takes_unknown_labels = True

        def fit(self, X, y):
            return super().fit(X, np.nan_to_num(y).astype(int))

    with pytest.warns(UnknownLabelWarning):
        found = cross_validate(
            Filled(), X, hidden, cv=MultiLabelStratifiedKFold(3), scoring=get_scorer(list(SCORERS))
        )
    assert all(np.isfinite(value).all() for value in found.values())


@pytest.mark.parametrize(
    ("name", "instead"),
    [("neg_log_loss", "neg_binary_crossentropy"), ("d2_log_loss_score", "skill")],
)
def test_a_log_loss_of_classes_is_refused_because_it_rewards_certainty_of_everything(name, instead):
    for names in (name, ["lrap", name]):
        with pytest.raises(ValueError, match=f"{name}.* use '{instead}'"):
            get_scorer(names)
    if name not in sk.get_scorer_names():
        pytest.skip(f"this scikit-learn has no {name}")
    y, _ = predictions(40)

    class Saying(DummyClassifier):
        def predict_proba(self, X):
            return self.constant

    good = Saying(constant=np.where(y == 1, 0.9, 0.1)).fit(y, y)
    everything = Saying(constant=np.ones(y.shape)).fit(y, y)
    with pytest.warns(
        UserWarning, match="do not sum to one"
    ):  # so scikit-learn notices, and goes on
        assert sk.get_scorer(name)(everything, y, y) > sk.get_scorer(name)(good, y, y)
    assert get_scorer(instead)(everything, y, y) < get_scorer(instead)(good, y, y)


class Counting(DummyClassifier):
    calls = 0

    def predict_proba(self, X):
        Counting.calls += 1
        return super().predict_proba(X)


def test_several_scores_cost_one_prediction_a_fold():
    y, _ = predictions(40)
    Counting.calls = 0
    names = ["skill", "lrap", "mean_average_precision", "f1_samples"]
    search = GridSearchCV(
        Counting(), {"strategy": ["prior"]}, scoring=get_scorer(names), refit="skill", cv=4
    )
    search.fit(y, y)
    assert Counting.calls == 4
    assert all(np.isfinite(search.cv_results_[f"mean_test_{name}"]).all() for name in names)


def paths_to_numbers(paths):
    return np.array([[float(path[:-4]), float(path[:-4]) % 3] for path in paths])


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_label_missing_from_a_fold_never_makes_a_search_nan(n_jobs):
    y = (np.random.default_rng(0).random((60, 3)) < 0.5).astype(int)
    y[:, 2] = 0
    y[:2, 2] = 1  # missing from the first fold's training rows and from the others' test rows
    paths = np.array([f"{i}.jpg" for i in range(60)])
    pipe = make_pipeline(FunctionTransformer(paths_to_numbers), KNeighborsClassifier())
    grid = {"kneighborsclassifier__n_neighbors": [3, 5]}
    several = {**SCORERS, "f1": "f1_micro"}
    for scoring in (several, get_scorer(["skill", "f1_micro"]), get_scorer("skill")):
        refit = True if scoring is get_scorer("skill") else "skill"
        search = GridSearchCV(pipe, grid, scoring=scoring, refit=refit, cv=KFold(3), n_jobs=n_jobs)
        search.fit(paths, pd.DataFrame(y))
        means = [column for column in search.cv_results_ if column.startswith("mean_test_")]
        assert len(means) == (9 if scoring is several else 1 if refit is True else 2)
        assert all(np.isfinite(search.cv_results_[column]).all() for column in means)


def test_scorers_work_under_metadata_routing():
    y, _ = predictions(40)
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = DummyClassifier().set_fit_request(sample_weight=True)
        for scoring in (SCORERS, get_scorer("skill"), get_scorer(["skill", "f1_micro"])):
            found = cross_validate(
                estimator, y, y, scoring=scoring, params={"sample_weight": np.ones(40)}
            )
            assert all(np.isfinite(value).all() for value in found.values())


def test_scorers_survive_pickling_and_are_found_by_name():
    y, _ = predictions(40)
    estimator = DummyClassifier().fit(y, y)
    for name, scorer in SCORERS.items():
        assert pickle.loads(pickle.dumps(scorer))(estimator, y, y) == scorer(estimator, y, y)
        assert get_scorer(name) is scorer
        assert repr(scorer) == f"get_scorer({name!r})"
    assert get_scorer("f1_micro")(estimator, y, y) == sk.get_scorer("f1_micro")(estimator, y, y)
    for names in ("skil", ["lrap", "skil"]):
        with pytest.raises(ValueError, match=r"'skil' is no scorer\. Did you mean 'skill'\?"):
            get_scorer(names)
    assert not set(SCORERS) & set(sk.get_scorer_names())


# --- bootstrap ------------------------------------------------------------------------------------


def test_named_metrics_agree_with_functions():
    y_true, scores_a = predictions()
    scores_b = np.clip(0.3 + 0.5 * scores_a, 0, 1)
    functions = {
        "binary_crossentropy": binary_crossentropy,
        "lrap": mean_ranking_precision,
        "top_1_hit": top_1_hit_rate,
    }
    for name, function in functions.items():
        fast, slow = (
            paired_bootstrap(metric, y_true, scores_a, scores_b, random_state=0, n_bootstrap=300)
            for metric in (name, function)
        )
        assert fast[:3] == pytest.approx(slow[:3])
        assert fast[3:5] == pytest.approx(slow[3:5], abs=0.005)


def test_bootstrap_interval_is_that_of_the_mean_difference():
    y_true, scores_a = predictions(1000)
    scores_b = predictions(1000, seed=1)[1]
    result = paired_bootstrap("top_1_hit", y_true, scores_a, scores_b, random_state=0)
    rows = np.arange(1000)
    hits = [y_true[rows, s.argmax(axis=1)] for s in (scores_a, scores_b)]
    difference = hits[0] - hits[1]
    assert result.difference == pytest.approx(difference.mean())
    assert result.difference == pytest.approx(result.score_a - result.score_b)
    error = difference.std() / np.sqrt(1000)
    assert result.low == pytest.approx(result.difference - 1.96 * error, abs=0.3 * error)
    assert result.high == pytest.approx(result.difference + 1.96 * error, abs=0.3 * error)
    assert result.probability > 0.99
    narrow = paired_bootstrap(
        "top_1_hit", y_true, scores_a, scores_b, random_state=0, confidence=0.5
    )
    assert result.low < narrow.low < narrow.high < result.high


def test_bootstrap_is_seeded_and_leaves_the_global_generator_alone():
    y_true, scores_a = predictions(50)
    scores_b = predictions(50, seed=1)[1]
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    for metric in ("lrap", mean_average_precision):
        first, second, other, free = (
            paired_bootstrap(metric, y_true, scores_a, scores_b, n_bootstrap=50, random_state=seed)
            for seed in (0, 0, 1, None)
        )
        assert first == second
        assert first != other
        assert free[:3] == first[:3]
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_a_model_is_as_good_as_itself():
    y_true, y_score = predictions(50)
    result = paired_bootstrap("lrap", y_true, y_score, y_score, n_bootstrap=10)
    assert result[2:] == (0, 0, 0, 0.5)


def test_decisions_are_compared_by_a_function():
    y_true, y_score = predictions(100)
    result = paired_bootstrap(
        macro_f1_score, y_true, y_score >= 0.4, y_score >= 0.9, n_bootstrap=50, random_state=0
    )
    assert result.low > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": "f1"}, "metric is a function or one of binary_crossentropy, lrap, top_1_hit"),
        ({"n_bootstrap": 0}, "n_bootstrap is a whole number"),
        ({"confidence": 95}, "confidence is between 0 and 1"),
        ({"scores_b": np.ones((3, 2))}, r"y_score has shape \(3, 2\)"),
        ({"metric": lambda y, s: np.nan}, "not finite on 1000 of 1000 draws"),
        ({"metric": "binary_crossentropy", "scores_b": np.full((50, 6), 2.0)}, "probabilities"),
        ({"y_true": np.zeros((50, 6))}, "lrap is undefined: no image has a label"),
    ],
)
def test_bootstrap_arguments_are_checked(change, message):
    y_true, y_score = predictions(50)
    arguments = {"metric": "lrap", "y_true": y_true, "scores_a": y_score, "scores_b": y_score}
    with pytest.raises(ValueError, match=message):
        paired_bootstrap(**{**arguments, **change})


def test_splits_and_scores_load_no_tensorflow():
    code = (
        "import sys, skposter.metrics, skposter.model_selection; "
        "sys.exit(int(bool({'tensorflow', 'keras'} & set(sys.modules))))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
