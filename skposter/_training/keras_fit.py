"""Training and predicting through SciKeras: the only module that knows it.

SciKeras compiles the network (routing the options of loss and optimizer), prepares callbacks, calls
``Model.fit`` and keeps the history. What it does besides goes wrong for images with several labels:
it copies the data, squeezes the prediction of one image, decodes by argmax when each row happens to
have one label, and seeds the whole process. Those steps are replaced here by ones that do nothing,
as images and labels have been checked before they arrive.

The other way round, a ``KerasClassifier`` of the user's is understood as a network with a recipe.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import joblib
import numpy as np

from skposter._keras.tensorflow import (  # isort: skip, quiet if it is first
    keep_freed_memory,
    keras,
    no_retracing_warnings,
    tf,
)
from scikeras.wrappers import KerasClassifier
from sklearn.base import BaseEstimator, TransformerMixin, clone

from skposter._estimators.pickling import VersionedPickleMixin
from skposter._keras import pool
from skposter._keras.custom_objects import described, identity
from skposter._keras.forks import check_not_forked
from skposter._keras.replicas import check_strategy, strategy_key
from skposter._keras.settings import fixed_settings, settings_for_training
from skposter._training.batches import ImageBatches
from skposter._training.callbacks import (
    CosineRate,
    LogToHistory,
    Progress,
    StopWhenNotFinite,
    appended,
    leave_the_network_alone,
    lent_to,
    sets_the_rate,
    the_users_callbacks,
    warn_that_the_schedule_steps_aside,
)
from skposter._training.checkpoints import Checkpoint, Progressed, SaveEpochs
from skposter._training.compiling import (
    is_crossentropy,
    loss_of,
    new_optimizer,
    takes_logits,
    without_rate,
)
from skposter._training.intercepts import with_corrected_intercepts
from skposter._training.memory import checkpoint_folder, recall
from skposter._training.recipe import is_auto, settings_of
from skposter._training.trained_network import TrainedNetwork
from skposter.networks import as_network, build_network, network_meta

__all__ = [
    "ImageKerasClassifier",
    "completed",
    "first_network",
    "network_of",
    "restored",
    "train",
    "untrained_network",
]


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:  # it runs from a folder that was not installed
        return None


_VERSIONS = [_version("skposter"), keras.__version__, tf.__version__, np.__version__]


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
    that an optimizer object brings (``"schedule"`` if that is one of Keras').

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
        recipe = {**recipe, "learning_rate": "schedule" if rate is None else rate}
    return recipe


class _Interrupted(Exception):  # noqa: N818, it is no error: it keeps a result out of the memory
    def __init__(self, result):
        super().__init__()
        self.result = result


def train(build, training, validation, recipe, options, *, dtype_policy, start=None):
    """Train a network, or find in ``options.memory`` what the same training gave.

    Parameters
    ----------
    build : callable
        Makes the uncompiled network with its first weights.
    training : Subset
        Images and labels to train on.
    validation : Subset or None
        Those for the validation loss.
    recipe : Recipe
        How to train.
    options : RunOptions
        Callbacks, memory and progress.
    dtype_policy : str
        Keras' name of the policy that the network has.
    start : TrainedNetwork, default=None
        Where to go on from, instead of the first weights.

    Returns
    -------
    classifier : ImageKerasClassifier
        With ``network_`` and ``history_``.
    interrupted : bool
        Whether Ctrl-C ended the training early.

    Raises
    ------
    TrainingDivergedError
        If a loss is not finite.
    RuntimeError
        In a process that was forked after TensorFlow had been used, and inside a distribution
        strategy that is not supported.
    """
    check_not_forked()
    check_strategy()
    compiled_with = _compiled_with(training, recipe, dtype_policy)
    loss, optimizer, _ = compiled_with
    settings = {**settings_of(recipe, loss, optimizer), "dtype_policy": dtype_policy}
    loss_and_weights = recipe.loss, training.weighs_labels
    if start is None:
        start = first_network(build, training, recipe, dtype_policy=dtype_policy)
    else:
        start = _going_on(start, settings, loss_and_weights)

    def compute():
        classifier, interrupted = _run(
            start,
            training,
            validation,
            recipe,
            compiled_with,
            checkpoint,
            options,
            dtype_policy,
        )
        if recipe.correct_intercepts and not interrupted and is_crossentropy(recipe.loss):
            classifier.network_ = with_corrected_intercepts(
                classifier.network_, training, recipe.batch_size
            )
        result = classifier, classifier.network_.optimizer_state
        if interrupted:
            raise _Interrupted(result)
        if checkpoint is not None:
            checkpoint.remove()  # the result takes its place
        return result

    memory = options.memory
    untold = settings["loss"] is None or start.config is None or start.custom_objects
    if options.callbacks or untold:
        memory = None  # what they do cannot be told from their description
    key = checkpoint = None
    if memory is not None:
        parts = [part and part.fingerprint() for part in (training, validation)]
        key = [start.fingerprint(), start.optimizer_state, settings, parts, _VERSIONS]
        folder = checkpoint_folder(memory)
        if folder is not None:
            checkpoint = Checkpoint(folder, joblib.hash(key))
    try:
        classifier, optimizer_state = recall(
            memory, "network", key, compute, description=start.name
        )
        interrupted = False
    except _Interrupted as early:
        (classifier, optimizer_state), interrupted = early.result, True
    # What is not pickled with the rest.
    classifier.network_.optimizer_state = optimizer_state
    classifier.network_.loss = loss_and_weights
    return classifier, interrupted


def _compiled_with(training, recipe, dtype_policy):
    """Return new loss and optimizer, and the learning rate."""
    with fixed_settings(dtype_policy):
        optimizer, learning_rate = new_optimizer(recipe.optimizer, recipe.learning_rate)
        return loss_of(recipe.loss, weight=training.weight), optimizer, learning_rate


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


def untrained_network(classifier, **meta):
    """Return the network of a classifier, for values that it gets from elsewhere.

    Parameters
    ----------
    classifier : MultiLabelImageClassifier
        With what ``fit`` learns of the data, if not yet with a network.
    **meta : dict
        What it is to be told instead, such as ``augmentation="none"``.

    Returns
    -------
    model : keras.Model
    """
    network = network_of(classifier.network)
    if hasattr(network, "with_values_from_elsewhere"):
        network = network.with_values_from_elsewhere()
    recipe = classifier.recipe_
    told = network_meta(
        classifier.image_shape_,
        classifier.label_names_,
        classifier.label_frequencies_,
        classifier.seeds_["network"],
        recipe["augmentation"],
    )
    return build_network(
        network,
        {**told, **meta},
        dtype_policy=recipe["dtype_policy"],
        logits=takes_logits(recipe["loss"]),
    )


def first_network(build, training, recipe, *, dtype_policy):
    """Return the network with its first weights; parameters as in :func:`train`."""
    loss, optimizer, _ = _compiled_with(training, recipe, dtype_policy)
    settings = settings_of(recipe, loss, optimizer)
    model = build()
    with fixed_settings(dtype_policy, seed=0):  # describing may make a second one, to try
        config, custom_objects = described(model)
    return TrainedNetwork(
        key=_pool_key(config, custom_objects, settings),
        config=config,
        build=build,
        variables=pool.values_of(pool.network_variables(model)),
        custom_objects=custom_objects,
        optimizer=without_rate(settings["optimizer"]),
        loss=(recipe.loss, training.weighs_labels),
    )


def _going_on(start, settings, loss):
    """Return `start` for the loss and the optimizer of now, which may be others than before."""
    optimizer = without_rate(settings["optimizer"])
    same_optimizer = optimizer == start.optimizer
    if same_optimizer and loss == start.loss:
        return start
    return replace(
        start,
        key=_pool_key(start.config, start.custom_objects, settings),
        optimizer_state=start.optimizer_state if same_optimizer else None,
        optimizer=optimizer,
        loss=loss,
    )


def _run(start, training, validation, recipe, compiled_with, checkpoint, options, dtype_policy):
    """Train for real, with the new loss, the new optimizer and its rate of `compiled_with`."""
    loss, optimizer, learning_rate = compiled_with
    keep_freed_memory()
    progressed = Progressed(start.variables, start.optimizer_state)
    if checkpoint is not None:
        progressed = checkpoint.read() or progressed
    batches = ImageBatches(
        training,
        recipe.batch_size,
        shuffle_seed=recipe.shuffle_seed,
        first_epoch=recipe.first_epoch + progressed.epochs,
    )
    progress = None
    if options.verbose:
        progress = Progress(recipe.epochs - progressed.epochs, batches.num_batches)
    stopper = _early_stopping(recipe)
    users = the_users_callbacks(options.callbacks)
    reshuffle = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: batches.next_epoch())
    schedule = _schedule(recipe, learning_rate, batches.num_batches, progressed.epochs, users)
    ours = [schedule, reshuffle, stopper, StopWhenNotFinite(), progress]
    classifier = ImageKerasClassifier(
        model=start.builder(),
        loss=loss,
        optimizer=optimizer,
        epochs=recipe.epochs,
        shuffle=False,  # the batches shuffle themselves, with a seed of their own
        verbose=0,
        callbacks=[*users, *filter(None, ours)],
        fit__validation_data=validation
        and ImageBatches(
            validation, recipe.batch_size, label_weights=training.weighs_labels
        ).dataset(),
        **{"compile__jit_compile": False, **_compile_params(recipe)},
    )
    lent = pool.borrow(
        start.key + strategy_key(), start.untrained, keep=leave_the_network_alone(users)
    )
    with lent as network, lent_to(users), no_retracing_warnings():
        network.load(progressed.variables)
        if checkpoint is not None:
            classifier.callbacks.append(SaveEpochs(checkpoint, network, progressed, stopper))
        try:
            interrupted = classifier._train_on(
                network,
                batches.dataset(),
                start=progressed,
                learning_rate=learning_rate,
                dtype_policy=dtype_policy,
            )
        finally:
            if progress is not None:
                progress.close()
        if interrupted and stopper is not None and stopper.best_weights is not None:
            network.model.set_weights(stopper.best_weights)  # Keras does it at a regular end only
        classifier.network_ = replace(
            start, variables=network.values(), optimizer_state=network.optimizer_state()
        )
    classifier.classes_ = classes_of(training.y.shape[1])
    # For clones and for people to read: the ones used belong to the network of the pool.
    classifier.model = start.builder()
    classifier.loss = loss_of(recipe.loss)
    classifier.optimizer = _compiled_with(training, recipe, dtype_policy)[1]
    return classifier, interrupted


def _compile_params(recipe):
    return {f"compile__{name}": value for name, value in recipe.compile_options}


def _schedule(recipe, learning_rate, num_batches, first_epoch, users):
    """Return the callback that sets the rate, or None if it stays or somebody else sets it."""
    if recipe.schedule != "cosine" or learning_rate is None:
        return None
    if any(sets_the_rate(callback) for callback in users):
        warn_that_the_schedule_steps_aside()
        return None
    return CosineRate(
        learning_rate, epochs=recipe.epochs, batches=num_batches, first_epoch=first_epoch
    )


def _early_stopping(recipe):
    if recipe.patience is None:
        return None
    return keras.callbacks.EarlyStopping(
        monitor="val_loss",
        min_delta=recipe.tol,
        patience=recipe.patience,
        restore_best_weights=True,
    )


def _pool_key(config, custom_objects, settings):
    """Return the same text for trainings that can share one traced network."""
    if config is None or settings["loss"] is None:
        return uuid.uuid4().hex  # nothing tells whether another one is the same
    parts = [
        pool.canonical(config),
        identity(custom_objects),
        settings["loss"],
        settings["compile_options"],
        without_rate(settings["optimizer"]),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
