"""Displays with a panel a label, and the course of a training."""

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skposter.display import (
    CalibrationLabelsDisplay,
    HistoryDisplay,
    PrecisionRecallLabelsDisplay,
    ThresholdDisplay,
)

PANELS = (PrecisionRecallLabelsDisplay, ThresholdDisplay, CalibrationLabelsDisplay)
NAMES = ["Drama", "$War$", "<b>", "News"]


@pytest.fixture
def predictions():
    """Labels of four names, the last without positives, and scores that know something."""
    rng = np.random.default_rng(0)
    y = (rng.random((200, 4)) < [0.5, 0.2, 0.1, 0.0]).astype(float)
    y_score = np.clip(0.5 * y * rng.random(y.shape) + 0.5 * rng.random(y.shape), 0, 1)
    return pd.DataFrame(y, columns=NAMES), y_score


@pytest.fixture
def model(predictions):
    y, _ = predictions
    X = np.arange(len(y))[:, None]
    return KNeighborsClassifier(7).fit(X, y), X, y


@pytest.mark.parametrize("display_class", PANELS)
def test_a_panel_a_label(plt, predictions, display_class):
    y, y_score = predictions
    display = display_class.from_predictions(y, y_score)
    titles = [axes.get_title(loc="left") for axes in display.axes_]
    assert titles[-4:] == NAMES
    assert display.ax_ is None
    display.figure_.canvas.draw()  # dollar signs are no formulas
    some = display_class.from_predictions(y, y_score, labels=["<b>"], columns=1)
    assert [axes.get_title(loc="left") for axes in some.axes_] == ["<b>"]
    with pytest.raises(ValueError, match=r"no label 'Dram'\. Did you mean 'Drama'"):
        display_class.from_predictions(y, y_score, labels="Dram")


@pytest.mark.parametrize("display_class", PANELS)
def test_panels_divide_the_axes_that_are_given(plt, predictions, display_class):
    y, y_score = predictions
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4))
    display = display_class.from_predictions(y, y_score, ax=left, columns=2)
    assert (display.ax_, display.figure_) == (left, figure)
    figure.canvas.draw()
    edge = right.get_position().x0
    assert all(axes.get_position().x1 <= edge for axes in display.axes_)
    assert not figure.legends


@pytest.mark.parametrize("layout", [None, "constrained"])
@pytest.mark.parametrize("display_class", PANELS)
def test_panels_divide_axes_that_lie_in_no_grid(plt, predictions, display_class, layout):
    y, y_score = predictions
    figure = plt.figure(layout=layout)
    figure.add_subplot(1, 2, 1)  # which the layout moves
    ax = figure.add_axes((0.5, 0.1, 0.4, 0.8))
    display = display_class.from_predictions(y, y_score, ax=ax, columns=3)
    figure.canvas.draw()
    assert (display.ax_, display.figure_) == (ax, figure)
    places = np.array([axes.get_position().extents for axes in display.axes_])
    np.testing.assert_allclose(places[:, :2].min(axis=0), (0.5, 0.1))
    np.testing.assert_allclose(places[:, 2:].max(axis=0), (0.9, 0.9))
    assert (places[:2, 2] < places[1:3, 0]).all()  # side by side
    assert places[0, 1] > places[3, 3]  # and the fourth below the first
    n = len(places)
    assert [bool(axes.get_xlabel()) for axes in display.axes_] == (n - 3) * [False] + 3 * [True]
    assert [bool(axes.get_ylabel()) for axes in display.axes_] == [i % 3 == 0 for i in range(n)]


