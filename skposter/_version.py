"""The one place that states the version, and what is said where another one is meant."""

from __future__ import annotations

__all__ = ["__version__", "not_in_this_version"]

__version__ = "0.1.0"


def not_in_this_version(name):
    """Return the error for a module that is asked for and not there.

    That is what a pickle (a joblib file) of another version does.
    """
    return ModuleNotFoundError(
        f"There is no {name} in skposter {__version__}; a joblib file that asks for it has the "
        "format of another version: load it with that one, or train and save again.",
        name=name,
    )
