"""MultiLabelImageClassifier: a Keras network as a scikit-learn classifier with several labels."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Mapping
from functools import partial
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skposter._estimators.fit_tasks import CallbacksMixin
from skposter._estimators.pickling import VersionedPickleMixin, portable
from skposter._estimators.spelling import SpelledParametersMixin
from skposter._estimators.user_warnings import warn_user
from skposter._keras import forks as _forks  # noqa: F401, it notices forks from now on
from skposter._labels.per_label import (
    combined_weights,
    known_frequencies,
    per_label,
    positive_weights,
)
from skposter._training.checks import (
    aligned_labels,
    check_images,
    check_labels,
    check_same_labels,
    check_sample_weight,
    warn_about_rare_labels,
)
from skposter._training.memory import recall
from skposter._training.subsets import (
    ImagesOf,
    Subset,
    fingerprint_of_images,
    hold_out,
    is_decoded_when_read,
    weight_of_known,
)
from skposter._typing import fit_context
from skposter.exceptions import TrainingDivergedError, UnknownLabelWarning
from skposter.networks import build_network, network_meta
from skposter.thresholds import LabelPredictionsMixin, choose_thresholds, parse_objective

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal, Self

    import keras
    from joblib import Memory
    from numpy.typing import ArrayLike, NDArray

    from skposter._typing import Array, Names, RandomState, Samples, Threshold

__all__ = ["MultiLabelImageClassifier"]

_AUTO = StrOptions({"auto"})


class MultiLabelImageClassifier(
    CallbacksMixin,
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

    Parameters that default to ``"auto"`` take what is best for the network, its recipe; after
    ``fit``, ``recipe_`` says what that came to.

    Parameters
    ----------
    network : str, network object, KerasClassifier or callable, default="small_cnn"
        An object of :mod:`skposter.networks` such as ``SmallCNN(filters=(16, 32))`` or
        ``Pretrained("mobilenet")``, or the short name of one (``"small_cnn"``, ``"tutorial"``, or
        a network of keras.applications); a ``scikeras.wrappers.KerasClassifier``, whose function
        builds the model and whose loss, optimizer, epochs and batch size are its recipe; or
        ``network(meta) -> keras.Model``, uncompiled, from uint8 images to one sigmoid per label,
        with `meta` as :mod:`skposter.networks` has it.
    augmentation : {"auto", "none", "light", "strong"} or keras.layers.Layer, default="auto"
        Random changes to training images. ``"light"`` mirrors and shifts by up to 6 %;
        ``"strong"`` mirrors, zooms, shifts by up to 10 %, and varies brightness and contrast. A
        layer of your own gets float images in [0, 255]. Use ``"none"`` or a layer where left and
        right differ in meaning.
    loss : str, keras.losses.Loss, class of them or callable, default="auto"
        ``"auto"`` is binary cross-entropy. ``"focal"``, ``"asymmetric"``
        (:class:`~skposter.losses.AsymmetricLoss`), ``"dice"`` (soft F1 of each label, over a
        batch), or as Keras takes it; one with ``from_logits=True`` expects a network that returns
        logits. All but cross-entropy distort the probabilities, and rarely beat it once thresholds
        are tuned.
    optimizer : str, keras.optimizers.Optimizer or class of them, default="auto"
        ``"auto"`` is Adam. As Keras takes it; an instance is copied for each fit and brings its own
        learning rate.
    learning_rate : float or "auto", default="auto"
        For an optimizer given by name.
    weight_decay : float, None or "auto", default="auto"
        Decoupled weight decay, for an optimizer given by name: with each batch all weights shrink
        by this times the learning rate. None takes Keras' default of the optimizer, which is 0.004
        for ``"adamw"`` and 0 for most.
    learning_rate_schedule : {"auto", "cosine", "constant"}, default="auto"
        ``"cosine"`` rises to the rate over the first 5 % of the batches of a ``fit`` and falls to
        0 at its end. ``partial_fit``, which knows no end, is always constant, and a callback that
        sets the rate is obeyed.
    epochs : int or "auto", default="auto"
        How often each training image is seen.
    batch_size : int or "auto", default="auto"
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
        chooses on the validation images. Acts at prediction only: changing it needs no refit.
    tta : {"auto", "none", "flip"}, default="auto"
        Test-time augmentation. ``"flip"`` averages the log-odds of an image and its mirror image,
        which takes twice as long. Acts at prediction only.
    min_labels : int, default=0
        An image below every threshold gets its `min_labels` most probable labels.
    pos_weight : "balanced", array-like or mapping, default=None
        Weights of the positives of each label. ``"balanced"`` is negatives / positives, at most
        the number of images. Tuned thresholds do as well and leave the probabilities intact.
    correct_intercepts : bool, default=True
        Whether ``fit`` with cross-entropy ends by shifting the log-odds of each label so that its
        mean probability over the training images is its frequency there (calibration in the
        large). Dropout, augmentation and batch normalisation act in training only and leave it
        elsewhere. Takes one prediction of the training images. Not in ``partial_fit``.
    warm_start : bool, default=False
        Whether another call of ``fit`` goes on from the weights, the optimizer and the history of
        the last. Pickles then hold the state of the optimizer too, which makes them three times as
        large with Adam; without it, ``partial_fit`` begins with a new one after unpickling.
    memory : str or joblib.Memory, default=None
        A folder in which trained networks and predicted probabilities are kept. A network is found
        again by everything that it was trained on (images, labels, weights, seed, parameters,
        versions), so a search over `threshold` and networks trains each distinct one once. While a
        network is trained, its last complete epochs are there too: the same ``fit`` in a process
        that comes after a killed one goes on from there, to the same result, bit for bit. Needs a
        `random_state`, and no `callbacks`, losses or layers of your own. A path holds 4 GiB at
        most, the least recently used goes first; see :mod:`skposter.memory`.
    callbacks : list of keras.callbacks.Callback, default=None
        Objects, which are used as they are, or classes, of which each fit makes an object. After
        the fit they no longer hold the network.
    dtype_policy : str, default=None
        Keras' name of a dtype policy, such as ``"mixed_bfloat16"``. None takes the one that Keras
        is set to at ``fit``. The trained network keeps it, wherever it is loaded.
    random_state : int, RandomState instance or None, default=None
        Seeds initial weights, dropout, shuffling and the validation images. With an int, weights
        are bit-identical from fit to fit and from process to process on the same machine. None
        draws fresh entropy. No global seed is read or set.
    verbose : int, default=0
        Above 0, a progress bar.

    Attributes
    ----------
    classes_ : ndarray of shape (n_labels, 2)
        ``[0, 1]`` for each label.
    label_names_ : ndarray of shape (n_labels,)
        The columns of a DataFrame `y`, otherwise ``0 .. n_labels - 1``.
    label_frequencies_ : ndarray of shape (n_labels,), float64
        Share of the training images with each label, among those of which it is known.
    image_shape_ : tuple
        ``(height, width, channels)`` of the training images.
    recipe_ : dict
        How the network was trained: each parameter that can be ``"auto"``, the phases of a
        pre-trained network (``"fine_tune"``, ``"head_epochs"``) and the ``"dtype_policy"``.
    history_ : dict
        ``"loss"``, ``"val_loss"`` and what callbacks log: lists with one entry an epoch, nan where
        an epoch has none.
    n_iter_ : int
        Epochs trained.
    validation_indices_ : ndarray of int
        The rows that were set aside; empty without validation images taken from `X`.
    validation_scores_ : tuple of ndarray, or None
        Labels and predicted probabilities of the validation images, both `(n_val, n_labels)`.
    training_summary_ : dict
        ``"n_images"``, ``"label_counts"`` and a ``"fingerprint"`` of the training data.
    seeds_ : dict
        What `random_state` came to: the seeds of the ``"network"``, of the ``"shuffle"`` of images
        and of the ``"split"`` into training and validation images.
    keras_classifier_ : scikeras.wrappers.KerasClassifier
        What trained the network. It answers SciKeras' own methods and can be cloned and pickled.
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

    Inside the scope of ``tf.distribute.MirroredStrategy``, each batch is divided among the devices.

    Examples
    --------
    >>> import numpy as np
    >>> from skposter import MultiLabelImageClassifier
    >>> from skposter.networks import SmallCNN
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, size=(60, 2))
    >>> X = np.zeros((60, 16, 16, 3), dtype=np.uint8)
    >>> X[..., 0] += 200 * y[:, 0, None, None].astype(np.uint8)  # label 0 is red
    >>> X[..., 2] += 200 * y[:, 1, None, None].astype(np.uint8)  # label 1 is blue
    >>> clf = MultiLabelImageClassifier(
    ...     SmallCNN(filters=(8,)), epochs=30, learning_rate=0.02, random_state=0
    ... )
    >>> clf.fit(X, y).predict_proba(X[:1]).shape
    (1, 2)
    >>> bool((clf.predict(X) == y).mean() > 0.95)
    True
    """

    classes_: NDArray[np.int64]
    label_names_: NDArray[Any]
    label_frequencies_: NDArray[np.float64]
    image_shape_: tuple[int, int, int]
    recipe_: dict[str, Any]
    history_: dict[str, list[float]]
    n_iter_: int
    validation_indices_: NDArray[np.intp]
    validation_scores_: tuple[NDArray[Any], NDArray[Any]] | None
    training_summary_: dict[str, Any]
    seeds_: dict[str, int]
    keras_classifier_: Any

    _parameter_constraints: dict = {
        "network": [str, HasMethods("build"), HasMethods("get_params"), callable],
        "augmentation": [str, callable],
        "loss": [str, callable],
        "optimizer": "no_validation",  # Keras names the known ones
        "learning_rate": [_AUTO, Interval(Real, 0, None, closed="neither")],
        "weight_decay": [_AUTO, Interval(Real, 0, None, closed="left"), None],
        "learning_rate_schedule": [StrOptions({"auto", "cosine", "constant"})],
        "epochs": [_AUTO, Interval(Integral, 1, None, closed="left")],
        "batch_size": [_AUTO, Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "early_stopping": ["boolean"],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "threshold": [Real, "array-like", Mapping, str],
        "tta": [StrOptions({"auto", "none", "flip"})],
        "min_labels": [Interval(Integral, 0, None, closed="left")],
        "pos_weight": [StrOptions({"balanced"}), "array-like", Mapping, None],
        "correct_intercepts": ["boolean"],
        "warm_start": ["boolean"],
        "memory": [str, HasMethods("cache"), None],
        "callbacks": "no_validation",
        "dtype_policy": [str, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        network: Any = "small_cnn",
        *,
        augmentation: Any = "auto",
        loss: Any = "auto",
        optimizer: Any = "auto",
        learning_rate: float | Literal["auto"] = "auto",
        weight_decay: float | Literal["auto"] | None = "auto",
        learning_rate_schedule: Literal["auto", "cosine", "constant"] = "auto",
        epochs: int | Literal["auto"] = "auto",
        batch_size: int | Literal["auto"] = "auto",
        validation_fraction: float = 0.1,
        early_stopping: bool = False,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        threshold: Threshold | str = 0.5,
        tta: Literal["auto", "none", "flip"] = "auto",
        min_labels: int = 0,
        pos_weight: ArrayLike | Mapping[Any, float] | None = None,
        correct_intercepts: bool = True,
        warm_start: bool = False,
        memory: str | Memory | None = None,
        callbacks: Sequence[Any] | None = None,
        dtype_policy: str | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.network = network
        self.augmentation = augmentation
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
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
        self.pos_weight = pos_weight
        self.correct_intercepts = correct_intercepts
        self.warm_start = warm_start
        self.memory = memory
        self.callbacks = callbacks
        self.dtype_policy = dtype_policy
        self.random_state = random_state
        self.verbose = verbose

    # What wraps the classifier may hand it NaN in `y`.
    takes_unknown_labels = True

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Samples,
        y: Array,
        sample_weight: Array | None = None,
        *,
        X_val: Samples | None = None,
        y_val: Array | None = None,
    ) -> Self:
        """Train on images and their labels.

        Ctrl-C ends the training, keeps what was learned so far, and goes on to whoever called.

        Parameters
        ----------
        X : array-like of uint8, shape (n_samples, height, width, channels)
            An array, a memory map, :class:`~skposter.LazyImages`, or what lies on a disk and is
            read by the batch (h5py, zarr). Never modified.
        y : array-like or DataFrame of shape (n_samples, n_labels)
            0/1, bool or float; a DataFrame's columns name the labels. NaN is an unknown label: it
            weighs nothing for that image.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), default=None
            Weights per image, or per image and label. Images of weight zero are left out.
        X_val, y_val : array-like, default=None
            Validation images of your own, in place of `validation_fraction`.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If images, labels, weights or what the network returns are not as described. A fitted
            classifier stays as it was then.
        TrainingDivergedError
            If the loss is not finite.
        """
        if isinstance(self.threshold, str):
            parse_objective(self.threshold)  # better now than after the training
        going_on = self.warm_start and self.__sklearn_is_fitted__()
        everything, label_names = self._checked(X, y, sample_weight, going_on=going_on)
        warn_about_rare_labels(everything.labels(), label_names)
        facts = self._facts if going_on else self._new_facts(everything, label_names)
        if X_val is None and y_val is None:
            training, validation = hold_out(
                everything, self.validation_fraction, facts["seeds"]["split"]
            )
            held_out = np.arange(0) if validation is None else validation.rows
        else:
            training, validation = everything, _given(X_val, y_val, facts)
            held_out = np.arange(0)
        if self.early_stopping and validation is None:
            raise ValueError(
                "early_stopping=True needs validation images: set validation_fraction so that it "
                f"comes to at least one of the {len(training.rows)} images, or pass X_val and "
                "y_val."
            )
        self._train(training, validation, held_out, facts, going_on=going_on)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: Samples,
        y: Array,
        sample_weight: Array | None = None,
        *,
        label_names: Names | None = None,
        classes: Any = None,
    ) -> Self:
        """Train one more epoch on these images, going on from what was learned.

        No validation images are set aside.

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
        going_on = self.__sklearn_is_fitted__()
        training, label_names = self._checked(
            X, y, sample_weight, going_on=going_on, label_names=label_names
        )
        facts = self._facts if going_on else self._new_facts(training, label_names)
        self._train(training, None, np.arange(0), facts, going_on=going_on, one_epoch=True)
        return self

    def predict_proba(self, X: Samples) -> NDArray[np.float32]:
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
        return self._checked_probabilities(self.keras_classifier_, X)

    def score(self, X: Samples, y: Array, sample_weight: Array | None = None) -> float:
        """Return the share of images whose labels are all predicted right.

        Parameters
        ----------
        X : array-like of uint8, shape (n_samples, height, width, channels)
            Images of the fitted shape.
        y : array-like or DataFrame of shape (n_samples, n_labels)
            The labels, 0/1; the columns of a DataFrame may be in any order.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the images.

        Returns
        -------
        score : float
        """
        check_is_fitted(self, "keras_classifier_")
        return super().score(X, aligned_labels(y, self.label_names_), sample_weight)

    @property
    def model_(self) -> keras.Model:
        """The network with its weights, a new Keras model at each access."""
        check_is_fitted(self, "keras_classifier_")
        return self.keras_classifier_.model_

    @property
    def thresholds_(self) -> NDArray[np.float64]:
        """The threshold of each label that `threshold` comes to, float64 `(n_labels,)`."""
        check_is_fitted(self, "keras_classifier_")
        if not isinstance(self.threshold, str):
            return per_label(self.threshold, self.label_names_, default=0.5, what="threshold")
        if self.validation_scores_ is None:
            raise ValueError(
                f"threshold={self.threshold!r} is chosen on validation images, and there are none: "
                "fit with validation_fraction or X_val, or use TunedThresholdsClassifierCV."
            )
        y_val, scores = self.validation_scores_
        with warnings.catch_warnings():  # fit has said how many labels are unknown
            warnings.simplefilter("ignore", UnknownLabelWarning)
            return choose_thresholds(y_val, scores, objective=self.threshold)

    def _checked(self, X, y, sample_weight, *, going_on, label_names=None):
        """Return the rows that weigh something, and the names of their labels."""
        X = check_images(X, image_shape=self.image_shape_ if going_on else None)
        y, names = check_labels(y, n_samples=X.shape[0], label_names=label_names, unknown=True)
        if going_on:
            check_same_labels(names, self.label_names_)
            names = self.label_names_
        sample_weight = check_sample_weight(sample_weight, *y.shape)
        subset = _weighted(X, y, sample_weight).without_weightless()
        of_positives = positive_weights(self.pos_weight, subset.labels(), names)
        weight = combined_weights(sample_weight, of_positives, y)
        return Subset(X, y, subset.rows, _times(weight, weight_of_known(y))), names

    @property
    def _facts(self):
        """What is known of the data and decides about the network."""
        return {
            "image_shape": self.image_shape_,
            "label_names": self.label_names_,
            "label_frequencies": self.label_frequencies_,
            "seeds": self.seeds_,
        }

    def _new_facts(self, training, label_names):
        return {
            "image_shape": tuple(int(side) for side in training.X.shape[1:]),
            "label_names": label_names,
            "label_frequencies": known_frequencies(training.labels()),
            "seeds": self._new_seeds(),
        }

    def _new_seeds(self):
        if self.random_state is None:
            entropy = None  # fresh; NumPy's global generator is not touched
            if self.memory is not None:
                warn_user(
                    "memory finds nothing again without a random_state, because each training "
                    "draws seeds of its own; pass an int."
                )
        else:
            entropy = int(check_random_state(self.random_state).randint(2**31))
        seeds = np.random.SeedSequence(entropy).generate_state(3)
        return dict(zip(("network", "shuffle", "split"), map(int, seeds), strict=True))

    def _train(self, training, validation, held_out, facts, *, going_on, one_epoch=False):
        """Train, then keep what was learned; until then nothing of the classifier changes."""
        from skposter._training.callbacks import appended, epochs_of
        from skposter._training.compiling import takes_logits
        from skposter._training.phases import train_in_phases
        from skposter._training.recipe import DEFAULTS, Recipe, RunOptions, resolved
        from skposter._training.scikeras_bridge import completed, network_of

        network = network_of(self.network)
        params = {name: getattr(self, name) for name in DEFAULTS}
        recipe = resolved(params, network)
        recipe["dtype_policy"] = self._policy(going_on)
        recipe = completed(recipe, params, network, _meta(facts, recipe))
        n_iter, history = (self.n_iter_, self.history_) if going_on else (0, {})
        epochs = 1 if one_epoch else recipe["epochs"]
        begins_with_head = recipe["fine_tune"] not in (None, "none") and not going_on
        fit_task = self.begin_fit(
            training.X,
            training.y,
            max_subtasks=epochs + (recipe["head_epochs"] if begins_with_head else 0),
        )
        classifier, interrupted = train_in_phases(
            partial(
                build_network,
                self.network if callable(self.network) else network,
                _meta(facts, recipe),
                dtype_policy=recipe["dtype_policy"],
                logits=takes_logits(recipe["loss"]),
            ),
            _weighted_alike(training, validation),
            validation,
            Recipe(
                loss=recipe["loss"],
                optimizer=recipe["optimizer"],
                learning_rate=recipe["learning_rate"],
                weight_decay=recipe["weight_decay"],
                schedule="constant" if one_epoch else recipe["learning_rate_schedule"],
                correct_intercepts=self.correct_intercepts and not one_epoch,
                epochs=epochs,
                batch_size=recipe["batch_size"],
                patience=self.n_iter_no_change if self.early_stopping and validation else None,
                tol=self.tol,
                shuffle_seed=facts["seeds"]["shuffle"],
                first_epoch=n_iter,
                compile_options=getattr(network, "compile_options", ()),
            ),
            RunOptions(self.callbacks, self.memory, self.verbose, fit_task),
            dtype_policy=recipe["dtype_policy"],
            fine_tune=recipe["fine_tune"],
            head_epochs=recipe["head_epochs"],
            logistic_head=getattr(network, "head", None) == "logistic" and not one_epoch,
            start=self.keras_classifier_.network_ if going_on else None,
        )
        learned = {
            "image_shape_": facts["image_shape"],
            "label_names_": facts["label_names"],
            "classes_": np.tile([0, 1], (len(facts["label_names"]), 1)),
            "label_frequencies_": facts["label_frequencies"],
            "recipe_": recipe,
            "history_": appended(history, n_iter, epochs_of(classifier.history_)),
            "n_iter_": n_iter + len(classifier.history_.get("loss", [])),
            "validation_indices_": held_out,
            "keras_classifier_": classifier,
            "seeds_": facts["seeds"],
            "training_summary_": training.summary(),
            "validation_scores_": None,
        }
        if interrupted:
            self.__dict__.update(learned)  # first of all, as Ctrl-C may come again
        if validation is not None:
            # Kept because thresholds can be chosen on them later without the images.
            scores = self._checked_probabilities(classifier, ImagesOf(validation), recipe)
            learned["validation_scores_"] = _compact(validation.labels()), scores
        self.__dict__.update(learned)
        if interrupted:
            raise KeyboardInterrupt("Training interrupted; what was learned so far is kept.")
        fit_task.end()

    def _policy(self, going_on):
        """Return the dtype policy to train with."""
        from skposter._keras.settings import checked_dtype_policy, current_dtype_policy

        if going_on:
            trained = self.recipe_["dtype_policy"]
            if self.dtype_policy not in (None, trained):
                raise ValueError(
                    f"dtype_policy={self.dtype_policy!r}, but training began with {trained!r}, and "
                    "a network keeps its own. Clone the classifier to begin anew."
                )
            return trained
        if self.dtype_policy is not None:
            return checked_dtype_policy(self.dtype_policy)
        # Keras has a policy for each thread, and another process has none of it: a search that
        # fits its clones there is to train what it would have trained here.
        origin, policy = vars(self).get("_policy_of_origin", (None, None))
        return current_dtype_policy() if origin in (None, _here()) else policy

    def _checked_probabilities(self, classifier, X, recipe=None):
        """Return the probabilities of a network, if they are some."""
        recipe = recipe or self.recipe_
        batch_size = recipe["batch_size"] if self.batch_size == "auto" else self.batch_size
        tta = recipe["tta"] if self.tta == "auto" else self.tta
        network = classifier.network_
        memory, key = None, None
        # Looking up costs more than predicting a batch, and a server's requests are no data set.
        # Decoding a few images costs more than looking them up.
        fewest = 1 if is_decoded_when_read(X) else batch_size
        if self.memory is not None and len(X) > fewest:
            memory = self.memory
            key = [network.fingerprint(), fingerprint_of_images(X), batch_size, tta]
        probabilities = recall(
            memory,
            "probabilities",
            key,
            partial(classifier.predict_proba, X, batch_size=batch_size, mirrored=tta == "flip"),
            description=f"{network.name} on {len(X)} images",
        )
        if not np.isfinite(probabilities).all():
            raise TrainingDivergedError(
                "The network returns probabilities that are not finite, so its weights are not "
                "either. Train again with a smaller learning_rate."
            )
        if probabilities.min() < 0 or probabilities.max() > 1:
            raise ValueError(
                f"The network returns values from {probabilities.min():.3g} to "
                f"{probabilities.max():.3g}, which are no probabilities. End it in one sigmoid per "
                'label: Dense(meta["n_labels"], activation="sigmoid").'
            )
        return probabilities

    def __sklearn_clone__(self):
        return _with_policy_of_origin(super().__sklearn_clone__())

    def __getstate__(self):
        state = super().__getstate__()
        if "_policy_of_origin" not in state:
            state.update(_policy_of_origin())
        if self.warm_start and self.__sklearn_is_fitted__():
            state["_optimizer_state"] = self.keras_classifier_.network_.optimizer_state
        if "recipe_" in state:
            state["recipe_"] = portable(state["recipe_"], f"{type(self).__name__}.recipe_")
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


def _here():
    return os.getpid(), threading.get_ident()


def _policy_of_origin():
    """Return what a copy is to remember of Keras' dtype policy: nothing of the usual one."""
    if "keras" not in sys.modules:
        return {}
    from skposter._keras.settings import current_dtype_policy

    policy = current_dtype_policy()
    return {} if policy == "float32" else {"_policy_of_origin": (_here(), policy)}


def _with_policy_of_origin(classifier):
    classifier.__dict__.update(_policy_of_origin())
    return classifier


def _meta(facts, recipe):
    return network_meta(
        facts["image_shape"],
        facts["label_names"],
        facts["label_frequencies"],
        facts["seeds"]["network"],
        recipe["augmentation"],
    )


def _given(X_val, y_val, facts):
    """Return the validation images that the user passed."""
    if X_val is None or y_val is None:
        raise ValueError("X_val and y_val go together; only one of them was passed.")
    X_val = check_images(X_val, image_shape=facts["image_shape"])
    y_val = aligned_labels(y_val, facts["label_names"])
    y_val, names = check_labels(y_val, n_samples=X_val.shape[0], unknown=True)
    check_same_labels(names, facts["label_names"])
    return Subset(X_val, y_val, np.arange(len(y_val)), weight_of_known(y_val))


def _weighted(X, y, weight):
    return Subset(X, y, np.arange(len(y)), _times(weight, weight_of_known(y)))


def _times(weight, other):
    """Return the product of weights of images, or of images and labels; None is one."""
    if weight is None or other is None:
        return other if weight is None else weight
    return (weight if weight.ndim == 2 else weight[:, None]) * other


def _weighted_alike(training, validation):
    """Give each label a weight if the validation images have unknown ones: one loss serves both."""
    if validation is None or not validation.weighs_labels or training.weighs_labels:
        return training
    weight = _times(training.weight, np.ones_like(training.y))
    return Subset(training.X, training.y, training.rows, weight)


def _compact(y):
    return y if np.isnan(y).any() else y.astype(np.uint8)
