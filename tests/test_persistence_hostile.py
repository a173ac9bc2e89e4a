"""Files that are not what they say: each is refused, and none runs code, hangs or takes memory."""

import copy
import hashlib
import json
import os
import pickle
import struct
import zipfile
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pytest

import skposter
from skposter._files.safetensors import pack_arrays, unpack_arrays
from skposter._keras.shapes import shapes_of
from skposter._training.keras_fit import untrained_network
from skposter.exceptions import ArtifactError
from skposter.networks import Pretrained
from skposter.persistence import read_card
from skposter.persistence._container import ARRAYS, CARD, read_container, write_container

MEMORY = 200 * 2**20


@pytest.fixture(scope="module")
def model_file(tmp_path_factory, fitted_classifier):
    path = tmp_path_factory.mktemp("models") / "model.skposter"
    skposter.save(fitted_classifier, path)
    return path


@pytest.fixture
def forge(model_file, tmp_path):
    """A function that writes the model after changing it, with hashes that are right."""

    def forge(change):
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
    "huge images": (fitted("image_shape", [8192, 8192, 3]), "bytes for one image"),
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
    "another policy": (recipe("dtype_policy", "bfloat16"), "conv_1/kernel .* float32, expected"),
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
    "missing array": (lambda manifest, arrays: arrays.popitem(), "missing|arrays of the net"),
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


def test_an_unknown_format_version_names_both(model_file, tmp_path):
    path = tmp_path / "newer.skposter"
    data = model_file.read_bytes()
    path.write_bytes(data.replace(b"skposter-model 1 sha256=", b"skposter-model 7 sha256="))
    with pytest.raises(ArtifactError, match="has format version 7; this skposter reads version 1"):
        skposter.load(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"threshold": 0.5', b'"threshold": NaN', "NaN is not a number"),
        (b'"tol": 0.0001', b'"tol": -Infinity', "Infinity"),
        (b'"tol": 0.0001', b'"tol": 1e999', "inf"),
        (b'"tol": 0.0001', b'"tol": ' + b"9" * 4000, "64 bits"),
        (b'"tol": 0.0001', b'"tol": ' + b"9" * 5000, "not JSON"),
        (b'"tol": 0.0001', b'"tol": ' + b"[" * 100_000 + b"]" * 100_000, "not JSON"),
        (b'"tol": 0.0001', b'"tta": "none"', "a name is there twice"),
    ],
)
def test_manifests_that_json_cannot_hold_are_refused(model_file, tmp_path, old, new, message):
    with zipfile.ZipFile(model_file) as archive:
        text = archive.read("manifest.json")
        members = {name: archive.read(name) for name in (ARRAYS, CARD)}
    assert old in text
    text = text.replace(old, new)
    path = tmp_path / "forged.skposter"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {"manifest.json": text, **members}.items():
            archive.writestr(name, data)
        archive.comment = f"skposter-model 1 sha256={hashlib.sha256(text).hexdigest()}".encode()
    with pytest.raises(ArtifactError, match=message):
        skposter.load(path)


VALUES = [None, True, -1, 0, 3, 10**9, 2**62, 1e308, "", "x" * 9999, "mobilenet", [], {}, [[1]]]


def places(node, path=()):
    """Return the paths of all values in a manifest."""
    children = node.items() if isinstance(node, dict) else enumerate(node)
    for name, child in children:
        yield (*path, name)
        if isinstance(child, (dict, list)):
            yield from places(child, (*path, name))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
def test_manifests_with_any_value_anywhere_load_or_are_refused(model_file, forge):
    rng = np.random.default_rng(0)
    manifest, _ = read_container(model_file)
    every = list(places(manifest))
    refused = 0
    for _ in range(300):
        *path, last = every[rng.integers(len(every))]
        value = VALUES[rng.integers(len(VALUES))]

        def put(manifest, arrays, path=path, last=last, value=value):
            for name in path:
                manifest = manifest[name]
            manifest[last] = value

        try:
            skposter.load(forge(put))
        except ArtifactError:
            refused += 1
    assert refused > 200


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
        (header(a={"dtype": "F32", "shape": [2**39, 2**39], "data_offsets": [0, 2**80]}), "needs"),
        (header(a={"dtype": "F32", "shape": [-1], "data_offsets": [0, -4]}), "lengths"),
        (header(a={"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}), "lengths"),
        (header(a={"dtype": "O", "shape": [1], "data_offsets": [0, 8]}), "type 'O' is not"),
        (header(a={"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}), "needs bytes 0 to 4"),
        (header() + b"1234", "4 bytes of data, of which 0"),
        (header(a=3), "expected dtype"),
    ],
)
def test_arrays_of_impossible_sizes_are_refused(data, message):
    with pytest.raises(ArtifactError, match=message):
        unpack_arrays(data)


def test_arrays_go_round():
    arrays = {
        "scalar": np.float32(1.5),
        "empty": np.zeros((0, 3)),
        "big-endian": np.arange(4, dtype=">i4"),
        "bools": np.array([True, False]),
    }
    for name, found in unpack_arrays(pack_arrays(arrays)).items():
        np.testing.assert_array_equal(found, arrays[name])
        assert found.shape == np.shape(arrays[name])
    with pytest.raises(ArtifactError, match="'text' has the type <U1"):
        pack_arrays({"text": np.array(["a"])})


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
