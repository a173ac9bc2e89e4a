"""``python -m skposter``, and the ``skposter`` command."""

from __future__ import annotations

import os
import signal
import sys


def main():
    """Run the command with the arguments of the process; return its exit status."""
    # Imports take long enough for somebody to press Ctrl-C.
    signal.signal(signal.SIGINT, _leave)
    from skposter.commands import main

    return main()


def _leave(signum, frame):
    os.write(2, b"skposter: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main())
