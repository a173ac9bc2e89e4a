"""What an import costs, and in which direction modules import each other."""

import ast
import importlib
import inspect
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

        from skposter import datasets, display, exceptions, memory, metrics
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


def test_only_one_module_knows_scikeras():
    users = {
        module for module, names in IMPORTS.items() if any(n.startswith("scikeras") for n in names)
    }
    assert users == {"skposter._keras"}


@pytest.mark.parametrize(
    "module",
    ["skposter.metrics", "skposter.thresholds", "skposter.model_selection"],
)
def test_modules_of_numbers_know_no_keras_and_no_estimators(module):
    known = reachable(module)
    for other in known | {module}:
        heavy = [
            n for n in IMPORTS[other] if n.split(".")[0] in ("tensorflow", "keras", "scikeras")
        ]
        assert not heavy, f"{module} reaches {other}, which imports {heavy}"
    estimators = {"skposter.classifier", "skposter.threshold_classifiers", "skposter._keras"}
    assert not known & estimators


@pytest.mark.parametrize("module", ["skposter.image_loader", "skposter.lazy_images"])
def test_loading_images_does_not_know_the_classifier(module):
    assert not reachable(module) & {"skposter.classifier", "skposter._keras", "skposter.networks"}


def test_nothing_but_the_command_imports_the_command():
    commands = {m for m in MODULES if m == "skposter.cli" or m.startswith("skposter.commands")}
    for module in set(MODULES) - commands - {"skposter.__main__"}:
        assert not IMPORTS[module] & commands, module


@pytest.mark.parametrize("module", [m for m in MODULES if m != "skposter.__main__"])
def test_every_module_says_what_it_is(module):
    assert inspect.getdoc(importlib.import_module(module))
