"""AveragingClassifier: several trainings, one estimator."""

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skposter import TunedThresholdsClassifierCV
from skposter._labels.log_odds import mean_of_log_odds
from skposter.averaging import AveragingClassifier


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = pd.DataFrame((X[:, :3] + rng.normal(size=(60, 3)) > 0.3).astype(int), columns=list("abc"))
    return X, y


def network():
    return make_pipeline(StandardScaler(), MLPClassifier(3, solver="lbfgs", max_iter=20))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_it_is_the_mean_of_trainings_with_seeds_of_their_own(data):
    X, y = data
    model = AveragingClassifier(network(), 4, random_state=0).fit(X, y)
    each = [member.predict_proba(X) for member in model.estimators_]
    assert len({member[-1].random_state for member in model.estimators_}) == 4
    assert not np.allclose(each[0], each[1])
    np.testing.assert_allclose(model.predict_proba(X), mean_of_log_odds(each))
    model.set_params(average="probability")
    np.testing.assert_allclose(model.predict_proba(X), np.mean(each, axis=0))
    again = clone(model).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    at_once = clone(model).set_params(n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(at_once.predict_proba(X), model.predict_proba(X))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_without_a_seed_the_global_generator_stays_untouched(data):
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first = AveragingClassifier(network(), 1).fit(*data).predict_proba(data[0])
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert not np.array_equal(
        first, AveragingClassifier(network(), 1).fit(*data).predict_proba(data[0])
    )


def test_thresholds_names_and_pickling(data, tmp_path):
    X, y = data
    model = AveragingClassifier(KNeighborsClassifier(3), 2, threshold={"b": 0.9}).fit(X, y)
    assert model.label_names_.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(model.thresholds_, [0.5, 0.9, 0.5])
    expected = model.predict_proba(X) >= model.thresholds_
    np.testing.assert_array_equal(model.predict(X), expected)
    assert set(model.predict_labels(X)[0]) <= {"a", "b", "c"}
    joblib.dump(model, tmp_path / "model.joblib")
    np.testing.assert_array_equal(joblib.load(tmp_path / "model.joblib").predict(X), expected)
    with pytest.raises(NotFittedError):
        AveragingClassifier(KNeighborsClassifier(3)).predict(X)
    with pytest.raises(ValueError, match="'d', which is not a label"):
        AveragingClassifier(KNeighborsClassifier(3), threshold={"d": 0.5}).fit(X, y)


def test_thresholds_can_be_tuned_around_it(data):
    X, y = data
    tuned = TunedThresholdsClassifierCV(AveragingClassifier(KNeighborsClassifier(3), 2), cv=2)
    assert tuned.fit(X, y).predict(X).shape == (60, 3)


def test_networks_are_averaged_in_turn(tiny_classifier, colour_images):
    X, y = colour_images
    model = AveragingClassifier(tiny_classifier(epochs=2), 2, random_state=1).fit(X, y)
    each = [member.predict_proba(X) for member in model.estimators_]
    assert not np.array_equal(each[0], each[1])
    assert model.predict_proba(X).dtype == np.float32
    np.testing.assert_array_equal(model.predict_proba(X), mean_of_log_odds(each))


@pytest.mark.parametrize(
    "params", [{"n_estimators": 0}, {"average": "median"}, {"threshold": None}], ids=str
)
def test_parameters_are_checked(data, params):
    with pytest.raises(ValueError, match=f"'{next(iter(params))}' parameter"):
        AveragingClassifier(KNeighborsClassifier(3), **params).fit(*data)


def test_mean_of_log_odds_is_finite_at_certainty_and_keeps_nan():
    mean = mean_of_log_odds([np.array([0.0, 1.0, np.nan]), np.array([1.0, 1.0, 0.5])])
    np.testing.assert_allclose(mean, [0.5, 1, np.nan], atol=1e-6)


@pytest.mark.parametrize("n", [1, 3])
def test_mean_of_log_odds_of_equals_is_what_each_is(n):
    probabilities = np.array([[0.25, 0.75]], dtype=np.float32)
    mean = mean_of_log_odds([probabilities] * n)
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean, probabilities, rtol=1e-6)
