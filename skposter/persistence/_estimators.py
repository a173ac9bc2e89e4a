"""Estimators as JSON and arrays, and back, without running anything that a file names.

Each class that can be saved has a pair of functions here. A file can choose among them, and give
parameters and arrays; it cannot bring classes, functions or paths.
"""

from __future__ import annotations

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from skposter._estimators.steps import learned
from skposter._files.json_values import as_json, as_python, brief, expect, one_line
from skposter.exceptions import ArtifactError
from skposter.persistence import _classifier as image_classifier
from skposter.persistence._params import (
    check_attributes,
    describe_params,
    names_as_json,
    restore_params,
    restored_names,
)

__all__ = ["describe", "restore"]

# Of a whole model. Each pipeline around another makes a prediction three times as long, because
# scikit-learn asks the inner ones again at each step.
_MAX_PIPELINES = 3
_MAX_DEPTH = 10
_MAX_ESTIMATORS = 500
_MAX_NETWORKS = 100
_MAX_STEPS = 30


def describe(model, arrays):
    """Return a model as JSON has it.

    Parameters
    ----------
    model : estimator
        Fitted or not.
    arrays : dict of str to ndarray
        Its arrays are added here.

    Returns
    -------
    node : dict

    Raises
    ------
    ArtifactError
        If the format does not cover it.
    """
    node = _describe(model, arrays, "model")
    _check_extent(node)
    return node


def restore(node, arrays):
    """Return the model that `describe` described; arrays that it takes are removed.

    Parameters
    ----------
    node : object
        From a file, not trusted.
    arrays : dict of str to ndarray
        Neither.

    Raises
    ------
    ArtifactError
        If anything is not as it would have been written.
    """
    _check_extent(node)
    return _restore(node, arrays, "model")


def _check_extent(model):
    """Refuse what would take long to restore or to predict with, however small its file is."""
    n_estimators = n_networks = 0
    waiting = [(model, 0, 0)]
    while waiting:
        node, depth, pipelines = waiting.pop()
        if isinstance(node, dict):
            if isinstance(node.get("type"), str):
                n_estimators += 1
                n_networks += node["type"] == "MultiLabelImageClassifier" and bool(
                    node.get("fitted")
                )
                depth += 1
                pipelines += node["type"] == "Pipeline"
            children = [child for name, child in node.items() if name != "params"]
        else:
            children = node
        for found, limit, what in (
            (pipelines, _MAX_PIPELINES, "pipelines within pipelines; make one of their steps"),
            (depth, _MAX_DEPTH, "estimators within one another"),
            (n_estimators, _MAX_ESTIMATORS, "estimators"),
            (n_networks, _MAX_NETWORKS, "networks"),
        ):
            if found > limit:
                raise ArtifactError(f"model: more than {limit} {what}.")
        waiting += [(x, depth, pipelines) for x in children if isinstance(x, (dict, list))]


def _describe(estimator, arrays, where):
    for name, (kind, describe_kind, _) in _kinds().items():
        if type(estimator) is kind:
            return {"type": name, **describe_kind(estimator, arrays, where)}
    if hasattr(estimator, "best_estimator_"):
        advice = "Save its best_estimator_."
    else:
        advice = f"It covers {', '.join(_kinds())}. Use joblib.dump, or skops, for this model."
        if type(estimator).__name__ == "ImageFeatures":
            advice += (
                " Logistic regression on the features of a named network is covered as "
                'MultiLabelImageClassifier(Pretrained(name, fine_tune="none", head="logistic")).'
            )
    kind = f"{type(estimator).__module__}.{type(estimator).__qualname__}"
    raise ArtifactError(f"{where} is a {kind}, which skposter.save does not cover. {advice}")


