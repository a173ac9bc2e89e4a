"""Label tables as people have them: right, or an error that says what was recognised."""

import json
import pickle
import re
import subprocess
import sys
import zipfile
from pathlib import PureWindowsPath

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import PredefinedSplit, cross_val_score
from sklearn.utils import Bunch

from skposter.datasets import load_image_csv, load_image_table, write_image_csv
from skposter.datasets._cells import Cells
from skposter.exceptions import DataError

AB = ["a.jpg", "b.jpg"]


@pytest.fixture
def load(tmp_path):
    """A function that writes a table and empty images, and reads them."""

    def load(table, files=AB, name="labels.csv", **options):
        for file in files:
            path = tmp_path / "Images" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        if isinstance(table, (str, bytes)):
            path = tmp_path / name
            path.write_bytes(table.encode() if isinstance(table, str) else table)
            table = path
        return load_image_table(table, tmp_path / "Images", **options)

    return load


def labels(data):
    """Return {id: labels}; a label that nobody knows ends in ``?``."""
    return {
        str(i): {
            f"{name}{'?' if np.isnan(value) else ''}"
            for name, value in zip(data.y.columns, row, strict=True)
            if value != 0
        }
        for i, row in zip(data.ids, data.y.to_numpy(dtype=float), strict=True)
    }


def lines(*rows):
    return "\n".join(rows) + "\n"


CAT_DOG = {"a": {"cat", "dog"}, "b": {"dog"}}
CAT_DOG_FILES = {"a.jpg": {"cat", "dog"}, "b.jpg": {"dog"}}

