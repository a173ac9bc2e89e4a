"""The parts of a fitted model that other packages ask for, whatever is wrapped around them."""

from __future__ import annotations

from sklearn.exceptions import NotFittedError

from skposter.exceptions import ArtifactError

__all__ = ["deciding", "image_loader", "learned", "steps_inwards"]


def steps_inwards(model):
    """Yield a model, and what it wraps, from the outside in.

    Of several that were trained alike, as in an average, the first is what is wrapped.
    """
    while model is not None and not isinstance(model, str):
        yield model
        # FrozenEstimator has the attributes of what it holds, and its own are only in here.
        own = getattr(model, "__dict__", {})
        if own.get("steps"):
            model = own["steps"][-1][1]
        elif len(own.get("estimators_", ())):
            model = own["estimators_"][0]
        elif "best_estimator_" in own:
            model = own["best_estimator_"]
        else:
            model = own.get("estimator_", own.get("estimator"))


def deciding(model):
    """Return the outermost part that has thresholds."""
    return _first(model, "thresholds_")


def learned(model):
    """Return the MultiLabelImageClassifier in a fitted model."""
    return _first(model, "keras_classifier_")


def image_loader(model):
    """Return the ImageLoader in a model, or None if it takes images."""
    for step in steps_inwards(model):
        for _, part in getattr(step, "__dict__", {}).get("steps", ()):
            if type(part).__name__ == "ImageLoader":  # which need not be imported to know this
                return part
    return None


def _first(model, attribute):
    for step in steps_inwards(model):
        if attribute in getattr(step, "__dict__", {}) or isinstance(
            getattr(type(step), attribute, None), property
        ):
            if not hasattr(step, attribute):
                raise NotFittedError(f"This {type(step).__name__} is not fitted yet.")
            return step
    fitted = [type(step).__name__ for step in steps_inwards(model)]
    if "MultiLabelImageClassifier" in fitted:
        raise NotFittedError("This MultiLabelImageClassifier is not fitted yet.")
    raise ArtifactError(
        f"The model ({' around '.join(fitted)}) holds no fitted MultiLabelImageClassifier."
    )
