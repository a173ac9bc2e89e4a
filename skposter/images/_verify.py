"""Find what would go wrong with images before hours are spent on them."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict

import numpy as np

from skposter.images._decoding import Pool
from skposter.images._pixels import UnreadableImage, load_pixels
from skposter.images._sources import describe

__all__ = ["image_problems"]


def image_problems(sources, decoder, done=lambda n: None):
    """Return a list of (row, path, kind, detail) for `sources`; see `ImageLoader.verify`."""
    contents: list[bytes | None] = [None] * len(sources)
    same_length = _rows_of_equal_length(sources)

    def some(part):
        problems = []
        for row in part:
            try:
                load_pixels(sources[row], decoder.options)
            except UnreadableImage as error:
                problems.append((row, describe(sources[row]), error.kind, str(error)))
            else:
                if row in same_length:
                    contents[row] = _content(sources[row])
        return problems

    with Pool(decoder.n_threads) as pool:
        problems = pool.collect(some, range(len(sources)), done)
    return sorted(problems + _duplicates(sources, contents))


def _rows_of_equal_length(sources):
    """Return the rows whose encoded length occurs twice: only those can be equal."""
    by_length = defaultdict(list)
    for row, source in enumerate(sources):
        if isinstance(source, bytes):
            by_length[len(source)].append(row)
        elif isinstance(source, str):
            try:
                by_length[os.stat(source).st_size].append(row)
            except (OSError, ValueError):
                continue
        elif isinstance(source, np.ndarray):
            by_length[source.shape].append(row)
    return {row for rows in by_length.values() if len(rows) > 1 for row in rows}


def _content(source):
    """Return a digest of the bytes behind a source that has just been read without an error."""
    if isinstance(source, str):
        with open(source, "rb") as file:
            return hashlib.file_digest(file, "blake2b").digest()
    if isinstance(source, np.ndarray):
        return repr(source.shape).encode() + hashlib.blake2b(np.ascontiguousarray(source)).digest()
    return hashlib.blake2b(source).digest()


def _duplicates(sources, contents):
    first: dict[bytes, int] = {}
    problems = []
    for row, content in enumerate(contents):
        if content is None:
            continue
        original = first.setdefault(content, row)
        if original != row:
            detail = f"has the same content as row {original}: {describe(sources[original])}"
            problems.append((row, describe(sources[row]), "duplicate_content", detail))
    return problems
