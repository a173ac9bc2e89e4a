import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from platforms import needs_links, needs_pipes

from skposter.datasets import load_image_csv, write_image_csv
from skposter.datasets._cells import Cells
from skposter.datasets._label_lists import choose_delimiter, parse_label_lists
from skposter.exceptions import DataError

TUTORIAL = """\
Id,Genre,Action,Drama,N/A,Reality-TV
tt1,"['Action', 'Drama']",1,1,0,0
tt2,['N/A'],0,0,1,0
tt3,['Drama'],0,1,0,0
"""


@pytest.fixture
def folder(tmp_path):
    images = tmp_path / "Images"
    images.mkdir()
    for name in ("tt1.jpg", "tt2.PNG", "tt3.jpeg"):
        (images / name).touch()
    return tmp_path


def load(folder, text, **options):
    path = folder / "posters.csv"
    if isinstance(text, bytes):
        path.write_bytes(text)
    else:
        path.write_text(text, encoding="utf-8")
    return load_image_csv(path, folder / "Images", **options)


def parse(cells):
    column = Cells.of(pd.Series(cells), "Genre")
    lists = parse_label_lists(column, choose_delimiter(column, None))
    return [lists[code] for code in column.codes]


def kinds(data):
    return data.problems["kind"].value_counts().to_dict()


# What is read


def test_tutorial_format(folder):
    data = load(folder, TUTORIAL)
    assert data.label_names == ["Action", "Drama", "N/A", "Reality-TV"]
    assert data.y.to_numpy().tolist() == [[1, 1, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0]]
    assert (data.y.dtypes == np.int64).all()
    names = ["tt1.jpg", "tt2.PNG", "tt3.jpeg"]
    assert data.paths.tolist() == [str(folder / "Images" / name) for name in names]
    assert data.ids.tolist() == ["tt1", "tt2", "tt3"]
    assert data.frame.shape == (3, 6)
    assert data.frame["Genre"].iloc[1] == "['N/A']"
    assert data.problems.columns.tolist() == ["row", "id", "kind", "detail"]
    ((row, name, kind, detail),) = data.problems.to_numpy()
    assert row is pd.NA
    assert (name, kind) == ("Reality-TV", "empty_label")
    assert detail == "no row carries this label"


def test_return_x_y(folder):
    paths, y = load(folder, TUTORIAL, return_X_y=True)
    assert paths.shape == (3,)
    assert y.shape == (3, 4)


