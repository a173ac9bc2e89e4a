"""skposter.save and skposter.load: what they cover, and what goes round unchanged."""

import copy
import os
import re
import subprocess
import sys
import textwrap
import zipfile

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
from sklearn.exceptions import InconsistentVersionWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skposter
from skposter import FixedThresholdsClassifier, ImageLoader, TunedThresholdsClassifierCV
from skposter._estimators.versions import library_versions
from skposter._keras.tensorflow import keras
from skposter.averaging import AveragingClassifier
from skposter.exceptions import ArtifactError
from skposter.losses import AsymmetricLoss
from skposter.persistence import model_card, read_card
from skposter.persistence._keras_objects import restore_keras_object

PREDICT = """
import sys
import numpy as np, skposter
folder, names = sys.argv[1], sys.argv[2].split(",")
X = np.load(folder + "/X.npy")
for name in names:
    model = skposter.load(f"{folder}/{name}.skposter")
    for method in ("predict_proba", "predict"):
        assert np.array_equal(getattr(model, method)(X), np.load(f"{folder}/{name}.{method}.npy"))
print(*names, sep=",")
"""


def test_models_load_here_and_in_other_processes(
    tmp_path, tiny_classifier, fitted_classifier, colour_images, colour_labels
):
    X, y = colour_images
    loader = ImageLoader(size=(16, 16), resize="pad", n_jobs=1, cache_dir=str(tmp_path / "cache"))
    models = {
        "classifier": fitted_classifier,
        "unnamed": tiny_classifier(epochs=1, pos_weight="balanced", tta="flip").fit(X, y),
        "pipeline": make_pipeline(
            loader,
            "passthrough",
            TunedThresholdsClassifierCV(
                tiny_classifier(epochs=1, threshold="f1_micro", validation_fraction=0),
                cv=2,
                store_cv_results=True,
            ),
        ).fit(X, colour_labels),
        "fixed": FixedThresholdsClassifier(
            FrozenEstimator(fitted_classifier), threshold={"green": 0.2}, min_labels=1
        ).fit(X, colour_labels),
        "prefit": TunedThresholdsClassifierCV(fitted_classifier, cv="prefit", refit=False).fit(
            X, colour_labels
        ),
    }
    models["average"] = AveragingClassifier(tiny_classifier(epochs=1), n_estimators=2).fit(X, y)
    np.save(tmp_path / "X.npy", X)
    for name, model in models.items():
        path = tmp_path / f"{name}.skposter"
        skposter.save(model, path)
        loaded = skposter.load(path)
        assert repr(loaded.set_params(**_local_params(model))) == repr(model)
        for method in ("predict_proba", "predict"):
            expected = getattr(model, method)(X)
            np.testing.assert_array_equal(getattr(loaded, method)(X), expected)
            np.save(tmp_path / f"{name}.{method}.npy", expected)
    assert not list(tmp_path.glob(".*")), "temporary files are left"
    done = subprocess.run(
        [sys.executable, "-I", "-c", textwrap.dedent(PREDICT), tmp_path, ",".join(models)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.strip() == ",".join(models), done.stderr


def _local_params(model):
    params = model.get_params()
    return {name: params[name] for name in params if name.endswith("cache_dir")}


def test_what_was_learned_comes_back(tmp_path, fitted_classifier, colour_images):
    path = tmp_path / "model.skposter"
    skposter.save(fitted_classifier, path)
    loaded = skposter.load(path)
    params, before = loaded.get_params(), fitted_classifier.get_params()
    assert repr(params.pop("network")) == repr(before.pop("network"))
    assert params == before
    for name in ("label_names_", "classes_", "label_frequencies_", "validation_indices_"):
        before, after = getattr(fitted_classifier, name), getattr(loaded, name)
        np.testing.assert_array_equal(after, before)
        assert after.dtype == before.dtype
    for name in ("history_", "n_iter_", "image_shape_", "recipe_"):
        assert getattr(loaded, name) == getattr(fitted_classifier, name)
    for objective in ("f1_macro", "hamming"):  # chosen on the validation part, which is kept
        np.testing.assert_array_equal(
            loaded.set_params(threshold=objective).thresholds_,
            skposter.load(path).set_params(threshold=objective).thresholds_,
        )
    before = loaded.predict_proba(colour_images[0])
    loaded.set_params(threshold=0.5, warm_start=True, epochs=1).fit(*colour_images)
    assert loaded.n_iter_ == fitted_classifier.n_iter_ + 1
    assert not np.array_equal(loaded.predict_proba(colour_images[0]), before)


def test_equal_models_give_equal_files_hardly_larger_than_their_weights(
    tmp_path, tiny_classifier, colour_images
):
    classifier = tiny_classifier(network="small_cnn", epochs=1).fit(*colour_images)
    first, second = tmp_path / "a" / "model.skposter", tmp_path / "b" / "model.skposter"
    for path in (first, second):
        path.parent.mkdir()
    skposter.save(classifier, first)
    skposter.save(skposter.load(first), second)
    assert first.read_bytes() == second.read_bytes()
    weights = sum(array.nbytes for array in classifier.keras_classifier_.network_.variables)
    assert first.stat().st_size < 1.05 * weights


def test_the_arrays_are_in_the_safetensors_format(tmp_path, fitted_classifier):
    path = tmp_path / "model.skposter"
    skposter.save(fitted_classifier, path)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["manifest.json", "arrays.safetensors", "README.md"]
        data = archive.read("arrays.safetensors")
    arrays = safetensors.numpy.load(data)
    kernel = fitted_classifier.model_.get_layer("conv_1").kernel.numpy()
    np.testing.assert_array_equal(arrays["model.network/0000.conv_1/kernel"], kernel)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda clf: clf.set_params(loss=lambda y, p: p),
            "loss is .*lambda.*set_params\\(loss='bi",
        ),
        (lambda clf: clf.set_params(callbacks=[object()]), "callbacks is .*set_params\\(callbacks"),
        (lambda clf: clf.set_params(network=lambda meta: None), "network is .*joblib.dump"),
        (
            lambda clf: clf.set_params(random_state=np.random.RandomState(0)),
            "random_state is RandomState",
        ),
        (lambda clf: clf.set_params(threshold=[0.5, 0.5, np.nan]), "threshold.*nan|NaN"),
        (
            lambda clf: make_pipeline(StandardScaler(), clf),
            "model.0. is a sklearn.*StandardScaler.*job",
        ),
        (lambda clf: LogisticRegression(), "LogisticRegression"),
        (lambda clf: _search(clf), "best_estimator_"),
        (lambda clf: _with_attribute(clf), "attribute 'extra_' .* no place in the format"),
    ],
)
def test_what_cannot_be_saved_is_refused_by_name_and_nothing_is_written(
    make, message, tmp_path, fitted_classifier
):
    model = make(skposter.load(_saved(fitted_classifier, tmp_path)))
    path = tmp_path / "refused.skposter"
    path.write_text("what was there")
    with pytest.raises((ArtifactError, ValueError), match=message):
        skposter.save(model, path)
    assert path.read_text() == "what was there"
    assert sorted(os.listdir(tmp_path)) == ["model.skposter", "refused.skposter"]