@pytest.mark.parametrize("display_class", PANELS)
def test_unknown_labels_are_left_out_and_counted(plt, predictions, display_class):
    y, y_score = predictions
    hidden = y.copy()
    hidden.iloc[:50, 1] = np.nan
    display = display_class.from_predictions(hidden, y_score, labels=["$War$"])
    known_only = display_class.from_predictions(y.iloc[50:], y_score[50:], labels=["$War$"])
    assert list(display.n_unknown) == [50]
    assert "50 unknown" in display.axes_[0].get_title(loc="right")
    if display_class is CalibrationLabelsDisplay:
        np.testing.assert_array_equal(display.bins, known_only.bins)
    else:
        for line, expected in zip(display.lines_, known_only.lines_, strict=True):
            np.testing.assert_array_equal(line.get_xydata(), expected.get_xydata())


@pytest.mark.parametrize("display_class", PANELS)
def test_an_estimator_gives_what_its_predictions_give(plt, model, display_class):
    estimator, X, y = model
    y_score = np.column_stack(
        [p[:, 1] if p.shape[1] == 2 else np.zeros(len(p)) for p in estimator.predict_proba(X)]
    )
    display = display_class.from_estimator(estimator, X, y)
    expected = display_class.from_predictions(y, y_score)
    assert len(display.axes_) == len(expected.axes_)
    if display_class is CalibrationLabelsDisplay:
        np.testing.assert_array_equal(display.bins[0], expected.bins[0])
    else:
        np.testing.assert_array_equal(
            display.lines_[0].get_xydata(), expected.lines_[0].get_xydata()
        )


def test_precision_and_recall_are_scikit_learns(plt, predictions):
    y, y_score = predictions
    display = PrecisionRecallLabelsDisplay.from_predictions(y, y_score, thresholds=0.4)
    for j, name in enumerate(NAMES[:3]):
        truth, decided = y[name], y_score[:, j] >= 0.4
        assert display.average_precision[j] == average_precision_score(truth, y_score[:, j])
        assert display.chosen[j] == pytest.approx(
            [recall_score(truth, decided), precision_score(truth, decided)]
        )
        # The point lies on the curve.
        at = np.flatnonzero(np.isclose(display.recall[j], display.chosen[j, 0]))
        assert np.isclose(display.precision[j][at], display.chosen[j, 1]).any()
    assert np.isnan(display.average_precision[3])


@pytest.mark.parametrize(
    ("metric", "score"),
    [("f1", f1_score), ("precision", precision_score), ("recall", recall_score)],
)
def test_the_curve_over_thresholds_is_the_score_at_each(plt, predictions, metric, score):
    y, y_score = predictions
    display = ThresholdDisplay.from_predictions(y, y_score, metric=metric)
    line = display.lines_[1]
    assert line.get_drawstyle() == "steps-pre"
    at, values = line.get_data()
    for threshold in (0.0, 0.2, 0.33333, 0.6):
        expected = score(y["$War$"], y_score[:, 1] >= threshold)
        # Of steps that end at their point, the first that reaches the threshold counts.
        assert values[np.searchsorted(at, threshold)] == pytest.approx(expected)
    assert display.baseline[1] == pytest.approx(score(y["$War$"], np.ones(len(y))))


def test_an_unknown_metric_is_refused(predictions):
    with pytest.raises(ValueError, match="metric is one of f1, precision, recall; got 'auc'"):
        ThresholdDisplay.from_predictions(*predictions, metric="auc")


def test_thresholds_of_the_estimator_and_its_folds_are_drawn(plt, model):
    estimator, X, y = model
    estimator.thresholds_ = np.array([0.1, 0.2, 0.3, 0.4])
    estimator.fold_thresholds_ = np.array([[0.05, 0.2, 0.3, 0.5], [0.15, 0.25, 0.3, 0.5]])
    display = ThresholdDisplay.from_estimator(make_pipeline("passthrough", estimator), X, y)
    assert display.chosen.tolist() == [0.1, 0.2, 0.3, 0.4]
    marks = [line for line in display.axes_[0].get_lines() if "folds" in line.get_label()]
    assert marks[0].get_xdata().tolist() == [0.05, 0.15]
    chosen = [line for line in display.axes_[0].get_lines() if "in use" in line.get_label()]
    assert chosen[0].get_xdata()[0] == 0.1
    estimator.fold_thresholds_ = np.zeros((2, 3))
    with pytest.raises(ValueError, match=r"fold_thresholds has shape \(2, 3\), expected"):
        ThresholdDisplay.from_estimator(estimator, X, y)


