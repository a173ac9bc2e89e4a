"""What some operating systems do not have: marks of tests that need it."""

import os
import signal
import tempfile
from pathlib import Path

import pytest


def makes_links():
    with tempfile.TemporaryDirectory() as folder:
        try:
            Path(folder, "link").symlink_to("nowhere")
        except (OSError, NotImplementedError):  # Windows asks for a privilege
            return False
    return True


needs_links = pytest.mark.skipif(not makes_links(), reason="no symbolic links for this account")
needs_modes = pytest.mark.skipif(os.name == "nt", reason="files have no modes on this system")
needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
needs_kill = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no /proc on this system")
