"""What is saved with joblib and pickle, and where it can be loaded."""

import copy
import json
import pickle
import subprocess
import sys
import textwrap
import threading
from functools import partial
from io import BytesIO

import joblib
import numpy as np
import pytest
from scikeras.wrappers import KerasClassifier
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import skposter
from skposter import ImageLoader, MultiLabelImageClassifier, TunedThresholdsClassifierCV
from skposter._keras.tensorflow import keras
from skposter.exceptions import ArtifactError
from skposter.networks import SmallCNN

USERS_MODULE = """
import keras

@keras.saving.register_keras_serializable("users")
class Registered(keras.layers.Layer):
    def call(self, x):
        return x * 0.5

class Unregistered(keras.layers.Layer):
    def call(self, x):
        return x * 0.5

class HalfLoss(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1) / 2

def network(meta, layer=None):
    images = keras.Input(meta["input_shape"], dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(images)
    if layer is not None:
        x = layer(x)
    x = keras.layers.Flatten()(x)
    return keras.Model(images, keras.layers.Dense(meta["n_labels"], activation="sigmoid")(x))

def scikeras_network(meta, units):
    images = keras.Input(meta["X_shape_"][1:])
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    x = Unregistered()(keras.layers.Dense(units, activation="relu")(x))
    return keras.Model(images, keras.layers.Dense(meta["n_outputs_"], activation="sigmoid")(x))

def registered(meta):
    return network(meta, Registered())

def unregistered(meta):
    return network(meta, Unregistered())

def with_lambda_layer(meta):
    return network(meta, keras.layers.Lambda(lambda x: x * 0.5))
"""

PREDICT = """
import sys, joblib, numpy as np
folder, names = sys.argv[1], sys.argv[2].split(",")
X = np.load(folder + "/X.npy")
for name in names:
    model = joblib.load(f"{folder}/{name}.joblib")
    try:
        y = model.predict_proba(X)
        state = "same" if np.array_equal(y, np.load(f"{folder}/{name}.npy")) else "different"
    except Exception as error:
        state = f"{type(error).__name__}: {error}"
    print(name, state, sep="|")
"""


def in_another_process(tmp_path, names, *options):
    """Return what becomes of each model when `PREDICT` loads it with these options of Python."""
    done = subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(PREDICT), tmp_path, ",".join(names)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path / "users",
    )
    assert done.returncode == 0, done.stderr
    return dict(line.split("|", 1) for line in done.stdout.splitlines())


@pytest.fixture
def users_module(tmp_path, monkeypatch):
    """A module of the user's, importable here and where ``users`` is the working directory."""
    (tmp_path / "users").mkdir()
    (tmp_path / "users" / "users_networks.py").write_text(USERS_MODULE)
    monkeypatch.syspath_prepend(tmp_path / "users")
    import users_networks

    yield users_networks
    del sys.modules["users_networks"]


def test_models_load_in_other_processes_with_and_without_the_users_module(
    tmp_path, users_module, tiny_classifier, colour_images, colour_labels
):
    X, _ = colour_images
    tiny = {"network": SmallCNN(filters=(4,)), "epochs": 1}

    def of(network, **params):
        return tiny_classifier(network=network, epochs=1, **params)

    portable = {
        "pipeline": make_pipeline(ImageLoader(size=(16, 16)), tiny_classifier(**tiny)),
        "search": GridSearchCV(tiny_classifier(**tiny), {"threshold": [0.4, 0.5]}, cv=2),
        "tuned": TunedThresholdsClassifierCV(tiny_classifier(**tiny), cv=2),
        "users_builder": of(users_module.network, loss=users_module.HalfLoss()),
        "unnamed": of(lambda meta: users_module.network(meta)),
        "partial": of(partial(users_module.network, layer=keras.layers.Rescaling(0.5))),
    }
    with_module = {
        "registered": of(users_module.registered),
        "unregistered": of(users_module.unregistered),
        "scikeras": of(KerasClassifier(users_module.scikeras_network, model__units=3, epochs=1)),
        "lambda_layer": of(users_module.with_lambda_layer),
    }
    np.save(tmp_path / "X.npy", X)
    for name, model in {**portable, **with_module}.items():
        model.fit(X, colour_labels)
        expected = model.predict_proba(X)
        np.save(tmp_path / f"{name}.npy", expected)
        joblib.dump(model, tmp_path / f"{name}.joblib")
        for copied in [pickle.loads(pickle.dumps(model)), copy.copy(model), copy.deepcopy(model)]:
            np.testing.assert_array_equal(copied.predict_proba(X), expected)

    names = [*portable, *with_module]
    assert in_another_process(tmp_path, names) == dict.fromkeys(names, "same")
    isolated = in_another_process(tmp_path, names, "-I")
    assert {name: isolated[name] for name in portable} == dict.fromkeys(portable, "same")
    for name in with_module:
        assert isolated[name].startswith("ImportError: users_networks.")


