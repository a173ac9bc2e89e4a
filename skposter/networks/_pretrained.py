"""Pretrained: a network of others that starts from weights learned on other images."""

from __future__ import annotations

import re
from numbers import Integral, Real
from os import PathLike
from typing import TYPE_CHECKING

from sklearn.utils._param_validation import Interval, StrOptions

from skposter._estimators.spelling import did_you_mean
from skposter.networks._backbones import BACKBONES, ELSEWHERE, backbone
from skposter.networks._keras_hub import PREFIX
from skposter.networks._network import Network

if TYPE_CHECKING:
    from typing import Any, Literal, Self

__all__ = ["Pretrained"]

HEAD_EPOCHS = 4


class Pretrained(Network):
    """A network of keras.applications or KerasHub with weights learned on other images.

    Its layers average into features, on which a head of dropout and one sigmoid per label stands.
    The head is trained alone first, on features that are computed once, then the layers that
    `fine_tune` names are trained along with it. Images may have any size from 32 pixels
    (``"xception"`` 71, ``"inception_v3"`` 75) and one channel or three; the preprocessing that the
    weights expect is part of the network.

    Parameters
    ----------
    name : str
        Which; ``sorted(skposter.networks.BACKBONES)`` has the names, such as ``"mobilenet"``.
        ``"keras_hub:PRESET"`` is one of KerasHub's, by the name of a preset such as
        ``"resnet_18_imagenet"`` or the path of a folder with one; it needs the extra ``keras_hub``.
    weights : str, path or None, default="imagenet"
        ``"imagenet"`` for weights that Keras downloads, or those of the preset; a file of them
        without the top; or None for random ones, with which it is trained as networks from scratch
        are.
    fine_tune : {"all", "last", "none"}, default="all"
        Layers that training changes: all, those at the last resolution, or only the head.
    head : {"trained", "logistic"}, default="trained"
        How the head is found while the other layers stay as they are. ``"trained"`` takes some
        epochs with dropout. ``"logistic"`` solves it as logistic regression on the features, which
        is cross-entropy whatever the classifier's ``loss``, with the L2 penalty that is best on the
        validation images (without any, that of ``C=0.003`` in scikit-learn). With
        ``fine_tune="none"``, that is the whole training and counts as one epoch; otherwise the
        layers are trained from there.
    head_epochs : int or "auto", default="auto"
        How long a trained head is trained alone before the other layers are trained along with it.
        ``"auto"`` is 4, and 0 where there is no such phase: with random weights, a logistic head,
        and with ``fine_tune="none"``, where the head is trained for ``epochs``.
    dropout : float, default=0.4
        Share of the head's inputs that is dropped in training, in [0, 1).
    builder_params : dict, default=None
        Options of the function in keras.applications, or of KerasHub's backbone, such as
        ``{"alpha": 0.25}`` of ``"mobilenet"``.

    Examples
    --------
    >>> from skposter import MultiLabelImageClassifier
    >>> from skposter.networks import Pretrained
    >>> network = Pretrained("mobilenet", builder_params={"alpha": 0.25})
    >>> MultiLabelImageClassifier(network).set_params(network__fine_tune="last").network.fine_tune
    'last'
    """

    _parameter_constraints: dict = {
        "name": [str],
        "weights": [str, PathLike, None],
        "fine_tune": [StrOptions({"all", "last", "none"})],
        "head": [StrOptions({"trained", "logistic"})],
        "head_epochs": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "builder_params": [dict, None],
    }

    def __init__(
        self,
        name: str,
        *,
        weights: str | PathLike[str] | None = "imagenet",
        fine_tune: Literal["all", "last", "none"] = "all",
        head: Literal["trained", "logistic"] = "trained",
        head_epochs: int | Literal["auto"] = "auto",
        dropout: float = 0.4,
        builder_params: dict[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.weights = weights
        self.fine_tune = fine_tune
        self.head = head
        self.head_epochs = head_epochs
        self.dropout = dropout
        self.builder_params = builder_params

    @property
    def recipe(self) -> dict[str, Any]:
        """How it is best trained, as parameters of :class:`~skposter.MultiLabelImageClassifier`."""
        if self.weights is None:
            return {}
        # Weights that are good already learn the images by heart soon, so they are trained for half
        # as long; docs/benchmarks/pretrained_recipe.md has what was measured.
        return {"learning_rate": 7e-4, "epochs": 10, "tta": "flip"}

    @property
    def phases(self) -> dict[str, Any]:
        """What is trained when.

        Returns
        -------
        phases : dict
            ``"fine_tune"`` is None where all layers are trained from the start, otherwise as the
            parameter; ``"head_epochs"`` is a number.
        """
        if self.weights is None:
            return {"fine_tune": None, "head_epochs": 0}
        if self.fine_tune == "none" or self.head == "logistic":
            return {"fine_tune": self.fine_tune, "head_epochs": 0}
        epochs = HEAD_EPOCHS if self.head_epochs == "auto" else self.head_epochs
        return {"fine_tune": self.fine_tune, "head_epochs": epochs}

    def with_values_from_elsewhere(self) -> Self:
        """Return the same network without its weights, for values that it gets otherwise."""
        weights = None if self.weights is None else ELSEWHERE
        return type(self)(**{**self.get_params(deep=False), "weights": weights})

    def _build(self, meta):
        from skposter._keras.tensorflow import keras
        from skposter.networks._parts import Seeds, head, inputs

        self._check()
        images, x = inputs(meta)
        x = backbone(
            self.name,
            x,
            weights=self.weights,
            fine_tune=self.fine_tune,
            options=self.builder_params or {},
        )
        x = head(x, meta, Seeds(meta["seed"]), self.dropout)
        return keras.Model(images, x, name=re.sub(r"\W+", "_", self.name))

    def _check(self):
        if self.name not in BACKBONES and not self.name.startswith(PREFIX):
            raise ValueError(
                f"Pretrained({self.name!r}) is not known.{did_you_mean(self.name, BACKBONES)} "
                f"Expected one of {sorted(BACKBONES)}, or {PREFIX!r} and the name of a preset."
            )
        if self.weights is None and self.fine_tune != "all":
            raise ValueError(
                f"fine_tune={self.fine_tune!r} keeps layers as they are, and with weights=None "
                'they are random. Pass weights, or fine_tune="all".'
            )
        if self.weights is None and self.head == "logistic":
            raise ValueError(
                'head="logistic" is solved on features that stay as they are, and with '
                'weights=None they are random. Pass weights, or head="trained".'
            )
        whys = {
            "weights=None": self.weights is None,
            'fine_tune="none"': self.fine_tune == "none",
            'head="logistic"': self.head == "logistic",
        }
        why = next((why for why, holds in whys.items() if holds), None)
        if self.head_epochs not in ("auto", 0) and why:
            raise ValueError(
                f"head_epochs={self.head_epochs} has no meaning with {why}, where the head is not "
                'trained before the rest. Leave it at "auto".'
            )
