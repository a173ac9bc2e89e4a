"""Labels against labels: confusion and co-occurrence."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import confusion_matrix
from sklearn.neighbors import KNeighborsClassifier

from skposter.display import LabelConfusionDisplay, LabelCooccurrenceDisplay, label_confusion


def indicator(*rows):
    return np.array([[int(name in row) for name in "abc"] for row in rows])


def places(confusion):
    """Return what is not zero, by names."""
    names = [*"abc", "-"]
    return {names[i] + names[j]: value for (i, j), value in np.ndenumerate(confusion) if value != 0}


@pytest.mark.parametrize(
    ("true", "predicted", "expected"),
    [
        ("ab", "ab", {"aa": 1, "bb": 1}),
        ("ab", "a", {"aa": 1, "b-": 1}),
        ("a", "ab", {"aa": 1, "-b": 1}),
        ("a", "b", {"ab": 1}),
        ("ab", "c", {"ac": 0.5, "bc": 0.5, "a-": 0.5, "b-": 0.5}),
        ("a", "bc", {"ab": 0.5, "ac": 0.5, "-b": 0.5, "-c": 0.5}),
        ("", "", {}),
    ],
)
def test_missed_labels_are_matched_with_false_alarms(true, predicted, expected):
    assert places(label_confusion(indicator(true), indicator(predicted))) == expected


two_tables = st.integers(1, 8).flatmap(
    lambda n: st.tuples(arrays(bool, (n, 4)), arrays(bool, (n, 4)))
)


@given(two_tables)
def test_rows_add_up_to_the_true_labels_and_columns_to_the_predicted_ones(tables):
    true, predicted = tables
    confusion = label_confusion(true, predicted)
    np.testing.assert_allclose(confusion.sum(axis=1)[:-1], true.sum(axis=0))
    np.testing.assert_allclose(confusion.sum(axis=0)[:-1], predicted.sum(axis=0))
    np.testing.assert_array_equal(np.diag(confusion)[:-1], (true & predicted).sum(axis=0))
    assert (confusion > -1e-12).all()


def test_with_one_label_an_image_it_is_scikit_learns_confusion_matrix():
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(3, size=(2, 50))
    confusion = label_confusion(np.eye(3)[true], np.eye(3)[predicted])
    np.testing.assert_array_equal(confusion[:3, :3], confusion_matrix(true, predicted))
    assert confusion[:, 3].sum() == confusion[3].sum() == 0


def test_an_unknown_label_counts_neither_as_true_nor_as_predicted():
    known = label_confusion(indicator("a"), indicator("b"))
    hidden = label_confusion([[1, 0, np.nan]], indicator("bc"))
    np.testing.assert_array_equal(known, hidden)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"y_pred has shape \(1, 2\), expected \(1, 3\)"):
        label_confusion(indicator("a"), [[1, 0]])


def test_the_confusion_is_shown_in_percent_of_rows_or_columns(plt):
    y = pd.DataFrame(indicator("a", "a", "b", "b"), columns=["a", "b", "$c$"])
    predicted = indicator("a", "", "a", "b")
    display = LabelConfusionDisplay.from_predictions(y, predicted)
    shown = display.im_.get_array().filled(0)
    np.testing.assert_array_equal(shown[0], [50, 0, 0, 50])
    by_column = LabelConfusionDisplay.from_predictions(y, predicted, normalize="pred")
    np.testing.assert_array_equal(by_column.im_.get_array().filled(0)[:, 0], [50, 50, 0, 0])
    counts = LabelConfusionDisplay.from_predictions(y, predicted, normalize=None)
    np.testing.assert_array_equal(counts.im_.get_array().filled(0), display.confusion)
    texts = [text.get_text() for text in counts.text_]
    assert texts == ["1", "1", "1", "1"]
    names = [tick.get_text() for tick in display.ax_.get_xticklabels()]
    assert names == ["a", "b", "$c$", "(nothing)"]
    display.figure_.canvas.draw()
    with pytest.raises(ValueError, match="normalize is 'true', 'pred' or None; got 'all'"):
        display.plot(normalize="all")


def test_matrices_of_an_estimator(plt):
    y = pd.DataFrame(indicator("a", "ab", "b", "b"), columns=list("abc"))
    X = np.arange(4)[:, None]
    estimator = KNeighborsClassifier(1).fit(X, y)
    _, ax = plt.subplots()
    confusion = LabelConfusionDisplay.from_estimator(estimator, X, y, ax=ax)
    assert places(confusion.confusion) == {"aa": 2, "bb": 3}
    assert confusion.ax_ is ax
    together = LabelCooccurrenceDisplay.from_estimator(estimator, X, y)
    np.testing.assert_array_equal(together.true, together.predicted)
    assert len(together.axes_) == 2


def test_cooccurrence_is_a_share_of_the_images_with_the_label(plt):
    y = indicator("ab", "a", "a", "c")
    display = LabelCooccurrenceDisplay.from_predictions(y)
    shown = display.ax_.images[0].get_array().filled(0)
    assert shown[0, 1] == pytest.approx(100 / 3)
    assert shown[1, 0] == 100
    counts = LabelCooccurrenceDisplay.from_predictions(y, normalize=False)
    assert counts.ax_.images[0].get_array()[0, 1] == 1


def test_long_names_leave_room_for_the_matrix(plt):
    names = [c * 60 for c in "abc"]
    for display_class in (LabelConfusionDisplay, LabelCooccurrenceDisplay):
        display = display_class.from_predictions(indicator("a"), indicator("b"), label_names=names)
        display.figure_.canvas.draw()  # a layout that collapses warns
        shown = display.ax_.get_yticklabels()[0].get_text()
        assert shown == "a" * 21 + "..."


def test_cooccurrence_counts_images_of_which_both_labels_are_known(plt):
    y = [[1, 1], [1, np.nan], [1, 0]]
    display = LabelCooccurrenceDisplay.from_predictions(y)
    assert display.ax_.images[0].get_array()[0, 1] == 50


@pytest.mark.parametrize("in_a_grid", [True, False])
def test_two_matrices_divide_the_axes_that_are_given(plt, in_a_grid):
    figure = plt.figure()
    ax = figure.add_subplot() if in_a_grid else figure.add_axes((0.1, 0.1, 0.8, 0.8))
    display = LabelCooccurrenceDisplay.from_predictions(indicator("a"), indicator("b"), ax=ax)
    figure.canvas.draw()
    assert display.ax_ is ax
    first, second = (axes.get_position() for axes in display.axes_)
    outer = ax.get_position()
    assert outer.x0 - 1e-9 <= first.x0 < first.x1 < second.x0 < second.x1 <= outer.x1 + 1e-9
    assert [axes.get_title(loc="left") for axes in display.axes_] == [
        "labels of the images",
        "predicted labels",
    ]
    with pytest.raises(ValueError, match="y_pred has shape"):
        LabelCooccurrenceDisplay.from_predictions(indicator("a"), [[1]])
