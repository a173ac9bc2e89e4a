"""Metadata of images is counted before Pillow reads it: what is refused, and what must not be."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from skposter.images._pixels import PixelOptions, UnreadableImage, load_pixels
from skposter.images._tags import why_not_exif, why_not_jpeg, why_not_tiff

HARMLESS = 4 * 2**20
# Pillow does not know a BigTIFF whose most significant byte comes first.
SHAPES = [("<", False), (">", False), ("<", True)]


def directory(tags, order="<", big=False):
    """Return a TIFF's header and first directory; a tag is (number, type, count, offset)."""
    mark = {"<": b"II", ">": b"MM"}[order]
    if big:
        head = mark + struct.pack(order + "HHHQQ", 43, 8, 0, 16, len(tags))
        return head + b"".join(struct.pack(order + "HHQQ", *tag) for tag in tags)
    head = mark + struct.pack(order + "HIH", 42, 8, len(tags))
    return head + b"".join(struct.pack(order + "HHII", *tag) for tag in tags)


def tiff(*tags, size=10_000_000, **shape):
    file = io.BytesIO(directory(tags, **shape))
    reason = why_not_tiff(file, size)
    assert file.tell() == 0
    return reason


@pytest.mark.parametrize(("order", "big"), SHAPES)
def test_tags_that_repeat_the_file_are_counted(order, big):
    shape = {"order": order, "big": big}
    one = (700, 1, 1_000_000, 100)
    assert tiff(*[one] * 10, **shape) is None
    assert tiff(*[one] * 11, **shape) == (
        "has tags that would take 11,000,000 bytes out of 10,000,000"
    )


def test_a_small_file_may_repeat_what_does_no_harm():
    half = (700, 7, HARMLESS // 2, 8)
    size = HARMLESS // 2 + 8
    assert tiff(half, half, size=size) is None
    assert tiff(half, half, (701, 1, 5, 8), size=size).startswith(
        "has tags that would take 4,194,3"
    )


def test_values_that_lie_beyond_the_file_are_not_read_and_not_counted():
    ends = (700, 1, HARMLESS, 8)
    assert tiff(ends, ends, size=HARMLESS + 8) is not None
    assert tiff(ends, ends, size=HARMLESS + 7) is None


@pytest.mark.parametrize(
    ("kind", "n_bytes"),
    list(zip((*range(1, 14), 16), (1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 8), strict=True)),
)
def test_every_type_of_value_has_its_length(kind, n_bytes):
    n_values = HARMLESS // n_bytes
    assert tiff((700, kind, n_values, 8), size=HARMLESS + 8) is None
    found = tiff(*[(700, kind, n_values, 8)] * 2, size=HARMLESS + 8)
    assert found == "has tags that would take 8,388,608 bytes out of 4,194,312"


def test_types_that_nobody_knows_count_nothing():
    assert tiff(*[(700, kind, 2**31, 8) for kind in (0, 14, 15, 17, 255)], size=2**40) is None


@pytest.mark.parametrize("tag", [273, 279, 324, 325])
@pytest.mark.parametrize(("order", "big"), SHAPES)
def test_pieces_of_a_tiff_are_bounded(tag, order, big):
    shape = {"order": order, "big": big}
    assert tiff((tag, 4, 150_000, 100), **shape) is None
    assert tiff((tag, 4, 150_001, 100), **shape) == "is a TIFF in 150,001 pieces, more than 150,000"
    assert tiff((tag + 1, 4, 150_001, 100), **shape) is None or tag + 1 == 325


@pytest.mark.parametrize(("order", "big"), SHAPES)
def test_a_directory_that_is_cut_off_says_nothing(order, big):
    whole = directory([(273, 4, 200_000, 100)], order, big)
    for length in range(len(whole)):
        assert why_not_tiff(io.BytesIO(whole[:length]), 10_000_000) is None
    assert why_not_tiff(io.BytesIO(whole), 10_000_000)
    assert why_not_tiff(io.BytesIO(b"XX" + whole[2:]), 10_000_000) is None


def test_a_directory_may_lie_anywhere():
    moved = bytearray(directory([(273, 4, 200_000, 100)]))
    entries = moved[8:]
    moved[4:8] = struct.pack("<I", 50)
    assert why_not_tiff(io.BytesIO(moved[:8] + bytes(42) + entries), 10_000_000)
    moved[4:8] = struct.pack("<I", 2**32 - 1)
    assert why_not_tiff(io.BytesIO(moved), 10_000_000) is None
    far = bytearray(directory([], big=True))
    far[8:16] = struct.pack("<Q", 2**64 - 1)
    assert why_not_tiff(io.BytesIO(far), 10_000_000) is None


# --- JPEG -----------------------------------------------------------------------------------------

# Takes 100 times its 60 kB: 6 MB.
HARMFUL = directory([(700, 1, 60_000, 100)] * 100) + bytes(60_000)
HARMLESS_BLOCK = directory([(700, 1, 6_000, 100)] * 5) + bytes(6_000)


def segment(marker, content):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content


def jpeg(*parts):
    file = io.BytesIO(b"\xff\xd8" + b"".join(parts) + b"\xff\xda")
    reason = why_not_jpeg(file)
    assert file.tell() == 0
    return reason


EXIF = segment(0xE1, b"Exif\0\0" + HARMFUL)
REASON = f"has tags that would take 6,000,000 bytes out of {len(HARMFUL):,}"


@pytest.mark.parametrize(
    "before",
    [
        b"",
        segment(0xE0, b"JFIF"),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + HARMFUL[:50_000]),
        segment(0xFE, b"\xff\xda" * 100),
        segment(0xE3, b""),
        b"\xff\xff\xff",
        b"\0\1\2",
        b"\xff\x00\xff\x01\xff\xd0\xff\xd9",
    ],
)
def test_the_exif_block_is_found_behind_anything(before):
    assert jpeg(before, EXIF) == REASON


