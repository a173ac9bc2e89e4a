"""Exported models without TensorFlow: they decode, predict and refuse as the pipelines do."""

import io
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import get_scorer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

import skposter
from skposter import FixedThresholdsClassifier, ImageLoader, TunedThresholdsClassifierCV
from skposter.commands import main
from skposter.exceptions import ArtifactError, ImageLoadError, ImageLoadWarning

onnx = pytest.importorskip("onnx")
pytest.importorskip("tf2onnx")
pytest.importorskip("onnxruntime")


def files_of(folder, n=12, size=(40, 24)):
    """Write images of several kinds, one of them turned by EXIF, one transparent."""
    rng = np.random.default_rng(3)
    paths = []
    for i in range(n):
        image = Image.fromarray(rng.integers(0, 255, size=(*size, 3), dtype=np.uint8))
        if i % 4 == 1:
            image.putalpha(Image.fromarray(rng.integers(0, 255, size=size, dtype=np.uint8)))
        path = folder / f"{i}.{('jpg', 'png', 'webp', 'tif')[i % 4]}"
        exif = Image.Exif()
        exif[0x0112] = 6
        image.save(path, exif=exif) if i % 4 == 0 else image.save(path)
        paths.append(str(path))
    return paths


LOADERS = {
    "pad": ImageLoader(size=(16, 16), resize="pad", background=(9, 120, 30), exact=True),
    "crop": ImageLoader(size=(16, 16), resize="crop", resample="lanczos", on_error="blank"),
    "small": ImageLoader(size=(16, 16), max_pixels=1000, max_bytes=3000, formats=("JPEG", "PNG")),
}


@pytest.fixture(scope="module")
def pipelines(tiny_classifier, colour_images, tmp_path_factory):
    """Pairs of a pipeline and its exported file, by the loader and what is around it."""
    folder = tmp_path_factory.mktemp("onnx")
    X, y = colour_images[0], pd.DataFrame(colour_images[1], columns=["red", "green", "blå"])
    fitted = tiny_classifier(epochs=4, tta="flip").fit(X, y)
    frozen = FrozenEstimator(fitted)
    models = {
        "pad": make_pipeline(
            LOADERS["pad"],
            FixedThresholdsClassifier(frozen, threshold={"green": 0.25, "blå": np.inf}),
        ),
        "crop": TunedThresholdsClassifierCV(
            make_pipeline(LOADERS["crop"], frozen), cv="prefit", refit=False, objective="f1_macro"
        ),
        "small": make_pipeline(LOADERS["small"], fitted),
        "arrays": FixedThresholdsClassifier(frozen, threshold=0.9, min_labels=2),
    }
    pairs = {}
    for name, model in models.items():
        model = model if name == "small" else model.fit(X, y)
        path = folder / f"{name}.onnx"
        skposter.export(model, path)
        pairs[name] = model, path
    return pairs


def as_bytes(path):
    with open(path, "rb") as file:
        return file.read()


def as_images(paths):
    images = [Image.open(path) for path in paths]
    for image in images:
        image.load()
    return images


def names_and_best(model, X):
    """Return what is predicted, and the names of the two best, of a model or a pipeline."""
    if isinstance(model, Pipeline):
        model, X = model[-1], model[:-1].transform(X)
    return model.predict_labels(X), [[name for name, _ in row] for row in model.top_labels(X, 2)]


@pytest.mark.parametrize("name", ["pad", "crop"])
def test_paths_bytes_and_arrays_are_predicted_as_the_pipeline_does(name, pipelines, tmp_path):
    model, path = pipelines[name]
    predictor = skposter.load_onnx(path)
    paths = files_of(tmp_path)
    rng = np.random.default_rng(0)
    for X in (
        paths,
        np.array(paths),
        pd.Series(paths),
        [as_bytes(each) for each in paths],
        as_images(paths),
        rng.integers(0, 255, size=(40, 30, 20, 3), dtype=np.uint8),
        [rng.integers(0, 255, size=(9, 11), dtype=np.uint8), paths[1]],
        [],
    ):
        loader = LOADERS[name]
        np.testing.assert_array_equal(predictor.load_images(X), loader.transform(X))
        if not len(X):
            continue
        expected = model.predict_proba(X)
        found = predictor.predict_proba(X)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-5)
        np.testing.assert_array_equal(predictor.predict(X), model.predict(X))
        assert names_and_best(predictor, X) == names_and_best(model, X)
    assert predictor.predict_proba([]).shape == (0, 3)
    assert predictor.predict(X=[paths[0]]).dtype == np.int64
    np.testing.assert_array_equal(predictor.label_names_, ["red", "green", "blå"])


