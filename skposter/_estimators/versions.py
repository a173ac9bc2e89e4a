"""With which libraries something was made, and a warning where they have changed since."""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version

from sklearn import exceptions

from skposter._estimators.user_warnings import warn_user

__all__ = ["InconsistentVersionWarning", "library_versions", "warn_about_versions"]

# What decides about the numbers that a network gives for an image.
_LIBRARIES = ("skposter", "scikit-learn", "keras", "tensorflow", "numpy", "pillow")


class InconsistentVersionWarning(exceptions.InconsistentVersionWarning):
    """scikit-learn's warning, for more than one library.

    Parameters
    ----------
    estimator_name : str
        What was loaded.
    changes : list of (str, str, str)
        Library, version of that time, version now.
    """

    def __init__(self, *, estimator_name, changes):
        library, then, now = changes[0]
        super().__init__(
            estimator_name=estimator_name,
            current_sklearn_version=f"{library} {now}",
            original_sklearn_version=f"{library} {then}",
        )
        self.changes = changes

    def __str__(self):
        changed = ", ".join(f"{library} {then} (now {now})" for library, then, now in self.changes)
        return (
            f"{self.estimator_name} was saved with {changed}. Its predictions may differ; check "
            "them, or install the versions of that time."
        )


@cache
def library_versions():
    """Return the installed versions of the libraries that decide about predictions, by name."""
    versions = {}
    for library in _LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            versions[library] = _version_of_module(library)
    return versions


def _version_of_module(name):
    """Return the version of a module that has come under another name, as from tensorflow-cpu."""
    if hasattr(sys.modules.get(name), "__version__"):
        return sys.modules[name].__version__
    brought_by = packages_distributions().get(name)
    return version(brought_by[0]) if brought_by else "unknown"


def warn_about_versions(name, saved, libraries=_LIBRARIES):
    """Warn if something was saved with another skposter, or another minor version of the rest.

    Parameters
    ----------
    name : str
        What was saved.
    saved : dict
        What `library_versions` was then.
    libraries : sequence of str
        Which to compare.
    """
    current = library_versions()
    changes = [
        (library, saved[library], current[library])
        for library in libraries
        if library in saved and _differ(library, saved[library], current[library])
    ]
    if changes:
        warn_user(InconsistentVersionWarning(estimator_name=name, changes=changes))


def _differ(library, then, now):
    if library == "skposter":
        return then != now
    return then.split(".")[:2] != now.split(".")[:2]