def _restore(node, arrays, where):
    name = node.get("type") if isinstance(node, dict) else node
    if not isinstance(node, dict) or not isinstance(name, str) or name not in _kinds():
        raise ArtifactError(f"{where}: unknown type {brief(name)}.")
    _, _, restore_kind = _kinds()[name]
    return restore_kind({k: v for k, v in node.items() if k != "type"}, arrays, where)


def _kinds():
    from skposter.averaging import AveragingClassifier, BlendingClassifier
    from skposter.classifier import MultiLabelImageClassifier
    from skposter.images import ImageLoader
    from skposter.thresholds import (
        FixedThresholdsClassifier,
        TunedThresholdsClassifierCV,
    )

    return {
        "ImageLoader": (ImageLoader, _describe_loader, _restore_loader),
        "MultiLabelImageClassifier": (
            MultiLabelImageClassifier,
            image_classifier.describe,
            image_classifier.restore,
        ),
        "FixedThresholdsClassifier": (
            FixedThresholdsClassifier,
            _describe_wrapper,
            lambda *args: _restore_wrapper(FixedThresholdsClassifier, *args),
        ),
        "TunedThresholdsClassifierCV": (
            TunedThresholdsClassifierCV,
            _describe_wrapper,
            lambda *args: _restore_wrapper(TunedThresholdsClassifierCV, *args),
        ),
        "AveragingClassifier": (AveragingClassifier, _describe_average, _restore_average),
        "BlendingClassifier": (BlendingClassifier, _describe_blend, _restore_blend),
        "Pipeline": (Pipeline, _describe_pipeline, _restore_pipeline),
        "FrozenEstimator": (FrozenEstimator, _describe_frozen, _restore_frozen),
    }


def _describe_loader(loader, arrays, where):
    check_attributes(loader, (), where)
    return {"params": describe_params(loader, where)}


def _restore_loader(node, arrays, where):
    from skposter.images import ImageLoader

    (params,) = expect(node, where, params=dict)
    loader = restore_params(ImageLoader, params, where)
    try:
        return loader.fit([])
    except (ValueError, TypeError) as error:
        raise ArtifactError(f"{where}: {one_line(error)}") from error


def _describe_pipeline(pipeline, arrays, where):
    for name, value in pipeline.get_params(deep=False).items():
        if name not in ("steps", "verbose", "memory") and value is not None:
            raise ArtifactError(f"{where}: Pipeline({name}={value!r}) has no place in the format.")
    steps = []
    for i, (name, step) in enumerate(pipeline.steps):
        passed = step is None or isinstance(step, str)
        node = "passthrough" if passed else _describe(step, arrays, f"{where}[{i}]")
        steps.append([as_json(name, where), node])
    return {"steps": steps, "verbose": bool(pipeline.verbose)}


def _restore_pipeline(node, arrays, where):
    steps, verbose = expect(node, where, steps=list, verbose=bool)
    if not 0 < len(steps) <= _MAX_STEPS:
        raise ArtifactError(f"{where}: a pipeline of {len(steps)} steps.")
    restored = []
    for i, step in enumerate(steps):
        if not isinstance(step, list) or len(step) != 2 or not isinstance(step[0], str):
            raise ArtifactError(f"{where}: a step is not a name and an estimator.")
        name, inner = as_python(step[0], where), step[1]
        passed = inner == "passthrough"
        restored.append((name, inner if passed else _restore(inner, arrays, f"{where}[{i}]")))
    pipeline = Pipeline(restored, verbose=verbose)
    try:
        pipeline._validate_steps()
    except (ValueError, TypeError) as error:
        raise ArtifactError(f"{where}: {one_line(error)}") from error
    return pipeline


def _describe_frozen(frozen, arrays, where):
    return {"estimator": _describe(frozen.estimator, arrays, f"{where}.estimator")}


def _restore_frozen(node, arrays, where):
    (inner,) = expect(node, where, estimator=dict)
    return FrozenEstimator(_restore(inner, arrays, f"{where}.estimator"))


