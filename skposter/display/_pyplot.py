"""matplotlib, imported when a picture is shown, and the look that the pictures have in common."""

from __future__ import annotations

import numpy as np

__all__ = [
    "COLOURS",
    "divided",
    "import_pyplot",
    "label_outer",
    "legend_below",
    "panels",
    "plain_axes",
    "shortened",
    "title",
]

# Okabe and Ito's colours, which most colour-blind people tell apart.
COLOURS = {
    "model": "#0072b2",
    "second": "#d55e00",
    "chosen": "#1f2430",
    "baseline": "#6b7280",
    "fold": "#b4690e",
}
_PANEL = 2.5, 2.15


def import_pyplot():
    """Return ``matplotlib.pyplot``, or raise an ImportError that names the extra."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Displays are shown through matplotlib: pip install skposter[plot]. "
            "skposter.display.draw_label_grid makes its picture without."
        ) from error
    return plt


def plain_axes(ax):
    """Take away the lines at the top and the right, and draw a faint grid."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)


def shortened(text, length):
    """Return a text of at most so many characters."""
    text = str(text)
    return text if len(text) <= length else text[: length - 3].rstrip() + "..."


def title(ax, text, note=""):
    """Write a name above axes as it is, dollar signs too, and a fainter note behind it."""
    text = shortened(text, 28 - len(note))
    ax.set_title(text, loc="left", fontsize="medium", parse_math=False)
    if note:
        ax.set_title(
            note, loc="right", fontsize="small", color=COLOURS["baseline"], parse_math=False
        )


def divided(ax, rows, columns, *, hspace=None, wspace=None):
    """Return panels in the place of `ax`, which is emptied for them.

    Parameters
    ----------
    ax : matplotlib Axes
        Of a grid, or placed by numbers (``figure.add_axes``, ``ax.inset_axes``): then the panels
        lie inside it, as the layout of a figure moves panels of a grid only.
    rows, columns : int
        How many.
    hspace, wspace : float, default=None
        Space between panels, as a share of one; None takes matplotlib's.

    Returns
    -------
    axes : ndarray of shape (rows, columns) of Axes
    """
    ax.set_axis_off()
    place = ax.get_subplotspec()
    if place is None:
        between = 0.2 if hspace is None else hspace, 0.2 if wspace is None else wspace
        height = 1 / (rows + between[0] * (rows - 1))
        width = 1 / (columns + between[1] * (columns - 1))
        lower = [1 - height - i * height * (1 + between[0]) for i in range(rows)]
        left = [j * width * (1 + between[1]) for j in range(columns)]
        axes = [[ax.inset_axes((x, y, width, height)) for x in left] for y in lower]
    else:
        grid = place.subgridspec(rows, columns, hspace=hspace, wspace=wspace)
        axes = [[ax.figure.add_subplot(grid[i, j]) for j in range(columns)] for i in range(rows)]
    return np.array(axes, dtype=object)


def panels(ax, n, columns=None):
    """Return n axes: those of a new figure, or `ax` divided, as scikit-learn's displays do.

    Parameters
    ----------
    ax : matplotlib Axes or None
        The place to divide.
    n : int
        How many.
    columns : int, default=None
        How many side by side; None takes up to four.

    Returns
    -------
    ax : matplotlib Axes or None
        The place that was divided.
    axes : ndarray of shape (n,) of Axes
    """
    plt = import_pyplot()
    columns = min(n, columns or 4)
    rows = -(-n // columns)
    if ax is None:
        _, grid = plt.subplots(
            rows,
            columns,
            figsize=(columns * _PANEL[0], rows * _PANEL[1] + 0.5),
            layout="constrained",
            squeeze=False,
        )
        axes = grid.ravel()
        for unused in axes[n:]:
            unused.remove()
        return None, axes[:n]
    axes = divided(ax, rows, columns, hspace=0.7, wspace=0.4).ravel()
    for unused in axes[n:]:
        unused.remove()
    return ax, axes[:n]


def label_outer(axes, columns, x, y):
    """Name the axes of the panels at the left, and of those with none beneath.

    `axes` and `columns` are what `panels` returned and was given.
    """
    columns = min(len(axes), columns or 4)
    for i, panel in enumerate(axes):
        if i + columns >= len(axes):
            panel.set_xlabel(x)
        if i % columns == 0:
            panel.set_ylabel(y)


def legend_below(ax, axes):
    """Say below the panels what lines and marks mean, if the figure is ours (`ax` is None)."""
    if ax is not None:
        return
    entries: dict = {}
    for panel in axes:
        for handle, name in zip(*panel.get_legend_handles_labels(), strict=True):
            entries.setdefault(name, handle)
    if entries:
        axes[0].figure.legend(
            entries.values(),
            entries.keys(),
            loc="outside lower center",
            ncols=max(1, int(axes[0].figure.get_figwidth() // 2.4)),
            frameon=False,
            fontsize="small",
        )
