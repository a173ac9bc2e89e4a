"""Files that are not what they say: each is refused, and none runs code, hangs or takes memory."""

import contextlib
import copy
import hashlib
import json
import os
import pickle
import struct
import tracemalloc
import warnings
import zipfile
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pytest
from platforms import needs_pipes
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline, make_pipeline

import skposter
from skposter import ImageLoader, TunedThresholdsClassifierCV
from skposter._files.safetensors import pack_arrays, unpack_arrays
from skposter._keras.shapes import shapes_of
from skposter._training.keras_fit import untrained_network
from skposter.averaging import AveragingClassifier
from skposter.exceptions import ArtifactError, TrainingDivergedError
from skposter.networks import Pretrained
from skposter.persistence import read_card
from skposter.persistence._container import (
    ARRAYS,
    CARD,
    FORMAT_VERSION,
    read_container,
    write_container,
)

MEMORY = 200 * 2**20


@pytest.fixture(scope="module")
def model_file(tmp_path_factory, fitted_classifier):
    path = tmp_path_factory.mktemp("models") / "model.skposter"
    skposter.save(fitted_classifier, path)
    return path


@pytest.fixture
def forge(model_file, tmp_path):
    """A function that writes the model after changing it, with hashes that are right."""

    def forge(change, model_file=model_file):
        manifest, members = read_container(model_file)
        manifest = copy.deepcopy(manifest)
        arrays = dict(unpack_arrays(members[ARRAYS]))
        change(manifest, arrays)
        path = tmp_path / "forged.skposter"
        card = members[CARD].decode()
        write_container(path, manifest, pack_arrays(arrays), card, lambda path: None)
        return path

    return forge


@pytest.fixture(autouse=True)
def little_memory():
    """Fail if the process ever holds much more than at the beginning of the test."""
    status = Path("/proc/self/status")
    if not status.exists():
        yield
        return
    Path("/proc/self/clear_refs").write_text("5")  # the peak is that of now
    before = _peak(status)
    yield
    assert _peak(status) - before < MEMORY


