"""Training and predicting through SciKeras: the only module that knows it.

SciKeras compiles the network (routing the options of loss and optimizer), prepares callbacks, calls
``Model.fit`` and keeps the history. What it does besides goes wrong for images with several labels:
it copies the data, squeezes the prediction of one image, decodes by argmax when each row happens to
have one label, and seeds the whole process. Those steps are replaced here by ones that do nothing,
as images and labels have been checked before they arrive.
"""

from __future__ import annotations

import hashlib
import json
import uuid
import warnings
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import joblib

from skposter._keras.tensorflow import (  # isort: skip, quiet if it is first
    keep_freed_memory,
    keras,
    no_retracing_warnings,
)
from scikeras.wrappers import KerasClassifier
from sklearn.base import BaseEstimator, TransformerMixin

from skposter._keras import pool
from skposter._keras.custom_objects import described, identity
from skposter._keras.forks import check_not_forked
from skposter._training.batches import ImageBatches
from skposter._training.callbacks import Progress, StopWhenNotFinite, fresh_callbacks
from skposter._training.centring import centred
from skposter._training.checkpoints import Checkpoint, Progressed, SaveEpochs
from skposter._training.losses import is_crossentropy, loss_of
from skposter._training.memory import recall
from skposter._training.optimizers import new_optimizer, without_rate
from skposter._training.recipe import settings_of
from skposter._training.schedules import CosineRate
from skposter._training.trained_network import TrainedNetwork

__all__ = ["ImageKerasClassifier", "first_network", "train"]

_VERSIONS = [version(name) for name in ("skposter", "keras", "tensorflow", "numpy")]


class _Unchanged(TransformerMixin, BaseEstimator):
    """In place of SciKeras' encoders."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X

    def inverse_transform(self, y, return_proba=False):
        return y


class ImageKerasClassifier(KerasClassifier):
    """SciKeras' classifier over batches of images, with a network lent by the pool.

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

    @property
    def target_encoder(self):
        return _Unchanged()

    @property
    def feature_encoder(self):
        return _Unchanged()

    def train_on(self, network, batches, *, start, learning_rate):
        """Fit the lent `network` from `start` on; return True if Ctrl-C ended it early."""
        self.model = network.model
        self._network = network
        self._start = start, learning_rate
        record = keras.callbacks.History()
        self.callbacks: Any = [record, *self.callbacks]
        interrupted = False
        try:
            self.fit(batches, None)
        except KeyboardInterrupt:
            interrupted = True
        self.history_ = {name: list(values) for name, values in start.history.items()}
        for name, values in record.history.items():
            self.history_.setdefault(name, []).extend(values)
        # The network goes back to the pool, so nothing that holds on to it may stay.
        for name in ("_lent_model", "_network", "_start", "_fit_callbacks", "_predict_callbacks"):
            self.__dict__.pop(name, None)
        self.model = self.callbacks = self.fit__validation_data = None
        return interrupted

    def _fit_keras_model(self, *args, **kwargs):
        start, learning_rate = self._start
        # The first moment at which it is compiled.
        self._network.start_optimizer(start.optimizer_state, learning_rate)
        kwargs["initial_epoch"] = start.epochs
        kwargs["epochs"] = 0 if start.stopped else kwargs["epochs"] - start.epochs
        super()._fit_keras_model(*args, **kwargs)

    def _predict_raw(self, X, batch_size=32, mirrored=False):
        return self.network_.predict_proba(X, batch_size, mirrored=mirrored)

    def _validate_data(self, X, y=None, reset=False, y_numeric=False):
        return X, y

    def _check_model_compatibility(self, y):
        pass


class _Interrupted(Exception):  # noqa: N818, it is no error: it keeps a result out of the memory
    def __init__(self, result):
        super().__init__()
        self.result = result


