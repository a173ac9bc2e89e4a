"""Find what would go wrong with images before hours are spent on them."""

from __future__ import annotations

import os
from collections import defaultdict

import numpy as np

from skposter._files.remote import reading_ahead
from skposter.images._decoding import Pool, files_elsewhere
from skposter.images._opening import fetched
from skposter.images._pixels import UnreadableImage, load_pixels
from skposter.images._sources import content_digest, describe, is_pil_image, printable

__all__ = ["image_problems"]


def image_problems(sources, decoder, done=lambda n: None):
    """Return a list of (row, path, kind, detail) for `sources`; see `ImageLoader.verify`."""
    contents: list[bytes | None] = [None] * len(sources)
    same_length = _rows_of_equal_length(sources)

    def some(part):
        problems = []
        for row in part:
            try:
                source = fetched(ahead.take, row) if row in elsewhere else sources[row]
                load_pixels(source, decoder.options)
            except UnreadableImage as error:
                problems.append((row, describe(sources[row]), error.kind, printable(str(error))))
            else:
                if row in same_length:
                    contents[row] = content_digest(source)
        return problems

    elsewhere = files_elsewhere(sources, range(len(sources)))
    ahead = reading_ahead(elsewhere, decoder.options.max_bytes)
    with Pool(decoder.n_threads) as pool, ahead:
        problems = pool.collect(some, range(len(sources)), done)
    return sorted(problems + _duplicates(sources, contents))


def _rows_of_equal_length(sources):
    """Return the rows whose encoded length occurs twice: only those can be equal."""
    by_length: defaultdict = defaultdict(list)
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
        elif not is_pil_image(source):
            by_length["unknown"].append(row)
    return {row for rows in by_length.values() if len(rows) > 1 for row in rows}


def _duplicates(sources, contents):
    first: dict[bytes, int] = {}
    problems = []
    for row, content in enumerate(contents):
        if content is None:
            continue
        original = first.setdefault(content, row)
        if original != row:
            name = printable(describe(sources[original]))
            detail = f"has the same content as row {original}: {name}"
            problems.append((row, describe(sources[row]), "duplicate_content", detail))
    return problems
