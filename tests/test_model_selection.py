import io
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, GroupShuffleSplit, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skposter.exceptions import ImageLoadError, LabelWarning, UnknownLabelWarning
from skposter.model_selection import (
    MultiLabelStratifiedKFold,
    MultiLabelStratifiedShuffleSplit,
    RepeatedMultiLabelStratifiedKFold,
    _assignment,
    _near_duplicates,
    label_deviation,
    multilabel_train_test_split,
    near_duplicate_groups,
    stratified_holdout,
)
from skposter.model_selection._assignment import assign, even_out

FREQUENCIES = np.array([0.5, 0.3, 0.1, 0.05, 0.02])
SPLITTERS = [
    MultiLabelStratifiedKFold(3, shuffle=True, random_state=0),
    RepeatedMultiLabelStratifiedKFold(3, n_repeats=2, random_state=0),
    MultiLabelStratifiedShuffleSplit(3, test_size=0.3, random_state=0),
]


def labels(n, seed=0, frequencies=FREQUENCIES):
    return (np.random.RandomState(seed).rand(n, len(frequencies)) < frequencies).astype(int)


def same_splits(left, right):
    pairs = zip(left, right, strict=True)
    return all(np.array_equal(a, b) for x, y in pairs for a, b in zip(x, y, strict=True))


# --- splitters ------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [600, 601, 604])
def test_folds_are_even_and_keep_label_frequencies(n):
    y = labels(n)
    splits = list(MultiLabelStratifiedKFold(5, shuffle=True, random_state=3).split(y, y))
    sizes = [len(test) for _, test in splits]
    assert max(sizes) - min(sizes) <= 1
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(n))
    counts = np.array([y[test].sum(axis=0) for _, test in splits])
    assert (np.ptp(counts, axis=0) <= 3).all()


def deviation(y, subset, proportions):
    """Mean relative deviation of label counts in each subset from its share of all."""
    expected = np.outer(proportions, y.sum(axis=0))[:, y.any(axis=0)]
    counts = np.array([y[subset == s].sum(axis=0) for s in range(len(proportions))])
    return (np.abs(counts[:, y.any(axis=0)] - expected) / expected).mean()


def test_folds_deviate_less_than_those_of_chance():
    y = labels(1500)
    chance = np.random.RandomState(0).permutation(len(y)) % 5
    ours = assign(y == 1, np.full(5, 0.2), np.random.RandomState(0))
    assert 5 * deviation(y, ours, np.full(5, 0.2)) < deviation(y, chance, np.full(5, 0.2))


def test_assignment_equals_the_iterative_stratification_package_on_a_hundred_data_sets():
    package = pytest.importorskip("iterstrat.ml_stratifiers").IterativeStratification
    found = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        n, n_labels = rng.integers(50, 400), rng.integers(2, 15)
        frequencies = np.exp(rng.uniform(np.log(0.01), np.log(0.6), n_labels))
        shared = rng.normal(size=(n, 1)) * rng.normal(size=n_labels)  # labels that go together
        y = np.log(frequencies / (1 - frequencies)) + shared > rng.logistic(size=(n, n_labels))
        proportions = np.array([0.9, 0.1]) if seed % 2 else np.full(5, 0.2)
        rng = np.random.RandomState(seed)
        order = rng.permutation(n)
        theirs = np.empty(n, dtype=int)
        theirs[order] = package(y[order], proportions, rng)
        ours = assign(y, proportions, np.random.RandomState(seed))
        if y.any():
            found.append([deviation(y, each, proportions) for each in (ours, theirs)])
        # The package leaves sizes uneven.
        sizes = np.bincount(ours, minlength=len(proportions))
        assert (np.abs(sizes - proportions * n) < 1).all()
    ours, theirs = np.transpose(found)
    error = (ours - theirs).std() / np.sqrt(len(found))
    assert abs((ours - theirs).mean()) < 3 * error
    assert ours.mean() < 1.02 * theirs.mean()


def test_an_assignment_has_the_proportions_asked_for():
    y = labels(500, frequencies=FREQUENCIES[:3]) == 1
    subset = assign(y, [0.8, 0.2], np.random.RandomState(0))
    assert np.bincount(subset).tolist() == [400, 100]
    for s, share in enumerate((0.8, 0.2)):
        np.testing.assert_allclose(y[subset == s].sum(axis=0), share * y.sum(axis=0), atol=1.5)
    uneven = assign(y, [0.5, 0.3, 0.2], np.random.RandomState(0))
    assert np.bincount(uneven).tolist() == [250, 150, 100]
    # The last subset is there although its first ones would suffice.
    assert np.bincount(assign(y[:2], np.full(5, 0.2), np.random.RandomState(0))).sum() == 2


