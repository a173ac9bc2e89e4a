"""What editors and type checkers see of skposter."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import skposter
from skposter import MultiLabelImageClassifier

PACKAGE = Path(skposter.__file__).parent
SCRIPTS = sysconfig.get_path("scripts")
PROGRAMS = Path(__file__).parent / "typing"
UNTYPED = ("joblib", "keras", "matplotlib", "scikeras", "scipy", "sklearn", "tensorflow", "tqdm")


def mypy_errors(folder, programs, command):
    sections = "".join(f"[mypy-{name}.*]\nignore_missing_imports = True\n" for name in UNTYPED)
    # As in an environment, where errors in installed packages are not the user's.
    (folder / "mypy.ini").write_text(f"[mypy]\nfollow_imports = silent\n{sections}")
    options = ["--strict", "--no-error-summary", f"--python-executable={sys.executable}"]
    environment = {**os.environ, **({} if installed() else {"MYPYPATH": str(PACKAGE.parent)})}
    found = subprocess.run(
        [command, *options, *programs], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert found.returncode in (0, 1), found.stdout + found.stderr
    lines = re.findall(r"^([\w.]+):(\d+): error: (.*)$", found.stdout, flags=re.MULTILINE)
    return [(program, int(line), message) for program, line, message in lines]


def pyright_errors(folder, programs, command):
    (folder / "pyrightconfig.json").write_text(
        json.dumps({"extraPaths": [] if installed() else [str(PACKAGE.parent)]})
    )
    found = subprocess.run(
        [command, "--outputjson", "--level=error", "--pythonpath", sys.executable, *programs],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert found.returncode in (0, 1), found.stdout + found.stderr
    return [
        (Path(each["file"]).name, each["range"]["start"]["line"] + 1, each["message"])
        for each in json.loads(found.stdout)["generalDiagnostics"]
        if each["severity"] == "error"
    ]


def installed():
    return PACKAGE.parent.name in ("site-packages", "dist-packages")


def lines_marked(program, checker):
    """Return the lines in which this checker is to find an error."""
    marks = [re.search(r"  # error(?:: (\w+))?$", line) for line in program.read_text().split("\n")]
    return {
        number
        for number, mark in enumerate(marks, 1)
        if mark and (mark[1] is None or mark[1] in checker)
    }


@pytest.mark.parametrize("checker", ["mypy", "pyright", "basedpyright"])
def test_type_checkers_take_what_is_right_and_find_what_is_misspelt(checker, tmp_path):
    command = shutil.which(checker, path=f"{SCRIPTS}{os.pathsep}{os.environ.get('PATH', '')}")
    if command is None:
        pytest.skip(f"needs {checker}, of the extra dev")
    programs = [path.name for path in sorted(PROGRAMS.glob("*.py"))]
    for program in programs:
        shutil.copy(PROGRAMS / program, tmp_path)
    if checker == "mypy":
        errors = mypy_errors(tmp_path, programs, command)
    else:
        errors = pyright_errors(tmp_path, programs, command)
    assert [error for error in errors if error[0] == "user_program.py"] == []
    found = {line for program, line, _ in errors if program == "wrong_spellings.py"}
    expected = lines_marked(PROGRAMS / "wrong_spellings.py", checker)
    assert len(expected) > 25
    assert found == expected, errors


def completions(code):
    """Return what an editor offers after the last dot, by the library that most of them use."""
    jedi = pytest.importorskip("jedi")
    paths = [str(PACKAGE.parent), *sys.path]
    project = jedi.Project(PACKAGE.parent, sys_path=paths, load_unsafe_extensions=False)
    lines = code.split("\n")
    offered = jedi.Script(code, project=project).complete(len(lines), len(lines[-1]))
    return {completion.name for completion in offered}


def test_editors_offer_the_public_names():
    assert set(skposter.__all__) <= completions("import skposter\nskposter.")
    assert {"load_image_csv", "make_posters"} <= completions(
        "from skposter import datasets\ndatasets."
    )


def test_editors_offer_what_a_classifier_has():
    code = "import skposter\nclf = skposter.MultiLabelImageClassifier().fit(X, y)\nclf."
    methods = {name for name in dir(MultiLabelImageClassifier) if not name.startswith("_")}
    methods = {name for name in methods if not name.endswith("_request")}  # made by a descriptor
    fitted = {"label_names_", "label_frequencies_", "history_", "recipe_", "thresholds_", "model_"}
    assert methods | fitted | {"epochs", "threshold"} <= completions(code)


def test_editors_offer_what_readers_return():
    code = "import skposter\ndata = skposter.datasets.load_image_csv('a.csv', 'Images')\ndata."
    assert {"paths", "y", "label_names", "ids", "problems"} <= completions(code)
