"""What an import costs, and in which direction modules import each other."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

import skposter

PACKAGE = Path(skposter.__file__).parent
MODULES = sorted(
    ".".join(["skposter", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(
        ".__init__"
    )
    for path in PACKAGE.rglob("*.py")
)


def imports_of(module):
    """Return the modules of skposter that a module imports, anywhere in its code."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found.update(name if name in MODULES else node.module for name in names)
    return found


IMPORTS = {module: imports_of(module) for module in MODULES}


def reachable(module):
    """Return every module of skposter that a module imports, directly or not."""
    found, waiting = set(), [module]
    while waiting:
        for name in IMPORTS[waiting.pop()]:
            if name in IMPORTS and name not in found:
                found.add(name)
                waiting.append(name)
    return found


def test_importing_skposter_loads_nothing_heavy(run_python):
    run_python(
        """
        import sys
        import skposter

        assert "MultiLabelImageClassifier" in dir(skposter)
        heavy = ["tensorflow", "keras", "scikeras", "pandas", "sklearn", "matplotlib", "PIL"]
        loaded = [name for name in heavy if name in sys.modules]
        assert not loaded, loaded
        """
    )


def test_public_modules_other_than_the_classifier_do_not_load_tensorflow(run_python):
    run_python(
        """
        import sys
        import skposter
        from skposter import FixedThresholdsClassifier, ImageLoader, TunedThresholdsClassifierCV
        from skposter import data_report, report

        from skposter import datasets, display, exceptions, inspection, memory, metrics
        from skposter import model_selection, thresholds
        loaded = [name for name in ("tensorflow", "keras", "scikeras") if name in sys.modules]
        assert not loaded, loaded
        """
    )


