"""What ``memory=`` of the classifier has kept: a list of it, and how to clear it.

A memory holds trained networks, predicted probabilities, features of images, and, for trainings
that were killed, their last complete epoch.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING

from joblib.disk import memstr_to_bytes
from sklearn.utils.validation import check_memory

from skposter.images import cache_usage, cached_folders, clear_cache

if TYPE_CHECKING:
    import pandas as pd
    from joblib import Memory

__all__ = ["clear_memory", "list_memory"]


def list_memory(memory: str | Memory) -> pd.DataFrame:
    """Return what a memory holds.

    Parameters
    ----------
    memory : str or joblib.Memory
        What was passed as ``memory`` to :class:`~skposter.MultiLabelImageClassifier` or
        :class:`~skposter.ImageFeatures`.

    Returns
    -------
    entries : DataFrame
        One row an entry, for features one a network; the last used first. The columns are
        ``kind`` ("network", "probabilities" or "features"), ``description``, ``bytes`` (int),
        ``seconds`` (float, what it took to compute) and ``last_used`` (datetime).

    Examples
    --------
    >>> import tempfile
    >>> from skposter.memory import list_memory
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     len(list_memory(folder))
    0
    """
    import pandas as pd

    backend = check_memory(memory).store_backend
    rows = []
    for item in [] if backend is None else backend.get_items():
        path = os.path.relpath(item.path, backend.location)
        metadata = backend.get_metadata(path.split(os.sep))
        arguments = metadata.get("input_args", {})
        rows.append(
            (
                arguments.get("kind", "other").strip("'\""),
                arguments.get("description", "").strip("'\""),
                int(item.size),
                float(metadata.get("duration", float("nan"))),
                item.last_access,
            )
        )
    for folder, n_bytes, last_used in cached_folders(_features(memory)):
        rows.append(("features", folder, n_bytes, float("nan"), datetime.fromtimestamp(last_used)))
    columns = ["kind", "description", "bytes", "seconds", "last_used"]
    entries = pd.DataFrame(rows, columns=columns)
    return entries.sort_values("last_used", ascending=False, ignore_index=True)


def checkpoint_folder_of(location):
    """Return where in the folder of a memory the epochs of trainings under way are kept."""
    return os.path.join(location, "skposter-checkpoints")


def feature_folder_of(location):
    """Return where in the folder of a memory features of images are kept."""
    return os.path.join(location, "skposter-features")


def clear_memory(memory: str | Memory, *, bytes_limit: int | str = 0) -> None:
    """Remove what was used longest ago, until no more than `bytes_limit` is left.

    What killed trainings have left is removed first, as it is no longer found again then, and
    features next if there is more than may stay, as they are soon computed again.

    Parameters
    ----------
    memory : str or joblib.Memory
        What was passed as ``memory``.
    bytes_limit : int or str, default=0
        What may stay, in bytes or as in ``"500M"``.
    """
    store = check_memory(memory)
    if store.location is None:
        return
    folder = checkpoint_folder_of(store.location)
    if os.path.isdir(folder):
        for name in os.listdir(folder):
            if ".checkpoint" in name:  # those that were being written too
                os.unlink(os.path.join(folder, name))
    limit = memstr_to_bytes(bytes_limit) if isinstance(bytes_limit, str) else bytes_limit
    features = _features(store)
    size = cache_usage(features)
    if size and size + sum(item.size for item in store.store_backend.get_items()) > limit:
        clear_cache(features)
    store.reduce_size(bytes_limit=bytes_limit)


def _features(memory):
    return feature_folder_of(check_memory(memory).location or os.devnull)
