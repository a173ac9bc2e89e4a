"""Labels that nobody knows: who can be trained with them, and the warning that says how many."""

from __future__ import annotations

from sklearn.frozen import FrozenEstimator

from skposter._estimators.steps import steps_inwards
from skposter._estimators.user_warnings import warn_user
from skposter.exceptions import UnknownLabelWarning

__all__ = ["takes_unknown_labels", "warn_about_unknown_labels"]


def takes_unknown_labels(estimator):
    """Return whether ``fit`` understands NaN in `y`.

    scikit-learn has no tag for it, so a classifier says so by an attribute of that name,
    ``takes_unknown_labels = True``. What wraps such a classifier hands the labels on; one that is
    frozen is not trained.
    """
    return any(
        getattr(step, "takes_unknown_labels", False) or isinstance(step, FrozenEstimator)
        for step in steps_inwards(estimator)
    )


def warn_about_unknown_labels(labels, argument="y"):
    """Say how many labels are unknown and left out.

    Parameters
    ----------
    labels : Labels
    argument : str, default="y"
        What the caller calls them.
    """
    if labels.known is not None:
        warn_user(
            f"{labels.n_unknown:,} of {labels.known.size:,} labels in {argument} are unknown "
            "(NaN); they are left out.",
            UnknownLabelWarning,
        )
