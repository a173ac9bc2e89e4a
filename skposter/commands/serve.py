"""``skposter serve``: a page, and an endpoint, to try a model."""

from __future__ import annotations

import argparse
import contextlib
import sys

from skposter.commands._models import TRUSTED_ONLY, load_model
from skposter.commands.train import positive_int
from skposter.exceptions import DataError, SkposterError

SUMMARY = "try a model in the browser, or ask it over HTTP"
DESCRIPTION = (
    "Serve a page on which images are dropped and labels, probabilities, thresholds and heat maps "
    "appear, and the endpoint behind it: POST an image to /predict; /openapi.json describes it. "
    "Nothing is kept. Only this machine can reach it unless --host says otherwise. An exported "
    "model (.onnx) starts within a second and has no heat maps. " + TRUSTED_ONLY
)
_HERE = ("127.0.0.1", "localhost", "::1")


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument(
        "model", metavar="MODEL", help="file written by skposter train or export (.onnx)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at")
    parser.add_argument("--port", type=_port, default=8000, help="0 takes a free one")
    parser.add_argument(
        "--allow-host",
        metavar="NAME",
        action="append",
        default=[],
        help="a name by which the server may be called, beside localhost; may be repeated",
    )
    parser.add_argument("--max-bytes", type=positive_int, default=20_000_000, help="of one upload")
    parser.add_argument(
        "--max-requests", type=positive_int, default=64, help="that are worked on at a time"
    )
    parser.add_argument(
        "--timeout", type=positive_int, default=30, help="seconds for an upload to arrive"
    )


def run(args):
    """Run the command."""
    try:
        from skposter.serving import listen
    except ImportError as error:
        raise SkposterError(
            f"serve needs {error.name}. Install it with: pip install 'skposter[serve]'"
        ) from error

    with contextlib.closing(listen(args.host, args.port)) as listening:  # before what is slow
        _serve(args, listening)


def _serve(args, listening):
    from skposter.serving import Limits, create_app, serve

    model = load_model(args.model, onnx=True)
    limits = Limits(args.max_bytes, args.max_requests, timeout=float(args.timeout))
    try:
        app = create_app(model.pipeline, allowed_hosts=args.allow_host, limits=limits)
    except ValueError as error:
        raise DataError(f"{args.model!r}: {error}") from error
    host, port = listening.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    if args.host not in _HERE and not args.quiet:
        print(
            "skposter: whoever can reach this machine can use the model; it answers to "
            f"{', '.join([*_HERE, *args.allow_host])} only (--allow-host)",
            file=sys.stderr,
        )

    def started():
        print(f"serving {args.model!r} at {address} (Ctrl-C ends it)")
        sys.stdout.flush()

    serve(app, listening, timeout=limits.timeout, started=started)


def _port(text):
    port = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return port
