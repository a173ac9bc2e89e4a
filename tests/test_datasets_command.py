"""What check, train and evaluate understand of a table of labels."""

import inspect
import json

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from skposter.commands import _data, main
from skposter.commands.train import fit, split_by_groups
from skposter.datasets import load_image_table


@pytest.fixture
def run(tmp_path, capsys):
    """A function that writes a table and images, and runs a command on them."""

    def run(command, rows, *options, images="abcd"):
        (tmp_path / "Images").mkdir(exist_ok=True)
        for name in images:
            (tmp_path / "Images" / f"{name}.jpg").touch()
        (tmp_path / "labels.csv").write_text("\n".join(rows))
        before = [str(tmp_path / "none.joblib")] if command == "evaluate" else []
        data = [str(tmp_path / "labels.csv"), str(tmp_path / "Images")]
        status = main([command, *before, *data, *options])
        return status, *capsys.readouterr()

    return run


def first_line(text):
    return text.splitlines()[0]


def test_every_argument_of_load_image_table_has_an_option():
    arguments = set(inspect.signature(load_image_table).parameters)
    assert set(_data._OPTIONS) == arguments - {"table", "image_dir", "return_X_y"}


@pytest.mark.parametrize(
    ("rows", "options", "columns"),
    [
        (
            ["image_name,tags", "a,haze primary", "b,clear"],
            ["--label-delimiter", " "],
            "ids: image_name; labels: tags, separated by spaces (3 labels); metadata: none",
        ),
        (
            ["id,cat,dog", "a,1,-1", "b,-1,1"],
            ["--label-values", '{"1": 1, "-1": null}'],
            "ids: id; labels: cat, dog, columns in which 1 is there, -1 is unknown (2 labels); "
            "metadata: none",
        ),
        (
            ["id,labels", "a,10", "b,01"],
            ["--label-names", "cat", "dog", "--label-column", "labels", "--label-delimiter", ""],
            "ids: id; labels: labels, one a row (2 labels); metadata: none",
        ),
        (
            ["a.jpg 1 0", "b.jpg 0 1"],
            ["--column-names", "image", "cat", "dog", "--sep", r"\s+"],
            "ids: image; labels: cat, dog, columns of 0/1 (2 labels); metadata: none",
        ),
        (
            ["nr,label", "a,cat", "a,dog"],
            ["--on-duplicate", "union", "--image-path", "{nr}.jpg"],
            "images: {nr}.jpg; ids: nr; labels: label, one a row (2 labels); metadata: none",
        ),
        (
            ["id,cat,train,film", "a,1,0,f", "b,0,1,g"],
            ["--metadata-columns", "train", "--groups", "film"],
            "ids: id; labels: cat, columns of 0/1 (1 label); groups: film; metadata: train",
        ),
        (
            ["id,cat,train", "a,1,0", "b,0,1"],
            ["--metadata-columns"],
            "ids: id; labels: cat, train, columns of 0/1 (2 labels); metadata: none",
        ),
        (
            ["ID,Name,There", "a,x,1", "b,y,1", "a,y,0"],
            ["--label-column", "Name", "--value-column", "There", "--id-column", "ID",
             "--label-names", '{"x": "cat", "y": "dog"}'],
            "ids: ID; labels: Name, one a row, if There says so (2 labels); metadata: none",
        ),
    ],
)  # fmt: skip
def test_the_first_line_says_what_was_understood(run, rows, options, columns):
    status, out, err = run("check", rows, *options)
    if "10" in rows[1]:
        assert status == 2  # 10 and 01 are no names of label_names
        assert "label numbers" in err
        return
    assert first_line(out) == columns
    assert status == 1  # the images are empty
    status, out, _ = run("check", rows, *options, "--quiet")
    assert first_line(out) != columns


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--label-values", "1"], "no JSON object"),
        (["--label-values", "{"], "no JSON"),
        (["--label-names", "{"], "no JSON"),
        (["--subset", "train"], "needs --split"),
        (["--split", "set", "--subset", "dev"], "--subset dev is none of train, val"),
        (["--sep", ";"], "the header has one column"),
        (["--encoding", "utf-16"], "not utf-16 text"),
    ],
)
def test_options_that_are_refused(run, options, message):
    status, _, err = run("check", ["id,label,set", "a,cat,train", "b,dog,val"], *options)
    assert status == 2
    assert message in err


