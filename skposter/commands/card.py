"""``skposter card``: what a model was trained on, how good it is and where its limits are."""

from __future__ import annotations

from skposter.commands._models import SAFE_ENDING, TRUSTED_ONLY, load_model

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
    if args.model.endswith(SAFE_ENDING):
        from skposter.persistence import read_card

        card = read_card(args.model)
    else:
        from skposter.persistence import model_card

        card = model_card(load_model(args.model).pipeline)
    print(card, end="")
