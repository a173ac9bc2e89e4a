"""Networks as objects: what they look like, and how each is best trained.

:class:`SmallCNN` is trained from scratch, :class:`Pretrained` starts from weights learned on other
images, :class:`TutorialCNN` is there for comparison. Each is a scikit-learn estimator, so that a
grid reads ``classifier__network__filters``, and brings its recipe: the parameters of
:class:`~skposter.MultiLabelImageClassifier` that are best for it, which apply where those are left
at ``"auto"``. Short names stand for their defaults: ``"small_cnn"``, ``"tutorial"`` and those in
``sorted(BACKBONES)``.

A network of your own is a function ``network(meta) -> keras.Model``, or an object with
``build(meta)`` and, if it has one, a ``recipe`` (a dict). It returns an uncompiled
:class:`keras.Model` from uint8 images to one sigmoid per label. `meta` is a dict with

- ``input_shape``: ``(height, width, channels)``;
- ``n_labels``: how many outputs;
- ``label_names``: their names;
- ``label_frequencies``: float array ``(n_labels,)``, the share of training images with each label;
- ``seed``: an int from which every initialiser and dropout layer should take its seed;
- ``augmentation``: as the classifier has it. It is put in front of the network that comes back; our
  own networks have it between their inputs and the rest.
"""

from __future__ import annotations

from skposter.networks._backbones import BACKBONES, FEATURES
from skposter.networks._network import Network
from skposter.networks._pretrained import Pretrained
from skposter.networks._resolve import NETWORKS, as_network, build_network, network_meta
from skposter.networks._small_cnn import SmallCNN
from skposter.networks._tutorial_cnn import TutorialCNN

__all__ = [
    "BACKBONES",
    "FEATURES",
    "NETWORKS",
    "Network",
    "Pretrained",
    "SmallCNN",
    "TutorialCNN",
    "as_network",
    "build_network",
    "network_meta",
]
