"""SciKeras, both ways: the only module that knows it.

:class:`ImageKerasClassifier` is SciKeras' classifier for images with several labels. SciKeras
compiles the network (routing the options of loss and optimizer), prepares callbacks, calls
``Model.fit`` and keeps the history. What it does besides goes wrong here: it copies the data,
squeezes the prediction of one image, decodes by argmax when each row happens to have one label, and
seeds the whole process. Those steps are replaced by ones that do nothing, as images and labels have
been checked before they arrive.

The other way round, :func:`network_of` understands a ``KerasClassifier`` of the user's as a network
with a recipe.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from skposter._keras.tensorflow import keras  # isort: skip, quiet if it is first
from scikeras.wrappers import KerasClassifier
from sklearn.base import BaseEstimator, TransformerMixin, clone

from skposter._estimators.pickling import VersionedPickleMixin
from skposter._keras import pool
from skposter._keras.settings import fixed_settings, settings_for_training
from skposter._training.callbacks import LogToHistory, appended
from skposter._training.compiling import new_optimizer
from skposter._training.recipe import is_auto
from skposter._training.trained_network import TrainedNetwork
from skposter.networks import as_network

__all__ = ["ImageKerasClassifier", "classes_of", "completed", "network_of", "restored"]


class _Unchanged(TransformerMixin, BaseEstimator):
    """In place of SciKeras' encoders: labels are 0/1 already, one column a label."""

    def fit(self, X, y=None):
        shape = np.shape(X) if isinstance(X, np.ndarray) else ()
        self.n_labels_ = shape[1] if len(shape) == 2 else None
        return self

    def get_metadata(self):
        """Return what SciKeras notes of labels."""
        if getattr(self, "n_labels_", None) is None:
            return {}
        return {"classes_": classes_of(self.n_labels_), "n_outputs_": self.n_labels_}

    def transform(self, X):
        return X

    def inverse_transform(self, y, return_proba=False):
        return y if return_proba else (y >= 0.5).astype(np.int64)


def classes_of(n_labels):
    """Return ``[0, 1]`` for each label, `(n_labels, 2)`."""
    return np.tile([0, 1], (n_labels, 1))


class ImageKerasClassifier(VersionedPickleMixin, KerasClassifier):
    """SciKeras' classifier over uint8 images, decoded label by label.

    What trained the network of a :class:`~skposter.MultiLabelImageClassifier`, which has it as
    ``keras_classifier_``. It answers SciKeras' methods: ``predict_proba`` gives the network's own
    probabilities, ``predict`` those of at least 0.5, ``score`` the share of images whose labels are
    all right, ``model_`` the Keras model. Thresholds, mirror images and names of labels are the
    other's. A clone can be fitted on uint8 arrays and 0/1 labels as any ``KerasClassifier``, with
    the same architecture, loss and optimizer.

    Attributes
    ----------
    network_ : TrainedNetwork
        What was learned.
    history_ : dict
        Lists of losses, one entry an epoch.
    """

    @property
    def model_(self):
        """A Keras model with the trained weights; made anew at each access after training."""
        if "_lent_model" in self.__dict__:
            return self._lent_model
        if "network_" in self.__dict__:
            return self.network_.to_keras()
        raise AttributeError("model_ is there after training")

    @model_.setter
    def model_(self, model):
        self._lent_model = model

    def __getstate__(self):
        state = super().__getstate__()
        del state["_versions"]  # the classifier around it warns of other versions
        return state

    @property
    def target_encoder(self):
        return _Unchanged()

    @property
    def feature_encoder(self):
        return _Unchanged()

    def _train_on(self, network, batches, *, start, learning_rate, dtype_policy):
        """Fit the lent `network` from `start` on; return True if Ctrl-C ended it early."""
        self.model = network.model
        self._borrowed = network, start, learning_rate, dtype_policy
        log = LogToHistory()
        self.callbacks: Any = [*self.callbacks, log]
        interrupted = False
        try:
            with settings_for_training(dtype_policy):
                self.fit(batches, None)
        except KeyboardInterrupt:
            interrupted = True
        self.history_ = appended(start.history, start.epochs, log.epochs)
        # The network goes back to the pool, so nothing that holds on to it may stay.
        for name in ("_lent_model", "_borrowed", "_fit_callbacks", "_predict_callbacks"):
            self.__dict__.pop(name, None)
        self.model = self.callbacks = self.fit__validation_data = None
        return interrupted

    def _get_compile_kwargs(self):
        kwargs = super()._get_compile_kwargs()
        optimizer = kwargs["optimizer"]
        if "_borrowed" not in self.__dict__ and isinstance(optimizer, keras.optimizers.Optimizer):
            # Each training of a clone gets its own, as an optimizer belongs to its variables.
            description = keras.optimizers.serialize(optimizer)
            kwargs["optimizer"] = keras.optimizers.deserialize(description)
        return kwargs

    def _ensure_compiled_model(self):
        if "_borrowed" not in self.__dict__:
            return super()._ensure_compiled_model()
        with fixed_settings(self._borrowed[3]):
            return super()._ensure_compiled_model()

    def _fit_keras_model(self, *args, **kwargs):
        if "_borrowed" in self.__dict__:
            network, start, learning_rate, _ = self._borrowed
            # The first moment at which it is compiled.
            network.start_optimizer(start.optimizer_state, learning_rate)
            kwargs["initial_epoch"] = start.epochs
            kwargs["epochs"] = 0 if start.stopped else kwargs["epochs"] - start.epochs
        else:
            self.__dict__.pop("network_", None)  # of an earlier training
        super()._fit_keras_model(*args, **kwargs)

    def _predict_raw(self, X, batch_size=32, mirrored=False):
        if "network_" not in self.__dict__:
            return np.asarray(self.model_.predict(X, batch_size=batch_size, verbose=0))
        return self.network_.predict_proba(X, batch_size, mirrored=mirrored)

    def _validate_data(self, X, y=None, reset=False, y_numeric=False):
        return X, y

    def _check_model_compatibility(self, y):
        pass


