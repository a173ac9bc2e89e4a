"""Training that was killed goes on after its last complete epoch, to the same result.

After each epoch a file takes the place of the last one, with everything that decides about the rest
of the training: weights, states of random layers and of the optimizer, the losses so far, and what
early stopping remembers. The order of images and the learning rate follow from the epoch's number.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skposter._estimators.user_warnings import warn_user
from skposter._files.durable import patiently, write_durably
from skposter._files.json_values import parse_json
from skposter._files.safetensors import pack_arrays, unpack_arrays
from skposter._keras.tensorflow import keras
from skposter._training.callbacks import appended, logged
from skposter.exceptions import ArtifactError

__all__ = ["Checkpoint", "Progressed", "SaveEpochs"]


@dataclass
class Progressed:
    """How far a training has come.

    Parameters
    ----------
    variables : list of ndarray
        Of the network.
    optimizer_state : list of ndarray or None
        None before the first epoch.
    history : dict
        Lists with one entry for each complete epoch.
    stopping : dict
        What early stopping remembers, less the weights.
    best_weights : list of ndarray
        Those of the best epoch, with early stopping.
    stopped : bool
        Whether early stopping has ended the training.
    """

    variables: list
    optimizer_state: list | None = None
    history: dict = field(default_factory=dict)
    stopping: dict = field(default_factory=dict)
    best_weights: list = field(default_factory=list)
    stopped: bool = False

    @property
    def epochs(self):
        """Complete epochs."""
        return len(self.history.get("loss", []))


class Checkpoint:
    """The file of one training.

    Parameters
    ----------
    folder : str or path-like
        Made when there is something to write, if it is not there.
    digest : str
        Changes with everything that decides about the result, so that a file is never taken for
        that of another training.
    """

    def __init__(self, folder, digest):
        self.path = os.path.join(os.fspath(folder), f"{digest}.checkpoint")
        self._told = False

    def read(self):
        """Return what was written, or None; a damaged file is as good as none, with a warning."""
        try:
            with patiently(open, self.path, "rb") as file:
                digest, data = file.read(32), file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            warn_user(
                f"The checkpoint {self.path!r} cannot be read ({error}); training begins anew."
            )
            return None
        try:
            if hashlib.sha256(data).digest() != digest:
                raise ArtifactError("its checksum is not right")
            return _unpacked(unpack_arrays(data))
        except (ArtifactError, KeyError) as error:
            warn_user(
                f"The checkpoint {self.path!r} cannot be used ({error}); training begins anew."
            )
            return None

    def write(self, progressed):
        """Replace what was written; where that cannot be done, training goes on with a warning."""
        data = pack_arrays(_packed(progressed))
        digest = hashlib.sha256(data).digest()

        def write(file):
            file.write(digest)
            file.write(data)

        try:
            os.makedirs(os.path.dirname(self.path) or os.curdir, exist_ok=True)
            write_durably(self.path, write)
        except OSError as error:
            if not self._told:
                self._told = True
                warn_user(
                    f"The checkpoint {self.path!r} cannot be written ({error}). Training goes on; "
                    "if it is killed, it begins anew."
                )

    def remove(self):
        """Remove what was written, if anything."""
        with contextlib.suppress(OSError):
            os.unlink(self.path)


_LISTS = ("variables", "optimizer_state", "best_weights")


def _packed(progressed):
    arrays = {
        f"{name}/{i}": array
        for name in _LISTS
        for i, array in enumerate(getattr(progressed, name) or [])
    }
    rest = {name: getattr(progressed, name) for name in ("history", "stopping", "stopped")}
    arrays["rest"] = np.frombuffer(json.dumps(rest).encode(), np.uint8)
    return arrays


def _unpacked(arrays):
    rest = parse_json(arrays.pop("rest").tobytes(), "rest")
    lists: dict[str, Any] = {}
    for name in _LISTS:
        count = sum(key.startswith(f"{name}/") for key in arrays)
        lists[name] = [arrays[f"{name}/{i}"] for i in range(count)]
    return Progressed(
        **lists, history=rest["history"], stopping=rest["stopping"], stopped=rest["stopped"]
    )


# Of the time of a training, what may go into its checkpoints: those of a large network take longer
# to write than some epochs to train.
_SHARE_FOR_WRITING = 0.1


class SaveEpochs(keras.callbacks.Callback):
    """Write a checkpoint after an epoch; the last of the callbacks, as it records the others.

    After each one, unless writing takes more than a tenth of the time of the training.

    Parameters
    ----------
    checkpoint : Checkpoint
        Where to.
    network : PooledNetwork
        What is trained.
    start : Progressed
        Where the training starts.
    stopper : keras.callbacks.EarlyStopping or None
        What may end it.
    """

    def __init__(self, checkpoint, network, start, stopper):
        super().__init__()
        self._checkpoint = checkpoint
        self._network = network
        self._start = start
        self._stopper = stopper
        self._history = {}
        self._n_epochs = 0
        self._writing = self._written = 0.0

    def on_train_begin(self, logs=None):
        self._history = {name: list(values) for name, values in self._start.history.items()}
        self._n_epochs = self._start.epochs
        self._written = time.monotonic()
        if self._stopper is not None and self._start.epochs:  # Keras has just reset it
            vars(self._stopper).update(self._start.stopping)
            self._stopper.best_weights = self._start.best_weights or None

    def on_epoch_end(self, epoch, logs=None):
        self._history = appended(self._history, self._n_epochs, [logged(logs)])
        self._n_epochs += 1
        begun = time.monotonic()
        if self._writing > _SHARE_FOR_WRITING * (begun - self._written):
            return
        self._write()
        self._written = time.monotonic()
        self._writing = self._written - begun

    def _write(self):
        stopping: dict = {}
        best_weights: list = []
        if self._stopper is not None:
            stopping = {
                "best": None if self._stopper.best is None else float(self._stopper.best),
                "wait": self._stopper.wait,
                "best_epoch": self._stopper.best_epoch,
            }
            best_weights = self._stopper.best_weights or []
        self._checkpoint.write(
            Progressed(
                variables=self._network.values(),
                optimizer_state=self._network.optimizer_state(),
                history=self._history,
                stopping=stopping,
                best_weights=best_weights,
                stopped=self._network.model.stop_training,
            )
        )
