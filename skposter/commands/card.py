"""``skposter card``: what a model was trained on, how good it is and where its limits are."""

from __future__ import annotations

import os

from skposter.commands._models import TRUSTED_ONLY, is_safe, load_model

SUMMARY = "print the model card of a model"
DESCRIPTION = (
    "Print the card of a model, in the format of the Hugging Face Hub: training data, scores "
    "beside those of the label frequencies, thresholds, limits, how to load it. " + TRUSTED_ONLY
)


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument("model", metavar="MODEL", help="file written by skposter train")


def run(args):
    """Run the command."""
    if os.path.isfile(args.model) and is_safe(args.model):
        from skposter.persistence import read_card

        card = read_card(args.model)
    else:
        from skposter.persistence import model_card

        name = os.path.basename(args.model)
        card = model_card(load_model(args.model).pipeline, file_name=name)
    print(card, end="")