def restored(config, variables, params, history, n_labels):
    """Return what `train` had returned, from what a file says of it.

    Parameters
    ----------
    config : str
        Keras' JSON of the network.
    variables : list of ndarray
        Its values.
    params : dict
        The recipe of the classifier.
    history : dict
        Lists of losses.
    n_labels : int
        How many outputs it has.

    Returns
    -------
    classifier : ImageKerasClassifier
        Without a state of the optimizer.
    """
    key = hashlib.sha256(b"restored" + pool.canonical(config).encode()).hexdigest()
    network = TrainedNetwork(key, config, None, variables)
    classifier = ImageKerasClassifier(
        model=network.builder(),
        loss=params["loss"],
        optimizer=params["optimizer"],
        epochs=params["epochs"],
        verbose=0,
        compile__jit_compile=False,
    )
    classifier.target_encoder_ = classifier.feature_encoder_ = _Unchanged()
    classifier.classes_ = classes_of(n_labels)
    classifier.history_ = {name: list(values) for name, values in history.items()}
    classifier.network_ = network
    return classifier


# --------------------------------------------------------------------------------------------------
# A KerasClassifier of the user's


class _SciKerasNetwork:
    """A KerasClassifier of the user's as a network: ``build`` and ``recipe``."""

    def __init__(self, wrapped):
        self._wrapped = wrapped
        self.recipe = _recipe_of(wrapped)
        self.compile_options = tuple(
            sorted(
                (name.removeprefix("compile__"), value)
                for name, value in wrapped.get_params(deep=False).items()
                if name.startswith("compile__")
            )
        )

    def build(self, meta):
        """Return the model that its function makes, uncompiled."""
        model, _ = self._built(meta)
        return model

    def _built(self, meta):
        wrapped = clone(self._wrapped)
        labels = np.array([np.zeros(meta["n_labels"]), np.ones(meta["n_labels"])])
        encoder = wrapped_encoder(wrapped, labels)
        # What SciKeras notes of the data before it calls the function, which gets it as `meta`.
        vars(wrapped).update(
            X_dtype_=np.dtype(np.uint8),
            X_shape_=(len(labels), *meta["input_shape"]),
            n_features_in_=meta["input_shape"][0],
            y_dtype_=np.dtype(np.float32),
            y_ndim_=2,
            target_type_="multilabel-indicator",
            _random_state=None,  # fixed_settings has seeded what is not seeded
            **{**encoder, "n_outputs_": meta["n_labels"], "n_classes_": meta["n_labels"]},
        )
        model = wrapped._build_keras_model()
        if not isinstance(model, keras.Model):
            raise TypeError(
                f"The model function of the KerasClassifier returned {type(model).__name__}, "
                "expected a keras.Model."
            )
        compiled = (model.loss, model.optimizer) if model.compiled else None
        if model.compiled:
            model = keras.Model(model.inputs, model.outputs, name=model.name)
        return model, compiled

    def compiled_with(self, meta, dtype_policy):
        """Return loss and optimizer of a function that compiles its model itself, or None."""
        if self._wrapped.loss is not None:
            return None
        with fixed_settings(dtype_policy, seed=meta["seed"]):
            return self._built(meta)[1]


