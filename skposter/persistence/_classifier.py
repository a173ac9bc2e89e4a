"""MultiLabelImageClassifier as JSON and arrays, and back."""

from __future__ import annotations

from functools import partial

import numpy as np

from skposter._files.json_values import as_json, as_python, brief, expect, one_line
from skposter.exceptions import ArtifactError
from skposter.persistence._keras_objects import is_keras_object
from skposter.persistence._networks import (
    describe_network,
    describe_recipe,
    restore_network,
    restore_recipe,
)
from skposter.persistence._params import (
    MAX_PIXELS,
    check_attributes,
    describe_params,
    names_as_json,
    restore_params,
    restored_names,
)
from skposter.thresholds import parse_objective

__all__ = ["describe", "restore"]

_PLAIN = {"loss": "'binary_crossentropy'", "optimizer": "'adam'", "augmentation": "'none'"}
_MAX_SIDE = 8_192
_MAX_CHANNELS = 256
# Bytes that one layer gives, for an image and for the images of a batch.
_MAX_ACTIVATION = 2**29
_MAX_BATCH_ACTIVATION = 2**33
_LEARNED = (
    "classes_",
    "image_shape_",
    "label_names_",
    "label_frequencies_",
    "history_",
    "n_iter_",
    "validation_indices_",
    "keras_classifier_",
    "seeds_",
    "training_summary_",
    "validation_scores_",
    "_policy_of_origin",
    "recipe_",
)


def describe(classifier, arrays, where):
    """Return a classifier as JSON has it; see :mod:`skposter.persistence._estimators`."""
    _check_no_code(classifier, where)
    check_attributes(classifier, _LEARNED, where)
    params = describe_params(classifier, where, leave_out=("network",))
    params["network"] = describe_network(classifier.network, where)
    node = {"params": params, "fitted": None}
    if not hasattr(classifier, "keras_classifier_"):
        return node
    from skposter._keras.shapes import shapes_of
    from skposter._training.keras_fit import untrained_network

    network = classifier.keras_classifier_.network_
    names = shapes_of(partial(untrained_network, classifier)).arrays
    for name, array in zip(names, network.variables, strict=True):
        arrays[f"{where}.network/{name}"] = array
    arrays[f"{where}.validation_indices"] = classifier.validation_indices_
    if classifier.validation_scores_ is not None:
        y_val, scores = classifier.validation_scores_
        unknown = np.isnan(y_val)
        arrays[f"{where}.validation/labels"] = (
            np.where(unknown, -1, y_val).astype(np.int8) if unknown.any() else y_val
        )
        arrays[f"{where}.validation/scores"] = scores
    node["fitted"] = {
        "image_shape": list(classifier.image_shape_),
        "label_names": names_as_json(classifier.label_names_, where),
        "label_frequencies": as_json(classifier.label_frequencies_, where),
        "history": as_json(_without_nan(classifier.history_), where),
        "recipe": describe_recipe(classifier.recipe_),
        "n_iter": as_json(classifier.n_iter_, where),
        "seeds": as_json(classifier.seeds_, where),
        "training": as_json(classifier.training_summary_, where),
    }
    return node


def _check_no_code(classifier, where):
    for name in ("loss", "optimizer", "augmentation", "callbacks"):
        value = getattr(classifier, name)
        if value is None or isinstance(value, str) or (name == "callbacks" and not value):
            continue
        if name in ("loss", "optimizer") and is_keras_object(value):
            continue
        what = getattr(value, "__qualname__", type(value).__qualname__)
        raise ArtifactError(
            f"{where}: {name} is {what}, code of your own, and the file holds none. It matters to "
            f"training only: set_params({name}={_PLAIN.get(name)}) before saving, or use "
            "joblib.dump."
        )


def _without_nan(history):
    """Return a history with None where an epoch has no value: JSON has no nan."""
    return {
        name: [None if isinstance(v, float) and np.isnan(v) else v for v in values]
        for name, values in history.items()
    }


def restore(node, arrays, where):
    """Return the classifier of a file; see :mod:`skposter.persistence._estimators`."""
    from skposter.classifier import MultiLabelImageClassifier

    params, fitted = expect(node, where, params=dict, fitted=(dict, type(None)))
    if not isinstance(params.get("network"), str | dict):
        raise ArtifactError(f"{where}: the network has no name.")
    network = restore_network(params["network"], where)
    others = {name: value for name, value in params.items() if name != "network"}
    classifier = restore_params(MultiLabelImageClassifier, others, where, network=network)
    if fitted is None:
        return classifier
    shape, names, frequencies, history, recipe, n_iter, seeds, training = expect(
        fitted,
        where,
        image_shape=list,
        label_names=list,
        label_frequencies=list,
        history=dict,
        recipe=dict,
        n_iter=int,
        seeds=dict,
        training=dict,
    )
    classifier.image_shape_ = _image_shape(shape, where)
    classifier.label_names_ = restored_names(names, where)
    n_labels = len(names)
    classifier.classes_ = np.tile([0, 1], (n_labels, 1))
    classifier.label_frequencies_ = _frequencies(frequencies, n_labels, where)
    classifier.history_ = _history(history, where)
    classifier.recipe_ = restore_recipe(recipe, where)
    if n_iter < 0:
        raise ArtifactError(f"{where}: n_iter is {n_iter}.")
    classifier.n_iter_ = n_iter
    expect(seeds, f"{where}: seeds", network=int, shuffle=int, split=int)
    if not all(0 <= seed < 2**32 for seed in seeds.values()):
        raise ArtifactError(f"{where}: a seed is not in [0, 2**32).")
    classifier.seeds_ = seeds
    classifier.training_summary_ = _training(training, n_labels, where)
    classifier.validation_indices_ = _taken(arrays, f"{where}.validation_indices", "iu", (None,))
    classifier.validation_scores_ = _validation_scores(arrays, n_labels, where)
    classifier.keras_classifier_ = _network(classifier, arrays, where)
    _check_thresholds(classifier, where)
    return classifier