def test_without_a_loader_arrays_of_one_shape_are_taken(pipelines, colour_images):
    model, path = pipelines["arrays"]
    predictor = skposter.load_onnx(path)
    X = colour_images[0]
    np.testing.assert_allclose(predictor.predict_proba(X), model.predict_proba(X), atol=1e-5)
    np.testing.assert_array_equal(predictor.predict(X), model.predict(X))
    assert (predictor.predict(X).sum(axis=1) >= 2).all()
    for wrong in (["a.jpg"], "a.jpg", X[:, :8], X.astype(float), X[0]):
        with pytest.raises(ValueError, match=r"takes a uint8 array of shape \(n_samples, 16, 16"):
            predictor.predict_proba(wrong)


def test_files_are_checked_as_the_loader_checks_them(pipelines, tmp_path):
    model, path = pipelines["small"]
    predictor = skposter.load_onnx(path)
    good, big, page, long, odd = (tmp_path / f"{name}.png" for name in "abcde")
    Image.new("RGB", (20, 20)).save(good)
    Image.new("RGB", (100, 100)).save(big)
    page.write_text("<!doctype html>")
    long.write_bytes(good.read_bytes() + bytes(4000))
    Image.new("RGB", (20, 20)).save(odd, format="BMP")
    X = list(map(str, (good, big, page, long, odd, tmp_path / "missing.png")))
    with pytest.raises(ImageLoadError) as ours:
        predictor.predict(X)
    with pytest.raises(ImageLoadError) as theirs:
        model.predict(X)
    assert str(ours.value) == str(theirs.value)
    assert [index for index, _, _ in ours.value.failures] == [1, 2, 3, 4, 5]
    for wrong in ("a.png", b"bytes", [None]):
        with pytest.raises((TypeError, ImageLoadError)) as ours:
            predictor.predict(wrong)
        with pytest.raises(type(ours.value)) as theirs:
            model.predict(wrong)
        assert str(ours.value) == str(theirs.value)


def test_bad_images_are_grey_where_the_loader_makes_them_so(pipelines, tmp_path):
    model, path = pipelines["crop"]
    with pytest.warns(ImageLoadWarning, match="missing"):
        found = skposter.load_onnx(path).predict_proba([tmp_path / "missing.jpg"])
    with pytest.warns(ImageLoadWarning, match="missing"):
        expected = model.predict_proba([tmp_path / "missing.jpg"])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_only_onnxruntime_pillow_and_numpy_are_imported(pipelines, tmp_path, run_python):
    paths = files_of(tmp_path, 4)
    script = """
        import sys
        import skposter

        predictor = skposter.load_onnx(sys.argv[1])
        assert len(predictor.predict_labels(sys.argv[2:])) == 4
        from skposter.commands import main
        assert main(["predict", *sys.argv[1:]]) == 0
        heavy = ["sklearn", "scipy", "pandas", "joblib", "tensorflow", "keras", "filelock",
                 "scikeras", "tqdm", "matplotlib", "safetensors", "cloudpickle", "onnx"]
        assert [name for name in heavy if name in sys.modules] == []
        """
    done = run_python(script, pipelines["pad"][1], *paths)
    assert "0.jpg" in done.stdout


def test_a_predictor_is_a_classifier_for_scikit_learn(pipelines, colour_images):
    model, path = pipelines["pad"]
    predictor = skposter.load_onnx(path)
    X, y = colour_images
    classifier = predictor.as_estimator()
    assert clone(classifier) is classifier
    assert classifier.fit(X, y) is classifier
    assert "OnnxPredictor" in repr(classifier)
    named = pd.DataFrame(y, columns=model[-1].label_names_)
    assert classifier.score(X, named) == model.score(X, named)
    for scorer in ("f1_micro", "average_precision"):
        expected = get_scorer(scorer)(model, X, y)
        assert get_scorer(scorer)(classifier, X, y) == pytest.approx(expected, abs=1e-6)
    tuned = TunedThresholdsClassifierCV(classifier, cv="prefit", refit=False).fit(X, named)
    assert list(tuned.label_names_) == ["red", "green", "blå"]
    assert tuned.score(X, named) > 0.5
    again = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(again.predict(X), classifier.predict(X))
    assert again.classes_.shape == (3, 2)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        classifier.nothing  # noqa: B018


