"""``memory=``: each distinct network is trained once, and nothing stale is ever found."""

import pickle
import subprocess
import sys
import textwrap

import joblib
import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold

from skposter import MultiLabelImageClassifier
from skposter.memory import clear_memory, list_memory
from skposter.networks import SmallCNN

GRID = {"network__filters": [(2,), (3,)], "threshold": [0.3, 0.4, 0.5, 0.6]}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, size=(60, 3))
    X = rng.integers(0, 120, size=(60, 8, 8, 3)).astype(np.uint8)
    X += 120 * y[:, None, None, :].astype(np.uint8)
    return X, y


@pytest.fixture
def classifier(tmp_path):
    return MultiLabelImageClassifier(
        SmallCNN(filters=(2,)), epochs=1, random_state=0, memory=str(tmp_path / "memory")
    )


@pytest.fixture
def trainings(monkeypatch):
    """Count the networks that are really trained in this process."""
    from skposter._training import keras_fit as _keras

    counted = []
    run = _keras._run

    def count(*args, **kwargs):
        counted.append(1)
        return run(*args, **kwargs)

    monkeypatch.setattr(_keras, "_run", count)
    return counted


def networks(folder):
    return (list_memory(folder)["kind"] == "network").sum()


def test_search_trains_each_network_once_with_the_same_results(data, classifier, trainings):
    search = GridSearchCV(
        clone(classifier), GRID, cv=KFold(2), scoring=["f1_micro", "f1_macro"], refit="f1_macro"
    ).fit(*data)
    assert len(trainings) == 2 * 2 + 1
    assert networks(classifier.memory) == 2 * 2 + 1
    plain = clone(search).set_params(estimator__memory=None).fit(*data)
    assert len(trainings) == 5 + 2 * 4 * 2 + 1
    for name, values in plain.cv_results_.items():
        if "score" in name and "time" not in name:
            np.testing.assert_array_equal(search.cv_results_[name], values)
    np.testing.assert_array_equal(search.predict_proba(data[0]), plain.predict_proba(data[0]))


def test_a_keras_model_that_was_pickled_before_changes_nothing(data, classifier, trainings):
    classifier.fit(*data)
    # SciKeras registers the class of what it pickles, so Keras calls its own ">Functional".
    pickle.dumps(keras.Model(inputs := keras.Input((4,)), keras.layers.Dense(2)(inputs)))
    clone(classifier).fit(*data)
    assert len(trainings) == networks(classifier.memory) == 1
    clone(classifier).set_params(epochs=2).fit(*data)
    assert len(trainings) == networks(classifier.memory) == 2


def test_probabilities_on_a_data_set_are_found_but_not_those_of_a_batch(data, classifier):
    X, y = data
    classifier.fit(X, y)
    before = len(list_memory(classifier.memory))
    first = classifier.predict_proba(X)
    assert len(list_memory(classifier.memory)) == before + 1
    np.testing.assert_array_equal(classifier.predict_proba(X), first)
    classifier.predict_proba(X[:10])
    assert len(list_memory(classifier.memory)) == before + 1


@pytest.mark.parametrize(
    "change",
    [
        {"network__filters": (3,)},
        {"epochs": 2},
        {"learning_rate": 0.1},
        {"optimizer": "sgd"},
        {"loss": "mean_squared_error"},
        {"batch_size": 16},
        {"random_state": 1},
        {"network__dropout": 0.0},
        {"augmentation": "none"},
        {"learning_rate_schedule": "constant"},
        {"correct_intercepts": False},
        {"dtype_policy": "mixed_bfloat16"},
        {"pos_weight": "balanced"},
        {"validation_fraction": 0.2},
        {"early_stopping": True},
    ],
)
def test_whatever_affects_training_trains_anew(data, classifier, trainings, change):
    classifier.fit(*data)
    clone(classifier).set_params(**change).fit(*data)
    assert len(trainings) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 0.2},
        {"min_labels": 1},
        {"tta": "flip"},
        {"verbose": 0},
        {"dtype_policy": "float32"},  # what None is here
        {"learning_rate": 2e-3, "weight_decay": 0.3},  # what "auto" is
    ],
)
def test_what_acts_at_prediction_does_not(data, classifier, trainings, change):
    classifier.fit(*data)
    clone(classifier).set_params(**change).fit(*data)
    assert len(trainings) == 1