def _network(classifier, arrays, where):
    """Return the trained network if the arrays are exactly those that it would have."""
    from skposter._keras.shapes import shapes_of
    from skposter._training.keras_fit import untrained_network
    from skposter._training.scikeras_bridge import restored

    try:
        shapes = shapes_of(partial(untrained_network, classifier))
    except Exception as error:  # the builders check their options in their own ways
        message = one_line(error)
        raise ArtifactError(f"{where}: the network cannot be built: {message}") from error
    batch_size = classifier.recipe_["batch_size"]
    if classifier.batch_size != "auto":
        batch_size = classifier.batch_size
    for limit, n_images in ((_MAX_ACTIVATION, 1), (_MAX_BATCH_ACTIVATION, batch_size)):
        if shapes.largest_activation * n_images > limit:
            raise ArtifactError(
                f"{where}: a layer gives {shapes.largest_activation * n_images} bytes for a batch "
                f"of {n_images}, and a file may ask for {limit} at most. Set a smaller batch_size."
            )
    prefix = f"{where}.network/"
    found = {name for name in arrays if name.startswith(prefix)}
    if found != {prefix + name for name in shapes.arrays}:
        raise ArtifactError(
            f"{where}: the file holds {len(found)} arrays of the network, and it has "
            f"{len(shapes.arrays)}, or others."
        )
    variables = []
    for name, (shape, dtype) in shapes.arrays.items():
        found_type = arrays[prefix + name].dtype
        # What is kept in bfloat16 is written in single precision.
        if str(found_type) != dtype.replace("bfloat16", "float32"):
            raise ArtifactError(f"{where}: {name} is of type {found_type}, expected {dtype}.")
        variables.append(_taken(arrays, prefix + name, found_type.kind, shape))
    n_labels = len(classifier.label_names_)
    return restored(shapes.config, variables, classifier.recipe_, classifier.history_, n_labels)


def _taken(arrays, name, kinds, shape):
    """Remove an array and return it if it has such numbers and this shape, None for any length."""
    if name not in arrays:
        raise ArtifactError(f"{name} is missing.")
    array = arrays.pop(name)
    fits = array.ndim == len(shape) and all(
        want in (None, have) for want, have in zip(shape, array.shape, strict=True)
    )
    if array.dtype.kind not in kinds or not fits:
        raise ArtifactError(
            f"{name} has the shape {array.shape} of {array.dtype}, expected {tuple(shape)}."
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ArtifactError(f"{name} holds numbers that are not finite.")
    return array


def _validation_scores(arrays, n_labels, where):
    if f"{where}.validation/labels" not in arrays:
        return None
    y_val = _taken(arrays, f"{where}.validation/labels", "iu", (None, n_labels))
    scores = _taken(arrays, f"{where}.validation/scores", "f", y_val.shape)
    if (y_val > 1).any() or (y_val < -1).any() or (scores < 0).any() or (scores > 1).any():
        raise ArtifactError(f"{where}: validation labels or scores are not in [0, 1].")
    if (y_val < 0).any():
        return np.where(y_val < 0, np.nan, y_val).astype(np.float32), scores
    return y_val, scores


def _image_shape(shape, where):
    shape = as_python(shape, where)
    good = len(shape) == 3 and all(type(side) is int and 1 <= side <= _MAX_SIDE for side in shape)
    if not good or shape[0] * shape[1] > MAX_PIXELS or shape[2] > _MAX_CHANNELS:
        raise ArtifactError(f"{where}: image_shape {brief(shape)} cannot be used.")
    return shape


def _frequencies(values, n_labels, where):
    values = as_python(values, where)
    if len(values) != n_labels or not all(
        isinstance(value, (int, float)) and 0 <= value <= 1 for value in values
    ):
        raise ArtifactError(f"{where}: label_frequencies are not {n_labels} numbers in [0, 1].")
    return np.asarray(values, dtype=np.float64)


def _history(history, where):
    history = as_python(history, f"{where}: history")
    for name, values in history.items():
        numbers = isinstance(values, tuple) and all(
            value is None or isinstance(value, str) or type(value) in (int, float)
            for value in values
        )
        if not numbers:
            raise ArtifactError(f"{where}: history of {brief(name)} is not a list of numbers.")
    return {
        name: [float("nan") if value is None else value for value in values]
        for name, values in history.items()
    }


def _training(training, n_labels, where):
    n_images, counts, fingerprint = expect(
        training, f"{where}: training", n_images=int, label_counts=list, fingerprint=str
    )
    if len(counts) != n_labels or not all(
        type(count) is int and 0 <= count <= n_images for count in counts
    ):
        raise ArtifactError(f"{where}: label_counts are not {n_labels} counts of images.")
    return {"n_images": n_images, "label_counts": counts, "fingerprint": fingerprint[:200]}


def _check_thresholds(classifier, where):
    try:
        if isinstance(classifier.threshold, str) and classifier.validation_scores_ is None:
            parse_objective(classifier.threshold)  # a wrapper has the thresholds then
            return
        thresholds = classifier.thresholds_
    except ValueError as error:
        raise ArtifactError(f"{where}: {error}") from error
    if not np.isfinite(thresholds).all():
        raise ArtifactError(f"{where}: thresholds are not finite.")
