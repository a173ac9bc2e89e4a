"""What lies in one shard: places of images and what is written of labels, without the images."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import pandas as pd

from skposter._files.shards import ParquetRow, Shard, TarMember
from skposter.datasets._cells import load_json
from skposter.datasets._columns import did_you_mean, short_list
from skposter.exceptions import DataError

_IMAGES = {"jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"}
_LABELS = ("json", "cls", "txt")
_MOST_LABEL_BYTES = 1 << 20
_BLOCK = 512


class Index(NamedTuple):
    """The samples of one shard, row by row."""

    ids: list[str]
    images: list[Any]  # None where there is none
    labels: pd.DataFrame
    is_labelled: list[bool]


# Tar archives


def index_tar(
    path: str,
    image_extension: str | None,
    label_extension: str | None,
    wanted: Collection[str] | None,
) -> Index:
    """Read the headers of a tar archive and the members with labels.

    Parameters
    ----------
    path : str
    image_extension, label_extension : str or None
        What follows the first dot of the names of images and labels; None finds it out.
    wanted : collection of str or None
        The fields to keep of JSON objects; None keeps all.

    Returns
    -------
    Index

    Raises
    ------
    DataError
        It is no whole tar archive, or a sample has several images or labels.
    """
    shard = Shard(path)
    samples: dict[str, dict[str, TarMember]] = {}
    written: dict[str, bytes] = {}
    for member, read in _members(path):
        key, extension = _split(member.name)
        if extension is None:
            continue
        here = samples.setdefault(key, {})
        if extension in here:
            raise DataError(f"the member {member.name!r} is there twice")
        here[extension] = TarMember(shard, member.name, member.offset_data, member.size)
        if extension in _LABELS and label_extension in (None, extension):
            if member.size > _MOST_LABEL_BYTES:
                raise DataError(
                    f"the member {member.name!r} has {member.size:,} bytes, which is more than "
                    f"labels take ({_MOST_LABEL_BYTES:,})"
                )
            written[member.name] = read()
    images, rows, is_labelled = [], [], []
    for key, members in samples.items():
        images.append(_one(key, members, image_extension, _IMAGES, "images", "image_extension"))
        label = _one(key, members, label_extension, _LABELS, "labels", "label_extension")
        is_labelled.append(label is not None)
        rows.append({} if label is None else _read_label(label, written[label.name], wanted))
    return Index(list(samples), images, pd.DataFrame(rows, dtype=object), is_labelled)


def _members(path: str) -> Iterator[tuple[tarfile.TarInfo, Any]]:
    """Yield the members that are files, each with a function that reads it."""
    size = os.path.getsize(path)
    with open(path, "rb") as start:
        if start.read(2) in (b"\x1f\x8b", b"BZ", b"\xfd7", b"(\xb5"):
            raise DataError(
                "is compressed, so that a member cannot be read without all before it; unpack it "
                "to a plain .tar (images do not get smaller by it)"
            )
    n_whole, offset = 0, 0
    try:
        with tarfile.open(path, "r:") as opened:
            archive: Any = opened  # whose types know neither offset nor members
            file = archive.fileobj

            def read(member):
                file.seek(member.offset_data)
                return file.read(member.size)

            while (member := archive.next()) is not None:
                archive.members.clear()  # it would keep every header
                n_whole, offset = n_whole + 1, archive.offset
                if offset > -(-size // _BLOCK) * _BLOCK:
                    raise tarfile.ReadError("unexpected end of data")
                if member.issparse() or not member.isreg():
                    if member.isdir():
                        continue
                    raise DataError(f"the member {member.name!r} is a link or no regular file")
                yield member, lambda member=member: read(member)
            file.seek(offset)
            rest = file.read(1 << 20)
    except (tarfile.TarError, EOFError) as error:
        raise DataError(
            f"is no whole tar archive: {error}, behind {n_whole} members; was it cut short? Write "
            "it again"
        ) from None
    if len(rest) < _BLOCK or rest.strip(b"\0"):
        what = (
            "more data behind its end"
            if len(rest) >= _BLOCK and not any(rest[:_BLOCK])
            else ("no end, or a damaged header")
        )
        raise DataError(
            f"is no whole tar archive: {what}, behind {n_whole} members (byte {offset:,}). Was it "
            "cut short, or are it several archives put together? Write it again"
        )


def _split(name: str) -> tuple[str, str | None]:
    """Return what members of a sample have in common, and the extension, as webdataset has them."""
    folder, slash, base = name.rpartition("/")
    stem, dot, extension = base.partition(".")
    if not stem or not dot or stem.startswith("__"):  # ._a.jpg, __info__.json
        return name, None
    return folder + slash + stem, extension.lower()


def _one(key, members, given, known, what, argument):
    """Return the one member of a sample that has the extension, or None."""
    if given is not None:
        return members.get(given.lstrip(".").lower())
    found = [extension for extension in members if extension in known]
    if len(found) > 1:
        choice = " or ".join(f"{argument}={extension!r}" for extension in found)
        raise DataError(
            f"the sample {key!r} has {len(found)} members that may be its {what}, "
            f"{short_list(members[extension].name for extension in found)}; say which: {choice}"
        )
    return members[found[0]] if found else None


def _read_label(member: TarMember, content: bytes, wanted) -> dict[str, Any]:
    try:
        text = content.decode("utf-8-sig")
        if member.name.lower().endswith(".cls"):
            return {"labels": [text.strip()]}
        if member.name.lower().endswith(".txt"):
            return {"labels": [line.strip() for line in text.splitlines() if line.strip()]}
        value = load_json(text)
    except (ValueError, json.JSONDecodeError) as error:
        raise DataError(f"the member {member.name!r} cannot be read: {error}") from None
    if isinstance(value, dict):
        return {str(k): v for k, v in value.items() if wanted is None or str(k) in wanted}
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        value = [str(value)]
    if not isinstance(value, list):
        raise DataError(
            f"the member {member.name!r} holds {value!r}; expected a list of labels, a label, or "
            "an object"
        )
    return {"labels": value}


# Parquet


def index_parquet(path: str, image_column: str | None, wanted: Collection[str] | None) -> Index:
    """Read the footer of a Parquet file and its columns without images.

    Parameters
    ----------
    path : str
    image_column : str or None
        None takes the only column of bytes, or of cells with ``bytes``.
    wanted : collection of str or None
        The columns to read; None reads all that may hold labels.

    Returns
    -------
    Index

    Raises
    ------
    DataError
        It is no whole Parquet file, or has not these columns.
    """
    import pyarrow
    import pyarrow.parquet

    shard = Shard(path)
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            column = _image_column(schema, image_column)
            missing = [name for name in wanted or () if name not in schema.names]
            if missing:
                raise DataError(
                    f"has no column {missing[0]!r}{did_you_mean(missing[0], schema.names)} Its "
                    f"columns are {short_list(schema.names)}"
                )
            names = [
                field.name
                for field in schema
                if field.name != column
                and (_may_be_labels(field.type) if wanted is None else field.name in wanted)
            ]
            labels = file.read(columns=names).to_pandas(ignore_metadata=True)
            images, first = [], 0
            for group in range(file.num_row_groups):
                n_rows = file.metadata.row_group(group).num_rows
                images += [ParquetRow(shard, column, group, row, first) for row in range(n_rows)]
                first += n_rows
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"cannot be read as Parquet: {error}") from None
    ids = [f"{os.path.basename(path)}:{row}" for row in range(first)]
    labels.index = pd.RangeIndex(first)
    return Index(ids, images, labels, [True] * first)


def _image_column(schema, given: str | None) -> str:
    able = [field.name for field in schema if _may_be_images(field.type)]
    if given is None and len(able) == 1:
        return able[0]
    expected = "expected encoded images as bytes, or cells with the fields bytes and path"
    if given is None and able:
        choice = " or ".join(f"image_column={name!r}" for name in able)
        raise DataError(f"the columns {short_list(able)} may all hold images; say which: {choice}")
    if given is None:
        shown = short_list(f"{field.name}: {field.type}" for field in schema)
        raise DataError(f"has no column of images among {shown}; {expected}")
    if given not in schema.names:
        raise DataError(f"has no column {given!r}{did_you_mean(given, schema.names)}")
    if given not in able:
        raise DataError(f"column {given!r} is of type {schema.field(given).type}; {expected}")
    return given


def _may_be_images(kind) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        names = [kind.field(i).name for i in range(kind.num_fields)]
        return "bytes" in names and _may_be_images(kind.field(names.index("bytes")).type)
    return types.is_binary(kind) or types.is_large_binary(kind)


def _may_be_labels(kind) -> bool:
    from pyarrow import types

    return not (_may_be_images(kind) or types.is_struct(kind) or types.is_map(kind))
