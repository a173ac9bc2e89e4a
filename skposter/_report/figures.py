"""Displays as vector graphics inside a page, in the colours of its light or dark theme."""

from __future__ import annotations

import io
import re
import warnings
from contextlib import contextmanager

__all__ = ["quiet_fonts", "svg_of"]

# What matplotlib draws in these colours follows the theme; see the variables in style.css.
_THEME = {
    "#000000": "var(--ink)",
    "#1f2430": "var(--ink)",
    "#404040": "var(--ink)",
    "#262626": "var(--ink)",
    "#6b7280": "var(--faint)",
    "#0072b2": "var(--model)",
    "#d55e00": "var(--second)",
    "#b4690e": "var(--fold)",
    "#b0b0b0": "var(--line)",
    "#cccccc": "var(--line)",
}


def svg_of(display, name, description):
    """Return the figure of a display as SVG, and close it.

    Parameters
    ----------
    display : object
        With ``figure_``.
    name : str
        A word that no other figure of the page has; it begins the names of the parts.
    description : str
        What a screen reader says.

    Returns
    -------
    svg : markupsafe.Markup
    """
    from markupsafe import Markup, escape

    from skposter.display import import_pyplot

    plt = import_pyplot()
    buffer = io.StringIO()
    settings = {
        "svg.fonttype": "none",  # text stays text, in the font of the page
        "svg.hashsalt": name,  # the same page for the same numbers
        "path.simplify_threshold": 0.3,
    }
    with plt.rc_context(settings), quiet_fonts():
        display.figure_.savefig(
            buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    plt.close(display.figure_)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    # In points of 1/72 inch, as they would be printed.
    width = display.figure_.get_figwidth() * 96
    # Names of parts are counted in each figure, and a page must have each once.
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    for colour, variable in _THEME.items():
        svg = svg.replace(colour, variable)
    svg = re.sub(r"(font:[^;\"']*?px) [^;\"]*", r"\1 var(--sans)", svg)
    svg = re.sub(
        r"<svg",
        f'<svg role="img" aria-label="{escape(description)}" '
        f'style="width: {width:.0f}px; max-width: none"',
        svg,
        count=1,
    )
    return Markup(svg)


@contextmanager
def quiet_fonts():
    """Drop the warning that matplotlib's font lacks a letter: the page's font may have it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        yield
