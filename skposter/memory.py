"""What ``memory=`` of the classifier has kept: a list of it, and how to clear it.

A memory holds trained networks, predicted probabilities, and, for trainings that were killed, their
last complete epoch.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sklearn.utils.validation import check_memory

if TYPE_CHECKING:
    import pandas as pd
    from joblib import Memory

__all__ = ["clear_memory", "list_memory"]


def list_memory(memory: str | Memory) -> pd.DataFrame:
    """Return what a memory of :class:`~skposter.MultiLabelImageClassifier` holds.

    Parameters
    ----------
    memory : str or joblib.Memory
        What was passed as ``memory``.

    Returns
    -------
    entries : DataFrame
        One row an entry, the last used first, with the columns ``kind`` ("network" or
        "probabilities"), ``description``, ``bytes`` (int), ``seconds`` (float, what it took to
        compute) and ``last_used`` (datetime).

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
    columns = ["kind", "description", "bytes", "seconds", "last_used"]
    entries = pd.DataFrame(rows, columns=columns)
    return entries.sort_values("last_used", ascending=False, ignore_index=True)


def checkpoint_folder_of(location):
    """Return where in the folder of a memory the epochs of trainings under way are kept."""
    return os.path.join(location, "skposter-checkpoints")


def clear_memory(memory: str | Memory, *, bytes_limit: int | str = 0) -> None:
    """Remove what was used longest ago, until no more than `bytes_limit` is left.

    What killed trainings have left is removed first; it is no longer found again then.

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
    store.reduce_size(bytes_limit=bytes_limit)