RIGHT = {
    "lists with bars": (lines("id,labels", "a,cat|dog", "b,dog"), {}, CAT_DOG),
    "lists with semicolons": (lines("id,labels", "a,cat;dog", "b,dog"), {}, CAT_DOG),
    "lists with commas": (lines("id,labels", 'a,"cat, dog"', "b,dog"), {}, CAT_DOG),
    "lists with spaces": (
        lines("id,labels", "a,cat dog ", "b, dog"), {"label_delimiter": " "}, CAT_DOG,
    ),
    "lists with two spaces": (
        lines("id,labels", "a,cat  dog", "b,dog"), {"label_delimiter": " "}, CAT_DOG,
    ),
    "a delimiter of two characters": (
        lines("id,labels", "a,cat::dog", "b,dog"), {"label_delimiter": "::"}, CAT_DOG,
    ),
    "label numbers with spaces": (
        lines("Id,Target", "a,16 0", "b,16"), {}, {"a": {"16", "0"}, "b": {"16"}},
    ),
    "names for label numbers": (
        lines("Id,Target", "a,1 0", "b,1"),
        {"label_names": {0: "cat", "1": "dog"}},
        CAT_DOG,
    ),
    "one label a cell, with a space": (
        lines("id,labels", "a,New York", "b,York"),
        {"label_delimiter": ""},
        {"a": {"New York"}, "b": {"York"}},
    ),
    "names with spaces and a delimiter": (
        lines("id,labels", "a,Lung Opacity|Lung Lesion", "b,Lung Opacity"),
        {},
        {"a": {"Lung Opacity", "Lung Lesion"}, "b": {"Lung Opacity"}},
    ),
    "quoted names without brackets": (
        lines("id,labels", "a,\"'cat', 'dog'\"", "b,'dog'"), {}, CAT_DOG,
    ),
    "NumPy's lists": (lines("id,labels", "a,['cat' 'dog']", "b,['dog']"), {}, CAT_DOG),
    "JSON in a cell": (
        lines("id,choice", 'a,"{""choices"": [""cat"", ""dog""]}"', "b,dog"), {}, CAT_DOG,
    ),
    "JSON with true and false": (
        lines(
            "id,labels", 'a,"{""cat"": true, ""dog"": true}"', 'b,"{""cat"": false, ""dog"": 1}"'
        ),
        {},
        CAT_DOG,
    ),
    "JSON objects with a name": (
        lines("id,genres", 'a,"[{""id"": 1, ""name"": ""cat""}, {""id"": 2, ""name"": ""dog""}]"',
              "b,\"[{'id': 2, 'name': 'dog'}]\""),
        {},
        CAT_DOG,
    ),
    "several columns of labels": (
        lines("image,label_1,label_2", "a,cat,dog", "b,dog,"),
        {"label_column": ["label_1", "label_2"]},
        CAT_DOG,
    ),
    "words for no label": (
        lines("id,labels", "a,cat|dog", "b,No Finding"),
        {"label_values": {"no finding": 0}},
        {"a": {"cat", "dog"}, "b": set()},
    ),
    "words for nobody knows": (
        lines("id,labels", "a,cat|dog", "b,None"),
        {"label_values": {"None": None}},
        {"a": {"cat", "dog"}, "b": {"cat?", "dog?"}},
    ),
    "None as the name of a label": (
        lines("id,labels", "a,cat", "b,None"),
        {"label_values": {"None": 1}},
        {"a": {"cat"}, "b": {"None"}},
    ),
    "N/A is a label": (lines("id,labels", "a,N/A", "b,cat"), {}, {"a": {"N/A"}, "b": {"cat"}}),
    "multi-hot lists": (
        lines("id,labels", 'a,"[1, 1]"', 'b,"[0, 1]"'), {"label_names": ["cat", "dog"]}, CAT_DOG,
    ),
    "multi-hot, NumPy": (
        lines("id,labels", "a,[1. 1. 0.]", "b,[0. 1. 0.]"),
        {"label_names": ["cat", "dog", "owl"]},
        CAT_DOG,
    ),
    "multi-hot with spaces": (
        lines("id,labels", "a,1 1 0", "b,0 1 0"), {"label_names": ["cat", "dog", "owl"]}, CAT_DOG,
    ),
    "multi-hot digits": (
        lines("id,labels", "a,110", "b,010"), {"label_names": ["cat", "dog", "owl"]}, CAT_DOG,
    ),
    "multi-hot of -1 and 1": (
        lines("id,labels", 'a,"[1, 1, -1]"', 'b,"[-1, 1, -1]"'),
        {"label_names": ["cat", "dog", "owl"], "label_values": {1: 1, -1: 0}},
        CAT_DOG,
    ),
    "yes and no": (
        lines("id,cat,dog", "a,Yes,yes", "b,no,YES"),
        {"label_values": {"yes": 1, "no": 0}},
        CAT_DOG,
    ),
    "x and blank": (
        lines("id,cat,dog", "a,x,x", "b,,x"), {"label_values": {"x": 1, "": 0}}, CAT_DOG,
    ),
    "1 and blank": (
        lines("id,cat,dog", "a,1,1", "b,,1"), {"label_values": {1: 1, "": 0}}, CAT_DOG,
    ),
    "unknown": (
        lines("id,cat,dog", "a,1.0,1", "b,-1.0,1.0"),
        {"label_values": {"1": 1, "0": 0, "-1": None}},
        {"a": {"cat", "dog"}, "b": {"cat?", "dog"}},
    ),
    "decimal commas": (lines("id;cat;dog", "a;1,0;1,0", "b;0,0;1,0"), {}, CAT_DOG),
    "True and False": (lines("id,cat,dog", "a,TRUE,True", "b,false,true"), {}, CAT_DOG),
    "a fold beside columns of 0/1": (
        lines("id,cat,dog,fold", "a,1,1,3", "b,0,1,4"), {}, CAT_DOG,
    ),
    "metadata beside columns of 0/1": (
        lines("id,Sex,Age,cat,dog,Patient ID", "a,F,61,1,1,0", "b,M,7,0,1,1"), {}, CAT_DOG,
    ),
    "a label called train": (
        lines("id,cat,train", "a,1,1", "b,0,1"),
        {"metadata_columns": []},
        {"a": {"cat", "train"}, "b": {"train"}},
    ),
    "one row per image and label": (
        lines("id,label", "a,cat", "b,dog", "a,dog"), {"on_duplicate": "union"}, CAT_DOG,
    ),
    "one row per image and label, with what was not seen": (
        lines("ImageID,LabelName,Confidence", "a,cat,1", "a,dog,1", "b,dog,1", "b,cat,0"),
        {"value_column": "Confidence", "label_column": "LabelName"},
        CAT_DOG,
    ),
    "what no row speaks of is unknown": (
        lines("ImageID,LabelName,Confidence", "a,cat,1", "a,dog,0", "b,dog,1"),
        {"value_column": "Confidence", "label_column": "LabelName"},
        {"a": {"cat"}, "b": {"dog", "cat?"}},
    ),
    "several readers": (
        lines("image_id,rad_ID,cat,dog", "a,R1,1,0", "a,R2,0,1", "b,R1,0,1"),
        {"on_duplicate": "union"},
        CAT_DOG,
    ),
    "a mark between delimiters": (
        lines("id,labels", 'a,"cat,|"', "b,dog"),
        {"label_delimiter": ","},
        {"a": {"cat", "|"}, "b": {"dog"}},
    ),
    "no header, lists": (lines("a.jpg,cat|dog", "b.jpg,dog"), {}, CAT_DOG_FILES),
    "no header, names given": (
        lines("a,1,1", "b,0,1"), {"column_names": ["id", "cat", "dog"]}, CAT_DOG,
    ),
    "no header, an index": (lines("0,a.jpg,cat|dog", "1,b.jpg,dog"), {}, CAT_DOG_FILES),
    "rows of several lengths": (
        lines("TRAIN,a.jpg,cat,dog", "TEST,b.jpg,dog"),
        {"column_names": ["set", "image", "labels"], "metadata_columns": ["set"]},
        CAT_DOG_FILES,
    ),
    "words of several lengths": (
        lines("a.jpg cat dog", "b.jpg dog"), {"column_names": ["image", "labels"]}, CAT_DOG_FILES,
    ),
    "a header that is given too": (
        lines("a,b", "a,cat|dog", "b,dog"), {"column_names": ["a", "b"]}, CAT_DOG,
    ),
    "pandas' index": (lines(",id,labels", "0,a,cat|dog", "1,b,dog"), {}, CAT_DOG),
    "pandas' index twice": (
        lines("Unnamed: 0,,id,labels", "0,0,a,cat|dog", "1,1,b,dog"), {}, CAT_DOG,
    ),
    "ids for an index": (lines(",cat,dog", "a,1,1", "b,0,1"), {}, CAT_DOG),
    "a blank column without a name": (
        lines("id,labels,", "a,cat|dog,", "b,dog,"), {}, CAT_DOG,
    ),
    "commas at the ends of rows": (lines("id,labels", "a,cat|dog,", "b,dog,,"), {}, CAT_DOG),
    "a count in the first line": (lines("2", "id,labels", "a,cat|dog", "b,dog"), {}, CAT_DOG),
    "whitespace, a count and no name for the ids": (
        lines("2", "cat dog ", "a.jpg  1  1", "b.jpg -1  1"),
        {"label_values": {"1": 1, "-1": 0}},
        CAT_DOG_FILES,
    ),
    "whitespace": (lines("id cat\tdog", "a   1 1", "b\t0 1"), {}, CAT_DOG),
    "R's row names": (lines('"id" "cat" "dog"', '"1" "a" 1 1', '"2" "b" 0 1'), {}, CAT_DOG),
    "semicolons": (lines("id;labels", "a;cat,dog", "b;dog"), {}, CAT_DOG),
    "tabs": (lines("id\tlabels", "a\tcat|dog", "b\tdog"), {}, CAT_DOG),
    "bars": (lines("id|labels", "a|cat,dog", "b|dog"), {}, CAT_DOG),
    "Excel's separator line": (lines("sep=;", "id;labels", "a;cat,dog", "b;dog"), {}, CAT_DOG),
    "another separator": (lines("id:labels", "a:cat|dog", "b:dog"), {"sep": ":"}, CAT_DOG),
    "spaces and blank lines": (
        lines("", "id , labels ", "", " a , cat | dog ", " , ", "b,dog", ""), {}, CAT_DOG,
    ),
    "old Mac's line ends": ("id,labels\ra,cat|dog\rb,dog\r", {}, CAT_DOG),
    "UTF-16": (lines("id\tlabels", "a\tcat|dog", "b\tdog").encode("utf-16"), {}, CAT_DOG),
    "another encoding": (
        lines("id,labels", "a,Comédie", "b,Drame").encode("cp1252"),
        {"encoding": "cp1252"},
        {"a": {"Comédie"}, "b": {"Drame"}},
    ),
    "ids with and without extension": (
        lines("id,labels", "a.JPG,cat|dog", "b,dog"), {}, {"a.JPG": {"cat", "dog"}, "b": {"dog"}},
    ),
    "a number of its own beside the path": (
        lines("id,path,cat,dog", "0,a.jpg,1,1", "1,b.jpg,0,1"), {}, CAT_DOG_FILES,
    ),
    "a function for the path": (
        lines("image,labels", "http://x/y/a.jpg,cat|dog", "http://x/b.jpg,dog"),
        {"image_path": lambda row: row["image"].rsplit("/", 1)[-1]},
        {"http://x/y/a.jpg": {"cat", "dog"}, "http://x/b.jpg": {"dog"}},
    ),
    "a function for the path, by attribute": (
        lines("nr,labels", "a,cat|dog", "b,dog"),
        {"image_path": lambda row: f"{row.nr}.jpg"},
        {"a.jpg": {"cat", "dog"}, "b.jpg": {"dog"}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_tables_that_are_read(load, name):
    table, options, expected = RIGHT[name]
    assert labels(load(table, **options)) == expected


@pytest.mark.parametrize("name", RIGHT)
def test_what_was_understood_reads_the_same_as_arguments(load, name):
    table, options, expected = RIGHT[name]
    understood = load(table, **options).columns.arguments()
    reading = ("label_names", "column_names", "sep", "encoding", "on_duplicate")
    options = {name: value for name, value in options.items() if name in reading}
    again = load(table, **options, **understood)
    assert labels(again) == expected
    assert again.columns.arguments() == understood


CLEAR = {
    "at most four names of each choice": (
        lines("id,tags", "a,p q r s", "b,t"),
        {},
        ["' ' gives 5 labels ('p', 'q', 'r', 's', ...)", "'' gives 2 labels ('p q r s', 't')"],
    ),
    "four names, all of them": (
        lines("id,tags", "a,p q r", "b,t"), {}, ["gives 4 labels ('p', 'q', 'r', 't')"],
    ),
    "spaces, nothing passed": (
        lines("id,tags", "a,haze primary", "b,clear"), {}, ["label_delimiter=' '", "haze primary"],
    ),
    "slashes": (lines("id,labels", "a,cat/dog", "b,dog"), {}, ["label_delimiter='/'"]),
    "two delimiters": (
        lines("id,labels", "a,cat|dog", 'b,"cat, owl"'), {}, ["label_delimiter=','"],
    ),
    "words joined by a line": (
        lines("id,labels", "a,red_dress", "b,blue_dress", "a,red_shirt", "b,blue_shirt"),
        {},
        ["label_delimiter='_'"],
    ),
    "a delimiter that is not there": (
        lines("id,labels", 'a,"cat,dog"', "b,dog"), {"label_delimiter": "|"}, ["no cell", "','"],
    ),
    "half of a delimiter": (
        lines("id,labels", 'a,"cat, dog"', "b,dog"), {"label_delimiter": " "}, ["', '", "'cat,'"],
    ),
    "-1 and 1": (
        lines("id,Bald,Male", "a,-1,1", "b,1,-1"),
        {},
        ["'Bald', 'Male'", 'label_values={"1": 1, "-1": 0}'],
    ),
    "blank": (lines("id,cat,rare", "a,1,", "b,0,1"), {}, ["row 0, column 'rare'", '"": 0']),
    "yes": (lines("id,cat,dog", "a,yes,no", "b,no,yes"), {}, ['label_values={"yes": 1, "no": 0}']),
    "a cell that was not said": (
        lines("id,cat,dog", "a,1,-1", "b,0,1"),
        {"label_values": {"1": 1, "-1": 0}},
        ["row 1, column 'cat'", "got '0'"],
    ),
    "a column of other words than said": (
        lines("id,cat,dog", "a,yes,1", "b,no,0"),
        {"label_values": {"yes": 1, "no": 0}},
        ["row 0, column 'dog'", "got '1'"],
    ),
    "blank beside what was said": (
        lines("id,cat,dog", "a,1,1", "b,-1,"),
        {"label_values": {"1": 1, "-1": 0}},
        ["row 1, column 'dog'", "got ''"],
    ),
    "counts": (lines("id,cat,dog", "a,1,0", "b,0,2"), {}, ["column 'dog'", "got '2'"]),
    "probabilities": (
        lines("id,cat,dog", "a,0.9,0.2", "b,0.1,0.7"), {}, ["'cat', 'dog'", "probabilities"],
    ),
    "probabilities that are named": (
        lines("id,cat,dog", "a,0.9,0.2", "b,0.1,0.7"),
        {"label_columns": ["cat", "dog"]},
        ["row 0, column 'cat'", ">= 0.5"],
    ),
    "a column that is blank": (
        lines("id,cat,dog,owl", "a,1,1,", "b,0,1,"), {}, ["'owl'", "metadata_columns=['owl']"],
    ),
    "a fold of two": (
        lines("id,cat,dog,fold", "a,1,1,0", "b,0,1,1"), {}, ["'fold'", "metadata_columns", "cat"],
    ),
    "a fold of two beside lists": (
        lines("id,labels,fold", "a,cat|dog,0", "b,dog,1"),
        {},
        ["'fold'", "label_column='labels'", "metadata_columns"],
    ),
    "a fold beside lists and columns of 0/1": (
        lines("id,labels,cat,dog,fold", "a,cat|dog,1,1,0", "b,dog,0,1,0"), {}, ["'fold'"],
    ),
    "a confidence that is always 1": (
        lines("id,cat,Confidence", "a,1,1", "b,0,1"), {}, ["'Confidence'"],
    ),
    "one column of 0/1 called label": (
        lines("id,label", "a,1", "b,0"), {}, ["label_column='label'", "label_columns=['label']"],
    ),
    "two columns of labels": (
        lines("id,labels,tags", "a,cat,x|y", "b,dog,x"), {}, ["label_column=['labels', 'tags']"],
    ),
    "no column of labels": (lines("id,red,big", "a,u,v", "b,w,u"), {}, ["'red', 'big'"]),
    "numbers for labels": (lines("id,height", "a,61", "b,7"), {}, ["cannot tell", "'height'"]),
    "multi-hot lists": (
        lines("id,labels", 'a,"[1, 0]"', 'b,"[0, 1]"'), {}, ["multi-hot", "label_names"],
    ),
    "multi-hot with too few names": (
        lines("id,labels", 'a,"[1, 0]"', 'b,"[0, 1]"'),
        {"label_names": ["cat"]},
        ["2 0/1", "1 name"],
    ),
    "label numbers without names": (
        lines("id,labels", "a,1|4", "b,4"),
        {"label_names": ["cat", "dog"]},
        ["enumerate(names, 1)"],
    ),
    "a label that has no name": (
        lines("id,labels", "a,cat|dogg", "b,cat"),
        {"label_names": ["cat", "dog"]},
        ["'dogg'", "did you mean 'dog'"],
    ),
    "scores in a list": (
        lines("id,labels", 'a,"[0.9, 0.1]"', 'b,"[0.2, 0.3]"'), {}, ["numbers such as '0.1'"],
    ),
    "labels with scores": (
        lines("id,labels", "a,cat:0.9|dog:0.2", "b,dog:0.7"), {}, ["a number each"],
    ),
    "one row per image and label": (
        lines("image,label", "a,cat", "a,dog", "b,dog"), {}, ['on_duplicate="union"'],
    ),
    "a value column that is not named": (
        lines("ImageID,LabelName,Confidence", "a,cat,1", "a,dog,0", "b,dog,1"),
        {"label_column": "LabelName", "on_duplicate": "union"},
        ["value_column='Confidence'"],
    ),
    "confidences of machines": (
        lines("ImageID,LabelName,Confidence", "a,cat,0.9", "a,dog,0.3", "b,dog,1"),
        {"label_column": "LabelName"},
        ["value_column='Confidence'"],
    ),
    "two rows that contradict each other": (
        lines("ImageID,LabelName,Confidence", "a,cat,1", "b,dog,1", "a,cat,0"),
        {"label_column": "LabelName", "value_column": "Confidence"},
        ["row 2 (id 'a')", "'cat'", 'on_duplicate="union"'],
    ),
    "image and label in one cell": (
        lines("ID,Label", "a_any,1", "a_epidural,0", "b_any,0", "b_epidural,0"),
        {},
        ["'a_any'", "rsplit", "value_column='Label'"],
    ),
    "no header, columns of 0/1": (
        lines("a.jpg,1,0", "b.jpg,0,1"), {}, ["no header", "column_names"],
    ),
    "no header, ids without extension": (
        lines("a,cat|dog", "b,dog"), {}, ["no header", "column_names=['image', 'labels']"],
    ),
    "no header, the first image missing": (
        lines("z,cat|dog", "a,cat", "b,dog"), {}, ["no header", "'z'"],
    ),
    "no header, a label that is there again": (
        lines("x9-z,cat|dog", "a,cat", "b,dog"), {}, ["no header", "'cat|dog'"],
    ),
    "no header, the first image missing, 0/1": (
        lines("x9-z,1,0", "a,1,0", "b,0,1"), {}, ["no header", "'1'"],
    ),
    "no header, rows of several lengths": (
        lines("a.jpg,cat,dog", "b.jpg,dog"), {}, ["no header", "column_names=['image', 'labels']"],
    ),
    "no header, words": (lines("a.jpg cat dog", "b.jpg dog"), {}, ["no header", "sep="]),
    "a column without a name": (
        lines("id,cat,dog", "a,1,0,1", "b,0,1,1"), {}, ["row 0 (line 2) has 4 cells", "no name"],
    ),
    "transposed": (lines("label,a.jpg,b.jpg", "cat,1,0", "dog,1,1"), {}, ["transposed"]),
    "two images a row": (
        lines("left,right,cat,dog", "a.jpg,b.jpg,1,0"), {}, ["'left', 'right'", "id_column="],
    ),
    "an index that names images": (
        lines(",cat,dog", "0,1,0", "1,0,1", "2,1,1"), {}, ["numbers the rows", "id_column"],
    ),
    "two columns that name other images": (
        lines("id,name,cat", "0,1,1", "1,2,0", "2,0,1"), {}, ["id_column='id' or id_column='name'"],
    ),
    "two separators": (lines("id,x;y", "a,1;0", "b,0;1"), {}, ["sep=',' or sep=';'"]),
    "a separator of two characters": (lines("id,labels"), {"sep": ", "}, ["pandas.read_csv"]),
    "an encoding that does not exist": (lines("id,labels"), {"encoding": "u8x"}, ["not known"]),
    "another encoding": (
        lines("id,labels", "a,Comédie").encode("cp1252"), {}, ["encoding='cp1252'"],
    ),
    "too many names": (
        lines("a,1"), {"column_names": ["id", "cat", "dog"]}, ["3 column_names", "2 cells"],
    ),
    "nan": (lines("id,labels", "a,nan", "b,cat"), {}, ["label_values={'nan': 0}"]),
    "None": (lines("id,labels", "a,None", "b,cat"), {}, ["label_values={'None': 0}"]),
    "a path of another machine": (
        lines("path,labels", "/home/x/data/a.jpg,cat", "/home/x/data/b.jpg,dog"),
        {},
        ["absolute", "image_path=lambda row: row['path'].rsplit('/', 1)[-1]"],
    ),
    "a path of another system": (
        lines("path,labels", r"C:\x\a.jpg,cat", r"C:\x\b.jpg,dog"),
        {},
        ["absolute", r"image_path=lambda row: row['path'].replace('\\', '/').rsplit('/', 1)[-1]"],
    ),
    "a prefix that is not the folder's": (
        lines("path,labels", "data/x/a.jpg,cat", "data/x/b.jpg,dog"),
        {},
        ["'data/x'", "image_path"],
    ),
    "upper case": (lines("id,labels", "A.jpg,cat", "b.jpg,dog"), {}, ["'a.jpg'", "lower case"]),
    "another extension": (lines("id,labels", "a.png,cat", "b,dog"), {}, ["but 'a.jpg'"]),
    "a template without a column": (
        lines("id,labels", "a,cat"), {"image_path": "x.png"}, ["names no column"],
    ),
    "a template with another column": (
        lines("id,labels", "a,cat"), {"image_path": "{Id}.png"}, ["'Id'", "did you mean 'id'"],
    ),
    "a template that is none": (lines("id,labels", "a,cat"), {"image_path": "{id"}, ["template"]),
    "a template for numbers": (
        lines("id,labels", "a,cat"), {"image_path": "{id:03d}"}, ["row 0", "no whole number"],
    ),
    "a function that returns nothing": (
        lines("id,labels", "a,cat"), {"image_path": lambda row: None}, ["None for row 0"],
    ),
    "a template that leaves the folder": (
        lines("id,labels", "a,cat"), {"image_path": "../Images/{id}.jpg"}, ["outside image_dir"],
    ),
    "a group that is blank": (
        lines("id,labels,film", "a,cat,1", "b,dog,"), {"groups": "film"}, ["row 1 is blank"],
    ),
    "an image in two groups": (
        lines("id,labels,film", "a,cat,1", "b,dog,1", "a,dog,2"),
        {"groups": "film", "on_duplicate": "union"},
        ["rows 0 and 2", "'1' and '2'"],
    ),
    "values of nothing": (
        lines("id,labels", "a,cat"), {"label_values": {"1": 2}}, ["expected 1 (there)"],
    ),
    "two meanings": (
        lines("id,labels", "a,cat"), {"label_values": {"1.0": 1, 1: 0}}, ["two meanings"],
    ),
    "a value column without labels": (
        lines("id,cat", "a,1"), {"value_column": "cat"}, ["needs label_column"],
    ),
    "two meanings of a column": (
        lines("id,labels", "a,cat"),
        {"label_column": "labels", "metadata_columns": ["labels"]},
        ["cannot be both"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CLEAR)
def test_tables_that_cannot_be_told_or_are_wrong(load, name):
    table, options, words = CLEAR[name]
    files = [*AB, *(f"{number}.jpg" for number in range(3))]
    with pytest.raises(DataError) as caught:
        load(table, files, **options)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "labels.csv" in message
    assert "\n" not in message
    assert len(message) < 1200


@pytest.mark.parametrize(("column", "offered"), [("fold", False), ("Confidence", True)])
def test_a_value_column_is_offered_where_one_is_called_so(load, column, offered):
    with pytest.raises(DataError, match=rf"{column!r} holds 0/1 but is not among them") as caught:
        load(lines(f"id,labels,{column}", "a,cat|dog,0", "b,dog,1"))
    assert (f"value_column={column!r}" in str(caught.value)) == offered


@pytest.mark.parametrize("argument", ["split", "groups", "metadata_columns"])
def test_what_was_said_to_be_something_else_is_no_label(load, argument):
    value = ["has_dog"] if argument == "metadata_columns" else "has_dog"
    for rows in (
        lines("id,cat,dog,has_dog", "a,1,1,0", "b,0,1,1"),
        lines("id,labels,has_dog", "a,cat|dog,0", "b,dog,1"),
    ):
        assert labels(load(rows, **{argument: value})) == CAT_DOG


# What is understood is told


def test_columns_are_one_line(load):
    data = load(
        lines("image_name,tags,view,film", "a,haze clear,AP,f1", "b,haze,PA,f2"),
        label_delimiter=" ",
        groups="film",
    )
    assert str(data.columns) == (
        "ids: image_name; labels: tags, separated by spaces (2 labels); groups: film; "
        "metadata: view"
    )
    assert data.columns.reasons == {
        "image_name": "its cells name images",
        "tags": "it is called so",
    }


@pytest.mark.parametrize(
    ("table", "options", "words"),
    [
        (lines("id,cat,dog,owl,cow", "a,1,1,0,1"), {}, "cat ... cow, columns of 0/1 (4 labels)"),
        (lines("id,cat", "a,1"), {}, "cat, columns of 0/1 (1 label)"),
        (
            lines("id,cat,dog", "a,x,", "b,,?"),
            {"label_values": {"x": 1, "": 0, "?": None}},
            "cat, dog, columns in which x is there, blank is not there, ? is unknown (2 labels)",
        ),
        (lines("id,labels", "a,cat", "b,dog"), {}, "labels, one a row (2 labels)"),
        (lines("id,labels", "a,\"['cat', 'dog']\""), {}, "labels, written lists (2 labels)"),
        (
            lines("id,labels,cat,dog", "a,cat|dog,1,1", "b,dog,0,1"),
            {},
            "labels, separated by '|', beside 2 columns of 0/1 (2 labels)",
        ),
        (
            lines("id,label,there", "a,cat,1", "b,dog,1"),
            {"label_column": "label", "value_column": "there"},
            "label, one a row, if there says so (2 labels)",
        ),
        (
            lines("id,labels", "a,110", "b,010"),
            {"label_names": ["x", "y", "z"]},
            "labels, multi-hot vectors (3 labels)",
        ),
    ],
)
def test_labels_in_words(load, table, options, words):
    assert f"labels: {words}; metadata: none" in str(load(table, **options).columns)


def test_a_template_is_told(load):
    data = load(lines("nr,labels", "1,cat", "2,dog"), ["x-01.jpg", "x-02.jpg"],
                image_path="x-{nr:02d}.jpg")  # fmt: skip
    assert data.ids.tolist() == ["1", "2"]
    assert str(data.columns).startswith("images: x-{nr:02d}.jpg; ids: nr; labels: labels, one")


def test_what_is_loaded_prints_briefly_and_is_a_bunch(load):
    data = load(lines("id,labels", *[f"{i},cat|dog" for i in range(500)]),
                [f"{i}.png" for i in range(501)])  # fmt: skip
    assert isinstance(data, Bunch)
    assert repr(data).splitlines() == [
        "500 images, 2 labels",
        "ids: id; labels: labels, separated by '|' (2 labels); metadata: none",
        "problems: 1 image_without_row",
        "fields: paths, y, label_names, ids, groups, split, cv, columns, frame, problems",
    ]
    again = pickle.loads(pickle.dumps(data))
    assert repr(again) == repr(data)


# Groups and the table's own split


def test_groups_stand_beside_the_images(load):
    text = lines("id,labels,film", "a,cat,f 1", "b,dog,f2", "a,cat,f 1")
    data = load(text, groups="film")
    assert data.groups.tolist() == ["f 1", "f2"]
    assert load(text, groups="id").groups.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("column", "cells", "subsets", "folds"),
    [
        ("is_valid", "True False True", {"valid": [0, 2], "train": [1]}, [0, -1, 0]),
        ("is_train", "1 0 1", {"train": [0, 2], "valid": [1]}, [-1, 0, -1]),
        ("is_test", "no yes no", {"train": [0, 2], "test": [1]}, [-1, 0, -1]),
        ("split", "Train val Train", {"Train": [0, 2], "val": [1]}, [-1, 0, -1]),
        ("fold", "2 0 1", {"2": [0], "0": [1], "1": [2]}, [2, 0, 1]),
        ("fold", "-1 0 1", {"-1": [0], "0": [1], "1": [2]}, [-1, 0, 1]),
        ("partition", "0 1 2", {"0": [0], "1": [1], "2": [2]}, None),
        ("split", "a b a", {"a": [0, 2], "b": [1]}, None),
    ],
)
def test_split(load, column, cells, subsets, folds):
    rows = [f"{i},cat,{cell}" for i, cell in zip("abc", cells.split(), strict=True)]
    data = load(lines(f"id,label,{column}", *rows), [*AB, "c.jpg"], split=column)
    assert {name: rows.tolist() for name, rows in data.split.items()} == subsets
    if folds is None:
        assert data.cv is None
    else:
        assert isinstance(data.cv, PredefinedSplit)
        assert data.cv.test_fold.tolist() == folds


def test_split_with_a_test_set_of_its_own_leaves_it_out_of_cv(load):
    text = lines("id,label,split", "a,cat,train", "b,dog,val", "c,dog,test")
    data = load(text, [*AB, "c.jpg"], split="split")
    ((train, validation),) = data.cv
    assert (train.tolist(), validation.tolist()) == ([0], [1])
    assert data.split["test"].tolist() == [2]


def test_split_counts_the_images_that_are_there(load):
    text = lines("id,label,split", "z,cat,train", "a,cat,val", "a,cat,val", "b,dog,train")
    data = load(text, split="split", on_missing="drop")
    assert {name: rows.tolist() for name, rows in data.split.items()} == {"val": [0], "train": [1]}


def test_cv_goes_into_scikit_learn(load):
    rows = [f"{i},{'cat' if i % 2 else 'dog'},{i % 3}" for i in range(12)]
    data = load(lines("id,label,fold", *rows), [f"{i}.jpg" for i in range(12)], split="fold")
    X = np.zeros((12, 1))
    assert len(cross_val_score(DummyClassifier(), X, data.y, cv=data.cv)) == 3


def test_a_group_in_several_subsets_is_a_problem(load):
    text = lines("id,label,split,film", "a,cat,train,1", "b,dog,test,1")
    data = load(text, split="split", groups="film")
    ((name, kind, detail),) = data.problems[["id", "kind", "detail"]].to_numpy()
    assert (name, kind, detail) == ("1", "group_in_several_subsets", "is in train, test")


# DataFrames


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"id": ["a", "b"], "labels": ["cat|dog", "dog"]}),
        pd.DataFrame({"id": ["a", "b"], "labels": [["cat", "dog"], ["dog"]]}),
        pd.DataFrame({"id": ["a", "b"], "labels": [("cat", "dog"), np.array(["dog"])]}),
        pd.DataFrame({"id": ["a", "b"], "labels": [{"cat", "dog"}, {"dog"}]}),
        pd.DataFrame({"id": ["a", "b"], "labels": [{"cat": True, "dog": 1}, {"dog": 1.0}]}),
        pd.DataFrame({"id": ["a", "b"], "cat": [1, 0], "dog": [1, 1]}),
        pd.DataFrame({"id": ["a", "b"], "cat": [1.0, 0.0], "dog": [True, True]}),
        pd.DataFrame({"cat": [1, 0], "dog": [1, 1]}, index=["a", "b"]),
        pd.DataFrame({"cat": [1, 0], "dog": [1, 1]}, index=pd.Index(["a", "b"], name="image")),
        pd.DataFrame({"id": ["z", "a", "b"], "cat": [1, 1, 0], "dog": [0, 1, 1]})[1:],
        pd.DataFrame({"id": pd.Categorical(["a", "b"]), "cat": [1, 0], "dog": [1, 1]}),
        pd.DataFrame({"id": ["a", "b"], "cat": [1, 0], "dog": [1, 1]}).convert_dtypes(),
        pd.DataFrame([["a", 1, 1], ["b", 0, 1]], columns=pd.Index(["id", "cat", "dog"])),
    ],
)
def test_data_frames_of_any_types(load, table):
    before = table.copy(deep=True)
    assert labels(load(table)) == CAT_DOG
    pd.testing.assert_frame_equal(table, before)