def even_out_rows(subset, proportions):
    """Even out rows that carry one label each."""
    subset = np.array(subset)
    ones = np.ones(len(subset), dtype=int)
    return even_out(subset, ones[:, None], ones, np.array(proportions))


@pytest.mark.parametrize("n_test", range(1, 50))
def test_a_share_that_rounding_left_below_a_whole_number_is_that_number(n_test):
    """49 * (1 / 49) is less than 1."""
    found = even_out_rows([0] * 49, [(49 - n_test) / 49, n_test / 49])
    assert np.bincount(found).tolist() == [49 - n_test, n_test]


@pytest.mark.parametrize("subset", [[0, 0, 0, 0, 1, 1, 1], [1, 0, 0, 0, 1, 1, 1]])
def test_sizes_as_near_to_the_proportions_as_can_be_are_left_alone(subset):
    assert even_out_rows(subset, [0.5, 0.5]).tolist() == subset


def test_equal_groups_are_assigned_in_the_order_that_the_seed_gave_them():
    """Two subsets of one size then get one of each two groups, the large ones first."""
    sizes = np.tile([1, 2, 2, 1], 25)
    y = np.ones((sizes.sum(), 1), dtype=bool)
    groups = np.repeat(np.arange(100), sizes)
    subset = assign(y, [0.5, 0.5], np.random.RandomState(0), groups)
    in_order = np.argsort(np.random.RandomState(0).permutation(100))
    of_group = subset[np.searchsorted(groups, in_order)]
    for size in (1, 2):
        assert (of_group[sizes[in_order] == size].reshape(-1, 2).sum(axis=1) == 1).all()


def test_a_label_of_no_row_changes_nothing():
    y = labels(60)[:, :2] == 1
    without = assign(y, [0.6, 0.3, 0.1], np.random.RandomState(0))
    with_one = np.hstack([np.zeros((60, 1), dtype=bool), y, np.zeros((60, 1), dtype=bool)])
    found = assign(with_one, [0.6, 0.3, 0.1], np.random.RandomState(0))
    assert found.tolist() == without.tolist()


# --- sizes with groups ----------------------------------------------------------------------------


def nearest_of_all(sizes, proportions):
    """Least distance of the first of two subsets from its share, over all sets of groups."""
    reachable = {0}
    for size in sizes:
        reachable |= {total + size for total in reachable}
    inner = [total for total in reachable if 0 < total < sum(sizes)]
    return min(abs(total - proportions[0] * sum(sizes)) for total in inner)


@settings(max_examples=150, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 12), min_size=2, max_size=10),
    test_share=st.sampled_from([0.5, 0.3, 0.1]),
    seed=st.integers(0, 3),
)
def test_no_two_sets_of_whole_groups_are_nearer_to_the_sizes_asked_for(sizes, test_share, seed):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    n = len(groups)
    y = np.random.RandomState(seed).rand(n, 2) < 0.4
    n_test = int(np.ceil(test_share * n))
    proportions = np.array([n - n_test, n_test]) / n
    subset = assign(y, proportions, np.random.RandomState(seed), groups)
    found = abs(np.sum(subset == 0) - proportions[0] * len(groups))
    assert found == pytest.approx(nearest_of_all(sizes, proportions))


@settings(max_examples=100, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=4, max_size=10),
    n_subsets=st.integers(3, 4),
    seed=st.integers(0, 3),
)
def test_no_exchange_between_two_folds_makes_them_more_equal(sizes, n_subsets, seed):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    y = np.random.RandomState(seed).rand(len(groups), 2) < 0.4
    subset = assign(y, np.full(n_subsets, 1 / n_subsets), np.random.RandomState(seed), groups)
    fold = subset[np.searchsorted(groups, np.arange(len(sizes)))]
    for a in range(n_subsets):
        for b in range(a + 1, n_subsets):
            both = [size for size, f in zip(sizes, fold, strict=True) if f in (a, b)]
            assert min(np.sum(subset == a), np.sum(subset == b)) > 0
            gap = abs(int(np.sum(subset == a)) - int(np.sum(subset == b)))
            assert gap == pytest.approx(2 * nearest_of_all(both, [0.5]))


