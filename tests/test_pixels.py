"""One source -> one array: geometry, colours, and nothing global touched."""

import dataclasses
import errno
import io
import os
import re
import threading
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, ImageOps, PngImagePlugin
from platforms import needs_links, needs_pipes

from skposter.images._opening import quiet_pillow
from skposter.images._pixels import (
    RESAMPLE,
    PixelOptions,
    UnreadableImage,
    load_pixels,
    natural_size,
)


def encoded(image, format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def smooth_image(width, height, seed=0):
    """A picture with detail at all scales, as photographs have."""
    rng = np.random.default_rng(seed)
    layers = [
        np.asarray(
            Image.fromarray(rng.integers(0, 256, (n, n, 3), dtype=np.uint8)).resize(
                (width, height), Image.Resampling.BICUBIC
            ),
            dtype=float,
        )
        for n in (3, 8, 30)
    ]
    return Image.fromarray(np.mean(layers, axis=0).astype(np.uint8))


@pytest.mark.parametrize("resample", sorted(RESAMPLE))
def test_an_ordinary_png_is_resized_exactly_as_pillow_does(resample):
    image = smooth_image(90, 70)
    pixels = load_pixels(encoded(image), PixelOptions(size=(32, 24), resample=resample))
    np.testing.assert_array_equal(pixels, image.resize((24, 32), RESAMPLE[resample]))


def test_pad_fits_the_whole_image_and_fills_with_the_background():
    image = Image.new("RGB", (100, 50), "black")
    options = PixelOptions(size=(40, 40), resize="pad", background=(255, 0, 0))
    pixels = load_pixels(encoded(image), options)
    assert (pixels[10:30] == 0).all()
    assert (pixels[:10] == (255, 0, 0)).all()
    assert (pixels[30:] == (255, 0, 0)).all()


def test_crop_takes_the_largest_centred_part():
    image = Image.new("RGB", (100, 50), "red")
    image.paste("blue", (25, 0, 75, 50))
    pixels = load_pixels(encoded(image), PixelOptions(size=(10, 10), resize="crop", exact=True))
    assert (pixels[:, 1:-1] == (0, 0, 255)).all()


@pytest.mark.parametrize("resize", ["stretch", "pad", "crop"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_equals_the_upright_image(orientation, resize):
    """Odd sizes, so that a border off by one pixel shows."""
    upright = smooth_image(61, 87)
    exif = Image.Exif()
    exif[0x0112] = orientation
    # Turning by the inverse of each orientation: some turn of the eight gives the image back.
    turns = [None, *Image.Transpose]
    for turn in turns:
        stored = upright if turn is None else upright.transpose(turn)
        data = encoded(stored, exif=exif)
        if np.array_equal(ImageOps.exif_transpose(Image.open(io.BytesIO(data))), upright):
            break
    options = PixelOptions(size=(33, 20), resize=resize)
    difference = load_pixels(data, options).astype(int) - load_pixels(encoded(upright), options)
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("resize", ["stretch", "pad", "crop"])
def test_scaled_jpeg_decoding_stays_close_to_exact(resize):
    data = encoded(smooth_image(301, 453), "JPEG", quality=90)
    fast = load_pixels(data, PixelOptions(size=(56, 40), resize=resize))
    exact = load_pixels(data, PixelOptions(size=(56, 40), resize=resize, exact=True))
    assert not np.array_equal(fast, exact)
    assert np.abs(fast.astype(int) - exact).mean() < 2


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    stored=st.tuples(st.integers(1, 700), st.integers(1, 700)),
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    resize=st.sampled_from(["stretch", "pad", "crop"]),
    resample=st.sampled_from(["box", "bilinear", "lanczos"]),
    mode=st.sampled_from(["RGB", "L"]),
    orientation=st.integers(1, 8),
)
def test_scaled_decoding_has_the_geometry_of_exact(
    stored, size, resize, resample, mode, orientation
):
    """A ramp shows by its values where each pixel came from, and where the padding begins."""
    width, height = stored
    ramp = np.add.outer(np.linspace(60, 150, height), np.linspace(0, 90, width))
    image = Image.fromarray(np.repeat(ramp[..., None].astype(np.uint8), 3, axis=2))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(image, "JPEG", quality=98, subsampling=0, exif=exif)
    fast, exact = (
        load_pixels(
            data,
            PixelOptions(
                size=size,
                mode=mode,
                resize=resize,
                resample=resample,
                background=(0, 0, 0),
                exact=exact,
            ),
        ).astype(int)
        for exact in (False, True)
    )
    np.testing.assert_array_equal(fast > 30, exact > 30)
    if min(stored) >= 64 and min(size) >= 8 and resample != "box":
        step = 90 / min(size)  # what the ramp rises from one pixel to the next, or less
        assert np.median(np.abs(fast - exact)) <= 2 + 0.2 * step
        assert np.abs(fast - exact).max() <= 6 + 1.1 * step


def test_scaled_decoding_never_gives_fewer_pixels_than_asked_for():
    data = encoded(smooth_image(300, 450), "JPEG", quality=90)
    size = (226, 151)  # half of 450x300 would be one short in both
    fast = load_pixels(data, PixelOptions(size=size))
    np.testing.assert_array_equal(fast, load_pixels(data, PixelOptions(size=size, exact=True)))


def test_nearest_is_never_decoded_at_another_scale():
    data = encoded(smooth_image(300, 450), "JPEG")
    fast = load_pixels(data, PixelOptions(size=(40, 30), resample="nearest"))
    exact = load_pixels(data, PixelOptions(size=(40, 30), resample="nearest", exact=True))
    np.testing.assert_array_equal(fast, exact)


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_grey_mode_has_one_channel_and_the_usual_luma(format):
    image = smooth_image(60, 60)
    data = encoded(image, format, quality=95)
    pixels = load_pixels(data, PixelOptions(size=(40, 40), mode="L"))
    assert pixels.shape == (40, 40, 1)
    wanted = np.asarray(image.convert("L").resize((40, 40), Image.Resampling.BILINEAR), dtype=int)
    assert np.abs(pixels[:, :, 0] - wanted).mean() < 2


def test_background_of_another_colour_shows_through():
    clear = Image.new("RGBA", (9, 9), (1, 2, 3, 0))
    pixels = load_pixels(encoded(clear), PixelOptions(size=(4, 4), background=(10, 20, 30)))
    assert (pixels == (10, 20, 30)).all()
    clear = Image.new("LA", (9, 9), (7, 0))
    pixels = load_pixels(encoded(clear), PixelOptions(size=(4, 4), background=(10, 20, 30)))
    assert (pixels == (10, 20, 30)).all()
    grey = load_pixels(encoded(clear), PixelOptions(size=(4, 4), background=(9, 9, 9), mode="L"))
    assert (grey == 9).all()


def test_hidden_colours_do_not_bleed_into_visible_edges():
    image = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 20, 40))
    pixels = load_pixels(encoded(image), PixelOptions(size=(10, 10), resample="lanczos"))
    assert np.ptp(pixels.astype(int), axis=2).max() <= 1  # black, white and greys only


