"""What scikit-learn's callbacks are told of a fit, and that none of them ends a training."""

import os
import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skposter import (
    AveragingClassifier,
    BlendingClassifier,
    FixedThresholdsClassifier,
    ImageFeatures,
    ImageLoader,
    TunedThresholdsClassifierCV,
)
from skposter.distributed import forgiving

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks since 1.9")

HOOKS = ("setup", "on_fit_task_begin", "on_fit_task_end", "teardown")


class Recorder:
    """Notes what it is told; set on the outermost estimator, it is told of all in it."""

    max_propagation_depth = None

    def __init__(self, stop_after=None):
        self.events = []
        self._stop_after = stop_after

    def setup(self, estimator, context):
        self.events.append("setup")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(("begin", context.estimator_name, context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, *, X=None, y=None):
        self.events.append(("end", context.estimator_name, context.task_name, context.task_id))
        self.n_images = None if X is None else len(X)
        return context.task_name == "epoch" and context.task_id == self._stop_after

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def begun(self, estimator=None):
        """Return (task, number) of the tasks of an estimator in the order of their beginnings."""
        return [
            event[2:]
            for event in self.events
            if event[0] == "begin" and estimator in (None, event[1])
        ]


class Failing(Recorder):
    """Raises in one of its hooks, in all processes or in all others than this one."""

    def __init__(self, hook, elsewhere_only=False):
        super().__init__()
        self._hook = hook
        self._home = os.getpid() if elsewhere_only else None

    def _fail(self, hook):
        if hook == self._hook and os.getpid() != self._home:
            raise FileNotFoundError("no such socket")

    def setup(self, estimator, context):
        self._fail("setup")

    def on_fit_task_begin(self, estimator, context):
        super().on_fit_task_begin(estimator, context)
        self._fail("on_fit_task_begin")

    def on_fit_task_end(self, estimator, context):
        self._fail("on_fit_task_end")

    def teardown(self, estimator, context):
        self._fail("teardown")


@pytest.fixture
def rows():
    """Rows of a table and three labels, for classifiers that take a moment."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    return X, (X[:, :3] > 0).astype(int)


def neighbours(**params):
    return FixedThresholdsClassifier(KNeighborsClassifier(**params))


def searching(estimator, **params):
    grid = {"estimator__n_neighbors": [1, 5]}
    return GridSearchCV(
        estimator, grid, cv=KFold(2), scoring="f1_macro", error_score="raise", **params
    )


def test_the_epochs_are_tasks_of_a_fit(tiny_classifier, colour_images, capsys):
    recorder = Recorder()
    classifier = tiny_classifier(epochs=3).set_callbacks(recorder)
    classifier.fit(*colour_images)
    assert recorder.events[0] == "setup"
    assert recorder.events[-1] == "teardown"
    assert recorder.begun() == [("fit", 0), ("epoch", 0), ("epoch", 1), ("epoch", 2)]
    assert recorder.events[-2][0] == "end"
    assert recorder.events[-2][2] == "fit"
    assert recorder.n_images == 120
    recorder.events.clear()
    classifier.partial_fit(*colour_images)
    assert recorder.begun() == [("fit", 0), ("epoch", 0)]
    assert not capsys.readouterr().err


def test_who_listens_changes_nothing(tiny_classifier, colour_images):
    alone = tiny_classifier(epochs=2).fit(*colour_images)
    heard = tiny_classifier(epochs=2).set_callbacks(Recorder()).fit(*colour_images)
    assert heard.history_ == alone.history_
    X = colour_images[0]
    np.testing.assert_array_equal(heard.predict_proba(X), alone.predict_proba(X))


def test_both_phases_of_a_pretrained_network_are_counted(mobilenet_weights, colour_images):
    from skposter import MultiLabelImageClassifier
    from skposter.networks import Pretrained

    weights, _ = mobilenet_weights
    network = Pretrained(
        "mobilenet", weights=weights, head_epochs=2, builder_params={"alpha": 0.25}
    )
    recorder = Recorder()
    X, y = colour_images
    X = X.repeat(2, axis=1).repeat(2, axis=2)
    classifier = MultiLabelImageClassifier(network, epochs=1, random_state=0)
    classifier.set_callbacks(recorder).fit(X[:40], y[:40])
    assert [name for name, _ in recorder.begun()] == ["fit", "epoch", "epoch", "epoch"]


def test_a_callback_may_stop_the_training_and_the_memory_does_not_learn_of_it(
    tiny_classifier, colour_images, tmp_path
):
    classifier = tiny_classifier(epochs=4, memory=str(tmp_path))
    classifier.set_callbacks(Recorder(stop_after=1)).fit(*colour_images)
    assert classifier.n_iter_ == 2
    again = clone(classifier).set_callbacks().fit(*colour_images)
    assert again.n_iter_ == 4
    found = Recorder()
    clone(again).set_callbacks(found).fit(*colour_images)
    assert found.begun() == [("fit", 0)]  # nothing is trained twice


@pytest.mark.parametrize("hook", HOOKS)
def test_a_callback_that_fails_ends_no_training(tiny_classifier, colour_images, hook):
    failing, other = Failing(hook), Recorder()
    classifier = tiny_classifier(epochs=2).set_callbacks(failing, other)
    for _ in range(2):  # and the next fit tries again, as the reason may be gone
        other.events.clear()
        with pytest.warns(UserWarning, match=f"Failing failed in {hook}.*no such socket") as said:
            classifier.fit(*colour_images)
        assert len(said) == 1
        assert other.begun() == [("fit", 0), ("epoch", 0), ("epoch", 1)]
        assert other.events[-1] == "teardown"
    assert not hasattr(classifier, "_callback_fit_ctx")


def test_ctrl_c_in_a_callback_is_passed_on(tiny_classifier, colour_images):
    class Interrupting(Recorder):
        def on_fit_task_begin(self, estimator, context):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tiny_classifier(epochs=2).set_callbacks(Interrupting()).fit(*colour_images)


@pytest.mark.usefixtures("wide_progress_bars")
def test_a_progress_bar_shows_the_epochs(tiny_classifier, colour_images, capsys):
    classifier = tiny_classifier(epochs=2)
    classifier.set_callbacks(callback.ProgressBar()).fit(*colour_images)
    assert "TinyClassifier - fit" in capsys.readouterr().out.replace(
        type(classifier).__name__, "TinyClassifier"
    )
    classifier.set_callbacks().fit(*colour_images)
    assert capsys.readouterr().out == ""


def test_callbacks_stay_with_clones_and_pickles(tiny_classifier, fitted_classifier):
    recorder = Recorder()
    for estimator in (tiny_classifier(), ImageLoader(), ImageFeatures(), neighbours()):
        copy = clone(estimator.set_callbacks(recorder))
        assert copy._skl_callbacks[0].callback is recorder
        assert pickle.loads(pickle.dumps(copy))._skl_callbacks[0].callback.events == []
        assert not hasattr(copy.set_callbacks(), "_skl_callbacks")
        assert estimator._skl_callbacks[0].callback is recorder


def test_keras_callbacks_and_those_of_scikit_learn_are_told_apart(
    tiny_classifier, two_label_images
):
    import keras

    with pytest.raises(TypeError, match=r"EarlyStopping is a callback of Keras'.*parameter callb"):
        tiny_classifier().set_callbacks(keras.callbacks.EarlyStopping())
    with pytest.raises(TypeError, match="go to set_callbacks"):
        tiny_classifier(callbacks=[Recorder()]).fit(*two_label_images)
    with pytest.raises(TypeError, match="must be instances"):
        tiny_classifier().set_callbacks(Recorder)
    with pytest.raises(TypeError, match=r"the class Recorder; pass Recorder\(\)"):
        forgiving(Recorder)
    with pytest.raises(TypeError, match="got 3, which has no setup"):
        forgiving(3)


def test_loader_and_features_are_steps_that_can_be_told(colour_images, rows):
    recorder = Recorder()
    pipe = make_pipeline(
        ImageLoader(size=(8, 8)), ImageFeatures(_Flat()), neighbours(n_neighbors=3)
    )
    recorder.max_propagation_depth = 1
    pipe.set_callbacks(recorder).fit(list(colour_images[0][:20]), colour_images[1][:20])
    assert recorder.begun("ImageLoader") == [("fit", 0)]
    assert recorder.begun("ImageFeatures") == [("fit", 1)]
    assert [name for name, _ in recorder.begun("FixedThresholdsClassifier")] == [
        "fit",
        "fit-classifier",
    ]
    assert recorder.events.count("setup") == recorder.events.count("teardown") == 1


class _Flat:
    def __call__(self, images):
        return images.reshape(len(images), -1) / 255


@pytest.mark.parametrize(
    ("estimator", "n_fits"),
    [
        (FixedThresholdsClassifier(neighbours()), 1),
        (TunedThresholdsClassifierCV(neighbours(), cv=3), 4),
        (AveragingClassifier(neighbours(), n_estimators=2), 2),
        (BlendingClassifier([("a", neighbours()), ("b", neighbours())], refit=True), 4),
    ],
    ids=["fixed", "tuned", "averaging", "blending"],
)
def test_each_training_within_another_estimator_is_a_task(estimator, n_fits, rows):
    recorder = Recorder()
    recorder.max_propagation_depth = 1  # not to scikit-learn's neighbours, which know no callbacks
    estimator.set_callbacks(recorder).fit(*rows)
    fits = [task for task in recorder.begun() if task[0] == "fit"]
    assert fits == [("fit", 0), *(("fit", i) for i in range(n_fits))]
    assert recorder.events.count("setup") == recorder.events.count("teardown") == 1


@pytest.mark.parametrize("backend", ["sequential", "threading", "loky"])
@pytest.mark.usefixtures("wide_progress_bars")
def test_a_search_with_a_progress_bar_scores_as_without(backend, rows, capsys):
    expected = searching(neighbours()).fit(*rows)
    search = searching(neighbours(), n_jobs=None if backend == "sequential" else 2)
    search.set_callbacks(callback.ProgressBar(max_propagation_depth=1))
    with joblib.parallel_config(backend):
        search.fit(*rows)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )
    shown = capsys.readouterr().out
    # Candidates and folds as levels of their own, told from whatever process.
    assert shown.count("candidate-split-evaluation | FixedThresholdsClassifier - fit") == 4


# scikit-learn gives workers the filters of this process, in which warnings are errors.
@pytest.mark.filterwarnings(r"ignore:The callback \w+ failed:UserWarning")
def test_a_search_goes_on_without_the_progress_bar_that_its_workers_cannot_reach(
    rows, hide_progress_bars
):
    expected = searching(neighbours()).fit(*rows)
    hide_progress_bars()
    bars = callback.ProgressBar(max_propagation_depth=0)
    search = searching(neighbours(), n_jobs=2)
    with pytest.raises(FileNotFoundError):  # or nothing would be shown here
        search.set_callbacks(bars).fit(*rows)
    for depth in (0, 1):  # what scikit-learn's own estimators tell, and what ours do
        bars = callback.ProgressBar(max_propagation_depth=depth)
        search.set_callbacks(forgiving(bars)).fit(*rows)
        np.testing.assert_array_equal(
            search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
        )


# scikit-learn gives workers the filters of this process, in which warnings are errors.
@pytest.mark.filterwarnings(r"ignore:The callback \w+ failed:UserWarning")
def test_our_estimators_forgive_callbacks_that_scikit_learn_hands_on(rows):
    failing = Failing("on_fit_task_begin", elsewhere_only=True)
    failing.max_propagation_depth = 1
    search = searching(neighbours(), n_jobs=2).set_callbacks(failing)
    search.fit(*rows)  # in worker processes, where it fails
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_forgiven_callback_gets_what_it_asks_for_and_keeps_what_it_collects(rows):
    recorder = Recorder()
    recorder.max_propagation_depth = 0
    search = searching(neighbours()).set_callbacks(forgiving(recorder)).fit(*rows)
    assert recorder.n_images == 60
    assert ("refit-with-best-params", 1) in recorder.begun("GridSearchCV")
    assert forgiving(search._skl_callbacks[0]) is search._skl_callbacks[0]
    assert isinstance(search._skl_callbacks[0], callback.AutoPropagatedCallback)


def test_workers_get_nothing_that_an_earlier_fit_has_learned(rows):
    classifier = AveragingClassifier(neighbours(), n_estimators=2, random_state=0).fit(*rows)
    classifier.set_callbacks(Recorder())
    task = pickle.loads(pickle.dumps(classifier.begin_fit(*rows)))
    assert not hasattr(task._estimator, "estimators_")
    del classifier._callback_fit_ctx, classifier._skl_callbacks_to_teardown