def test_groups_that_single_moves_leave_uneven():
    """Nine and twelve rows, where ten and eleven can be had by an exchange."""
    sizes = [4, 5, 5, 7]
    groups = np.repeat(np.arange(4), sizes)
    y = np.ones((21, 1), dtype=int)
    for _, test in MultiLabelStratifiedKFold(2).split(y, y, groups):
        assert len(test) in (10, 11)


def test_too_many_groups_are_not_exchanged(monkeypatch):
    sizes = np.array([4, 5, 5, 7])
    arguments = np.array([0, 0, 1, 1]), np.ones((4, 1), dtype=int), sizes, np.full(2, 0.5)
    assert np.bincount(even_out(*arguments), sizes).tolist() in ([10, 11], [11, 10])
    # Four groups of 21 rows are just enough, and then too many.
    monkeypatch.setattr(_assignment, "_LARGEST_EXCHANGE", 4 * 21)
    assert np.bincount(even_out(*arguments), sizes).tolist() in ([10, 11], [11, 10])
    monkeypatch.setattr(_assignment, "_LARGEST_EXCHANGE", 4 * 21 - 1)
    assert even_out(*arguments).tolist() == [0, 0, 1, 1]


def test_a_single_group_in_two_subsets_stays_where_it_is():
    subset, ones = np.array([0, 1]), np.ones((2, 1), dtype=int)
    found = even_out(subset, ones, np.array([3, 3]), np.array([0.2, 0.5, 0.3]))
    assert found.tolist() == [0, 1]


def test_exchanging_groups_keeps_label_frequencies_where_it_can():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), rng.integers(1, 40, 60))
    y = labels(len(groups), frequencies=FREQUENCIES[:3])
    splits = list(MultiLabelStratifiedKFold(4).split(y, y, groups))
    sizes = [len(test) for _, test in splits]
    assert max(sizes) - min(sizes) <= 1
    assert label_deviation(y, splits).abs().mean(axis=None) < 0.1


def test_moves_into_a_subset_count_for_the_moves_that_follow():
    # Of the eight rows that the first subset has too many, six with the second label are best.
    counts = np.repeat(np.eye(2, dtype=int), 60, axis=0)
    subset = np.repeat([0, 1, 2, 0, 1, 2], [24, 16, 20, 24, 24, 12])
    found = even_out(subset, counts, np.ones(120, dtype=int), np.full(3, 1 / 3))
    assert counts[found == 2].sum(axis=0).tolist() == [22, 18]


def test_defaults_and_the_fewest_rows():
    assert MultiLabelStratifiedKFold().get_n_splits() == 5
    assert RepeatedMultiLabelStratifiedKFold().get_n_splits() == 50
    y = np.ones((2, 2), dtype=int)
    for train, test in MultiLabelStratifiedShuffleSplit(2, test_size=1).split(y, y):
        assert sorted([*train, *test]) == [0, 1]


# --- unknown labels -------------------------------------------------------------------------------


@pytest.mark.parametrize("cv", SPLITTERS, ids=lambda cv: type(cv).__name__)
@pytest.mark.parametrize("dtype", ["float", "Int64"])
def test_unknown_labels_are_spread_and_frequencies_are_those_of_the_known(cv, dtype):
    rng = np.random.default_rng(0)
    truth = pd.DataFrame(labels(600, frequencies=[0.5, 0.3, 0.1]), columns=["Drama", "War", "News"])
    hidden = rng.random((600, 3)) < [0.5, 0.2, 0.1]
    y = truth.mask(hidden).astype(dtype)
    message = rf"^{hidden.sum()} of 1,800 labels in y are unknown \(NaN\); they are left out.$"
    with pytest.warns(UnknownLabelWarning, match=message) as caught:
        splits = list(cv.split(y, y))
    assert len(caught) == 1
    with pytest.warns(UnknownLabelWarning):
        found = label_deviation(y, splits)
    known = ~hidden
    for split, (_, test) in enumerate(splits):
        for label in range(3):
            rows, column = known[test, label], truth.to_numpy()[:, label]
            expected = column[test][rows].mean() / column[known[:, label]].mean() - 1
            assert found.iloc[split, label] == pytest.approx(expected)
    assert found.abs().mean(axis=None) < 0.03
    shares = np.array([hidden[test].mean(axis=0) for _, test in splits])
    assert np.abs(shares / hidden.mean(axis=0) - 1).mean() < 0.05


