"""Image ids -> files of one folder, which is listed once and never left."""

from __future__ import annotations

import ntpath
import os
import re
import unicodedata
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from skposter._files.addresses import is_url, redacted
from skposter.exceptions import DataError

IMAGE_EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")

_IS_PATH = re.compile(r"[/\\:]")


class Found(NamedTuple):
    """What became of an id: a file relative to the folder, or the kind of problem and its words.

    The name is written with ``/`` on every system.
    """

    name: str | None
    kind: str = ""
    detail: str = ""


class Listing(NamedTuple):
    """One folder: key -> names; keys are names, and stems of images, in one Unicode form."""

    by_name: dict[str, list[str]]
    by_stem: dict[str, list[str]]
    links: set[str]
    folded: dict[str, str]  # in lower case; filled when a name is missing


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
        if is_url(self.path):
            raise DataError(
                f"{redacted(self.path)!r} is an address; load_image_table and load_image_csv read "
                "images from addresses, other readers need a folder of this machine"
            )
        if not os.path.exists(self.path):
            raise FileNotFoundError(f"there is no image folder {self.path!r}")
        if not os.path.isdir(self.path):
            raise NotADirectoryError(f"image_dir={self.path!r} is a file, expected a folder")
        self._root = os.path.realpath(self.path)
        self._absolute = os.path.abspath(self.path)
        self._parents = parts_of(self._absolute)
        self._opened: dict[str, Listing | Found] = {}
        self._open("")

    def find(self, image_id: str) -> Found:
        r"""Look up an id.

        Parameters
        ----------
        image_id : str
            A file name with or without its extension, in subfolders or not; a path that begins
            with the last folders of the image folder itself (``Images/a.jpg`` in ``data/Images``)
            or is absolute and inside of it. ``\`` separates folders as ``/`` does, unless a name
            holds it.

        Returns
        -------
        Found
        """
        if not _IS_PATH.search(image_id) and image_id not in ("", ".", ".."):
            return self._find_below([image_id], image_id)
        if is_url(image_id):
            return Found(None, "outside_image_dir", "the id is a URL, not a file of image_dir")
        parts = parts_of(image_id, self._separators)
        if parts == ["."]:
            return Found(None, "missing_image", "the id is empty")
        if os.pardir in parts_of(image_id):
            return Found(None, "outside_image_dir", "the id points outside image_dir")
        if parts_of(image_id)[0] == "" or os.path.splitdrive(image_id)[0]:
            return self._find_absolute(image_id)
        found = self._find_below(parts, image_id)
        if found.name is None and ntpath.splitdrive(image_id)[0]:
            return self._find_absolute(image_id)
        if found.name is None and "\\" in image_id and os.sep != "\\":
            parts = parts_of(image_id)
            as_on_windows = self._find_below(parts, image_id)
            found = found if as_on_windows.kind == "missing_image" else as_on_windows
        if found.name is None and len(parts) > 1:
            below = self._without_own_name(parts)
            found = self._find_below(below, image_id) if below else found
        return found

    def names_image(self, cell: str) -> bool:
        """Say whether a cell is an id of this folder."""
        return self.find(cell).name is not None

    def paths_of(self, names: Iterable[str]) -> list[str]:
        """Return the paths of files that were found, below `image_dir` as it was given."""
        start = os.path.join(self.path, "")
        if os.sep == "/":
            return [start + name for name in names]
        return [start + name.replace("/", os.sep) for name in names]

    def path_of(self, name: str) -> str:
        """Return the path of one file that was found."""
        return self.paths_of([name])[0]

    def image_names(
        self, folders: Iterable[str] = ("",), besides: Collection[str] = ()
    ) -> list[str]:
        """List the images of some folders, all relative to `image_dir`, `besides` some of them."""
        names = []
        for folder in folders:
            listing = self._open(folder)
            if isinstance(listing, Listing):
                images = [name for names in listing.by_stem.values() for name in names]
                names += [f"{folder}/{name}" if folder else name for name in images]
        return sorted(name for name in names if name not in besides)

    def folder_names(self) -> list[str]:
        """List the folders directly in `image_dir` that are not hidden."""
        with os.scandir(self.path) as entries:
            return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))

    @property
    def _separators(self) -> str:
        return "/\\" if os.sep == "\\" else "/"

    def _find_absolute(self, image_id: str) -> Found:
        if os.path.isabs(image_id):
            for path in (os.path.normpath(image_id), os.path.realpath(image_id)):
                for root in (self._absolute, self._root):
                    if Path(path).is_relative_to(root):
                        below = parts_of(os.path.relpath(path, root), self._separators)
                        return self._find_below(below, image_id)
        return Found(None, "outside_image_dir", "the id is absolute and points outside image_dir")

    def _without_own_name(self, parts: list[str]) -> list[str] | None:
        """Take off the last folders of the image folder's own path, unless they lie in it too."""
        opened = self._open(parts[0])
        if isinstance(opened, Listing) or opened.kind != "missing_image":
            return None
        for n in range(min(len(parts) - 1, len(self._parents)), 0, -1):
            if self._parents[-n:] == parts[:n]:
                return parts[n:]
        return None

    def _find_below(self, parts: list[str], image_id: str) -> Found:
        folder = "/".join(parts[:-1])
        listing = self._open(folder)
        if isinstance(listing, Found):
            return listing
        names = _matches(listing, parts[-1])
        if not names:
            similar = _similar(listing, parts[-1])
            return Found(None, "missing_image", f"no image {image_id!r} in image_dir{similar}")
        if len(names) > 1:
            return Found(None, "ambiguous_id", f"{' and '.join(names)} match; give the full name")
        name = f"{folder}/{names[0]}" if folder else names[0]
        if names[0] in listing.links and not self._is_inside(name):
            return Found(None, "outside_image_dir", f"{name!r} links outside image_dir")
        return Found(name)

    def _is_inside(self, name: str) -> bool:
        return Path(os.path.realpath(self.path_of(name))).is_relative_to(self._root)

    def _open(self, folder: str) -> Listing | Found:
        if folder not in self._opened:
            path = self.path_of(folder) if folder else self.path
            try:
                there = os.path.isdir(path)
            except ValueError:  # a NUL
                there = False
            if not there:
                detail = f"there is no folder {folder!r} in image_dir"
                self._opened[folder] = Found(None, "missing_image", detail)
            elif not self._is_inside(folder):
                detail = f"{folder!r} links outside image_dir"
                self._opened[folder] = Found(None, "outside_image_dir", detail)
            else:
                self._opened[folder] = _list_folder(path)
        return self._opened[folder]


