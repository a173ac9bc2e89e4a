"""``python -m skposter``: the same as the ``skposter`` command."""

from __future__ import annotations

import sys

from skposter.commands import main

if __name__ == "__main__":
    sys.exit(main())