def test_train_test_splits_take_unknown_labels():
    y = pd.DataFrame(labels(100, frequencies=FREQUENCIES[:3]), columns=["a", "b", "c"])
    y = y.mask(np.random.default_rng(0).random(y.shape) < 0.2)
    n_unknown = int(y.isna().sum().sum())
    with pytest.warns(UnknownLabelWarning, match=f"^{n_unknown} of 300 labels in y") as caught:
        _, test = multilabel_train_test_split(y, random_state=0)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert test.isna().sum().sum() == pytest.approx(n_unknown / 4, abs=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it says nothing
        train, test = stratified_holdout(y, 0.25, 0)
    assert (len(train), len(test)) == (75, 25)


def test_rows_without_labels_are_spread_too():
    y = labels(300, frequencies=FREQUENCIES[:3])
    y[:100] = 0
    empty = ~y.any(axis=1)
    for _, test in MultiLabelStratifiedKFold(5).split(y, y):
        assert empty[test].sum() == pytest.approx(empty.sum() / 5, abs=5)
    train, test = stratified_holdout(np.zeros((20, 3)), 0.25, 0)
    assert (len(train), len(test)) == (15, 5)


@pytest.mark.parametrize("cv", SPLITTERS, ids=lambda cv: type(cv).__name__)
@pytest.mark.parametrize("grouped", [False, True])
def test_a_seed_decides_and_the_global_generator_is_left_alone(cv, grouped):
    y = labels(120, frequencies=FREQUENCIES[:3])
    groups = np.arange(120) // 3 if grouped else None
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = list(cv.split(y, y, groups))
    assert same_splits(first, cv.split(y, y, groups))
    cv.random_state = 1
    assert not same_splits(first, cv.split(y, y, groups))
    cv.random_state = None
    assert not same_splits(list(cv.split(y, y, groups)), cv.split(y, y, groups))
    cv.random_state = 0
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_a_random_state_instance_moves_on():
    y = labels(120, frequencies=FREQUENCIES[:3])
    cv = MultiLabelStratifiedKFold(3, shuffle=True, random_state=np.random.RandomState(0))
    assert not same_splits(list(cv.split(y, y)), cv.split(y, y))


def test_without_shuffling_folds_depend_on_labels_alone():
    y = labels(60, frequencies=FREQUENCIES[:3])
    cv = MultiLabelStratifiedKFold(3)
    assert same_splits(list(cv.split(y, y)), cv.split(np.arange(60), pd.DataFrame(y)))


@pytest.mark.parametrize("cv", SPLITTERS, ids=lambda cv: type(cv).__name__)
def test_groups_stay_together(cv):
    rng = np.random.RandomState(0)
    y = labels(400, frequencies=FREQUENCIES[:4])
    groups = np.array([f"id{g}" for g in rng.randint(0, 150, 400)])
    splits = list(cv.split(y, y, groups))
    for train, test in splits:
        assert not set(groups[train]) & set(groups[test])
        assert sorted([*train, *test]) == list(range(400))
    chance = GroupShuffleSplit(len(splits), test_size=len(splits[0][1]) / 400, random_state=0)
    ours = label_deviation(y, splits).abs().to_numpy().mean()
    assert 2 * ours < label_deviation(y, chance.split(y, y, groups)).abs().to_numpy().mean()


def test_groups_of_one_row_stratify_as_well_as_rows():
    y = labels(500)
    cv = MultiLabelStratifiedKFold(5, shuffle=True, random_state=0)
    alone = label_deviation(y, cv.split(y, y, groups=np.arange(500))).abs().to_numpy()
    rows = label_deviation(y, cv.split(y, y)).abs().to_numpy()
    assert alone.mean() < 1.5 * rows.mean() + 0.01


def test_no_subset_is_empty_however_few_rows_or_groups():
    for seed in range(25):
        rng = np.random.RandomState(seed)
        for n in range(2, 8):
            y = labels(n, seed, rng.rand(3))
            groups = rng.randint(0, n, n)
            for number in range(2, n + 1):
                cv = MultiLabelStratifiedKFold(number, shuffle=True, random_state=seed)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", LabelWarning)
                    assert all(len(train) and len(test) for train, test in cv.split(y, y))
                    if len(set(groups)) >= number:
                        assert all(len(test) for _, test in cv.split(y, y, groups))
            # One row a label: by label shares alone, the training subset would take everything.
            train, test = stratified_holdout(np.eye(n), 0.1, seed)
            assert (len(train), len(test)) == (n - 1, 1)


@pytest.mark.parametrize("cv", SPLITTERS, ids=lambda cv: type(cv).__name__)
@pytest.mark.parametrize("frame", [False, True])
def test_splitters_are_cv_of_searches_over_paths(cv, frame):
    y = labels(60, frequencies=FREQUENCIES[:3])
    y = pd.DataFrame(y, columns=["Drama", "Comedy", "War"]) if frame else y
    paths = np.array([f"{i}.jpg" for i in range(60)])
    lengths = FunctionTransformer(lambda X: np.array([[len(path)] for path in X]))
    pipe = make_pipeline(lengths, DummyClassifier())
    assert np.isfinite(cross_val_score(pipe, paths, y, cv=cv)).all()
    search = GridSearchCV(pipe, {"dummyclassifier__strategy": ["prior", "uniform"]}, cv=cv)
    assert np.isfinite(search.fit(paths, y).cv_results_["mean_test_score"]).all()
    assert search.n_splits_ == cv.get_n_splits()


@pytest.mark.parametrize("routing", [False, True])
def test_searches_hand_groups_over(routing):
    y = labels(60, frequencies=FREQUENCIES[:3])
    groups = np.arange(60) // 4
    cv = MultiLabelStratifiedKFold(3)
    with sklearn.config_context(enable_metadata_routing=routing):
        how = {"params": {"groups": groups}} if routing else {"groups": groups}
        found = cross_validate(DummyClassifier(), y, y, cv=cv, return_indices=True, **how)
    for train, test in zip(*found["indices"].values(), strict=True):
        assert not set(groups[train]) & set(groups[test])


def test_a_single_repetition_is_one_round_of_folds():
    y = labels(60, frequencies=FREQUENCIES[:3])
    cv = RepeatedMultiLabelStratifiedKFold(3, n_repeats=1, random_state=0)
    assert cv.get_n_splits() == len(list(cv.split(y, y))) == 3
    assert sorted(np.concatenate([test for _, test in cv.split(y, y)])) == list(range(60))


@pytest.mark.parametrize(("train_size", "sizes"), [(0.5, (60, 60)), (30, (30, 90))])
def test_a_shuffle_split_tests_on_what_the_training_size_leaves(train_size, sizes):
    y = labels(120, frequencies=FREQUENCIES[:3])
    cv = MultiLabelStratifiedShuffleSplit(2, train_size=train_size, random_state=0)
    assert [(len(train), len(test)) for train, test in cv.split(y, y)] == [sizes] * 2


def test_rare_labels_are_named_once():
    y = pd.DataFrame(labels(60, frequencies=[0.5, 0.4, 0]), columns=["Drama", "N/A", "News"])
    y.loc[:1, "News"] = 1
    message = r"fewer positives than the 3 folds, so that some have none: News \(2\)\."
    with pytest.warns(LabelWarning, match=message) as caught:
        list(RepeatedMultiLabelStratifiedKFold(3, n_repeats=4, random_state=0).split(y, y))
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(MultiLabelStratifiedKFold(2).split(y, y))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "y is missing"),
        ([0, 1, 1], r"y has shape \(3,\).*y.reshape\(-1, 1\)"),
        ([[0, 2], [1, 0], [0, 1]], r"holds .*2.* in row 0"),
        ([[0, 0.5], [1, 0], [0, 1]], r"holds .*0.5.* in row 0"),
        ([[0, np.inf], [1, 0], [0, 1]], r"holds inf in row 0, label 1"),
        ([["Drama", "War"]] * 3, "holds .*Drama.* in row 0"),
        ([["Drama", "War"], ["War"], []], "differ in length"),
        (np.zeros((3, 0)), "is empty"),
        ([[1, 0]] * 2, "inconsistent numbers of samples"),
    ],
)
def test_labels_that_are_not_0_1_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        next(MultiLabelStratifiedKFold(2).split(np.zeros(3), y))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: MultiLabelStratifiedKFold(1), ValueError, "n_splits is a whole number from 2"),
        (lambda: MultiLabelStratifiedKFold(2.0), ValueError, "n_splits is a whole number from 2"),
        (lambda: MultiLabelStratifiedKFold(shuffle=1), TypeError, "shuffle must be"),
        (lambda: MultiLabelStratifiedKFold(random_state=0), ValueError, "without shuffle=True"),
        (lambda: RepeatedMultiLabelStratifiedKFold(1), ValueError, "n_splits is"),
        (lambda: RepeatedMultiLabelStratifiedKFold(n_repeats=0), ValueError, "n_repeats is"),
    ],
)
def test_parameters_are_checked(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_too_few_rows_or_groups_for_the_subsets():
    y = labels(4, frequencies=FREQUENCIES[:2])
    with pytest.raises(ValueError, match="Cannot make 5 subsets of 4 rows"):
        next(MultiLabelStratifiedKFold(5).split(y, y))
    with pytest.raises(ValueError, match="Cannot make 3 subsets of 2 groups"):
        next(MultiLabelStratifiedKFold(3).split(y, y, groups=[0, 0, 1, 1]))
    with pytest.raises(ValueError, match="Cannot make 2 subsets of 1 rows"):
        stratified_holdout([[1, 0]])
    with pytest.raises(ValueError, match=r"groups has shape \(4, 1\)"):
        next(MultiLabelStratifiedKFold(2).split(y, y, groups=[[0], [0], [1], [1]]))


# --- holdouts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("test_size", "train_size", "expected"),
    [
        (None, None, (75, 25)),
        (0.1, None, (90, 10)),
        (7, None, (93, 7)),
        (0.2, 0.5, (50, 20)),
        (None, 0.5, (50, 50)),
        (None, 60, (60, 40)),
    ],
)
def test_sizes_follow_scikit_learn(test_size, train_size, expected):
    y = labels(100, frequencies=FREQUENCIES[:3])
    train, test = multilabel_train_test_split(
        y, test_size=test_size, train_size=train_size, random_state=0
    )
    assert (len(train), len(test)) == expected
    with pytest.raises(ValueError, match="test_size=100 should be"):
        multilabel_train_test_split(y, test_size=100)