def _saved(model, folder):
    skposter.save(model, folder / "model.skposter")
    return folder / "model.skposter"


def _search(classifier):
    search = GridSearchCV(classifier, {"threshold": [0.5]})
    search.best_estimator_ = classifier
    return search


def _with_attribute(classifier):
    classifier.extra_ = 1
    return classifier


def test_an_unfitted_model_is_refused(tmp_path, tiny_classifier):
    for model in [tiny_classifier(), make_pipeline(ImageLoader(), tiny_classifier())]:
        with pytest.raises(NotFittedError, match="MultiLabelImageClassifier is not fitted"):
            skposter.save(model, tmp_path / "model.skposter")


def test_a_folder_that_is_not_there_is_named(tmp_path, fitted_classifier):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        skposter.save(fitted_classifier, tmp_path / "nowhere" / "model.skposter")
    with pytest.raises(FileNotFoundError):
        skposter.load(tmp_path / "nowhere" / "model.skposter")


def test_a_model_that_comes_back_differently_is_not_written(
    tmp_path, fitted_classifier, monkeypatch
):
    restored = skposter.persistence._save_load._restored

    def something_else(manifest, arrays):
        model, libraries = restored(manifest, arrays)
        model.tta = "flip"
        return model, libraries

    monkeypatch.setattr("skposter.persistence._save_load._restored", something_else)
    with pytest.raises(ArtifactError, match="predicts differently"):
        skposter.save(fitted_classifier, tmp_path / "model.skposter")
    assert not os.listdir(tmp_path)