def parts_of(path: str, separators: str = "/\\") -> list[str]:
    """Split a path; an absolute one begins with ``""``, an empty one is ``["."]``."""
    parts = re.split("[" + re.escape(separators) + "]", path)
    below = [part for part in parts if part not in ("", ".")]
    return ["", *below] if len(parts) > 1 and parts[0] == "" else below or ["."]


def _list_folder(path: str) -> Listing:
    listing = Listing({}, {}, set(), {})
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name.startswith("._"):  # what macOS keeps beside a file on foreign disks
                continue
            try:
                if not entry.is_file():
                    continue
            except OSError:  # a link to itself
                continue
            _enter(listing, entry.name)
            if entry.is_symlink():
                listing.links.add(entry.name)
    return listing


def _matches(listing: Listing, name: str) -> list[str]:
    key = _key(name)
    if key in listing.by_name:
        return listing.by_name[key]
    stem, extension = split_extension(key)
    if extension in IMAGE_EXTENSIONS:
        candidates = listing.by_stem.get(stem, [])
        same_but_case = [name for name in candidates if split_extension(name)[1] == extension]
        if same_but_case:
            return same_but_case
    return sorted(listing.by_stem.get(key, []))


def _similar(listing: Listing, name: str) -> str:
    """Say which file a missing one may be; which it is, only the user knows."""
    key = _key(name)
    stem, extension = split_extension(key)
    if extension in IMAGE_EXTENSIONS and stem in listing.by_stem:
        return f", but {listing.by_stem[stem][0]!r}"
    if not listing.folded:
        listing.folded.update({other.casefold(): other for other in listing.by_stem})
        listing.folded.update({other.casefold(): other for other in listing.by_name})
    other = listing.folded.get(key.casefold())
    if other is not None and other != key:
        names = listing.by_name.get(other) or listing.by_stem[other]
        return f", but {names[0]!r}, which differs in upper and lower case"
    return ""


def as_listing(names: Iterable[str]) -> Listing:
    """Return the files of a folder without links as they are looked up."""
    listing = Listing({}, {}, set(), {})
    for name in names:
        if not name.startswith("._"):  # what macOS keeps beside a file on foreign disks
            _enter(listing, name)
    return listing


def _enter(listing: Listing, name: str) -> None:
    listing.by_name.setdefault(_key(name), []).append(name)
    stem, extension = split_extension(name)
    if extension in IMAGE_EXTENSIONS:
        listing.by_stem.setdefault(_key(stem), []).append(name)


def split_extension(name: str) -> tuple[str, str]:
    """Split a name as `os.path.splitext` does, twice as fast; the extension is in lower case."""
    stem, _, extension = name.rpartition(".")
    return (stem, f".{extension.lower()}") if stem.strip(".") else (name, "")


def _key(name: str) -> str:
    # macOS writes an accent as a character of its own; CSVs usually do not.
    return name if name.isascii() else unicodedata.normalize("NFC", name)