def test_arrays_of_all_kinds_are_split_alike():
    y = pd.DataFrame(labels(40, frequencies=FREQUENCIES[:2]), index=np.arange(40) + 100)
    rows = np.arange(40)
    arrays = rows.astype(str), rows.tolist(), pd.DataFrame({"row": rows}), rows[:, None, None]
    found = multilabel_train_test_split(*arrays, y, random_state=0)
    assert [type(subset) for subset in found[::2]] == [type(array) for array in (*arrays, y)]
    for subset in (0, 1):
        paths, numbers, frame, images, y_subset = found[subset::2]
        assert numbers == frame["row"].tolist() == images.ravel().tolist()
        assert paths.astype(int).tolist() == numbers == (y_subset.index - 100).tolist()
    assert numbers != sorted(numbers)


def test_labels_to_stratify_by_need_not_be_last():
    y = labels(40, frequencies=FREQUENCIES[:2])
    rows = np.arange(40)
    train, test = multilabel_train_test_split(rows, stratify=y, random_state=0)
    assert y[test].mean(axis=0) == pytest.approx(y[train].mean(axis=0), abs=0.08)
    with pytest.raises(ValueError, match=r"y has shape \(40,\)"):
        multilabel_train_test_split(y, rows)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        multilabel_train_test_split(rows[:30], y)
    with pytest.raises(ValueError, match="At least one array"):
        multilabel_train_test_split()