def test_a_file_is_hardly_larger_than_the_weights(tmp_path, tiny_classifier, colour_images):
    X, y = colour_images
    classifier = tiny_classifier(network="small_cnn", epochs=1).fit(X, y)
    weights = sum(array.nbytes for array in classifier.keras_classifier_.network_.variables)
    joblib.dump(classifier, tmp_path / "model.joblib")
    assert (tmp_path / "model.joblib").stat().st_size < 1.05 * weights
    classifier.set_params(warm_start=True)
    joblib.dump(classifier, tmp_path / "model.joblib")
    assert 2.9 * weights < (tmp_path / "model.joblib").stat().st_size < 3.1 * weights


def test_training_goes_on_exactly_where_the_optimizer_state_was_kept(
    tiny_classifier, colour_images
):
    X, y = colour_images
    classifier = tiny_classifier(epochs=2, warm_start=True).fit(X, y)
    forgetful = clone(classifier).set_params(warm_start=False).fit(X, y)
    forgetful = pickle.loads(pickle.dumps(forgetful)).set_params(warm_start=True)
    copies = [pickle.loads(pickle.dumps(classifier)), copy.deepcopy(classifier)]
    expected = classifier.fit(X, y).predict_proba(X)
    for copied in copies:
        np.testing.assert_array_equal(copied.fit(X, y).predict_proba(X), expected)
    assert not np.array_equal(forgetful.fit(X, y).predict_proba(X), expected)


def test_another_version_warns_in_scikit_learns_way(fitted_classifier, monkeypatch):
    def dumped(**versions):
        with monkeypatch.context() as other:
            then = {**skposter._estimators.versions.library_versions(), **versions}
            other.setattr("skposter._estimators.pickling.library_versions", lambda: then)
            return pickle.dumps(fitted_classifier)

    pickle.loads(dumped())  # warnings are errors
    pickle.loads(dumped(numpy="1.0"))  # pickled arrays do not depend on it
    message = "MultiLabelImageClassifier was saved with skposter 0.0.1 .now "
    with pytest.warns(InconsistentVersionWarning, match=message):
        pickle.loads(dumped(skposter="0.0.1"))
    with pytest.warns(InconsistentVersionWarning, match="keras 3.0.5 .*, tensorflow 2.1.0"):
        pickle.loads(dumped(keras="3.0.5", tensorflow="2.1.0"))
    assert not hasattr(pickle.loads(pickle.dumps(fitted_classifier)), "_versions")


def test_what_could_not_be_loaded_is_refused_when_it_is_saved(tiny_classifier):
    lock = threading.Lock()

    class Forgetful(keras.losses.Loss):
        def __init__(self, share):
            super().__init__()
            self.share = share

        def call(self, y_true, y_pred):
            return keras.ops.mean(y_true - y_pred, axis=-1) * self.share

    for params, message in [
        ({"network": lambda meta: lock}, r"network=\.\.\..* Define it at the top of a module"),
        ({"loss": Forgetful(0.5)}, r"loss=\.\.\..*get_config\(\) with all arguments"),
    ]:
        for dump in [pickle.dumps, lambda model: joblib.dump(model, BytesIO())]:
            with pytest.raises(pickle.PicklingError, match=message):
                dump(tiny_classifier(**params))


def test_a_search_over_unnamed_networks_runs_in_processes(
    tiny_classifier, colour_images, users_module
):
    def network(meta):
        images = keras.Input(meta["input_shape"], dtype="uint8")
        x = keras.layers.Lambda(lambda x: keras.ops.cast(x, "float32") / 255)(images)
        x = keras.layers.Flatten()(x)
        return keras.Model(images, keras.layers.Dense(meta["n_labels"], activation="sigmoid")(x))

    classifier = MultiLabelImageClassifier(network, epochs=1, random_state=0)
    search = GridSearchCV(classifier, {"learning_rate": [1e-3, 1e-2]}, cv=2, n_jobs=2)
    search.fit(*colour_images)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    alone = clone(search).set_params(n_jobs=1).fit(*colour_images)
    np.testing.assert_array_equal(
        alone.predict_proba(colour_images[0]), search.predict_proba(colour_images[0])
    )


SCRIPT = """
import sys
from functools import partial
import joblib, keras, numpy as np
from skposter import FixedThresholdsClassifier, MultiLabelImageClassifier

def network(meta, units, scale):
    images = keras.Input(meta["input_shape"], dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(scale(255))(images))
    x = keras.layers.Dense(units, activation="relu")(x)
    return keras.Model(images, keras.layers.Dense(meta["n_labels"], activation="sigmoid")(x))

def inverse(x):
    return 1 / x

class Builder:
    def __init__(self, units):
        self.units = units
    def __call__(self, meta):
        return network(meta, self.units, inverse)
    def build(self, meta):
        return self(meta)

class Watching(keras.callbacks.Callback):
    pass

folder = sys.argv[1]
X = np.load(folder + "/X.npy")
y = np.tile([[0, 1], [1, 0]], (len(X) // 2, 1))
networks = {
    "partial": partial(network, units=2, scale=inverse),
    "object": Builder(2),
    "method": Builder(2).build,
}
for name, builder in networks.items():
    model = MultiLabelImageClassifier(
        builder, epochs=1, random_state=0, callbacks=[Watching()] if name == "object" else None
    ).fit(X, y)
    np.save(f"{folder}/{name}.npy", model.predict_proba(X))
    joblib.dump(FixedThresholdsClassifier(model), f"{folder}/{name}.joblib")
    again = joblib.load(f"{folder}/{name}.joblib").estimator
    assert type(again.network) is type(builder)
"""

