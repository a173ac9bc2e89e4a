"""scikit-learn's own scoring and model selection, with two labels and with three."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import f1_score, get_scorer, make_scorer, roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_validate,
    learning_curve,
    permutation_test_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

SCORERS = [
    "f1_micro",
    "f1_macro",
    "f1_samples",
    "f1_weighted",
    "precision_micro",
    "recall_macro",
    "roc_auc",
    "average_precision",
    "accuracy",
    "jaccard_samples",
    "jaccard_macro",
]


@pytest.fixture(scope="module", params=[2, 3])
def case(request):
    """A classifier fitted on this many labels, with its data. Do not refit."""
    images = request.getfixturevalue("two_label_images" if request.param == 2 else "colour_images")
    return request.getfixturevalue("tiny_classifier")().fit(*images), *images


@pytest.fixture(scope="module", params=[2, 3])
def short(request):
    """An unfitted classifier of three epochs, with data of this many labels."""
    images = request.getfixturevalue("two_label_images" if request.param == 2 else "colour_images")
    return request.getfixturevalue("tiny_classifier")(epochs=3), *images


# Images without a label and without a prediction count as 0 there, which scikit-learn mentions.
@pytest.mark.filterwarnings("ignore:(F-score|Jaccard) is ill-defined")
@pytest.mark.parametrize("name", SCORERS)
def test_scorers_of_scikit_learn(name, case):
    classifier, X, y = case
    score = get_scorer(name)(classifier, X, y)
    assert isinstance(score, float)
    assert 0.7 < score <= 1  # learned data; empty rows count as 0 in the means over images
    # A scorer that took two labels for two classes would not notice swapped columns.
    assert get_scorer(name)(classifier, X, y[:, ::-1]) < score - 0.1


def test_hamming_loss_and_other_made_scorers(case):
    from sklearn.metrics import hamming_loss, label_ranking_average_precision_score

    classifier, X, y = case
    hamming = make_scorer(hamming_loss, greater_is_better=False)
    assert -0.1 < hamming(classifier, X, y) <= 0
    ranking = make_scorer(label_ranking_average_precision_score, response_method="predict_proba")
    assert ranking(classifier, X, y) > 0.9


def test_scorers_use_the_probabilities_of_predict_proba(case):
    classifier, X, y = case
    probabilities = classifier.predict_proba(X)
    assert get_scorer("roc_auc")(classifier, X, y) == roc_auc_score(y, probabilities)
    assert get_scorer("f1_macro")(classifier, X, y) == f1_score(
        y, probabilities >= 0.5, average="macro"
    )
    assert classifier.score(X, y) == ((probabilities >= 0.5) == y).all(axis=1).mean()


def test_cross_validate_with_several_scorers(short):
    classifier, X, y = short
    result = cross_validate(
        make_pipeline(FunctionTransformer(), classifier),
        X,
        y,
        cv=KFold(2, shuffle=True, random_state=0),
        scoring=["f1_macro", "roc_auc", "average_precision", "accuracy"],
        return_train_score=True,
        error_score="raise",
    )
    for name, values in result.items():
        assert np.isfinite(values).all(), name


def test_cross_val_predict_gives_a_row_for_each_image(short):
    classifier, X, y = short
    cv = KFold(2, shuffle=True, random_state=0)
    probabilities = cross_val_predict(classifier, X, y, cv=cv, method="predict_proba")
    assert probabilities.shape == y.shape
    decisions = cross_val_predict(classifier, X, y, cv=cv)
    np.testing.assert_array_equal(decisions, probabilities >= 0.5)


def test_learning_curve_and_permutation_test(short):
    classifier, X, y = short
    cv = KFold(2, shuffle=True, random_state=0)
    _sizes, train_scores, test_scores = learning_curve(
        classifier, X, y, cv=cv, train_sizes=[0.7, 1.0], scoring="f1_micro", error_score="raise"
    )
    assert test_scores.shape == (2, 2)
    assert np.isfinite([train_scores, test_scores]).all()
    _score, permuted, p_value = permutation_test_score(
        classifier, X, y, cv=cv, n_permutations=2, scoring="roc_auc", random_state=0
    )
    assert permuted.shape == (2,)
    assert 0 < p_value <= 1


def test_learning_curve_with_partial_fit(short):
    classifier, X, y = short
    *_, test_scores = learning_curve(
        classifier,
        X,
        y,
        cv=2,
        train_sizes=[0.7, 1.0],
        exploit_incremental_learning=True,
        scoring="f1_micro",
        error_score="raise",
    )
    assert np.isfinite(test_scores).all()


def test_a_search_prefers_what_learns(short):
    classifier, X, y = short
    search = GridSearchCV(
        classifier,
        {"learning_rate": [1e-6, 0.03]},
        cv=KFold(2, shuffle=True, random_state=0),
        scoring="roc_auc",
        error_score="raise",
    ).fit(X, y)
    assert search.best_params_ == {"learning_rate": 0.03}
    assert search.predict_proba(X).shape == y.shape
    assert search.classes_.tolist() == [[0, 1]] * y.shape[1]
    assert search.score(X, y) == get_scorer("roc_auc")(search.best_estimator_, X, y)


def test_calibration_display_per_label(case):
    classifier, X, y = case
    probabilities = classifier.predict_proba(X)
    for j in range(y.shape[1]):
        display = CalibrationDisplay.from_predictions(y[:, j], probabilities[:, j], n_bins=3)
        assert len(display.prob_true) > 1
        plt.close(display.figure_)


def test_one_label_a_row_in_a_fold_changes_nothing(tiny_classifier):
    # The first fold trains on rows of one label each, the second does not.
    rng = np.random.default_rng(0)
    y = np.eye(3, dtype=int)[np.arange(80) % 3]
    y[:40, :] = rng.integers(0, 2, size=(40, 3))
    X = rng.integers(0, 255, size=(80, 16, 16, 3), dtype=np.uint8)
    classifier = tiny_classifier(epochs=1, threshold=0.0)
    decisions = cross_val_predict(classifier, X, y, cv=KFold(2))
    assert decisions.all()
