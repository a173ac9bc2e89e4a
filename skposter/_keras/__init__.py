"""TensorFlow and Keras without their noise: descriptions of networks, and the pool of traced ones.

Importing this package does not import TensorFlow; its modules but ``forks`` do.
"""

from __future__ import annotations

from skposter._version import not_in_this_version


def __getattr__(name):
    if name == "ImageKerasClassifier":  # pickled when this was one module
        raise not_in_this_version("skposter._keras.ImageKerasClassifier")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
