"""The regions of an image that speak for a label."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import _safe_indexing
from tqdm.auto import tqdm

from skposter._estimators.steps import image_loader, steps_inwards
from skposter._labels.probabilities import label_scores
from skposter.display import chosen_labels, find_attribute, label_names_of
from skposter.images import Access, as_sources, natural_size
from skposter.inspection._explanation import Explanation
from skposter.inspection._geometry import Placement
from skposter.inspection._members import members_of
from skposter.inspection._occlusion import occlusion_maps
from skposter.thresholds import apply_thresholds

if TYPE_CHECKING:
    from typing import Any, Literal

    from skposter._typing import Names, Samples

__all__ = ["explain", "explain_each"]

_METHODS = ("gradcam", "hirescam", "layercam", "occlusion")
_BATCH = 16


def explain(
    model: Any,
    X: Samples,
    labels: Any = None,
    *,
    method: Literal["hirescam", "gradcam", "layercam", "occlusion"] = "hirescam",
    layer: str | None = None,
    label_names: Names | None = None,
    verbose: int = 0,
) -> list[Explanation]:
    """Draw heat maps of the regions of images that speak for labels.

    Parameters
    ----------
    model : estimator
        A fitted classifier, a pipeline that ends in one, or what wraps them. Of averaged
        classifiers the maps are averaged.
    X : sequence of n_samples image sources
        What the model takes: paths, or uint8 images.
    labels : str or sequence of str, default=None
        The labels to explain. None takes those that are predicted for each image, or its likeliest
        one.
    method : {"hirescam", "gradcam", "layercam", "occlusion"}, default="hirescam"
        Of the networks of Keras, the gradients at the last feature maps: multiplied with the
        features place by place [1]_, averaged over places first [2]_, or positive ones only [3]_.
        ``"occlusion"`` covers parts of the image and watches the log-odds fall [4]_; it takes any
        classifier and several times as long.
    layer : str, default=None
        The layer whose output counts as the last feature maps; None finds it.
    label_names : sequence of str, default=None
        For classifiers without ``label_names_``.
    verbose : int, default=0
        Above 0, a progress bar.

    Returns
    -------
    explanations : list of Explanation
        One an image; ``explanation.heat_map("Drama")`` is an array over the image as it is in its
        file, ``explanation.overlay("Drama")`` a picture.

    Raises
    ------
    ValueError
        If there is no such label, layer or method, or the network has no feature maps.
    ImageLoadError
        If an image cannot be read.

    See Also
    --------
    ExplanationDisplay : Shows them.

    Notes
    -----
    A heat map says where a network looks, not whether it is right to; and a label can be predicted
    for want of anything else, in which case the map may be empty.

    References
    ----------
    .. [1] R. L. Draelos, L. Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of
       convolutional neural networks", 2020.
    .. [2] R. R. Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via
       Gradient-based Localization", ICCV 2017.
    .. [3] P.-T. Jiang et al., "LayerCAM: Exploring Hierarchical Class Activation Maps for
       Localization", IEEE Transactions on Image Processing 30, 2021.
    .. [4] M. D. Zeiler, R. Fergus, "Visualizing and Understanding Convolutional Networks", ECCV
       2014.

    Examples
    --------
    Any classifier, here one that finds red by the mean of a channel:

    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from skposter.inspection import explain
    >>> X = np.zeros((20, 20, 20, 3), dtype=np.uint8)
    >>> X[::2, 2:8, 12:18, 0] = 255  # red, at the upper right
    >>> y = np.column_stack([X[..., 0].any(axis=(1, 2)), np.arange(20) < 10]).astype(int)
    >>> means = FunctionTransformer(lambda X: X.mean(axis=(1, 2)))
    >>> model = make_pipeline(means, OneVsRestClassifier(LogisticRegression())).fit(X, y)
    >>> names = ["red", "early"]
    >>> found, = explain(model, X[:1], "red", method="occlusion", label_names=names)
    >>> heat = found.heat_map("red")
    >>> heat.shape, bool(heat[:10, 10:].sum() > 0.7 * heat.sum())
    ((20, 20), True)
    """
    names = label_names_of(model, None, label_names)
    always = None if labels is None else chosen_labels(labels, names)
    if always is not None and not always:
        raise ValueError("labels is empty: pass names, or None for those that are predicted.")

    def wanted(probabilities, start):
        return _predicted(model, probabilities) if always is None else [always] * len(probabilities)

    return _explained(model, X, wanted, names, method, layer, verbose)


def explain_each(model, X, labels, *, method="hirescam", label_names=None, verbose=0):
    """Do what :func:`explain` does, for labels of their own of each image.

    Parameters
    ----------
    model, X, method, label_names, verbose
        As in :func:`explain`.
    labels : sequence of sequence of str
        At least one label of each image.

    Returns
    -------
    explanations : list of Explanation
    """
    names = label_names_of(model, None, label_names)
    positions = [chosen_labels(each, names) for each in labels]

    def wanted(probabilities, start):
        return positions[start : start + len(probabilities)]

    return _explained(model, X, wanted, names, method, None, verbose)


def _explained(model, X, wanted, names, method, layer, verbose):
    """Return the explanations; `wanted` says which labels of the images of a batch to explain."""
    if method not in _METHODS:
        raise ValueError(f"method is one of {', '.join(_METHODS)}; got {method!r}.")
    if method == "occlusion" and layer is not None:
        raise ValueError("layer is for the gradients; occlusion looks into no network.")
    n_samples = len(X)
    mappers = [_mapper(member, method, layer, len(names)) for member in members_of(model)]
    # Addresses are read as they are for predictions.
    access = Access(getattr(image_loader(model), "storage_options", None))
    explanations = []
    with tqdm(total=n_samples, desc="Explaining", unit="image", disable=not verbose) as bar:
        for start in range(0, n_samples, _BATCH):
            rows = np.arange(start, min(start + _BATCH, n_samples))
            batch = _safe_indexing(X, rows)
            probabilities = label_scores(model, batch, len(names))
            labels = wanted(probabilities, start)
            found = [mapper(batch, labels) for mapper in mappers]
            for i, source in enumerate(as_sources(batch, access)):
                maps, placement = _averaged([(maps[i], place(source)) for maps, place in found])
                explanations.append(
                    Explanation(
                        source,
                        [names[j] for j in labels[i]],
                        probabilities[i, labels[i]],
                        maps,
                        placement,
                    )
                )
            bar.update(len(rows))
    return explanations


def _predicted(model, probabilities):
    """Return the labels that are predicted for each image, or its likeliest, likeliest first."""
    thresholds = find_attribute(model, "thresholds_")
    decided = apply_thresholds(
        probabilities,
        np.full(probabilities.shape[1], 0.5) if thresholds is None else thresholds,
        min_labels=max(1, find_attribute(model, "min_labels") or 0),
    )
    order = np.argsort(-probabilities, axis=1, kind="stable")
    return [[j for j in best.tolist() if row[j]] for best, row in zip(order, decided, strict=True)]


def _mapper(member, method, layer, n_labels):
    """Return a function from a batch and its labels to maps and the placement of a source."""
    if method == "occlusion":
        compute = partial(occlusion_maps, member.classifier, n_labels=n_labels)
    else:
        compute = _gradients(member, method, layer)

    def mapped(batch, wanted):
        images = member.load(batch)
        return compute(images, labels=wanted), partial(_placement, member.loader, images.shape[1:3])

    return mapped


def _gradients(member, method, layer):
    steps = list(steps_inwards(member.classifier))
    classifier = next((step for step in steps if "keras_classifier_" in vars(step)), None)
    if classifier is None:
        last = next(step for step in steps if not hasattr(step, "steps"))
        raise ValueError(
            f"{type(last).__name__} is no network of Keras, or not fitted: "
            f'method={method!r} needs its gradients. method="occlusion" explains any classifier.'
        )
    from skposter.inspection._gradients import FeatureGradients

    watched = FeatureGradients(classifier.model_, classifier.image_shape_, layer)
    transforms = [
        part for step in steps for _, part in getattr(step, "steps", [])[:-1]
        if hasattr(part, "transform")
    ]  # fmt: skip

    def compute(images, labels):
        for transform in transforms:
            images = transform.transform(images)
        maps = watched.maps(images, labels, method)
        if getattr(classifier, "tta", False):
            mirrored = watched.maps(images[:, :, ::-1], labels, method)
            maps = [(a + b[:, :, ::-1]) / 2 for a, b in zip(maps, mirrored, strict=True)]
        return maps

    return compute


def _placement(loader, size, source):
    width, height = natural_size(source)
    resize = "stretch" if loader is None else loader.resize
    return Placement(resize, (int(size[0]), int(size[1])), (height, width))


def _averaged(found):
    """Return the mean of the maps of several classifiers, each from 0 to 1."""
    scaled = [_scaled(maps) for maps, _ in found]
    return _scaled(np.mean(scaled, axis=0)), found[0][1]


def _scaled(maps):
    most = maps.max(axis=(1, 2), keepdims=True)
    return np.divide(maps, most, out=np.zeros_like(maps), where=most > 0)
