"""What commands write, whoever reads it in whatever encoding."""

import errno
import io
import json
import os

import pytest
from tqdm import tqdm

from skposter.commands._console import Console, can_show, json_text, write_data

NAMES = [
    "Drama",
    "caf\xe9",
    "\N{HEAVY BLACK HEART}",
    "\U0001f600",
    "\x1b]0;title\x07",
    "a\nb",
    "\udcff",
]
STEERING = ["\x1b[2J", "\x9b2J", "\x07", "\r", "\x7f", "\u202egnp.exe", "\u2028", "\x00"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def stream(encoding="utf-8", newline="\n"):
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline=newline, write_through=True)


def written(console):
    return console.stream.buffer.getvalue().decode(console.encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii", "cp437", "latin-1", "utf-16"])
def test_every_name_can_be_written_in_every_encoding(encoding):
    console = Console(stream(encoding))
    for name in [*NAMES, *STEERING]:
        print(name, file=console)
    console.flush()
    assert console.failure is None
    assert len(written(console).splitlines()) == len(NAMES) + len(STEERING) + 1  # a\nb
    assert "\x1b" not in written(console)
    assert "Drama" in written(console)


@pytest.mark.parametrize("text", STEERING)
def test_nothing_steers_a_terminal(text):
    console = Console(Terminal())
    console.write(f"a{text}b\n")
    console.write_data(f"a{text}b\n")
    shown = console.stream.getvalue()
    assert shown.replace("\n", "").isprintable()
    assert shown.count("\\") == 2
    console = Console(io.StringIO())
    console.write_data(f"a{text}b\n")
    assert console.stream.getvalue() == f"a{text}b\n", "a program reads what there is"


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
def test_json_is_the_same_in_every_encoding(encoding, monkeypatch):
    console = Console(stream(encoding))
    monkeypatch.setattr("sys.stdout", console)
    value = [{"label": name} for name in [*NAMES, *STEERING]]
    text = json_text(value)
    write_data(text)
    assert json.loads(written(console)) == value
    assert text.replace("\n", "").isprintable()
    assert can_show("\xe9") == (encoding != "ascii")
    assert ("caf\xe9" in written(console)) == (encoding == "utf-8"), "readable where it can be"


def test_surrogates_of_file_names_go_round_as_json(monkeypatch):
    monkeypatch.setattr("sys.stdout", Console(stream("utf-8")))
    name = os.fsdecode(b"p\xff.jpg")
    (found,) = json.loads(json_text([name]))
    assert os.fsencode(found) == b"p\xff.jpg"


def test_line_ends_are_those_of_the_platform_and_not_doubled(monkeypatch):
    console = Console(stream(newline="\r\n"))  # as standard output is on Windows
    monkeypatch.setattr("sys.stdout", console)
    write_data("a,b\n1,2\n")
    assert console.stream.buffer.getvalue() == b"a,b\r\n1,2\r\n"


def test_a_log_gets_the_last_state_of_a_progress_bar():
    console = Console(io.StringIO(), progress=True)
    print("begin", file=console)
    with tqdm(total=3, file=console, mininterval=0, desc="work") as bar:
        for _ in range(3):
            bar.update()
    print("end", file=console)
    begin, work, end = console.stream.getvalue().splitlines()
    assert (begin, end) == ("begin", "end")
    assert work.startswith("work: 100%")
    assert "\r" not in console.stream.getvalue()


def test_a_terminal_gets_every_state_and_messages_on_lines_of_their_own():
    console = Console(Terminal(), progress=True)
    bar = tqdm(total=3, file=console, mininterval=0, desc="work", ascii=True)
    bar.update()
    print("message", file=console)
    bar.update()
    bar.close()
    print("end", file=console)
    text = console.stream.getvalue()
    assert text.count("\r") >= 3
    lines = text.split("\n")
    assert "message" in lines
    assert "end" in lines


def test_a_line_that_is_written_over_can_be_taken_away():
    console = Console(Terminal(), progress=True)
    console.write("\rwork: 10%")
    console.end_line()
    assert console.stream.getvalue() == "\rwork: 10%\r" + " " * 9 + "\r"
    before = console.stream.getvalue()
    console.end_line()
    assert console.stream.getvalue() == before


class Failing(io.StringIO):
    def __init__(self, number, method="write"):
        super().__init__()
        self.number = number
        setattr(self, method, self._fail)

    def _fail(self, *arguments):
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("method", ["write", "flush"])
@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC, errno.EIO])
def test_a_stream_that_fails_takes_the_rest_without_a_word(method, number):
    console = Console(Failing(number, method))
    for _ in range(3):
        print("text", file=console)
        console.flush()
    assert console.failure.errno == number
    assert isinstance(console.failure, BrokenPipeError) == (number == errno.EPIPE)


def test_streams_that_are_not_there():
    console = Console(None)
    console.flush()
    assert console.failure is None, "nothing was to be written"
    assert not console.isatty()
    print("text", file=console)
    assert console.failure.errno == errno.EBADF
    closed = stream()
    closed.close()
    console = Console(closed)
    print("text", file=console)
    assert console.failure.errno == errno.EBADF
