"""Built-in networks, what builders get to know, and predictions of mirrored images."""

import inspect

import numpy as np
import pytest

from skposter import MultiLabelImageClassifier
from skposter._labels.log_odds import mean_of_log_odds
from skposter.networks import NETWORKS, build_network, builder_params

META = {
    "input_shape": (16, 12, 3),
    "n_labels": 2,
    "label_names": ["a", "b"],
    "label_frequencies": np.array([0.25, 0.01]),
    "seed": 3,
}
X = np.random.default_rng(0).integers(0, 256, size=(5, 16, 12, 3)).astype(np.uint8)


def test_predictions_start_near_the_label_frequencies():
    model = build_network("small_cnn", META, {"filters": (4,)})
    model.get_layer("probabilities").kernel.assign(np.zeros((4, 2)))
    np.testing.assert_allclose(model(X), np.tile([0.25, 0.01], (5, 1)), rtol=1e-5)


def test_labels_that_all_or_no_images_have_start_finite():
    model = build_network("small_cnn", {**META, "label_frequencies": np.array([0.0, 1.0])}, {})
    assert np.isfinite(model.get_layer("probabilities").bias).all()


def test_filters_set_the_depth():
    model = build_network("small_cnn", META, {"filters": (4, 6), "dense_units": 5, "dropout": 0})
    shapes = [model.get_layer(f"conv_{i}").output.shape[1:] for i in (1, 2, 3)]
    assert shapes == [(8, 6, 4), (4, 3, 6), (4, 3, 6)]
    assert model.get_layer("dense").units == 5
    assert "dropout" not in [layer.name for layer in model.layers]


def test_the_seed_decides_the_first_weights():
    first, same, other = (
        build_network("small_cnn", {**META, "seed": seed}, {"filters": (4,)}).get_weights()
        for seed in (3, 3, 4)
    )
    assert all(map(np.array_equal, first, same))
    assert not np.array_equal(first[0], other[0])


def test_the_tutorials_network_says_what_size_it_needs():
    with pytest.raises(ValueError, match=r"at least 76 x 76 pixels, got .* = \(16, 12\)"):
        build_network("tutorial", META, {})
    model = build_network("tutorial", {**META, "input_shape": (76, 80, 3)}, {})
    assert model.output_shape == (None, 2)


def test_builders_read_the_parameters_that_they_name():
    ours = {"filters": (4,), "dropout": 0.3, "weights": "imagenet"}
    assert builder_params("small_cnn", ours, ours, {}) == {"filters": (4,), "dropout": 0.3}
    assert builder_params("mobilenet", ours, ours, {"alpha": 1.0, "dropout": 0.1}) == {
        "dropout": 0.1,
        "weights": "imagenet",
        "alpha": 1.0,
    }
    assert builder_params(len, ours, ours, {"depth": 2}) == {"depth": 2}
    with pytest.raises(ValueError, match=r"dropout=0.5 is read by network='small_cnn', 'convnext"):
        builder_params("tutorial", {**ours, "dropout": 0.5}, ours, {})


def test_shared_parameters_have_the_builders_defaults():
    ours = inspect.signature(MultiLabelImageClassifier).parameters
    for name, build in NETWORKS.items():
        for parameter in inspect.signature(build).parameters.values():
            if parameter.name in ours:
                assert parameter.default == ours[parameter.name].default, (name, parameter.name)


def test_an_unknown_network_is_named(tiny_classifier, colour_images):
    with pytest.raises(ValueError, match=r"'mobilnet' is not known. Did you mean 'mobilenet'"):
        tiny_classifier(network="mobilnet").fit(*colour_images)


# --------------------------------------------------------------------------------------------------
# tta=


def test_tta_averages_an_image_and_its_mirror_image(fitted_classifier, colour_images):
    images, _ = colour_images
    plain = fitted_classifier.predict_proba(images)
    mirrored = fitted_classifier.predict_proba(images[:, :, ::-1])
    classifier = MultiLabelImageClassifier(**fitted_classifier.get_params()).set_params(tta=True)
    vars(classifier).update(
        {name: value for name, value in vars(fitted_classifier).items() if name.endswith("_")}
    )
    averaged = classifier.predict_proba(images)
    assert averaged.dtype == np.float32
    np.testing.assert_allclose(averaged, mean_of_log_odds([plain, mirrored]), atol=1e-6)
    np.testing.assert_allclose(classifier.predict_proba(images[:, :, ::-1]), averaged, atol=1e-6)
