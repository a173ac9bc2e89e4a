"""One training: found in the memory, gone on with, or done by ``Model.fit`` on a pooled network."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

import joblib
import numpy as np

from skposter._keras.tensorflow import (  # isort: skip, quiet if it is first
    keep_freed_memory,
    keras,
    no_retracing_warnings,
    tf,
)

from skposter._keras import pool
from skposter._keras.custom_objects import described, identity
from skposter._keras.forks import check_not_forked
from skposter._keras.replicas import check_strategy, strategy_key
from skposter._keras.settings import fixed_settings
from skposter._training.batches import ImageBatches
from skposter._training.callbacks import (
    CosineRate,
    Progress,
    ReportEpochs,
    StopWhenNotFinite,
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
from skposter._training.recipe import settings_of
from skposter._training.scikeras_bridge import ImageKerasClassifier, classes_of, network_of
from skposter._training.trained_network import TrainedNetwork
from skposter.networks import build_network, network_meta

__all__ = ["first_network", "train", "untrained_network"]


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:  # it runs from a folder that was not installed
        return None


_VERSIONS = [_version("skposter"), keras.__version__, tf.__version__, np.__version__]


class _Interrupted(Exception):  # noqa: N818, it is no error: it keeps a result out of the memory
    def __init__(self, result, interrupted):
        super().__init__()
        self.result = result
        self.interrupted = interrupted


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
        if interrupted or options.stopped:
            raise _Interrupted(result, interrupted)
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
        (classifier, optimizer_state), interrupted = early.result, early.interrupted
    # What is not pickled with the rest.
    classifier.network_.optimizer_state = optimizer_state
    classifier.network_.loss = loss_and_weights
    return classifier, interrupted


def _compiled_with(training, recipe, dtype_policy):
    """Return new loss and optimizer, and the learning rate."""
    with fixed_settings(dtype_policy):
        optimizer, learning_rate = new_optimizer(
            recipe.optimizer, recipe.learning_rate, recipe.weight_decay
        )
        return loss_of(recipe.loss, weight=training.weight), optimizer, learning_rate


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
        if options.fit_task is not None:
            classifier.callbacks.append(ReportEpochs(options.fit_task))
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