def test_other_library_versions_warn(tmp_path, fitted_classifier, monkeypatch):
    then = {
        **library_versions(),
        "skposter": "0.0.1",
        "pillow": "9.5.0",
    }
    monkeypatch.setattr("skposter.persistence._save_load.library_versions", lambda: then)
    message = "The model in .* was saved with skposter 0.0.1 .*, pillow 9.5.0"
    path = _saved(fitted_classifier, tmp_path)
    with pytest.warns(InconsistentVersionWarning, match=message):
        skposter.load(path)


def test_the_card_says_what_matters(tmp_path, fitted_classifier, colour_labels):
    path = tmp_path / "model.skposter"
    skposter.save(
        fitted_classifier, path, scores={"macro F1, test.csv": 0.25}, description="Sorts colours."
    )
    card = read_card(path)
    _, front, text = card.split("---\n", 2)
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    metadata = yaml.safe_load(front)
    assert metadata["library_name"] == "skposter"
    assert metadata["pipeline_tag"] == "image-classification"
    (result,) = metadata["model-index"][0]["results"]
    assert result["metrics"][0]["value"] == 0.25
    n_images = len(colour_labels) - len(fitted_classifier.validation_indices_)
    for part in [
        "Sorts colours.",
        "skposter.load(",
        f"{n_images} images, brought to 16 x 16 pixels",
        "| macro F1, test.csv | 0.25 |",
        "| skill ",
        "| model | label frequencies |",
        "All thresholds are 0.5.",
        "Fewer than 50 training images show",
        "sha256:",
    ]:
        assert part in text
    counts = colour_labels.drop(index=fitted_classifier.validation_indices_).sum()
    assert f"| green | {counts['green']} |" in text


def test_names_of_labels_stay_text_in_the_card(tmp_path, tiny_classifier, colour_images):
    names = ["a|b", "<script>", "--- \n---"]
    labels = pd.DataFrame(colour_images[1], columns=names)
    classifier = tiny_classifier(epochs=1).fit(colour_images[0], labels)
    path = _saved(classifier, tmp_path)
    assert skposter.load(path).label_names_.tolist() == names
    text = read_card(path).split("---\n", 2)[2]
    assert "<script>" not in text
    assert "a&#124;b" in text
    assert "--- ---" in text


def keras_objects():
    losses, optimizers = keras.losses, keras.optimizers
    schedules = optimizers.schedules
    return {
        "loss": [
            losses.BinaryFocalCrossentropy(gamma=3.0, name="mine"),
            losses.Dice(axis=0),
            losses.binary_crossentropy,
            AsymmetricLoss(gamma_negative=2.0),
        ],
        "optimizer": [
            optimizers.Adam(0.01, clipnorm=1.0),
            optimizers.SGD(schedules.CosineDecay(0.1, 100), momentum=0.9),
            optimizers.LossScaleOptimizer(optimizers.AdamW(schedules.PolynomialDecay(0.1, 9))),
        ],
    }


def test_losses_and_optimizers_of_keras_go_round(tmp_path, fitted_classifier):
    def description(value):
        config = value if not hasattr(value, "get_config") else value.get_config()
        # Keras numbers the names of optimizers: adam, adam_1, sgd3.
        return type(value), re.sub(r"'name': '(adam|sgd|loss_scale)\w*'|_\d", "", str(config))

    for name, values in keras_objects().items():
        for value in values:
            model = copy.deepcopy(fitted_classifier).set_params(**{name: value})
            loaded = getattr(skposter.load(_saved(model, tmp_path)), name)
            assert description(loaded) == description(value)