def test_other_pixels_labels_or_weights_train_anew(data, classifier, trainings):
    X, y = data
    classifier.fit(X, y)
    other = X.copy()
    other[0, 0, 0, 0] ^= 1
    classifier.fit(other, y)
    flipped = y.copy()
    flipped[0, 0] ^= 1
    classifier.fit(X, flipped)
    classifier.fit(X, y, sample_weight=np.linspace(1, 2, len(y)))
    assert len(trainings) == 4


def test_going_on_from_a_found_network_is_going_on_from_a_trained_one(data, classifier):
    plain = clone(classifier).set_params(memory=None, warm_start=True).fit(*data).fit(*data)
    for _ in range(2):  # the second time all is found
        found = clone(classifier).set_params(warm_start=True).fit(*data).fit(*data)
        np.testing.assert_array_equal(found.predict_proba(data[0]), plain.predict_proba(data[0]))
        assert found.history_ == plain.history_


def test_a_damaged_entry_is_trained_again(data, classifier, trainings, tmp_path):
    expected = classifier.fit(*data).predict_proba(data[0])
    for path in tmp_path.rglob("output.pkl"):
        path.write_bytes(path.read_bytes()[:100])
    found = clone(classifier).fit(*data).predict_proba(data[0])
    np.testing.assert_array_equal(found, expected)
    assert len(trainings) == 2


def test_a_network_of_the_users_own_is_known_by_what_it_builds(data, classifier, trainings):
    def network(units):
        def build(meta):
            import keras

            return keras.Sequential(
                [
                    keras.Input(meta["input_shape"], dtype="uint8"),
                    keras.layers.Rescaling(1 / 255),
                    keras.layers.Flatten(),
                    keras.layers.Dense(units),
                    keras.layers.Dense(meta["n_labels"], activation="sigmoid"),
                ]
            )

        return build

    for units in (3, 3, 4):  # same name, other layers: not the same network
        clone(classifier).set_params(network=network(units)).fit(*data)
    assert len(trainings) == 2


def test_callbacks_and_losses_of_the_users_own_are_trained_each_time(data, classifier, trainings):
    import keras

    def loss(y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    for params in ({"loss": loss}, {"callbacks": [keras.callbacks.LambdaCallback()]}):
        for _ in range(2):
            clone(classifier).set_params(**params).fit(*data)
    assert len(trainings) == 4


def test_an_interrupted_training_is_not_kept(data, classifier, monkeypatch):
    from skposter._training import keras_fit as _keras

    def interrupted(*args):
        classifier, _ = run(*args)
        return classifier, True

    run = _keras._run
    monkeypatch.setattr(_keras, "_run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(*data)
    assert networks(classifier.memory) == 0
    assert classifier.predict(data[0]).shape == data[1].shape


def test_without_a_seed_there_is_a_warning(data, classifier):
    with pytest.warns(UserWarning, match="random_state"):
        classifier.set_params(random_state=None).fit(*data)


def test_a_joblib_memory_works_and_can_be_cleared(data, classifier, tmp_path):
    memory = joblib.Memory(tmp_path / "own", verbose=0)
    classifier.set_params(memory=memory).fit(*data)
    entries = list_memory(memory)
    assert entries["description"].tolist() == ["small_cnn"]
    assert entries["bytes"].item() > 0
    clear_memory(memory)
    assert len(list_memory(memory)) == 0


def test_two_processes_share_the_work(tmp_path):
    script = textwrap.dedent(
        """
        import sys, numpy as np
        from sklearn.model_selection import GridSearchCV, KFold
        from skposter import MultiLabelImageClassifier
        from skposter._training import keras_fit as _keras
        from skposter.networks import SmallCNN

        folder, log = sys.argv[1:]
        run = _keras._run

        def count(*args):
            with open(log, "a") as file:
                file.write("trained\\n")
            return run(*args)

        _keras._run = count
        rng = np.random.default_rng(0)
        y = rng.integers(0, 2, size=(60, 3))
        X = rng.integers(0, 255, size=(60, 8, 8, 3)).astype(np.uint8)
        search = GridSearchCV(
            MultiLabelImageClassifier(
                SmallCNN(filters=(2,)), epochs=2, random_state=0, memory=folder
            ),
            {"network__filters": [(2,), (3,)], "threshold": [0.4, 0.6]},
            cv=KFold(3),
            scoring="f1_macro",
        ).fit(X, y)
        print(search.cv_results_["mean_test_score"].tolist())
        """
    )
    log = tmp_path / "log"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / "memory"), str(log)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert outputs[0] == outputs[1]
    assert len(log.read_text().split()) == 2 * 3 + 1
