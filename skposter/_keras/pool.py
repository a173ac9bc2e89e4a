"""One compiled, traced network per architecture and process, lent to one fit at a time.

TensorFlow never frees a traced training step (about 4 MB for a small network, 58 MB for one of 16
convolutions, whatever ``clear_session`` is told), and tracing takes seconds. So networks are kept
here and lent out; what an estimator learned is only NumPy arrays, which are loaded into a network
of the same architecture when they are needed.
"""

from __future__ import annotations

import json
import threading
import weakref
from collections import OrderedDict
from contextlib import contextmanager

import numpy as np

from skposter._keras.forks import check_not_forked
from skposter._keras.settings import fixed_settings
from skposter._keras.tensorflow import keras

__all__ = [
    "PooledNetwork",
    "assign",
    "borrow",
    "canonical",
    "network_variables",
    "rebuild",
    "values_of",
]

# A search goes through its candidates one after the other, so few idle networks are enough.
MAX_IDLE = 8

_lock = threading.Lock()
_idle: OrderedDict[str, list[PooledNetwork]] = OrderedDict()


class PooledNetwork:
    """A Keras model whose values are overwritten by each borrower."""

    def __init__(self, model):
        model.jit_compile = False  # on the CPU, XLA is an order of magnitude slower
        self.model = model
        self._optimizer_start = None
        self._holds = None

    def load(self, variables, owner=None):
        """Set the values of the network, unless it already holds those of `owner`."""
        if owner is not None and self._holds is not None and self._holds() is owner:
            return
        assign(network_variables(self.model), variables)
        self._holds = None if owner is None else weakref.ref(owner)

    def values(self):
        """Return the values of the network as new arrays."""
        self._holds = None
        return values_of(network_variables(self.model))

    def start_optimizer(self, state=None, learning_rate=None):
        """Put the optimizer where a new one starts, or at `state`."""
        optimizer = self.model.optimizer
        if not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        if self._optimizer_start is None:
            self._optimizer_start = values_of(optimizer.variables)
        assign(optimizer.variables, state or self._optimizer_start)
        if learning_rate is not None:
            optimizer.learning_rate = learning_rate

    def optimizer_state(self):
        """Return the values of the optimizer as new arrays."""
        return values_of(self.model.optimizer.variables)


def assign(variables, values):
    """Set Keras variables to arrays of the same number and shapes."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def values_of(variables):
    """Return the values of Keras variables as new arrays."""
    return [np.array(variable.numpy()) for variable in variables]


def network_variables(model):
    """Return weights and the states of random layers, in a fixed order; no metrics."""
    weights = {id(variable) for variable in model.weights}
    return [v for v in model.variables if id(v) in weights or v.name == "seed_generator_state"]


def rebuild(config, custom_objects=None):
    """Return a new, uncompiled Keras model from its JSON, whatever Keras is set to now."""
    # Layers of another policy say so in the JSON; the states of random layers are set afterwards.
    with fixed_settings("float32", seed=0):
        return keras.saving.deserialize_keras_object(
            json.loads(config), custom_objects=custom_objects
        )


def canonical(config):
    """Return the JSON without the names and seeds that differ between equal architectures."""
    return json.dumps(_without_names_and_seeds(json.loads(config), {}), sort_keys=True)


def _without_names_and_seeds(node, numbers):
    if isinstance(node, list):
        return [_without_names_and_seeds(child, numbers) for child in node]
    if not isinstance(node, dict) or str(node.get("class_name")).endswith("DTypePolicy"):
        return node  # the name of a policy is what it is
    result = {}
    for key, value in node.items():
        if key == "seed":
            value = None
        elif key in ("name", "keras_history", "input_layers", "output_layers"):
            value = _numbered(value, numbers)
        else:
            value = _without_names_and_seeds(value, numbers)
        result[key] = value
    return result


def _numbered(node, numbers):
    if isinstance(node, list):
        return [_numbered(child, numbers) for child in node]
    return numbers.setdefault(node, len(numbers)) if isinstance(node, str) else node


@contextmanager
def borrow(key, build, *, keep=True):
    """Lend the network of `key`, which ``build()`` makes if none is idle.

    A network is lent to one borrower at a time, so threads that train the same architecture get
    one each. What it holds when it is lent is left over from the last borrower.

    Parameters
    ----------
    key : str
        The same for networks of the same architecture, loss and optimizer only.
    build : callable
        Makes the network.
    keep : bool, default=True
        Whether the next borrower may have it. Not after code of the user's has had it in hand,
        which can have frozen layers or changed the optimizer.

    Raises
    ------
    RuntimeError
        In a process that was forked after TensorFlow had been used.
    """
    check_not_forked()
    with _lock:
        waiting = _idle.get(key)
        network = waiting.pop() if waiting else None
        if waiting == []:  # what is lent may not come back
            del _idle[key]
    if network is None:
        network = PooledNetwork(build())
    try:
        yield network
    finally:
        if keep:
            _take_back(key, network)


def _take_back(key, network):
    with _lock:
        _idle.setdefault(key, []).append(network)
        _idle.move_to_end(key)
        while sum(map(len, _idle.values())) > MAX_IDLE:
            oldest = next(iter(_idle))
            _idle[oldest].pop(0)
            if not _idle[oldest]:
                del _idle[oldest]