@pytest.mark.parametrize("name", skposter.__all__)
def test_every_public_name_is_there(name):
    assert getattr(skposter, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Classifier'"):
        skposter.Classifier  # noqa: B018


# Who may import whom, package by package. A new arrow is a decision: weigh it, then write it here.
MAY_IMPORT = {
    "_typing": set(),  # which all may import
    "exceptions": set(),
    "_version": set(),
    "memory": {"images"},
    "_files": {"exceptions"},
    "_keras": {"_version"},
    "losses": {"_keras"},
    "_estimators": {"_keras", "exceptions"},
    "_labels": {"_estimators", "exceptions"},
    "images": {"_estimators", "_files", "exceptions"},
    "onnx": {"_files", "_labels", "exceptions", "images", "thresholds"},
    "datasets": {"_files", "exceptions"},
    "model_selection": {"_labels", "images", "exceptions"},
    "networks": {"_estimators", "_keras"},
    "metrics": {"_estimators", "_labels", "exceptions"},
    "thresholds": {"_estimators", "_labels", "exceptions", "model_selection"},
    "display": {"_estimators", "_labels", "images", "thresholds"},
    "inspection": {"_estimators", "_keras", "_labels", "display", "images", "thresholds"},
    "_report": {
        "_estimators",
        "_files",
        "_labels",
        "exceptions",
        "display",
        "images",
        "inspection",
        "metrics",
        "model_selection",
        "thresholds",
    },
    "_training": {
        "memory",
        "_estimators",
        "_files",
        "_keras",
        "_labels",
        "exceptions",
        "images",
        "losses",
        "model_selection",
        "networks",
    },
    "features": {
        "_estimators",
        "_keras",
        "_training",
        "images",
        "memory",
        "networks",
    },
    "classifier": {
        "_estimators",
        "_keras",
        "_labels",
        "_training",
        "exceptions",
        "networks",
        "thresholds",
    },
    "averaging": {"_labels", "model_selection", "thresholds"},
    "persistence": {
        "_estimators",
        "_files",
        "_keras",
        "_labels",
        "_training",
        "_version",
        "averaging",
        "classifier",
        "exceptions",
        "images",
        "losses",
        "metrics",
        "networks",
        "thresholds",
    },
    "serving": {
        "_estimators",
        "_labels",
        "_version",
        "exceptions",
        "images",
        "inspection",
        "onnx",
    },
    "distributed": {
        "_estimators",
        "_files",
        "_labels",
        "datasets",
        "exceptions",
        "images",
        "onnx",
        "persistence",
    },
    "commands": {
        "_estimators",
        "_files",
        "_labels",
        "_report",
        "_version",
        "classifier",
        "datasets",
        "display",
        "distributed",
        "exceptions",
        "images",
        "metrics",
        "model_selection",
        "networks",
        "onnx",
        "persistence",
        "serving",
        "thresholds",
    },
    "__main__": {"commands"},
}


def package_of(module):
    """Return the name of a module's package, or of the module where it lies in skposter itself."""
    name = module.split(".")[1]
    return skposter._MODULE_OF.get(name, name)


@pytest.mark.parametrize("module", [m for m in MODULES if m != "skposter"])
def test_packages_import_only_those_on_the_list(module):
    own = package_of(module)
    used = {package_of(name) for name in IMPORTS[module] if name.startswith("skposter.")}
    assert used - {own, "_typing"} <= MAY_IMPORT[own]


def test_packages_import_each_other_in_one_direction_only():
    settled = set()
    while len(settled) < len(MAY_IMPORT):
        ready = {name for name, used in MAY_IMPORT.items() if used <= settled} - settled
        assert ready, f"a circle among {sorted(set(MAY_IMPORT) - settled)}"
        settled |= ready


@pytest.mark.parametrize("module", MODULES)
def test_files_that_begin_with_an_underscore_are_imported_in_their_package_only(module):
    for name in IMPORTS[module]:
        *package, last = name.split(".")
        if name in MODULES and len(package) > 1 and last.startswith("_"):
            assert module.startswith(".".join(package)), f"{module} imports {name}"


def test_the_page_of_the_design_names_files_that_are_there():
    page = (PACKAGE.parent / "docs" / "design.md").read_text(encoding="utf-8")
    table = page.partition("## Where is it decided")[2].partition("## ")[0]
    named = re.findall(r"`([\w/]+(?:\.py|/))`", table)
    assert len(named) > 15
    assert [name for name in named if not (PACKAGE / name).exists()] == []


@pytest.mark.parametrize("module", [m for m in MODULES if m != "skposter._keras.tensorflow"])
def test_keras_is_never_imported_before_it_was_made_quiet(module):
    """Who imports a module first cannot be known: a command, a user, a pickle."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in ast.parse(path.read_text(encoding="utf-8")).body:  # what runs on import
        if isinstance(node, ast.Import | ast.ImportFrom):
            first = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
            if first == "skposter._keras.tensorflow":
                return
            assert first.partition(".")[0] not in ("tensorflow", "keras", "scikeras")


def test_only_one_module_knows_scikeras():
    users = {
        module for module, names in IMPORTS.items() if any(n.startswith("scikeras") for n in names)
    }
    assert users == {"skposter._training.scikeras_bridge"}


@pytest.mark.parametrize(
    "module",
    [
        "skposter.datasets",
        "skposter.display",
        "skposter.images",
        "skposter.metrics",
        "skposter.model_selection",
        "skposter.thresholds",
    ],
)
def test_packages_of_arrays_and_images_know_no_keras(module):
    for other in reachable(module) | {module}:
        heavy = [
            n for n in IMPORTS[other] if n.split(".")[0] in ("tensorflow", "keras", "scikeras")
        ]
        # _estimators asks Keras only for objects of Keras that were pickled.
        assert not heavy or other == "skposter._keras.tensorflow", f"{other} imports {heavy}"


def test_few_files_lie_beside_the_packages():
    assert len(list(PACKAGE.glob("*.py"))) <= 12


@pytest.mark.parametrize("module", [m for m in MODULES if m != "skposter.__main__"])
def test_every_module_says_what_it_is(module):
    assert inspect.getdoc(importlib.import_module(module))