@pytest.mark.parametrize(
    "cells",
    [
        ("\"['Action', 'Drama']\"", "['N/A']", "[]"),
        ('"[""Action"", ""Drama""]"', '"[""N/A""]"', "['']"),
        ("['Action' 'Drama']", "['N/A']", ""),
        ('"[Action, Drama]"', "[N/A]", " "),
        ("\"('Action', 'Drama')\"", "\"('N/A',)\"", "()"),
        ("\"{'Drama', 'Action'}\"", "{'N/A'}", "{}"),
        ("Action|Drama", "N/A", "|"),
        ("Action;Drama", "N/A", ""),
        ('"Action, Drama"', "N/A", '","'),
        ("Drama | Action | Drama", " N/A ", ""),
    ],
)
def test_only_a_list_column(folder, cells):
    text = "poster,genres\n" + "".join(f"tt{i},{cell}\n" for i, cell in enumerate(cells, 1))
    data = load(folder, text)
    assert data.label_names == ["Action", "Drama", "N/A"]
    assert data.y.to_numpy().tolist() == [[1, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert kinds(data) == {"row_without_labels": 1}


@pytest.mark.parametrize(
    ("yes", "no"), [("1", "0"), ("1.0", "0.0"), ("True", "False"), ("TRUE", "false")]
)
def test_only_one_hot_columns(folder, yes, no):
    data = load(folder, f"file,N/A,Drama\ntt1.jpg,{yes},{no}\ntt2.PNG,{no}, {yes}\n")
    assert data.label_names == ["N/A", "Drama"]
    assert data.y.to_numpy().tolist() == [[1, 0], [0, 1]]
    assert kinds(data) == {"image_without_row": 1}


def test_columns_that_are_neither_are_told(folder):
    text = (
        ",Title,Genre,Year,remake,Id\n"
        "0,One,Drama|War,1999,no,tt1\n1,Two,War,2001,no,tt2\n2,,War,1,sequel,tt3\n"
    )
    data = load(folder, text)
    assert data.label_names == ["Drama", "War"]
    assert data.problems.empty
    assert data.columns.metadata_columns == ("Unnamed: 0", "Title", "Year", "remake")
    assert str(data.columns) == (
        "ids: Id; labels: Genre, separated by '|' (2 labels); metadata: Unnamed: 0, Title, Year, "
        "remake"
    )


def test_a_column_of_0_and_1_beside_a_list_that_does_not_name_it_is_asked_about(folder):
    text = "Id,Genre,adult\ntt1,Drama|War,0\ntt2,War,1\n"
    with pytest.raises(DataError, match=r"'adult' holds 0/1 .* label_column='Genre' or"):
        load(folder, text)
    assert load(folder, text, label_column="Genre").label_names == ["Drama", "War"]


def test_named_columns_win_over_found_ones(folder):
    text = "key,Genre,Id,Drama,adult\ntt1,Drama,x,1,0\ntt2,War,y,0,1\ntt3,War,z,0,0\n"
    data = load(folder, text, id_column="key", label_column="Genre")
    assert data.label_names == ["Drama", "War"]
    data = load(folder, text, id_column="key", label_columns=["Drama"])
    assert data.y.to_dict("list") == {"Drama": [1, 0, 0]}
    with pytest.raises(DataError, match="disagree in 2 of 3 rows"):
        load(folder, text, id_column="key", label_column="Genre", label_columns=["Drama"])


def test_bom_line_ends_blank_lines_and_quoted_newlines(folder):
    text = '\ufeffId,Note,Genre\r\n\r\ntt1,"two\r\nlines",Drama\r\n,,\r\ntt2,, War\r\n'
    data = load(folder, text.encode())
    assert data.frame.columns.tolist() == ["Id", "Note", "Genre"]
    assert data.frame["Note"].iloc[0] == "two\r\nlines"
    assert data.y.to_dict("list") == {"Drama": [1, 0], "War": [0, 1]}


def test_one_row_one_label(folder):
    data = load(folder, "id,label\ntt1,Drama\n")
    assert data.y.to_numpy().tolist() == [[1]]


def test_label_names_from_hostile_cells_stay_text(folder, tmp_path):
    marker = tmp_path / "marker"
    call = f"__import__('os').system('touch {marker}')"
    with pytest.raises(DataError, match="row 0: cannot read"):
        load(folder, f'Id,Genre\ntt1,"[{call}]"\n')
    data = load(folder, f'Id,Genre\ntt1,"{call}"\n', label_delimiter="")
    assert data.label_names == [call]
    assert not marker.exists()


def test_tutorial_reads_the_same_in_another_column_order(folder):
    shuffled = pd.read_csv(__import__("io").StringIO(TUTORIAL), keep_default_na=False).iloc[
        :, [2, 5, 1, 0, 4, 3]
    ]
    data = load(folder, shuffled.to_csv(index=True))
    assert data.ids.tolist() == ["tt1", "tt2", "tt3"]
    assert data.y["N/A"].tolist() == [0, 1, 0]


# Cells that cannot be read


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("['Action', 'Drama'", "closing ']' is missing"),
        ("[['Action'], ['Drama']]", "flat list"),
        ("[" * 5000 + "]" * 5000, "flat list"),
        ("[{'id': 1, 'title': 'Drama', 'name': 'D'}]", "flat list of names, or objects with one"),
        ("[{'id': 1}, 'Drama']", "flat list"),
        ("{'id': 1, 'name': 'Drama'}", "JSON object with the keys 'id', 'name'"),
        ('{"Drama": 1, "Drama": 0}', "JSON key 'Drama' is there 2 times"),
        ("['Action', Dra'ma']", "separated by commas"),
        ("['Action', 'Dra'ma']", "separated by commas"),
        ("['Action', 'Dra''ma']", "separated by commas"),
        ("['Action", "closing"),
        ("['Action]", "flat list"),
        ("['Drama', nan]", "nan is not a label name"),
        ("[None]", "None is not a label name"),
        (r"['Dra\qma']", "escape"),
        (r'["\ud83d"]', "escape"),
        ("(", "closing"),
    ],
)
def test_unreadable_label_cells_name_column_and_row(cell, why):
    cells = ["['War']", cell] if cell != "(" else ["x", "('"]
    with pytest.raises(
        DataError, match=r"column 'Genre', row 1: cannot read .* as labels"
    ) as caught:
        parse(cells)
    assert why in str(caught.value)
    assert len(str(caught.value)) < 250