_LEARNED = ("thresholds_", "fold_thresholds_", "best_score_", "cv_score_", "cv_results_")
_NAMES = ("n_features_in_", "feature_names_in_")


def _describe_wrapper(model, arrays, where):
    known = ("estimator_", "label_names_", "classes_", *_LEARNED, *_NAMES)
    check_attributes(model, known, where)
    attributes = vars(model)
    node = {
        "params": describe_params(model, where, leave_out=("estimator",)),
        "estimator": _describe(model.estimator, arrays, f"{where}.estimator"),
        "fitted": None,
    }
    if "estimator_" in attributes:
        same = model.estimator_ is model.estimator
        node["fitted"] = {
            "estimator": None if same else _describe(model.estimator_, arrays, f"{where}.fitted"),
            "label_names": names_as_json(model.label_names_, where),
            "values": {
                name: as_json(_finite_or_none(attributes[name]), f"{where}: {name}")
                for name in (*_LEARNED, *_NAMES)
                if name in attributes and name != "cv_results_"
            },
        }
        for name, array in attributes.get("cv_results_", {}).items():
            arrays[f"{where}.cv_results/{name}"] = array
    return node


def _restore_wrapper(kind, node, arrays, where):
    params, estimator, fitted = expect(
        node, where, params=dict, estimator=dict, fitted=(dict, type(None))
    )
    estimator = _restore(estimator, arrays, f"{where}.estimator")
    model = restore_params(kind, params, where, estimator=estimator)
    if fitted is None:
        return model
    inner, names, values = expect(
        fitted, where, estimator=(dict, type(None)), label_names=list, values=dict
    )
    model.estimator_ = estimator
    if inner is not None:
        model.estimator_ = _restore(inner, arrays, f"{where}.fitted")
    model.label_names_ = restored_names(names, where)
    model.classes_ = np.tile([0, 1], (len(names), 1))
    _check_same_labels(model.estimator_, model, where)
    for name, value in values.items():
        value = as_python(value, f"{where}: {name}")
        setattr(model, name, _restored_value(name, value, len(names), where))
    prefix = f"{where}.cv_results/"
    results = [name for name in arrays if name.startswith(prefix)]
    if results:
        model.cv_results_ = {name[len(prefix) :]: arrays.pop(name) for name in results}
    return model


def _describe_average(model, arrays, where):
    check_attributes(model, ("estimators_", "label_names_", "classes_"), where)
    node = {
        "params": describe_params(model, where, leave_out=("estimator",)),
        "estimator": _describe(model.estimator, arrays, f"{where}.estimator"),
        "fitted": None,
    }
    if "estimators_" in vars(model):
        node["fitted"] = {
            "estimators": [
                _describe(member, arrays, f"{where}[{i}]")
                for i, member in enumerate(model.estimators_)
            ],
            "label_names": names_as_json(model.label_names_, where),
        }
    return node


def _restore_average(node, arrays, where):
    from skposter.averaging import AveragingClassifier

    params, estimator, fitted = expect(
        node, where, params=dict, estimator=dict, fitted=(dict, type(None))
    )
    estimator = _restore(estimator, arrays, f"{where}.estimator")
    model = restore_params(AveragingClassifier, params, where, estimator=estimator)
    if fitted is None:
        return model
    members, names = expect(fitted, where, estimators=list, label_names=list)
    if not members:
        raise ArtifactError(f"{where}: an average of nothing.")
    model.label_names_ = restored_names(names, where)
    model.classes_ = np.tile([0, 1], (len(names), 1))
    model.estimators_ = [
        _restore(member, arrays, f"{where}[{i}]") for i, member in enumerate(members)
    ]
    for member in model.estimators_:
        _check_same_labels(member, model, where)
    return model


