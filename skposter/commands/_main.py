"""The ``skposter`` command: arguments in, an exit status out.

0 is success, 1 means that ``check`` found problems, 2 that arguments or files are not right, 130
that Ctrl-C was pressed, 141 that nobody read the output. Errors in files are one line on standard
error. Modules that are slow to import are imported by the commands only once they run.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings

from skposter._version import __version__
from skposter.commands import card, check, demo, evaluate, export, predict, train
from skposter.exceptions import SkposterError

_COMMANDS = {
    "demo": demo,
    "train": train,
    "predict": predict,
    "evaluate": evaluate,
    "check": check,
    "export": export,
    "card": card,
}


def build_parser():
    """Return the parser of all commands.

    Returns
    -------
    parser : argparse.ArgumentParser
    """
    parser = argparse.ArgumentParser(
        prog="skposter",
        description="Multi-label image classification from a CSV of labels and a folder of images.",
    )
    parser.add_argument("--version", action="version", version=f"skposter {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("-q", "--quiet", action="store_true", help="show results only")
    common.add_argument("--traceback", action="store_true", help="show where an error came from")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in _COMMANDS.items():
        subparser = commands.add_parser(
            name,
            parents=[common],
            help=command.SUMMARY,
            description=command.DESCRIPTION,
            formatter_class=_HelpWithDefaults,
        )
        command.add_arguments(subparser)
    return parser


def main(argv=None):
    """Run one command.

    Parameters
    ----------
    argv : list of str, default=None
        The arguments; None takes those of the process.

    Returns
    -------
    status : int
        The exit status.
    """
    try:
        status = _run(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes standard output once more at exit, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return status


class _HelpWithDefaults(argparse.ArgumentDefaultsHelpFormatter):
    """Name the defaults that say something: not None, and not that a flag is off."""

    def _get_help_string(self, action):
        said_by_its_absence = action.default is None or action.default is False
        return action.help if said_by_its_absence else super()._get_help_string(action)


def _run(argv):
    try:
        args = build_parser().parse_args(argv)
    except SystemExit as end:  # --help, --version, or an argument that is not right
        return end.code
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            return _COMMANDS[args.command].run(args) or 0
        except KeyboardInterrupt:
            return _fail("interrupted", 130)
        except BrokenPipeError:
            raise
        except (SkposterError, OSError, MemoryError, ValueError) as error:
            if args.traceback:
                raise
            return _fail(_one_line(error), 2)


def _fail(message, status):
    print(f"skposter: {message}", file=sys.stderr)
    return status


def _one_line(error):
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror + (f": {error.filename!r}" if error.filename else "")
    return " ".join(text.split()) or type(error).__name__


def _show_warning(message, category, filename, lineno, file=None, line=None):
    print(f"skposter: warning: {_one_line(message)}", file=sys.stderr)
