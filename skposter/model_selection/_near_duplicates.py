"""Images that are the same picture, found by content, so that none is on both sides of a split.

Two files belong together if their bytes are equal, or if their thumbnails correlate. Comparing each
thumbnail with every other is a matrix product: half a second for 6,000 posters. It is done in
blocks on coarse thumbnails, and only pairs that pass are compared at the finer size, so memory
grows with the number of images and not with its square.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from joblib import Parallel, delayed
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.utils.validation import check_consistent_length

from skposter.images import (
    Access,
    PixelOptions,
    UnreadableImage,
    as_sources,
    content_digest,
    describe,
    failure_report,
    load_pixels,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skposter._typing import Array, Samples

__all__ = ["near_duplicate_groups"]

_HEIGHT, _WIDTH, _COARSE = 36, 24, 3
# A box filter takes whole pixels, so that copies at another scale would be sampled elsewhere.
_THUMBNAIL = PixelOptions(size=(_HEIGHT, _WIDTH), resample="bilinear")
_BLOCK = 4_000_000
# Coarse thumbnails of a pair correlate more than fine ones, save for pictures with no large shapes.
_COARSE_MARGIN = 0.05
# Grey levels. Below this contrast a correlation would compare noise.
_BLANK = 2.0


def near_duplicate_groups(
    X: Samples,
    *,
    groups: Array | None = None,
    features: Array | None = None,
    min_correlation: float = 0.92,
    n_jobs: int | None = None,
) -> NDArray[np.intp]:
    """Group images that are the same or nearly the same picture.

    Parameters
    ----------
    X : array-like of length n_samples
        Paths, or anything else that :class:`~skposter.ImageLoader` takes. A path may occur more
        than once.
    groups : array-like of shape (n_samples,), default=None
        Rows with the same value are put together as well, for what pixels do not show: editions of
        one film, say.
    features : array-like of shape (n_samples, n_features), default=None
        What a network sees in the images, as :class:`~skposter.ImageFeatures` gives it, to compare
        in place of thumbnails; the images are not read then. Features also find copies that are
        cropped, framed or mirrored, and take the network's time.
    min_correlation : float, default=0.92
        Two pictures are nearly the same if the pixels of their colour thumbnails correlate at least
        this much; of features, if the cosine of the angle between them is at least this.
    n_jobs : int, default=None
        Number of threads that read images. None means 1.

    Returns
    -------
    groups : ndarray of shape (n_samples,), int
        The group of each row, for ``groups=`` of the splitters. Most groups have one row.

    Raises
    ------
    ImageLoadError
        If rows cannot be read as images; ``failures`` has them all.

    Notes
    -----
    Thumbnails are 36 x 24 pixels. Recompressing, scaling, brightness, contrast and gamma leave the
    correlation above .94; cropping 2 % from each side leaves nine of ten pairs above the default,
    cropping 5 % does not, nor do borders or grey copies. On some 6,000 film posters the default
    finds one placeholder picture used for three films, with correlations of .950 to .980, and no
    two posters that differ: the next pair has .908. The features of a MobileNet find nine of ten
    copies that are cropped by 5 %, and no two posters that differ; `docs/benchmarks` has the
    figures (near_duplicates). Features are worth it where pictures were edited.

    Groups are transitive: if A is like B and B like C, all three are one group. Pictures that share
    a large constant part (a template, a wide frame, a title on black) correlate by that part and
    become one group though they differ. Copies of very dark pictures are missed, as little but
    noise is left to compare, and pictures of a single colour match byte for byte only.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from PIL import Image
    >>> from skposter.model_selection import near_duplicate_groups
    >>> noise = np.random.default_rng(0).integers(0, 255, (2, 12, 8, 3), dtype=np.uint8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = [Path(folder) / name for name in ("a.png", "b.png", "a.jpg")]
    ...     for path, pixels in zip(paths, noise[[0, 1, 0]]):
    ...         Image.fromarray(pixels).resize((80, 120)).save(path)
    ...     near_duplicate_groups(paths)
    array([0, 1, 0])
    """
    if not 0 < min_correlation <= 1:
        raise ValueError(f"min_correlation is above 0 and at most 1, got {min_correlation!r}.")
    sources = as_sources(X, Access())
    check_consistent_length(sources, groups, features)
    if features is None:
        found = _groups_by_thumbnails(sources, min_correlation, n_jobs)
    else:
        found = _groups_by_features(_checked_features(features), min_correlation)
    if groups is not None:
        _, first, inverse = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
        found = _merge(found, np.arange(len(sources)), first[inverse])
    _, first, inverse = np.unique(found, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def _groups_by_thumbnails(sources, min_correlation, n_jobs):
    read = Parallel(n_jobs=n_jobs, prefer="threads")(delayed(_read)(source) for source in sources)
    failures = [
        (row, describe(source), cause)
        for row, (source, (digest, cause)) in enumerate(zip(sources, read, strict=True))
        if digest is None
    ]
    if failures:
        raise failure_report(failures, "Images that could not be read")
    _, first, picture = np.unique(
        [digest for digest, _ in read], return_index=True, return_inverse=True
    )
    thumbnails = np.stack([read[row][1] for row in first])
    return _similar_groups(thumbnails, min_correlation)[picture]


def _checked_features(features):
    features = np.asarray(features, dtype=np.float32)
    if features.ndim != 2 or not features.shape[1]:
        raise ValueError(
            f"features must be of shape (n_samples, n_features), got {features.shape}."
        )
    if not np.isfinite(features).all():
        row = int(np.argwhere(~np.isfinite(features))[0, 0])
        raise ValueError(f"features holds a value that is not finite, in row {row}.")
    return features


def _groups_by_features(features, min_cosine):
    """Return the group of each row; rows of zeros, which have no angle, are like no other."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    vectors = np.divide(features, lengths, out=np.zeros_like(features), where=lengths > 0)
    n = len(vectors)
    group = np.arange(n)
    step = max(1, _BLOCK // n)
    # Rounding must not part a picture from its copy.
    limit = min(min_cosine, 1 - 1e-5)
    for start in range(0, n, step):
        cosine = vectors[start : start + step] @ vectors[start:].T
        i, j = np.nonzero(cosine >= limit)
        group = _merge(group, i + start, j + start)
    return group


def _read(source):
    """Return the hash and the thumbnail of an image, or None and the cause."""
    try:
        thumbnail = load_pixels(source, _THUMBNAIL)  # first, as it opens no pipe
        return content_digest(source).hex(), thumbnail
    except (UnreadableImage, OSError) as error:
        return None, str(error)


def _similar_groups(thumbnails, min_correlation):
    """Return the group of each thumbnail, `(n,)`, from uint8 `(n, height, width, 3)`."""
    n = len(thumbnails)
    rows, columns = _HEIGHT // _COARSE, _WIDTH // _COARSE
    blocks = thumbnails.reshape(n, rows, _COARSE, columns, _COARSE, 3)
    coarse = _standardise(blocks.mean(axis=(2, 4), dtype=np.float32))
    group = np.arange(n)
    step = max(1, _BLOCK // n)
    for start in range(0, n, step):
        correlation = coarse[start : start + step] @ coarse[start:].T
        i, j = np.nonzero(correlation >= min_correlation - _COARSE_MARGIN)
        i, j = i + start, j + start
        # Pairs known to belong together, each picture with itself among them, need no second look.
        new = group[i] != group[j]
        i, j = i[new], j[new]
        alike = _correlate(thumbnails, i, j) >= min_correlation
        group = _merge(group, i[alike], j[alike])
    return group


def _correlate(thumbnails, i, j):
    found = [np.empty(0)]
    for k in range(0, len(i), 1000):
        left = _standardise(thumbnails[i[k : k + 1000]])
        right = _standardise(thumbnails[j[k : k + 1000]])
        found.append(np.einsum("ij,ij->i", left, right))
    return np.concatenate(found)


def _standardise(pictures):
    """Return a vector a picture, of mean 0 and length 1, or shorter if there is no contrast."""
    vectors = pictures.reshape(len(pictures), -1).astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    shortest = np.float32(_BLANK * np.sqrt(vectors.shape[1]))
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), shortest)


def _merge(group, i, j):
    """Return the groups after those of rows `i` and of rows `j` became one, pair by pair."""
    links = coo_array((np.ones(len(i)), (group[i], group[j])), shape=(group.max() + 1,) * 2)
    return connected_components(links, directed=False)[1][group]
