"""Keras' losses, optimizers and learning-rate schedules as JSON, and back.

They act in training only. A file names a class of Keras' own, or of :mod:`skposter.losses`, and
its arguments as numbers and texts; Keras' own way of reading descriptions is not used, as it
imports what they name.
"""

from __future__ import annotations

import inspect

from skposter._files.json_values import as_json, as_python, brief, expect, one_line
from skposter.exceptions import ArtifactError

__all__ = ["describe_keras_object", "is_keras_object", "restore_keras_object"]

_MAX_DEPTH = 3


def is_keras_object(value):
    """Tell whether a parameter is a loss or an optimizer of Keras' own, or one of our losses."""
    known = value if inspect.isfunction(value) else type(value)
    return (inspect.isfunction(value) or hasattr(value, "get_config")) and bool(_name_of(known))


def describe_keras_object(value, where):
    """Return an object, or a function that is a loss, as JSON has it."""
    if inspect.isfunction(value):
        return {"function": _name_of(value)}
    return _described(_name_of(type(value)), value.get_config(), where)


def _described(name, config, where):
    """Return our description for the one that Keras makes, which is nested likewise."""
    kind = _known().get(name)
    if kind is None:
        raise ArtifactError(f"{where} is {name}, code of your own, and the file holds none.")
    arguments = {}
    for argument, value in config.items():
        inside = f"{where}.{argument}"
        if argument not in inspect.signature(kind).parameters:
            continue
        if argument == "name" and name.startswith("keras.optimizers."):
            continue  # Keras counts them up: adam, adam_1, ...
        if isinstance(value, dict) and "class_name" in value:
            inner = f"{value.get('module')}.{value['class_name']}"
            arguments[argument] = _described(inner, value["config"], inside)
        else:
            arguments[argument] = as_json(value, inside)
    return {"class": name, "arguments": arguments}


def restore_keras_object(node, where, depth=0):
    """Return the object of a file."""
    if isinstance(node, dict) and set(node) == {"function"}:
        function = _known().get(str(node["function"]))
        if not inspect.isfunction(function):
            raise ArtifactError(f"{where}: {brief(node)} is no function that a file may name.")
        return function
    name, arguments = expect(node, where, **{"class": str, "arguments": dict})
    kind = _known().get(name)
    if not inspect.isclass(kind) or depth > _MAX_DEPTH:
        raise ArtifactError(f"{where}: {brief(name)} is no class that a file may name.")
    unknown = sorted(set(arguments) - set(inspect.signature(kind).parameters))
    if unknown:
        raise ArtifactError(f"{where}: {name} has no argument {brief(unknown[0])}.")
    restored = {
        name: restore_keras_object(item, f"{where}.{name}", depth + 1)
        if isinstance(item, dict)
        else as_python(item, f"{where}.{name}")
        for name, item in arguments.items()
    }
    try:
        return kind(**restored)
    except Exception as error:  # each class checks its arguments in its own way
        raise ArtifactError(
            f"{where}: {name} refuses its arguments ({one_line(error)})."
        ) from error


def _name_of(kind):
    return next((name for name, known in _known().items() if known is kind), None)


def _known():
    from skposter import losses
    from skposter._keras.tensorflow import keras

    modules = {
        "keras.losses": (keras.losses, keras.losses.Loss),
        "keras.optimizers": (keras.optimizers, keras.optimizers.Optimizer),
        "keras.optimizers.schedules": (
            keras.optimizers.schedules,
            keras.optimizers.schedules.LearningRateSchedule,
        ),
        "skposter.losses": (losses, keras.losses.Loss),
    }
    classes = {
        f"{module}.{name}": kind
        for module, (namespace, base) in modules.items()
        for name, kind in vars(namespace).items()
        if inspect.isclass(kind) and issubclass(kind, base) and kind is not base
    }
    functions = {
        f"keras.losses.{name}": value
        for name, value in vars(keras.losses).items()
        if inspect.isfunction(value) and "y_true" in inspect.signature(value).parameters
    }
    return {**classes, **functions}
