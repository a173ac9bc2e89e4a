"""The loader on everything a folder of downloads may hold."""

import os
import sys
import warnings

import numpy as np
import pytest
from hostile_images import differs, encoded_cases, write_corpus
from hypothesis import given, settings
from hypothesis import strategies as st

from skposter import ImageLoader
from skposter.exceptions import ImageLoadError, ImageLoadWarning
from skposter.images._pixels import PixelOptions, UnreadableImage, load_pixels
from skposter.images._sources import printable

OPTIONS = PixelOptions(size=(32, 24))
KINDS = {
    "missing",
    "not_a_file",
    "not_an_image",
    "truncated",
    "too_large",
    "unsupported_mode",
    "unreadable",
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("hostile"))


def test_every_file_gives_right_pixels_or_the_right_refusal(corpus):
    wrong = []
    for case in corpus:
        try:
            problem = differs(case, load_pixels(case.source, OPTIONS))
            if case.kind is not None:
                problem = f"loaded, expected {case.kind}"
        except UnreadableImage as error:
            problem = None if case.kind in (error.kind, "any") else f"{error.kind}: {error}"
        if problem:
            wrong.append(f"{case.name!a}: {problem}")
    assert not wrong, "\n".join(wrong)
    assert len(corpus) > 140


def test_encoded_bytes_give_what_their_files_give(corpus):
    by_name = {case.name: case.source for case in corpus}
    for case in encoded_cases():
        if case.kind is None:
            from_file = load_pixels(by_name[case.name], OPTIONS)
            np.testing.assert_array_equal(load_pixels(case.source, OPTIONS), from_file)
        else:
            with pytest.raises(UnreadableImage):
                load_pixels(case.source, OPTIONS)


def test_one_error_reports_every_bad_file_with_path_and_row(corpus):
    paths = [case.source for case in corpus]
    bad = [i for i, case in enumerate(corpus) if case.kind is not None]
    with pytest.raises(ImageLoadError) as info:
        ImageLoader(size=(32, 24), n_jobs=2).transform(paths)
    assert [index for index, _, _ in info.value.failures] == bad
    assert (info.value.index, info.value.path) == (bad[0], paths[bad[0]])
    for i in bad:
        assert f"row {i}: {printable(paths[i])}: " in str(info.value)


def test_blank_keeps_rows_aligned_and_warns_once(corpus):
    paths = [case.source for case in corpus]
    with pytest.warns(ImageLoadWarning) as record:
        images = ImageLoader(size=(32, 24), n_jobs=2, on_error="blank").transform(paths)
    assert len(record) == 1
    for case, pixels in zip(corpus, images, strict=True):
        if case.kind is None:
            assert differs(case, pixels) is None
        else:
            assert (pixels == 128).all()
            assert printable(case.source) in str(record[0].message)


def test_verify_finds_exactly_the_bad_files_and_their_kinds(corpus):
    found = ImageLoader(size=(32, 24)).verify([case.source for case in corpus])
    assert list(found.columns) == ["row", "path", "kind", "detail"]
    bad = found[found["kind"] != "duplicate_content"]
    assert bad["row"].tolist() == [i for i, case in enumerate(corpus) if case.kind is not None]
    for row, kind in zip(bad["row"], bad["kind"], strict=True):
        assert corpus[row].kind in (kind, "any")
    assert set(bad["kind"]) <= KINDS
    assert not bad["detail"].str.contains("None").any()
    assert bad["detail"].str.len().min() > 5


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_no_file_takes_200_mb_or_hangs(corpus, run_python):
    """Each in a forked child: peak memory over what the process had, and an alarm as a watchdog."""
    run_python(
        f"""
        import os, pathlib, signal
        from skposter.images._pixels import PixelOptions, UnreadableImage, load_pixels

        def memory(field):
            text = pathlib.Path("/proc/self/status").read_text()
            return int(text.split(field)[1].split()[0]) / 1024

        for path in {[case.source for case in corpus]!r}:
            child = os.fork()
            if child == 0:
                signal.alarm(60)
                before = memory("VmRSS:")
                pathlib.Path("/proc/self/clear_refs").write_text("5")
                try:
                    load_pixels(path, PixelOptions(size=(224, 160)))
                except UnreadableImage:
                    pass
                os._exit(memory("VmHWM:") - before >= 200)
            status = os.waitpid(child, 0)[1]
            assert status == 0, (path, status)
        """
    )


def test_postscript_never_reaches_ghostscript(tmp_path, monkeypatch):
    marker = tmp_path / "ran"
    for name in ("gs", "gswin64c"):
        script = tmp_path / name
        script.write_text(f"#!/bin/sh\ntouch {marker}\n")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    drawing = tmp_path / "drawing.jpg"
    drawing.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    with pytest.raises(ImageLoadError, match="looks like PostScript"):
        ImageLoader().transform([drawing])
    with pytest.raises(ValueError, match="formats may not contain EPS"):
        ImageLoader(formats=("JPEG", "EPS")).transform([drawing])
    assert not marker.exists()


SEEDS = [case.source for case in encoded_cases() if 0 < len(case.source) < 20_000]


@st.composite
def mutated_files(draw):
    """One file of the corpus with a few bytes overwritten, cut out, doubled or cut off."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, max(0, len(data) - 1)))
        length = draw(st.sampled_from([1, 2, 4, 16, 200]))
        change = draw(st.integers(0, 3))
        if change == 0:
            data[start : start + length] = draw(st.binary(min_size=length, max_size=length))
        elif change == 1:
            del data[start : start + length]
        elif change == 2:
            data[start:start] = data[start : start + length]
        else:
            data[start : start + length] = b"\xff" * length
    return bytes(data)


# SKPOSTER_FUZZ=20000 takes a minute.
N_MUTATED = int(os.environ.get("SKPOSTER_FUZZ", "400"))


def test_mutated_files_give_an_image_or_a_refusal():
    outcomes = []

    @settings(max_examples=N_MUTATED, deadline=None, derandomize=True, database=None)
    @given(data=mutated_files())
    def check(data):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                pixels = load_pixels(data, OPTIONS)
            except UnreadableImage as error:
                outcomes.append(error.kind)
                return
        assert pixels.shape == (32, 24, 3)
        assert pixels.dtype == np.uint8
        outcomes.append("loaded")

    check()
    assert set(outcomes) <= {*KINDS, "loaded"}
    assert {"loaded", "truncated", "not_an_image", "unreadable"} <= set(outcomes)


def test_files_are_closed(corpus):
    """A process may hold 20 more files than now, far fewer than the corpus has."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_now = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 100
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + 20, hard))
    try:
        with pytest.warns(ImageLoadWarning):
            ImageLoader(size=(8, 8), on_error="blank").transform([case.source for case in corpus])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
