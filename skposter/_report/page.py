"""From a template to one file of HTML that needs nothing else."""

from __future__ import annotations

import os

__all__ = ["render", "write_page"]

_UNDEFINED = "-"
_TEMPLATES = os.path.join(os.path.dirname(__file__), "templates")


def render(template, **values):
    """Return a page.

    Parameters
    ----------
    template : str
        Name of a file in ``templates``.
    **values : dict
        What it shows. Texts are escaped; only ``markupsafe.Markup`` is not.

    Returns
    -------
    page : str

    Raises
    ------
    ImportError
        If Jinja is missing.
    """
    try:
        import jinja2
    except ImportError as error:
        raise ImportError(
            "Reports are made with Jinja and matplotlib: pip install skposter[report]."
        ) from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    environment.filters["percent"] = percent
    return environment.get_template(template).render(**values)


def write_page(page, path):
    """Write a page as a whole or not at all."""
    from skposter._files.durable import write_durably

    # A file name of the user's need not be text.
    content = page.encode("utf-8", errors="backslashreplace")
    write_durably(os.fspath(path), lambda file: file.write(content))


def number(value, digits=3):
    """Return a number as it is read: a dash for what is not defined."""
    if value is None or value != value:
        return _UNDEFINED
    if isinstance(value, int) or (float(value).is_integer() and digits == 0):
        return f"{int(value):,}"
    return f"{value:.{digits}f}"


def percent(value, digits=0):
    """Return a share in percent."""
    if value is None or value != value:
        return _UNDEFINED
    return f"{100 * value:.{digits}f} %"
