"""From one source to an opened Pillow image: what is refused before any pixel is decoded.

Everything here works from `os.stat`, the first bytes and the header, so a device, a bomb or a web
page named ``.jpg`` costs microseconds. The limits bound memory: a decode may take
eight times ``max_pixels`` bytes, 200 MB by default.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import struct
import threading
import warnings

from PIL import Image, UnidentifiedImageError

from skposter._files.addresses import RemoteError
from skposter._files.remote import RemoteFile
from skposter.images._sources import open_binary
from skposter.images._tags import why_not_jpeg, why_not_tiff

__all__ = [
    "UnreadableImage",
    "check_memory",
    "checked_formats",
    "fetched",
    "opened",
    "quiet_pillow",
]

_BYTES_PER_PIXEL = 8
_SMALL_FILE = 1 << 19
_HEADER_BYTES = 1 << 24
_PARSED_IN_PYTHON = (b"\xff\xd8", b"\x89PNG", b"GIF8", b"II", b"MM", b"BM")
_MAX_SCANS = 100
_MAX_COMPRESSED_TEXTS = 16


class UnreadableImage(Exception):  # noqa: N818 - private, carries what the public error will say
    """One source that gives no pixels: `kind` is for the table of `verify`, the text for people."""

    def __init__(self, kind, reason):
        super().__init__(reason)
        self.kind = kind


@contextlib.contextmanager
def opened(source, options):
    """Open a path, an address, bytes or what has a method `open`; yield the image, undecoded.

    With it comes the memory, in bytes, that decoding will take beside the pixels: `check_memory`
    wants it back once the size to decode at is known.
    """
    with contextlib.ExitStack() as stack:
        if isinstance(source, str):
            file, size = _open_regular_file(source, options.max_bytes)
        else:
            if isinstance(source, RemoteFile):
                source = fetched(source.read, options.max_bytes)
            elif not isinstance(source, bytes):
                source = _read_whole(source, options.max_bytes)
            size = len(source)
            _check_bytes(size, options.max_bytes)
            file = io.BytesIO(source) if size <= _SMALL_FILE else _GuardedBytes(source)
        stack.callback(file.close)
        image = _identify(file, size, options)
        stack.callback(image.close)
        _check_pixels(image, options)
        beside = 0
        if image.format in ("JPEG", "MPO"):
            beside = _scan_buffer_bytes(image, file)
        elif image.format == "WEBP":
            beside = 2 * size
        yield image, beside


def checked_formats(formats):
    """Return names of formats as Pillow has them; ValueError for those not known or not safe."""
    formats = tuple(str(name).upper() for name in formats)
    for name, reason in (
        ("MPO", "MPO files open as JPEG; leave MPO out."),
        ("EPS", "Pillow would hand the file to Ghostscript, which runs programs."),
    ):
        if name in formats:
            raise ValueError(f"formats may not contain {name}: {reason}")
    unknown = set(formats) - set(Image.OPEN)
    if unknown:
        Image.init()
        unknown -= set(Image.OPEN)
    if unknown or not formats:
        raise ValueError(
            f"formats must name formats that Pillow reads, got {formats!r}; it reads "
            f"{', '.join(sorted(set(Image.OPEN) - {'EPS', 'MPO'}))}."
        )
    return formats


# --------------------------------------------------------------------------------------------------
# Files


def _open_regular_file(path, max_bytes):
    """Open `path` if it is a regular file: reading a FIFO blocks, a device may never end."""
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        raise UnreadableImage(*_why_missing(path, error)) from error
    if not stat.S_ISREG(status.st_mode):
        what = "a directory" if stat.S_ISDIR(status.st_mode) else "a device, a pipe or a socket"
        raise UnreadableImage("not_a_file", f"is {what}, not a regular file")
    _check_bytes(status.st_size, max_bytes)
    # The path may have been replaced since: do not block on it, and ask the open file itself.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise UnreadableImage(*_why_missing(path, error)) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableImage("not_a_file", "is not a regular file")
        _check_bytes(status.st_size, max_bytes)
        if status.st_size > _SMALL_FILE:
            return _GuardedFile(io.FileIO(os.dup(descriptor))), status.st_size
        return io.BytesIO(_read(descriptor, status.st_size)), status.st_size
    except OSError as error:
        raise UnreadableImage("unreadable", _plain(error)) from error
    finally:
        os.close(descriptor)


def _read_whole(source, max_bytes):
    """Read a member of an archive or what else opens, no more of it than is accepted."""
    try:
        with open_binary(source) as file:
            content = file.read(max_bytes + 1)
    except Exception as error:  # of whatever library it is
        missing = isinstance(error, (FileNotFoundError, KeyError))
        raise UnreadableImage(
            "missing" if missing else "unreadable",
            f"cannot be opened ({type(error).__name__}: {error})",
        ) from error
    if not isinstance(content, bytes):
        raise UnreadableImage("unreadable", "opens in text mode; open it in mode 'rb'")
    return content


def fetched(read, *arguments):
    """Return the bytes that an address gives, or raise UnreadableImage with the reason."""
    try:
        return read(*arguments)
    except RemoteError as error:
        kind, reason = error.kind, error.reason
    raise UnreadableImage(kind, reason)


def _read(descriptor, size):
    content = os.read(descriptor, size)
    while len(content) < size and (more := os.read(descriptor, size - len(content))):
        content += more
    return content


def _check_bytes(size, max_bytes):
    if size == 0:
        raise UnreadableImage("not_an_image", "is empty (0 bytes)")
    if size > max_bytes:
        raise UnreadableImage("too_large", f"has {size:,} bytes, more than max_bytes={max_bytes:,}")


def _why_missing(path, error):
    """Return (kind, reason) for a path that cannot be opened, with the likely slip."""
    if not isinstance(error, FileNotFoundError):
        missing = isinstance(error, (NotADirectoryError, ValueError))
        return ("missing" if missing else "unreadable"), _plain(error)
    reason = "no such file"
    stripped = path.strip()
    if stripped != path:
        exists = ", and without it the file exists" if os.path.exists(stripped) else ""
        reason += f"; the path begins or ends with whitespace{exists} (got {path!r})"
    return "missing", reason


def _plain(error):
    """Return what `error` says, without the path that the report names already."""
    if isinstance(error, OSError) and error.errno is not None:
        return "too many symbolic links" if error.errno == errno.ELOOP else str(error.strerror)
    return str(error) or type(error).__name__


class _Guard:
    """Bound the header phase and the number of reads of a file too big to be harmless.

    Parsers loop over segments of four bytes and keep each: 100 MB of empty JPEG segments would be
    minutes of Python and gigabytes of tuples. Real encoders write segments of kilobytes.
    """

    header_left: int | None = _HEADER_BYTES
    reads_left = 50_000

    def read(self, size=-1):
        data = super().read(size)  # type: ignore[misc]
        self.reads_left -= 1
        if self.header_left is not None:
            self.header_left -= len(data)
            if self.header_left < 0:
                raise UnreadableImage(
                    "unreadable", f"has more than {_HEADER_BYTES:,} bytes of metadata"
                )
        else:
            # Blocks of pixels: what a read brings pays for it.
            self.reads_left += len(data) // 256
        if self.reads_left < 0:
            raise UnreadableImage("unreadable", "is made of too many tiny blocks")
        return data

    def header_done(self):
        self.header_left = None


class _GuardedFile(_Guard, io.BufferedReader):
    pass


class _GuardedBytes(_Guard, io.BytesIO):
    pass


# --------------------------------------------------------------------------------------------------
# Headers


def _identify(file, size, options):
    """Let Pillow recognise the content; the name of the file plays no part."""
    head = file.read(32)
    file.seek(0)
    reason = None
    if head.startswith(b"\x89PNG"):
        _check_png_texts(file)
    elif head.startswith(b"\xff\xd8"):
        reason = why_not_jpeg(file)
    elif head.startswith((b"II", b"MM")):
        reason = why_not_tiff(file, size)
    if reason:
        raise UnreadableImage("unreadable", reason)
    if size > _SMALL_FILE and not head.startswith(_PARSED_IN_PYTHON):
        file.header_done()  # other plugins hand the whole file to a C library at once
    try:
        image = Image.open(file, formats=options.formats)
    except UnidentifiedImageError as error:
        raise UnreadableImage("not_an_image", _what_it_looks_like(head, options)) from error
    except Image.DecompressionBombError as error:
        raise UnreadableImage(
            "too_large", "has more pixels than PIL.Image.MAX_IMAGE_PIXELS allows"
        ) from error
    if size > _SMALL_FILE:
        file.header_done()
    return image


def _what_it_looks_like(head, options):
    start = head.lstrip().lower()
    for prefix, what in (
        (b"<!doc", "a web page"),
        (b"<html", "a web page"),
        (b"version https://git-lfs", "a Git LFS pointer, not the image itself"),
        (b"<svg", "an SVG drawing"),
        (b"<?xml", "XML"),
        (b"%!ps", "PostScript"),
        (b"%pdf", "a PDF"),
        (b"gif8", "GIF"),
        (b"\xff\xd8\xff", "JPEG"),
        (b"\x89png", "PNG"),
        (b"ii*\0", "TIFF"),
        (b"mm\0*", "TIFF"),
        (b"\0\5\x16\7", "what macOS keeps beside a file (._name), not the image itself"),
    ):
        if start.startswith(prefix):
            damaged = f"a damaged {what}" if what in options.formats else what
            return f"is not an image that can be read: it looks like {damaged}"
    return f"is not one of {', '.join(options.formats)} (it starts with {head[:8]!r})"


def _check_pixels(image, options):
    width, height = image.size
    if width * height > options.max_pixels:
        raise UnreadableImage(
            "too_large",
            f"has {width}x{height} = {width * height:,} pixels, more than "
            f"max_pixels={options.max_pixels:,}",
        )


def check_memory(image, beside, options):
    """Refuse an opened image whose decoding would take more than the limits promise."""
    needed = beside + _bytes_per_pixel(image) * image.width * image.height
    allowed = _BYTES_PER_PIXEL * options.max_pixels
    if needed > allowed:
        raise UnreadableImage(
            "too_large",
            f"takes about {needed / 1e6:,.0f} MB to decode ({image.format}, "
            f"{image.width}x{image.height}, mode {image.mode}); "
            f"max_pixels={options.max_pixels:,} allows {allowed / 1e6:,.0f} MB",
        )


def _bytes_per_pixel(image):
    """Return the peak of decoding and flattening an image (measured with Pillow 13)."""
    if image.format == "WEBP":
        return 16
    if image.format in ("JPEG", "MPO"):
        return 9 if image.mode == "CMYK" else 5
    if "transparency" in image.info and image.mode != "P":
        return 10
    if image.format == "TIFF" and image.mode in ("RGB", "RGBA", "CMYK") and _is_turned(image):
        return 9
    return {"1": 2, "L": 2, "P": 8, "RGB": 5, "LA": 7, "RGBA": 7, "I;16": 6}.get(image.mode, 9)


def _is_turned(image):
    # Pillow turns a TIFF while loading it, which takes a second full-size copy.
    return image.tag_v2.get(0x0112, 1) != 1


def _scan_buffer_bytes(image, file):
    """Return the bytes libjpeg keeps for a picture spread over several scans, and count them.

    A progressive file holds its coefficients for the whole picture whatever the output scale, and
    each scan walks over all of them: thousands of empty scans are a known way to stall a decoder.
    """
    start, layers = 0, len(image.layer)
    if image.format == "JPEG":
        # Pillow has read up to the end of the first scan's header, which lists its components.
        position = file.tell()
        start = position - 8 - 2 * layers
        file.seek(max(0, start))
        interleaved = file.read(5) == b"\xff\xda\x00" + bytes([6 + 2 * layers, layers])
        file.seek(position)
    else:
        interleaved = True
    if interleaved and "progressive" not in image.info:
        return 0
    if _count(file, b"\xff\xda", max(0, start)) > _MAX_SCANS:
        raise UnreadableImage("unreadable", f"is a JPEG of more than {_MAX_SCANS} scans")
    full = max(layer[1] for layer in image.layer) * max(layer[2] for layer in image.layer)
    samples = sum(layer[1] * layer[2] for layer in image.layer) / max(full, 1)
    return int(2 * samples * image.width * image.height)


def _count(file, marker, start):
    file.seek(start)
    count, tail = 0, b""
    while block := file.read(1 << 16):
        count += (tail + block).count(marker)
        tail = block[-1:]
    return count


def _check_png_texts(file):
    """Count compressed text chunks: Pillow inflates each, up to 1 MB from 1 kB, and keeps them."""
    texts = 0
    file.seek(8)
    while len(header := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", header)
        texts += kind in (b"zTXt", b"iTXt")
        if texts > _MAX_COMPRESSED_TEXTS:
            raise UnreadableImage(
                "unreadable", f"is a PNG with more than {_MAX_COMPRESSED_TEXTS} compressed texts"
            )
        if kind == b"IEND":
            break
        file.seek(length + 4, os.SEEK_CUR)
    file.seek(0)


# --------------------------------------------------------------------------------------------------
# Warnings


class _ThisThread(threading.local):
    """A warnings filter's message pattern that matches everything, in decoding threads only."""

    decoding = 0

    def match(self, _text):
        return self.decoding > 0


_decoder_threads = _ThisThread()
_FILTER = ("ignore", _decoder_threads, Warning, None, 0)


@contextlib.contextmanager
def quiet_pillow():
    """Keep Pillow's warnings about odd files out of the user's way, in this thread only.

    `warnings.catch_warnings` swaps one list for all threads, so decoding threads would silence
    (or un-silence) everybody else. A filter whose pattern looks at the thread does not: were it
    ever left behind, it would match nothing.
    """
    warnings.filters.insert(0, _FILTER)  # type: ignore[attr-defined]
    _decoder_threads.decoding += 1
    try:
        yield
    finally:
        _decoder_threads.decoding -= 1
        with contextlib.suppress(ValueError):
            warnings.filters.remove(_FILTER)  # type: ignore[attr-defined]
