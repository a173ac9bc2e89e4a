"""A corpus of odd and hostile image files, and what must come out of each.

``python tests/hostile_images.py FOLDER`` writes it for a look.
"""

import functools
import io
import os
import struct
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL
from PIL import Image
from platforms import makes_links

RED, GREEN, BLUE, WHITE = (250, 10, 10), (10, 240, 20), (20, 10, 240), (255, 255, 255)


@dataclass
class Case:
    """One source: either `kind` of the error, or the colours that must be seen.

    `colours` are those of the four quarters (top left, top right, bottom left, bottom right) of the
    upright image, of the whole image if there is one only, or None if any pixels will do.
    """

    name: str
    source: str | bytes
    kind: str | None = None
    colours: list | None = None
    tolerance: int = 12


def quarters(width=48, height=64, mode="RGB"):
    """Return a picture whose every turn and flip looks different."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    image.paste(WHITE, (width // 2, height // 2, width, height))
    return image.convert(mode)


QUARTERS = [RED, GREEN, BLUE, WHITE]
# How a camera stores an upright picture so that the orientation tag makes it upright again.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def encoded(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def png(width, height, bits, colour_type, rows, extra=b"", extra_after=b""):
    """A PNG from its parts, so that its header may lie."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(rows, 1))
        + extra_after
        + chunk(b"IEND", b"")
    )


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def jpeg_with(segments):
    """A good JPEG with raw segments after its start marker."""
    good = encoded(quarters(), "JPEG", quality=95)
    return good[:2] + segments + good[2:]


def orientations():
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = quarters()
        if orientation in STORED:
            stored = stored.transpose(STORED[orientation])
        for format in ("JPEG", "PNG", "WEBP", "TIFF"):
            options = {"quality": 95} if format in ("JPEG", "WEBP") else {}
            yield Case(
                f"orientation-{orientation}.{format.lower()}",
                encoded(stored, format, exif=exif, **options),
                colours=QUARTERS,
                tolerance=30 if format == "WEBP" else 12,
            )
    exif = Image.Exif()
    exif[0x0112] = 6
    big = quarters(480, 640).transpose(STORED[6])
    yield Case("orientation-scaled.jpg", encoded(big, "JPEG", exif=exif), colours=QUARTERS)


def transparent():
    hidden = Image.new("RGBA", (40, 60), (*RED, 0))
    yield Case("hidden.png", encoded(hidden, "PNG"), colours=[WHITE])
    half = Image.new("RGBA", (40, 60), (0, 0, 0, 128))
    yield Case("half.webp", encoded(half, "WEBP", lossless=True), colours=[(127, 127, 127)])
    yield Case("half.tif", encoded(half, "TIFF"), colours=[(127, 127, 127)])
    grey = Image.new("LA", (40, 60), (10, 0))
    yield Case("hidden-grey.png", encoded(grey, "PNG"), colours=[WHITE])
    palette = Image.new("P", (40, 60), 1)
    palette.putpalette([0, 0, 0, *RED])
    yield Case("palette.png", encoded(palette, "PNG"), colours=[RED])
    yield Case("palette-key.png", encoded(palette, "PNG", transparency=1), colours=[WHITE])
    yield Case("palette-key.gif", encoded(palette, "GIF", transparency=1), colours=[WHITE])
    alphas = bytes([255, 128])
    blend = tuple((c + 255) // 2 for c in RED)
    yield Case("palette-alpha.png", encoded(palette, "PNG", transparency=alphas), colours=[blend])
    yield Case("key.png", encoded(Image.new("RGB", (9, 9), RED), "PNG", transparency=RED),
               colours=[WHITE])  # fmt: skip
    yield Case("key-grey.png", encoded(Image.new("L", (9, 9), 7), "PNG", transparency=7),
               colours=[WHITE])  # fmt: skip
    sixteen = np.full((9, 9), 300, np.uint16)
    yield Case("key-16.png", encoded(Image.fromarray(sixteen), "PNG", transparency=300),
               colours=[WHITE])  # fmt: skip


def modes():
    ramp = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (64, 1))
    halves = [(64, 64, 64), (191, 191, 191)] * 2
    big_endian = b"".join(b"\0" + row.astype(">u2").tobytes() for row in ramp)
    yield Case("ramp-16.png", png(256, 64, 16, 0, big_endian), colours=halves)
    yield Case("ramp-16.tif", encoded(Image.fromarray(ramp), "TIFF"), colours=halves)
    yield Case("ramp-32.tif", encoded(Image.fromarray(ramp.astype(np.int32)), "TIFF"),
               colours=halves)  # fmt: skip
    rgb = np.repeat(ramp[:, :, None], 3, axis=2)
    big_endian = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rgb)
    yield Case("ramp-48.png", png(256, 64, 16, 2, big_endian), colours=halves)
    for format in ("JPEG", "TIFF"):
        yield Case(f"cmyk.{format.lower()}", encoded(quarters(mode="CMYK"), format),
                   colours=QUARTERS, tolerance=30)  # fmt: skip
    yield Case("grey.jpg", encoded(Image.new("L", (50, 50), 90), "JPEG"), colours=[(90, 90, 90)])
    yield Case("bits.png", encoded(Image.new("1", (50, 50), 1), "PNG"), colours=[WHITE])
    yield Case("bits.tif", encoded(Image.new("1", (50, 50), 0), "TIFF", compression="group4"),
               colours=[(0, 0, 0)])  # fmt: skip
    yield Case("float.tif", encoded(Image.new("F", (50, 50), 0.5), "TIFF"), "unsupported_mode")
    yield Case("lab.tif", encoded(Image.new("LAB", (50, 50)), "TIFF"), "unsupported_mode")
    signed = Image.fromarray(np.full((5, 5), -3, np.int32))
    yield Case("negative.tif", encoded(signed, "TIFF"), "unsupported_mode")


