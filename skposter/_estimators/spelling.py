"""Misspelt parameters fail at once, with the likely spelling."""

from __future__ import annotations

import difflib
import inspect
from typing import Any, Self

__all__ = ["SpelledParametersMixin", "did_you_mean"]


def did_you_mean(name, choices):
    """Return `` Did you mean 'x'?`` for the closest of `choices`, or an empty string."""
    close = difflib.get_close_matches(str(name), [str(choice) for choice in choices], n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


class SpelledParametersMixin:
    """Add the likely spelling to the errors of the constructor and of ``set_params``.

    Python's own message for an unexpected keyword names no alternative before 3.13, and
    scikit-learn's lists every valid name without saying which was meant.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Some releases of Python (3.11.2) would say that of __new__.
        _, *parameters = inspect.signature(cls.__init__).parameters.values()
        cls.__signature__ = inspect.Signature(parameters)

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        names = cls._get_param_names()
        for name in kwargs:
            if name not in names:
                raise TypeError(
                    f"{cls.__name__} has no parameter {name!r}.{_advice(name, names)} "
                    f"Its parameters are: {', '.join(names)}."
                )
        return super().__new__(cls)

    def set_params(self, **params: Any) -> Self:
        """Set the parameters of this estimator.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self : object
            This estimator.

        Raises
        ------
        ValueError
            If a name is unknown; the message has the likely spelling.
        """
        names = self.get_params(deep=True)
        for name in params:
            owner, _, _ = name.partition("__")
            if name in names:
                continue
            if owner not in names or not hasattr(params.get(owner, names[owner]), "set_params"):
                raise ValueError(
                    f"Invalid parameter {name!r} for estimator {type(self).__name__}."
                    f"{_advice(name, names)} Valid parameters are: {sorted(names)}."
                )
        return super().set_params(**params)


def _advice(name, names):
    """Return the likely spelling of a parameter, or whose parameter it is."""
    owner, routed, inner = name.partition("__")
    if routed and owner in names:
        if inner in names:
            return f" {inner!r} is a parameter of its own here: {inner}=..."
        return (
            f" {owner!r} has no parameters of its own as it is now: pass {owner} as an object that "
            f"has {inner!r}."
        )
    return did_you_mean(name, names)
