"""scikit-learn for multi-label images.

The way of the data, one public name a step::

    datasets.load_image_csv -> model_selection -> ImageLoader -> MultiLabelImageClassifier
        -> thresholds -> metrics

Names are loaded on first use, so ``import skposter`` imports neither TensorFlow nor pandas.
"""

from __future__ import annotations

import sys
from importlib import import_module

from skposter._version import __version__, not_in_this_version

_MODULE_OF = {
    "ImageLoader": "images",
    "LazyImages": "images",
    "MultiLabelImageClassifier": "classifier",
    "TunedThresholdsClassifierCV": "thresholds",
    "FixedThresholdsClassifier": "thresholds",
    "AveragingClassifier": "averaging",
    "save": "persistence",
    "load": "persistence",
    "export": "persistence",
}
_SUBMODULES = [
    "averaging",
    "classifier",
    "datasets",
    "display",
    "exceptions",
    "images",
    "losses",
    "memory",
    "metrics",
    "model_selection",
    "networks",
    "persistence",
    "thresholds",
]

__all__ = ["__version__", *_MODULE_OF, *_SUBMODULES]


def __getattr__(name):
    if name in _MODULE_OF:
        value = getattr(import_module(f"skposter.{_MODULE_OF[name]}"), name)
        globals()[name] = value
        return value
    if name in _SUBMODULES:
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
