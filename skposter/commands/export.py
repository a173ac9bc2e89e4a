"""``skposter export``: a trained network for other runtimes."""

from __future__ import annotations

import argparse
import os

from skposter.commands._interrupts import raising
from skposter.commands._models import TRUSTED_ONLY, load_model
from skposter.exceptions import SkposterError

SUMMARY = "write the network of a model for ONNX, LiteRT, Keras or TensorFlow"
DESCRIPTION = (
    "Write the network of a model for another runtime: uint8 images in, probabilities out, with "
    "the names of labels and the thresholds as metadata. What is written is run and compared with "
    "the model first. " + TRUSTED_ONLY
)


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument("model", metavar="MODEL", help="file written by skposter train")
    parser.add_argument(
        "--format",
        choices=("onnx", "litert", "keras", "saved_model"),
        default=argparse.SUPPRESS,
        help="what to write (default: what the ending of FILE says)",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        required=True,
        help="such as model.onnx, model.tflite or model.keras; a new folder for saved_model",
    )


def run(args):
    """Run the command."""
    from skposter.persistence import export, export_format

    export_format(args.output, getattr(args, "format", None))  # better now than after loading
    model = load_model(args.model)
    try:
        with raising():  # so that its temporary folder goes
            export(model.pipeline, args.output, format=getattr(args, "format", None))
    except ImportError as error:  # an extra is not installed, which the message names
        raise SkposterError(error) from error
    if not args.quiet:
        print(f"wrote {os.fspath(args.output)!r}: predictions agree within 1e-5")
