"""Estimators as JSON and arrays, and back, without running anything that a file names.

Each class that can be saved has a pair of functions here. A file can choose among them, and give
parameters and arrays; it cannot bring classes, functions or paths.
"""

from __future__ import annotations

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from skposter._files.json_values import as_json, as_python, expect
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


def describe(estimator, arrays, where="model"):
    """Return an estimator as JSON has it.

    Parameters
    ----------
    estimator : estimator
        Fitted or not.
    arrays : dict of str to ndarray
        Its arrays are added here.
    where : str
        Its place in the model, for errors and for the names of arrays.

    Returns
    -------
    node : dict

    Raises
    ------
    ArtifactError
        If the format does not cover it.
    """
    for name, (kind, describe_kind, _) in _kinds().items():
        if type(estimator) is kind:
            return {"type": name, **describe_kind(estimator, arrays, where)}
    if hasattr(estimator, "best_estimator_"):
        advice = "Save its best_estimator_."
    else:
        advice = f"It covers {', '.join(_kinds())}. Use joblib.dump, or skops, for this model."
    kind = f"{type(estimator).__module__}.{type(estimator).__qualname__}"
    raise ArtifactError(f"{where} is a {kind}, which skposter.save does not cover. {advice}")


def restore(node, arrays, where="model"):
    """Return the estimator that `describe` described; arrays that it takes are removed.

    Parameters
    ----------
    node : object
        From a file, not trusted.
    arrays : dict of str to ndarray
        Neither.
    where : str
        For errors.

    Raises
    ------
    ArtifactError
        If anything is not as it would have been written.
    """
    name = node.get("type") if isinstance(node, dict) else node
    if not isinstance(node, dict) or not isinstance(name, str) or name not in _kinds():
        raise ArtifactError(f"{where}: unknown type {str(name)[:100]!r}.")
    if where.count(".") > 20:
        raise ArtifactError(f"{where}: nested too deep.")
    _, _, restore_kind = _kinds()[name]
    return restore_kind({k: v for k, v in node.items() if k != "type"}, arrays, where)


def _kinds():
    from skposter.averaging import AveragingClassifier
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
        raise ArtifactError(f"{where}: {error}") from error


def _describe_pipeline(pipeline, arrays, where):
    for name, value in pipeline.get_params(deep=False).items():
        if name not in ("steps", "verbose", "memory") and value is not None:
            raise ArtifactError(f"{where}: Pipeline({name}={value!r}) has no place in the format.")
    steps = []
    for name, step in pipeline.steps:
        passed = step is None or step == "passthrough"
        node = "passthrough" if passed else describe(step, arrays, f"{where}.{name}")
        steps.append([as_json(name, where), node])
    return {"steps": steps, "verbose": bool(pipeline.verbose)}


def _restore_pipeline(node, arrays, where):
    steps, verbose = expect(node, where, steps=list, verbose=bool)
    restored = []
    for step in steps:
        if not isinstance(step, list) or len(step) != 2 or not isinstance(step[0], str):
            raise ArtifactError(f"{where}: a step is not a name and an estimator.")
        name, inner = step
        passed = inner == "passthrough"
        restored.append((name, inner if passed else restore(inner, arrays, f"{where}.{name}")))
    if not 0 < len(restored) <= 100:
        raise ArtifactError(f"{where}: a pipeline of {len(restored)} steps.")
    pipeline = Pipeline(restored, verbose=verbose)
    try:
        pipeline._validate_steps()
    except (ValueError, TypeError) as error:
        raise ArtifactError(f"{where}: {error}") from error
    return pipeline


def _describe_frozen(frozen, arrays, where):
    return {"estimator": describe(frozen.estimator, arrays, f"{where}.estimator")}


def _restore_frozen(node, arrays, where):
    (inner,) = expect(node, where, estimator=dict)
    return FrozenEstimator(restore(inner, arrays, f"{where}.estimator"))


_LEARNED = ("thresholds_", "fold_thresholds_", "best_score_", "cv_score_", "cv_results_")
_NAMES = ("n_features_in_", "feature_names_in_")


def _describe_wrapper(model, arrays, where):
    known = ("estimator_", "label_names_", "classes_", *_LEARNED, *_NAMES)
    check_attributes(model, known, where)
    learned = vars(model)
    node = {
        "params": describe_params(model, where, leave_out=("estimator",)),
        "estimator": describe(model.estimator, arrays, f"{where}.estimator"),
        "fitted": None,
    }
    if "estimator_" in learned:
        same = model.estimator_ is model.estimator
        node["fitted"] = {
            "estimator": None if same else describe(model.estimator_, arrays, f"{where}.fitted"),
            "label_names": names_as_json(model.label_names_, where),
            "values": {
                name: as_json(_finite_or_none(learned[name]), f"{where}: {name}")
                for name in (*_LEARNED, *_NAMES)
                if name in learned and name != "cv_results_"
            },
        }
        for name, array in learned.get("cv_results_", {}).items():
            arrays[f"{where}.cv_results/{name}"] = array
    return node


def _restore_wrapper(kind, node, arrays, where):
    params, estimator, fitted = expect(
        node, where, params=dict, estimator=dict, fitted=(dict, type(None))
    )
    estimator = restore(estimator, arrays, f"{where}.estimator")
    model = restore_params(kind, params, where, estimator=estimator)
    if fitted is None:
        return model
    inner, names, values = expect(
        fitted, where, estimator=(dict, type(None)), label_names=list, values=dict
    )
    if not set(values) <= {*_LEARNED, *_NAMES}:
        raise ArtifactError(f"{where}: unknown values {sorted(values)[:10]}.")
    inner = estimator if inner is None else restore(inner, arrays, f"{where}.fitted")
    model.estimator_ = inner
    model.label_names_ = restored_names(names, where)
    model.classes_ = np.tile([0, 1], (len(names), 1))
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
        "estimator": describe(model.estimator, arrays, f"{where}.estimator"),
        "fitted": None,
    }
    if "estimators_" in vars(model):
        node["fitted"] = {
            "estimators": [
                describe(member, arrays, f"{where}.{i}")
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
    estimator = restore(estimator, arrays, f"{where}.estimator")
    model = restore_params(AveragingClassifier, params, where, estimator=estimator)
    if fitted is None:
        return model
    members, names = expect(fitted, where, estimators=list, label_names=list)
    if not 0 < len(members) <= 1000:
        raise ArtifactError(f"{where}: an average of {len(members)} classifiers.")
    model.label_names_ = restored_names(names, where)
    model.classes_ = np.tile([0, 1], (len(names), 1))
    model.estimators_ = [
        restore(member, arrays, f"{where}.{i}") for i, member in enumerate(members)
    ]
    return model


def _finite_or_none(value):
    """Return a score, or None for the nan of one that could not be computed."""
    return None if isinstance(value, float) and np.isnan(value) else value


def _restored_value(name, value, n_labels, where):
    try:
        if name == "thresholds_":
            return np.asarray(value, dtype=np.float64)
        if name == "fold_thresholds_":
            return np.asarray(value, dtype=np.float64).reshape(-1, n_labels)
        if name == "feature_names_in_":
            return np.asarray(value, dtype=object)
        if name == "n_features_in_":
            return int(value)
        return float("nan") if value is None else float(value)
    except (ValueError, TypeError) as error:
        raise ArtifactError(f"{where}: {name} cannot be used ({error}).") from error
