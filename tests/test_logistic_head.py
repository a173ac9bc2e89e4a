"""The head of a pre-trained network, solved as logistic regression."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import skposter
from skposter import ImageFeatures, MultiLabelImageClassifier
from skposter._training.logistic_head import PENALTIES, solved_head
from skposter._training.subsets import Subset
from skposter.memory import list_memory
from skposter.networks import Pretrained


def table(n=200, n_features=6, seed=0):
    """Features of unequal scale, one of them constant, and labels that depend on them."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, n_features)) * 10.0 ** np.arange(n_features) + 5
    X[:, 3] = 7.0
    scores = StandardScaler().fit_transform(X) @ rng.normal(size=(n_features, 3))
    return X.astype(np.float32), (scores + rng.logistic(size=(n, 3)) > 0.5).astype(np.float32)


def split(X, y, weight=None):
    rows = np.random.default_rng(1).permutation(len(X))
    half = len(X) // 2
    return Subset(X, y, rows[:half], weight), Subset(X, y, rows[half:])


def log_odds_of_scikit_learn(X, y, penalty, weight=None):
    scaler = StandardScaler().fit(X)
    columns = []
    for j in range(y.shape[1]):
        model = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=10_000)
        model.fit(scaler.transform(X), y[:, j], None if weight is None else weight[:, j])
        columns.append(model.decision_function(scaler.transform(X)))
    return np.column_stack(columns)


def cross_entropy(y, log_odds):
    return float((np.logaddexp(0, log_odds) - y * log_odds).mean())


def test_it_is_the_logistic_regression_that_validation_images_prefer():
    X, y = table()
    training, validation = split(X, y)
    kernel, bias, losses = solved_head(training, validation)
    expected = []
    for penalty in PENALTIES:
        rows, held_out = training.rows, validation.rows
        scaler = StandardScaler().fit(X[rows].astype(np.float64))
        val_log_odds = np.column_stack(
            [
                LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=10_000)
                .fit(scaler.transform(X[rows].astype(np.float64)), y[rows, j])
                .decision_function(scaler.transform(X[held_out].astype(np.float64)))
                for j in range(3)
            ]
        )
        expected.append(cross_entropy(y[held_out], val_log_odds))
    assert 0 < np.argmin(expected) < len(PENALTIES) - 1
    assert losses["val_loss"] == pytest.approx(min(expected), rel=1e-4)
    log_odds = X.astype(np.float64) @ kernel + bias
    assert cross_entropy(y[training.rows], log_odds[training.rows]) == pytest.approx(
        losses["loss"], rel=1e-3
    )
    assert not kernel[3].any()


def test_weights_and_unknown_labels_count_as_in_scikit_learn():
    X, y = table(seed=2)
    weight = np.random.default_rng(3).uniform(0.2, 2, size=y.shape).astype(np.float32)
    weight /= weight.mean()
    weight[:50, 1] = 0
    y[:50, 1] = np.nan
    training = Subset(X, y, np.arange(len(X)), weight)
    kernel, bias, _ = solved_head(training, None)
    expected = log_odds_of_scikit_learn(
        X.astype(np.float64), np.nan_to_num(y), 10.0**2.5, weight / weight.mean()
    )
    np.testing.assert_allclose(X.astype(np.float64) @ kernel + bias, expected, atol=2e-3)


def test_a_label_that_no_image_has_is_improbable_and_finite():
    X, y = table(seed=4)
    y[:, 2] = 0
    kernel, bias, _ = solved_head(*split(X, y))
    log_odds = X @ kernel + bias
    assert np.isfinite(log_odds).all()
    assert log_odds[:, 2].max() < -4


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, size=(80, 3))
    X = rng.integers(0, 80, size=(80, 32, 32, 3)).astype(np.uint8)
    X += (y[:, None, None, :] * 150).astype(np.uint8)
    return X, y


def classifier(weights, **params):
    network = {"fine_tune": "none", **params.pop("network", {})}
    return MultiLabelImageClassifier(
        Pretrained(
            "mobilenet",
            weights=weights[0],
            head="logistic",
            builder_params={"alpha": 0.25},
            **network,
        ),
        **{"tta": "none", "random_state": 0, **params},
    )


def test_a_network_with_a_solved_head_is_a_classifier_as_any(images, mobilenet_weights, tmp_path):
    X, y = images
    fitted = classifier(mobilenet_weights).fit(X, y)
    assert (fitted.predict(X) == y).mean() > 0.75
    assert fitted.n_iter_ == 1
    assert fitted.history_["val_loss"][0] < np.log(2)
    features = ImageFeatures(fitted).transform(X)
    dense = fitted.model_.layers[-1]
    log_odds = features @ dense.kernel.numpy() + dense.bias.numpy()
    np.testing.assert_allclose(
        fitted.predict_proba(X), 1 / (1 + np.exp(-log_odds)), rtol=1e-3, atol=1e-5
    )
    skposter.save(fitted, tmp_path / "model.skposter")
    loaded = skposter.load(tmp_path / "model.skposter")
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    assert loaded.network.head == "logistic"


def test_the_other_layers_stay_or_are_trained_from_there(images, mobilenet_weights):
    X, y = images
    solved = classifier(mobilenet_weights).fit(X, y)
    before = mobilenet_weights[1].get_weights()
    after = solved.model_.get_layer("mobilenet").get_weights()
    assert all(map(np.array_equal, before, after))
    settings = {"epochs": 1, "learning_rate": 1e-9, "correct_intercepts": False}
    trained = classifier(mobilenet_weights, network={"fine_tune": "all"}, **settings)
    trained.fit(X, y)
    assert trained.n_iter_ == 1
    # So small a rate leaves the solved head as it was; an untrained one would not look like it.
    np.testing.assert_allclose(
        trained.model_.layers[-1].kernel, solved.model_.layers[-1].kernel, atol=1e-4
    )


def test_a_solved_head_is_found_again(images, mobilenet_weights, tmp_path):
    X, y = images
    memory = str(tmp_path / "memory")
    first = classifier(mobilenet_weights, memory=memory).fit(X, y)
    n_entries = len(list_memory(memory))
    second = classifier(mobilenet_weights, memory=memory).fit(X, y)
    assert len(list_memory(memory)) == n_entries
    np.testing.assert_array_equal(second.predict_proba(X), first.predict_proba(X))
    y = y.copy()
    y[:40] = 1 - y[:40]
    other = classifier(mobilenet_weights, memory=memory).fit(X, y)
    assert not np.allclose(other.predict_proba(X), first.predict_proba(X), atol=0.1)


def test_partial_fit_goes_on_from_the_solved_head(images, mobilenet_weights):
    X, y = images
    fitted = classifier(mobilenet_weights, learning_rate=1e-9).fit(X, y)
    before = fitted.predict_proba(X)
    fitted.partial_fit(X[:8], 1 - y[:8])
    assert fitted.n_iter_ == 2
    np.testing.assert_allclose(fitted.predict_proba(X), before, atol=1e-4)


def test_it_needs_features_that_mean_something(images):
    network = Pretrained("mobilenet", weights=None, head="logistic")
    with pytest.raises(ValueError, match="weights=None they are random"):
        MultiLabelImageClassifier(network).fit(*images)
    with pytest.raises(ValueError, match='head_epochs=3 has no meaning with head="logistic"'):
        MultiLabelImageClassifier(
            Pretrained("mobilenet", weights="x.h5", head="logistic", head_epochs=3)
        ).fit(*images)
