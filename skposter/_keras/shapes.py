"""What a network would look like, without allocating it."""

from __future__ import annotations

import math
from typing import NamedTuple

from skposter._keras.tensorflow import keras  # isort: skip, quiet if it is first
from keras.src.backend.common import global_state  # no public way to forget variables

from skposter._keras import pool
from skposter._keras.custom_objects import described

__all__ = ["NetworkShapes", "shapes_of"]


class NetworkShapes(NamedTuple):
    """An architecture and the arrays that belong to it.

    Parameters
    ----------
    config : str
        Keras' JSON of the architecture.
    arrays : dict
        Shape and dtype of each array by name, in the order of the network's variables.
    largest_activation : int
        Bytes of the largest output of a layer, for one image.
    """

    config: str
    arrays: dict
    largest_activation: int


def shapes_of(build):
    """Return the shapes of the network that ``build()`` makes, as far as Keras can describe it."""
    waiting = global_state.get_global_attribute("uninitialized_variables")
    try:
        # Variables made in this scope are to be filled later, and never are.
        with keras.StatelessScope(initialize_variables=False):
            global_state.set_global_attribute("uninitialized_variables", [])
            model = build()
            config, _ = described(model)
            arrays = {
                _name(i, variable): (tuple(variable.shape), str(variable.dtype))
                for i, variable in enumerate(pool.network_variables(model))
            }
    finally:
        global_state.set_global_attribute("uninitialized_variables", waiting or [])
    return NetworkShapes(config, arrays, max(map(_output_bytes, model._flatten_layers())))


def _name(i, variable):
    # The states of random layers are named by a counter of the process.
    random_state = variable.name == "seed_generator_state"
    return f"{i:04d}.{'random_state' if random_state else variable.path}"


def _output_bytes(layer):
    outputs = [tensor for node in layer._inbound_nodes for tensor in node.output_tensors]
    return max((4 * math.prod(side or 1 for side in output.shape) for output in outputs), default=0)
