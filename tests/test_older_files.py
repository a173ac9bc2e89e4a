"""Files of the first round's code: each says in one sentence that it is of another version.

``tests/older`` was written by the code before packages had their places: a pipeline of a loader and
a classifier for images of 16 x 16 pixels, its classifier, thresholds around that, and a classifier
that was not fitted.
"""

from pathlib import Path

import joblib
import pytest

import skposter
from skposter.commands._main import main
from skposter.exceptions import ArtifactError

OLDER = Path(__file__).parent / "older"
JOBLIB = {
    "pipeline": "skposter.image_loader",
    "classifier": "skposter._keras.ImageKerasClassifier",
    "fixed": "skposter.threshold_classifiers",
}


@pytest.mark.parametrize("name", JOBLIB)
def test_a_joblib_file_of_another_version_says_so(name, capsys):
    path = OLDER / f"{name}.joblib"
    message = f"There is no {JOBLIB[name]} in skposter .* the format of another version: load it"
    with pytest.raises(ModuleNotFoundError, match=message):
        joblib.load(path)
    for command in (["predict", str(path), str(path)], ["card", str(path)]):
        assert main(command) == 2
        err = capsys.readouterr().err
        assert (err.count("\n"), err.count("another version")) == (1, 1)
        assert str(path) in err


def test_an_artifact_of_another_version_says_so(capsys):
    path = OLDER / "pipeline.skposter"
    for read in (skposter.load, skposter.persistence.read_card):
        with pytest.raises(ArtifactError, match="has format version 1, which an older skposter"):
            read(path)
    assert main(["predict", str(path), str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_module_that_is_not_there_is_still_an_import_error():
    with pytest.raises(ImportError, match=r"no skposter\.nothing in skposter") as caught:
        import skposter.nothing  # noqa: F401
    assert caught.value.name == "skposter.nothing"
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        from skposter import nothing  # noqa: F401
    with pytest.raises(ModuleNotFoundError, match="No module named 'skposted'"):
        import skposted  # noqa: F401