def train(build, training, validation, recipe, options, *, start=None):
    """Train a network, or find in ``options.memory`` what the same training gave.

    Parameters
    ----------
    build : callable
        Makes the uncompiled network with its first weights.
    training : Part
        Images and labels to train on.
    validation : Part or None
        Those for the validation loss.
    recipe : Recipe
        How to train.
    options : RunOptions
        Callbacks, memory, checkpoints and progress.
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
    """
    check_not_forked()
    optimizer, learning_rate = new_optimizer(recipe.optimizer, recipe.learning_rate)
    loss = loss_of(recipe.loss, weight=training.weight)
    settings = settings_of(recipe, loss, optimizer)
    loss_and_weights = recipe.loss, training.weighs_labels
    if start is None:
        start = first_network(build, training, recipe)
    else:
        start = _going_on(start, settings, loss_and_weights)

    def compute():
        classifier, interrupted = _run(
            start,
            training,
            validation,
            recipe,
            (loss, optimizer, learning_rate),
            checkpoint,
            options,
        )
        if recipe.centre and not interrupted and is_crossentropy(recipe.loss):
            classifier.network_ = centred(classifier.network_, training, recipe.batch_size)
        result = classifier, classifier.network_.optimizer_state
        if interrupted:
            raise _Interrupted(result)
        return result

    memory, checkpoint_dir = options.memory, options.checkpoint_dir
    untold = settings["loss"] is None or start.config is None or start.custom_objects
    if options.callbacks or untold:
        # What they do cannot be told from their description.
        if checkpoint_dir is not None:
            warnings.warn(
                "checkpoint_dir is not used: with callbacks, a loss or layers of your own, nothing "
                "tells whether another training is the same.",
                UserWarning,
                stacklevel=5,
            )
        memory = checkpoint_dir = None
    key = checkpoint = None
    if memory is not None or checkpoint_dir is not None:
        parts = [part and part.fingerprint() for part in (training, validation)]
        key = [start.fingerprint(), start.optimizer_state, settings, parts, _VERSIONS]
    if checkpoint_dir is not None:
        checkpoint = Checkpoint(checkpoint_dir, joblib.hash(key))
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


def restored(config, variables, params, history):
    """Return what `train` had returned, from what a file says of it.

    Parameters
    ----------
    config : str
        Keras' JSON of the network.
    variables : list of ndarray
        Its values.
    params : dict
        Of the classifier.
    history : dict
        Lists of losses.

    Returns
    -------
    classifier : ImageKerasClassifier
        Without a state of the optimizer.
    """
    classifier = ImageKerasClassifier(
        loss=params["loss"],
        optimizer=params["optimizer"],
        epochs=params["epochs"],
        shuffle=False,
        compile__jit_compile=False,
    )
    classifier.target_encoder_ = classifier.feature_encoder_ = _Unchanged()
    classifier.history_ = {name: list(values) for name, values in history.items()}
    key = hashlib.sha256(b"restored" + pool.canonical(config).encode()).hexdigest()
    classifier.network_ = TrainedNetwork(key, config, None, variables)
    return classifier


def first_network(build, training, recipe):
    """Return the network with its first weights; parameters as in :func:`train`."""
    optimizer, _ = new_optimizer(recipe.optimizer, recipe.learning_rate)
    settings = settings_of(recipe, loss_of(recipe.loss, weight=training.weight), optimizer)
    model = build()
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


def _run(start, training, validation, recipe, compiled_with, checkpoint, options):
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
        mixup=recipe.mixup,
    )
    progress = None
    if options.verbose:
        progress = Progress(recipe.epochs - progressed.epochs, batches.num_batches)
    stopper = _early_stopping(recipe)
    schedule = None
    if recipe.schedule == "cosine" and learning_rate is not None:
        schedule = CosineRate(
            learning_rate,
            epochs=recipe.epochs,
            batches=batches.num_batches,
            first_epoch=progressed.epochs,
        )
    reshuffle = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: batches.next_epoch())
    ours = [schedule, reshuffle, stopper, StopWhenNotFinite(), progress]
    classifier = ImageKerasClassifier(
        loss=loss,
        optimizer=optimizer,
        epochs=recipe.epochs,
        shuffle=False,  # the batches shuffle themselves, with a seed of their own
        verbose=0,
        callbacks=[*fresh_callbacks(options.callbacks), *filter(None, ours)],
        compile__jit_compile=False,
        fit__validation_data=validation
        and ImageBatches(
            validation, recipe.batch_size, label_weights=training.weighs_labels
        ).dataset(),
    )
    with pool.borrow(start.key, start.untrained) as network, no_retracing_warnings():
        network.load(progressed.variables)
        if checkpoint is not None:
            classifier.callbacks.append(SaveEpochs(checkpoint, network, progressed, stopper))
        try:
            interrupted = classifier.train_on(
                network, batches.dataset(), start=progressed, learning_rate=learning_rate
            )
        finally:
            if progress is not None:
                progress.close()
        if interrupted and stopper is not None and stopper.best_weights is not None:
            network.model.set_weights(stopper.best_weights)  # Keras does it at a regular end only
        classifier.network_ = replace(
            start, variables=network.values(), optimizer_state=network.optimizer_state()
        )
    # Only for people to read from now on; the objects may hold code of the user's.
    classifier.optimizer = keras.optimizers.serialize(optimizer)["class_name"]
    classifier.loss = loss if isinstance(loss, str) else getattr(loss, "name", repr(loss))
    return classifier, interrupted


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
        without_rate(settings["optimizer"]),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