def test_escapes_are_read_as_python_and_json_write_them():
    names = ("it's", 'a "b"', "back\\slash", "Comédie", "\U0001f600", "a, b", "[x]", "tab\there")
    assert parse([repr(list(names))]) == [names]
    assert parse([json.dumps(names)]) == [names]


@pytest.mark.parametrize("cell", ["2", "", "yes", "0.5", "-1", "nan"])
def test_one_hot_cells_other_than_0_and_1_name_row_and_column(folder, cell):
    text = f"Id,Drama,War\ntt1,1,0\ntt2,0,{cell}\ntt3,1,1\n"
    with pytest.raises(DataError, match=rf"row 1, column 'War': expected 0 or 1, got '{cell}'"):
        load(folder, text)
    with pytest.raises(DataError, match="row 1, column 'War'"):
        load(folder, text, label_columns=["Drama", "War"])


def test_a_one_hot_column_of_nonsense_that_the_list_names_is_an_error(folder):
    with pytest.raises(
        DataError, match=r"row 0, column 'War': .* got 'no' \(and 2 more such cells\)"
    ):
        load(folder, "Id,Genre,War,Drama\ntt1,Drama,no,1\ntt2,War,yes,0\ntt3,War,yes,0\n")


def test_list_and_one_hot_that_disagree_name_the_rows(folder):
    text = TUTORIAL.replace("1,1,0,0", "1,0,0,0").replace("0,1,0,0", "0,1,0,1")
    with pytest.raises(DataError) as caught:
        load(folder, text)
    message = str(caught.value)
    assert "disagree in 2 of 3 rows" in message
    assert "row 0 (id 'tt1'): 'Drama' is only in the list" in message
    assert "row 2 (id 'tt3'): 'Reality-TV' is only in the column of 0/1" in message
    assert load(folder, text, label_column="Genre").label_names == ["Action", "Drama", "N/A"]


def test_a_listed_label_without_a_column_is_a_disagreement(folder):
    with pytest.raises(DataError, match=r"row 1 \(id 'tt2'\): 'War' is only in the list"):
        load(folder, "Id,Genre,Drama\ntt1,Drama,1\ntt2,War,0\n")


def test_free_text_taken_for_labels_is_refused_before_memory_is(folder, monkeypatch):
    monkeypatch.setattr("skposter.datasets._labels._MAX_CELLS", 5)
    with pytest.raises(
        DataError, match="'plot' holds 3 different labels in 2 rows, is it free text"
    ):
        load(folder, "Id,plot\ntt1,a man|a plan\ntt2,a canal|\n")


# Rows and images


def test_duplicate_rows_are_dropped_and_reported(folder):
    text = "Id,Genre\ntt1,Drama\ntt2,War\ntt1,Drama\ntt1.jpg,Drama\n"
    data = load(folder, text)
    assert data.y.index.tolist() == [0, 1]
    assert len(data.frame) == 4
    rows = data.problems.query("kind == 'duplicate_row'")
    assert rows["row"].tolist() == [2, 3]
    assert rows["id"].tolist() == ["tt1", "tt1.jpg"]
    assert rows["detail"].tolist() == ["repeats row 0; left out"] * 2


def test_duplicate_rows_can_be_kept(folder):
    data = load(folder, "Id,Genre\ntt1,Drama\ntt1,Drama\n", on_duplicate="keep")
    assert data.ids.tolist() == ["tt1", "tt1"]
    assert data.problems["detail"].iloc[0] == "repeats row 0"


def test_an_image_with_two_label_sets_is_an_error_unless_kept(folder):
    text = "Id,Genre\ntt1,Drama\ntt2,War\ntt1,War\n"
    with pytest.raises(DataError, match=r"row 2 \(id 'tt1'\): row 0 has \['Drama'\], row 2 has"):
        load(folder, text)
    data = load(folder, text, on_duplicate="keep")
    assert len(data.paths) == 3
    assert kinds(data)["conflicting_labels"] == 1


