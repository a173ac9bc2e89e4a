"""Built-in networks, what builders get to know, and predictions of mirrored images."""

import copy

import numpy as np
import pytest
from sklearn.base import clone

from skposter._labels.log_odds import mean_of_log_odds
from skposter._training.recipe import DEFAULTS
from skposter.networks import (
    BACKBONES,
    NETWORKS,
    Pretrained,
    SmallCNN,
    TutorialCNN,
    as_network,
    build_network,
)

META = {
    "input_shape": (16, 12, 3),
    "n_labels": 2,
    "label_names": ["a", "b"],
    "label_frequencies": np.array([0.25, 0.01]),
    "seed": 3,
}
X = np.random.default_rng(0).integers(0, 256, size=(5, 16, 12, 3)).astype(np.uint8)


def built(network, **meta):
    return build_network(network, {**META, **meta}, dtype_policy="float32")


def test_predictions_start_near_the_label_frequencies():
    model = built(SmallCNN(filters=(4,)))
    model.get_layer("probabilities").kernel.assign(np.zeros((4, 2)))
    np.testing.assert_allclose(model(X), np.tile([0.25, 0.01], (5, 1)), rtol=1e-5)


def test_labels_that_all_or_no_images_have_start_finite():
    model = built("small_cnn", label_frequencies=np.array([0.0, 1.0]))
    assert np.isfinite(model.get_layer("probabilities").bias).all()


def test_filters_set_the_depth():
    model = built(SmallCNN(filters=(4, 6), dense_units=5, dropout=0))
    shapes = [model.get_layer(f"conv_{i}").output.shape[1:] for i in (1, 2, 3)]
    assert shapes == [(8, 6, 4), (4, 3, 6), (4, 3, 6)]
    assert model.get_layer("dense").units == 5
    assert "dropout" not in [layer.name for layer in model.layers]


def test_the_seed_decides_the_first_weights():
    first, same, other = (
        built(SmallCNN(filters=(4,)), seed=seed).get_weights() for seed in (3, 3, 4)
    )
    assert all(map(np.array_equal, first, same))
    assert not np.array_equal(first[0], other[0])


def test_the_tutorials_network_says_what_size_it_needs():
    with pytest.raises(ValueError, match=r"at least 76 x 76 pixels, got .* = \(16, 12\)"):
        built("tutorial")
    model = built("tutorial", input_shape=(76, 80, 3))
    assert model.output_shape == (None, 2)


@pytest.mark.parametrize("network", [SmallCNN(), TutorialCNN(), Pretrained("mobilenet")], ids=repr)
def test_networks_are_estimators_that_check_what_they_are_given(network):
    params = network.get_params()
    assert set(params) == set(network._parameter_constraints)
    assert clone(network).get_params() == params
    assert set(network.recipe) <= set(DEFAULTS)
    with pytest.raises(TypeError, match=rf"{type(network).__name__} has no parameter 'weihgts'"):
        type(network)(weihgts=None)
    for name in params:
        wrong = clone(network).set_params(**{name: object()})  # as in scikit-learn, checked in use
        with pytest.raises(
            ValueError, match=rf"The '{name}' parameter of {type(network).__name__}"
        ):
            built(wrong)


def test_names_stand_for_the_defaults_of_objects():
    assert sorted(NETWORKS) == sorted(["small_cnn", "tutorial", *BACKBONES])
    for name, expected in [
        ("small_cnn", "SmallCNN()"),
        ("tutorial", "TutorialCNN()"),
        ("mobilenet", "Pretrained(name='mobilenet')"),
    ]:
        assert repr(as_network(name)) == expected
    own = SmallCNN(filters=(4,))
    assert as_network(own) is own


def test_a_pretrained_network_is_trained_otherwise_than_one_from_scratch():
    assert Pretrained("mobilenet").recipe == {
        "learning_rate": 7e-4,
        "epochs": 10,
        "tta": "flip",
    }
    assert Pretrained("mobilenet").phases == {"fine_tune": "all", "head_epochs": 4}
    only_head = Pretrained("mobilenet", fine_tune="none")
    assert only_head.phases == {"fine_tune": "none", "head_epochs": 0}
    from_scratch = Pretrained("mobilenet", weights=None)
    assert from_scratch.recipe == SmallCNN().recipe == {}
    assert from_scratch.phases == {"fine_tune": None, "head_epochs": 0}


def test_an_unknown_network_is_named(tiny_classifier, colour_images):
    with pytest.raises(ValueError, match=r"'mobilnet' is not known. Did you mean 'mobilenet'"):
        tiny_classifier(network="mobilnet").fit(*colour_images)


# --------------------------------------------------------------------------------------------------
# tta=


def test_tta_averages_an_image_and_its_mirror_image(fitted_classifier, colour_images):
    images, _ = colour_images
    plain = fitted_classifier.predict_proba(images)
    mirrored = fitted_classifier.predict_proba(images[:, :, ::-1])
    classifier = copy.deepcopy(fitted_classifier).set_params(tta="flip")
    averaged = classifier.predict_proba(images)
    assert averaged.dtype == np.float32
    np.testing.assert_allclose(averaged, mean_of_log_odds([plain, mirrored]), atol=1e-6)
    np.testing.assert_allclose(classifier.predict_proba(images[:, :, ::-1]), averaged, atol=1e-6)
