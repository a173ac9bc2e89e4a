"""Configuration of the documentation.

Everything is built without a network: the inventories of other projects are kept beside the pages,
and the examples draw their own data.
"""

import os
import re
import zlib
from pathlib import Path

# Before TensorFlow is imported: what it says of its start is no output of an example.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from skposter import __version__

HERE = Path(__file__).parent

project = "skposter"
author = "The skposter developers"
release = version = __version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = [
    "_build",
    "examples",
    "inventories",
    "**/sg_execution_times.rst",
    "sg_execution_times.rst",
]
templates_path = ["_templates"]
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist"]

autosummary_generate = True
# The public names of a module are its `__all__`, wherever they are defined.
autosummary_ignore_module_all = False
autosummary_imported_members = True
# Members are listed by the template, once.
numpydoc_show_class_members = False
# Types of parameters lead to where they are described; of their words, only these.
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"
numpydoc_xref_aliases = {
    "DataFrame": "pandas.DataFrame",
    "Series": "pandas.Series",
    "Pipeline": "sklearn.pipeline.Pipeline",
    "Bunch": "sklearn.utils.Bunch",
    "MultiLabelImageClassifier": "skposter.MultiLabelImageClassifier",
    "ImageLoader": "skposter.ImageLoader",
    "LazyImages": "skposter.LazyImages",
    "keras.Model": ":class:`keras.Model`",
    "keras.callbacks.Callback": ":class:`keras.callbacks.Callback`",
    "keras.layers.Layer": ":class:`keras.layers.Layer`",
    "keras.losses.Loss": ":class:`keras.losses.Loss`",
    "keras.optimizers.Optimizer": ":class:`keras.optimizers.Optimizer`",
    # numpydoc has these beforehand, as entries that the inventories here lack.
    "bool": ":class:`python:bool`",
    "boolean": ":class:`python:bool`",
    "scalar": ":class:`python:float`",
    "sequence": "collections.abc.Sequence",
    "iterable": "collections.abc.Iterable",
    "generator": "collections.abc.Generator",
    "array-like": "array-like",
    "array_like": "array-like",
}
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say what is taken, in words
toc_object_entries_show_parents = "hide"
# Longer signatures have a parameter a line.
python_maximum_signature_line_length = 80

# Buttons copy code, not what it prints.
copybutton_selector = (
    "div:not(.highlight-text):not(.sphx-glr-script-out) > div.highlight > pre"
)
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = "skposter"
html_static_path = ["_static"]
html_css_files = ["skposter.css"]
html_js_files = ["fit.js"]
html_favicon = "_static/favicon.svg"
html_copy_source = False
html_show_sourcelink = False
# Pages without a section have nothing to show beside them.
html_sidebars = {
    page: []
    for page in ("index", "install", "tutorial", "coming_from", "integrations")
}
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
}

# Signatures link to the references of others. Keras has no inventory of its own, and none may be
# downloaded here, so `inventories/*.txt` name what these pages mention.
INVENTORIES = {
    "sklearn": "https://scikit-learn.org/stable/",
    "keras": "https://keras.io/api/",
    "pandas": "https://pandas.pydata.org/docs/",
    "numpy": "https://numpy.org/doc/stable/",
    "python": "https://docs.python.org/3/",
}
BUILT_INVENTORIES = HERE / "_build" / "inventories"
intersphinx_mapping = {
    name: (url, str(BUILT_INVENTORIES / f"{name}.inv"))
    for name, url in INVENTORIES.items()
}
intersphinx_disabled_reftypes = ["std:doc"]


def write_inventories():
    """Write the lists of names in the format that intersphinx reads."""
    BUILT_INVENTORIES.mkdir(parents=True, exist_ok=True)
    for name in INVENTORIES:
        lines = (
            (HERE / "inventories" / f"{name}.txt")
            .read_text(encoding="utf-8")
            .splitlines()
        )
        entries = [
            line.split() for line in lines if line and not line.startswith("#")
        ]
        body = "".join(
            f"{what} py:{role} 1 {where} -\n" for what, role, where in entries
        )
        head = f"# Sphinx inventory version 2\n# Project: {name}\n# Version: \n"
        head += "# The remainder of this file is compressed using zlib.\n"
        (BUILT_INVENTORIES / f"{name}.inv").write_bytes(
            head.encode() + zlib.compress(body.encode())
        )


write_inventories()

# Examples are run by this process in the order of their names, and share what they draw and train.
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "show_memory": False,
    "show_signature": False,
    "download_all_examples": False,
    "write_computation_times": False,
    "remove_config_comments": True,
    "abort_on_example_error": True,
    # Pictures are drawn in the cells that make displays; their text is nothing to read.
    "capture_repr": (),
    "doc_module": ("skposter",),
    "reference_url": {"skposter": None},
    "image_srcset": ["2x"],
    "within_subsection_order": "FileNameSortKey",
    "nested_sections": False,
    "min_reported_time": 1,
}
# scikit-learn gives these to every estimator, with links into its own documentation.
_REQUESTS = re.compile("set_[a-z_]+_request|get_metadata_routing|set_params")


def leave_out(app, what, name, obj, skip, options):
    of_scikit_learn = str(getattr(obj, "__module__", "")).startswith("sklearn.")
    return True if of_scikit_learn or _REQUESTS.fullmatch(name) else None


# Above which parameter of a class a group of them begins.
PARAMETER_GROUPS = {
    "skposter.MultiLabelImageClassifier": {
        "network": "What is trained",
        "augmentation": "How it is trained",
        "validation_fraction": "Validation and early stopping",
        "threshold": "Decisions, which need no training",
        "pos_weight": "Rare labels and frequencies",
        "warm_start": "Going on, and keeping what was trained",
        "callbacks": "Surroundings",
    }
}


def group_parameters(app, what, name, obj, options, lines):
    """Put a heading above the first parameter of each group."""
    groups = {
        f"**{first}**": title
        for first, title in PARAMETER_GROUPS.get(name, {}).items()
    }
    for place in range(len(lines) - 1, -1, -1):
        title = groups.get(lines[place].strip().partition(" : ")[0])
        if title:
            indent = lines[place][
                : len(lines[place]) - len(lines[place].lstrip())
            ]
            lines[place:place] = [f"{indent}.. rubric:: {title}", ""]


def setup(app):
    app.connect("autodoc-skip-member", leave_out)
    # After numpydoc, which has made a list of the parameters.
    app.connect("autodoc-process-docstring", group_parameters, priority=900)