def test_missing_images_raise_by_default(folder):
    text = "Id,Genre\ntt1,Drama\ntt9,War\n,War\nsub/tt1,War\n"
    with pytest.raises(DataError) as caught:
        load(folder, text)
    message = str(caught.value)
    assert message.startswith(repr(str(folder / "posters.csv")))
    assert "3 of 4 rows have no image" in message
    assert "row 1 (id 'tt9'): no image 'tt9' in image_dir" in message
    assert "row 2 (id ''): the id is empty" in message
    assert "row 3 (id 'sub/tt1'): there is no folder 'sub'" in message
    assert 'on_missing="drop"' in message
    assert "\n" not in message


def test_missing_images_can_be_dropped(folder):
    data = load(folder, "Id,Genre\ntt9,War\ntt1,Drama\n", on_missing="drop")
    assert data.y.index.tolist() == [1]
    assert data.label_names == ["Drama", "War"]
    assert data.problems["kind"].tolist() == [
        "missing_image",
        "image_without_row",
        "empty_label",
    ]
    assert data.problems["detail"].iloc[0].endswith("left out")


def test_many_missing_images_are_one_short_line(folder):
    text = "Id,Genre\ntt1,War\n" + "".join(f"x{i},War\n" for i in range(1000))
    with pytest.raises(DataError, match=r"1000 of 1001 rows .* and 995 more") as caught:
        load(folder, text)
    assert len(str(caught.value)) < 800


@pytest.mark.parametrize("on_missing", ["raise", "drop"])
def test_not_one_image(folder, on_missing):
    with pytest.raises(
        DataError, match=r"not one of 2 rows has an image in .* \(ids from column 'Genre'\)"
    ):
        load(folder, "Genre,War\nDrama,1\nWar,0\n", id_column="Genre", on_missing=on_missing)


def test_an_empty_image_folder_is_told_so(folder):
    for path in (folder / "Images").iterdir():
        path.unlink()
    (folder / "Images" / "notes.txt").touch()
    with pytest.raises(DataError, match="which holds no image files"):
        load(folder, TUTORIAL, on_missing="drop")


@pytest.mark.parametrize(
    "extension", [".jpg", ".JPG", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".TIFF"]
)
def test_usual_extensions(folder, extension):
    name = f"my.poster 1{extension}"
    (folder / "Images" / name).touch()
    for image_id in (
        "my.poster 1",
        name,
        name.swapcase().replace("MY.POSTER", "my.poster"),
        f" {name} ",
    ):
        data = load(folder, f"Id,Genre\n{image_id},War\n")
        assert Path(data.paths[0]).name == name


def test_an_id_that_fits_two_images_is_an_error_and_a_full_name_is_not(folder):
    (folder / "Images" / "tt1.png").touch()
    with pytest.raises(DataError, match=r"row 0 \(id 'tt1'\): tt1.jpg and tt1.png match"):
        load(folder, "Id,Genre\ntt1,War\n", on_missing="drop")
    assert load(folder, "Id,Genre\ntt1.png,War\n").paths[0].endswith("tt1.png")


def test_accents_match_in_either_unicode_form(folder):
    (folder / "Images" / "Ame\u0301lie.jpg").touch()
    data = load(folder, "Id,Genre\nAm\u00e9lie,War\n")
    assert Path(data.paths[0]).exists()


def test_ids_in_subfolders(folder):
    (folder / "Images" / "old").mkdir()
    (folder / "Images" / "old" / "tt1.jpg").touch()
    (folder / "Images" / "old" / "tt8.jpg").touch()
    data = load(folder, "Id,Genre\n./old//tt1,War\ntt1,Drama\n")
    assert data.paths[0] == str(folder / "Images" / "old" / "tt1.jpg")
    (unused,) = data.problems.query("kind == 'image_without_row'")["detail"]
    assert unused.endswith(": old/tt8.jpg, tt2.PNG, tt3.jpeg")