def test_the_frame_keeps_what_the_data_frame_holds(load):
    table = pd.DataFrame({"id": ["z", "a"], "cat": [1, 1], "age": [60, 7]}, index=[5, 3])
    data = load(table, on_missing="drop")
    assert data.y.index.tolist() == [1]
    assert data.frame.loc[data.y.index, "age"].tolist() == [7]
    assert data.frame["age"].dtype == table["age"].dtype


def test_missing_cells_of_lists_are_asked_about_and_blank_ones_are_not(load):
    table = pd.DataFrame({"id": ["a", "b"], "labels": ["cat", None]})
    with pytest.raises(DataError, match=r"row 1: the cell is missing .* keep_default_na=False"):
        load(table)
    assert labels(load(table, label_values={"": 0})) == {"a": {"cat"}, "b": set()}
    assert labels(load(table, label_values={"": None})) == {"a": {"cat"}, "b": {"cat?"}}
    assert labels(load(table.fillna(""))) == {"a": {"cat"}, "b": set()}


def test_missing_cells_of_0_1_columns_are_asked_about(load):
    table = pd.DataFrame({"id": ["a", "b"], "cat": [1, None], "dog": [1, 1]})
    with pytest.raises(DataError, match=r"row 1, column 'cat': expected 0 or 1, got ''"):
        load(table)
    assert labels(load(table, label_values={1: 1, None: 0})) == CAT_DOG


