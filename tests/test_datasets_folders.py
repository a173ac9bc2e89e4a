"""Folders that name the labels, and annotations of objects as COCO and Pascal VOC write them."""

import json
import os

import numpy as np
import pytest
from platforms import needs_links

from skposter.datasets import load_coco, load_image_folders, load_voc
from skposter.exceptions import DataError


def write(root, *names):
    """Write files whose content is the name, or what stands after ``=``."""
    for name in names:
        name, _, content = name.partition("=")
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content or name)
    return root


def labels(data):
    return {
        str(i): {f"{n}{'?' if np.isnan(v) else ''}" for n, v in zip(data.y, row, strict=True) if v}
        for i, row in zip(data.ids, data.y.to_numpy(dtype=float), strict=True)
    }


# Folders


def test_folders_name_sets_of_labels(tmp_path):
    write(tmp_path, "red_dress/1.jpg", "red_shoe/1.jpg", "blue_shoe/2.PNG", "blue_shoe/notes.txt")
    data = load_image_folders(tmp_path, label_delimiter="_")
    assert labels(data) == {
        "blue_shoe/2.PNG": {"blue", "shoe"},
        "red_dress/1.jpg": {"red", "dress"},
        "red_shoe/1.jpg": {"red", "shoe"},
    }
    assert data.paths[0] == str(tmp_path / "blue_shoe" / "2.PNG")
    assert str(data.columns) == (
        "ids: file; labels: folder, separated by '_' (4 labels); metadata: none"
    )
    assert data.problems.empty
    paths, y = load_image_folders(tmp_path, label_delimiter="_", return_X_y=True)
    assert paths.tolist() == data.paths.tolist()
    assert y.equals(data.y)


def test_the_same_image_in_several_folders_has_the_labels_of_all(tmp_path):
    write(tmp_path, "red/7.jpg=x", "dress/7.jpg=x", "dress/8.jpg=y", "red/9.jpg=z")
    data = load_image_folders(tmp_path)
    assert labels(data) == {
        "dress/7.jpg": {"red", "dress"}, "dress/8.jpg": {"dress"}, "red/9.jpg": {"red"},
    }  # fmt: skip
    assert data.problems.empty
    assert str(data.columns) == "ids: file; labels: folder, one a name (2 labels); metadata: none"
    kept = load_image_folders(tmp_path, on_duplicate="keep")
    assert len(kept.paths) == 4


def test_equal_names_are_no_equal_images(tmp_path):
    write(tmp_path, "cat/1.jpg=abc", "dog/1.jpg=abd", "dog/copy.jpg=abc")
    data = load_image_folders(tmp_path)
    assert labels(data) == {"cat/1.jpg": {"cat", "dog"}, "dog/1.jpg": {"dog"}}


def test_an_image_twice_in_a_folder_is_told(tmp_path):
    write(tmp_path, "cat/1.jpg=a", "cat/2.jpg=a", "dog/3.jpg=b")
    data = load_image_folders(tmp_path)
    assert len(data.paths) == 2
    ((name, kind, detail),) = data.problems[["id", "kind", "detail"]].to_numpy()
    assert (name, kind, detail) == ("cat/2.jpg", "duplicate_row", "is as 'cat/1.jpg'; left out")


@pytest.mark.parametrize("name", ["None", "nan", "N/A".replace("/", ""), "train", "0", "a b"])
def test_any_name_of_a_folder_is_a_label(tmp_path, name):
    write(tmp_path, f"{name}/1.jpg", "dog/2.jpg")
    data = load_image_folders(tmp_path, label_delimiter="")
    assert data.label_names == sorted([name, "dog"])


def test_names_that_look_like_several_labels_are_asked_about(tmp_path):
    write(tmp_path, "red_dress/1.jpg", "red_shoe/2.jpg", "blue_shoe/3.jpg", "blue_dress/4.jpg")
    with pytest.raises(DataError, match=r"label_delimiter='_' gives 4 labels .*label_delimiter=''"):
        load_image_folders(tmp_path)
    assert len(load_image_folders(tmp_path, label_delimiter="").label_names) == 4


def test_what_is_hidden_is_left_alone(tmp_path):
    write(tmp_path, "cat/1.jpg", "cat/._1.jpg", ".cache/2.jpg", "__MACOSX/._1.jpg")
    assert load_image_folders(tmp_path).ids.tolist() == ["cat/1.jpg"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["1.jpg", "cat/2.jpg"], "1 images that are in no folder, such as '1.jpg'"),
        (["train/cat/1.jpg", "train/dog/2.jpg"], r"such as 'train/cat'; .* give '.*train'"),
        (["cat/notes.txt"], "holds no folder with images"),
        (["notes.txt"], "holds no folder with images"),
    ],
)
def test_folders_that_are_refused(tmp_path, files, message):
    write(tmp_path, *files)
    with pytest.raises(DataError, match=message) as caught:
        load_image_folders(tmp_path)
    assert str(tmp_path) in str(caught.value)