@pytest.mark.parametrize(
    "image_id",
    [
        *("../secret", "old/../tt1", "..", "{root}/secret.jpg", "{root}/Images/../secret.jpg"),
        *(
            "..\\secret",
            "old\\..\\..\\secret",
            "C:\\secret.jpg",
            "\\\\server\\secret.jpg",
            "\\secret",
        ),
        *("http://host/secret.jpg", "file:///secret.jpg", "/secret.jpg", "C:secret.jpg"),
    ],
)
@pytest.mark.parametrize("on_missing", ["raise", "drop"])
def test_ids_that_leave_the_folder_are_refused(folder, image_id, on_missing):
    (folder / "secret.jpg").touch()
    (folder / "Images" / "old").mkdir()
    text = f"Id,Genre\ntt2,War\n{image_id.format(root=folder)},War\n"
    with pytest.raises(DataError, match=r"1 row would leave .*: row 1 .* (outside|URL)"):
        load(folder, text, on_missing=on_missing)


@needs_links
def test_links_that_leave_the_folder_are_refused_and_others_are_not(folder):
    images = folder / "Images"
    (folder / "secret.jpg").touch()
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "tt5.jpg").touch()
    (images / "inside.jpg").symlink_to("tt1.jpg")
    (images / "out.jpg").symlink_to("../secret.jpg")
    (images / "other").symlink_to("../elsewhere")
    (images / "dead.jpg").symlink_to("nowhere.jpg")
    (images / "loop.jpg").symlink_to("loop.jpg")
    for image_id in ("out", "other/tt5"):
        with pytest.raises(DataError, match="links outside image_dir"):
            load(folder, f"Id,Genre\n{image_id},War\n", on_missing="drop")
    for image_id in ("dead", "loop", "loop.jpg"):
        with pytest.raises(DataError, match="no image"):
            load(folder, f"Id,Genre\n{image_id},War\n")
    assert load(folder, "Id,Genre\ninside,War\n").paths[0].endswith("inside.jpg")
    images.rename(folder / "Real")
    images.symlink_to("Real")
    assert len(load(folder, "Id,Genre\ntt1,War\n").paths) == 1


@needs_pipes
def test_folders_and_pipes_named_like_images_are_no_images(folder):
    (folder / "Images" / "dir.jpg").mkdir()
    os.mkfifo(folder / "Images" / "pipe.jpg")
    for image_id in ("dir", "pipe", "dir.jpg"):
        with pytest.raises(DataError, match="no image"):
            load(folder, f"Id,Genre\n{image_id},War\n")


@pytest.mark.skipif(sys.platform != "linux", reason="file names that are not text exist on Linux")
def test_a_file_name_that_is_not_text_is_reported_as_text(folder):
    open(os.fsencode(folder / "Images") + b"/\xff.jpg", "wb").close()
    data = load(folder, TUTORIAL)
    (unused,) = data.problems.query("kind == 'image_without_row'")["detail"]
    assert unused.endswith(": \\udcff.jpg")


# Files that are not what they should be


def test_missing_csv_and_folder(folder):
    with pytest.raises(FileNotFoundError, match=r"there is no label table '.*nowhere.csv'"):
        load_image_csv(folder / "nowhere.csv", folder / "Images")
    (folder / "posters.csv").write_text(TUTORIAL)
    with pytest.raises(FileNotFoundError, match=r"there is no image folder '.*Bilder'"):
        load_image_csv(folder / "posters.csv", folder / "Bilder")
    with pytest.raises(NotADirectoryError, match="is a file, expected a folder"):
        load_image_csv(folder / "posters.csv", folder / "posters.csv")
    with pytest.raises(DataError, match="not a file of labels"):
        load_image_csv(folder / "Images", folder / "Images")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"Id,Genre\n", "a header but no rows"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "not UTF-8 text .byte 0x89"),
        (b"PK\x03\x04\x00\x00", "cannot be read as Excel|needs openpyxl"),
        (b"PAR1\x00\x00", "cannot be read as Parquet|needs pyarrow"),
        (b"a,b\n1,\x00\n", "NUL bytes"),
        ("Id,Genre\ntt1,Comédie\n".encode("latin-1"), "not UTF-8 text .byte 0xe9"),
        (b"<html>\n<body>\n", "one column"),
        (b"Id,Genre,Genre\ntt1,a,b\n", "'Genre' appears 2 times"),
        (b"Id,Genre\ntt1,Action, Drama\n", r"row 0 \(line 2\) has 3 cells, the header has 2"),
        (b"Id,Genre\n\ntt1,War\ntt2\n", r"row 1 \(line 4\) has 1 cells"),
        (b'Id,Genre\ntt1,"Drama\ntt2,War\n', "unexpected end of data"),
        (b"Id,Genre\ntt1," + b"x" * 200_000 + b"\n", "line 2: field larger than"),
        (b"Id,Genre\ntt1,\n", "column 'Genre' holds no labels"),
        (b"Id,a,b\ntt1,red,big\n", "cannot tell which column holds the labels among 'a', 'b'"),
    ],
)
def test_unreadable_csv(folder, content, message):
    with pytest.raises(DataError, match=message) as caught:
        load(folder, content)
    assert "posters.csv" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"id_column": "id"}, r"id_column='id' is not a column, did you mean 'Id'\?"),
        ({"label_column": "Kind"}, r"label_column='Kind' is not a column"),
        ({"label_columns": ["Action", "Horror"]}, r"label_columns='Horror' is not a column"),
        ({"label_columns": []}, "label_columns is empty"),
        ({"label_columns": ["Id"]}, "row 0, column 'Id': expected 0 or 1, got 'tt1'"),
        (
            {"id_column": "Id", "label_columns": ["Id"]},
            "'Id' cannot be both id_column and label_columns",
        ),
        ({"on_missing": "ignore"}, "on_missing='ignore' is not one of 'raise', 'drop'"),
        ({"on_duplicate": 1}, "on_duplicate=1 is not one of 'drop', 'keep'"),
    ],
)
def test_wrong_arguments(folder, options, message):
    with pytest.raises(ValueError, match=message):
        load(folder, TUTORIAL, **options)


