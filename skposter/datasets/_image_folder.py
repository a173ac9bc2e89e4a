"""Image ids -> files of one folder, which is listed once and never left."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

IMAGE_EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")

_SEPARATORS = re.compile("[" + re.escape(os.sep + (os.altsep or "")) + "]")


class Found(NamedTuple):
    """What became of an id: a file relative to the folder, or the kind of problem and its words."""

    name: str | None
    kind: str = ""
    detail: str = ""


class _Listing(NamedTuple):
    """One folder: key -> names; keys are names, and stems of images, in one Unicode form."""

    by_name: dict[str, list[str]]
    by_stem: dict[str, list[str]]
    links: set[str]


class ImageFolder:
    """The images of a folder.

    Parameters
    ----------
    image_dir : str or path-like
        The folder. It and the subfolders that ids mention are listed once, so looking up an id
        costs no call to the file system.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        There is no such folder.
    """

    def __init__(self, image_dir):
        self.path = os.fspath(image_dir)
        if not os.path.exists(self.path):
            raise FileNotFoundError(f"there is no image folder {self.path!r}")
        if not os.path.isdir(self.path):
            raise NotADirectoryError(f"image_dir={self.path!r} is a file, expected a folder")
        self._root = os.path.realpath(self.path)
        self._opened: dict[str, _Listing | Found] = {}
        self._open("")

    def find(self, image_id: str) -> Found:
        """Look up an id: a file name, or one without its extension, perhaps in a subfolder."""
        parts = [part for part in _SEPARATORS.split(image_id) if part not in ("", ".")]
        if not parts:
            return Found(None, "missing_image", "the id is empty")
        leaves = os.path.isabs(image_id) or os.path.splitdrive(image_id)[0] or os.pardir in parts
        if leaves:
            return Found(None, "outside_image_dir", "the id points outside image_dir")
        folder = os.path.join(*parts[:-1]) if len(parts) > 1 else ""
        listing = self._open(folder)
        if isinstance(listing, Found):
            return listing
        names = _matches(listing, parts[-1])
        if not names:
            return Found(None, "missing_image", f"no image {image_id!r} in image_dir")
        if len(names) > 1:
            return Found(None, "ambiguous_id", f"{' and '.join(names)} match; give the full name")
        name = os.path.join(folder, names[0])
        if names[0] in listing.links and not self._is_inside(name):
            return Found(None, "outside_image_dir", f"{name!r} links outside image_dir")
        return Found(name)

    def image_names(self) -> list[str]:
        """List the images of every folder that was looked into, relative to `image_dir`."""
        return sorted(
            os.path.join(folder, name)
            for folder, listing in self._opened.items()
            if isinstance(listing, _Listing)
            for names in listing.by_stem.values()
            for name in names
        )

    def _is_inside(self, name: str) -> bool:
        return Path(os.path.realpath(os.path.join(self.path, name))).is_relative_to(self._root)

    def _open(self, folder: str) -> _Listing | Found:
        if folder not in self._opened:
            path = os.path.join(self.path, folder)
            if not os.path.isdir(path):
                detail = f"there is no folder {folder!r} in image_dir"
                self._opened[folder] = Found(None, "missing_image", detail)
            elif not self._is_inside(folder):
                detail = f"{folder!r} links outside image_dir"
                self._opened[folder] = Found(None, "outside_image_dir", detail)
            else:
                self._opened[folder] = _list_folder(path)
        return self._opened[folder]


def _list_folder(path: str) -> _Listing:
    listing = _Listing({}, {}, set())
    with os.scandir(path) as entries:
        for entry in entries:
            try:
                if not entry.is_file():
                    continue
            except OSError:  # a link to itself
                continue
            listing.by_name.setdefault(_key(entry.name), []).append(entry.name)
            stem, extension = os.path.splitext(entry.name)
            if extension.lower() in IMAGE_EXTENSIONS:
                listing.by_stem.setdefault(_key(stem), []).append(entry.name)
            if entry.is_symlink():
                listing.links.add(entry.name)
    return listing


def _matches(listing: _Listing, name: str) -> list[str]:
    key = _key(name)
    if key in listing.by_name:
        return listing.by_name[key]
    stem, extension = os.path.splitext(key)
    same_but_case = [
        candidate
        for candidate in listing.by_stem.get(stem, [])
        if os.path.splitext(candidate)[1].lower() == extension.lower()
    ]
    return same_but_case or sorted(listing.by_stem.get(key, []))


def _key(name: str) -> str:
    # macOS writes an accent as a character of its own; CSVs usually do not.
    return name if name.isascii() else unicodedata.normalize("NFC", name)
