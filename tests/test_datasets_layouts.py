"""Random labels in every layout: read as they were written; shuffled and renamed, or an error."""

import contextlib
import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skposter.datasets import (
    load_coco,
    load_image_folders,
    load_image_table,
    load_voc,
    write_image_csv,
)
from skposter.exceptions import DataError

IDS = [f"im{number}" for number in range(6)] + ["7", "1", "0"]
QUIET = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder with an image for each id."""
    folder = tmp_path_factory.mktemp("layouts") / "Images"
    folder.mkdir()
    for name in IDS:
        (folder / f"{name}.jpg").write_text(name)
    return folder


def table_of(label_sets):
    """Return {id: labels} in the order of IDS."""
    return dict(zip(IDS, label_sets, strict=False))


def read(data):
    return {
        name.removesuffix(".jpg"): {str(label) for label in data.y.columns[row == 1]}
        for name, row in zip(data.ids, data.y.to_numpy(), strict=True)
    }


# None is a word that columns of something else are called, which would be asked about.
WORDS = st.text("abcdeéß", min_size=1, max_size=5).map("q{}".format)
NAMES = st.lists(WORDS, min_size=1, max_size=6, unique=True)


@st.composite
def labelled(draw, names=NAMES):
    """{id: labels}: at least two images, and each label on one of them."""
    names = draw(names)
    sets = draw(
        st.lists(st.sets(st.sampled_from(names)), min_size=2, max_size=len(IDS)).filter(
            lambda some: set().union(*some) == set(names)
        )
    )
    return table_of(sets)


# Layouts: {id: labels} -> what is written, and the arguments that it needs


def rows(header, lines, sep=","):
    file = io.StringIO()
    writer = csv.writer(file, delimiter=sep, lineterminator="\n")
    writer.writerows([header, *lines] if header else lines)
    return file.getvalue()


def names_of(table):
    return sorted(set().union(*table.values()))


def lists(join, sep=",", **options):
    def write(table):
        return rows(
            ["id", "labels"], [[i, join(sorted(s))] for i, s in table.items()], sep
        ), options

    return write


def one_hot(yes, no, sep=",", **options):
    def write(table):
        names = names_of(table)
        cells = [[i, *[yes if n in s else no for n in names]] for i, s in table.items()]
        return rows(["id", *names], cells, sep), options

    return write


def pairs(table):
    lines = [[i, name] for i, s in table.items() for name in sorted(s) or [""]]
    return rows(["id", "label"], lines), {"on_duplicate": "union", "label_delimiter": ""}


def judged_pairs(table):
    lines = [[i, n, int(n in s)] for i, s in table.items() for n in names_of(table)]
    return rows(["id", "label", "there"], lines), {"label_column": "label", "value_column": "there"}


def vectors(join):
    def write(table):
        names = names_of(table)
        lines = [[i, join([str(int(n in s)) for n in names])] for i, s in table.items()]
        return rows(["id", "labels"], lines), {"label_names": names, "label_column": "labels"}

    return write


def attributes(table):
    names = names_of(table)
    lines = [
        " ".join([f"{i}.jpg", *["1" if n in s else "-1" for n in names]]) for i, s in table.items()
    ]
    text = "\n".join([str(len(table)), " ".join(names) + " ", *lines])
    return text, {"label_values": {"1": 1, "-1": 0}}


def no_header(table):
    lines = [[f"{i}.jpg", "|".join(sorted(s))] for i, s in table.items()]
    return rows(None, lines), {"label_delimiter": "|", "column_names": ["image", "labels"]}


def ragged(table):
    lines = [[f"{i}.jpg", *sorted(s)] for i, s in table.items()]
    width = max(map(len, lines))
    if width < 3:
        lines = [[*line, ""] for line in lines]
    return rows(None, lines), {"column_names": ["image", "labels"], "sep": ","}


def json_lines(table):
    lines = [json.dumps({"file_name": f"{i}.jpg", "labels": sorted(s)}) for i, s in table.items()]
    return "\n".join(lines), {}


def json_columns(table):
    names = names_of(table)
    lines = [{"file_name": f"{i}.jpg", **{n: n in s for n in names}} for i, s in table.items()]
    return json.dumps(lines), {}


def json_of_ids(table):
    return json.dumps({f"{i}.jpg": sorted(s) for i, s in table.items()}), {}


def frame_of_lists(table):
    return pd.DataFrame({"id": list(table), "labels": [sorted(s) for s in table.values()]}), {}


def frame_of_bits(table):
    names = names_of(table)
    bits = [[n in s for n in names] for s in table.values()]
    return pd.DataFrame(bits, columns=names, index=pd.Index(table, name="image")), {}


LAYOUTS = {
    "bars": lists("|".join, label_delimiter="|"),
    "semicolons": lists(" ; ".join, label_delimiter=";"),
    "commas": lists(", ".join, label_delimiter=","),
    "spaces": lists(" ".join, label_delimiter=" "),
    "tabs between cells": lists("|".join, "\t", label_delimiter="|"),
    "semicolons between cells": lists(",".join, ";", label_delimiter=","),
    "Python": lists(repr),
    "JSON": lists(json.dumps),
    "NumPy": lists(lambda names: str(np.array(names, dtype=object))),
    "JSON objects": lists(lambda names: json.dumps([{"id": 1, "name": name} for name in names])),
    "JSON with a key": lists(lambda names: json.dumps({"choices": names})),
    "0/1": one_hot("1", "0"),
    "0.0/1.0": one_hot("1.0", "0.0"),
    "True/False": one_hot("True", "false"),
    "1/-1": one_hot("1", "-1", label_values={1: 1, -1: 0}),
    "yes/no": one_hot("yes", "no", label_values={"yes": 1, "no": 0}),
    "x/blank": one_hot("x", "", label_values={"x": 1, "": 0}),
    "decimal commas": one_hot("1,0", "0,0", ";"),
    "a row per image and label": pairs,
    "a row per image and label, judged": judged_pairs,
    "vectors": vectors(lambda bits: f"[{', '.join(bits)}]"),
    "vectors of NumPy": vectors(lambda bits: f"[{'. '.join(bits)}.]"),
    "vectors with spaces": vectors(" ".join),
    "attributes": attributes,
    "no header": no_header,
    "ragged": ragged,
    "JSON lines": json_lines,
    "JSON columns": json_columns,
    "JSON of ids": json_of_ids,
    "lists in a DataFrame": frame_of_lists,
    "bits in a DataFrame": frame_of_bits,
}


def stored(written, folder):
    """Write text into a file; a DataFrame is a table as it is."""
    if not isinstance(written, str):
        return written
    ending = "json" if written[:1] in ("{", "[") else "tsv" if "\t" in written else "csv"
    path = folder / f"labels.{ending}"
    path.write_text(written, encoding="utf-8")
    return path


@pytest.mark.parametrize("layout", LAYOUTS)
@QUIET
@given(labelled())
def test_labels_come_back_as_they_were_written(layout, images, table):
    if layout.startswith(("vectors", "attributes")) and len(names_of(table)) < 2:
        return  # a vector of one, and a header of one word
    written, options = LAYOUTS[layout](table)
    data = load_image_table(stored(written, images.parent), images, **options)
    assert read(data) == table
    again = load_image_table(
        stored(written, images.parent), images, **{**options, **data.columns.arguments()}
    )
    pd.testing.assert_frame_equal(again.y, data.y)


@QUIET
@given(labelled())
def test_our_own_csv_comes_back(images, table):
    path = images.parent / "own.csv"
    write_image_csv(path, list(table), [sorted(s) for s in table.values()])
    assert read(load_image_table(path, images)) == table


@QUIET
@given(labelled())
def test_parquet_and_excel_come_back(images, table):
    pytest.importorskip("pyarrow")
    pytest.importorskip("openpyxl")
    frame, _ = frame_of_lists(table)
    frame.to_parquet(images.parent / "labels.parquet")
    assert read(load_image_table(images.parent / "labels.parquet", images)) == table
    frame, _ = frame_of_bits(table)
    frame.astype(int).reset_index().to_excel(images.parent / "labels.xlsx", index=False)
    assert read(load_image_table(images.parent / "labels.xlsx", images)) == table


@QUIET
@given(labelled())
def test_folders_come_back(tmp_path_factory, table):
    root = tmp_path_factory.mktemp("root")
    table = {name: labels or {"none"} for name, labels in table.items()}
    for name, labels in table.items():
        joined = "+".join(sorted(labels))
        (root / joined).mkdir(exist_ok=True)
        (root / joined / f"{name}.jpg").write_text(name)
        for label in labels:
            (root / label).mkdir(exist_ok=True)
            (root / label / f"copy-{name}.jpg").write_text(name)
    data = load_image_folders(root, label_delimiter="+")
    found = {path.rpartition("/")[2].removeprefix("copy-"): row
             for path, row in zip(data.paths, data.y.to_numpy(), strict=True)}  # fmt: skip
    assert len(data.paths) == len(table)
    assert {name.removesuffix(".jpg"): {*data.y.columns[row == 1]}
            for name, row in found.items()} == table  # fmt: skip


@QUIET
@given(labelled())
def test_annotations_of_objects_come_back(images, table):
    folder = images.parent / "Annotations"
    folder.mkdir(exist_ok=True)
    names = names_of(table)
    content = {
        "images": [{"id": n, "file_name": f"{i}.jpg"} for n, i in enumerate(table)],
        "categories": [{"id": 10 * n, "name": name} for n, name in enumerate(names)],
        "annotations": [
            {"image_id": n, "category_id": 10 * names.index(name)}
            for n, labels in enumerate(table.values())
            for name in [*labels, *labels]
        ],
    }
    (folder / "coco.json").write_text(json.dumps(content))
    assert read(load_coco(folder / "coco.json", images)) == table
    for old in folder.glob("*.xml"):
        old.unlink()
    for i, labels in table.items():
        objects = "".join(f"<object><name>{name}</name></object>" for name in labels)
        (folder / f"{i}.xml").write_text(f"<annotation>{objects}</annotation>", encoding="utf-8")
    assert read(load_voc(folder, images)) == table


# Never silently wrong

ANY_NAME = st.one_of(
    WORDS,
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=8),
    st.sampled_from(
        ["New York", "Sci-Fi, Fantasy", "a/b", "red_dress", "0", "1", "7", "nan", "None", "N/A",
         "[x]", "{x}", "im0", "id", "labels", "train", "fold", "-1", "0.5", "yes", "a|b", "a;b"]
    ),
).map(str.strip).filter(lambda name: name and len(name.splitlines()) == 1)  # fmt: skip
ANY_NAMES = st.lists(ANY_NAME, min_size=1, max_size=5, unique=True)

# Layouts that say nothing but what is in them. Those with a delimiter lose names that hold it.
QUOTED = ("Python", "JSON", "JSON objects", "JSON with a key", "JSON lines", "JSON of ids",
          "lists in a DataFrame")  # fmt: skip


@pytest.mark.parametrize("layout", QUOTED)
@QUIET
@given(labelled(ANY_NAMES))
def test_any_names_come_back_or_are_an_error(layout, images, table):
    written, options = LAYOUTS[layout](table)
    try:
        data = load_image_table(stored(written, images.parent), images, **options)
    except DataError:
        return
    assert read(data) == table


@pytest.mark.parametrize("mark", ["|", ";", ",", " ", "/", "_"])
@QUIET
@given(labelled())
def test_guessed_delimiters_are_right_or_asked_for(mark, images, table):
    written, _ = lists(mark.join)(table)
    try:
        data = load_image_table(stored(written, images.parent), images)
    except DataError:
        return
    whole = {name: {mark.join(sorted(labels))} - {""} for name, labels in table.items()}
    assert read(data) == table or (mark in "/_" and read(data) == whole)


OTHER_COLUMNS = st.dictionaries(
    st.sampled_from(
        ["Age", "Sex", "view", "note", "score", "path2", "count", "fold", "Confidence", "remake",
         "is_valid", "Unnamed: 0", "", "split", "source", "category_id", "image_id2", "name"]
    ),
    st.sampled_from(["number", "fraction", "word", "text", "numbering", "blank"]),
    max_size=4,
)  # fmt: skip


def add_columns(frame, columns, random):
    values = {
        "number": lambda n: random.integers(2, 90, n).astype(str),
        "fraction": lambda n: random.random(n).round(3).astype(str),
        "word": lambda n: random.choice(["AP", "PA", "lateral"], n),
        "text": lambda n: random.choice(["seen by day", "seen, at night", "?"], n),
        # From 1 where there are two rows: a column of 0 and 1 is one of labels.
        "numbering": lambda n: (np.arange(n) + (n == 2)).astype(str),
        "blank": lambda n: np.full(n, ""),
    }
    for name, kind in columns.items():
        frame[name] = values[kind](len(frame))
    return frame


@pytest.mark.parametrize("layout", ["bars", "Python", "0/1", "True/False", "1/-1", "both"])
@QUIET
@given(
    table=labelled(),
    columns=OTHER_COLUMNS,
    id_name=st.sampled_from(["id", "image_id", "Image Index", "poster", "key", "bild", "", "x"]),
    list_name=st.sampled_from(["labels", "tags", "Finding Labels", "etiketten", "y", "Genre"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_shuffled_and_renamed_tables_are_read_the_same_or_are_an_error(
    layout, images, table, columns, id_name, list_name, seed
):
    random = np.random.default_rng(seed)
    if layout == "both":
        write_image_csv(images.parent / "own.csv", list(table), [sorted(s) for s in table.values()])
        frame = pd.read_csv(images.parent / "own.csv", dtype=str, keep_default_na=False)
        frame = frame.rename(columns={"Id": id_name, "Genre": list_name})
        options = {}
    else:
        written, options = LAYOUTS[layout](table)
        frame = pd.read_csv(io.StringIO(written), dtype=str, keep_default_na=False)
        frame = frame.rename(columns={"id": id_name, "labels": list_name})
    frame = add_columns(frame, columns, random)
    order = random.permutation(len(frame.columns))
    frame = frame.iloc[random.permutation(len(frame)), order]
    path = images.parent / "shuffled.csv"
    frame.to_csv(path, index=bool(seed % 2))
    for source in (path, frame):
        try:
            data = load_image_table(source, images, **options)
        except DataError:
            continue
        assert read(data) == table


# The page of the guide

PAGE = Path(__file__).parents[1] / "docs" / "layouts.md"


@pytest.mark.skipif(not PAGE.exists(), reason="the page is in the repository only")
def test_the_page_of_public_layouts_shows_what_its_code_prints(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(
        r"^```python\n(.*?)^```$(?:\n\n^```text\n(.*?)^```$)?", PAGE.read_text("utf-8"), re.M | re.S
    )
    assert len(blocks) > 25
    names = {"__name__": "__main__"}
    for code, shown in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, str(PAGE), "exec"), names)
        assert printed.getvalue() == shown