def test_holdout_keeps_groups_and_constant_labels():
    y = np.column_stack([np.ones(30), np.zeros(30), np.arange(30) % 2])
    groups = np.arange(30) // 5
    train, test = stratified_holdout(y, 0.3, 0, groups=groups)
    assert not set(groups[train]) & set(groups[test])
    assert len(test) == 10
    assert np.array_equal(train, np.sort(train))


def test_deviation_of_missing_and_absent_labels():
    y = pd.DataFrame({"Drama": [1, 1, 0, 0], "War": [1, 0, 0, 0], "News": [0, 0, 0, 0]})
    deviation = label_deviation(y, [([2, 3], [0, 1]), ([0, 1], [2, 3])])
    assert list(deviation.columns) == ["Drama", "War", "News"]
    assert deviation["Drama"].tolist() == [1, -1]
    assert deviation["War"].tolist() == [1, -1]
    assert deviation["News"].isna().all()
    with pytest.raises(ValueError, match="Got 2 label_names for 3 labels"):
        label_deviation(y.to_numpy(), [], label_names=["a", "b"])


# --- near duplicates ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Three different pictures; of the first, a copy, a worse JPEG, a darker and a larger one."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name in "abc":
        coarse = Image.fromarray(rng.integers(0, 255, (8, 6, 3), dtype=np.uint8))
        fine = coarse.resize((120, 180)).filter(ImageFilter.GaussianBlur(2))
        fine.save(folder / f"{name}.png")
    first = Image.open(folder / "a.png")
    (folder / "copy.png").write_bytes((folder / "a.png").read_bytes())
    first.save(folder / "a.jpg", quality=25)
    first.point(lambda value: value * 0.7).save(folder / "dark.png")
    first.resize((333, 500)).save(folder / "large.webp")
    exif = Image.Exif()
    exif[0x0112] = 6
    first.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.jpg", exif=exif)
    first.convert("RGBA").save(folder / "rgba.png")
    return folder


