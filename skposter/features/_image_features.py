"""The transformer from images to features."""

from __future__ import annotations

import copy
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skposter._estimators.fit_tasks import CallbacksMixin
from skposter._estimators.spelling import SpelledParametersMixin
from skposter._typing import fit_context
from skposter.features._kept import image_keys, kept_rows

if TYPE_CHECKING:
    from typing import Any, Literal, Self

    from joblib import Memory
    from numpy.typing import NDArray

    from skposter._typing import Samples

__all__ = ["ImageFeatures"]


class ImageFeatures(
    CallbacksMixin,
    SpelledParametersMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Turn images into what a trained network has to say of them, one row an image.

    The features that a network has learned on a million other images, under a linear classifier,
    are the strong and cheap beginning: no training of a network, minutes on a processor, and any
    estimator of scikit-learn behind it. Each image goes through the network once, however often
    folds and candidates of a search ask for it.

    Stateless: nothing is learned, so ``transform`` may be called without ``fit``.

    Parameters
    ----------
    network : str, network object, fitted classifier, keras.Model or callable, default="mobilenet"
        What computes the features:

        - the name of a network of keras.applications, with its ImageNet weights;
        - an object of :mod:`skposter.networks`, such as ``Pretrained("mobilenet", weights=PATH)``,
          or one of your own with ``build(meta)``;
        - a fitted :class:`~skposter.MultiLabelImageClassifier`, which gives what its last layer
          takes;
        - a ``keras.Model`` from images to features, used as it is;
        - ``network(images) -> features``, from uint8 `(n, height, width, channels)` to numbers
          `(n, n_features)` or `(n, height, width, n_features)`, which must give the same for an
          image whatever stands beside it.

        What has been trained is shared by clones, not cloned.
    pooling : {"avg", "max", "flatten"}, default="avg"
        What becomes of the last feature map: the mean or the maximum of each channel over the
        image, or all its values. A network that pools by itself or has dense layers before its
        last one keeps to that with ``"avg"``.
    batch_size : int, default=32
        Images that go through the network at a time.
    memory : str or joblib.Memory, default=None
        Folder in which features are kept, for other processes and later sessions. A row is found
        again by the network with its weights, and the image: its pixels, or for lazy images path,
        size and modification time, so that nothing is decoded for it. It takes 4 GiB at most, the
        least recently used go first; ``skposter.memory.clear_memory`` clears it. By default, and
        with a callable, 256 MiB of features are kept in this process.
    dtype_policy : str, default=None
        Keras' name of the policy to build a network with, such as ``"mixed_bfloat16"``; features
        are float32 in any case. None is ``"float32"``. What is already built keeps its own.
    verbose : int, default=0
        Above 0, a progress bar.

    Attributes
    ----------
    image_shape_ : tuple
        ``(height, width, channels)`` of the images that ``fit`` was given.
    n_features_out_ : int
        Columns of the result.

    Raises
    ------
    ValueError
        From ``fit`` and ``transform``: the network is unknown, not fitted, has random weights
        though it was given by name, or gives no features.

    See Also
    --------
    skposter.ImageLoader : Makes images of paths.
    skposter.networks.Pretrained : The same networks, trained further.

    Notes
    -----
    Frozen features and a linear classifier are the usual measure of what a network has learned
    [1]_ [2]_.

    References
    ----------
    .. [1] J. Donahue et al., "DeCAF: A Deep Convolutional Activation Feature for Generic Visual
       Recognition", ICML 2014.
    .. [2] S. Kornblith, J. Shlens and Q. V. Le, "Do Better ImageNet Models Transfer Better?",
       CVPR 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.multioutput import MultiOutputClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from skposter import ImageFeatures
    >>> rng = np.random.default_rng(0)
    >>> X = rng.integers(0, 256, size=(20, 32, 24, 3), dtype=np.uint8)
    >>> y = np.column_stack([X[..., 0].mean((1, 2)) > 127, X[..., 2].mean((1, 2)) > 127])
    >>> def mean_colour(images):
    ...     return images.mean(axis=(1, 2)) - 127
    >>> model = make_pipeline(
    ...     ImageFeatures(mean_colour), MultiOutputClassifier(LogisticRegression())
    ... ).fit(X, y)
    >>> model[0].get_feature_names_out().tolist()
    ['imagefeatures0', 'imagefeatures1', 'imagefeatures2']
    >>> float((model.predict(X) == y).mean())
    1.0
    """

    image_shape_: tuple[int, int, int]
    n_features_out_: int

    _parameter_constraints: dict = {
        "network": [str, HasMethods("build"), HasMethods("get_params"), callable],
        "pooling": [StrOptions({"avg", "max", "flatten"})],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "memory": [str, HasMethods("cache"), None],
        "dtype_policy": [str, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        network: Any = "mobilenet",
        *,
        pooling: Literal["avg", "max", "flatten"] = "avg",
        batch_size: int = 32,
        memory: str | Memory | None = None,
        dtype_policy: str | None = None,
        verbose: int = 0,
    ) -> None:
        self.network = network
        self.pooling = pooling
        self.batch_size = batch_size
        self.memory = memory
        self.dtype_policy = dtype_policy
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Samples, y: Any = None) -> Self:
        """Check the parameters and the images, and get the network ready; none is computed.

        Parameters
        ----------
        X : array-like of uint8, shape (n_samples, height, width, channels)
            Images.
        y : None
            Ignored.

        Returns
        -------
        self : ImageFeatures
        """
        from skposter._training.checks import check_images

        task = self.begin_fit(X, y)
        X = check_images(X)
        image_shape = _image_shape(X)
        self.n_features_out_ = self._extractor(X).n_features
        self.image_shape_ = image_shape
        task.end()
        return self

    def transform(self, X: Samples) -> NDArray[np.float32]:
        """Compute the features, or find them again.

        Parameters
        ----------
        X : array-like of uint8, shape (n_samples, height, width, channels)
            Images, of the shape that ``fit`` was given if it was called.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features), float32
        """
        from tqdm.auto import tqdm

        from skposter._training.checks import check_images

        self._validate_params()
        X = check_images(X, image_shape=getattr(self, "image_shape_", None), owner="ImageFeatures")
        extractor = self._extractor(X)
        features = np.empty((len(X), extractor.n_features), dtype=np.float32)
        rows = kept_rows(extractor, self.memory)
        keys = image_keys(X)
        with tqdm(
            total=len(X), desc="Features", unit="image", disable=not self.verbose
        ) as progress:
            missing = rows.read(keys, features)
            progress.update(len(X) - len(missing))
            if missing:
                self._compute(extractor, X, features, rows, keys, missing, progress.update)
        return features

    def _compute(self, extractor, X, features, rows, keys, missing, done):
        """Fill the `missing` rows, keeping each batch as soon as it is there."""
        from skposter.images import prefetched

        with rows.filling([keys[i] for i in missing]) as alone:
            # Another process may have computed some meanwhile.
            left = [i for i in missing if rows.read([keys[i]], features[i : i + 1])]
            done(len(missing) - len(left))
            first: dict[bytes, int] = {}
            for i in left:
                first.setdefault(keys[i], i)
            positions = list(first.values())
            batches = [
                positions[start : start + self.batch_size]
                for start in range(0, len(positions), self.batch_size)
            ]
            images = prefetched(lambda batch: np.asarray(X[np.asarray(batch)]), batches)
            for batch, some in zip(batches, images, strict=True):
                features[batch] = extractor(some)
                if alone:
                    rows.append([keys[i] for i in batch], features[batch])
                done(len(batch))
            for i in left:
                if first[keys[i]] != i:
                    features[i] = features[first[keys[i]]]
                    done(1)

    def _extractor(self, X):
        from skposter.features._extractor import extractor_of

        return extractor_of(
            self.network, _image_shape(X), pooling=self.pooling, dtype_policy=self.dtype_policy
        )

    @property
    def _n_features_out(self):
        return self.n_features_out_

    def __sklearn_clone__(self):
        if not _is_trained(self.network):
            return super().__sklearn_clone__()
        without = copy.copy(self)
        without.network = "mobilenet"
        cloned = BaseEstimator.__sklearn_clone__(without)
        cloned.network = self.network
        return cloned

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False  # images are 4-D
        tags.transformer_tags.preserves_dtype = []
        return tags


def _image_shape(X):
    return tuple(int(side) for side in X.shape[1:])


def _is_trained(network):
    """Tell whether a clone is to share the network instead of forgetting what it has learned."""
    if not hasattr(network, "get_params"):
        return True
    if not hasattr(network, "fit"):
        return False  # a description of a network
    try:
        check_is_fitted(network)
    except NotFittedError:
        return False
    return True