LOAD = """
import sys, joblib, numpy as np
folder = sys.argv[1]
X = np.load(folder + "/X.npy")
y = np.tile([[0, 1], [1, 0]], (len(X) // 2, 1))
for name in ("partial", "object", "method"):
    model = joblib.load(f"{folder}/{name}.joblib").estimator
    assert np.array_equal(model.predict_proba(X), np.load(f"{folder}/{name}.npy")), name
    model.fit(X, y)  # with the code that came along
    assert np.array_equal(model.predict_proba(X), np.load(f"{folder}/{name}.npy")), name
"""


def test_what_a_script_defines_travels_wherever_in_a_parameter_it_is(tmp_path, run_python):
    X = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    np.save(tmp_path / "X.npy", X)
    run_python(SCRIPT, tmp_path)
    run_python(LOAD, tmp_path)


def plain(x):
    return x


def test_what_holds_code_is_copied_and_pickled_as_what_it_was(tiny_classifier):
    class Local:
        def __init__(self, function):
            self.function = function

    values = [
        partial(plain, 3, y=[plain]),
        [partial(plain), {"a": (plain, 1)}],
        {"layer": lambda x: x + 1},
        Local(plain),
        None,
        {"alpha": 0.25},
    ]
    for value in values:
        classifier = tiny_classifier(callbacks=value)
        assert copy.copy(classifier).callbacks is value
        copied = copy.deepcopy(classifier).callbacks
        loaded = pickle.loads(pickle.dumps(classifier)).callbacks
        for other in (copied, loaded):
            assert type(other) is type(value) or type(other).__name__ == "Local"
    assert copy.deepcopy(tiny_classifier(callbacks=values[1])).callbacks is not values[1]
    loaded = pickle.loads(pickle.dumps(tiny_classifier(callbacks=values[0]))).callbacks
    assert (loaded.func, loaded.args, loaded.keywords) == (plain, (3,), {"y": [plain]})
    loaded = pickle.loads(pickle.dumps(tiny_classifier(callbacks=values[1]))).callbacks
    assert loaded[0].func is plain
    assert loaded[1] == {"a": (plain, 1)}


def test_parameters_that_came_later_are_told(tiny_classifier):
    class Older(MultiLabelImageClassifier):
        def __getstate__(self):
            state = super().__getstate__()
            del state["tta"]
            return state

    with pytest.raises(
        ArtifactError, match="by another skposter, in which it had no parameter 'tta'"
    ):
        copy.copy(Older())


def test_skops_keeps_a_pipeline_and_names_what_is_to_be_trusted(
    tmp_path, tiny_classifier, colour_images, run_python
):
    sio = pytest.importorskip("skops.io")
    X, y = colour_images
    classifier = tiny_classifier(
        epochs=1,
        loss=keras.losses.BinaryFocalCrossentropy(gamma=1.5),
        optimizer=keras.optimizers.SGD(momentum=0.9),
    )
    model = make_pipeline(ImageLoader(size=(16, 16)), classifier).fit(X, y)
    sio.dump(model, tmp_path / "model.skops")
    types = sio.get_untrusted_types(file=tmp_path / "model.skops")
    assert all(name.startswith("skposter.") for name in types)
    np.save(tmp_path / "X.npy", X[:5])
    done = run_python(
        """
        import sys
        import numpy as np
        import skops.io as sio

        path, *types = sys.argv[1:]
        model = sio.load(path, trusted=types)
        print(model.predict_proba(np.load("X.npy")).tolist())
        print(model[-1].loss.gamma, float(model[-1].optimizer.momentum))
        model.fit(np.load("X.npy"), [[0, 1, 0], [1, 0, 1]] * 2 + [[0, 1, 1]])
        """,
        tmp_path / "model.skops",
        *types,
    )
    scores, settings = done.stdout.splitlines()
    np.testing.assert_array_equal(json.loads(scores), model.predict_proba(X[:5]).tolist())
    assert settings == "1.5 0.9"


def test_skops_asks_about_functions_by_name_and_takes_none_without(tiny_classifier):
    sio = pytest.importorskip("skops.io")
    classifier = tiny_classifier(network=partial(SmallCNN, (4,)), callbacks=[{"to": [np.mean]}])
    data = sio.dumps(classifier)
    types = sio.get_untrusted_types(data=data)
    assert {"numpy.mean", "skposter.networks._small_cnn.SmallCNN"} <= set(types)
    again = sio.loads(data, trusted=types)
    assert again.network.func is SmallCNN
    assert again.network.args == ((4,),)
    assert again.callbacks == [{"to": [np.mean]}]
    with pytest.raises(Exception, match="in no module that could be imported"):
        sio.dumps(tiny_classifier(network=lambda meta: None))
