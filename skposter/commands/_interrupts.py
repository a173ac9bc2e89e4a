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


class CtrlC:
    """Whether it was pressed.

    Attributes
    ----------
    pressed : bool
    """

    pressed = False


@contextlib.contextmanager
def raising():
    """Let Ctrl-C be a KeyboardInterrupt; yields a `CtrlC`.

    Other people's code swallows it, and goes on to an error of its own, which counts as it.
    """
    ctrl_c = CtrlC()

    def interrupt(signum, frame):
        ctrl_c.pressed = True
        raise KeyboardInterrupt

    def again(unraisable):
        # Raised in a destructor, where Python would print it and go on.
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            threading.Timer(0.05, interrupt_main).start()
        else:
            hook(unraisable)

    before, hook = _set(interrupt), sys.unraisablehook
    sys.unraisablehook = again
    try:
        yield ctrl_c
    except Exception as error:
        if ctrl_c.pressed:
            raise KeyboardInterrupt from error
        raise
    finally:
        sys.unraisablehook = hook
        _set(before)


@contextlib.contextmanager
def held():
    """Let Ctrl-C be noted, and change nothing; yields a `CtrlC`."""
    ctrl_c = CtrlC()

    def note(signum, frame):
        ctrl_c.pressed = True

    before = _set(note)
    try:
        yield ctrl_c
    finally:
        _set(before)


def _set(handler):
    """Set what Ctrl-C does and return what it did, where this thread may."""
    if handler is None or threading.current_thread() is not threading.main_thread():
        return None
    return signal.signal(signal.SIGINT, handler)