def formats():
    image = quarters()
    for format, options in {
        "JPEG": {"progressive": True, "quality": 95},
        "PNG": {},
        "WEBP": {"lossless": True},
        "BMP": {},
        "TIFF": {"compression": "tiff_lzw"},
        "GIF": {},
    }.items():
        yield Case(f"plain.{format}", encoded(image, format, **options), colours=QUARTERS)
        frames = {"append_images": [Image.new("RGB", image.size, "black")], "save_all": True}
        if format in ("PNG", "WEBP", "GIF", "TIFF"):
            yield Case(f"first-frame.{format}", encoded(image, format, **options, **frames),
                       colours=QUARTERS)  # fmt: skip
    yield Case("mpo.jpg", encoded(image, "MPO", quality=95, **frames), colours=QUARTERS)
    yield Case("png-named.jpg", encoded(image, "PNG"), colours=QUARTERS)
    yield Case("no-suffix", encoded(image, "JPEG", quality=95), colours=QUARTERS)
    for format in ("ICO", "PPM", "TGA", "PCX", "SGI", "DDS", "PDF", "EPS"):
        yield Case(f"other.{format.lower()}", encoded(image, format), "not_an_image")


def odd_shapes():
    for width, height in ((1, 1), (1, 20_000), (30_000, 2), (1, 3_000_000), (3_000_000, 1)):
        rows = (b"\0" + b"\x80" * width) * height
        yield Case(f"{width}x{height}.png", png(width, height, 8, 0, rows),
                   colours=[(128, 128, 128)])  # fmt: skip
    strip = Image.new("RGB", (1, 60_000), RED)
    yield Case("strip.jpg", encoded(strip, "JPEG"), colours=[RED])


