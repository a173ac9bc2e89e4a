"""The ``skposter`` command: arguments in, an exit status out.

0 is success, 1 means that ``check`` found problems or that some images could not be predicted, 2
that arguments or files are not right or that the output cannot be written, 130 that Ctrl-C was
pressed, 141 that nobody reads the output. Errors in files are one line on standard error. Modules
that are slow to import are imported by the commands only once they run.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import warnings

from skposter._version import __version__
from skposter.commands import card, check, demo, evaluate, export, predict, report, serve, train
from skposter.commands._console import Console
from skposter.commands._interrupts import INTERRUPTED, done, leaving
from skposter.exceptions import SkposterError

UNREAD = 141
# What a container that predicts with an exported model only can be without.
_DEPENDENCIES = {"joblib", "pandas", "scikeras", "scipy", "sklearn", "tensorflow", "tqdm"}
WRONG = 2

# In the order of the data.
_GROUPS = {
    "try it": {"demo": demo},
    "look at labels and images": {"check": check},
    "make and use a model": {
        "train": train,
        "evaluate": evaluate,
        "report": report,
        "predict": predict,
        "serve": serve,
    },
    "give it to others": {"card": card, "export": export},
}
_COMMANDS = {name: command for group in _GROUPS.values() for name, command in group.items()}


def build_parser():
    """Return the parser of all commands.

    Returns
    -------
    parser : argparse.ArgumentParser
    """
    parser = _Parser(
        prog="skposter",
        usage="skposter [-h] [--version] COMMAND ...",
        description="Multi-label image classification from a CSV of labels and a folder of images.",
        epilog=_listed(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"skposter {__version__}")
    common = _Parser(add_help=False)
    common.add_argument("-q", "--quiet", action="store_true", help="show results only")
    common.add_argument("--traceback", action="store_true", help="show where an error came from")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, help=argparse.SUPPRESS
    )
    for name, command in _COMMANDS.items():
        subparser = commands.add_parser(
            name,
            parents=[common],
            prog=f"skposter {name}",
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
        The arguments; None takes those of the process, whose Ctrl-C is then handled here.

    Returns
    -------
    status : int
        The exit status.
    """
    out, err = Console(sys.stdout), Console(sys.stderr, progress=True)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        if argv is None:
            leaving()
        status = _run(argv)
        out.flush()
        if out.failure is not None and status in (0, 1):
            status = UNREAD if isinstance(out.failure, BrokenPipeError) else WRONG
            if status == WRONG:
                _fail(f"standard output cannot be written ({_one_line(out.failure)})")
        err.flush()
    if argv is None:
        done()
    return status


class _Parser(argparse.ArgumentParser):
    """Say what is wrong in one line, and where to read more."""

    def error(self, message):
        self.exit(WRONG, f"{self.prog}: {message}; see {self.prog} --help\n")

    def parse_known_args(self, args=None, namespace=None):
        """Say what a command does not know in its own name, not in that of all of them."""
        namespace, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return namespace, unknown


class _HelpWithDefaults(argparse.ArgumentDefaultsHelpFormatter):
    """Name the defaults that say something: not None, and not that a flag is off."""

    def _get_help_string(self, action):
        said_by_its_absence = action.default is None or action.default is False
        return action.help if said_by_its_absence else super()._get_help_string(action)


def _listed():
    lines = []
    for title, commands in _GROUPS.items():
        lines.append(f"{title}:")
        lines += [f"  {name:<10}{command.SUMMARY}" for name, command in commands.items()]
        lines.append("")
    return "\n".join([*lines, "skposter COMMAND --help says more about each."])


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
            _fail("interrupted")
            return INTERRUPTED
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if args.traceback or missing not in _DEPENDENCIES:
                raise
            _fail(
                f"this needs {missing}, and skposter was installed without its dependencies: "
                "images, and exported models (.onnx), can do without"
            )
            return WRONG
        except (SkposterError, OSError, MemoryError, ValueError) as error:
            if args.traceback:
                raise
            _fail(_one_line(error))
            return WRONG


def _fail(message):
    end_line = getattr(sys.stderr, "end_line", None)
    if end_line is not None:
        end_line()
    print(f"skposter: {message}", file=sys.stderr)


def _one_line(error):
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror + (f": {error.filename!r}" if error.filename else "")
    return " ".join(text.split()) or type(error).__name__


def _show_warning(message, category, filename, lineno, file=None, line=None):
    print(f"skposter: warning: {_one_line(message)}", file=sys.stderr)
