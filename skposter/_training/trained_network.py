"""TrainedNetwork: what training leaves behind, as a description and NumPy arrays."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import joblib
import numpy as np

from skposter._estimators.pickling import MissingObject, original, portable
from skposter._keras import pool
from skposter._keras.custom_objects import identity
from skposter._keras.replicas import check_strategy, strategy_key
from skposter._keras.tensorflow import no_retracing_warnings
from skposter._labels.log_odds import mean_of_log_odds
from skposter.images import prefetched

__all__ = ["TrainedNetwork"]


@dataclass(eq=False)
class TrainedNetwork:
    """A network and its weights, outside TensorFlow. Never modified: training makes a new one.

    Parameters
    ----------
    key : str
        Where the pool keeps networks of this architecture, loss and optimizer.
    config : str or None
        Keras' JSON of the architecture; None if Keras cannot describe it.
    build : functools.partial
        Makes the uncompiled network; needed only without `config`.
    variables : list of ndarray
        Weights and the states of random layers, in the order of the pool.
    optimizer_state : list of ndarray or None
        For training on. Not pickled, because it is twice as large as the weights.
    custom_objects : dict
        The classes and functions in `config` that are not Keras' own, by registered name.
    optimizer : str or None
        Keras' description of the optimizer that `optimizer_state` belongs to.
    loss : tuple or None
        The loss that `key` stands for, and whether labels have weights. Not pickled.
    """

    key: str
    config: str | None = field(repr=False)
    build: Any = field(repr=False)  # partial or None
    variables: list[np.ndarray] = field(repr=False)
    optimizer_state: list[np.ndarray] | None = field(default=None, repr=False)
    custom_objects: dict[str, Any] = field(default_factory=dict, repr=False)
    optimizer: str | None = field(default=None, repr=False)
    loss: tuple | None = field(default=None, repr=False)

    @property
    def name(self):
        """The name of the network, for people, without the number that Keras counts up."""
        name = "" if self.config is None else json.loads(self.config)["config"].get("name", "")
        return re.sub(r"_\d+$", "", name)

    def to_keras(self):
        """Return a new Keras model with these weights."""
        model = self.untrained()
        pool.assign(pool.network_variables(model), self.variables)
        return model

    def builder(self):
        """Return a function that makes the network with its first weights still to be set."""
        return partial(_untrained, replace(self, variables=[], optimizer_state=None, loss=None))

    def untrained(self):
        """Return a new, uncompiled Keras model whose weights are still to be set."""
        if self.config is None:
            return self.build()
        for value in self.custom_objects.values():
            if isinstance(value, MissingObject):
                value()
        return pool.rebuild(self.config, self.custom_objects)

    def predict_proba(self, X, batch_size, *, mirrored=False):
        """Return the outputs of the network, float32 `(n_samples, n_labels)`.

        With `mirrored`, average the log-odds of each image and its mirror image.
        """
        starts = range(0, len(X), batch_size)
        check_strategy()
        lent = pool.borrow(self.key + strategy_key(), self.untrained)
        with lent as network, no_retracing_warnings():
            network.load(self.variables, owner=self)

            def predict(images):
                # `Model.predict` takes tens of milliseconds before it comes to the network. Each
                # replica of a distribution strategy answers, one after the other.
                return network.model.predict_on_batch(images)[: len(images)]

            outputs = [
                mean_of_log_odds([predict(images), predict(images[:, :, ::-1])])
                if mirrored
                else predict(images)
                for images in prefetched(lambda i: np.asarray(X[i : i + batch_size]), starts)
            ]
        # Networks of mixed precision return halves.
        return np.concatenate(outputs).astype(np.float32, copy=False)

    def fingerprint(self):
        """Return a text that changes with the architecture, a weight or a random state."""
        if "_fingerprint" not in self.__dict__:
            config = self.key if self.config is None else pool.canonical(self.config)
            code = identity(self.custom_objects)
            self._fingerprint = joblib.hash([config, code, self.variables])
        return self._fingerprint

    def __deepcopy__(self, memo):
        return self

    def __getstate__(self):
        custom = {name: portable(value, name) for name, value in self.custom_objects.items()}
        state = {name: value for name, value in vars(self).items() if name != "_fingerprint"}
        return {
            **state,
            "build": self._portable_build() if self.config is None else None,
            "optimizer_state": None,
            "loss": None,
            "custom_objects": custom,
        }

    def __setstate__(self, state):
        custom = {name: original(value) for name, value in state["custom_objects"].items()}
        vars(self).update(state, custom_objects=custom)

    def _portable_build(self):
        arguments = [portable(value, "network=...") for value in self.build.args]
        return partial(self.build.func, *arguments, **self.build.keywords)


def _untrained(network):
    """Be a method that has a place of its own in a module, which skops asks for."""
    return network.untrained()
