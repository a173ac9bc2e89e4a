"""NaN in `y`: nobody knows that label of that image, so it weighs nothing anywhere."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV

import skposter
from skposter import TunedThresholdsClassifierCV
from skposter.exceptions import UnknownLabelWarning
from skposter.model_selection import MultiLabelStratifiedKFold

pytestmark = pytest.mark.filterwarnings(
    "ignore::skposter.exceptions.UnknownLabelWarning"  # a test of its own expects it
)


@pytest.fixture(scope="module")
def partly_known(colour_images):
    """Labels of the colour images, a fifth of them unknown."""
    _, y = colour_images
    hidden = y.astype(float)
    hidden[np.random.default_rng(0).random(y.shape) < 0.2] = np.nan
    return hidden


def test_fit_says_how_many_labels_are_unknown(tiny_classifier, colour_images, partly_known):
    count = np.isnan(partly_known).sum()
    with pytest.warns(UnknownLabelWarning, match=f"{count} of 360 labels in y are unknown"):
        tiny_classifier(epochs=1).fit(colour_images[0], partly_known)


def test_the_network_learns_from_what_is_known(tiny_classifier, colour_images, partly_known):
    X, y = colour_images
    fitted = tiny_classifier(epochs=30).fit(X, partly_known)
    assert (fitted.predict(X) == y).mean() > 0.95
    np.testing.assert_allclose(fitted.label_frequencies_, np.nanmean(partly_known, axis=0))


@pytest.mark.parametrize("params", [{}, {"pos_weight": "balanced"}, {"correct_intercepts": True}])
def test_what_stands_in_an_unknown_cell_changes_nothing(
    params, tiny_classifier, colour_images, partly_known
):
    X, y = colour_images
    params = {"epochs": 2, "validation_fraction": 0, **params}
    known = ~np.isnan(partly_known)
    as_nan = tiny_classifier(**params).fit(X, partly_known)
    # The same weights by hand: they average one, and those of unknown cells are zero.
    by_hand = tiny_classifier(**params)
    if not params.keys() & {"pos_weight", "correct_intercepts"}:
        by_hand.fit(X, np.where(known, y, 0), sample_weight=known / known.mean())
        first, second = as_nan.history_["loss"], by_hand.history_["loss"]
        # Only the start differs: the label frequencies are those of known labels.
        assert abs(first[-1] - second[-1]) < 0.1
    assert np.isfinite(as_nan.predict_proba(X)).all()


def test_images_of_which_nothing_is_known_are_left_out(tiny_classifier, colour_images):
    X, y = colour_images
    hidden = y.astype(float)
    hidden[60:] = np.nan
    params = {"epochs": 2, "validation_fraction": 0}
    fitted = tiny_classifier(**params).fit(X, hidden)
    assert fitted.training_summary_["n_images"] == 60
    assert (
        fitted.training_summary_["label_counts"]
        == tiny_classifier(**params).fit(X[:60], y[:60]).training_summary_["label_counts"]
    )


def test_pandas_missing_values_are_unknown_too(tiny_classifier, colour_images, partly_known):
    X, _ = colour_images
    names = ["red", "green", "blue"]
    frame = pd.DataFrame(partly_known, columns=names).astype("Int64")
    nullable = tiny_classifier(epochs=1).fit(X, frame)
    plain = tiny_classifier(epochs=1).fit(X, pd.DataFrame(partly_known, columns=names))
    np.testing.assert_array_equal(nullable.predict_proba(X), plain.predict_proba(X))


def test_thresholds_are_chosen_on_what_is_known_and_survive_files(
    tiny_classifier, colour_images, partly_known, tmp_path
):
    X, _ = colour_images
    fitted = tiny_classifier(epochs=2, threshold="f1_macro").fit(X, partly_known)
    assert np.isnan(fitted.validation_scores_[0]).any()
    skposter.save(fitted, tmp_path / "model.skposter")
    for copied in (
        skposter.load(tmp_path / "model.skposter"),
        pickle.loads(pickle.dumps(fitted)),
        copy.deepcopy(fitted),
    ):
        np.testing.assert_array_equal(copied.thresholds_, fitted.thresholds_)
        np.testing.assert_array_equal(copied.predict(X), fitted.predict(X))


@pytest.mark.filterwarnings("ignore:Labels with fewer than 10 positives")
def test_searches_and_tuned_thresholds_hand_them_on(tiny_classifier, colour_images, partly_known):
    X, _ = colour_images
    tuned = TunedThresholdsClassifierCV(tiny_classifier(epochs=2), cv=2)
    search = GridSearchCV(
        tuned,
        {"min_labels": [0, 1]},
        cv=MultiLabelStratifiedKFold(2),  # scikit-learn's own default looks at the type of y
        scoring=skposter.metrics.get_scorer("f1_macro"),
    )
    search.fit(X, partly_known)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_validation_images_of_ones_own_may_have_some(tiny_classifier, colour_images, partly_known):
    X, y = colour_images
    fitted = tiny_classifier(epochs=2).fit(X[:80], y[:80], X_val=X[80:], y_val=partly_known[80:])
    assert np.isfinite(fitted.history_["val_loss"]).all()


def test_a_label_that_nobody_knows_is_told_and_harmless(tiny_classifier, colour_images):
    X, y = colour_images
    hidden = y.astype(float)
    hidden[:, 1] = np.nan
    with pytest.warns(skposter.exceptions.LabelWarning, match="one value for every image"):
        fitted = tiny_classifier(epochs=1).fit(X, hidden)
    assert np.isfinite(fitted.predict_proba(X)).all()
