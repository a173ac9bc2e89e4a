"""Heat maps by covering parts of the image: slow, and for any classifier."""

from __future__ import annotations

import numpy as np

from skposter._labels.probabilities import label_scores

__all__ = ["occlusion_maps"]

# The share of a side that a patch covers, and how many steps it takes to its own length.
_PATCH = 0.2
_STEPS = 2
# Probabilities are clipped here, so that one that reaches 0 or 1 does not decide everything.
_EPSILON = 1e-6


def occlusion_maps(classifier, images, labels, n_labels):
    """Return by how much the log-odds of labels fall when parts of an image are covered.

    A patch of the mean colour of the image goes over it in steps of half its side. Each place gets
    the mean fall of the patches that covered it.

    Parameters
    ----------
    classifier : estimator
        Takes the images, and has ``predict_proba``.
    images : ndarray of shape (n, height, width, channels), uint8
        What to cover.
    labels : list of list of int
        The labels of each image.
    n_labels : int
        How many labels the classifier knows.

    Returns
    -------
    maps : list of ndarray of shape (len(labels[i]), rows, columns), float32
        Not below 0.

    References
    ----------
    .. [1] M. D. Zeiler, R. Fergus, "Visualizing and Understanding Convolutional Networks", ECCV
       2014.
    """
    tops, down = _starts(images.shape[1])
    lefts, across = _starts(images.shape[2])
    # The cells between the places where patches begin or end.
    row_edges = np.unique(np.concatenate([[0], tops, tops + down, [images.shape[1]]]))
    column_edges = np.unique(np.concatenate([[0], lefts, lefts + across, [images.shape[2]]]))
    found = []
    for image, wanted in zip(images, labels, strict=True):
        fill = np.rint(image.mean(axis=(0, 1))).astype(np.uint8)
        covered = np.repeat(image[None], 1 + len(tops) * len(lefts), axis=0)
        for patch, (top, left) in enumerate(((t, x) for t in tops for x in lefts), 1):
            covered[patch, top : top + down, left : left + across] = fill
        probability = label_scores(classifier, covered, n_labels)[:, wanted].astype(float)
        probability = np.clip(probability, _EPSILON, 1 - _EPSILON)
        log_odds = np.log(probability) - np.log1p(-probability)
        fall = (log_odds[0] - log_odds[1:]).T.reshape(len(wanted), len(tops), len(lefts))
        rows = _covers(tops, down, row_edges)
        columns = _covers(lefts, across, column_edges)
        total = np.einsum("ktx,tr,xc->krc", fall, rows, columns)
        count = np.einsum("tr,xc->rc", rows, columns)
        cells = np.maximum(total / np.maximum(count, 1), 0)
        # Cells differ in size by the rounding of the patches; maps have equal ones.
        row = np.searchsorted(row_edges, np.arange(images.shape[1]), side="right") - 1
        column = np.searchsorted(column_edges, np.arange(images.shape[2]), side="right") - 1
        found.append(cells[:, row][:, :, column].astype(np.float32))
    return found


def _starts(side):
    """Return where the patches begin along a side, and how long they are."""
    length = max(1, round(_PATCH * side))
    n = max(2, int(np.ceil((side - length) / (length / _STEPS))) + 1) if side > length else 1
    return np.unique(np.rint(np.linspace(0, side - length, n)).astype(int)), length


def _covers(starts, length, edges):
    """Tell which patches cover which cells, `(n_patches, n_cells)`."""
    begin, end = starts[:, None], starts[:, None] + length
    return ((edges[:-1] >= begin) & (edges[1:] <= end)).astype(float)