def test_a_step_that_is_not_in_the_file_is_named(tiny_classifier, colour_images, tmp_path):
    X, y = colour_images
    model = make_pipeline(
        ImageLoader(size=(16, 16)), FunctionTransformer(), "passthrough", tiny_classifier(epochs=1)
    )
    skposter.export(model.fit(X, y), tmp_path / "model.onnx")
    with pytest.raises(
        ArtifactError, match=r"other steps before its network .*FunctionTransformer"
    ):
        skposter.load_onnx(tmp_path / "model.onnx")


def test_an_average_is_refused_when_it_is_exported(tiny_classifier, colour_images, tmp_path):
    average = skposter.AveragingClassifier(tiny_classifier(epochs=1), n_estimators=2)
    average.fit(*colour_images)
    with pytest.raises(ArtifactError, match="averages several networks"):
        skposter.export(average, tmp_path / "model.onnx")


# --- files that are something else ----------------------------------------------------------------


def test_what_is_no_such_file_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no model file .*missing\.onnx"):
        skposter.load_onnx(tmp_path / "missing.onnx")
    with pytest.raises(ArtifactError, match="a folder or a device"):
        skposter.load_onnx(tmp_path)
    for content in (b"", b"no", b"\x08\x01" * 100, bytes(10_000)):
        path = tmp_path / "model.onnx"
        path.write_bytes(content)
        with pytest.raises(ArtifactError, match=r"model\.onnx.* is not a model that can be used"):
            skposter.load_onnx(path)


def test_a_truncated_file_is_told(pipelines, tmp_path):
    content = pipelines["pad"][1].read_bytes()
    for length in (10, len(content) // 2, len(content) - 1):
        path = tmp_path / "model.onnx"
        path.write_bytes(content[:length])
        with pytest.raises(ArtifactError, match="is not a model that can be used"):
            skposter.load_onnx(path)


@pytest.fixture
def forged(pipelines, tmp_path):
    """A function that writes the exported file with other metadata, and returns its path."""

    def forge(**changed):
        network = onnx.load(pipelines["pad"][1])
        said = {entry.key: entry.value for entry in network.metadata_props}
        for name, value in changed.items():
            if name == "image":
                value = json.dumps({**json.loads(said["image"]), **value})
            said[name] = value if isinstance(value, str) else json.dumps(value)
            if value is None:
                del said[name]
        onnx.helper.set_model_props(network, said)
        onnx.save(network, tmp_path / "forged.onnx")
        return tmp_path / "forged.onnx"

    return forge


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"labels": None}, "no labels in its metadata"),
        ({"labels": ["a", "b"]}, "expected 2 numbers"),
        ({"labels": ["a", "a", "b"]}, "not all different"),
        ({"labels": ["a", 1, "b"]}, "neither all texts nor all integers"),
        ({"labels": "[1"}, "labels: not JSON"),
        ({"labels": '["a"], "other": ["b"]'}, "labels: not JSON"),
        ({"labels": "[" * 100_000}, "labels: not JSON"),
        ({"labels": ["a", "b", "c", "d"]}, "expected 4 numbers"),
        ({"thresholds": [0.1, 0.2]}, "expected 3 numbers"),
        ({"thresholds": "[NaN, 0.1, 0.2]"}, "not a number that can be used"),
        ({"min_labels": 4}, "expected 0 to 3"),
        ({"min_labels": True}, "expected 0 to 3"),
        ({"label_frequencies": [1, 2, "x"]}, "expected 3 numbers"),
        ({"image": {"height": 10**9}}, "larger than a file may ask for"),
        ({"image": {"height": 17}}, r"takes images of shape \(16, 16, 3\)"),
        ({"image": {"channels": 1}}, "mode RGB has no 1 channels"),
        ({"image": {"width": "16"}}, "no shape of uint8 images"),
        ({"image": {"dtype": "float32"}}, "no shape of uint8 images"),
        ({"image": {"mode": "CMYK"}}, "mode is 'CMYK'"),
        ({"image": {"exact": 1}}, "exact is 1"),
        ({"image": {"resample": ["box"]}}, "resample is"),
        ({"image": {"background": [0, 0, 256]}}, "background is"),
        ({"image": {"formats": ["EPS"]}}, "formats may not contain EPS"),
        ({"image": {"formats": ["JPEG", "WORD"]}}, "formats must name formats that Pillow reads"),
        ({"image": {"max_pixels": 10**12}}, "max_pixels is"),
        ({"image": "[]"}, "image is"),
    ],
)
def test_forged_metadata_are_refused(changed, message, forged):
    if changed.get("image") == "[]":
        changed = {"image": {}}
        path = forged()
        network = onnx.load(path)
        for entry in network.metadata_props:
            entry.value = "[]" if entry.key == "image" else entry.value
        onnx.save(network, path)
    else:
        path = forged(**changed)
    with pytest.raises(ArtifactError, match=message):
        skposter.load_onnx(path)


