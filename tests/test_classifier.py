"""What scikit-learn sees of the classifier: tags, parameters, representations, clones."""

import copy

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_param_validation
from sklearn.utils.validation import check_is_fitted

from skposter import MultiLabelImageClassifier


def wrapped_in_scikit_learn(classifier):
    pipeline = make_pipeline(FunctionTransformer(), classifier)
    search = GridSearchCV(pipeline, {"multilabelimageclassifier__epochs": [1, 2]})
    return [classifier, pipeline, search]


def test_is_a_classifier_alone_in_a_pipeline_and_in_a_search():
    for estimator in wrapped_in_scikit_learn(MultiLabelImageClassifier()):
        assert is_classifier(estimator)
        tags = get_tags(estimator)
        assert tags.estimator_type == "classifier"
        assert tags.classifier_tags.multi_label


def test_tags_say_images_and_several_labels():
    tags = get_tags(MultiLabelImageClassifier())
    assert tags.target_tags.required
    assert not tags.input_tags.two_d_array
    assert not tags.input_tags.sparse
    assert not tags.input_tags.allow_nan
    assert tags.target_tags.multi_output
    assert not tags.target_tags.single_output
    assert not tags.classifier_tags.multi_class


def test_is_non_deterministic_only_without_a_random_state():
    assert get_tags(MultiLabelImageClassifier()).non_deterministic
    assert not get_tags(MultiLabelImageClassifier(random_state=0)).non_deterministic


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("epochz", "epochs"), ("thresholds", "threshold"), ("randomstate", "random_state")],
)
def test_misspelt_parameters_fail_at_once_with_the_likely_spelling(wrong, right):
    with pytest.raises(TypeError, match=rf"no parameter '{wrong}'\. Did you mean '{right}'\?"):
        MultiLabelImageClassifier(**{wrong: 1})
    classifier = MultiLabelImageClassifier()
    with pytest.raises(ValueError, match=rf"Invalid parameter '{wrong}'.* Did you mean '{right}'"):
        classifier.set_params(**{wrong: 1})
    pipeline = make_pipeline(classifier)
    with pytest.raises(ValueError, match=rf"Did you mean '{right}'"):
        pipeline.set_params(**{f"multilabelimageclassifier__{wrong}": 1})
    assert not hasattr(classifier, wrong)


def test_nested_parameters_of_scikeras_are_not_taken():
    with pytest.raises(ValueError, match="Invalid parameter 'model__filters'"):
        MultiLabelImageClassifier().set_params(model__filters=3)
    with pytest.raises(TypeError, match="no parameter 'optimizer__learning_rate'"):
        MultiLabelImageClassifier(optimizer__learning_rate=0.1)


def test_parameters_are_checked_by_fit():
    check_param_validation("MultiLabelImageClassifier", MultiLabelImageClassifier())


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"epochs": 0}, "'epochs' parameter .* must be an int in the range \\[1, inf\\)"),
        ({"batch_size": 0}, "'batch_size' parameter"),
        ({"learning_rate": 0}, "'learning_rate' parameter"),
        ({"dropout": 1.0}, "'dropout' parameter"),
        ({"class_weight": "even"}, "'class_weight' parameter .* {'balanced'}"),
        ({"network": "small_cn"}, "Did you mean 'small_cnn'"),
        ({"filters": ()}, "filters"),
    ],
)
def test_wrong_values_name_the_parameter(params, message, tiny_classifier, colour_images):
    with pytest.raises(ValueError, match=message):
        tiny_classifier(**params).fit(*colour_images)


def test_representations_are_readable(fitted_classifier):
    assert repr(MultiLabelImageClassifier(epochs=3)) == "MultiLabelImageClassifier(epochs=3)"
    for classifier in [MultiLabelImageClassifier(), fitted_classifier]:
        for estimator in wrapped_in_scikit_learn(classifier):
            html = estimator._repr_html_()
            assert "MultiLabelImageClassifier" in html
            assert "object at 0x" not in html


def test_methods_ask_for_fit_first(colour_images):
    X, y = colour_images
    classifier = MultiLabelImageClassifier()
    for call in [
        lambda: classifier.predict(X),
        lambda: classifier.predict_proba(X),
        lambda: classifier.predict_labels(X),
        lambda: classifier.top_labels(X),
        lambda: classifier.score(X, y),
        lambda: classifier.model_,
        lambda: classifier.thresholds_,
        lambda: check_is_fitted(classifier),
    ]:
        with pytest.raises(NotFittedError, match="MultiLabelImageClassifier"):
            call()


def test_fitted_attributes(fitted_classifier, colour_images):
    _X, y = colour_images
    check_is_fitted(fitted_classifier)
    assert fitted_classifier.label_names_.tolist() == ["red", "green", "blue"]
    assert fitted_classifier.classes_.tolist() == [[0, 1]] * 3
    assert fitted_classifier.image_shape_ == (16, 16, 3)
    np.testing.assert_allclose(fitted_classifier.label_frequencies_, y.mean(axis=0))
    assert fitted_classifier.n_iter_ == 12
    assert {name: len(values) for name, values in fitted_classifier.history_.items()} == {
        "loss": 12,
        "val_loss": 12,
    }


def test_it_learns(fitted_classifier, colour_images):
    X, y = colour_images
    assert (fitted_classifier.predict(X) == y).mean() > 0.95
    assert fitted_classifier.score(X, y) > 0.9


def test_a_clone_takes_parameters_and_nothing_learned(fitted_classifier):
    copied = clone(fitted_classifier)
    assert copied.get_params() == fitted_classifier.get_params()
    with pytest.raises(NotFittedError):
        check_is_fitted(copied)
    assert not [name for name in vars(copied) if name not in copied.get_params()]


def test_a_deep_copy_is_independent(fitted_classifier, colour_images):
    X, y = colour_images
    before = fitted_classifier.predict_proba(X)
    other = copy.deepcopy(fitted_classifier)
    np.testing.assert_array_equal(other.predict_proba(X), before)
    other.set_params(epochs=1).fit(X, y)
    assert not np.array_equal(other.predict_proba(X), before)
    np.testing.assert_array_equal(fitted_classifier.predict_proba(X), before)


def test_model_is_a_keras_model_of_its_own(fitted_classifier, colour_images):
    X, _ = colour_images
    before = fitted_classifier.predict_proba(X)
    model = fitted_classifier.model_
    np.testing.assert_allclose(model.predict(X, verbose=0), before, atol=1e-6)
    for weight in model.trainable_weights:
        weight.assign(weight * 0)
    np.testing.assert_array_equal(fitted_classifier.predict_proba(X), before)


def test_a_failed_fit_leaves_no_half_fitted_estimator(tiny_classifier, colour_images):
    X, y = colour_images
    classifier = tiny_classifier(learning_rate=1e30, epochs=2)
    with pytest.raises(FloatingPointError):
        classifier.fit(X, y)
    with pytest.raises(NotFittedError):
        check_is_fitted(classifier)


def test_refused_data_leaves_a_fitted_estimator_as_it_was(fitted_classifier, colour_images):
    X, y = colour_images
    classifier = copy.deepcopy(fitted_classifier)
    for bad in [
        lambda: classifier.fit(X[:, :8], y[:, :2], sample_weight=-np.ones(len(y))),
        lambda: classifier.fit(X[:, :8], y[:, :2], X_val=X),
    ]:
        with pytest.raises(ValueError, match=r"sample_weight|y_val"):
            bad()
        assert classifier.label_names_.tolist() == ["red", "green", "blue"]
        np.testing.assert_array_equal(
            classifier.predict_proba(X), fitted_classifier.predict_proba(X)
        )
