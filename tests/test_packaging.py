"""What is installed, and what the install page says of it."""

import re
import runpy
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from skposter._estimators import versions

ROOT = Path(__file__).parents[1]


def names(requirements):
    return {re.match(r"[\w-]+", each)[0] for each in requirements}


def settings():
    with open(ROOT / "pyproject.toml", "rb") as file:
        return tomllib.load(file)["project"]


@pytest.fixture
def another_build(monkeypatch):
    """Without a distribution called tensorflow, as where tensorflow-cpu brings the module."""

    def version_without(name):
        if name == "tensorflow":
            raise PackageNotFoundError(name)
        return version("pip" if name == "tensorflow-of-a-vendor" else name)

    monkeypatch.setattr(versions, "version", version_without)
    versions.library_versions.cache_clear()
    yield
    versions.library_versions.cache_clear()


def test_another_build_of_tensorflow_is_known_by_its_module(another_build, monkeypatch):
    import tensorflow

    assert versions.library_versions()["tensorflow"] == tensorflow.__version__


def test_another_build_of_tensorflow_is_known_before_it_is_imported(another_build, monkeypatch):
    monkeypatch.delitem(versions.sys.modules, "tensorflow", raising=False)
    brought = {"tensorflow": ["tensorflow-of-a-vendor"]}
    monkeypatch.setattr(versions, "packages_distributions", lambda: brought)
    assert versions.library_versions()["tensorflow"] == version("pip")
    brought.clear()
    versions.library_versions.cache_clear()
    assert versions.library_versions()["tensorflow"] == "unknown"


def test_without_any_tensorflow_the_error_says_what_to_install(run_python):
    done = run_python(
        """
        import sys

        class Missing:
            @staticmethod
            def find_spec(name, path=None, target=None):
                if name == "tensorflow":
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)

        sys.meta_path.insert(0, Missing)
        import numpy as np
        import skposter
        X, y = np.zeros((40, 16, 16, 3), np.uint8), np.tile([[0, 1], [1, 0]], (20, 1))
        try:
            skposter.MultiLabelImageClassifier().fit(X, y)
        except ModuleNotFoundError as error:
            print(error)
        """
    )
    assert "pip install tensorflow, tensorflow-cpu" in done.stdout


def test_the_install_page_names_all_that_comes_without_tensorflow():
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    listed = re.search(
        r"pip install tensorflow-cpu (.*?) && pip install --no-deps", page, re.DOTALL
    )
    wanted = names(each for each in settings()["dependencies"] if "sys_platform" not in each)
    assert set(listed[1].replace("\\", " ").split()) == wanted - {"tensorflow"}


def test_the_install_page_names_every_extra():
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert sorted(listed) == sorted(settings()["optional-dependencies"])


def test_the_package_index_gets_no_links_that_lead_nowhere():
    without = runpy.run_path(str(ROOT / "setup.py"))["without_relative_links"]
    shown = without((ROOT / "README.md").read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(([^)]*)\)", shown)
    assert all(re.match("https?:|#", target) for target in targets)
    assert "Tutorial: from the CSV to the genres" in shown
    assert without("a [b](docs/b.md) [c](https://c.org)\n![d](d.png)\n\ne") == (
        "a b [c](https://c.org)\ne"
    )
