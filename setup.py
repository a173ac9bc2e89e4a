"""What pyproject.toml cannot say: the README as the package index shows it."""

import re
from pathlib import Path


def without_relative_links(markdown):
    """Return a text without pictures and links that lead nowhere outside the repository."""
    relative = r"\((?!https?:|#)[^)]*\)"
    markdown = re.sub(rf"!\[[^]]*\]{relative}\n*", "", markdown)
    return re.sub(rf"\[([^]]*)\]{relative}", r"\1", markdown)


if __name__ == "__main__":
    from setuptools import setup

    setup(
        long_description=without_relative_links(Path("README.md").read_text(encoding="utf-8")),
        long_description_content_type="text/markdown",
    )
