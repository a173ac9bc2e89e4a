"""Image ids -> addresses below a folder of an object store, or below a web address."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from urllib.parse import quote, unquote

from skposter._files.addresses import HTTP, RemoteError, local_path, protocol_of, redacted
from skposter._files.remote import Access
from skposter.datasets._image_folder import (
    IMAGE_EXTENSIONS,
    Found,
    ImageFolder,
    Listing,
    as_listing,
    parts_of,
    split_extension,
)
from skposter.exceptions import DataError

__all__ = ["image_folder"]


def image_folder(image_dir, storage_options=None) -> ImageFolder:
    """Return the images of a folder, wherever it is.

    Parameters
    ----------
    image_dir : str or path-like
        A path or an address.
    storage_options : dict, default=None
        How addresses are read, as of `ImageLoader`.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        There is no such folder.
    OSError
        It cannot be listed.
    DataError
        Its protocol is not read.
    """
    url = os.fspath(image_dir)
    protocol = protocol_of(url)
    if protocol is None:
        return ImageFolder(image_dir)
    path = local_path(url)
    if path is not None:
        return ImageFolder(path)
    access = Access(storage_options)
    try:
        access.check(url)
    except ValueError as error:
        raise DataError(f"image_dir={redacted(url)!r} {error}") from None
    return (_WebFolder if protocol in HTTP else _FolderElsewhere)(url, access)


class _FolderElsewhere(ImageFolder):
    """The images of a folder that is listed by its file system of fsspec."""

    def __init__(self, url, access):
        self.path = redacted(url)
        self._prefix = url if url.endswith("/") else f"{url}/"
        self._access = access
        self._parents = parts_of(self._prefix.partition("://")[2])
        self._opened = {}
        found = self._open("")
        if isinstance(found, Found):
            raise FileNotFoundError(f"there is no image folder {self.path!r}, or nothing in it")

    def find(self, image_id: str) -> Found:
        """Look up an id: as in a local folder, or an address below this one."""
        if protocol_of(image_id) is None:
            return super().find(image_id)
        if not image_id.startswith(self._prefix):
            return Found(None, "outside_image_dir", "the id is an address outside image_dir")
        below = parts_of(image_id[len(self._prefix) :], "/")
        if os.pardir in below:
            return Found(None, "outside_image_dir", "the id points outside image_dir")
        return self._find_below(below, redacted(image_id))

    def paths_of(self, names: Iterable[str]) -> list[str]:
        """Return the addresses of images that were found."""
        return [self._prefix + name for name in names]

    def folder_names(self) -> list[str]:
        """List the folders directly in here that are not hidden."""
        entries = self._entries("") or []
        return sorted(e.name for e in entries if e.is_folder and not e.name.startswith("."))

    @property
    def _separators(self) -> str:
        return "/"

    def _find_absolute(self, image_id: str) -> Found:
        return Found(None, "outside_image_dir", "the id is a path of a machine, not in image_dir")

    def _is_inside(self, name: str) -> bool:
        return True

    def _open(self, folder: str) -> Listing | Found:
        if folder not in self._opened:
            entries = self._entries(folder)
            if entries is None:
                detail = f"there is no folder {folder!r} in image_dir"
                self._opened[folder] = Found(None, "missing_image", detail)
            else:
                self._opened[folder] = as_listing(e.name for e in entries if not e.is_folder)
        return self._opened[folder]

    def _entries(self, folder):
        try:
            return self._access.list_folder(self._prefix + folder)
        except RemoteError as error:
            kind, reason = error.kind, str(error)
        where = redacted(self._prefix + folder)
        if kind == "not_a_file":
            raise NotADirectoryError(f"image_dir={where!r} is a file, expected a folder")
        raise OSError(f"the image folder {where!r} {reason}")


class _WebFolder(_FolderElsewhere):
    """The images below a web address, which nobody lists: an id is taken at its word."""

    def _open(self, folder: str) -> Listing | Found:
        return as_listing(())

    def _entries(self, folder):
        return []

    def find(self, image_id: str) -> Found:
        """Return an id below the address, whether or not anything is there."""
        is_address = protocol_of(image_id) is not None
        if is_address and not image_id.startswith(self._prefix):
            return Found(None, "outside_image_dir", "the id is an address outside image_dir")
        name = image_id[len(self._prefix) :] if is_address else image_id
        place = unquote(name.partition("?")[0]) if is_address else name
        if os.pardir in parts_of(place) or name.startswith("/"):
            return Found(None, "outside_image_dir", "the id points outside image_dir")
        if is_address:
            return Found(name) if place else Found(None, "missing_image", "the id is empty")
        if split_extension(place)[1] not in IMAGE_EXTENSIONS:
            detail = "below a web address, which cannot be listed, an id needs its extension"
            return Found(None, "missing_image", detail)
        return Found(quote(name))

    def image_names(
        self, folders: Iterable[str] = ("",), besides: Collection[str] = ()
    ) -> list[str]:
        """Return nothing: what there is cannot be listed."""
        return []
