"""Tables of labels whose images are elsewhere, and models that are shown addresses."""

import io
import json

import pandas as pd
import pytest
import web_server
from PIL import Image

from skposter import ImageLoader
from skposter.commands import main
from skposter.datasets import load_image_csv, load_image_folders, load_image_table
from skposter.exceptions import DataError, ImageLoadError

fsspec = pytest.importorskip("fsspec", reason="needs the extra skposter[remote]")
pytest.importorskip("aiohttp", reason="needs the extra skposter[remote]")

HERE = {"allow_private_hosts": True}
TAGS = {"id_column": "image", "label_column": "tags", "label_delimiter": " "}


def png(grey):
    file = io.BytesIO()
    Image.new("RGB", (12, 18), (grey, grey, grey)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def store():
    store = fsspec.filesystem("memory")
    for name, grey in (("a.png", 10), ("b.JPG", 20), ("more/c d.png", 30), ("notes.txt", 0)):
        store.pipe_file(f"/films/posters/{name}", png(grey))
    store.pipe_file("/films/labels.csv", b"Id,Genre\na,Drama|War\nb,War\nmore/c d,Drama\n")
    yield store
    store.rm("/films", recursive=True)


def test_a_table_and_a_folder_elsewhere(store):
    for folder in ("memory://films/posters", "memory://films/posters/"):
        data = load_image_table("memory://films/labels.csv", folder)
        assert data.paths.tolist() == [
            f"memory://films/posters/{name}" for name in ("a.png", "b.JPG", "more/c d.png")
        ]
        assert data.y.to_numpy().tolist() == [[1, 1], [0, 1], [1, 0]]
        images = ImageLoader(size=(2, 2)).transform(data.paths)
        assert images[:, 0, 0, 0].tolist() == [10, 20, 30]
        assert data.problems.empty
    paths, _ = load_image_csv(
        "memory://films/labels.csv", "memory://films/posters", storage_options={}, return_X_y=True
    )
    assert paths.tolist() == data.paths.tolist()


def test_ids_may_be_addresses_below_the_folder_and_none_leads_outside(store):
    store.pipe_file("/films/secret.png", png(0))
    inside = "memory://films/posters/"
    table = pd.DataFrame({"image": [inside + "a.png", inside + "b"], "tags": ["x", "y"]})
    data = load_image_table(table, inside, **TAGS)
    assert data.paths.tolist() == [inside + "a.png", inside + "b.JPG"]
    for bad in (
        "../secret.png",
        inside + "../secret.png",
        "memory://films/secret.png",
        "memory://films/postersx/a.png",
        "/films/secret.png",
        "https://h.example/a.png",
        "file:///etc/passwd",
    ):
        table.loc[1, "image"] = bad
        with pytest.raises(DataError, match=r"outside image_dir|not in image_dir"):
            load_image_table(table, inside, **TAGS)


def test_missing_images_and_folders_elsewhere_are_errors(store):
    table = pd.DataFrame({"image": ["a.png", "x.png"], "tags": ["x", "y"]})
    with pytest.raises(DataError, match=r"1 of 2 rows have no image .*no image 'x.png'"):
        load_image_table(table, "memory://films/posters", **TAGS)
    data = load_image_table(table, "memory://films/posters", on_missing="drop", **TAGS)
    assert data.problems["kind"].tolist() == ["missing_image", "image_without_row", "empty_label"]
    with pytest.raises(FileNotFoundError, match="no image folder 'memory://films/nowhere'"):
        load_image_table(table, "memory://films/nowhere", **TAGS)
    with pytest.raises(NotADirectoryError, match="is a file, expected a folder"):
        load_image_table(table, "memory://films/labels.csv", **TAGS)
    with pytest.raises(FileNotFoundError, match=r"table 'memory://films/no.csv' cannot be read"):
        load_image_table("memory://films/no.csv", "memory://films/posters")
    with pytest.raises(DataError, match="address of 'ftp', which is read only if"):
        load_image_table(table, "ftp://h.example/posters", **TAGS)
    with pytest.raises(DataError, match="is an address; load_image_table"):
        load_image_folders("memory://films/posters")


def test_ids_below_a_web_address_are_taken_at_their_word():
    table = pd.DataFrame({"image": ["a.png", "b c#1.JPG"], "tags": ["x", "y"]})
    data = load_image_table(table, "https://h.example/posters", **TAGS)
    assert data.paths.tolist() == [
        "https://h.example/posters/a.png",
        "https://h.example/posters/b%20c%231.JPG",
    ]
    urls = ["https://h.example/posters/a?id=1", "https://other.example/b.png"]
    table["image"] = urls
    data = load_image_table(table, "https://", **TAGS)
    assert data.paths.tolist() == urls
    for folder, bad in (
        ("https://h.example/posters", urls[1]),
        ("https://h.example/posters", "https://h.example/posters.evil/a.png"),
        ("https://h.example/posters", "https://h.example/posters/%2e%2e/a.png"),
        ("https://h.example/posters", "../a.png"),
        ("https://h.example/posters", "/a.png"),
        ("https://", "http://h.example/a.png"),
        ("https://", "file:///etc/passwd"),
    ):
        table["image"] = [bad, bad]
        with pytest.raises(DataError, match="outside image_dir"):
            load_image_table(table, folder, on_duplicate="keep", **TAGS)
    table["image"] = ["a", "b"]
    with pytest.raises(DataError, match="an id needs its extension"):
        load_image_table(table, "https://h.example", **TAGS)


def test_passwords_of_ids_and_folders_are_in_no_error():
    url = "https://us3r:pa55@h.example/x"
    table = pd.DataFrame({"image": [url + "/a.png?k=5ec3e7"] * 2, "tags": ["x", "y"]})
    with pytest.raises(DataError) as caught:
        load_image_table(table, "https://us3r:pa55@h.example/y?s=5ec3e7", **TAGS)
    with pytest.raises(DataError) as conflicting:
        load_image_table(table, url, **TAGS)
    for said in (str(caught.value), str(conflicting.value)):
        assert not any(secret in said for secret in ("us3r", "pa55", "5ec3e7"))
        assert "https://h.example/x/a.png?..." in said


def test_a_table_from_a_web_server_is_read_within_the_rules():
    with web_server.serving() as server:
        server.contents = {"/labels.tsv": b"image\ttags\na.png\tx y\nb.png\tx\n"}
        read = {"table": server.url("/labels.tsv"), "image_dir": server.url("/"), **TAGS}
        assert load_image_table(**read, storage_options=HERE).y.shape == (2, 2)
        with pytest.raises(DataError, match="in a private network or this machine itself"):
            load_image_table(**read)


# --------------------------------------------------------------------------------------------------
# Models


def test_exported_models_fetch_only_where_they_are_told_to(onnx_predictor_class, store):
    X = ["memory://films/posters/a.png"]
    with pytest.raises(ImageLoadError, match="is a URL, which is not read here"):
        onnx_predictor_class(None).load_images(X)
    with pytest.raises(ImageLoadError, match="is a URL, which is not read here"):
        onnx_predictor_class(None).load_images([{"bytes": None, "path": X[0]}])
    assert onnx_predictor_class({}).load_images(X)[0, 0, 0].tolist() == [10, 10, 10]


@pytest.fixture
def onnx_predictor_class():
    from skposter.images import Decoder, PixelOptions
    from skposter.onnx import OnnxPredictor

    class Predictor(OnnxPredictor):  # without a network, which takes an extra and seconds
        def __init__(self, storage_options):
            self.storage_options = storage_options
            self._decoder = Decoder(PixelOptions(size=(2, 2)))

    return Predictor


def test_nothing_that_is_uploaded_makes_a_server_fetch():
    pytest.importorskip("fastapi", reason="needs the extra skposter[serve]")
    from skposter.images import Decoder, PixelOptions, as_sources
    from skposter.serving._model import RefusedImage, ServedModel

    with web_server.serving() as server:
        server.contents = {"/a.png": png(10)}
        url = server.url("/a.png")
        loader = ImageLoader(size=(2, 2), storage_options=HERE)
        decoder = Decoder(PixelOptions(size=(2, 2)))
        for transform in (loader.transform, lambda sources: decoder.decode(as_sources(sources))):
            served = ServedModel(None, transform, ["x"], [0.5], 0, "none")
            for text in (
                url,
                f'{{"path": "{url}"}}',
                f"<svg href='{url}'>",
                url + "\0",
                "file:" + url,
            ):
                with pytest.raises(RefusedImage):
                    served.load(text.encode())
        assert server.asked == []


def test_the_command_predicts_addresses_and_folders(fitted_pipeline_file, store, capsys):
    with web_server.serving() as server:
        server.contents = {"/a.png": png(10)}
        names = [
            "memory://films/posters/",
            "memory://films/posters/more/c d.png",
            server.url("/a.png"),
        ]
        options = ["--format", "json", "--quiet", "--storage-options", json.dumps(HERE)]
        assert main(["predict", fitted_pipeline_file, *names, *options]) == 0
        found = json.loads(capsys.readouterr().out)
        assert [each["image"] for each in found] == [
            "memory://films/posters/a.png",
            "memory://films/posters/b.JPG",
            *names[1:],
        ]
        assert main(["predict", fitted_pipeline_file, *names, "--quiet"]) == 1
        assert "in a private network" in capsys.readouterr().err
        assert main(["predict", fitted_pipeline_file, "memory://films/none/", "--quiet"]) != 0
        assert "no image folder 'memory://films/none/'" in capsys.readouterr().err


def test_a_command_reads_addresses_as_the_model_does(fitted_pipeline_file, capsys):
    import joblib

    model = joblib.load(fitted_pipeline_file).set_params(imageloader__storage_options=HERE)
    joblib.dump(model, fitted_pipeline_file)
    with web_server.serving() as server:
        server.contents = {"/a.png": png(10)}
        assert main(["predict", fitted_pipeline_file, server.url("/a.png"), "--quiet"]) == 0
        assert server.url("/a.png") in capsys.readouterr().out


@pytest.fixture
def fitted_pipeline_file(tmp_path, tiny_classifier, colour_images):
    import joblib
    from sklearn.pipeline import make_pipeline

    X, y = colour_images
    model = make_pipeline(ImageLoader(size=(16, 16)), tiny_classifier(epochs=1))
    model.fit(list(X), y)
    joblib.dump(model, tmp_path / "model.joblib")
    return str(tmp_path / "model.joblib")