def test_sixteen_bits_are_scaled_and_rounded():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    options = PixelOptions(size=(256, 256), mode="L")
    for stored in (values, values.astype(np.int32)):
        pixels = load_pixels(encoded(Image.fromarray(stored), "TIFF"), options)
        np.testing.assert_array_equal(pixels[:, :, 0], np.floor(values / 257 + 0.5))


@pytest.mark.parametrize("value", [-1, 65536])
def test_values_of_more_than_sixteen_bits_are_refused(value):
    data = encoded(Image.fromarray(np.array([[value, 9]], dtype=np.int32)), "TIFF")
    low, high = sorted((value, 9))
    with pytest.raises(UnreadableImage, match=rf"32-bit values from {low} to {high}, outside 0"):
        load_pixels(data, PixelOptions(size=(1, 2)))


@pytest.mark.parametrize("channels", [None, 1, 3, 4])
def test_arrays_are_brought_to_size(channels):
    shape = (20, 30) if channels is None else (20, 30, channels)
    pixels = load_pixels(np.full(shape, 255, np.uint8), PixelOptions(size=(5, 6)))
    assert pixels.shape == (5, 6, 3)
    assert (pixels == 255).all()


def test_pil_images_are_turned_upright_and_left_as_they_were(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    image = Image.new("RGB", (30, 20), "red")
    image.paste("blue", (0, 0, 15, 20))
    image.save(tmp_path / "image.png", exif=exif)
    with Image.open(tmp_path / "image.png") as opened:
        pixels = load_pixels(opened, PixelOptions(size=(20, 30)))
        assert (opened.size, opened.mode) == ((30, 20), "RGB")
        np.testing.assert_array_equal(opened, image)
    assert (pixels[:, :15] == (255, 0, 0)).all()


def test_pil_images_have_limits_too():
    with pytest.raises(UnreadableImage, match="has 100 pixels, more than max_pixels=99"):
        load_pixels(Image.new("RGB", (10, 10)), PixelOptions(size=(5, 5), max_pixels=99))


@pytest.mark.parametrize("resize", ["stretch", "pad", "crop"])
def test_what_has_no_pixels_becomes_no_picture(resize):
    for source, size in [
        (Image.new("RGB", (0, 5)), "0x5"),
        (Image.new("L", (5, 0)), "5x0"),
        (np.zeros((0, 5, 3), np.uint8), "5x0"),
        (np.zeros((5, 0), np.uint8), "0x5"),
    ]:
        with pytest.raises(UnreadableImage, match=rf"has no pixels \({size}\)") as info:
            load_pixels(source, PixelOptions(size=(4, 6), resize=resize))
        assert info.value.kind == "not_an_image"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_of_an_image_is_that_when_it_is_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = (30, 20) if orientation < 5 else (20, 30)
    for format in ("JPEG", "PNG", "TIFF", "WEBP"):
        path = tmp_path / f"image.{format}"
        Image.new("RGB", (30, 20)).save(path, format, exif=exif)
        assert natural_size(str(path)) == natural_size(path.read_bytes()) == upright
        with Image.open(path) as image:
            assert natural_size(image) == (upright if format != "TIFF" else image.size)
    assert natural_size(np.zeros((20, 30, 3), np.uint8)) == (30, 20)


@pytest.mark.parametrize("metadata", [b"garbage", b"Exif\0\0II*\0", b"II", b"MM\0+", b"II+\0" * 2])
def test_an_image_whose_metadata_cannot_be_read_counts_as_upright(metadata):
    image = smooth_image(30, 20)
    wanted = np.asarray(image.resize((6, 4), Image.Resampling.BILINEAR))
    for format in ("PNG", "WEBP"):
        data = encoded(
            image, format, exif=metadata, **{"lossless": True} if format == "WEBP" else {}
        )
        np.testing.assert_array_equal(load_pixels(data, PixelOptions(size=(4, 6))), wanted)
    image.info["exif"] = metadata
    np.testing.assert_array_equal(load_pixels(image, PixelOptions(size=(4, 6))), wanted)
    image.info = {"Raw profile type exif": "\nexif\n 8\nzz"}
    np.testing.assert_array_equal(load_pixels(image, PixelOptions(size=(4, 6))), wanted)


def refusal(source, **options):
    with pytest.raises(UnreadableImage) as info:
        load_pixels(str(source), PixelOptions(size=(4, 6), **options))
    return info.value.kind, str(info.value)


def test_a_path_that_cannot_be_opened_says_why(tmp_path):
    path = tmp_path / "image.png"
    path.write_bytes(encoded(Image.new("RGB", (9, 9))))
    assert refusal(tmp_path / "other.png") == ("missing", "no such file")
    kind, message = refusal("a\0.png")
    assert kind == "missing"
    assert "embedded null" in message  # the rest is Python's, which has changed it
    assert refusal(tmp_path) == ("not_a_file", "is a directory, not a regular file")
    with_space, without = f"{path} ", " nowhere.png"
    assert refusal(with_space)[1] == (
        "no such file; the path begins or ends with whitespace, and without it the file exists "
        f"(got {with_space!r})"
    )
    assert refusal(without)[1] == (
        f"no such file; the path begins or ends with whitespace (got {without!r})"
    )


@needs_links
def test_a_path_that_leads_nowhere_says_why(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert refusal(tmp_path / "loop") == ("unreadable", "too many symbolic links")
    assert refusal(tmp_path / "file" / "image.png") == ("missing", "Not a directory")
    assert refusal(tmp_path / ("x" * 300)) == ("unreadable", "File name too long")
    assert refusal(tmp_path / "file") == ("not_an_image", "is empty (0 bytes)")


@needs_pipes
def test_a_path_that_changes_while_it_is_opened(tmp_path, monkeypatch):
    path, pipe = tmp_path / "image.png", tmp_path / "pipe"
    path.write_bytes(encoded(Image.new("RGB", (9, 9))))
    os.mkfifo(pipe)
    really_open, size = os.open, path.stat().st_size
    descriptors = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None

    def opening(change):
        def open_(name, flags):
            monkeypatch.undo()
            return really_open(change() or name, flags)

        monkeypatch.setattr(os, "open", open_)

    opening(path.unlink)
    assert refusal(path) == ("missing", "no such file")
    path.write_bytes(bytes(size))
    opening(lambda: pipe)
    assert refusal(path) == ("not_a_file", "is not a regular file")
    opening(lambda: path.write_bytes(bytes(size + 1)) and None)
    assert refusal(path, max_bytes=size)[0] == "too_large"

    def fails(descriptor, n_bytes):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "read", fails)
    assert refusal(path) == ("unreadable", "Input/output error")
    monkeypatch.undo()
    if descriptors is not None:
        # Fewer, where something else has closed its own meanwhile.
        assert len(os.listdir("/proc/self/fd")) <= descriptors


NOISE = np.random.default_rng(0).integers(0, 256, (820, 820, 3), dtype=np.uint8)
LARGE = {
    "PNG": {},
    "JPEG": {"quality": 100, "subsampling": 0},
    "TIFF": {},
    "BMP": {},
    "GIF": {},
    "WEBP": {"lossless": True, "method": 0},
}


@pytest.mark.parametrize("format", LARGE)
def test_files_that_are_guarded_for_their_size_are_read_as_others_are(tmp_path, format):
    data = encoded(Image.fromarray(NOISE), format, **LARGE[format])
    assert len(data) > 1 << 19
    path = tmp_path / "large"
    path.write_bytes(data)
    options = PixelOptions(size=(300, 500), exact=True)
    with Image.open(path) as image:
        wanted = image.convert("RGB").resize((500, 300), Image.Resampling.BILINEAR)
    for source in (data, str(path)):
        np.testing.assert_array_equal(load_pixels(source, options), wanted)


def test_a_file_that_comes_in_small_pieces_is_read_whole(tmp_path, monkeypatch):
    path = tmp_path / "image.png"
    path.write_bytes(encoded(smooth_image(90, 70)))
    options = PixelOptions(size=(32, 24))
    wanted = load_pixels(str(path), options)
    read = os.read
    monkeypatch.setattr(os, "read", lambda file, n_bytes: read(file, min(n_bytes, 1000)))
    np.testing.assert_array_equal(load_pixels(str(path), options), wanted)


def test_the_metadata_of_a_large_file_is_bounded(tmp_path):
    data = encoded(Image.new("RGB", (9, 9)))
    length = 17 << 20
    chunk = length.to_bytes(4, "big") + b"abCd" + bytes(length)
    chunk += zlib.crc32(chunk[4:]).to_bytes(4, "big")
    path = tmp_path / "image.png"
    path.write_bytes(data[:33] + chunk + data[33:])
    for source in (str(path), path.read_bytes()):
        with pytest.raises(UnreadableImage, match="has more than 16,777,216 bytes of metadata"):
            load_pixels(source, PixelOptions(size=(5, 5)))


@pytest.mark.parametrize(("n_bytes", "accepted"), [(2, False), (1000, True)])
def test_a_large_file_may_not_be_made_of_tiny_blocks(n_bytes, accepted):
    head = encoded(Image.new("RGB", (200, 200)))[:33]
    rows = NOISE[:200, :200].reshape(200, 600)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows), 0)

    def chunk(kind, content):
        crc = zlib.crc32(kind + content).to_bytes(4, "big")
        return len(content).to_bytes(4, "big") + kind + content + crc

    parts = (packed[i : i + n_bytes] for i in range(0, len(packed), n_bytes))
    data = head + b"".join(chunk(b"IDAT", part) for part in parts) + chunk(b"IEND", b"")
    data += bytes(max(0, (1 << 19) + 1 - len(data)))  # smaller ones are not guarded
    options = PixelOptions(size=(200, 200))
    if accepted:
        np.testing.assert_array_equal(load_pixels(data, options), NOISE[:200, :200])
    else:
        with pytest.raises(UnreadableImage, match="is made of too many tiny blocks"):
            load_pixels(data, options)


