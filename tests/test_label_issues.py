import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.multiclass import OneVsRestClassifier

from skposter.inspection import LabelIssuesDisplay, label_issues

pytest.importorskip("cleanlab")


def noisy_labels(n=400, seed=0):
    """Return labels of which one in twenty is wrong, which, and out-of-fold scores."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    true = (X > [0, 0.7, 1.2]).astype(int)
    wrong = rng.random(true.shape) < 0.05
    given = pd.DataFrame(true ^ wrong, columns=["a", "b", "c"])
    model = OneVsRestClassifier(LogisticRegression(C=100))
    return given, wrong, cross_val_predict(model, X, given, cv=4, method="predict_proba")


def test_wrong_labels_come_first():
    given, wrong, y_score = noisy_labels()
    issues = label_issues(given, y_score, flagged_only=False)
    assert len(issues) == given.size
    columns = given.columns.get_indexer(issues["label"])
    found = wrong[issues["row"], columns]
    first = int(wrong.sum())
    assert found[:first].mean() > 0.7  # 0.05 by chance
    flagged = issues[issues["flagged"]]
    assert flagged.index[-1] == len(flagged) - 1, "what is flagged comes first"
    pd.testing.assert_frame_equal(label_issues(given, y_score), flagged)
    row = issues.iloc[0]
    assert row["given"] == given.loc[row["row"], row["label"]]
    assert row["plausibility"] == pytest.approx(
        row["probability"] if row["given"] else 1 - row["probability"]
    )


def test_labels_that_nobody_knows_are_left_out_and_counted():
    given, _, y_score = noisy_labels()
    hidden = given.astype(float)
    hidden.iloc[:100, 0] = np.nan
    issues = label_issues(hidden, y_score, flagged_only=False)
    assert len(issues) == given.size - 100
    assert issues.attrs["n_unknown"] == 100
    of_a = issues[issues["label"] == "a"]
    assert of_a["row"].min() == 100
    # Of the known ones it says what it says without the others.
    alone = label_issues(given.iloc[100:], y_score[100:], flagged_only=False)
    alone = alone[alone["label"] == "a"]
    assert alone["flagged"].tolist() == of_a["flagged"].tolist()


def test_a_label_of_one_value_is_never_flagged():
    given, _, y_score = noisy_labels()
    given["c"] = 0
    given["b"] = 1
    assert set(label_issues(given, y_score)["label"]) == {"a"}


def test_scores_must_fit():
    given, _, y_score = noisy_labels()
    with pytest.raises(ValueError, match="y_score has shape"):
        label_issues(given, y_score[:, :2])
    with pytest.raises(ValueError, match="must hold probabilities"):
        label_issues(given, 3 * y_score)


def test_the_images_are_shown_with_what_is_in_doubt(plt):
    given, _, y_score = noisy_labels()
    images = np.zeros((len(given), 12, 8, 3), dtype=np.uint8)
    display = LabelIssuesDisplay.from_predictions(images, given, y_score, n_images=4)
    assert len(display.images) == 4
    first = display.issues.iloc[0]
    assert display.captions[0] == f"row {first['row']}"
    assert (first["label"] in display.truths[0]) == bool(first["given"])
    with pytest.raises(ValueError, match="No label looks wrong"):
        LabelIssuesDisplay.from_predictions(images, given, given.to_numpy() * 0.98 + 0.01)


def test_without_cleanlab_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cleanlab.multilabel_classification.filter", None)
    with pytest.raises(ImportError, match=r"pip install skposter\[cleanlab\]"):
        label_issues([[1], [0]], [[0.2], [0.3]])
