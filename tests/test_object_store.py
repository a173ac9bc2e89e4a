"""Images in an object store: moto's server on this machine in the place of S3."""

import io

import joblib
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skposter import ImageLoader
from skposter.datasets import load_image_table
from skposter.exceptions import ImageLoadError

pytest.importorskip("s3fs", reason="needs s3fs and moto[server]")
moto_server = pytest.importorskip("moto.server", reason="needs s3fs and moto[server]")

# botocore's own, of Python's datetime.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore")


def png(grey, size=(12, 18)):
    file = io.BytesIO()
    Image.new("RGB", size, (grey, grey, grey)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def endpoint():
    server = moto_server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def options(endpoint):
    return {"key": "AKIAKEY", "secret": "5ec3e7wo1d", "endpoint_url": endpoint}


@pytest.fixture
def bucket(options):
    import s3fs

    store = s3fs.S3FileSystem(**options, skip_instance_cache=True)
    store.mkdir("films")
    for i in range(12):
        store.pipe_file(f"films/posters/{i}.png", png(10 * i))
    yield store
    store.rm("films", recursive=True)


def greys(images):
    return np.asarray(images)[:, 0, 0, 0].tolist()


def flattened(images):
    return np.asarray(images).reshape(len(images), -1) / 255


def test_images_of_a_bucket(bucket, options, tmp_path):
    urls = [f"s3://films/posters/{i}.png" for i in range(12)]
    loader = ImageLoader(size=(4, 4), storage_options=options, cache_dir=tmp_path)
    assert greys(loader.transform(urls)) == [10 * i for i in range(12)]
    lazy = ImageLoader(size=(4, 4), storage_options={"s3": options}, lazy=True).transform(urls)
    assert greys(lazy[3:5]) == [30, 40]
    before = lazy.fingerprint()
    bucket.pipe_file("films/posters/0.png", png(200))
    assert greys(loader.transform(urls))[:2] == [200, 10]
    again = ImageLoader(size=(4, 4), storage_options=options, lazy=True).transform(urls)
    assert again.fingerprint() != before


def test_a_second_reading_comes_from_the_cache(bucket, options, tmp_path, monkeypatch):
    import s3fs

    urls = [f"s3://films/posters/{i}.png" for i in range(12)]
    loader = ImageLoader(size=(4, 4), storage_options=options, cache_dir=tmp_path)
    images = loader.transform(urls)

    async def refuse(*args, **kwargs):
        raise AssertionError("read again")

    monkeypatch.setattr(s3fs.S3FileSystem, "_cat_file", refuse)
    assert (loader.transform(urls) == images).all()


def test_what_is_wrong_is_said_without_the_keys(bucket, options):
    bucket.pipe_file("films/posters/huge.png", b"x" * 5000)
    urls = [f"s3://films/{name}" for name in ("posters/no.png", "posters", "posters/huge.png")]
    loader = ImageLoader(storage_options=options, max_bytes=4000)
    with pytest.raises(ImageLoadError) as caught:
        loader.transform([*urls, "s3://nobucket/a.png"])
    kinds = loader.verify([*urls, "s3://nobucket/a.png"])["kind"].tolist()
    assert kinds == ["missing", "not_a_file", "too_large", "missing"]
    assert not any(secret in str(caught.value) for secret in (options["key"], options["secret"]))


def test_a_table_and_folder_in_a_bucket(bucket, options):
    bucket.pipe_file("films/labels.csv", b"Id,Genre\n1,Drama|War\n2,War\n")
    data = load_image_table("s3://films/labels.csv", "s3://films/posters", storage_options=options)
    assert data.paths.tolist() == ["s3://films/posters/1.png", "s3://films/posters/2.png"]
    with pytest.raises(FileNotFoundError, match="no image folder 's3://films/nowhere'"):
        load_image_table(pd.DataFrame(), "s3://films/nowhere", storage_options=options)


def test_cross_validation_in_threads(bucket, options):
    urls = np.array([f"s3://films/posters/{i}.png" for i in range(12)])
    model = make_pipeline(
        ImageLoader(size=(4, 4), storage_options=options),
        FunctionTransformer(flattened),
        LogisticRegression(C=100),
    )
    with joblib.parallel_config("threading", n_jobs=2):
        scores = cross_val_score(model, urls, np.arange(12) >= 6, cv=2, error_score="raise")
    assert scores.shape == (2,)
