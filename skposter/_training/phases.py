"""Training in two phases: the head alone on features that are computed once, then the layers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import partial

from skposter._keras import pool
from skposter._keras.settings import fixed_settings
from skposter._keras.tensorflow import keras
from skposter._training.keras_fit import first_network, train
from skposter._training.logistic_head import solved_head
from skposter._training.memory import recall
from skposter._training.scikeras_bridge import restored
from skposter._training.subsets import Subset, fingerprint_of_images
from skposter._training.trained_network import TrainedNetwork
from skposter.networks import FEATURES

__all__ = ["train_in_phases"]

HEAD_LEARNING_RATE = 2e-3


def train_in_phases(
    build,
    training,
    validation,
    recipe,
    options,
    *,
    dtype_policy,
    fine_tune,
    head_epochs,
    logistic_head=False,
    start=None,
):
    """Train the head of a pre-trained network, then also the layers that `fine_tune` names.

    Parameters
    ----------
    build, training, validation, options, dtype_policy, start
        As in :func:`skposter._training.keras_fit.train`.
    recipe : Recipe
        How to train the layers; with ``fine_tune="none"``, the head.
    fine_tune : {"all", "last", "none"} or None
        With ``"none"`` only the head is trained. None: the network starts from random weights, so
        there is one phase.
    head_epochs : int
        How long otherwise, before the layers are trained along with it. A training that goes on
        from `start` leaves it out.

    Returns
    -------
    classifier : ImageKerasClassifier
        With ``network_`` and ``history_``; the history is that of the last phase.
    interrupted : bool
        Whether Ctrl-C ended the training early, in either phase.
    """
    network = start
    only_head = fine_tune == "none"
    begins_with_head = start is None and (head_epochs or logistic_head)
    if only_head or (fine_tune is not None and begins_with_head):
        if network is None:
            network = first_network(build, training, recipe, dtype_policy=dtype_policy)
        classifier, interrupted = train_head(
            network,
            training,
            validation,
            recipe if only_head else _head_recipe(recipe, head_epochs),
            options if only_head else replace(options, callbacks=None),
            dtype_policy=dtype_policy,
            logistic=logistic_head,
        )
        if only_head or interrupted or options.stopped:
            return classifier, interrupted
        network = replace(classifier.network_, optimizer_state=None)
    return train(
        build, training, validation, recipe, options, dtype_policy=dtype_policy, start=network
    )


def train_head(network, training, validation, recipe, options, *, dtype_policy, logistic=False):
    """Train what follows the features of `network` on the features of plain images.

    Augmentation acts on images, so it has no part in it.

    Parameters
    ----------
    network : TrainedNetwork
    training, validation, recipe, options, dtype_policy
        As in :func:`skposter._training.keras_fit.train`.
    logistic : bool, default=False
        Whether to solve the last dense layer as logistic regression.

    Returns
    -------
    classifier : ImageKerasClassifier
        Its ``network_`` is the whole network with the trained head, its optimizer's state that of
        the head.
    interrupted : bool
    """
    model = network.to_keras()
    extractor = _described(keras.Model(model.inputs[0], model.get_layer(FEATURES).output))
    training = _featured(extractor, training, recipe.batch_size, options.memory)
    if validation is not None:
        validation = _featured(extractor, validation, recipe.batch_size, options.memory)
    head = first_network(
        lambda: _head_of(model, dtype_policy), training, recipe, dtype_policy=dtype_policy
    )
    if network.optimizer == head.optimizer and len(model.trainable_variables) == 2:
        head = replace(head, optimizer_state=network.optimizer_state)
    if logistic:
        classifier = _solved(head, training, validation, recipe, options.memory)
        interrupted = False
    else:
        classifier, interrupted = train(
            head.untrained,
            training,
            validation,
            recipe,
            options,
            dtype_policy=dtype_policy,
            start=head,
        )
    trained = classifier.network_
    _copy(trained.to_keras().layers[1:], model)
    classifier.network_ = replace(
        network,
        variables=pool.values_of(pool.network_variables(model)),
        optimizer_state=trained.optimizer_state,
    )
    classifier.model = classifier.network_.builder()
    return classifier, interrupted


def _solved(head, training, validation, recipe, memory):
    """Return the classifier of a head whose dense layer is logistic regression, solved."""
    key = None
    if memory is not None:
        subsets = [subset and subset.fingerprint() for subset in (training, validation)]
        key = ["logistic", head.fingerprint(), *subsets]
    kernel, bias, losses = recall(
        memory, "network", key, partial(solved_head, training, validation), description="head"
    )
    model = head.to_keras()
    last = model.layers[-1]
    last.kernel.assign(kernel)
    last.bias.assign(bias)
    classifier = restored(
        head.config,
        pool.values_of(pool.network_variables(model)),
        {name: getattr(recipe, name) for name in ("loss", "optimizer", "epochs")},
        {name: [value] for name, value in losses.items()},
        training.y.shape[1],
    )
    classifier.network_ = replace(head, variables=classifier.network_.variables)
    return classifier


def _head_recipe(recipe, epochs):
    return replace(
        recipe,
        optimizer="adam",
        learning_rate=HEAD_LEARNING_RATE,
        weight_decay=None,
        epochs=epochs,
        patience=None,
        first_epoch=0,
        correct_intercepts=False,
    )


def _described(model):
    """Return a Keras model as a network that only predicts."""
    config = json.dumps(keras.saving.serialize_keras_object(model))
    return TrainedNetwork(
        key=hashlib.sha256(pool.canonical(config).encode()).hexdigest(),
        config=config,
        build=None,
        variables=pool.values_of(pool.network_variables(model)),
    )


def _featured(extractor, subset, batch_size, memory):
    """Return the subset with features for images; all rows of X, which subsets may share."""
    key = None
    if memory is not None:
        key = [extractor.fingerprint(), fingerprint_of_images(subset.X), batch_size]
    features = recall(
        memory,
        "features",
        key,
        lambda: extractor.predict_proba(subset.X, batch_size),
        description=f"of {len(subset.X)} images",
    )
    return Subset(features, subset.y, subset.rows, subset.weight)


def _head_of(model, dtype_policy):
    """Return the layers after the features, with their weights, as a network of its own."""
    names = [layer.name for layer in model.layers]
    tail = model.layers[names.index(FEATURES) + 1 :]
    features = keras.Input(model.get_layer(FEATURES).output.shape[1:], name=FEATURES)
    x = features
    with fixed_settings(dtype_policy):
        for layer in tail:
            x = type(layer).from_config(layer.get_config())(x)
    head = keras.Model(features, x, name="head")
    _copy(tail, head)
    return head


def _copy(layers, model):
    """Give the layers of the same names in `model` the weights and random states of `layers`."""
    for layer in layers:
        pool.assign(model.get_layer(layer.name).variables, pool.values_of(layer.variables))