def test_names_of_labels_are_text_whatever_the_types(load):
    table = pd.DataFrame({"id": ["a", "b"], "label": [3.0, 16.0]})
    assert labels(load(table)) == {"a": {"3"}, "b": {"16"}}
    table = pd.DataFrame({"id": ["a", "b"], "labels": [[3, 16], [16]]})
    assert labels(load(table)) == {"a": {"3", "16"}, "b": {"16"}}


def test_text_of_cells_is_as_it_was_written():
    cells = Cells.of(pd.Series(["a\0", "b", None, "a\0"]), "id")
    assert cells.text() == ["a\0", "b", "", "a\0"]  # NumPy's own texts end before a NUL


def test_numbers_that_lost_their_zeros_are_recognised(load):
    table = pd.DataFrame({"image_id": [1, 2], "cat": [1, 0]})
    files = ["000001.jpg", "000002.jpg"]
    with pytest.raises(DataError, match=r"With zeros .* image_path='\{image_id:06d\}'"):
        load(table, files)
    data = load(table, files, image_path="{image_id:06d}")
    assert [path[-10:] for path in data.paths] == files
    assert data.ids.tolist() == ["1", "2"]


def test_leading_zeros_of_a_file_stay(load):
    data = load(lines("image_id,cat", "0001,1", "0002,0"), ["0001.jpg", "0002.jpg"])
    assert data.ids.tolist() == ["0001", "0002"]


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (pd.DataFrame({"a.jpg": ["b.jpg"], "cat": ["dog"]}), {}, "header=None"),
        (pd.DataFrame({("x", "id"): ["a"], ("x", "y"): [1]}), {}, "several levels"),
        (pd.DataFrame([["a", 1, 0]], columns=["id", "cat", "cat"]), {}, "'cat' appears 2 times"),
        (pd.DataFrame({"id": [], "cat": []}), {}, "no rows"),
        (pd.DataFrame({"id": ["a"], "cat": [1]}), {"sep": ";"}, "sep is for files"),
        (pd.DataFrame({"id": ["a"], "cat": [1]}), {"column_names": ["x"]}, "for files"),
        (pd.DataFrame({"id": ["a"], "labels": [["cat", None]]}), {}, "row 0: .* missing value"),
    ],
)
def test_data_frames_that_are_refused(load, table, options, message):
    with pytest.raises(DataError, match=message):
        load(table, **options)


