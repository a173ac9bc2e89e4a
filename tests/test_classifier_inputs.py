"""Images, labels and weights: what is taken, what is refused before anything is built."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.utils.estimator_checks import _NotAnArray

from skposter.exceptions import LabelWarning


def weights_of(classifier):
    return classifier.keras_classifier_.network_.variables


def assert_same_weights(one, other):
    for a, b in zip(weights_of(one), weights_of(other), strict=True):
        np.testing.assert_array_equal(a, b)


def build_nothing(meta):
    raise AssertionError("the network was built before the data was checked")


@pytest.fixture(scope="module")
def reference(tiny_classifier, colour_images):
    """Two epochs on plain arrays. Do not refit."""
    return tiny_classifier(epochs=2).fit(*colour_images)


@pytest.mark.parametrize(
    "convert",
    [
        lambda y: y.astype(bool),
        lambda y: y.astype(np.uint8),
        lambda y: y.astype(np.float32),
        lambda y: y.tolist(),
        list,
        _NotAnArray,
        pd.DataFrame,
        lambda y: pd.DataFrame(y).convert_dtypes(),
        np.asfortranarray,
    ],
)
def test_labels_are_taken_in_any_of_these_forms(convert, tiny_classifier, colour_images, reference):
    X, y = colour_images
    classifier = tiny_classifier(epochs=2).fit(X, convert(y))
    assert_same_weights(classifier, reference)
    assert classifier.label_names_.tolist() == [0, 1, 2]
    assert classifier.predict(X).dtype == np.int64


def test_labels_are_named_by_the_columns_of_a_data_frame(fitted_classifier, colour_images):
    X, _ = colour_images
    named = fitted_classifier.predict_labels(X[:5])
    decided = fitted_classifier.predict(X[:5])
    names = np.array(["red", "green", "blue"])
    for labels, row in zip(named, decided, strict=True):
        assert set(labels) == set(names[row == 1])


Y = np.tile([[0, 1, 1], [1, 0, 1]], (6, 1))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y[:, 0], r"y has shape \(12,\)"),
        (Y[:, :1], "y has 1 label column"),
        (Y[:, :0], "y has 0 label column"),
        (np.stack([Y, Y], axis=-1), r"y has shape \(12, 3, 2\)"),
        (sparse.csr_matrix(Y), r"y is sparse; pass y\.toarray\(\)"),
        (sparse.csr_array(Y), "y is sparse"),
        ([[0, 1]] * 11 + [[1]], "The rows of y differ in length"),
        ([("drama", "war")] * 6 + [("drama",)] * 6, "The rows of y differ in length"),
        (np.full((12, 2), "drama"), "Unknown label type: y holds .*'drama'"),
        (2 * Y, "y holds 2 in row 0, label 1, not 0 or 1"),
        (Y - 1, "y holds -1 in row 0, label 0, not 0 or 1"),
        (Y * 0.5, r"y holds 0\.5 in row 0, label 1, not 0 or 1"),
        (np.where(Y == 0, np.inf, Y), "y holds inf in row 0, label 0, not 0 or 1"),
        (Y * 1j, "Complex data not supported"),
        (None, "requires y to be passed, but the target y is None"),
        (Y[:5], "inconsistent numbers of samples: 12 images and 5 rows of y"),
        (pd.DataFrame(Y, columns=["a", "b", "a"]), r"Label names must differ"),
    ],
)
def test_other_targets_are_refused_before_anything_is_built(y, message, tiny_classifier):
    X = np.zeros((12, 16, 16, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match=message) as caught:
        tiny_classifier(network=build_nothing).fit(X, y)
    if "inconsistent" not in message and "Complex" not in message and "names" not in message:
        assert "MultiLabelBinarizer" in str(caught.value)


def test_constant_and_rare_labels_are_named_in_one_warning(tiny_classifier, colour_images):
    X, y = colour_images
    y = pd.DataFrame(y, columns=["red", "green", "blue"]).assign(never=0, always=1, rare=0)
    y.loc[:3, "rare"] = 1
    with pytest.warns(LabelWarning) as caught:
        tiny_classifier(epochs=1).fit(X, y)
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "one value for every image, so that nothing can be learned: never, always" in message
    assert "fewer than 10 positives: rare (4)" in message
    assert "red" not in message
    assert caught[0].filename == __file__


IMAGES = np.zeros((12, 16, 16, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (IMAGES.astype(np.float32), r"Expected uint8 images .* got dtype float32"),
        (IMAGES.astype(np.int64), "got dtype int64"),
        (IMAGES.astype(np.uint16), "got dtype uint16"),
        (IMAGES.astype(bool), "got dtype bool"),
        (np.full(IMAGES.shape, np.nan), "got dtype float64.* hold NaN or infinity"),
        (IMAGES / 255, r"\(255 \* X\)\.round\(\)\.astype"),
        (IMAGES[..., 0], r"shape \(12, 16, 16\)"),
        (IMAGES[0], r"A single image needs a first axis: image\[np\.newaxis\]"),
        (IMAGES.reshape(12, -1), r"shape \(12, 768\)"),
        (IMAGES[:0], "0 sample"),
        (IMAGES[:, :0], r"\(12, 0, 16, 3\)"),
        (np.array(["a.jpg"] * 12), r"skposter\.ImageLoader"),
        (["a.jpg"] * 12, r"skposter\.ImageLoader"),
        (pd.Series(["a.jpg"] * 12), r"skposter\.ImageLoader"),
        (sparse.csr_matrix((12, 5)), "[Ss]parse"),
        (None, "images"),
    ],
)
def test_other_images_are_refused_before_anything_is_built(X, message, tiny_classifier):
    with pytest.raises(ValueError, match=message):
        tiny_classifier(network=build_nothing).fit(X, Y)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X / 255, "Expected uint8 images .* got dtype float64"),
        (lambda X: X.astype(np.int64), "got dtype int64"),
        (lambda X: X[:, :8], r"\(8, 16, 3\), but the classifier was fitted on \(16, 16, 3\)"),
        (lambda X: X[..., :1], r"\(16, 16, 1\), but the classifier was fitted on \(16, 16, 3\)"),
        (lambda X: X[0], "A single image needs a first axis"),
        (lambda X: X[:0], "0 sample"),
    ],
)
@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_labels", "top_labels"])
def test_prediction_names_what_came_and_what_was_fitted(
    method, change, message, fitted_classifier, colour_images
):
    with pytest.raises(ValueError, match=message):
        getattr(fitted_classifier, method)(change(colour_images[0]))


def test_float_images_never_pass_silently(tiny_classifier, colour_images, fitted_classifier):
    # Pixels between 0 and 1 would look almost black to a network trained on 0 to 255.
    with pytest.raises(ValueError, match=r"\(255 \* X\)\.round\(\)\.astype\('uint8'\)"):
        fitted_classifier.predict(colour_images[0] / 255)


@pytest.mark.parametrize("form", ["memmap", "list", "lazy", "fortran", "not contiguous"])
def test_images_in_other_containers_train_and_predict_the_same(
    form, tmp_path, tiny_classifier, colour_images, reference
):
    X, y = colour_images
    if form == "memmap":
        np.save(tmp_path / "X.npy", X)
        images = np.load(tmp_path / "X.npy", mmap_mode="r")
    elif form == "list":
        images = list(X)
    elif form == "lazy":
        images = lazy_images(tmp_path, X)
    elif form == "fortran":
        images = np.asfortranarray(X)
    else:
        images = np.repeat(X, 2, axis=0)[::2]
    classifier = tiny_classifier(epochs=2).fit(images, y)
    assert_same_weights(classifier, reference)
    np.testing.assert_array_equal(classifier.predict_proba(images), reference.predict_proba(X))


def lazy_images(folder, X):
    from PIL import Image

    paths = []
    for i, image in enumerate(X):
        paths.append(str(folder / f"{i}.png"))
        Image.fromarray(image).save(paths[-1])
    from skposter import ImageLoader, LazyImages

    images = ImageLoader(size=X.shape[1:3], lazy=True).fit_transform(paths)
    assert isinstance(images, LazyImages)
    return images


class Zarr:
    """What a zarr array is here: no ``len``, and rows in any order by ``oindex`` only."""

    def __init__(self, array):
        self.array = array
        self.shape, self.dtype = array.shape, array.dtype
        self.most_read = 0

    def __getitem__(self, rows):
        assert isinstance(rows, slice), "zarr takes arrays in brackets for coordinates of points"
        return self._noted(self.array[rows])

    @property
    def oindex(self):
        return ByRows(self)

    def _noted(self, read):
        self.most_read = max(self.most_read, len(read))
        return read


class ByRows:
    def __init__(self, owner):
        self.owner = owner

    def __getitem__(self, rows):
        return self.owner._noted(self.owner.array[rows])


@pytest.fixture
def stored(tmp_path):
    """A function that puts images into an array that lies somewhere else than in memory."""
    open_files = []

    def store(kind, X):
        if kind == "zarr":
            return Zarr(X)
        h5py = pytest.importorskip("h5py", reason="h5py is not installed")
        open_files.append(h5py.File(tmp_path / f"{len(open_files)}.h5", "w"))
        return open_files[-1].create_dataset("X", data=X, chunks=(7, *X.shape[1:]))

    yield store
    for file in open_files:
        file.close()


@pytest.mark.parametrize("kind", ["hdf5", "zarr"])
def test_images_in_files_of_arrays_are_read_by_the_batch(
    kind, stored, tiny_classifier, colour_images, reference, tmp_path
):
    X, y = colour_images
    images = stored(kind, X)
    classifier = tiny_classifier(epochs=2).fit(images, y)
    assert_same_weights(classifier, reference)
    np.testing.assert_array_equal(classifier.predict_proba(images), reference.predict_proba(X))
    np.testing.assert_array_equal(classifier.predict(images), reference.predict(X))
    if kind == "zarr":
        assert images.most_read <= 64  # a batch, or what is read for the fingerprint
    # Memory tells the images of one file from those of another.
    cached = tiny_classifier(epochs=2, memory=str(tmp_path / "memory")).fit(images, y)
    other = X.copy()
    other[-1] ^= 1
    again = tiny_classifier(epochs=2, memory=str(tmp_path / "memory")).fit(stored(kind, other), y)
    assert_same_weights(cached, reference)
    assert not np.array_equal(weights_of(again)[0], weights_of(reference)[0])


@pytest.mark.parametrize("kind", ["hdf5", "zarr"])
def test_images_in_files_are_checked_as_others_are(
    kind, stored, tiny_classifier, colour_images, fitted_classifier
):
    X, y = colour_images
    unread = tiny_classifier(network=build_nothing)
    with pytest.raises(ValueError, match=r"Expected uint8 images .* got dtype float32"):
        unread.fit(stored(kind, X.astype(np.float32)), y)
    with pytest.raises(ValueError, match="119 images and 120 rows of y"):
        unread.fit(stored(kind, X[:-1]), y)
    with pytest.raises(ValueError, match=r"\(8, 16, 3\), but the classifier was fitted on"):
        fitted_classifier.predict(stored(kind, X[:, :8]))


def test_tensors_are_images_too(tiny_classifier, colour_images, reference):
    import tensorflow as tf

    X, y = colour_images
    classifier = tiny_classifier(epochs=2).fit(tf.constant(X), y)
    assert_same_weights(classifier, reference)
    np.testing.assert_array_equal(
        classifier.predict_proba(tf.constant(X)), reference.predict_proba(X)
    )
    with pytest.raises(ValueError, match=r"Expected uint8 images .* got dtype float32"):
        classifier.predict(tf.constant(X, dtype="float32"))


def test_inputs_are_never_modified(tiny_classifier, colour_images):
    X, y = colour_images[0].copy(), pd.DataFrame(colour_images[1].astype(float))
    sample_weight = np.linspace(0, 2, len(y))
    validation = X[:10].copy(), y[:10].copy()
    arguments = [X, y, sample_weight, *validation]
    before = [a.copy() for a in arguments]
    pos_weight = {0: 2.0}
    for params in [{"pos_weight": "balanced"}, {"pos_weight": pos_weight}]:
        tiny_classifier(epochs=1, **params).fit(
            X, y, sample_weight, X_val=validation[0], y_val=validation[1]
        ).predict(X)
    for argument, copied in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(argument, copied)
    assert pos_weight == {0: 2.0}


def test_sample_weights_of_one_change_nothing(tiny_classifier, colour_images, reference):
    X, y = colour_images
    for ones in [np.ones(len(y)), [1] * len(y), pd.Series(np.ones(len(y))), np.ones(y.shape)]:
        classifier = tiny_classifier(epochs=2).fit(X, y, sample_weight=ones)
        for a, b in zip(weights_of(classifier), weights_of(reference), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.parametrize("validation_fraction", [0, 0.2])
def test_images_of_weight_zero_might_as_well_not_be_there(
    validation_fraction, tiny_classifier, colour_images
):
    X, y = colour_images
    weight = np.where(np.arange(len(y)) % 3 == 0, 0.0, 2.0)
    params = {"epochs": 2, "validation_fraction": validation_fraction}
    weighted = tiny_classifier(**params).fit(X, y, sample_weight=weight)
    keep = weight > 0
    without = tiny_classifier(**params).fit(X[keep], y[keep], sample_weight=weight[keep])
    assert_same_weights(weighted, without)
    assert weighted.history_ == without.history_
    np.testing.assert_array_equal(weighted.label_frequencies_, without.label_frequencies_)


def test_weights_per_label_teach_each_label_on_its_own_images(tiny_classifier, colour_images):
    X, y = colour_images
    wrong = y.copy()
    wrong[::2, 0] = 1 - wrong[::2, 0]  # half of the first label is wrong, and weighs nothing
    weight = np.ones(y.shape)
    weight[::2, 0] = 0
    classifier = tiny_classifier(validation_fraction=0, epochs=25)
    classifier.fit(X, wrong, sample_weight=weight)
    assert (classifier.predict(X) == y).mean(axis=0).min() > 0.9


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(119), r"sample_weight\.shape == \(119,\), expected \(120,\)"),
        (np.ones((120, 2)), r"sample_weight\.shape == \(120, 2\).*\(120, 3\)"),
        (-np.ones(120), "finite and not negative"),
        (np.full(120, np.nan), "finite and not negative"),
        (np.zeros(120), "sample_weight is zero everywhere"),
    ],
)
def test_other_sample_weights_are_refused(weight, message, tiny_classifier, colour_images):
    unread = tiny_classifier(network=build_nothing)
    with pytest.raises(ValueError, match=message):
        unread.fit(*colour_images, weight)


def test_pos_weight_is_a_weight_of_positives_per_label(tiny_classifier, colour_images):
    X, y = colour_images
    by_label = tiny_classifier(epochs=2, pos_weight={1: 3.0}).fit(X, y)
    by_sample = tiny_classifier(epochs=2).fit(
        X, y, sample_weight=np.where((y == 1) & (np.arange(3) == 1), 3.0, 1.0)
    )
    as_array = tiny_classifier(epochs=2, pos_weight=[1, 3, 1]).fit(X, y)
    assert_same_weights(by_label, by_sample)
    assert_same_weights(by_label, as_array)


def test_balanced_weights_are_bounded_by_the_number_of_images():
    from skposter._labels.per_label import combined_weights, positive_weights

    rng = np.random.default_rng(0)
    y = (rng.random((200, 25)) < np.linspace(0, 1, 25)).astype(np.float32)
    y[:, 1] = 0
    y[0, 1] = 1
    of_positives = positive_weights("balanced", y, np.arange(25))
    assert of_positives.max() <= 200
    assert of_positives.min() >= 1 / 200
    weights = combined_weights(None, of_positives, y)
    assert weights.max() / weights.min() <= 200**2
    mostly = (y.mean(axis=0) > 0) & (y.mean(axis=0) < 1)
    positive_mass = (weights * (y == 1)).sum(axis=0)
    np.testing.assert_allclose(positive_mass[mostly], (y == 0).sum(axis=0)[mostly], rtol=1e-4)


def test_balanced_weights_raise_the_probabilities_of_a_rare_label(tiny_classifier):
    X = np.full((120, 16, 16, 3), 100, dtype=np.uint8)  # says nothing of y
    y = np.stack([np.arange(120) % 10 == 0, np.arange(120) % 2 == 0], axis=1)
    params = {"epochs": 20, "validation_fraction": 0}
    plain = tiny_classifier(**params).fit(X, y).predict_proba(X[:1])
    balanced = tiny_classifier(pos_weight="balanced", **params).fit(X, y).predict_proba(X[:1])
    np.testing.assert_allclose(plain, [[0.1, 0.5]], atol=0.1)
    np.testing.assert_allclose(balanced, [[0.5, 0.5]], atol=0.1)


@pytest.mark.parametrize(
    ("pos_weight", "message"),
    [
        ({"bleu": 2.0}, "pos_weight names 'bleu', which is not a label. Did you mean 'blue'"),
        ([1.0, 2.0], r"pos_weight has shape \(2,\)"),
        ([1.0, 2.0, -1.0], "pos_weight must be finite and not negative"),
        ([1.0, np.nan, 1.0], "pos_weight contains NaN"),
        ([1.0, np.inf, 1.0], "pos_weight must be finite"),
    ],
)
def test_other_pos_weights_are_refused(
    pos_weight, message, tiny_classifier, colour_images, colour_labels
):
    classifier = tiny_classifier(pos_weight=pos_weight, network=build_nothing)
    with pytest.raises(ValueError, match=message):
        classifier.fit(colour_images[0], colour_labels)
