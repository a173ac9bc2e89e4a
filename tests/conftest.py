"""Shared fixtures: small real images, and classifiers trained on them once.

What a fixture returns is shared: never refit a fitted classifier or write into its arrays; use
``clone``, ``copy.deepcopy`` or `tiny_classifier` for one of your own. All small networks here have
the same architecture, so that they share one traced network.
"""

import os
import signal
import subprocess
import sys
import textwrap

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from browser_pages import browser, opened  # noqa: F401, fixtures
from hypothesis import settings

mpl.use("Agg")

# The same examples in each run. To look for others: --hypothesis-profile=exploring
settings.register_profile("exploring")
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")

# Programs for type checkers, one of them wrong on purpose.
collect_ignore = ["typing"]


# A shell that starts the tests in the background lets them ignore Ctrl-C, which some tests press.
signal.signal(signal.SIGINT, signal.default_int_handler)

TINY = {
    "augmentation": "none",
    "learning_rate": 0.03,
    "learning_rate_schedule": "constant",
    "correct_intercepts": False,
    "epochs": 12,
    "random_state": 0,
}


def make_colour_images(n_samples=120, n_labels=3, *, size=(16, 16), seed=0):
    """Return noisy uint8 images and 0/1 labels: label j brightens column band j of channel j."""
    rng = np.random.default_rng(seed)
    y = (rng.random((n_samples, n_labels)) < 0.5).astype(int)
    X = rng.integers(0, 60, size=(n_samples, *size, 3), dtype=np.uint8)
    bands = np.array_split(np.arange(size[1]), max(1, -(-n_labels // 3)))
    for j in range(n_labels):
        band = bands[j // 3]
        X[:, :, band[0] : band[-1] + 1, j % 3] += (150 * y[:, j]).astype(np.uint8)[:, None, None]
    return X, y


@pytest.fixture(scope="session")
def colour_images():
    """Images (120, 16, 16, 3) and labels (120, 3) that a tiny network learns; read-only."""
    X, y = make_colour_images()
    X.setflags(write=False)
    y.setflags(write=False)
    return X, y


@pytest.fixture(scope="session")
def colour_labels(colour_images):
    """The labels of `colour_images` as a DataFrame with names."""
    return pd.DataFrame(colour_images[1], columns=["red", "green", "blue"])


@pytest.fixture(scope="session")
def two_label_images():
    """Images (100, 16, 16, 3) and labels (100, 2); read-only."""
    X, y = make_colour_images(100, 2, seed=1)
    X.setflags(write=False)
    y.setflags(write=False)
    return X, y


@pytest.fixture(scope="session")
def tiny_classifier():
    """A function that returns an unfitted classifier which learns `colour_images` in a second."""
    from skposter import MultiLabelImageClassifier
    from skposter.networks import SmallCNN

    def make(**params):
        return MultiLabelImageClassifier(**{"network": SmallCNN(filters=(8,)), **TINY, **params})

    return make


@pytest.fixture(scope="session")
def fitted_classifier(tiny_classifier, colour_images, colour_labels):
    """A classifier fitted on `colour_images` with `colour_labels`. Do not refit."""
    return tiny_classifier().fit(colour_images[0], colour_labels)


@pytest.fixture(scope="session")
def mobilenet_weights(tmp_path_factory):
    """A file of weights of MobileNet 0.25, as Keras writes them, and the network that has them."""
    from live_weights import mobilenet_of

    model = mobilenet_of(0)
    path = tmp_path_factory.mktemp("weights") / "mobilenet.weights.h5"
    model.save_weights(path)
    return str(path), model


@pytest.fixture
def wide_progress_bars():
    """Room for long names in scikit-learn's progress bars, whatever the terminal is."""
    rich = pytest.importorskip("rich", reason="scikit-learn's progress bars are made with rich")
    # Its console is one for the process, and has the size that it began with.
    rich.reconfigure(width=200, height=50)
    yield
    rich.reconfigure()


@pytest.fixture
def hide_progress_bars(monkeypatch):
    """A function after which no other process finds the sockets of scikit-learn's progress bars."""
    reason = "scikit-learn has callbacks since 1.9, and needs rich for bars"
    progressbar = pytest.importorskip("sklearn.callback._progressbar", reason=reason)
    pytest.importorskip("rich", reason=reason)
    open_listener = progressbar.open_listener

    def hidden(*args, **kwargs):
        handle = open_listener(*args, **kwargs)
        os.rename(handle.address, f"{handle.address}-hidden")
        os.symlink("/nowhere", handle.address)  # for who removes it in the end
        return handle

    return lambda: monkeypatch.setattr(progressbar, "open_listener", hidden)


@pytest.fixture
def plt():
    """``matplotlib.pyplot``; its figures are closed in the end."""
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


@pytest.fixture
def run_python(tmp_path):
    """A function that runs a script in a fresh Python process and returns what it printed.

    TensorFlow takes seconds to import there, so check several things in one script.
    """

    def run(script, *args, timeout=600):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), *map(str, args)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run