def network_of(input_shape, output_shape, dtype=None):
    """Return an ONNX network that gives constant output, with metadata for 3 labels."""
    helper, types = onnx.helper, onnx.TensorProto
    images = helper.make_tensor_value_info("images", dtype or types.UINT8, input_shape)
    output = helper.make_tensor_value_info("output", types.FLOAT, output_shape)
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=types.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["means"], axes=[1, 2], keepdims=0),
        helper.make_node("Div", ["means", "means"], ["output"]),
    ]
    graph = helper.make_graph(nodes, "graph", [images], [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    image = {"height": 4, "width": 4, "channels": 3, "dtype": "uint8"}
    said = {
        "labels": ["a", "b", "c"],
        "thresholds": [0.5, 0.5, 0.5],
        "min_labels": 0,
        "label_frequencies": [0.5, 0.5, 0.5],
        "image": image,
    }
    helper.set_model_props(model, {name: json.dumps(value) for name, value in said.items()})
    file = io.BytesIO()
    onnx.save(model, file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (([None, 4, 4], [None, 3]), "any number of uint8 images"),
        (([1, 4, 4, 3], [1, 3]), "any number of uint8 images"),
        (([None, 4, 5, 3], [None, 3]), "takes images of shape"),
        (([None, 4, 4, None], [None, 4]), "for the 3 labels"),
        (([None, 4, 4, 3], [None, 3], 1), "any number of uint8 images"),
    ],
)
def test_networks_of_another_shape_are_refused(network, message, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(network_of(*network))
    with pytest.raises(ArtifactError, match=message):
        skposter.load_onnx(path)


def test_what_is_no_probability_is_refused(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(network_of([None, 4, 4, 3], [None, 3]))
    predictor = skposter.load_onnx(path)
    assert predictor.predict_proba(np.ones((2, 4, 4, 3), np.uint8)).tolist() == [[1.0] * 3] * 2
    with pytest.raises(ArtifactError, match="not finite"):
        predictor.predict_proba(np.zeros((2, 4, 4, 3), np.uint8))


def test_a_missing_onnxruntime_is_named(pipelines, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"pip install 'skposter\[onnxruntime\]'"):
        skposter.load_onnx(pipelines["pad"][1])


# --- the command ----------------------------------------------------------------------------------


def test_the_command_predicts_with_an_exported_model(pipelines, tmp_path, capsys):
    paths = files_of(tmp_path, 4)
    model, path = pipelines["pad"]
    assert main(["predict", str(path), *paths, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [tuple(each["labels"]) for each in found] == names_and_best(model, paths)[0]
    assert [each["image"] for each in found] == paths
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8nothing")
    assert main(["predict", str(path), str(tmp_path), "-q"]) == 1
    assert "bad.jpg" in capsys.readouterr().err


def test_without_dependencies_the_command_says_what_is_missing(pipelines, tmp_path, run_python):
    path = pipelines["pad"][1]
    paths = files_of(tmp_path, 4)
    script = """
        import sys
        from skposter.commands import main

        for name in ("pandas", "sklearn", "scipy", "tqdm", "joblib"):
            sys.modules[name] = None
        assert main(["predict", *sys.argv[1:]]) == 0
        assert main(["predict", sys.argv[1], "."]) == 2
        assert main(["predict", "model.skposter", sys.argv[2]]) == 2
        """
    (tmp_path / "model.skposter").write_bytes(b"PK")
    done = run_python(script, path, *paths)
    pandas, sklearn = done.stderr.splitlines()
    assert "this needs pandas, and skposter was installed without its dependencies" in pandas
    assert "this needs sklearn" in sklearn


def test_commands_that_need_the_model_say_so(pipelines, tmp_path, capsys):
    path = str(pipelines["pad"][1])
    assert main(["export", path, "-o", str(tmp_path / "model.keras")]) == 2
    assert "expected the model that it was exported from" in capsys.readouterr().err
    (tmp_path / "no.onnx").write_bytes(b"no")
    assert main(["predict", str(tmp_path / "no.onnx"), path]) == 2
    assert "is not a model that can be used" in capsys.readouterr().err