def test_detail_across_is_kept_where_little_is_left_of_the_height():
    """libjpeg scales both sides alike, so the side that shrinks less decides."""
    image = Image.fromarray(NOISE[:800, :800])
    data = encoded(image, "JPEG", quality=95)
    for size in ((50, 400), (400, 50)):
        fast, exact = (
            load_pixels(data, PixelOptions(size=size, exact=exact)).astype(float)
            for exact in (False, True)
        )
        assert fast.std() > 0.9 * exact.std()


def test_a_strip_is_resized_in_two_steps_as_in_one():
    image = smooth_image(3, 30_000)
    pixels = load_pixels(encoded(image), PixelOptions(size=(20, 600)))
    wanted = np.asarray(image.resize((600, 20), Image.Resampling.BILINEAR), dtype=int)
    assert np.abs(pixels - wanted).max() <= 1


def test_the_border_of_a_grey_image_has_the_luma_of_the_background():
    options = PixelOptions(size=(20, 40), mode="L", resize="pad", background=(255, 0, 0))
    pixels = load_pixels(encoded(Image.new("L", (10, 10), 9)), options)
    assert (pixels[:, 10:30] == 9).all()
    assert (pixels[:, :10] == 76).all()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_what_is_cut_off_in_its_pixels_is_called_truncated(format):
    data = encoded(Image.fromarray(NOISE[:200, :200]), format)
    with pytest.raises(UnreadableImage) as info:
        load_pixels(data[: len(data) * 2 // 3], PixelOptions(size=(20, 20)))
    # WebP's and TIFF's libraries do not tell a cut from other damage.
    assert info.value.kind in {
        "WEBP": ("not_an_image", "unreadable"),
        "TIFF": ("truncated", "unreadable", "not_an_image"),
    }.get(format, ("truncated",))


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (MemoryError(), "too_large", "needs more memory than there is"),
        (Image.DecompressionBombError("bomb"), "too_large", "more pixels than PIL.Image.MAX_IMAGE"),
        (OSError("image file is truncated (3 bytes not processed)"), "truncated", "is truncated ("),
        (OSError("Truncated File Read"), "truncated", "is truncated (Truncated File Read)"),
        (EOFError(), "truncated", "is truncated (EOFError)"),
        (ValueError("odd"), "unreadable", "cannot be decoded (ValueError: odd)"),
    ],
)
def test_every_error_of_pillow_has_a_kind_and_a_reason(monkeypatch, error, kind, text):
    def fails(*args, **kwargs):
        raise error

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", fails)
    with pytest.raises(UnreadableImage, match=re.escape(text)) as info:
        load_pixels(encoded(Image.new("RGB", (9, 9))), PixelOptions(size=(5, 5)))
    assert info.value.kind == kind


