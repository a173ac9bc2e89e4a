"""scikit-learn's checks on the classifier and on a bare SciKeras model, through the same adapter.

The adapter is that of the tests: rows become tiny images, classes become label columns. SciKeras'
tags do not say that it is a classifier, which would spare it most checks; here they do.

    python benchmarks/contract_table.py [--out docs/benchmarks/contract.md]
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from unittest import SkipTest

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import skposter._keras.tensorflow  # noqa: F401, isort: skip, TensorFlow without its start-up lines
import _report
from _peers import build_for_scikeras
from image_adapters import RowsAsImagesMixin
from scikeras.wrappers import KerasClassifier
from sklearn.utils import ClassifierTags
from sklearn.utils.estimator_checks import estimator_checks_generator
from test_contract import CLASSIFIER, CLASSIFIER_EXPECTED_TO_FAIL


class TaggedKerasClassifier(KerasClassifier):
    """SciKeras' classifier, whose tags say that it is one."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier"
        tags.classifier_tags = ClassifierTags(multi_label=True)
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags


class TableKerasClassifier(RowsAsImagesMixin, TaggedKerasClassifier):
    """The same on rows of tables."""


def results(estimator):
    """Return what became of each check: "passed", "skipped" or the error."""
    outcome = {}
    for checked, check in estimator_checks_generator(estimator):
        name = check.func.__name__
        for value in check.keywords.values():
            if value is True or isinstance(value, str):
                name += f" ({value if isinstance(value, str) else 'memory map'})"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                check(checked)
            outcome[name] = "passed"
        except SkipTest:
            outcome[name] = "skipped"
        except Exception as error:  # whatever a check raises is its result
            outcome[name] = f"{type(error).__name__}: {error}"
        print(name, outcome[name][:80].replace("\n", " "), file=sys.stderr, flush=True)
    return outcome


def shown(result):
    """Return a result as a cell of the table."""
    if result in ("passed", "skipped", "-"):
        return result
    text = " ".join(result.split()).replace("|", "\\|")
    return f"**failed**: {text[:100]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out")
    options = parser.parse_args()

    peer = TableKerasClassifier(
        build_for_scikeras,
        model__filters=(8,),
        model__dropout=0.0,
        loss="binary_crossentropy",
        optimizer="adam",
        optimizer__learning_rate=0.1,
        epochs=5,
        batch_size=64,
        verbose=0,
        random_state=0,
    )
    ours, theirs = results(CLASSIFIER), results(peer)
    counts = [
        (
            who,
            len(outcome),
            sum(result == "passed" for result in outcome.values()),
            sum(result == "skipped" for result in outcome.values()),
            sum(result not in ("passed", "skipped") for result in outcome.values()),
        )
        for who, outcome in [("MultiLabelImageClassifier", ours), ("KerasClassifier", theirs)]
    ]
    names = [*ours, *(name for name in theirs if name not in ours)]
    rows = []
    for name in names:
        mine, other = ours.get(name, "-"), theirs.get(name, "-")
        if mine == other == "passed":
            continue
        if mine not in ("passed", "skipped", "-"):
            reason = CLASSIFIER_EXPECTED_TO_FAIL.get(name, "NOT EXPECTED")
            mine = f"expected to fail: {reason}"
        rows.append((f"`{name}`", mine, shown(other)))
    _report.write(
        options.out,
        "# scikit-learn's checks",
        "Without the adapter scikit-learn runs a single check on an estimator of images. Through "
        "it, each of these checks trains on tables whose rows have become images of one pixel with "
        "a channel a column. What the adapter does not do is validate: what is no finite table of "
        "numbers goes to the estimator as it came.",
        _report.table(("estimator", "checks run", "passed", "skipped", "failed"), counts),
        "All checks that did not pass on both:",
        _report.table(("check", "MultiLabelImageClassifier", "KerasClassifier"), rows),
    )


if __name__ == "__main__":
    main()
