"""Would the tests notice? Change the code one place at a time, and run the tests on each change.

mutmut 3 makes the mutants and forks a process for each, which runs only the tests that execute the
function that was changed. Here are the groups of modules and the tests that can tell, none of which
trains a network; what changes nothing but texts is left out, and of the rest a sample is taken.

    pip install 'mutmut>=3.8'
    python .ci/mutants.py                      # a Markdown table, all groups
    python .ci/mutants.py images --sample 200  # one of them, more of its mutants

It works in a copy, and writes the survivors as diffs into mutants-GROUP.txt of the current folder.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# What is mutated, the tests that run, and those among them that are slow and tell nothing more.
GROUPS = {
    "labels": (
        ["skposter/_labels/*.py"],
        [
            *(f"tests/test_{name}.py" for name in ("labels", "metrics", "thresholds")),
            "tests/test_averaging.py::test_mean_of_log_odds_is_finite_at_certainty_and_keeps_nan",
            "tests/test_averaging.py::test_mean_of_log_odds_of_equals_is_what_each_is",
            "tests/test_model_selection.py::test_rare_labels_are_named_once",
        ],
        "search_nan or no_tensorflow or bootstrap or those_of_scikit_learn",
    ),
    "metrics": (
        ["skposter/metrics/_scores.py", "skposter/metrics/_tables.py"],
        ["tests/test_metrics.py"],
        "search_nan or no_tensorflow or bootstrap",
    ),
    "thresholds": (
        [f"skposter/thresholds/_{n}.py" for n in ("sweeps", "choosing", "objectives", "shrinkage")],
        ["tests/test_thresholds.py", "tests/test_expected_f1.py"],
        "no_tensorflow or those_of_scikit_learn",
    ),
    "model_selection": (
        [f"skposter/model_selection/_{n}.py" for n in ("assignment", "splitters", "train_test")],
        ["tests/test_model_selection.py"],
        "a_hundred_data_sets or pictures or copies",
    ),
    "files": (
        [
            *(f"skposter/_files/{name}.py" for name in ("durable", "json_values", "safetensors")),
            "skposter/persistence/_container.py",
        ],
        [
            *(f"tests/test_{name}.py" for name in ("durable_files", "container", "json_values")),
            "tests/test_persistence_hostile.py::test_arrays_go_round",
            "tests/test_persistence_hostile.py::test_arrays_of_impossible_sizes_are_refused",
            "tests/test_persistence_hostile.py::test_what_a_header_says_of_places_counts",
        ],
        "",
    ),
    "remote": (
        [
            f"skposter/_files/{name}.py"
            for name in ("addresses", "guarded_http", "remote", "remote_loop", "shards")
        ],
        [f"tests/test_{name}.py" for name in ("remote_images", "remote_tables", "image_shards")],
        "loky or missing_package or features or fetch or command or training or in_processes",
    ),
    "images": (
        [f"skposter/images/_{n}.py" for n in ("opening", "tags", "decoding", "pixels")],
        [
            *(f"tests/test_{n}.py" for n in ("pixels", "image_tags", "image_sources")),
            "tests/test_hostile_images.py",
            "tests/test_pixel_cache.py::test_progress_counts_each_image_once",
            "tests/test_remote_images.py::test_every_failure_is_named_in_one_error",
            "tests/test_remote_images.py::test_a_second_epoch_reads_nothing",
        ],
        "200_mb or geometry or mutated or files_are_closed",
    ),
    "cache": (
        ["skposter/images/_cache.py"],
        [
            "tests/test_pixel_cache.py",
            "tests/test_remote_images.py::test_a_second_epoch_reads_nothing",
            "tests/test_image_shards.py::test_decoded_pixels_are_kept",
        ],
        "share_the_work or after_a_kill or grid_search",
    ),
    "datasets": (
        [f"skposter/datasets/_{n}.py" for n in ("columns", "cells", "label_lists")],
        ["tests/test_datasets_image_csv.py", "tests/test_datasets_image_table.py"],
        "a_large_csv or not_installed",
    ),
}

# Run in the copy, where mutmut finds its mutants.
DIFFS = """
import json, sys
from mutmut.mutation.diff_apply import get_diff_for_mutant
names = json.load(sys.stdin)
json.dump({name: get_diff_for_mutant(name) for name in names}, sys.stdout)
"""
TEXT = re.compile(r"""[rbf]*("([^"\\]|\\.)*"|'([^'\\]|\\.)*')""")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("groups", nargs="*", metavar="group", help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--sample", type=int, default=60, help="mutants a group (60)")
    parser.add_argument("--seed", type=int, default=0, help="which ones (0)")
    args = parser.parse_args()
    for group in args.groups:
        if group not in GROUPS:
            parser.error(f"no group {group!r}; there are {', '.join(GROUPS)}")
    print("| module | mutants | tried | noticed | not noticed |\n|---|---|---|---|---|", flush=True)
    for group in args.groups or GROUPS:
        with tempfile.TemporaryDirectory() as folder:
            measure(group, Path(folder), args.sample, args.seed)


def measure(group, folder, n_sample, seed):
    """Print the lines of one group, and write its survivors."""
    copy_to(folder, group)
    mutmut(folder, "no mutant is called so")  # makes the mutants, and notes which test runs what
    diffs = diffs_of(folder, list(outcomes(folder)))
    candidates = sorted(name for name, diff in diffs.items() if not changes_texts_only(diff))
    tried = random.Random(seed).sample(candidates, min(n_sample, len(candidates)))
    mutmut(folder, *tried)
    found = outcomes(folder)
    survivors = [name for name in tried if found[name] in (0, 33)]  # 33: no test runs it
    counts = {
        kind: Counter(module_of(name) for name in names)
        for kind, names in (("all", candidates), ("tried", tried), ("survived", survivors))
    }
    for module in sorted(counts["all"]):
        n_tried, n_survived = counts["tried"][module], counts["survived"][module]
        noticed = n_tried - n_survived
        print(f"| {module} | {counts['all'][module]} | {n_tried} | {noticed} | {n_survived} |")
    sys.stdout.flush()
    text = "\n".join(f"{name}\n{diffs[name]}" for name in sorted(survivors))
    Path(f"mutants-{group}.txt").write_text(text, encoding="utf-8")


def copy_to(folder, group):
    listed = subprocess.run(
        ["git", "ls-files", "skposter", "tests", "pyproject.toml", "setup.py", "README.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    # Between a function and its caller stands one of mutmut's, at which no warning is to point.
    warnings = folder / "skposter" / "_estimators" / "user_warnings.py"
    code = warnings.read_text(encoding="utf-8")
    warnings.write_text(code + '\n_NOT_THE_USERS |= {"mutmut"}\n', encoding="utf-8")
    mutated, tests, slow = GROUPS[group]
    arguments = ["-p", "no:cacheprovider", "-o", "addopts="]
    arguments += ["-k", f"not ({slow})"] if slow else []
    with (folder / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(
            "\n[tool.mutmut]\n"
            'source_paths = ["skposter"]\n'
            f"only_mutate = {json.dumps(mutated)}\n"
            f"pytest_add_cli_args = {json.dumps(arguments)}\n"
            f"pytest_add_cli_args_test_selection = {json.dumps(tests)}\n"
            "track_dependencies = false\n"
        )


def mutmut(folder, *names):
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", "1", *names]
    with (folder / "log").open("w", encoding="utf-8") as log:
        subprocess.run(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, env=os.environ)
    if not list(folder.glob("mutants/mutmut-stats.json")):
        sys.exit((folder / "log").read_text(encoding="utf-8")[-3000:])


def outcomes(folder):
    """Return the exit code of the tests by mutant; None where they have not run."""
    found = {}
    for meta in folder.glob("mutants/skposter/**/*.meta"):
        found |= json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
    return found


def diffs_of(folder, names):
    done = subprocess.run(
        [sys.executable, "-c", DIFFS],
        cwd=folder,
        input=json.dumps(names),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def changes_texts_only(diff):
    """Say whether a mutant differs in quoted texts only, or in what an error is made of."""
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    old, new = ("".join(x[1:] for x in lines if x.startswith(sign)) for sign in "-+")
    return TEXT.sub("", old) == TEXT.sub("", new) or old.lstrip().startswith("raise ")


def module_of(name):
    return name.rpartition(".")[0].removeprefix("skposter.")


if __name__ == "__main__":
    main()