def test_copies_of_one_picture_share_a_group(pictures):
    copies = ["a.png", "copy.png", "a.jpg", "dark.png", "large.webp", "turned.jpg", "rgba.png"]
    names = ["b.png", *copies, "c.png", "b.png"]
    groups = near_duplicate_groups([pictures / name for name in names])
    assert groups.tolist() == [0, 1, 1, 1, 1, 1, 1, 1, 2, 0]
    frame = pd.DataFrame({"path": [str(pictures / name) for name in names]})
    assert near_duplicate_groups(frame, n_jobs=2).tolist() == groups.tolist()


@pytest.mark.parametrize("size", [(60, 90), (90, 134), (150, 222), (600, 900)])
def test_copies_at_another_scale_are_found(size):
    """Of pictures with detail as fine as the thumbnails have, where sampling elsewhere shows."""
    rng = np.random.default_rng(0)
    originals, copies = [], []
    for _ in range(30):
        coarse = Image.fromarray(rng.integers(0, 255, (44, 30, 3), dtype=np.uint8))
        picture = coarse.resize((300, 445), Image.Resampling.BICUBIC)
        for image, into in ((picture, originals), (picture.resize(size), copies)):
            file = io.BytesIO()
            image.save(file, "JPEG", quality=90)
            into.append(file.getvalue())
    groups = near_duplicate_groups([*originals, *copies])
    assert groups.tolist() == [*range(30), *range(30)]


def test_only_equal_bytes_count_at_a_correlation_of_one(pictures):
    names = ["a.png", "a.jpg", "copy.png"]
    groups = near_duplicate_groups([pictures / name for name in names], min_correlation=1.0)
    assert groups.tolist() == [0, 1, 0]


def test_other_groups_are_joined(pictures):
    paths = [pictures / name for name in ("a.png", "b.png", "copy.png", "c.png")]
    groups = near_duplicate_groups(paths, groups=["x", "y", "z", "y"])
    assert groups.tolist() == [0, 1, 0, 1]
    assert near_duplicate_groups(paths, groups=list("xyyx")).tolist() == [0, 0, 0, 0]


def test_pictures_of_one_colour_do_not_attract_each_other(tmp_path):
    for value in (0, 120, 255):
        Image.new("RGB", (30, 40), (value,) * 3).save(tmp_path / f"{value}.jpg")
    paths = sorted(tmp_path.iterdir())
    assert near_duplicate_groups([*paths, paths[0]]).tolist() == [0, 1, 2, 0]


def test_all_unreadable_images_are_reported(pictures, tmp_path):
    text = tmp_path / "text.jpg"
    text.write_text("not an image")
    paths = [pictures / "a.png", text, tmp_path / "missing.jpg", tmp_path]
    with pytest.raises(ImageLoadError, match=r"(?s)3 of the rows.*row 1: .*text.jpg") as caught:
        near_duplicate_groups(paths)
    assert [row for row, _, _ in caught.value.failures] == [1, 2, 3]
    assert caught.value.path == str(text)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageLoadError, match="a pipe"):
        near_duplicate_groups([tmp_path / "pipe.jpg"])


def test_pixels_in_memory_are_grouped_as_files_are(pictures):
    paths = [pictures / name for name in ("b.png", "a.png", "dark.png", "a.png")]
    pixels = np.stack([np.asarray(Image.open(path)) for path in paths])
    assert near_duplicate_groups(pixels).tolist() == near_duplicate_groups(paths).tolist()
    assert near_duplicate_groups([path.read_bytes() for path in paths]).tolist() == [0, 1, 1, 1]