def test_what_comes_after_the_pixels_is_not_looked_at():
    assert jpeg(segment(0xDA, b"123"), EXIF) is None
    assert jpeg() is None
    assert jpeg(segment(0xE1, b"Exif\0\0" + HARMLESS_BLOCK)) is None


def test_an_exif_block_in_two_segments_is_one():
    first, second = HARMFUL[:20_000], HARMFUL[20_000:]
    assert jpeg(segment(0xE1, b"Exif\0\0" + HARMFUL[:20_000])) is None
    parts = [segment(0xE1, b"Exif\0\0" + part) for part in (first, second)]
    assert jpeg(*parts) == REASON


def test_the_index_of_pictures_is_counted_too():
    assert jpeg(segment(0xE2, b"MPF\0" + HARMFUL)) == REASON
    assert jpeg(segment(0xE2, b"ICC_PROFILE\0" + HARMFUL)) is None
    assert jpeg(segment(0xE1, b"MPF\0" + HARMFUL)) is None
    assert jpeg(segment(0xE2, b"Exif\0\0" + HARMFUL)) is None


def test_every_length_of_a_jpeg_ends():
    for length in range(40):
        assert why_not_jpeg(io.BytesIO((b"\xff\xd8" + EXIF)[:length])) is None


# --- wherever Pillow takes EXIF from --------------------------------------------------------------


def test_every_place_of_exif_is_looked_at():
    profile = "\nexif\n 61208\n" + HARMFUL.hex("\n", -36)
    for info in (
        {"exif": HARMFUL},
        {"exif": b"Exif\0\0" + HARMFUL},
        {"exif": b"Exif\0\0" * 3 + HARMFUL},
        {"mp": HARMFUL},
        {"exif": HARMLESS_BLOCK, "mp": HARMFUL},
        {"Raw profile type exif": profile},
    ):
        assert why_not_exif(info) == REASON
    for info in (
        {},
        {"exif": HARMLESS_BLOCK},
        {"exif": HARMLESS_BLOCK, "Raw profile type exif": profile},  # which Pillow then leaves
        {"exif": 3, "mp": None},
        {"Raw profile type exif": profile.encode()},
        {"Raw profile type exif": "\nexif\n 2\nxx"},
        {"Raw profile type exif": ""},
        {"other": HARMFUL},
    ):
        assert why_not_exif(info) is None


def test_harmful_metadata_is_refused_in_every_format():
    for format in ("JPEG", "PNG", "WEBP"):
        for block, is_harmful in ((HARMFUL, True), (HARMLESS_BLOCK, False)):
            file = io.BytesIO()
            Image.new("RGB", (9, 9)).save(file, format, exif=b"Exif\0\0" + block)
            if is_harmful:
                with pytest.raises(UnreadableImage, match="has tags that would take 6,000,000"):
                    load_pixels(file.getvalue(), PixelOptions(size=(4, 6)))
            else:
                assert load_pixels(file.getvalue(), PixelOptions(size=(4, 6))).shape == (4, 6, 3)


# --- texts of a PNG, scans of a JPEG --------------------------------------------------------------


def png(n_compressed=0, n_international=0, n_plain=0):
    info = PngImagePlugin.PngInfo()
    for number in range(n_compressed):
        info.add_text(f"z{number}", "text", zip=True)
    for number in range(n_international):
        info.add_itxt(f"i{number}", "text", zip=True)
    for number in range(n_plain):
        info.add_text(f"t{number}", "text")
    file = io.BytesIO()
    Image.new("RGB", (9, 9)).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def test_a_png_may_have_sixteen_compressed_texts():
    options = PixelOptions(size=(4, 6))
    after_the_end = png() + png(17)[8:]
    for data in (png(16), png(0, 16), png(8, 8, 50), after_the_end):
        assert load_pixels(data, options).shape == (4, 6, 3)
    for data in (png(17), png(0, 17), png(9, 8)):
        with pytest.raises(UnreadableImage, match="PNG with more than 16 compressed texts") as info:
            load_pixels(data, options)
        assert info.value.kind == "unreadable"


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_jpeg_may_have_a_hundred_scans(mode):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    last = data.rindex(b"\xff\xda")
    n_scans = data.count(b"\xff\xda")
    scan = data[last:-2]
    options = PixelOptions(size=(64, 64))
    hundred = data[:-2] + scan * (100 - n_scans) + data[-2:]
    assert load_pixels(hundred, options).shape == (64, 64, 3)
    with pytest.raises(UnreadableImage, match=r"is a JPEG of more than 100 scans") as info:
        load_pixels(data[:-2] + scan * (101 - n_scans) + data[-2:], options)
    assert info.value.kind == "unreadable"
