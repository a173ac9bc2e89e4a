"""Keras' description of a network, with the classes and functions that are not Keras' own."""

from __future__ import annotations

import json
import uuid
import weakref

from skposter._keras.tensorflow import keras

__all__ = ["described", "identity"]

_identities: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def described(model):
    """Return Keras' JSON of a model and the custom objects in it, by their registered names.

    Returns
    -------
    config : str or None
        None if Keras cannot describe the model so that the same one can be made from it: with
        Lambda layers of unnamed functions, or layers without ``get_config``.
    custom_objects : dict
        Needed to make it; they are not found by name in another process.
    """
    try:
        config = json.dumps(_with_kerass_names(keras.saving.serialize_keras_object(model)))
    except (NotImplementedError, TypeError, ValueError):
        return None, {}
    foreign = _foreign_names(json.loads(config), set())
    if not foreign:
        return config, {}
    registered = keras.saving.get_custom_objects()
    custom = {name: registered[name] for name in foreign if name in registered}
    for layer in [model, *model._flatten_layers()]:
        name = keras.saving.get_registered_name(type(layer))
        if name in foreign:
            custom[name] = type(layer)
    try:
        keras.saving.deserialize_keras_object(json.loads(config), custom_objects=custom)
    except Exception:  # Keras raises whatever the classes' constructors do
        return None, {}
    return config, custom


def identity(custom_objects):
    """Return a text that is the same for the same objects in this process only.

    A class that was defined anew under its old name is another one.
    """
    return [
        [name, _identities.setdefault(value, uuid.uuid4().hex)]
        for name, value in sorted(custom_objects.items())
    ]


def _with_kerass_names(node):
    """Return a description in which Keras' own classes have the names that Keras gives them.

    SciKeras registers the class of each model that it pickles, so ``Functional``, which is Keras'
    own, is called ``>Functional`` from then on and would pass for a class of the user's.
    """
    if isinstance(node, list | tuple):
        return [_with_kerass_names(child) for child in node]
    if not isinstance(node, dict):
        return node
    node = {key: _with_kerass_names(child) for key, child in node.items()}
    kind = keras.saving.get_registered_object(node.get("registered_name"))
    if kind is not None and kind.__module__.partition(".")[0] == "keras":
        node["registered_name"] = kind.__name__
    return node


def _foreign_names(node, names):
    """Collect the registered names of what is not Keras' own, and of unnamed functions."""
    if isinstance(node, list):
        for child in node:
            _foreign_names(child, names)
    elif isinstance(node, dict):
        name = node.get("registered_name")
        module = str(node.get("module") or "keras").partition(".")[0]
        if node.get("class_name") == "__lambda__":
            names.add("__lambda__")
        elif node.get("class_name") == "function":
            names.add(node["config"])
        elif name and (">" in name or module != "keras"):
            names.add(name)
        for child in node.values():
            _foreign_names(child, names)
    return names