def _peak(status):
    (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


class Attack:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


def test_pickles_are_refused_and_not_run(tmp_path):
    marker = tmp_path / "marker"
    files = [tmp_path / name for name in ("a.skposter", "b.skposter", "c.skposter")]
    files[0].write_bytes(pickle.dumps(Attack(marker)))
    joblib.dump(Attack(marker), files[1], compress=3)
    with files[2].open("wb") as file:
        np.save(file, np.array([Attack(marker)]), allow_pickle=True)
    for path, message in zip(
        files, ["looks like a pickle", "looks like a pickle", "not a model"], strict=True
    ):
        with pytest.raises(ArtifactError, match=message):
            skposter.load(path)
    assert not marker.exists()


def test_a_pickle_inside_is_not_run(tmp_path, model_file):
    marker = tmp_path / "marker"
    manifest, members = read_container(model_file)
    path = tmp_path / "forged.skposter"
    arrays = pickle.dumps(Attack(marker))
    write_container(path, manifest, arrays, members[CARD].decode(), lambda path: None)
    with pytest.raises(ArtifactError, match="Arrays: "):
        skposter.load(path)
    assert not marker.exists()


@needs_pipes
def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in [tmp_path / "pipe", Path("/dev/zero")]:
        with pytest.raises(ArtifactError, match="not a regular file"):
            skposter.load(path)
    with pytest.raises(IsADirectoryError):
        skposter.load(tmp_path)
    (tmp_path / "empty").touch()
    with pytest.raises(ArtifactError, match="not a model"):
        skposter.load(tmp_path / "empty")


def rewrite(model_file, path, *, compression=zipfile.ZIP_STORED, renamed=None, extra=None):
    """Write the members of a model into another archive."""
    with zipfile.ZipFile(model_file) as old, zipfile.ZipFile(path, "w", compression) as new:
        for name in old.namelist():
            new.writestr((renamed or {}).get(name, name), old.read(name))
        for name, data in (extra or {}).items():
            new.writestr(name, data)
        new.comment = old.comment
    return path


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"extra": {"../../evil.py": b"x"}}, "members .*evil.py.* not a model's"),
        ({"extra": {"/etc/cron.d/evil": b"x"}}, "members"),
        ({"extra": {"model.pkl": b"x"}}, "members"),
        ({"renamed": {"README.md": "manifest.json"}}, "members"),
        ({"renamed": {"README.md": "readme.md"}}, "members"),
        ({"compression": zipfile.ZIP_DEFLATED}, "compressed"),
        ({"compression": zipfile.ZIP_LZMA}, "compressed"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_archives_of_other_members_are_refused(model_file, tmp_path, options, message):
    path = rewrite(model_file, tmp_path / "other.skposter", **options)
    with pytest.raises(ArtifactError, match=message):
        skposter.load(path)
    assert os.listdir(tmp_path) == ["other.skposter"]


def test_a_zip_bomb_is_not_unpacked(model_file, tmp_path):
    path = tmp_path / "bomb.skposter"
    with (
        zipfile.ZipFile(model_file) as old,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        new.writestr("manifest.json", old.read("manifest.json"))
        new.writestr("README.md", old.read("README.md"))
        with new.open("arrays.safetensors", "w") as member:
            for _ in range(16):  # 512 MB
                member.write(bytes(2**25))
        new.comment = old.comment
    assert path.stat().st_size < 2**21
    with pytest.raises(ArtifactError, match="compressed"):
        skposter.load(path)
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x01\x02", 10), (b"PK\x03\x04", 8)):
        start = 0
        while (start := data.find(signature, start)) >= 0:
            data[start + offset : start + offset + 2] = struct.pack("<H", zipfile.ZIP_STORED)
            start += 4
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match=r"compressed|damaged"):
        skposter.load(path)


def classifier_of(manifest):
    return manifest["model"]["params"], manifest["model"]["fitted"]


def setting(name, value):
    return lambda manifest, arrays: manifest["model"]["params"].__setitem__(name, value)


def fitted(name, value):
    return lambda manifest, arrays: manifest["model"]["fitted"].__setitem__(name, value)


def network(name, value):
    return lambda manifest, arrays: manifest["model"]["params"]["network"]["params"].__setitem__(
        name, value
    )


def network_of(name, value):
    return lambda manifest, arrays: manifest["model"]["params"]["network"].__setitem__(name, value)


def pretrained(**params):
    """Return the description of a network of keras.applications."""
    defaults = Pretrained("mobilenet", weights=None).get_params()
    return {"kind": "Pretrained", "params": {**defaults, **params}}


def recipe(name, value):
    return lambda manifest, arrays: manifest["model"]["fitted"]["recipe"].__setitem__(name, value)


def top(name, value):
    return lambda manifest, arrays: manifest.__setitem__(name, value)


def both(one, other):
    return lambda manifest, arrays: (one(manifest, arrays), other(manifest, arrays))


def array(part, change):
    def change_one(manifest, arrays):
        (name,) = [name for name in arrays if part in name]
        arrays[name] = change(arrays[name])

    return change_one


FORGERIES = {
    # parameters that would take memory or time
    "wide": (network("filters", [10_000]), "expected"),
    "wider": (network("filters", [10**7]), "filters is 10000000, and a file may ask for"),
    "deep": (network("filters", [8] * 1000), "filters has 1000 entries"),
    "dense": (network("dense_units", 1_000_000), "arrays of the network"),
    "batch": (setting("batch_size", 10**9), "batch_size is 1000000000"),
    "huge images": (fitted("image_shape", [8192, 8192, 3]), "image_shape .* cannot be used"),
    "large images": (fitted("image_shape", [2048, 2048, 64]), "bytes for a batch of 1,"),
    "large batches": (
        both(fitted("image_shape", [256, 256, 3]), setting("batch_size", 65_536)),
        "bytes for a batch of 65536",
    ),
    "n_iter": (fitted("n_iter", -1), "n_iter is -1"),
    "larger images": (fitted("image_shape", [10**6, 10**6, 3]), "image_shape"),
    "no images": (fitted("image_shape", [16, 0, 3]), "image_shape"),
    "many epochs": (fitted("n_iter", "many"), "n_iter is of type str"),
    # code
    "class": (top("model", {"type": "os.system", "params": {}}), "unknown type 'os.system'"),
    "network": (setting("network", "users.module"), "network 'users.module' is none of"),
    "memory": (setting("memory", "/tmp/cache"), "no parameter 'memory' that could be saved"),
    "network class": (network_of("kind", "os.system"), "network 'os.system' is none of"),
    "network without a name": (setting("network", None), "the network has no name"),
    "more than a network": (network_of("code", "x"), "has .*'code'"),
    "weights of this machine": (
        setting("network", pretrained(weights="/etc/passwd")),
        "cannot be built|arrays of the network|weights",
    ),
    "keras config": (fitted("config", "{}"), "has .*'config'"),
    "unknown parameter": (setting("pickle", "x"), "no parameter 'pickle'"),
    "wrong parameter": (setting("epochs", "many"), "'epochs' parameter"),
    "network option": (network("layers", 3), "SmallCNN has no parameter 'layers'"),
    "wrong network option": (network("pooling", "sum"), "'pooling' parameter of SmallCNN"),
    "option of keras.applications": (
        setting("network", pretrained(builder_params={"layers": 3})),
        "network cannot be built: 'mobilenet' has no option 'layers'",
    ),
    "unknown in the recipe": (recipe("code", "x"), "has .*'code'"),
    "policy": (recipe("dtype_policy", "users.policy"), "dtype_policy 'users.policy' is none of"),
    "another policy": (recipe("dtype_policy", "float16"), "conv_1/kernel .* float32, expected"),
    "no batches": (recipe("batch_size", 0), "batch_size or tta cannot be used"),
    "mirrors": (recipe("tta", "twice"), "batch_size or tta cannot be used"),
    # decisions
    "fewer labels": (top("label_names", ["red", "green"]), "are not those of the model"),
    "fewer names": (fitted("label_names", ["red", "green"]), "label_frequencies|arrays"),
    "same names": (fitted("label_names", ["red", "red", "blue"]), "not all different"),
    "names of objects": (fitted("label_names", [{}, {}, {}]), "neither all texts"),
    "other thresholds": (top("thresholds", [0.5, 0.5, 0.4]), "are not those of the model"),
    "more thresholds": (setting("threshold", [0.5, 0.5, 0.5, 0.5]), "threshold has shape"),
    "bad threshold": (setting("threshold", "f1_nothing"), "f1_nothing"),
    "frequencies": (fitted("label_frequencies", [0.5, 0.5, 2.0]), "3 numbers in"),
    "history": (fitted("history", {"loss": "x"}), "history of 'loss'"),
    "nesting": (
        setting("network", pretrained(builder_params=json.loads('{"a":' * 8 + "1" + "}" * 8))),
        "nested",
    ),
    # arrays
    "missing array": (
        lambda manifest, arrays: arrays.popitem(),
        "missing|arrays of the net|belongs to nothing",
    ),
    "extra array": (
        lambda manifest, arrays: arrays.__setitem__("more", np.ones(3)),
        "array 'more' belongs to nothing",
    ),
    "nan": (array("conv_1/kernel", lambda a: a * np.nan), "conv_1/kernel holds numbers that are"),
    "shape": (array("conv_1/kernel", lambda a: a[..., :4]), "has the shape .*, expected"),
    "transposed": (array("conv_1/kernel", lambda a: a.reshape(-1)), "has the shape"),
    "dtype": (array("conv_1/kernel", lambda a: a.astype("f8")), "is of type float64"),
    "scores": (array("validation/scores", lambda a: a + 1), "not in \\[0, 1\\]"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_models_are_refused(forge, name):
    change, message = FORGERIES[name]
    path = forge(change)
    with pytest.raises(ArtifactError, match=message):
        skposter.load(path)


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (7, "has format version 7, which a newer skposter wrote, .* version 2: install"),
        (1, "has format version 1, which an older skposter wrote, .* version 2: load it with"),
    ],
)
def test_another_format_version_is_one_sentence(model_file, tmp_path, version, message):
    path = tmp_path / "other.skposter"
    data = model_file.read_bytes()
    there, other = (b"skposter-model %d sha256=" % number for number in (FORMAT_VERSION, version))
    assert there in data
    path.write_bytes(data.replace(there, other))
    with pytest.raises(ArtifactError, match=message):
        skposter.load(path)


def write_raw(model_file, path, manifest=None, arrays=None, card=None):
    """Write a model with other bytes for its members, and hashes that are right for them."""
    with zipfile.ZipFile(model_file) as archive:
        members = {name: archive.read(name) for name in (ARRAYS, CARD)}
        text = archive.read("manifest.json") if manifest is None else manifest
    for name, data in ((ARRAYS, arrays), (CARD, card)):
        if data is not None:
            old, new = (
                (len(each), hashlib.sha256(each).hexdigest()) for each in (members[name], data)
            )
            for was, is_ in zip(old, new, strict=True):
                assert str(was).encode() in text
                text = text.replace(str(was).encode(), str(is_).encode())
            members[name] = data
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {"manifest.json": text, **members}.items():
            archive.writestr(name, data)
        digest = hashlib.sha256(text).hexdigest()
        archive.comment = f"skposter-model {FORMAT_VERSION} sha256={digest}".encode()
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"threshold": 0.5', b'"threshold": NaN', "NaN is not a number"),
        (b'"tol": 0.0001', b'"tol": -Infinity', "Infinity"),
        (b'"tol": 0.0001', b'"tol": 1e999', "1e999 is not a number"),
        (b'"tol": 0.0001', b'"tol": ' + b"9" * 4000, "999.* is not a number"),
        (b'"tol": 0.0001', b'"tol": ' + b"9" * 5000, "999.* is not a number"),
        (b'"tol": 0.0001', b'"tol": 9223372036854775808', "is not a number"),
        (b'"tol": 0.0001', b'"tol": ' + b"[" * 100_000 + b"]" * 100_000, "not JSON|nested"),
        (b'"tol": 0.0001', b'"tol": ' + b"[" * 61 + b"]" * 61, "nested more than 60 deep"),
        (b'"tol": 0.0001', b'"tol": ' + b'{"a":' * 900 + b"1" + b"}" * 900, "nested|not JSON"),
        (b'"tol": 0.0001', b'"tta": "none"', "a name is there twice"),
        (b'"tol": 0.0001', b'"tol": "\\ud800"', "not JSON"),
        (b'"tol": 0.0001', b'"tol": "\xed\xa0\x80"', "not JSON"),
        (b'"tol": 0.0001', b'"tol": {"__items__": [[0, 1], [0, 2]]}', "0 is there twice"),
        (b'"tol": 0.0001', b'"tol": {"__items__": [[[], 1]]}', "is not a name, or a number"),
        (b'"tol": 0.0001', b'"tol": {"__items__": 3}', "is not a name, or a number"),
    ],
)
def test_manifests_that_json_cannot_hold_are_refused(model_file, tmp_path, old, new, message):
    with zipfile.ZipFile(model_file) as archive:
        text = archive.read("manifest.json")
    assert old in text
    path = write_raw(model_file, tmp_path / "forged.skposter", text.replace(old, new))
    with pytest.raises(ArtifactError, match=message):
        skposter.load(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig", "latin-1"])
def test_other_encodings_are_no_manifest(model_file, tmp_path, encoding):
    with zipfile.ZipFile(model_file) as archive:
        text = archive.read("manifest.json").decode().replace("red", "r\xf6t")
    path = write_raw(model_file, tmp_path / "forged.skposter", text.encode(encoding))
    with pytest.raises(ArtifactError, match="not JSON"):
        skposter.load(path)


def test_pairs_of_surrogates_are_text(model_file, tmp_path):
    with zipfile.ZipFile(model_file) as archive:
        text = archive.read("manifest.json").replace(b'"red"', b'"\\ud83d\\ude00"')
    path = write_raw(model_file, tmp_path / "forged.skposter", text)
    assert skposter.load(path).label_names_[0] == "\N{GRINNING FACE}"


def small_but_large(model_file, path, what):
    """Write a file that would take many times its size."""
    if what == "members":  # a table of a million of them, in an archive that is whole
        record = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", *[0] * 9, 1, *[0] * 6) + b"a"
        table = record * 600_000
        comment = b"skposter-model %d sha256=" % FORMAT_VERSION + b"0" * 64
        end = struct.pack(
            "<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, len(table), 0, len(comment)
        )
        path.write_bytes(table + end + comment)
        return
    members = {
        "values": {"manifest": b'{"a": [' + b"[]," * 10_000_000 + b"[]]}"},
        "text": {"manifest": b'{"a": "' + b"x" * 30_000_000 + b'"}'},
        "many values": {"manifest": b'{"a": [' + b"[]," * 1_000_001 + b"[]]}"},
        "header": {
            "arrays": struct.pack("<Q", 30_000_000) + b'{"a": [' + b"[]," * 9_999_996 + b"[]]}  "
        },
        "many arrays": {"arrays": header(**{str(i): NOTHING for i in range(45_000)})},
        "long shape": {"arrays": header(a={**NOTHING, "shape": [1] * 1_000_000}) + b"1"},
        "card": {"card": b"x" * 30_000_000},
    }[what]
    write_raw(model_file, path, **members)


NOTHING = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("members", "table of members of 28200000 bytes"),
        ("values", "30000\\d* bytes of manifest.json"),
        ("text", "3000000\\d bytes of manifest.json"),
        ("many values", "2000005 values, and 1000000 are the most"),
        ("header", "Arrays: a header of 30000000 bytes, 4194304 at most"),
        ("many arrays", "Arrays: \\d+ values, and 250000 are the most"),
        ("long shape", "Arrays: 1000\\d* values, and 250000 are the most"),
        ("card", "30000000 bytes of README.md"),
    ],
)
def test_what_would_take_many_times_its_size_is_not_read(model_file, tmp_path, what, message):
    path = tmp_path / "forged.skposter"
    small_but_large(model_file, path, what)
    tracemalloc.start()
    try:
        with pytest.raises(ArtifactError, match=message):
            skposter.load(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.3 * path.stat().st_size + 2**22


def test_the_largest_manifest_takes_little_memory(model_file, tmp_path):
    for text in (
        b'{"a": [' + b"[]," * 499_990 + b"[]]}",
        b'{"a": "' + "\U0001f600".encode() * 2_000_000 + b'"}',
    ):
        path = write_raw(model_file, tmp_path / "forged.skposter", text)
        tracemalloc.start()
        with pytest.raises(ArtifactError, match="has a manifest of another format"):
            skposter.load(path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 120 * 2**20


@pytest.fixture(scope="module")
def wrapped_file(tmp_path_factory, fitted_classifier, colour_images, colour_labels):
    """A pipeline of a loader and thresholds around the average of two classifiers."""
    average = AveragingClassifier(fitted_classifier, threshold={"green": 0.4})
    average.estimators_ = [fitted_classifier, make_pipeline("passthrough", fitted_classifier)]
    average.label_names_, average.classes_ = (
        fitted_classifier.label_names_,
        fitted_classifier.classes_,
    )
    tuned = TunedThresholdsClassifierCV(FrozenEstimator(average), cv="prefit", refit=False)
    tuned.fit(colour_images[0], colour_labels)
    path = tmp_path_factory.mktemp("models") / "wrapped.skposter"
    loader = ImageLoader(size=(16, 16))
    skposter.save(Pipeline([("loader", loader), ("classifier", tuned)]), path)
    return path


VALUES = [
    *(None, True, -1, 0, 1, 2, 3, 10**9, 2**62, -(2**62), 0.0, -0.5, 0.5, 1e308, 5e-324),
    *("", "x" * 9999, "mobilenet", "f1_macro", "balanced", "Pipeline", "passthrough", "\x1b[2J"),
    *([], {}, [[1]], [None], [0.5, 0.5, 0.5], [1] * 999, {"a": 1}, {"__items__": [[0, 0.3]]}),
    *({"__items__": [[0, {}]]}, {"__items__": []}, json.loads("[" * 30 + "]" * 30)),
    *({"class": "keras.losses.Huber", "arguments": {}}, {"function": "keras.losses.dice"}),
    *({"class": "os.system", "arguments": {"command": "true"}}, {"function": "os.system"}),
    *({"class": "keras.optimizers.Adam", "arguments": {"learning_rate": "x"}},),
    *({"type": "ImageLoader", "params": {}}, {"type": "FrozenEstimator", "estimator": {}}),
]


def places(node, path=()):
    """Return the paths of all values in a manifest."""
    children = node.items() if isinstance(node, dict) else enumerate(node)
    for name, child in children:
        yield (*path, name)
        if isinstance(child, (dict, list)):
            yield from places(child, (*path, name))


def mutate(manifest, rng):
    """Change one thing anywhere in a manifest."""
    every = list(places(manifest))
    *path, last = every[rng.integers(len(every))]
    node = manifest
    for name in path:
        node = node[name]
    how = rng.integers(6)
    if how == 0:
        del node[last]
    elif how == 1 and isinstance(node, list):
        node.insert(last, copy.deepcopy(node[rng.integers(len(node))]))
    elif how == 2 and isinstance(node, dict):
        node[["extra", "type", "params", "estimator", "fitted"][rng.integers(5)]] = node.pop(last)
    elif how == 3:  # something from elsewhere in it
        *path, name = every[rng.integers(len(every))]
        other = manifest
        for part in path:
            other = other[part]
        node[last] = copy.deepcopy(other[name])
    else:
        node[last] = VALUES[rng.integers(len(VALUES))]


def check_refusal(error):
    assert "cannot be restored" not in str(error), "it was not foreseen"
    assert str(error).isprintable()
    assert len(str(error)) < 3000


@pytest.mark.parametrize("which", ["model_file", "wrapped_file"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
def test_manifests_changed_anywhere_load_or_are_refused_with_a_reason(which, request, forge):
    rng = np.random.default_rng(0)
    path = request.getfixturevalue(which)
    manifest, _ = read_container(path)
    names = manifest["label_names"]
    refused = 0
    for _ in range(200):
        try:
            found = skposter.load(forge(lambda manifest, arrays: mutate(manifest, rng), path))
        except ArtifactError as error:
            refused += 1
            check_refusal(error)
        else:  # what decides is as it was
            assert skposter.persistence._save_load._decisions(found)["label_names"] == names
    assert refused > 100


def test_arrays_changed_anywhere_load_or_are_refused(wrapped_file, forge):
    rng = np.random.default_rng(1)

    def change(manifest, arrays):
        names = sorted(arrays)
        one, other = (names[i] for i in rng.integers(len(names), size=2))
        array = arrays[one]
        arrays[one] = [
            lambda: array.astype([">i8", "f2", "f8", "?", "u1"][rng.integers(5)]),
            lambda: array[:0],
            lambda: array[None],
            lambda: array.reshape(-1),
            lambda: np.where(array == array, np.nan, array),
            lambda: -array if array.dtype.kind == "f" else array[::-1],
            lambda: arrays[other],
            lambda: np.concatenate([array, array]),
        ][rng.integers(8)]()

    loaded = 0
    for _ in range(60):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            path = forge(change, wrapped_file)
        try:
            found = skposter.load(path)
        except ArtifactError as error:
            check_refusal(error)
        else:
            loaded += 1
            with contextlib.suppress(TrainingDivergedError):  # weights that overflow
                found.predict_proba(np.zeros((1, 16, 16, 3), np.uint8))
    assert loaded < 30


def within(levels, **node):
    """Return a change that puts the model within `levels` of other estimators."""

    def change(manifest, arrays):
        inner = manifest["model"]
        for _ in range(levels):
            key = "steps" if node["type"] == "Pipeline" else "estimator"
            inner = {**node, key: [["inner", inner]] if key == "steps" else inner}
        manifest["model"] = inner

    return change


def averaged(n_members):
    def change(manifest, arrays):
        model = manifest["model"]
        fitted = {"estimators": [model] * n_members, "label_names": manifest["label_names"]}
        params = {"n_estimators": 3}
        unfitted = {**model, "fitted": None}
        around = {"type": "AveragingClassifier", "params": params}
        manifest["model"] = {**around, "estimator": unfitted, "fitted": fitted}

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (within(4, type="Pipeline", verbose=False), "more than 3 pipelines within pipelines"),
        (within(10, type="FrozenEstimator"), "more than 10 estimators within one another"),
        (averaged(101), "more than 100 networks"),
        (averaged(0), "an average of nothing"),
        (
            top(
                "model",
                {"type": "Pipeline", "verbose": False, "steps": [["a", {"type": "x"}]] * 501},
            ),
            "more than 500 estimators",
        ),
        (
            top(
                "model",
                {"type": "Pipeline", "verbose": False, "steps": [["a", "passthrough"]] * 31},
            ),
            "a pipeline of 31 steps",
        ),
    ],
)
def test_models_that_would_take_long_to_predict_are_refused(forge, change, message):
    with pytest.raises(ArtifactError, match=message):
        skposter.load(forge(change))


def test_deep_models_are_refused_when_they_are_saved(fitted_classifier, tmp_path):
    model = fitted_classifier
    for _ in range(4):
        model = Pipeline([("inner", model)])
    with pytest.raises(ArtifactError, match="pipelines within pipelines; make one of their steps"):
        skposter.save(model, tmp_path / "deep.skposter")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("max_pixels", 100_000_001, "may ask for 100000000"),
        ("max_bytes", 1_000_000_001, "may ask for 1000000000"),
        ("size", [8193, 1], "may ask for 8192"),
        ("size", [4096, 4096], "is more than 4194304 pixels"),
        ("size", [16, 16, 16], "3 entries"),
        ("size", [16, "16"], "size must be 2 whole numbers"),
        ("n_jobs", 257, "may ask for 256"),
        ("formats", ["EPS"], "may not contain EPS"),
        ("formats", ["PNG"] * 51, "too many"),
        ("cache_dir", "/tmp/cache", "no parameter 'cache_dir'"),
        ("background", [0] * 4, "4 entries"),
        ("resample", "magic", "resample"),
    ],
)
def test_a_file_may_ask_only_so_much_of_the_loader(forge, wrapped_file, name, value, message):
    def change(manifest, arrays):
        manifest["model"]["steps"][0][1]["params"][name] = value

    with pytest.raises(ArtifactError, match=message):
        skposter.load(forge(change, wrapped_file))


