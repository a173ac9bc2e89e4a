"""Questions to a machine of a cluster, which may lack everything, skposter included.

The function travels as code: it imports what it needs and knows no name of this file.
"""

from __future__ import annotations

import types

__all__ = ["by_value"]


def by_value(function):
    """Return a copy of a function that is pickled as code, not by the name of its module."""
    copy = types.FunctionType(function.__code__, {"__builtins__": __builtins__}, function.__name__)
    copy.__module__ = "__main__"
    copy.__qualname__ = function.__name__
    copy.__defaults__ = function.__defaults__
    return copy


def probe(modules, packages, images, folders, storage_options, token):
    """Return what a machine says of itself.

    Parameters
    ----------
    modules : list of (str, bool)
        Names, and whether to import them; else it is only looked whether they are there.
    packages : list of list of str
        Distributions, each with the names it may be installed under.
    images : list of str
        Paths to open.
    folders : list of str
        Shared folders, in which files of `token` are looked for, and written.
    storage_options : dict or None
        How images that lie elsewhere are read.
    token : str

    Returns
    -------
    said : dict
        ``host``, ``python``, ``versions``, and by name what is wrong with ``modules``, ``images``
        and ``folders``.
    """
    import importlib
    import importlib.metadata
    import importlib.util
    import os
    import socket
    import sys
    import time
    import uuid

    def said(error):
        return f"{type(error).__name__}: {str(error).strip()}"[:500]

    versions = {}
    for names in packages:
        for name in names:
            try:
                versions[names[0]] = importlib.metadata.version(name)
                break
            except importlib.metadata.PackageNotFoundError:
                pass
    wrong_modules = {}
    for name, whole in modules:
        try:
            if whole:
                importlib.import_module(name)
            elif importlib.util.find_spec(name) is None:
                wrong_modules[name] = f"No module named {name!r}"
        except BaseException as error:
            wrong_modules[name] = said(error)
    wrong_images = {}
    for path in images:
        try:
            from skposter.images import Access, PixelOptions, as_sources, load_pixels

            source = as_sources([path], Access(storage_options))[0]
            load_pixels(source, PixelOptions(size=(8, 8)))
        except BaseException as error:
            wrong_images[path] = str(error).strip()[:500] or type(error).__name__
    wrong_folders = {}
    for folder in folders:
        try:
            seen = os.path.join(folder, f".skposter-{token}")
            until = time.monotonic() + 5  # network file systems tell others late
            while not os.path.exists(seen) and time.monotonic() < until:
                time.sleep(0.1)
            if not os.path.exists(seen):
                wrong_folders[folder] = "is not the folder that the client sees under this name"
                continue
            own = os.path.join(folder, f".skposter-{token}-{uuid.uuid4().hex}")
            with open(own, "x"):
                pass
            os.unlink(own)
        except BaseException as error:
            wrong_folders[folder] = said(error)
    return {
        "host": socket.gethostname(),
        "python": ".".join(map(str, sys.version_info[:3])),
        "versions": versions,
        "modules": wrong_modules,
        "images": wrong_images,
        "folders": wrong_folders,
    }
