"""What an estimator needs so that a pickle of it can be loaded elsewhere.

pickle writes a function as the name of its module, which cannot be loaded where that module is
missing, and refuses one that has no name to be found by. SciKeras makes Keras write its objects as
descriptions, which can be written but never be read again if their class is not registered. Here a
function or class travels by name and may be missing as long as nobody calls it, and travels as
code (cloudpickle) if no module has it, as in a notebook or a script. What holds such functions (a
`functools.partial`, a list of callbacks, an object whose class is in the script) travels likewise.
"""

from __future__ import annotations

import copy
import pickle
import sys
from functools import partial
from importlib import import_module

import cloudpickle

from skposter._estimators.versions import library_versions, warn_about_versions
from skposter.exceptions import ArtifactError

__all__ = ["MissingObject", "PickledByName", "VersionedPickleMixin", "original", "portable"]


class VersionedPickleMixin:
    """Write library versions and portable parameters into pickles, and warn about other versions.

    scikit-learn does the former for its own estimators only.
    """

    def __getstate__(self):
        state = dict(super().__getstate__())  # type: ignore[call-overload]
        for name in self._get_param_names():  # type: ignore[attr-defined]
            if name in state:
                state[name] = portable(state[name], f"{type(self).__name__}({name}=...)")
        return {**state, "_versions": library_versions()}

    def __setstate__(self, state):
        state = {name: original(value) for name, value in state.items()}
        versions = state.pop("_versions", {})
        check_params(self, state)
        warn_about_versions(type(self).__name__, versions, ("skposter", "keras", "tensorflow"))
        super().__setstate__(state)  # type: ignore[misc]


class MissingObject:
    """Stands for a function or class whose code is not there; calling it says so.

    Parameters
    ----------
    name : str
        Where it was.
    reason : str
        Why it cannot be had.
    """

    def __init__(self, name, reason):
        self.name = name
        self.reason = reason

    def __call__(self, *args, **kwargs):
        """Raise ImportError."""
        raise ImportError(
            f"{self.name} was given to this estimator when it was fitted, and cannot be loaded "
            f"here ({self.reason}). Make it importable, or set the parameter anew and fit again."
        )

    def __repr__(self):
        return f"<missing {self.name}>"


class PickledByName:
    """Wraps code, a Keras object, or what holds some, for the time of its pickling.

    Loading gives the object itself, as copying does.
    """

    def __init__(self, value, owner):
        self.value = value
        self.owner = owner

    def __deepcopy__(self, memo):
        shared = _is_code(self.value) or _is_keras_object(self.value)
        return self.value if shared else copy.deepcopy(self.value, memo)

    def __reduce__(self):
        value, owner = self.value, self.owner
        if _is_code(value):
            return self._code()
        if isinstance(value, partial):
            parts = [portable(part, owner) for part in (value.func, value.args, value.keywords)]
            return _partial, tuple(parts)
        if type(value) in (list, tuple, set):
            return _of_kind, (type(value), [portable(item, owner) for item in value])
        if type(value) is dict:
            return dict, ([(name, portable(item, owner)) for name, item in value.items()],)
        if _is_keras_object(value):
            return _keras_object, _described(value, owner)
        if _holds_code(value):
            params = value.get_params(deep=False)
            return _estimator, (type(value), portable(params, owner))
        return self._by_value(f"{type(value).__module__}.{type(value).__qualname__}")

    # The state is for skops, which takes no __reduce__: it writes functions and classes by name,
    # and asks who reads whether to trust them.

    def __getstate__(self):
        value, owner = self.value, self.owner
        if _is_code(value) and _find(value.__module__, value.__qualname__) is not value:
            raise pickle.PicklingError(
                f"{owner} cannot be saved without code: {value.__qualname__} is in no module that "
                "could be imported. joblib.dump writes the code with the model."
            )
        if _is_keras_object(value):
            description, classes = _described(value, owner)
            return {"keras": description, "classes": classes}
        if isinstance(value, partial):
            parts = (value.func, value.args, value.keywords)
            return {"partial": [portable(part, owner) for part in parts]}
        if type(value) in (list, tuple, set, dict):
            function, arguments = self.__reduce__()
            return {"value": function(*arguments)}
        return {"value": value}

    def __setstate__(self, state):
        self.owner = None
        if "keras" in state:
            self.value = _keras_object(state["keras"], _unwrapped(state["classes"]))
        elif "partial" in state:
            self.value = _partial(*_unwrapped(state["partial"]))
        else:
            self.value = _unwrapped(state["value"])

    def _code(self):
        module, name = self.value.__module__, self.value.__qualname__
        if module != "__main__" and _find(module, name) is self.value:
            return _by_name, (module, name)
        return self._by_value(f"{module}.{name}")

    def _by_value(self, name):
        try:
            return _by_value, (name, cloudpickle.dumps(self.value))
        except Exception as error:  # whatever its variables raise
            raise pickle.PicklingError(
                f"{self.owner} cannot be saved: {name} is in no module that could be "
                f"imported, and holds something that cannot be pickled ({error}). Define it at "
                "the top of a module, and create in it what it needs."
            ) from error