def test_pillows_own_limit_is_a_limit_too(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    with pytest.raises(UnreadableImage, match=r"more pixels than PIL\.Image\.MAX_IMAGE_PIXELS"):
        load_pixels(encoded(Image.new("RGB", (10, 10))), PixelOptions(size=(5, 5)))


AT_THE_LIMIT = [
    ("RGB", "PNG", {}),
    ("RGBA", "PNG", {}),
    ("L", "PNG", {}),
    ("1", "PNG", {}),
    ("P", "PNG", {}),
    ("RGB", "JPEG", {}),
    ("RGB", "JPEG", {"progressive": True, "subsampling": 2}),
    ("L", "JPEG", {"progressive": True}),
    ("RGB", "TIFF", {}),
    ("RGB", "BMP", {}),
    ("P", "GIF", {}),
    ("RGB", "JPEG", {"subsampling": 0}),
]


@pytest.mark.parametrize(("mode", "format", "params"), AT_THE_LIMIT)
def test_files_of_just_max_pixels_are_read(mode, format, params):
    data = encoded(Image.new(mode, (400, 400)), format, **params)
    options = PixelOptions(size=(400, 400), max_pixels=160_000, max_bytes=len(data))
    assert load_pixels(data, options).shape == (400, 400, 3)
    with pytest.raises(UnreadableImage, match="more than max_pixels=159,999"):
        load_pixels(data, dataclasses.replace(options, max_pixels=159_999))
    with pytest.raises(UnreadableImage, match="more than max_bytes="):
        load_pixels(data, dataclasses.replace(options, max_bytes=len(data) - 1))


@pytest.mark.parametrize(
    ("mode", "format", "params"),
    [("RGB", "WEBP", {}), ("CMYK", "JPEG", {}), ("RGB", "TIFF", {"turned": True})],
)
def test_what_takes_more_memory_may_have_fewer_pixels(mode, format, params):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.new(mode, (400, 400), (90, 60, 30, 0)[: len(mode)])
    data = encoded(image, format, **({"exif": exif} if params else {}))
    options = PixelOptions(size=(400, 400), max_pixels=160_000)
    with pytest.raises(UnreadableImage, match=r"MB to decode .*max_pixels=160,000 allows 1 MB"):
        load_pixels(data, options)
    assert load_pixels(data, dataclasses.replace(options, max_pixels=480_000)).any()


def test_limits_are_checked_from_header_and_file_size():
    data = encoded(Image.new("RGB", (10, 10)))
    with pytest.raises(UnreadableImage, match=r"has 10x10 = 100 pixels, more than max_pixels=99"):
        load_pixels(data, PixelOptions(size=(5, 5), max_pixels=99))
    with pytest.raises(UnreadableImage, match=rf"has {len(data)} bytes, more than max_bytes=50"):
        load_pixels(data, PixelOptions(size=(5, 5), max_bytes=50))


def test_a_progressive_jpeg_may_not_take_more_than_the_limits_promise():
    image = Image.new("RGB", (400, 400))
    options = PixelOptions(size=(400, 400), max_pixels=160_000)
    plain = encoded(image, "JPEG")
    assert load_pixels(plain, options).shape == (400, 400, 3)
    with pytest.raises(UnreadableImage, match="takes about 2 MB to decode"):
        load_pixels(encoded(image, "JPEG", progressive=True, subsampling=0), options)


def test_formats_can_be_narrowed_and_widened():
    data = encoded(Image.new("RGB", (10, 10)), "PPM")
    with pytest.raises(UnreadableImage, match="is not one of JPEG, PNG"):
        load_pixels(data, PixelOptions(size=(5, 5)))
    assert load_pixels(data, PixelOptions(size=(5, 5), formats=("PPM",))).shape == (5, 5, 3)
    with pytest.raises(UnreadableImage, match="it looks like GIF"):
        load_pixels(encoded(Image.new("L", (9, 9)), "GIF"), PixelOptions((5, 5), formats=("PNG",)))


def test_pillow_and_warnings_are_left_as_they_were():
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))
    load_pixels(encoded(Image.new("RGB", (10, 10))), PixelOptions(size=(5, 5)))
    with pytest.raises(UnreadableImage):
        load_pixels(b"no image", PixelOptions(size=(5, 5)))
    after = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))
    assert after == before


def test_only_the_decoding_thread_is_quiet():
    heard = []

    def other_thread():
        try:
            warnings.warn("mine", UserWarning, stacklevel=1)
        except UserWarning as warning:
            heard.append(str(warning))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with quiet_pillow():
            warnings.warn("Pillow's", UserWarning, stacklevel=1)
            thread = threading.Thread(target=other_thread)
            thread.start()
            thread.join()
        with pytest.raises(UserWarning, match="again mine"):
            warnings.warn("again mine", UserWarning, stacklevel=1)
    assert heard == ["mine"]