def test_what_is_no_image_is_refused():
    with pytest.raises(TypeError, match="got a single one"):
        near_duplicate_groups("a.jpg")
    with pytest.raises(ImageLoadError, match="row 1: None"):
        near_duplicate_groups(["a.jpg", None])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        near_duplicate_groups(["a.jpg", "b.jpg"], groups=[1])


def test_the_correlation_is_checked():
    with pytest.raises(ValueError, match="min_correlation is above 0"):
        near_duplicate_groups(["a.jpg"], min_correlation=1.5)


# --- real posters ---------------------------------------------------------------------------------


@pytest.mark.skipif(
    "SKPOSTER_POSTERS" not in os.environ,
    reason="SKPOSTER_POSTERS names no folder with train.csv, val.csv and Images/",
)
def test_real_posters():
    folder = Path(os.environ["SKPOSTER_POSTERS"])
    parts = [
        pd.read_csv(folder / f"{part}.csv", keep_default_na=False) for part in ("train", "val")
    ]
    frame = pd.concat(parts, ignore_index=True)
    y = frame.iloc[:, 2:].astype(int)
    groups = near_duplicate_groups([folder / "Images" / f"{name}.jpg" for name in frame["Id"]])
    members = pd.Series(frame["Id"]).groupby(groups).agg(set)
    assert members[members.map(len) > 1].tolist() == [{"tt0093658", "tt0095275", "tt0100100"}]
    cv = MultiLabelStratifiedKFold(5, shuffle=True, random_state=0)
    with pytest.warns(LabelWarning, match=r"Reality-TV \(1\)"):
        splits = list(cv.split(y, y, groups))
    assert not any(set(groups[train]) & set(groups[test]) for train, test in splits)
    frequent = y.columns[y.sum() >= 50]
    assert label_deviation(y, splits)[frequent].abs().to_numpy().mean() < 0.015


def test_features_in_place_of_thumbnails(tmp_path):
    features = np.array([[2, 0, 0], [1, 0, 0.01], [0, 1, 0], [0, 0, 0], [0, 0, 0], [0.9, 0, -0.2]])
    paths = [str(tmp_path / f"{i}.jpg") for i in range(6)]  # which are not read
    groups = near_duplicate_groups(paths, features=features)
    assert groups.tolist() == [0, 0, 1, 2, 3, 0]
    stricter = near_duplicate_groups(paths, features=features, min_correlation=0.99)
    assert stricter.tolist() == [0, 0, 1, 2, 3, 4]
    joined = near_duplicate_groups(paths, features=features, groups=list("abcdce"))
    assert joined.tolist() == [0, 0, 1, 2, 1, 0]
    twice = features[[0, 0, 2, 3, 4, 5]]
    only_equal = near_duplicate_groups(paths, features=twice, min_correlation=1)
    assert only_equal.tolist() == [0, 0, 1, 2, 3, 4]


def test_features_are_compared_in_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(50, 8))
    features[30:] = features[:20] * 3
    monkeypatch.setattr(_near_duplicates, "_BLOCK", 70)
    groups = near_duplicate_groups([f"{i}.jpg" for i in range(50)], features=features)
    assert groups.tolist() == [*range(30), *range(20)]


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.ones((2, 3)), "inconsistent numbers of samples"),
        (np.ones(3), r"\(n_samples, n_features\), got \(3,\)"),
        ([[1, 2], [3, np.nan], [5, 6]], "not finite, in row 1"),
    ],
)
def test_features_are_checked(features, message):
    with pytest.raises(ValueError, match=message):
        near_duplicate_groups(["a.jpg", "b.jpg", "c.jpg"], features=features)


@pytest.mark.filterwarnings("ignore::skposter.exceptions.LabelWarning")
@pytest.mark.parametrize("n_first", [2, 10, 18])
def test_two_groups_are_training_and_test_whatever_is_left_out(n_first):
    y = np.array([[1, 0], [0, 1]] * 10)
    groups = np.arange(20) >= n_first
    train, test = multilabel_train_test_split(
        np.arange(20), y, groups=groups, train_size=0.3, test_size=0.2, random_state=0
    )[:2]
    assert sorted([len(train), len(test)]) == sorted([n_first, 20 - n_first])