def test_a_data_frame_without_names_has_no_header(load):
    table = pd.DataFrame([["a.jpg", "cat|dog"], ["b.jpg", "dog"]])
    assert labels(load(table)) == CAT_DOG_FILES
    with pytest.raises(DataError, match="no header"):
        load(pd.DataFrame([["a.jpg", 1, 1], ["b.jpg", 0, 1]]))


def test_what_has_to_pandas_is_a_table(load):
    class Elsewhere:
        def to_pandas(self):
            return pd.DataFrame({"id": ["a", "b"], "cat": [1, 0], "dog": [1, 1]})

    assert labels(load(Elsewhere())) == CAT_DOG


def test_what_is_no_table_is_a_type_error(load):
    with pytest.raises(TypeError):
        load([["a", 1]])
    with pytest.raises(TypeError, match="load_image_table"):
        load_image_csv(pd.DataFrame({"id": ["a"]}), ".")
    with pytest.raises(TypeError, match="image_path=3"):
        load(lines("id,labels", "a,cat"), image_path=3)


# Files of other kinds


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("l.jsonl", '{"file_name": "a.jpg", "labels": ["cat", "dog"]}\n\n'
                    '{"file_name": "b.jpg", "labels": ["dog"]}\n'),
        ("l.csv", '{"file_name": "a.jpg", "cat": 1, "dog": 1}\n'
                  '{"file_name": "b.jpg", "cat": 0, "dog": 1}\n'),
        ("l.json", '[{"image": "a.jpg", "tags": "cat|dog"}, {"image": "b.jpg", "tags": "dog"}]'),
        ("l.json", '[\n {"image": "a.jpg", "cat": true, "dog": true},\n'
                   ' {"image": "b.jpg", "cat": false, "dog": true}\n]'),
        ("l.json", '{"a.jpg": ["cat", "dog"], "b.jpg": ["dog"]}'),
        ("l.json", '{"a.jpg": {"tags": ["cat", "dog"]}, "b.jpg": {"tags": ["dog"]}}'),
        ("l.json", '[{"image": "a.jpg", "choice": {"choices": ["cat", "dog"]}},'
                   ' {"image": "b.jpg", "choice": "dog"}]'),
    ],
)  # fmt: skip
def test_json(load, name, text):
    assert labels(load(text, name=name)) == CAT_DOG_FILES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a.jpg": ["cat"], "a.jpg": []}', "key 'a.jpg' is there 2 times"),
        ('{"image": "a.jpg", "labels": []}\n{"image"\n', "line 2"),
        ("{", "cannot be read as JSON"),
        ("[1, 2]", "neither records"),
        ("[]", "without a record"),
        ("[" * 100_000, "JSON"),
        ('{"images": [], "annotations": []}', "load_coco"),
        ('{"image": "a.jpg", "labels": null}', r'row 0: the cell is missing .*\{"": 0\}'),
    ],
)
def test_json_that_is_refused(load, text, message):
    with pytest.raises(DataError, match=message):
        load(text, name="labels.json")


