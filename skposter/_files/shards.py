"""Images that lie many in one file: members of tar archives, rows of Parquet files.

A source here is a place, (file, offset, length) or (file, row group, row), and costs what two
numbers cost. Its file is a `Shard`, shared by all of its rows, which knows size and time of the
moment when the index was made: what has changed since is refused, as a place in it means nothing.
"""

from __future__ import annotations

import io
import os
import threading
from collections import OrderedDict

__all__ = ["ParquetRow", "Shard", "ShardRow", "TarMember"]

# Row groups that a process keeps, and their bytes: two buffers of four, as the training mixes the
# rows of four groups and a batch may lie across two buffers.
_KEPT_GROUPS = 8
_KEPT_BYTES = 1 << 29


class Shard:
    """One file of many images, as it was when it was indexed.

    Parameters
    ----------
    path : str

    Attributes
    ----------
    path : str
        Absolute.
    version : tuple of int
        Size and time of the last change.
    """

    __slots__ = ("path", "version")

    def __init__(self, path):
        self.path = os.path.abspath(path)
        self.version = _version(os.stat(self.path))

    def check(self, status):
        """Raise OSError if the file is another than the one that was indexed."""
        if _version(status) != self.version:
            raise OSError(
                f"{self.path!r} has changed since its index was read; read it again with "
                "load_image_shards"
            )


def _version(status):
    return status.st_size, status.st_mtime_ns


class ShardRow:
    """What both kinds of places have in common.

    Attributes
    ----------
    file : Shard
    shard : tuple
        Equal for what should be read together.
    key : str
        Changes with the file and the place.
    """

    __slots__ = ("file",)
    file: Shard

    @property
    def shard(self):
        raise NotImplementedError

    @property
    def place(self):
        """What tells it from all others in the file."""
        raise NotImplementedError

    @property
    def key(self):
        return f"{self.file.path}\0{self.file.version}\0{self.place}"

    def __eq__(self, other):
        return type(other) is type(self) and other.key == self.key

    def __hash__(self):
        return hash(self.key)


class TarMember(ShardRow):
    """A member of a tar archive.

    Parameters
    ----------
    file : Shard
    name : str
        Of the member.
    offset, length : int
        Where its bytes are.
    """

    __slots__ = ("length", "name", "offset")

    def __init__(self, file, name, offset, length):
        self.file = file
        self.name = name
        self.offset = offset
        self.length = length

    def __repr__(self):
        return f"{self.file.path}, member {self.name!r}"

    @property
    def shard(self):
        return (self.file.path,)

    @property
    def place(self):
        return self.offset, self.length

    def open(self, mode="rb"):
        """Return a binary file of the member alone."""
        file = open(self.file.path, "rb", buffering=0)  # noqa: SIM115 - the window closes it
        try:
            self.file.check(os.fstat(file.fileno()))
            file.seek(self.offset)
        except BaseException:
            file.close()
            raise
        return _Window(file, self.length)


class ParquetRow(ShardRow):
    """An image in a column of a Parquet file.

    Parameters
    ----------
    file : Shard
    column : str
        Of encoded images, or of cells with ``bytes`` and ``path``.
    group : int
        The row group.
    row : int
        In the row group.
    first : int
        The number of the group's first row in the file, for errors.
    """

    __slots__ = ("column", "first", "group", "row")

    def __init__(self, file, column, group, row, first):
        self.file = file
        self.column = column
        self.group = group
        self.row = row
        self.first = first

    def __repr__(self):
        return f"{self.file.path}, row {self.first + self.row}"

    @property
    def shard(self):
        return self.file.path, self.group

    @property
    def place(self):
        return self.column, self.group, self.row

    def open(self, mode="rb"):
        """Return the encoded image as a binary file."""
        content = _groups.column(self.file, self.column, self.group)[self.row].as_py()
        if isinstance(content, dict):
            content = content.get("bytes")
        if content is None:
            raise OSError(f"column {self.column!r} holds no bytes in this row")
        return io.BytesIO(content)


class _Window(io.RawIOBase):
    """The next bytes of an open file, and none behind them."""

    def __init__(self, file, length):
        self._file = file
        self._left = length

    def readable(self):
        return True

    def readinto(self, buffer):
        n = self._file.readinto(memoryview(buffer)[: self._left])
        self._left -= n
        return n

    def read(self, size=-1):
        # RawIOBase would make room for as much as was asked for.
        size = self._left if size is None or size < 0 else min(size, self._left)
        pieces = []
        while size and (piece := self._file.read(size)):
            pieces.append(piece)
            size -= len(piece)
            self._left -= len(piece)
        return b"".join(pieces)

    def close(self):
        self._file.close()
        super().close()


class _Groups:
    """The row groups in use: each is read by one thread, and the longest unused make room."""

    def __init__(self):
        self.reset()

    def reset(self):
        """Forget all."""
        self._lock = threading.Lock()
        self._kept = OrderedDict()

    def column(self, file, name, group):
        """Return a column of one row group.

        Parameters
        ----------
        file : Shard
        name : str
        group : int

        Returns
        -------
        pyarrow.ChunkedArray
        """
        key = file.path, file.version, name, group
        with self._lock:
            entry = self._kept.setdefault(key, _Group())
            self._kept.move_to_end(key)
        with entry.lock:
            if entry.column is None:
                file.check(os.stat(file.path))
                entry.column = read_group(file.path, name, group)
            column = entry.column
        with self._lock:
            while len(self._kept) > 1 and (
                len(self._kept) > _KEPT_GROUPS
                or sum(kept.nbytes for kept in self._kept.values()) > _KEPT_BYTES
            ):
                self._kept.popitem(last=False)
        return column


class _Group:
    def __init__(self):
        self.lock = threading.Lock()
        self.column = None

    @property
    def nbytes(self):
        return 0 if self.column is None else self.column.nbytes


def read_group(path, column, group):
    """Read a column of images of one row group, without what stands beside the bytes."""
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            kind = file.schema_arrow.field(column).type
            name = f"{column}.bytes" if pyarrow.types.is_struct(kind) else column
            return file.read_row_group(group, columns=[name]).column(0)
    except pyarrow.ArrowException as error:
        raise OSError(f"row group {group} cannot be read: {error}") from None


_groups = _Groups()
# A child that was forked while a thread read would wait for it for ever.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_groups.reset)
