"""Training that was killed goes on where it was, to the same result; a stale file never counts."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

import skposter
from skposter._files.durable import write_durably
from skposter._training.checkpoints import Checkpoint, Progressed

TRAIN = """
import sys
import numpy as np
from skposter import MultiLabelImageClassifier
folder = sys.argv[1]
data = np.load(folder + "/data.npz")
classifier = MultiLabelImageClassifier(
    filters=(8,), epochs=400, learning_rate=0.003, early_stopping=True, n_iter_no_change=400,
    random_state=0, checkpoint_dir=folder + "/checkpoints", batch_size=16,
)
print("ready", flush=True)
classifier.fit(data["X"], data["y"])
"""


def checkpoints(folder):
    return sorted(name for name in os.listdir(folder) if name.endswith(".checkpoint"))


class KilledError(BaseException):
    """In place of a kill: nothing catches it."""


@pytest.fixture
def killed_after(monkeypatch):
    """A function that makes the process "die" after so many checkpoints were written."""

    def killed_after(n_writes):
        written = []

        def write(self, progressed):
            if len(written) == n_writes:
                raise KilledError
            written.append(progressed.epochs)
            original(self, progressed)

        monkeypatch.setattr(Checkpoint, "write", write)
        return written

    original = Checkpoint.write
    return killed_after


@pytest.mark.parametrize(
    "params",
    [
        {"dropout": 0.5, "augmentation": "light", "learning_rate_schedule": "cosine"},
        {"mixup": 0.2, "optimizer": "sgd", "class_weight": "balanced"},
        {"early_stopping": True, "n_iter_no_change": 4, "learning_rate": 0.3, "epochs": 30},
    ],
)
def test_goes_on_to_the_same_result(params, tiny_classifier, colour_images, tmp_path, killed_after):
    params = {"epochs": 5, **params}
    X, y = colour_images
    whole = tiny_classifier(**params).fit(X, y)
    classifier = tiny_classifier(**params, checkpoint_dir=tmp_path / "checkpoints")
    epochs = []
    for n_writes in (2, 1):
        written = killed_after(n_writes)
        with pytest.raises(KilledError):
            classifier.fit(X, y)
        epochs += written
    written = killed_after(1000)
    classifier.fit(X, y)
    assert epochs + written == list(range(1, whole.n_iter_ + 1))  # no epoch is trained twice
    assert classifier.history_ == whole.history_
    assert classifier.n_iter_ == whole.n_iter_
    np.testing.assert_array_equal(classifier.predict_proba(X), whole.predict_proba(X))
    if "early_stopping" in params:
        assert whole.n_iter_ < 30

    again = killed_after(0)  # what is finished is not trained again
    repeated = tiny_classifier(**params, checkpoint_dir=tmp_path / "checkpoints").fit(X, y)
    assert again == []
    assert repeated.history_ == whole.history_
    np.testing.assert_array_equal(repeated.predict_proba(X), whole.predict_proba(X))


def test_other_trainings_have_other_checkpoints(tiny_classifier, colour_images, tmp_path):
    X, y = colour_images
    other_images, other_labels = X.copy(), y.copy()
    other_images[0, 0, 0] ^= 1
    other_labels[0] ^= 1
    trainings = [
        ({}, X, y),
        ({"random_state": 1}, X, y),
        ({"epochs": 2}, X, y),
        ({"learning_rate": 0.01}, X, y),
        ({}, other_images, y),
        ({}, X, other_labels),
        ({"class_weight": [1, 1, 2]}, X, y),
    ]
    for n, (params, images, labels) in enumerate(trainings, 1):
        params = {"epochs": 1, **params, "checkpoint_dir": tmp_path}
        tiny_classifier(**params).fit(images, labels)
        assert len(checkpoints(tmp_path)) == n
    tiny_classifier(epochs=1, threshold=0.3, batch_size=32, checkpoint_dir=tmp_path).fit(X, y)
    assert len(checkpoints(tmp_path)) == len(trainings)


def test_a_damaged_checkpoint_is_told_and_not_used(tiny_classifier, colour_images, tmp_path):
    X, y = colour_images
    classifier = tiny_classifier(epochs=2, checkpoint_dir=tmp_path)
    expected = classifier.fit(X, y).predict_proba(X)
    (name,) = checkpoints(tmp_path)
    data = bytearray((tmp_path / name).read_bytes())
    data[len(data) // 2] ^= 1
    for damaged in (bytes(data), b"", bytes(100)):
        (tmp_path / name).write_bytes(damaged)
        with pytest.warns(UserWarning, match="cannot be used .*training begins anew"):
            classifier.fit(X, y)
        np.testing.assert_array_equal(classifier.predict_proba(X), expected)


def test_what_cannot_be_found_again_is_told(tiny_classifier, colour_images, tmp_path):
    classifier = tiny_classifier(epochs=1, random_state=None, checkpoint_dir=tmp_path)
    with pytest.warns(UserWarning, match="checkpoint_dir finds nothing again without a random"):
        classifier.fit(*colour_images)
    from skposter._keras.tensorflow import keras

    classifier = tiny_classifier(
        epochs=1, callbacks=[keras.callbacks.Callback()], checkpoint_dir=tmp_path / "unused"
    )
    with pytest.warns(UserWarning, match="checkpoint_dir is not used"):
        classifier.fit(*colour_images)
    assert not (tmp_path / "unused").exists()


def test_a_search_with_memory_goes_on(tiny_classifier, colour_images, tmp_path, killed_after):
    X, y = colour_images
    classifier = tiny_classifier(
        epochs=2, memory=str(tmp_path / "memory"), checkpoint_dir=tmp_path / "checkpoints"
    )
    grid = {"filters": [(4,), (8,)], "threshold": [0.4, 0.5]}
    before = killed_after(5)
    with pytest.raises(KilledError):
        GridSearchCV(classifier, grid, cv=2).fit(X, y)
    after = killed_after(1000)
    search = GridSearchCV(classifier, grid, cv=2).fit(X, y)
    assert len(before) + len(after) == 2 * 5  # epochs of five trainings, none twice
    plain = GridSearchCV(tiny_classifier(epochs=2), grid, cv=2).fit(X, y)
    for name in ("mean_test_score", "split0_test_score"):
        np.testing.assert_array_equal(search.cv_results_[name], plain.cv_results_[name])
    np.testing.assert_array_equal(search.predict_proba(X), plain.predict_proba(X))


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "file"
    write_durably(path, lambda file: file.write(b"first"))
    path.chmod(0o640)

    def half(file):
        file.write(b"sec")
        raise KilledError

    with pytest.raises(KilledError):
        write_durably(path, half)
    assert path.read_bytes() == b"first"
    write_durably(path, lambda file: file.write(b"second"))
    assert path.read_bytes() == b"second"
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["file"]


def test_what_killed_processes_left_is_removed(tmp_path):
    old, new = tmp_path / ".file.0.partial", tmp_path / ".file.1.partial"
    for left in (old, new):
        left.touch()
    os.utime(old, (0, 0))
    write_durably(tmp_path / "file", lambda file: None)
    assert sorted(os.listdir(tmp_path)) == [".file.1.partial", "file"]


def test_killed_for_real_nothing_is_lost_or_torn(tmp_path, colour_images):
    np.savez(tmp_path / "data.npz", X=colour_images[0], y=colour_images[1])
    folder = tmp_path / "checkpoints"
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(TRAIN), tmp_path], stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"ready\n"
    while not (folder.exists() and checkpoints(folder)):
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(np.random.default_rng().uniform(0, 0.5))
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    (name,) = checkpoints(folder)
    checkpoint = Checkpoint(folder, name.removesuffix(".checkpoint"))
    progressed = checkpoint.read()  # a warning, which is an error here, if it were torn
    assert isinstance(progressed, Progressed)
    assert 1 <= progressed.epochs <= 400
    before = progressed.epochs
    # Here the same training goes on; that it ends alike is shown above, without a clock.
    classifier = skposter.MultiLabelImageClassifier(
        filters=(8,),
        epochs=400,
        learning_rate=0.003,
        early_stopping=True,
        n_iter_no_change=400,
        random_state=0,
        checkpoint_dir=folder,
        batch_size=16,
    )
    epochs = []
    original = Checkpoint.write

    def write(self, progressed):
        epochs.append(progressed.epochs)
        original(self, progressed)
        raise KilledError

    Checkpoint.write = write
    try:
        with pytest.raises(KilledError):
            classifier.fit(*colour_images)
    finally:
        Checkpoint.write = original
    assert epochs == [before + 1]
    assert checkpoints(folder) == [name]
