"""Warnings point at the line of the user's program, and are said once."""

import re
import subprocess
import sys
import textwrap

# Each line that should warn says in a comment as what, once for each time.
BEGINNING = """\
import sys
import warnings

warnings.simplefilter("ignore")
for category in (UserWarning, RuntimeWarning):
    warnings.simplefilter("always", category)


def show(message, category, filename, lineno, file=None, line=None):
    print(f"{filename}:{lineno}:{category.__name__}: {str(message).splitlines()[0]}")


warnings.showwarning = show

import numpy as np
import pandas as pd
from PIL import Image
from skposter import ImageLoader

rng = np.random.default_rng(0)
paths = [f"{i}.png" for i in range(24)]
for i, path in enumerate(paths):
    Image.fromarray(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(path)
paths[3], paths[9] = "nowhere.png", "neither.png"
y = pd.DataFrame(rng.integers(0, 2, (24, 2)), columns=["red", "green"])
unknown = y.astype(float)
unknown.iloc[0, 0] = np.nan
rare = y.assign(green=0)
rare.iloc[0, 1] = 1
"""


def warned(tmp_path, script):
    """Run a script; return what warned where, and where it says that something should."""
    file = tmp_path / "program.py"
    file.write_text(BEGINNING + textwrap.dedent(script), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(file)], cwd=tmp_path, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    found = re.findall(r"^(.*):(\d+):(\w+): (.*)$", done.stdout, re.M)
    lines = file.read_text(encoding="utf-8").splitlines()
    expected = [
        (i, name)
        for i, line in enumerate(lines, 1)
        for name in re.findall(r"\w+", line.partition("# warns: ")[2])
    ]
    assert all(name == str(file) for name, *_ in found), done.stdout
    return [(int(line), category) for _, line, category, _ in found], expected, done.stdout


def test_those_of_images_labels_splits_and_scores(tmp_path):
    found, expected, output = warned(
        tmp_path,
        """
        import errno

        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer
        from skposter.images import _cache
        from skposter.metrics import score_summary
        from skposter.model_selection import MultiLabelStratifiedKFold
        from skposter.model_selection import multilabel_train_test_split

        blank = ImageLoader(size=(16, 16), on_error="blank")
        blank.transform(paths)  # warns: ImageLoadWarning
        pipeline = make_pipeline(blank, FunctionTransformer())
        for threads in (1, 2):
            pipeline.set_params(imageloader__n_jobs=threads)
            pipeline.transform(paths)  # warns: ImageLoadWarning, ImageLoadWarning
        lazy = blank.set_params(lazy=True).transform(paths)  # decodes nothing yet
        np.asarray(lazy)  # warns: ImageLoadWarning
        np.asarray(lazy)
        again = blank.transform(paths)
        halves = [range(12), range(12, 24), range(12)]
        list(again.batches(halves))  # warns: ImageLoadWarning


        def full(*args):
            raise OSError(errno.ENOSPC, f"No space for {args[1]}")


        _cache.PixelCache._append_to = full
        kept = ImageLoader(size=(16, 16), cache_dir="pixels", lazy=True)
        np.asarray(kept.transform(paths[:3]))  # warns: RuntimeWarning
        np.asarray(kept.transform(paths[4:9]))

        score_summary(unknown, np.full((24, 2), 0.5))  # warns: UnknownLabelWarning
        list(MultiLabelStratifiedKFold(3).split(y, rare))  # warns: LabelWarning
        multilabel_train_test_split(paths, unknown)  # warns: UnknownLabelWarning
        """,
    )
    assert sorted(found) == sorted(expected), output


def test_those_of_trainings(tmp_path):
    found, expected, output = warned(
        tmp_path,
        """
        import keras
        from sklearn.model_selection import cross_val_predict
        from sklearn.pipeline import make_pipeline
        from skposter import MultiLabelImageClassifier
        from skposter.networks import SmallCNN


        def model(**params):
            return MultiLabelImageClassifier(
                SmallCNN(filters=(4,)), augmentation="none", epochs=2, batch_size=4,
                **{"random_state": 0, "validation_fraction": 0.0, **params},
            )


        blank = ImageLoader(size=(16, 16), on_error="blank", lazy=True)
        lazy = blank.transform(paths)
        fitted = model()
        fitted.fit(lazy, y)  # warns: ImageLoadWarning, ImageLoadWarning
        fitted.predict(lazy)
        anew = blank.transform(paths)
        fitted.predict(anew)  # warns: ImageLoadWarning, ImageLoadWarning
        pixels = np.zeros((24, 16, 16, 3), dtype=np.uint8)
        model().fit(pixels, rare)  # warns: LabelWarning
        model().fit(pixels, unknown)  # warns: UnknownLabelWarning
        schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate)
        model(callbacks=[schedule]).fit(pixels, y)  # warns: UserWarning
        model(memory="store", random_state=None).fit(pixels, y)  # warns: UserWarning
        open("a file", "w").close()
        model(memory="a file").fit(pixels, y)  # warns: UserWarning, UserWarning
        searched = make_pipeline(ImageLoader(size=(16, 16)), model())
        good = [path for path in paths if path[0] != "n"]
        cross_val_predict(searched, good, rare[2:], cv=2)  # warns: LabelWarning, LabelWarning
        """,
    )
    assert sorted(found) == sorted(expected), output
