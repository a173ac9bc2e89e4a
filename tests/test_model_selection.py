import io
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
from iterstrat.ml_stratifiers import IterativeStratification
from PIL import Image, ImageFilter
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, GroupShuffleSplit, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skposter.exceptions import ImageLoadError, LabelWarning
from skposter.model_selection import (
    MultiLabelStratifiedKFold,
    MultiLabelStratifiedShuffleSplit,
    RepeatedMultiLabelStratifiedKFold,
    label_deviation,
    multilabel_train_test_split,
    near_duplicate_groups,
    stratified_holdout,
)

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


def test_folds_deviate_less_than_those_of_the_package_and_of_chance():
    y = labels(1500)

    def deviation(fold):
        splits = [(None, np.flatnonzero(fold == k)) for k in range(5)]
        return label_deviation(y, splits).abs().to_numpy().mean()

    rng = np.random.RandomState(0)
    package = IterativeStratification(y.astype(bool), np.full(5, 0.2), rng)
    chance = rng.permutation(len(y)) % 5
    ours = label_deviation(
        y, MultiLabelStratifiedKFold(5, shuffle=True, random_state=0).split(y, y)
    )
    assert ours.abs().to_numpy().mean() <= deviation(package)
    assert 5 * ours.abs().to_numpy().mean() < deviation(chance)


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
    [(None, None, (75, 25)), (0.1, None, (90, 10)), (7, None, (93, 7)), (0.2, 0.5, (50, 20))],
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
    assert [type(part) for part in found[::2]] == [type(array) for array in (*arrays, y)]
    for part in (0, 1):
        paths, numbers, frame, images, y_part = found[part::2]
        assert numbers == frame["row"].tolist() == images.ravel().tolist()
        assert paths.astype(int).tolist() == numbers == (y_part.index - 100).tolist()
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
