"""The classifiers with thresholds: scikit-learn's contract, and what they learn from whom."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    LeaveOneGroupOut,
    RepeatedKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import estimator_html_repr, get_tags

from skposter import (
    AveragingClassifier,
    FixedThresholdsClassifier,
    TunedThresholdsClassifierCV,
)
from skposter._labels.checks import check_labels
from skposter.exceptions import LabelWarning, UnknownLabelWarning
from skposter.metrics import get_scorer
from skposter.model_selection import MultiLabelStratifiedKFold
from skposter.thresholds import apply_thresholds, choose_thresholds, objective_score
from skposter.thresholds._cross_fitting import subsets_to_hold_out

LINEAR = OneVsRestClassifier(LogisticRegression())
NEIGHBOURS = KNeighborsClassifier()
CLASSIFIERS = [
    LINEAR,
    MLPClassifier((5,), max_iter=1000, learning_rate_init=0.03, random_state=0),
    RandomForestClassifier(5, random_state=0),
    NEIGHBOURS,
    ClassifierChain(LogisticRegression()),
    MultiOutputClassifier(LogisticRegression()),
    make_pipeline(StandardScaler(), MultiOutputClassifier(LogisticRegression())),
]
NAMES = ["Action", "Comedy", "Drama"]


@pytest.fixture(scope="module")
def table():
    """Features (90, 6) and a DataFrame of three labels."""
    X, y = make_multilabel_classification(90, 6, n_classes=3, n_labels=1, random_state=0)
    return X, pd.DataFrame(y, columns=NAMES)


class Counting(ClassifierMixin, BaseEstimator):
    """Scores each label by a column of X, and counts what is asked of it."""

    fits = 0
    predictions = 0

    def fit(self, X, y, sample_weight=None):
        type(self).fits += 1
        self.rows_ = X[:, 0].copy()
        self.y_ = np.asarray(y)
        self.sample_weight_ = sample_weight
        return self

    def predict_proba(self, X):
        type(self).predictions += 1
        return X[:, 1 : 1 + self.y_.shape[1]]


@pytest.fixture
def counting():
    Counting.fits = Counting.predictions = 0
    return Counting()


@pytest.fixture(scope="module")
def numbered():
    """Row numbers, then a score for each of two labels; and the labels."""
    rng = np.random.default_rng(0)
    scores = rng.random((60, 2)) * [1, 0.4]
    y = (rng.random((60, 2)) < scores).astype(int)
    return np.column_stack([np.arange(60), scores]), y


@pytest.mark.parametrize("classifier", CLASSIFIERS, ids=lambda c: type(c).__name__)
def test_wraps_every_shape_of_predict_proba(classifier, table):
    X, y = table
    model = TunedThresholdsClassifierCV(classifier, cv=3).fit(X, y)
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (90, 3)
    np.testing.assert_array_equal(model.predict(X), probabilities >= model.thresholds_)
    assert model.predict(X[:1]).shape == (1, 3)
    assert model.predict(X).dtype == np.int64
    assert model.label_names_.tolist() == NAMES
    fixed = FixedThresholdsClassifier(classifier).fit(X, y)
    np.testing.assert_allclose(fixed.predict_proba(X), probabilities)
    agreement = np.mean(fixed.predict(X) == np.asarray(fixed.estimator_.predict(X)))
    # a chain decides by its links, and a tree at exactly one half for the smaller class
    assert agreement > (0.9 if isinstance(classifier, ClassifierChain) else 0.97)


def test_thresholds_come_from_the_out_of_fold_scores(table):
    X, y = table
    model = TunedThresholdsClassifierCV(LINEAR, cv=3, store_cv_results=True).fit(X, y)
    splitter = MultiLabelStratifiedKFold(3)
    scores = cross_val_predict(LINEAR, X, y.to_numpy(), cv=splitter, method="predict_proba")
    np.testing.assert_allclose(model.thresholds_, choose_thresholds(y, scores))
    decisions = apply_thresholds(scores, model.thresholds_)
    assert model.best_score_ == pytest.approx(objective_score(y, decisions, "f1_macro"))
    held_out = np.zeros_like(decisions)
    for number, (train, test) in enumerate(splitter.split(X, y)):
        chosen = choose_thresholds(y.to_numpy()[train], scores[train])
        np.testing.assert_allclose(model.cv_results_["thresholds"][number], chosen)
        held_out[test] = apply_thresholds(scores[test], chosen)
    assert model.cv_score_ == pytest.approx(objective_score(y, held_out, "f1_macro"))
    assert model.cv_score_ < model.best_score_


def test_cv_results_let_another_objective_be_tried_without_training(table):
    X, y = table
    model = TunedThresholdsClassifierCV(NEIGHBOURS, cv=3, store_cv_results=True).fit(X, y)
    results = model.cv_results_
    assert sorted(results["row"]) == list(range(90))
    assert results["y_score"].shape == (90, 3)
    assert results["thresholds"].shape == (3, 3)
    assert results["train_score"].shape == results["test_score"].shape == (3,)
    other = choose_thresholds(
        y.to_numpy()[results["row"]], results["y_score"], objective="f1_micro"
    )
    micro = TunedThresholdsClassifierCV(NEIGHBOURS, cv=3, objective="f1_micro").fit(X, y)
    np.testing.assert_allclose(micro.thresholds_, other)
    assert not hasattr(micro, "cv_results_")


def test_trains_once_a_fold_and_once_at_the_end(counting, numbered):
    TunedThresholdsClassifierCV(counting, cv=4).fit(*numbered)
    assert (Counting.fits, Counting.predictions) == (5, 4)


def test_a_single_split_without_refit_trains_once(counting, numbered):
    X, y = numbered
    model = TunedThresholdsClassifierCV(counting, cv=0.25, refit=False, random_state=0).fit(X, y)
    assert (Counting.fits, Counting.predictions) == (1, 1)
    assert len(model.estimator_.rows_) == 45
    again = TunedThresholdsClassifierCV(counting, cv=0.25, refit=False, random_state=0).fit(X, y)
    np.testing.assert_array_equal(again.estimator_.rows_, model.estimator_.rows_)
    assert model.cv_score_ == again.cv_score_
    with pytest.raises(ValueError, match="several folds, refit cannot be False"):
        TunedThresholdsClassifierCV(counting, cv=2, refit=False).fit(X, y)


def test_prefit_only_chooses_thresholds(counting, numbered):
    X, y = numbered
    counting.fit(X, y)
    model = TunedThresholdsClassifierCV(counting, cv="prefit", refit=False).fit(X, y)
    assert (Counting.fits, Counting.predictions) == (1, 1)
    assert model.estimator_ is counting
    np.testing.assert_allclose(model.thresholds_, choose_thresholds(y, X[:, 1:]))
    assert 0 < model.cv_score_ < model.best_score_
    with pytest.raises(ValueError, match="When cv='prefit', refit cannot be True"):
        TunedThresholdsClassifierCV(counting, cv="prefit").fit(X, y)
    with pytest.raises(NotFittedError, match="must be fitted"):
        TunedThresholdsClassifierCV(Counting(), cv="prefit", refit=False).fit(X, y)


def test_a_frozen_classifier_is_not_trained_again(counting, numbered):
    X, y = numbered
    model = FixedThresholdsClassifier(FrozenEstimator(counting.fit(X, y)), threshold=[0.3, 0.2])
    np.testing.assert_array_equal(model.fit(X, y).predict(X), X[:, 1:] >= [0.3, 0.2])
    assert Counting.fits == 1


def test_repeated_folds_do_not_give_a_row_away(counting, numbered):
    """The same row is held out twice; neither time may it take part in its own thresholds."""
    X, y = numbered
    cv = RepeatedKFold(n_splits=3, n_repeats=2, random_state=0)
    model = TunedThresholdsClassifierCV(counting, cv=cv, store_cv_results=True).fit(X, y)
    results = model.cv_results_
    assert len(results["row"]) == 120
    for number, (_, test) in enumerate(cv.split(X)):
        others = np.setdiff1d(results["row"], test)
        rows = results["row"][np.isin(results["row"], others)]
        np.testing.assert_allclose(
            results["thresholds"][number], choose_thresholds(y[rows], X[rows, 1:])
        )


def test_subsets_stand_in_where_a_fold_holds_every_row():
    labels = check_labels(np.ones((7, 1)))
    rows, folds = np.arange(7), np.zeros(7, dtype=int)
    assert np.bincount(subsets_to_hold_out(labels, rows, folds)).tolist() == [2, 2, 1, 1, 1]
    twice = np.tile(rows, 2)
    subsets = subsets_to_hold_out(labels[twice], twice, np.repeat([0, 1], 7))
    np.testing.assert_array_equal(subsets[:7], subsets[7:])
    folds = np.array([0, 0, 1, 1, 1, 2, 2])
    assert subsets_to_hold_out(labels, rows, folds) is folds


def test_the_thresholds_of_each_fold_are_kept(counting, numbered):
    X, y = numbered
    model = TunedThresholdsClassifierCV(counting, cv=4, store_cv_results=True).fit(X, y)
    assert model.fold_thresholds_.shape == (4, 2)
    np.testing.assert_array_equal(model.fold_thresholds_, model.cv_results_["thresholds"])
    for number, (train, _) in enumerate(MultiLabelStratifiedKFold(4).split(X, y)):
        chosen = choose_thresholds(y[train], X[train, 1:])
        np.testing.assert_allclose(model.fold_thresholds_[number], chosen)
    assert len(np.unique(model.fold_thresholds_[:, 0])) > 1
    copy = pickle.loads(pickle.dumps(TunedThresholdsClassifierCV(counting, cv=4).fit(X, y)))
    np.testing.assert_array_equal(copy.fold_thresholds_, model.fold_thresholds_)
    single = TunedThresholdsClassifierCV(counting, cv=0.25, refit=False, random_state=0)
    assert single.fit(X, y).fold_thresholds_.shape == (5, 2)


def test_one_held_out_row_has_no_cross_validated_score(counting, numbered):
    X, y = numbered
    split = [(np.arange(59), [59])]
    model = TunedThresholdsClassifierCV(counting, cv=split, store_cv_results=True).fit(X, y)
    assert np.isnan(model.cv_score_)
    assert "thresholds" not in model.cv_results_
    assert model.fold_thresholds_.shape == (0, 2)


def test_iterables_and_masks_of_rows_split_too(counting, numbered):
    X, y = numbered
    pairs = list(KFold(3).split(X))
    masks = [(np.isin(np.arange(60), train), np.isin(np.arange(60), test)) for train, test in pairs]
    expected = TunedThresholdsClassifierCV(counting, cv=KFold(3)).fit(X, y).thresholds_
    for cv in (pairs, iter(pairs), masks):
        model = TunedThresholdsClassifierCV(counting, cv=cv).fit(X, y)
        np.testing.assert_array_equal(model.thresholds_, expected)


def test_a_label_that_a_fold_has_never_seen(table):
    X, y = table
    y = y.copy()
    y["Drama"] = 0
    y.loc[:1, "Drama"] = 1
    split = [(np.arange(2, 90), np.arange(2)), (np.arange(45), np.arange(45, 90))]
    for classifier in (NEIGHBOURS, RandomForestClassifier(5, random_state=0)):
        model = TunedThresholdsClassifierCV(classifier, cv=split, store_cv_results=True)
        assert model.fit(X, y).cv_results_["y_score"][:2, 2].tolist() == [0, 0]
        assert model.predict_proba(X).shape == (90, 3)
    with pytest.warns(LabelWarning, match=r"Drama \(2\)"):
        TunedThresholdsClassifierCV(NEIGHBOURS, cv=3).fit(X, y)


@pytest.mark.parametrize("fill", [0, 1])
def test_a_label_that_is_constant_for_good(table, fill):
    X, y = table
    y = y.assign(Drama=fill)
    model = FixedThresholdsClassifier(NEIGHBOURS).fit(X, y)
    assert (model.predict_proba(X)[:, 2] == fill).all()
    assert (model.predict(X)[:, 2] == fill).all()


@pytest.mark.parametrize("n_labels", [2, 3])
def test_scorers_work_for_two_labels_and_for_more(table, n_labels):
    X, y = table
    y = y.iloc[:, :n_labels]
    model = TunedThresholdsClassifierCV(NEIGHBOURS, cv=2)
    for scoring in ("roc_auc", "average_precision", "f1_macro", "f1_micro", "accuracy"):
        assert (cross_val_score(model, X, y, cv=2, scoring=scoring, error_score="raise") > 0).all()
    probabilities = cross_val_predict(model, X, y, cv=2, method="predict_proba")
    assert probabilities.shape == (90, n_labels)
    assert model.fit(X, y).classes_.tolist() == [[0, 1]] * n_labels


@pytest.mark.parametrize(
    "classifier", [LogisticRegression(), LINEAR, MultiOutputClassifier(LogisticRegression())]
)
def test_one_label(classifier, table):
    X, y = table
    model = TunedThresholdsClassifierCV(classifier, cv=3).fit(X, y[["Drama"]])
    assert model.predict_proba(X).shape == model.predict(X).shape == (90, 1)
    assert model.thresholds_.shape == (1,)
    assert objective_score(y[["Drama"]], model.predict(X), "f1_macro") > 0.5


def test_paths_are_selected_and_never_looked_at(table):
    X, y = table
    paths = np.array([f"poster {row}.jpg" for row in range(90)])

    def load(paths):
        return X[[int(path.split()[1][:-4]) for path in paths]]

    model = make_pipeline(FunctionTransformer(load), NEIGHBOURS)
    from_paths = TunedThresholdsClassifierCV(model, cv=3).fit(paths, y)
    from_list = TunedThresholdsClassifierCV(model, cv=3).fit(paths.tolist(), y)
    from_table = TunedThresholdsClassifierCV(NEIGHBOURS, cv=3).fit(X, y)
    for other in (from_paths, from_list):
        np.testing.assert_array_equal(other.thresholds_, from_table.thresholds_)
        np.testing.assert_array_equal(other.predict(paths), from_table.predict(X))


def test_a_network_of_our_own(tiny_classifier, colour_images, colour_labels):
    X, _ = colour_images
    model = TunedThresholdsClassifierCV(tiny_classifier(), cv=2, objective="f1_micro")
    model.fit(X, colour_labels)
    assert model.cv_score_ > 0.8
    assert model.predict_proba(X).dtype == np.float32
    assert set(model.predict_labels(X[:5])[0]) <= {"red", "green", "blue"}
    fixed = FixedThresholdsClassifier(FrozenEstimator(model.estimator_), threshold={"red": 1.1})
    assert not fixed.fit(X, colour_labels).predict(X)[:, 0].any()


def test_processes_give_what_one_gives(table):
    X, y = table
    forest = RandomForestClassifier(5, random_state=0)
    one = TunedThresholdsClassifierCV(forest, cv=2).fit(X, y)
    two = TunedThresholdsClassifierCV(forest, cv=2, n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(one.thresholds_, two.thresholds_)
    assert one.cv_score_ == two.cv_score_


def test_sparse_tables_and_data_frames(table):
    X, y = table
    dense = TunedThresholdsClassifierCV(LINEAR, cv=2).fit(X, y)
    from_sparse = TunedThresholdsClassifierCV(LINEAR, cv=2).fit(sparse.csr_array(X), y.to_numpy())
    np.testing.assert_allclose(from_sparse.thresholds_, dense.thresholds_, rtol=1e-4)
    assert from_sparse.label_names_.tolist() == [0, 1, 2]
    frame = pd.DataFrame(X).add_prefix("pixel ")
    named = TunedThresholdsClassifierCV(NEIGHBOURS, cv=2).fit(frame, y)
    assert named.n_features_in_ == 6
    assert named.feature_names_in_[0] == "pixel 0"


def test_grids_over_objectives_and_over_the_wrapped_classifier(table):
    search = GridSearchCV(
        TunedThresholdsClassifierCV(NEIGHBOURS, cv=2),
        {"objective": ["f1_micro", "recall>=0.9"], "estimator__n_neighbors": [3, 9]},
        scoring="f1_micro",
        cv=2,
        error_score="raise",
    ).fit(*table)
    assert search.best_params_["objective"] == "f1_micro"
    search = GridSearchCV(
        FixedThresholdsClassifier(NEIGHBOURS),
        {"threshold": [0.2, 0.5, {"Drama": 0.3}]},
        scoring="f1_micro",
        cv=2,
        error_score="raise",
    ).fit(*table)
    assert search.best_score_ > 0


@pytest.mark.parametrize("objective", ["f1_samples", "cardinality", "hamming", "precision>=0.5"])
def test_every_objective_reports_what_it_reaches(table, objective):
    X, y = table
    model = TunedThresholdsClassifierCV(
        NEIGHBOURS, objective=objective, cv=3, store_cv_results=True
    ).fit(X, y)
    results = model.cv_results_
    decisions = apply_thresholds(results["y_score"], model.thresholds_)
    reached = objective_score(y.to_numpy()[results["row"]], decisions, objective)
    assert model.best_score_ == reached
    assert np.isfinite(model.cv_score_)


def test_a_callable_objective_gets_labels_and_decisions(table):
    def negative_cost(y_true, y_pred):
        return -float(np.sum(y_true > y_pred) + 3 * np.sum(y_true < y_pred))

    model = TunedThresholdsClassifierCV(NEIGHBOURS, objective=negative_cost, cv=3).fit(*table)
    assert -90 < model.best_score_ <= 0
    assert len(set(model.thresholds_)) == 1


def test_min_labels_counts_in_decisions_and_scores(table):
    X, y = table
    options = {"objective": "precision>=0.9", "cv": 3}
    some_empty = TunedThresholdsClassifierCV(LINEAR, **options).fit(X, y)
    never_empty = TunedThresholdsClassifierCV(LINEAR, min_labels=1, **options).fit(X, y)
    assert some_empty.predict(X).sum(axis=1).min() == 0
    assert never_empty.predict(X).sum(axis=1).min() == 1
    assert never_empty.best_score_ != some_empty.best_score_


def test_metadata_reaches_the_classifier_and_the_splitter(numbered):
    X, y = numbered
    groups = np.arange(60) // 6
    weight = np.arange(60.0)
    with config_context(enable_metadata_routing=True):
        weighted = Counting().set_fit_request(sample_weight=True)
        for cv in (3, LeaveOneGroupOut()):
            model = TunedThresholdsClassifierCV(weighted, cv=cv, store_cv_results=True)
            model.fit(X, y, sample_weight=weight, groups=groups)
            np.testing.assert_array_equal(model.estimator_.sample_weight_, weight)
            results = model.cv_results_
            for group in range(10):
                assert len(set(results["fold"][groups[results["row"]] == group])) == 1
        model = TunedThresholdsClassifierCV(weighted, cv=0.5, refit=False, random_state=0)
        model.fit(X, y, sample_weight=weight)
        np.testing.assert_array_equal(model.estimator_.sample_weight_, model.estimator_.rows_)
        fixed = FixedThresholdsClassifier(weighted).fit(X, y, sample_weight=weight)
        np.testing.assert_array_equal(fixed.estimator_.sample_weight_, weight)
    for model in (TunedThresholdsClassifierCV(Counting()), FixedThresholdsClassifier(Counting())):
        with pytest.raises(ValueError, match="enable_metadata_routing"):
            model.fit(X, y, sample_weight=weight)


def test_mistakes_are_found_before_training(counting, numbered):
    X, y = numbered
    with pytest.raises(ValueError, match="Did you mean 'f1_macro'"):
        TunedThresholdsClassifierCV(counting, objective="f1_marco").fit(X, y)
    for scorer in (get_scorer("skill"), sklearn.metrics.get_scorer("f1_micro")):
        with pytest.raises(ValueError, match="cannot be called with"):
            TunedThresholdsClassifierCV(counting, objective=scorer).fit(X, y)
    with pytest.raises(ValueError, match="The 'shrinkage' parameter"):
        TunedThresholdsClassifierCV(counting, shrinkage=-1).fit(X, y)
    with pytest.raises(ValueError, match="The 'estimator' parameter"):
        TunedThresholdsClassifierCV(StandardScaler()).fit(X, y)
    with pytest.raises(ValueError, match=r"y has shape \(60,\)"):
        TunedThresholdsClassifierCV(counting).fit(X, y[:, 0])
    with pytest.raises(ValueError, match=r"y holds .*3.* in row 0"):
        FixedThresholdsClassifier(counting).fit(X, y + 2)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        FixedThresholdsClassifier(counting).fit(X[:-1], y)
    with pytest.raises(ValueError, match="threshold has shape"):
        FixedThresholdsClassifier(counting, threshold=[0.1, 0.2, 0.3]).fit(X, y)
    named = pd.DataFrame(y, columns=["Drama", "Comedy"])
    with pytest.raises(ValueError, match=r"'Darma'.*Did you mean 'Drama'"):
        FixedThresholdsClassifier(counting, threshold={"Darma": 0.3}).fit(X, named)
    with pytest.raises(TypeError, match=r"no parameter 'objectiv'. Did you mean 'objective'"):
        TunedThresholdsClassifierCV(counting, objectiv="f1_micro")
    assert Counting.fits == 0


def test_predicting_needs_a_fit(counting, numbered):
    for model in (TunedThresholdsClassifierCV(counting), FixedThresholdsClassifier(counting)):
        with pytest.raises(NotFittedError):
            model.predict(numbered[0])


def test_thresholds_can_change_after_fit(table):
    X, y = table
    model = FixedThresholdsClassifier(NEIGHBOURS, threshold={"Comedy": 0.9}).fit(X, y)
    assert model.thresholds_.tolist() == [0.5, 0.9, 0.5]
    everything = model.set_params(threshold=0.0).predict(X)
    assert everything.all()
    with pytest.raises(ValueError, match="shape"):
        model.set_params(threshold=[0.1]).predict(X)


def test_clones_pickles_and_diagrams(table):
    X, y = table
    for model in (
        TunedThresholdsClassifierCV(LINEAR, cv=2),
        FixedThresholdsClassifier(LINEAR, threshold={"Drama": 0.3}),
    ):
        assert not hasattr(clone(model.fit(X, y)), "estimator_")
        copy = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(copy.predict(X), model.predict(X))
        diagram = estimator_html_repr(model)
        assert "LogisticRegression" in diagram
        assert type(model).__name__ in diagram


# --- unknown labels and names of labels -----------------------------------------------------------


class TakesUnknown(Counting):
    """Counts, and can be trained on labels some of which are NaN."""

    takes_unknown_labels = True


@pytest.fixture
def hidden(numbered):
    """The rows of `numbered`, and its labels with a third of them hidden."""
    X, y = numbered
    names = ["Drama", "Comedy"]
    y = pd.DataFrame(y, columns=names).mask(np.random.default_rng(0).random(y.shape) < 0.3)
    return X, y


@pytest.mark.parametrize("dtype", ["float", "Int64", object])
def test_unknown_labels_are_left_out_of_thresholds_and_scores(dtype, hidden):
    X, y = hidden
    given = y.astype(dtype)
    n_unknown = int(y.isna().sum().sum())
    message = rf"^{n_unknown} of 120 labels in y are unknown \(NaN\); they are left out.$"
    for objective in ("f1_macro", "f1_micro", "f1_samples", "hamming", "cardinality"):
        model = TunedThresholdsClassifierCV(TakesUnknown(), objective=objective, cv=3)
        with pytest.warns(UnknownLabelWarning, match=message) as caught:
            model.fit(X, given)
        assert len(caught) == 1
        assert caught[0].filename == __file__
        np.testing.assert_array_equal(model.estimator_.y_, y)  # NaN, and floats
        with pytest.warns(UnknownLabelWarning):
            expected = choose_thresholds(y, X[:, 1:], objective=objective)
        np.testing.assert_allclose(model.thresholds_, expected)
        with pytest.warns(UnknownLabelWarning):
            best = objective_score(y, model.predict(X), objective)
        assert model.best_score_ == pytest.approx(best)


def test_unknown_labels_are_refused_at_once_where_the_classifier_cannot_take_them(counting, hidden):
    X, y = hidden
    row, column = np.argwhere(y.isna().to_numpy())[0]
    place = f"the first in row {row}, label {y.columns[column]!r}, and Counting cannot be trained"
    for model in (
        TunedThresholdsClassifierCV(make_pipeline(StandardScaler(), counting)),
        FixedThresholdsClassifier(counting),
        AveragingClassifier(counting),
    ):
        with pytest.raises(ValueError, match=place) as caught:
            model.fit(X, y)
        assert "Fill them in" in str(caught.value)
        assert "cv='prefit'" in str(caught.value)
    assert Counting.fits == 0
    wrong = y.copy()
    wrong.iloc[1, 0] = 2
    with pytest.raises(ValueError, match=r"y holds 2\.0 in row 1, label 'Drama', not 0 or 1"):
        FixedThresholdsClassifier(TakesUnknown()).fit(X, wrong)


def test_a_fitted_classifier_needs_no_training_on_unknown_labels(counting, hidden, numbered):
    X, y = hidden
    counting.fit(*numbered)
    model = TunedThresholdsClassifierCV(counting, cv="prefit", refit=False)
    with pytest.warns(UnknownLabelWarning):
        model.fit(X, y)
    with pytest.warns(UnknownLabelWarning):
        np.testing.assert_allclose(model.thresholds_, choose_thresholds(y, X[:, 1:]))
    fixed = FixedThresholdsClassifier(FrozenEstimator(counting)).fit(X, y)
    assert fixed.label_names_.tolist() == ["Drama", "Comedy"]


def test_fixed_and_averaged_classifiers_hand_unknown_labels_on(hidden):
    X, y = hidden
    fixed = FixedThresholdsClassifier(make_pipeline(FunctionTransformer(), TakesUnknown()))
    np.testing.assert_array_equal(fixed.fit(X, y).estimator_[-1].y_, y)
    averaged = AveragingClassifier(TakesUnknown(), 2).fit(X, y)
    np.testing.assert_array_equal(averaged.estimators_[1].y_, y)


def test_accuracy_compares_names_of_labels(table):
    X, y = table
    for model in (
        FixedThresholdsClassifier(NEIGHBOURS, threshold=0.4),
        TunedThresholdsClassifierCV(NEIGHBOURS, cv=2),
        AveragingClassifier(NEIGHBOURS, 2),
    ):
        score = model.fit(X, y).score(X, y)
        assert score == pytest.approx((model.predict(X) == y).all(axis=1).mean())
        assert model.score(X, y[["Drama", "Action", "Comedy"]]) == score
        assert model.score(X, y.to_numpy()) == score
        weight = np.arange(len(y))
        right = (model.predict(X) == y).all(axis=1)
        assert model.score(X, y, weight) == pytest.approx(np.average(right, weights=weight))
        with pytest.raises(ValueError, match="'War' is not one of them"):
            model.score(X, y.rename(columns={"Drama": "War"}))
        with pytest.raises(ValueError, match="y has 2 columns, expected 3: the labels are"):
            model.score(X, y.to_numpy()[:, :2])
        with pytest.raises(NotFittedError):
            clone(model).score(X, y)


def test_what_is_known_of_the_columns_of_x_is_taken_over(table):
    X, y = table
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(6)])
    for model in (
        FixedThresholdsClassifier(NEIGHBOURS),
        TunedThresholdsClassifierCV(NEIGHBOURS, cv=2),
        AveragingClassifier(NEIGHBOURS, 2),
    ):
        assert model.fit(frame, y).n_features_in_ == 6
        assert model.feature_names_in_.tolist() == frame.columns.tolist()
        assert not hasattr(clone(model).fit(X, y), "feature_names_in_")


def test_tags_tell_what_is_inside():
    for inner in (NEIGHBOURS, MLPClassifier()):
        tags = get_tags(TunedThresholdsClassifierCV(inner))
        assert tags.estimator_type == "classifier"
        assert tags.classifier_tags.multi_label
        assert tags.input_tags == get_tags(inner).input_tags
    # a copy: the caller may change it without changing the wrapped classifier's
    assert get_tags(FixedThresholdsClassifier(inner)).input_tags is not get_tags(inner).input_tags
