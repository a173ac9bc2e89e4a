"""Configuration of the documentation."""

import inspect
import re

from skposter import __version__

project = "skposter"
author = "The skposter developers"
release = version = __version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist"]

autosummary_generate = True
# The public names of a module are its `__all__`, wherever they are defined.
autosummary_ignore_module_all = False
autosummary_imported_members = True
# Members are listed by the template, once.
numpydoc_show_class_members = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say what is taken, in words
toc_object_entries_show_parents = "hide"

html_theme = "pydata_sphinx_theme"
html_title = "skposter"
html_copy_source = False
html_show_sourcelink = False
# Pages without a section have nothing to show beside them.
html_sidebars = {page: [] for page in ("index", "install", "tutorial")}
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
}

# scikit-learn gives these to every estimator, with links into its own documentation.
_REQUESTS = re.compile("set_[a-z_]+_request|get_metadata_routing|set_params")


def leave_out(app, what, name, obj, skip, options):
    of_scikit_learn = str(getattr(obj, "__module__", "")).startswith("sklearn.")
    return True if of_scikit_learn or _REQUESTS.fullmatch(name) else None


def parameters_of_init(app, what, name, obj, options, signature, returns):
    """Show the parameters of ``__init__`` where ``__new__`` takes any, to check their spelling."""
    if what == "class" and signature == "(*args, **kwargs)":
        _, *parameters = inspect.signature(obj.__init__).parameters.values()
        parameters = [each.replace(annotation=each.empty) for each in parameters]
        return str(inspect.Signature(parameters)), returns
    return None


def setup(app):
    app.connect("autodoc-skip-member", leave_out)
    app.connect("autodoc-process-signature", parameters_of_init)