def test_a_subset_is_the_rows_of_it(run):
    rows = ["id,label,set", "a,cat,train", "b,dog,val", "c,dog,train"]
    _, out, _ = run("check", rows, "--split", "set", "--subset", "train")
    assert "3 rows, 2 images, 2 labels" in out


def test_evaluate_asks_for_the_subset(run):
    rows = ["id,label,set", "a,cat,train", "b,dog,val", "c,dog,train"]
    status, out, err = run("evaluate", rows, "--split", "set")
    assert (status, out) == (2, "")
    assert "say which to score with --subset" in err
    status, out, err = run("evaluate", rows, "--split", "set", "--subset", "val")
    assert "none.joblib" in err
    assert first_line(err).startswith("ids: id; labels: label")


# Training and validation rows


class Recorder(BaseEstimator):
    n_iter_ = 1

    def fit(self, X, y, X_val=None, y_val=None):
        self.given_ = X, y, X_val, y_val
        return self


@pytest.fixture
def data(tmp_path):
    """A function that loads six images with the columns that are given."""

    def load(**options):
        rows = ["id,label,film,set,fold,part"]
        for i in range(6):
            (tmp_path / f"{i}.jpg").touch()
            subset = ("train", "train", "val")[i % 3]
            rows.append(f"{i}.jpg,{'cat' if i % 2 else 'dog'},f{i // 2},{subset},{i % 3},p{i % 2}")
        (tmp_path / "labels.csv").write_text("\n".join(rows))
        return load_image_table(tmp_path / "labels.csv", tmp_path, label_column="label", **options)

    return load


def test_the_split_of_the_table_gives_training_and_validation_rows(data):
    train, validation = _data.own_split(data(split="set"))
    assert (train.tolist(), validation.tolist()) == ([0, 1, 3, 4], [2, 5])
    assert _data.own_split(data()) is None
    for column in ("fold", "part"):
        with pytest.raises(ValueError, match="say which to train on with --subset"):
            _data.own_split(data(split=column))


def test_groups_stay_on_one_side(data):
    class Arguments:
        validation_fraction, random_state = 0.3, 0

    loaded = data(groups="film")
    train, validation = split_by_groups(loaded, Arguments)
    assert sorted([*train, *validation]) == list(range(6))
    assert not set(loaded.groups[train]) & set(loaded.groups[validation])
    assert split_by_groups(data(), Arguments) is None
    Arguments.validation_fraction = 0
    assert split_by_groups(loaded, Arguments) is None


def test_validation_rows_reach_the_classifier_loaded(data):
    loaded = data()
    pipeline = Pipeline(
        [("loader", FunctionTransformer(np.char.upper)), ("classifier", Recorder())]
    )
    parts = np.array([0, 1, 3, 4]), np.array([2, 5])
    assert not fit(pipeline, loaded, parts)
    X, y, X_val, y_val = pipeline[-1].given_
    assert X.tolist() == np.char.upper(loaded.paths[parts[0]]).tolist()
    assert X_val.tolist() == np.char.upper(loaded.paths[parts[1]]).tolist()
    assert y.equals(loaded.y.iloc[parts[0]])
    assert y_val.equals(loaded.y.iloc[parts[1]])
    fit(pipeline, loaded, None)
    assert pipeline[-1].given_[2] is None


def test_what_was_understood_goes_into_json(data):
    kept = data().columns.arguments()
    assert json.loads(json.dumps(kept)) == kept
