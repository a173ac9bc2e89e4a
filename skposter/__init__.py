"""scikit-learn for multi-label images.

The way of the data, one public name a step::

    datasets.load_image_csv -> model_selection -> ImageLoader -> MultiLabelImageClassifier
        -> thresholds -> metrics

Names are loaded on first use, so ``import skposter`` imports neither TensorFlow nor pandas.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from skposter._version import __version__, not_in_this_version

if TYPE_CHECKING:  # for editors and type checkers, which do not run __getattr__
    from skposter import (
        averaging,
        classifier,
        datasets,
        display,
        distributed,
        exceptions,
        features,
        images,
        inspection,
        losses,
        memory,
        metrics,
        model_selection,
        networks,
        onnx,
        persistence,
        serving,
        thresholds,
    )
    from skposter._report import data_report, report
    from skposter.averaging import AveragingClassifier, BlendingClassifier
    from skposter.classifier import MultiLabelImageClassifier
    from skposter.features import ImageFeatures
    from skposter.images import ImageLoader, LazyImages
    from skposter.onnx import load_onnx
    from skposter.persistence import export, load, save
    from skposter.thresholds import FixedThresholdsClassifier, TunedThresholdsClassifierCV

__all__ = [
    "__version__",
    "ImageLoader",
    "LazyImages",
    "ImageFeatures",
    "MultiLabelImageClassifier",
    "TunedThresholdsClassifierCV",
    "FixedThresholdsClassifier",
    "AveragingClassifier",
    "BlendingClassifier",
    "save",
    "load",
    "export",
    "load_onnx",
    "report",
    "data_report",
    "averaging",
    "classifier",
    "datasets",
    "display",
    "distributed",
    "exceptions",
    "features",
    "images",
    "inspection",
    "losses",
    "memory",
    "metrics",
    "model_selection",
    "networks",
    "onnx",
    "persistence",
    "serving",
    "thresholds",
]

_MODULE_OF = {
    "ImageLoader": "images",
    "LazyImages": "images",
    "ImageFeatures": "features",
    "MultiLabelImageClassifier": "classifier",
    "TunedThresholdsClassifierCV": "thresholds",
    "FixedThresholdsClassifier": "thresholds",
    "AveragingClassifier": "averaging",
    "BlendingClassifier": "averaging",
    "save": "persistence",
    "load": "persistence",
    "export": "persistence",
    "load_onnx": "onnx",
    "report": "_report",
    "data_report": "_report",
}


if not TYPE_CHECKING:  # or every name would be there for them

    def __getattr__(name):
        if name in _MODULE_OF:
            value = getattr(import_module(f"skposter.{_MODULE_OF[name]}"), name)
            globals()[name] = value
            return value
        if name in __all__:
            return import_module(f"skposter.{name}")
        raise AttributeError(f"module 'skposter' has no attribute {name!r}")

    def __dir__():
        return sorted(__all__)


class _OtherVersions:
    """The last finder of modules: what no other has found was in another version."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.startswith(f"{__name__}."):
            raise not_in_this_version(name)


sys.meta_path.append(_OtherVersions)