def test_a_large_csv_costs_no_call_per_row(folder, monkeypatch):
    n = 20_000
    bits = np.random.default_rng(0).integers(0, 2, size=(n, 3))
    for i in range(300):
        (folder / "Images" / f"p{i}.jpg").touch()
    frame = pd.DataFrame(bits, columns=["A", "B", "C"])
    frame.insert(0, "Id", [f"p{i % 400}" for i in range(n)])
    calls = []
    real = os.path.realpath
    monkeypatch.setattr(os.path, "realpath", lambda p, **k: calls.append(p) or real(p, **k))
    data = load(folder, frame.to_csv(index=False), on_missing="drop", on_duplicate="keep")
    assert data.y.shape == (15_000, 3)
    assert len(calls) < 10


# Writing


def test_written_csv_is_the_tutorials_format_and_reads_the_same(folder):
    data = load(folder, TUTORIAL)
    path = folder / "again.csv"
    write_image_csv(path, data.ids, data.y)
    assert path.read_text() == TUTORIAL
    again = load_image_csv(path, folder / "Images")
    pd.testing.assert_frame_equal(again.y, data.y)


def test_one_hot_csv_from_a_list_column_is_one_call(folder):
    frame = pd.DataFrame({"poster": ["tt1", "tt2"], "kinds": ["War|Drama", "N/A"]})
    write_image_csv(folder / "out.csv", frame["poster"], frame["kinds"])
    assert (folder / "out.csv").read_text() == (
        "Id,Genre,Drama,N/A,War\ntt1,\"['Drama', 'War']\",1,0,1\ntt2,['N/A'],0,1,0\n"
    )


@pytest.mark.parametrize(
    "labels",
    [
        [("War", "Drama"), ()],
        [["Drama", "War"], []],
        [{"Drama", "War"}, set()],
        np.array([[1, 1], [0, 0]]),
        np.array([[True, True], [False, False]]),
        pd.DataFrame({"War": [1.0, 0.0], "Drama": [1.0, 0.0]}),
        pd.Series(["['Drama', 'War']", "[]"], index=[7, 8]),
    ],
)
def test_label_forms(folder, labels):
    path = folder / "out.csv"
    write_image_csv(
        path, [Path("tt1.jpg"), "tt2"], labels, label_names=["Drama", "War"],
        id_column="file", label_column="tags",
    )  # fmt: skip
    assert path.read_text() == (
        "file,tags,Drama,War\ntt1.jpg,\"['Drama', 'War']\",1,1\ntt2,[],0,0\n"
    )


