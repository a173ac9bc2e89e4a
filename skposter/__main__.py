"""``python -m skposter``, and the ``skposter`` command."""

from __future__ import annotations

import os
import signal
import sys

INTERRUPTED = 130


def main():
    """Run the command with the arguments of the process; return its exit status."""
    # Imports take long enough for somebody to press Ctrl-C.
    signal.signal(signal.SIGINT, _leave)
    from skposter.commands import main

    status = main()
    if status == INTERRUPTED:
        os._exit(status)  # what TensorFlow had begun would not be taken down without a word
    return status


def _leave(signum, frame):
    os.write(2, b"skposter: interrupted\n")
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
