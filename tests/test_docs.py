"""The code of README and docs runs, and what they name is there."""

import inspect
import pkgutil
import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import skposter
from skposter.commands import main
from skposter.commands._main import build_parser

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Pages whose commands need nothing but what the page has made by then.
COMMANDS_RUN = {"README", "command", "looking", "tutorial"}
# What the page's own words promise: a table of scores, and the least skill in it.
REACHED = {"README": ("scores", 0.3), "tutorial": ("reached", 0.3)}
# Guide pages whose outputs, beside their code, are compared with what the code prints.
OUTPUTS_HELD = ("metrics", "splits", "thresholds")
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


def outputs(page):
    """Return the output that stands directly behind a block, by the block's first line."""
    text = page.read_text(encoding="utf-8")
    found, code = {}, None
    for match in FENCE.finditer(text):
        if match[1] == "text" and code and not text[code.end() : match.start()].strip():
            found[text[: code.start()].count("\n") + 2] = match[2]
        code = match if match[1] == "python" else None
    return found


def check_output(printed, shown, where):
    """Compare words exactly, and numbers nearly: they change with versions of libraries."""
    number = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?!\w)")
    assert number.sub("0", printed).split() == number.sub("0", shown).split(), where
    assert [float(found) for found in number.findall(printed)] == pytest.approx(
        [float(found) for found in number.findall(shown)], abs=0.05, rel=0.2
    ), where


def steps(page):
    """Return (line, language, code) of what a page lets its reader run, in order."""
    found = [
        (line, language, code)
        for language in ("python", "sh")
        for line, code in blocks(page, language)
    ]
    return sorted(found)


def run_command(command, page):
    """Run one command of a page if it is ours; of others (pip, docker, ...) nothing is tried."""
    name, *arguments = shlex.split(command, comments=True) or [""]
    if name != "skposter":
        return
    build_parser().parse_args(arguments)
    # The whole demo takes minutes, and the tests of the command run a small one.
    if page.stem in COMMANDS_RUN and arguments != ["demo"]:
        assert main([*arguments, "--quiet"]) in (0, 1), command


# Pages draw few posters, to be quick.
@pytest.mark.filterwarnings("ignore::skposter.exceptions.LabelWarning")
@pytest.mark.parametrize(
    "page", [page for page in PAGES if steps(page)], ids=lambda page: page.stem
)
def test_what_a_page_lets_its_reader_run_runs_from_top_to_bottom(
    page, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    shown = outputs(page) if page.stem in OUTPUTS_HELD else {}
    for line, language, code in steps(page):
        if language == "python":
            if "sklearn.callback" in code and not find_spec("sklearn.callback"):
                continue  # scikit-learn before 1.9
            # The empty lines make a traceback show the line of the page.
            exec(compile("\n" * (line - 1) + code, str(page), "exec"), names)
            printed = capsys.readouterr().out
            if line in shown:
                check_output(printed, shown[line], f"{page.name}, line {line}: {printed}")
        else:
            for command in code.replace("\\\n", "").replace(" && ", "\n").splitlines():
                run_command(command, page)
    if page.stem in REACHED:
        name, least = REACHED[page.stem]
        assert names[name].loc["skill", "model"] >= least
    plt.close("all")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_to_files_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target and not target.startswith("gallery/"):  # built from docs/examples
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_public_module_is_in_the_reference():
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^ +(skposter[\w.]*)$", text, re.MULTILINE))
    modules = set(skposter.__all__) - set(skposter._MODULE_OF) - {"__version__"}
    from_the_top = set(skposter._MODULE_OF.values())
    assert {f"skposter.{name}" for name in modules - from_the_top} <= shown


@pytest.mark.parametrize(
    "words",
    ["class imbalance", "confusion matrix", "Grad-CAM", "TensorBoard", "GPU", "mixed precision"],
)
def test_the_search_finds_what_people_type(words):
    # Sphinx' search knows the words of a page, whatever their case.
    texts = [page.read_text(encoding="utf-8").lower() for page in PAGES[1:]]
    assert any(all(word in text for word in words.lower().split()) for text in texts)
    assert any(words.lower() in text for text in texts)


@pytest.mark.parametrize("name", ["sklearn", "pandas", "numpy"])
def test_what_the_pages_can_link_to_exists(name):
    lines = (ROOT / "docs" / "inventories" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    for entry in lines[1:]:
        target, role, _ = entry.split()
        value = pkgutil.resolve_name(target)
        assert inspect.isclass(value) == (role == "class"), target