class OwnSchedule(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.1

    def get_config(self):
        return {}


def test_classes_of_ones_own_are_no_objects_of_keras(tmp_path, fitted_classifier):
    class Own(keras.losses.BinaryCrossentropy):
        pass

    for params, message in [
        ({"loss": Own()}, "loss is .*Own, code of your own"),
        ({"optimizer": keras.optimizers.SGD(OwnSchedule())}, "learning_rate is .*code of your own"),
    ]:
        model = copy.deepcopy(fitted_classifier).set_params(**params)
        with pytest.raises(ArtifactError, match=message):
            skposter.save(model, tmp_path / "model.skposter")


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"class": "os.system", "arguments": {}}, "'os.system' is no class"),
        ({"class": "keras.losses.Loss", "arguments": {}}, "is no class"),
        ({"class": "keras.losses.deserialize", "arguments": {}}, "is no class"),
        ({"class": "keras.losses.binary_crossentropy", "arguments": {}}, "is no class"),
        ({"class": "keras.losses.Huber", "arguments": {"config": 1}}, "no argument 'config'"),
        ({"class": "keras.losses.Huber", "arguments": {"reduction": 3}}, "refuses its arguments"),
        ({"class": "keras.losses.Huber", "arguments": {"delta": {}}}, "expected"),
        ({"class": "keras.losses.Huber"}, "expected .'arguments', 'class'"),
        ({"function": "keras.losses.deserialize"}, "is no function"),
        ({"function": "keras.losses.Huber"}, "is no function"),
        ({"function": ["os.system"]}, "is no function"),
    ],
)
def test_a_file_names_only_what_is_known(node, message):
    with pytest.raises(ArtifactError, match=message):
        restore_keras_object(node, "loss")


def test_objects_within_objects_end():
    node = {"class": "keras.optimizers.Adam", "arguments": {}}
    for _ in range(5):
        inner = {"inner_optimizer": node}
        node = {"class": "keras.optimizers.LossScaleOptimizer", "arguments": inner}
    with pytest.raises(ArtifactError, match="is no class that a file may name"):
        restore_keras_object(node, "optimizer")


def test_parameters_as_people_write_them_go_round(tmp_path, fitted_classifier, tiny_classifier):
    X, y = np.zeros((20, 16, 16, 3), np.uint8), np.tile([[0, 1], [1, 0]], (10, 1))
    numbered = tiny_classifier(epochs=1, validation_fraction=0).fit(X, y)
    for params in (
        {"threshold": {0: 0.3}},
        {"threshold": {np.int64(1): np.float32(0.25)}},
        {"threshold": np.array([0.25, 0.75])},
        {"threshold": np.float64(0.3), "min_labels": np.int64(1)},
        {"pos_weight": {0: 2.0, 1: 1.0}},
        {"random_state": np.int64(3)},
    ):
        model = copy.deepcopy(numbered).set_params(**params)
        loaded = skposter.load(_saved(model, tmp_path))
        np.testing.assert_array_equal(loaded.thresholds_, model.thresholds_)
        for name, value in params.items():
            found = getattr(loaded, name)
            if isinstance(value, dict):
                assert found == {int(key): float(item) for key, item in value.items()}
                assert {type(key) for key in found} == {int}
            else:
                np.testing.assert_array_equal(found, value)
    wrapped = FixedThresholdsClassifier(FrozenEstimator(numbered), threshold={1: 0.9}).fit(X, y)
    loaded = skposter.load(_saved(wrapped, tmp_path))
    assert loaded.thresholds_.tolist() == [0.5, 0.9]
    named = copy.deepcopy(fitted_classifier).set_params(threshold={"green": 0.125, "__items__": 1})
    path = tmp_path / "refused.skposter"
    with pytest.raises(ValueError, match="__items__"):
        skposter.save(named, path)


def test_the_card_names_its_file(tmp_path, fitted_classifier):
    name = 'my "best" model \N{SNOWMAN}.skposter'
    skposter.save(fitted_classifier, tmp_path / name)
    card = read_card(tmp_path / name)
    (line,) = [line for line in card.splitlines() if "skposter.load(" in line]
    namespace = {"load": lambda path: path}
    assert eval(line.partition("skposter.")[2], namespace) == name
    again = tmp_path / "renamed \\1.skposter"
    (tmp_path / name).rename(again)
    (line,) = [line for line in read_card(again).splitlines() if "skposter.load(" in line]
    assert eval(line.partition("skposter.")[2], namespace) == again.name
    assert 'joblib.load("m.joblib")' in model_card(fitted_classifier, file_name="m.joblib")