def not_images():
    for name, content in {
        "empty.jpg": b"",
        "page.jpg": b"<!DOCTYPE html><html><body>Sign in</body></html>",
        "pointer.png": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
        "drawing.png": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        "words.jpg": b"tt0114709\n",
        "noise.jpg": np.random.default_rng(0).bytes(4000),
        "marker.jpg": b"\xff\xd8\xff\xe0",
        "postscript.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    }.items():
        yield Case(name, content, "not_an_image")


def truncated():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 48, 3), np.uint8))
    for format in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"):
        whole = encoded(image, format)
        for percent in (10, 50, 90):
            yield Case(f"truncated-{percent}.{format}", whole[: len(whole) * percent // 100], "any")


def bombs():
    yield Case("lying.png", png(2**31 - 1, 2**31 - 1, 8, 2, b""), "too_large")
    squeezer = zlib.compressobj(1)
    rows = b"".join(squeezer.compress(bytes(20_001)) for _ in range(20_000)) + squeezer.flush()
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )
    yield Case("bomb.png", bomb, "too_large")
    lying = bytearray(encoded(quarters(), "JPEG"))
    frame = lying.index(b"\xff\xc0")
    lying[frame + 5 : frame + 9] = struct.pack(">HH", 65500, 65500)
    yield Case("lying.jpg", bytes(lying), "too_large")
    lying = bytearray(encoded(quarters(), "GIF"))
    lying[6:10] = struct.pack("<HH", 65535, 65535)
    yield Case("lying.gif", bytes(lying), "too_large")
    lying = bytearray(encoded(quarters(), "BMP"))
    lying[18:26] = struct.pack("<ii", 2**30, 2**20)
    yield Case("lying.bmp", bytes(lying), "any")
    canvas = struct.pack("<I", 16382)[:3]
    lying = b"VP8X" + struct.pack("<I", 10) + b"\2\0\0\0" + canvas + canvas
    lying = b"RIFF" + struct.pack("<I", len(lying) + 4) + b"WEBP" + lying
    yield Case("lying.webp", lying, "any")
    wide = Image.new("1", (6000, 6000))
    yield Case("fax.tif", encoded(wide, "TIFF", compression="group4"), "too_large")
    texts = b"".join(
        chunk(b"zTXt", b"key%d\0\0" % i + zlib.compress(bytes(1_000_000))) for i in range(60)
    )
    yield Case("texts.png", png(1, 1, 8, 0, b"\0\0", texts), "unreadable")
    yield Case("late-texts.png", png(1, 1, 8, 0, b"\0\0", b"", texts), "unreadable")
    yield Case("segments.jpg", jpeg_with(b"\xff\xe5\x00\x02" * 400_000), "unreadable")
    yield Case("chunks.png", png(1, 1, 8, 0, b"\0\0", chunk(b"abCd", b"") * 200_000),
               "unreadable")  # fmt: skip
    comments = b"\x21\xfe\x00" * 400_000
    gif = encoded(quarters(), "GIF")
    table = 13 + 3 * 2 ** ((gif[10] & 7) + 1)
    yield Case("comments.gif", gif[:table] + comments + gif[table:], "unreadable")
    tiff = bytearray(encoded(quarters(), "TIFF"))
    entry = tiff.index(struct.pack("<HH", 273, 4))
    tiff[entry + 4 : entry + 8] = struct.pack("<I", 150_001)
    yield Case("pieces.tif", bytes(tiff), "unreadable")
    progressive = encoded(quarters(), "JPEG", progressive=True)
    last_scan = progressive[progressive.rindex(b"\xff\xda") : -2]
    yield Case("scans.jpg", progressive[:-2] + last_scan * 3000 + b"\xff\xd9", "unreadable")


def directory(tags, entries, size):
    """A TIFF directory of `entries` and of tags that all take `size` bytes from 8 on."""
    entries += b"".join(struct.pack("<HHII", 40_000 + i, 1, size, 8) for i in range(tags))
    return struct.pack("<H", len(entries) // 12) + entries + struct.pack("<I", 0)


def tags_that_repeat_the_file():
    """Kilobytes that Pillow before 13 makes gigabytes of, while opening or on asking for EXIF."""
    small = (b"II*\0\x08\0\0\0" + directory(5000, b"", 64_000)).ljust(65_000, b"\0")
    for name, marker, content in (
        ("exif-bomb.jpg", b"\xff\xe1", b"Exif\0\0" + small),
        ("index-bomb.jpg", b"\xff\xe2", b"MPF\0" + small),
    ):
        segment = marker + struct.pack(">H", len(content) + 2) + content
        yield Case(name, jpeg_with(b"\xff" + segment), "unreadable")
    large = (b"II\0*\x08\0\0\0" + directory(9000, b"", 300_000)).ljust(400_000, b"\0")
    start = b"Exif\0\0" + large[:40_000]
    parts = [start] + [b"Exif\0\0" + large[i : i + 40_000] for i in range(40_000, 400_000, 40_000)]
    segments = b"".join(b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part for part in parts)
    yield Case("exif-bomb-in-parts.jpg", jpeg_with(segments), "unreadable")
    rows = b"".join(b"\0" + bytes(row) for row in np.asarray(quarters()).reshape(64, -1))
    yield Case("exif-bomb.png", png(48, 64, 8, 2, rows, chunk(b"eXIf", large)), "unreadable")
    text = b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n1\n" + large.hex().encode())
    yield Case("exif-bomb-as-text.png", png(48, 64, 8, 2, rows, chunk(b"zTXt", text)),
               "unreadable")  # fmt: skip
    yield Case("exif-bomb.webp", encoded(quarters(), "WEBP", exif=large), "unreadable")
    for name, head in (("tags.tif", b"II*\0"), ("odd-tags.tif", b"II\0*")):
        tiff = encoded(quarters(), "TIFF")
        (at,) = struct.unpack_from("<I", tiff, 4)
        entries = tiff[at + 2 : at + 2 + 12 * struct.unpack_from("<H", tiff, at)[0]]
        tiff = head + struct.pack("<I", len(tiff)) + tiff[8:]
        yield Case(name, tiff + directory(15_000, entries, 180_000), "unreadable")


def broken_metadata():
    exif = b"Exif\0\0II*\0" + bytes(range(1, 200))
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    yield Case("exif.jpg", jpeg_with(segment), colours=QUARTERS)
    rows = b"".join(b"\0" + bytes(row) for row in np.asarray(quarters()).reshape(64, -1))
    yield Case("exif.png", png(48, 64, 8, 2, rows, chunk(b"eXIf", exif[6:])), colours=QUARTERS)
    yield Case("apng.png", png(48, 64, 8, 2, rows, chunk(b"acTL", bytes(8))), colours=QUARTERS)
    tiff = bytearray(encoded(quarters(), "TIFF", description="x" * 40))
    entry = tiff.index(struct.pack("<HH", 270, 2))
    tiff[entry + 4 : entry + 8] = struct.pack("<I", 2**30)
    # Pillow 13 skips a tag that is longer than the file; before, the file is none to it.
    kind = None if int(PIL.__version__.partition(".")[0]) >= 13 else "not_an_image"
    yield Case("tag.tif", bytes(tiff), kind, colours=QUARTERS)


@functools.cache
def encoded_cases():
    """All cases that are bytes; made once."""
    groups = (orientations, transparent, modes, formats, odd_shapes, not_images, truncated, bombs,
              tags_that_repeat_the_file, broken_metadata)  # fmt: skip
    return [case for group in groups for case in group()]


def path_cases(folder):
    """Cases that only a file system can make; the files are written into `folder`."""
    good = folder / "good.png"
    quarters().save(good)
    odd = ("späße 電影.png", "a b%20#?&.png", "new\nline.png", " lead.png")
    for name in (*odd, os.fsdecode(b"\xff\xfe.png")):
        path = folder / name
        path.write_bytes(good.read_bytes())
        yield Case(name, str(path), colours=QUARTERS)
    yield Case("missing", str(folder / "missing.png"), "missing")
    yield Case("space", str(good) + " ", "missing")
    yield Case("zero byte", str(folder / "a\0b.png"), "missing")
    yield Case("under a file", str(good / "x.png"), "missing")
    yield Case("long", str(folder / ("x" * 5000)), "any")
    if makes_links():
        (folder / "link.png").symlink_to(good)
        yield Case("link", str(folder / "link.png"), colours=QUARTERS)
        (folder / "dangling.png").symlink_to(folder / "nowhere")
        yield Case("dangling", str(folder / "dangling.png"), "missing")
        (folder / "loop.png").symlink_to(folder / "loop.png")
        yield Case("loop", str(folder / "loop.png"), "unreadable")
    (folder / "folder.jpg").mkdir()
    yield Case("folder", str(folder / "folder.jpg"), "not_a_file")
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.jpg")
        yield Case("pipe", str(folder / "pipe.jpg"), "not_a_file")
        yield Case("device", "/dev/zero", "not_a_file")
    with open(folder / "sparse.jpg", "wb") as file:
        file.truncate(10 << 30)
    yield Case("sparse", str(folder / "sparse.jpg"), "too_large")


def write_corpus(folder):
    """Write everything into `folder` and return the cases, their sources being paths."""
    cases = list(path_cases(folder))
    for case in encoded_cases():
        path = folder / f"case-{case.name}"
        path.write_bytes(case.source)
        cases.append(Case(case.name, str(path), case.kind, case.colours, case.tolerance))
    return cases


def differs(case, pixels):
    """Return what is wrong with the pixels of `case`, or None."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        return f"{pixels.dtype} {pixels.shape}"
    if case.colours is None:
        return None
    height, width = pixels.shape[:2]
    for i in range(4):
        y, x = divmod(i, 2)
        wanted = case.colours[i % len(case.colours)]
        part = pixels[y * height // 2 :, x * width // 2 :][2 : height // 2 - 2, 2 : width // 2 - 2]
        seen = part.reshape(-1, 3).mean(axis=0)
        if np.abs(seen - wanted).max() > case.tolerance:
            return f"quarter {i} is {seen.round()}, expected {wanted}"
    return None


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    sys.stdout.write(f"{len(write_corpus(target))} cases in {target}\n")
