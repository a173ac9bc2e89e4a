"""Training that was killed goes on where it was, to the same result; a stale file never counts."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from platforms import needs_kill
from sklearn.model_selection import GridSearchCV

import skposter
from skposter._training.checkpoints import Checkpoint, Progressed
from skposter.memory import clear_memory, list_memory
from skposter.networks import SmallCNN

TRAIN = """
import sys
import numpy as np
from skposter import MultiLabelImageClassifier
from skposter.networks import SmallCNN
folder = sys.argv[1]
data = np.load(folder + "/data.npz")
classifier = MultiLabelImageClassifier(
    SmallCNN(filters=(8,)), epochs=400, learning_rate=0.003, early_stopping=True,
    n_iter_no_change=400, random_state=0, memory=folder + "/memory", batch_size=16,
)
print("ready", flush=True)
classifier.fit(data["X"], data["y"])
"""


def checkpoints(memory):
    """Return the names of the files that a memory holds of trainings under way."""
    folder = os.path.join(memory, "skposter-checkpoints")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return sorted(name for name in names if name.endswith(".checkpoint"))


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

    # After each epoch, however quick the training is.
    monkeypatch.setattr("skposter._training.checkpoints._SHARE_FOR_WRITING", float("inf"))
    original = Checkpoint.write
    return killed_after


def killed_after_an_epoch(classifier, X, y, killed_after):
    """Fit, and "die" when the second epoch has ended."""
    written = killed_after(1)
    with pytest.raises(KilledError):
        classifier.fit(X, y)
    assert written == [1]


@pytest.mark.parametrize(
    "params",
    [
        {
            "network": SmallCNN(filters=(8,), dropout=0.5),
            "augmentation": "light",
            "learning_rate_schedule": "cosine",
        },
        {"optimizer": "sgd", "pos_weight": "balanced"},
        {"early_stopping": True, "n_iter_no_change": 4, "learning_rate": 0.3, "epochs": 30},
    ],
)
def test_goes_on_to_the_same_result(params, tiny_classifier, colour_images, tmp_path, killed_after):
    params = {"epochs": 5, **params}
    X, y = colour_images
    whole = tiny_classifier(**params).fit(X, y)
    memory = str(tmp_path / "memory")
    classifier = tiny_classifier(**params, memory=memory)
    epochs = []
    for n_writes in (2, 1):
        written = killed_after(n_writes)
        with pytest.raises(KilledError):
            classifier.fit(X, y)
        epochs += written
        assert len(checkpoints(memory)) == 1
    written = killed_after(1000)
    classifier.fit(X, y)
    assert epochs + written == list(range(1, whole.n_iter_ + 1))  # no epoch is trained twice
    assert classifier.history_ == whole.history_
    assert classifier.n_iter_ == whole.n_iter_
    np.testing.assert_array_equal(classifier.predict_proba(X), whole.predict_proba(X))
    if "early_stopping" in params:
        assert whole.n_iter_ < 30

    again = killed_after(0)  # what is finished is not trained again
    repeated = tiny_classifier(**params, memory=memory).fit(X, y)
    assert again == []
    assert checkpoints(memory) == []  # the result has taken its place
    assert repeated.history_ == whole.history_
    np.testing.assert_array_equal(repeated.predict_proba(X), whole.predict_proba(X))


def test_other_trainings_have_other_checkpoints(
    tiny_classifier, colour_images, tmp_path, killed_after
):
    X, y = colour_images
    other_images, other_labels = X.copy(), y.copy()
    other_images[0, 0, 0] ^= 1
    other_labels[0] ^= 1
    trainings = [
        ({}, X, y),
        ({"random_state": 1}, X, y),
        ({"epochs": 3}, X, y),
        ({"learning_rate": 0.01}, X, y),
        ({}, other_images, y),
        ({}, X, other_labels),
        ({"pos_weight": [1, 1, 2]}, X, y),
    ]
    for n, (params, images, labels) in enumerate(trainings, 1):
        params = {"epochs": 2, **params, "memory": str(tmp_path)}
        killed_after_an_epoch(tiny_classifier(**params), images, labels, killed_after)
        assert len(checkpoints(tmp_path)) == n
    # What says the same, or acts at prediction only, goes on.
    params = {"epochs": 2, "threshold": 0.3, "batch_size": 32, "memory": str(tmp_path)}
    written = killed_after(1000)
    tiny_classifier(**params).fit(X, y)
    assert written == [2]
    assert len(checkpoints(tmp_path)) == len(trainings) - 1


def test_a_damaged_checkpoint_is_told_and_not_used(
    tiny_classifier, colour_images, tmp_path, killed_after
):
    X, y = colour_images
    expected = tiny_classifier(epochs=2).fit(X, y).predict_proba(X)
    for damage in (flipped_in_the_middle, lambda data: b"", lambda data: bytes(100)):
        with tempfile.TemporaryDirectory(dir=tmp_path) as memory:
            classifier = tiny_classifier(epochs=2, memory=memory)
            killed_after_an_epoch(classifier, X, y, killed_after)
            (name,) = checkpoints(memory)
            path = Path(memory, "skposter-checkpoints", name)
            path.write_bytes(damage(path.read_bytes()))
            written = killed_after(1000)
            with pytest.warns(UserWarning, match="cannot be used .*training begins anew") as caught:
                classifier.fit(X, y)
            assert caught[0].filename == __file__
            assert written == [1, 2]
            np.testing.assert_array_equal(classifier.predict_proba(X), expected)


def flipped_in_the_middle(data):
    data = bytearray(data)
    data[len(data) // 2] ^= 1
    return bytes(data)


def test_ctrl_c_loses_no_epoch_either(tiny_classifier, colour_images, tmp_path, monkeypatch):
    X, y = colour_images
    memory = str(tmp_path / "memory")
    whole = tiny_classifier(epochs=4).fit(X, y)
    write = Checkpoint.write

    def pressed_in_the_third_epoch(self, progressed):
        if progressed.epochs == 3:
            raise KeyboardInterrupt
        write(self, progressed)

    monkeypatch.setattr("skposter._training.checkpoints._SHARE_FOR_WRITING", float("inf"))
    monkeypatch.setattr(Checkpoint, "write", pressed_in_the_third_epoch)
    classifier = tiny_classifier(epochs=4, memory=memory)
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(X, y)
    assert len(checkpoints(memory)) == 1
    assert (list_memory(memory)["kind"] == "network").sum() == 0
    epochs = []
    monkeypatch.setattr(Checkpoint, "write", lambda self, at: epochs.append(at.epochs))
    classifier.fit(X, y)
    assert epochs == [3, 4]
    assert classifier.history_ == whole.history_
    np.testing.assert_array_equal(classifier.predict_proba(X), whole.predict_proba(X))


def test_cleared_memory_holds_no_checkpoints(
    tiny_classifier, colour_images, tmp_path, killed_after
):
    memory = str(tmp_path / "memory")
    classifier = tiny_classifier(epochs=2, memory=memory)
    killed_after_an_epoch(classifier, *colour_images, killed_after)
    others = Path(memory, "skposter-checkpoints", "notes.txt")
    others.write_text("mine")
    clear_memory(memory)
    assert os.listdir(others.parent) == ["notes.txt"]


def test_callbacks_are_trained_without_checkpoints(tiny_classifier, colour_images, tmp_path):
    from skposter._keras.tensorflow import keras

    memory = str(tmp_path / "memory")
    classifier = tiny_classifier(epochs=1, callbacks=[keras.callbacks.Callback()], memory=memory)
    classifier.fit(*colour_images)  # without a warning, which would be an error here
    assert checkpoints(memory) == []
    assert len(list_memory(memory)) == 0


def test_large_networks_are_not_written_after_each_epoch(
    tiny_classifier, colour_images, tmp_path, monkeypatch
):
    now, epochs = [0.0], []

    def write(self, progressed):
        epochs.append(progressed.epochs)
        now[0] += 0.9

    class Clock:
        """An epoch takes a second, as it is asked once in each."""

        @staticmethod
        def monotonic():
            now[0] += 1.0
            return now[0]

    monkeypatch.setattr("skposter._training.checkpoints.time", Clock)
    monkeypatch.setattr(Checkpoint, "write", write)
    tiny_classifier(epochs=24, memory=str(tmp_path)).fit(*colour_images)
    # Writing takes 1.9 seconds there, a tenth of 19 of training.
    assert epochs == [1, 20]


def test_a_search_with_memory_goes_on(tiny_classifier, colour_images, tmp_path, killed_after):
    X, y = colour_images
    classifier = tiny_classifier(epochs=2, memory=str(tmp_path / "memory"))
    grid = {"network__filters": [(4,), (8,)], "threshold": [0.4, 0.5]}
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


class Lost(Checkpoint):
    """Whose folder becomes a file after one epoch."""

    def write(self, progressed):
        super().write(progressed)
        folder = os.path.dirname(self.path)
        if os.path.isdir(folder):
            shutil.rmtree(folder)
            Path(folder).touch()


def test_a_training_outlives_the_folder_of_its_checkpoints(
    tiny_classifier, colour_images, tmp_path, monkeypatch
):
    monkeypatch.setattr("skposter._training.checkpoints._SHARE_FOR_WRITING", float("inf"))
    monkeypatch.setattr("skposter._training.keras_fit.Checkpoint", Lost)
    expected = tiny_classifier(epochs=4).fit(*colour_images).predict_proba(colour_images[0])
    for name in ("lost", "a file from the beginning"):
        folder = tmp_path / name / "skposter-checkpoints"
        if name != "lost":
            folder.parent.mkdir()
            folder.touch()
        classifier = tiny_classifier(epochs=4, memory=str(tmp_path / name))
        with pytest.warns(UserWarning, match="The checkpoint .*skposter-checkpoints.* cannot be"):
            classifier.fit(*colour_images)
        np.testing.assert_array_equal(classifier.predict_proba(colour_images[0]), expected)
        assert folder.is_file()


def test_arrays_of_a_checkpoint_have_numbers_and_no_order(tmp_path):
    variables = [np.full(2, i, np.float32) for i in range(12)]  # as text, 10 comes before 2
    written = Progressed(variables, [np.float32(1)], {"loss": [0.5]}, best_weights=variables[::-1])
    Checkpoint(tmp_path / "new" / "folder", "digest").write(written)
    read = Checkpoint(tmp_path / "new" / "folder", "digest").read()
    assert [array.tolist() for array in read.variables] == [array.tolist() for array in variables]
    assert read.best_weights[0].tolist() == [11, 11]
    assert read.epochs == 1
    assert Checkpoint(tmp_path, "another").read() is None


@needs_kill
def test_killed_for_real_nothing_is_lost_or_torn(tmp_path, colour_images):
    np.savez(tmp_path / "data.npz", X=colour_images[0], y=colour_images[1])
    memory = tmp_path / "memory"
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(TRAIN), tmp_path], stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"ready\n"
    while not checkpoints(memory):
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(np.random.default_rng().uniform(0, 0.5))
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    (name,) = checkpoints(memory)
    checkpoint = Checkpoint(memory / "skposter-checkpoints", name.removesuffix(".checkpoint"))
    progressed = checkpoint.read()  # a warning, which is an error here, if it were torn
    assert isinstance(progressed, Progressed)
    assert 1 <= progressed.epochs <= 400
    before = progressed.epochs
    # Here the same training goes on; that it ends alike is shown above, without a clock.
    classifier = skposter.MultiLabelImageClassifier(
        SmallCNN(filters=(8,)),
        epochs=400,
        learning_rate=0.003,
        early_stopping=True,
        n_iter_no_change=400,
        random_state=0,
        memory=str(memory),
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
    assert checkpoints(memory) == [name]