def test_parquet(load, tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "labels.parquet"
    pd.DataFrame({"id": ["a", "b"], "labels": [["cat", "dog"], ["dog"]]}).to_parquet(path)
    (tmp_path / "Images").mkdir()
    for name in AB:
        (tmp_path / "Images" / name).touch()
    assert labels(load_image_table(path, tmp_path / "Images")) == CAT_DOG
    path.rename(tmp_path / "renamed.csv")
    assert labels(load_image_table(tmp_path / "renamed.csv", tmp_path / "Images")) == CAT_DOG


def test_excel(load, tmp_path):
    pytest.importorskip("openpyxl")
    (tmp_path / "Images").mkdir()
    for name in ("001.jpg", "b.jpg"):
        (tmp_path / "Images" / name).touch()
    path = tmp_path / "labels.xlsx"
    table = pd.DataFrame({"id": ["001", "b"], "labels": ["N/A", "cat|dog"], "title": [None, "x"]})
    table.to_excel(path, index=False)
    data = load_image_table(path, tmp_path / "Images")
    assert labels(data) == {"001": {"N/A"}, "b": {"cat", "dog"}}
    with pd.ExcelWriter(path) as writer:
        table.to_excel(writer, sheet_name="first", index=False)
        table.to_excel(writer, sheet_name="second", index=False)
    with pytest.raises(DataError, match=r"the sheets 'first', 'second' .* sheet_name='first'"):
        load_image_table(path, tmp_path / "Images")


@pytest.mark.parametrize(("name", "package"), [("l.parquet", "pyarrow"), ("l.xlsx", "openpyxl")])
def test_readers_that_are_not_installed_name_the_extra(tmp_path, name, package):
    with zipfile.ZipFile(tmp_path / name, "w") as file:  # as much of a sheet as pandas looks for
        file.writestr("xl/workbook.xml", "")
    code = f"""
import sys
sys.modules[{package!r}] = None
sys.modules["fastparquet"] = None
from skposter.datasets import load_image_table
try:
    load_image_table({str(tmp_path / name)!r}, {str(tmp_path)!r})
except ValueError as error:
    print(error)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"needs {package}: pip install 'skposter[tables]'" in out.stdout


# Images and ids


def test_ids_may_begin_with_the_folder_and_none_leaves_it(load, tmp_path):
    inside = tmp_path / "Images"
    files = ["a.jpg", "x/b.jpg"]
    for ids in (
        ["Images/a.jpg", "Images/x/b.jpg"],
        [f"{tmp_path.name}/Images/a", f"./{tmp_path.name}/Images/x/b"],
        [f"{inside}/a.jpg", f"{inside}/x/b.jpg"],
        ["Images\\a.jpg", "Images\\x\\b.jpg"],
        ["a.jpg", ".\\x\\b.jpg"],
    ):
        data = load(pd.DataFrame({"path": ids, "label": ["cat", "dog"]}), files)
        assert data.paths.tolist() == [str(inside / "a.jpg"), str(inside / "x" / "b.jpg")]
        assert data.ids.tolist() == ids


def test_a_folder_in_the_folder_is_not_taken_for_it(load):
    data = load(lines("path,label", "Images/a.jpg,cat"), ["a.jpg", "Images/a.jpg"])
    assert data.paths[0].endswith("Images/Images/a.jpg")
    with pytest.raises(DataError, match=r"no image 'Images/b.jpg'"):
        load(lines("path,label", "Images/b.jpg,cat"), ["b.jpg"])


def test_names_with_a_backslash_or_a_colon_are_names_where_there_is_such_a_file(load):
    data = load(
        lines("path,label", r"x\a.jpg,cat", "b:1.jpg,dog"), [r"x\a.jpg", "x/a.jpg", "b:1.jpg"]
    )
    assert [path.rpartition("Images/")[2] for path in data.paths] == [r"x\a.jpg", "b:1.jpg"]


def test_what_macos_keeps_beside_a_file_is_no_image(load):
    data = load(lines("id,label", "a,cat", "b,dog"), [*AB, "._a.jpg", "._c.jpg"])
    assert data.problems.empty
    with pytest.raises(DataError, match=r"no image '\._a.jpg'"):
        load(lines("id,label", "._a.jpg,cat"), [*AB, "._a.jpg"])


def test_names_and_labels_that_differ_in_case_only_are_told(load):
    data = load(lines("id,labels", "a,Cat", "A,cat|dog"), ["a.jpg", "A.jpg"])
    assert data.problems["kind"].tolist() == ["names_differ_in_case", "labels_differ_in_case"]
    assert data.problems["detail"].tolist() == [
        "'A.jpg', 'a.jpg' differ in upper and lower case only: one file on other systems",
        "'Cat', 'cat' differ in upper and lower case only: are they one label?",
    ]


def test_images_without_a_row_are_one_line(load):
    data = load(lines("id,label", "0,cat", "1,dog"), [f"{i}.jpg" for i in range(5789)])
    ((name, detail),) = data.problems.query("kind == 'image_without_row'")[
        ["id", "detail"]
    ].to_numpy()
    assert name == "10.jpg"
    assert re.fullmatch(r"no row names 5787 images of .*: 10.jpg, .*, and 5784 more", detail)


def test_a_count_that_is_wrong_is_told(load):
    data = load(lines("202599", "id,label", "a,cat", "b,dog"))
    ((kind, detail),) = data.problems[["kind", "detail"]].to_numpy()
    assert (kind, detail) == ("row_count", "the first line says 202599, there are 2")


def test_ids_are_text_of_numpy(load):
    data = load(lines("id,label", "a,cat", "b,dog"))
    assert data.ids.dtype.kind == data.paths.dtype.kind == "U"


def test_y_has_whole_numbers_unless_something_is_unknown(load):
    text = lines("id,cat,dog", "a,1,1", "b,-1,0")
    assert (load(text, label_values={1: 1, 0: 0, -1: 0}).y.dtypes == np.int64).all()
    y = load(text, label_values={1: 1, 0: 0, -1: None}).y
    assert (y.dtypes == np.float64).all()
    assert y.isna().to_numpy().tolist() == [[False, False], [True, False]]


def test_rows_of_unknown_labels_that_repeat_an_image(load):
    text = lines("id,cat,dog", "a,-1,1", "a,-1,1", "b,1,1")
    data = load(text, label_values={1: 1, -1: None})
    assert data.problems["kind"].tolist() == ["duplicate_row"]
    data = load(lines("id,cat,dog", "a,-1,1", "a,1,-1", "b,0,-1", "b,-1,-1"),
                label_values={1: 1, 0: 0, -1: None}, on_duplicate="union")  # fmt: skip
    assert labels(data) == {"a": {"cat", "dog"}, "b": {"dog?"}}


def test_unknown_cells_do_not_disagree_with_a_list(load):
    text = lines("id,labels,cat,dog", "a,cat,1,", "b,dog,0,")
    data = load(text, label_values={1: 1, 0: 0, "": None})
    assert labels(data) == {"a": {"cat", "dog?"}, "b": {"dog"}}


def test_an_error_names_the_first_wrong_cell_by_row(load):
    text = lines("id,cat,dog,owl", "a,1,1,0", "b,0,maybe,never", "c,1,2,0")
    with pytest.raises(DataError, match=r"row 1, column 'dog': .* got 'maybe' \(and 1 more"):
        load(text, [*AB, "c.jpg"], label_columns=["cat", "dog", "owl"])


def test_a_missing_value_among_words_is_no_label(load):
    with pytest.raises(DataError, match=r"row 0: .* nan is not a label name"):
        load(lines("id,labels", 'a,"[nan, Drama]"', "b,[War]"))


def test_label_names_give_the_order_and_labels_that_do_not_occur(load):
    text = lines("id,labels", "a,cat|dog", "b,dog")
    data = load(text, label_names=["owl", "dog", "cat"])
    assert data.label_names == ["owl", "dog", "cat"]
    assert data.y.to_numpy().tolist() == [[0, 1, 1], [0, 1, 0]]
    data = load(lines("id,cat,dog", "a,1,1", "b,0,1"), label_names=["dog", "cat"])
    assert data.y.to_numpy().tolist() == [[1, 1], [1, 0]]
    with pytest.raises(DataError, match="columns of 0/1 are called 'cat', 'dog'"):
        load(lines("id,cat,dog", "a,1,1", "b,0,1"), label_names=["dog"])


# Written and read again


def test_what_is_unknown_is_written_blank_and_without_lists(load, tmp_path):
    values = {"1": 1, "0": 0, "": None}
    data = load(lines("id,cat,dog", "a,1,", "b,0,1"), label_values=values)
    write_image_csv(tmp_path / "out.csv", data.ids, data.y)
    assert (tmp_path / "out.csv").read_text() == "Id,cat,dog\na,1,\nb,0,1\n"
    again = load_image_table(tmp_path / "out.csv", tmp_path / "Images", label_values=values)
    pd.testing.assert_frame_equal(again.y, data.y)


def test_folders_are_written_with_slashes(tmp_path):
    write_image_csv(tmp_path / "out.csv", [PureWindowsPath("x", "a.jpg")], [["cat"]])
    assert (tmp_path / "out.csv").read_text() == "Id,Genre,cat\nx/a.jpg,['cat'],1\n"


@pytest.mark.parametrize("format", ["csr", "csc", "coo", "lil"])
def test_sparse_matrices_are_written_as_arrays_are(tmp_path, format):
    y = np.array([[1, 1], [0, 1]])
    write_image_csv(tmp_path / "a.csv", AB, y, label_names=["cat", "dog"])
    matrix = sparse.coo_array(y).asformat(format)
    write_image_csv(tmp_path / "b.csv", AB, matrix, label_names=["cat", "dog"])
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()


@pytest.mark.parametrize(
    "numbers", [[[0, 1], [1]], [(1, 0), (1,)], [{0, 1}, {1}], [np.array([0, 1]), np.array([1])]]
)
def test_label_numbers_are_written_as_names(tmp_path, numbers):
    write_image_csv(tmp_path / "a.csv", AB, [["cat", "dog"], ["dog"]])
    write_image_csv(tmp_path / "b.csv", AB, numbers, label_names=["cat", "dog"])
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        ([[0, 1], [1]], None, "label_names is needed to write label numbers"),
        ([[0, 2], [1]], ["cat", "dog"], "row 0: 2 is the number of none of 2 label_names"),
        ([[0, -1], [1]], ["cat", "dog"], "row 0: -1 is the number of none"),
        ([[0, 1], [1, 1]], ["cat", "dog"], r"may be one for each label or label numbers"),
        ([[0, "cat"], [1]], ["cat", "dog"], "row 0: expected a list of label names"),
    ],
)
def test_label_numbers_that_are_refused(tmp_path, labels, names, message):
    with pytest.raises(DataError, match=message):
        write_image_csv(tmp_path / "a.csv", AB, labels, label_names=names)
    assert not (tmp_path / "a.csv").exists()


def test_arguments_that_were_understood_can_be_kept_as_json(load):
    data = load(lines("id,cat,dog,fold", "a,1,1,3", "b,0,1,4"))
    kept = json.loads(json.dumps(data.columns.arguments()))
    assert kept == {
        "id_column": "id", "label_columns": ["cat", "dog"], "metadata_columns": ["fold"],
    }  # fmt: skip


def test_a_confidence_that_is_named_as_metadata_is_not_asked_about(load):
    text = lines("ImageID,LabelName,Confidence", "a,cat,0.9", "b,dog,0.7")
    data = load(text, metadata_columns=["Confidence"])
    assert labels(data) == {"a": {"cat"}, "b": {"dog"}}
    assert labels(load(text, **data.columns.arguments())) == labels(data)


def test_an_index_that_is_also_a_column(load):
    table = pd.DataFrame({"id": ["a", "b"], "cat": [1, 0], "dog": [1, 1]})
    assert labels(load(table.set_index("id", drop=False))) == CAT_DOG


def test_line_separators_in_json_text_end_no_line(load):
    text = '{"image": "a.jpg", "labels": ["x\u2028y"]}\n{"image": "b.jpg", "labels": []}\n'
    assert labels(load(text, name="l.jsonl")) == {"a.jpg": {"x\u2028y"}, "b.jpg": set()}
