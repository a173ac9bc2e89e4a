"""A matrix of numbers with names at its sides."""

from __future__ import annotations

import numpy as np

from skposter.display._pyplot import shortened

__all__ = ["plot_matrix", "side_of"]

_DARK = 0.55
_LONGEST = 24


def side_of(names):
    """Return the width in inches of a figure with a matrix of these names."""
    return 1.2 + 0.36 * len(names) + 0.075 * min(max(map(len, map(str, names))), _LONGEST)


def plot_matrix(ax, values, rows, columns, *, largest=None, digits=0, colours="Blues"):
    """Draw a matrix with its numbers, as darker as higher.

    Parameters
    ----------
    ax : matplotlib Axes
        Where.
    values : ndarray of shape (n_rows, n_columns)
        NaN stays empty; what rounds to 0 has no number.
    rows, columns : list of str
        Names at the left and below.
    largest : float, default=None
        The value of the darkest colour; None takes the largest there is.
    digits : int, default=0
        Decimals of the numbers.
    colours : str, default="Blues"
        A colour map of matplotlib.

    Returns
    -------
    image : matplotlib AxesImage
    texts : list of Text
    """
    finite = values[np.isfinite(values)]
    if largest is None:
        largest = finite.max() if finite.size and finite.max() > 0 else 1.0
    # Cells without a number show the paper, which is dark in a dark page.
    empty = ~np.isfinite(values) | (np.round(values, digits) == 0)
    image = ax.imshow(
        np.ma.array(values, mask=empty), cmap=colours, vmin=0, vmax=largest, aspect="equal"
    )
    size = 8 if max(values.shape) <= 16 else 6
    texts = []
    for (i, j), value in np.ndenumerate(values):
        if not empty[i, j]:
            ink = "#ffffff" if value > _DARK * largest else "#101010"
            text = f"{value:.{digits}f}"
            texts.append(ax.text(j, i, text, ha="center", va="center", color=ink, fontsize=size))
            texts[-1].set_in_layout(False)  # it lies inside, and there are hundreds
    rows, columns = ([shortened(name, _LONGEST) for name in names] for names in (rows, columns))
    names = {"fontsize": size + 1, "parse_math": False}
    ax.set_xticks(np.arange(len(columns)), columns, rotation=90, **names)
    ax.set_yticks(np.arange(len(rows)), rows, **names)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return image, texts