@pytest.mark.parametrize(
    ("ids", "labels", "options", "message"),
    [
        (["a"], [("War",), ()], {}, "got 1 ids but labels for 2 images"),
        (["a", ""], ["War", "War"], {}, "ids, row 1: expected a name, got ''"),
        (["a", 3], ["War", "War"], {}, "ids, row 1: expected a name, got 3"),
        (["a", "b"], ["War", float("nan")], {}, r"labels, row 1: .* got nan .*keep_default_na"),
        (["a"], [("War", 3)], {}, "labels, row 0: expected a list of label names"),
        (["a", "b"], [("War",), "War"], {}, "labels, row 0: expected a written list"),
        (["a"], [("two\rlines",)], {}, "cannot name a column"),
        (["a\nb"], ["War"], {}, "ids, row 0: expected a name"),
        (["a\udcff"], ["War"], {}, "ids, row 0: expected a name"),
        (["a"], np.ones((1, 2)), {}, "label_names is needed"),
        (["a"], np.ones((1, 2)), {"label_names": ["War"]}, "got 1 label_names for 2 columns"),
        (["a"], np.full((1, 1), 0.5), {"label_names": ["War"]}, "labels must be 0 or 1"),
        (["a"], [("War",)], {"label_names": ["Drama"]}, "label 'War' is not in label_names"),
        (["a"], [("Genre",)], {}, "'Genre' would appear 2 times"),
        (["a"], [(" War",)], {}, "' War' cannot name a column"),
        (["a"], pd.DataFrame({0: [1]}), {}, "0 cannot name a column"),
    ],
)
def test_what_cannot_be_written_leaves_the_old_file(folder, ids, labels, options, message):
    path = folder / "out.csv"
    path.write_text("old")
    with pytest.raises(DataError, match=message):
        write_image_csv(path, ids, labels, **options)
    assert path.read_text() == "old"
    assert sorted(p.name for p in folder.iterdir()) == ["Images", "out.csv"]


def test_an_interrupted_write_leaves_the_old_file(folder, monkeypatch):
    path = folder / "out.csv"
    path.write_text("old")

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_image_csv(path, ["a"], ["War"])
    assert path.read_text() == "old"
    assert sorted(p.name for p in folder.iterdir()) == ["Images", "out.csv"]


def test_writing_into_no_folder(folder):
    with pytest.raises(FileNotFoundError, match=r"there is no folder '.*nowhere' to write 'a.csv'"):
        write_image_csv(folder / "nowhere" / "a.csv", ["a"], ["War"])


NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8
).map(str.strip)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        NAMES.filter(lambda n: len(n.splitlines()) == 1 and n not in ("Id", "Genre")),
        min_size=1,
        max_size=5,
        unique=True,
    )
)
def test_any_label_name_survives_writing_and_reading(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("names")
    (folder / "a.jpg").touch()
    (folder / "b.jpg").touch()
    write_image_csv(folder / "out.csv", ["a", "b"], [names, []], label_names=names)
    data = load_image_csv(folder / "out.csv", folder)
    assert data.label_names == names
    assert data.y.to_numpy().tolist() == [[1] * len(names), [0] * len(names)]


# Imports, and the real posters


def test_importing_skposter_does_not_import_pandas():
    code = "import sys, skposter; print('pandas' in sys.modules, 'PIL' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "False"]


@pytest.mark.skipif(
    not os.environ.get("SKPOSTER_POSTERS"),
    reason="set SKPOSTER_POSTERS to the folder of train.csv, val.csv and Images/",
)
def test_real_posters():
    root = Path(os.environ["SKPOSTER_POSTERS"])
    train = load_image_csv(root / "train.csv", root / "Images")
    duplicates = train.problems.query("kind == 'duplicate_row'")
    assert duplicates["id"].nunique() == len(duplicates) == 7
    assert len(train.frame) - len(train.paths) == 7
    assert train.problems.query("kind == 'empty_label'")["id"].tolist() == ["Reality-TV"]
    assert len(train.label_names) == 25
    assert train.y["N/A"].sum() == 5
    assert train.y.to_numpy().any(axis=1).all()
    assert set(kinds(train)) == {"duplicate_row", "empty_label", "image_without_row"}

    val = load_image_csv(root / "val.csv", root / "Images")
    assert len(val.paths) == len(val.frame)
    assert val.label_names == train.label_names
    assert val.problems.query("kind == 'empty_label'")["id"].tolist() == ["News"]
    lists = load_image_csv(root / "val.csv", root / "Images", label_column="Genre")
    pd.testing.assert_frame_equal(lists.y, val.y.drop(columns="News"))
