"""MultiLabelImageClassifier: a Keras network as a scikit-learn classifier with several labels."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from functools import partial
from numbers import Integral, Real
from os import PathLike

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skposter._estimators.pickling import VersionedPickleMixin
from skposter._estimators.spelling import SpelledParametersMixin
from skposter._keras import forks as _forks  # noqa: F401, it notices forks from now on
from skposter._labels.per_label import combined_weights, per_label, positive_weights
from skposter._training.checks import (
    check_images,
    check_labels,
    check_same_labels,
    check_sample_weight,
    warn_about_rare_labels,
)
from skposter._training.memory import recall
from skposter._training.parts import ImagesOfPart, Part, fingerprint_of_images, hold_out
from skposter.exceptions import TrainingDivergedError
from skposter.networks import build_network, builder_params
from skposter.thresholds import LabelPredictionsMixin, parse_objective

__all__ = ["MultiLabelImageClassifier"]


class MultiLabelImageClassifier(
    VersionedPickleMixin,
    SpelledParametersMixin,
    LabelPredictionsMixin,
    ClassifierMixin,
    BaseEstimator,
):
    """Classify images that carry several labels each, with a network trained by Keras.

    Takes uint8 images (what :class:`~skposter.ImageLoader` makes of paths) and a 0/1 table of
    labels. Behaves as any scikit-learn classifier does: it can be cloned, searched, scored,
    calibrated and pickled.

    Parameters
    ----------
    network : str or callable, default="small_cnn"
        ``"small_cnn"``, ``"tutorial"``, a network of keras.applications such as ``"mobilenet"``
        (see :mod:`skposter.networks`), or ``network(meta, **network_params) -> keras.Model``,
        uncompiled, from uint8 images to one sigmoid per label; `meta` is described there too.
    network_params : dict, default=None
        Further options of the builder, such as ``{"alpha": 0.25}`` for ``"mobilenet"``.
    weights : str, path or None, default="imagenet"
        What a network of keras.applications starts from: weights that Keras downloads, those in a
        file (without the top), or random ones. Other networks always start from random ones.
    fine_tune : {"all", "last", "none"}, default="all"
        Layers that training changes in a network that starts from `weights`: all, those at the
        last resolution, or only the head, whose inputs are then computed once.
    head_epochs : int, default=4
        How long the head is trained alone, on inputs computed once, before the layers that
        `fine_tune` names are trained along with it for `epochs`.
    filters : sequence of int, default=(32, 64, 128, 192)
        ``small_cnn``: channels of each convolution; its length is the depth.
    kernel_size : int, default=3
        ``small_cnn``: side of the convolutions, in pixels.
    dense_units : int, default=None
        ``small_cnn``: units of a dense layer before the output; None leaves it out.
    dropout : float, default=0.3
        Share of the last layer's inputs dropped in training, in [0, 1). Not in ``tutorial``.
    augmentation : {"none", "light", "strong"} or keras.layers.Layer, default="light"
        Random changes to training images. ``"light"`` mirrors and shifts by up to 6 %;
        ``"strong"`` mirrors, zooms, shifts by up to 10 %, and varies brightness and contrast. A
        layer of your own gets float images in [0, 255]. Use ``"none"`` or a layer where left and
        right differ in meaning.
    mixup : float, default=0.0
        If above 0, training images are blended in pairs, and their labels with them, in shares
        from Beta(mixup, mixup). 0.2 is a usual value.
    loss : str, keras.losses.Loss or callable, default="binary_crossentropy"
        ``"focal"``, ``"asymmetric"`` (:class:`~skposter.losses.AsymmetricLoss`), ``"dice"`` (soft
        F1 of each label, over a batch), or as Keras takes it. All but cross-entropy distort the
        probabilities, and rarely beat it once thresholds are tuned.
    optimizer : str or keras.optimizers.Optimizer, default="adam"
        As Keras takes it. An instance is copied for each fit.
    learning_rate : float, default=None
        For an optimizer given by name; an instance brings its own. None is 1e-3, and 5e-4 for a
        network that starts from `weights`.
    learning_rate_schedule : {"cosine", "constant"}, default="cosine"
        ``"cosine"`` rises to the rate over the first 5 % of the batches of a ``fit`` and falls to
        0 at its end. ``partial_fit``, which knows no end, is always constant.
    epochs : int, default=20
        How often each training image is seen.
    batch_size : int, default=32
        Images in a batch, in training and prediction.
    validation_fraction : float, default=0.1
        Share of the images set aside, stratified by label and shuffled by `random_state`, for the
        validation loss of each epoch, for `early_stopping` and for a `threshold` given as an
        objective. 0 trains on all images; a share that comes to less than one image does too.
    early_stopping : bool, default=False
        Stop when the validation loss no longer improves, and keep the weights of the best epoch.
    n_iter_no_change : int, default=10
        `early_stopping`: how many epochs without improvement to wait for.
    tol : float, default=1e-4
        `early_stopping`: what counts as an improvement of the loss.
    threshold : float, array-like, mapping or str, default=0.5
        A label is predicted where its probability is at least this. One number for all labels,
        one per label, a mapping of label names to numbers (0.5 for those it does not name), or
        an objective of :func:`skposter.thresholds.choose_thresholds` such as ``"f1_macro"``, which
        chooses on the validation part. Acts at prediction only: changing it needs no refit.
    tta : bool, default=False
        Whether predictions average the log-odds of an image and its mirror image, which takes
        twice as long.
    min_labels : int, default=0
        An image below every threshold gets its `min_labels` most probable labels.
    class_weight : "balanced", array-like or mapping, default=None
        Weights of the positives of each label. ``"balanced"`` is negatives / positives, at most
        the number of images. Tuned thresholds do as well and leave the probabilities intact.
    calibrate : bool, default=True
        Whether ``fit`` with cross-entropy ends by shifting the log-odds of each label so that its
        mean probability over the training images is its frequency there. Dropout, augmentation and
        batch normalisation act in training only and leave it elsewhere. Takes one prediction of the
        training images. Not in ``partial_fit``.
    warm_start : bool, default=False
        Whether another call of ``fit`` goes on from the weights, the optimizer and the history of
        the last.
    keep_optimizer_state : bool, default=False
        Whether pickles and copies in other processes keep what ``warm_start`` and ``partial_fit``
        need to go on exactly as if there had been no pickling. With Adam, files become three
        times as large. Otherwise the optimizer starts anew there.
    memory : str or joblib.Memory, default=None
        A folder in which trained networks and predicted probabilities are kept. A network is found
        again by everything that it was trained on (images, labels, weights, seed, parameters,
        versions), so a search over `threshold` and layers trains each distinct network once. Needs
        a `random_state`, and no `callbacks` of your own. A path holds 4 GiB at most, the least
        recently used goes first; see :mod:`skposter.memory`.
    checkpoint_dir : str or path-like, default=None
        A folder in which each epoch of a training is kept. The same ``fit`` (images, labels,
        weights, seed, parameters, versions) in a process that comes after a killed one goes on
        after the last complete epoch, to the same result, bit for bit. Needs a `random_state`, and
        no `callbacks` of your own. One file a training, about four times its weights; it stays
        when the training is over, so delete the folder when the model is saved.
    callbacks : list of keras.callbacks.Callback, default=None
        Objects or classes. Each fit uses copies, so nothing trained stays with them.
    random_state : int, RandomState instance or None, default=None
        Seeds initial weights, dropout, shuffling and the validation part. With an int, weights are
        bit-identical from fit to fit and from process to process on the same machine. None draws
        fresh entropy. No global seed is read or set.
    verbose : int, default=0
        Above 0, a progress bar.

    Attributes
    ----------
    classes_ : ndarray of shape (n_labels, 2)
        ``[0, 1]`` for each label.
    label_names_ : ndarray of shape (n_labels,)
        The columns of a DataFrame `y`, otherwise ``0 .. n_labels - 1``.
    label_frequencies_ : ndarray of shape (n_labels,), float64
        Share of the training images with each label.
    image_shape_ : tuple
        ``(height, width, channels)`` of the training images.
    history_ : dict
        ``"loss"`` and, with a validation part, ``"val_loss"``: lists with one entry an epoch.
    n_iter_ : int
        Epochs trained.
    validation_indices_ : ndarray of int
        The rows that were set aside; empty without a validation part of the training data.
    keras_classifier_ : scikeras.wrappers.KerasClassifier
        What trained the network, and holds its weights as NumPy arrays.
    model_ : keras.Model
        The network with its weights, made anew at each access.

    See Also
    --------
    skposter.ImageLoader : Turns paths into the images that this takes.
    skposter.TunedThresholdsClassifierCV : Chooses thresholds on out-of-fold probabilities.

    Notes
    -----
    Training runs through SciKeras' ``KerasClassifier``. ``score`` is, as in scikit-learn, the
    share of images whose labels are all right; prefer ``scoring="f1_micro"`` and the like.

    Examples
    --------
    >>> import numpy as np
    >>> from skposter import MultiLabelImageClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, size=(60, 2))
    >>> X = np.zeros((60, 16, 16, 3), dtype=np.uint8)
    >>> X[..., 0] += 200 * y[:, 0, None, None].astype(np.uint8)  # label 0 is red
    >>> X[..., 2] += 200 * y[:, 1, None, None].astype(np.uint8)  # label 1 is blue
    >>> clf = MultiLabelImageClassifier(filters=(8,), epochs=30, learning_rate=0.02, random_state=0)
    >>> clf.fit(X, y).predict_proba(X[:1]).shape
    (1, 2)
    >>> bool((clf.predict(X) == y).mean() > 0.95)
    True
    """

    _parameter_constraints: dict = {
        "network": [str, callable],
        "network_params": [dict, None],
        "weights": [str, PathLike, None],
        "fine_tune": [StrOptions({"all", "last", "none"})],
        "head_epochs": [Interval(Integral, 0, None, closed="left")],
        "filters": ["array-like"],
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "dense_units": [Interval(Integral, 1, None, closed="left"), None],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "augmentation": [str, callable],
        "mixup": [Interval(Real, 0, None, closed="left")],
        "loss": [str, callable],
        "optimizer": "no_validation",  # Keras names the known ones
        "learning_rate": [Interval(Real, 0, None, closed="neither"), None],
        "learning_rate_schedule": [StrOptions({"cosine", "constant"})],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "early_stopping": ["boolean"],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "threshold": [Real, "array-like", Mapping, str],
        "tta": ["boolean"],
        "min_labels": [Interval(Integral, 0, None, closed="left")],
        "class_weight": [StrOptions({"balanced"}), "array-like", Mapping, None],
        "calibrate": ["boolean"],
        "warm_start": ["boolean"],
        "keep_optimizer_state": ["boolean"],
        "memory": [str, HasMethods("cache"), None],
        "checkpoint_dir": [str, PathLike, None],
        "callbacks": "no_validation",
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        network="small_cnn",
        *,
        network_params=None,
        weights="imagenet",
        fine_tune="all",
        head_epochs=4,
        filters=(32, 64, 128, 192),
        kernel_size=3,
        dense_units=None,
        dropout=0.3,
        augmentation="light",
        mixup=0.0,
        loss="binary_crossentropy",
        optimizer="adam",
        learning_rate=None,
        learning_rate_schedule="cosine",
        epochs=20,
        batch_size=32,
        validation_fraction=0.1,
        early_stopping=False,
        n_iter_no_change=10,
        tol=1e-4,
        threshold=0.5,
        tta=False,
        min_labels=0,
        class_weight=None,
        calibrate=True,
        warm_start=False,
        keep_optimizer_state=False,
        memory=None,
        checkpoint_dir=None,
        callbacks=None,
        random_state=None,
        verbose=0,
    ):
        self.network = network
        self.network_params = network_params
        self.weights = weights
        self.fine_tune = fine_tune
        self.head_epochs = head_epochs
        self.filters = filters
        self.kernel_size = kernel_size
        self.dense_units = dense_units
        self.dropout = dropout
        self.augmentation = augmentation
        self.mixup = mixup
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.threshold = threshold
        self.tta = tta
        self.min_labels = min_labels
        self.class_weight = class_weight
        self.calibrate = calibrate
        self.warm_start = warm_start
        self.keep_optimizer_state = keep_optimizer_state
        self.memory = memory
        self.checkpoint_dir = checkpoint_dir
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None):
        """Train on images and their labels.

        Ctrl-C ends the training early, with a warning, and leaves a usable estimator.

        Parameters
        ----------
        X : array-like of uint8, shape (n_samples, height, width, channels)
            An array, a memory map or :class:`~skposter.LazyImages`. Never modified.
        y : array-like or DataFrame of shape (n_samples, n_labels)
            0/1, bool or float; a DataFrame's columns name the labels.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), default=None
            Weights per image, or per image and label. Images of weight zero are left out.
        X_val, y_val : array-like, default=None
            A validation part of your own, in place of `validation_fraction`.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If images, labels or weights are not as described.
        TrainingDivergedError
            If the loss is not finite.
        """
        if isinstance(self.threshold, str):
            parse_objective(self.threshold)  # better now than after the training
        going_on = self.warm_start and hasattr(self, "keras_classifier_")
        everything, label_names = self._checked(X, y, sample_weight, going_on=going_on)
        warn_about_rare_labels(everything.labels(), label_names)
        seeds = self._seeds if going_on else self._new_seeds()
        held_out = np.arange(0)
        if X_val is None and y_val is None:
            training, validation = hold_out(everything, self.validation_fraction, seeds["split"])
            if validation is not None:
                held_out = validation.rows
        else:
            training = everything
            validation = _given(X_val, y_val, training.X.shape[1:], label_names)
        if self.early_stopping and validation is None:
            raise ValueError(
                "early_stopping=True needs a validation part: set validation_fraction so that it "
                f"comes to at least one of the {len(training.rows)} images, or pass X_val and "
                "y_val."
            )
        # Until here nothing has changed, so refused data leaves a fitted classifier usable.
        if not going_on:
            self._start_anew(everything, label_names, seeds)
        self.validation_indices_ = held_out
        self._train(
            training,
            validation,
            epochs=self.epochs,
            schedule=self.learning_rate_schedule,
            centre=self.calibrate,
        )
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None, *, label_names=None, classes=None):
        """Train one more epoch on these images, going on from what was learned.

        No validation part is set aside.

        Parameters
        ----------
        X : array-like of uint8, shape (n_samples, height, width, channels)
            Images.
        y : array-like or DataFrame of shape (n_samples, n_labels)
            Labels, the same ones at each call.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), default=None
            Weights.
        label_names : sequence of str, default=None
            Names of the columns of `y`, for the first call.
        classes : object, default=None
            Not used. scikit-learn passes it, in ``learning_curve`` for one.

        Returns
        -------
        self : object
            The classifier.
        """
        going_on = hasattr(self, "keras_classifier_")
        training, label_names = self._checked(
            X, y, sample_weight, going_on=going_on, label_names=label_names
        )
        if not going_on:
            self._start_anew(training, label_names, self._new_seeds())
        self.validation_indices_ = np.arange(0)
        self._train(training, None, epochs=1)
        return self

    def predict_proba(self, X):
        """Return the probability of each label.

        Parameters
        ----------
        X : array-like of uint8, shape (n_samples, height, width, channels)
            Images of the fitted shape.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_labels), float32
            Also for one image. They do not sum to one: labels do not exclude one another.

        Raises
        ------
        TrainingDivergedError
            If a probability is not finite.
        """
        check_is_fitted(self, "keras_classifier_")
        X = check_images(X, image_shape=self.image_shape_)
        return self._finite_probabilities(X)

    @property
    def model_(self):
        """The network with its weights, a new Keras model at each access."""
        check_is_fitted(self, "keras_classifier_")
        return self.keras_classifier_.model_

    @property
    def thresholds_(self):
        """The cut of each label that `threshold` comes to, float64 `(n_labels,)`."""
        check_is_fitted(self, "keras_classifier_")
        if isinstance(self.threshold, str):
            return self._chosen_thresholds(self.threshold)
        return per_label(self.threshold, self.label_names_, default=0.5, what="threshold")

    def _finite_probabilities(self, X):
        probabilities = self._recalled_probabilities(X)
        if not np.isfinite(probabilities).all():
            raise TrainingDivergedError(
                "The network returns probabilities that are not finite, so its weights are not "
                "either. Train again with a smaller learning_rate."
            )
        return probabilities

    def _recalled_probabilities(self, X):
        network = self.keras_classifier_.network_
        memory, key = None, None
        # Looking up costs more than predicting a batch, and a server's requests are no data set.
        if self.memory is not None and len(X) > self.batch_size:
            memory = self.memory
            key = [network.fingerprint(), fingerprint_of_images(X), self.batch_size, self.tta]
        return recall(
            memory,
            "probabilities",
            key,
            partial(
                self.keras_classifier_.predict_proba,
                X,
                batch_size=self.batch_size,
                mirrored=self.tta,
            ),
            description=f"{network.name} on {len(X)} images",
        )

    def _chosen_thresholds(self, objective):
        from skposter.thresholds import choose_thresholds

        if self._validation_scores is None:
            raise ValueError(
                f"threshold={objective!r} is chosen on the validation part, and there is none: "
                "fit with validation_fraction or X_val, or use TunedThresholdsClassifierCV."
            )
        y_val, scores = self._validation_scores
        return choose_thresholds(y_val, scores, objective=objective)

    def _checked(self, X, y, sample_weight, *, going_on, label_names=None):
        """Return the rows that weigh something, and the names of their labels."""
        X = check_images(X, image_shape=self.image_shape_ if going_on else None)
        y, names = check_labels(y, n_samples=X.shape[0], label_names=label_names)
        if going_on:
            check_same_labels(names, self.label_names_)
            names = self.label_names_
        sample_weight = check_sample_weight(sample_weight, *y.shape)
        part = Part(X, y, np.arange(len(y)), sample_weight).without_weightless()
        of_positives = positive_weights(self.class_weight, part.labels(), names)
        part.weight = combined_weights(sample_weight, of_positives, y)
        return part, names

    def _new_seeds(self):
        if self.random_state is None:
            entropy = None  # fresh; NumPy's global generator is not touched
            kept = [
                name for name in ("memory", "checkpoint_dir") if getattr(self, name) is not None
            ]
            if kept:
                warnings.warn(
                    f"{kept[0]} finds nothing again without a random_state, because each training "
                    "draws seeds of its own; pass an int.",
                    UserWarning,
                    stacklevel=4,
                )
        else:
            entropy = int(check_random_state(self.random_state).randint(2**31))
        seeds = np.random.SeedSequence(entropy).generate_state(3)
        return dict(zip(("network", "shuffle", "split"), map(int, seeds), strict=True))

    def _start_anew(self, training, label_names, seeds):
        for name in ("keras_classifier_", "_validation_scores"):
            self.__dict__.pop(name, None)
        self.image_shape_ = tuple(int(side) for side in training.X.shape[1:])
        self.label_names_ = label_names
        self.classes_ = np.tile([0, 1], (len(label_names), 1))
        self.label_frequencies_ = training.labels().mean(axis=0, dtype=np.float64)
        self.history_ = {}
        self.n_iter_ = 0
        self._seeds = seeds

    def _train(self, training, validation, *, epochs, schedule="constant", centre=False):
        """Train `epochs` more and keep what was learned."""
        from skposter._training.recipe import Recipe, RunOptions
        from skposter._training.transfer import train_in_phases

        builder_params = self._builder_params()
        fine_tune = builder_params.get("fine_tune") if builder_params.get("weights") else None
        recipe = Recipe(
            loss=self.loss,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate or (1e-3 if fine_tune is None else 5e-4),
            schedule=schedule,
            mixup=self.mixup,
            centre=centre,
            epochs=epochs,
            batch_size=self.batch_size,
            patience=self.n_iter_no_change if self.early_stopping and validation else None,
            tol=self.tol,
            shuffle_seed=self._seeds["shuffle"],
            first_epoch=self.n_iter_,
        )
        previous = getattr(self, "keras_classifier_", None)
        classifier, interrupted = train_in_phases(
            partial(build_network, self.network, self._meta(), builder_params),
            training,
            validation,
            recipe,
            RunOptions(self.callbacks, self.memory, self.checkpoint_dir, self.verbose),
            fine_tune=fine_tune,
            head_epochs=self.head_epochs,
            start=None if previous is None else previous.network_,
        )
        if interrupted:
            warnings.warn("Training interrupted by user.", UserWarning, stacklevel=4)
        self.keras_classifier_ = classifier
        self._training_summary = training.summary()
        for name, values in classifier.history_.items():
            self.history_.setdefault(name, []).extend(values)
        self.n_iter_ += len(classifier.history_.get("loss", []))
        # Kept because thresholds can be chosen on them later without the images.
        self._validation_scores = None
        if validation is not None:
            scores = self._finite_probabilities(ImagesOfPart(validation))
            self._validation_scores = validation.labels().astype(np.uint8), scores

    def _build_untrained(self, **meta):
        """Make the network for values that it gets from elsewhere."""
        params = self._builder_params()
        if params.get("weights") is not None:
            from skposter.networks import ELSEWHERE

            params = {**params, "weights": ELSEWHERE}
        return build_network(self.network, {**self._meta(), **meta}, params)

    def _meta(self):
        return {
            "input_shape": self.image_shape_,
            "n_labels": len(self.label_names_),
            "label_names": self.label_names_.tolist(),
            "label_frequencies": self.label_frequencies_,
            "seed": self._seeds["network"],
            "augmentation": self.augmentation,
        }

    def _builder_params(self):
        ours = {
            "filters": tuple(self.filters),
            "kernel_size": self.kernel_size,
            "dense_units": self.dense_units,
            "dropout": self.dropout,
            "weights": self.weights,
            "fine_tune": self.fine_tune,
        }
        signature = inspect.signature(type(self)).parameters
        defaults = {name: signature[name].default for name in ours}
        return builder_params(self.network, ours, defaults, self.network_params or {})

    def __getstate__(self):
        state = super().__getstate__()
        if self.keep_optimizer_state and hasattr(self, "keras_classifier_"):
            state["_optimizer_state"] = self.keras_classifier_.network_.optimizer_state
        return state

    def __setstate__(self, state):
        optimizer_state = state.pop("_optimizer_state", None)
        super().__setstate__(state)
        if optimizer_state is not None:
            self.keras_classifier_.network_.optimizer_state = optimizer_state

    def __sklearn_is_fitted__(self):
        return hasattr(self, "keras_classifier_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # images are 4-D
        tags.target_tags.single_output = False
        tags.target_tags.multi_output = True
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.multi_label = True
        tags.non_deterministic = self.random_state is None
        return tags


def _given(X_val, y_val, image_shape, label_names):
    """Return the validation part that the user passed."""
    if X_val is None or y_val is None:
        raise ValueError("X_val and y_val go together; only one of them was passed.")
    X_val = check_images(X_val, image_shape=image_shape)
    y_val, names = check_labels(y_val, n_samples=X_val.shape[0])
    check_same_labels(names, label_names)
    return Part(X_val, y_val, np.arange(len(y_val)))
