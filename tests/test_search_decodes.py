"""A search decodes only what it trains on: thresholds cost no image more."""

import time

import numpy as np
import pytest
from PIL import Image
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit
from sklearn.pipeline import Pipeline

from skposter import ImageLoader
from skposter.images import _decoding


@pytest.fixture(scope="module")
def data(colour_images, tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    X, y = (values[:80] for values in colour_images)
    for i, pixels in enumerate(X):
        Image.fromarray(pixels).save(folder / f"{i}.png")
    time.sleep(0.05)  # a file that was written just now is not kept: it may be written again
    return [str(folder / f"{i}.png") for i in range(len(X))], y


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(
    ("cv", "validation_fraction"),
    [(KFold(2), 0.0), (ShuffleSplit(1, test_size=10, random_state=0), 0.2)],
)
def test_twenty_thresholds_decode_no_more_than_one(
    data, tiny_classifier, tmp_path, monkeypatch, lazy, cv, validation_fraction
):
    decodes = []

    def counting(source, options):
        decodes.append(source)
        return original(source, options)

    original = _decoding.load_pixels
    monkeypatch.setattr(_decoding, "load_pixels", counting)
    paths, y = data
    counts, best = [], []
    for n_thresholds in (1, 20):
        ImageLoader().clear_cache()  # of this process
        del decodes[:]
        classifier = tiny_classifier(
            epochs=1,
            memory=str(tmp_path / str(n_thresholds)),
            validation_fraction=validation_fraction,
        )
        pipe = Pipeline([("loader", ImageLoader(size=(16, 16), lazy=lazy)), ("clf", classifier)])
        grid = {"clf__threshold": np.linspace(0.3, 0.7, n_thresholds)}
        search = GridSearchCV(pipe, grid, cv=cv, scoring="f1_micro").fit(paths, y)
        counts.append(len(decodes))
        best.append(search.cv_results_["mean_test_score"][0])
    assert counts[1] <= counts[0]
    assert best[0] == best[1]  # of the same threshold
    if not lazy:
        assert counts == [len(paths)] * 2
