"""scikit-learn's own checks, run for real.

``check_estimator`` runs a single check on an estimator whose tags say that it takes images, so a
green run of it proves nothing. Here the checks run through an adapter that makes images of rows.
"""

import pytest
import sklearn
from image_adapters import RowsAsFilesMixin, RowsAsImagesMixin, RowsToFeaturesMixin
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from sklearn.utils.fixes import parse_version

from skposter import ImageFeatures, ImageLoader, MultiLabelImageClassifier
from skposter.exceptions import LabelWarning
from skposter.networks import SmallCNN


class TableClassifier(RowsAsImagesMixin, MultiLabelImageClassifier):
    """The classifier of images, on rows of tables."""


CLASSIFIER = TableClassifier(
    SmallCNN(filters=(8,), dropout=0.0),
    augmentation="none",
    learning_rate_schedule="constant",
    epochs=5,
    batch_size=64,
    learning_rate=0.1,
    validation_fraction=0,
    random_state=0,
)


class TableLoader(RowsAsFilesMixin, ImageLoader):
    """The loader of files, on rows of tables."""


LOADER = TableLoader(size=(2, 3))


class TableFeatures(RowsToFeaturesMixin, ImageFeatures):
    """The features of images, on rows of tables."""


class ScaledPixels:
    """What a network might give: numbers for each image."""

    def __call__(self, images):
        return images.reshape(len(images), -1) / 255

    def __repr__(self):  # of a function, it differs from process to process, and tests' names too
        return "ScaledPixels()"


FEATURES = TableFeatures(ScaledPixels())

NO_COLUMNS = "neither images nor paths have columns to count or to reshape"
ONE_COLUMN = "a single label column is refused, whatever is in it: that is not multi-label"
NO_PATHS = "numbers instead of paths are a TypeError; the check wants a ValueError"
CLASSIFIER_EXPECTED_TO_FAIL = {
    "check_n_features_in": NO_COLUMNS,
    "check_n_features_in_after_fitting": NO_COLUMNS,
    "check_estimators_empty_data_messages": NO_COLUMNS,
    "check_fit2d_predict1d": NO_COLUMNS,
    "check_fit2d_1sample": ONE_COLUMN,
    "check_supervised_y_2d": ONE_COLUMN,
    "check_sample_weights_shape": "weights of shape (n_samples, n_labels) are taken: one a label",
    "check_sample_weight_equivalence_on_dense_data": (
        "mini-batches and batch normalisation see an image once, however much it weighs"
    ),
}
LOADER_EXPECTED_TO_FAIL = {
    "check_n_features_in": NO_COLUMNS,
    "check_n_features_in_after_fitting": NO_COLUMNS,
    "check_complex_data": NO_PATHS,
    "check_estimators_empty_data_messages": NO_PATHS,
    "check_estimators_nan_inf": NO_PATHS,
    "check_fit1d": NO_PATHS,
    "check_fit2d_predict1d": NO_PATHS,
}
FEATURES_EXPECTED_TO_FAIL = {
    "check_n_features_in": NO_COLUMNS,
    "check_n_features_in_after_fitting": NO_COLUMNS,
    "check_estimators_empty_data_messages": NO_COLUMNS,
    "check_fit2d_predict1d": NO_COLUMNS,
}


def expected_failures(estimator):
    if isinstance(estimator, ImageFeatures):
        return FEATURES_EXPECTED_TO_FAIL
    if isinstance(estimator, ImageLoader):
        return LOADER_EXPECTED_TO_FAIL
    return CLASSIFIER_EXPECTED_TO_FAIL


@pytest.fixture
def tolerance_of_float32(monkeypatch):
    """Compare to 1e-4, which is scikit-learn's own tolerance where it looks at the dtype.

    Some checks want 1e-7 of any dtype. The last bit of a float32 sum depends on where in a batch a
    row stands: vector units treat the rows at its end in another order.
    """
    exact = estimator_checks.assert_allclose_dense_sparse

    def close(actual, desired, rtol=1e-7, **options):
        exact(actual, desired, rtol=max(rtol, 1e-4), **options)

    monkeypatch.setattr(estimator_checks, "assert_allclose_dense_sparse", close)


# scikit-learn's tables have few rows of each class.
@pytest.mark.filterwarnings(f"ignore::{LabelWarning.__module__}.{LabelWarning.__name__}")
@pytest.mark.usefixtures("tolerance_of_float32")
@parametrize_with_checks([CLASSIFIER, LOADER, FEATURES], expected_failed_checks=expected_failures)
def test_scikit_learn_check(estimator, check):
    check(estimator)


def names_of_checks(estimator):
    return [check.func.__name__ for _, check in estimator_checks_generator(estimator)]


def test_the_checks_were_not_skipped():
    # Older versions of scikit-learn have fewer.
    newest = parse_version(sklearn.__version__) >= parse_version("1.9")
    assert len(names_of_checks(LOADER)) >= (45 if newest else 35)
    assert len(names_of_checks(FEATURES)) >= (45 if newest else 35)
    names = names_of_checks(CLASSIFIER)
    assert len(names) >= (66 if newest else 50)
    for name in [
        "check_classifiers_train",
        "check_classifier_multioutput",
        "check_classifiers_multilabel_output_format_predict_proba",
        "check_methods_subset_invariance",
        "check_fit_idempotent",
        "check_estimators_pickle",
        "check_mixin_order",
    ]:
        assert name in names


def test_without_the_adapter_there_would_be_a_single_check():
    with pytest.warns(Warning, match="Can't test estimator"):
        assert names_of_checks(MultiLabelImageClassifier()) == ["check_estimator_cloneable"]


def test_the_adapters_add_nothing_to_constructors_clones_and_pickles():
    for adapted, own in [
        (TableClassifier, MultiLabelImageClassifier),
        (TableLoader, ImageLoader),
        (TableFeatures, ImageFeatures),
    ]:
        for name in ["__init__", "get_params", "set_params", "__getstate__", "__setstate__"]:
            assert getattr(adapted, name) is getattr(own, name)