@needs_links
def test_folders_and_files_that_link_out_are_refused(tmp_path):
    root = write(tmp_path / "root", "cat/1.jpg")
    write(tmp_path, "secret/2.jpg")
    (root / "dog").symlink_to("../secret")
    with pytest.raises(DataError, match="'dog' links outside"):
        load_image_folders(root)
    (root / "dog").unlink()
    (root / "cat" / "3.jpg").symlink_to("../../secret/2.jpg")
    with pytest.raises(DataError, match=r"'cat/3.jpg' links outside"):
        load_image_folders(root)
    (root / "cat" / "3.jpg").unlink()
    (root / "cat" / "3.jpg").symlink_to("1.jpg")
    (root / "dog").mkdir()
    (root / "dog" / "1.jpg").symlink_to("../cat/1.jpg")
    assert labels(load_image_folders(root)) == {"cat/1.jpg": {"cat", "dog"}}


def test_wrong_arguments_of_folders(tmp_path):
    with pytest.raises(ValueError, match="on_duplicate='drop' is not one of"):
        load_image_folders(tmp_path, on_duplicate="drop")
    with pytest.raises(FileNotFoundError, match="there is no image folder"):
        load_image_folders(tmp_path / "nowhere")


# COCO


@pytest.fixture
def coco(tmp_path):
    """A function that writes annotations, changed, and reads them."""
    write(tmp_path, "val/1.jpg", "val/2.jpg", "val/3.jpg")
    content = {
        "info": {},
        "images": [
            {"id": 9, "file_name": "1.jpg", "width": 4},
            {"id": 5, "file_name": "2.jpg", "width": 4},
            {"id": 7, "file_name": "3.jpg", "width": 4},
        ],
        "categories": [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}],
        "annotations": [
            {"image_id": 9, "category_id": 18, "iscrowd": 0},
            {"image_id": 9, "category_id": 1, "iscrowd": 1},
            {"image_id": 5, "category_id": 1, "iscrowd": 1},
            {"image_id": 5, "category_id": 1},
        ],
    }

    def coco(change=lambda content: None, **options):
        changed = json.loads(json.dumps(content))
        changed = change(changed) or changed
        path = tmp_path / "instances.json"
        path.write_text(changed if isinstance(changed, str) else json.dumps(changed))
        return load_coco(path, tmp_path / "val", **options)

    return coco


def test_coco(coco, tmp_path):
    data = coco()
    assert data.label_names == ["dog", "person"]
    assert data.paths.tolist() == [str(tmp_path / "val" / f"{n}.jpg") for n in (1, 2, 3)]
    assert labels(data) == {"1.jpg": {"dog", "person"}, "2.jpg": {"person"}, "3.jpg": set()}
    assert (data.y.dtypes == np.int64).all()
    assert data.problems["kind"].tolist() == ["row_without_labels"]
    assert data.frame["width"].tolist() == [4, 4, 4]
    assert str(data.columns) == (
        "ids: file_name; labels: dog, person, categories of objects (2 labels); metadata: id, width"
    )


@pytest.mark.parametrize(
    ("crowd", "expected"),
    [("present", {"dog", "person"}), ("absent", {"dog"}), ("unknown", {"dog", "person?"})],
)
def test_crowds_say_what_they_are_told_to(coco, crowd, expected):
    data = coco(crowd=crowd)
    assert labels(data) == {"1.jpg": expected, "2.jpg": {"person"}, "3.jpg": set()}


def test_images_that_are_missing(coco, tmp_path):
    os.remove(tmp_path / "val" / "2.jpg")
    with pytest.raises(DataError, match=r"1 of 3 rows have no image .* '2.jpg'"):
        coco()
    assert coco(on_missing="drop").ids.tolist() == ["1.jpg", "3.jpg"]


def change(path, value):
    def changed(content):
        *keys, last = path
        for key in keys:
            content = content[key]
        content[last] = value

    return changed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: "{", "cannot be read as JSON"),
        (lambda content: "[]", "no list 'images'"),
        (lambda content: "[" * 100_000, "cannot be read as JSON"),
        (change(["images"], {}), "no list 'images'"),
        (change(["images"], []), "'images' is empty"),
        (change(["categories"], []), "'categories' is empty"),
        (change(["annotations", 0], 1), "no list 'annotations'"),
        (change(["images", 1], {"id": 5}), r"images\[1\] has no 'file_name'"),
        (change(["images", 1, "id"], 9), "two image entries have the id 9"),
        (change(["categories", 1, "id"], [1]), r"the id \[1\], or it is no id"),
        (change(["categories", 1, "name"], "dog"), "two categories are called 'dog'"),
        (
            change(["annotations", 2, "image_id"], 4),
            "annotation 2 has the image_id 4, which is not",
        ),
        (change(["annotations", 2, "category_id"], None), "annotation 2 has the category_id None"),
        (change(["annotations", 2, "category_id"], [1]), r"annotation 2 has the category_id \[1\]"),
        (change(["images", 1, "file_name"], "../secret.jpg"), "outside image_dir"),
        (change(["images", 1, "file_name"], "1.jpg"), "would repeat an image with other labels"),
        (change(["images", 0, "file_name"], "val2017/1.jpg"), "there is no folder 'val2017'"),
    ],
)
def test_annotations_that_are_refused(coco, change, message):
    with pytest.raises(DataError, match=message) as caught:
        coco(change)
    assert "instances.json" in str(caught.value)