def portable(value, owner):
    """Return something to pickle in place of `value`; `owner` is named in errors."""
    return PickledByName(value, owner) if _travels_wrapped(value) else value


def original(value):
    """Undo `portable` where nothing was pickled in between."""
    return value.value if isinstance(value, PickledByName) else value


def _unwrapped(value):
    """Undo `portable` inside a container, too."""
    if type(value) is dict:
        return {name: _unwrapped(item) for name, item in value.items()}
    if type(value) in (list, tuple, set):
        return type(value)(map(_unwrapped, value))
    return original(value)


def check_params(estimator, state):
    """Raise ArtifactError if a pickle lacks parameters that the class has had since."""
    missing = [name for name in estimator._get_param_names() if name not in state]
    if missing:
        raise ArtifactError(
            f"This {type(estimator).__name__} was pickled by another skposter, in which it had no "
            f"parameter {missing[0]!r}: load it with that version, or train it again."
        )


def _travels_wrapped(value):
    if type(value) in (list, tuple, set):
        return any(map(_travels_wrapped, value))
    if type(value) is dict:
        return any(map(_travels_wrapped, value.values()))
    if isinstance(value, partial) or _is_code(value) or _is_keras_object(value):
        return True
    if _holds_code(value):
        return True
    return type(value).__module__ == "__main__" or "<locals>" in type(value).__qualname__


def _is_code(value):
    return hasattr(value, "__qualname__") and hasattr(value, "__module__")


def _is_keras_object(value):
    return hasattr(value, "get_config") and any(
        base.__module__.partition(".")[0] == "keras" for base in type(value).__mro__
    )


def _holds_code(value):
    """Tell whether it is another library's unfitted estimator with code among its parameters."""
    if isinstance(value, type) or not hasattr(value, "get_params"):
        return False
    if type(value).__module__.partition(".")[0] in ("__main__", "skposter"):
        return False
    fitted = any(name.endswith("_") for name in vars(value))
    return not fitted and _travels_wrapped(value.get_params(deep=False))


def _estimator(kind, params):
    return kind(**params)


def _partial(func, args, keywords):
    return partial(func, *args, **keywords)


def _of_kind(kind, items):
    return kind(items)


def _find(module, name):
    value = sys.modules.get(module)
    for part in name.split("."):
        value = getattr(value, part, None)
    return value


def _by_name(module, name):
    try:
        import_module(module)
    except ImportError as error:
        return MissingObject(f"{module}.{name}", error)
    found = _find(module, name)
    return MissingObject(f"{module}.{name}", "no such name") if found is None else found


def _by_value(name, code):
    try:
        return cloudpickle.loads(code)
    except Exception as error:  # code of another Python version fails in many ways
        return MissingObject(name, error)


def _described(value, owner):
    """Return Keras' description of an object and its class, if it can be made from them again."""
    from skposter._keras.tensorflow import keras

    description = keras.saving.serialize_keras_object(value)
    name = keras.saving.get_registered_name(type(value))
    builtin = type(value).__module__.partition(".")[0] == "keras"
    classes = {} if builtin else {name: type(value)}
    try:
        # A copy, as some of Keras' classes take their description apart.
        keras.saving.deserialize_keras_object(copy.deepcopy(description), custom_objects=classes)
    except Exception as error:
        raise pickle.PicklingError(
            f"{owner} cannot be saved: Keras cannot make {type(value).__name__} from its "
            f"description again ({str(error)[:300]}). Give it a get_config() with all arguments of "
            "its constructor, and register custom parts with "
            "keras.saving.register_keras_serializable()."
        ) from error
    return description, {name: PickledByName(cls, owner) for name, cls in classes.items()}


def _keras_object(description, classes):
    from skposter._keras.tensorflow import keras

    try:
        return keras.saving.deserialize_keras_object(
            copy.deepcopy(description), custom_objects=classes
        )
    except Exception as error:  # Keras wraps what goes wrong in various errors
        return MissingObject(description["class_name"], error)
