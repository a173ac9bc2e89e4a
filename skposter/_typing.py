"""What parameters take, in the words of type checkers and editors; nothing here acts.

Lenient where scikit-learn is: a false alarm in someone's editor is worse than a missed mistake,
which an error at run time explains.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike

__all__ = [
    "Array",
    "HasShape",
    "Names",
    "Objective",
    "PathLike",
    "RandomState",
    "Samples",
    "Threshold",
    "fit_context",
]

_Method = TypeVar("_Method", bound=Callable[..., Any])


class HasShape(Protocol):
    """An array of whatever library: NumPy, h5py, zarr, a DataFrame, a sparse matrix, LazyImages."""

    @property
    def shape(self) -> Any:
        """Lengths of its axes."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Any: ...


# Paths, images or rows, one a sample.
Samples: TypeAlias = Sequence[Any] | HasShape
# Labels, scores, weights.
Array: TypeAlias = ArrayLike | HasShape
# Names of labels.
Names: TypeAlias = Sequence[Any] | HasShape
# One number, one per label, or numbers by the name of the label.
Threshold: TypeAlias = float | Array | Mapping[Any, float]
# Its name, or a function of (y_true, y_pred).
Objective: TypeAlias = str | Callable[[Any, Any], float]
PathLike: TypeAlias = str | os.PathLike[str]
RandomState: TypeAlias = int | np.random.RandomState | None


if TYPE_CHECKING:

    def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[_Method], _Method]:
        """Return scikit-learn's decorator of `fit`, which has no types of its own."""
else:
    from sklearn.base import _fit_context as fit_context
