"""The folder with the predictions: what is in it, what is complete, and whose it is.

``part-000000.parquet``, ... are the predictions, one file a partition, so that the folder is what
readers of Parquet call a data set; they leave out names that begin with an underscore:
``_bad_images/`` has a part for each partition with images that could not be read, and
``_prediction.json`` says of which model and images all this is.

A part is there as a whole or not at all, after its bad images. So what is there is complete.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from functools import partial
from typing import NamedTuple

from skposter._files.durable import write_durably
from skposter.distributed._arrow import arrow
from skposter.exceptions import DataError

__all__ = ["BAD_IMAGES", "Output", "PartInfo"]

BAD_IMAGES = "_bad_images"
_ABOUT = "_prediction.json"
_LOCK = "_lock"
_FORMAT = 1
_PART = re.compile(r"part-(\d{6,})\.parquet")
_KEY = b"skposter"


class PartInfo(NamedTuple):
    """What a part says of itself: a digest of its paths, and how many images it is of."""

    digest: str
    n_images: int
    n_bad: int


class Output:
    """A folder that predictions are written into.

    Parameters
    ----------
    folder : str or path-like
    """

    def __init__(self, folder):
        self.folder = os.path.abspath(os.fspath(folder))

    @contextlib.contextmanager
    def held(self):
        """Keep other processes from writing here meanwhile."""
        from filelock import FileLock, Timeout

        if os.path.exists(self.folder) and not os.path.isdir(self.folder):
            raise NotADirectoryError(f"output {self.folder!r} is a file, expected a folder")
        os.makedirs(self.folder, exist_ok=True)
        if not os.path.exists(os.path.join(self.folder, _ABOUT)):
            others = [name for name in os.listdir(self.folder) if name != _LOCK]
            if others:
                raise DataError(
                    f"the folder {self.folder!r} holds something else ({sorted(others)[0]!r}); "
                    "expected a new or empty one, or one of a prediction to go on with"
                )
        lock = FileLock(os.path.join(self.folder, _LOCK))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise DataError(
                f"another process is writing predictions into {self.folder!r}"
            ) from None
        try:
            self._remove_leftovers()
            yield
        finally:
            lock.release()

    def about(self):
        """Return what is known of the prediction that was begun here, a dict, or None."""
        try:
            with open(os.path.join(self.folder, _ABOUT), encoding="utf-8") as file:
                found = json.load(file)
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise DataError(f"{os.path.join(self.folder, _ABOUT)!r} is not JSON") from error
        if not isinstance(found, dict) or found.get("format") != _FORMAT:
            raise DataError(
                f"the predictions in {self.folder!r} were written by another version of skposter; "
                "choose another folder"
            )
        return found

    def begin(self, about):
        """Say of which model and images the predictions are."""
        text = json.dumps({"format": _FORMAT, **about}, indent=1)
        write_durably(
            os.path.join(self.folder, _ABOUT), lambda file: file.write(text), encoding="utf-8"
        )

    def parts(self):
        """Return the `PartInfo` of each complete part by its number."""
        found = {}
        for name in os.listdir(self.folder):
            match = _PART.fullmatch(name)
            info = self._info(name) if match else None
            if match and info:
                found[int(match[1])] = info
        return found

    def write(self, index, columns, info, bad):
        """Write a part.

        Parameters
        ----------
        index : int
        columns : dict of str to array
            The paths and the probabilities of each label.
        info : PartInfo
        bad : list of (str, str)
            Paths that could not be read, and why.
        """
        pa, parquet = arrow("lib"), arrow("parquet")
        name = f"part-{index:06d}.parquet"
        bad_path = os.path.join(self.folder, BAD_IMAGES, name)
        if bad:
            os.makedirs(os.path.dirname(bad_path), exist_ok=True)
            texts = [[_text(pair[i]) for pair in bad] for i in (0, 1)]
            table = pa.table(
                dict(zip(("path", "cause"), (pa.array(t, pa.string()) for t in texts), strict=True))
            )
            write_durably(bad_path, partial(parquet.write_table, table))
        metadata = {_KEY: json.dumps(info._asdict())}
        table = pa.table(columns).replace_schema_metadata(metadata)
        # What a power failure leaves of a part is no Parquet file, and is made anew.
        write_durably(
            os.path.join(self.folder, name), partial(parquet.write_table, table), sync=False
        )
        if not bad:
            with contextlib.suppress(FileNotFoundError):  # of an earlier attempt
                os.unlink(bad_path)

    def _remove_leftovers(self):
        """Remove what killed processes were writing."""
        for name in os.listdir(self.folder):
            if name.startswith(".part-") and name.endswith(".partial"):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(self.folder, name))

    def _info(self, name):
        parquet = arrow("parquet")
        try:
            metadata = parquet.read_schema(os.path.join(self.folder, name)).metadata or {}
            said = json.loads(metadata[_KEY])
            return PartInfo(str(said["digest"]), int(said["n_images"]), int(said["n_bad"]))
        except (OSError, ValueError, KeyError, TypeError):  # no part of ours, or damaged: made anew
            return None


def _text(text):
    return text.encode("utf-8", "backslashreplace").decode()