def test_file_names_with_a_folder_before_them_say_how(coco):
    def prefixed(content):
        for image in content["images"]:
            image["file_name"] = "images/" + image["file_name"]

    with pytest.raises(DataError, match=r"not one of 3 rows .* Without 'images' they are there"):
        coco(prefixed)


def test_wrong_arguments_of_coco(coco, tmp_path):
    with pytest.raises(ValueError, match="crowd='ignore' is not one of 'present', 'absent'"):
        coco(crowd="ignore")
    with pytest.raises(ValueError, match="on_missing='keep' is not one of"):
        coco(on_missing="keep")
    with pytest.raises(FileNotFoundError, match=r"no file of annotations '.*none.json'"):
        load_coco(tmp_path / "none.json", tmp_path)


# Pascal VOC

DOG = "<object><name>dog</name><difficult>0</difficult><part><name>head</name></part></object>"
CAT = "<object><name>cat</name><difficult>1</difficult></object>"


@pytest.fixture
def voc(tmp_path):
    """A function that writes annotations and images, and reads them."""

    def voc(files, images=("1.jpg", "2.jpg"), **options):
        write(tmp_path, *[f"JPEGImages/{name}" for name in images])
        for name, content in files.items():
            path = tmp_path / "Annotations" / f"{name}.xml"
            path.parent.mkdir(exist_ok=True)
            text = (
                content
                if content[:1] != "<" or "annotation" in content
                else (f"<annotation><filename>{name}.jpg</filename>{content}</annotation>")
            )
            path.write_text(text)
        return load_voc(tmp_path / "Annotations", tmp_path / "JPEGImages", **options)

    return voc


def test_voc(voc):
    data = voc({"1": DOG + CAT + DOG, "2": "<size/>"})
    assert labels(data) == {"1": {"dog", "cat"}, "2": set()}
    assert data.label_names == ["cat", "dog"]
    assert str(data.columns) == (
        "ids: name; labels: cat, dog, names of objects (2 labels); metadata: filename"
    )


@pytest.mark.parametrize(
    ("difficult", "expected"),
    [("present", {"dog", "cat"}), ("absent", {"dog"}), ("unknown", {"dog", "cat?"})],
)
def test_difficult_objects_say_what_they_are_told_to(voc, difficult, expected):
    assert labels(voc({"1": DOG + CAT, "2": DOG}, difficult=difficult))["1"] == expected


def test_image_sets_choose_and_order(voc, tmp_path):
    write(tmp_path, "val.txt=2\n1\n", "dog_val.txt=1  1\n2 -1\n", "more.txt=1\n9\n")
    files = {"1": DOG, "2": CAT, "3": DOG}
    images = ["1.jpg", "2.jpg", "3.jpg"]
    assert voc(files, images, image_set=tmp_path / "val.txt").ids.tolist() == ["2", "1"]
    with pytest.raises(DataError, match="the list of one class"):
        voc(files, images, image_set=tmp_path / "dog_val.txt")
    with pytest.raises(DataError, match="names '9', which has no annotations"):
        voc(files, images, image_set=tmp_path / "more.txt")
    with pytest.raises(FileNotFoundError, match="no image set"):
        voc(files, images, image_set=tmp_path / "none.txt")


def test_label_names_of_voc(voc):
    data = voc({"1": DOG, "2": "<size/>"}, label_names=["person", "dog"])
    assert data.label_names == ["person", "dog"]
    with pytest.raises(DataError, match=r"'dog', which is not in label_names, did you mean 'dgo'"):
        voc({"1": DOG}, label_names=["dgo"])
    with pytest.raises(DataError, match="no file has an object"):
        voc({"1": "<size/>", "2": "<size/>"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no XML", "cannot be read as XML"),
        ("<annotation>", "cannot be read as XML"),
        ("<annotations/>", "XML of a 'annotations'"),
        ("<object/>", "object 0 has no name"),
        ('<!DOCTYPE annotation [<!ENTITY a "b">]><annotation>&a;</annotation>', "document type"),
    ],
)
def test_xml_that_is_refused(voc, content, message):
    with pytest.raises(DataError, match=message) as caught:
        voc({"1": content})
    assert "1.xml" in str(caught.value)


def test_a_renamed_image_is_found_by_the_name_of_its_annotations(voc):
    stale = "<annotation><filename>old.jpg</filename>" + DOG + "</annotation>"
    assert labels(voc({"1": stale})) == {"1": {"dog"}}
    stale = stale.replace("old.jpg", "2.jpg")
    with pytest.raises(DataError, match=r"names '2\.jpg', but there is also an image '1'"):
        voc({"1": stale})


def test_wrong_arguments_of_voc(voc, tmp_path):
    with pytest.raises(ValueError, match="difficult='drop' is not one of"):
        voc({"1": DOG}, difficult="drop")
    with pytest.raises(FileNotFoundError, match="no folder of annotations"):
        load_voc(tmp_path / "none", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no XML file"):
        load_voc(tmp_path / "empty", tmp_path)
