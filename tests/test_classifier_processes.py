"""What only a fresh process shows: memory, noise and forks."""

import json
import os
import sys

import numpy as np
import pytest

# Thirty fits of one architecture, then other things that TensorFlow or Keras like to talk about,
# then a memory map. Prints one line of JSON and nothing else.
MEMORY_AND_NOISE = """
import json, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from conftest import TINY, make_colour_images
from skposter import MultiLabelImageClassifier
from skposter.networks import SmallCNN

def resident():
    with open("/proc/self/status") as status:
        lines = dict(line.split(":", 1) for line in status)
    return int(lines["RssAnon"].split()[0]) / 1024

X, y = make_colour_images()

def fit(**params):
    params = {"network": SmallCNN(filters=(8,)), **TINY, "epochs": 1, **params}
    return MultiLabelImageClassifier(**params).fit(X, y)

fit()  # starts TensorFlow, which would talk if Keras were imported first

import keras

traces = 0

@keras.saving.register_keras_serializable(package="test")
class CountingTraces(keras.layers.Layer):
    # Python runs this when the training step is traced, not when it is used.
    def call(self, inputs, training=None):
        global traces
        traces += training is True
        return inputs

def network(meta):
    return keras.Sequential([
        keras.Input(meta["input_shape"], dtype="uint8"),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(4, 3),
        CountingTraces(),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(meta["n_labels"], activation="sigmoid"),
    ])

fit(network=network).predict(X)
traces_of_the_first = traces
for seed in range(4):
    params = {"random_state": seed, "learning_rate": 0.01 * (1 + seed)}
    fit(network=network, **params).partial_fit(X[:50], y[:50])
traces_of_the_others = traces - traces_of_the_first

sizes = []
for seed in range(30):
    fitted = fit(random_state=seed, learning_rate=0.01 * (1 + seed), threshold=0.3)
    fitted.predict(X)
    sizes.append(resident())

for filters in [(2,), (3,), (4,), (5,), (6,), (7,)]:  # TensorFlow warns from the fifth on
    fit(network=SmallCNN(filters=filters))
fitted.partial_fit(X[:5], y[:5])
fitted.predict(X[:1])
fit(early_stopping=True, pos_weight="balanced")

images = np.load(sys.argv[2], mmap_mode="r")
labels = np.tile([[0, 1], [1, 0], [1, 1]], (len(images) // 3, 1))
weight = np.linspace(0.5, 1.5, len(images))
small = MultiLabelImageClassifier(SmallCNN(filters=(2,)), **{**TINY, "epochs": 1})
small.fit(images[:60], labels[:60], weight[:60])
before, steps = resident(), []
small.fit(images, labels)
steps.append(resident() - before)
small.fit(images, labels, weight)
steps.append(resident() - before)
small.predict_proba(images)
steps.append(resident() - before)
print(json.dumps({
    "traces": [traces_of_the_first, traces_of_the_others],
    "growth": sizes[-1] - sizes[0],
    "memmap": steps,
}))
"""


@pytest.fixture(scope="module")
def fresh_process(tmp_path_factory, request):
    """What a fresh process reports of itself, and what it printed besides."""
    import subprocess

    images = np.random.default_rng(0).integers(0, 255, size=(2400, 160, 160, 3), dtype=np.uint8)
    path = tmp_path_factory.mktemp("images") / "X.npy"
    np.save(path, images)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    done = subprocess.run(
        [sys.executable, "-c", MEMORY_AND_NOISE, os.path.dirname(__file__), str(path)],
        capture_output=True,
        text=True,
        timeout=600,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    return json.loads(lines[-1]), lines[:-1], done.stderr


needs_proc = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="memory is read from /proc"
)


@needs_proc
def test_an_architecture_is_traced_once(fresh_process):
    report, _, _ = fresh_process
    first, others = report["traces"]
    assert first == 1
    assert others == 0


@needs_proc
def test_thirty_fits_of_one_architecture_need_the_memory_of_one(fresh_process):
    assert fresh_process[0]["growth"] < 30  # MB; 4 MB a fit in plain Keras


@needs_proc
def test_a_memory_map_is_never_copied(fresh_process):
    # 184 MB of images, which Keras and SciKeras would copy twice. Up to 75 MB are seen for the
    # batches and the freed memory that is kept, however many images there are.
    assert max(fresh_process[0]["memmap"]) < 128


@needs_proc
def test_nothing_is_printed(fresh_process):
    _, printed, errors = fresh_process
    assert printed == []
    assert errors == ""


FORKED = """
import multiprocessing, sys
sys.path.insert(0, sys.argv[1])
from conftest import TINY, make_colour_images
from skposter import MultiLabelImageClassifier

X, y = make_colour_images(n_samples=40)

def in_child(queue):
    try:
        MultiLabelImageClassifier(**TINY).fit(X, y)
        queue.put("fitted")
    except RuntimeError as error:
        queue.put(str(error))

def fit_in_a_fork():
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=in_child, args=(queue,))
    child.start()
    try:
        print(queue.get(timeout=60))
    finally:
        child.kill()

import tensorflow as tf
tf.constant(1.0) + 1  # somebody else uses TensorFlow, before this library does
fit_in_a_fork()
MultiLabelImageClassifier(**{**TINY, "epochs": 1}).fit(X, y)
fit_in_a_fork()
"""


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork here")
def test_a_fork_after_tensorflow_was_used_fails_at_once(run_python):
    import os

    printed = run_python(FORKED, os.path.dirname(__file__)).stdout.splitlines()
    assert len(printed) == 2
    for line in printed:
        assert line.startswith("TensorFlow was used before this process was forked")
        assert '"loky"' in line


@needs_proc
@pytest.mark.parametrize("first", ["skposter._keras.tensorflow", "tensorflow"])
def test_freed_memory_is_used_again(run_python, first):
    """TensorFlow's data sets make glibc hand it back, and what comes next is on new pages."""
    done = run_python(
        """
        import importlib, resource, sys
        importlib.import_module(sys.argv[2])
        sys.path.insert(0, sys.argv[1])
        import numpy as np
        from conftest import TINY, make_colour_images
        from skposter import MultiLabelImageClassifier

        MultiLabelImageClassifier(**{**TINY, "epochs": 1}).fit(*make_colour_images())
        np.ones(2**18)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(50):
            np.ones(2**18)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
        """,
        os.path.dirname(__file__),
        first,
    )
    pages = 2**18 * 8 / os.sysconf("SC_PAGE_SIZE")
    assert int(done.stdout) < 5 * pages  # of 50 arrays