def _describe_blend(model, arrays, where):
    known = ("estimators_", "weights_", "validation_indices_", "label_names_", "classes_")
    check_attributes(model, known, where)
    node = {
        "params": describe_params(model, where, leave_out=("estimators",)),
        "estimators": [
            [as_json(name, where), _describe(member, arrays, f"{where}.{name}")]
            for name, member in model.estimators
        ],
        "fitted": None,
    }
    if "estimators_" in vars(model):
        arrays[f"{where}.validation_indices"] = model.validation_indices_
        node["fitted"] = {
            "estimators": [
                _describe(member, arrays, f"{where}[{i}]")
                for i, member in enumerate(model.estimators_)
            ],
            "weights": as_json(model.weights_, f"{where}: weights"),
            "label_names": names_as_json(model.label_names_, where),
        }
    return node


def _restore_blend(node, arrays, where):
    from skposter.averaging import BlendingClassifier

    params, estimators, fitted = expect(
        node, where, params=dict, estimators=list, fitted=(dict, type(None))
    )
    pairs = []
    for pair in estimators:
        if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], str):
            raise ArtifactError(f"{where}: a classifier is not a name and an estimator.")
        name = as_python(pair[0], where)
        pairs.append((name, _restore(pair[1], arrays, f"{where}.{name}")))
    model = restore_params(BlendingClassifier, params, where, estimators=pairs)
    if fitted is None:
        return model
    members, weights, names = expect(fitted, where, estimators=list, weights=list, label_names=list)
    weights = as_python(weights, f"{where}: weights")
    if not members or len(members) != len(weights) or len(members) != len(pairs):
        raise ArtifactError(f"{where}: not one weight for each of its classifiers.")
    if not all(type(weight) in (int, float) and 0 <= weight < 1e6 for weight in weights):
        raise ArtifactError(f"{where}: weights cannot be {brief(weights)}.")
    model.label_names_ = restored_names(names, where)
    model.classes_ = np.tile([0, 1], (len(names), 1))
    model.weights_ = np.asarray(weights, dtype=np.float64)
    indices = arrays.pop(f"{where}.validation_indices", None)
    if indices is None or indices.ndim != 1 or indices.dtype.kind not in "iu":
        raise ArtifactError(f"{where}: no validation_indices.")
    model.validation_indices_ = indices
    model.estimators_ = [
        _restore(member, arrays, f"{where}[{i}]") for i, member in enumerate(members)
    ]
    for member in model.estimators_:
        _check_same_labels(member, model, where)
    return model


def _check_same_labels(inner, model, where):
    """Raise ArtifactError unless what is wrapped knows the labels of what is around it."""
    try:
        names = learned(inner).label_names_.tolist()
    except NotFittedError as error:
        raise ArtifactError(f"{where}: {error}") from error
    if names != model.label_names_.tolist():
        raise ArtifactError(f"{where}: has other labels than the classifier in it.")


def _finite_or_none(value):
    """Return a score, or None for the nan of one that could not be computed."""
    return None if isinstance(value, float) and np.isnan(value) else value


def _restored_value(name, value, n_labels, where):
    if name == "n_features_in_" and type(value) is int and value > 0:
        return value
    if name in ("best_score_", "cv_score_") and (value is None or type(value) in (int, float)):
        return float("nan") if value is None else float(value)
    texts = isinstance(value, tuple) and all(isinstance(item, str) for item in value)
    if name == "feature_names_in_" and texts:
        return np.asarray(value, dtype=object)
    numbers = isinstance(value, tuple) and all(type(item) in (int, float) for item in value)
    if name == "thresholds_" and numbers and len(value) == n_labels:
        return np.asarray(value, dtype=np.float64)
    if name == "fold_thresholds_" and isinstance(value, tuple) and len(value) <= 10_000:
        folds = [_restored_value("thresholds_", fold, n_labels, where) for fold in value]
        return np.asarray(folds, dtype=np.float64).reshape(-1, n_labels)
    raise ArtifactError(f"{where}: {brief(name)} cannot be {brief(value)}.")