def wrapped_encoder(wrapped, labels):
    """Return what SciKeras' encoder of labels tells the function that builds the model."""
    wrapped.classes_ = None
    return wrapped.target_encoder.fit(labels).get_metadata()


# Parameters of a KerasClassifier that mean the same here, and what to do about the others.
_UNDERSTOOD = {"model", "build_fn", "loss", "optimizer", "batch_size", "epochs", "verbose"}
_REMEDIES = {
    "callbacks": "pass callbacks= to the classifier",
    "class_weight": "pass pos_weight= to the classifier",
    "metrics": "scikit-learn's scoring and skposter.metrics score several labels; Keras' accuracy "
    "would compare the likeliest label only",
    "random_state": "pass random_state= to the classifier",
    "run_eagerly": "leave it out",
    "shuffle": "training images are always shuffled",
    "validation_batch_size": "it follows batch_size",
    "validation_split": "pass validation_fraction= to the classifier",
    "warm_start": "pass warm_start= to the classifier",
}
_COMPILE_OPTIONS = {"auto_scale_loss", "jit_compile", "steps_per_execution"}


def _recipe_of(wrapped):
    """Return what a KerasClassifier says of its training, or raise naming what cannot be meant."""
    plain = KerasClassifier().get_params(deep=False)
    params = wrapped.get_params(deep=False)
    for name, value in params.items():
        head, _, rest = name.partition("__")
        known = (
            name in _UNDERSTOOD
            or head in ("model", "optimizer", "loss")
            or (head == "compile" and rest in _COMPILE_OPTIONS)
            or name in ("fit__epochs", "fit__batch_size", "predict__batch_size")
        )
        if not known and not (name in plain and value == plain[name]):
            remedy = _REMEDIES.get(head, "leave it out")
            raise ValueError(
                f"{name}={value!r} of the KerasClassifier has no meaning here: {remedy}."
            )
    compile_kwargs = wrapped._get_compile_kwargs()
    recipe = {
        "augmentation": "none",
        "learning_rate_schedule": "constant",
        "epochs": params.get("fit__epochs", params["epochs"]),
        "batch_size": params.get("fit__batch_size", params["batch_size"]) or 32,
        "optimizer": _instance(compile_kwargs["optimizer"]),
    }
    if wrapped.loss is not None:
        recipe["loss"] = wrapped.loss if isinstance(wrapped.loss, str) else compile_kwargs["loss"]
        if isinstance(recipe["loss"], str) and any(p.startswith("loss__") for p in params):
            recipe["loss"] = compile_kwargs["loss"]
    return recipe


def _instance(optimizer):
    return optimizer() if isinstance(optimizer, type) else optimizer


def network_of(network):
    """Return the network object that `network` is or names.

    As :func:`skposter.networks.as_network`, and for a KerasClassifier of SciKeras too.
    """
    if isinstance(network, type) and issubclass(network, KerasClassifier):
        raise TypeError(
            "network is the class KerasClassifier; pass an object: KerasClassifier(model, ...)."
        )
    if isinstance(network, KerasClassifier):
        return _SciKerasNetwork(network)
    return as_network(network)


def completed(recipe, params, network, meta):
    """Return the recipe with what only Keras' objects tell.

    That is loss and optimizer of a function that compiles its model itself, and the learning rate
    (``"schedule"`` if that is one of Keras') and weight decay that an optimizer object brings.

    Parameters
    ----------
    recipe : dict
        What :func:`skposter._training.recipe.resolved` returned, and the ``"dtype_policy"``.
    params : dict
        Of the classifier; what is not ``"auto"`` there stays.
    network : network object
        What `network_of` returned.
    meta : dict
        What the function is told.
    """
    compiled = None
    if isinstance(network, _SciKerasNetwork):
        compiled = network.compiled_with(meta, recipe["dtype_policy"])
    if compiled is not None:
        own = dict(zip(("loss", "optimizer"), compiled, strict=True))
        recipe = {**recipe, **{name: own[name] for name in own if is_auto(params[name])}}
    if isinstance(recipe["optimizer"], keras.optimizers.Optimizer):
        _, rate = new_optimizer(recipe["optimizer"], None)
        own = {
            "learning_rate": "schedule" if rate is None else rate,
            "weight_decay": recipe["optimizer"].weight_decay,
        }
        recipe = {**recipe, **own}
    return recipe