def test_files_of_others_are_no_models(fitted_classifier, tmp_path):
    skposter.export(fitted_classifier, tmp_path / "model.keras")
    np.savez(tmp_path / "arrays.npz", a=np.array([{}]))
    for name in ("model.keras", "arrays.npz"):
        with pytest.raises(ArtifactError, match="a zip archive, but not a model written by"):
            skposter.load(tmp_path / name)


def header(**entries):
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "shorter"),
        (struct.pack("<Q", 2**63), "header is longer"),
        (
            header(a={"dtype": "F32", "shape": [2**39, 2**39], "data_offsets": [0, 2**62]}),
            "overflow|offset",
        ),
        (header(a={"dtype": "F32", "shape": [-1], "data_offsets": [0, -4]}), "lengths"),
        (header(a={"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}), "lengths"),
        (header(a={"dtype": "O", "shape": [1], "data_offsets": [0, 8]}), "type 'O' is not"),
        (header(a={"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}), "not fully covered"),
        (header() + b"1234", "not fully covered"),
        (header(a=3), "expected an object"),
        (header(a={**NOTHING, "more": 1}), "expected .'data_offsets', 'dtype', 'shape'"),
        (header(a={**NOTHING, "shape": [0] * 9}), "no list of 8 lengths"),
        (header(a={**NOTHING, "dtype": "BF16"}), "type 'BF16' is not"),
        (header(a={**NOTHING, "dtype": "C64"}), "type 'C64' is not"),
        (header(a={**NOTHING, "shape": [0, 2**39, 2**39]}), "too big|too large|exceeded"),
        (header(__metadata__={"a": "b"}), "__metadata__"),
        (struct.pack("<Q", 20) + b'{"a": {}, "a": {}}  ', "^Arrays: a name is there twice"),
    ],
)
def test_arrays_of_impossible_sizes_are_refused(data, message):
    with pytest.raises(ArtifactError, match=message):
        unpack_arrays(data)


def arrays_of_every_type():
    rng = np.random.default_rng(0)
    arrays = {
        dtype: (rng.random((2, 3)) * 100).astype(dtype)
        for dtype in (
            "?",
            "u1",
            "<u2",
            "<u4",
            "<u8",
            "i1",
            "<i2",
            "<i4",
            "<i8",
            "<f2",
            "<f4",
            "<f8",
        )
    }
    return {
        **arrays,
        "scalar": np.float32(1.5),
        "empty": np.zeros((0, 3)),
        "big-endian": np.arange(4, dtype=">i4"),
        "transposed": np.arange(6.0).reshape(2, 3).T,
        "strided": np.arange(10)[::3],
    }


def test_arrays_go_round():
    arrays = arrays_of_every_type()
    found = unpack_arrays(pack_arrays(arrays))
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].shape == np.shape(array)
        assert found[name].dtype == np.asarray(array).dtype.newbyteorder("=")
    for name in ("text", "object", "complex"):
        with pytest.raises(ArtifactError, match=f"'{name}' has the type"):
            pack_arrays(
                {name: np.array(["a"]).astype({"text": "U1", "object": "O"}.get(name, "S1"))}
            )


def test_what_a_header_says_of_places_counts():
    arrays = {name: {**NOTHING, "shape": [1]} for name in ("a", "b")}
    arrays["a"]["data_offsets"], arrays["b"]["data_offsets"] = [1, 2], [0, 1]
    found = unpack_arrays(header(**arrays) + b"\x03\x05")
    assert (found["a"][0], found["b"][0]) == (5, 3)


def test_shapes_are_known_without_building(tiny_classifier, fitted_classifier):
    shapes = shapes_of(partial(untrained_network, fitted_classifier))
    variables = fitted_classifier.keras_classifier_.network_.variables
    assert [(a.shape, str(a.dtype)) for a in variables] == list(shapes.arrays.values())
    wide = copy.deepcopy(fitted_classifier).set_params(network__filters=(8192, 8192, 8192))
    shapes = shapes_of(partial(untrained_network, wide))  # 6 GB, were they built
    assert sum(np.prod(shape) for shape, _ in shapes.arrays.values()) > 10**9


def test_truncated_and_damaged_files_never_give_other_numbers(
    model_file, tmp_path, fitted_classifier, colour_images
):
    X = colour_images[0][:4]
    expected = fitted_classifier.predict(X), fitted_classifier.predict_proba(X)
    data = model_file.read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged.skposter"
    for length in rng.choice(len(data), 200, replace=False):
        path.write_bytes(data[:length])
        with pytest.raises(ArtifactError, match=r"damaged.skposter': (is|looks)"):
            skposter.load(path)
    refused = 0
    for position, bit in zip(rng.choice(len(data), 500), rng.integers(8, size=500), strict=True):
        damaged = bytearray(data)
        damaged[position] ^= 1 << bit
        path.write_bytes(damaged)
        try:
            loaded = skposter.load(path)
            read_card(path)
        except ArtifactError:
            refused += 1
        else:  # bytes that mean nothing, such as a member's date
            np.testing.assert_array_equal(loaded.predict(X), expected[0])
            np.testing.assert_array_equal(loaded.predict_proba(X), expected[1])
    assert refused > 450
