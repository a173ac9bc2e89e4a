"""The code of README and docs runs, and what they name is there."""

import re
import shlex
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import skposter
from skposter.commands._main import build_parser

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.skipif(
    not PAGES[0].exists(), reason="the pages are in the repository, not in the installed package"
)


def blocks(page, language):
    """Return (line, code) of each code block of a language."""
    text = page.read_text(encoding="utf-8")
    return [
        (text[: match.start()].count("\n") + 2, match[2])
        for match in FENCE.finditer(text)
        if match[1] == language
    ]


# Pages draw few posters, to be quick.
@pytest.mark.filterwarnings("ignore::skposter.exceptions.LabelWarning")
@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.stem
)
def test_code_of_a_page_runs_from_top_to_bottom(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for line, code in blocks(page, "python"):
        # The empty lines make a traceback show the line of the page.
        exec(compile("\n" * (line - 1) + code, str(page), "exec"), names)
    plt.close("all")


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "sh")], ids=lambda page: page.stem
)
def test_commands_of_a_page_have_arguments_that_exist(page):
    lines = [line for _, code in blocks(page, "sh") for line in code.splitlines()]
    commands = [part for line in lines for part in line.split(" && ")]
    for command in commands:
        name, *arguments = shlex.split(command, comments=True) or [""]
        if name == "skposter":
            build_parser().parse_args(arguments)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_to_files_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_public_module_is_in_the_reference():
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^ +(skposter[\w.]*)$", text, re.MULTILINE))
    modules = set(skposter.__all__) - set(skposter._MODULE_OF) - {"__version__"}
    from_the_top = set(skposter._MODULE_OF.values())
    assert {f"skposter.{name}" for name in modules - from_the_top} <= shown
