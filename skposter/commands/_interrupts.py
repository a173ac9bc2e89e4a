"""What Ctrl-C does in a command.

Nothing is lost when a command ends at once, whatever it does: what it writes is there as a whole or
not at all. So Ctrl-C ends the process with one line, where an exception could surface anywhere, in
the middle of an import or of a destructor of somebody else's. While a network is trained it is an
exception, so that what was learned is kept, and while that is saved it waits.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from _thread import interrupt_main

__all__ = ["INTERRUPTED", "done", "held", "leaving", "raising"]

INTERRUPTED = 130


def leave(signum=None, frame=None):
    """End the process at once."""
    with contextlib.suppress(Exception):
        end_line = getattr(sys.stderr, "end_line", None)
        if end_line is not None:
            end_line()
            sys.stderr.flush()
        os.write(2, b"skposter: interrupted\n")
    os._exit(INTERRUPTED)


def leaving():
    """Let Ctrl-C end this process at once, from now on."""
    _set(leave)


def done():
    """Let Ctrl-C change nothing while Python takes itself down, from now on."""
    _set(signal.SIG_IGN)


@contextlib.contextmanager
def raising():
    """Let Ctrl-C be a KeyboardInterrupt."""
    before = _set(signal.default_int_handler)
    hook = sys.unraisablehook

    def again(unraisable):
        # Raised in a destructor, where Python would print it and go on.
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            threading.Timer(0.05, interrupt_main).start()
        else:
            hook(unraisable)

    sys.unraisablehook = again
    try:
        yield
    finally:
        sys.unraisablehook = hook
        _set(before)


class Held:
    """Whether Ctrl-C was pressed meanwhile.

    Attributes
    ----------
    pressed : bool
    """

    pressed = False


@contextlib.contextmanager
def held():
    """Let Ctrl-C be noted, and change nothing."""
    noted = Held()

    def note(signum, frame):
        noted.pressed = True

    before = _set(note)
    try:
        yield noted
    finally:
        _set(before)


def _set(handler):
    """Set what Ctrl-C does and return what it did, where this thread may."""
    if handler is None or threading.current_thread() is not threading.main_thread():
        return None
    return signal.signal(signal.SIGINT, handler)
