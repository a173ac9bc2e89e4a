"""What a network is here: parameters, a Keras model made from them, and how to train it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.base import BaseEstimator

from skposter._estimators.spelling import SpelledParametersMixin

if TYPE_CHECKING:
    from typing import Any

    import keras

__all__ = ["CallableNetwork", "Network"]


class Network(SpelledParametersMixin, BaseEstimator):
    """Base of the networks; see :mod:`skposter.networks` for what one of your own needs."""

    _parameter_constraints: dict = {}

    @property
    def recipe(self) -> dict[str, Any]:
        """How it is best trained, as parameters of :class:`~skposter.MultiLabelImageClassifier`.

        Those that are not named are as for networks from scratch. A dict; it applies where the
        classifier's parameters are left at ``"auto"``.
        """
        return {}

    def build(self, meta: dict[str, Any]) -> keras.Model:
        """Return the network, uncompiled and with its first weights.

        Parameters
        ----------
        meta : dict
            What is known of the data; see :mod:`skposter.networks`.

        Returns
        -------
        model : keras.Model
            From uint8 images to one sigmoid per label.

        Raises
        ------
        ValueError, TypeError
            If a parameter is not as described, or the images are too small.
        """
        self._validate_params()
        return self._build(meta)


class CallableNetwork:
    """A function that builds a network, trained as networks are that bring no recipe.

    Parameters
    ----------
    function : callable
        ``function(meta) -> keras.Model``.
    """

    recipe: dict = {}

    def __init__(self, function):
        self.function = function

    def build(self, meta):
        """Return what the function makes, behind the augmentation."""
        return self.function(meta)
