"""Standard output and error as commands use them: no name, encoding or reader can end one."""

from __future__ import annotations

import errno
import json
import os
import re
import sys

__all__ = ["Console", "can_show", "json_text", "write_data"]

# What steers a terminal, or lets a name look like another: control characters, line separators, and
# marks that turn the direction of text. A line feed ends a line, and a tab does no harm.
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


class Console:
    """In place of a text stream, for the time of a command.

    Characters that would steer a terminal, and those that the encoding does not have, are written
    as escapes. A stream that fails (nobody reads it, the disk is full, it was closed) takes the
    rest without a word, so that what a command does besides comes to its end.

    Parameters
    ----------
    stream : file object or None
        What is behind it.
    progress : bool, default=False
        Whether lines are written over after a carriage return, as progress bars are. A terminal
        gets them so; a file gets the last state of each line.

    Attributes
    ----------
    failure : OSError or None
        Why the stream takes nothing any more.
    """

    def __init__(self, stream, *, progress=False):
        self.stream = stream
        self.failure: OSError | None = None
        self._progress = progress
        self._state = ""  # of a line that is written over

    @property
    def encoding(self):
        return getattr(self.stream, "encoding", None) or "utf-8"

    def isatty(self):
        """Tell whether a person reads along."""
        try:
            return bool(self.stream.isatty())
        except (AttributeError, ValueError):  # there is none, or it is closed
            return False

    def fileno(self):
        """Return the number of the file, for what writes to it in another way."""
        if self.stream is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self.stream.fileno()

    def write(self, text):
        """Write text for people."""
        self._put(self._lines(text) if self._progress else _harmless(text))
        return len(text)

    def write_data(self, text):
        """Write what other programs read: as it is, unless a terminal would show it."""
        self._put(_harmless(text) if self.isatty() else text)

    def flush(self):
        """Hand over what was written."""
        self._attempt("flush")

    def close(self):
        """Stay open, as standard streams do whose last user, such as a logger, is done."""

    def end_line(self):
        """Take a line that is written over from the terminal."""
        if self._state and self.isatty():
            self._put("\r" + " " * len(self._state) + "\r")
        self._state = ""

    def _lines(self, text):
        """Return what to write now of a text with carriage returns."""
        if self.isatty():
            # What is no state of a progress bar does not begin behind one.
            broken = self._state and text.strip() and not text.startswith("\r")
            self._state = text.rpartition("\n")[2].rpartition("\r")[2] if "\r" in text else ""
            shown = "\r".join(map(_harmless, text.split("\r")))
            return "\n" + shown if broken else shown
        kept = []
        for line in re.findall("[^\n]*\n|[^\n]+$", text):
            if "\r" not in line and not self._state:
                kept.append(line)
                continue
            self._state = line.rpartition("\r")[2] if "\r" in line else self._state + line
            if line.endswith("\n"):
                kept.append(self._state if self._state.strip() else "")
                self._state = ""
        return _harmless("".join(kept))

    def _put(self, text):
        try:
            text = text.encode(self.encoding, "backslashreplace").decode(self.encoding)
        except LookupError:  # an encoding that Python does not know
            text = ascii(text)[1:-1]
        self._attempt("write", text)

    def _attempt(self, method, *arguments):
        if self.failure is not None or (self.stream is None and not any(arguments)):
            return
        try:
            if self.stream is None:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            getattr(self.stream, method)(*arguments)
        except ValueError as error:  # it was closed
            self.failure = OSError(errno.EBADF, str(error))
        except OSError as error:
            self.failure = error
            self._drop_the_rest()

    def _drop_the_rest(self):
        """Let Python's own flush at exit, which may not fail, have somewhere to write to."""
        try:
            number = self.stream.fileno()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, number)
            os.close(nowhere)
        except (AttributeError, OSError, ValueError):  # no real file
            pass


def write_data(text):
    """Write what other programs read to standard output."""
    getattr(sys.stdout, "write_data", sys.stdout.write)(text)


def can_show(text):
    """Tell whether the encoding of standard output has all characters of a text."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def json_text(value):
    """Return JSON for standard output: as readable as its encoding allows."""
    text = _STEERING.sub(_json_escape, json.dumps(value, indent=2, ensure_ascii=False))
    return text if can_show(text) else _STEERING.sub(_json_escape, json.dumps(value, indent=2))


def _json_escape(found):
    # All of these are within texts, as JSON puts no others but line feeds between them.
    return f"\\u{ord(found[0]):04x}"


def _harmless(text):
    return _STEERING.sub(lambda found: ascii(found[0])[1:-1], text)
