"""Network builders: functions from what is known of the data to an uncompiled Keras model.

A builder is called as ``builder(meta, **network_params)`` and returns an uncompiled
:class:`keras.Model` from uint8 images to one sigmoid per label. `meta` is a dict with

- ``input_shape``: ``(height, width, channels)``;
- ``n_labels``: how many outputs;
- ``label_names``: their names;
- ``label_frequencies``: float array ``(n_labels,)``, the share of training images with each label;
- ``seed``: an int from which every initialiser and dropout layer should take its seed;
- ``augmentation``: as given to the classifier. It is put in front of the network that a callable
  returns; our own builders have it between their inputs and the rest.

Besides ``"small_cnn"`` and ``"tutorial"`` there are the networks of keras.applications in
``sorted(NETWORKS)``, each with the preprocessing that its weights expect. They take images of any
size from 32 pixels (``"xception"`` 71, ``"inception_v3"`` 75), of one channel too, and these
`network_params`: the options of their function there, such as ``alpha`` of ``"mobilenet"``.
"""

from __future__ import annotations

from skposter.networks._backbones import ELSEWHERE, FEATURES  # noqa: F401, for the training
from skposter.networks._builders import (
    NETWORKS,
    build_network,
    builder_params,
    pretrained,
    small_cnn,
    tutorial_cnn,
)

__all__ = ["NETWORKS", "build_network", "builder_params", "pretrained", "small_cnn", "tutorial_cnn"]
