"""BlendingClassifier: different classifiers, and weights from images that none has seen."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

import skposter
from skposter import ImageFeatures, TunedThresholdsClassifierCV
from skposter.averaging import BlendingClassifier
from skposter.exceptions import ArtifactError, UnknownLabelWarning
from skposter.inspection import explain


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 5))
    scores = np.column_stack([X[:, 0] + X[:, 1] ** 2 - 1, X[:, 2] * X[:, 3], X[:, 0] - X[:, 4]])
    y = pd.DataFrame(
        (scores + rng.logistic(size=(600, 3)) * 0.4 > 0).astype(int), columns=list("abc")
    )
    return X, y


def linear():
    return OneVsRestClassifier(LogisticRegression())


def members():
    return [("linear", linear()), ("neighbours", KNeighborsClassifier(30))]


def mean_log_loss(y, probabilities):
    return np.mean([log_loss(y.iloc[:, j], probabilities[:, j]) for j in range(y.shape[1])])


def test_the_chosen_weights_are_the_best_for_the_images_held_out(data):
    X, y = data
    model = BlendingClassifier(members(), validation_fraction=0.3, random_state=0).fit(X, y)
    held_out = model.validation_indices_
    assert len(held_out) == 180
    chosen = mean_log_loss(y.iloc[held_out], model.predict_proba(X[held_out]))
    for change in ([0.2, 0], [-0.2, 0], [0, 0.2], [0, -0.2], [0.1, -0.1]):
        other = clone(model).set_params(weights=np.maximum(model.weights_ + change, 0))
        rest = np.setdiff1d(np.arange(len(X)), held_out)
        other.fit(X[rest], y.iloc[rest])
        assert mean_log_loss(y.iloc[held_out], other.predict_proba(X[held_out])) > chosen
    for member in model.estimators_:
        alone = BlendingClassifier([("one", FrozenEstimator(member))], weights=None).fit(X, y)
        assert mean_log_loss(y.iloc[held_out], alone.predict_proba(X[held_out])) > chosen


def test_the_mean_is_of_log_odds_with_the_weights(data):
    X, y = data
    model = BlendingClassifier(members(), weights=[0.25, 1.5]).fit(X, y)
    first = linear().fit(X, y).predict_proba(X)
    second = np.column_stack([p[:, 1] for p in KNeighborsClassifier(30).fit(X, y).predict_proba(X)])
    clipped = np.clip(second, 1e-7, 1 - 1e-7)
    np.testing.assert_allclose(
        model.predict_proba(X), expit(0.25 * logit(first) + 1.5 * logit(clipped))
    )
    plain = BlendingClassifier(members(), weights=None).fit(X, y)
    assert plain.weights_.tolist() == [0.5, 0.5]
    assert len(plain.validation_indices_) == 0


def test_a_useless_classifier_weighs_nothing(data):
    X, y = data

    class Guessing(OneVsRestClassifier):
        def predict_proba(self, X):
            return np.random.default_rng(0).uniform(size=(len(X), 3))

    guessing = ("guessing", Guessing(LogisticRegression()))
    model = BlendingClassifier([*members(), guessing], validation_fraction=0.5, random_state=0)
    assert model.fit(X, y).weights_[2] < 0.1 < model.weights_[0]


def test_refit_trains_on_all_rows(data):
    X, y = data
    model = BlendingClassifier(members(), random_state=0).fit(X, y)
    refitted = BlendingClassifier(members(), random_state=0, refit=True).fit(X, y)
    np.testing.assert_array_equal(model.weights_, refitted.weights_)
    assert model.estimators_[1].n_samples_fit_ == 540
    assert refitted.estimators_[1].n_samples_fit_ == 600


def test_of_frozen_classifiers_weights_are_chosen_on_all_rows(data):
    X, y = data
    frozen = [(name, FrozenEstimator(each.fit(X[:300], y[:300]))) for name, each in members()]
    model = BlendingClassifier(frozen).fit(X[300:], y[300:])
    assert len(model.validation_indices_) == 300
    assert model.estimators_[0].estimator is frozen[0][1].estimator


def test_it_is_searched_tuned_and_cloned_as_any(data):
    X, y = data
    model = BlendingClassifier(members(), threshold={"b": 0.9}, random_state=0)
    assert model.get_params()["neighbours__n_neighbors"] == 30
    search = GridSearchCV(model, {"neighbours__n_neighbors": [1, 30]}, cv=2, scoring="f1_macro")
    assert search.fit(X, y).best_params_ == {"neighbours__n_neighbors": 30}
    assert search.best_estimator_.thresholds_.tolist() == [0.5, 0.9, 0.5]
    assert search.best_estimator_.predict_labels(X[:2])[0] is not None
    tuned = TunedThresholdsClassifierCV(clone(model), cv=2).fit(X, y)
    assert tuned.predict(X).shape == y.shape
    one = BlendingClassifier(members(), random_state=0).fit(X, y[["a"]])
    assert one.predict_proba(X[:1]).shape == (1, 1)


def test_unknown_labels_are_for_classifiers_that_take_them(data, tiny_classifier, colour_images):
    X, y = data
    holes = y.astype(float)
    holes.iloc[3, 1] = np.nan
    with pytest.raises(ValueError, match="cannot be trained on any"):
        BlendingClassifier(members()).fit(X, holes)
    X, y = colour_images
    holes = y.astype(float)
    holes[3, 1] = np.nan
    pair = [("a", tiny_classifier(epochs=1)), ("b", tiny_classifier(epochs=1, random_state=1))]
    with pytest.warns(UnknownLabelWarning):
        model = BlendingClassifier(pair, random_state=0).fit(X, holes)
    assert np.isfinite(model.weights_).all()


def test_networks_are_blended_saved_and_explained(tiny_classifier, colour_images, tmp_path):
    X, y = colour_images
    pair = [("a", tiny_classifier(epochs=2)), ("b", tiny_classifier(epochs=2, random_state=1))]
    model = BlendingClassifier(pair, random_state=0).fit(X, y)
    skposter.save(model, tmp_path / "model.skposter")
    loaded = skposter.load(tmp_path / "model.skposter")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(loaded.weights_, model.weights_)
    np.testing.assert_array_equal(loaded.validation_indices_, model.validation_indices_)
    assert loaded.get_params()["b__random_state"] == 1
    assert explain(model, X[:1], method="occlusion") is not None


def test_what_save_does_not_cover_is_named(tiny_classifier, colour_images, tmp_path):
    X, y = colour_images
    features = make_pipeline(ImageFeatures(lambda images: images.mean((1, 2))), linear())
    model = BlendingClassifier(
        [("network", tiny_classifier(epochs=1)), ("linear", features)], random_state=0
    ).fit(X, y)
    with pytest.raises(ArtifactError, match=r"ImageFeatures, .* does not cover.*head=\"logistic\""):
        skposter.save(model, tmp_path / "model.skposter")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"estimators": []}, ValueError, "at least one"),
        ({"estimators": [linear()]}, ValueError, r"list of \(name, classifier\)"),
        ({"estimators": [("a", linear()), ("a", linear())]}, ValueError, "not unique"),
        ({"estimators": [("a", LogisticRegression)]}, TypeError, "class"),
        ({"estimators": [("a", "drop")]}, TypeError, "expected a classifier"),
        ({"weights": [1.0]}, ValueError, "expected 2 numbers of at least 0"),
        ({"weights": [1.0, -1.0]}, ValueError, "expected 2 numbers of at least 0"),
        ({"weights": "best"}, ValueError, "'weights' parameter of BlendingClassifier"),
        ({"validation_fraction": 0}, ValueError, "'validation_fraction' parameter"),
    ],
)
def test_what_cannot_be_blended_is_refused(data, params, error, message):
    with pytest.raises(error, match=message):
        BlendingClassifier(**{"estimators": members(), **params}).fit(*data)
