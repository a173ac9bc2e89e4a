"""Draw the figure of the poster benchmark from its tables.

python benchmarks/posters_figure.py docs/benchmarks/posters.md docs/_static/posters-curves.png
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import matplotlib.pyplot as plt

COLOURS = {"tutorial CNN": "#b4690e", "from scratch": "#0072b2", "MobileNet 0.25": "#0b7a53"}
FAINT = "#6b7280"


def main():
    page, picture = sys.argv[1:]
    text = Path(page).read_text(encoding="utf-8")
    first = rows_of(text, "## val")
    names = [row[0] for row in first]
    skills = [float(row[3].split()[0]) for row in first]
    frequencies = float(first[0][2].split()[0])
    curves = rows_of(text, "## Learning curves")
    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    for column, (name, colour) in enumerate(COLOURS.items(), 1):
        losses = [float(row[column]) for row in curves if row[column]]
        left.plot(range(1, len(losses) + 1), losses, color=colour, label=name)
    left.axhline(frequencies, color=FAINT, linestyle="--", label="label frequencies")
    left.set(xlabel="epoch", ylabel="validation loss", ylim=(0.2, 0.3))
    left.set_title("998 film posters, 25 genres", loc="left")
    left.legend(frameon=False)
    right.barh(names, skills, color=[COLOURS.get(name, FAINT) for name in names])
    for place, skill in enumerate(skills):
        right.text(skill, place, f" {skill:.1%}", va="center")
    right.invert_yaxis()
    right.set_title("skill (D2): 1 is perfect", loc="left")
    right.set_xlim(0, 0.2)
    figure.savefig(picture, dpi=110)


def rows_of(text, heading):
    """Return the cells of the first table below a heading."""
    section = text[text.index(heading) :]
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


if __name__ == "__main__":
    main()