def test_calibration_has_bins_of_equally_many_images(plt, predictions):
    y, y_score = predictions
    display = CalibrationLabelsDisplay.from_predictions(y, y_score, n_bins=4)
    assert display.label_names == ["all labels", *NAMES]
    everything, drama, *_ = display.bins
    assert everything.n_images.tolist() == [200] * 4
    assert drama.n_images.tolist() == [50] * 4
    order = np.argsort(y_score[:, 0])
    np.testing.assert_allclose(drama.predicted[0], y_score[order[:50], 0].mean())
    np.testing.assert_allclose(drama.observed[0], y["Drama"].to_numpy()[order[:50]].mean())
    assert (drama.low <= drama.observed).all()
    assert (drama.observed <= drama.high).all()
    with pytest.raises(ValueError, match="n_bins is a whole number"):
        CalibrationLabelsDisplay.from_predictions(y, y_score, n_bins=0)
    with pytest.raises(ValueError, match="must hold probabilities"):
        CalibrationLabelsDisplay.from_predictions(y, 2 * y_score)


def test_fewer_images_than_bins_are_enough(plt):
    display = CalibrationLabelsDisplay.from_predictions([[1], [0]], [[0.9], [0.2]])
    assert display.bins[0].n_images.tolist() == [1, 1]


def test_losses_are_plotted_by_epoch(plt):
    history = {"loss": [0.5, 0.3, 0.2], "val_loss": [0.6, 0.4, 0.45], "lr": [1, 1, 1]}
    display = HistoryDisplay(history).plot()
    lines = display.ax_.get_lines()
    assert [line.get_label() for line in lines] == ["training", "validation", "best epoch: 2"]
    assert lines[1].get_xydata().tolist() == [[1, 0.6], [2, 0.4], [3, 0.45]]
    assert display.best_epoch_ == 2
    assert HistoryDisplay({"loss": [0.5, 0.4]}).plot().best_epoch_ == 2
    assert HistoryDisplay({"auc": [0.5, 0.4]}).plot(metric="auc", higher_is_better=True) \
        .best_epoch_ == 1  # fmt: skip
    with pytest.raises(ValueError, match="The history has no 'auc'; it has loss, val_loss, lr"):
        HistoryDisplay(history).plot(metric="auc")


def test_an_epoch_whose_loss_is_not_finite_is_not_the_best(plt):
    assert HistoryDisplay({"loss": [0.5, 0.4, np.nan]}).plot().best_epoch_ == 2
    assert HistoryDisplay({"loss": [np.nan]}).plot().best_epoch_ == 0


def test_a_history_is_found_inside_a_pipeline(plt):
    estimator = DummyClassifier()
    estimator.history_ = {"loss": [0.5, 0.4]}
    _, ax = plt.subplots()
    for wrapped in (estimator, make_pipeline("passthrough", estimator)):
        assert HistoryDisplay.from_estimator(wrapped, ax=ax).ax_ is ax
    with pytest.raises(ValueError, match="DummyClassifier has no history_: is it fitted"):
        HistoryDisplay.from_estimator(DummyClassifier())


def test_the_baseline_is_the_loss_of_the_label_frequencies(plt):
    estimator = DummyClassifier()
    estimator.history_ = {"loss": [0.5, 0.4]}
    estimator.label_frequencies_ = np.array([0.5, 0.0])
    estimator.loss = "binary_crossentropy"
    display = HistoryDisplay.from_estimator(estimator)
    assert display.baseline == pytest.approx(np.log(2) / 2, rel=1e-5)
    estimator.loss = "focal"
    assert HistoryDisplay.from_estimator(estimator).baseline is None
