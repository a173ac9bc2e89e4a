"""The parts of a fitted model that other rooms ask for, whatever is wrapped around them."""

from __future__ import annotations

from sklearn.exceptions import NotFittedError

from skposter.exceptions import ArtifactError

__all__ = ["deciding", "learned", "steps_inwards"]


def steps_inwards(model):
    """Yield a model, and what it wraps, from the outside in."""
    while model is not None and not isinstance(model, str):
        yield model
        held = getattr(model, "__dict__", {})
        if hasattr(model, "steps"):
            model = model.steps[-1][1]
        elif len(held.get("estimators_", ())):
            model = model.estimators_[0]  # of several that were trained alike
        elif hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        else:
            # FrozenEstimator answers for what it holds, and has no estimator_ of its own.
            model = held.get("estimator_", held.get("estimator"))


def deciding(model):
    """Return the outermost part that has thresholds."""
    return _first(model, "thresholds_")


def learned(model):
    """Return the MultiLabelImageClassifier in a fitted model."""
    return _first(model, "keras_classifier_")


def _first(model, attribute):
    for step in steps_inwards(model):
        if attribute in vars(step) or isinstance(getattr(type(step), attribute, None), property):
            if not hasattr(step, attribute):
                raise NotFittedError(f"This {type(step).__name__} is not fitted yet.")
            return step
    fitted = [type(step).__name__ for step in steps_inwards(model)]
    if "MultiLabelImageClassifier" in fitted:
        raise NotFittedError("This MultiLabelImageClassifier is not fitted yet.")
    raise ArtifactError(
        f"The model ({' around '.join(fitted)}) holds no fitted MultiLabelImageClassifier."
    )
